//! Monitoring the mempool: by pallas-network's client where it speaks the protocol, by bytes where it does not.

mod common;

use common::{
    Coin, Payment,
    node::{CONWAY, Monitor, PATIENCE, connect, devnet, fork, mint},
    pay,
};
use nupeer_devnet::{Devnet, genesis::Account};
use pallas_codec::minicbor;
use pallas_network::miniprotocols::{
    localstate::queries_v16::get_current_era,
    localtxsubmission::{EraTx, Response},
};
use tokio::time::timeout;

const ACQUIRE: &str = "8101";
const RELEASE: &str = "8103";
const NEXT: &str = "8105";
const SIZES: &str = "8109";
const MEASURES: &str = "810b";
const DONE: &str = "8100";

/// `[7, [6, id]]`.
fn has(payment: &Payment) -> String {
    format!("820782065820{}", hex::encode(payment.id))
}

/// `[6, [6, #6.24(transaction)]]`.
fn given(payment: &Payment) -> String {
    let raw = minicbor::to_vec(minicbor::bytes::ByteVec::from(payment.raw.clone()));
    format!("82068206d818{}", hex::encode(raw.expect("memory")))
}

/// Payments of which each spends what the one before left.
fn payments(count: usize) -> Vec<Payment> {
    let mut coin = Coin::genesis(42, 0);
    let mut payments = Vec::new();
    for _ in 0..count {
        let payment = pay(&coin, &Account::derive(42, 1), 5_000_000, None);
        coin = payment.change.clone();
        payments.push(payment);
    }
    payments
}

async fn submit(devnet: &Devnet, payment: &Payment) {
    let mut client = connect(devnet).await;
    let submitted = client
        .submission()
        .submit_tx(EraTx(CONWAY, payment.raw.clone()));
    assert_eq!(submitted.await.expect("an answer"), Response::Accepted);
}

#[tokio::test]
async fn an_independent_client_sees_what_waits_and_keeps_it() {
    let (_folder, devnet) = devnet().await;
    mint(&devnet, 3).await;
    let payments = payments(2);
    for payment in &payments {
        submit(&devnet, payment).await;
    }
    let mut client = connect(&devnet).await;
    let monitor = client.monitor();
    let slot = devnet.view().block(2).expect("a block").slot;
    assert_eq!(monitor.acquire().await.expect("what waits"), slot + 1);
    // What is acquired stays, though all of it is in a block now.
    mint(&devnet, 1).await;
    let sizes = monitor.query_size_and_capacity().await.expect("sizes");
    let bytes: usize = payments.iter().map(|payment| payment.raw.len()).sum();
    assert_eq!(
        (sizes.number_of_txs, sizes.size_in_bytes as usize),
        (2, bytes)
    );
    assert_eq!(sizes.capacity_in_bytes, 1024 * 1024);
    for payment in &payments {
        let next = monitor.query_next_tx().await.expect("an answer");
        let (era, raw) = next.expect("a transaction");
        assert_eq!(
            (u16::from(era), raw.0.to_vec()),
            (CONWAY, payment.raw.clone())
        );
    }
    assert!(monitor.query_next_tx().await.expect("an answer").is_none());
    assert_eq!(monitor.acquire().await.expect("what waits"), slot + 2);
    assert!(monitor.query_next_tx().await.expect("an answer").is_none());
    devnet.stop().await;
}

#[tokio::test]
async fn every_version_has_its_messages() {
    let (_folder, devnet) = devnet().await;
    let payment = payments(1).remove(0);
    submit(&devnet, &payment).await;
    let size = hex::encode(minicbor::to_vec(payment.raw.len()).expect("memory"));
    for version in 16..=23 {
        let mut monitor = Monitor::connect(&devnet, version).await;
        assert_eq!(monitor.ask(ACQUIRE).await, "820200", "version {version}");
        assert_eq!(monitor.ask(&has(&payment)).await, "8208f5");
        assert_eq!(
            monitor.ask(SIZES).await,
            format!("820a831a00100000{size}01")
        );
        if version < 20 {
            monitor.is_hung_up_on_after(MEASURES).await;
        } else {
            let measures = monitor.ask(MEASURES).await;
            let bytes = format!("{}82{size}1a00100000", hex::encode("transaction_bytes"));
            assert!(measures.starts_with("830c01a4"), "{measures}");
            assert!(measures.ends_with(&bytes), "{measures}");
            assert_eq!(monitor.ask(NEXT).await, given(&payment));
            assert_eq!(monitor.ask(NEXT).await, "8106");
        }
    }
    devnet.stop().await;
}

#[tokio::test]
async fn whoever_awaits_is_told_of_a_submission_a_block_and_a_fork() {
    let (_folder, devnet) = devnet().await;
    mint(&devnet, 5).await;
    let mut monitor = Monitor::connect(&devnet, 23).await;
    let next_slot = |devnet: &Devnet| {
        let tip = devnet.view().tip().height.saturating_sub(1);
        devnet.view().block(tip).map_or(0, |block| block.slot) + 1
    };
    let acquired = |slot: u64| format!("8202{slot:02x}");
    assert_eq!(monitor.ask(ACQUIRE).await, acquired(next_slot(&devnet)));
    let payment = payments(1).remove(0);
    // Nothing has changed yet: were this answered at once, the answer would not have the transaction.
    monitor.say(ACQUIRE).await;
    let mut other = connect(&devnet).await;
    other.statequery().acquire(None).await.expect("the tip");
    get_current_era(other.statequery()).await.expect("an era");
    submit(&devnet, &payment).await;
    assert_eq!(monitor.hear().await, acquired(next_slot(&devnet)));
    assert_eq!(monitor.ask(&has(&payment)).await, "8208f5");
    monitor.say(ACQUIRE).await;
    mint(&devnet, 1).await;
    assert_eq!(monitor.hear().await, acquired(next_slot(&devnet)));
    assert_eq!(monitor.ask(&has(&payment)).await, "8208f4");
    monitor.say(ACQUIRE).await;
    fork(&devnet, 2).await;
    assert_eq!(monitor.hear().await, acquired(next_slot(&devnet)));
    devnet.stop().await;
}

#[tokio::test]
async fn a_client_lets_go_ends_and_begins_anew() {
    let (_folder, devnet) = devnet().await;
    let payment = payments(1).remove(0);
    let mut monitor = Monitor::connect(&devnet, 16).await;
    assert_eq!(monitor.ask(ACQUIRE).await, "820200");
    assert_eq!(monitor.ask(&has(&payment)).await, "8208f4");
    submit(&devnet, &payment).await;
    assert_eq!(monitor.ask(&has(&payment)).await, "8208f4", "as it was");
    monitor.say(RELEASE).await;
    // After a release nothing is awaited, though nothing has changed since.
    assert_eq!(monitor.ask(ACQUIRE).await, "820200");
    assert_eq!(monitor.ask(&has(&payment)).await, "8208f5");
    monitor.say(RELEASE).await;
    monitor.say(DONE).await;
    assert_eq!(monitor.ask(ACQUIRE).await, "820200");
    devnet.stop().await;
}

#[tokio::test]
async fn whoever_breaks_the_protocol_is_hung_up_on_alone() {
    let (_folder, devnet) = devnet().await;
    let mut other = Monitor::connect(&devnet, 23).await;
    assert_eq!(other.ask(ACQUIRE).await, "820200");
    for first in [NEXT, SIZES, MEASURES, RELEASE, "8102", "820200", "9f01ff"] {
        let mut monitor = Monitor::connect(&devnet, 23).await;
        monitor.is_hung_up_on_after(first).await;
    }
    // The last is an id as pallas-network sends it, a text.
    for then in [DONE, "8107", "820700", "8207820743aaaaaa", "8207784061"] {
        let mut monitor = Monitor::connect(&devnet, 23).await;
        assert_eq!(monitor.ask(ACQUIRE).await, "820200");
        let text = format!("{then}{}", "61".repeat(63));
        let then = if then.len() == 10 { &text } else { then };
        monitor.is_hung_up_on_after(then).await;
    }
    assert_eq!(other.ask(NEXT).await, "8106");
    devnet.stop().await;
}

#[tokio::test]
async fn an_end_releases_whoever_awaits() {
    let (_folder, devnet) = devnet().await;
    let mut monitor = Monitor::connect(&devnet, 23).await;
    assert_eq!(monitor.ask(ACQUIRE).await, "820200");
    monitor.say(ACQUIRE).await;
    let stopped = timeout(PATIENCE, devnet.stop()).await;
    stopped.expect("in time");
    monitor.is_hung_up_on().await;
}
