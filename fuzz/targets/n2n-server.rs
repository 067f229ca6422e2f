//! A peer's message to the devnet: the first byte says of which mini-protocol.
#![no_main]

use libfuzzer_sys::fuzz_target;
use nupeer_devnet::fuzz;

fuzz_target!(|bytes: &[u8]| {
    if let Some((&protocol, message)) = bytes.split_first() {
        fuzz::receive_from_peer(protocol, message);
    }
});
