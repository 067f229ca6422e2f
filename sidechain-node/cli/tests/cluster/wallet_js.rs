//! A wallet that is not ours: keys and signatures made by the JavaScript libraries that browser wallets use (`tests/wallet-js`), carried
//! by the command line as a person would carry them.

mod needs_npm;

use std::{
    io::{BufRead, BufReader},
    path::{Path, PathBuf},
    process::{Child, Command, Output, Stdio},
};

use nupeer_testing::{
    child::{Signal, dies_with_us},
    npm,
};
use serde_json::Value;

use crate::validators::{NUPEER, address};

/// Entropy of the wallet that owns the account, and of another one.
const OWNER: &str = "00000000000000000000000000000000";
const STRANGER: &str = "11111111111111111111111111111111";

/// The wallet's program, beside the libraries that it needs.
struct Wallet {
    program: PathBuf,
    address: String,
    address_hex: String,
    mainnet_address_hex: String,
}

impl Wallet {
    /// Panics where node or the libraries cannot be had.
    fn open() -> Self {
        let program = installed().unwrap_or_else(|reason| {
            panic!("{reason}; scripts/test.sh leaves needs_npm:: out where node or npm is missing")
        });
        let mut wallet = Wallet {
            program,
            address: String::new(),
            address_hex: String::new(),
            mainnet_address_hex: String::new(),
        };
        let known = wallet.run(OWNER, &["address"]);
        let field = |name: &str| known[name].as_str().unwrap().to_owned();
        wallet.address = field("address");
        wallet.address_hex = field("address_hex");
        wallet.mainnet_address_hex = field("mainnet_address_hex");
        wallet
    }

    fn run(&self, entropy: &str, arguments: &[&str]) -> Value {
        let mut node = Command::new("node");
        node.arg(&self.program).args(arguments);
        json(&node.env("WALLET_ENTROPY", entropy).output().unwrap())
    }

    /// CIP-30's `signData(address, payload)`.
    fn sign_data(&self, entropy: &str, address: &str, payload: &str, hashed: bool) -> Value {
        let mut arguments = vec!["sign", address, payload];
        arguments.extend(hashed.then_some("hashed"));
        self.run(entropy, &arguments)
    }
}

/// The program, beside the libraries that it needs.
fn installed() -> Result<PathBuf, String> {
    let sources = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/wallet-js");
    let folder = npm::installed(&sources, Path::new(env!("CARGO_TARGET_TMPDIR")))?;
    Ok(folder.join("wallet.mjs"))
}

fn json(output: &Output) -> Value {
    assert!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
    serde_json::from_slice(&output.stdout).unwrap()
}

/// One validator, with 100 ADA for the wallet.
struct Solo {
    up: Child,
    url: String,
    _folder: tempfile::TempDir,
}

impl Solo {
    fn start(credit: &str) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let credit = format!("{credit}=100ADA");
        let mut command = Command::new(NUPEER);
        command
            .current_dir(folder.path())
            .args(["--json", "up", "--data", "solo", "--validators", "1"])
            .args(["--block-target-ms", "200", "--credit", &credit])
            .stdout(Stdio::piped())
            .stderr(Stdio::null());
        dies_with_us(&mut command, Signal::SIGKILL);
        let mut up = command.spawn().unwrap();
        let mut line = String::new();
        let mut out = BufReader::new(up.stdout.take().unwrap());
        out.read_line(&mut line).unwrap();
        let told: Value = serde_json::from_str(&line).unwrap();
        let url = told["api_urls"][0].as_str().unwrap().to_owned();
        Solo {
            up,
            url,
            _folder: folder,
        }
    }

    fn nupeer(&self, arguments: &[&str]) -> Output {
        let mut command = Command::new(NUPEER);
        command.args(["--json", "--api-url", &self.url]);
        command.args(arguments).output().unwrap()
    }

    /// What `nupeer` asks the wallet to sign.
    fn prepare(&self, from: &str, amount: &str) -> Value {
        let (to, from) = (address(9), ["tx", "prepare", "--from", from]);
        let what = ["send", "--to", &to, "--amount", amount];
        json(&self.nupeer(&[&from[..], &what[..]].concat()))
    }

    fn submit(&self, prepared: &Value, signed: &Value) -> Output {
        let part = |value: &Value| value.as_str().unwrap().to_owned();
        let (cbor, signature, key) = (
            part(&prepared["transaction_cbor"]),
            part(&signed["signature"]),
            part(&signed["key"]),
        );
        self.nupeer(&[
            "tx",
            "submit",
            "--cbor",
            &cbor,
            "--cose-sign1",
            &signature,
            "--cose-key",
            &key,
        ])
    }

    fn lovelace(&self, address: &str) -> u128 {
        let account = json(&self.nupeer(&["account", address]));
        let amount = account["balances"][0]["amount"].as_str().unwrap_or("0");
        amount.parse().unwrap()
    }
}

impl Drop for Solo {
    fn drop(&mut self) {
        let _ = self.up.kill();
        let _ = self.up.wait();
    }
}
