//! Withdrawals empty accounts: of this network, registered, and (keys' accounts) delegated to a DRep.
//!
//! Source: Conway formal specification, rule UTXO (`netId a ≡ NetworkId` for withdrawals) and rules LEDGER and CERTS
//! (`mapˢ (map₁ stake) (wdrls ˢ) ⊆ rewards ˢ`, `filter isKeyHash (dom wdrlCreds) ⊆ dom voteDelegs`), before any certificate takes effect;
//! <https://intersectmbo.github.io/formal-ledger-specifications/site/Ledger.Conway.Specification.Certs.html>.

use super::RuleError;
use crate::address::Credential;
use crate::delegation::{Account, DelegationView};
use crate::tx::RewardAccount;
use nupeer_primitives::{Code, Numbered};
use std::collections::BTreeMap;
use thiserror::Error;

/// Lovelace by account.
type Withdrawals = BTreeMap<RewardAccount, u64>;

/// Why a transaction's withdrawals are refused.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum WithdrawalsError {
    /// From an account of another network.
    #[error("the account {account:?} is of network {provided}, this is network {expected}", provided = account.network)]
    WrongNetwork {
        /// The account.
        account: RewardAccount,
        /// This network.
        expected: u8,
    },
    /// From accounts of keys whose stake votes through nobody.
    #[error("the accounts of the keys {} are delegated to no DRep", keys.iter().map(hex::encode).collect::<Vec<_>>().join(", "))]
    NotDelegated {
        /// The keys' hashes.
        keys: Vec<[u8; 28]>,
    },
    /// Another amount than the account holds, or from an account that is not registered.
    #[error(
        "{provided_lovelace} lovelace from the account {account:?}, which holds {expected_lovelace:?}"
    )]
    NotInRewards {
        /// The account.
        account: RewardAccount,
        /// What is withdrawn.
        provided_lovelace: u64,
        /// What the account holds; nothing when it is not registered.
        expected_lovelace: Option<u64>,
    },
}

impl Numbered for WithdrawalsError {
    fn code(&self) -> Code {
        Code(match self {
            Self::WrongNetwork { .. } => 7420,
            Self::NotDelegated { .. } => 7421,
            Self::NotInRewards { .. } => 7422,
        })
    }
}

impl RuleError for WithdrawalsError {
    fn predicate_name(&self) -> &'static str {
        match self {
            Self::WrongNetwork { .. } => "WrongNetworkWithdrawal",
            Self::NotDelegated { .. } => "ConwayWdrlNotDelegatedToDRep",
            Self::NotInRewards { .. } => "WithdrawalsNotInRewardsCERTS",
        }
    }
}

/// What rule UTXO demands, of transactions with failing scripts too.
pub(crate) fn check_network(
    withdrawals: &Withdrawals,
    expected: u8,
) -> Result<(), WithdrawalsError> {
    match withdrawals
        .keys()
        .find(|account| account.network != expected)
    {
        Some(account) => Err(WithdrawalsError::WrongNetwork {
            account: *account,
            expected,
        }),
        None => Ok(()),
    }
}

/// Empties the accounts.
pub(crate) fn drain(
    withdrawals: &Withdrawals,
    view: &mut DelegationView<'_>,
) -> Result<(), WithdrawalsError> {
    check_delegated(withdrawals, view)?;
    for (account, lovelace) in withdrawals {
        let held = view.account(&account.credential);
        let emptied = empty(held, *lovelace).ok_or(WithdrawalsError::NotInRewards {
            account: *account,
            provided_lovelace: *lovelace,
            expected_lovelace: held.map(|held| held.rewards_lovelace),
        })?;
        view.set_account(account.credential, Some(emptied));
    }
    Ok(())
}

fn empty(account: Option<Account>, lovelace: u64) -> Option<Account> {
    let account = account.filter(|account| account.rewards_lovelace == lovelace)?;
    Some(Account {
        rewards_lovelace: 0,
        ..account
    })
}

fn check_delegated(
    withdrawals: &Withdrawals,
    view: &DelegationView<'_>,
) -> Result<(), WithdrawalsError> {
    let is_delegated = |credential: &Credential| {
        view.account(credential)
            .is_some_and(|account| account.drep.is_some())
    };
    let undelegated = withdrawals
        .keys()
        .filter_map(|account| match account.credential {
            Credential::Key(hash) if !is_delegated(&account.credential) => Some(hash),
            Credential::Key(_) | Credential::Script(_) => None,
        });
    let keys: Vec<[u8; 28]> = undelegated.collect();
    if keys.is_empty() {
        Ok(())
    } else {
        Err(WithdrawalsError::NotDelegated { keys })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::delegation::Delegation;
    use crate::tx::DRep;

    const KEY: Credential = Credential::Key([1; 28]);
    const SCRIPT: Credential = Credential::Script([2; 28]);

    fn of(credential: Credential) -> RewardAccount {
        RewardAccount {
            network: 0,
            credential,
        }
    }

    fn account(rewards_lovelace: u64, drep: Option<DRep>) -> Account {
        Account {
            rewards_lovelace,
            drep,
            ..Account::new(2)
        }
    }

    /// What becomes of the accounts.
    fn drained(
        accounts: &[(Credential, Account)],
        withdrawals: &[(Credential, u64)],
    ) -> Result<Vec<Option<Account>>, WithdrawalsError> {
        let state = Delegation {
            accounts: accounts.iter().copied().collect(),
            ..Delegation::default()
        };
        let mut view = DelegationView::of(&state);
        let withdrawals = withdrawals
            .iter()
            .map(|(credential, lovelace)| (of(*credential), *lovelace));
        drain(&withdrawals.collect(), &mut view)?;
        Ok(accounts
            .iter()
            .map(|(credential, _)| view.account(credential))
            .collect())
    }

    #[test]
    fn an_account_is_emptied_and_keeps_the_rest() {
        let voting = Some(DRep::AlwaysAbstain);
        assert_eq!(
            drained(
                &[(KEY, account(7, voting)), (SCRIPT, account(9, None))],
                &[(KEY, 7)]
            ),
            Ok(vec![Some(account(0, voting)), Some(account(9, None))])
        );
        assert_eq!(
            drained(&[(KEY, account(0, voting))], &[(KEY, 0)]),
            Ok(vec![Some(account(0, voting))]),
            "nothing from an empty account"
        );
    }

    #[test]
    fn all_is_withdrawn_or_nothing() {
        for (held, provided_lovelace) in [(7, 6), (7, 8), (7, 0), (0, 1)] {
            let error = WithdrawalsError::NotInRewards {
                account: of(SCRIPT),
                provided_lovelace,
                expected_lovelace: Some(held),
            };
            assert_eq!(
                drained(
                    &[(SCRIPT, account(held, None))],
                    &[(SCRIPT, provided_lovelace)]
                ),
                Err(error)
            );
        }
        let error = WithdrawalsError::NotInRewards {
            account: of(SCRIPT),
            provided_lovelace: 0,
            expected_lovelace: None,
        };
        assert_eq!(drained(&[], &[(SCRIPT, 0)]), Err(error));
    }

    #[test]
    fn a_keys_account_must_vote_and_a_scripts_need_not() {
        let error = WithdrawalsError::NotDelegated {
            keys: vec![[1; 28]],
        };
        assert_eq!(
            drained(&[(KEY, account(7, None))], &[(KEY, 7)]),
            Err(error.clone())
        );
        assert_eq!(drained(&[], &[(KEY, 7)]), Err(error));
        assert_eq!(
            drained(&[(SCRIPT, account(7, None))], &[(SCRIPT, 7)]),
            Ok(vec![Some(account(0, None))])
        );
    }

    #[test]
    fn accounts_of_another_network_are_refused() {
        let withdrawals = Withdrawals::from([(of(KEY), 0)]);
        assert_eq!(check_network(&withdrawals, 0), Ok(()));
        let error = WithdrawalsError::WrongNetwork {
            account: of(KEY),
            expected: 1,
        };
        assert_eq!(check_network(&withdrawals, 1), Err(error));
    }
}
