//! Gossip between two nodes' doors, and with strangers who send what no node should.

use std::{sync::Arc, time::Duration};

use crate::support::{
    chain::{self, Pay},
    soon,
};
use bytes::Bytes;
use futures::StreamExt;
use libp2p::{
    Multiaddr, SwarmBuilder,
    gossipsub::{self, IdentTopic, MessageAuthenticity},
    noise,
    swarm::SwarmEvent,
    tcp, yamux,
};
use nupeer_node::{
    clock::Clock,
    gossip::{Gossip, GossipConfig, GossipError, GossipStatus, Outbox, batch::Batch},
    intake::Intake,
    mempool::{Limits, Mempool, Origin},
    store::{Store, StoreConfig},
    verified::VerifiedCache,
};
use nupeer_primitives::Hash;
use nupeer_runtime::{Chain, SignedTransaction, Witness};
use tokio::sync::{oneshot, watch};

const ACCOUNTS: u16 = 3;
/// How often the tests look at what tells nobody of its changes.
const LOOK: Duration = Duration::from_millis(10);

fn the_chain() -> Chain {
    chain::genesis(1, ACCOUNTS).chain().unwrap()
}

/// A mempool with gossip, on a chain that decides nothing.
struct Door {
    intake: Arc<Intake>,
    outbox: Outbox,
    status: watch::Receiver<GossipStatus>,
    _folder: tempfile::TempDir,
    _stop: oneshot::Sender<()>,
}

fn config(peers: Vec<String>, seed: u8) -> GossipConfig {
    let chain = the_chain();
    GossipConfig {
        chain: chain.id,
        transaction_bytes_max: chain.limits.transaction_bytes_max as usize,
        listen: "/ip4/127.0.0.1/tcp/0".into(),
        peers,
        seed: [seed; 32],
        boot: 1,
    }
}

impl Door {
    fn open(peers: Vec<String>, seed: u8) -> Door {
        let folder = tempfile::tempdir().unwrap();
        let genesis = chain::genesis(1, ACCOUNTS);
        let store = Store::open(&StoreConfig::new(folder.path()), &genesis).unwrap();
        let verified = Arc::new(VerifiedCache::new(the_chain()));
        let mempool = Mempool::new(Limits::default());
        let intake = Arc::new(Intake::new(store, verified, mempool, Clock::system()));
        let (gossip, outbox) =
            Gossip::bind(&config(peers, seed), intake.clone(), Clock::system()).unwrap();
        let (stop, stopped) = oneshot::channel();
        let status = gossip.status();
        tokio::spawn(gossip.run(async { drop(stopped.await) }));
        Door {
            intake,
            outbox,
            status,
            _folder: folder,
            _stop: stop,
        }
    }

    async fn address(&self) -> String {
        let mut status = self.status.clone();
        let listening = status.wait_for(|status| status.listening.is_some());
        soon("listening", listening)
            .await
            .unwrap()
            .listening
            .clone()
            .unwrap()
    }

    async fn has_peers(&self, count: usize) {
        let mut status = self.status.clone();
        soon("peers", status.wait_for(|status| status.peers == count))
            .await
            .unwrap();
    }

    fn submit(&self, pay: &Pay) -> Hash {
        let taken = self
            .intake
            .submit(pay.bytes(&the_chain()), Origin::Local)
            .unwrap();
        taken
            .fresh
            .into_iter()
            .for_each(|bytes| self.outbox.tell(bytes));
        taken.id
    }

    fn is_pending(&self, id: &Hash) -> bool {
        self.intake.mempool().is_pending(id)
    }

    async fn learns(&self, id: &Hash) {
        let told = async {
            while !self.is_pending(id) {
                tokio::time::sleep(LOOK).await;
            }
        };
        soon("a transaction", told).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_one_admits_the_other_learns_in_order() {
    let one = Door::open(vec![], 1);
    let other = Door::open(vec![one.address().await], 2);
    one.has_peers(1).await;
    other.has_peers(1).await;
    let ids: Vec<Hash> = (0..20)
        .map(|sequence| one.submit(&Pay::new(0, 1, sequence)))
        .collect();
    for id in &ids {
        other.learns(id).await;
    }
    let back = other.submit(&Pay::new(1, 2, 0));
    one.learns(&back).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_comes_later_learns_it_too() {
    let one = Door::open(vec![], 1);
    // Nobody is there to hear of it.
    let id = one.submit(&Pay::new(0, 1, 0));
    let late = Door::open(vec![one.address().await], 2);
    late.learns(&id).await;
}

/// Somebody who speaks the protocol and sends what it likes; says how often it was disconnected.
async fn stranger(to: String, topic: &str, message: Vec<u8>) -> usize {
    let chain = the_chain();
    let mut swarm = SwarmBuilder::with_new_identity()
        .with_tokio()
        .with_tcp(
            tcp::Config::default(),
            noise::Config::new,
            yamux::Config::default,
        )
        .unwrap()
        .with_behaviour(|key| {
            let config = gossipsub::ConfigBuilder::default()
                .protocol_id_prefix(format!("/nupeer/{}/gossip", chain.id))
                .build()
                .unwrap();
            let author = MessageAuthenticity::Signed(key.clone());
            gossipsub::Behaviour::<gossipsub::IdentityTransform>::new(author, config).unwrap()
        })
        .unwrap()
        .with_swarm_config(|config| config.with_idle_connection_timeout(Duration::from_secs(600)))
        .build();
    let topic = IdentTopic::new(format!("nupeer/{topic}/1/{}", chain.id));
    swarm.behaviour_mut().subscribe(&topic).unwrap();
    swarm.dial(to.parse::<Multiaddr>().unwrap()).unwrap();
    let mut tick = tokio::time::interval(LOOK);
    let mut sent = 0;
    loop {
        tokio::select! {
            event = swarm.select_next_some() => {
                if let SwarmEvent::ConnectionClosed { .. } = event {
                    return sent;
                }
            }
            _ = tick.tick() => {
                if swarm.behaviour_mut().publish(topic.clone(), message.clone()).is_ok() {
                    sent += 1;
                }
            }
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_keeps_sending_garbage_is_disconnected() {
    let door = Door::open(vec![], 1);
    let to = door.address().await;
    let garbage = stranger(to, "transactions", vec![0xff; 100]);
    let sent = soon("the end of a connection", garbage).await;
    assert!(sent > 10, "{sent} messages were borne");
    door.has_peers(0).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_keeps_sending_garbage_for_offers_is_disconnected_too() {
    let door = Door::open(vec![], 1);
    let to = door.address().await;
    let garbage = stranger(to, "offers", vec![0xff; 100]);
    let sent = soon("the end of a connection", garbage).await;
    assert!(sent > 10, "{sent} messages were borne");
    door.has_peers(0).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_keeps_sending_forgeries_is_disconnected_and_nothing_of_it_stays() {
    let door = Door::open(vec![], 1);
    let to = door.address().await;
    let genuine = Pay::new(0, 1, 0).signed(&the_chain());
    let Witness::Key {
        public_key,
        mut signature,
    } = genuine.witness
    else {
        panic!("a key")
    };
    signature.0[0] ^= 1;
    let witness = Witness::Key {
        public_key,
        signature,
    };
    let forged = SignedTransaction {
        transaction: genuine.transaction,
        witness,
    };
    let mut batch = Batch::default();
    batch.push(&Bytes::from(forged.to_bytes()));
    soon(
        "the end of a connection",
        stranger(to, "transactions", batch.take()),
    )
    .await;
    assert_eq!(door.intake.mempool().size(), (0, 0));
}

#[tokio::test]
async fn addresses_without_sense_are_refused_by_name() {
    let folder = tempfile::tempdir().unwrap();
    let genesis = chain::genesis(1, ACCOUNTS);
    let store = Store::open(&StoreConfig::new(folder.path()), &genesis).unwrap();
    let verified = Arc::new(VerifiedCache::new(the_chain()));
    let mempool = Mempool::new(Limits::default());
    let intake = Arc::new(Intake::new(store, verified, mempool, Clock::system()));
    let wrong = GossipConfig {
        listen: "127.0.0.1:0".into(),
        ..config(vec![], 1)
    };
    let refused = Gossip::bind(&wrong, intake.clone(), Clock::system())
        .err()
        .unwrap();
    assert!(matches!(&refused, GossipError::Address { provided, .. } if provided == "127.0.0.1:0"));
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let port = taken.local_addr().unwrap().port();
    let listen = format!("/ip4/127.0.0.1/tcp/{port}");
    let occupied = GossipConfig {
        listen: listen.clone(),
        ..config(vec![], 1)
    };
    let refused = Gossip::bind(&occupied, intake, Clock::system())
        .err()
        .unwrap();
    assert!(matches!(refused, GossipError::Listen { address, .. } if address == listen));
}
