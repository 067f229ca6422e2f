//! A container's shim as a program of its own; see `nupeer_paas_drivers::container`.

use std::process::ExitCode;

fn main() -> ExitCode {
    nupeer_paas_drivers::container::run_shim()
}
