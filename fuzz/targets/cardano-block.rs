//! A block from a node, as the follower reads it. On a thread with a deep stack, as there.
#![no_main]

use libfuzzer_sys::fuzz_target;
use nupeer_cardano_client::fuzz;

/// More than a block of the longest input needs, nested as deeply as it is long.
const STACK_BYTES: usize = 256 << 20;

fuzz_target!(|bytes: &[u8]| {
    std::thread::scope(|scope| {
        let reader = std::thread::Builder::new().stack_size(STACK_BYTES);
        let read = reader.spawn_scoped(scope, || fuzz::block(bytes));
        let _ = read.expect("a thread").join();
    });
});
