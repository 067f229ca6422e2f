//! Protocol parameters, typed, with the set that a devnet starts from (Conway CDDL, `protocol_param_update`; CIP-9, CIP-1694).

use super::script::PlutusVersion;
use super::tx::ExUnits;
use num_bigint::BigInt;
use num_rational::BigRational;
use serde::{Deserialize, Serialize};
use std::cmp::Ordering;

/// Protocol-10 parameters and cost models of preprod.
///
/// From the test data of pragma-org/amaru (Apache-2.0), `preprod-conway-v10.json`; see `parameters/README.md`.
const CONWAY_V10: &str = include_str!("../parameters/preprod-conway-v10.json");

/// Reference-script bytes that the outputs used by one block may carry in all (Conway ledger, `maxRefScriptSizePerBlock`).
pub const MAX_REFERENCE_SCRIPTS_PER_BLOCK_BYTES: u64 = 1024 * 1024;

/// A fraction as the parameters state it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "RatioFields")]
pub struct Ratio {
    /// Above the line.
    pub numerator: u64,
    /// Below the line; never zero.
    pub denominator: u64,
}

#[derive(Deserialize)]
struct RatioFields {
    numerator: u64,
    denominator: u64,
}

impl TryFrom<RatioFields> for Ratio {
    type Error = &'static str;

    fn try_from(fields: RatioFields) -> Result<Self, Self::Error> {
        if fields.denominator == 0 {
            return Err("a fraction's denominator must not be zero");
        }
        Ok(Self {
            numerator: fields.numerator,
            denominator: fields.denominator,
        })
    }
}

impl Ord for Ratio {
    /// By size; of the same size, the one with the smaller denominator first.
    fn cmp(&self, other: &Self) -> Ordering {
        let cross = |one: u64, two: u64| u128::from(one) * u128::from(two);
        cross(self.numerator, other.denominator)
            .cmp(&cross(other.numerator, self.denominator))
            .then(self.denominator.cmp(&other.denominator))
    }
}

impl PartialOrd for Ratio {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ratio {
    /// The fraction, exactly.
    pub(crate) fn to_rational(self) -> BigRational {
        BigRational::new(BigInt::from(self.numerator), BigInt::from(self.denominator))
    }
}

/// The price of reference scripts, which rises by `multiplier` for each further `range` of bytes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ReferenceScriptPrice {
    /// The width of a tier, in bytes; never zero.
    #[serde(rename = "range")]
    pub range_bytes: std::num::NonZeroU64,
    /// Lovelace per byte in the first tier.
    pub base: Ratio,
    /// From tier to tier.
    pub multiplier: Ratio,
}

/// What execution costs.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ExecutionPrices {
    /// Lovelace per memory unit.
    pub memory: Ratio,
    /// Lovelace per CPU step.
    pub cpu: Ratio,
}

/// The cost of each built-in function and machine step, by language.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct CostModels {
    /// Plutus V1.
    #[serde(rename = "plutusV1", default)]
    pub v1: Option<Vec<i64>>,
    /// Plutus V2.
    #[serde(rename = "plutusV2", default)]
    pub v2: Option<Vec<i64>>,
    /// Plutus V3.
    #[serde(rename = "plutusV3", default)]
    pub v3: Option<Vec<i64>>,
}

impl CostModels {
    /// A language's cost model.
    pub fn get(&self, version: PlutusVersion) -> Option<&[i64]> {
        match version {
            PlutusVersion::V1 => self.v1.as_deref(),
            PlutusVersion::V2 => self.v2.as_deref(),
            PlutusVersion::V3 => self.v3.as_deref(),
        }
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(remote = "ExUnits")]
struct ExUnitsFields {
    memory: u64,
    cpu: u64,
}

/// The protocol's version.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct ProtocolVersion {
    /// Raised by hard forks; 10 is Conway after Plomin.
    pub major: u16,
    /// Raised otherwise.
    pub minor: u16,
}

/// Thresholds for actions on the constitutional committee.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct CommitteeThresholds {
    /// While there is confidence.
    pub default: Ratio,
    /// After a motion of no confidence.
    pub state_of_no_confidence: Ratio,
}

/// Thresholds of stake pools for changes of parameters.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PoolParameterThresholds {
    /// The security group.
    pub security: Ratio,
}

/// Thresholds of stake pools.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct PoolVotingThresholds {
    /// Motion of no confidence.
    pub no_confidence: Ratio,
    /// Election of the committee.
    pub constitutional_committee: CommitteeThresholds,
    /// Hard fork.
    pub hard_fork_initiation: Ratio,
    /// Parameters.
    pub protocol_parameters_update: PoolParameterThresholds,
}

/// Thresholds of DReps for changes of parameters, by group.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct DRepParameterThresholds {
    /// The network group.
    pub network: Ratio,
    /// The economic group.
    pub economic: Ratio,
    /// The technical group.
    pub technical: Ratio,
    /// The governance group.
    pub governance: Ratio,
}

/// Thresholds of DReps.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct DRepVotingThresholds {
    /// Motion of no confidence.
    pub no_confidence: Ratio,
    /// Constitution.
    pub constitution: Ratio,
    /// Election of the committee.
    pub constitutional_committee: CommitteeThresholds,
    /// Hard fork.
    pub hard_fork_initiation: Ratio,
    /// Parameters.
    pub protocol_parameters_update: DRepParameterThresholds,
    /// Treasury withdrawals.
    pub treasury_withdrawals: Ratio,
}

/// The parameters that the ledger's rules read. Names in JSON are those of the scenario format.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ProtocolParameters {
    /// Lovelace per byte of a transaction.
    #[serde(rename = "minFeeCoefficient")]
    pub fee_per_byte_lovelace: u64,
    /// Lovelace per transaction.
    #[serde(rename = "minFeeConstant")]
    pub fee_constant_lovelace: u64,
    /// The tiered price of reference scripts.
    #[serde(rename = "minFeeReferenceScripts")]
    pub reference_script_price: ReferenceScriptPrice,
    /// Lovelace per byte of an output (`coinsPerUTxOByte`).
    #[serde(rename = "minUtxoDepositCoefficient")]
    pub lovelace_per_utxo_byte: u64,
    /// Greatest block body.
    #[serde(rename = "maxBlockBodySize")]
    pub max_block_body_size_bytes: u64,
    /// Greatest block header.
    #[serde(rename = "maxBlockHeaderSize")]
    pub max_block_header_size_bytes: u64,
    /// Greatest transaction.
    #[serde(rename = "maxTransactionSize")]
    pub max_tx_size_bytes: u64,
    /// Greatest value of an output.
    #[serde(rename = "maxValueSize")]
    pub max_value_size_bytes: u64,
    /// Reference-script bytes that one transaction may use.
    #[serde(rename = "maxReferenceScriptsSize")]
    pub max_reference_scripts_size_bytes: u64,
    /// Deposit for a stake credential.
    #[serde(rename = "stakeCredentialDeposit")]
    pub stake_credential_deposit_lovelace: u64,
    /// Deposit for a pool.
    #[serde(rename = "stakePoolDeposit")]
    pub stake_pool_deposit_lovelace: u64,
    /// How many epochs ahead a pool may announce its end.
    pub stake_pool_retirement_epoch_bound: u64,
    /// a0.
    pub stake_pool_pledge_influence: Ratio,
    /// Least fixed cost of a pool.
    #[serde(rename = "minStakePoolCost")]
    pub min_stake_pool_cost_lovelace: u64,
    /// k.
    pub desired_number_of_stake_pools: u16,
    /// ρ.
    pub monetary_expansion: Ratio,
    /// τ.
    pub treasury_expansion: Ratio,
    /// Collateral in per cent of the fee.
    #[serde(rename = "collateralPercentage")]
    pub collateral_percent: u64,
    /// How many collateral inputs a transaction may have.
    pub max_collateral_inputs: u64,
    /// Prices of execution.
    #[serde(rename = "scriptExecutionPrices")]
    pub execution_prices: ExecutionPrices,
    /// Execution units of one transaction.
    #[serde(rename = "maxExecutionUnitsPerTransaction", with = "ExUnitsFields")]
    pub max_tx_ex_units: ExUnits,
    /// Execution units of one block.
    #[serde(rename = "maxExecutionUnitsPerBlock", with = "ExUnitsFields")]
    pub max_block_ex_units: ExUnits,
    /// Voting thresholds of pools.
    pub stake_pool_voting_thresholds: PoolVotingThresholds,
    /// Voting thresholds of DReps.
    #[serde(rename = "delegateRepresentativeVotingThresholds")]
    pub drep_voting_thresholds: DRepVotingThresholds,
    /// Least size of the committee.
    pub constitutional_committee_min_size: u16,
    /// Longest term of a member of the committee.
    #[serde(rename = "constitutionalCommitteeMaxTermLength")]
    pub constitutional_committee_max_term_epochs: u64,
    /// Deposit for a governance action.
    #[serde(rename = "governanceActionDeposit")]
    pub governance_action_deposit_lovelace: u64,
    /// Epochs for which a governance action can be voted on.
    #[serde(rename = "governanceActionLifetime")]
    pub governance_action_lifetime_epochs: u64,
    /// Deposit for a DRep.
    #[serde(rename = "delegateRepresentativeDeposit")]
    pub drep_deposit_lovelace: u64,
    /// Epochs after which an inactive DRep expires.
    #[serde(rename = "delegateRepresentativeMaxIdleTime")]
    pub drep_max_idle_epochs: u64,
    /// The protocol's version.
    #[serde(rename = "version")]
    pub protocol_version: ProtocolVersion,
    /// Cost models.
    #[serde(rename = "plutusCostModels")]
    pub cost_models: CostModels,
}

impl ProtocolParameters {
    /// The parameters that a devnet starts from: preprod's at protocol version 10.
    ///
    /// # Panics
    /// Never: the file is part of the program, and a test reads it.
    pub fn conway_v10() -> Self {
        serde_json::from_str(CONWAY_V10).expect("the committed protocol parameters")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_committed_parameters_are_read_whole() {
        let parameters = ProtocolParameters::conway_v10();
        assert_eq!(parameters.fee_per_byte_lovelace, 44);
        assert_eq!(parameters.fee_constant_lovelace, 155_381);
        assert_eq!(parameters.lovelace_per_utxo_byte, 4_310);
        assert_eq!(
            parameters.protocol_version,
            ProtocolVersion {
                major: 10,
                minor: 0
            }
        );
        assert_eq!(
            parameters.max_tx_ex_units,
            ExUnits {
                memory: 14_000_000,
                cpu: 10_000_000_000
            }
        );
        let lengths = [PlutusVersion::V1, PlutusVersion::V2, PlutusVersion::V3]
            .map(|version| parameters.cost_models.get(version).map(<[i64]>::len));
        assert_eq!(lengths, [Some(166), Some(175), Some(297)]);
    }

    #[test]
    fn fractions_sort_by_size() {
        let ratio = |numerator, denominator| Ratio {
            numerator,
            denominator,
        };
        let mut sorted = [
            ratio(2, 4),
            ratio(1, 2),
            ratio(2, 3),
            ratio(u64::MAX, u64::MAX),
            ratio(0, 9),
        ];
        sorted.sort_unstable();
        let expected = [
            ratio(0, 9),
            ratio(1, 2),
            ratio(2, 4),
            ratio(2, 3),
            ratio(u64::MAX, u64::MAX),
        ];
        assert_eq!(sorted, expected);
    }

    #[test]
    fn a_zero_denominator_is_refused() {
        assert!(serde_json::from_str::<Ratio>(r#"{"numerator":1,"denominator":0}"#).is_err());
    }
}
