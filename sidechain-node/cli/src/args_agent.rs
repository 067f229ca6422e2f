//! What can be asked of `nupeer agent`.

use std::{net::SocketAddr, path::PathBuf};

use clap::Subcommand;
use nupeer_primitives::Amount;

use crate::amount::parse_ada;

#[derive(clap::Args)]
pub(crate) struct AgentArgs {
    /// The agent's TOML file, as `nupeer agent init` writes it
    #[arg(
        long,
        global = true,
        env = "NUPEER_AGENT_CONFIG",
        default_value = "agent/agent.toml",
        value_name = "FILE"
    )]
    pub(crate) config: PathBuf,
    #[command(subcommand)]
    pub(crate) command: Option<AgentCommand>,
}

#[derive(Subcommand)]
pub(crate) enum AgentCommand {
    /// Run the agent in the foreground, as root; the same as `nupeer agent` alone
    Run,
    /// Make an operator key and the agent's settings
    Init(AgentInitArgs),
    /// Measure this machine: cores, memory, disk, and how fast CPU and disk really are
    Measure {
        /// The folder whose disk is measured
        #[arg(long, default_value = ".", value_name = "DIR")]
        folder: PathBuf,
    },
    /// How the agent and its leases are
    Status,
    /// Remove every workload of this agent from the machine; the agent must not run
    Clear,
}

#[derive(clap::Args)]
pub(crate) struct AgentInitArgs {
    /// Where the key, the settings and everything else of the agent go
    #[arg(long, default_value = "agent", value_name = "DIR")]
    pub(crate) data: PathBuf,
    /// The account that owns the machine and is paid: a reward address
    #[arg(long, value_name = "ADDRESS")]
    pub(crate) owner: String,
    /// A node to ask; may be given several times (else that of --api-url)
    #[arg(long, value_name = "URL")]
    pub(crate) node: Vec<String>,
    /// Bond of the machine, which comes back when it is withdrawn
    #[arg(long, value_parser = parse_ada, default_value = "50ADA", value_name = "AMOUNT")]
    pub(crate) bond: Amount,
    /// Price of one lease for each hour, however large, as in 0.8ADA (else by the resource, as the settings say)
    #[arg(long, value_parser = parse_ada, value_name = "AMOUNT")]
    pub(crate) price: Option<Amount>,
    /// Where tenants reach the agent; port 0: the kernel chooses one, which is kept
    #[arg(long, default_value = "127.0.0.1:0", value_name = "ADDRESS:PORT")]
    pub(crate) listen: SocketAddr,
    /// The agent's name among others on this machine (else after its key)
    #[arg(long)]
    pub(crate) name: Option<String>,
}
