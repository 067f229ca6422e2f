//! `nupeer agent`.

use std::{
    ffi::OsString,
    fs::{self, DirBuilder},
    os::unix::fs::DirBuilderExt,
    path::Path,
};

use nupeer_agent::{
    AgentConfig, AgentError, OperatorKey,
    inventory::{self, Effort},
    register::grant_command,
    run::{self, Surroundings},
};
use serde_json::{Value, json};
use tokio::sync::watch;

use super::{
    node::{asked_to_stop, raise_open_files, start_log},
    status::plain,
};
use crate::{
    api::Api,
    args::Args,
    args_agent::{AgentArgs, AgentCommand, AgentInitArgs},
    error::{CliError, Exit, Outcome, file_error},
    internal::CONTAINER_SHIM,
    output::{Printer, table},
    processes::own_program,
    signing,
    units::show_time,
    wallet_file::write_new,
};

/// Threads for what does not block; what does has its own.
const WORKERS: usize = 2;

pub(super) fn run(agent: &AgentArgs, args: &Args, printer: &Printer) -> Outcome<()> {
    match &agent.command {
        None | Some(AgentCommand::Run) => serve(&agent.config, printer),
        Some(AgentCommand::Init(init)) => make(init, &args.api_url, printer),
        Some(AgentCommand::Measure { folder }) => measure(folder, printer),
        Some(AgentCommand::Status) => status(&agent.config, printer),
        Some(AgentCommand::Clear) => clear(&agent.config, printer),
    }
}

fn load(file: &Path) -> Outcome<AgentConfig> {
    AgentConfig::load(file, |name| std::env::var(name).ok()).map_err(|error| {
        CliError::numbered(Exit::Usage, &error)
            .next("nupeer agent init --owner ADDRESS   makes a key and settings")
            .next("--config FILE                       names other settings")
    })
}

fn unexpected(error: std::io::Error) -> CliError {
    CliError::new(Exit::Unexpected, error.to_string())
}

/// How a container's shim is started: this program, by another name.
fn shim() -> Vec<OsString> {
    let mut shim = vec![own_program().into_os_string()];
    shim.extend(CONTAINER_SHIM.map(Into::into));
    shim
}

fn clear(file: &Path, printer: &Printer) -> Outcome<()> {
    let removed = run::clear(&load(file)?, shim()).map_err(|error| failed(&error))?;
    let line = format!("{removed} workloads removed");
    printer.result(json!({ "removed": removed }), &[line]);
    Ok(())
}

fn serve(file: &Path, printer: &Printer) -> Outcome<()> {
    let config = load(file)?;
    start_log(&config.log)?;
    raise_open_files();
    let shim = shim();
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(WORKERS)
        .enable_all()
        .build()
        .map_err(unexpected)?;
    let (stop, stopped) = watch::channel(false);
    let surroundings = Surroundings {
        shim,
        tell: Box::new(|line| tracing::info!("{line}")),
    };
    printer.note(&format!("agent with the settings in {}", file.display()));
    let done = runtime.block_on(async {
        let running = tokio::spawn(run::run(config, surroundings, stopped));
        tokio::spawn(async move {
            asked_to_stop().await;
            stop.send_replace(true);
        });
        running.await
    });
    // Steps under way are taken up again by the next start.
    runtime.shutdown_background();
    match done {
        Ok(done) => done.map_err(|error| failed(&error)),
        Err(error) => Err(CliError::new(Exit::Unexpected, error.to_string())),
    }
}

fn failed(error: &AgentError) -> CliError {
    let exit = match error {
        AgentError::NotRoot => Exit::NeedsRoot,
        AgentError::AlreadyRunning { .. } => Exit::AlreadyRunning,
        AgentError::Config(_) | AgentError::Owner { .. } => Exit::Usage,
        AgentError::Key(_) => Exit::Key,
        AgentError::Chain(_) => Exit::Refused,
        _ => Exit::Unexpected,
    };
    let told = CliError::numbered(exit, error);
    match error {
        AgentError::NotRoot => told.next("sudo nupeer agent --config FILE"),
        _ => told,
    }
}

fn make(init: &AgentInitArgs, api_url: &str, printer: &Printer) -> Outcome<()> {
    check_owner(&init.owner)?;
    let file = init.data.join("agent.toml");
    if file.exists() {
        let what = format!("{} exists already", file.display());
        return Err(CliError::new(Exit::Refused, what)
            .next("nupeer agent --config FILE   runs it")
            .next("--data DIR                   makes another agent"));
    }
    let made = DirBuilder::new()
        .recursive(true)
        .mode(0o700)
        .create(&init.data);
    made.map_err(|error| file_error(&init.data, &error))?;
    let key_file = init.data.join("operator.key");
    // A key that an earlier attempt left is this agent's.
    let key = if key_file.exists() {
        OperatorKey::read(&key_file)
    } else {
        OperatorKey::make(&key_file)
    };
    let key = key.map_err(|error| CliError::numbered(Exit::Key, &error))?;
    let config = settings(init, api_url, &key)?;
    write_new(&file, &config.document())?;
    describe(&config, &key, &file, printer);
    Ok(())
}

/// Refuses what is an account on no network; on which one the agent will be, its node says later.
fn check_owner(owner: &str) -> Outcome<()> {
    signing::account_anywhere(owner)
        .map(drop)
        .map_err(|error| error.next("nupeer wallet show   prints the owner's account"))
}

fn settings(init: &AgentInitArgs, api_url: &str, key: &OperatorKey) -> Outcome<AgentConfig> {
    let lovelace = |flag: &str, amount: nupeer_primitives::Amount| {
        let what = format!("{flag}: {amount} lovelace are more than there are");
        amount
            .to_u64()
            .ok_or_else(|| CliError::new(Exit::Usage, what))
    };
    let mark: String = key.public().hash().to_string().chars().take(8).collect();
    let name = init.name.clone();
    Ok(AgentConfig {
        data_folder: "data".into(),
        operator_key: "operator.key".into(),
        owner: init.owner.clone(),
        node_urls: match init.node.as_slice() {
            [] => api_url
                .split(',')
                .map(|url| url.trim().to_owned())
                .collect(),
            urls => urls.to_vec(),
        },
        name: name.unwrap_or_else(|| format!("nupeer-{mark}")),
        listen: init.listen,
        ingress_listen: init.listen.ip(),
        bond_lovelace: lovelace("--bond", init.bond)?,
        price_lovelace_per_hour: match init.price {
            Some(price) => lovelace("--price", price)?,
            None => 0,
        },
        ..AgentConfig::default()
    })
}

fn describe(config: &AgentConfig, key: &OperatorKey, file: &Path, printer: &Printer) {
    let hash = key.public().hash();
    let grant = grant_command(config, &hash);
    let value = json!({
        "config": file,
        "operator_key": key.public().to_string(),
        "operator_key_hash": hash.to_string(),
        "owner": config.owner,
        "name": config.name,
        "bond_lovelace": config.bond_lovelace.to_string(),
        "grant_command": grant,
    });
    let rows = [
        vec!["settings".to_owned(), file.display().to_string()],
        vec!["operator key".to_owned(), hash.to_string()],
        vec!["owner".to_owned(), config.owner.clone()],
    ];
    printer.result(value, &table(&rows));
    printer.note("The owner's wallet lets the key act, once:");
    printer.note(&format!("  {grant}"));
    printer.note(&format!(
        "then  sudo nupeer agent --config {}",
        file.display()
    ));
}

fn measure(folder: &Path, printer: &Printer) -> Outcome<()> {
    printer.note("measuring, which takes some seconds");
    let measured = inventory::measure(folder, &Effort::default())
        .map_err(|error| CliError::numbered(Exit::Unexpected, &error))?;
    let has = &measured.capacity;
    let mib = |bytes: u64| (bytes >> 20).to_string();
    let row = |name: &str, value: String| vec![name.to_owned(), value];
    let rows = [
        row("CPU", has.cpu_model.clone()),
        row("cores", has.cores.to_string()),
        row("memory", format!("{} MiB", mib(has.memory_bytes))),
        row("disk free", format!("{} MiB", mib(has.disk_free_bytes))),
        row(
            "one core",
            format!("{} MiB/s of BLAKE2b", mib(measured.cpu.one_core.median())),
        ),
        row(
            "all cores",
            format!("{} MiB/s of BLAKE2b", mib(measured.cpu.all_cores.median())),
        ),
        row(
            "disk written",
            format!("{} MiB/s", mib(measured.disk.write.median())),
        ),
        row(
            "disk read",
            format!("{} MiB/s", mib(measured.disk.read.median())),
        ),
        row(
            "disk synced",
            format!("{} us for 4 KiB", measured.disk.sync_us),
        ),
    ];
    let value = serde_json::to_value(&measured)
        .map_err(|error| CliError::new(Exit::Unexpected, error.to_string()))?;
    printer.result(value, &table(&rows));
    Ok(())
}

fn status(file: &Path, printer: &Printer) -> Outcome<()> {
    let config = load(file)?;
    let answer = Api::new(&url(&config)).get("/v1/status").map_err(|error| {
        let error = CliError {
            next: Vec::new(),
            ..error
        };
        error.next(format!("sudo nupeer agent --config {}", file.display()))
    })?;
    let mut rows = vec![
        vec!["machine".to_owned(), plain(&answer["machine"])],
        vec!["owner".to_owned(), plain(&answer["owner"])],
        vec!["height".to_owned(), plain(&answer["height"])],
        vec!["offer".to_owned(), offer(&answer)],
    ];
    if let Some(problem) = answer["problem"].as_str() {
        rows.push(vec!["problem".into(), problem.to_owned()]);
    }
    let mut lines = table(&rows);
    let leases = answer["leases"].as_array().cloned().unwrap_or_default();
    lines.push(format!("leases   {}", leases.len()));
    if !leases.is_empty() {
        lines.extend(table(&lease_rows(&leases)));
    }
    printer.result(answer, &lines);
    Ok(())
}

fn offer(answer: &Value) -> String {
    match answer["offer_expires_unix_ms"].as_u64() {
        Some(expires) => format!("live until {}", show_time(expires)),
        None => "none".into(),
    }
}

fn lease_rows(leases: &[Value]) -> Vec<Vec<String>> {
    let heads = ["LEASE", "STATE", "WORKLOAD", "RAN", "SIGNED", "UNSIGNED"];
    let seconds = |value: &Value| format!("{} s", value.as_u64().unwrap_or(0) / 1000);
    let row = |lease: &Value| {
        vec![
            plain(&lease["id"]),
            plain(&lease["state"]),
            lease["workload"].as_str().unwrap_or("none").to_owned(),
            seconds(&lease["metered_ms"]),
            seconds(&lease["signed_ms"]),
            seconds(&lease["unsigned_ms"]),
        ]
    };
    let heads = heads.map(str::to_owned).to_vec();
    [heads].into_iter().chain(leases.iter().map(row)).collect()
}

/// Where the agent of these settings answers: a port that the kernel chose is in its data folder.
fn url(config: &AgentConfig) -> String {
    let kept = fs::read_to_string(config.data_folder.join(run::PORT));
    let kept = kept.ok().and_then(|digits| digits.parse().ok());
    let mut address = config.listen;
    if let (0, Some(port)) = (address.port(), kept) {
        address.set_port(port);
    }
    format!("http://{address}")
}

#[cfg(test)]
mod tests {
    use nupeer_primitives::{AccountId, CardanoNetwork, Hash28};

    use super::*;

    #[test]
    fn an_owner_is_an_account_of_some_network() {
        let account = AccountId::of_key(Hash28([7; 28]));
        for network in [CardanoNetwork::Mainnet, CardanoNetwork::Testnet] {
            check_owner(&account.to_bech32(network)).unwrap();
        }
        let error = check_owner("stake_test1uq").unwrap_err();
        assert_eq!(error.code.as_deref(), Some("NP1010"));
        assert_eq!(error.exit, Exit::Usage);
    }
}
