//! Registering a machine.

use minicbor::{Decode, Encode};
use nupeer_ledger::{Context, Purse, StateWrite, purse};
use nupeer_primitives::AssetId;

use crate::{
    actions::check_bond,
    error::LeaseError,
    event::Event,
    id::MachineId,
    machine::{Bond, Machine, MachineState, MachineTerms},
    params::Params,
    resources::Resources,
    store,
};

/// Registers a machine of the sender's and holds its bonds.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
pub struct RegisterMachine {
    /// What the owner says of it.
    #[n(0)]
    pub terms: MachineTerms,
    /// What secures it, ascending by kind: it will serve these kinds.
    #[n(1)]
    pub bonds: Vec<Bond>,
}

impl RegisterMachine {
    pub(crate) fn text(&self) -> String {
        let key: String = self.terms.operator.hash().to_string();
        let bonds: Vec<String> = self.bonds.iter().map(bond_text).collect();
        format!(
            "register machine of {} mCPU, operator {}, bond {}",
            self.terms.capacity.cpu_milli,
            &key[..16],
            bonds.join(" + ")
        )
    }

    pub(crate) fn execute(
        &self,
        state: &mut dyn StateWrite,
        context: &Context,
    ) -> Result<Vec<Event>, LeaseError> {
        let owner = context.sender;
        self.terms.check(state, &owner, context.time)?;
        self.check_bonds(&Params::load(state))?;
        let id = MachineId::registered_by(&context.transaction);
        for bond in &self.bonds {
            let (from, to) = (Purse::Account(owner), bond.purse(owner, &id));
            purse::transfer(state, &from, &to, &bond.asset, bond.amount)?;
        }
        let machine = Machine {
            owner,
            terms: self.terms.clone(),
            bonds: self.bonds.clone(),
            used: Resources::default(),
            leases_open: 0,
            nonce_floor: 0,
            state: MachineState::Live,
        };
        store::put_machine(state, &id, Some(&machine));
        Ok(vec![Event::MachineRegistered { machine: id, owner }])
    }

    fn check_bonds(&self, params: &Params) -> Result<(), LeaseError> {
        if self.bonds.is_empty() {
            return Err(LeaseError::NoBond);
        }
        if !self
            .bonds
            .windows(2)
            .all(|pair| pair[0].kind < pair[1].kind)
        {
            return Err(LeaseError::BondsOutOfOrder);
        }
        self.bonds
            .iter()
            .try_for_each(|bond| check_bond(bond, params.kind(bond.kind)?))
    }
}

fn bond_text(bond: &Bond) -> String {
    match &bond.asset {
        AssetId::Ada => format!("{} ADA", bond.amount.display(6)),
        token => format!(
            "{} of {}",
            bond.amount,
            token.fingerprint().unwrap_or_default()
        ),
    }
}

#[cfg(test)]
mod tests {
    use nupeer_ledger::{HoldKind, LedgerError};
    use nupeer_primitives::{Amount, Hash28};

    use super::*;
    use crate::{
        actions::testing::{BOND, OWNER, World, key, register, terms},
        params::Kind,
        resources::Resource,
        score::{Metric, Score},
    };

    fn with_terms(change: impl Fn(&mut MachineTerms)) -> RegisterMachine {
        let mut action = register();
        change(&mut action.terms);
        action
    }

    fn with_bonds(bonds: Vec<Bond>) -> RegisterMachine {
        RegisterMachine {
            bonds,
            ..register()
        }
    }

    fn bond(amount: u128) -> Bond {
        Bond {
            kind: Kind::Container,
            asset: AssetId::Ada,
            amount: Amount::new(amount),
        }
    }

    #[test]
    fn a_registered_machine_is_live_and_its_bond_is_held() {
        let mut world = World::new();
        let before = world.balance(OWNER);
        let machine = world.register();
        assert_eq!(world.machine(&machine).state, MachineState::Live);
        let purse = bond(BOND).purse(world.account(OWNER), &machine);
        assert!(matches!(
            purse,
            Purse::Hold {
                kind: HoldKind::Bond,
                ..
            }
        ));
        assert_eq!(world.held(&purse), BOND);
        assert_eq!(world.balance(OWNER), before - BOND);
    }

    #[test]
    fn each_flaw_has_its_error() {
        let token = AssetId::Native {
            policy: Hash28([7; 28]),
            name: vec![],
        };
        let stranger = key(99);
        let score = |metric| Score { metric, value: 1 };
        for (action, error) in [
            (
                with_terms(|t| t.endpoint = String::new()),
                LeaseError::InvalidEndpoint { provided: 0 },
            ),
            (
                with_terms(|t| t.endpoint = "a b".into()),
                LeaseError::InvalidEndpoint { provided: 3 },
            ),
            (
                with_terms(|t| t.endpoint = "x".repeat(129)),
                LeaseError::InvalidEndpoint { provided: 129 },
            ),
            (
                with_terms(|t| t.capacity.cpu_milli = 0),
                LeaseError::NoCapacity {
                    resource: Resource::Cpu,
                },
            ),
            (
                with_terms(|t| t.capacity.memory_bytes = 0),
                LeaseError::NoCapacity {
                    resource: Resource::Memory,
                },
            ),
            (
                with_terms(|t| {
                    t.scores = vec![score(Metric::CpuAll), score(Metric::CpuSingle)];
                }),
                LeaseError::ScoresOutOfOrder,
            ),
            (
                with_terms(|t| t.operator = stranger.public),
                LeaseError::OperatorNotGranted {
                    key: stranger.public.hash(),
                    reason: LedgerError::KeyNotGranted {
                        key: stranger.public.hash(),
                    },
                },
            ),
            (with_bonds(vec![]), LeaseError::NoBond),
            (
                with_bonds(vec![bond(BOND), bond(BOND)]),
                LeaseError::BondsOutOfOrder,
            ),
            (
                with_bonds(vec![Bond {
                    asset: token.clone(),
                    ..bond(BOND)
                }]),
                LeaseError::WrongBondAsset {
                    provided: token,
                    expected: AssetId::Ada,
                },
            ),
            (
                with_bonds(vec![bond(BOND - 1)]),
                LeaseError::BondTooSmall {
                    provided: Amount::new(BOND - 1),
                    minimum: Amount::new(BOND),
                },
            ),
        ] {
            let mut world = World::new();
            assert_eq!(world.refused(OWNER, action), error);
        }
    }

    #[test]
    fn a_bond_that_the_owner_cannot_pay_is_the_ledgers_to_refuse() {
        let mut world = World::new();
        let (available, needed) = (world.balance(OWNER), world.balance(OWNER) + 1);
        let error = LedgerError::InsufficientFunds {
            asset: AssetId::Ada,
            available: Amount::new(available),
            needed: Amount::new(needed),
        };
        let action = with_bonds(vec![bond(needed)]);
        assert_eq!(world.refused(OWNER, action), LeaseError::Ledger(error));
    }

    #[test]
    fn a_chain_without_the_kind_takes_no_machine_for_it() {
        let mut world = World::new();
        Params::default().store(&mut world.state).unwrap();
        let kind = Kind::Container;
        let refused = world.refused(OWNER, register());
        assert_eq!(refused, LeaseError::KindNotOffered { kind });
    }

    #[test]
    fn the_owners_own_key_may_be_the_operator() {
        let mut world = World::new();
        let own = RegisterMachine {
            terms: MachineTerms {
                operator: key(OWNER).public,
                ..terms()
            },
            ..register()
        };
        assert!(world.run(OWNER, own).is_ok());
    }
}
