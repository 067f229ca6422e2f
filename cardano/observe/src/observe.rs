//! From a block to what it means for one bridge.

use nupeer_outbox::{Anchor, Deposit, Head, OutputReference, Shard, Value};
use nupeer_primitives::{Numbered, Slot, plutus::Data};

use crate::{
    block::{self, Transaction},
    error::ObserveError,
    observation::{
        AnchorSeen, DATUM_BYTES_MAX, DepositDatum, DepositSeen, HeadSeen, NOT_PLUTUS_DATA,
        ODD_OUTPUT, Observation, Part, ShardSeen, UnreadableSeen,
    },
    output::{Datum, Output},
    plutus,
    scope::Scope,
};

type Decoded<T> = Result<T, minicbor::decode::Error>;

/// What the block `[era, block]` contains of the bridge that `scope` names, in the order of its transactions and their outputs.
/// Transactions that failed phase 2 make no outputs of theirs and are left out.
///
/// # Errors
/// When `block` is no block, or one of an era after Conway. A block that the follower took is never refused for what is
/// in its transactions: an output of ours that cannot be read is an observation too.
pub fn observe(scope: &Scope, block: &[u8]) -> Result<Vec<Observation>, ObserveError> {
    let (slot, transactions) = block::transactions(block)?;
    let mut seen = Vec::new();
    for transaction in &transactions {
        for (index, raw) in (0u32..).zip(transaction.outputs()) {
            let transaction_id = transaction.id;
            let at = OutputReference {
                transaction_id,
                index,
            };
            // What has no address that can be read has none of ours.
            let output = Output::read(raw);
            seen.extend(output.and_then(|output| judge(scope, slot, transaction, at, &output)));
        }
    }
    Ok(seen)
}

fn judge(
    scope: &Scope,
    slot: Slot,
    transaction: &Transaction<'_>,
    at: OutputReference,
    output: &Output<'_>,
) -> Option<Observation> {
    let (part, seen) = match output.payment_script()? {
        script if script == scope.deposit => return Some(deposit(slot, at, output)),
        script if script == scope.head => (Part::Head, head(scope, at, output)),
        script if script == scope.anchor => (Part::Anchor, anchor(scope, at, output)),
        script if script == scope.vault => (Part::Shard, shard(scope, transaction, at, output)),
        _ => return None,
    };
    seen.unwrap_or_else(|_| Some(unreadable(at, part)))
}

fn deposit(slot: Slot, at: OutputReference, output: &Output<'_>) -> Observation {
    let odd = DepositDatum::Malformed { reason: ODD_OUTPUT };
    let datum = output.datum().map(|datum| deposit_datum(&datum));
    let (value, datum) = match (output.value(), datum) {
        (Ok(value), datum) => (value, datum.unwrap_or(odd)),
        (Err(_), _) => (Value::default(), odd),
    };
    Observation::Deposit(DepositSeen {
        output: at,
        slot,
        value,
        datum,
        has_reference_script: output.has_reference_script,
        has_staking_part: output.has_staking_part(),
    })
}

fn deposit_datum(datum: &Datum) -> DepositDatum {
    let bytes = match datum {
        Datum::None => return DepositDatum::Missing,
        Datum::Hash(hash) => return DepositDatum::OnlyHash(*hash),
        Datum::Inline(bytes) => bytes,
    };
    if bytes.len() > DATUM_BYTES_MAX {
        let bytes = u32::try_from(bytes.len()).unwrap_or(u32::MAX);
        return DepositDatum::Oversized { bytes };
    }
    let Some(data) = plutus::read(bytes) else {
        let reason = NOT_PLUTUS_DATA;
        return DepositDatum::Malformed { reason };
    };
    match Deposit::from_data(&data) {
        Ok(deposit) => DepositDatum::WellFormed(deposit),
        Err(error) => DepositDatum::Malformed {
            reason: error.code().0,
        },
    }
}

/// Dust at the head's script is not the head.
fn head(scope: &Scope, at: OutputReference, output: &Output<'_>) -> Decoded<Option<Observation>> {
    if output.value()?.of(&scope.head_token()).is_zero() {
        return Ok(None);
    }
    let head = inline(output).and_then(|data| Head::from_data(&data).ok());
    let seen = head.map(|head| {
        Observation::Head(HeadSeen {
            output: at,
            seq: head.last_anchor_seq,
        })
    });
    Ok(Some(seen.unwrap_or(unreadable(at, Part::Head))))
}

/// A datum at the anchors' script without the token is not an anchor.
fn anchor(scope: &Scope, at: OutputReference, output: &Output<'_>) -> Decoded<Option<Observation>> {
    if output.value()?.of(&scope.anchor_token()).is_zero() {
        return Ok(None);
    }
    let anchor = inline(output).and_then(|data| Anchor::from_data(&data).ok());
    let seen = anchor.map(|anchor| {
        Observation::Anchor(AnchorSeen {
            output: at,
            seq: anchor.seq,
            body_hash: anchor.body_hash(),
        })
    });
    Ok(Some(seen.unwrap_or(unreadable(at, Part::Anchor))))
}

/// An output at the vault without the NFT is dust, whatever its datum says.
fn shard(
    scope: &Scope,
    transaction: &Transaction<'_>,
    at: OutputReference,
    output: &Output<'_>,
) -> Decoded<Option<Observation>> {
    let value = output.value()?;
    let number = value.entries().find_map(|(asset, _)| scope.shard_of(asset));
    let Some(number) = number else {
        return Ok(None);
    };
    let state = inline(output).and_then(|data| Shard::from_data(&data).ok());
    let Some(state) = state.filter(|state| state.shard == number) else {
        return Ok(Some(unreadable(at, Part::Shard)));
    };
    Ok(Some(Observation::Shard(ShardSeen {
        output: at,
        state,
        value,
        spent: transaction.inputs()?,
    })))
}

fn unreadable(output: OutputReference, part: Part) -> Observation {
    Observation::Unreadable(UnreadableSeen { output, part })
}

/// The inline datum, if there is one that can be read; no longer than the transaction that carries it.
fn inline(output: &Output<'_>) -> Option<Data> {
    match output.datum().ok()? {
        Datum::Inline(bytes) => plutus::read(&bytes),
        Datum::None | Datum::Hash(_) => None,
    }
}
