//! The rules of phase 1, one per file. Each names the rule of the formal specification it follows, and fails with both sides.

pub mod auxiliary_data;
pub mod byron_attributes;
pub mod certificates;
pub mod collateral;
pub mod datums;
pub mod delegation;
pub(crate) mod deposits;
pub mod ex_units;
pub mod fees;
pub mod governance_certificates;
pub mod inputs;
pub mod native_scripts;
pub mod network;
pub mod output_size;
pub mod pools;
pub mod proposals;
pub mod redeemers;
pub mod reference_scripts;
pub mod required_scripts;
pub mod script_data_hash;
pub mod signatures;
pub mod treasury;
pub mod tx_size;
pub(crate) mod unsupported;
pub mod validity;
pub mod value_preservation;
pub mod votes;
pub mod well_formed;
pub mod withdrawals;

/// What every rule's error can say of itself, beside its number.
pub trait RuleError: nupeer_primitives::Numbered {
    /// The name of the predicate failure in the Haskell ledger.
    fn predicate_name(&self) -> &'static str;
}
