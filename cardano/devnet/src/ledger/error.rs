//! Why a transaction is refused.

use super::cbor::DecodeError;
use super::phase_two::PhaseTwoError;
use super::rules::RuleError;
use super::rules::auxiliary_data::AuxiliaryDataError;
use super::rules::collateral::CollateralError;
use super::rules::datums::DatumsError;
use super::rules::ex_units::ExUnitsError;
use super::rules::fees::FeeTooSmall;
use super::rules::inputs::InputsError;
use super::rules::native_scripts::NativeScriptsFail;
use super::rules::network::NetworkError;
use super::rules::output_size::OutputSizeError;
use super::rules::redeemers::RedeemersError;
use super::rules::reference_scripts::ReferenceScriptsError;
use super::rules::required_scripts::RequiredScriptsError;
use super::rules::script_data_hash::ScriptDataHashMismatch;
use super::rules::signatures::SignaturesError;
use super::rules::treasury::TreasuryMismatch;
use super::rules::tx_size::TxTooLarge;
use super::rules::validity::ValidityError;
use super::rules::value_preservation::ValueNotConserved;
use super::rules::well_formed::WellFormedError;
use thiserror::Error;

/// Defines [`LedgerError`] from the list of rules, so that a rule is named here once.
macro_rules! ledger_error {
    ($($(#[$doc:meta])* $variant:ident($error:ty),)*) => {
        /// Why the ledger refuses a transaction. Numbers never move: 1 and 2 below, from 100 in each rule's file.
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
            $($(#[$doc])* #[error(transparent)] $variant(#[from] $error),)*
        }

        impl LedgerError {
            /// The error's number, which never moves.
            pub fn number(&self) -> u16 {
                match self {
                    Self::Malformed(_) => 1,
                    Self::Unsupported { .. } => 2,
                    $(Self::$variant(error) => error.number(),)*
                }
            }

            /// The name of the predicate failure in the Haskell ledger; what it has no name for starts with a lower-case letter.
            pub fn predicate_name(&self) -> &'static str {
                match self {
                    Self::Malformed(_) => "decodingFailure",
                    Self::Unsupported { .. } => "unsupportedByThisLedger",
                    $(Self::$variant(error) => error.predicate_name(),)*
                }
            }
        }
    };
}

ledger_error! {
    /// Inputs.
    Inputs(InputsError),
    /// Validity interval.
    Validity(ValidityError),
    /// Fee.
    Fees(FeeTooSmall),
    /// Value preservation.
    Value(ValueNotConserved),
    /// Sizes of outputs.
    OutputSize(OutputSizeError),
    /// Size of the transaction.
    TxSize(TxTooLarge),
    /// Network ids.
    Network(NetworkError),
    /// Signatures.
    Signatures(SignaturesError),
    /// Native scripts.
    NativeScripts(NativeScriptsFail),
    /// Scripts that are needed.
    RequiredScripts(RequiredScriptsError),
    /// Datums.
    Datums(DatumsError),
    /// Redeemers.
    Redeemers(RedeemersError),
    /// Script data hash.
    ScriptDataHash(ScriptDataHashMismatch),
    /// Budgets.
    ExUnits(ExUnitsError),
    /// Collateral.
    Collateral(CollateralError),
    /// Auxiliary data.
    AuxiliaryData(AuxiliaryDataError),
    /// Reference scripts.
    ReferenceScripts(ReferenceScriptsError),
    /// The treasury.
    Treasury(TreasuryMismatch),
    /// Form of Plutus scripts.
    WellFormed(WellFormedError),
    /// Phase 2.
    PhaseTwo(PhaseTwoError),
}
