//! What waits for a shard: one queue for each asset, of which a block looks at a bounded part.
//!
//! Assets take turns at each shard by itself. A look offers every shard that has room the oldest of each queue; and of the asset whose
//! turn it is there some more, from where this shard's last turn with that asset ended, round and round. A turn is used up only where the shard had
//! room for it, and a walk through the queue goes on only when nothing is left of its part but what the shard does not cover. Hence:
//!
//! - whatever a shard covers each time it has room is paid by it in the end, whoever decides when it has room, however much waits that it cannot pay,
//!   and however fast more comes (a walk ends with what was there when it began);
//! - no asset keeps another from its turn; one of which nothing waits has none;
//! - what is old comes first: of what fits, a younger one never goes before an older one of its part.

use std::collections::BTreeMap;

use minicbor::{Decode, Encode};
use nupeer_ledger::StateRead;
use nupeer_outbox::Value;
use nupeer_primitives::AssetId;

use crate::{
    settings::Settings,
    store,
    withdrawal::{Withdrawal, WithdrawalId},
};

/// Withdrawals of each asset that every look begins with.
pub const OLDEST_MAX: usize = 128;

/// Withdrawals that a turn takes from where the last one ended; fewer where there are more shards than assets, so that a look takes no more than so
/// many for each asset, or one for each shard.
pub const NEXT_MAX: usize = 128;

/// A withdrawal that waits.
pub(crate) type Queued = (WithdrawalId, Withdrawal);

/// Whose turn it is at each shard, by its number.
#[derive(Clone, Debug, Default, PartialEq, Eq, Encode, Decode)]
pub(crate) struct Turns {
    #[n(0)]
    shards: Vec<ShardTurns>,
}

#[derive(Clone, Debug, Default, PartialEq, Eq, Encode, Decode)]
struct ShardTurns {
    /// Place among the assets of the one whose turn comes next.
    #[n(0)]
    next: u8,
    /// For each asset, how far this shard has come in its queue; none where it begins anew.
    #[n(1)]
    walks: Vec<Option<Walk>>,
}

/// A way through a queue, from its oldest to what was its youngest when it began.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Encode, Decode)]
struct Walk {
    /// Number of the withdrawal that the last turn ended with.
    #[n(0)]
    after: u64,
    /// First number that the walk leaves to the next.
    #[n(1)]
    until: u64,
}

/// What a look takes of the queues, and for whom.
#[derive(Debug)]
pub(crate) struct Look {
    /// Of each asset, in the settings' order, what may be taken, oldest first.
    pub(crate) waiting: Vec<(AssetId, Vec<Queued>)>,
    turns: Vec<Turn>,
}

/// The turn at one shard.
#[derive(Debug)]
struct Turn {
    shard: u8,
    /// Place of the asset that chooses first.
    first: usize,
    /// Number of the youngest withdrawal that it is about.
    last: u64,
    /// Where the next turn with this asset goes on, once this one's part is done.
    then: Option<Walk>,
}

impl Look {
    /// Shards at which the asset chooses at that place of their order.
    pub(crate) fn choosing(&self, place: usize, asset: usize) -> Vec<u8> {
        let assets = self.waiting.len().max(1);
        let here = |turn: &&Turn| (turn.first.saturating_add(place)) % assets == asset;
        self.turns.iter().filter(here).map(|t| t.shard).collect()
    }
}

/// Of each asset, by its place, the numbers and ids that were read.
type Read = Vec<BTreeMap<u64, WithdrawalId>>;

/// The part of the queues that the shards in `open`, which have room, choose from. `asked` is how many withdrawals were ever asked for.
pub(crate) fn look(
    state: &dyn StateRead,
    settings: &Settings,
    before: &Turns,
    open: &[u8],
    asked: u64,
) -> Look {
    let assets: Vec<AssetId> = settings.all_assets().collect();
    let oldest: Read = assets
        .iter()
        .map(|asset| page(state, asset, None, OLDEST_MAX))
        .collect();
    let share = assets.len().saturating_mul(NEXT_MAX) / open.len().max(1);
    let share = share.clamp(1, NEXT_MAX);
    let (mut read, mut turns) = (oldest.clone(), Vec::new());
    for shard in open {
        let Some(first) = first_waiting(before.at(*shard).next, &oldest) else {
            break;
        };
        let walk = before.at(*shard).walks.get(first).copied().flatten();
        let (Some(asset), Some(oldest)) = (assets.get(first), oldest.get(first)) else {
            break;
        };
        let (part, then) = part(state, asset, oldest, walk, asked, share);
        let all = oldest.keys().chain(part.keys());
        turns.push(Turn {
            shard: *shard,
            first,
            last: all.copied().max().unwrap_or_default(),
            then,
        });
        if let Some(read) = read.get_mut(first) {
            read.extend(part);
        }
    }
    let waiting = assets.into_iter().zip(read);
    let waiting = waiting.map(|(asset, ids)| (asset, withdrawals(state, ids)));
    Look {
        waiting: waiting.collect(),
        turns,
    }
}

/// The next asset, from that place on, of which something waits.
fn first_waiting(next: u8, queues: &Read) -> Option<usize> {
    let places = (0..queues.len()).map(|step| usize::from(next).saturating_add(step));
    let mut places = places.map(|place| place % queues.len().max(1));
    places.find(|place| queues.get(*place).is_some_and(|queue| !queue.is_empty()))
}

/// What a turn takes beside the oldest, and where the next one goes on.
fn part(
    state: &dyn StateRead,
    asset: &AssetId,
    oldest: &BTreeMap<u64, WithdrawalId>,
    walk: Option<Walk>,
    asked: u64,
    share: usize,
) -> (BTreeMap<u64, WithdrawalId>, Option<Walk>) {
    if oldest.len() < OLDEST_MAX {
        return (BTreeMap::new(), None);
    }
    // Never again what the oldest are already.
    let walked = walk.map(|walk| walk.after);
    let after = oldest.keys().next_back().copied().max(walked);
    let until = walk.map_or(asked, |walk| walk.until);
    let mut part = page(state, asset, after, share);
    drop(part.split_off(&until));
    let end = part.keys().next_back().filter(|_| part.len() == share);
    let then = end.map(|after| Walk {
        after: *after,
        until,
    });
    (part, then)
}

fn page(
    state: &dyn StateRead,
    asset: &AssetId,
    after: Option<u64>,
    limit: usize,
) -> BTreeMap<u64, WithdrawalId> {
    let page = store::page(state, &store::queue_of(asset), after, limit);
    page.into_iter().collect()
}

fn withdrawals(state: &dyn StateRead, ids: BTreeMap<u64, WithdrawalId>) -> Vec<Queued> {
    ids.into_values()
        .filter_map(|id| Some((id, store::withdrawal(state, &id)?)))
        .collect()
}

impl Turns {
    fn at(&self, shard: u8) -> ShardTurns {
        let turns = self.shards.get(usize::from(shard));
        turns.cloned().unwrap_or_default()
    }

    /// Passes each turn of a look on, once what it could order is ordered. `look` has what is left.
    pub(crate) fn pass_on(&mut self, state: &dyn StateRead, look: &Look) {
        let assets = look.waiting.len();
        for turn in &look.turns {
            let place = usize::from(turn.shard);
            if self.shards.len() <= place {
                self.shards
                    .resize_with(place.saturating_add(1), ShardTurns::default);
            }
            let Some(turns) = self.shards.get_mut(place) else {
                continue;
            };
            let next = turn.first.saturating_add(1) % assets.max(1);
            turns.next = u8::try_from(next).unwrap_or_default();
            turns.walks.resize(assets, None);
            if let Some(walk) = turns.walks.get_mut(turn.first)
                && !lacks_room(state, look, turn)
            {
                *walk = turn.then;
            }
        }
    }
}

/// Whether something is left of a turn's part that the shard covers: then it lacks room alone, and its next turn is about the same part.
fn lacks_room(state: &dyn StateRead, look: &Look, turn: &Turn) -> bool {
    let spare = store::shard(state, turn.shard).and_then(|record| record.spare());
    let left = look.waiting.get(turn.first);
    let mut left = left.into_iter().flat_map(|(_, queue)| queue);
    let covers = |spare: &Value, held: &Value| spare.checked_sub(held).is_some();
    spare.is_some_and(|spare| {
        left.any(|(_, left)| left.number <= turn.last && covers(&spare, &left.value()))
    })
}
