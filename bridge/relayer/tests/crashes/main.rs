//! A relayer or a deployment that dies at any failpoint: whoever starts anew comes to the same end, and nothing is there twice. A crash is a
//! panic that takes everything in memory along.

#[path = "../devnet/confirm.rs"]
mod confirm;
#[path = "../devnet/fixture.rs"]
mod fixture;
#[path = "../devnet/sidechain.rs"]
mod sidechain;
#[path = "../devnet/world.rs"]
#[allow(dead_code, reason = "the other test binary uses the rest")]
mod world;

use fixture::{Relaying, leaf};
use nupeer_contracts::Validator;
use nupeer_devnet::chain::Reorganisation;
use nupeer_outbox::Leaf;
use nupeer_relayer::convert;
use nupeer_testing::failpoints;
use tokio::{runtime::Handle, sync::Mutex, task::spawn_blocking};
use world::{ADA, Ground, World, stranger};

/// Every failpoint of the crate; `failpoints_are_those_of_the_sources` holds it to that.
const FAILPOINTS: [&str; 7] = [
    "relayer-before-submitting",
    "relayer-after-submitting",
    "relayer-before-insisting",
    "relayer-after-insisting",
    "deploy-before-submitting",
    "deploy-after-submitting",
    "deploy-born",
];

/// Failpoints are the process's; tests that set them take turns.
static TURN: Mutex<()> = Mutex::const_new(());

#[test]
fn failpoints_are_those_of_the_sources() {
    failpoints::assert_all_named(env!("CARGO_MANIFEST_DIR"), &FAILPOINTS);
}

/// Dies at this pass of a failpoint, once.
fn arm(failpoint: &str, pass: usize) {
    let actions = match pass {
        1 => "1*panic".to_owned(),
        _ => format!("{}*off->1*panic", pass - 1),
    };
    fail::cfg(failpoint, &actions).unwrap();
}

/// What is to be paid out in the end.
fn leaves() -> [Leaf; 3] {
    [
        leaf(0, 0, 9 * ADA),
        leaf(0, 1, 8 * ADA),
        leaf(1, 0, 7 * ADA),
    ]
}

impl Relaying {
    /// A round; whether it was survived. After a crash another relayer stands there, which knows nothing of the first.
    async fn survives(&mut self) -> bool {
        let next = Relaying::relayer(&self.world, &self.sidechain);
        let mut relayer = std::mem::replace(&mut self.relayer, next);
        // A thread of its own, so that a panic ends it alone.
        let round = spawn_blocking(move || {
            Handle::current().block_on(relayer.round()).unwrap();
            relayer
        });
        match round.await {
            Ok(survivor) => {
                self.relayer = survivor;
                true
            }
            Err(error) => {
                assert!(error.is_panic());
                false
            }
        }
    }

    /// Rounds, with a block after each, until nothing waits; counts crashes.
    async fn settle(&mut self) -> usize {
        let mut crashes = 0;
        for _ in 0..8 {
            if !self.survives().await {
                crashes += 1;
                // The next one begins while what its predecessor submitted may still wait for a block.
                assert!(self.survives().await);
            }
            self.world.mint(1).await;
        }
        crashes
    }

    /// Anchors on Cardano, what the shards hold, and what was paid to whom: everything that could be there twice.
    async fn outcome(&self) -> (Vec<u64>, [u64; 2], [u64; 2]) {
        let state = self.world.state().await;
        let anchors: Vec<u64> = state.anchors.keys().copied().collect();
        let tokens = self.anchor_tokens().await;
        assert_eq!(anchors.len() as u64, tokens, "an anchor is there twice");
        let paid = [self.paid(1).await, self.paid(2).await];
        (anchors, self.held().await, paid)
    }

    async fn anchor_tokens(&self) -> u64 {
        let bridge = &self.world.bridge;
        let address = bridge.address(Validator::Anchor);
        let utxos = self.world.node.utxos_at(&[address]).await.unwrap();
        let token = bridge.scripts.anchor_token();
        utxos.iter().map(|utxo| utxo.output.value.get(&token)).sum()
    }

    async fn paid(&self, to: u8) -> u64 {
        let network = self.world.bridge.network();
        let address = convert::client_address(&stranger(to), network);
        self.world.lovelace_at(&address).await
    }
}

/// Two deposits, an anchor over them, sweeps; then an anchor over payments, and the payments. Says how many crashes there were.
async fn everything_is_due(relaying: &mut Relaying) -> usize {
    let deposits = relaying.deposits().await;
    relaying.certify(&[], &deposits).await;
    let crashes = relaying.settle().await;
    relaying.certify(&leaves(), &deposits).await;
    crashes + relaying.settle().await
}

/// Anchor, two sweeps, anchor, three payments.
const SUBMISSIONS: usize = 7;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_relayer_that_dies_around_any_submission_leaves_the_same_bridge() {
    let _turn = TURN.lock().await;
    let _scenario = fail::FailScenario::setup();
    let expected = (vec![1, 2], [283 * ADA, 93 * ADA], [17 * ADA, 7 * ADA]);
    for failpoint in ["relayer-before-submitting", "relayer-after-submitting"] {
        // The last pass is one of none: nothing is submitted an eighth time, and the run is the uninterrupted one.
        for pass in [1, 2, 3, 4, 6, SUBMISSIONS, SUBMISSIONS + 2] {
            let mut relaying = Relaying::start().await;
            arm(failpoint, pass);
            let crashes = everything_is_due(&mut relaying).await;
            fail::remove(failpoint);
            assert_eq!(
                crashes,
                usize::from(pass <= SUBMISSIONS),
                "{failpoint} {pass}"
            );
            assert_eq!(relaying.outcome().await, expected, "{failpoint} {pass}");
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_relayer_that_dies_while_it_insists_leaves_the_same_bridge() {
    let _turn = TURN.lock().await;
    let _scenario = fail::FailScenario::setup();
    for failpoint in ["relayer-before-insisting", "relayer-after-insisting"] {
        let mut relaying = Relaying::start().await;
        let deposits = relaying.deposits().await;
        relaying.certify(&[], &deposits).await;
        relaying.round().await;
        relaying.world.mint(1).await;
        relaying.round().await;
        relaying.world.mint(1).await;
        // A fork loses both sweeps; it takes them for waiting until they are in no block for long.
        let state = relaying.world.state().await;
        let swept = state.shards.values().map(|shard| shard.utxo.reference);
        let fork = Reorganisation {
            depth: 1,
            drop: swept.map(|reference| reference.transaction_id.0).collect(),
            outgrow: true,
            ..Reorganisation::default()
        };
        let owner = relaying.world.devnet.owner();
        owner
            .ask(move |chain| chain.reorganise(&fork))
            .await
            .unwrap()
            .unwrap();
        arm(failpoint, 1);
        relaying.world.mint(3).await;
        assert!(!relaying.survives().await, "{failpoint}");
        assert_eq!(relaying.settle().await, 0, "{failpoint}");
        assert_eq!(
            relaying.outcome().await,
            (vec![1], [300 * ADA, 100 * ADA], [0, 0]),
            "{failpoint}"
        );
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_deployment_that_dies_anywhere_is_begun_anew_and_makes_a_whole_bridge() {
    let _turn = TURN.lock().await;
    let _scenario = fail::FailScenario::setup();
    let passes = [
        ("deploy-before-submitting", 3),
        ("deploy-after-submitting", 3),
        ("deploy-born", 1),
    ];
    let passes = passes
        .into_iter()
        .flat_map(|(name, last)| (1..=last).map(move |pass| (name, pass)));
    for (failpoint, pass) in passes {
        let ground = Ground::new().await;
        arm(failpoint, pass);
        assert!(ground.deploy().await.is_err(), "{failpoint} {pass}");
        ground.devnet.owner().mint(1).await.unwrap().unwrap();
        let deployed = ground.deploy().await.unwrap();
        let mut relaying = Relaying::in_world(World::on(ground, deployed).await);
        assert_eq!(
            relaying.outcome().await,
            (vec![], [0, 0], [0, 0]),
            "{failpoint} {pass}"
        );
        let deposits = relaying.deposits().await;
        relaying.certify(&[], &deposits).await;
        assert_eq!(relaying.settle().await, 0);
        assert_eq!(
            relaying.held().await,
            [300 * ADA, 100 * ADA],
            "{failpoint} {pass}"
        );
    }
}
