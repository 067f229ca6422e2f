//! A person of the story: a wallet of their own, a password of their own, and a client that is a process of its own for every
//! command. The demo sees of them what they print.

mod cut_off;

use std::{
    io::{BufRead, BufReader, Read},
    os::unix::process::CommandExt,
    path::PathBuf,
    process::{Command, Stdio},
    sync::{Mutex, PoisonError},
    time::{Duration, Instant},
};

use serde_json::Value;

use self::cut_off::CutOff;
use super::stage::Stage;
use crate::{
    commands::cut_off::asks_first,
    error::{CliError, Exit, Outcome, file_error},
    processes::own_program,
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
    /// Transactions of the sidechain that they were told are final.
    told_final: Mutex<Vec<String>>,
    /// Which of their clients is killed.
    pub(super) cut_off: CutOff,
}

/// How a command ended.
struct Ended {
    /// Its exit code; none where its client was killed.
    code: Option<i32>,
    /// Whether it was this demo that killed it.
    is_cut_off: bool,
    out: String,
    err: String,
}

/// How long any one command may take.
const COMMAND_MAX: Duration = Duration::from_secs(120);

impl Person {
    /// Makes them a folder, a password and a wallet.
    pub(super) fn new(stage: &Stage, name: &'static str) -> Outcome<Self> {
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
            told_final: Mutex::default(),
            cut_off: CutOff::default(),
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
        self.follows(arguments, |_| {})
    }

    /// Runs one command that takes long, and hears what it says meanwhile.
    pub(super) fn follows(
        &self,
        arguments: &[&str],
        hear: impl Fn(&str) + Clone + Send + 'static,
    ) -> Outcome<Value> {
        let lost = |_: &[&str]| {
            let what = "nobody looks what became of a command that was cut off";
            Err(CliError::new(Exit::Unexpected, what))
        };
        self.follows_or_finds(arguments, hear, lost)
    }

    /// As [`Person::follows`], of a command whose client may be killed. Where that had said which command tells whether it was done, `finds` gives that one: the result, or
    /// nothing if it was not done; then it is given again, as where nothing had been said.
    pub(super) fn follows_or_finds(
        &self,
        arguments: &[&str],
        hear: impl Fn(&str) + Clone + Send + 'static,
        finds: impl Fn(&[&str]) -> Outcome<Option<Value>>,
    ) -> Outcome<Value> {
        let end = Instant::now() + COMMAND_MAX;
        let shown = loop {
            let ended = self.run(arguments, hear.clone())?;
            match ended.code {
                Some(0) => break self.result(arguments, &ended.out)?,
                // Nobody answered, and nothing was sent: what may have been sent ends otherwise.
                Some(code) if code == Exit::Unreachable as i32 && Instant::now() < end => {
                    std::thread::sleep(Duration::from_millis(200));
                }
                _ if ended.is_cut_off => {
                    let first = ended.err.lines().rev().find_map(asks_first);
                    let found = first.map_or(Ok(None), |command| {
                        finds(&command.split(' ').collect::<Vec<_>>())
                    })?;
                    if let Some(found) = found {
                        break found;
                    }
                }
                _ => return Err(self.failed(arguments, &ended.err)),
            }
        };
        if let (Some(id), true) = (shown["transaction"].as_str(), shown["status"] != "pending") {
            self.was_told(id);
        }
        Ok(shown)
    }

    fn result(&self, arguments: &[&str], out: &str) -> Outcome<Value> {
        serde_json::from_str(out.trim())
            .map_err(|error| self.failed(arguments, &format!("printed no result ({error}): {out}")))
    }

    /// Runs one command once, for a look: what it prints, if it does.
    pub(super) fn looks(&self, arguments: &[&str]) -> Option<Value> {
        let ended = self.run(arguments, |_| {}).ok()?;
        let shown = serde_json::from_str(ended.out.trim()).ok()?;
        (ended.code == Some(0)).then_some(shown)
    }

    /// They were told that this transaction of the sidechain is final.
    pub(super) fn was_told(&self, id: &str) {
        let mut told = self
            .told_final
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        told.push(id.to_owned());
    }

    /// Every transaction of which they were told so.
    pub(super) fn told_final(&self) -> Vec<String> {
        let told = self.told_final.lock();
        told.unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn run(&self, arguments: &[&str], hear: impl Fn(&str) + Send + 'static) -> Outcome<Ended> {
        let unexpected = |error: std::io::Error| CliError::new(Exit::Unexpected, error.to_string());
        let mut command = Command::new(own_program());
        command
            .arg("--json")
            .args(arguments)
            .env_remove("NUPEER_API_URL")
            .envs(self.environment.iter().map(|(name, value)| (name, value)))
            .current_dir(&self.folder)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            // Ctrl-C is for the demo, which then ends this.
            .process_group(0);
        let mut child = crate::processes::spawn_bound(command, self.name)?;
        let out = child.stdout.take();
        let out = std::thread::spawn(move || {
            let mut text = String::new();
            out.map(|mut pipe| pipe.read_to_string(&mut text));
            text
        });
        let err = child.stderr.take();
        let err = std::thread::spawn(move || err.map(|pipe| heard(pipe, hear)));
        let (command, mut is_due) = (arguments.join(" "), false);
        let end = Instant::now() + COMMAND_MAX;
        let status = loop {
            if let Some(status) = child.try_wait().map_err(unexpected)? {
                break status;
            }
            let interrupted = crate::processes::not_interrupted();
            if !is_due && self.cut_off.is_due(&command) {
                is_due = true;
                let _ = child.kill();
            }
            if interrupted.is_err() || Instant::now() >= end {
                let _ = child.kill();
                break child.wait().map_err(unexpected)?;
            }
            std::thread::sleep(Duration::from_millis(10));
        };
        crate::processes::not_interrupted()?;
        let out = out.join().unwrap_or_default();
        let err = err.join().ok().flatten().unwrap_or_default();
        // It may have ended just before.
        let is_cut_off = is_due && status.code().is_none();
        if is_cut_off {
            self.cut_off.note(&command);
        }
        Ok(Ended {
            code: status.code(),
            is_cut_off,
            out,
            err,
        })
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

/// Everything that is said, each line heard at once.
fn heard(pipe: impl Read, hear: impl Fn(&str)) -> String {
    let mut text = String::new();
    for line in BufReader::new(pipe).lines().map_while(Result::ok) {
        hear(&line);
        text.push_str(&line);
        text.push('\n');
    }
    text
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
