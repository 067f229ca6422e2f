//! Taking back what waits for its payment.

use minicbor::{Decode, Encode};
use nupeer_ledger::{Context, Purse, StateWrite, purse};

use crate::{
    error::BridgeError,
    event::Event,
    status::Status,
    store,
    withdrawal::{WithdrawalId, WithdrawalState},
};

/// Gives a withdrawal that no shard was told to pay back to its owner, in full. From the moment it is part of a payment it cannot be taken
/// back: an anchor may have carried the payment to Cardano. A halt of the bridge keeps nobody from it.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
pub struct CancelWithdrawal {
    /// Which; the sender's own.
    #[n(0)]
    pub id: WithdrawalId,
}

impl CancelWithdrawal {
    pub(crate) fn text(&self) -> String {
        format!("cancel withdrawal {}", self.id)
    }

    pub(crate) fn execute(
        &self,
        state: &mut dyn StateWrite,
        context: &Context,
    ) -> Result<Vec<Event>, BridgeError> {
        Status::load(state).ok_or(BridgeError::NoBridge)?;
        let id = self.id;
        let withdrawal = store::withdrawal(state, &id);
        let mut withdrawal = withdrawal.ok_or(BridgeError::UnknownWithdrawal { id })?;
        let (provided, expected) = (context.sender, withdrawal.account);
        if provided != expected {
            return Err(BridgeError::NotWithdrawer { provided, expected });
        }
        if withdrawal.state != WithdrawalState::Queued {
            let provided = withdrawal.state.word();
            return Err(BridgeError::NotQueued { id, provided });
        }
        let (hold, value) = (id.hold(expected), withdrawal.value());
        for (asset, amount) in value.entries() {
            purse::transfer(state, &hold, &Purse::Account(expected), asset, amount)?;
        }
        let height = context.height;
        withdrawal.state = WithdrawalState::Cancelled { height };
        store::put_withdrawal(state, &id, &withdrawal);
        let account = expected;
        Ok(vec![Event::WithdrawalCancelled { id, account, value }])
    }
}
