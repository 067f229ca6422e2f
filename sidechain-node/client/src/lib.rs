//! A node's interface for programs: typed answers, signing, submitting, waiting. Blocking.
//!
//! ```no_run
//! # use nupeer_client::{Client, Signer};
//! # fn example(signer: &Signer, action: nupeer_lease::Action) -> Result<(), nupeer_client::ClientError> {
//! let client = Client::new(["http://127.0.0.1:8420"]);
//! let id = client.submit(action, signer)?;
//! let height = client.wait_final(&id, std::time::Duration::from_secs(60))?;
//! # Ok(()) }
//! ```

pub mod agent;
mod answers;
mod certified;
mod client;
mod deposits;
mod error;
mod events;
mod market;
mod matching;
mod probe;
mod signer;
mod submit;

pub use agent::{AgentClient, AgentLease, AgentLimits, Logs};
pub use answers::{Account, Balance, GrantedKey, Status, TransactionStatus};
pub use client::Client;
pub use deposits::DepositStatus;
pub use error::ClientError;
pub use events::{BlockEvents, Blocks};
pub use market::{LeaseFilter, MachineFilter, Page, RequestFilter};
pub use matching::{Candidate, candidates};
pub use probe::probe;
pub use signer::{Key, Signer};
pub use submit::{TIMEOUT, VALID_FOR, now_unix_ms};
