//! A devnet that dies at any failpoint starts again with the chain it had, its ledger follows from that chain, and whoever asks again for
//! what was not done gets the chain of a devnet that never died. A crash is a panic that takes everything in memory along.

mod common;

use std::{
    panic::{AssertUnwindSafe, catch_unwind},
    path::Path,
    sync::{Mutex, MutexGuard, PoisonError},
};

use common::{Coin, Payment, blocks, genesis, node, pay};
use nupeer_cardano_ledger::{Pots, Utxos};
use nupeer_devnet::{
    Config, Devnet, Profile,
    chain::{Chain, Reorganisation, TxStatus},
    genesis::Account,
    view::Block,
};
use nupeer_testing::failpoints;

/// Every failpoint of the crate; `failpoints_are_those_of_the_sources` holds it to that.
const FAILPOINTS: [&str; 9] = [
    "devnet-genesis-before-rename",
    "devnet-genesis-renamed",
    "devnet-chain-before-header",
    "devnet-chain-after-header",
    "devnet-chain-before-record",
    "devnet-chain-half-a-record",
    "devnet-chain-after-record",
    "devnet-chain-before-cut",
    "devnet-chain-after-cut",
];

/// Those between which a step of [`STEPS`] writes.
const RECORDS: [&str; 3] = [
    "devnet-chain-before-record",
    "devnet-chain-half-a-record",
    "devnet-chain-after-record",
];

/// Failpoints are the process's; tests that set them take turns.
static TURN: Mutex<()> = Mutex::new(());

fn turn() -> (MutexGuard<'static, ()>, fail::FailScenario<'static>) {
    let turn = TURN.lock().unwrap_or_else(PoisonError::into_inner);
    (turn, fail::FailScenario::setup())
}

#[test]
fn failpoints_are_those_of_the_sources() {
    failpoints::assert_all_named(env!("CARGO_MANIFEST_DIR"), &FAILPOINTS);
}

/// What a user asks for, each with one record on disk.
#[derive(Clone, Copy, Debug)]
enum Step {
    Mint(u64),
    /// An account's payment, submitted unless it is in a block, and a block for it.
    Pay(u64),
    Fork(u64),
    Rollback(u64),
}

const STEPS: [Step; 8] = [
    Step::Mint(4),
    Step::Pay(0),
    Step::Pay(1),
    Step::Fork(2),
    Step::Pay(2),
    Step::Rollback(3),
    Step::Pay(2),
    Step::Mint(2),
];

fn payment(index: u64) -> Payment {
    let payee = Account::derive(42, 19);
    pay(&Coin::genesis(42, index), &payee, 5_000_000, None)
}

fn take(chain: &mut Chain, step: Step) {
    let cut = |depth, outgrow| Reorganisation {
        depth,
        outgrow,
        ..Reorganisation::default()
    };
    match step {
        Step::Mint(count) => chain.mint(count, None).expect("mints"),
        Step::Pay(index) => {
            let payment = payment(index);
            if chain.transaction(&payment.id) == TxStatus::Unknown {
                chain.submit(&payment.raw, None).expect("is accepted");
            }
            chain.mint(1, None).expect("mints");
        }
        Step::Fork(depth) => drop(chain.reorganise(&cut(depth, true)).expect("forks")),
        Step::Rollback(depth) => drop(chain.reorganise(&cut(depth, false)).expect("rolls back")),
    }
}

fn open(path: &Path) -> Chain {
    Chain::open(genesis(Profile::Fast, 42), path).expect("opens")
}

/// The blocks and the ledger after them.
type Whole = (Vec<Block>, Utxos, Pots);

fn whole(chain: &mut Chain) -> Whole {
    let tip = chain.view().tip().point;
    let ledger = chain.at(&tip, |ledger, _| (ledger.utxos().clone(), ledger.pots()));
    let (utxos, pots) = ledger.expect("the tip");
    (blocks(chain), utxos, pots)
}

/// What stands before each step and after the last one. What waits for a block is lost with the process, so each is asked of a chain that was just opened.
fn uninterrupted() -> Vec<Whole> {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("chain");
    let mut all = vec![whole(&mut open(&path))];
    for step in STEPS {
        let mut chain = open(&path);
        take(&mut chain, step);
        all.push(whole(&mut chain));
    }
    all
}

/// Dies while it does something with a chain, and everything in memory with it.
fn crashes(doing: impl FnOnce()) -> bool {
    catch_unwind(AssertUnwindSafe(doing)).is_err()
}

#[test]
fn a_step_that_a_crash_interrupts_is_done_wholly_or_not_at_all() {
    let _turn = turn();
    let expected = uninterrupted();
    for failpoint in RECORDS {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("chain");
        for (index, step) in STEPS.into_iter().enumerate() {
            let mut chain = open(&path);
            fail::cfg(failpoint, "1*panic").expect("a failpoint");
            assert!(
                crashes(move || take(&mut chain, step)),
                "{failpoint} {step:?}"
            );
            fail::remove(failpoint);
            let mut chain = open(&path);
            let is_done = failpoint == "devnet-chain-after-record";
            let stands = index + usize::from(is_done);
            assert_eq!(whole(&mut chain), expected[stands], "{failpoint} {step:?}");
            if !is_done {
                take(&mut chain, step);
            }
            assert_eq!(
                whole(&mut chain),
                expected[index + 1],
                "{failpoint} {step:?}"
            );
        }
    }
}

#[test]
fn what_a_crash_tore_may_be_cut_off_by_one_that_crashes_too() {
    let _turn = turn();
    let expected = uninterrupted();
    for failpoint in ["devnet-chain-before-cut", "devnet-chain-after-cut"] {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("chain");
        let mut chain = open(&path);
        take(&mut chain, STEPS[0]);
        fail::cfg("devnet-chain-half-a-record", "1*panic").expect("a failpoint");
        assert!(crashes(move || take(&mut chain, STEPS[1])));
        fail::cfg(failpoint, "1*panic").expect("a failpoint");
        assert!(crashes(|| drop(open(&path))), "{failpoint}");
        let mut chain = open(&path);
        assert_eq!(whole(&mut chain), expected[1], "{failpoint}");
        take(&mut chain, STEPS[1]);
        assert_eq!(whole(&mut chain), expected[2], "{failpoint}");
    }
}

/// A devnet on demand that begins whenever it is first started.
async fn start(folder: &Path, system_start_ms: u64) -> Option<Devnet> {
    let config = Config {
        block_interval_ms: None,
        system_start_ms: Some(system_start_ms),
        ..Config::new(folder)
    };
    // In a task of its own: a panic ends it alone, and drops what it held.
    let started = tokio::spawn(Devnet::start(config)).await;
    started.ok().and_then(Result::ok)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[allow(
    clippy::await_holding_lock,
    reason = "other tests are to wait, on threads of their own"
)]
async fn a_devnet_that_dies_while_it_starts_is_started_again() {
    let _turn = turn();
    for failpoint in &FAILPOINTS[..4] {
        let folder = tempfile::tempdir().expect("a folder");
        fail::cfg(*failpoint, "1*panic").expect("a failpoint");
        assert!(start(folder.path(), 1_000).await.is_none(), "{failpoint}");
        let devnet = start(folder.path(), 2_000).await.expect("starts");
        // A genesis that was written stays: its time is when the chain began.
        let is_written = *failpoint != "devnet-genesis-before-rename";
        let expected = if is_written { 1_000 } else { 2_000 };
        assert_eq!(devnet.genesis().system_start_ms, expected, "{failpoint}");
        node::mint(&devnet, 3).await;
        devnet.stop().await;
        let devnet = start(folder.path(), 3_000).await.expect("starts");
        let found = (devnet.view().tip().height, devnet.genesis().system_start_ms);
        assert_eq!(found, (3, expected), "{failpoint}");
        devnet.stop().await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[allow(
    clippy::await_holding_lock,
    reason = "other tests are to wait, on threads of their own"
)]
async fn followers_see_what_is_on_disk_and_nothing_else() {
    let _turn = turn();
    for failpoint in RECORDS {
        let folder = tempfile::tempdir().expect("a folder");
        let devnet = start(folder.path(), 1_000).await.expect("starts");
        node::mint(&devnet, 2).await;
        fail::cfg(failpoint, "1*panic").expect("a failpoint");
        assert!(devnet.owner().mint(1).await.is_err(), "{failpoint}");
        // Whoever follows it while it dies has seen no block that may be gone.
        assert_eq!(devnet.view().tip().height, 2, "{failpoint}");
        let before: Vec<_> = (0..2).map(|number| devnet.view().block(number)).collect();
        devnet.stop().await;
        let devnet = start(folder.path(), 1_000).await.expect("starts");
        let height = 2 + u64::from(failpoint == "devnet-chain-after-record");
        assert_eq!(devnet.view().tip().height, height, "{failpoint}");
        let after: Vec<_> = (0..2).map(|number| devnet.view().block(number)).collect();
        assert_eq!(before, after, "{failpoint}");
        devnet.stop().await;
    }
}
