//! Between the outbox's types, which scripts see, and the client's, which transactions are built of.

use nupeer_cardano_client::{self as client, address};
use nupeer_outbox::{Address, Output, OutputReference, Value};
use nupeer_primitives::{Amount, CardanoNetwork};

/// The outbox's form of a reference.
pub fn reference(from: client::OutputReference) -> OutputReference {
    OutputReference {
        transaction_id: from.transaction_id,
        index: from.index.into(),
    }
}

/// The outbox's form of a value.
pub fn value(from: &client::Value) -> Value {
    from.iter()
        .fold(Value::default(), |value, (asset, amount)| {
            value.with(asset.clone(), Amount::from(amount))
        })
}

/// The client's form of a value; `None` for an amount that the ledger cannot carry.
pub fn client_value(from: &Value) -> Option<client::Value> {
    from.entries()
        .try_fold(client::Value::default(), |value, (asset, amount)| {
            Some(value.with(asset.clone(), amount.to_u64()?))
        })
}

/// A script context's address on a network.
pub fn client_address(from: &Address, network: CardanoNetwork) -> pallas_addresses::Address {
    address::shelley(network, from.payment, from.stake)
}

/// An output as the bridge writes it; `None` for an amount that the ledger cannot carry.
pub fn client_output(from: &Output, network: CardanoNetwork) -> Option<client::Output> {
    let to = client_address(&from.address, network);
    let output = client::Output::new(to, client_value(&from.value)?);
    Some(match &from.datum {
        Some(datum) => output.with_inline_datum(datum),
        None => output,
    })
}

#[cfg(test)]
mod tests {
    use nupeer_primitives::{AssetId, Hash28};

    use super::*;

    #[test]
    fn values_survive_both_ways_or_are_refused() {
        let token = AssetId::Native {
            policy: Hash28([7; 28]),
            name: b"t".to_vec(),
        };
        let held = Value::lovelace(5).with(token.clone(), Amount::new(3));
        assert_eq!(value(&client_value(&held).unwrap()), held);
        let huge = held.with(token, Amount::new(1 << 64));
        assert_eq!(client_value(&huge), None);
    }
}
