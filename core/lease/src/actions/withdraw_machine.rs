//! Withdrawing a machine.

use minicbor::{Decode, Encode};
use nupeer_ledger::{Context, Purse, StateWrite, purse};
use nupeer_primitives::TimeMs;

use crate::{
    actions::own_machine,
    error::LeaseError,
    event::Event,
    id::MachineId,
    lease::later,
    machine::{Machine, MachineState},
    params::Params,
    store,
};

/// Lets a machine of the sender's take no more leases. Its bonds are released when none runs: at once, or with the last.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
pub struct WithdrawMachine {
    /// Which machine.
    #[n(0)]
    pub machine: MachineId,
}

impl WithdrawMachine {
    pub(crate) fn text(&self) -> String {
        format!("withdraw machine {}", self.machine)
    }

    pub(crate) fn execute(
        &self,
        state: &mut dyn StateWrite,
        context: &Context,
    ) -> Result<Vec<Event>, LeaseError> {
        let id = self.machine;
        let machine = own_machine(state, &id, &context.sender)?;
        if machine.state != MachineState::Live {
            return Err(LeaseError::WrongMachineState {
                provided: machine.state.name(),
                needed: "live",
            });
        }
        if machine.leases_open == 0 {
            return Ok(vec![release(state, &id, machine, context.time)?]);
        }
        let draining = Machine {
            state: MachineState::Draining,
            ..machine
        };
        store::put_machine(state, &id, Some(&draining));
        Ok(vec![Event::MachineDraining { machine: id }])
    }
}

/// Releases the bonds of a machine on which no lease runs.
pub(crate) fn release(
    state: &mut dyn StateWrite,
    id: &MachineId,
    machine: Machine,
    time: TimeMs,
) -> Result<Event, LeaseError> {
    let to = Purse::Account(machine.owner);
    for bond in &machine.bonds {
        let from = bond.purse(machine.owner, id);
        purse::transfer(state, &from, &to, &bond.asset, bond.amount)?;
    }
    let forget = later(time, Params::load(state).retention_ms);
    let withdrawn = Machine {
        state: MachineState::Withdrawn { forget },
        ..machine
    };
    store::put_machine(state, id, Some(&withdrawn));
    Ok(Event::MachineWithdrawn { machine: *id })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::actions::{
        CloseLease,
        testing::{BOND, OWNER, TENANT, World},
    };

    #[test]
    fn an_idle_machine_has_its_bond_back_at_once() {
        let mut world = World::new();
        let before = world.balance(OWNER);
        let machine = world.register();
        world.run(OWNER, WithdrawMachine { machine }).unwrap();
        assert_eq!(world.balance(OWNER), before);
    }

    #[test]
    fn a_bond_is_released_only_when_the_last_lease_ends() {
        let mut world = World::new();
        let before = world.balance(OWNER);
        let (machine, lease) = world.matched();
        world.run(OWNER, WithdrawMachine { machine }).unwrap();
        assert_eq!(world.machine(&machine).state, MachineState::Draining);
        assert_eq!(world.balance(OWNER), before - BOND);
        let events = world.run(TENANT, CloseLease { lease, usage: None });
        assert!(
            events
                .unwrap()
                .contains(&Event::MachineWithdrawn { machine })
        );
        assert_eq!(world.balance(OWNER), before);
    }

    #[test]
    fn a_machine_is_withdrawn_once() {
        for (matched, provided) in [(true, "draining"), (false, "withdrawn")] {
            let mut world = World::new();
            let machine = if matched {
                world.matched().0
            } else {
                world.register()
            };
            world.run(OWNER, WithdrawMachine { machine }).unwrap();
            let needed = "live";
            let error = LeaseError::WrongMachineState { provided, needed };
            assert_eq!(world.refused(OWNER, WithdrawMachine { machine }), error);
        }
    }

    #[test]
    fn a_withdrawn_machine_is_forgotten_after_the_retention() {
        let mut world = World::new();
        let machine = world.register();
        world.run(OWNER, WithdrawMachine { machine }).unwrap();
        world.pass(Params::default().retention_ms - 1);
        assert!(store::machine(&world.state, &machine).is_some());
        world.pass(1);
        assert!(store::machine(&world.state, &machine).is_none());
    }
}
