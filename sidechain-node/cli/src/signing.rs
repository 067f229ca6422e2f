//! Making transactions and signing them with a wallet's stake key.

use std::time::{SystemTime, UNIX_EPOCH};

use nupeer_cardano_client::Wallet;
use nupeer_primitives::{AccountId, Amount, TimeMs};
use nupeer_runtime::{
    Action, Chain, Genesis, Sender, SignedTransaction, Transaction, Witness,
    transaction::TEXT_BYTES_MAX, witness::signing_hash,
};

use crate::{
    api::Api,
    error::{CliError, Exit, Outcome},
};

/// The chain that a node serves, as its genesis describes it.
pub(crate) fn chain(api: &Api) -> Outcome<(Genesis, Chain)> {
    let text = api.get("/v1/genesis")?.to_string();
    let genesis =
        Genesis::from_json(&text).map_err(|error| CliError::numbered(Exit::Unexpected, &error))?;
    let chain = genesis
        .chain()
        .map_err(|error| CliError::numbered(Exit::Unexpected, &error))?;
    Ok((genesis, chain))
}

/// The account that `text` names on this chain's network.
pub(crate) fn account(text: &str, chain: &Chain) -> Outcome<AccountId> {
    AccountId::parse(text, chain.cardano).map_err(|error| CliError::numbered(Exit::Usage, &error))
}

/// A transaction of `account` with its own key, with the sequence number that the node names as next.
pub(crate) fn prepare(
    api: &Api,
    chain: &Chain,
    account: &AccountId,
    valid_for_s: u64,
    action: impl Into<Action>,
) -> Outcome<Transaction> {
    let address = account.to_bech32(chain.cardano);
    let answer = api.get(&format!("/v1/accounts/{address}?signer={}", account.hash()))?;
    let sequence = answer["next_sequence"].as_u64();
    Ok(Transaction {
        network: chain.id,
        sender: Sender {
            account: *account,
            key: account.hash(),
        },
        sequence: sequence
            .ok_or_else(|| CliError::new(Exit::Unexpected, "the node names no sequence number"))?,
        valid_until: TimeMs(now_unix_ms().saturating_add(valid_for_s.saturating_mul(1000))),
        action: action.into(),
    })
}

/// Signs with the wallet's stake key, which the account belongs to.
pub(crate) fn sign(wallet: &Wallet, transaction: Transaction) -> SignedTransaction {
    let key = wallet.stake_signing_key();
    let signature = key.sign(&signing_hash(&transaction.id()).0);
    SignedTransaction {
        transaction,
        witness: Witness::Key {
            public_key: key.public_key(),
            signature,
        },
    }
}

/// The fee of a signed transaction.
pub(crate) fn fee(genesis: &Genesis, signed: &SignedTransaction) -> Amount {
    genesis
        .params
        .fee(signed.to_bytes().len(), signed.transaction.action.weight())
}

/// Whether a hardware wallet shows this text whole.
pub(crate) fn fits_a_ledger(text: &str) -> bool {
    text.len() <= TEXT_BYTES_MAX
}

pub(crate) fn now_unix_ms() -> u64 {
    let since = SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .unwrap_or_default();
    u64::try_from(since.as_millis()).unwrap_or(u64::MAX)
}
