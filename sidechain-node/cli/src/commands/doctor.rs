//! `nupeer doctor`: looks for what is wrong with this machine's set-up, and says what to do.

use std::fs;

use serde_json::json;

use crate::{
    api::Api,
    args::{Args, DEFAULT_API_URL},
    cardano_socket,
    commands::status::plain,
    error::{CliError, Exit, Outcome},
    output::{Printer, table},
    wallet_file,
};

/// One thing that was looked at: its name, whether it is well, and what was seen.
type Finding = (&'static str, bool, String);

pub(super) fn run(args: &Args, api: &Api, printer: &Printer) -> Outcome<()> {
    let mut findings = vec![setting(args)];
    findings
        .extend(SETTINGS.map(|setting| from_environment(setting, |name| std::env::var(name).ok())));
    findings.extend([node(api), clock(api), cardano(), open_files(), wallet()]);
    let word = |well: bool| if well { "ok" } else { "look" };
    let rows: Vec<Vec<String>> = findings
        .iter()
        .map(|(name, well, seen)| vec![(*name).into(), word(*well).into(), seen.clone()])
        .collect();
    let json: Vec<_> = findings
        .iter()
        .map(|(name, well, seen)| json!({ "name": name, "well": well, "seen": seen }))
        .collect();
    printer.result(json!({ "findings": json }), &table(&rows));
    let unwell: Vec<&str> = findings
        .iter()
        .filter(|(_, well, _)| !well)
        .map(|(name, ..)| *name)
        .collect();
    if unwell.is_empty() {
        return Ok(());
    }
    let what = format!("look at: {}", unwell.join(", "));
    let error = CliError::new(Exit::CheckFailed, what);
    Err(unwell
        .into_iter()
        .filter_map(remedy)
        .fold(error, CliError::next))
}

/// What to do where a finding is not well.
fn remedy(name: &str) -> Option<&'static str> {
    Some(match name {
        "node" => "nupeer up   starts a cluster here; --api-url URL asks another node",
        "clock" => "set this machine's clock (ntp), or look at the node's log",
        "cardano" => "start the Cardano node, or name its socket in NUPEER_CARDANO_SOCKET",
        "wallet" => {
            "nupeer wallet restore   makes a wallet anew from its words; NUPEER_WALLET names another"
        }
        "open files" => "ulimit -n 4096   in the shell that starts the node, or as root",
        _ => return None,
    })
}

/// What else commands take from the environment: what it is, the variable, and what holds without it.
const SETTINGS: [(&str, &str, &str); 8] = [
    ("chain", "NUPEER_GENESIS_ID", "the one the wallet knows"),
    ("wallet file", "NUPEER_WALLET", "wallet.json"),
    ("session key", "NUPEER_SESSION", "none: the wallet signs"),
    ("leases", "NUPEER_LEASES", "leases"),
    ("network", "NUPEER_CARDANO_NETWORK", "preprod"),
    ("bridge", "NUPEER_DEPLOYMENT", "deployment.json"),
    ("devnet", "NUPEER_DEVNET", "devnet"),
    ("agent", "NUPEER_AGENT_CONFIG", "agent/agent.toml"),
];

/// What a setting is, and where that comes from.
fn from_environment(
    (name, variable, default): (&'static str, &str, &str),
    read: impl Fn(&str) -> Option<String>,
) -> Finding {
    let seen = match read(variable) {
        Some(value) => format!("{value} (from {variable})"),
        None => format!("{default} (the default)"),
    };
    (name, true, seen)
}

/// Where the node's address comes from.
fn setting(args: &Args) -> Finding {
    let origin = match std::env::var("NUPEER_API_URL") {
        Ok(value) if value == args.api_url => "from NUPEER_API_URL",
        _ if args.api_url == DEFAULT_API_URL => "the default",
        _ => "from --api-url",
    };
    ("api url", true, format!("{} ({origin})", args.api_url))
}

/// Whether the Cardano node that the environment names answers, for who follows one.
fn cardano() -> Finding {
    let Some(socket) = cardano_socket::from_environment() else {
        let seen =
            "no socket named (NUPEER_CARDANO_SOCKET); a chain that follows Cardano needs one";
        return ("cardano", true, seen.into());
    };
    match cardano_socket::tip(&socket) {
        Ok(tip) => ("cardano", true, format!("{tip} at {}", socket.display())),
        Err(error) => ("cardano", false, error.what),
    }
}

fn node(api: &Api) -> Finding {
    match api.get("/v1/status") {
        Ok(status) => (
            "node",
            true,
            format!(
                "{} at height {}",
                plain(&status["network"]),
                plain(&status["height"])
            ),
        ),
        Err(error) => ("node", false, error.what),
    }
}

/// A clock that is wrong by more than blocks may drift makes a validator useless and transactions expire.
fn clock(api: &Api) -> Finding {
    const DRIFT_MS_MAX: u64 = 2_000;
    const SILENT_MS_MAX: u64 = 60_000;
    let Ok(status) = api.get("/v1/status") else {
        return ("clock", true, "no node to compare with".into());
    };
    let block = status["time_unix_ms"].as_u64().unwrap_or_default();
    let ahead = block.saturating_sub(nupeer_client::now_unix_ms());
    let behind = nupeer_client::now_unix_ms().saturating_sub(block);
    let seen = format!("last block {behind} ms ago");
    if ahead > DRIFT_MS_MAX {
        return (
            "clock",
            false,
            format!("this clock is {ahead} ms behind the last block; set it (ntp)"),
        );
    }
    if behind > SILENT_MS_MAX {
        let seen = format!("{seen}: the chain stands still, or this clock is ahead");
        return ("clock", false, seen);
    }
    ("clock", true, seen)
}

/// A validator's database keeps many files open.
fn open_files() -> Finding {
    const NEEDED: u64 = 4_096;
    let limits = fs::read_to_string("/proc/self/limits").unwrap_or_default();
    let line = limits
        .lines()
        .find(|line| line.starts_with("Max open files"))
        .unwrap_or_default();
    let hard: u64 = line
        .split_whitespace()
        .nth(4)
        .and_then(|n| n.parse().ok())
        .unwrap_or(u64::MAX);
    (
        "open files",
        hard >= NEEDED,
        format!("limit {hard}, a validator wants {NEEDED}"),
    )
}

fn wallet() -> Finding {
    let path = std::env::var_os("NUPEER_WALLET").unwrap_or_else(|| "wallet.json".into());
    wallet_at(std::path::Path::new(&path))
}

fn wallet_at(path: &std::path::Path) -> Finding {
    match wallet_file::account(path) {
        Ok((account, network)) => ("wallet", true, format!("{account} ({network})")),
        // Not having one is no fault: a validator needs none.
        Err(error) if error.exit == Exit::NotFound => {
            ("wallet", true, "none here (nupeer wallet new)".into())
        }
        Err(error) => ("wallet", false, error.what),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_setting_is_told_with_where_it_comes_from() {
        let wallet = ("wallet file", "NUPEER_WALLET", "wallet.json");
        let seen = |value: Option<&str>| {
            from_environment(wallet, |name| {
                assert_eq!(name, "NUPEER_WALLET");
                value.map(str::to_owned)
            })
        };
        let told = |seen: &str| ("wallet file", true, seen.to_owned());
        assert_eq!(seen(None), told("wallet.json (the default)"));
        let named = "other.json (from NUPEER_WALLET)";
        assert_eq!(seen(Some("other.json")), told(named));
        // Each stands on a help page under the same variable and default.
        let mut pages = String::new();
        let mut left = vec![crate::help::command()];
        while let Some(mut command) = left.pop() {
            pages.push_str(&command.render_help().to_string());
            left.extend(command.get_subcommands().cloned());
        }
        for (_, variable, default) in SETTINGS {
            assert!(pages.contains(variable), "{variable}");
            let is_value = !default.contains(' ');
            assert!(!is_value || pages.contains(default), "{default}");
        }
    }

    #[test]
    fn no_wallet_is_no_fault_and_a_damaged_one_is() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("wallet.json");
        assert!(wallet_at(&path).1);
        fs::write(&path, "{}").unwrap();
        let (name, well, seen) = wallet_at(&path);
        assert!((name, well) == ("wallet", false), "{seen}");
    }

    #[test]
    fn whatever_may_be_unwell_has_a_remedy() {
        for name in ["node", "clock", "cardano", "open files", "wallet"] {
            assert!(remedy(name).is_some(), "{name}");
        }
        assert_eq!(remedy("api url"), None, "it is always well");
    }
}
