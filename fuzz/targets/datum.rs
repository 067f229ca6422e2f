//! Datums of strangers: every way of writing a value is read, and what is a deposit's says the same when it is written our way.
#![no_main]

use libfuzzer_sys::fuzz_target;
use nupeer_observe::plutus;
use nupeer_outbox::{Anchor, Deposit, Head, Leaf, Shard};
use nupeer_primitives::plutus::Data;

fuzz_target!(|bytes: &[u8]| {
    if let Ok(strict) = Data::from_cbor(bytes) {
        let within = plutus::read(bytes);
        assert!(within.is_none() || within == Some(strict));
    }
    let Some(data) = plutus::read(bytes) else {
        return;
    };
    assert_eq!(plutus::read(&data.to_cbor()).as_ref(), Some(&data));
    if let Ok(deposit) = Deposit::from_data(&data) {
        assert_eq!(deposit.to_data(), data);
    }
    if let Ok(head) = Head::from_data(&data) {
        assert_eq!(head.to_data(), data);
    }
    if let Ok(anchor) = Anchor::from_data(&data) {
        assert_eq!(anchor.to_data(), data);
    }
    if let Ok(shard) = Shard::from_data(&data) {
        assert_eq!(shard.to_data(), data);
    }
    if let Ok(leaf) = Leaf::from_data(&data) {
        assert_eq!(leaf.to_data(), data);
    }
});
