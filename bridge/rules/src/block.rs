//! Begin and end of a block: what is seen on Cardano comes first, what is to happen there is ordered last.

use nupeer_ledger::StateWrite;
use nupeer_observe::Observation;
use nupeer_primitives::{CardanoPoint, Hash, Height};

use crate::{
    anchor, credit, event::Event, halt::Contradiction, settings::Settings, shard, status::Status,
};

/// What the beginning of a block knows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Begin {
    /// The block's height.
    pub height: Height,
    /// The Cardano point that it names.
    pub point: CardanoPoint,
}

/// What the end of a block knows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct End {
    /// The block's height.
    pub height: Height,
    /// The state root of the block before: this one's is not known yet, and an anchor names the state of the block before.
    pub parent_state_root: Hash,
}

/// Takes what Cardano's blocks between the last point and this one contain, in their order. Total: nothing seen there can fail a
/// block. On a chain without a bridge nothing happens.
pub fn begin(
    state: &mut dyn StateWrite,
    context: &Begin,
    observations: &[Observation],
) -> Vec<Event> {
    let (Some(settings), Some(before)) = (Settings::load(state), Status::load(state)) else {
        return Vec::new();
    };
    let mut status = before.clone();
    status.observed = context.point;
    let mut events = Vec::new();
    for observation in observations {
        events.extend(observe(
            state,
            &settings,
            &mut status,
            context.height,
            observation,
        ));
    }
    if before.halted.is_none() {
        events.extend(status.halted.clone().map(|reason| Event::Halted { reason }));
    }
    if status != before {
        status.store(state);
    }
    events
}

fn observe(
    state: &mut dyn StateWrite,
    settings: &Settings,
    status: &mut Status,
    height: Height,
    observation: &Observation,
) -> Vec<Event> {
    match observation {
        Observation::Deposit(seen) => credit::observe(state, settings, status, height, seen)
            .into_iter()
            .collect(),
        Observation::Head(seen) => {
            anchor::observe_head(status, seen);
            Vec::new()
        }
        Observation::Anchor(seen) => anchor::observe(state, status, seen),
        Observation::Shard(seen) => shard::observe(state, settings, status, height, seen),
        Observation::Unreadable(seen) => {
            let (output, part) = (seen.output, seen.part);
            status.halt(Contradiction::Unreadable { output, part });
            Vec::new()
        }
    }
}

/// Orders payments and makes an anchor, if it is time and there is something to say.
pub fn end(state: &mut dyn StateWrite, context: &End) -> Vec<Event> {
    let (Some(settings), Some(before)) = (Settings::load(state), Status::load(state)) else {
        return Vec::new();
    };
    if before.halted.is_some() {
        return Vec::new();
    }
    let mut status = before.clone();
    let events = anchor::advance(state, &settings, &mut status, context);
    if status != before {
        status.store(state);
    }
    events
}
