//! Commands as tests give them: each a process of its own in a person's folder, asking one node.

use std::{
    path::Path,
    process::{Command, Output},
};

use serde_json::Value;

use crate::validators::NUPEER;

/// `nupeer`, to be given its arguments. Nothing of the tester's own settings reaches it.
pub(crate) fn command(folder: &Path, url: &str) -> Command {
    command_of(Path::new(NUPEER), folder, url)
}

/// As [`command`], of the `nupeer` that lies at `program`.
pub(crate) fn command_of(program: &Path, folder: &Path, url: &str) -> Command {
    let mut command = Command::new(program);
    let own = std::env::vars_os().map(|(name, _)| name);
    for name in own.filter(|name| name.as_encoded_bytes().starts_with(b"NUPEER_")) {
        command.env_remove(name);
    }
    command
        .current_dir(folder)
        .env("NUPEER_WALLET_PASSWORD", "a password")
        .env("NUPEER_API_URL", url);
    command
}

/// What a command said, as people read it.
pub(crate) fn nupeer(folder: &Path, url: &str, args: &[&str]) -> Output {
    command(folder, url).args(args).output().unwrap()
}

/// What a command said, as programs read it.
pub(crate) fn nupeer_json(folder: &Path, url: &str, args: &[&str]) -> Output {
    nupeer(folder, url, &[&["--json"], args].concat())
}

/// The result of a command, which must succeed.
pub(crate) fn does(output: &Output) -> Value {
    assert!(output.status.success(), "{}", said(output));
    serde_json::from_slice(&output.stdout).unwrap()
}

/// All of standard error.
pub(crate) fn said(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

/// Exit code and all of standard error.
pub(crate) fn refusal(output: &Output) -> (i32, String) {
    (output.status.code().unwrap(), said(output))
}
