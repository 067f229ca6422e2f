//! The ledger's actions. A new one touches this file, its own, its error and its line in the README.

use minicbor::{Decode, Encode};
use nupeer_primitives::CardanoNetwork;

use crate::{
    actions::{GrantKey, RevokeKey, Transfer},
    context::Context,
    error::LedgerError,
    event::Event,
    grant::Scope,
    state::StateWrite,
};

/// What a transaction may ask of the ledger.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
pub enum Action {
    /// Pay another account.
    #[n(0)]
    Transfer(#[n(0)] Transfer),
    /// Let a key act for this account.
    #[n(1)]
    GrantKey(#[n(0)] GrantKey),
    /// Take that back.
    #[n(2)]
    RevokeKey(#[n(0)] RevokeKey),
}

impl Action {
    /// What a granted key needs to do this; `None`: only the account's own key may.
    pub fn scope(&self) -> Option<Scope> {
        match self {
            Action::Transfer(_) => Some(Scope::SPEND),
            Action::GrantKey(_) | Action::RevokeKey(_) => None,
        }
    }

    /// Its weight in fees; 1 is what a transfer costs a validator.
    pub fn weight(&self) -> u32 {
        1
    }

    /// One line of ASCII that says what it does, for the signer to read.
    pub fn text(&self, network: CardanoNetwork) -> String {
        match self {
            Action::Transfer(transfer) => transfer.text(network),
            Action::GrantKey(grant) => grant.text(),
            Action::RevokeKey(revoke) => revoke.text(),
        }
    }

    /// Checks and does it.
    pub fn execute(
        &self,
        state: &mut dyn StateWrite,
        context: &Context,
    ) -> Result<Vec<Event>, LedgerError> {
        match self {
            Action::Transfer(transfer) => transfer.execute(state, context),
            Action::GrantKey(grant) => grant.execute(state, context),
            Action::RevokeKey(revoke) => revoke.execute(state, context),
        }
    }
}
