//! What people without root are told. Where the tests run as root, the processes that they start give it up first.

use std::{
    env, fs,
    os::unix::{
        fs::{PermissionsExt, symlink},
        process::CommandExt,
    },
    path::{Path, PathBuf},
    process::{Command, Output},
};

use serde_json::Value;

use super::said;

/// Debian's `nobody`.
const NOBODY: u32 = 65_534;

/// A folder that anybody may use, with a program of ours in it: where it was built only root may look.
struct Home(tempfile::TempDir);

impl Home {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        fs::set_permissions(folder.path(), fs::Permissions::from_mode(0o777)).unwrap();
        Home(folder)
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    /// A program, run here by somebody who is not root, with nothing else in its environment.
    fn command(&self, program: &Path) -> Command {
        let mut command = Command::new(program);
        command.current_dir(self.0.path()).env_clear();
        if nix::unistd::geteuid().is_root() {
            command.uid(NOBODY).gid(NOBODY);
        }
        command
    }

    fn nupeer(&self, arguments: &[&str]) -> Output {
        let program = self.path("nupeer");
        if !program.exists() {
            let built = env!("CARGO_BIN_EXE_nupeer");
            fs::hard_link(built, &program)
                .or_else(|_| fs::copy(built, &program).map(drop))
                .unwrap();
        }
        let mut command = self.command(&program);
        command.env("NUPEER_WALLET_PASSWORD", "a password");
        command.args(arguments).output().unwrap()
    }

    /// `scripts/demo.sh` in a checkout of its own, with these programs alone on the PATH.
    fn make_demo(&self, programs: &[&str]) -> Output {
        let (scripts, bin) = (self.path("scripts"), self.path("bin"));
        fs::create_dir_all(&scripts).unwrap();
        fs::create_dir_all(&bin).unwrap();
        let source = concat!(env!("CARGO_MANIFEST_DIR"), "/../../scripts/demo.sh");
        let script = scripts.join("demo.sh");
        fs::copy(source, &script).unwrap();
        for program in programs {
            let _ = symlink(on_path(program), bin.join(program));
        }
        let mut command = self.command(&on_path("bash"));
        command.env("PATH", &bin).arg(&script).arg("--once");
        command.output().unwrap()
    }
}

fn on_path(program: &str) -> PathBuf {
    let folders = env::var_os("PATH").unwrap();
    let mut found = env::split_paths(&folders).map(|folder| folder.join(program));
    found.find(|path| path.is_file()).unwrap()
}

fn out(output: &Output) -> String {
    String::from_utf8_lossy(&output.stdout).into_owned()
}

#[test]
fn nupeer_demo_without_root_says_so_and_names_sudo() {
    let home = Home::new();
    let refused = home.nupeer(&["demo", "--once"]);
    assert_eq!(refused.status.code(), Some(12), "{}", said(&refused));
    assert!(
        said(&refused).contains("sudo nupeer demo"),
        "{}",
        said(&refused)
    );
    assert!(!home.path("demo").exists(), "nothing was begun");
}

#[test]
fn an_agent_without_root_says_so_and_names_sudo() {
    let home = Home::new();
    let made = home.nupeer(&["--json", "wallet", "new"]);
    let made: Value = serde_json::from_slice(&made.stdout).unwrap();
    let account = made["account"].as_str().unwrap();
    let init = home.nupeer(&["agent", "init", "--owner", account]);
    assert_eq!(init.status.code(), Some(0), "{}", said(&init));
    let refused = home.nupeer(&["agent"]);
    assert_eq!(refused.status.code(), Some(12), "{}", said(&refused));
    assert!(said(&refused).contains("sudo"), "{}", said(&refused));
}

#[test]
fn make_demo_without_root_says_so_and_asks_sudo() {
    let home = Home::new();
    let bin = home.path("bin");
    fs::create_dir(&bin).unwrap();
    // It says what it was asked for.
    let sudo = bin.join("sudo");
    fs::write(&sudo, "#!/bin/sh\nprintf '%s\\n' \"$@\"\n").unwrap();
    fs::set_permissions(&sudo, fs::Permissions::from_mode(0o755)).unwrap();
    let asked = home.make_demo(&["dirname", "id"]);
    assert_eq!(asked.status.code(), Some(0), "{}", said(&asked));
    assert!(
        said(&asked).contains("need root; asking sudo"),
        "{}",
        said(&asked)
    );
    let arguments = out(&asked);
    let arguments: Vec<&str> = arguments.lines().collect();
    let expected = [
        "--preserve-env=CARGO_TARGET_DIR,NO_COLOR",
        "target/debug/nupeer",
        "demo",
        "--once",
    ];
    assert_eq!(arguments, expected);
}

#[test]
fn make_demo_without_root_and_without_sudo_says_what_to_do() {
    let home = Home::new();
    let refused = home.make_demo(&["dirname", "id"]);
    assert_eq!(refused.status.code(), Some(12), "{}", said(&refused));
    let what = "there is no sudo here: run make demo as root";
    assert!(said(&refused).contains(what), "{}", said(&refused));
    assert_eq!(out(&refused), "");
}
