//! An account's address as people write it: what is accepted is written back alike.
#![no_main]

use libfuzzer_sys::fuzz_target;
use nupeer_primitives::{AccountId, CardanoNetwork};

fuzz_target!(|bytes: &[u8]| {
    if let Ok((account, network)) = AccountId::from_reward_address(bytes) {
        assert_eq!(account.reward_address(network), bytes);
    }
    let Ok(text) = std::str::from_utf8(bytes) else {
        return;
    };
    for network in [CardanoNetwork::Mainnet, CardanoNetwork::Testnet] {
        if let Ok(account) = AccountId::parse(text, network) {
            assert_eq!(account.to_bech32(network), text.to_lowercase());
        }
    }
});
