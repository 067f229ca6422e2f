//! What can be asked of the market.

use std::{path::PathBuf, time::Duration};

use clap::Subcommand;
use nupeer_primitives::Amount;

use crate::{
    amount::parse_ada,
    args::{Signing, WalletFile},
    units::{parse_bytes, parse_cpu_milli, parse_duration, parse_price},
};

/// Who signs: a wallet, or a session key that acts for one.
#[derive(clap::Args, Clone)]
pub(crate) struct Who {
    #[command(flatten)]
    pub(crate) file: WalletFile,
    /// A session key's file instead of the wallet
    #[arg(long, env = "NUPEER_SESSION", value_name = "FILE")]
    pub(crate) session: Option<PathBuf>,
}

/// Who signs a transaction, and how.
#[derive(clap::Args, Clone)]
pub(crate) struct Acting {
    #[command(flatten)]
    pub(crate) signing: Signing,
    /// A session key's file instead of the wallet
    #[arg(long, env = "NUPEER_SESSION", value_name = "FILE")]
    pub(crate) session: Option<PathBuf>,
}

impl Acting {
    pub(crate) fn who(&self) -> Who {
        Who {
            file: self.signing.file.clone(),
            session: self.session.clone(),
        }
    }
}

/// How long a key may act.
#[derive(clap::Args, Clone)]
pub(crate) struct Term {
    /// How long, in hours
    #[arg(long, default_value_t = 24, value_parser = clap::value_parser!(u64).range(1..=8784))]
    hours: u64,
    /// How long, as in 90m or 30d
    #[arg(long, value_name = "DURATION", value_parser = parse_duration, conflicts_with = "hours")]
    expires: Option<Duration>,
}

impl Term {
    pub(crate) fn duration(&self) -> Duration {
        let hours = Duration::from_secs(self.hours.saturating_mul(3_600));
        self.expires.unwrap_or(hours)
    }
}

#[derive(Subcommand)]
pub(crate) enum SessionCommand {
    /// Make a key that acts for the wallet's account within a budget, and grant it that
    New(SessionNewArgs),
    /// Whose a session key is, and what it may still do
    Show {
        /// Its file
        file: PathBuf,
    },
}

#[derive(clap::Args)]
pub(crate) struct SessionNewArgs {
    /// Where to write the key
    #[arg(long, default_value = "session.json", value_name = "FILE")]
    pub(crate) out: PathBuf,
    /// What it may do: spend, lease, machine; separated by commas
    #[arg(long, value_delimiter = ',', default_value = "lease")]
    pub(crate) scope: Vec<String>,
    /// What it may take in all, fees included, as in 5ADA
    #[arg(long, value_parser = parse_ada, value_name = "AMOUNT")]
    pub(crate) budget: Amount,
    #[command(flatten)]
    pub(crate) term: Term,
    #[command(flatten)]
    pub(crate) signing: Signing,
}

#[derive(Subcommand)]
pub(crate) enum MachineCommand {
    /// Machines that the chain knows
    List {
        /// Those of this account alone
        #[arg(long, value_name = "ADDRESS")]
        owner: Option<String>,
    },
    /// One machine, as the chain knows it
    Show {
        /// Its id, or the beginning of it
        machine: String,
        /// Check it by a state proof against this genesis' validators, without believing the node; takes the whole id
        #[arg(long, value_name = "GENESIS")]
        prove: Option<PathBuf>,
    },
    /// Let an agent's operator key register and run machines for the wallet's account
    Allow {
        /// The operator key, or its hash: what `nupeer agent init` prints
        operator: String,
        /// What it may take in all, bonds and fees, as in 60ADA
        #[arg(long, value_parser = parse_ada, value_name = "AMOUNT")]
        budget: Amount,
        #[command(flatten)]
        term: Term,
        #[command(flatten)]
        signing: Signing,
    },
    /// Take no more leases, and have the bond back after the last one
    Withdraw {
        /// Its id, or the beginning of it
        machine: String,
        #[command(flatten)]
        acting: Acting,
    },
}

#[derive(Subcommand)]
pub(crate) enum OfferCommand {
    /// Signed offers that the node knows
    List {
        /// Those of this machine alone
        #[arg(long, value_name = "ID")]
        machine: Option<String>,
    },
}

#[derive(Subcommand)]
pub(crate) enum ImageCommand {
    /// Make an OCI image without a registry: of a busybox with a page or a script, or of a folder
    Make(ImageMakeArgs),
}

#[derive(clap::Args)]
pub(crate) struct ImageMakeArgs {
    /// Where to write the archive
    #[arg(long, value_name = "FILE")]
    pub(crate) out: PathBuf,
    /// Serve this text over HTTP
    #[arg(long, value_name = "TEXT", required_unless_present_any = ["script", "folder"])]
    pub(crate) greeting: Option<String>,
    /// Run this shell script
    #[arg(long, value_name = "FILE", conflicts_with_all = ["greeting", "folder"])]
    pub(crate) script: Option<PathBuf>,
    /// Take the files of this folder, without a busybox
    #[arg(
        long,
        value_name = "DIR",
        requires = "command",
        conflicts_with = "greeting"
    )]
    pub(crate) folder: Option<PathBuf>,
    /// The command of an image from a folder
    #[arg(long, value_name = "WORD", num_args = 1.., allow_hyphen_values = true)]
    pub(crate) command: Vec<String>,
    /// The TCP port that the workload listens on
    #[arg(long, default_value_t = 8080)]
    pub(crate) port: u16,
    /// A statically linked busybox
    #[arg(long, default_value = "/bin/busybox", value_name = "FILE")]
    pub(crate) busybox: PathBuf,
}

/// What a container is to be.
#[derive(clap::Args, Clone)]
pub(crate) struct Container {
    /// The image's digest, as in sha256:…
    #[arg(long, value_name = "DIGEST")]
    pub(crate) image: String,
    /// CPUs, as in 0.2
    #[arg(long, value_parser = parse_cpu_milli, value_name = "NUMBER")]
    pub(crate) cpu: u32,
    /// Memory, as in 64MiB; files written count
    #[arg(long, value_parser = parse_bytes, value_name = "SIZE")]
    pub(crate) memory: u64,
    /// The most processes and threads
    #[arg(long, default_value_t = 32, value_name = "NUMBER")]
    pub(crate) pids: u32,
    /// The TCP port to publish, as the container sees it
    #[arg(long)]
    pub(crate) port: Option<u16>,
    /// The command with its arguments, in place of the image's own
    #[arg(long, value_name = "WORD", num_args = 1.., allow_hyphen_values = true)]
    pub(crate) command: Vec<String>,
    /// A variable, as NAME=value; may be given several times
    #[arg(long, value_name = "NAME=VALUE")]
    pub(crate) env: Vec<String>,
}

/// What is asked for.
#[derive(clap::Args, Clone)]
pub(crate) struct WantedArgs {
    #[command(flatten)]
    pub(crate) container: Container,
    /// The most that it may cost, as in 0.8ADA/h
    #[arg(long, value_parser = parse_price, value_name = "PRICE")]
    pub(crate) price_max: u64,
    /// The longest it is to run, as in 10m
    #[arg(long, value_parser = parse_duration)]
    pub(crate) duration: Duration,
    /// What is put aside for it, as in 5ADA; what is not used comes back
    #[arg(long, value_parser = parse_ada, value_name = "AMOUNT")]
    pub(crate) escrow: Amount,
    /// On this machine alone
    #[arg(long, value_name = "ID")]
    pub(crate) machine: Option<String>,
    /// How long the request stands open
    #[arg(long, default_value = "10m", value_parser = parse_duration, value_name = "DURATION")]
    pub(crate) open_for: Duration,
}

/// What is asked for, and who asks.
#[derive(clap::Args, Clone)]
pub(crate) struct RequestArgs {
    #[command(flatten)]
    pub(crate) wanted: WantedArgs,
    #[command(flatten)]
    pub(crate) leases: LeaseFolder,
    #[command(flatten)]
    pub(crate) acting: Acting,
}

/// Where a tenant's files of leases are.
#[derive(clap::Args, Clone)]
pub(crate) struct LeaseFolder {
    /// Where what belongs to leases is kept: what runs in them, and what was signed
    #[arg(
        long = "leases",
        env = "NUPEER_LEASES",
        default_value = "leases",
        value_name = "DIR"
    )]
    pub(crate) folder: PathBuf,
}

/// Which lease, asked about at its agent.
#[derive(clap::Args, Clone)]
pub(crate) struct AtAgent {
    /// The lease's id, or the beginning of it
    pub(crate) lease: String,
    /// The agent's address, where it is not the one on the chain
    #[arg(long, value_name = "URL")]
    pub(crate) agent: Option<String>,
    #[command(flatten)]
    pub(crate) leases: LeaseFolder,
    #[command(flatten)]
    pub(crate) who: Who,
}

#[derive(Subcommand)]
pub(crate) enum LeaseCommand {
    /// Ask for a lease and put the escrow aside
    Request(RequestArgs),
    /// Make a lease of a request and an offer; anyone may
    Match {
        /// The request's id
        request: String,
        /// The offer's id, or `cheapest`
        #[arg(long, default_value = "cheapest", value_name = "ID")]
        offer: String,
        #[command(flatten)]
        acting: Acting,
    },
    /// Ask for a lease, take the cheapest offer that suits, and say why none does
    Order {
        #[command(flatten)]
        request: RequestArgs,
        /// Wait so long for an offer that suits
        #[arg(long, value_parser = parse_duration, value_name = "DURATION")]
        wait: Option<Duration>,
        /// Upload this image when there is a lease
        #[arg(long, value_name = "FILE")]
        upload: Option<PathBuf>,
    },
    /// Leases: of the wallet or session, of an account, on a machine, or all
    List {
        /// Those of this account
        #[arg(long, value_name = "ADDRESS", conflicts_with_all = ["machine", "all"])]
        tenant: Option<String>,
        /// Those on this machine
        #[arg(long, value_name = "ID", conflicts_with = "all")]
        machine: Option<String>,
        /// Those of everybody
        #[arg(long)]
        all: bool,
        #[command(flatten)]
        who: Who,
    },
    /// Open requests, or those of an account
    Requests {
        /// Those of this account, in any state
        #[arg(long, value_name = "ADDRESS")]
        tenant: Option<String>,
    },
    /// One lease, or the request that is none yet, as the chain knows it
    Show {
        /// Its id, or the beginning of it
        lease: String,
        /// Check it by a state proof against this genesis' validators, without believing the node; takes the whole id
        #[arg(long, value_name = "GENESIS")]
        prove: Option<PathBuf>,
    },
    /// How a lease's workload is, and where its port is published; the agent is asked
    Status(AtAgent),
    /// Put more into a lease's escrow
    TopUp {
        /// Its id
        lease: String,
        /// How much, as in 5ADA or 5000000lovelace
        #[arg(value_parser = parse_ada)]
        amount: Amount,
        #[command(flatten)]
        acting: Acting,
    },
    /// Take a request back that is no lease yet
    Cancel {
        /// Its id
        request: String,
        #[command(flatten)]
        acting: Acting,
    },
    /// End a lease: sign for what ran, pay that, and have the rest back
    Close {
        /// Its id
        lease: String,
        /// The agent's address, where it is not the one on the chain
        #[arg(long, value_name = "URL")]
        agent: Option<String>,
        /// Do not ask the agent for the last usage note
        #[arg(long)]
        without_note: bool,
        #[command(flatten)]
        leases: LeaseFolder,
        #[command(flatten)]
        acting: Acting,
    },
    /// Check and sign a lease's usage notes, in the foreground, until it closes
    Attend {
        #[command(flatten)]
        at: AtAgent,
        /// Only so long, in seconds
        #[arg(long = "for", value_name = "SECONDS")]
        seconds: Option<u64>,
        /// Time between two notes, 100 to 20000 milliseconds
        #[arg(long, default_value_t = 1000, value_parser = clap::value_parser!(u64).range(100..=20_000), value_name = "MS")]
        every_ms: u64,
        /// Go by the clocks alone: do not try the published port before each note
        #[arg(long)]
        no_probe: bool,
    },
    /// Give the agent what the lease is to run: the specification and the image
    Upload {
        #[command(flatten)]
        at: AtAgent,
        /// The image's archive
        image: PathBuf,
    },
    /// What the workload wrote
    Logs {
        #[command(flatten)]
        at: AtAgent,
        /// Only what comes after so many bytes
        #[arg(long, default_value_t = 0, value_name = "BYTES")]
        from: u64,
    },
}
