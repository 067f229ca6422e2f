//! What takes time: building, judging and storing blocks, beside the engine's loop.

use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::Bytes;
use malachitebft_app::engine::host::SyncedValueOutcome;
use malachitebft_app::types::LocallyProposedValue;
use nupeer_primitives::Height;
use nupeer_primitives::consensus::ValidatorId;
use ractor::RpcReplyPort;
use tracing::{error, warn};

use crate::context::{Announcement, Ctx};
use crate::engine::failed;
use crate::signing::GuardedSigner;
use crate::{Application, ConsensusError, Proposal, Undecided, Verdict};

/// How soon the application is asked again about a proposal that it could not judge.
const RETRY: Duration = Duration::from_millis(50);

/// What a task has prepared for the loop. All blocks in it but invalid ones are in the store.
pub(crate) enum Work {
    /// Our own proposal with its signed announcement, if there is one.
    Built {
        reply: RpcReplyPort<LocallyProposedValue<Ctx>>,
        built: Option<(Undecided, Announcement)>,
    },
    /// A block that we announce again.
    Announced {
        announcement: Announcement,
        bytes: Bytes,
    },
    /// Nothing to be done.
    None,
    /// Somebody's proposal and what is wrong with it.
    Judged {
        undecided: Undecided,
        verdict: Result<(), String>,
    },
    /// A decided block from a peer.
    Fetched {
        reply: RpcReplyPort<SyncedValueOutcome<Ctx>>,
        undecided: Undecided,
    },
}

/// Bounds of building.
#[derive(Clone, Copy)]
pub(crate) struct Limits {
    pub(crate) block_bytes_max: usize,
    pub(crate) deadline: Instant,
}

/// Has a block built and stored. A block that others would refuse is not proposed.
pub(crate) async fn build(
    app: Arc<dyn Application>,
    proposer: ValidatorId,
    height: Height,
    round: u32,
    limits: Limits,
) -> Result<Option<Undecided>, ConsensusError> {
    let built = app.build(height, round, limits.deadline).await;
    let Some(block) = built.map_err(failed("build a block", height))? else {
        return Ok(None);
    };
    let (length, maximum) = (block.bytes.len(), limits.block_bytes_max);
    if length == 0 || length > maximum || app.block_id(&block.bytes) != Some(block.id) {
        error!(%height, length, maximum, id = %block.id, "built a block of a wrong length or id");
        return Ok(None);
    }
    let undecided = Undecided {
        height,
        round,
        valid_round: None,
        proposer,
        block,
    };
    store(&*app, undecided).await.map(Some)
}

/// Announces a block that is built and stored. What would contradict an earlier proposal is not proposed.
pub(crate) async fn announce(
    signer: GuardedSigner,
    undecided: Undecided,
) -> Result<Option<(Undecided, Announcement)>, ConsensusError> {
    let Undecided {
        height,
        round,
        valid_round,
        ref block,
        ..
    } = undecided;
    let length = block.bytes.len() as u64;
    let announced = signer
        .announce(height, round, valid_round, block.id, length)
        .await;
    Ok(match announced {
        Ok(announcement) => Some((undecided, announcement)),
        Err(withheld) => {
            warn!(%height, round, %withheld, "not proposed");
            None
        }
    })
}

/// Asks until there is a verdict; stores a valid block before anybody votes for it.
pub(crate) async fn judge(
    app: Arc<dyn Application>,
    proposal: Proposal,
) -> Result<Work, ConsensusError> {
    let height = proposal.height;
    let verdict = loop {
        match app
            .judge(&proposal)
            .await
            .map_err(failed("judge a proposal", height))?
        {
            Verdict::Valid => break Ok(()),
            Verdict::Invalid(reason) => break Err(reason),
            Verdict::NotYet => tokio::time::sleep(RETRY).await,
        }
    };
    let Proposal {
        round,
        valid_round,
        proposer,
        block,
        ..
    } = proposal;
    let mut undecided = Undecided {
        height,
        round,
        valid_round,
        proposer,
        block,
    };
    if verdict.is_ok() {
        undecided = store(&*app, undecided).await?;
    }
    Ok(Work::Judged { undecided, verdict })
}

/// Stores a block so that it survives a power cut.
pub(crate) async fn store(
    app: &dyn Application,
    undecided: Undecided,
) -> Result<Undecided, ConsensusError> {
    let stored = app.put_undecided(undecided.clone()).await;
    stored.map_err(failed("store an undecided block", undecided.height))?;
    Ok(undecided)
}
