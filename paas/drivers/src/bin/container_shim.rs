//! A container's shim as a program of its own; see `nupeer_paas_drivers::container`. Takes the container's folder.

use std::path::Path;
use std::process::ExitCode;

fn main() -> ExitCode {
    match std::env::args_os().nth(1) {
        Some(folder) => nupeer_paas_drivers::container::run_shim(Path::new(&folder)),
        None => ExitCode::from(2),
    }
}
