//! From the queues to shards: which shard pays whom, in which order. What is ordered once never changes, since an anchor may
//! have carried it to Cardano.

use minicbor::{Decode, Encode, bytes::ByteVec};
use nupeer_ledger::{StateRead, StateWrite};
use nupeer_outbox::{Leaf, Value, merkle};
use nupeer_primitives::{AssetId, Hash, TimeMs};

use crate::{
    event::Event,
    queue::{self, Look, Queued},
    settings::Settings,
    shard::ShardRecord,
    store,
    withdrawal::{WithdrawalId, WithdrawalState},
};

/// Payments that a shard may have before it, so that an anchor's tree stays small.
pub const OPEN_MAX: u64 = 16;

/// Names a payment: a shard and the place in its sequence.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Encode, Decode)]
pub struct LeafId {
    /// Which shard pays.
    #[n(0)]
    pub shard: u8,
    /// As its how-manieth payment, from 0.
    #[n(1)]
    pub seq: u64,
}

/// A payment that was ordered.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
pub struct LeafRecord {
    /// The leaf, as [`Leaf::to_data`] writes it.
    #[n(0)]
    pub data: ByteVec,
    /// What it pays in all.
    #[n(1)]
    pub totals: Value,
    /// Whom, in the order of its outputs.
    #[n(2)]
    pub withdrawals: Vec<WithdrawalId>,
    /// The first anchor on Cardano that carries it.
    #[n(3)]
    pub anchor_seq: Option<u64>,
    /// The transaction that made the payment, once that was seen.
    #[n(4)]
    pub paid: Option<Hash>,
}

impl LeafRecord {
    /// Its place at the bottom of an anchor's tree.
    pub fn hash(&self) -> Hash {
        merkle::leaf_hash(&self.data)
    }
}

/// Payments that are ordered and not yet seen made, in the order of shards and sequences: the leaves of the next anchor.
pub(crate) fn open(state: &dyn StateRead, settings: &Settings) -> Vec<(LeafId, LeafRecord)> {
    let ids = (0..settings.shards).filter_map(|shard| Some((shard, store::shard(state, shard)?)));
    let ids = ids.flat_map(|(shard, record)| {
        (record.state.next_seq..record.assigned_seq).map(move |seq| LeafId { shard, seq })
    });
    ids.filter_map(|id| Some((id, store::leaf(state, &id)?)))
        .collect()
}

/// Orders what the shards can pay of the queues, oldest first; what no shard can pay yet is passed over and stays. Assets take turns at each
/// shard, one payment at a time (a payment holds ADA alone, or ADA and one asset), and another one begins each time: where room
/// is short, a busy asset leaves the others theirs. What one block looks at is bounded ([`queue`]). `asked` is how many withdrawals were ever
/// asked for.
pub(crate) fn assign(state: &mut dyn StateWrite, settings: &Settings, asked: u64) -> Vec<Event> {
    let takes_more = |shard: &u8| store::shard(state, *shard).is_some_and(|s| s.takes_more());
    let open: Vec<u8> = (0..settings.shards).filter(takes_more).collect();
    if open.is_empty() {
        return Vec::new();
    }
    let before = store::turns(state);
    let mut look = queue::look(state, settings, &before, &open, asked);
    let mut events = Vec::new();
    // Each round orders one more payment of a shard at least, of which only so many may be open.
    loop {
        let ordered = round(state, settings, &mut look);
        if ordered.is_empty() {
            break;
        }
        events.extend(ordered);
    }
    let mut turns = before.clone();
    turns.pass_on(state, &look);
    if turns != before {
        store::put_turns(state, &turns);
    }
    events
}

/// One more payment of each shard for each asset, as far as there is something to pay and room for it.
fn round(state: &mut dyn StateWrite, settings: &Settings, look: &mut Look) -> Vec<Event> {
    let (assets, mut events) = (look.waiting.len(), Vec::new());
    for place in 0..assets {
        for number in 0..assets {
            let shards = look.choosing(place, number);
            let Some((asset, queue)) = look.waiting.get_mut(number) else {
                continue;
            };
            for shard in richest_first(state, &shards, asset) {
                let (taken, rest) = fill(state, settings, shard, std::mem::take(queue));
                *queue = rest;
                events.extend(order(state, shard, taken));
            }
        }
    }
    events
}

/// Shards by what they can still pay of an asset, the most first, so that few payments move much.
fn richest_first(state: &dyn StateRead, shards: &[u8], asset: &AssetId) -> Vec<u8> {
    let shards = shards.iter().copied().filter_map(|shard| {
        let spare = store::shard(state, shard)?.spare()?;
        Some((std::cmp::Reverse(spare.of(asset)), shard))
    });
    let mut shards: Vec<_> = shards.collect();
    shards.sort();
    shards.into_iter().map(|(_, shard)| shard).collect()
}

/// Those of `waiting` that one more payment of the shard can hold, and the rest.
fn fill(
    state: &dyn StateRead,
    settings: &Settings,
    shard: u8,
    waiting: Vec<Queued>,
) -> (Vec<Queued>, Vec<Queued>) {
    let record = store::shard(state, shard).filter(ShardRecord::takes_more);
    let Some(mut spare) = record.and_then(|record| record.spare()) else {
        return (Vec::new(), waiting);
    };
    let mut taken = 0;
    waiting.into_iter().partition(|(_, withdrawal)| {
        let rest = spare.checked_sub(&withdrawal.value());
        match rest.filter(|_| taken < settings.params.leaf_outputs_max) {
            None => false,
            Some(rest) => {
                (spare, taken) = (rest, taken.saturating_add(1));
                true
            }
        }
    })
}

/// Makes the payment the shard's next.
fn order(state: &mut dyn StateWrite, shard: u8, taken: Vec<Queued>) -> Vec<Event> {
    let outputs = taken.iter().map(|(_, withdrawal)| withdrawal.output());
    let outputs = outputs.collect();
    let Some(mut record) = store::shard(state, shard) else {
        return Vec::new();
    };
    let seq = record.assigned_seq;
    // Nothing taken makes no leaf, and what was checked at request makes one.
    let Ok(leaf) = Leaf::new(shard, seq, TimeMs(0), outputs) else {
        return Vec::new();
    };
    let committed = record.committed.checked_add(leaf.totals());
    let (Some(committed), Some(next)) = (committed, seq.checked_add(1)) else {
        return Vec::new();
    };
    (record.committed, record.assigned_seq) = (committed, next);
    store::put_shard(state, shard, &record);
    let id = LeafId { shard, seq };
    let ordered = LeafRecord {
        data: leaf.to_data().to_cbor().into(),
        totals: leaf.totals().clone(),
        withdrawals: taken.iter().map(|(id, _)| *id).collect(),
        anchor_seq: None,
        paid: None,
    };
    store::put_leaf(state, &id, Some(&ordered));
    taken
        .into_iter()
        .map(|(withdrawal_id, mut withdrawal)| {
            withdrawal.state = WithdrawalState::Assigned(id);
            store::put_withdrawal(state, &withdrawal_id, &withdrawal);
            Event::WithdrawalAssigned {
                id: withdrawal_id,
                leaf: id,
            }
        })
        .collect()
}
