//! A node of a chain without a bridge that follows preprod: real blocks of that network, its genesis figures by name, its magic in the
//! handshake. What serves them is no cardano-node, but speaks its protocols.

mod needs_chain_data;

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
    fn new(magic: u64) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let blocks = chain_data::immutable_blocks().into_iter();
        let cardano = Replay::start(folder.path(), magic, blocks.map(Replayed::read).collect());
        World { folder, cardano }
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
