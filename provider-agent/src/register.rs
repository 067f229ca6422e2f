//! The machine on the chain: measured, registered with a bond, kept up to date, on offer.
//!
//! All of it is level-triggered, too: what the chain says of the owner's machines decides. The registration itself, which would cost a second bond if it
//! happened twice, is kept on disk before a node has it (`registration`).

use std::fs;
use std::path::Path;
use std::time::{Duration, Instant};

use nupeer_lease::actions::{RegisterMachine, UpdateMachine};
use nupeer_lease::{
    Action, Bond, Kind, Machine, MachineId, MachineState, MachineTerms, Metric, Offer, Price,
    Resources, Score, SignedOffer,
};
use nupeer_ledger::Scope;
use nupeer_primitives::{AccountId, Amount, AssetId, Hash, Hash28, Height, TimeMs, blake2b_256};

use crate::chain::{Chain, ChainError, Fate, SignedAction};
use crate::config::AgentConfig;
use crate::error::AgentError;
use crate::inventory::{self, Effort, Inventory};
use crate::key::OperatorKey;
use crate::records::write;
use crate::registration;

/// Where the last measurement is kept: the evidence behind what the chain was told.
pub const INVENTORY: &str = "inventory.json";
/// Lovelace that an operator key needs beside the bond: fees of some thousand transactions.
const FEES_LOVELACE: u64 = 5_000_000;
/// How often something that the chain has not shown yet is looked for.
const LOOK_EVERY: Duration = Duration::from_millis(300);
/// How long a final registration may take to show at the node that is asked.
const SHOWS_WITHIN: Duration = Duration::from_secs(30);
/// Shares of capacity and speed by which a machine must differ from what the chain was told, in percent.
const MATERIAL_PERCENT: u64 = 10;

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

impl Registrar<'_> {
    /// The owner's machine that this operator key speaks for, and the block time of the answer.
    ///
    /// # Errors
    /// The chain does not answer.
    pub fn find(&self) -> Result<(TimeMs, Option<(MachineId, Machine)>), AgentError> {
        let shown = self.chain.machines_of(&self.owner)?;
        Ok((shown.time, self.ours(shown.machines)))
    }

    fn ours(&self, machines: Vec<(MachineId, Machine)>) -> Option<(MachineId, Machine)> {
        let ours = |machine: &Machine| {
            machine.terms.operator == self.operator.public()
                && !matches!(machine.state, MachineState::Withdrawn { .. })
        };
        machines.into_iter().find(|(_, machine)| ours(machine))
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
    pub fn register(&self, terms: &MachineTerms) -> Result<(MachineId, Machine), AgentError> {
        let folder = &self.config.data_folder;
        let signed = match registration::kept(folder, &self.operator.public())? {
            Some(signed) => signed,
            None => {
                let signed = self.chain.sign(self.registration(terms))?;
                registration::keep(folder, &self.operator.public(), &signed)?;
                signed
            }
        };
        let shown = self.carry(&signed).and_then(|at| self.shown(at));
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

    /// The machine of a registration that is final since the height `at`, as soon as a node is as far.
    fn shown(&self, at: Height) -> Result<(MachineId, Machine), ChainError> {
        let end = Instant::now() + SHOWS_WITHIN;
        while Instant::now() < end {
            let shown = self.chain.machines_of(&self.owner)?;
            let is_as_far = shown.height >= at;
            match self.ours(shown.machines) {
                Some(found) => return Ok(found),
                None if is_as_far => {
                    let why = format!("the machine registered at height {at} is withdrawn");
                    return Err(ChainError::Refused(why));
                }
                None => std::thread::sleep(LOOK_EVERY),
            }
        }
        let lost = "the registration is not to be seen yet".to_owned();
        Err(ChainError::Unreachable(lost))
    }

    /// Says something else of the machine.
    ///
    /// # Errors
    /// The chain does not answer, or refuses: capacity that leases take cannot be taken back.
    pub fn update(
        &self,
        id: MachineId,
        machine: &Machine,
        terms: &MachineTerms,
    ) -> Result<(), AgentError> {
        self.settle(Action::UpdateMachine(UpdateMachine {
            machine: id,
            terms: terms.clone(),
            nonce_floor: machine.nonce_floor,
        }))
    }

    /// Submits what was signed until it is final; the height at which it is. Nodes keep in memory what is not decided, so what nobody knows
    /// is submitted again. One that has it final, or that another has pending, refuses it like a bad one: a refusal is believed when no node
    /// knows better.
    fn carry(&self, signed: &SignedAction) -> Result<Height, ChainError> {
        loop {
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
                (Fate::Final(height), _) => return Ok(height),
                (Fate::Refused(_) | Fate::Unknown, Fate::Refused(reason)) => {
                    return Err(ChainError::Refused(reason));
                }
                _ => std::thread::sleep(LOOK_EVERY),
            }
        }
    }

    /// Submits and waits for its fate.
    fn settle(&self, action: Action) -> Result<(), AgentError> {
        let id = self.chain.submit(action)?;
        loop {
            match self.chain.transaction(&id)? {
                Fate::Final(_) => return Ok(()),
                Fate::Refused(reason) => {
                    return Err(ChainError::Refused(reason).into());
                }
                // Lost with a node: whoever called sees it missing and does it again.
                Fate::Unknown => return Ok(()),
                Fate::Pending => std::thread::sleep(LOOK_EVERY),
            }
        }
    }

    /// The machine's signed offer, published: `current` again while it holds for more than half of its life, so that a node which
    /// was away learns of it, else a new one. None where the machine takes no leases.
    ///
    /// # Errors
    /// The chain does not answer, or refuses.
    pub fn offer(
        &self,
        chain_id: &Hash,
        current: Option<SignedOffer>,
    ) -> Result<Option<SignedOffer>, AgentError> {
        let (time, found) = self.find()?;
        let live = |(_, machine): &(MachineId, Machine)| machine.state == MachineState::Live;
        let Some((id, machine)) = found.filter(live) else {
            return Ok(None);
        };
        let fits = |signed: &SignedOffer| {
            time.until(signed.offer.expires) > self.config.offer_life_ms / 2
                && signed.offer.nonce >= machine.nonce_floor
                && signed.offer.capacity == machine.terms.capacity
        };
        let signed = match current.filter(fits) {
            Some(current) => current,
            None => self.sign(chain_id, offer(self.config, id, &machine, time)),
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

/// The last measurement where it still fits the machine, else a new one, kept in `folder`.
///
/// # Errors
/// The machine cannot be measured, or the folder not written.
pub fn inventory(folder: &Path) -> Result<Inventory, AgentError> {
    let kept = fs::read(folder.join(INVENTORY)).ok();
    let kept = kept.and_then(|bytes| serde_json::from_slice::<Inventory>(&bytes).ok());
    if let Some(kept) = kept {
        let now = inventory::capacity(folder)?;
        let same = now.cores == kept.capacity.cores
            && now.cpu_model == kept.capacity.cpu_model
            && !differs(now.memory_bytes, kept.capacity.memory_bytes);
        if same {
            return Ok(kept);
        }
    }
    let measured = inventory::measure(folder, &Effort::default())?;
    write(folder, INVENTORY, &report(&measured))?;
    Ok(measured)
}

/// The raw report, whose hash the chain is told.
fn report(inventory: &Inventory) -> Vec<u8> {
    serde_json::to_vec(inventory).unwrap_or_default()
}

/// What the owner says of a machine that was measured so.
///
/// # Errors
/// [`AgentError::NothingToOffer`].
pub fn terms(
    config: &AgentConfig,
    inventory: &Inventory,
    operator: &OperatorKey,
    endpoint: String,
) -> Result<MachineTerms, AgentError> {
    let has = &inventory.capacity;
    let all_milli = has.cores.saturating_mul(1_000);
    let or = |chosen: u64, measured: u64| if chosen == 0 { measured } else { chosen };
    let memory_bytes = or(config.memory_bytes, has.memory_bytes / 4 * 3);
    // No more than is there, whatever was chosen: the driver could not enforce it.
    let cpu_milli = if config.cpu_milli == 0 {
        all_milli
    } else {
        config.cpu_milli.min(all_milli)
    };
    for (what, amount) in [
        ("CPU", u64::from(cpu_milli)),
        ("memory", memory_bytes),
        ("processes", config.pids.into()),
    ] {
        if amount == 0 {
            return Err(AgentError::NothingToOffer { what });
        }
    }
    let score = |metric, value| Score { metric, value };
    Ok(MachineTerms {
        operator: operator.public(),
        endpoint,
        capacity: Resources {
            cpu_milli,
            memory_bytes: memory_bytes.min(has.memory_bytes),
            disk_bytes: config.disk_bytes.min(has.disk_free_bytes),
            pids: config.pids,
            ports: config.ports,
        },
        scores: vec![
            score(Metric::CpuSingle, inventory.cpu.one_core.median()),
            score(Metric::CpuAll, inventory.cpu.all_cores.median()),
            score(Metric::DiskRead, inventory.disk.read.median()),
            score(Metric::DiskWrite, inventory.disk.write.median()),
        ],
        evidence: blake2b_256(&[&report(inventory)]),
    })
}

/// Whether a machine differs enough from what the chain was told to say so.
pub fn is_material(told: &MachineTerms, now: &MachineTerms) -> bool {
    let (a, b) = (&told.capacity, &now.capacity);
    told.operator != now.operator
        || told.endpoint != now.endpoint
        || (a.pids, a.ports) != (b.pids, b.ports)
        || differs(a.cpu_milli.into(), b.cpu_milli.into())
        || differs(a.memory_bytes, b.memory_bytes)
        || differs(a.disk_bytes, b.disk_bytes)
}

fn differs(a: u64, b: u64) -> bool {
    let gap = u128::from(a.abs_diff(b)) * 100;
    gap > u128::from(a.max(b)) * u128::from(MATERIAL_PERCENT)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::inventory::{Capacity, CpuSpeed, DiskSpeed, Samples};

    fn samples(speed: u64) -> Samples {
        Samples {
            bytes_per_s: vec![speed],
        }
    }

    fn measured() -> Inventory {
        Inventory {
            capacity: Capacity {
                cores: 2,
                memory_bytes: 8 << 30,
                memory_available_bytes: 4 << 30,
                disk_free_bytes: 100 << 30,
                cpu_model: "a CPU".into(),
            },
            cpu: CpuSpeed {
                one_core: samples(1),
                all_cores: samples(2),
                chain_end: String::new(),
            },
            disk: DiskSpeed {
                write: samples(3),
                read: samples(4),
                read_direct: true,
                sync_us: 5,
            },
        }
    }

    fn told(config: &AgentConfig) -> Result<MachineTerms, AgentError> {
        let operator = OperatorKey::from_bytes(&[1; 32]);
        terms(config, &measured(), &operator, "http://here".into())
    }

    #[test]
    fn what_is_leased_out_is_what_was_measured_or_less() {
        let of = |change: fn(&mut AgentConfig)| {
            let mut config = AgentConfig::default();
            change(&mut config);
            told(&config).unwrap().capacity
        };
        let default = of(|_| {});
        assert_eq!((default.cpu_milli, default.memory_bytes), (2_000, 6 << 30));
        let less = of(|c| (c.cpu_milli, c.memory_bytes) = (500, 1 << 30));
        assert_eq!((less.cpu_milli, less.memory_bytes), (500, 1 << 30));
        let more = of(|c| (c.cpu_milli, c.memory_bytes) = (9_000, 99 << 30));
        assert_eq!((more.cpu_milli, more.memory_bytes), (2_000, 8 << 30));
    }

    #[test]
    fn scores_ascend_and_name_what_was_measured() {
        let scores = told(&AgentConfig::default()).unwrap().scores;
        let values: Vec<u64> = scores.iter().map(|score| score.value).collect();
        assert_eq!(values, [1, 2, 4, 3]);
        assert!(
            scores
                .windows(2)
                .all(|pair| pair[0].metric < pair[1].metric)
        );
    }

    #[test]
    fn a_machine_that_cannot_run_anything_is_not_offered() {
        let config = AgentConfig {
            pids: 0,
            ..AgentConfig::default()
        };
        let refused = told(&config);
        assert!(matches!(
            refused,
            Err(AgentError::NothingToOffer { what: "processes" })
        ));
    }

    #[test]
    fn a_small_change_is_not_worth_a_transaction() {
        let before = told(&AgentConfig::default()).unwrap();
        let changed = |change: &dyn Fn(&mut MachineTerms)| {
            let mut now = before.clone();
            change(&mut now);
            is_material(&before, &now)
        };
        assert!(!changed(&|_| {}));
        assert!(!changed(&|t| t.capacity.memory_bytes -= 100 << 20));
        assert!(!changed(&|t| t.scores[0].value = 9));
        assert!(changed(&|t| t.capacity.memory_bytes -= 1 << 30));
        assert!(changed(&|t| t.capacity.cpu_milli = 1_000));
        assert!(changed(&|t| t.capacity.ports = 1));
        assert!(changed(&|t| t.endpoint = "http://there".into()));
    }

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
