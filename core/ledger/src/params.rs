//! The ledger's parameters: what a transaction costs.

use minicbor::{Decode, Encode};
use nupeer_primitives::{Amount, cbor};

use crate::state::{StateRead, StateWrite};

/// Fees, in lovelace. Governance changes them; the genesis sets them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Encode, Decode)]
pub struct Params {
    /// Of every transaction.
    #[n(0)]
    pub fee_base_lovelace: u64,
    /// For each byte of a signed transaction.
    #[n(1)]
    pub fee_byte_lovelace: u64,
    /// For each unit of an action's weight.
    #[n(2)]
    pub fee_weight_lovelace: u64,
}

impl Default for Params {
    fn default() -> Self {
        Params {
            fee_base_lovelace: 1_000,
            fee_byte_lovelace: 4,
            fee_weight_lovelace: 100,
        }
    }
}

const KEY: &[u8] = b"params/ledger";

impl Params {
    /// The fee of a signed transaction of `size_bytes` whose action weighs `weight`.
    pub fn fee(&self, size_bytes: usize, weight: u32) -> Amount {
        // Each product is below 2^128 because its factors are below 2^64.
        let bytes = u128::from(self.fee_byte_lovelace) * size_bytes as u128;
        let weight = u128::from(self.fee_weight_lovelace) * u128::from(weight);
        Amount::new(
            u128::from(self.fee_base_lovelace)
                .saturating_add(bytes)
                .saturating_add(weight),
        )
    }

    /// The parameters in force; the defaults where the genesis set none.
    pub fn load(state: &dyn StateRead) -> Params {
        state
            .plain(KEY)
            .and_then(|bytes| cbor::decode(&bytes).ok())
            .unwrap_or_default()
    }

    /// Puts them in force.
    pub fn store(&self, state: &mut dyn StateWrite) {
        state.set_plain(KEY.to_vec(), Some(cbor::encode(self)));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fees_are_base_plus_bytes_plus_weight_and_never_wrap() {
        let params = Params {
            fee_base_lovelace: 1_000,
            fee_byte_lovelace: 4,
            fee_weight_lovelace: 100,
        };
        for (bytes, weight, fee) in [(0, 0, 1_000), (200, 1, 1_900), (16_384, 10, 67_536)] {
            assert_eq!(params.fee(bytes, weight), Amount::new(fee));
        }
        let worst = Params {
            fee_base_lovelace: u64::MAX,
            fee_byte_lovelace: u64::MAX,
            fee_weight_lovelace: u64::MAX,
        };
        assert!(worst.fee(usize::MAX, u32::MAX) > Amount::new(u128::from(u64::MAX)));
    }
}
