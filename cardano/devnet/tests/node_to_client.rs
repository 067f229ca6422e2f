//! The node's socket, seen by an independent client: pallas-network's.

mod common;

use std::{collections::BTreeSet, path::Path, time::Duration};

use common::{Coin, pay};
use nupeer_devnet::{
    Config, Devnet,
    chain::Reorganisation,
    genesis::{ACCOUNT_LOVELACE, Account},
    view::{Block, ChainView, Next},
};
use pallas_codec::{minicbor, utils::Bytes};
use pallas_network::{
    facades::NodeClient,
    miniprotocols::{
        PROTOCOL_N2C_CHAIN_SYNC, PROTOCOL_N2C_HANDSHAKE, Point,
        chainsync::{BlockContent, Message, NextResponse},
        handshake::{self, Confirmation, RefuseReason, VersionTable, n2c::VersionData},
        localstate::{ClientError, queries_v16 as q},
        localtxsubmission::{
            ApplyTxError, ConwayLedgerFailure, EraTx, Response, SMaybe, TxValidationError,
        },
    },
    multiplexer::{Bearer, Plexer},
};
use pallas_traverse::MultiEraBlock;
use tempfile::TempDir;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::UnixStream,
    time::timeout,
};

const MAGIC: u64 = 42;
const CONWAY: u16 = 6;
/// Longer than anything here takes on the slowest machine: a test that waits this long has failed.
const PATIENCE: Duration = Duration::from_secs(60);

/// A devnet that makes blocks on demand alone.
async fn devnet() -> (TempDir, Devnet) {
    let folder = tempfile::tempdir().expect("a folder");
    let devnet = start(folder.path()).await;
    (folder, devnet)
}

async fn start(folder: &Path) -> Devnet {
    let config = Config {
        block_interval_ms: None,
        ..Config::new(folder)
    };
    Devnet::start(config).await.expect("starts")
}

async fn mint(devnet: &Devnet, count: u64) {
    devnet
        .owner()
        .mint(count)
        .await
        .expect("runs")
        .expect("mints");
}

async fn fork(devnet: &Devnet, depth: u64) {
    let wanted = Reorganisation {
        depth,
        outgrow: true,
        ..Default::default()
    };
    devnet
        .owner()
        .ask(move |chain| chain.reorganise(&wanted))
        .await
        .expect("runs")
        .expect("forks");
}

async fn connect(devnet: &Devnet) -> NodeClient {
    NodeClient::connect(devnet.socket_path(), MAGIC)
        .await
        .expect("connects")
}

fn point(block: &Block) -> Point {
    Point::Specific(block.slot, block.hash.to_vec())
}

fn tip(view: &ChainView) -> Point {
    let height = view.tip().height;
    view.block(height.saturating_sub(1))
        .map_or(Point::Origin, |block| point(&block))
}

/// What a follower has of the chain, and how often it was rolled back.
#[derive(Default)]
struct Followed {
    points: Vec<Point>,
    rollbacks: usize,
}

/// Follows until the follower's last block is `until`.
async fn follow(client: &mut NodeClient, followed: &mut Followed, until: &Point) {
    while followed.points.last() != Some(until) {
        let next = timeout(PATIENCE, client.chainsync().request_or_await_next()).await;
        match next.expect("an answer in time").expect("an answer") {
            NextResponse::RollForward(raw, _) => {
                let block = MultiEraBlock::decode(&raw).expect("a block");
                followed
                    .points
                    .push(Point::Specific(block.slot(), block.hash().to_vec()));
            }
            NextResponse::RollBackward(to, _) => {
                let keep = followed
                    .points
                    .iter()
                    .position(|point| *point == to)
                    .map_or(0, |at| at + 1);
                followed.points.truncate(keep);
                followed.rollbacks += 1;
            }
            NextResponse::Await => {}
        }
    }
}

#[tokio::test]
async fn a_follower_ends_on_the_new_tip_after_a_fork() {
    let (_folder, devnet) = devnet().await;
    let mut client = connect(&devnet).await;
    client
        .chainsync()
        .find_intersect(vec![Point::Origin])
        .await
        .expect("the origin");
    let mut followed = Followed::default();
    mint(&devnet, 20).await;
    follow(&mut client, &mut followed, &tip(devnet.view())).await;
    let old_tip = tip(devnet.view());
    // At the tip the client waits, and is rolled back out of that.
    let waiting = client.chainsync().request_next().await.expect("an answer");
    assert!(matches!(waiting, NextResponse::Await), "{waiting:?}");
    fork(&devnet, 7).await;
    let next = timeout(PATIENCE, client.chainsync().recv_while_must_reply())
        .await
        .expect("in time")
        .expect("an answer");
    let NextResponse::RollBackward(to, _) = next else {
        panic!("no rollback: {next:?}")
    };
    assert_eq!(Some(&to), followed.points.get(12));
    followed.points.truncate(13);
    mint(&devnet, 9).await;
    follow(&mut client, &mut followed, &tip(devnet.view())).await;
    assert_eq!(followed.points.len(), 30);
    assert!(!followed.points.contains(&old_tip));
    let chain: Vec<_> = (0..30)
        .filter_map(|number| devnet.view().block(number))
        .map(|b| point(&b))
        .collect();
    assert_eq!(followed.points, chain);
    assert_eq!(
        followed.rollbacks, 1,
        "the one to the origin, at the beginning"
    );
    devnet.stop().await;
}

#[tokio::test]
async fn the_first_answer_after_an_intersection_rolls_back_to_it() {
    let (_folder, devnet) = devnet().await;
    mint(&devnet, 5).await;
    let mut client = connect(&devnet).await;
    let wanted = point(&devnet.view().block(2).expect("a block"));
    let unknown = Point::Specific(3, vec![0xaa; 32]);
    let offered = vec![unknown, wanted.clone(), Point::Origin];
    let (found, at) = client
        .chainsync()
        .find_intersect(offered)
        .await
        .expect("an answer");
    assert_eq!(
        (found, at.0, at.1),
        (Some(wanted.clone()), tip(devnet.view()), 4)
    );
    let first = client.chainsync().request_next().await.expect("an answer");
    assert!(
        matches!(&first, NextResponse::RollBackward(to, _) if *to == wanted),
        "{first:?}"
    );
    let (none, _) = client
        .chainsync()
        .find_intersect(vec![Point::Specific(3, vec![1])])
        .await
        .expect("an answer");
    assert_eq!(none, None);
    devnet.stop().await;
}

/// The handshake alone, with any proposal.
async fn shake(devnet: &Devnet, values: &[(u64, VersionData)]) -> Confirmation<VersionData> {
    let bearer = Bearer::connect_unix(devnet.socket_path())
        .await
        .expect("connects");
    let mut plexer = Plexer::new(bearer);
    let mut client = handshake::N2CClient::new(plexer.subscribe_client(PROTOCOL_N2C_HANDSHAKE));
    let running = plexer.spawn();
    let table = VersionTable {
        values: values.iter().cloned().collect(),
    };
    let confirmation = client.handshake(table).await.expect("an answer");
    running.abort().await;
    confirmation
}

#[tokio::test]
async fn a_handshake_accepts_refuses_or_answers() {
    let (_folder, devnet) = devnet().await;
    let version = |number: u64| number + (1 << 15);
    let data = |magic, query| VersionData::new(magic, Some(query));

    let offered = [
        (version(16), data(MAGIC, false)),
        (version(20), data(MAGIC, false)),
    ];
    let answer = shake(&devnet, &offered).await;
    assert!(
        matches!(answer, Confirmation::Accepted(v, _) if v == version(20)),
        "{answer:?}"
    );

    let answer = shake(&devnet, &[(version(19), data(MAGIC, true))]).await;
    let Confirmation::QueryReply(table) = answer else {
        panic!("no reply to a query: {answer:?}")
    };
    assert_eq!(
        table.values.keys().collect::<BTreeSet<_>>(),
        (16..=23).map(version).collect::<Vec<_>>().iter().collect()
    );

    let answer = shake(&devnet, &[(version(19), data(1, false))]).await;
    let Confirmation::Rejected(RefuseReason::Refused(refused, reason)) = answer else {
        panic!("not refused: {answer:?}")
    };
    assert_eq!(
        (refused, reason.contains("magic 1, expected 42")),
        (version(19), true),
        "{reason}"
    );
    assert!(NodeClient::connect(devnet.socket_path(), 1).await.is_err());

    let answer = shake(&devnet, &[(version(15), data(MAGIC, false))]).await;
    assert!(
        matches!(
            answer,
            Confirmation::Rejected(RefuseReason::VersionMismatch(_))
        ),
        "{answer:?}"
    );
    devnet.stop().await;
}

#[tokio::test]
async fn the_state_can_be_queried() {
    let (_folder, devnet) = devnet().await;
    let mut client = connect(&devnet).await;
    let sq = client.statequery();
    sq.acquire(None).await.expect("the origin");
    assert_eq!(
        q::get_chain_point(sq).await.expect("a point"),
        Point::Origin
    );
    mint(&devnet, 125).await;
    sq.send_reacquire(None).await.expect("sends");
    sq.recv_while_acquiring().await.expect("the tip");
    let at = q::get_chain_point(sq).await.expect("a point");
    mint(&devnet, 3).await;
    assert_eq!(
        q::get_chain_point(sq).await.expect("a point"),
        at,
        "what is acquired stays"
    );
    assert_eq!(
        q::get_chain_block_no(sq)
            .await
            .expect("a number")
            .block_number,
        124
    );
    assert_eq!(q::get_current_era(sq).await.expect("an era"), CONWAY);
    assert_eq!(
        q::get_block_epoch_number(sq, CONWAY)
            .await
            .expect("an epoch"),
        1
    );
    let start = q::get_system_start(sq).await.expect("a start");
    assert!(
        start.day_of_year >= 1 && start.day_of_year <= 366,
        "{start:?}"
    );
    let parameters = q::get_current_pparams(sq, CONWAY)
        .await
        .expect("parameters");
    assert_eq!(parameters.minfee_a, Some(44));
    devnet.stop().await;
}

#[tokio::test]
async fn unspent_outputs_are_found_by_address_and_by_reference() {
    let (_folder, devnet) = devnet().await;
    mint(&devnet, 1).await;
    let mut client = connect(&devnet).await;
    let sq = client.statequery();
    sq.acquire(None).await.expect("the tip");
    let (coin, owner) = (Coin::genesis(42, 0), Account::derive(42, 0));
    let addresses = vec![
        Bytes::from(owner.address.clone()),
        Account::derive(42, 1).address.into(),
    ];
    let found = q::get_utxo_by_address(sq, CONWAY, addresses.clone())
        .await
        .expect("outputs");
    assert_eq!(found.len(), 2);
    let reference = q::TransactionInput {
        transaction_id: coin.reference.tx_id.into(),
        index: 0,
    };
    let found = q::get_utxo_by_txin(sq, CONWAY, BTreeSet::from([reference]))
        .await
        .expect("outputs");
    let q::TransactionOutput::Current(output) = &found[0].1 else {
        panic!("an old output: {found:?}")
    };
    assert_eq!(output.address.to_vec(), owner.address);
    assert!(matches!(&output.amount, q::Value::Coin(coin) if u64::from(*coin) == ACCOUNT_LOVELACE));
    let raw = q::get_cbor(sq, CONWAY, q::BlockQuery::GetUTxOByAddress(addresses))
        .await
        .expect("bytes");
    let raw: q::UTxOByAddress = minicbor::decode(&raw[0].0).expect("the same map");
    assert_eq!(raw.len(), 2);
    devnet.stop().await;
}

#[tokio::test]
async fn only_what_lies_within_k_blocks_can_be_acquired() {
    let (_folder, devnet) = devnet().await;
    mint(&devnet, 20).await;
    let at = |number| {
        devnet
            .view()
            .block(number)
            .map(|block| point(&block))
            .expect("a block")
    };
    let mut client = connect(&devnet).await;
    let sq = client.statequery();
    sq.acquire(Some(at(7))).await.expect("k = 12 blocks back");
    assert_eq!(q::get_chain_point(sq).await.expect("a point"), at(7));
    sq.send_release().await.expect("releases");
    let error = sq.acquire(Some(at(6))).await.expect_err("is refused");
    assert!(matches!(error, ClientError::AcquirePointTooOld), "{error}");
    let error = sq
        .acquire(Some(Point::Specific(3, vec![9; 32])))
        .await
        .expect_err("is refused");
    assert!(
        matches!(error, ClientError::AcquirePointNotFound),
        "{error}"
    );
    devnet.stop().await;
}

#[tokio::test]
async fn a_query_that_is_not_answered_ends_that_connection_alone() {
    let (_folder, devnet) = devnet().await;
    mint(&devnet, 1).await;
    let (mut asking, mut other) = (connect(&devnet).await, connect(&devnet).await);
    asking.statequery().acquire(None).await.expect("the tip");
    let snapshots = q::get_stake_snapshots(asking.statequery(), CONWAY, SMaybe::None);
    assert!(
        timeout(PATIENCE, snapshots)
            .await
            .expect("ends in time")
            .is_err()
    );
    other.statequery().acquire(None).await.expect("the tip");
    assert_eq!(
        q::get_current_era(other.statequery())
            .await
            .expect("an era"),
        CONWAY
    );
    devnet.stop().await;
}

#[tokio::test]
async fn a_transaction_is_accepted_or_refused_with_the_reason() {
    let (_folder, devnet) = devnet().await;
    let mut client = connect(&devnet).await;
    let payment = pay(
        &Coin::genesis(42, 0),
        &Account::derive(42, 1),
        5_000_000,
        None,
    );
    let submission = client.submission();
    let answer = submission
        .submit_tx(EraTx(CONWAY, payment.raw.clone()))
        .await
        .expect("an answer");
    assert_eq!(answer, Response::Accepted);
    let answer = submission
        .submit_tx(EraTx(CONWAY, payment.raw.clone()))
        .await
        .expect("an answer");
    assert!(reason(&answer).starts_with("BadInputsUTxO"), "{answer:?}");
    let answer = submission
        .submit_tx(EraTx(5, payment.raw))
        .await
        .expect("an answer");
    assert!(reason(&answer).contains("era 5"), "{answer:?}");
    let answer = submission
        .submit_tx(EraTx(CONWAY, vec![0x80]))
        .await
        .expect("an answer");
    assert!(
        reason(&answer).contains("not a Conway transaction"),
        "{answer:?}"
    );
    mint(&devnet, 1).await;
    let block = devnet.view().block(0).expect("a block");
    let ids: Vec<_> = MultiEraBlock::decode(&block.raw)
        .expect("a block")
        .txs()
        .iter()
        .map(|tx| *tx.hash())
        .collect();
    assert_eq!(ids, [payment.id]);
    devnet.stop().await;
}

fn reason(answer: &Response<TxValidationError>) -> &str {
    let Response::Rejected(TxValidationError::ShelleyTxValidationError {
        error: ApplyTxError(failures),
        ..
    }) = answer
    else {
        return "";
    };
    match failures.as_slice() {
        [ConwayLedgerFailure::MempoolFailure(reason)] => reason,
        _ => "",
    }
}

/// A mux segment as a client sends it.
fn segment(protocol: u16, payload: &[u8]) -> Vec<u8> {
    [
        &[0; 4],
        protocol.to_be_bytes().as_slice(),
        &(payload.len() as u16).to_be_bytes(),
        payload,
    ]
    .concat()
}

fn proposal() -> Vec<u8> {
    let values = [((1 << 15) + 16, VersionData::new(MAGIC, Some(false)))].into();
    minicbor::to_vec(handshake::Message::Propose(VersionTable { values })).expect("encodes")
}

/// Clients that break the protocol, each in its own way; the sockets stay open.
async fn nuisances(devnet: &Devnet) -> Vec<UnixStream> {
    let request = minicbor::to_vec(Message::<BlockContent>::RequestNext).expect("encodes");
    let greeting = segment(PROTOCOL_N2C_HANDSHAKE, &proposal());
    let never_reads = [
        greeting.clone(),
        segment(PROTOCOL_N2C_CHAIN_SYNC, &request.repeat(20_000)),
    ]
    .concat();
    let attacks = [
        Vec::new(),
        vec![0xff; 4_096],
        segment(PROTOCOL_N2C_HANDSHAKE, &[0xff; 64]),
        segment(
            PROTOCOL_N2C_HANDSHAKE,
            &[0x5b, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff],
        ),
        segment(9, &[0x81, 0x00]),
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
        segment(9, &[0x00]),
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
