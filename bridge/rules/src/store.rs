//! Where things are in the state.
//!
//! All keys are in the plain space below `bridge/`; value sits in purses. Numbers are big-endian, so that listings are in their order.
//!
//! ```text
//! bridge/settings                            the genesis' settings        bridge/committee    epoch and keys
//! bridge/status                              counters (`status`)
//! bridge/shard/ ‖ shard                      a shard as it was last seen
//! bridge/deposit/ ‖ index                    a credited deposit           bridge/deposit-at/ ‖ output      its index
//! bridge/unswept/ ‖ index                    its index, until a sweep was seen
//! bridge/refused/ ‖ index                    a refused deposit            bridge/refused-at/ ‖ output      its index
//! bridge/credited/ ‖ depth ‖ path            a node of the tree of credited deposits
//! bridge/withdrawal/ ‖ id                    a withdrawal                 bridge/withdrawal-no/ ‖ number   its id
//! bridge/withdrawal-of/ ‖ account ‖ number   its id                       bridge/queue/ ‖ asset ‖ number   its id, while queued
//! bridge/withdrawal-open/ ‖ account ‖ number its id, until it is closed   bridge/turns                     whose turn it is (`queue`)
//! bridge/leaf/ ‖ shard ‖ seq                 a payment that was ordered
//! bridge/pending/ ‖ version                  the anchor that waits        bridge/anchor/ ‖ seq             one that is on Cardano
//! ```

use minicbor::{Decode, Encode};
use nupeer_ledger::{StateRead, StateWrite, state::after_prefix};
use nupeer_outbox::OutputReference;
use nupeer_primitives::{AccountId, AssetId, Hash, cbor};

use crate::{
    anchor::AnchorRecord,
    credit::{Credited, Refused},
    leaf::{LeafId, LeafRecord},
    queue::Turns,
    shard::ShardRecord,
    withdrawal::{Withdrawal, WithdrawalId, WithdrawalState},
};

const SHARD: &[u8] = b"bridge/shard/";
pub(crate) const DEPOSIT: &[u8] = b"bridge/deposit/";
const DEPOSIT_AT: &[u8] = b"bridge/deposit-at/";
const UNSWEPT: &[u8] = b"bridge/unswept/";
pub(crate) const REFUSED: &[u8] = b"bridge/refused/";
const REFUSED_AT: &[u8] = b"bridge/refused-at/";
/// Where withdrawals are, by their id.
pub const WITHDRAWAL: &[u8] = b"bridge/withdrawal/";
pub(crate) const WITHDRAWAL_NO: &[u8] = b"bridge/withdrawal-no/";
pub(crate) const WITHDRAWAL_OF: &[u8] = b"bridge/withdrawal-of/";
const WITHDRAWAL_OPEN: &[u8] = b"bridge/withdrawal-open/";
const QUEUE: &[u8] = b"bridge/queue/";
const TURNS: &[u8] = b"bridge/turns";
const LEAF: &[u8] = b"bridge/leaf/";
const PENDING: &[u8] = b"bridge/pending/";
const ANCHOR: &[u8] = b"bridge/anchor/";

fn get<T: for<'b> Decode<'b, ()> + Encode<()>>(state: &dyn StateRead, key: &[u8]) -> Option<T> {
    cbor::decode(&state.plain(key)?).ok()
}

fn put<T: Encode<()>>(state: &mut dyn StateWrite, key: Vec<u8>, value: Option<&T>) {
    state.set_plain(key, value.map(cbor::encode));
}

fn numbered(prefix: &[u8], number: u64) -> Vec<u8> {
    [prefix, &number.to_be_bytes()].concat()
}

fn placed(prefix: &[u8], output: &OutputReference) -> Vec<u8> {
    [prefix, &output.to_bytes()].concat()
}

pub(crate) fn shard(state: &dyn StateRead, shard: u8) -> Option<ShardRecord> {
    get(state, &[SHARD, &[shard]].concat())
}

pub(crate) fn put_shard(state: &mut dyn StateWrite, shard: u8, record: &ShardRecord) {
    put(state, [SHARD, &[shard]].concat(), Some(record));
}

pub(crate) fn deposit(state: &dyn StateRead, index: u64) -> Option<Credited> {
    get(state, &numbered(DEPOSIT, index))
}

/// The place of a credited deposit.
pub(crate) fn deposit_at(state: &dyn StateRead, output: &OutputReference) -> Option<u64> {
    get(state, &placed(DEPOSIT_AT, output))
}

pub(crate) fn put_deposit(state: &mut dyn StateWrite, index: u64, deposit: &Credited) {
    put(state, placed(DEPOSIT_AT, &deposit.output), Some(&index));
    put(state, numbered(DEPOSIT, index), Some(deposit));
    let waits = deposit.swept.is_none();
    put(state, numbered(UNSWEPT, index), waits.then_some(&index));
}

/// Credited deposits that no sweep was seen of, all of them.
pub(crate) fn unswept(state: &dyn StateRead) -> Vec<Credited> {
    let waiting = page::<u64>(state, UNSWEPT, None, usize::MAX).into_iter();
    waiting
        .filter_map(|(_, index)| deposit(state, index))
        .collect()
}

/// Withdrawals that are not closed, all of them.
pub(crate) fn open_withdrawals(state: &dyn StateRead) -> Vec<WithdrawalId> {
    let entries = state.plain_prefix(WITHDRAWAL_OPEN, usize::MAX).into_iter();
    entries
        .filter_map(|(_, id)| cbor::decode(&id).ok())
        .collect()
}

pub(crate) fn is_refused(state: &dyn StateRead, output: &OutputReference) -> bool {
    state.plain(&placed(REFUSED_AT, output)).is_some()
}

/// The place of a refused deposit.
pub(crate) fn refused_at(state: &dyn StateRead, output: &OutputReference) -> Option<u64> {
    get(state, &placed(REFUSED_AT, output))
}

pub(crate) fn refused(state: &dyn StateRead, index: u64) -> Option<Refused> {
    get(state, &numbered(REFUSED, index))
}

pub(crate) fn put_refused(state: &mut dyn StateWrite, index: u64, refused: &Refused) {
    put(state, placed(REFUSED_AT, &refused.output), Some(&index));
    put(state, numbered(REFUSED, index), Some(refused));
}

pub(crate) fn withdrawal(state: &dyn StateRead, id: &WithdrawalId) -> Option<Withdrawal> {
    get(state, &[WITHDRAWAL, &id.0.0].concat())
}

/// Writes a withdrawal, its index entries, and its place in the queue as long as it is there.
pub(crate) fn put_withdrawal(
    state: &mut dyn StateWrite,
    id: &WithdrawalId,
    withdrawal: &Withdrawal,
) {
    let number = withdrawal.number.to_be_bytes();
    put(state, [WITHDRAWAL, &id.0.0].concat(), Some(withdrawal));
    put(state, [WITHDRAWAL_NO, &number].concat(), Some(id));
    let of = [WITHDRAWAL_OF, &withdrawal.account.to_bytes(), &number].concat();
    put(state, of, Some(id));
    let open = [WITHDRAWAL_OPEN, &withdrawal.account.to_bytes(), &number].concat();
    let closed = withdrawal.state.is_closed();
    put(state, open, (!closed).then_some(id));
    let queued = withdrawal.state == WithdrawalState::Queued;
    let place = numbered(&queue_of(&withdrawal.asset), withdrawal.number);
    put(state, place, queued.then_some(id));
}

/// Key prefix of what is queued of an asset; an asset's encoding says its own length, so that none is another's prefix.
pub(crate) fn queue_of(asset: &AssetId) -> Vec<u8> {
    [QUEUE, &cbor::encode(asset)].concat()
}

/// Whether a withdrawal is in its asset's queue.
pub(crate) fn is_queued(state: &dyn StateRead, id: &WithdrawalId, withdrawal: &Withdrawal) -> bool {
    let place = numbered(&queue_of(&withdrawal.asset), withdrawal.number);
    get(state, &place) == Some(*id)
}

pub(crate) fn turns(state: &dyn StateRead) -> Turns {
    get(state, TURNS).unwrap_or_default()
}

pub(crate) fn put_turns(state: &mut dyn StateWrite, turns: &Turns) {
    put(state, TURNS.to_vec(), Some(turns));
}

/// Key prefix of an account's withdrawals.
pub(crate) fn withdrawals_of(account: &AccountId) -> Vec<u8> {
    [WITHDRAWAL_OF, &account.to_bytes()].concat()
}

/// Key prefix of an account's withdrawals that are not closed.
pub(crate) fn withdrawals_open(account: &AccountId) -> Vec<u8> {
    [WITHDRAWAL_OPEN, &account.to_bytes()].concat()
}

fn leaf_key(id: &LeafId) -> Vec<u8> {
    [LEAF, &[id.shard], &id.seq.to_be_bytes()].concat()
}

pub(crate) fn leaf(state: &dyn StateRead, id: &LeafId) -> Option<LeafRecord> {
    get(state, &leaf_key(id))
}

pub(crate) fn put_leaf(state: &mut dyn StateWrite, id: &LeafId, leaf: Option<&LeafRecord>) {
    put(state, leaf_key(id), leaf);
}

pub(crate) fn pending(state: &dyn StateRead, version: u16) -> Option<AnchorRecord> {
    get(state, &[PENDING, &version.to_be_bytes()].concat())
}

pub(crate) fn put_pending(state: &mut dyn StateWrite, version: u16, record: Option<&AnchorRecord>) {
    put(state, [PENDING, &version.to_be_bytes()].concat(), record);
}

pub(crate) fn anchor(state: &dyn StateRead, seq: u64) -> Option<AnchorRecord> {
    get(state, &numbered(ANCHOR, seq))
}

pub(crate) fn put_anchor(state: &mut dyn StateWrite, seq: u64, record: Option<&AnchorRecord>) {
    put(state, numbered(ANCHOR, seq), record);
}

/// Values below `prefix` whose number comes after `after`, with their numbers.
pub(crate) fn page<T: for<'b> Decode<'b, ()> + Encode<()>>(
    state: &dyn StateRead,
    prefix: &[u8],
    after: Option<u64>,
    limit: usize,
) -> Vec<(u64, T)> {
    let from = match after {
        None => prefix.to_vec(),
        // The first key above one of a fixed length is that key and a zero.
        Some(number) => [&numbered(prefix, number)[..], &[0]].concat(),
    };
    let entries = state.plain_range(&from, &after_prefix(prefix), limit);
    let read = |(key, value): (Vec<u8>, Vec<u8>)| {
        let number = key.get(prefix.len()..)?.try_into().ok()?;
        Some((u64::from_be_bytes(number), cbor::decode(&value).ok()?))
    };
    entries.into_iter().filter_map(read).collect()
}

/// Key of a node of the tree of credited deposits: its depth and the bits above it, the rest of the last byte zero.
pub(crate) fn node_key(key: &Hash, depth: u16) -> Vec<u8> {
    let (whole, bits) = (usize::from(depth / 8), depth % 8);
    let mut path = key.0.get(..whole).unwrap_or(&key.0).to_vec();
    if let Some(last) = key.0.get(whole).filter(|_| bits > 0) {
        path.push(last & !(0xff >> bits));
    }
    [b"bridge/credited/", &depth.to_be_bytes()[..], &path].concat()
}
