//! Orders opaque bytes among validators: Byzantine fault tolerant consensus by Malachite, which appears nowhere in
//! what this crate shows.
//!
//! Whoever uses it implements [`Application`] and awaits [`run`]. What comes out, block by block, is the bytes and a
//! [`Certificate`](nupeer_primitives::consensus::Certificate) that anybody can check with `nupeer_primitives` alone.
//! The README tells how the parts fit together.

mod actors;
mod answers;
mod application;
mod codec;
mod config;
mod context;
mod engine;
mod error;
mod evidence;
mod guard;
mod height;
mod signing;
mod streams;
mod turns;
mod work;

use std::future::Future;
use std::sync::Arc;

pub use application::{Application, ApplicationError, Block, Proposal, Undecided, Verdict};
pub use config::{Config, Keys, Timeouts};
pub use error::ConsensusError;
pub use evidence::{Evidence, EvidenceKind, Statement};

/// Takes part in consensus until `shutdown` completes.
///
/// On return the port and the folder are free again, unless the future was dropped before. An error means that
/// the engine cannot go on; of all of them only [`ConsensusError::Halted`] forbids to start again at once. A
/// key that is not among a height's validators follows the chain without voting.
pub async fn run(
    config: Config,
    keys: Keys,
    app: Arc<dyn Application>,
    shutdown: impl Future<Output = ()> + Send,
) -> Result<(), ConsensusError> {
    let mut shutdown = std::pin::pin!(shutdown);
    engine::run(config, keys, app, shutdown.as_mut()).await
}

/// The engine's metrics in Prometheus text format: all engines of this process, told apart by their moniker.
pub fn metrics() -> String {
    let mut text = String::new();
    malachitebft_app::metrics::export(&mut text);
    text
}
