//! A signed transaction from anybody: one encoding, a rendering that never fails, and no signature that nobody made.
#![no_main]

use std::sync::LazyLock;

use libfuzzer_sys::fuzz_target;
use nupeer_primitives::consensus::{Validator, ValidatorSet};
use nupeer_primitives::{CardanoNetwork, Hash, PublicKey};
use nupeer_runtime::SignedTransaction;
use nupeer_runtime::genesis::{Chain, Limits};
use nupeer_runtime::transaction::TEXT_BYTES_MAX;

static CHAIN: LazyLock<Chain> = LazyLock::new(|| {
    let validator = Validator {
        public_key: PublicKey([1; 32]),
        power: 1,
    };
    Chain {
        id: Hash([7; 32]),
        name: "fuzz".into(),
        cardano: CardanoNetwork::Testnet,
        follows: None,
        limits: Limits::default(),
        validators: ValidatorSet::new([validator]).expect("one validator of power one"),
    }
});

fuzz_target!(|bytes: &[u8]| {
    let Ok(mut signed) = SignedTransaction::from_bytes(bytes, &CHAIN) else {
        return;
    };
    assert_eq!(signed.to_bytes(), bytes);
    let text = signed.transaction.text(&CHAIN);
    // What a hardware wallet shows whole.
    assert!(
        text.len() <= TEXT_BYTES_MAX && text.bytes().all(|byte| (32..127).contains(&byte)),
        "{text:?}"
    );
    signed.transaction.network = CHAIN.id;
    assert!(signed.verify(&CHAIN).is_err());
});
