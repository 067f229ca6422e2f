//! The loop between Malachite and the application.
//!
//! Malachite asks; most questions are answered at once. Building, judging and storing blocks run as tasks beside the
//! loop, so that votes, other proposals and peers that fetch blocks are never held up by them.

use std::future::Future;
use std::path::PathBuf;
use std::pin::Pin;
use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use bytes::Bytes;
use malachitebft_app::engine::consensus::ConsensusMsg;
use malachitebft_app::engine::host::HostMsg;
use malachitebft_app::engine::network::NetworkMsg;
use malachitebft_app::streaming::{StreamContent, StreamId, StreamMessage};
use malachitebft_app::types::ProposedValue;
use malachitebft_core_types::{HeightParams, LinearTimeouts, ValueOrigin};
use nupeer_primitives::Height;
use nupeer_primitives::consensus::ValidatorId;
use tokio::sync::mpsc;
use tokio::task::{JoinError, JoinSet};
use tracing::{error, info};

use crate::actors::{self, Actors};
use crate::context::{Announcement, Ctx, Members};
use crate::guard::Guard;
use crate::height::HeightState;
use crate::signing::{GuardedSigner, LocalSigner, StrictVerifier};
use crate::streams::{Streams, cut};
use crate::turns::{turns, window};
use crate::work::Work;
use crate::{Application, ApplicationError, Config, ConsensusError, Keys, Timeouts};

/// How long the supervisor may take to follow its children; longer, and it is holding still on purpose.
const SUPERVISOR_TIMEOUT: Duration = Duration::from_secs(5);

pub(crate) type Shutdown<'a> = Pin<&'a mut (dyn Future<Output = ()> + Send)>;

/// One running engine.
pub(crate) struct Engine {
    pub(crate) app: Arc<dyn Application>,
    pub(crate) config: Config,
    pub(crate) id: ValidatorId,
    pub(crate) signer: GuardedSigner,
    pub(crate) verifier: StrictVerifier,
    pub(crate) actors: Actors,
    pub(crate) state: HeightState,
    pub(crate) streams: Streams,
    /// What concerns the height being decided; ended with it.
    pub(crate) work: JoinSet<Result<Work, ConsensusError>>,
    /// Blocks being read for peers.
    pub(crate) serving: JoinSet<Result<(), ConsensusError>>,
    /// Tells this boot's streams from those of earlier ones.
    boot: [u8; 4],
    streams_sent: u32,
}

/// Starts, serves and stops an engine.
pub(crate) async fn run(
    config: Config,
    keys: Keys,
    app: Arc<dyn Application>,
    mut shutdown: Shutdown<'_>,
) -> Result<(), ConsensusError> {
    refuse_if_halted(&config)?;
    let height = app
        .next_height()
        .await
        .map_err(failed("name the next height", Height(0)))?;
    let members = members(&*app, height).await?;
    let stored = app
        .undecided(height)
        .await
        .map_err(failed("read undecided blocks", height))?;
    info!(%height, undecided = stored.len(), "consensus starts");
    let signer = signer(&config, &keys, height)?;
    let (actors, questions) = actors::start(&config, &keys, signer.clone()).await?;
    let mut engine = Engine {
        app,
        id: keys.validator_id(),
        signer,
        verifier: StrictVerifier::new(config.network),
        actors,
        state: HeightState::new(height, members, stored),
        streams: Streams::new(config.block_bytes_max),
        work: JoinSet::new(),
        serving: JoinSet::new(),
        boot: boot_nonce(),
        streams_sent: 0,
        config,
    };
    let outcome = engine.serve(questions, &mut shutdown).await;
    engine.work.shutdown().await;
    engine.serving.shutdown().await;
    let Engine {
        actors,
        signer,
        config,
        state,
        ..
    } = engine;
    // The record of what was signed is held by whoever can sign.
    drop(signer);
    actors.stop(&config).await;
    info!(height = %state.height, "consensus stopped");
    outcome
}

impl Engine {
    async fn serve(
        &mut self,
        mut questions: mpsc::Receiver<HostMsg<Ctx>>,
        shutdown: &mut Shutdown<'_>,
    ) -> Result<(), ConsensusError> {
        loop {
            tokio::select! {
                () = shutdown.as_mut() => return Ok(()),
                _ = &mut self.actors.node_task => return Err(self.stopped()),
                question = questions.recv() => match question {
                    Some(question) => self.answer(question).await?,
                    None => return self.ended(shutdown).await,
                },
                Some(done) = self.work.join_next() => {
                    if let Some(work) = joined(done, self.state.height)? {
                        self.finish(work);
                    }
                }
                Some(done) = self.serving.join_next() => {
                    joined(done, self.state.height)?;
                }
            }
        }
    }

    /// Malachite ended by itself: because nothing could be signed any more, or for a reason that its log tells.
    fn stopped(&self) -> ConsensusError {
        let failure = self.signer.guard().failure();
        failure.unwrap_or(ConsensusError::Stopped)
    }

    /// No more questions: either all has failed and may start again, or Malachite holds still, because going on
    /// could mean to sign twice. Then so does this, until somebody looks.
    async fn ended(&mut self, shutdown: &mut Shutdown<'_>) -> Result<(), ConsensusError> {
        let node = &mut self.actors.node_task;
        if tokio::time::timeout(SUPERVISOR_TIMEOUT, node).await.is_ok() {
            return Err(self.stopped());
        }
        let height = self.state.height;
        let reason = format!("the crash log could not be read or written at height {height}");
        let marker = marker(&self.config);
        let written = std::fs::write(&marker, &reason);
        error!(%reason, ?marker, ?written, "HALTED: this validator votes no more until its operator looks");
        self.app.halted(&reason);
        shutdown.as_mut().await;
        Err(ConsensusError::Halted { reason, marker })
    }

    /// What Malachite must know of a height.
    pub(crate) fn params(&self) -> HeightParams<Ctx> {
        let target = self.config.block_target;
        let target = (!target.is_zero()).then_some(target);
        HeightParams::new(
            self.state.members.clone(),
            linear(&self.config.timeouts),
            target,
        )
    }

    /// Hands a proposed block's hash and validity to Malachite.
    pub(crate) fn deliver(&self, value: ProposedValue<Ctx>) {
        let message = ConsensusMsg::ReceivedProposedValue(value, ValueOrigin::Consensus);
        if let Err(error) = self.actors.consensus.cast(message) {
            error!(%error, "consensus no longer takes messages");
        }
    }

    /// Sends a block to everybody.
    pub(crate) fn publish(&mut self, announcement: Announcement, bytes: &Bytes) {
        self.streams_sent = self.streams_sent.wrapping_add(1);
        let id = [
            &announcement.height.0.to_be_bytes()[..],
            &self.boot,
            &self.streams_sent.to_be_bytes(),
        ]
        .concat();
        let id = StreamId::new(id.into());
        for (sequence, part) in (0u64..).zip(cut(announcement, bytes)) {
            let content = StreamContent::Data(part);
            let message = StreamMessage::new(id.clone(), sequence, content);
            if let Err(error) = self
                .actors
                .network
                .cast(NetworkMsg::PublishProposalPart(message))
            {
                error!(%error, "the network no longer takes messages");
                return;
            }
        }
    }
}

/// The validators of a height, in the order of their turns.
pub(crate) async fn members(
    app: &dyn Application,
    height: Height,
) -> Result<Members, ConsensusError> {
    let set = app
        .validator_set(height)
        .await
        .map_err(failed("name the validators", height))?;
    let builders = app.recent_builders(height, window(&set)).await;
    let builders = builders.map_err(failed("name the recent builders", height))?;
    Ok(Members::new(&set, &turns(&set, height, &builders)))
}

/// Signs what does not contradict what was signed last, by the record beside the key.
fn signer(config: &Config, keys: &Keys, next: Height) -> Result<GuardedSigner, ConsensusError> {
    actors::refuse_if_locked(config)?;
    // The store knows of the heights below the next one, and goes on at that; the log is of one height.
    let known = actors::logged_height(config)?.min(next.0);
    let guard = Guard::open(&config.last_signed, config.network, known)?;
    let signer = LocalSigner::new(config.network, keys.consensus.clone());
    Ok(GuardedSigner::new(signer, guard))
}

/// Makes an engine's error of the application's.
pub(crate) fn failed(
    task: &'static str,
    height: Height,
) -> impl FnOnce(ApplicationError) -> ConsensusError {
    move |source| ConsensusError::Application {
        task,
        height,
        source,
    }
}

/// What a task gave, unless it was ended with its height.
fn joined<T>(
    done: Result<Result<T, ConsensusError>, JoinError>,
    height: Height,
) -> Result<Option<T>, ConsensusError> {
    match done {
        Ok(outcome) => outcome.map(Some),
        Err(error) if error.is_cancelled() => Ok(None),
        Err(panic) => Err(failed("answer without a panic", height)(panic.into())),
    }
}

fn linear(timeouts: &Timeouts) -> LinearTimeouts {
    let Timeouts {
        propose,
        prevote,
        precommit,
        delta,
        max,
    } = *timeouts;
    LinearTimeouts {
        propose,
        propose_delta: delta,
        prevote,
        prevote_delta: delta,
        precommit,
        precommit_delta: delta,
        rebroadcast: propose.saturating_add(prevote).saturating_add(precommit),
        max_timeout: max,
    }
}

fn marker(config: &Config) -> PathBuf {
    config.home.join("HALTED")
}

fn refuse_if_halted(config: &Config) -> Result<(), ConsensusError> {
    let marker = marker(config);
    match std::fs::read_to_string(&marker) {
        Ok(reason) => Err(ConsensusError::Halted { reason, marker }),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(()),
        Err(source) => Err(ConsensusError::Io {
            path: marker,
            source,
        }),
    }
}

fn boot_nonce() -> [u8; 4] {
    let since = SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .unwrap_or_default();
    since.subsec_nanos().to_be_bytes()
}
