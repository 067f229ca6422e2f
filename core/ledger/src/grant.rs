//! Keys that act for an account: operator keys of hardware owners, session keys of tenants. Each has a scope, a budget
//! and an expiry, so that the wallet stays offline and a stolen key costs at most its budget.

use std::str::FromStr;

use minicbor::{Decode, Encode};
use nupeer_primitives::{AccountId, Amount, AssetId, Hash28, TimeMs, cbor};

use crate::{
    error::LedgerError,
    purse::{self, Purse},
    state::{StateRead, StateWrite},
};

/// A set of things that a granted key may do. The bits are part of the wire format and never move.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Encode, Decode)]
#[cbor(transparent)]
pub struct Scope(pub u32);

impl Scope {
    /// Transfers and withdrawals.
    pub const SPEND: Scope = Scope(1);
    /// What a tenant does: request, match, acknowledge, close.
    pub const LEASE: Scope = Scope(2);
    /// What a hardware owner's agent does: machines, usage notes.
    pub const MACHINE: Scope = Scope(4);

    const ALL: u32 = 7;

    /// Both.
    pub const fn and(self, other: Scope) -> Scope {
        Scope(self.0 | other.0)
    }

    /// Whether everything in `other` is in here.
    pub const fn covers(self, other: Scope) -> bool {
        self.0 & other.0 == other.0
    }

    /// Whether it holds something, and only what is defined.
    pub const fn is_valid(self) -> bool {
        self.0 != 0 && self.0 & !Self::ALL == 0
    }

    const NAMES: [(Scope, &'static str); 3] = [
        (Scope::SPEND, "spend"),
        (Scope::LEASE, "lease"),
        (Scope::MACHINE, "machine"),
    ];

    /// The names in it, separated by `+`.
    pub fn text(self) -> String {
        let names: Vec<&str> = Self::NAMES
            .into_iter()
            .filter(|(s, _)| self.covers(*s))
            .map(|(_, name)| name)
            .collect();
        names.join("+")
    }
}

/// The inverse of [`Scope::text`]; the order of names does not matter.
impl FromStr for Scope {
    type Err = LedgerError;

    fn from_str(text: &str) -> Result<Self, LedgerError> {
        text.split('+').try_fold(Scope::default(), |all, name| {
            let mut known = Self::NAMES.into_iter();
            let found = known.find(|(_, known)| *known == name);
            let (scope, _) = found.ok_or_else(|| LedgerError::UnknownScope {
                provided: name.into(),
            })?;
            Ok(all.and(scope))
        })
    }
}

/// What a key may do for an account.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
pub struct Grant {
    /// Which actions.
    #[n(0)]
    pub scope: Scope,
    /// The lovelace it may still take from the account, fees included.
    #[n(1)]
    pub budget_lovelace: Amount,
    /// The block time from which it may do nothing, unix ms.
    #[n(2)]
    pub expires: TimeMs,
}

/// Most keys that one account may have granted at a time.
pub const GRANTS_MAX: usize = 32;

fn prefix(account: &AccountId) -> Vec<u8> {
    [b"grant/", &account.to_bytes()[..]].concat()
}

fn key(account: &AccountId, signer: &Hash28) -> Vec<u8> {
    [&prefix(account)[..], &signer.0].concat()
}

/// The grant of `signer` on `account`, expired or not.
pub fn get(state: &dyn StateRead, account: &AccountId, signer: &Hash28) -> Option<Grant> {
    state
        .plain(&key(account, signer))
        .and_then(|bytes| cbor::decode(&bytes).ok())
}

/// All grants on `account`, in the order of key hashes.
pub fn of_account(state: &dyn StateRead, account: &AccountId) -> Vec<(Hash28, Grant)> {
    let prefix = prefix(account);
    let entries = state.plain_prefix(&prefix, GRANTS_MAX);
    let read = |(key, value): (Vec<u8>, Vec<u8>)| {
        Some((
            Hash28::try_from(key.get(prefix.len()..)?).ok()?,
            cbor::decode(&value).ok()?,
        ))
    };
    entries.into_iter().filter_map(read).collect()
}

/// Sets or removes a grant.
pub(crate) fn set(
    state: &mut dyn StateWrite,
    account: &AccountId,
    signer: &Hash28,
    grant: Option<&Grant>,
) {
    state.set_plain(key(account, signer), grant.map(cbor::encode));
}

/// Checks that `signer` may do for `account` what needs `scope` at `time`: the account's own key may do everything, another
/// one what it was granted. `None` means that only the account's own key may.
pub fn authorise(
    state: &dyn StateRead,
    account: &AccountId,
    signer: &Hash28,
    scope: Option<Scope>,
    time: TimeMs,
) -> Result<(), LedgerError> {
    if is_own(account, signer) {
        return Ok(());
    }
    let grant = get(state, account, signer).ok_or(LedgerError::KeyNotGranted { key: *signer })?;
    if time >= grant.expires {
        return Err(LedgerError::GrantExpired {
            expired: grant.expires,
            now: time,
        });
    }
    if scope.is_some_and(|needed| grant.scope.covers(needed)) {
        return Ok(());
    }
    Err(LedgerError::OutOfScope {
        granted: grant.scope,
        needed: scope,
    })
}

fn is_own(account: &AccountId, signer: &Hash28) -> bool {
    *account == AccountId::of_key(*signer)
}

/// One deed of a key for an account: begun before anything moves, charged after everything did. Whatever the deed was, it is measured by what the
/// account has less of, asset by asset, so that no action has to remember budgets.
#[derive(Debug)]
#[must_use = "what is not charged is not bound by the grant's budget"]
pub struct Acting {
    account: AccountId,
    signer: Hash28,
    /// What the account could spend of each asset; nothing where its own key acts, which has no budget to keep to.
    before: Vec<(AssetId, Amount)>,
}

impl Acting {
    /// Authorises `signer` to do for `account` what needs `scope` at `time` ([`authorise`]), and notes what the account has. Reads one entry for each asset
    /// that it holds, of which there are no more than cross the bridge.
    pub fn begin(
        state: &dyn StateRead,
        account: &AccountId,
        signer: &Hash28,
        scope: Option<Scope>,
        time: TimeMs,
    ) -> Result<Self, LedgerError> {
        authorise(state, account, signer, scope, time)?;
        let before = match is_own(account, signer) {
            true => Vec::new(),
            false => purse::held(state, &Purse::Account(*account)),
        };
        Ok(Acting {
            account: *account,
            signer: *signer,
            before,
        })
    }

    /// Takes the lovelace that left the account's balance, fees included, from the key's budget. Grants have no budget of another asset, so that
    /// none of those may have left.
    pub fn charge(self, state: &mut dyn StateWrite) -> Result<(), LedgerError> {
        let purse = Purse::Account(self.account);
        let mut lovelace = Amount::ZERO;
        for (asset, before) in self.before {
            let taken = before.saturating_sub(purse::balance(state, &purse, &asset));
            match asset {
                AssetId::Ada => lovelace = taken,
                _ if taken.is_zero() => {}
                asset => {
                    let needed = taken;
                    return Err(LedgerError::NoBudgetOf { asset, needed });
                }
            }
        }
        spend(state, &self.account, &self.signer, lovelace)
    }
}

fn spend(
    state: &mut dyn StateWrite,
    account: &AccountId,
    signer: &Hash28,
    spent: Amount,
) -> Result<(), LedgerError> {
    if spent.is_zero() {
        return Ok(());
    }
    let mut grant =
        get(state, account, signer).ok_or(LedgerError::KeyNotGranted { key: *signer })?;
    let remaining = grant.budget_lovelace;
    grant.budget_lovelace = remaining
        .checked_sub(spent)
        .ok_or(LedgerError::OverBudget {
            needed: spent,
            remaining,
        })?;
    set(state, account, signer, Some(&grant));
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_scope_is_read_as_it_is_written() {
        for bits in 1..=Scope::ALL {
            let scope = Scope(bits);
            assert_eq!(scope.text().parse(), Ok(scope));
        }
        assert_eq!(
            "machine+spend".parse(),
            Ok(Scope::SPEND.and(Scope::MACHINE))
        );
        for (text, name) in [
            ("", ""),
            ("spend+", ""),
            ("Spend", "Spend"),
            ("lease+all", "all"),
        ] {
            let provided = name.into();
            let refused: Result<Scope, _> = text.parse();
            assert_eq!(refused, Err(LedgerError::UnknownScope { provided }));
        }
    }
}
