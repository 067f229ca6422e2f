//! A block from a peer: one encoding.
#![no_main]

use libfuzzer_sys::fuzz_target;
use nupeer_runtime::Block;

fuzz_target!(|bytes: &[u8]| {
    if let Ok(block) = Block::from_bytes(bytes, 1 << 20) {
        assert_eq!(block.to_bytes(), bytes);
        let _ = block.header.id();
    }
});
