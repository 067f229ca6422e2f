//! How a command reaches Cardano: the socket of a node that its user trusts, and that node's network.

use std::path::{Path, PathBuf};

use nupeer_cardano_client::{Network, Node};

use crate::error::{CliError, Exit, Outcome, file_error};

/// The network where none is named.
const DEFAULT_NETWORK: &str = "preprod";

/// Which Cardano node to ask.
#[derive(clap::Args, Clone, Debug)]
pub(crate) struct CardanoSocket {
    /// Unix socket of a Cardano node that you trust
    #[arg(long, env = "NUPEER_CARDANO_SOCKET", value_name = "PATH")]
    pub(crate) cardano_socket: Option<PathBuf>,
    /// Its network: mainnet, preprod, preview, or the file network.json of a devnet
    #[arg(
        long,
        env = "NUPEER_CARDANO_NETWORK",
        default_value = DEFAULT_NETWORK,
        value_name = "NETWORK"
    )]
    pub(crate) cardano_network: PathBuf,
}

/// The socket that the environment names; cardano-cli's own variable will do.
pub(crate) fn from_environment() -> Option<PathBuf> {
    ["NUPEER_CARDANO_SOCKET", "CARDANO_NODE_SOCKET_PATH"]
        .into_iter()
        .find_map(std::env::var_os)
        .map(PathBuf::from)
}

/// The last block of the node at `socket`, in words.
pub(crate) fn tip(socket: &Path) -> Outcome<String> {
    let asked = CardanoSocket {
        cardano_socket: Some(socket.to_owned()),
        cardano_network: std::env::var_os("NUPEER_CARDANO_NETWORK")
            .map_or_else(|| DEFAULT_NETWORK.into(), PathBuf::from),
    };
    let node = asked.node()?;
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build();
    let runtime = runtime.map_err(|error| CliError::new(Exit::Unexpected, error.to_string()))?;
    let tip = runtime.block_on(node.tip());
    let tip = tip.map_err(|error| CliError::numbered(Exit::Unreachable, &error))?;
    Ok(tip.map_or_else(
        || "no block yet".into(),
        |tip| format!("block {} in slot {}", tip.block_number, tip.point.slot),
    ))
}

impl CardanoSocket {
    /// This, where a socket was given.
    pub(crate) fn given(&self) -> Option<&Self> {
        self.cardano_socket.is_some().then_some(self)
    }

    /// The network's figures.
    pub(crate) fn network(&self) -> Outcome<Network> {
        Network::named_or_file(&self.cardano_network.to_string_lossy()).map_err(|error| {
            CliError::numbered(Exit::Usage, &error).next(
                "--cardano-network NETWORK   mainnet, preprod, preview, or a devnet's network.json",
            )
        })
    }

    /// The node, which is not yet spoken to.
    pub(crate) fn node(&self) -> Outcome<Node> {
        let socket = self
            .cardano_socket
            .clone()
            .or_else(from_environment)
            .ok_or_else(|| {
                CliError::new(Exit::Usage, "this needs the socket of a Cardano node")
                    .next("--cardano-socket PATH      or NUPEER_CARDANO_SOCKET")
                    .next("nupeer devnet up           starts a Cardano of your own")
            })?;
        Ok(Node::new(socket, self.network()?))
    }

    /// Socket and network as a settings file in any folder may name them.
    pub(crate) fn absolute(&self) -> Outcome<(PathBuf, PathBuf)> {
        let absolute =
            |path: &PathBuf| std::path::absolute(path).map_err(|error| file_error(path, &error));
        let socket = self.cardano_socket.as_ref().map(absolute).transpose()?;
        let named = self.cardano_network.to_str();
        let network = match named.map(Network::by_name) {
            Some(Ok(_)) => self.cardano_network.clone(),
            _ => absolute(&self.cardano_network)?,
        };
        Ok((socket.unwrap_or_default(), network))
    }
}
