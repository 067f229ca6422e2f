//! What Malachite asks, and the answers.

use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::Bytes;
use malachitebft_app::engine::host::{HeightParams, HostMsg, Next, SyncedValueOutcome};
use malachitebft_app::engine::network::{NetworkEvent, NetworkMsg};
use malachitebft_app::engine::util::output_port::{OutputPort, OutputPortSubscriberTrait};
use malachitebft_app::streaming::{StreamContent, StreamMessage};
use malachitebft_app::types::{LocallyProposedValue, MisbehaviorEvidence, PeerId, ProposedValue};
use malachitebft_core_types::{
    CommitCertificate, ExtendedCommitCertificate, Round, Validity, VoteExtensions,
};
use malachitebft_sync::RawDecidedValue;
use nupeer_primitives::consensus::Certificate;
use nupeer_primitives::{Hash, Height};
use ractor::RpcReplyPort;
use tracing::{debug, error, info, trace, warn};

use crate::actors::BLOCKS_PER_REQUEST_MAX;
use crate::codec::{from_certificate, to_certificate};
use crate::context::{Address, BlockHeight, BlockId, Ctx, Part};
use crate::engine::{Engine, failed, members};
use crate::streams::{Assembled, Refusal};
use crate::work::{self, Work};
use crate::{Application, ApplicationError, Block, ConsensusError, Evidence, Proposal, Undecided};

impl Engine {
    /// Answers one question, or begins to.
    pub(crate) async fn answer(&mut self, question: HostMsg<Ctx>) -> Result<(), ConsensusError> {
        match question {
            HostMsg::ConsensusReady { reply_to } => self.ready(reply_to),
            HostMsg::StartedRound {
                height,
                round,
                reply_to,
                ..
            } => {
                self.started_round(height, round, reply_to);
            }
            HostMsg::GetValue {
                height,
                round,
                timeout,
                reply_to,
            } => {
                self.propose(height.into(), round, timeout, reply_to);
            }
            HostMsg::ReceivedProposalPart { from, part, .. } => self.received(from, part),
            HostMsg::RestreamValue {
                round,
                valid_round,
                address,
                value_id,
                ..
            } => {
                self.propose_again(round, valid_round, address, value_id.0);
            }
            HostMsg::Decided {
                certificate,
                reply_to,
                ..
            } => {
                self.decided(certificate).await?;
                send(reply_to, ());
            }
            HostMsg::Finalized {
                certificate,
                evidence,
                reply_to,
                ..
            } => {
                self.accuse(&evidence).await?;
                self.advance(Height::from(certificate.height).next(), reply_to)
                    .await?;
            }
            HostMsg::ProcessSyncedValue {
                height,
                round,
                proposer,
                value_bytes,
                reply_to,
            } => {
                self.fetched(height.into(), round, proposer, value_bytes, reply_to);
            }
            HostMsg::GetDecidedValues { range, reply_to } => {
                self.serve_range((*range.start()).into(), (*range.end()).into(), reply_to);
            }
            HostMsg::GetHistoryMinHeight { reply_to } => {
                let height = self.app.history_min_height().await;
                let height = height.map_err(failed("name its lowest height", self.state.height))?;
                send(reply_to, height.into());
            }
            // The policy of every height forbids extensions, so neither is asked.
            HostMsg::ExtendVote { reply_to, .. } => send(reply_to, None),
            HostMsg::VerifyVoteExtensions { reply_to, .. } => send(reply_to, Vec::new()),
        }
        Ok(())
    }

    fn ready(&self, reply_to: RpcReplyPort<(BlockHeight, HeightParams<Ctx>)>) {
        let ear = NetworkMsg::Subscribe(Box::new(Ear(self.app.clone())));
        if let Err(error) = self.actors.network.cast(ear) {
            error!(%error, "the network no longer takes messages");
        }
        send(reply_to, (self.state.height.into(), self.params()));
    }

    /// After a crash Malachite learns here of blocks that were stored but not yet in its log.
    fn started_round(
        &mut self,
        height: BlockHeight,
        round: Round,
        reply_to: RpcReplyPort<Vec<ProposedValue<Ctx>>>,
    ) {
        let round = round.as_u32().unwrap_or_default();
        let mut values = Vec::new();
        if self.state.height == height.into() {
            self.state.round = round;
            values.extend(
                self.state
                    .blocks_of(round)
                    .map(|u| proposed(u, Validity::Valid)),
            );
        }
        send(reply_to, values);
    }

    /// Our turn. A block that was stored for this round before a crash is proposed again, never another one.
    fn propose(
        &mut self,
        height: Height,
        round: Round,
        timeout: Duration,
        reply: RpcReplyPort<LocallyProposedValue<Ctx>>,
    ) {
        let round = round.as_u32().unwrap_or_default();
        let signer = self.signer.clone();
        if let Some(own) = self.state.own(round, self.id).cloned() {
            self.work.spawn(async move {
                let built = work::announce(signer, own).await?;
                Ok(Work::Built { reply, built })
            });
            return;
        }
        let deadline = Instant::now() + timeout;
        let limits = work::Limits {
            block_bytes_max: self.config.block_bytes_max,
            deadline,
        };
        let build = work::build(self.app.clone(), self.id, height, round, limits);
        self.work.spawn(async move {
            let built = match build.await? {
                None => None,
                Some(undecided) => work::announce(signer, undecided).await?,
            };
            Ok(Work::Built { reply, built })
        });
    }

    fn received(&mut self, from: PeerId, message: StreamMessage<Part>) {
        let StreamContent::Data(part) = message.content else {
            return;
        };
        let at = (message.stream_id.to_bytes(), message.sequence);
        let (state, verifier) = (&mut self.state, &self.verifier);
        let height = state.height;
        let admit = |announcement: &_| state.admit(announcement, verifier);
        match self.streams.insert(from, at, part, height, admit) {
            Ok(None) => {}
            Ok(Some(assembled)) => self.assembled(from, assembled),
            Err(refusal @ (Refusal::Known | Refusal::Height { .. })) => trace!(%from, %refusal),
            Err(refusal) => debug!(%from, %refusal, "refused a part of a block"),
        }
    }

    fn assembled(&mut self, from: PeerId, assembled: Assembled) {
        let Assembled {
            announcement,
            bytes,
        } = &assembled;
        if self.app.block_id(bytes) != Some(announcement.block) {
            warn!(%from, block = %announcement.block, "a block's bytes are not what was announced");
        } else if announcement.height > self.state.height {
            self.state.park(assembled);
        } else {
            self.judge(assembled);
        }
    }

    /// Has a whole block judged, once.
    fn judge(
        &mut self,
        Assembled {
            announcement,
            bytes,
        }: Assembled,
    ) {
        if !self.state.begin_judging(&announcement) {
            return;
        }
        let proposal = Proposal {
            height: announcement.height,
            round: announcement.round,
            valid_round: announcement.valid_round,
            proposer: announcement.proposer,
            builders: self.state.builders(&announcement),
            block: Block {
                id: announcement.block,
                bytes,
            },
        };
        self.work.spawn(work::judge(self.app.clone(), proposal));
    }

    /// Others must see a block again: proposed anew by us, or as its proposer announced it in that round.
    fn propose_again(&mut self, round: Round, valid_round: Round, proposer: Address, block: Hash) {
        let (height, round) = (self.state.height, round.as_u32().unwrap_or_default());
        let Some(bytes) = self.state.block(&block).map(|u| u.block.bytes.clone()) else {
            return warn!(%height, round, %block, "asked to repeat a block that is not here");
        };
        if proposer.0 == self.id {
            let (signer, length) = (self.signer.clone(), bytes.len() as u64);
            self.work.spawn(async move {
                let announced = signer.announce(height, round, valid_round.as_u32(), block, length);
                Ok(match announced.await {
                    Ok(announcement) => Work::Announced {
                        announcement,
                        bytes,
                    },
                    Err(withheld) => {
                        warn!(%height, round, %withheld, "not announced again");
                        Work::None
                    }
                })
            });
            return;
        }
        match self.state.announcement(round, block).cloned() {
            Some(announcement) => self.publish(announcement, &bytes),
            None => debug!(%height, round, %block, "its proposer's announcement is not here"),
        }
    }

    /// A block is decided: nothing else of its height matters any more.
    async fn decided(&mut self, certificate: CommitCertificate<Ctx>) -> Result<(), ConsensusError> {
        let certificate = commit(certificate)?;
        let (height, block) = (certificate.height, certificate.block);
        let Some(undecided) = self.state.block(&block).cloned() else {
            return Err(ConsensusError::MissingBlock { height, block });
        };
        self.work.abort_all();
        let (round, signatures) = (certificate.round, certificate.signatures.len());
        let stored = self.app.decided(undecided.block, certificate).await;
        stored.map_err(failed("execute and store a decided block", height))?;
        info!(%height, round, %block, signatures, "decided");
        Ok(())
    }

    async fn accuse(&self, found: &MisbehaviorEvidence<Ctx>) -> Result<(), ConsensusError> {
        for evidence in Evidence::all(&self.config.network, found) {
            let Evidence {
                validator,
                height,
                round,
                kind,
                ..
            } = &evidence;
            error!(%validator, %height, round, ?kind, "EQUIVOCATION: a validator signed twice");
            let height = *height;
            let noted = self.app.evidence(evidence).await;
            noted.map_err(failed("note evidence", height))?;
        }
        Ok(())
    }

    async fn advance(
        &mut self,
        height: Height,
        reply_to: RpcReplyPort<Next<Ctx>>,
    ) -> Result<(), ConsensusError> {
        let members = members(&*self.app, height).await?;
        let due = self.state.advance(height, members);
        self.streams.prune(height);
        send(reply_to, Next::Start(height.into(), self.params()));
        due.into_iter().for_each(|assembled| self.judge(assembled));
        Ok(())
    }

    /// A decided block from a peer, whose certificate was verified. Nobody judges it any more, but it must be stored:
    /// the votes of others may decide it before the certificate does.
    fn fetched(
        &mut self,
        height: Height,
        round: Round,
        proposer: Address,
        bytes: Bytes,
        reply: RpcReplyPort<SyncedValueOutcome<Ctx>>,
    ) {
        let too_long = bytes.len() > self.config.block_bytes_max;
        let id = if too_long {
            None
        } else {
            self.app.block_id(&bytes)
        };
        let Some(id) = id else {
            return send(reply, SyncedValueOutcome::PeerFault);
        };
        let round = round.as_u32().unwrap_or_default();
        let (proposer, block) = (proposer.0, Block { id, bytes });
        let undecided = Undecided {
            height,
            round,
            valid_round: None,
            proposer,
            block,
        };
        if self.state.block(&id).is_some() {
            return self.finish(Work::Fetched { reply, undecided });
        }
        let app = self.app.clone();
        self.work.spawn(async move {
            let undecided = work::store(&*app, undecided).await?;
            Ok(Work::Fetched { reply, undecided })
        });
    }

    fn serve_range(
        &mut self,
        from: Height,
        to: Height,
        reply_to: RpcReplyPort<Vec<RawDecidedValue<Ctx>>>,
    ) {
        let app = self.app.clone();
        let last = from.0.saturating_add(BLOCKS_PER_REQUEST_MAX as u64 - 1);
        let to = Height(to.0.min(last));
        self.serving.spawn(async move {
            let decided = app.decided_range(from, to).await;
            let decided = decided.map_err(failed("read decided blocks", from))?;
            let raw = |(bytes, certificate): (Bytes, Certificate)| {
                from_certificate(certificate).map(|c| RawDecidedValue::new(bytes, c))
            };
            // A certificate of ours always converts; if the store is broken, serve what precedes it.
            send(
                reply_to,
                decided.into_iter().map_while(|d| raw(d).ok()).collect(),
            );
            Ok(())
        });
    }

    /// Goes on with what a task has prepared.
    pub(crate) fn finish(&mut self, work: Work) {
        match work {
            Work::None | Work::Built { built: None, .. } => {}
            Work::Built {
                reply,
                built: Some((undecided, own)),
            } => {
                let (bytes, value) = (undecided.block.bytes.clone(), BlockId(undecided.block.id));
                let (at, in_round) = (undecided.height.into(), Round::new(undecided.round));
                self.state.store(undecided);
                send(reply, LocallyProposedValue::new(at, in_round, value));
                self.publish(own, &bytes);
            }
            Work::Announced {
                announcement,
                bytes,
            } => self.publish(announcement, &bytes),
            Work::Judged {
                undecided,
                verdict: Ok(()),
            } => {
                let value = proposed(&undecided, Validity::Valid);
                self.state.store(undecided);
                self.deliver(value);
            }
            Work::Judged {
                undecided,
                verdict: Err(reason),
            } => {
                let Undecided {
                    height,
                    round,
                    proposer,
                    ..
                } = &undecided;
                warn!(%height, round, %proposer, %reason, "a proposal is invalid");
                self.deliver(proposed(&undecided, Validity::Invalid));
            }
            Work::Fetched { reply, undecided } => {
                let value = proposed(&undecided, Validity::Valid);
                self.state.store(undecided);
                send(reply, SyncedValueOutcome::Verdict(value));
            }
        }
    }
}

fn proposed(undecided: &Undecided, validity: Validity) -> ProposedValue<Ctx> {
    ProposedValue {
        height: undecided.height.into(),
        round: Round::new(undecided.round),
        valid_round: undecided.valid_round.into(),
        proposer: Address(undecided.proposer),
        value: BlockId(undecided.block.id),
        validity,
    }
}

fn commit(certificate: CommitCertificate<Ctx>) -> Result<Certificate, ConsensusError> {
    let height = certificate.height.into();
    let none = VoteExtensions::default();
    let whole =
        ExtendedCommitCertificate::from_commit_certificate_and_extensions(certificate, none);
    let refuse = |error| ApplicationError::from(format!("{error}"));
    to_certificate(&whole).map_err(|e| failed("read a certificate", height)(refuse(e)))
}

/// Whoever asked may be gone; then nobody minds.
fn send<T: Send + 'static>(reply_to: RpcReplyPort<T>, answer: T) {
    if reply_to.send(answer).is_err() {
        trace!("an answer came too late");
    }
}

/// Hears the addresses at which the network listens already, and nothing after.
struct Ear(Arc<dyn Application>);

impl OutputPortSubscriberTrait<NetworkEvent<Ctx>> for Ear {
    fn subscribe_to_port(&self, _: &OutputPort<NetworkEvent<Ctx>>) {}
}

impl malachitebft_app::engine::network::Subscriber<NetworkEvent<Ctx>> for Ear {
    fn send(&self, event: NetworkEvent<Ctx>) {
        if let NetworkEvent::Listening(address) = event {
            self.0.listening(&address.to_string());
        }
    }
}
