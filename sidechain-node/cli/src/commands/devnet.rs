//! `nupeer devnet`: a Cardano of one's own, and commands to it over its control socket.

mod accounts;

use std::{
    fs,
    path::Path,
    time::{Duration, Instant},
};

use nupeer_cardano_client::Network;
use nupeer_devnet::{
    Config, Devnet, DevnetError, Profile,
    control::{BlockReply, Client, ClientError, Cut, CutReply, StatusReply, TxReply},
    genesis::Genesis,
    profile::SLOT_LENGTH_MS,
};
use nupeer_primitives::TimeMs;
use serde::Serialize;
use serde_json::{Value, json};

use crate::{
    amount::base_units,
    args_cardano::{CutArgs, DevnetCommand, DevnetFolder, DevnetUpArgs},
    cardano::{ada, runtime},
    commands::node::{asked_to_stop, start_log},
    error::{CliError, Exit, Outcome, file_error},
    output::{Printer, table},
};

/// The file with the network's figures, beside the sockets.
const NETWORK_FILE: &str = "network.json";
/// How long a payment of the faucet may wait for a block.
const FAUCET_MAX: Duration = Duration::from_secs(30);

pub(super) fn run(command: &DevnetCommand, printer: &Printer) -> Outcome<()> {
    let runtime = runtime()?;
    runtime.block_on(async {
        match command {
            DevnetCommand::Up(args) => up(args, printer).await,
            DevnetCommand::Status(folder) => status(&client(folder).status().await, printer),
            DevnetCommand::Faucet {
                address,
                amount,
                no_wait,
                folder,
            } => {
                let lovelace = amount.to_u64().unwrap_or(u64::MAX);
                faucet(&client(folder), address, lovelace, *no_wait, printer).await
            }
            DevnetCommand::Fork(args) => {
                cut_done(&client(&args.folder).fork(cut(args)).await, printer)
            }
            DevnetCommand::Rollback(args) => {
                cut_done(&client(&args.folder).rollback(cut(args)).await, printer)
            }
            DevnetCommand::Stall(folder) => status(&client(folder).stall().await, printer),
            DevnetCommand::Resume(folder) => status(&client(folder).resume().await, printer),
            DevnetCommand::Hurry { blocks, folder } => {
                status(&client(folder).hurry(*blocks).await, printer)
            }
            DevnetCommand::Accounts(folder) => accounts::show(&folder.data, printer),
            DevnetCommand::Tx { id, folder } => tx(id, &client(folder).tx(id).await, printer),
        }
    })
}

fn client(folder: &DevnetFolder) -> Client {
    Client::new(folder.data.join("control.socket"))
}

async fn up(args: &DevnetUpArgs, printer: &Printer) -> Outcome<()> {
    start_log(&args.log)?;
    let data = &args.folder.data;
    let mut devnet = Devnet::start(config(args)?)
        .await
        .map_err(|error| failed(&error))?;
    let network = figures(devnet.genesis());
    write_whole(&data.join(NETWORK_FILE), &network.to_json())?;
    let genesis = devnet.genesis();
    let (socket, file) = (devnet.socket_path(), data.join(NETWORK_FILE));
    let value = json!({
        "data": data, "socket": socket, "control": devnet.control_path(), "network": file,
        "magic": network.magic, "profile": genesis.profile.to_string(), "seed": genesis.seed,
        "security_parameter": network.security_parameter_blocks, "n2n": devnet.n2n_address(),
    });
    let mut lines = vec![
        format!("a Cardano devnet runs, profile {}", genesis.profile),
        format!("  --cardano-socket  {}", socket.display()),
        format!("  --cardano-network {}", file.display()),
    ];
    let n2n = devnet.n2n_address();
    lines.extend(n2n.map(|address| format!("other nodes connect to {address}")));
    lines.push("Ctrl-C ends it; a later start goes on with its chain.".to_owned());
    printer.result(value, &lines);
    let ended = tokio::select! {
        error = devnet.failed() => Err(failed(&error)),
        () = asked_to_stop() => Ok(()),
    };
    devnet.stop().await;
    ended
}

/// What is asked for; what is not said is the folder's, so that a later start goes on.
fn config(args: &DevnetUpArgs) -> Outcome<Config> {
    let fresh = Config::new(&args.folder.data);
    let (profile, seed) =
        kept(&args.folder.data.join("genesis.json")).unwrap_or((fresh.profile, fresh.seed));
    Ok(Config {
        profile: args.profile.unwrap_or(profile),
        seed: args.seed.unwrap_or(seed),
        block_interval_ms: Some(args.block_interval_ms),
        n2n_listen: args.n2n_listen,
        ..fresh
    })
}

/// Profile and seed of the devnet that the folder holds; what is wrong with its genesis the start says.
fn kept(genesis: &Path) -> Option<(Profile, u64)> {
    let genesis: Genesis = serde_json::from_slice(&fs::read(genesis).ok()?).ok()?;
    Some((genesis.profile, genesis.seed))
}

fn figures(genesis: &Genesis) -> Network {
    let profile = genesis.profile;
    Network {
        magic: genesis.network_magic,
        ..Network::devnet(
            TimeMs(genesis.system_start_ms),
            SLOT_LENGTH_MS,
            profile.security_parameter(),
            profile.epoch_slots(),
        )
    }
}

/// Whoever waits for the file never reads half of it.
fn write_whole(path: &Path, text: &str) -> Outcome<()> {
    let unfinished = path.with_extension("new");
    fs::write(&unfinished, text)
        .and_then(|()| fs::rename(&unfinished, path))
        .map_err(|error| file_error(path, &error))
}

fn failed(error: &DevnetError) -> CliError {
    let exit = match error {
        DevnetError::AlreadyRunning { .. } => Exit::AlreadyRunning,
        DevnetError::Genesis(_) | DevnetError::Interval { .. } => Exit::Usage,
        _ => Exit::Unexpected,
    };
    let error = CliError::numbered(exit, error);
    match exit {
        Exit::AlreadyRunning => error.next("nupeer devnet status   asks it"),
        Exit::Usage => error.next("--data DIR   makes another devnet"),
        _ => error,
    }
}

fn answered<T>(answer: &Result<T, ClientError>) -> Outcome<&T> {
    answer.as_ref().map_err(|error| match error {
        ClientError::Refused(refusal) => CliError {
            code: Some(refusal.code.clone()),
            ..CliError::new(Exit::Refused, refusal.message.clone())
        },
        ClientError::Unreachable { .. } => CliError::numbered(Exit::Unreachable, error)
            .next("--data DIR   names the devnet's folder (or NUPEER_DEVNET)"),
        _ => CliError::numbered(Exit::Unexpected, error),
    })
}

fn plain(value: &impl Serialize) -> Value {
    serde_json::to_value(value).unwrap_or_default()
}

fn block(block: Option<&BlockReply>) -> String {
    block.map_or("the origin".into(), |block| {
        format!("block {} in slot {}", block.block_number, block.slot)
    })
}

fn status(answer: &Result<StatusReply, ClientError>, printer: &Printer) -> Outcome<()> {
    let status = answered(answer)?;
    let rows = [
        ["tip", &block(status.tip.as_ref())],
        [
            "epoch",
            &format!("{}, {} slots left", status.epoch, status.epoch_slots_left),
        ],
        ["profile", &status.profile],
        [
            "waiting",
            &format!("{} transactions", status.mempool_transactions),
        ],
        ["rollbacks", &status.rollbacks.to_string()],
        ["stalled", if status.stalled { "yes" } else { "no" }],
    ];
    printer.result(
        plain(status),
        &table(&rows.map(|row| row.map(str::to_owned).to_vec())),
    );
    Ok(())
}

async fn faucet(
    client: &Client,
    address: &str,
    lovelace: u64,
    no_wait: bool,
    printer: &Printer,
) -> Outcome<()> {
    let sent = client.faucet(address, lovelace).await;
    let id = answered(&sent)?.id.clone();
    if !no_wait {
        until_in_a_block(client, &id).await?;
    }
    let value = json!({ "tx": id, "address": address, "lovelace": base_units(lovelace) });
    printer.result(value, &[format!("{} sent by {id}", ada(lovelace))]);
    Ok(())
}

async fn until_in_a_block(client: &Client, id: &str) -> Outcome<()> {
    let end = Instant::now() + FAUCET_MAX;
    loop {
        let place = client.tx(id).await;
        match answered(&place)? {
            TxReply::Confirmed { .. } => return Ok(()),
            TxReply::Refused { reason } => {
                return Err(CliError::new(Exit::Refused, reason.clone()));
            }
            _ if Instant::now() >= end => {
                let what = format!("{id} is in no block after {} s", FAUCET_MAX.as_secs());
                return Err(CliError::new(Exit::Waited, what)
                    .next("nupeer devnet resume   if no blocks are made"));
            }
            _ => tokio::time::sleep(Duration::from_millis(50)).await,
        }
    }
}

fn cut(args: &CutArgs) -> Cut {
    Cut {
        depth: args.depth,
        drop: args.drop.clone(),
        replace: args.replace.clone(),
        force: args.force,
    }
}

fn cut_done(answer: &Result<CutReply, ClientError>, printer: &Printer) -> Outcome<()> {
    let done = answered(answer)?;
    let mut lines = vec![
        format!(
            "{} blocks taken back to {}",
            done.rolled_back,
            block(done.intersection.as_ref())
        ),
        format!("the tip is {}", block(done.tip.as_ref())),
    ];
    let dropped = done.dropped.iter();
    lines.extend(dropped.map(|tx| format!("gone  {}  {}", tx.id, tx.reason)));
    printer.result(plain(done), &lines);
    Ok(())
}

fn tx(id: &str, answer: &Result<TxReply, ClientError>, printer: &Printer) -> Outcome<()> {
    let place = answered(answer)?;
    let line = match place {
        TxReply::Confirmed {
            block: at,
            depth,
            costs,
        } => {
            let fee = ada(costs.fee_lovelace);
            format!("in {}, {depth} blocks deep; fee {fee}", block(Some(at)))
        }
        TxReply::Waiting => "waits for a block".into(),
        TxReply::Refused { reason } => format!("refused: {reason}"),
        TxReply::Unknown => {
            return Err(CliError::new(
                Exit::NotFound,
                format!("the devnet never saw {id}"),
            ));
        }
    };
    let mut value = plain(place);
    value["tx"] = id.into();
    if let TxReply::Confirmed { costs, .. } = place {
        value["fee_lovelace"] = base_units(costs.fee_lovelace);
    }
    printer.result(value, &[line]);
    Ok(())
}
