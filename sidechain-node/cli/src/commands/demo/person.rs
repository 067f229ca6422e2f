//! A person of the story: a wallet of their own, a password of their own, and a client that is a process of its own for every
//! command. The demo sees of them what they print.

use std::{
    io::Read,
    path::PathBuf,
    process::{Command, Stdio},
    time::{Duration, Instant},
};

use serde_json::Value;

use super::stage::Stage;
use crate::{
    error::{CliError, Exit, Outcome, file_error},
    wallet_file::write_new,
};

/// Somebody who uses `nupeer`.
pub(super) struct Person {
    pub(super) name: &'static str,
    folder: PathBuf,
    /// What their shell would have set.
    environment: Vec<(&'static str, String)>,
    /// Their account on the sidechain.
    pub(super) account: String,
    /// Where they receive on Cardano.
    pub(super) receive: String,
}

/// How long any one command may take.
const COMMAND_MAX: Duration = Duration::from_secs(120);

impl Person {
    /// Makes them a folder, a password and a wallet.
    pub(super) fn new(stage: &Stage<'_>, name: &'static str) -> Outcome<Self> {
        let folder = stage.data.join(name);
        std::fs::create_dir_all(&folder).map_err(|error| file_error(&folder, &error))?;
        let password = hex::encode(rand::random::<[u8; 16]>());
        write_new(&folder.join("password"), &password)?;
        let path = |file: &str| folder.join(file).to_string_lossy().into_owned();
        let environment = vec![
            ("NUPEER_WALLET", path("wallet.json")),
            ("NUPEER_WALLET_PASSWORD", password),
            ("NUPEER_CARDANO_SOCKET", stage.path("devnet/node.socket")),
            ("NUPEER_CARDANO_NETWORK", stage.path("devnet/network.json")),
        ];
        let mut person = Person {
            name,
            folder,
            environment,
            account: String::new(),
            receive: String::new(),
        };
        let made = person.does(&["wallet", "new"])?;
        person.account = text(&made, "account")?;
        person.receive = text(&made, "receive")?;
        Ok(person)
    }

    /// From now on they ask the first of these nodes that answers.
    pub(super) fn asks(&mut self, api_urls: &[&str]) {
        self.environment
            .push(("NUPEER_API_URL", api_urls.join(",")));
    }

    /// A file of theirs, as text for a command line.
    pub(super) fn file(&self, name: &str) -> String {
        self.folder.join(name).to_string_lossy().into_owned()
    }

    /// What their shell has set, for a process that goes on running.
    pub(super) fn environment(&self) -> &[(&'static str, String)] {
        &self.environment
    }

    /// Runs one command and returns the result that it prints.
    pub(super) fn does(&self, arguments: &[&str]) -> Outcome<Value> {
        let end = Instant::now() + COMMAND_MAX;
        let out = loop {
            let (code, out, err) = self.run(arguments)?;
            match code {
                Some(0) => break out,
                // Nobody answered: nothing was done.
                Some(code) if code == Exit::Unreachable as i32 && Instant::now() < end => {
                    std::thread::sleep(Duration::from_millis(200));
                }
                _ => return Err(self.failed(arguments, &err)),
            }
        };
        serde_json::from_str(out.trim())
            .map_err(|error| self.failed(arguments, &format!("printed no result ({error}): {out}")))
    }

    fn run(&self, arguments: &[&str]) -> Outcome<(Option<i32>, String, String)> {
        let unexpected = |error: std::io::Error| CliError::new(Exit::Unexpected, error.to_string());
        let program = std::env::current_exe().map_err(unexpected)?;
        let mut command = Command::new(program);
        command
            .arg("--json")
            .args(arguments)
            .env_remove("NUPEER_API_URL")
            .envs(self.environment.iter().map(|(name, value)| (name, value)))
            .current_dir(&self.folder)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        let mut child = crate::processes::spawn_bound(command, self.name)?;
        let read = |pipe: Option<Box<dyn Read + Send>>| {
            std::thread::spawn(move || {
                let mut text = String::new();
                pipe.map(|mut pipe| pipe.read_to_string(&mut text));
                text
            })
        };
        let out = read(child.stdout.take().map(|pipe| Box::new(pipe) as _));
        let err = read(child.stderr.take().map(|pipe| Box::new(pipe) as _));
        let end = Instant::now() + COMMAND_MAX;
        let status = loop {
            if let Some(status) = child.try_wait().map_err(unexpected)? {
                break status;
            }
            let interrupted = crate::processes::not_interrupted();
            if interrupted.is_err() || Instant::now() >= end {
                let _ = child.kill();
                break child.wait().map_err(unexpected)?;
            }
            std::thread::sleep(Duration::from_millis(10));
        };
        crate::processes::not_interrupted()?;
        let joined = |thread: std::thread::JoinHandle<String>| thread.join().unwrap_or_default();
        Ok((status.code(), joined(out), joined(err)))
    }

    fn failed(&self, arguments: &[&str], said: &str) -> CliError {
        let command = arguments.join(" ");
        let what = format!(
            "the {}'s command failed: nupeer {command}\n{}",
            self.name,
            said.trim()
        );
        CliError::new(Exit::Unexpected, what)
    }
}

/// A text in a result.
pub(super) fn text(value: &Value, key: &str) -> Outcome<String> {
    let found = value.pointer(&format!("/{}", key.replace('.', "/")));
    match found {
        Some(Value::String(text)) => Ok(text.clone()),
        Some(other) if !other.is_null() => Ok(other.to_string()),
        _ => Err(CliError::new(
            Exit::Unexpected,
            format!("a result without {key}: {value}"),
        )),
    }
}

/// A whole number in a result, written as a number or, as amounts are, as a text.
pub(super) fn number(value: &Value, key: &str) -> Outcome<u64> {
    let found = text(value, key)?;
    found.parse().map_err(|_| {
        CliError::new(
            Exit::Unexpected,
            format!("{key} is {found}, where a whole number is expected"),
        )
    })
}
