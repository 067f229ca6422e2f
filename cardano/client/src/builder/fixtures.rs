//! Figures and outputs that the builder's tests share.

use nupeer_primitives::{CardanoNetwork, Hash, Hash28};
use pallas_addresses::Address;

use crate::{
    Output, OutputReference, ProtocolParameters, Utxo, Value, address,
    parameters::{ExUnits, Rational},
    wallet::SigningKey,
};

/// Mainnet's figures of protocol version 10; the cost model is a stand-in, which only the script data hash sees.
pub(crate) fn parameters() -> ProtocolParameters {
    ProtocolParameters {
        fee_per_byte_lovelace: 44,
        fee_constant_lovelace: 155_381,
        transaction_bytes_max: 16_384,
        value_bytes_max: 5_000,
        utxo_cost_per_byte_lovelace: 4_310,
        key_deposit_lovelace: 2_000_000,
        protocol_version: (10, 0),
        memory_price: Rational::new(577, 10_000),
        step_price: Rational::new(721, 10_000_000),
        transaction_units_max: ExUnits {
            memory: 14_000_000,
            steps: 10_000_000_000,
        },
        block_units_max: ExUnits {
            memory: 62_000_000,
            steps: 20_000_000_000,
        },
        collateral_percent: 150,
        collateral_inputs_max: 3,
        reference_script_price: Rational::new(15, 1),
        cost_model_v3: (0..297).map(|n| n * 1009 - 900).collect(),
    }
}

pub(crate) fn key(n: u8) -> SigningKey {
    SigningKey::from_seed([n; 32])
}

pub(crate) fn key_address(n: u8) -> Address {
    address::enterprise(CardanoNetwork::Testnet, key(n).key_hash())
}

pub(crate) fn script_address(script: Hash28) -> Address {
    address::shelley(
        CardanoNetwork::Testnet,
        nupeer_primitives::Credential::Script(script),
        None,
    )
}

/// The n-th output of key 1.
pub(crate) fn utxo(n: u8, value: Value) -> Utxo {
    at(n, Output::new(key_address(1), value))
}

pub(crate) fn at(n: u8, output: Output) -> Utxo {
    Utxo {
        reference: OutputReference {
            transaction_id: Hash([n; 32]),
            index: n.into(),
        },
        output,
    }
}
