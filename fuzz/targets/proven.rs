//! What a node that nobody trusts answers with a proof: the header, the certificate and the path, and the record that they are to show. One
//! encoding each, and signatures of strangers show neither an entry nor its absence.
#![no_main]

use libfuzzer_sys::fuzz_target;
use minicbor::{Decode, Encode};
use nupeer_bridge::Withdrawal;
use nupeer_lease::{Lease, Machine, Request};
use nupeer_primitives::cbor::{decode, encode};
use nupeer_primitives::consensus::{Validator, ValidatorSet};
use nupeer_primitives::{CardanoNetwork, Hash, PublicKey};
use nupeer_runtime::genesis::{Chain, Limits};
use nupeer_runtime::{Proven, RecordKind};

const ID: Hash = Hash([9; 32]);

fuzz_target!(|bytes: &[u8]| {
    if let Ok(proven) = decode::<Proven>(bytes) {
        assert_eq!(encode(&proven), bytes);
        let chain = chain();
        for kind in RecordKind::ALL {
            for record in [None, Some(bytes)] {
                assert!(proven.verify_record(&chain, kind, &ID, record).is_err());
            }
        }
        // The path by itself, which no signature shields here.
        let _ = proven.state.verify(&proven.header.state_root, &ID, None);
        let _ = proven.state.verify(&proven.header.state_root, &ID, Some(bytes));
    }
    has_one_encoding::<Machine>(bytes);
    has_one_encoding::<Request>(bytes);
    has_one_encoding::<Lease>(bytes);
    has_one_encoding::<Withdrawal>(bytes);
});

fn has_one_encoding<T: Encode<()> + for<'b> Decode<'b, ()>>(bytes: &[u8]) {
    if let Ok(record) = decode::<T>(bytes) {
        assert_eq!(encode(&record), bytes);
    }
}

fn chain() -> Chain {
    let keys = (1..=4).map(|byte| PublicKey([byte; 32]));
    let validators = keys.map(|public_key| Validator { public_key, power: 1 });
    Chain {
        id: Hash([0; 32]),
        name: "fuzz".into(),
        cardano: CardanoNetwork::Testnet,
        follows: None,
        limits: Limits::default(),
        validators: ValidatorSet::new(validators).expect("four validators of power one"),
    }
}
