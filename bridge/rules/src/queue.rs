//! What waits for a shard: one queue for each asset, of which a block looks at a bounded part.
//!
//! A part is the oldest of the queue, and as many from where the last look ended, round and round. What is old comes first, and what no shard can
//! pay, however much of it, keeps nobody else out: whatever waits is looked at once in `length / NEXT_MAX` looks, rounded up.

use minicbor::{Decode, Encode};
use nupeer_ledger::StateRead;
use nupeer_primitives::AssetId;

use crate::{
    settings::Settings,
    store,
    withdrawal::{Withdrawal, WithdrawalId},
};

/// Withdrawals of each asset that every look begins with.
pub const OLDEST_MAX: usize = 128;

/// Withdrawals of each asset that a look takes from where the last one ended.
pub const NEXT_MAX: usize = 128;

/// A withdrawal that waits.
pub(crate) type Queued = (WithdrawalId, Withdrawal);

/// Whose turn it is.
#[derive(Clone, Debug, Default, PartialEq, Eq, Encode, Decode)]
pub(crate) struct Turns {
    /// Place among the assets of the one that chooses first.
    #[n(0)]
    first: u8,
    /// For each asset, number of the withdrawal that the last look ended with; none where it came to the queue's end.
    #[n(1)]
    ended: Vec<Option<u64>>,
}

impl Turns {
    /// The next asset chooses first.
    pub(crate) fn pass_on(&mut self, settings: &Settings) {
        let next = self.first.saturating_add(1);
        let last = usize::from(next) > settings.assets.len();
        self.first = if last { 0 } else { next };
    }
}

/// Of each asset, in the order of turns, the part of its queue that this look takes, oldest first.
pub(crate) fn look(
    state: &dyn StateRead,
    settings: &Settings,
    turns: &mut Turns,
) -> Vec<(AssetId, Vec<Queued>)> {
    let assets: Vec<AssetId> = settings.all_assets().collect();
    turns.ended.resize(assets.len(), None);
    let each = assets.into_iter().zip(&mut turns.ended);
    let mut parts: Vec<_> = each
        .map(|(asset, ended)| {
            let part = part(state, &asset, ended);
            (asset, part)
        })
        .collect();
    let first = usize::from(turns.first).min(parts.len());
    parts.rotate_left(first);
    parts
}

fn part(state: &dyn StateRead, asset: &AssetId, ended: &mut Option<u64>) -> Vec<Queued> {
    let queue = store::queue_of(asset);
    let mut ids = store::page::<WithdrawalId>(state, &queue, None, OLDEST_MAX);
    let after = ids.last().map(|(number, _)| *number);
    let next = match ids.len() < OLDEST_MAX {
        true => Vec::new(),
        // Never again what the oldest are already.
        false => store::page(state, &queue, after.max(*ended), NEXT_MAX),
    };
    let more = next.last().filter(|_| next.len() == NEXT_MAX);
    *ended = more.map(|(number, _)| *number);
    ids.extend(next);
    ids.into_iter()
        .filter_map(|(_, id)| Some((id, store::withdrawal(state, &id)?)))
        .collect()
}
