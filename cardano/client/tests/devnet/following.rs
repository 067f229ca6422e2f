//! Following the devnet through forks.

use nupeer_cardano_client::{
    Follower, Output, Value,
    builder::{Change, NoScripts, TransactionBuilder},
    follower::{FollowerConfig, FollowerStatus, Location, Retention},
};
use nupeer_devnet::chain::Reorganisation;
use pallas_traverse::MultiEraBlock;
use tokio::{sync::oneshot, task::JoinHandle, time::timeout};

use super::{PATIENCE, Person, World};

/// The ids of a block's transactions, one after another.
fn transactions(raw: &[u8]) -> Vec<u8> {
    let Ok(block) = MultiEraBlock::decode(raw) else {
        return vec![];
    };
    block
        .txs()
        .iter()
        .flat_map(|tx| tx.hash().to_vec())
        .collect()
}

struct Following {
    _folder: tempfile::TempDir,
    follower: Follower,
    stop: oneshot::Sender<()>,
    task: JoinHandle<()>,
}

impl Following {
    fn start(world: &World) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let config = FollowerConfig {
            node: world.node.clone(),
            from: None,
            retention: Retention::WindowAndConsumed,
        };
        let follower = Follower::open(folder.path(), config, transactions).unwrap();
        let (stop, stopped) = oneshot::channel::<()>();
        let running = follower.clone();
        let task = tokio::spawn(async move {
            let shutdown = async { drop(stopped.await) };
            running.run(shutdown).await.unwrap();
        });
        Following {
            _folder: folder,
            follower,
            stop,
            task,
        }
    }

    async fn until(&self, wanted: impl Fn(&FollowerStatus) -> bool) {
        let mut status = self.follower.subscribe();
        timeout(PATIENCE, status.wait_for(wanted))
            .await
            .unwrap()
            .unwrap();
    }

    /// Waits until the follower is where the devnet is.
    async fn caught_up(&self, world: &World) {
        let tip = world.node.tip().await.unwrap();
        self.until(|status| status.tip == tip).await;
    }

    /// Ids of all transactions on the chain.
    fn transactions(&self) -> Vec<Vec<u8>> {
        let tip = self.follower.tip().unwrap();
        let seen = self.follower.observations(None, tip.point).unwrap();
        seen.iter()
            .flat_map(|block| block.observations.chunks(32).map(<[u8]>::to_vec))
            .collect()
    }

    async fn stop(self) {
        let _ = self.stop.send(());
        timeout(PATIENCE, self.task).await.unwrap().unwrap();
    }
}

async fn reorganise(world: &World, wanted: Reorganisation) {
    world
        .devnet
        .owner()
        .ask(move |chain| chain.reorganise(&wanted))
        .await
        .unwrap()
        .unwrap();
}

#[tokio::test]
async fn a_deposit_lost_to_a_fork_is_forgotten_and_its_replacement_seen() {
    let world = World::new().await;
    world.mint(20).await;
    let following = Following::start(&world);
    let tenant = Person::new(6);
    let parameters = world.node.parameters().await.unwrap();
    let purse = world.utxos(&tenant).await;
    let pay = |lovelace| {
        let builder =
            TransactionBuilder::new(Change::to(tenant.address.clone())).available(purse.clone());
        let builder = builder.pay(Output::new(
            tenant.address.clone(),
            Value::lovelace(lovelace),
        ));
        builder
            .build(&parameters, &NoScripts)
            .unwrap()
            .sign([&tenant.key])
            .unwrap()
    };
    let (deposit, elsewhere) = (pay(500_000_000), pay(400_000_000));
    world.submit(&deposit).await;
    world.mint(4).await;
    following.caught_up(&world).await;
    assert_eq!(following.transactions(), [deposit.id.0.to_vec()]);
    let lost = following.follower.point_at_depth(3).unwrap().unwrap();
    let fork = Reorganisation {
        depth: 4,
        drop: vec![deposit.id.0],
        replacements: vec![elsewhere.cbor.clone()],
        outgrow: true,
        force: false,
    };
    reorganise(&world, fork).await;
    following.caught_up(&world).await;
    assert_eq!(following.transactions(), [elsewhere.id.0.to_vec()]);
    assert_eq!(
        following.follower.locate(lost.point).unwrap(),
        Location::Forked
    );
    assert_eq!(following.follower.deep_rollback(), None);
    following.stop().await;
}

#[tokio::test]
async fn a_forced_rollback_below_k_is_on_record() {
    let world = World::new().await;
    world.mint(30).await;
    let following = Following::start(&world);
    following.caught_up(&world).await;
    let before = following.follower.tip().unwrap();
    reorganise(
        &world,
        Reorganisation {
            depth: 13,
            outgrow: true,
            force: true,
            ..Default::default()
        },
    )
    .await;
    following
        .until(|status| status.deep_rollback.is_some())
        .await;
    following.caught_up(&world).await;
    let record = following.follower.deep_rollback().unwrap();
    assert_eq!((record.from, record.depth), (before.point, 13));
    following.stop().await;
}

#[tokio::test]
async fn the_devnets_commands_are_followed_block_by_block() {
    let world = World::new().await;
    let following = Following::start(&world);
    for round in 0..5u64 {
        world.mint(10 + round).await;
        following.caught_up(&world).await;
        reorganise(
            &world,
            Reorganisation {
                depth: 1 + 2 * round,
                outgrow: round % 2 == 0,
                ..Default::default()
            },
        )
        .await;
        following.caught_up(&world).await;
    }
    let tip = following.follower.tip().unwrap();
    let seen = following.follower.observations(None, tip.point).unwrap();
    for block in &seen {
        let theirs = world.devnet.view().block(block.block_number).unwrap();
        assert_eq!(
            (block.point.slot.0, block.point.hash.0),
            (theirs.slot, *theirs.hash)
        );
    }
    assert_eq!(seen.len() as u64, tip.block_number + 1);
    following.stop().await;
}
