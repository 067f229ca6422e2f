//! `nupeer node`.

use std::{io::IsTerminal, path::PathBuf, time::Duration};

use nupeer_cardano_client::follower::FollowerError;
use nupeer_node::{Node, NodeConfig, NodeError, acknowledge_rollback, api};
use nupeer_primitives::Numbered;
use serde_json::json;
use tokio::{
    net::TcpListener,
    signal::unix::{SignalKind, signal},
    sync::watch,
};

use crate::{
    args::NodeArgs,
    error::{CliError, Exit, Outcome},
    output::Printer,
};

pub(super) fn run(args: &NodeArgs, printer: &Printer) -> Outcome<()> {
    let config = NodeConfig::load(Some(&args.config), |name| std::env::var(name).ok());
    let config = config.map_err(|error| {
        CliError::numbered(Exit::Usage, &error)
            .next("--config FILE          names a node's settings")
            .next("nupeer up --data DIR   makes a chain whose DIR/validator-0/node.toml shows every key")
    })?;
    let named = |path: &Option<PathBuf>, file: PathBuf| path.clone().unwrap_or(file);
    let config = NodeConfig {
        cardano_socket: named(&args.cardano_socket, config.cardano_socket),
        cardano_network: named(&args.cardano_network, config.cardano_network),
        cardano_from: match args.cardano_from {
            Some(point) => point.to_string(),
            None => config.cardano_from,
        },
        ..config
    };
    if args.acknowledge_rollback {
        return acknowledge(&config, printer);
    }
    start_log(&config.log)?;
    raise_open_files();
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build();
    let runtime =
        runtime.map_err(|error| CliError::new(Exit::Unexpected, format!("no threads: {error}")))?;
    runtime.block_on(serve(config, printer))
}

/// Takes a rollback of Cardano deeper than k off the record of a node that does not run, and says which it was.
fn acknowledge(config: &NodeConfig, printer: &Printer) -> Outcome<()> {
    let rolled_back = acknowledge_rollback(config).map_err(|error| failed(&error))?;
    let value = rolled_back.map(
        |it| json!({ "from": it.from.to_string(), "depth_blocks": it.depth, "k_blocks": it.k }),
    );
    let line = match &rolled_back {
        Some(it) => format!(
            "acknowledged: {} blocks given up from {}; started again, the node takes part in bridge actions",
            it.depth, it.from
        ),
        None => "no rollback deeper than k is on this node's record".to_owned(),
    };
    printer.result(json!({ "acknowledged": value }), &[line]);
    Ok(())
}

/// Logs go to standard error, as lines for people at a terminal and as JSON elsewhere.
pub(super) fn start_log(filter: &str) -> Outcome<()> {
    let filter = tracing_subscriber::EnvFilter::try_new(filter).map_err(|error| {
        CliError::new(Exit::Usage, format!("log: {error}")).next("log = \"info\"")
    })?;
    let log = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(std::io::stderr);
    if std::io::stderr().is_terminal() {
        log.init()
    } else {
        log.json().init()
    }
    Ok(())
}

/// Descriptors for connections beside those of store, consensus and containers, as far as this machine has them.
pub(super) fn raise_open_files() {
    match nupeer_serve::raise_open_files() {
        Ok(files) => tracing::debug!(files, "files that may be open"),
        Err(error) => tracing::warn!(%error, "the limit of open files stays as it is"),
    }
}

async fn serve(config: NodeConfig, printer: &Printer) -> Outcome<()> {
    let listen = config.api_listen;
    let listener = TcpListener::bind(listen).await.map_err(|error| {
        CliError::new(
            Exit::AlreadyRunning,
            format!("the API cannot listen at {listen}: {error}"),
        )
        .next("api_listen in the settings names another address")
    })?;
    let bound = listener
        .local_addr()
        .map_err(|error| CliError::new(Exit::Unexpected, error.to_string()))?;
    let block_target = Duration::from_millis(config.block_target_ms);
    let mut node = Node::start(config, None)
        .await
        .map_err(|error| failed(&error))?;
    let (stop, mut stopped) = watch::channel(false);
    let until = async move {
        let _ = stopped.wait_for(|stopped| *stopped).await;
    };
    let api = tokio::spawn(api::serve(node.handle(), block_target, listener, until));
    printer.note(&format!("API at http://{bound}"));
    let outcome = tokio::select! {
        ended = node.ended() => ended,
        () = asked_to_stop() => node.stop().await,
    };
    stop.send_replace(true);
    // Open streams end with the process.
    let _ = tokio::time::timeout(Duration::from_secs(2), api).await;
    outcome.map_err(|error| failed(&error))
}

/// Completes at Ctrl-C or SIGTERM.
pub(super) async fn asked_to_stop() {
    match signal(SignalKind::terminate()) {
        Ok(mut terminate) => tokio::select! {
            _ = tokio::signal::ctrl_c() => {}
            _ = terminate.recv() => {}
        },
        Err(_) => {
            let _ = tokio::signal::ctrl_c().await;
        }
    }
}

/// What another process has, the data or an address, has the exit code that says so; everything is told with its own number.
fn failed(error: &NodeError) -> CliError {
    let exit = match error {
        NodeError::Store(nupeer_node::store::StoreError::AlreadyRunning { .. }) => {
            Exit::AlreadyRunning
        }
        NodeError::Follower(FollowerError::Locked { .. }) => Exit::AlreadyRunning,
        _ if error.is_address_taken() => Exit::AlreadyRunning,
        NodeError::Config(_)
        | NodeError::BlockTarget { .. }
        | NodeError::CardanoFrom(_)
        | NodeError::OtherPoint { .. } => Exit::Usage,
        NodeError::Key(_) | NodeError::BridgeKey { .. } => Exit::Key,
        NodeError::GenesisFile { .. } => Exit::NotFound,
        _ => Exit::Unexpected,
    };
    CliError {
        code: Some(error.code().to_string()),
        ..CliError::new(exit, error.to_string())
    }
}
