//! A wallet's signature (CIP-8): the first byte says where the envelope ends and the key begins.
#![no_main]

use libfuzzer_sys::fuzz_target;
use nupeer_primitives::cip8::verify;

fuzz_target!(|bytes: &[u8]| {
    let Some((&at, rest)) = bytes.split_first() else {
        return;
    };
    let (envelope, key) = rest.split_at(rest.len().min(usize::from(at) * 2));
    let _ = verify(envelope, key);
});
