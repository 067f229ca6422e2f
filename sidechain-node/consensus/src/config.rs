//! What an operator chooses.

use std::path::PathBuf;
use std::time::Duration;

use ed25519_dalek::SigningKey;
use nupeer_primitives::consensus::ValidatorId;
use nupeer_primitives::{Hash, PublicKey};

/// Settings of one engine.
#[derive(Clone, Debug)]
pub struct Config {
    /// The chain: its genesis id. Nodes of different chains refuse one another's connections and signatures.
    pub network: Hash,
    /// Where to listen, as a TCP multiaddr, for instance `/ip4/0.0.0.0/tcp/26656`. Port 0 lets the kernel choose;
    /// [`Application::listening`](crate::Application::listening) tells which.
    pub listen: String,
    /// Multiaddrs of the other validators. Everyone should name everyone: messages are not relayed.
    pub peers: Vec<String>,
    /// This node's name in logs and metrics.
    pub moniker: String,
    /// Folder for the crash log. One engine at a time; created where missing.
    pub home: PathBuf,
    /// File of what this validator signed last; made with its first signature. It belongs to the key: whoever moves the key moves it along, and it
    /// must outlive [`Config::home`]. One for each chain that the key votes on.
    pub last_signed: PathBuf,
    /// A height takes at least this long. Zero: as fast as it goes.
    pub block_target: Duration,
    /// How long to wait for others.
    pub timeouts: Timeouts,
    /// Largest block, bytes. All validators must agree on it.
    pub block_bytes_max: usize,
    /// Connections accepted from one address. Raise it where many validators share one, as on loopback.
    pub connections_per_ip_max: usize,
    /// How often to tell others the own height: how soon one that fell behind finds out.
    pub status_interval: Duration,
}

/// How long a round waits at each step.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Timeouts {
    /// For the proposal, in round 0. A validator that cannot judge until then votes nil.
    pub propose: Duration,
    /// For more prevotes once two thirds are there but disagree.
    pub prevote: Duration,
    /// For more precommits, likewise.
    pub precommit: Duration,
    /// How much longer each of these becomes with each further round.
    pub delta: Duration,
    /// None of them gets longer than this.
    pub max: Duration,
}

impl Default for Timeouts {
    fn default() -> Self {
        Timeouts {
            propose: Duration::from_millis(1500),
            prevote: Duration::from_millis(500),
            precommit: Duration::from_millis(500),
            delta: Duration::from_millis(500),
            max: Duration::from_secs(30),
        }
    }
}

impl Config {
    /// Settings for `network` with everything else at its default: loopback on a port of the kernel's choice, no
    /// peers, a block each second, blocks up to 2 MiB, what was signed last beside the folder `home`.
    pub fn new(network: Hash, home: impl Into<PathBuf>) -> Self {
        let home = home.into();
        Config {
            last_signed: home.with_extension("last-signed"),
            network,
            listen: "/ip4/127.0.0.1/tcp/0".into(),
            peers: Vec::new(),
            moniker: "validator".into(),
            home,
            block_target: Duration::from_secs(1),
            timeouts: Timeouts::default(),
            block_bytes_max: 2 << 20,
            connections_per_ip_max: 64,
            status_interval: Duration::from_secs(1),
        }
    }
}

/// The two secrets an engine works with.
#[derive(Clone)]
pub struct Keys {
    /// Signs votes and proposals. Whoever runs it twice at the same time is caught signing twice.
    pub consensus: SigningKey,
    /// Seed of the libp2p identity. It carries no trust: peers prove over it that they hold a consensus key. A
    /// fresh one per boot is advised, since a node that comes back at once under its old identity may find that
    /// its messages are not delivered (rust-libp2p#5097); a kept one makes logs easier to follow.
    pub network_seed: [u8; 32],
}

impl Keys {
    /// The name under which this validator votes.
    pub fn validator_id(&self) -> ValidatorId {
        self.public_key().hash()
    }

    /// The key that verifies this validator's votes.
    pub fn public_key(&self) -> PublicKey {
        PublicKey(self.consensus.verifying_key().to_bytes())
    }
}

impl std::fmt::Debug for Keys {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Keys({})", self.validator_id())
    }
}
