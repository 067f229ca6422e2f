//! Following Cardano over a node's socket, with observing and writing, beside a loop over the same socket that only receives.

use std::{
    path::Path,
    time::{Duration, Instant},
};

use anyhow::{Result, ensure};
use nupeer_cardano_client::{
    Follower, Network, Node,
    follower::{FollowerConfig, Retention},
};
use nupeer_devnet::{Config, Devnet};
use nupeer_observe::{Scope, observe};
use nupeer_primitives::{Hash28, TimeMs};
use pallas_network::{facades::NodeClient, miniprotocols::Point};
use serde_json::{Value, json};
use tokio::sync::oneshot;

use crate::{
    Extent, note,
    samples::{median, rounded},
};

/// A bridge that is nowhere: every block is taken apart, as in a validator.
const SCOPE: Scope = Scope {
    genesis: Hash28([1; 28]),
    head: Hash28([2; 28]),
    anchor: Hash28([3; 28]),
    vault: Hash28([4; 28]),
    deposit: Hash28([5; 28]),
};
/// Figures of the devnet's profile `fast`.
const SECURITY_PARAMETER: u64 = 12;
const EPOCH_SLOTS: u64 = 120;
/// Longest that following a chain may take.
const PATIENCE: Duration = Duration::from_secs(300);

pub(crate) fn measure(extent: Extent) -> Result<Value> {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()?;
    runtime.block_on(compare(extent.pick(10_000, 50_000), extent.pick(3, 9)))
}

async fn compare(blocks: u64, rounds: usize) -> Result<Value> {
    note(&format!("follow: a devnet of {blocks} blocks"));
    let folder = tempfile::tempdir()?;
    let devnet = Devnet::start(Config {
        block_interval_ms: None,
        ..Config::new(folder.path())
    })
    .await?;
    devnet.owner().mint(blocks).await??;
    let genesis = devnet.genesis();
    let network = Network::devnet(
        TimeMs(genesis.system_start_ms),
        1_000,
        SECURITY_PARAMETER,
        EPOCH_SLOTS,
    );
    note("follow: rounds of both, in turn");
    let (mut bare, mut ours) = (Vec::new(), Vec::new());
    for _ in 0..rounds {
        let time = receive(devnet.socket_path(), genesis.network_magic, blocks).await?;
        bare.push(rate(blocks, time));
        let node = Node::new(devnet.socket_path(), network.clone());
        ours.push(rate(blocks, follow(node, blocks).await?));
    }
    devnet.stop().await;
    let ratio = median(&ours) / median(&bare);
    Ok(json!({
        "blocks": blocks, "bare_blocks_per_second": bare, "followed_blocks_per_second": ours,
        "bare_median": median(&bare), "followed_median": median(&ours),
        "ratio": rounded(ratio), "ratio_min": 0.3, "met": ratio >= 0.3,
    }))
}

fn rate(blocks: u64, time: Duration) -> f64 {
    rounded(blocks as f64 / time.as_secs_f64())
}

/// Receives every block and does nothing with it.
async fn receive(socket: &Path, magic: u64, blocks: u64) -> Result<Duration> {
    let mut client = NodeClient::connect(socket, magic).await?;
    let sync = client.chainsync();
    let began = Instant::now();
    sync.find_intersect(vec![Point::Origin]).await?;
    // The first answer is the rollback to where the loop begins.
    for _ in 0..=blocks {
        sync.request_next().await?;
    }
    let time = began.elapsed();
    client.abort().await;
    Ok(time)
}

/// Follows from the origin into a store of its own until the last block is in it.
async fn follow(node: Node, blocks: u64) -> Result<Duration> {
    let folder = tempfile::tempdir()?;
    let config = FollowerConfig {
        node,
        from: None,
        retention: Retention::Window,
    };
    let follower = Follower::open(folder.path(), config, observed)?;
    let (stop, stopped) = oneshot::channel::<()>();
    let running = follower.clone();
    let mut status = follower.subscribe();
    let began = Instant::now();
    let task = tokio::spawn(async move {
        let stopped = async {
            let _ = stopped.await;
        };
        running.run(stopped).await
    });
    let at_end =
        status.wait_for(|status| status.tip.is_some_and(|tip| tip.block_number + 1 >= blocks));
    let reached = tokio::time::timeout(PATIENCE, at_end).await;
    let time = began.elapsed();
    ensure!(
        matches!(reached, Ok(Ok(_))),
        "{blocks} blocks were not followed in time"
    );
    drop(reached);
    let _ = stop.send(());
    task.await??;
    Ok(time)
}

fn observed(block: &[u8]) -> Vec<u8> {
    let seen = observe(&SCOPE, block).unwrap_or_default();
    seen.iter()
        .flat_map(|observation| observation.to_bytes())
        .collect()
}
