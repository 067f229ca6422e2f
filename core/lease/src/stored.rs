//! What the room keeps, byte for byte. Writing another text here is approving a change of the storage format, and of what a state proof shows of a
//! machine, a request or a lease.

use std::fmt::{Debug, Write};

use minicbor::{Decode, Encode};
use nupeer_ledger::StateRead;
use nupeer_primitives::{TimeMs, cbor};

use crate::{
    CloseReason, LeaseState, MachineState, PauseReason, RequestState,
    actions::{
        SubmitUsage, WithdrawMachine,
        testing::{OWNER, World},
    },
};

/// A machine on which one lease has run for 10 s of which 9 are signed, and which takes no more; a request that nobody has answered.
fn market() -> World {
    let mut world = World::new();
    let lease = world.active();
    world.pass(10_000);
    let usage = world.usage(lease, 9_000);
    world.run(OWNER, SubmitUsage { usage }).unwrap();
    let machine = world.lease(&lease).machine;
    world.run(OWNER, WithdrawMachine { machine }).unwrap();
    world.request();
    world
}

/// Key and value of each entry: text as it is, other bytes in hexadecimal.
fn entries(world: &World) -> String {
    let mut lines = String::new();
    for prefix in [&b"lease/"[..], b"params/lease"] {
        for (key, value) in world.state.plain_prefix(prefix, usize::MAX) {
            let text = key
                .iter()
                .take_while(|byte| byte.is_ascii_graphic())
                .count();
            let name = key[..text].iter().rposition(|byte| *byte == b'/');
            let name = if text == key.len() {
                text
            } else {
                name.unwrap() + 1
            };
            let (name, id) = key.split_at(name);
            let name = std::str::from_utf8(name).unwrap();
            writeln!(lines, "{name}{} {}", hex::encode(id), hex::encode(value)).unwrap();
        }
    }
    lines
}

#[test]
fn what_is_kept_of_a_market_is_pinned() {
    let kept = entries(&market());
    let pinned = include_str!("../tests/golden/stored.txt");
    assert_eq!(kept, pinned, "\n{kept}");
}

fn assert_pinned<T: Encode<()> + for<'b> Decode<'b, ()> + PartialEq + Debug>(states: &[(T, &str)]) {
    for (state, pinned) in states {
        let bytes = cbor::encode(state);
        assert_eq!(hex::encode(&bytes), *pinned, "{state:?}");
        assert_eq!(cbor::decode::<T>(&bytes).as_ref(), Ok(state));
    }
}

#[test]
fn every_state_is_pinned() {
    let (until, forget) = (TimeMs(1), TimeMs(2));
    let since = TimeMs(3);
    let paused = |reason| LeaseState::Paused { reason, until };
    let closing = |reason| LeaseState::Closing { reason, until };
    let closed = |reason| LeaseState::Closed { reason, forget };
    assert_pinned(&[
        (LeaseState::Reserved { until }, "82008101"),
        (LeaseState::Provisioning { until }, "82018101"),
        (LeaseState::Active { since }, "82028103"),
        (paused(PauseReason::Funds), "8203820001"),
        (paused(PauseReason::Unsigned), "8203820101"),
        (closing(CloseReason::Completed), "8204820001"),
        (closing(CloseReason::TenantClosed), "8204820101"),
        (closing(CloseReason::ProviderClosed), "8204820201"),
        (closed(CloseReason::ProvisioningTimeout), "8205820302"),
        (closed(CloseReason::FundsExhausted), "8205820402"),
        (closed(CloseReason::Unsigned), "8205820502"),
        (closed(CloseReason::ReservationTimeout), "8205820602"),
    ]);
    assert_pinned(&[
        (MachineState::Live, "820080"),
        (MachineState::Draining, "820180"),
        (MachineState::Withdrawn { forget }, "82028102"),
    ]);
    assert_pinned(&[
        (RequestState::Open, "820080"),
        (RequestState::Matched, "820180"),
        (RequestState::Expired { forget }, "82028102"),
        (RequestState::Cancelled { forget }, "82038102"),
    ]);
}
