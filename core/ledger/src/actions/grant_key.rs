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
    /// What it may take from the account in all, fees included, in lovelace.
    #[n(2)]
    pub budget_lovelace: Amount,
    /// When it ends, block time in unix ms.
    #[n(3)]
    pub expires: TimeMs,
}

impl GrantKey {
    pub(crate) fn text(&self) -> String {
        let budget = self.budget_lovelace.display(6);
        format!(
            "let key {} {} with {budget} ADA until {}",
            self.key,
            self.scope.text(),
            self.expires
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
    use super::*;
    use crate::actions::testing::{account, context, state};

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
        let (mut state, key) = (state(), Hash28([9; 28]));
        grant_of(9).execute(&mut state, &context(1)).unwrap();
        grant::charge(&mut state, &account(1), &key, Amount::new(49)).unwrap();
        let over = grant::charge(&mut state, &account(1), &key, Amount::new(2));
        assert_eq!(
            over,
            Err(LedgerError::OverBudget {
                needed: Amount::new(2),
                remaining: Amount::new(1)
            })
        );
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
