//! Deposits that lie on Cardano for an account and of which a wallet's journal says nothing: it was lost, or somebody else made them.

use nupeer_cardano_client::{Network, Utxo};
use nupeer_outbox::BridgeId;
use nupeer_primitives::AccountId;
use nupeer_relayer::transactions::deposit;

use crate::deposit_journal::Entry;

/// Those of `lying`, which lies at the deposits' script, that name `account` and that no entry of `known` is about. What they spent is not known any more.
pub(crate) fn unlisted<'a>(
    lying: &[Utxo],
    account: AccountId,
    bridge_id: BridgeId,
    network: &Network,
    known: impl IntoIterator<Item = &'a Entry>,
) -> Vec<Entry> {
    let known: Vec<&str> = known.into_iter().map(|entry| &*entry.output).collect();
    let named = lying.iter().filter_map(|utxo| {
        let wish = deposit::read(&utxo.output)?;
        let output = utxo.reference.to_string();
        let is_new = wish.recipient == account && !known.contains(&&*output);
        is_new.then(|| Entry {
            bridge_id: bridge_id.to_string(),
            tx: utxo.reference.transaction_id.to_string(),
            output,
            inputs: Vec::new(),
            spent: Vec::new(),
            cbor: String::new(),
            lovelace: utxo.output.value.coin(),
            account: account.to_bech32(network.kind),
            valid_until: wish.credit_before.0,
            seen_block: None,
            gone: None,
            security_parameter: network.security_parameter_blocks,
        })
    });
    named.collect()
}

#[cfg(test)]
mod tests {
    use nupeer_cardano_client::{Output, OutputReference, Value};
    use nupeer_outbox::{Address, Deposit};
    use nupeer_primitives::{Credential, Hash, Hash28, Slot, TimeMs};

    use super::*;

    /// An output at some script, with the datum of a deposit for `to` if it is one.
    fn lying(n: u8, to: Option<AccountId>) -> Utxo {
        let script = nupeer_cardano_client::address::shelley(
            nupeer_primitives::CardanoNetwork::Testnet,
            Credential::Script(Hash28([9; 28])),
            None,
        );
        let output = Output::new(script, Value::lovelace(5_000_000 + u64::from(n)));
        let wish = to.map(|recipient| Deposit {
            recipient,
            refund: Address::enterprise(Credential::Key(Hash28([n; 28]))),
            nonce: 0,
            credit_before: Slot(100),
        });
        Utxo {
            reference: OutputReference {
                transaction_id: Hash([n; 32]),
                index: 0,
            },
            output: match wish {
                Some(wish) => output.with_inline_datum(&wish.to_data()),
                None => output,
            },
        }
    }

    #[test]
    fn what_names_the_account_and_is_not_known_is_found_and_nothing_else() {
        let (own, other) = (
            AccountId::of_key(Hash28([1; 28])),
            AccountId::of_key(Hash28([2; 28])),
        );
        let lying = [
            lying(1, Some(own)),
            lying(2, Some(other)),
            lying(3, None),
            lying(4, Some(own)),
        ];
        let network = Network::devnet(TimeMs(0), 1_000, 12, 120);
        let id = BridgeId(Hash([8; 32]));
        let find = |known: &[Entry]| unlisted(&lying, own, id, &network, known);
        let found = find(&[]);
        let amounts: Vec<u64> = found.iter().map(|entry| entry.lovelace).collect();
        assert_eq!(amounts, [5_000_001, 5_000_004]);
        assert_eq!(found[0].output, lying[0].reference.to_string());
        assert_eq!(
            (found[0].valid_until, found[0].security_parameter),
            (100, 12)
        );
        assert_eq!(find(&found[..1]), found[1..]);
    }
}
