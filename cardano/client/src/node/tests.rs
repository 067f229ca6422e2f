//! A node's client against a node on pallas' server halves.

use std::time::{Duration, Instant};

use nupeer_primitives::{TimeMs, blake2b_256};
use tokio::{io::AsyncWriteExt, net::UnixListener};

use super::*;
use crate::testing::{Answers, TestNode, chain};

fn network() -> Network {
    Network::devnet(TimeMs(0), 1000, 12, 120)
}

fn answers() -> Answers {
    let address = format!("581d60{}", "01".repeat(28));
    let utxos = hex::decode(format!("a1825820{}01a200{address}0109", "02".repeat(32))).unwrap();
    Answers {
        era: 6,
        parameters: crate::parameters::sample_answer(),
        utxos,
        rejection: None,
    }
}

fn client(node: &TestNode) -> Node {
    Node::new(&node.socket, network())
}

#[tokio::test]
async fn questions_are_answered() {
    let blocks = chain(3, 1);
    let node = TestNode::answering(42, blocks.clone(), answers());
    let mut session = client(&node).connect().await.unwrap();
    assert_eq!(session.tip().await.unwrap(), Some(blocks[2].tip));
    let parameters = session.parameters().await.unwrap();
    assert_eq!(parameters.fee_per_byte_lovelace, 44);
    let found = session.utxos_at(&[]).await.unwrap();
    assert_eq!(session.utxos(&[found[0].reference]).await.unwrap(), found);
    assert_eq!(found[0].output.value.coin(), 9);
    session.refresh().await.unwrap();
    session.refresh().await.unwrap();
    assert_eq!(session.tip().await.unwrap(), Some(blocks[2].tip));
    session.close();
}

#[tokio::test]
async fn before_the_first_block_there_is_no_tip() {
    let node = TestNode::start(42, vec![]);
    assert_eq!(client(&node).tip().await.unwrap(), None);
}

#[tokio::test]
async fn a_submitted_transaction_is_known_by_the_hash_of_its_body() {
    let node = TestNode::start(42, vec![]);
    let id = client(&node)
        .submit(&[0x84, 0xa0, 0xa0, 0xf5, 0xf6])
        .await
        .unwrap();
    assert_eq!(id, blake2b_256(&[&[0xa0]]));
}

#[tokio::test]
async fn a_refusal_says_why() {
    let refusing = Answers {
        rejection: Some("the fee is 1, 2 is needed".into()),
        ..answers()
    };
    let node = TestNode::answering(42, vec![], refusing);
    let refused = client(&node).submit(&[0x80]).await.unwrap_err();
    let NodeError::Rejected(rejection) = refused else {
        panic!("{refused}")
    };
    assert_eq!(rejection.text(), "the fee is 1, 2 is needed");
}

#[tokio::test]
async fn a_node_of_another_network_refuses_the_handshake() {
    let node = TestNode::start(2, vec![]);
    let refused = client(&node).tip().await.unwrap_err();
    assert!(
        matches!(refused, NodeError::Handshake { magic: 42, .. }),
        "{refused}"
    );
}

#[tokio::test]
async fn another_era_is_named() {
    let node = TestNode::answering(
        42,
        vec![],
        Answers {
            era: 7,
            ..answers()
        },
    );
    let refused = client(&node).parameters().await.unwrap_err();
    assert!(
        matches!(
            refused,
            NodeError::Era {
                provided: 7,
                expected: 6
            }
        ),
        "{refused}"
    );
}

#[tokio::test]
async fn nobody_at_the_socket_is_named() {
    let refused = Node::new("/nonexistent/node.socket", network())
        .tip()
        .await
        .unwrap_err();
    assert!(matches!(refused, NodeError::Connect { .. }), "{refused}");
}

#[tokio::test]
async fn garbage_and_silence_end_in_an_error_in_time() {
    let folder = tempfile::tempdir().unwrap();
    let socket = folder.path().join("node.socket");
    let listener = UnixListener::bind(&socket).unwrap();
    let script: [&[u8]; 4] = [
        // Nothing; a message that is none; a segment for nobody; a length that never comes.
        &[],
        &[0, 0, 0, 0, 0x80, 0, 0, 4, 0xff, 0xff, 0xff, 0xff],
        &[0, 0, 0, 0, 0x99, 0, 0, 1, 0],
        &[
            0, 0, 0, 0, 0x80, 0, 0, 9, 0x9b, 255, 255, 255, 255, 255, 255, 255, 255,
        ],
    ];
    let serve = async {
        let mut open = Vec::new();
        for bytes in script {
            let (mut stream, _) = listener.accept().await.unwrap();
            stream.write_all(bytes).await.unwrap();
            open.push(stream);
        }
        std::future::pending::<()>().await;
    };
    let ask = async {
        let mut node = Node::new(&socket, network());
        node.timeouts.connect = Duration::from_millis(300);
        for bytes in script {
            let began = Instant::now();
            let error = node.tip().await.unwrap_err();
            let expected = matches!(
                error,
                NodeError::Timeout { .. } | NodeError::Connection { .. }
            );
            assert!(expected, "{bytes:?}: {error}");
            assert!(began.elapsed() < Duration::from_secs(5));
        }
    };
    tokio::select! { () = serve => unreachable!("it never ends"), () = ask => {} }
}
