//! The node's socket under strain: garbage, clients that never read, second devnets, restarts.

mod common;

use common::node::{
    Followed, PATIENCE, connect, devnet, follow, fork, greeting, mint, requests, segment, start,
    tip,
};
use nupeer_devnet::{Config, Devnet, view::Next};
use pallas_network::miniprotocols::{PROTOCOL_N2C_CHAIN_SYNC, PROTOCOL_N2C_HANDSHAKE, Point};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::UnixStream,
    time::timeout,
};

/// The number of no mini-protocol.
const UNSERVED: u16 = 99;

/// Clients that break the protocol, each in its own way; the sockets stay open.
async fn nuisances(devnet: &Devnet) -> Vec<UnixStream> {
    let greeting = greeting();
    let never_reads = [greeting.clone(), requests(20_000)].concat();
    let attacks = [
        Vec::new(),
        vec![0xff; 4_096],
        segment(PROTOCOL_N2C_HANDSHAKE, &[0xff; 64]),
        segment(
            PROTOCOL_N2C_HANDSHAKE,
            &[0x5b, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff],
        ),
        segment(UNSERVED, &[0x81, 0x00]),
        [
            greeting.clone(),
            segment(PROTOCOL_N2C_CHAIN_SYNC, &[0x81; 60_000]),
        ]
        .concat(),
        [greeting.clone(), segment(7, &[0x82, 0x03, 0x81, 0x03])].concat(),
        [greeting, segment(6, &[0x82, 0x00, 0x82, 0x06, 0x41, 0x00])].concat(),
        never_reads,
    ];
    let mut streams = Vec::new();
    for attack in attacks {
        let mut stream = UnixStream::connect(devnet.socket_path())
            .await
            .expect("connects");
        // The devnet may hang up before all is written.
        let _ = stream.write_all(&attack).await;
        streams.push(stream);
    }
    streams
}

#[tokio::test]
async fn garbage_and_clients_that_never_read_disturb_nobody() {
    let (_folder, devnet) = devnet().await;
    mint(&devnet, 500).await;
    let mut client = connect(&devnet).await;
    client
        .chainsync()
        .find_intersect(vec![Point::Origin])
        .await
        .expect("the origin");
    let nuisances = nuisances(&devnet).await;
    let mut followed = Followed::default();
    follow(&mut client, &mut followed, &tip(devnet.view())).await;
    fork(&devnet, 5).await;
    follow(&mut client, &mut followed, &tip(devnet.view())).await;
    assert_eq!(followed.points.len(), 501);
    drop(nuisances);
    devnet.stop().await;
}

#[tokio::test]
async fn whoever_sends_garbage_is_hung_up_on() {
    let (_folder, devnet) = devnet().await;
    for garbage in [
        vec![0xff; 64],
        segment(PROTOCOL_N2C_HANDSHAKE, &[0x81, 0xff]),
        segment(UNSERVED, &[0x00]),
    ] {
        let mut stream = UnixStream::connect(devnet.socket_path())
            .await
            .expect("connects");
        stream.write_all(&garbage).await.expect("writes");
        let mut rest = Vec::new();
        let read = timeout(PATIENCE, stream.read_to_end(&mut rest))
            .await
            .expect("hangs up in time");
        assert!(read.is_err() || rest.is_empty(), "{rest:x?}");
    }
    devnet.stop().await;
}

#[tokio::test]
async fn whoever_closes_its_half_is_let_go() {
    let (_folder, devnet) = devnet().await;
    let half = |whole: Vec<u8>| whole[..whole.len() / 2].to_vec();
    for says in [
        Vec::new(),
        half(greeting()),
        greeting(),
        [greeting(), half(requests(1))].concat(),
        [greeting(), requests(1)].concat(),
    ] {
        let mut stream = UnixStream::connect(devnet.socket_path())
            .await
            .expect("connects");
        stream.write_all(&says).await.expect("writes");
        stream.shutdown().await.expect("closes its half");
        let ended = timeout(PATIENCE, stream.read_to_end(&mut Vec::new())).await;
        assert!(ended.is_ok(), "{says:x?}");
    }
    devnet.stop().await;
}

#[tokio::test]
async fn a_folder_and_a_socket_have_one_devnet() {
    let (folder, devnet) = devnet().await;
    let again = Config {
        block_interval_ms: None,
        ..Config::new(folder.path())
    };
    let error = Devnet::start(again.clone()).await.expect_err("is refused");
    assert!(error.to_string().starts_with("already running"), "{error}");
    let other = tempfile::tempdir().expect("a folder");
    let socket = Some(devnet.socket_path().to_owned());
    let error = Devnet::start(Config {
        folder: other.path().to_owned(),
        socket,
        ..again
    })
    .await
    .expect_err("is refused");
    assert!(error.to_string().starts_with("already running"), "{error}");
    mint(&devnet, 1).await;
    devnet.stop().await;
}

#[tokio::test]
async fn a_restart_keeps_the_chain_and_the_followers_intersection() {
    let (folder, devnet) = devnet().await;
    mint(&devnet, 30).await;
    fork(&devnet, 3).await;
    let before = tip(devnet.view());
    devnet.stop().await;
    let devnet = start(folder.path()).await;
    assert_eq!(tip(devnet.view()), before);
    let mut client = connect(&devnet).await;
    let (found, _) = client
        .chainsync()
        .find_intersect(vec![before.clone()])
        .await
        .expect("an answer");
    assert_eq!(found, Some(before));
    devnet.stop().await;
}

#[tokio::test]
async fn blocks_come_by_themselves() {
    let folder = tempfile::tempdir().expect("a folder");
    let config = Config {
        block_interval_ms: Some(20),
        ..Config::new(folder.path())
    };
    let devnet = Devnet::start(config).await.expect("starts");
    let mut changed = devnet.view().subscribe();
    let mut cursor = devnet.view().origin();
    let mut blocks = 0;
    while blocks < 5 {
        match devnet.view().next(&mut cursor).0 {
            Next::Forward(_) => blocks += 1,
            Next::Backward(_) => {}
            Next::AtTip => {
                timeout(PATIENCE, changed.changed())
                    .await
                    .expect("a block in time")
                    .expect("the devnet lives");
            }
        }
    }
    devnet.stop().await;
}
