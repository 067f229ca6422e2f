//! The node's protocols, seen by an independent client: pallas-network's.

mod common;

use std::collections::BTreeSet;

use common::{
    Coin,
    node::{CONWAY, Followed, MAGIC, PATIENCE, connect, devnet, follow, fork, mint, point, tip},
    pay,
};
use nupeer_devnet::{
    Devnet,
    genesis::{ACCOUNT_LOVELACE, Account},
};
use pallas_codec::{minicbor, utils::Bytes};
use pallas_network::{
    facades::NodeClient,
    miniprotocols::{
        PROTOCOL_N2C_HANDSHAKE, Point,
        chainsync::NextResponse,
        handshake::{self, Confirmation, RefuseReason, VersionTable, n2c::VersionData},
        localstate::{ClientError, queries_v16 as q},
        localtxsubmission::{
            ApplyTxError, ConwayLedgerFailure, EraTx, Response, SMaybe, TxValidationError,
        },
    },
    multiplexer::{Bearer, Plexer},
};
use pallas_traverse::MultiEraBlock;
use tokio::time::timeout;

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
