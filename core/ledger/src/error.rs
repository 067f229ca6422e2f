//! What the ledger refuses, and why.

use nupeer_primitives::{Amount, AssetId, Code, Hash28, Numbered, TimeMs};

use crate::grant::Scope;

/// A refusal. Nothing was changed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum LedgerError {
    /// A purse holds less than is to leave it.
    #[error("{needed} of {asset} needed, {available} there (in base units)")]
    InsufficientFunds {
        /// Of what.
        asset: AssetId,
        /// What is there.
        available: Amount,
        /// What is needed, fees not included.
        needed: Amount,
    },
    /// Nothing is to move.
    #[error("the amount is zero")]
    ZeroAmount,
    /// From an account to itself.
    #[error("sender and receiver are the same account")]
    SameAccount,
    /// Sums that leave 128 bits or counters that leave 64.
    #[error("an amount or a counter leaves its range")]
    AmountOverflow,
    /// Replayed, out of order, or signed for another row of numbers.
    #[error("sequence {provided}, the next one of this account and key is {expected}")]
    SequenceMismatch {
        /// In the transaction.
        provided: u64,
        /// In the state.
        expected: u64,
    },
    /// A key that is neither the account's own nor granted.
    #[error("key {key} is neither the account's own nor granted by it")]
    KeyNotGranted {
        /// Hash of the key.
        key: Hash28,
    },
    /// A grant whose time is over.
    #[error("the key's grant expired at {expired}, block time is {now} (unix ms)")]
    GrantExpired {
        /// End of the grant.
        expired: TimeMs,
        /// Time of the block.
        now: TimeMs,
    },
    /// A granted key may not do this.
    #[error("the key may {}, this takes {}", .granted.text(), needed_text(.needed))]
    OutOfScope {
        /// What the grant allows.
        granted: Scope,
        /// What the action takes; `None`: the account's own key.
        needed: Option<Scope>,
    },
    /// A granted key's budget is used up.
    #[error("the key's budget has {remaining} lovelace left, this takes {needed}")]
    OverBudget {
        /// What the transaction takes from the account, fee included.
        needed: Amount,
        /// What the grant has left.
        remaining: Amount,
    },
    /// Another asset than ADA would leave the account by a granted key.
    #[error(
        "granted keys have a budget of ADA alone, this takes {needed} of {asset} (in base units); the account's own key may"
    )]
    NoBudgetOf {
        /// Of what.
        asset: AssetId,
        /// What the transaction takes from the account.
        needed: Amount,
    },
    /// A scope of nothing, or with undefined bits.
    #[error("scope {provided:#x} is empty or has undefined bits")]
    InvalidScope {
        /// The bits.
        provided: u32,
    },
    /// A name that no scope has.
    #[error("{provided:?} is no scope: a key may spend, lease or machine")]
    UnknownScope {
        /// The name.
        provided: String,
    },
    /// A grant that would be over before it begins.
    #[error("the grant would expire at {expires}, block time is {now} (unix ms)")]
    AlreadyExpired {
        /// End of the grant.
        expires: TimeMs,
        /// Time of the block.
        now: TimeMs,
    },
    /// As many keys as an account may have granted.
    #[error("{maximum} keys are granted already; revoke one first")]
    TooManyGrants {
        /// The limit.
        maximum: usize,
    },
    /// Transactions are signed with keys, and no key's hash is a script's.
    #[error(
        "script {script} owns that account: nobody can sign for it, and what it received would be locked for ever"
    )]
    ScriptAccount {
        /// Hash of the script.
        script: Hash28,
    },
    /// The account's own key needs no grant.
    #[error("the account's own key needs no grant")]
    OwnKey,
}

fn needed_text(needed: &Option<Scope>) -> String {
    needed.map_or_else(|| "the account's own key".into(), Scope::text)
}

impl Numbered for LedgerError {
    fn code(&self) -> Code {
        Code(match self {
            LedgerError::InsufficientFunds { .. } => 2001,
            LedgerError::ZeroAmount => 2002,
            LedgerError::SameAccount => 2003,
            LedgerError::AmountOverflow => 2004,
            LedgerError::SequenceMismatch { .. } => 2005,
            LedgerError::KeyNotGranted { .. } => 2006,
            LedgerError::GrantExpired { .. } => 2007,
            LedgerError::OutOfScope { .. } => 2008,
            LedgerError::OverBudget { .. } => 2009,
            LedgerError::InvalidScope { .. } => 2010,
            LedgerError::AlreadyExpired { .. } => 2011,
            LedgerError::TooManyGrants { .. } => 2012,
            LedgerError::OwnKey => 2013,
            LedgerError::NoBudgetOf { .. } => 2014,
            LedgerError::ScriptAccount { .. } => 2015,
            LedgerError::UnknownScope { .. } => 2016,
        })
    }
}
