//! A message between engines, or what one keeps in its crash log: the first byte says which. One encoding. The shapes' own file is compiled here,
//! since its crate brings the whole engine along; what the engine's types make of a shape that was checked cannot fail but for a peer's id.
#![no_main]

use libfuzzer_sys::fuzz_target;
use nupeer_primitives::cbor;

#[allow(dead_code)]
#[path = "../../sidechain-node/consensus/src/codec/wire.rs"]
mod wire;

/// More than the network layer lets through.
const BYTES_MAX: usize = 256 << 10;

fuzz_target!(|bytes: &[u8]| {
    let Some((kind, message)) = bytes.split_first() else {
        return;
    };
    // The order of the codec's table, `sidechain-node/consensus/src/codec.rs`.
    match kind % 10 {
        0 => one_encoding::<wire::WireStatement>(message),
        1 => one_encoding::<wire::WireProposedValue>(message),
        2 => one_encoding::<wire::WireLiveness>(message),
        3 => one_encoding::<wire::WirePolka>(message),
        4 => one_encoding::<wire::WireProof>(message),
        5 => one_encoding::<wire::WirePart>(message),
        6 => one_encoding::<wire::WireStreamPart>(message),
        7 => one_encoding::<wire::WireStatus>(message),
        8 => one_encoding::<wire::WireRequest>(message),
        _ => one_encoding::<wire::WireResponse>(message),
    }
});

fn one_encoding<S: wire::Shape>(message: &[u8]) {
    if let Ok(shape) = wire::read::<S>(message, BYTES_MAX) {
        assert_eq!(cbor::encode(&shape), message);
    }
}
