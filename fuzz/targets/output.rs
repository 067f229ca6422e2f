//! An output as a node gives it: what is read is written to the same output.
#![no_main]

use libfuzzer_sys::fuzz_target;
use nupeer_cardano_client::Output;

fuzz_target!(|bytes: &[u8]| {
    if let Ok(output) = Output::from_cbor(bytes) {
        assert_eq!(Output::from_cbor(&output.to_cbor()).as_ref(), Ok(&output));
    }
});
