//! Saying something else of a machine.

use minicbor::{Decode, Encode};
use nupeer_ledger::{Context, StateWrite};

use crate::{
    actions::own_machine,
    error::LeaseError,
    event::Event,
    id::MachineId,
    machine::{Machine, MachineState, MachineTerms},
    store,
};

/// Replaces what is said of a machine of the sender's. Leases go on; offers below the new floor no longer hold, nor do those of
/// an operator key that is replaced.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
pub struct UpdateMachine {
    /// Which machine.
    #[n(0)]
    pub machine: MachineId,
    /// What is said of it from now on.
    #[n(1)]
    pub terms: MachineTerms,
    /// Offers with a lower nonce are taken back.
    #[n(2)]
    pub nonce_floor: u64,
}

impl UpdateMachine {
    pub(crate) fn text(&self) -> String {
        let key = self.terms.operator.hash().to_string();
        format!(
            "update machine {}, operator {}, offers from {}",
            self.machine,
            &key[..16],
            self.nonce_floor
        )
    }

    pub(crate) fn execute(
        &self,
        state: &mut dyn StateWrite,
        context: &Context,
    ) -> Result<Vec<Event>, LeaseError> {
        let machine = own_machine(state, &self.machine, &context.sender)?;
        self.check(&machine)?;
        self.terms.check(state, &context.sender, context.time)?;
        let updated = Machine {
            terms: self.terms.clone(),
            nonce_floor: self.nonce_floor,
            ..machine
        };
        store::put_machine(state, &self.machine, Some(&updated));
        Ok(vec![Event::MachineUpdated {
            machine: self.machine,
        }])
    }

    fn check(&self, machine: &Machine) -> Result<(), LeaseError> {
        if let MachineState::Withdrawn { .. } = machine.state {
            return Err(LeaseError::WrongMachineState {
                provided: machine.state.name(),
                needed: "live or draining",
            });
        }
        if self.nonce_floor < machine.nonce_floor {
            return Err(LeaseError::FloorBackwards {
                provided: self.nonce_floor,
                current: machine.nonce_floor,
            });
        }
        match machine.used.excess_over(&self.terms.capacity) {
            None => Ok(()),
            Some(excess) => Err(LeaseError::CapacityInUse {
                resource: excess.resource,
                provided: excess.available,
                used: excess.needed,
            }),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        actions::{
            WithdrawMachine,
            testing::{OWNER, TENANT, World, key, terms},
        },
        resources::Resource,
    };

    fn update(machine: MachineId) -> UpdateMachine {
        UpdateMachine {
            machine,
            terms: terms(),
            nonce_floor: 0,
        }
    }

    #[test]
    fn a_machine_may_change_its_address_key_and_floor() {
        let mut world = World::new();
        let machine = world.register();
        let changed = UpdateMachine {
            terms: MachineTerms {
                endpoint: "elsewhere:1".into(),
                operator: key(OWNER).public,
                ..terms()
            },
            nonce_floor: 9,
            ..update(machine)
        };
        world.run(OWNER, changed.clone()).unwrap();
        let now = world.machine(&machine);
        assert_eq!((now.terms, now.nonce_floor), (changed.terms, 9));
    }

    #[test]
    fn only_its_owner_may() {
        let mut world = World::new();
        let machine = world.register();
        let (provided, expected) = (world.account(TENANT).hash(), world.account(OWNER).hash());
        let refused = world.refused(TENANT, update(machine));
        assert_eq!(refused, LeaseError::NotOwner { provided, expected });
    }

    #[test]
    fn capacity_that_leases_take_stays() {
        let mut world = World::new();
        let (machine, _) = world.matched();
        let mut small = update(machine);
        small.terms.capacity.cpu_milli = 199;
        let error = LeaseError::CapacityInUse {
            resource: Resource::Cpu,
            provided: 199,
            used: 200,
        };
        assert_eq!(world.refused(OWNER, small), error);
    }

    #[test]
    fn a_floor_never_sinks() {
        let mut world = World::new();
        let machine = world.register();
        let floor = |nonce_floor| UpdateMachine {
            nonce_floor,
            ..update(machine)
        };
        world.run(OWNER, floor(5)).unwrap();
        let (provided, current) = (4, 5);
        let error = LeaseError::FloorBackwards { provided, current };
        assert_eq!(world.refused(OWNER, floor(4)), error);
    }

    #[test]
    fn what_is_withdrawn_or_unknown_cannot_be_updated() {
        let mut world = World::new();
        let machine = world.register();
        let unknown = MachineId(nupeer_primitives::Hash::ZERO);
        let error = LeaseError::UnknownMachine { machine: unknown };
        assert_eq!(world.refused(OWNER, update(unknown)), error);
        world.run(OWNER, WithdrawMachine { machine }).unwrap();
        let error = LeaseError::WrongMachineState {
            provided: "withdrawn",
            needed: "live or draining",
        };
        assert_eq!(world.refused(OWNER, update(machine)), error);
    }
}
