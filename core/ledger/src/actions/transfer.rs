//! Paying another account.

use minicbor::{Decode, Encode};
use nupeer_primitives::{AccountId, Amount, AssetId, CardanoNetwork};

use crate::{
    context::Context,
    error::LedgerError,
    event::Event,
    purse::{self, Purse},
    state::StateWrite,
};

/// Moves value from the sender's balance to another account's.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
pub struct Transfer {
    /// Who receives.
    #[n(0)]
    pub to: AccountId,
    /// What.
    #[n(1)]
    pub asset: AssetId,
    /// How much, in base units; above zero.
    #[n(2)]
    pub amount: Amount,
}

impl Transfer {
    pub(crate) fn text(&self, network: CardanoNetwork) -> String {
        let what = match &self.asset {
            AssetId::Ada => format!("{} ADA", self.amount.display(6)),
            token => format!(
                "{} of {}",
                self.amount,
                token.fingerprint().unwrap_or_default()
            ),
        };
        format!("send {what} to {}", self.to.to_bech32(network))
    }

    pub(crate) fn execute(
        &self,
        state: &mut dyn StateWrite,
        context: &Context,
    ) -> Result<Vec<Event>, LedgerError> {
        if self.amount.is_zero() {
            return Err(LedgerError::ZeroAmount);
        }
        if self.to == context.sender {
            return Err(LedgerError::SameAccount);
        }
        let (from, to) = (Purse::Account(context.sender), Purse::Account(self.to));
        purse::transfer(state, &from, &to, &self.asset, self.amount)?;
        let (from, to, asset, amount) = (context.sender, self.to, self.asset.clone(), self.amount);
        Ok(vec![Event::Transferred {
            from,
            to,
            asset,
            amount,
        }])
    }
}

#[cfg(test)]
mod tests {
    use nupeer_primitives::{Credential, Hash28};

    use super::*;
    use crate::actions::testing::{account, context, state};

    fn transfer(to: u8, amount: u128) -> Transfer {
        Transfer {
            to: account(to),
            asset: AssetId::Ada,
            amount: Amount::new(amount),
        }
    }

    #[test]
    fn the_receiver_gets_what_the_sender_gives() {
        let mut state = state();
        transfer(2, 30).execute(&mut state, &context(1)).unwrap();
        for (who, amount) in [(1, 70), (2, 30)] {
            let held = purse::balance(&state, &Purse::Account(account(who)), &AssetId::Ada);
            assert_eq!(held, Amount::new(amount));
        }
    }

    #[test]
    fn nothing_oneself_and_a_script_are_refused() {
        let script = Hash28([6; 28]);
        let to_script = Transfer {
            to: AccountId(Credential::Script(script)),
            ..transfer(2, 5)
        };
        for (action, error) in [
            (to_script, LedgerError::ScriptAccount { script }),
            (transfer(2, 0), LedgerError::ZeroAmount),
            (transfer(1, 5), LedgerError::SameAccount),
        ] {
            assert_eq!(action.execute(&mut state(), &context(1)), Err(error));
        }
    }
}
