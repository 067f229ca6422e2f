//! What can be asked on the command line: `nupeer <noun> <verb>`.

use std::{ffi::OsString, path::PathBuf};

use clap::{FromArgMatches, Parser, Subcommand};
use nupeer_node::BLOCK_TARGET_MS;
use nupeer_primitives::{Amount, CardanoPoint, Hash};

use crate::{
    amount::parse_ada,
    args_agent::AgentArgs,
    args_cardano::{
        DeployArgs, DepositArgs, DevnetCommand, LedgerCommand, RelayerArgs, WalletFundsArgs,
        WalletPayArgs, WithdrawArgs,
    },
    args_market::{ImageCommand, LeaseCommand, MachineCommand, OfferCommand, SessionCommand},
    args_prepare::What,
    cardano_socket::CardanoSocket,
    units::parse_bytes,
};

/// Where the first node of a cluster on this machine answers.
pub(crate) const DEFAULT_API_URL: &str = "http://127.0.0.1:8420";

/// Over the options that every command has.
const EVERYWHERE: &str = "With every command";

/// How long a log may become: twice that is what one process leaves at most.
const LOG_MAX: &str = "16MiB";

/// A decentralised cloud beside Cardano: node, wallet and tools in one.
#[derive(Parser)]
#[command(name = "nupeer", version, max_term_width = 80)]
pub(crate) struct Args {
    /// Results as JSON, with a schema number
    #[arg(long, global = true, help_heading = EVERYWHERE)]
    pub(crate) json: bool,
    /// No colour (NO_COLOR and TERM=dumb do the same)
    #[arg(long, global = true, help_heading = EVERYWHERE)]
    pub(crate) no_color: bool,
    /// The node to ask; of several, separated by commas, the first that answers
    #[arg(
        long,
        global = true,
        env = "NUPEER_API_URL",
        default_value = DEFAULT_API_URL,
        value_name = "URL",
        help_heading = EVERYWHERE
    )]
    pub(crate) api_url: String,
    /// The chain that is meant, by its genesis id; a wallet remembers the first one it is used on
    #[arg(
        long,
        global = true,
        env = "NUPEER_GENESIS_ID",
        value_name = "HASH",
        help_heading = EVERYWHERE
    )]
    pub(crate) genesis_id: Option<Hash>,
    #[command(subcommand)]
    pub(crate) command: Command,
}

impl Args {
    /// What was asked. `demo --json FILE` names a file where every other `--json` stands alone, so it is read as `--report FILE`.
    pub(crate) fn from_command_line() -> Self {
        let arguments = Args::read_json_file(std::env::args_os().collect());
        let matches = crate::help::command().get_matches_from(arguments);
        Args::from_arg_matches(&matches).unwrap_or_else(|error| error.exit())
    }

    /// The arguments with the file of `demo --json FILE` named as clap knows it.
    pub(crate) fn read_json_file(mut arguments: Vec<OsString>) -> Vec<OsString> {
        if let Some(demo) = arguments.iter().position(|argument| argument == "demo") {
            let named = arguments.iter_mut().skip(demo).find(|a| *a == "--json");
            if let Some(flag) = named {
                *flag = "--report".into();
            }
        }
        arguments
    }
}

#[derive(Subcommand)]
pub(crate) enum Command {
    /// Play one payment's whole life: Cardano, a workload, Cardano
    Demo(DemoArgs),
    /// Run a node of the sidechain
    Node(NodeArgs),
    /// Run a cluster of validators on this machine, in the foreground
    Up(UpArgs),
    /// End the cluster that `nupeer up` started, or a demo
    Down(DownArgs),
    /// What a node knows of itself and the chain
    Status,
    /// Make or check a genesis
    #[command(subcommand)]
    Genesis(GenesisCommand),
    /// A Cardano of your own, to develop and demonstrate against
    #[command(subcommand)]
    Devnet(DevnetCommand),
    /// Cardano's rules against vectors that others made
    #[command(subcommand)]
    Ledger(LedgerCommand),
    /// Run a provider's agent, or make, measure and ask one
    Agent(AgentArgs),
    /// Put a bridge's contracts on Cardano
    Deploy(DeployArgs),
    /// Bring ADA from Cardano to the sidechain
    Deposit(DepositArgs),
    /// Take ADA from the sidechain to Cardano
    Withdraw(WithdrawArgs),
    /// Run a relayer, which carries what was decided to Cardano
    Relayer(RelayerArgs),
    /// Keys and addresses
    #[command(subcommand)]
    Wallet(WalletCommand),
    /// Balances and keys of an account
    Account(AccountArgs),
    /// Machines: what hardware owners offer
    #[command(subcommand)]
    Machine(MachineCommand),
    /// What machines offer, and for how much
    #[command(subcommand)]
    Offer(OfferCommand),
    /// Images for containers
    #[command(subcommand)]
    Image(ImageCommand),
    /// Leases: ask, match, attend, close
    #[command(subcommand)]
    Lease(Box<LeaseCommand>),
    /// Make, sign, submit and follow transactions
    #[command(subcommand)]
    Tx(TxCommand),
    /// What a block says: its time, its transactions, its commitments
    Block {
        /// Its height, or `latest`
        #[arg(default_value = "latest")]
        height: String,
    },
    /// What an error number means, and what to do
    Explain {
        /// As in NP2001, or 2001
        code: String,
    },
    /// Look for what is wrong with this machine's set-up
    Doctor,
    /// Shell completions
    Completions {
        /// Which shell
        shell: clap_complete::Shell,
    },
}

#[derive(clap::Args)]
pub(crate) struct NodeArgs {
    /// The node's TOML file
    #[arg(long, env = "NUPEER_CONFIG", value_name = "FILE")]
    pub(crate) config: PathBuf,
    /// Unix socket of a Cardano node that you trust, instead of the file's `cardano_socket`
    #[arg(long, value_name = "PATH")]
    pub(crate) cardano_socket: Option<PathBuf>,
    /// Its network (mainnet, preprod, preview, or a file), instead of the file's `cardano_network`
    #[arg(long, visible_alias = "network", value_name = "NETWORK")]
    pub(crate) cardano_network: Option<PathBuf>,
    /// Block after which to follow it (SLOT.HASH), instead of the file's `cardano_from`; where the genesis names one, it is the same
    #[arg(long, value_name = "POINT")]
    pub(crate) cardano_from: Option<CardanoPoint>,
    /// After looking into it: take a rollback of Cardano deeper than k off this node's record, and end. The node must not run
    #[arg(long)]
    pub(crate) acknowledge_rollback: bool,
}

#[derive(clap::Args)]
pub(crate) struct UpArgs {
    /// Where the cluster keeps everything
    #[arg(long, default_value = "cluster", value_name = "DIR")]
    pub(crate) data: PathBuf,
    /// How many validators, 1 to 16, where a new cluster is made
    #[arg(long, default_value_t = 4, value_parser = clap::value_parser!(u16).range(1..=16), value_name = "NUMBER")]
    pub(crate) validators: u16,
    /// A first balance, as in stake_test1…=100ADA, where a new cluster is made; may be given several times
    #[arg(long, value_name = "ADDRESS=AMOUNT", value_parser = parse_credit)]
    pub(crate) credit: Vec<(String, Amount)>,
    /// Time between blocks, 10 to 60000 milliseconds
    #[arg(long, default_value_t = 1000, value_parser = clap::value_parser!(u64).range(BLOCK_TARGET_MS), value_name = "MS")]
    pub(crate) block_target_ms: u64,
    /// How long each process's log may become, as in 16MiB; then it is begun anew, and one older log is kept
    #[arg(long, default_value = LOG_MAX, value_parser = parse_bytes, value_name = "SIZE")]
    pub(crate) log_max: u64,
    #[command(flatten)]
    pub(crate) cardano: CardanoSocket,
}

#[derive(clap::Args)]
pub(crate) struct DemoArgs {
    /// Where the demo keeps everything; what an earlier demo left there is removed
    #[arg(long, default_value = "demo", value_name = "DIR")]
    pub(crate) data: PathBuf,
    /// End with the story instead of leaving the cluster running
    #[arg(long)]
    pub(crate) once: bool,
    /// Write the report as JSON to this file, `-` for standard output; `demo --json FILE` does the same
    #[arg(long, value_name = "FILE")]
    pub(crate) report: Option<PathBuf>,
    /// Time between blocks of the sidechain, 10 to 60000 milliseconds
    #[arg(long, default_value_t = 1000, value_parser = clap::value_parser!(u64).range(BLOCK_TARGET_MS), value_name = "MS")]
    pub(crate) block_target_ms: u64,
    /// Kill processes at moments that this seed chooses, and start them again: the story must come true all the same
    #[arg(long, value_name = "SEED")]
    pub(crate) havoc: Option<u64>,
    /// How long each process's log may become, as in 16MiB; then it is begun anew, and one older log is kept
    #[arg(long, default_value = LOG_MAX, value_parser = parse_bytes, value_name = "SIZE")]
    pub(crate) log_max: u64,
}

#[derive(clap::Args)]
pub(crate) struct DownArgs {
    /// Where the cluster, or the demo, keeps everything
    #[arg(long, default_value = "cluster", value_name = "DIR")]
    pub(crate) data: PathBuf,
}

#[derive(Subcommand)]
pub(crate) enum GenesisCommand {
    /// Make the keys of validators, and print what others need of them
    Keys {
        /// Where to make a folder for each validator
        #[arg(long, value_name = "DIR")]
        out: PathBuf,
        /// How many validators, 1 to 100
        #[arg(long, default_value_t = 4, value_parser = clap::value_parser!(u16).range(1..=100), value_name = "NUMBER")]
        validators: u16,
    },
    /// Make a genesis, and the folders of its validators where they have none
    New(GenesisNewArgs),
    /// Check a genesis file and say its id
    Show {
        /// The file
        file: PathBuf,
    },
}

#[derive(clap::Args)]
pub(crate) struct GenesisNewArgs {
    /// Where to write genesis.json and a folder for each validator
    #[arg(long, value_name = "DIR")]
    pub(crate) out: PathBuf,
    /// The chain's name, which people read in what they sign
    #[arg(long, default_value = "local")]
    pub(crate) name: String,
    /// How many validators, 1 to 100
    #[arg(long, default_value_t = 4, value_parser = clap::value_parser!(u16).range(1..=100), value_name = "NUMBER")]
    pub(crate) validators: u16,
    /// A first balance, as in stake_test1…=100ADA; may be given several times
    #[arg(long, value_name = "ADDRESS=AMOUNT", value_parser = parse_credit)]
    pub(crate) credit: Vec<(String, Amount)>,
    /// The bridge that `nupeer deploy` made; the chain then follows Cardano and starts without balances
    #[arg(long, value_name = "FILE", conflicts_with = "credit")]
    pub(crate) deployment: Option<PathBuf>,
    /// The Cardano network to follow: mainnet, preprod, preview, or the file network.json of a devnet
    #[arg(long, env = "NUPEER_CARDANO_NETWORK", value_name = "NETWORK")]
    pub(crate) cardano_network: Option<PathBuf>,
    /// The Cardano block after which to follow without a bridge, as slot.hash
    #[arg(
        long,
        value_name = "POINT",
        requires = "cardano_network",
        conflicts_with = "deployment"
    )]
    pub(crate) cardano_from: Option<CardanoPoint>,
}

fn parse_credit(text: &str) -> Result<(String, Amount), String> {
    let (address, amount) = text
        .split_once('=')
        .ok_or("write ADDRESS=AMOUNT, as in stake_test1…=100ADA")?;
    Ok((address.to_owned(), parse_ada(amount)?))
}

#[derive(clap::Args, Clone)]
pub(crate) struct WalletFile {
    /// The wallet's file
    #[arg(
        long,
        env = "NUPEER_WALLET",
        default_value = "wallet.json",
        value_name = "FILE"
    )]
    pub(crate) wallet: PathBuf,
    /// A file with the wallet's password on its first line (else NUPEER_WALLET_PASSWORD)
    #[arg(long, value_name = "FILE")]
    pub(crate) password_file: Option<PathBuf>,
}

#[derive(Subcommand)]
pub(crate) enum WalletCommand {
    /// Make a wallet of 24 new words
    New {
        #[command(flatten)]
        file: WalletFile,
        /// For mainnet (else for test networks)
        #[arg(long)]
        mainnet: bool,
    },
    /// Make a wallet of words that exist; they are read from standard input
    Restore {
        #[command(flatten)]
        file: WalletFile,
        /// For mainnet (else for test networks)
        #[arg(long)]
        mainnet: bool,
    },
    /// The wallet's addresses
    Show {
        #[command(flatten)]
        file: WalletFile,
    },
    /// Keys that act for the wallet, so that it can stay closed
    #[command(subcommand)]
    Session(Box<SessionCommand>),
    /// What it holds on Cardano and on the sidechain, and what is on its way
    Funds(WalletFundsArgs),
    /// Pay ADA to an address on Cardano
    Pay(WalletPayArgs),
}

#[derive(clap::Args)]
pub(crate) struct AccountArgs {
    /// A reward address (stake1… or stake_test1…)
    pub(crate) address: String,
    /// Check the ADA balance by a state proof against this genesis' validators, without believing the node
    #[arg(long, value_name = "GENESIS")]
    pub(crate) prove: Option<PathBuf>,
}

#[derive(clap::Args, Clone)]
pub(crate) struct Signing {
    #[command(flatten)]
    pub(crate) file: WalletFile,
    /// How long the transaction stays valid, in seconds
    #[arg(long, default_value_t = 300, value_name = "SECONDS")]
    pub(crate) valid_for: u64,
    /// Show the exact text and the fee, ask the node whether it would be refused, and do nothing
    #[arg(long)]
    pub(crate) dry_run: bool,
    /// Do not ask
    #[arg(long, short)]
    pub(crate) yes: bool,
    /// Return as soon as the node has it, not when it is final
    #[arg(long)]
    pub(crate) no_wait: bool,
}

#[derive(clap::Args, Clone)]
pub(crate) struct GrantArgs {
    /// Hash of the key, 56 hexadecimal digits
    #[arg(long, value_name = "HASH")]
    pub(crate) key: String,
    /// What it may do: spend, lease, machine; separated by commas
    #[arg(long, value_delimiter = ',', required = true)]
    pub(crate) scope: Vec<String>,
    /// What it may take in all, fees included, as in 5ADA
    #[arg(long, value_parser = parse_ada, value_name = "AMOUNT")]
    pub(crate) budget: Amount,
    /// How long, in hours
    #[arg(long, default_value_t = 24)]
    pub(crate) hours: u64,
}

#[derive(Subcommand)]
pub(crate) enum TxCommand {
    /// Pay another account
    Send {
        /// Its reward address (stake1… or stake_test1…)
        #[arg(long, value_name = "ADDRESS")]
        to: String,
        /// How much, as in 5ADA or 5000000lovelace
        #[arg(long, value_parser = parse_ada, value_name = "AMOUNT")]
        amount: Amount,
        #[command(flatten)]
        signing: Signing,
    },
    /// Let a key act for the account
    Grant {
        #[command(flatten)]
        grant: GrantArgs,
        #[command(flatten)]
        signing: Signing,
    },
    /// End what a key was granted
    Revoke {
        /// Hash of the key; nupeer account lists those that were granted something
        #[arg(long, value_name = "HASH")]
        key: String,
        #[command(flatten)]
        signing: Signing,
    },
    /// Print what an outside wallet must sign
    Prepare {
        /// The account that acts: a reward address
        #[arg(long, value_name = "ADDRESS")]
        from: String,
        /// How long the transaction stays valid, in seconds
        #[arg(long, default_value_t = 300, value_name = "SECONDS")]
        valid_for: u64,
        #[command(subcommand)]
        what: Box<What>,
    },
    /// Submit what an outside wallet signed
    Submit {
        /// `transaction_cbor` of `tx prepare`
        #[arg(long, value_name = "HEX")]
        cbor: String,
        /// `signature` of signData
        #[arg(long, value_name = "HEX")]
        cose_sign1: String,
        /// `key` of signData
        #[arg(long, value_name = "HEX")]
        cose_key: String,
        /// Return as soon as the node has it, not when it is final
        #[arg(long)]
        no_wait: bool,
    },
    /// Whether a transaction is pending, final or refused, and where it is
    Show {
        /// Its id
        id: String,
    },
    /// Wait until a transaction is final
    Wait {
        /// Its id
        id: String,
        /// How long, in seconds
        #[arg(long, default_value_t = 60, value_name = "SECONDS")]
        timeout: u64,
    },
}

#[cfg(test)]
mod tests {
    #[test]
    fn blocks_are_at_least_ten_milliseconds_and_at_most_a_minute_apart() {
        for command in ["up", "demo"] {
            let reads = |ms: &str| {
                let words = ["nupeer", command, "--block-target-ms", ms];
                crate::help::command().try_get_matches_from(words).is_ok()
            };
            for (ms, is_read) in [
                ("0", false),
                ("9", false),
                ("10", true),
                ("60000", true),
                ("60001", false),
            ] {
                assert_eq!(reads(ms), is_read, "{command} {ms}");
            }
        }
    }
}
