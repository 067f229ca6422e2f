//! Shards of the vault: what they were last seen to hold, and what their moves say.

use minicbor::{Decode, Encode};
use nupeer_ledger::{StateWrite, totals};
use nupeer_observe::ShardSeen;
use nupeer_outbox::{OutputReference, Shard, Value, shard::RESERVE_LOVELACE};
use nupeer_primitives::{Amount, Hash, Height, Numbered};

use crate::{
    error::BridgeError,
    event::Event,
    halt::Contradiction,
    leaf::{LeafId, LeafRecord, OPEN_MAX},
    settings::Settings,
    status::Status,
    store,
    withdrawal::{WithdrawalId, WithdrawalState},
};

/// A shard as it was last seen, and what it was told since.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
pub struct ShardRecord {
    /// Where it lies.
    #[n(0)]
    pub output: OutputReference,
    /// Its datum: next payment, what was paid and swept.
    #[n(1)]
    pub state: Shard,
    /// What it holds beside its NFT, the reserve included.
    #[n(2)]
    pub value: Value,
    /// Place of the next payment that is ordered; those from the datum's next up to here are open.
    #[n(3)]
    pub assigned_seq: u64,
    /// What the open payments take.
    #[n(4)]
    pub committed: Value,
}

impl ShardRecord {
    /// What may still be ordered: what it holds less the reserve and the open payments.
    pub fn spare(&self) -> Option<Value> {
        let reserve = Value::lovelace(RESERVE_LOVELACE);
        self.value
            .checked_sub(&reserve)?
            .checked_sub(&self.committed)
    }

    /// Whether one more payment may be ordered.
    pub fn takes_more(&self) -> bool {
        self.assigned_seq.saturating_sub(self.state.next_seq) < OPEN_MAX
    }
}

/// A shard moved: payments that it made are booked and closed, deposits that it took in are swept. What was not ordered halts the
/// bridge, and is recorded as it is.
pub(crate) fn observe(
    state: &mut dyn StateWrite,
    settings: &Settings,
    status: &mut Status,
    height: Height,
    seen: &ShardSeen,
) -> Vec<Event> {
    let (shard, output) = (seen.state.shard, seen.output);
    let Some(mut record) = store::shard(state, shard) else {
        status.halt(Contradiction::UnknownShard { shard });
        return Vec::new();
    };
    // Its birth is known from the genesis.
    if output == record.output {
        return Vec::new();
    }
    if !seen.spent.contains(&record.output) {
        status.halt(Contradiction::ShardFromNowhere { shard, output });
    }
    let (swept, mut events) = sweep(state, status, seen);
    let (paid, closed) = pay(state, status, &record, seen, height);
    events.extend(closed);
    let held = without_token(settings, seen);
    let step = Step { swept, paid };
    if step.follows(&record, &seen.state, &held).is_none() {
        status.halt(Contradiction::ShardBooks { shard, output });
    }
    let left = record.committed.checked_sub(&step.paid);
    record.committed = left.unwrap_or_default();
    record.assigned_seq = record.assigned_seq.max(seen.state.next_seq);
    (record.output, record.state, record.value) = (output, seen.state.clone(), held);
    store::put_shard(state, shard, &record);
    events
}

fn without_token(settings: &Settings, seen: &ShardSeen) -> Value {
    let token = settings.scope.shard_token(seen.state.shard);
    seen.value.clone().with(token, Amount::ZERO)
}

/// What one transaction did with a shard, by what this chain knows.
struct Step {
    swept: Value,
    paid: Value,
}

impl Step {
    /// `Some` if datum and value are those before with exactly this step done.
    fn follows(&self, before: &ShardRecord, after: &Shard, held: &Value) -> Option<()> {
        let value = before.value.checked_add(&self.swept)?;
        let value = value.checked_sub(&self.paid)?;
        let books = before.state.after_absorbing(&self.swept).ok()?;
        let same = books
            .holdings
            .iter()
            .zip(&after.holdings)
            .all(|(expected, seen)| {
                let paid = expected.paid.checked_add(self.paid.of(&expected.asset));
                expected.asset == seen.asset
                    && expected.swept == seen.swept
                    && paid == Some(seen.paid)
            });
        let whole = books.holdings.len() == after.holdings.len();
        (same && whole && value == *held).then_some(())
    }
}

/// Marks credited deposits among what was spent as swept, and adds them up.
fn sweep(state: &mut dyn StateWrite, status: &mut Status, seen: &ShardSeen) -> (Value, Vec<Event>) {
    let (mut sum, mut events) = (Value::default(), Vec::new());
    let transaction = seen.output.transaction_id;
    for output in &seen.spent {
        let Some(index) = store::deposit_at(state, output) else {
            continue;
        };
        let Some(mut deposit) = store::deposit(state, index).filter(|d| d.swept.is_none()) else {
            continue;
        };
        deposit.swept = Some(transaction);
        store::put_deposit(state, index, &deposit);
        // Neither sum can leave its range: each deposit was added to the second when it was credited.
        sum = sum.checked_add(&deposit.value).unwrap_or(sum);
        let unswept = status.unswept.checked_sub(&deposit.value);
        status.unswept = unswept.unwrap_or_default();
        let shard = seen.state.shard;
        events.push(Event::DepositSwept {
            index,
            shard,
            transaction,
        });
    }
    (sum, events)
}

/// Closes the withdrawals of the payments up to the datum's next, and adds up what they took.
fn pay(
    state: &mut dyn StateWrite,
    status: &mut Status,
    before: &ShardRecord,
    seen: &ShardSeen,
    height: Height,
) -> (Value, Vec<Event>) {
    let (shard, next) = (seen.state.shard, seen.state.next_seq);
    if next > before.assigned_seq {
        let seq = before.assigned_seq;
        status.halt(Contradiction::UnorderedPayment { shard, seq });
    }
    let (mut sum, mut events) = (Value::default(), Vec::new());
    for seq in before.state.next_seq..next.min(before.assigned_seq) {
        let id = LeafId { shard, seq };
        let Some(mut leaf) = store::leaf(state, &id) else {
            continue;
        };
        let transaction = seen.output.transaction_id;
        leaf.paid = Some(transaction);
        store::put_leaf(state, &id, Some(&leaf));
        sum = sum.checked_add(&leaf.totals).unwrap_or(sum);
        for withdrawal in &leaf.withdrawals {
            match close(state, withdrawal, id, &leaf, transaction, height) {
                Ok(event) => events.push(event),
                Err(error) => status.halt(Contradiction::PaymentNotBooked {
                    shard,
                    seq,
                    code: error.code().0,
                }),
            }
        }
    }
    (sum, events)
}

/// The value leaves the hold and the sidechain.
fn close(
    state: &mut dyn StateWrite,
    id: &WithdrawalId,
    leaf: LeafId,
    record: &LeafRecord,
    transaction: Hash,
    height: Height,
) -> Result<Event, BridgeError> {
    let mut withdrawal = store::withdrawal(state, id).ok_or(BridgeError::NoBridge)?;
    let hold = id.hold(withdrawal.account);
    for (asset, amount) in withdrawal.value().entries() {
        totals::pay_out(state, &hold, asset, amount)?;
    }
    withdrawal.state = WithdrawalState::Paid {
        leaf,
        anchor_seq: record.anchor_seq,
        transaction,
        height,
    };
    store::put_withdrawal(state, id, &withdrawal);
    Ok(Event::WithdrawalPaid {
        id: *id,
        transaction,
    })
}
