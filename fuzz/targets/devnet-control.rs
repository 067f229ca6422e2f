//! Lines on the socket of the devnet's commands, served on a small chain.
#![no_main]

use libfuzzer_sys::fuzz_target;
use nupeer_devnet::fuzz;

fuzz_target!(|bytes: &[u8]| fuzz::command(bytes));
