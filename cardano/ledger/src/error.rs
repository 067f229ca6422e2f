//! Why a transaction is refused.

use super::cbor::DecodeError;
use super::phase_two::PhaseTwoError;
use super::rules::RuleError;
use super::rules::auxiliary_data::AuxiliaryDataError;
use super::rules::byron_attributes::ByronAttributesTooBig;
use super::rules::certificates::CertificatesError;
use super::rules::collateral::CollateralError;
use super::rules::datums::DatumsError;
use super::rules::delegation::DelegationError;
use super::rules::ex_units::ExUnitsError;
use super::rules::fees::FeeTooSmall;
use super::rules::governance_certificates::GovernanceCertificatesError;
use super::rules::inputs::InputsError;
use super::rules::native_scripts::NativeScriptsFail;
use super::rules::network::NetworkError;
use super::rules::output_size::OutputSizeError;
use super::rules::pools::PoolsError;
use super::rules::proposals::ProposalsError;
use super::rules::redeemers::RedeemersError;
use super::rules::reference_scripts::ReferenceScriptsError;
use super::rules::required_scripts::RequiredScriptsError;
use super::rules::script_data_hash::ScriptDataHashMismatch;
use super::rules::signatures::SignaturesError;
use super::rules::treasury::TreasuryMismatch;
use super::rules::tx_size::TxTooLarge;
use super::rules::validity::ValidityError;
use super::rules::value_preservation::ValueNotConserved;
use super::rules::votes::VotesError;
use super::rules::well_formed::WellFormedError;
use super::rules::withdrawals::WithdrawalsError;
use nupeer_primitives::{Code, Numbered};
use thiserror::Error;

/// Why the ledger refuses a transaction.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum LedgerError {
    /// The bytes are no transaction of the Conway CDDL.
    #[error("not a Conway transaction: {0}")]
    Malformed(#[from] DecodeError),
    /// A part of the transaction that this ledger does not check yet, and therefore does not let through.
    #[error("this ledger does not check {form} yet")]
    Unsupported {
        /// What it is.
        form: &'static str,
    },
    /// Inputs.
    #[error(transparent)]
    Inputs(#[from] InputsError),
    /// Validity interval.
    #[error(transparent)]
    Validity(#[from] ValidityError),
    /// Fee.
    #[error(transparent)]
    Fees(#[from] FeeTooSmall),
    /// Value preservation.
    #[error(transparent)]
    Value(#[from] ValueNotConserved),
    /// Sizes of outputs.
    #[error(transparent)]
    OutputSize(#[from] OutputSizeError),
    /// Attributes of Byron addresses.
    #[error(transparent)]
    ByronAttributes(#[from] ByronAttributesTooBig),
    /// Size of the transaction.
    #[error(transparent)]
    TxSize(#[from] TxTooLarge),
    /// Network ids.
    #[error(transparent)]
    Network(#[from] NetworkError),
    /// Signatures.
    #[error(transparent)]
    Signatures(#[from] SignaturesError),
    /// Native scripts.
    #[error(transparent)]
    NativeScripts(#[from] NativeScriptsFail),
    /// Scripts that are needed.
    #[error(transparent)]
    RequiredScripts(#[from] RequiredScriptsError),
    /// Datums.
    #[error(transparent)]
    Datums(#[from] DatumsError),
    /// Redeemers.
    #[error(transparent)]
    Redeemers(#[from] RedeemersError),
    /// Script data hash.
    #[error(transparent)]
    ScriptDataHash(#[from] ScriptDataHashMismatch),
    /// Budgets.
    #[error(transparent)]
    ExUnits(#[from] ExUnitsError),
    /// Collateral.
    #[error(transparent)]
    Collateral(#[from] CollateralError),
    /// Auxiliary data.
    #[error(transparent)]
    AuxiliaryData(#[from] AuxiliaryDataError),
    /// Reference scripts.
    #[error(transparent)]
    ReferenceScripts(#[from] ReferenceScriptsError),
    /// The treasury.
    #[error(transparent)]
    Treasury(#[from] TreasuryMismatch),
    /// Changes that were valid once.
    #[error(transparent)]
    Certificates(#[from] CertificatesError),
    /// Certificates of stake.
    #[error(transparent)]
    Delegation(#[from] DelegationError),
    /// Certificates of pools.
    #[error(transparent)]
    Pools(#[from] PoolsError),
    /// Withdrawals.
    #[error(transparent)]
    Withdrawals(#[from] WithdrawalsError),
    /// Certificates of DReps and of the committee.
    #[error(transparent)]
    GovernanceCertificates(#[from] GovernanceCertificatesError),
    /// Proposals.
    #[error(transparent)]
    Proposals(#[from] ProposalsError),
    /// Votes.
    #[error(transparent)]
    Votes(#[from] VotesError),
    /// Form of Plutus scripts.
    #[error(transparent)]
    WellFormed(#[from] WellFormedError),
    /// Phase 2.
    #[error(transparent)]
    PhaseTwo(#[from] PhaseTwoError),
}

impl Numbered for LedgerError {
    fn code(&self) -> Code {
        Code(match self {
            Self::Malformed(_) => 7190,
            Self::Unsupported { .. } => 7191,
            Self::Inputs(error) => return error.code(),
            Self::Validity(error) => return error.code(),
            Self::Fees(error) => return error.code(),
            Self::Value(error) => return error.code(),
            Self::OutputSize(error) => return error.code(),
            Self::ByronAttributes(error) => return error.code(),
            Self::TxSize(error) => return error.code(),
            Self::Network(error) => return error.code(),
            Self::Signatures(error) => return error.code(),
            Self::NativeScripts(error) => return error.code(),
            Self::RequiredScripts(error) => return error.code(),
            Self::Datums(error) => return error.code(),
            Self::Redeemers(error) => return error.code(),
            Self::ScriptDataHash(error) => return error.code(),
            Self::ExUnits(error) => return error.code(),
            Self::Collateral(error) => return error.code(),
            Self::AuxiliaryData(error) => return error.code(),
            Self::ReferenceScripts(error) => return error.code(),
            Self::Treasury(error) => return error.code(),
            Self::Certificates(error) => return error.code(),
            Self::Delegation(error) => return error.code(),
            Self::Pools(error) => return error.code(),
            Self::Withdrawals(error) => return error.code(),
            Self::GovernanceCertificates(error) => return error.code(),
            Self::Proposals(error) => return error.code(),
            Self::Votes(error) => return error.code(),
            Self::WellFormed(error) => return error.code(),
            Self::PhaseTwo(error) => return error.code(),
        })
    }
}

impl LedgerError {
    /// The name of the predicate failure in the Haskell ledger; what it has no name for starts with a lower-case letter.
    pub fn predicate_name(&self) -> &'static str {
        match self {
            Self::Malformed(_) => "decodingFailure",
            Self::Unsupported { .. } => "unsupportedByThisLedger",
            Self::Inputs(error) => error.predicate_name(),
            Self::Validity(error) => error.predicate_name(),
            Self::Fees(error) => error.predicate_name(),
            Self::Value(error) => error.predicate_name(),
            Self::OutputSize(error) => error.predicate_name(),
            Self::ByronAttributes(error) => error.predicate_name(),
            Self::TxSize(error) => error.predicate_name(),
            Self::Network(error) => error.predicate_name(),
            Self::Signatures(error) => error.predicate_name(),
            Self::NativeScripts(error) => error.predicate_name(),
            Self::RequiredScripts(error) => error.predicate_name(),
            Self::Datums(error) => error.predicate_name(),
            Self::Redeemers(error) => error.predicate_name(),
            Self::ScriptDataHash(error) => error.predicate_name(),
            Self::ExUnits(error) => error.predicate_name(),
            Self::Collateral(error) => error.predicate_name(),
            Self::AuxiliaryData(error) => error.predicate_name(),
            Self::ReferenceScripts(error) => error.predicate_name(),
            Self::Treasury(error) => error.predicate_name(),
            Self::Certificates(error) => error.predicate_name(),
            Self::Delegation(error) => error.predicate_name(),
            Self::Pools(error) => error.predicate_name(),
            Self::Withdrawals(error) => error.predicate_name(),
            Self::GovernanceCertificates(error) => error.predicate_name(),
            Self::Proposals(error) => error.predicate_name(),
            Self::Votes(error) => error.predicate_name(),
            Self::WellFormed(error) => error.predicate_name(),
            Self::PhaseTwo(error) => error.predicate_name(),
        }
    }
}
