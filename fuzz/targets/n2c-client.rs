//! A node's messages and the answers in them: parameters, places, unspent outputs, refusals.
#![no_main]

use libfuzzer_sys::fuzz_target;
use nupeer_cardano_client::{ProtocolParameters, fuzz};

fuzz_target!(|bytes: &[u8]| {
    let _ = ProtocolParameters::from_query(bytes);
    fuzz::answers(bytes);
    fuzz::messages(bytes);
});
