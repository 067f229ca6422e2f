//! A whole Cardano block, observed for one bridge: observations are canonical, and the same each time.
#![no_main]

use libfuzzer_sys::fuzz_target;
use nupeer_observe::{OBSERVATION_BYTES_MAX, Observation, Scope, observe};
use nupeer_primitives::Hash28;

/// The bridge that the corpus' blocks know.
const SCOPE: Scope = Scope {
    genesis: Hash28([1; 28]),
    head: Hash28([2; 28]),
    anchor: Hash28([3; 28]),
    vault: Hash28([4; 28]),
    deposit: Hash28([5; 28]),
};

fuzz_target!(|bytes: &[u8]| {
    let Ok(seen) = observe(&SCOPE, bytes) else {
        return;
    };
    for observation in &seen {
        let encoded = observation.to_bytes();
        assert!(encoded.len() <= OBSERVATION_BYTES_MAX);
        assert_eq!(Observation::from_bytes(&encoded).as_ref(), Ok(observation));
    }
    assert_eq!(observe(&SCOPE, bytes).as_ref(), Ok(&seen));
});
