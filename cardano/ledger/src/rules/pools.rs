//! Pools come to be, change and announce their end: for this network, at no less than the least cost, within the epochs allowed.
//!
//! Source: Conway formal specification, rule POOL (`POOL-reg`, `POOL-rereg`, `POOL-retirepool`);
//! <https://intersectmbo.github.io/formal-ledger-specifications/site/Ledger.Conway.Specification.Certs.html>. Before protocol version 11 two
//! pools may have the same VRF key.

use super::RuleError;
use crate::delegation::DelegationView;
use crate::parameters::ProtocolParameters;
use crate::tx::{PoolId, PoolParameters};
use nupeer_primitives::{Code, Numbered};
use thiserror::Error;

/// The length of the hash of a pool's metadata, in bytes (blake2b-256).
const METADATA_HASH_LENGTH_MAX: usize = 32;

/// Why a pool's certificate is refused.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum PoolsError {
    /// Rewards to an account of another network.
    #[error(
        "the pool {}'s rewards go to network {provided}, this is network {expected}",
        hex::encode(pool)
    )]
    WrongNetwork {
        /// The pool.
        pool: PoolId,
        /// The account's network.
        provided: u8,
        /// This network.
        expected: u8,
    },
    /// A hash of metadata that is too long.
    #[error(
        "the hash of the pool {}'s metadata has {provided} bytes, at most {maximum} are allowed",
        hex::encode(pool)
    )]
    MetadataHashTooLong {
        /// The pool.
        pool: PoolId,
        /// Its length, in bytes.
        provided: usize,
        /// The greatest length, in bytes.
        maximum: usize,
    },
    /// A cost below the protocol's least.
    #[error("a cost of {provided_lovelace} lovelace, at least {minimum_lovelace} is demanded")]
    CostTooLow {
        /// The pool's.
        provided_lovelace: u64,
        /// The protocol's.
        minimum_lovelace: u64,
    },
    /// The end of a pool that is not there.
    #[error("the pool {} is not registered", hex::encode(pool))]
    NotRegistered {
        /// The pool.
        pool: PoolId,
    },
    /// An end too soon or too late.
    #[error("an end at epoch {provided}, allowed are epochs after {current} until {maximum}")]
    WrongEpoch {
        /// The epoch announced.
        provided: u64,
        /// The epoch of the transaction's slot.
        current: u64,
        /// The last epoch that may be announced.
        maximum: u64,
    },
}

impl Numbered for PoolsError {
    fn code(&self) -> Code {
        Code(match self {
            Self::WrongNetwork { .. } => 7430,
            Self::MetadataHashTooLong { .. } => 7431,
            Self::CostTooLow { .. } => 7432,
            Self::NotRegistered { .. } => 7433,
            Self::WrongEpoch { .. } => 7434,
        })
    }
}

impl RuleError for PoolsError {
    fn predicate_name(&self) -> &'static str {
        match self {
            Self::WrongNetwork { .. } => "WrongNetworkPOOL",
            Self::MetadataHashTooLong { .. } => "PoolMedataHashTooBig",
            Self::CostTooLow { .. } => "StakePoolCostTooLowPOOL",
            Self::NotRegistered { .. } => "StakePoolNotRegisteredOnKeyPOOL",
            Self::WrongEpoch { .. } => "StakePoolRetirementWrongEpochPOOL",
        }
    }
}

/// Registers a pool, or changes a registered one.
pub(crate) fn register(
    pool: &PoolParameters,
    network: u8,
    parameters: &ProtocolParameters,
    view: &mut DelegationView<'_>,
) -> Result<(), PoolsError> {
    check_network(pool, network)?;
    check_metadata(pool)?;
    check_cost(pool, parameters.min_stake_pool_cost_lovelace)?;
    view.register_pool(pool.clone(), parameters.stake_pool_deposit_lovelace);
    Ok(())
}

/// Announces a pool's end at the start of an epoch.
pub(crate) fn retire(
    pool: PoolId,
    provided: u64,
    current: u64,
    parameters: &ProtocolParameters,
    view: &mut DelegationView<'_>,
) -> Result<(), PoolsError> {
    if !view.is_pool_registered(&pool) {
        return Err(PoolsError::NotRegistered { pool });
    }
    let maximum = current.saturating_add(parameters.stake_pool_retirement_epoch_bound);
    if provided <= current || provided > maximum {
        return Err(PoolsError::WrongEpoch {
            provided,
            current,
            maximum,
        });
    }
    view.retire_pool(pool, provided);
    Ok(())
}

fn check_network(pool: &PoolParameters, expected: u8) -> Result<(), PoolsError> {
    let provided = pool.reward_account.network;
    if provided == expected {
        return Ok(());
    }
    Err(PoolsError::WrongNetwork {
        pool: pool.id,
        provided,
        expected,
    })
}

fn check_metadata(pool: &PoolParameters) -> Result<(), PoolsError> {
    let provided = pool.metadata.as_ref().map_or(0, |data| data.hash.len());
    if provided <= METADATA_HASH_LENGTH_MAX {
        return Ok(());
    }
    Err(PoolsError::MetadataHashTooLong {
        pool: pool.id,
        provided,
        maximum: METADATA_HASH_LENGTH_MAX,
    })
}

fn check_cost(pool: &PoolParameters, minimum_lovelace: u64) -> Result<(), PoolsError> {
    let provided_lovelace = pool.cost_lovelace;
    if provided_lovelace >= minimum_lovelace {
        return Ok(());
    }
    Err(PoolsError::CostTooLow {
        provided_lovelace,
        minimum_lovelace,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::delegation::{Delegation, Pool};
    use crate::testing::pool;
    use crate::tx::PoolMetadata;

    const POOL: PoolId = [3; 28];

    /// The state after a step.
    fn after(
        mut state: Delegation,
        step: impl Fn(&ProtocolParameters, &mut DelegationView<'_>) -> Result<(), PoolsError>,
    ) -> Result<Delegation, PoolsError> {
        let parameters = ProtocolParameters::conway_v10();
        let mut view = DelegationView::of(&state);
        step(&parameters, &mut view)?;
        let changes = view.into_changes();
        changes.make(&mut state);
        Ok(state)
    }

    fn with(pool: &PoolParameters, state: Delegation) -> Result<Delegation, PoolsError> {
        after(state, |parameters, view| {
            register(pool, 0, parameters, view)
        })
    }

    /// An end announced in epoch 5.
    fn without(epoch: u64, state: Delegation) -> Result<Delegation, PoolsError> {
        after(state, |parameters, view| {
            retire(POOL, epoch, 5, parameters, view)
        })
    }

    fn registered() -> Delegation {
        with(&pool(POOL).parameters, Delegation::default()).expect("registered")
    }

    #[test]
    fn a_new_pool_is_there_at_once_with_the_protocols_deposit() {
        let pool = Pool {
            deposit_lovelace: 500_000_000,
            ..pool(POOL)
        };
        let state = registered();
        assert_eq!(state.pools.into_values().collect::<Vec<_>>(), [pool]);
        assert!(state.future_pools.is_empty());
    }

    #[test]
    fn a_registered_pool_changes_later_and_does_not_end() {
        let ending = without(6, registered()).expect("an end");
        assert_eq!(ending.retirements.get(&POOL), Some(&6));
        let changed = PoolParameters {
            pledge_lovelace: 99,
            ..pool(POOL).parameters
        };
        let state = with(&changed, ending).expect("changed");
        assert_eq!(state.pools, registered().pools);
        assert_eq!(state.future_pools.get(&POOL), Some(&changed));
        assert!(state.retirements.is_empty());
    }

    #[test]
    fn an_end_lies_in_the_epochs_allowed() {
        let bound = ProtocolParameters::conway_v10().stake_pool_retirement_epoch_bound;
        let maximum = 5 + bound;
        for provided in [6, maximum] {
            let state = without(provided, registered()).expect("an end");
            assert_eq!(state.retirements.get(&POOL), Some(&provided));
            assert_eq!(state.pools, registered().pools, "until then it is there");
        }
        for provided in [0, 5, maximum + 1, u64::MAX] {
            let error = PoolsError::WrongEpoch {
                provided,
                current: 5,
                maximum,
            };
            assert_eq!(without(provided, registered()), Err(error));
        }
        let absent = PoolsError::NotRegistered { pool: POOL };
        assert_eq!(without(6, Delegation::default()), Err(absent));
    }

    #[test]
    fn a_pool_costs_no_less_than_the_least() {
        let minimum_lovelace = ProtocolParameters::conway_v10().min_stake_pool_cost_lovelace;
        let costing = |cost_lovelace| PoolParameters {
            cost_lovelace,
            ..pool(POOL).parameters
        };
        assert!(with(&costing(minimum_lovelace), Delegation::default()).is_ok());
        let error = PoolsError::CostTooLow {
            provided_lovelace: minimum_lovelace - 1,
            minimum_lovelace,
        };
        assert_eq!(
            with(&costing(minimum_lovelace - 1), Delegation::default()),
            Err(error)
        );
    }

    #[test]
    fn metadata_have_a_hash_of_at_most_32_bytes() {
        let hashed = |length| PoolParameters {
            metadata: Some(PoolMetadata {
                url: String::new(),
                hash: vec![0; length],
            }),
            ..pool(POOL).parameters
        };
        assert!(with(&hashed(32), Delegation::default()).is_ok());
        let error = PoolsError::MetadataHashTooLong {
            pool: POOL,
            provided: 33,
            maximum: 32,
        };
        assert_eq!(with(&hashed(33), Delegation::default()), Err(error));
    }

    #[test]
    fn rewards_go_to_this_network() {
        let error = PoolsError::WrongNetwork {
            pool: POOL,
            provided: 0,
            expected: 1,
        };
        let elsewhere = after(Delegation::default(), |parameters, view| {
            register(&pool(POOL).parameters, 1, parameters, view)
        });
        assert_eq!(elsewhere, Err(error));
    }
}
