//! The sum of all rooms' actions, and the way to each room. A new room is a line in each function here.

use minicbor::{Decode, Encode};
use nupeer_ledger::{Context, Scope, StateWrite};
use nupeer_primitives::CardanoNetwork;

use crate::{error::TransactionError, event::Event};

/// What a transaction may ask for. The numbers are part of the wire format and never move.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
pub enum Action {
    /// Of `core/ledger`.
    #[n(0)]
    Ledger(#[n(0)] nupeer_ledger::Action),
    /// Of `core/lease`.
    #[n(1)]
    Lease(#[n(0)] nupeer_lease::Action),
    /// Of `bridge/rules`.
    #[n(2)]
    Bridge(#[n(0)] nupeer_bridge::Action),
}

impl From<nupeer_ledger::Action> for Action {
    fn from(action: nupeer_ledger::Action) -> Self {
        Action::Ledger(action)
    }
}

impl From<nupeer_lease::Action> for Action {
    fn from(action: nupeer_lease::Action) -> Self {
        Action::Lease(action)
    }
}

impl From<nupeer_bridge::Action> for Action {
    fn from(action: nupeer_bridge::Action) -> Self {
        Action::Bridge(action)
    }
}

impl Action {
    /// What a granted key needs to do this; `None`: only the account's own key may.
    pub fn scope(&self) -> Option<Scope> {
        match self {
            Action::Ledger(action) => action.scope(),
            Action::Lease(action) => action.scope(),
            Action::Bridge(action) => action.scope(),
        }
    }

    /// Its weight in fees.
    pub fn weight(&self) -> u32 {
        match self {
            Action::Ledger(action) => action.weight(),
            Action::Lease(action) => action.weight(),
            Action::Bridge(action) => action.weight(),
        }
    }

    /// Whether it is validators' own work and takes no fee. Such an action refuses everybody else before it changes anything.
    pub fn is_system(&self) -> bool {
        match self {
            Action::Ledger(_) | Action::Lease(_) => false,
            Action::Bridge(action) => action.is_system(),
        }
    }

    /// One line of ASCII that says what it does, for the signer to read.
    pub fn text(&self, network: CardanoNetwork) -> String {
        match self {
            Action::Ledger(action) => action.text(network),
            Action::Lease(action) => action.text(),
            Action::Bridge(action) => action.text(network),
        }
    }

    /// Checks and does it.
    pub(crate) fn execute(
        &self,
        state: &mut dyn StateWrite,
        context: &Context,
    ) -> Result<Vec<Event>, TransactionError> {
        match self {
            Action::Ledger(action) => Ok(action
                .execute(state, context)?
                .into_iter()
                .map(Event::Ledger)
                .collect()),
            Action::Lease(action) => Ok(action
                .execute(state, context)?
                .into_iter()
                .map(Event::Lease)
                .collect()),
            Action::Bridge(action) => Ok(action
                .execute(state, context)?
                .into_iter()
                .map(Event::Bridge)
                .collect()),
        }
    }
}
