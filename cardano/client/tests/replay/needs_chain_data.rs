//! Against a chunk of a preprod node's immutable database, served by the devnet's server.

use std::{sync::Arc, time::Duration};

use nupeer_cardano_client::{
    Follower, Network, Node,
    follower::{FollowerConfig, Location, Retention},
};
use nupeer_devnet::{replay::Replay, view::Block};
use nupeer_primitives::{CardanoPoint, Hash, Slot};
use nupeer_testing::{chain_data, immutable::stored_blocks};
use pallas_traverse::MultiEraBlock;
use tempfile::TempDir;
use tokio::{sync::oneshot, task::JoinHandle, time::timeout};

/// Longer than anything here takes on a slow machine.
const PATIENCE: Duration = Duration::from_secs(60);

/// The first chunk's blocks.
fn blocks() -> Vec<Block> {
    let paths = chain_data::files(&chain_data::folder("immutable"), "chunk");
    let stored = stored_blocks(&paths[0]);
    let block = |raw: &[u8]| {
        let block = MultiEraBlock::decode(raw).unwrap();
        Block {
            block_number: block.number(),
            slot: block.slot(),
            hash: block.hash(),
            raw: Arc::from(raw),
        }
    };
    stored.iter().map(|stored| block(&stored.raw)).collect()
}

fn point(block: &Block) -> CardanoPoint {
    CardanoPoint {
        slot: Slot(block.slot),
        hash: Hash(*block.hash),
    }
}

/// A follower of the blocks after the first; it observes each block's length.
struct World {
    _folder: TempDir,
    blocks: Vec<Block>,
    replay: Replay,
    follower: Follower,
    stop: oneshot::Sender<()>,
    task: JoinHandle<()>,
}

impl World {
    fn new() -> Self {
        let (folder, blocks) = (tempfile::tempdir().unwrap(), blocks());
        let (socket, network) = (folder.path().join("node.socket"), Network::preprod());
        let replay = Replay::start(&socket, network.magic, blocks.clone()).unwrap();
        replay.show(1);
        let config = FollowerConfig {
            node: Node::new(socket, network),
            from: Some(point(&blocks[0])),
            retention: Retention::WindowAndConsumed,
        };
        let length = |raw: &[u8]| raw.len().to_be_bytes().to_vec();
        let follower = Follower::open(&folder.path().join("store"), config, length).unwrap();
        let (stop, stopped) = oneshot::channel::<()>();
        let running = follower.clone();
        let task = tokio::spawn(async move {
            let shutdown = async { drop(stopped.await) };
            running.run(shutdown).await.unwrap();
        });
        World {
            _folder: folder,
            blocks,
            replay,
            follower,
            stop,
            task,
        }
    }

    /// Shows so many blocks and waits until the follower is at their end.
    async fn show(&self, height: usize) {
        self.replay.show(height);
        let wanted = point(&self.blocks[height - 1]);
        let mut status = self.follower.subscribe();
        let there =
            status.wait_for(|status| status.tip.as_ref().is_some_and(|tip| tip.point == wanted));
        timeout(PATIENCE, there).await.unwrap().unwrap();
    }

    /// What was observed is that of the blocks shown, from the second on.
    fn expect_observed(&self, height: usize) {
        let last = point(&self.blocks[height - 1]);
        let seen = self.follower.observations(None, last).unwrap();
        let seen: Vec<_> = seen
            .into_iter()
            .map(|block| (block.block_number, block.point, block.observations))
            .collect();
        let expected: Vec<_> = self.blocks[1..height]
            .iter()
            .map(|block| {
                let length = block.raw.len().to_be_bytes().to_vec();
                (block.block_number, point(block), length)
            })
            .collect();
        assert_eq!(seen, expected);
    }

    async fn stop(self) {
        let _ = self.stop.send(());
        timeout(PATIENCE, self.task).await.unwrap().unwrap();
    }
}

#[tokio::test]
async fn the_follower_observes_every_real_block_once() {
    let world = World::new();
    world.show(world.blocks.len()).await;
    world.expect_observed(world.blocks.len());
    world.stop().await;
}

#[tokio::test]
async fn the_follower_forgets_real_blocks_that_are_rolled_back() {
    let world = World::new();
    let high = world.blocks.len() - 10;
    world.show(high).await;
    let lost = point(&world.blocks[high - 1]);
    world.show(high - 100).await;
    assert_eq!(world.follower.locate(lost).unwrap(), Location::Ahead);
    world.expect_observed(high - 100);
    world.show(world.blocks.len()).await;
    world.expect_observed(world.blocks.len());
    assert_eq!(world.follower.deep_rollback(), None);
    world.stop().await;
}
