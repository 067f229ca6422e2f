//! The agent on a provider's machine: it reads from the chain what is wanted of the machine, asks the driver what is there, and acts on the
//! difference. See the README; begin with [`reconcile`].

pub mod actual;
pub mod agent;
pub mod api;
pub mod auth;
mod believed;
pub mod chain;
pub mod clock;
pub mod config;
pub mod desired;
pub mod error;
mod files;
pub mod ingress;
pub mod inventory;
pub mod key;
mod known_chain;
pub mod metering;
pub mod node;
pub mod outbox;
mod own;
#[cfg(any(test, feature = "played"))]
pub mod played;
pub mod reconcile;
pub mod records;
pub mod register;
mod registration;
mod room;
pub mod run;
pub mod seen;
pub mod site;
pub mod steps;
pub mod terms;

pub use agent::Agent;
pub use config::AgentConfig;
pub use error::AgentError;
pub use key::OperatorKey;
pub use site::Site;
