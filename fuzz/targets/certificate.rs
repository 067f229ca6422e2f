//! A commit certificate from a peer: one encoding, and no certificate convinces a set of validators that signed nothing.
#![no_main]

use libfuzzer_sys::fuzz_target;
use nupeer_primitives::cbor::{decode, encode};
use nupeer_primitives::consensus::{Certificate, ValidatorSet};
use nupeer_primitives::{Hash, PublicKey};

fuzz_target!(|bytes: &[u8]| {
    let Ok(certificate) = decode::<Certificate>(bytes) else {
        return;
    };
    assert_eq!(encode(&certificate), bytes);
    assert!(certificate.verify(&Hash([0; 32]), &validators()).is_err());
});

fn validators() -> ValidatorSet {
    let keys = (1..=4).map(|byte| PublicKey([byte; 32]));
    let validators = keys.map(|public_key| nupeer_primitives::consensus::Validator {
        public_key,
        power: 1,
    });
    ValidatorSet::new(validators).expect("four validators of power one")
}
