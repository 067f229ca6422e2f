//! The bridge's actions. A new one touches this file, its own, its error and its line in the README.

use minicbor::{Decode, Encode};
use nupeer_ledger::{Context, Scope, StateWrite};
use nupeer_primitives::CardanoNetwork;

use crate::{
    actions::{CancelWithdrawal, SignAnchor, Withdraw},
    error::BridgeError,
    event::Event,
};

/// What a transaction may ask of the bridge. The numbers are part of the wire format and never move.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
pub enum Action {
    /// Pay out on Cardano.
    #[n(0)]
    Withdraw(#[n(0)] Withdraw),
    /// Add a committee member's signature to the anchor that is being signed.
    #[n(1)]
    SignAnchor(#[n(0)] SignAnchor),
    /// Take back what waits for its payment.
    #[n(2)]
    CancelWithdrawal(#[n(0)] CancelWithdrawal),
}

impl Action {
    /// What a granted key needs to do this; `None`: only the account's own key may.
    pub fn scope(&self) -> Option<Scope> {
        match self {
            Action::Withdraw(_) | Action::CancelWithdrawal(_) => Some(Scope::SPEND),
            Action::SignAnchor(_) => None,
        }
    }

    /// Its weight in fees; 1 is what a transfer costs a validator.
    pub fn weight(&self) -> u32 {
        match self {
            Action::Withdraw(_) => 3,
            Action::SignAnchor(_) => 2,
            Action::CancelWithdrawal(_) => 2,
        }
    }

    /// Whether it is the committee's own work: without fee, since it takes a member's signature that the chain waits for, once
    /// per anchor; anything else of the kind is refused.
    pub fn is_system(&self) -> bool {
        matches!(self, Action::SignAnchor(_))
    }

    /// One line of ASCII that says what it does, for the signer to read; at most 141 bytes.
    pub fn text(&self, network: CardanoNetwork) -> String {
        match self {
            Action::Withdraw(action) => action.text(network),
            Action::SignAnchor(action) => action.text(),
            Action::CancelWithdrawal(action) => action.text(),
        }
    }

    /// Checks and does it.
    ///
    /// # Errors
    /// What is wrong with it, or with the state for it. Some checks come after writes: run it on a fork of the state.
    pub fn execute(
        &self,
        state: &mut dyn StateWrite,
        context: &Context,
    ) -> Result<Vec<Event>, BridgeError> {
        match self {
            Action::Withdraw(action) => action.execute(state, context),
            Action::SignAnchor(action) => action.execute(state, context),
            Action::CancelWithdrawal(action) => action.execute(state, context),
        }
    }
}
