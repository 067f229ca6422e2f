//! A node of a chain without a bridge that follows preprod: real blocks of that network, its genesis figures by name, its magic in the
//! handshake. What serves them is no cardano-node, but speaks its protocols.

use std::time::Duration;

use nupeer_cardano_client::{Network, Node as CardanoNode};
use nupeer_node::{Node, NodeConfig, api};
use nupeer_primitives::{CardanoPoint, Code, Hash, Numbered};
use nupeer_runtime::genesis::CardanoSettings;
use nupeer_testing::chain_data;
use serde_json::Value;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
    sync::oneshot,
    task::JoinHandle,
    time::sleep,
};

use crate::support::{
    Cluster, height, reaches,
    replay::{Replay, Replayed},
    soon,
};

/// Preprod's magic and another network's.
const PREPROD: u64 = 1;
const PREVIEW: u64 = 2;
/// The block of the chunk after which to follow.
const FROM: usize = 7;

/// A Cardano with a chunk of preprod's chain, and a validator of its own beside it.
struct World {
    folder: tempfile::TempDir,
    cardano: Replay,
}

impl World {
    /// `None` without chain data.
    fn new(magic: u64) -> Option<Self> {
        let folder = tempfile::tempdir().unwrap();
        let blocks = chain_data::immutable_blocks()?.into_iter();
        let cardano = Replay::start(folder.path(), magic, blocks.map(Replayed::read).collect());
        Some(World { folder, cardano })
    }

    fn point(&self, place: usize) -> CardanoPoint {
        self.cardano.blocks[place].point
    }

    fn last(&self) -> CardanoPoint {
        self.point(self.cardano.blocks.len() - 1)
    }

    /// Starts the validator of a chain that follows preprod after `from`, as `nupeer genesis --cardano-network preprod --cardano-from …` and
    /// `nupeer node --cardano-socket … --cardano-network preprod` do, and its API.
    async fn start(&self, from: CardanoPoint) -> Running {
        let network = Network::preprod();
        let settings = CardanoSettings {
            magic: u32::try_from(network.magic).unwrap(),
            security_parameter: u32::try_from(network.security_parameter_blocks).unwrap(),
            from,
        };
        let cluster = Cluster::following(&self.folder.path().join("chain"), 1, settings);
        let config = NodeConfig {
            cardano_socket: self.cardano.socket.clone(),
            cardano_network: "preprod".into(),
            ..cluster.config(0)
        };
        let node = Node::start(config, None).await.unwrap();
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let api = listener.local_addr().unwrap().to_string();
        let target = Duration::from_millis(100);
        let (stop, stopped) = oneshot::channel::<()>();
        let until = async {
            let _ = stopped.await;
        };
        let serving = tokio::spawn(api::serve(node.handle(), target, listener, until));
        Running {
            node,
            api,
            stop,
            serving,
        }
    }
}

struct Running {
    node: Node,
    api: String,
    stop: oneshot::Sender<()>,
    serving: JoinHandle<()>,
}

impl Running {
    /// `GET /v1/status`.
    async fn status(&self) -> Value {
        let mut stream = TcpStream::connect(&self.api).await.unwrap();
        let request = format!(
            "GET /v1/status HTTP/1.1\r\nhost: {}\r\nconnection: close\r\n\r\n",
            self.api
        );
        stream.write_all(request.as_bytes()).await.unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).await.unwrap();
        let (head, body) = answer.split_once("\r\n\r\n").unwrap();
        assert!(head.starts_with("HTTP/1.1 200"), "{head}");
        serde_json::from_str(body).unwrap()
    }

    /// Its status once its view of Cardano is `as_wanted`.
    async fn until(&self, what: &str, as_wanted: impl Fn(&Value) -> bool) -> Value {
        soon(what, async {
            loop {
                let status = self.status().await;
                if as_wanted(&status["cardano_view"]) {
                    return status;
                }
                sleep(Duration::from_millis(50)).await;
            }
        })
        .await
    }

    async fn refused(&self, number: &str) -> String {
        let is_refused = |view: &Value| {
            let error = view["error"].as_str();
            error.is_some_and(|error| error.starts_with(number))
        };
        let status = self.until(number, is_refused).await;
        let view = &status["cardano_view"];
        assert_eq!(view["tip"], Value::Null);
        view["error"].as_str().unwrap().to_owned()
    }

    /// Cardano or not, its own chain goes on.
    async fn goes_on(self) {
        let handle = self.node.handle();
        reaches(&handle, height(&handle).next().next()).await;
        drop(handle);
        // Its interface first: who may still ask holds the stores.
        self.stop.send(()).unwrap();
        self.serving.await.unwrap();
        self.node.stop().await.unwrap();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn preprod_is_followed_from_the_point_that_the_genesis_names() {
    let Some(world) = World::new(PREPROD) else {
        return;
    };
    let (from, last) = (world.point(FROM), world.last());
    // Twice: what it followed before it stopped it does not follow again, and the node answers from where it was.
    for _ in 0..2 {
        let running = world.start(from).await;
        let is_there = |view: &Value| {
            view["tip"] == last.to_string() && view["connected"] == true && view["error"].is_null()
        };
        let status = running.until("preprod's tip", is_there).await;
        assert_eq!(status["cardano_view"]["node_tip_slot"], last.slot.0);
        assert_eq!(status["cardano_view"]["halted"], Value::Null);
        // The chunk has fewer blocks than k: blocks go on naming the point they began with.
        assert!(world.cardano.blocks.len() < 2160);
        reaches(
            &running.node.handle(),
            height(&running.node.handle()).next(),
        )
        .await;
        assert_eq!(running.status().await["cardano"], from.to_string());
        running.goes_on().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_node_of_another_network_is_refused_by_number_and_never_followed() {
    let Some(world) = World::new(PREVIEW) else {
        return;
    };
    let node = CardanoNode::new(&world.cardano.socket, Network::preprod());
    assert_eq!(node.tip().await.unwrap_err().code(), Code(7041));
    let running = world.start(world.point(FROM)).await;
    let error = running.refused("NP7041: ").await;
    assert!(
        error.contains("refused a handshake with magic 1 (preprod)"),
        "{error}"
    );
    assert_eq!(running.status().await["cardano_view"]["connected"], false);
    running.goes_on().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_point_that_preprod_does_not_have_is_told_by_number() {
    let Some(world) = World::new(PREPROD) else {
        return;
    };
    let elsewhere = CardanoPoint {
        hash: Hash([7; 32]),
        ..world.point(FROM)
    };
    let running = world.start(elsewhere).await;
    let error = running.refused("NP7065: ").await;
    assert!(error.contains(&elsewhere.to_string()), "{error}");
    running.goes_on().await;
}
