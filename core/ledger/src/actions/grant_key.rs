//! Letting a key act for an account.

use minicbor::{Decode, Encode};
use nupeer_primitives::{Amount, Hash28, TimeMs};

use crate::{
    context::Context,
    error::LedgerError,
    event::Event,
    grant::{self, GRANTS_MAX, Grant, Scope},
    state::StateWrite,
};

/// Grants a key a scope, a budget and a time; what it was granted before is replaced.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
pub struct GrantKey {
    /// Hash of the key.
    #[n(0)]
    pub key: Hash28,
    /// What it may do.
    #[n(1)]
    pub scope: Scope,
    /// What it may take from the account in all, fees included, in lovelace. It takes no other asset.
    #[n(2)]
    pub budget_lovelace: Amount,
    /// When it ends, block time in unix ms.
    #[n(3)]
    pub expires: TimeMs,
}

impl GrantKey {
    /// Short enough for a hardware wallet whatever is in it: without commas, and without a number that is beyond all ADA there is.
    pub(crate) fn text(&self) -> String {
        let budget = match self.budget_lovelace.to_u64() {
            Some(_) => self.budget_lovelace.display(6).replace(',', ""),
            None => "unlimited".into(),
        };
        format!(
            "let key {} {} for {budget} ADA until {}",
            self.key,
            self.scope.text(),
            self.expires.utc()
        )
    }

    pub(crate) fn execute(
        &self,
        state: &mut dyn StateWrite,
        context: &Context,
    ) -> Result<Vec<Event>, LedgerError> {
        if !self.scope.is_valid() {
            return Err(LedgerError::InvalidScope {
                provided: self.scope.0,
            });
        }
        if self.key == context.sender.hash() {
            return Err(LedgerError::OwnKey);
        }
        if self.expires <= context.time {
            return Err(LedgerError::AlreadyExpired {
                expires: self.expires,
                now: context.time,
            });
        }
        self.make_room(state, context)?;
        let GrantKey {
            key,
            scope,
            budget_lovelace,
            expires,
        } = *self;
        grant::set(
            state,
            &context.sender,
            &key,
            Some(&Grant {
                scope,
                budget_lovelace,
                expires,
            }),
        );
        Ok(vec![Event::KeyGranted {
            account: context.sender,
            key,
        }])
    }

    /// Grants whose time is over are dropped; if as many live ones remain as are allowed, one must be revoked first.
    fn make_room(&self, state: &mut dyn StateWrite, context: &Context) -> Result<(), LedgerError> {
        let mut others = 0;
        for (key, granted) in grant::of_account(state, &context.sender) {
            if granted.expires <= context.time {
                grant::set(state, &context.sender, &key, None);
            } else if key != self.key {
                others += 1;
            }
        }
        if others >= GRANTS_MAX {
            Err(LedgerError::TooManyGrants {
                maximum: GRANTS_MAX,
            })
        } else {
            Ok(())
        }
    }
}

#[cfg(test)]
mod tests {
    use nupeer_primitives::{AssetId, Hash};

    use super::*;
    use crate::{
        actions::testing::{account, context, state},
        memory::MemoryState,
        purse::{self, HoldKind, Pot, Purse},
        totals,
    };

    fn grant_of(key: u8) -> GrantKey {
        GrantKey {
            key: Hash28([key; 28]),
            scope: Scope::LEASE,
            budget_lovelace: Amount::new(50),
            expires: TimeMs(2_000),
        }
    }

    fn allowed(scope: Option<Scope>, time: u64) -> Result<(), LedgerError> {
        let mut state = state();
        grant_of(9).execute(&mut state, &context(1)).unwrap();
        grant::authorise(&state, &account(1), &Hash28([9; 28]), scope, TimeMs(time))
    }

    /// What `signer` does who moves so much of account 1's.
    fn take(
        state: &mut MemoryState,
        signer: Hash28,
        to: &Purse,
        asset: &AssetId,
        amount: u128,
    ) -> Result<(), LedgerError> {
        let (from, scope) = (account(1), Some(Scope::LEASE));
        let acting = grant::Acting::begin(state, &from, &signer, scope, TimeMs(1_000))?;
        let from = Purse::Account(from);
        purse::transfer(state, &from, to, asset, Amount::new(amount))?;
        acting.charge(state)
    }

    #[test]
    fn what_is_granted_can_be_read_with_its_end_in_utc() {
        let key = "09".repeat(28);
        for (lovelace, expires, text) in [
            (
                50,
                1_772_373_605_999,
                "0.000050 ADA until 2026-03-01 14:00:05Z",
            ),
            (u128::MAX, u64::MAX, "unlimited ADA until after 9999"),
        ] {
            let grant = GrantKey {
                budget_lovelace: Amount::new(lovelace),
                expires: TimeMs(expires),
                ..grant_of(9)
            };
            assert_eq!(grant.text(), format!("let key {key} lease for {text}"));
        }
    }

    #[test]
    fn a_granted_key_acts_within_scope_and_time() {
        let granted = Scope::LEASE;
        for (scope, time, verdict) in [
            (Some(Scope::LEASE), 1_999, Ok(())),
            (
                Some(Scope::LEASE),
                2_000,
                Err(LedgerError::GrantExpired {
                    expired: TimeMs(2_000),
                    now: TimeMs(2_000),
                }),
            ),
            (
                Some(Scope::SPEND),
                1_999,
                Err(LedgerError::OutOfScope {
                    granted,
                    needed: Some(Scope::SPEND),
                }),
            ),
            (
                None,
                1_999,
                Err(LedgerError::OutOfScope {
                    granted,
                    needed: None,
                }),
            ),
        ] {
            assert_eq!(allowed(scope, time), verdict);
        }
    }

    #[test]
    fn a_budget_is_spent_to_the_last_lovelace_and_no_further() {
        let mut state = state();
        grant_of(9).execute(&mut state, &context(1)).unwrap();
        let (granted, other) = (Hash28([9; 28]), Purse::Account(account(2)));
        take(&mut state, granted, &other, &AssetId::Ada, 49).unwrap();
        let over = take(&mut state, granted, &other, &AssetId::Ada, 2);
        assert_eq!(
            over,
            Err(LedgerError::OverBudget {
                needed: Amount::new(2),
                remaining: Amount::new(1)
            })
        );
    }

    #[test]
    fn nothing_but_ada_leaves_an_account_by_a_granted_key_wherever_it_goes() {
        let token = AssetId::Native {
            policy: Hash28([5; 28]),
            name: b"USDM".to_vec(),
        };
        let mut state = state();
        let owner = account(1);
        totals::credit(&mut state, &Purse::Account(owner), &token, Amount::new(10)).unwrap();
        grant_of(9).execute(&mut state, &context(1)).unwrap();
        let hold = Purse::Hold {
            owner,
            kind: HoldKind::Withdrawal,
            id: Hash([7; 32]),
        };
        for to in [Purse::Account(account(2)), hold, Purse::Pot(Pot::Fees)] {
            let refused = take(&mut state.clone(), Hash28([9; 28]), &to, &token, 1);
            let (asset, needed) = (token.clone(), Amount::new(1));
            assert_eq!(refused, Err(LedgerError::NoBudgetOf { asset, needed }));
            let own = take(&mut state.clone(), owner.hash(), &to, &token, 10);
            assert_eq!(own, Ok(()));
        }
    }

    #[test]
    fn grants_without_sense_are_refused() {
        let good = grant_of(9);
        for (action, error) in [
            (
                GrantKey {
                    scope: Scope(0),
                    ..good.clone()
                },
                LedgerError::InvalidScope { provided: 0 },
            ),
            (
                GrantKey {
                    scope: Scope(8),
                    ..good.clone()
                },
                LedgerError::InvalidScope { provided: 8 },
            ),
            (
                GrantKey {
                    key: account(1).hash(),
                    ..good.clone()
                },
                LedgerError::OwnKey,
            ),
            (
                GrantKey {
                    expires: TimeMs(1_000),
                    ..good
                },
                LedgerError::AlreadyExpired {
                    expires: TimeMs(1_000),
                    now: TimeMs(1_000),
                },
            ),
        ] {
            assert_eq!(action.execute(&mut state(), &context(1)), Err(error));
        }
    }

    #[test]
    fn expired_grants_make_room_and_live_ones_do_not() {
        let mut state = state();
        for key in 100..100 + GRANTS_MAX as u8 {
            grant_of(key).execute(&mut state, &context(1)).unwrap();
        }
        let full = grant_of(9).execute(&mut state, &context(1));
        assert_eq!(
            full,
            Err(LedgerError::TooManyGrants {
                maximum: GRANTS_MAX
            })
        );
        let later = Context {
            time: TimeMs(2_000),
            ..context(1)
        };
        let fresh = GrantKey {
            expires: TimeMs(3_000),
            ..grant_of(9)
        };
        assert!(fresh.execute(&mut state, &later).is_ok());
        assert_eq!(grant::of_account(&state, &account(1)).len(), 1);
    }
}
