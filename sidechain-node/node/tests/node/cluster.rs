//! Four nodes over loopback: what is submitted to one is final on all.

use std::sync::Arc;

use crate::support::{
    Cluster, agree,
    chain::{self, BALANCE, Pay},
    has_peers, height, is_final, reaches,
};
use nupeer_ledger::{Purse, StateRead, invariants, purse};
use nupeer_node::{
    NodeError, NodeHandle, SubmitError, TransactionStatus, mempool::MempoolError, store::StoreError,
};
use nupeer_primitives::{Amount, AssetId, Code, Hash, Height, Numbered};
use nupeer_runtime::error::TransactionError;

fn lovelace(node: &NodeHandle, account: u16) -> Amount {
    let view = node.view().unwrap();
    purse::balance(
        &view,
        &Purse::Account(chain::account(account)),
        &AssetId::Ada,
    )
}

fn conserves(state: &dyn StateRead) -> bool {
    invariants::conservation(state)
        .iter()
        .all(|row| row.holds())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_transfer_submitted_to_one_node_is_final_on_all_with_equal_roots() {
    let cluster = Cluster::new(4, 3);
    let nodes = cluster.start_all().await;
    let handles: Vec<_> = nodes.iter().map(|node| node.handle()).collect();
    reaches(&handles[0], Height(2)).await;
    let pay = Pay::new(0, 1, 0);
    let id = handles[0]
        .submit(pay.bytes(handles[0].chain()))
        .await
        .unwrap();
    assert_eq!(id, pay.signed(handles[0].chain()).transaction.id());
    let at = is_final(&handles[0], &id).await;
    for handle in &handles {
        assert_eq!(is_final(handle, &id).await, at);
    }
    let all: Vec<_> = handles.iter().collect();
    for height in 1..=at.0 {
        agree(&all, Height(height));
    }
    for handle in &handles {
        assert_eq!(lovelace(handle, 1), Amount::new(BALANCE + 1_000_000));
        assert!(conserves(&handle.view().unwrap()));
        let told: Vec<Hash> = (1..=height(handle).0)
            .filter_map(|at| handle.summary(Height(at)).unwrap())
            .flat_map(|summary| summary.transactions)
            .map(|transaction| transaction.id)
            .collect();
        assert_eq!(told, [id]);
    }
    // Again, on another node: no harm, and no second payment.
    assert_eq!(
        handles[2]
            .submit(pay.bytes(handles[2].chain()))
            .await
            .unwrap(),
        id
    );
    for node in nodes {
        node.stop().await.unwrap();
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn empty_blocks_come_at_the_target_rate_and_never_faster() {
    const BLOCKS: u64 = 30;
    let cluster = Cluster::new(4, 1);
    let target_ms = cluster.config(0).block_target_ms;
    let nodes = cluster.start_all().await;
    let node = nodes[0].handle();
    // All are there, and the first heights, whose start took as long as it took, are over.
    reaches(&node, Height(3)).await;
    reaches(&node, Height(3 + BLOCKS)).await;
    let times: Vec<u64> = (3..=3 + BLOCKS)
        .map(|height| node.block(Height(height)).unwrap().unwrap())
        .inspect(|block| assert_eq!(block.transactions.len(), 0))
        .map(|block| block.header.time.0)
        .collect();
    assert!(times.is_sorted_by(|one, next| one < next), "{times:?}");
    // By what the blocks say themselves. A height lasts the target at least, on each node; the first block may have been late in its height, and the last one may be
    // of a proposer that was behind: two targets at most, however busy the machine is.
    let span_ms = times[times.len() - 1] - times[0];
    assert!(span_ms >= (BLOCKS - 2) * target_ms, "{times:?}");
    // A machine that does much else makes them slower, but not without end.
    assert!(span_ms <= 10 * BLOCKS * target_ms, "{times:?}");
    for node in nodes {
        node.stop().await.unwrap();
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn many_senders_through_all_nodes_are_all_executed_once() {
    const SENDERS: u16 = 200;
    let cluster = Cluster::new(4, SENDERS);
    let nodes = cluster.start_all().await;
    let handles: Vec<_> = nodes.iter().map(|node| node.handle()).collect();
    for handle in &handles {
        has_peers(handle, 3).await;
    }
    let mut ids = Vec::new();
    for sequence in 0..3 {
        for from in 0..SENDERS {
            let handle = &handles[usize::from(from) % 4];
            let pay = Pay::new(from, (from + 1) % SENDERS, sequence);
            ids.push(handle.submit(pay.bytes(handle.chain())).await.unwrap());
        }
    }
    for handle in &handles {
        for id in &ids {
            is_final(handle, id).await;
        }
    }
    let heights: Vec<Height> = handles.iter().map(height).collect();
    let common = heights.iter().min().unwrap();
    let all: Vec<_> = handles.iter().collect();
    (1..=common.0).for_each(|height| agree(&all, Height(height)));
    let view = handles[0].view().unwrap();
    let next = |n| {
        let account = chain::account(n);
        nupeer_ledger::sequence::next(&view, &account, &account.hash())
    };
    assert!((0..SENDERS).all(|n| next(n) == 3));
    assert!(conserves(&view));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_node_that_was_away_catches_up() {
    let cluster = Cluster::new(4, 3);
    let mut nodes = cluster.start_all().await;
    let away = nodes.remove(0);
    reaches(&away.handle(), Height(3)).await;
    away.stop().await.unwrap();
    let left = nodes[0].handle();
    let id = left
        .submit(Pay::new(0, 1, 0).bytes(left.chain()))
        .await
        .unwrap();
    let at = is_final(&left, &id).await;
    reaches(&left, Height(at.0 + 10)).await;

    let back = cluster.start(0).await.unwrap();
    let handle = back.handle();
    assert!(height(&handle) <= at);
    assert_eq!(is_final(&handle, &id).await, at);
    let goal = Height(height(&left).0 + 2);
    reaches(&handle, goal).await;
    reaches(&left, goal).await;
    agree(&[&left, &handle], goal);
    // And it is part of it again: it passes on what it is given.
    has_peers(&handle, 3).await;
    let id = handle
        .submit(Pay::new(1, 2, 0).bytes(handle.chain()))
        .await
        .unwrap();
    assert_eq!(is_final(&left, &id).await, is_final(&handle, &id).await);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_second_node_on_one_data_folder_is_refused() {
    let cluster = Cluster::new(1, 1);
    let node = cluster.start(0).await.unwrap();
    let refused = cluster.start(0).await.err().unwrap();
    assert!(
        matches!(refused, NodeError::Store(StoreError::AlreadyRunning { .. })),
        "{refused}"
    );
    assert_eq!(refused.code(), Code(6000));
    let reached = Height(height(&node.handle()).0 + 1);
    reaches(&node.handle(), reached).await;
    node.stop().await.unwrap();
    let again = cluster.start(0).await.unwrap();
    assert!(height(&again.handle()) >= reached);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_a_node_refuses_and_forgets_nothing_of() {
    let cluster = Cluster::new(1, 2);
    let node = cluster.start(0).await.unwrap();
    let handle = node.handle();
    let chain = handle.chain().clone();
    let refusal = |error| match error {
        SubmitError::Mempool(MempoolError::Refused(error)) => error,
        other => panic!("{other}"),
    };
    let mut forged = Pay::new(0, 1, 0).signed(&chain);
    forged.transaction.sequence = 1;
    let refused = handle.submit(forged.to_bytes()).await.unwrap_err();
    assert_eq!(refusal(refused), TransactionError::BadSignature);
    let refused = handle.submit(vec![0xff; 9]).await.unwrap_err();
    assert!(matches!(refusal(refused), TransactionError::Encoding(_)));
    let refused = handle.submit(vec![0; 1 << 20]).await.unwrap_err();
    assert_eq!(refused.code(), Code(1001));
    let stranger = chain::genesis(2, 2).chain().unwrap();
    let refused = handle
        .submit(Pay::new(0, 1, 0).bytes(&stranger))
        .await
        .unwrap_err();
    assert_eq!(refused.code(), Code(2101));
    let late = Pay {
        valid_until: nupeer_primitives::TimeMs(1),
        ..Pay::new(0, 1, 0)
    };
    let refused = handle.submit(late.bytes(&chain)).await.unwrap_err();
    assert_eq!(refused.code(), Code(2106));
    let unknown = handle.transaction_status(&Hash([1; 32])).unwrap();
    assert_eq!(unknown, TransactionStatus::Unknown);
    assert_eq!(handle.status().unwrap().pending, 0);
}

#[tokio::test]
async fn a_chain_that_follows_cardano_is_not_run_blind() {
    let cluster = Cluster::new(1, 1);
    let mut genesis = cluster.genesis.clone();
    genesis.cardano = Some(nupeer_runtime::genesis::CardanoSettings {
        magic: 42,
        security_parameter: 12,
        from: nupeer_primitives::CardanoPoint {
            slot: nupeer_primitives::Slot(0),
            hash: Hash([1; 32]),
        },
    });
    let config = cluster.config(0);
    std::fs::write(&config.genesis, genesis.to_json().unwrap()).unwrap();
    let refused = nupeer_node::Node::start(config, None).await.err().unwrap();
    assert!(
        matches!(refused, NodeError::CardanoMissing { magic: 42 }),
        "{refused}"
    );
}

#[tokio::test]
async fn a_wrong_bridge_key_is_noticed_before_anything_is_signed() {
    let cluster = Cluster::new(1, 1);
    let mut config = cluster.config(0);
    config.bridge_key = config.network_key.clone();
    let refused = nupeer_node::Node::start(config, None).await.err().unwrap();
    let expected = chain::public(&chain::bridge_key(0));
    let NodeError::BridgeKey {
        provided,
        expected: named,
    } = refused
    else {
        panic!("{refused}")
    };
    assert_eq!(named, expected);
    assert_ne!(provided, expected);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn run_ends_when_it_is_asked_to() {
    let cluster = Cluster::new(1, 1);
    let (stop, stopped) = tokio::sync::oneshot::channel::<()>();
    let shutdown = async { drop(stopped.await) };
    let running = tokio::spawn(nupeer_node::run(cluster.config(0), shutdown));
    stop.send(()).unwrap();
    crate::support::soon("the end", running)
        .await
        .unwrap()
        .unwrap();
    // The folder is free again.
    let node = cluster.start(0).await.unwrap();
    let handle = Arc::new(node.handle());
    reaches(&handle, Height(1)).await;
}
