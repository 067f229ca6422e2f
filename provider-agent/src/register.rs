//! The machine on the chain: registered with a bond, kept up to date, on offer.
//!
//! All of it is level-triggered, too: what the chain shows of this agent's machine decides, by state proofs; a node's list of the owner's machines says
//! no more than which to ask about. The registration itself, which would cost a second bond if it happened twice, is kept on disk before a node has
//! it (`registration`).

use std::time::{Duration, Instant};

use nupeer_lease::actions::{RegisterMachine, UpdateMachine};
use nupeer_lease::{
    Action, Bond, Kind, Machine, MachineId, MachineState, MachineTerms, Offer, Price, SignedOffer,
};
use nupeer_ledger::Scope;
use nupeer_primitives::{AccountId, Amount, AssetId, Hash, Hash28, Height, TimeMs, cbor};
use nupeer_runtime::SignedTransaction;

use crate::chain::{Certified, Chain, ChainError, Fate, ProvenMachine, SignedAction};
use crate::config::AgentConfig;
use crate::error::AgentError;
use crate::key::OperatorKey;
use crate::own::{self, Own};
use crate::registration;
use crate::terms::is_material;

/// Lovelace that an operator key needs beside the bond: fees of some thousand transactions.
const FEES_LOVELACE: u64 = 5_000_000;
/// How often something that the chain has not shown yet is looked for.
const LOOK_EVERY: Duration = Duration::from_millis(300);
/// How long what is final may take to show at the node that is asked.
const SHOWS_WITHIN: Duration = Duration::from_secs(30);
/// How long a transaction may take to become final before another node is asked about it.
const FINAL_WITHIN: Duration = Duration::from_secs(60);

/// Who registers what, where.
pub struct Registrar<'a> {
    /// The settings.
    pub config: &'a AgentConfig,
    /// The chain.
    pub chain: &'a dyn Chain,
    /// The owner.
    pub owner: AccountId,
    /// The operator key.
    pub operator: &'a OperatorKey,
}

/// A machine that this operator key speaks for, as the chain showed it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Standing {
    /// Which.
    pub id: MachineId,
    /// After which block.
    pub at: Certified,
    /// How it stood.
    pub machine: Machine,
}

impl Registrar<'_> {
    /// The owner's machine that this operator key speaks for, as the chain shows it, and the block time of the answer. The one that this agent spoke
    /// for before is found whatever a node lists.
    ///
    /// # Errors
    /// The chain does not answer, an answer is older than one before, or a node lists a machine that is not there.
    pub fn find(&self) -> Result<(TimeMs, Option<Standing>), AgentError> {
        if let Some(own) = own::kept(&self.config.data_folder, &self.operator.public())? {
            let shown = self.chain.machine(&own.machine)?;
            own.not_behind(shown.at.height)?;
            if let Some(found) = self.standing(own.machine, shown) {
                return Ok((found.at.time, Some(found)));
            }
        }
        let listed = self.chain.machines_of(&self.owner)?;
        let ours = |(_, machine): &&(MachineId, Machine)| self.is_ours(machine);
        for (id, _) in listed.machines.iter().filter(ours) {
            let shown = self.chain.machine(id)?;
            if shown.machine.is_none() && shown.at.height >= listed.height {
                let what = format!("machine {id} is listed and is not there");
                return Err(ChainError::Malformed(what).into());
            }
            if let Some(found) = self.standing(*id, shown) {
                return Ok((found.at.time, Some(found)));
            }
        }
        Ok((listed.time, None))
    }

    /// What was shown, if it is a machine that this operator key speaks for.
    fn standing(&self, id: MachineId, shown: ProvenMachine) -> Option<Standing> {
        let ProvenMachine { at, machine } = shown;
        let machine = machine.filter(|machine| self.is_ours(machine))?;
        Some(Standing { id, at, machine })
    }

    fn is_ours(&self, machine: &Machine) -> bool {
        machine.owner == self.owner
            && machine.terms.operator == self.operator.public()
            && !matches!(machine.state, MachineState::Withdrawn { .. })
    }

    /// Checks that the owner lets the operator key do what comes next.
    ///
    /// # Errors
    /// [`AgentError::NotGranted`] with what is missing.
    pub fn check_grant(&self, time: TimeMs, registered: bool) -> Result<(), AgentError> {
        let key = self.operator.public().hash();
        if key == self.owner.hash() {
            return Ok(());
        }
        let missing = match self.chain.grant(&self.owner, &key)? {
            None => Some("it is granted nothing".to_owned()),
            Some(grant) if grant.expires <= time => Some("the grant has expired".to_owned()),
            Some(grant) if !grant.scope.covers(Scope::MACHINE) => {
                Some(format!("it may {}, not machine", grant.scope.text()))
            }
            Some(grant) => {
                let needed = if registered {
                    1
                } else {
                    self.budget_lovelace()
                };
                let has = grant.budget_lovelace;
                (has < Amount::new(needed.into()))
                    .then(|| format!("a budget of {has} lovelace, {needed} are needed"))
            }
        };
        match missing {
            None => Ok(()),
            Some(missing) => Err(AgentError::NotGranted { key, missing }),
        }
    }

    /// What the operator key takes of the owner's account: the bond, and fees.
    fn budget_lovelace(&self) -> u64 {
        self.config.bond_lovelace.saturating_add(FEES_LOVELACE)
    }

    /// The command that the owner runs so that the operator key may act.
    pub fn grant_command(&self) -> String {
        grant_command(self.config, &self.operator.public().hash())
    }

    /// Registers the machine and waits until the chain shows it; goes on with a registration that an earlier start left on its way.
    ///
    /// # Errors
    /// The chain does not answer, or refuses: whoever called looks again, and registers again where there is still nothing.
    pub fn register(&self, terms: &MachineTerms) -> Result<Standing, AgentError> {
        let (folder, operator) = (&self.config.data_folder, self.operator.public());
        let signed = match registration::kept(folder, &operator)? {
            Some(signed) => signed,
            None => {
                let signed = self.chain.sign(self.registration(terms))?;
                registration::keep(folder, &operator, &signed)?;
                signed
            }
        };
        let shown = self.carry(&signed).and_then(|at| self.shown(&signed, at));
        if let Ok(standing) = &shown {
            self.keep(standing, &[&standing.machine.terms.endpoint])?;
        }
        // It expired, another took its sequence number, or the machine was withdrawn since.
        if let Ok(_) | Err(ChainError::Refused(_)) = &shown {
            registration::forget(folder)?;
        }
        Ok(shown?)
    }

    fn registration(&self, terms: &MachineTerms) -> Action {
        let bond = Bond {
            kind: Kind::Container,
            asset: AssetId::Ada,
            amount: Amount::new(self.config.bond_lovelace.into()),
        };
        Action::RegisterMachine(RegisterMachine {
            terms: terms.clone(),
            bonds: vec![bond],
        })
    }

    /// The machine of a registration that a node calls final since the height `at`, as soon as the chain shows it.
    fn shown(&self, signed: &SignedAction, at: Height) -> Result<Standing, ChainError> {
        let id = MachineId::registered_by(&signed.id);
        let end = Instant::now() + SHOWS_WITHIN;
        while Instant::now() < end {
            let shown = self.chain.machine(&id)?;
            let is_as_far = shown.at.height >= at;
            let is_gone = match &shown.machine {
                Some(machine) => !self.is_ours(machine),
                None => is_as_far && has_expired(signed, shown.at.time),
            };
            if is_gone {
                let why = format!("the machine registered at height {at} is withdrawn");
                return Err(ChainError::Refused(why));
            }
            match self.standing(id, shown) {
                Some(standing) => return Ok(standing),
                // It is not final, and may still become so.
                None if is_as_far => break,
                None => std::thread::sleep(LOOK_EVERY),
            }
        }
        self.chain.doubt();
        let lost = "the registration is not to be seen yet".to_owned();
        Err(ChainError::Unreachable(lost))
    }

    /// Makes the chain say of the machine what is so now, unless another agent speaks for it.
    ///
    /// # Errors
    /// [`AgentError::OtherAgent`]: nothing was said then, so that two agents do not take turns. Else as [`Registrar::update`].
    pub fn bring_up_to_date(
        &self,
        standing: &Standing,
        now: &MachineTerms,
    ) -> Result<(), AgentError> {
        let Standing { id, machine, .. } = standing;
        let (told, here) = (&machine.terms.endpoint, &now.endpoint);
        let own = own::kept(&self.config.data_folder, &self.operator.public())?;
        let own = own.filter(|own| own.machine == *id && told != here && !self.config.take_over);
        if let Some(own) = own {
            own.is_ours(told)?;
        }
        if !is_material(&machine.terms, now) {
            return self.keep(standing, &[told]);
        }
        // Until it is shown, either is this agent's word.
        self.keep(standing, &[told, here])?;
        self.update(*id, machine, now)?;
        tracing::info!("the chain was told what changed of the machine");
        match self.standing(*id, self.chain.machine(id)?) {
            Some(updated) if updated.machine.terms.endpoint == *here => {
                self.keep(&updated, &[here])
            }
            _ => Ok(()),
        }
    }

    fn keep(&self, standing: &Standing, endpoints: &[&String]) -> Result<(), AgentError> {
        let mut endpoints: Vec<String> = endpoints.iter().copied().cloned().collect();
        endpoints.dedup();
        let own = Own {
            machine: standing.id,
            height: standing.at.height,
            endpoints,
        };
        let folder = &self.config.data_folder;
        Ok(own::keep(folder, &self.operator.public(), &own)?)
    }

    /// Says something else of the machine, and waits until that is final.
    ///
    /// # Errors
    /// The chain does not answer, or refuses: capacity that leases take cannot be taken back.
    pub fn update(
        &self,
        id: MachineId,
        machine: &Machine,
        terms: &MachineTerms,
    ) -> Result<(), AgentError> {
        let signed = self.chain.sign(Action::UpdateMachine(UpdateMachine {
            machine: id,
            terms: terms.clone(),
            nonce_floor: machine.nonce_floor,
        }))?;
        self.carry(&signed)?;
        Ok(())
    }

    /// Submits what was signed until it is final; the height at which it is, by a node's word. After a while of waiting another node is asked.
    fn carry(&self, signed: &SignedAction) -> Result<Height, ChainError> {
        let end = Instant::now() + FINAL_WITHIN;
        while Instant::now() < end {
            if let Some(height) = self.settled(signed)? {
                return Ok(height);
            }
            std::thread::sleep(LOOK_EVERY);
        }
        self.chain.doubt();
        let what = format!("transaction {} is not final yet", signed.id);
        Err(ChainError::Unreachable(what))
    }

    /// The height at which a transaction is final. Nodes keep in memory what is not decided, so what nobody knows is submitted again. One that has it
    /// final, or that another has pending, refuses it like a bad one: a refusal is believed when no node knows better.
    fn settled(&self, signed: &SignedAction) -> Result<Option<Height>, ChainError> {
        let told = match self.chain.transaction(&signed.id)? {
            Fate::Unknown => match self.chain.submit_signed(signed) {
                Err(ChainError::Refused(reason)) => Fate::Refused(reason),
                sent => sent.map(|()| Fate::Pending)?,
            },
            told => told,
        };
        let known = match &told {
            Fate::Refused(_) => self.chain.transaction_anywhere(&signed.id)?,
            _ => told.clone(),
        };
        match (known, told) {
            (Fate::Final(height), _) => Ok(Some(height)),
            (Fate::Refused(_) | Fate::Unknown, Fate::Refused(reason)) => {
                Err(ChainError::Refused(reason))
            }
            _ => Ok(None),
        }
    }

    /// The signed offer of the machine `id` as it was shown, published: `current` again while it holds for more than half of its life, so that a node
    /// which was away learns of it, else a new one. None where the machine takes no leases.
    ///
    /// # Errors
    /// The chain does not answer, or refuses.
    pub fn offer(
        &self,
        chain_id: &Hash,
        id: MachineId,
        shown: &ProvenMachine,
        current: Option<SignedOffer>,
    ) -> Result<Option<SignedOffer>, AgentError> {
        let time = shown.at.time;
        let live = |machine: &&Machine| machine.state == MachineState::Live;
        let Some(machine) = shown.machine.as_ref().filter(live) else {
            return Ok(None);
        };
        let fits = |signed: &SignedOffer| {
            time.until(signed.offer.expires) > self.config.offer_life_ms / 2
                && signed.offer.nonce >= machine.nonce_floor
                && signed.offer.capacity == machine.terms.capacity
        };
        let signed = match current.filter(fits) {
            Some(current) => current,
            None => self.sign(chain_id, offer(self.config, id, machine, time)),
        };
        self.chain.publish(&signed)?;
        Ok(Some(signed))
    }

    fn sign(&self, chain_id: &Hash, offer: Offer) -> SignedOffer {
        SignedOffer {
            operator: self.operator.public(),
            signature: self.operator.sign(&offer.id(chain_id).0),
            offer,
        }
    }
}

/// Whether a transaction can be in no block from `time` on.
fn has_expired(signed: &SignedAction, time: TimeMs) -> bool {
    let signed: Result<SignedTransaction, _> = cbor::decode(&signed.cbor);
    signed.is_ok_and(|signed| signed.transaction.valid_until < time)
}

/// The command that an owner runs so that an operator key may act.
pub fn grant_command(config: &AgentConfig, key: &Hash28) -> String {
    // Budgets are given in ADA; rounded up.
    let ada = config
        .bond_lovelace
        .saturating_add(FEES_LOVELACE)
        .div_ceil(1_000_000);
    format!("nupeer tx grant --key {key} --scope machine --budget {ada}ADA --hours 8760")
}

/// What this machine offers from `time` on.
fn offer(config: &AgentConfig, id: MachineId, machine: &Machine, time: TimeMs) -> Offer {
    Offer {
        machine: id,
        kind: Kind::Container,
        capacity: machine.terms.capacity,
        price: price(config),
        duration_ms_max: config.duration_ms_max,
        tenant: None,
        leases_max: config.offer_leases_max,
        expires: TimeMs(time.0.saturating_add(config.offer_life_ms)),
        // Time goes on, so no two offers are the same and none is below a floor that was met before.
        nonce: time.0.max(machine.nonce_floor),
    }
}

fn price(config: &AgentConfig) -> Price {
    match config.price_lovelace_per_hour {
        0 => Price::Vector {
            cpu_lovelace_per_hour: config.price_cpu_lovelace_per_hour,
            memory_gib_lovelace_per_hour: config.price_memory_gib_lovelace_per_hour,
            disk_gib_lovelace_per_hour: config.price_disk_gib_lovelace_per_hour,
            port_lovelace_per_hour: config.price_port_lovelace_per_hour,
        },
        lovelace_per_hour => Price::Whole { lovelace_per_hour },
    }
}

#[cfg(test)]
mod tests {
    use nupeer_lease::Resources;

    use super::*;
    use crate::terms::tests::told;

    #[test]
    fn the_owner_is_told_a_command_that_covers_bond_and_fees() {
        let command = grant_command(&AgentConfig::default(), &Hash28([0xab; 28]));
        assert_eq!(
            command,
            format!(
                "nupeer tx grant --key {} --scope machine --budget 55ADA --hours 8760",
                "ab".repeat(28)
            )
        );
    }

    #[test]
    fn an_offer_is_newer_than_the_one_before_and_above_the_floor() {
        let config = AgentConfig::default();
        let machine = |nonce_floor| Machine {
            owner: AccountId::of_key(Hash28([1; 28])),
            terms: told(&config).unwrap(),
            bonds: vec![],
            used: Resources::default(),
            leases_open: 0,
            nonce_floor,
            state: MachineState::Live,
        };
        let id = MachineId(Hash([2; 32]));
        let first = offer(&config, id, &machine(0), TimeMs(1_000));
        let second = offer(&config, id, &machine(0), TimeMs(2_000));
        assert!(first.nonce < second.nonce);
        assert_eq!(first.expires, TimeMs(601_000));
        assert_eq!(
            offer(&config, id, &machine(9_999), TimeMs(1_000)).nonce,
            9_999
        );
    }
}
