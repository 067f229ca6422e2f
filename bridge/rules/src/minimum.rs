//! The lovelace that an output must hold for its size (Babbage ledger specification, `utxoEntrySize`).

use nupeer_outbox::Output;
use nupeer_primitives::{Amount, AssetId, CardanoNetwork};

/// Bytes that the ledger counts for an entry beside the output itself.
const ENTRY_BYTES: usize = 160;

/// The least lovelace with which `output`, without a datum, is accepted at that cost of a byte.
pub fn lovelace(output: &Output, cost_per_byte_lovelace: u64) -> Amount {
    let mut minimum = 0;
    // An amount is written in one of five widths, and a wider one never needs less: five rounds reach the end.
    for _ in 0..5 {
        let bytes = ENTRY_BYTES.saturating_add(size_bytes(output, minimum)) as u64;
        minimum = bytes.saturating_mul(cost_per_byte_lovelace);
    }
    Amount::from(minimum)
}

/// Length of `{0: address, 1: value}` with that many lovelace.
fn size_bytes(output: &Output, lovelace: u64) -> usize {
    // The network is half a byte of the address and does not change its length.
    let address = output.address.to_bytes(CardanoNetwork::Testnet).len();
    let frame = 1 + 1 + head(address as u64) + address + 1;
    frame + value_bytes(output, lovelace)
}

/// `lovelace`, or `[lovelace, {policy: {name: amount}}]`.
fn value_bytes(output: &Output, lovelace: u64) -> usize {
    let tokens: Vec<_> = output
        .value
        .entries()
        .filter_map(|(asset, amount)| match asset {
            AssetId::Ada => None,
            AssetId::Native { name, .. } => Some((name.len(), amount)),
        })
        .collect();
    if tokens.is_empty() {
        return head(lovelace);
    }
    // A payout holds one token at most; more are counted as if each stood under a policy of its own.
    let each = tokens.iter().map(|(name, amount)| {
        let units = amount.to_u64().unwrap_or(u64::MAX);
        2 + 28 + 1 + head(*name as u64) + name + head(units)
    });
    1 + head(lovelace) + head(tokens.len() as u64) + each.sum::<usize>()
}

/// Length of a CBOR head (RFC 8949 §3): an integer, or the length of a string or map.
fn head(value: u64) -> usize {
    match value {
        0..24 => 1,
        24..0x100 => 2,
        0x100..0x1_0000 => 3,
        0x1_0000..0x1_0000_0000 => 5,
        _ => 9,
    }
}

#[cfg(test)]
mod tests {
    use nupeer_outbox::{Address, Value};
    use nupeer_primitives::{Credential, Hash28};

    use super::*;

    fn output(stake: bool, token: Option<usize>) -> Output {
        let key = Credential::Key(Hash28([1; 28]));
        let value = Value::lovelace(1);
        let value = match token {
            None => value,
            Some(length) => {
                let (policy, name) = (Hash28([3; 28]), vec![4; length]);
                value.with(AssetId::Native { policy, name }, Amount::new(1))
            }
        };
        Output {
            address: Address {
                payment: key,
                stake: stake.then_some(key),
            },
            value,
            datum: None,
        }
    }

    #[test]
    fn minima_are_what_wallets_show() {
        for (stake, token, expected) in [
            // (160 + 39) × 4310 and (160 + 67) × 4310.
            (false, None, 857_690),
            (true, None, 978_370),
            // A token of a 32-byte name: 1 + 2 + 31 + 34 + 1 more.
            (true, Some(32), 978_370 + 68 * 4310),
        ] {
            let minimum = lovelace(&output(stake, token), 4310);
            assert_eq!(minimum, Amount::new(expected), "{stake} {token:?}");
        }
    }

    #[test]
    fn a_price_without_sense_does_not_wrap() {
        let minimum = lovelace(&output(true, None), u64::MAX);
        assert_eq!(minimum, Amount::from(u64::MAX));
    }
}
