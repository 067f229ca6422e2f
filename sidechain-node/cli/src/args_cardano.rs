//! What can be asked of Cardano and of the bridge.

use std::{net::SocketAddr, path::PathBuf};

use clap::Subcommand;
use nupeer_devnet::Profile;
use nupeer_primitives::Amount;

use crate::{
    amount::parse_ada,
    args::{Signing, WalletFile},
    cardano_socket::CardanoSocket,
};

/// A running devnet.
#[derive(clap::Args, Clone)]
pub(crate) struct DevnetFolder {
    /// The devnet's folder
    #[arg(
        long,
        env = "NUPEER_DEVNET",
        default_value = "devnet",
        value_name = "DIR"
    )]
    pub(crate) data: PathBuf,
}

#[derive(clap::Args)]
pub(crate) struct DevnetUpArgs {
    #[command(flatten)]
    pub(crate) folder: DevnetFolder,
    /// Its pace: fast (k = 12) or deep (k = 2160); that of the folder where one exists
    #[arg(long)]
    pub(crate) profile: Option<Profile>,
    /// Time between blocks, in milliseconds
    #[arg(long, default_value_t = 1000, value_parser = clap::value_parser!(u64).range(1..), value_name = "MS")]
    pub(crate) block_interval_ms: u64,
    /// Where other nodes may connect, on loopback; port 0 is one of the system's choice
    #[arg(long, value_name = "ADDR")]
    pub(crate) n2n_listen: Option<SocketAddr>,
    /// What all its keys derive from; that of the folder where one exists
    #[arg(long, value_name = "NUMBER")]
    pub(crate) seed: Option<u64>,
    /// What is logged, as in RUST_LOG
    #[arg(long, default_value = "info", value_name = "FILTER")]
    pub(crate) log: String,
}

/// How blocks are taken back.
#[derive(clap::Args)]
pub(crate) struct CutArgs {
    #[command(flatten)]
    pub(crate) folder: DevnetFolder,
    /// How many blocks to take back
    #[arg(long, value_name = "BLOCKS")]
    pub(crate) depth: u64,
    /// A transaction to put in first instead, in hexadecimal CBOR; what conflicts with it does not return
    #[arg(long, value_name = "CBOR", num_args = 1..)]
    pub(crate) replace: Vec<String>,
    /// Id of a transaction that does not return
    #[arg(long, value_name = "ID", num_args = 1..)]
    pub(crate) drop: Vec<String>,
    /// Go deeper than k
    #[arg(long)]
    pub(crate) force: bool,
}

#[derive(Subcommand)]
pub(crate) enum DevnetCommand {
    /// Run a Cardano of your own, in the foreground
    Up(DevnetUpArgs),
    /// How long its chain is, and whether it makes blocks
    Status(DevnetFolder),
    /// Who has ADA from the beginning, and their keys
    Accounts(DevnetFolder),
    /// Send ADA from the faucet
    Faucet {
        /// Where to: an address on this devnet
        address: String,
        /// How much, as in 5ADA or 5000000lovelace
        #[arg(value_parser = parse_ada)]
        amount: Amount,
        /// Return as soon as it is submitted, not when it is in a block
        #[arg(long)]
        no_wait: bool,
        #[command(flatten)]
        folder: DevnetFolder,
    },
    /// Let a second chain of blocks outgrow the first
    Fork(CutArgs),
    /// Take blocks back
    Rollback(CutArgs),
    /// Make no more blocks
    Stall(DevnetFolder),
    /// Make blocks again
    Resume(DevnetFolder),
    /// Make blocks at once
    Hurry {
        /// How many
        blocks: u64,
        #[command(flatten)]
        folder: DevnetFolder,
    },
    /// Where a transaction is, and what it cost
    Tx {
        /// Its id
        id: String,
        #[command(flatten)]
        folder: DevnetFolder,
    },
}

#[derive(Subcommand)]
pub(crate) enum LedgerCommand {
    /// Judge transactions, each with the state before it and its verdict
    CheckScenarios {
        /// The folder, with `scenarios/` and what these refer to
        folder: PathBuf,
        /// Names of scenarios that may fail, one a line
        #[arg(long, value_name = "FILE")]
        known_failures: Option<PathBuf>,
    },
    /// Judge block headers, each with its verdict
    CheckHeaders {
        /// The file, a list in JSON
        file: PathBuf,
    },
}

#[derive(clap::Args)]
pub(crate) struct DeployArgs {
    /// Who certifies: a folder of validators, a file of keys, or bridge public keys separated by commas
    #[arg(long, value_name = "KEYS")]
    pub(crate) committee: String,
    /// How many shards the vault has, 1 to 64
    #[arg(long, default_value_t = 2, value_parser = clap::value_parser!(u8).range(1..=64), value_name = "NUMBER")]
    pub(crate) shards: u8,
    /// A native asset that may enter beside ADA, as POLICY.NAME in hexadecimal
    #[arg(long, value_name = "ASSET")]
    pub(crate) asset: Vec<String>,
    /// Where to write the deployment
    #[arg(long, default_value = "deployment.json", value_name = "FILE")]
    pub(crate) out: PathBuf,
    /// How long to wait until it is in a block, in seconds
    #[arg(long, default_value_t = 300, value_name = "SECONDS")]
    pub(crate) timeout: u64,
    /// Show effect and fees, and do nothing
    #[arg(long)]
    pub(crate) dry_run: bool,
    /// Do not ask
    #[arg(long, short)]
    pub(crate) yes: bool,
    #[command(flatten)]
    pub(crate) file: WalletFile,
    #[command(flatten)]
    pub(crate) cardano: CardanoSocket,
}

#[derive(clap::Args)]
pub(crate) struct DeploymentFile {
    /// The bridge, as `nupeer deploy` wrote it
    #[arg(
        long,
        env = "NUPEER_DEPLOYMENT",
        default_value = "deployment.json",
        value_name = "FILE"
    )]
    pub(crate) deployment: PathBuf,
}

#[derive(clap::Args)]
pub(crate) struct DepositArgs {
    /// How much, as in 5ADA or 5000000lovelace
    #[arg(value_parser = parse_ada)]
    pub(crate) amount: Amount,
    /// The account to credit, a reward address; the wallet's own if none is named
    #[arg(long, value_name = "ACCOUNT")]
    pub(crate) to: Option<String>,
    #[command(flatten)]
    pub(crate) bridge: DeploymentFile,
    /// Follow it until it is credited or lost
    #[arg(long)]
    pub(crate) wait: bool,
    /// How long to follow it, in seconds
    #[arg(long, default_value_t = 600, value_name = "SECONDS")]
    pub(crate) timeout: u64,
    /// In how many slots it must be in a block; after that it never will be
    #[arg(long, default_value_t = 3600, value_name = "SLOTS")]
    pub(crate) valid_for_slots: u64,
    /// Print the signed transaction and submit nothing
    #[arg(long, conflicts_with = "wait")]
    pub(crate) no_submit: bool,
    /// Show effect and fee, and do nothing
    #[arg(long, conflicts_with_all = ["wait", "no_submit"])]
    pub(crate) dry_run: bool,
    /// Do not ask
    #[arg(long, short)]
    pub(crate) yes: bool,
    #[command(flatten)]
    pub(crate) file: WalletFile,
    #[command(flatten)]
    pub(crate) cardano: CardanoSocket,
}

#[derive(clap::Args)]
pub(crate) struct WalletPayArgs {
    /// Where to: an address on Cardano (addr1… or addr_test1…)
    pub(crate) address: String,
    /// How much, as in 5ADA or 5000000lovelace
    #[arg(value_parser = parse_ada)]
    pub(crate) amount: Amount,
    /// An output that is to be spent, as TRANSACTION#INDEX, even one that a waiting transaction spends already; with --no-submit, even
    /// one that a deposit of this wallet has spent
    #[arg(long, value_name = "OUTPUT")]
    pub(crate) spend: Vec<String>,
    /// Print the signed transaction and submit nothing
    #[arg(long)]
    pub(crate) no_submit: bool,
    /// Show effect and fee, and do nothing
    #[arg(long, conflicts_with = "no_submit")]
    pub(crate) dry_run: bool,
    /// Do not ask
    #[arg(long, short)]
    pub(crate) yes: bool,
    #[command(flatten)]
    pub(crate) file: WalletFile,
    #[command(flatten)]
    pub(crate) cardano: CardanoSocket,
}

#[derive(clap::Args)]
pub(crate) struct WalletFundsArgs {
    /// The bridge whose deposits are shown, as `nupeer deploy` wrote it
    #[arg(long, env = "NUPEER_DEPLOYMENT", value_name = "FILE")]
    pub(crate) deployment: Option<PathBuf>,
    #[command(flatten)]
    pub(crate) file: WalletFile,
    #[command(flatten)]
    pub(crate) cardano: CardanoSocket,
}

#[derive(clap::Args)]
#[command(args_conflicts_with_subcommands = true, subcommand_negates_reqs = true)]
pub(crate) struct WithdrawArgs {
    #[command(subcommand)]
    pub(crate) command: Option<WithdrawCommand>,
    /// How much, as in 5ADA or 5000000lovelace
    #[arg(value_parser = parse_ada, required = true)]
    pub(crate) amount: Option<Amount>,
    /// Where to on Cardano; the wallet's own address if none is named
    #[arg(long, value_name = "ADDRESS")]
    pub(crate) to: Option<String>,
    /// Follow it until it is paid and the payment is deep
    #[arg(long)]
    pub(crate) wait: bool,
    /// How long to follow it, in seconds
    #[arg(long, default_value_t = 600, value_name = "SECONDS")]
    pub(crate) timeout: u64,
    #[command(flatten)]
    pub(crate) signing: Signing,
}

#[derive(Subcommand)]
pub(crate) enum WithdrawCommand {
    /// Take a withdrawal back that is still queued
    Cancel {
        /// Its id, as `nupeer withdraw` and `nupeer wallet funds` print it
        id: String,
        #[command(flatten)]
        signing: Signing,
    },
    /// How far a withdrawal is
    Show {
        /// Its id, as `nupeer withdraw` and `nupeer wallet funds` print it
        id: String,
        /// Check it by a state proof against this genesis' validators, without believing the node
        #[arg(long, value_name = "GENESIS")]
        prove: Option<PathBuf>,
    },
}

#[derive(clap::Args)]
pub(crate) struct RelayerArgs {
    /// The relayer's TOML file
    #[arg(long, env = "NUPEER_CONFIG", value_name = "FILE")]
    pub(crate) config: PathBuf,
    /// A file with the wallet's password on its first line (else NUPEER_WALLET_PASSWORD)
    #[arg(long, value_name = "FILE")]
    pub(crate) password_file: Option<PathBuf>,
}
