//! Who runs the scripts: the builder asks, and somebody with a Plutus machine answers.

use nupeer_primitives::Hash28;

use crate::{OutputReference, ProtocolParameters, Utxo, parameters::ExUnits};

/// What a redeemer is for. Unlike the ledger's index it does not move when inputs are added.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Purpose {
    /// Spending this output.
    Spend(OutputReference),
    /// Minting or burning under this policy.
    Mint(Hash28),
}

impl std::fmt::Display for Purpose {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Purpose::Spend(reference) => write!(f, "spending {reference}"),
            Purpose::Mint(policy) => write!(f, "minting under {policy}"),
        }
    }
}

/// Which redeemer, as the ledger counts: the index is that of the input, or of the policy, in ascending order.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum RedeemerIndex {
    /// The n-th input.
    Spend(u32),
    /// The n-th policy.
    Mint(u32),
}

/// A script refused, or could not be run.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{}: {reason}", purpose.map_or_else(|| "the scripts".to_owned(), |purpose| purpose.to_string()))]
pub struct EvaluateError {
    /// Which script, if one is to blame.
    pub purpose: Option<Purpose>,
    /// What it said: its traces, or the machine's error.
    pub reason: String,
}

/// Runs a transaction's scripts and says what they use.
pub trait Evaluate {
    /// The units that each redeemer of `transaction` really uses. The units declared in it are to be ignored; what
    /// `parameters` allow a transaction is the budget. `resolved` are the outputs behind its inputs, reference
    /// inputs and collateral. The transaction is complete but for signatures.
    fn evaluate(
        &self,
        transaction: &[u8],
        resolved: &[Utxo],
        parameters: &ProtocolParameters,
    ) -> Result<Vec<(RedeemerIndex, ExUnits)>, RedeemerError>;
}

/// A script refused, or could not be run; the builder knows what the index stands for.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{index:?}: {reason}")]
pub struct RedeemerError {
    /// Which redeemer, if one is to blame.
    pub index: Option<RedeemerIndex>,
    /// What it said: its traces, or the machine's error.
    pub reason: String,
}

/// For transactions without scripts: nothing to run, and a script is an error.
#[derive(Clone, Copy, Debug)]
pub struct NoScripts;

impl Evaluate for NoScripts {
    fn evaluate(
        &self,
        _: &[u8],
        _: &[Utxo],
        _: &ProtocolParameters,
    ) -> Result<Vec<(RedeemerIndex, ExUnits)>, RedeemerError> {
        Err(RedeemerError {
            index: None,
            reason: "nothing here can run scripts".into(),
        })
    }
}
