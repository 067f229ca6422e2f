//! What an outside wallet can be asked to sign.

use std::path::PathBuf;

use clap::Subcommand;
use nupeer_primitives::{Amount, Hash};

use crate::{
    amount::parse_ada,
    args::GrantArgs,
    args_market::{LeaseFolder, Term, WantedArgs},
};

#[derive(Subcommand, Clone)]
pub(crate) enum What {
    /// Pay another account
    Send {
        /// Its reward address (stake1… or stake_test1…)
        #[arg(long, value_name = "ADDRESS")]
        to: String,
        /// How much, as in 5ADA or 5000000lovelace
        #[arg(long, value_parser = parse_ada, value_name = "AMOUNT")]
        amount: Amount,
    },
    /// Let a key act for the account
    Grant(GrantArgs),
    /// End what a key was granted
    Revoke {
        /// Hash of the key, 56 hexadecimal digits
        #[arg(long, value_name = "HASH")]
        key: String,
    },
    /// Make a session key and let it act for the account, so that the wallet need not sign usage notes
    Session(SessionArgs),
    /// Take ADA to an address on Cardano
    Withdraw {
        /// The address (addr1… or addr_test1…)
        #[arg(long, value_name = "ADDRESS")]
        to: String,
        /// How much, as in 5ADA or 5000000lovelace
        #[arg(long, value_parser = parse_ada, value_name = "AMOUNT")]
        amount: Amount,
    },
    /// Take a withdrawal back while it waits
    CancelWithdrawal {
        /// Its id
        id: Hash,
    },
    /// Ask for a lease and put the escrow aside
    Request {
        #[command(flatten)]
        wanted: WantedArgs,
        #[command(flatten)]
        leases: LeaseFolder,
    },
    /// Make a lease of a request and an offer
    Match {
        /// The request's id
        request: String,
        /// The offer's id, or `cheapest`
        #[arg(long, default_value = "cheapest", value_name = "ID")]
        offer: String,
    },
    /// Take a request back that is no lease yet
    CancelRequest {
        /// Its id
        request: String,
    },
    /// Put more into a lease's escrow
    TopUp {
        /// Its id
        lease: String,
        /// How much, as in 5ADA or 5000000lovelace
        #[arg(value_parser = parse_ada)]
        amount: Amount,
    },
    /// End a lease, with the last usage note that a session key signed for it
    Close {
        /// Its id
        lease: String,
        #[command(flatten)]
        leases: LeaseFolder,
    },
    /// Settle the last usage note of a lease; the machine's owner does
    SettleUsage {
        /// The note with both signatures, in hexadecimal CBOR
        #[arg(value_name = "HEX")]
        note: String,
    },
    /// Take no more leases on a machine, and have the bond back after the last one
    WithdrawMachine {
        /// Its id, or the beginning of it
        machine: String,
    },
}

/// A new session key, and what it may do.
#[derive(clap::Args, Clone)]
pub(crate) struct SessionArgs {
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
}
