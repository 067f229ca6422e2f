//! An observation in a proposed block: one encoding.
#![no_main]

use libfuzzer_sys::fuzz_target;
use nupeer_observe::Observation;

fuzz_target!(|bytes: &[u8]| {
    if let Ok(observation) = Observation::from_bytes(bytes) {
        assert_eq!(observation.to_bytes(), bytes);
    }
});
