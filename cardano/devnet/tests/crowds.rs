//! More clients than there are places: whoever says nothing, says half of something or does not read keeps nobody else out.

mod common;

use std::path::Path;

use common::node::{
    CONWAY, Followed, PATIENCE, connect, devnet, follow, greeting, mint, requests, tip,
};
use nupeer_devnet::control::Client;
use pallas_network::miniprotocols::{
    Point, chainsync::NextResponse, localstate::queries_v16::get_current_era,
};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::UnixStream,
    time::timeout,
};

/// More than either socket has places.
const CROWD: usize = 300;

/// Clients that say this and nothing more, and read nothing.
async fn crowd(path: &Path, says: &[u8]) -> Vec<UnixStream> {
    let mut crowd = Vec::new();
    for _ in 0..CROWD {
        let mut stream = UnixStream::connect(path).await.expect("connects");
        // Who was made to go meanwhile may find its socket closed.
        let _ = stream.write_all(says).await;
        crowd.push(stream);
    }
    crowd
}

fn half(whole: Vec<u8>) -> Vec<u8> {
    whole[..whole.len() / 2].to_vec()
}

#[tokio::test]
async fn no_crowd_keeps_a_client_of_the_node_out_or_a_follower_waiting() {
    let (_folder, devnet) = devnet().await;
    mint(&devnet, 500).await;
    let mut follower = connect(&devnet).await;
    let intersect = follower.chainsync().find_intersect(vec![Point::Origin]);
    intersect.await.expect("the origin");
    let mut followed = Followed::default();
    follow(&mut follower, &mut followed, &tip(devnet.view())).await;
    let waiting = follower
        .chainsync()
        .request_next()
        .await
        .expect("an answer");
    assert!(matches!(waiting, NextResponse::Await), "{waiting:?}");
    for says in [
        Vec::new(),
        half(greeting()),
        greeting(),
        [greeting(), half(requests(1))].concat(),
        // More than any socket's buffer takes: the rest is never read.
        [greeting(), requests(20_000)].concat(),
    ] {
        let crowd = crowd(devnet.socket_path(), &says).await;
        let client = timeout(PATIENCE, connect(&devnet)).await;
        let mut client = client.expect("a place in time");
        let queries = client.statequery();
        queries.acquire(None).await.expect("the tip");
        assert_eq!(get_current_era(queries).await.expect("an era"), CONWAY);
        drop(crowd);
    }
    // Whoever waits for a block is no silent client, however long it waits.
    mint(&devnet, 1).await;
    let next = timeout(PATIENCE, follower.chainsync().recv_while_must_reply()).await;
    let next = next.expect("in time").expect("an answer");
    assert!(matches!(next, NextResponse::RollForward(..)), "{next:?}");
    devnet.stop().await;
}

#[tokio::test]
async fn no_crowd_keeps_a_commander_out() {
    let (_folder, devnet) = devnet().await;
    for says in [
        Vec::new(),
        b"{\"command\":\"sta".to_vec(),
        b"garbage\n".to_vec(),
        // The answers are more than any socket's buffer takes, and never read.
        b"{\"command\":\"status\"}\n".repeat(2_000),
    ] {
        let crowd = crowd(devnet.control_path(), &says).await;
        let client = Client::new(devnet.control_path());
        let status = timeout(PATIENCE, client.status()).await;
        let status = status.expect("a place in time").expect("a status");
        assert_eq!(status.tip, None);
        drop(crowd);
    }
    devnet.stop().await;
}

#[tokio::test]
async fn a_command_without_an_end_is_refused_when_it_is_too_long() {
    let (_folder, devnet) = devnet().await;
    let stream = UnixStream::connect(devnet.control_path()).await;
    let (mut read, mut write) = stream.expect("connects").into_split();
    let endless = vec![b'{'; 4 << 20];
    let mut answers = Vec::new();
    let (_, hung_up) = tokio::join!(write.write_all(&endless), async {
        timeout(PATIENCE, read.read_to_end(&mut answers)).await
    });
    // Closed before all was read: the system says so after what was answered.
    let _ = hung_up.expect("in time");
    let answers = String::from_utf8_lossy(&answers);
    assert!(answers.contains("\"code\":\"NP7174\""), "{answers}");
    let status = Client::new(devnet.control_path()).status().await;
    assert_eq!(status.expect("a status").tip, None);
    devnet.stop().await;
}
