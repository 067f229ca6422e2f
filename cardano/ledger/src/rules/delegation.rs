//! Accounts come to be, are delegated, and end, each in its time: with the right deposit, to whom is registered, and empty at the end.
//!
//! Source: Conway formal specification, rule DELEG (`DELEG-reg`, `DELEG-dereg`, `DELEG-delegate`);
//! <https://intersectmbo.github.io/formal-ledger-specifications/site/Ledger.Conway.Specification.Certs.html>. The order of the checks is that
//! of the Haskell ledger's `conwayDelegTransition`.

use super::RuleError;
use crate::address::Credential;
use crate::certs::View;
use crate::delegation::Account;
use crate::tx::{DRep, Delegatee, PoolId};
use nupeer_primitives::{Code, Numbered};
use thiserror::Error;

/// Why a certificate of stake is refused.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum DelegationError {
    /// A deposit that is not the protocol's.
    #[error("a deposit of {provided_lovelace} lovelace, the protocol's is {expected_lovelace}")]
    WrongDeposit {
        /// What the certificate states.
        provided_lovelace: u64,
        /// The protocol's.
        expected_lovelace: u64,
    },
    /// A refund that is not what was put down.
    #[error("a refund of {provided_lovelace} lovelace, put down were {expected_lovelace}")]
    WrongRefund {
        /// What the certificate states.
        provided_lovelace: u64,
        /// What was put down.
        expected_lovelace: u64,
    },
    /// An account that is there already.
    #[error("{credential:?} is registered already")]
    Registered {
        /// Whose.
        credential: Credential,
    },
    /// An account that is not there.
    #[error("{credential:?} is not registered")]
    NotRegistered {
        /// Whose.
        credential: Credential,
    },
    /// The end of an account that holds rewards.
    #[error("the account of {credential:?} still holds {rewards_lovelace} lovelace")]
    NotEmpty {
        /// Whose.
        credential: Credential,
        /// What it holds.
        rewards_lovelace: u64,
    },
    /// Delegation to a pool that is not there.
    #[error("the pool {} is not registered", hex::encode(pool))]
    PoolNotRegistered {
        /// The pool.
        pool: PoolId,
    },
    /// Delegation to a DRep that is not there.
    #[error("the DRep {credential:?} is not registered")]
    DRepNotRegistered {
        /// The DRep.
        credential: Credential,
    },
}

impl Numbered for DelegationError {
    fn code(&self) -> Code {
        Code(match self {
            Self::WrongDeposit { .. } => 7423,
            Self::WrongRefund { .. } => 7424,
            Self::Registered { .. } => 7425,
            Self::NotRegistered { .. } => 7426,
            Self::NotEmpty { .. } => 7427,
            Self::PoolNotRegistered { .. } => 7428,
            Self::DRepNotRegistered { .. } => 7429,
        })
    }
}

impl RuleError for DelegationError {
    fn predicate_name(&self) -> &'static str {
        match self {
            Self::WrongDeposit { .. } | Self::WrongRefund { .. } => "IncorrectDepositDELEG",
            Self::Registered { .. } => "StakeKeyRegisteredDELEG",
            Self::NotRegistered { .. } => "StakeKeyNotRegisteredDELEG",
            Self::NotEmpty { .. } => "StakeKeyHasNonZeroAccountBalanceDELEG",
            Self::PoolNotRegistered { .. } => "DelegateeStakePoolNotRegisteredDELEG",
            Self::DRepNotRegistered { .. } => "DelegateeDRepNotRegisteredDELEG",
        }
    }
}

/// Registers an account, delegated at once if `to` says so. An old certificate states no deposit, and puts down the protocol's.
pub(crate) fn register(
    credential: Credential,
    to: Option<Delegatee>,
    provided_lovelace: Option<u64>,
    expected_lovelace: u64,
    view: &mut View<'_>,
) -> Result<(), DelegationError> {
    if let Some(provided_lovelace) = provided_lovelace.filter(|stated| *stated != expected_lovelace)
    {
        return Err(DelegationError::WrongDeposit {
            provided_lovelace,
            expected_lovelace,
        });
    }
    if view.delegation.account(&credential).is_some() {
        return Err(DelegationError::Registered { credential });
    }
    let mut account = Account::new(expected_lovelace);
    if let Some(to) = to {
        check_delegatee(to, view)?;
        account = account.delegated(to);
    }
    view.delegation.set_account(credential, Some(account));
    Ok(())
}

/// Ends an account.
pub(crate) fn unregister(
    credential: Credential,
    provided_lovelace: Option<u64>,
    view: &mut View<'_>,
) -> Result<(), DelegationError> {
    let account = registered(credential, view)?;
    let expected_lovelace = account.deposit_lovelace;
    if let Some(provided_lovelace) = provided_lovelace.filter(|stated| *stated != expected_lovelace)
    {
        return Err(DelegationError::WrongRefund {
            provided_lovelace,
            expected_lovelace,
        });
    }
    if account.rewards_lovelace != 0 {
        return Err(DelegationError::NotEmpty {
            credential,
            rewards_lovelace: account.rewards_lovelace,
        });
    }
    view.delegation.set_account(credential, None);
    Ok(())
}

/// Delegates an account; what it says nothing of stays.
pub(crate) fn delegate(
    credential: Credential,
    to: Delegatee,
    view: &mut View<'_>,
) -> Result<(), DelegationError> {
    let account = registered(credential, view)?;
    check_delegatee(to, view)?;
    view.delegation
        .set_account(credential, Some(account.delegated(to)));
    Ok(())
}

fn registered(credential: Credential, view: &View<'_>) -> Result<Account, DelegationError> {
    view.delegation
        .account(&credential)
        .ok_or(DelegationError::NotRegistered { credential })
}

fn check_delegatee(to: Delegatee, view: &View<'_>) -> Result<(), DelegationError> {
    match to.pool() {
        Some(pool) if !view.delegation.is_pool_registered(&pool) => {
            return Err(DelegationError::PoolNotRegistered { pool });
        }
        _ => {}
    }
    match to.drep() {
        Some(DRep::Credential(credential)) if !view.is_drep_registered(&credential) => {
            Err(DelegationError::DRepNotRegistered { credential })
        }
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::certs::CertState;
    use crate::testing::pool;
    use std::collections::BTreeMap;

    const WHO: Credential = Credential::Key([1; 28]);
    const POOL: PoolId = [3; 28];
    const NO_POOL: PoolId = [4; 28];
    const DEPOSIT: u64 = 2_000_000;
    const NO_DREP: DRep = DRep::Credential(Credential::Key([5; 28]));

    fn state(account: Option<Account>) -> CertState {
        let mut state = CertState::default();
        state.delegation.accounts = account.map(|account| (WHO, account)).into_iter().collect();
        state.delegation.pools = BTreeMap::from([(POOL, pool(POOL))]);
        state
    }

    /// What becomes of the account.
    fn after(
        account: Option<Account>,
        step: impl Fn(&mut View<'_>) -> Result<(), DelegationError>,
    ) -> Result<Option<Account>, DelegationError> {
        let state = state(account);
        let mut view = View::of(&state);
        step(&mut view)?;
        Ok(view.delegation.account(&WHO))
    }

    #[test]
    fn an_account_is_registered_once_with_the_protocols_deposit() {
        let register =
            |account, stated| after(account, |view| register(WHO, None, stated, DEPOSIT, view));
        let new = Account::new(DEPOSIT);
        for stated in [None, Some(DEPOSIT)] {
            assert_eq!(register(None, stated), Ok(Some(new)));
            assert_eq!(
                register(Some(new), stated),
                Err(DelegationError::Registered { credential: WHO })
            );
        }
        let wrong = DelegationError::WrongDeposit {
            provided_lovelace: 1,
            expected_lovelace: DEPOSIT,
        };
        assert_eq!(register(None, Some(1)), Err(wrong));
    }

    #[test]
    fn an_account_ends_empty_with_what_was_put_down() {
        let unregister = |account, stated| after(account, |view| unregister(WHO, stated, view));
        let old = Account::new(7);
        for stated in [None, Some(7)] {
            assert_eq!(unregister(Some(old), stated), Ok(None));
        }
        let wrong = DelegationError::WrongRefund {
            provided_lovelace: DEPOSIT,
            expected_lovelace: 7,
        };
        assert_eq!(unregister(Some(old), Some(DEPOSIT)), Err(wrong));
        let absent = DelegationError::NotRegistered { credential: WHO };
        assert_eq!(unregister(None, Some(7)), Err(absent));
        let rich = Account {
            rewards_lovelace: 1,
            ..old
        };
        let not_empty = DelegationError::NotEmpty {
            credential: WHO,
            rewards_lovelace: 1,
        };
        assert_eq!(unregister(Some(rich), Some(7)), Err(not_empty));
    }

    #[test]
    fn a_delegation_replaces_what_it_names_and_nothing_else() {
        let start = Account::new(7);
        let cases = [
            (Delegatee::Pool(POOL), Some(POOL), None),
            (
                Delegatee::DRep(DRep::AlwaysAbstain),
                None,
                Some(DRep::AlwaysAbstain),
            ),
            (
                Delegatee::PoolAndDRep(POOL, DRep::AlwaysNoConfidence),
                Some(POOL),
                Some(DRep::AlwaysNoConfidence),
            ),
        ];
        for (to, pool, drep) in cases {
            let delegated = Account {
                pool,
                drep,
                ..start
            };
            assert_eq!(
                after(Some(start), |view| delegate(WHO, to, view)),
                Ok(Some(delegated))
            );
            let new = Account {
                deposit_lovelace: DEPOSIT,
                ..delegated
            };
            let both = |view: &mut View<'_>| register(WHO, Some(to), Some(DEPOSIT), DEPOSIT, view);
            assert_eq!(after(None, both), Ok(Some(new)));
            let earlier = Account {
                pool: Some(NO_POOL),
                drep: Some(NO_DREP),
                ..start
            };
            let later = Account {
                pool: pool.or(earlier.pool),
                drep: drep.or(earlier.drep),
                ..start
            };
            assert_eq!(
                after(Some(earlier), |view| delegate(WHO, to, view)),
                Ok(Some(later))
            );
        }
        let absent = DelegationError::NotRegistered { credential: WHO };
        let to = Delegatee::Pool(POOL);
        assert_eq!(after(None, |view| delegate(WHO, to, view)), Err(absent));
    }

    #[test]
    fn pools_and_dreps_must_be_registered() {
        let no_pool = DelegationError::PoolNotRegistered { pool: NO_POOL };
        let no_drep = DelegationError::DRepNotRegistered {
            credential: Credential::Key([5; 28]),
        };
        for (to, expected) in [
            (Delegatee::Pool(NO_POOL), &no_pool),
            (Delegatee::DRep(NO_DREP), &no_drep),
            (Delegatee::PoolAndDRep(NO_POOL, NO_DREP), &no_pool),
            (Delegatee::PoolAndDRep(POOL, NO_DREP), &no_drep),
        ] {
            let delegated = after(Some(Account::new(7)), |view| delegate(WHO, to, view));
            assert_eq!(delegated.as_ref(), Err(expected));
            let registered = after(None, |view| {
                register(WHO, Some(to), Some(DEPOSIT), DEPOSIT, view)
            });
            assert_eq!(registered.as_ref(), Err(expected));
        }
    }
}
