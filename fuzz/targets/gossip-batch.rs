//! A message of transactions between validators: one encoding. The decoder's own file is compiled here, since its crate brings the
//! whole node along.
#![no_main]

use libfuzzer_sys::fuzz_target;
use minicbor::bytes::ByteVec;

#[allow(dead_code)]
#[path = "../../sidechain-node/node/src/gossip/batch.rs"]
mod batch;

fuzz_target!(|bytes: &[u8]| {
    if let Ok(transactions) = batch::decode(bytes, batch::message_bytes_max(16 << 10)) {
        let vectors: Vec<ByteVec> = transactions
            .iter()
            .map(|t| ByteVec::from(t.to_vec()))
            .collect();
        assert_eq!(nupeer_primitives::cbor::encode(&vectors), bytes);
    }
});
