//! A transaction submitted to the devnet: judged, never a panic; what passes is found under the id of its own bytes.
#![no_main]

use std::cell::LazyCell;

use libfuzzer_sys::fuzz_target;
use nupeer_devnet::{
    Profile,
    block::TxParts,
    chain::Chain,
    genesis::{DEFAULT_MAGIC, Genesis},
};

thread_local! {
    /// The devnet whose first account the corpus' payment spends from.
    static CHAIN: LazyCell<Chain> = LazyCell::new(|| {
        let genesis = Genesis::new(DEFAULT_MAGIC, Profile::Fast, 42, 0, &[]);
        Chain::in_memory(genesis.expect("a genesis")).expect("a chain")
    });
}

fuzz_target!(|bytes: &[u8]| {
    CHAIN.with(|chain| {
        if chain.with_waiting().validate(bytes, 1).is_ok() {
            assert!(TxParts::split(bytes).is_ok(), "a block could not hold it");
        }
    });
});
