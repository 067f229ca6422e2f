//! The devnet's commands, over their socket.

mod common;

use common::{Coin, pay};
use nupeer_devnet::{
    Config, Devnet,
    control::{Client, ClientError, Cut, TxReply},
    genesis::Account,
};
use tempfile::TempDir;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::UnixStream,
};

async fn devnet() -> (TempDir, Devnet, Client) {
    let folder = tempfile::tempdir().expect("a folder");
    let config = Config {
        block_interval_ms: None,
        ..Config::new(folder.path())
    };
    let devnet = Devnet::start(config).await.expect("starts");
    let client = Client::new(devnet.control_path());
    (folder, devnet, client)
}

fn code(error: &ClientError) -> &str {
    match error {
        ClientError::Refused(refusal) => &refusal.code,
        _ => "",
    }
}

#[tokio::test]
async fn the_status_says_where_the_chain_is() {
    let (_folder, devnet, client) = devnet().await;
    let status = client.status().await.expect("a status");
    assert_eq!(
        (
            status.tip,
            status.network_magic,
            status.profile.as_str(),
            status.seed
        ),
        (None, 42, "fast", 42)
    );
    let status = client.hurry(130).await.expect("hurries");
    let tip = status.tip.expect("a tip");
    assert_eq!(
        (
            tip.block_number,
            tip.slot,
            status.epoch,
            status.epoch_slots_left
        ),
        (129, 129, 1, 111)
    );
    let error = client.hurry(100_001).await.expect_err("is refused");
    assert_eq!(code(&error), "NP7176", "{error}");
    devnet.stop().await;
}

#[tokio::test]
async fn a_transaction_is_traced_through_a_fork() {
    let (_folder, devnet, client) = devnet().await;
    client.hurry(3).await.expect("hurries");
    let payment = pay(
        &Coin::genesis(42, 0),
        &Account::derive(42, 1),
        5_000_000,
        None,
    );
    let instead = pay(
        &Coin::genesis(42, 0),
        &Account::derive(42, 2),
        5_000_000,
        None,
    );
    let id = hex::encode(payment.id);
    assert_eq!(client.tx(&id).await.expect("an answer"), TxReply::Unknown);
    devnet
        .owner()
        .submit(payment.raw)
        .await
        .expect("runs")
        .expect("is accepted");
    assert_eq!(client.tx(&id).await.expect("an answer"), TxReply::Waiting);
    client.hurry(2).await.expect("hurries");
    let TxReply::Confirmed {
        block,
        depth,
        costs,
    } = client.tx(&id).await.expect("an answer")
    else {
        panic!("not confirmed")
    };
    assert_eq!((block.block_number, depth), (3, 1));
    assert!(
        costs.fee_lovelace > 150_000 && costs.size > 200,
        "{costs:?}"
    );
    assert_eq!((costs.cpu, costs.mem), (0, 0));
    let cut = Cut {
        depth: 2,
        replace: vec![hex::encode(&instead.raw)],
        ..Cut::default()
    };
    let done = client.fork(cut).await.expect("forks");
    assert_eq!(
        (done.rolled_back, done.tip.map(|tip| tip.block_number)),
        (2, Some(5))
    );
    assert_eq!(done.intersection.map(|block| block.block_number), Some(2));
    assert_eq!(
        done.dropped
            .iter()
            .map(|dropped| &dropped.id)
            .collect::<Vec<_>>(),
        [&id]
    );
    assert!(matches!(
        client.tx(&id).await.expect("an answer"),
        TxReply::Refused { .. }
    ));
    let instead = client
        .tx(&hex::encode(instead.id))
        .await
        .expect("an answer");
    assert!(matches!(instead, TxReply::Confirmed { .. }), "{instead:?}");
    devnet.stop().await;
}

#[tokio::test]
async fn the_faucet_pays_as_often_as_it_is_asked() {
    let (_folder, devnet, client) = devnet().await;
    // An account of another seed has nothing at the beginning.
    let payee = Account::derive(7, 0);
    let mut ids = Vec::new();
    for lovelace in [100_000_000, 200_000_000, 300_000_000] {
        ids.push(
            client
                .faucet(&payee.bech32(), lovelace)
                .await
                .expect("pays")
                .id,
        );
    }
    let status = client.hurry(1).await.expect("hurries");
    assert_eq!(status.mempool_transactions, 0);
    for id in &ids {
        assert!(matches!(
            client.tx(id).await.expect("an answer"),
            TxReply::Confirmed { .. }
        ));
    }
    let tip = devnet.view().tip().point;
    let held = devnet.owner().ask(move |chain| {
        chain
            .at(&tip, |ledger, _| {
                ledger.utxo_by_address(&payee.address).count()
            })
            .expect("the tip")
    });
    assert_eq!(held.await.expect("runs"), 3);
    let error = client
        .faucet("addr_nowhere", 5_000_000)
        .await
        .expect_err("is refused");
    assert_eq!(code(&error), "NP7128", "{error}");
    let error = client
        .faucet(&Account::derive(7, 1).bech32(), 1)
        .await
        .expect_err("is refused");
    assert_eq!(code(&error), "NP7012", "{error}");
    devnet.stop().await;
}

#[tokio::test]
async fn a_rollback_deeper_than_k_is_refused_unless_forced() {
    let (_folder, devnet, client) = devnet().await;
    client.hurry(20).await.expect("hurries");
    let error = client
        .rollback(Cut {
            depth: 13,
            ..Cut::default()
        })
        .await
        .expect_err("is refused");
    assert_eq!(code(&error), "NP7164", "{error}");
    let done = client
        .rollback(Cut {
            depth: 13,
            force: true,
            ..Cut::default()
        })
        .await
        .expect("rolls back");
    assert_eq!(done.tip.map(|tip| tip.block_number), Some(6));
    assert_eq!(client.status().await.expect("a status").rollbacks, 1);
    devnet.stop().await;
}

#[tokio::test]
async fn a_stalled_devnet_makes_no_blocks_until_it_resumes() {
    let (_folder, devnet, client) = devnet().await;
    assert!(client.stall().await.expect("stalls").stalled);
    devnet
        .owner()
        .tick()
        .await
        .expect("runs")
        .expect("does nothing");
    assert_eq!(client.status().await.expect("a status").tip, None);
    assert!(!client.resume().await.expect("resumes").stalled);
    devnet
        .owner()
        .tick()
        .await
        .expect("runs")
        .expect("makes a block");
    assert!(client.status().await.expect("a status").tip.is_some());
    devnet.stop().await;
}

#[tokio::test]
async fn what_is_no_command_is_refused_and_the_next_one_answered() {
    let (_folder, devnet, client) = devnet().await;
    let error = client.tx("zz").await.expect_err("is refused");
    assert_eq!(code(&error), "NP7175", "{error}");
    let stream = UnixStream::connect(devnet.control_path())
        .await
        .expect("connects");
    let (mut read, mut write) = stream.into_split();
    write
        .write_all(b"garbage\n{\"command\":\"dance\"}\n{\"command\":\"status\"}\n")
        .await
        .expect("writes");
    write.shutdown().await.expect("ends");
    let mut answers = String::new();
    read.read_to_string(&mut answers).await.expect("answers");
    let kinds: Vec<_> = answers
        .lines()
        .map(|line| line.starts_with("{\"error\":{\"code\":\"NP7174\""))
        .collect();
    assert_eq!(kinds, [true, true, false], "{answers}");
    devnet.stop().await;
}

#[tokio::test]
async fn commands_to_nobody_say_how_to_start_a_devnet() {
    let folder = tempfile::tempdir().expect("a folder");
    let error = Client::new(folder.path().join("control.socket"))
        .status()
        .await
        .expect_err("nobody answers");
    assert!(matches!(error, ClientError::Unreachable { .. }), "{error}");
    assert!(
        error
            .to_string()
            .ends_with("start one with `nupeer devnet up`"),
        "{error}"
    );
}
