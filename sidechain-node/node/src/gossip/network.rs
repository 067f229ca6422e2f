//! The libp2p side: who may connect, and what the swarm is made of.

use std::time::Duration;

use libp2p::{
    Multiaddr, Swarm, SwarmBuilder,
    connection_limits::{self, ConnectionLimits},
    gossipsub::{self, IdentTopic, MessageAuthenticity, ValidationMode},
    identity::Keypair,
    noise, ping,
    swarm::NetworkBehaviour,
    tcp, yamux,
};
use nupeer_primitives::{Hash, blake2b_256};

use super::GossipError;

/// Connections: known peers come twice when both call at once.
const INCOMING_MAX: u32 = 64;
const PENDING_MAX: u32 = 32;
const PER_PEER_MAX: u32 = 4;

/// What the swarm does.
#[derive(NetworkBehaviour)]
pub(super) struct Behaviour {
    limits: connection_limits::Behaviour,
    /// Notices a peer whose machine is gone without a word.
    ping: ping::Behaviour,
    pub(super) gossipsub: gossipsub::Behaviour,
}

/// What a chain's nodes tell one another, each under a topic of its own.
pub(super) struct Topics {
    pub(super) transactions: IdentTopic,
    pub(super) offers: IdentTopic,
}

impl Topics {
    pub(super) fn new(chain: &Hash) -> Self {
        Topics {
            transactions: IdentTopic::new(format!("nupeer/transactions/1/{chain}")),
            offers: IdentTopic::new(format!("nupeer/offers/1/{chain}")),
        }
    }
}

/// The identity of this boot: of the network key's seed, apart from the one under which consensus connects, and new at each boot,
/// since a node that comes back at once under its old identity may find that its messages are not delivered
/// (rust-libp2p#5097).
pub(super) fn identity(seed: &[u8; 32], boot: u64) -> Result<Keypair, GossipError> {
    let key = blake2b_256(&[b"nupeer/gossip-key/1", seed, &boot.to_be_bytes()]);
    Keypair::ed25519_from_bytes(key.0).map_err(start)
}

/// The swarm, not yet listening.
pub(super) fn swarm(
    keypair: Keypair,
    chain: &Hash,
    message_bytes_max: usize,
) -> Result<Swarm<Behaviour>, GossipError> {
    let gossipsub = gossipsub(keypair.clone(), chain, message_bytes_max)?;
    let tcp = tcp::Config::default().nodelay(true);
    let swarm = SwarmBuilder::with_existing_identity(keypair)
        .with_tokio()
        .with_tcp(tcp, noise::Config::new, yamux::Config::default)
        .map_err(start)?
        .with_behaviour(|_| Behaviour {
            limits: connection_limits::Behaviour::new(limits()),
            ping: ping::Behaviour::default(),
            gossipsub,
        })
        .map_err(start)?
        // Peers that have nothing to say stay connected.
        .with_swarm_config(|config| {
            config.with_idle_connection_timeout(Duration::from_secs(3_600))
        })
        .build();
    Ok(swarm)
}

fn gossipsub(
    keypair: Keypair,
    chain: &Hash,
    message_bytes_max: usize,
) -> Result<gossipsub::Behaviour, GossipError> {
    let config = gossipsub::ConfigBuilder::default()
        // Nodes of different chains find no protocol in common.
        .protocol_id_prefix(format!("/nupeer/{chain}/gossip"))
        .validation_mode(ValidationMode::Strict)
        .validate_messages()
        .max_transmit_size(message_bytes_max + SIGNED_BYTES)
        .heartbeat_initial_delay(Duration::from_millis(500))
        .build()
        .map_err(start)?;
    let mut gossipsub =
        gossipsub::Behaviour::new(MessageAuthenticity::Signed(keypair), config).map_err(start)?;
    let Topics {
        transactions,
        offers,
    } = Topics::new(chain);
    for topic in [transactions, offers] {
        gossipsub.subscribe(&topic).map_err(start)?;
    }
    Ok(gossipsub)
}

/// What gossipsub puts around a message: source, number, topic, key, signature.
const SIGNED_BYTES: usize = 1_024;

fn limits() -> ConnectionLimits {
    ConnectionLimits::default()
        .with_max_pending_incoming(Some(PENDING_MAX))
        .with_max_established_incoming(Some(INCOMING_MAX))
        .with_max_established_per_peer(Some(PER_PEER_MAX))
}

/// The address that a text names.
pub(super) fn address(text: &str) -> Result<Multiaddr, GossipError> {
    let wrong = |e: libp2p::multiaddr::Error| GossipError::Address {
        provided: text.into(),
        reason: e.to_string(),
    };
    text.parse().map_err(wrong)
}

pub(super) fn start(error: impl std::fmt::Display) -> GossipError {
    GossipError::Start(error.to_string())
}
