//! The peers' port under strain: garbage, peers that never read or close one half, more of them than there are places.

mod common;

use common::{
    node::{PATIENCE, fork, mint, point, segment, tip},
    peer::{Bytes, address, connect, devnet, greeting, requests},
};
use nupeer_devnet::Devnet;
use pallas_network::{
    facades::PeerClient,
    miniprotocols::{
        PROTOCOL_N2N_BLOCK_FETCH, PROTOCOL_N2N_CHAIN_SYNC, PROTOCOL_N2N_HANDSHAKE,
        PROTOCOL_N2N_KEEP_ALIVE, PROTOCOL_N2N_PEER_SHARING, PROTOCOL_N2N_TX_SUBMISSION, Point,
        chainsync::NextResponse,
    },
};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
    time::timeout,
};

/// More than the port has places.
const CROWD: usize = 300;

async fn say(devnet: &Devnet, says: &[u8]) -> TcpStream {
    let stream = TcpStream::connect(address(devnet)).await;
    let mut stream = stream.expect("connects");
    // The devnet may hang up before all is written.
    let _ = stream.write_all(says).await;
    stream
}

fn half(whole: Vec<u8>) -> Vec<u8> {
    whole[..whole.len() / 2].to_vec()
}

fn to_hex(point: &Point) -> String {
    hex::encode(pallas_codec::minicbor::to_vec(point).expect("encodes"))
}

/// Asks for all blocks so often that no socket's buffer takes the answers.
fn fetches(devnet: &Devnet) -> Vec<u8> {
    let view = devnet.view();
    let ends = [view.block(0), view.block(view.tip().height - 1)];
    let ends = ends.map(|block| point(&block.expect("a block")));
    let request = pallas_codec::minicbor::to_vec((0_u8, &ends[0], &ends[1])).expect("encodes");
    segment(PROTOCOL_N2N_BLOCK_FETCH, &request.repeat(200))
}

/// What breaks the protocols, each in its own way.
fn attacks() -> Vec<Vec<u8>> {
    let after = |protocol, payload: &[u8]| [greeting(), segment(protocol, payload)].concat();
    vec![
        vec![0xff; 4_096],
        segment(PROTOCOL_N2N_HANDSHAKE, &[0xff; 64]),
        segment(PROTOCOL_N2N_HANDSHAKE, &[0x81, 0xff]),
        // A string of 2^64 bytes.
        segment(
            PROTOCOL_N2N_HANDSHAKE,
            &[0x5b, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff],
        ),
        // A local client's mini-protocol, and a responder's segment.
        segment(5, &[0x81, 0x00]),
        after(PROTOCOL_N2N_CHAIN_SYNC | 0x8000, &[0x81, 0x00]),
        after(PROTOCOL_N2N_CHAIN_SYNC, &[0x81; 60_000]),
        // A server's message in each protocol.
        after(PROTOCOL_N2N_CHAIN_SYNC, &[0x81, 0x01]),
        after(PROTOCOL_N2N_BLOCK_FETCH, &[0x81, 0x02]),
        after(PROTOCOL_N2N_TX_SUBMISSION, &[0x84, 0x00, 0xf5, 0x00, 0x01]),
        after(PROTOCOL_N2N_KEEP_ALIVE, &[0x82, 0x01, 0x00]),
        after(PROTOCOL_N2N_PEER_SHARING, &[0x82, 0x01, 0x80]),
        // More waits than any of these messages has, and half of it never comes.
        after(PROTOCOL_N2N_KEEP_ALIVE, &[0x59; 2_000]),
        after(
            PROTOCOL_N2N_PEER_SHARING,
            &[&[0x5a, 0, 0, 0xff, 0xff][..], &[0; 6_000]].concat(),
        ),
    ]
}

async fn follow(client: &mut PeerClient, until: &Point) {
    loop {
        let next = timeout(PATIENCE, client.chainsync().request_or_await_next()).await;
        let next = next.expect("in time").expect("an answer");
        let (NextResponse::RollForward(_, at) | NextResponse::RollBackward(_, at)) = next else {
            continue;
        };
        assert_eq!(&at.0, until);
        if client
            .chainsync()
            .find_intersect(vec![until.clone()])
            .await
            .is_ok()
        {
            return;
        }
    }
}

#[tokio::test]
async fn garbage_and_peers_that_never_read_disturb_nobody() {
    let (_folder, devnet) = devnet().await;
    mint(&devnet, 500).await;
    let mut client = connect(&devnet).await;
    let mut nuisances = Vec::new();
    for attack in attacks() {
        nuisances.push(say(&devnet, &attack).await);
    }
    nuisances.push(say(&devnet, &[]).await);
    nuisances.push(say(&devnet, &[greeting(), requests(20_000)].concat()).await);
    nuisances.push(say(&devnet, &[greeting(), fetches(&devnet)].concat()).await);
    let mut all = Vec::new();
    for _ in 0..2 {
        fork(&devnet, 5).await;
        follow(&mut client, &tip(devnet.view())).await;
        let view = devnet.view();
        let first = point(&view.block(0).expect("a block"));
        let fetched = client.blockfetch().fetch_range((first, tip(view))).await;
        all.push(fetched.expect("the blocks").len());
    }
    assert_eq!(all, [501, 502]);
    drop(nuisances);
    devnet.stop().await;
}

#[tokio::test]
async fn whoever_breaks_a_protocol_is_hung_up_on() {
    let (_folder, devnet) = devnet().await;
    for attack in attacks() {
        let mut stream = say(&devnet, &attack).await;
        let mut rest = Vec::new();
        let read = timeout(PATIENCE, stream.read_to_end(&mut rest)).await;
        // Nothing but the answer to the greeting came before.
        let read = read.unwrap_or_else(|_| panic!("hangs up in time: {attack:x?}"));
        assert!(read.is_err() || rest.len() <= 8 + 11, "{rest:x?}");
    }
    devnet.stop().await;
}

#[tokio::test]
async fn whoever_closes_its_half_is_let_go() {
    let (_folder, devnet) = devnet().await;
    for says in [
        Vec::new(),
        half(greeting()),
        greeting(),
        [greeting(), half(requests(1))].concat(),
        [greeting(), requests(1)].concat(),
        [
            greeting(),
            segment(PROTOCOL_N2N_TX_SUBMISSION, &[0x81, 0x06]),
        ]
        .concat(),
    ] {
        let mut stream = say(&devnet, &says).await;
        stream.shutdown().await.expect("closes its half");
        let ended = timeout(PATIENCE, stream.read_to_end(&mut Vec::new())).await;
        assert!(ended.is_ok(), "{says:x?}");
    }
    devnet.stop().await;
}

#[tokio::test]
async fn a_fork_within_a_batch_ends_the_connection_before_chains_mix() {
    let (_folder, devnet) = devnet().await;
    // More than the buffers between the two take, so that the end has not been sent when the fork comes.
    mint(&devnet, 5_000).await;
    let view = devnet.view();
    let blocks: Vec<_> = (0..5_000).filter_map(|number| view.block(number)).collect();
    let [first, last] = [&blocks[0], &blocks[4_999]].map(|block| to_hex(&point(block)));
    let mut peer = Bytes::connect(&devnet).await;
    let range = format!("8300{first}{last}");
    let begun = peer.ask(PROTOCOL_N2N_BLOCK_FETCH, &range).await;
    assert_eq!(begun, "8102");
    fork(&devnet, 5).await;
    let mut fetched = 0;
    while let Some((_, message)) = peer.hear_until_hung_up_on().await {
        assert!(
            message.ends_with(&hex::encode(&blocks[fetched].raw)),
            "{message}"
        );
        fetched += 1;
    }
    assert!(fetched < 4_995, "{fetched}");
    devnet.stop().await;
}

#[tokio::test]
async fn no_crowd_keeps_a_peer_out_or_a_follower_waiting() {
    let (_folder, devnet) = devnet().await;
    mint(&devnet, 500).await;
    let mut follower = connect(&devnet).await;
    let at_tip = tip(devnet.view());
    let found = follower.chainsync().find_intersect(vec![at_tip]).await;
    found.expect("the tip");
    let chainsync = follower.chainsync();
    let first = chainsync.request_next().await.expect("an answer");
    assert!(matches!(first, NextResponse::RollBackward(..)));
    let waiting = chainsync.request_next().await.expect("an answer");
    assert!(matches!(waiting, NextResponse::Await));
    for says in [
        Vec::new(),
        half(greeting()),
        greeting(),
        [
            greeting(),
            segment(PROTOCOL_N2N_TX_SUBMISSION, &[0x81, 0x06]),
        ]
        .concat(),
        // The answers are never read.
        [greeting(), fetches(&devnet)].concat(),
    ] {
        let mut crowd = Vec::new();
        for _ in 0..CROWD {
            crowd.push(say(&devnet, &says).await);
        }
        let mut client = connect(&devnet).await;
        let last = client.blockfetch().fetch_single(tip(devnet.view())).await;
        last.expect("the block");
        client.abort().await;
        drop(crowd);
    }
    // Whoever waits for a block is no silent peer, however long it waits.
    mint(&devnet, 1).await;
    let next = timeout(PATIENCE, follower.chainsync().recv_while_must_reply()).await;
    let next = next.expect("in time").expect("an answer");
    assert!(matches!(next, NextResponse::RollForward(..)));
    devnet.stop().await;
}

#[tokio::test]
async fn many_peers_and_local_clients_follow_at_once() {
    let (_folder, devnet) = devnet().await;
    mint(&devnet, 100).await;
    let until = tip(devnet.view());
    let mut local = common::node::connect(&devnet).await;
    let found = local.chainsync().find_intersect(vec![Point::Origin]).await;
    found.expect("the origin");
    let mut peers = tokio::task::JoinSet::new();
    for _ in 0..20 {
        let mut client = connect(&devnet).await;
        let (first, last) = (
            point(&devnet.view().block(0).expect("a block")),
            until.clone(),
        );
        peers.spawn(async move {
            let fetched = client.blockfetch().fetch_range((first, last)).await;
            fetched.expect("the blocks").len()
        });
    }
    let mut followed = common::node::Followed::default();
    common::node::follow(&mut local, &mut followed, &until).await;
    assert_eq!(followed.points.len(), 100);
    assert_eq!(peers.join_all().await, [100; 20]);
    devnet.stop().await;
}
