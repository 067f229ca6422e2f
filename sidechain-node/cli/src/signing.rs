//! What is read from the command line for a transaction, and how it is read by a wallet.

use nupeer_primitives::{AccountId, CardanoNetwork};
use nupeer_runtime::{Chain, transaction::TEXT_BYTES_MAX};

use crate::error::{CliError, Exit, Outcome};

/// The account that `text` names on this chain's network.
pub(crate) fn account(text: &str, chain: &Chain) -> Outcome<AccountId> {
    AccountId::parse(text, chain.cardano).map_err(|error| CliError::numbered(Exit::Usage, &error))
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
