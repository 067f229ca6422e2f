//! What is read from the command line for a transaction, and how it is read by a wallet.

use nupeer_ledger::purse;
use nupeer_primitives::{AccountId, CardanoNetwork};
use nupeer_runtime::{Chain, transaction::TEXT_BYTES_MAX};

use crate::error::{CliError, Exit, Outcome};

/// The account that `text` names on this chain's network.
pub(crate) fn account(text: &str, chain: &Chain) -> Outcome<AccountId> {
    AccountId::parse(text, chain.cardano).map_err(|error| CliError::numbered(Exit::Usage, &error))
}

/// The account that is to receive something: one for which somebody can sign.
pub(crate) fn receiver(text: &str, network: CardanoNetwork) -> Outcome<AccountId> {
    let account =
        AccountId::parse(text, network).map_err(|e| CliError::numbered(Exit::Usage, &e))?;
    purse::check_owner(&account).map_err(|e| CliError::numbered(Exit::Usage, &e))?;
    Ok(account)
}

/// The account that `text` names on whichever network: on which one the chain is, its node says when it is asked.
pub(crate) fn account_anywhere(text: &str) -> Outcome<AccountId> {
    let on = |network| AccountId::parse(text, network);
    on(CardanoNetwork::Testnet)
        .or_else(|error| on(CardanoNetwork::Mainnet).map_err(|_| error))
        .map_err(|error| CliError::numbered(Exit::Usage, &error))
}

/// Whether a hardware wallet shows this text whole.
pub(crate) fn fits_a_ledger(text: &str) -> bool {
    text.len() <= TEXT_BYTES_MAX
}

#[cfg(test)]
mod tests {
    use nupeer_primitives::{Credential, Hash28};

    use super::*;

    #[test]
    fn what_is_sent_to_a_script_is_refused_before_anything_is_signed() {
        let network = CardanoNetwork::Testnet;
        let (key, script) = (Hash28([1; 28]), Hash28([2; 28]));
        let text = |credential| AccountId(credential).to_bech32(network);
        let received = receiver(&text(Credential::Key(key)), network);
        assert_eq!(received.unwrap(), AccountId::of_key(key));
        let refused = receiver(&text(Credential::Script(script)), network).unwrap_err();
        assert_eq!(refused.code.as_deref(), Some("NP2015"));
    }
}
