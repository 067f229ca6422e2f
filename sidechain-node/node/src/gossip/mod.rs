//! Telling other validators of transactions, and other nodes of offers: a libp2p swarm of its own, beside that of consensus, so that a flood of
//! transactions never holds up a vote.
//!
//! A message goes on to others only when this node has admitted all that is in it; of one that it admitted in part, the
//! admitted part goes on in a message of its own. Gossip delivers at most once: whoever took a transaction from a
//! user repeats it until it is in a block.

use std::{
    collections::HashMap,
    future::Future,
    sync::Arc,
    time::{Duration, Instant},
};

use bytes::Bytes;
use futures::StreamExt;
use libp2p::{
    Multiaddr, PeerId, Swarm,
    gossipsub::{self, IdentTopic, MessageAcceptance, MessageId, PublishError},
    ping,
    swarm::{DialError, SwarmEvent},
};
use nupeer_primitives::Hash;
use tokio::sync::{mpsc, watch};

mod admission;
pub mod batch;
mod conduct;
mod dials;
mod error;
mod network;

pub use error::GossipError;

use admission::{Incoming, Judged};
use batch::Batch;
use conduct::Conduct;
use dials::Dials;
use network::{Behaviour, BehaviourEvent, Topics};

use crate::{clock::Clock, intake::Intake};

/// How long a transaction waits for others to travel with.
const LINGER: Duration = Duration::from_millis(20);
/// How often peers are called that are not connected, and local transactions repeated that are due.
const TICK: Duration = Duration::from_millis(250);
/// Most transactions repeated at a tick.
const REPEATS_MAX: usize = 512;
/// Most offers repeated at a tick.
const OFFER_REPEATS_MAX: usize = 64;
/// Transactions and offers that wait to be told. More are dropped, and repeated later.
const OUTBOX_MAX: usize = 8_192;
/// Messages that wait for admission. More are ignored.
const INBOX_MAX: usize = 256;

/// Settings of gossip.
#[derive(Clone, Debug)]
pub struct GossipConfig {
    /// The chain: its genesis id.
    pub chain: Hash,
    /// The longest transaction of the chain, in bytes.
    pub transaction_bytes_max: usize,
    /// Where to listen, a TCP multiaddr.
    pub listen: String,
    /// Multiaddrs of peers.
    pub peers: Vec<String>,
    /// Seed of the identity.
    pub seed: [u8; 32],
    /// Different at each boot.
    pub boot: u64,
}

/// How gossip is doing.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct GossipStatus {
    /// Where it listens, as soon as it does.
    pub listening: Option<String>,
    /// Connected peers.
    pub peers: usize,
}

/// What others are to be told.
enum Told {
    Transaction(Bytes),
    Offer(Bytes),
}

/// Sends transactions and offers to others. Cheap to clone.
#[derive(Clone)]
pub struct Outbox(mpsc::Sender<Told>);

impl Outbox {
    /// Tells others of a transaction that was admitted here. When too much waits it is left out: it will be repeated.
    pub fn tell(&self, transaction: Bytes) {
        let _ = self.0.try_send(Told::Transaction(transaction));
    }

    /// Tells others of an offer that was taken here; it too will be repeated.
    pub fn tell_offer(&self, offer: Bytes) {
        let _ = self.0.try_send(Told::Offer(offer));
    }
}

/// Gossip that listens and waits to be run.
pub struct Gossip {
    swarm: Swarm<Behaviour>,
    topics: Topics,
    dials: Dials,
    peers: HashMap<PeerId, Conduct>,
    intake: Arc<Intake>,
    clock: Clock,
    outbox: mpsc::Receiver<Told>,
    batch: Batch,
    /// When the batch goes, if it holds something.
    due: Option<Instant>,
    inbox: mpsc::Sender<Incoming>,
    judged: mpsc::Receiver<Judged>,
    status: watch::Sender<GossipStatus>,
}

impl Gossip {
    /// Starts to listen. Must be called within the runtime that will run it.
    pub fn bind(
        config: &GossipConfig,
        intake: Arc<Intake>,
        clock: Clock,
    ) -> Result<(Gossip, Outbox), GossipError> {
        let listen = network::address(&config.listen)?;
        let peers: Vec<Multiaddr> = config
            .peers
            .iter()
            .map(|peer| network::address(peer))
            .collect::<Result<_, _>>()?;
        let bytes_max = batch::message_bytes_max(config.transaction_bytes_max);
        let keypair = network::identity(&config.seed, config.boot)?;
        let mut swarm = network::swarm(keypair, &config.chain, bytes_max)?;
        swarm
            .listen_on(listen)
            .map_err(|error| GossipError::Listen {
                address: config.listen.clone(),
                reason: error.to_string(),
            })?;
        let (sender, outbox) = mpsc::channel(OUTBOX_MAX);
        let (inbox, judged) = admission::spawn(intake.clone(), bytes_max, INBOX_MAX);
        let gossip = Gossip {
            swarm,
            topics: Topics::new(&config.chain),
            dials: Dials::new(peers, Instant::now()),
            peers: HashMap::new(),
            intake,
            clock,
            outbox,
            batch: Batch::default(),
            due: None,
            inbox,
            judged,
            status: watch::Sender::default(),
        };
        Ok((gossip, Outbox(sender)))
    }

    /// How it is doing, as it changes.
    pub fn status(&self) -> watch::Receiver<GossipStatus> {
        self.status.subscribe()
    }

    /// Gossips until `shutdown` completes.
    pub async fn run(mut self, shutdown: impl Future<Output = ()> + Send) {
        let mut shutdown = std::pin::pin!(shutdown);
        let mut tick = tokio::time::interval(TICK);
        tick.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        loop {
            let due = self.due.map(tokio::time::Instant::from_std);
            tokio::select! {
                () = shutdown.as_mut() => return,
                event = self.swarm.select_next_some() => self.on_event(event),
                Some(judged) = self.judged.recv() => self.on_judged(judged),
                Some(told) = self.outbox.recv() => match told {
                    Told::Transaction(transaction) => self.add(&transaction),
                    Told::Offer(offer) => self.publish(self.topics.offers.clone(), offer.into()),
                },
                () = sleep_until(due) => self.flush(),
                _ = tick.tick() => self.on_tick(),
            }
        }
    }

    fn on_tick(&mut self) {
        for call in self.dials.due(Instant::now()) {
            let connection = call.connection_id();
            if let Err(error) = self.swarm.dial(call) {
                tracing::debug!(%error, "cannot call a gossip peer");
                self.dials.failed(connection, false, Instant::now());
            }
        }
        let repeats = self
            .intake
            .mempool()
            .to_repeat(self.clock.now(), REPEATS_MAX);
        repeats.iter().for_each(|transaction| self.add(transaction));
        let offers = self.intake.offers();
        for offer in offers.to_repeat(self.clock.now(), OFFER_REPEATS_MAX) {
            self.publish(self.topics.offers.clone(), offer.into());
        }
    }

    fn add(&mut self, transaction: &Bytes) {
        if self.batch.push(transaction) {
            self.flush();
        } else if self.due.is_none() {
            self.due = Some(Instant::now() + LINGER);
        }
    }

    fn flush(&mut self) {
        self.due = None;
        if self.batch.is_empty() {
            return;
        }
        let message = self.batch.take();
        self.publish(self.topics.transactions.clone(), message);
    }

    fn publish(&mut self, topic: IdentTopic, message: Vec<u8>) {
        let gossipsub = &mut self.swarm.behaviour_mut().gossipsub;
        match gossipsub.publish(topic, message) {
            Ok(_) => {}
            // Alone: they will be repeated.
            Err(PublishError::NoPeersSubscribedToTopic) => {}
            Err(error) => tracing::debug!(%error, "a message was not sent"),
        }
    }

    fn on_event(&mut self, event: SwarmEvent<BehaviourEvent>) {
        match event {
            SwarmEvent::Behaviour(BehaviourEvent::Gossipsub(gossipsub::Event::Message {
                propagation_source,
                message_id,
                message,
            })) => self.on_message(propagation_source, message_id, message),
            SwarmEvent::Behaviour(BehaviourEvent::Ping(ping::Event {
                connection,
                result: Err(error),
                ..
            })) if !matches!(error, ping::Failure::Unsupported) => {
                self.swarm.close_connection(connection);
            }
            SwarmEvent::NewListenAddr { address, .. } => {
                tracing::info!(%address, "gossip listens");
                self.status.send_modify(|status| {
                    status.listening.get_or_insert(address.to_string());
                });
            }
            SwarmEvent::ConnectionEstablished {
                peer_id,
                connection_id,
                ..
            } => {
                self.dials.connected(connection_id, peer_id);
                let now = self.clock.now();
                self.peers
                    .entry(peer_id)
                    .or_insert_with(|| Conduct::new(now));
                self.count_peers();
            }
            SwarmEvent::ConnectionClosed {
                peer_id,
                num_established: 0,
                ..
            } => {
                self.dials.lost(&peer_id, Instant::now());
                self.peers.remove(&peer_id);
                self.count_peers();
            }
            SwarmEvent::OutgoingConnectionError {
                connection_id,
                error,
                ..
            } => {
                let own = matches!(error, DialError::LocalPeerId { .. });
                self.dials.failed(connection_id, own, Instant::now());
            }
            _ => {}
        }
    }

    fn count_peers(&self) {
        let count = self.peers.len();
        self.status
            .send_if_modified(|status| std::mem::replace(&mut status.peers, count) != count);
    }

    /// A message waits for admission, unless its sender or everybody sends too much.
    fn on_message(&mut self, peer: PeerId, id: MessageId, message: gossipsub::Message) {
        let now = self.clock.now();
        let allowed = self
            .peers
            .get_mut(&peer)
            .is_some_and(|p| p.receives(message.data.len(), now));
        let incoming = Incoming {
            peer,
            id: id.clone(),
            is_offer: message.topic == self.topics.offers.hash(),
            data: message.data,
        };
        if !allowed || self.inbox.try_send(incoming).is_err() {
            tracing::debug!(%peer, allowed, "a message is ignored: too much to do");
            self.report(&id, &peer, MessageAcceptance::Ignore);
        }
    }

    fn on_judged(&mut self, judged: Judged) {
        let Judged {
            peer,
            id,
            acceptance,
            fresh,
        } = judged;
        let offence = matches!(acceptance, MessageAcceptance::Reject);
        self.report(&id, &peer, acceptance);
        fresh.iter().for_each(|transaction| self.add(transaction));
        let now = self.clock.now();
        let stays = !offence || self.peers.get_mut(&peer).is_none_or(|p| p.offends(now));
        if !stays {
            tracing::warn!(%peer, "a gossip peer sends invalid transactions or offers and is disconnected");
            let _ = self.swarm.disconnect_peer_id(peer);
        }
    }

    fn report(&mut self, id: &MessageId, peer: &PeerId, acceptance: MessageAcceptance) {
        let gossipsub = &mut self.swarm.behaviour_mut().gossipsub;
        gossipsub.report_message_validation_result(id, peer, acceptance);
    }
}

/// Sleeps until then; for ever, if there is no then.
async fn sleep_until(due: Option<tokio::time::Instant>) {
    match due {
        Some(due) => tokio::time::sleep_until(due).await,
        None => std::future::pending().await,
    }
}
