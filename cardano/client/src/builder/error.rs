//! Why a transaction cannot be built or signed.

use nupeer_primitives::{AssetId, Code, Hash28, Numbered};

use super::EvaluateError;
use crate::{OutputReference, ScriptLanguage, parameters::ExUnits};

/// What stands in a transaction's way, with both sides.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BuildError {
    /// Inputs and everything available do not cover outputs and fee.
    #[error("{provided} of {asset} are at hand where {required} are needed")]
    InsufficientFunds {
        /// Which asset is short.
        asset: AssetId,
        /// Base units in the inputs given, the outputs available and what is minted.
        provided: u64,
        /// Base units that outputs, burning and fee take.
        required: u64,
    },
    /// What remains is less than an output may hold, and nothing is left to add to it.
    #[error(
        "{provided} lovelace would remain as change, where at least {minimum} must lie in its outputs"
    )]
    ChangeTooSmall {
        /// Lovelace that would remain.
        provided: u64,
        /// Lovelace that the change outputs need.
        minimum: u64,
    },
    /// An output below the ledger's minimum.
    #[error("output {index} holds {provided} lovelace where its size demands {minimum}")]
    OutputBelowMinimum {
        /// Its place among the outputs asked for.
        index: usize,
        /// Lovelace in it.
        provided: u64,
        /// Lovelace that its size demands.
        minimum: u64,
    },
    /// An output's value takes more bytes than the protocol allows.
    #[error(
        "a value takes {provided} bytes where {maximum} are allowed; split it over several outputs"
    )]
    ValueTooLarge {
        /// Bytes of the value.
        provided: u64,
        /// Bytes allowed.
        maximum: u64,
    },
    /// An address that receives nothing, or that scripts cannot see.
    #[error("output {index} has an address that this transaction cannot pay: {reason}")]
    Address {
        /// Its place among the outputs asked for.
        index: usize,
        /// What is wrong with it.
        reason: &'static str,
    },
    /// The change cannot stand where it was asked for.
    #[error("change was asked for at place {provided}, but there are {maximum} other outputs")]
    ChangePosition {
        /// The place asked for, from 0.
        provided: usize,
        /// The last place there is.
        maximum: usize,
    },
    /// Too little to pledge for scripts.
    #[error("{provided} lovelace can serve as collateral where {required} are needed")]
    InsufficientCollateral {
        /// Lovelace in as many candidates as are allowed.
        provided: u64,
        /// Lovelace that the fee demands.
        required: u64,
    },
    /// One output both spent and referred to, which Conway refuses.
    #[error("{0} is both spent and referred to")]
    SpentAndReferenced(OutputReference),
    /// An input that cannot be spent as asked.
    #[error("{reference} cannot be spent: {reason}")]
    Input {
        /// Which.
        reference: OutputReference,
        /// Why.
        reason: &'static str,
    },
    /// No witness and no reference input carries a script that must run.
    #[error("script {0} must run, but neither a witness nor a reference input carries it")]
    MissingScript(Hash28),
    /// A script that must run is of a language that is not built for.
    #[error("script {hash} is {language:?}; only Plutus V3 is built for")]
    Language {
        /// Which script.
        hash: Hash28,
        /// Its language.
        language: ScriptLanguage,
    },
    /// A script refused, or could not be run.
    #[error(transparent)]
    Script(#[from] EvaluateError),
    /// Scripts need more than one transaction may use.
    #[error("the scripts need {provided:?} where a transaction may use {maximum:?}")]
    TooManyUnits {
        /// Units needed.
        provided: ExUnits,
        /// Units allowed.
        maximum: ExUnits,
    },
    /// The transaction is larger than the protocol allows.
    #[error("the transaction takes {provided} bytes where {maximum} are allowed")]
    TooLarge {
        /// Bytes, signatures included.
        provided: u64,
        /// Bytes allowed.
        maximum: u64,
    },
    /// More bytes of scripts at inputs and reference inputs than Conway allows.
    #[error("scripts of {provided} bytes are referred to where {maximum} are allowed")]
    ReferenceScripts {
        /// Bytes of the scripts.
        provided: u64,
        /// Bytes allowed.
        maximum: u64,
    },
    /// A sum leaves 64 bits.
    #[error("an amount leaves 64 bits")]
    Overflow,
    /// Fee and execution units did not settle.
    #[error("fee and execution units did not settle in {rounds} rounds")]
    Unsettled {
        /// Rounds made.
        rounds: u32,
    },
    /// Something that was put in does not encode.
    #[error("cannot be encoded: {0}")]
    Encoding(String),
}

impl Numbered for BuildError {
    fn code(&self) -> Code {
        Code(match self {
            BuildError::InsufficientFunds { .. } => 7010,
            BuildError::ChangeTooSmall { .. } => 7011,
            BuildError::OutputBelowMinimum { .. } => 7012,
            BuildError::ValueTooLarge { .. } => 7013,
            BuildError::Address { .. } => 7014,
            BuildError::ChangePosition { .. } => 7015,
            BuildError::InsufficientCollateral { .. } => 7016,
            BuildError::SpentAndReferenced(_) => 7017,
            BuildError::Input { .. } => 7018,
            BuildError::MissingScript(_) => 7019,
            BuildError::Language { .. } => 7020,
            BuildError::Script(_) => 7021,
            BuildError::TooManyUnits { .. } => 7022,
            BuildError::TooLarge { .. } => 7023,
            BuildError::Overflow => 7024,
            BuildError::Unsettled { .. } => 7025,
            BuildError::Encoding(_) => 7026,
            BuildError::ReferenceScripts { .. } => 7029,
        })
    }
}

/// Why signatures do not complete a transaction.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SignError {
    /// Keys that must sign and did not.
    #[error("signatures are missing of the keys {}", missing.iter().map(Hash28::to_string).collect::<Vec<_>>().join(", "))]
    Missing {
        /// Hashes of the keys.
        missing: Vec<Hash28>,
    },
    /// A signature that is not over this transaction.
    #[error("the signature of key {0} is not over this transaction")]
    Invalid(Hash28),
}

impl Numbered for SignError {
    fn code(&self) -> Code {
        Code(match self {
            SignError::Missing { .. } => 7027,
            SignError::Invalid(_) => 7028,
        })
    }
}
