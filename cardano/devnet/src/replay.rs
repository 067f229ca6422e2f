//! A node that has somebody else's blocks and nothing more: what follows it through the devnet's own server follows a real chain.
//!
//! It has no ledger. Followers are served in full; whoever asks about the state or submits something is hung up on.

use std::path::{Path, PathBuf};

use tokio::task::JoinSet;

use crate::{
    owner::Owner,
    server::{self, BindError, Served, Socket},
    view::{Block, ChainView},
};

/// Cardano's k, in blocks.
const SECURITY_PARAMETER: u64 = 2_160;

/// A chain that is shown as far as one likes. Dropping it ends its server.
#[derive(Debug)]
pub struct Replay {
    socket: PathBuf,
    blocks: Vec<Block>,
    view: ChainView,
    /// Aborted when dropped.
    _server: JoinSet<()>,
}

impl Replay {
    /// Serves `blocks` at `socket`, none of them at first. Their numbers must follow one another; the first need not be 0.
    ///
    /// Must be called inside a tokio runtime.
    pub fn start(socket: &Path, network_magic: u64, blocks: Vec<Block>) -> Result<Self, BindError> {
        let node = Socket::bind(socket)?;
        let view = ChainView::default();
        let served = Served {
            network_magic,
            security_parameter: SECURITY_PARAMETER,
            view: view.clone(),
            owner: Owner::nobody(),
        };
        let mut server = JoinSet::new();
        server.spawn(async move { server::accept(&node, served).await });
        Ok(Self {
            socket: socket.to_owned(),
            blocks,
            view,
            _server: server,
        })
    }

    /// Shows so many blocks from the first: more than before, or fewer, which is a rollback.
    pub fn show(&self, height: usize) {
        let keep = usize::try_from(self.view.tip().height).unwrap_or(usize::MAX);
        let keep = keep.min(height).min(self.blocks.len());
        let more = self.blocks.iter().take(height).skip(keep);
        self.view.replace(keep as u64, more.cloned().collect());
    }

    /// The chain as followers see it.
    pub fn view(&self) -> &ChainView {
        &self.view
    }

    /// The socket.
    pub fn socket_path(&self) -> &Path {
        &self.socket
    }
}
