//! The protocols between nodes, seen by an independent peer: pallas-network's, and bytes where it says less.

mod common;

use common::{
    Coin, Payment,
    node::{CONWAY, MAGIC, PATIENCE, fork, mint, point, tip},
    pay,
    peer::{Bytes, address, connect, devnet},
};
use nupeer_devnet::{Config, Devnet, DevnetError, block::split_block, genesis::Account};
use pallas_network::{
    facades::PeerClient,
    miniprotocols::{
        PROTOCOL_N2N_BLOCK_FETCH, PROTOCOL_N2N_CHAIN_SYNC, PROTOCOL_N2N_KEEP_ALIVE,
        PROTOCOL_N2N_PEER_SHARING, PROTOCOL_N2N_TX_SUBMISSION, Point,
        blockfetch::ClientError as FetchError,
        chainsync::{HeaderContent, NextResponse},
        txsubmission::{EraTxBody, EraTxId, Request, TxIdAndSize},
    },
};
use pallas_traverse::MultiEraHeader;
use tokio::time::timeout;

/// What follows the chain by its headers, as a node does.
#[derive(Default)]
struct Headers {
    points: Vec<Point>,
    rollbacks: usize,
}

impl Headers {
    async fn follow(&mut self, client: &mut PeerClient, until: &Point) {
        while self.points.last() != Some(until) {
            let next = timeout(PATIENCE, client.chainsync().request_or_await_next()).await;
            self.learn(next.expect("in time").expect("an answer"));
        }
    }

    fn learn(&mut self, next: NextResponse<HeaderContent>) {
        match next {
            NextResponse::RollForward(header, _) => {
                let header = MultiEraHeader::decode(header.variant, None, &header.cbor);
                let header = header.expect("a header");
                let point = Point::Specific(header.slot(), header.hash().to_vec());
                self.points.push(point);
            }
            NextResponse::RollBackward(to, _) => {
                let kept = self.points.iter().position(|point| *point == to);
                self.points.truncate(kept.map_or(0, |at| at + 1));
                self.rollbacks += 1;
            }
            NextResponse::Await => {}
        }
    }
}

fn chain(devnet: &Devnet) -> Vec<Point> {
    let view = devnet.view();
    let blocks = (0..view.tip().height).filter_map(|number| view.block(number));
    blocks.map(|block| point(&block)).collect()
}

fn raw(devnet: &Devnet, numbers: std::ops::RangeInclusive<u64>) -> Vec<Vec<u8>> {
    let block = |number| devnet.view().block(number).expect("a block").raw.to_vec();
    numbers.map(block).collect()
}

#[tokio::test]
async fn whoever_follows_by_headers_fetches_the_blocks_through_a_fork() {
    let (_folder, devnet) = devnet().await;
    let mut client = connect(&devnet).await;
    let intersect = client.chainsync().find_intersect(vec![Point::Origin]);
    intersect.await.expect("the origin");
    let mut headers = Headers::default();
    mint(&devnet, 20).await;
    headers.follow(&mut client, &tip(devnet.view())).await;
    let old_tip = tip(devnet.view());
    // At the tip it waits, and is rolled back out of that.
    let waiting = client.chainsync().request_next().await.expect("an answer");
    assert!(matches!(waiting, NextResponse::Await));
    fork(&devnet, 7).await;
    let next = timeout(PATIENCE, client.chainsync().recv_while_must_reply()).await;
    headers.learn(next.expect("in time").expect("an answer"));
    assert_eq!((headers.points.len(), headers.rollbacks), (13, 2));
    mint(&devnet, 9).await;
    headers.follow(&mut client, &tip(devnet.view())).await;
    assert_eq!(headers.points, chain(&devnet));
    assert!(!headers.points.contains(&old_tip));
    let ends = (headers.points[0].clone(), headers.points[29].clone());
    let fetched = client.blockfetch().fetch_range(ends).await;
    assert_eq!(fetched.expect("the blocks"), raw(&devnet, 0..=29));
    let gone = client.blockfetch().fetch_single(old_tip).await;
    assert!(matches!(gone, Err(FetchError::NoBlocks)), "{gone:?}");
    devnet.stop().await;
}

#[tokio::test]
async fn a_range_has_both_its_ends_and_lies_on_the_chain() {
    let (_folder, devnet) = devnet().await;
    mint(&devnet, 10).await;
    let mut client = connect(&devnet).await;
    let points = chain(&devnet);
    for (first, last) in [(0, 0), (9, 9), (3, 6), (0, 9)] {
        let ends = (points[first].clone(), points[last].clone());
        let fetched = client.blockfetch().fetch_range(ends).await;
        let expected = raw(&devnet, first as u64..=last as u64);
        assert_eq!(fetched.expect("the blocks"), expected);
    }
    let unknown = Point::Specific(4, vec![0xaa; 32]);
    for ends in [
        (points[6].clone(), points[3].clone()),
        (points[3].clone(), unknown.clone()),
        (unknown, points[6].clone()),
        (Point::Origin, points[6].clone()),
        (Point::Origin, Point::Origin),
    ] {
        let refused = client.blockfetch().fetch_range(ends).await;
        assert!(matches!(refused, Err(FetchError::NoBlocks)), "{refused:?}");
    }
    devnet.stop().await;
}

#[tokio::test]
async fn headers_and_blocks_have_the_form_that_nodes_send() {
    let (_folder, devnet) = devnet().await;
    mint(&devnet, 1).await;
    let block = devnet.view().block(0).expect("a block");
    let (header, _) = split_block(&block.raw).expect("a block");
    let at = format!("821a{:08x}5820{}", block.slot, hex::encode(block.hash));
    let at = match block.slot {
        0..24 => format!("82{:02x}5820{}", block.slot, hex::encode(block.hash)),
        _ => at,
    };
    let tip = format!("82{at}00");
    let mut peer = Bytes::connect(&devnet).await;
    // The origin is found, is rolled back to, and then comes the header: [2, [6, #6.24(header)], tip].
    let found = peer.ask(PROTOCOL_N2N_CHAIN_SYNC, "82048180").await;
    assert_eq!(found, format!("830580{tip}"));
    let back = peer.ask(PROTOCOL_N2N_CHAIN_SYNC, "8100").await;
    assert_eq!(back, format!("830380{tip}"));
    let forward = peer.ask(PROTOCOL_N2N_CHAIN_SYNC, "8100").await;
    let wrapped = format!("8206d81859{:04x}{}", header.len(), hex::encode(header));
    assert_eq!(forward, format!("8302{wrapped}{tip}"));
    // [0, first, last] is answered with [2], [4, #6.24(block)] and [5].
    let begun = peer
        .ask(PROTOCOL_N2N_BLOCK_FETCH, &format!("8300{at}{at}"))
        .await;
    assert_eq!(begun, "8102");
    let raw = format!("{:04x}{}", block.raw.len(), hex::encode(&block.raw));
    let body = format!("8204d81859{raw}");
    assert_eq!(peer.hear().await, (PROTOCOL_N2N_BLOCK_FETCH, body));
    let done = (PROTOCOL_N2N_BLOCK_FETCH, "8105".into());
    assert_eq!(peer.hear().await, done);
    let none = peer.ask(PROTOCOL_N2N_BLOCK_FETCH, "83008080").await;
    assert_eq!(none, "8103");
    devnet.stop().await;
}

#[tokio::test]
async fn a_cookie_comes_back_and_nobody_knows_a_peer() {
    let (_folder, devnet) = devnet().await;
    let mut peer = Bytes::connect(&devnet).await;
    for cookie in ["00", "1903e8", "19ffff"] {
        let answer = peer
            .ask(PROTOCOL_N2N_KEEP_ALIVE, &format!("8200{cookie}"))
            .await;
        assert_eq!(answer, format!("8201{cookie}"));
    }
    let none = peer.ask(PROTOCOL_N2N_PEER_SHARING, "82000a").await;
    assert_eq!(none, "82019fff");
    // Whoever is done may begin anew.
    peer.say(PROTOCOL_N2N_KEEP_ALIVE, "8102").await;
    peer.say(PROTOCOL_N2N_PEER_SHARING, "8102").await;
    peer.say(PROTOCOL_N2N_BLOCK_FETCH, "8101").await;
    peer.say(PROTOCOL_N2N_CHAIN_SYNC, "8107").await;
    assert_eq!(peer.ask(PROTOCOL_N2N_KEEP_ALIVE, "820007").await, "820107");
    let none = peer.ask(PROTOCOL_N2N_PEER_SHARING, "820001").await;
    assert_eq!(none, "82019fff");
    let none = peer.ask(PROTOCOL_N2N_BLOCK_FETCH, "83008080").await;
    assert_eq!(none, "8103");
    // The tip of an empty chain is [origin, 0].
    let back = peer.ask(PROTOCOL_N2N_CHAIN_SYNC, "8100").await;
    assert_eq!(back, "830380828000");
    devnet.stop().await;
}

#[tokio::test]
async fn a_query_is_answered_with_the_versions_and_another_network_refused() {
    let (_folder, devnet) = devnet().await;
    let table = PeerClient::handshake_query(address(&devnet), MAGIC).await;
    let mut versions: Vec<_> = table.expect("a table").values.into_iter().collect();
    versions.sort_by_key(|(version, _)| *version);
    let figures = versions.iter().map(|(version, data)| {
        assert_eq!(data.network_magic, MAGIC);
        (*version, data.initiator_only_diffusion_mode, data.query)
    });
    let figures: Vec<_> = figures.collect();
    assert_eq!(
        figures,
        [(13, false, Some(false)), (14, false, Some(false))]
    );
    assert!(
        PeerClient::connect(address(&devnet), MAGIC + 1)
            .await
            .is_err()
    );
    devnet.stop().await;
}

fn payment(account: u64) -> Payment {
    let to = Account::derive(42, 9);
    pay(&Coin::genesis(42, account), &to, 5_000_000, None)
}

fn id(payment: &Payment) -> EraTxId {
    EraTxId(CONWAY, payment.id.to_vec())
}

fn offer(payment: &Payment) -> TxIdAndSize<EraTxId> {
    TxIdAndSize(id(payment), payment.raw.len() as u32)
}

/// What the devnet asks a peer that offers transactions for.
async fn asked(client: &mut PeerClient) -> Request<EraTxId> {
    let request = timeout(PATIENCE, client.txsubmission().next_request()).await;
    request.expect("in time").expect("a request")
}

async fn asked_for_offers(client: &mut PeerClient, acknowledged: u16) {
    let Request::TxIds(acknowledges, wants) = asked(client).await else {
        panic!("not a request for offers that may take its time");
    };
    assert_eq!((acknowledges, wants), (acknowledged, 10));
}

async fn asked_for(client: &mut PeerClient, expected: &[&Payment]) {
    let Request::Txs(ids) = asked(client).await else {
        panic!("not a request for transactions");
    };
    let expected: Vec<_> = expected.iter().map(|payment| id(payment)).collect();
    assert_eq!(ids, expected);
}

#[tokio::test]
async fn what_a_peer_offers_goes_to_the_mempool_and_is_asked_for_once() {
    let (_folder, devnet) = devnet().await;
    let mut client = connect(&devnet).await;
    let [first, second] = [payment(0), payment(1)];
    let body = |payment: &Payment| EraTxBody(CONWAY, payment.raw.clone());
    client.txsubmission().send_init().await.expect("sends");
    asked_for_offers(&mut client, 0).await;
    // An older era's and one larger than any are not asked for.
    let old = TxIdAndSize(EraTxId(CONWAY - 1, vec![7; 32]), 300);
    let large = TxIdAndSize(EraTxId(CONWAY, vec![8; 32]), 16_395);
    let offers = vec![offer(&first), old, large, offer(&second)];
    client
        .txsubmission()
        .reply_tx_ids(offers)
        .await
        .expect("sends");
    asked_for(&mut client, &[&first, &second]).await;
    let bodies = vec![body(&first)];
    client
        .txsubmission()
        .reply_txs(bodies)
        .await
        .expect("sends");
    // What was left out may be offered again, what waits is not asked for again.
    asked_for_offers(&mut client, 4).await;
    let offers = vec![offer(&first), offer(&second)];
    client
        .txsubmission()
        .reply_tx_ids(offers)
        .await
        .expect("sends");
    asked_for(&mut client, &[&second]).await;
    let bodies = vec![body(&second)];
    client
        .txsubmission()
        .reply_txs(bodies)
        .await
        .expect("sends");
    asked_for_offers(&mut client, 2).await;
    mint(&devnet, 1).await;
    let offers = vec![offer(&first), offer(&second)];
    client
        .txsubmission()
        .reply_tx_ids(offers)
        .await
        .expect("sends");
    // Both are in a block by now: nothing is asked for.
    asked_for_offers(&mut client, 2).await;
    let block = devnet.view().block(0).expect("a block");
    let (_, body) = split_block(&block.raw).expect("a block");
    assert_eq!(body.transactions(), Ok(vec![first.raw, second.raw]));
    devnet.stop().await;
}

#[tokio::test]
async fn a_transaction_that_the_ledger_refuses_costs_a_peer_nothing() {
    let (_folder, devnet) = devnet().await;
    let mut client = connect(&devnet).await;
    // It spends what the other one makes, which is not there.
    let wrong = pay(&payment(0).change, &Account::derive(42, 9), 5_000_000, None);
    client.txsubmission().send_init().await.expect("sends");
    asked_for_offers(&mut client, 0).await;
    let offers = vec![offer(&wrong)];
    client
        .txsubmission()
        .reply_tx_ids(offers)
        .await
        .expect("sends");
    asked_for(&mut client, &[&wrong]).await;
    let bodies = vec![EraTxBody(CONWAY, wrong.raw.clone())];
    client
        .txsubmission()
        .reply_txs(bodies)
        .await
        .expect("sends");
    asked_for_offers(&mut client, 1).await;
    // Done, and begun anew.
    client.txsubmission().send_done().await.expect("sends");
    mint(&devnet, 1).await;
    let intersect = client.chainsync().find_intersect(vec![Point::Origin]);
    intersect.await.expect("the origin");
    devnet.stop().await;
}

#[tokio::test]
async fn whoever_breaks_tx_submission_is_hung_up_on() {
    let (_folder, devnet) = devnet().await;
    let one = payment(0);
    let id = format!("82065820{}", hex::encode(one.id));
    let offer = format!("82{id}19{:04x}", one.raw.len());
    let other = payment(1);
    let other = format!(
        "8206d81859{:04x}{}",
        other.raw.len(),
        hex::encode(other.raw)
    );
    let longer = format!("8206d81859{:04x}{}", one.raw.len(), hex::encode(&one.raw));
    let misstated = format!("82{id}19{:04x}", one.raw.len() + 30);
    for offered in [
        // No transaction, a list with a length, eleven of them, done with a surplus item, bodies nobody asked for.
        "82019fff".to_owned(),
        format!("820181{offer}"),
        format!("82019f{}ff", offer.repeat(11)),
        "820400".to_owned(),
        format!("82039f{other}ff"),
    ] {
        let mut peer = Bytes::connect(&devnet).await;
        let asked = peer.ask(PROTOCOL_N2N_TX_SUBMISSION, "8106").await;
        assert_eq!(asked, "8400f5000a");
        peer.say(PROTOCOL_N2N_TX_SUBMISSION, &offered).await;
        peer.is_hung_up_on().await;
    }
    for (offered, sent) in [
        // Another transaction, two for one, one of another size than announced, offers instead.
        (&offer, format!("82039f{other}ff")),
        (&offer, format!("82039f{longer}{longer}ff")),
        (&misstated, format!("82039f{longer}ff")),
        (&offer, format!("82019f{offer}ff")),
    ] {
        let mut peer = Bytes::connect(&devnet).await;
        peer.ask(PROTOCOL_N2N_TX_SUBMISSION, "8106").await;
        let offered = format!("82019f{offered}ff");
        let asked = peer.ask(PROTOCOL_N2N_TX_SUBMISSION, &offered).await;
        assert_eq!(asked, format!("82029f{id}ff"));
        peer.say(PROTOCOL_N2N_TX_SUBMISSION, &sent).await;
        peer.is_hung_up_on().await;
    }
    // Offers before the beginning.
    let mut peer = Bytes::connect(&devnet).await;
    peer.say(PROTOCOL_N2N_TX_SUBMISSION, &format!("82019f{offer}ff"))
        .await;
    peer.is_hung_up_on().await;
    devnet.stop().await;
}

#[tokio::test]
async fn a_devnet_listens_on_loopback_alone_and_only_when_asked() {
    let (_folder, quiet) = common::node::devnet().await;
    assert_eq!(quiet.n2n_address(), None);
    quiet.stop().await;
    let folder = tempfile::tempdir().expect("a folder");
    let config = Config {
        n2n_listen: Some(([0, 0, 0, 0], 0).into()),
        ..Config::new(folder.path())
    };
    let error = Devnet::start(config).await.expect_err("is refused");
    assert!(matches!(error, DevnetError::Bind(_)), "{error}");
    assert!(
        error.to_string().contains("not a loopback address"),
        "{error}"
    );
}
