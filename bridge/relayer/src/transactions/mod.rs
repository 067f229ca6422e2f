//! The bridge's transactions, each a pure function from outputs and parameters to what the one builder balances.
//!
//! What a script demands of a transaction stands in `cardano/contracts/README.md`; these functions put it together, and the
//! scripts have the last word when the builder runs them.

pub mod anchor;
pub mod birth;
pub mod deposit;
pub mod pay;
pub mod reference_scripts;
pub mod sweep;

use nupeer_cardano_client::{Network, Output, Utxo, builder::BuildError};
use nupeer_contracts::Validator;
use nupeer_outbox::{Value, certificate::CertificateError, leaf::LeafError, shard::ShardError};
use nupeer_primitives::{AssetId, Code, Numbered, Slot, TimeMs, plutus::Data};

use crate::{
    CardanoState, convert,
    state::{Located, held},
};

/// Longest validity range, in slots of a second: scripts demand an hour at most, and what waits longer is made anew.
const RANGE_SLOTS_MAX: u64 = 300;

/// Why a transaction of the bridge cannot be made.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TransactionError {
    /// The builder refuses: funds, sizes, or a script that says no.
    #[error(transparent)]
    Build(#[from] BuildError),
    /// A shard does not take that step.
    #[error(transparent)]
    Shard(#[from] ShardError),
    /// The signatures make no certificate.
    #[error(transparent)]
    Certificate(#[from] CertificateError),
    /// The outputs make no leaf.
    #[error(transparent)]
    Leaf(#[from] LeafError),
    /// Something that the step needs is not on this chain.
    #[error("{what} is not on this Cardano chain")]
    Missing {
        /// What.
        what: String,
    },
    /// The shard holds too little.
    #[error("shard {shard} would keep {provided} lovelace where its reserve is {minimum}")]
    BelowReserve {
        /// Which shard.
        shard: u8,
        /// Lovelace that it would keep.
        provided: u64,
        /// Its reserve.
        minimum: u64,
    },
    /// A leaf that may not be paid yet.
    #[error("the leaf may be paid from {provided} on, now is {now} (unix ms)")]
    TooEarly {
        /// Its moment.
        provided: u64,
        /// The start of the validity range.
        now: u64,
    },
    /// Nothing to do.
    #[error("no deposit to sweep")]
    Nothing,
    /// Nothing that could pay the fee.
    #[error("{address} holds no output that could pay a fee")]
    NoFunds {
        /// The submitter's.
        address: String,
    },
    /// An amount or a slot leaves its range.
    #[error("an amount or a time leaves its range")]
    Overflow,
}

impl Numbered for TransactionError {
    fn code(&self) -> Code {
        match self {
            TransactionError::Build(error) => error.code(),
            TransactionError::Shard(error) => error.code(),
            TransactionError::Certificate(error) => error.code(),
            TransactionError::Leaf(error) => error.code(),
            TransactionError::Missing { .. } => Code(7520),
            TransactionError::BelowReserve { .. } => Code(7521),
            TransactionError::TooEarly { .. } => Code(7522),
            TransactionError::Nothing => Code(7523),
            TransactionError::NoFunds { .. } => Code(7524),
            TransactionError::Overflow => Code(7525),
        }
    }
}

/// A validity range in slots and in time, as scripts see it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Window {
    /// The first slot.
    pub from: Slot,
    /// The first slot after it.
    pub until: Slot,
    /// When the first slot begins.
    pub from_time: TimeMs,
    /// When the first slot after it begins: a script's "now, at the latest".
    pub until_time: TimeMs,
}

impl Window {
    /// From the tip's slot on, no longer than the ledger can tell slots as times (3k/f) and scripts allow.
    pub fn after(network: &Network, tip: Slot) -> Result<Self, TransactionError> {
        let slots = network.stability_window_slots().min(RANGE_SLOTS_MAX);
        let overflow = TransactionError::Overflow;
        let until = tip.checked_add(slots).ok_or(overflow.clone())?;
        let time = |slot| network.slot_start(slot).ok_or(overflow.clone());
        Ok(Window {
            from: tip,
            until,
            from_time: time(tip)?,
            until_time: time(until)?,
        })
    }
}

/// Reference inputs, of which redeemers name one by its place.
struct References(Vec<Utxo>);

impl References {
    /// These outputs and the reference outputs of these scripts.
    fn of(
        state: &CardanoState,
        outputs: impl IntoIterator<Item = Utxo>,
        scripts: &[Validator],
    ) -> Result<Self, TransactionError> {
        let mut all: Vec<Utxo> = outputs.into_iter().collect();
        for script in scripts {
            let carried = state.references.get(script);
            let what = || format!("the script {}", crate::deployment::script_name(*script));
            let missing = || TransactionError::Missing { what: what() };
            all.push(carried.ok_or_else(missing)?.clone());
        }
        all.sort_by_key(|utxo| utxo.reference);
        Ok(References(all))
    }

    /// The place among the sorted reference inputs, as the ledger counts.
    fn place(&self, of: &Utxo) -> usize {
        self.0
            .iter()
            .position(|utxo| utxo.reference == of.reference)
            .unwrap_or_default()
    }
}

/// A part's next output: the same address, this value and this datum.
fn continued<T>(
    part: &Located<T>,
    value: &Value,
    datum: &Data,
) -> Result<Output, TransactionError> {
    let value = convert::client_value(value).ok_or(TransactionError::Overflow)?;
    Ok(Output::new(part.utxo.output.address.clone(), value).with_inline_datum(datum))
}

/// The submitter's output that pays for a transaction whose redeemers name inputs by place: the one with the most lovelace
/// among those without tokens, else among all.
fn purse(state: &CardanoState, address: &str) -> Result<Utxo, TransactionError> {
    let spendable = state
        .funds
        .iter()
        .filter(|utxo| utxo.output.script.is_none() && utxo.spending_key().is_some());
    let best = spendable.max_by_key(|utxo| {
        let value = &utxo.output.value;
        (!value.has_tokens(), value.coin(), utxo.reference)
    });
    best.cloned().ok_or_else(|| TransactionError::NoFunds {
        address: address.into(),
    })
}

/// What of `asset` an output holds beside nothing else: a check that a value has no unlisted assets.
pub(crate) fn only_listed(utxo: &Utxo, listed: &[AssetId]) -> bool {
    held(utxo)
        .entries()
        .all(|(asset, _)| *asset == AssetId::Ada || listed.contains(asset))
}
