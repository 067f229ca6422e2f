//! Plutus data, as datums of strangers carry it: what is accepted encodes to the same bytes.
#![no_main]

use libfuzzer_sys::fuzz_target;
use nupeer_primitives::plutus::Data;

fuzz_target!(|bytes: &[u8]| {
    if let Ok(value) = Data::from_cbor(bytes) {
        assert_eq!(value.to_cbor(), bytes);
    }
});
