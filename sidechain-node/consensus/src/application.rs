//! What the chain above must provide: it builds, judges, stores and executes the bytes that are ordered here.

use std::time::Instant;

use async_trait::async_trait;
use bytes::Bytes;
use nupeer_primitives::consensus::{Certificate, ValidatorId, ValidatorSet};
use nupeer_primitives::{Hash, Height};

use crate::Evidence;

/// What went wrong inside the application. The engine never looks into it: any such error stops it.
pub type ApplicationError = Box<dyn std::error::Error + Send + Sync>;

/// Bytes to be ordered, under the name by which validators vote on them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Block {
    /// The hash that is voted on; always what [`Application::block_id`] says of `bytes`.
    pub id: Hash,
    /// The whole block. Opaque here.
    pub bytes: Bytes,
}

/// A block that somebody proposes, whole, its proposer's signature checked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Proposal {
    /// The height it is proposed for: always [`Application::next_height`] at that time.
    pub height: Height,
    /// The round it is proposed in.
    pub round: u32,
    /// The round in which more than two thirds already prevoted it, if it is proposed anew.
    pub valid_round: Option<u32>,
    /// Who proposes it in `round`.
    pub proposer: ValidatorId,
    /// Who may have built it: the proposer, or for a block proposed anew the proposers of the rounds up to
    /// `valid_round`. A block that names its builder must name one of these.
    pub builders: Vec<ValidatorId>,
    /// The block.
    pub block: Block,
}

/// What the application makes of a [`Proposal`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// This validator may vote for it.
    Valid,
    /// No honest validator would have proposed it; the reason goes to the log.
    Invalid(String),
    /// It cannot be told yet (this validator has not seen enough of Cardano). Asked again soon, as long as the
    /// height is open; when the round's time for proposals runs out first, the vote is nil.
    NotYet,
}

/// A block that was judged valid, built here or fetched, kept until its height is decided.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Undecided {
    /// The height it is meant for.
    pub height: Height,
    /// The round in which it was first seen here.
    pub round: u32,
    /// As in [`Proposal::valid_round`].
    pub valid_round: Option<u32>,
    /// Who proposed it in `round`.
    pub proposer: ValidatorId,
    /// The block.
    pub block: Block,
}

/// The chain above consensus.
///
/// Methods are called from several tasks at once, except [`decided`](Self::decided), which excludes itself and
/// comes in the order of heights. `build` and `judge` (and `put_undecided` after them) may be dropped at any
/// `await` when their height closes. Whoever blocks a thread does so in `spawn_blocking` or `block_in_place`.
/// An error from any method stops the engine: the disk is not to be trusted any more.
#[async_trait]
pub trait Application: Send + Sync + 'static {
    /// The height to decide next: one above the last that [`decided`](Self::decided) has stored.
    async fn next_height(&self) -> Result<Height, ApplicationError>;

    /// Who votes at `height`. Asked only for heights up to [`next_height`](Self::next_height).
    async fn validator_set(&self, height: Height) -> Result<ValidatorSet, ApplicationError>;

    /// Who built the blocks decided just below `height`, in any order, at most `count` of them: what the blocks
    /// themselves say, so that every validator answers alike. Validators missing among them propose after the
    /// others (see README). An empty answer means plain round robin.
    async fn recent_builders(
        &self,
        height: Height,
        count: usize,
    ) -> Result<Vec<ValidatorId>, ApplicationError> {
        let _ = (height, count);
        Ok(Vec::new())
    }

    /// The id of the block that `bytes` are, or `None` where they are none. It must bind every byte: were there two
    /// byte strings of one id, a peer could pass the second off under the first one's certificate. Pure and quick,
    /// since it runs in the engine's loop, and it must not panic on anything.
    fn block_id(&self, bytes: &[u8]) -> Option<Hash>;

    /// Builds a block for `height`, whose proposer this validator is in `round`. Later than `deadline` nobody
    /// waits for it. `None` lets the round pass without a proposal.
    async fn build(
        &self,
        height: Height,
        round: u32,
        deadline: Instant,
    ) -> Result<Option<Block>, ApplicationError>;

    /// Whether this validator may vote for a proposal. May take its time: other messages are served meanwhile.
    async fn judge(&self, proposal: &Proposal) -> Result<Verdict, ApplicationError>;

    /// Stores a block before this validator votes for it. On return it must survive a power cut: the crash log
    /// holds the hash alone. The same block may come again, even twice at a time: proposed, and fetched from a peer.
    async fn put_undecided(&self, undecided: Undecided) -> Result<(), ApplicationError>;

    /// All that [`put_undecided`](Self::put_undecided) stored for `height`.
    async fn undecided(&self, height: Height) -> Result<Vec<Undecided>, ApplicationError>;

    /// Executes the decided block and stores it with its certificate, its outcome and the next height in one
    /// synced batch. What is undecided at its height may go. The certificate was checked.
    async fn decided(&self, block: Block, certificate: Certificate)
    -> Result<(), ApplicationError>;

    /// Decided blocks with their certificates from one height up to another, both included, without gaps; fewer
    /// when they end or grow large.
    async fn decided_range(
        &self,
        from: Height,
        to: Height,
    ) -> Result<Vec<(Bytes, Certificate)>, ApplicationError>;

    /// The lowest height that [`decided_range`](Self::decided_range) can give.
    async fn history_min_height(&self) -> Result<Height, ApplicationError>;

    /// A validator signed two statements that exclude each other.
    async fn evidence(&self, evidence: Evidence) -> Result<(), ApplicationError> {
        let _ = evidence;
        Ok(())
    }

    /// The engine listens at this multiaddr; tells the port when it was left to the kernel.
    fn listening(&self, address: &str) {
        let _ = address;
    }

    /// The engine has stopped voting for safety's sake and waits for an operator; `run` has not returned.
    fn halted(&self, reason: &str) {
        let _ = reason;
    }
}
