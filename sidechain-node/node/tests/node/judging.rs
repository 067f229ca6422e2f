//! What a validator votes for, and what not.

use std::sync::{Arc, Mutex};

use crate::support::{
    chain::{self, Pay},
    solo::Solo,
};
use nupeer_consensus::{Application, Block as Proposed, Proposal, Verdict};
use nupeer_node::{
    app::AppError,
    cardano::{CardanoView, NoCardano, ObservationError},
};
use nupeer_primitives::{CardanoPoint, Hash, Hash28, Height, Slot, TimeMs};
use nupeer_runtime::{Block, BlockError, Genesis, block::transaction_root};
use tokio::sync::watch;

const ACCOUNTS: u16 = 4;

/// Two nodes with the same chain: what one builds the other judges.
pub(crate) struct Pair {
    pub(crate) builder: Solo,
    pub(crate) judge: Solo,
    _folders: [tempfile::TempDir; 2],
}

impl Pair {
    fn new() -> Pair {
        let none = || -> Arc<dyn CardanoView> { Arc::new(NoCardano) };
        Pair::of(&chain::genesis(1, ACCOUNTS), [none(), none()])
    }

    /// A pair that sees Cardano, each by itself: the builder, then the judge.
    pub(crate) fn of(genesis: &Genesis, cardano: [Arc<dyn CardanoView>; 2]) -> Pair {
        let folders = [tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap()];
        let [first, second] = cardano;
        let builder = Solo::of(folders[0].path(), genesis, first);
        let judge = Solo::of(folders[1].path(), genesis, second);
        Pair {
            builder,
            judge,
            _folders: folders,
        }
    }

    /// The next block, with two transfers that the judge has never seen.
    async fn block(&self) -> Block {
        (0..2).for_each(|from| self.builder.submit(&Pay::new(from, 3, 0)));
        self.built().await
    }

    /// The next block, of what is there.
    pub(crate) async fn built(&self) -> Block {
        let built = self.builder.build().await;
        self.builder.executor.decode(&built.bytes).unwrap()
    }

    fn proposal(&self, block: &Block) -> Proposal {
        let proposer = self.builder.executor.id();
        Proposal {
            height: Height(1),
            round: 0,
            valid_round: None,
            proposer,
            builders: vec![proposer],
            block: proposed(block),
        }
    }

    pub(crate) async fn verdict(&self, block: &Block) -> Verdict {
        self.judge.app.judge(&self.proposal(block)).await.unwrap()
    }
}

pub(crate) fn proposed(block: &Block) -> Proposed {
    Proposed {
        id: block.header.id(),
        bytes: block.to_bytes().into(),
    }
}

pub(crate) fn reason(verdict: Verdict) -> String {
    match verdict {
        Verdict::Invalid(reason) => reason,
        other => panic!("{other:?}"),
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_honest_block_is_valid_and_does_the_same_everywhere() {
    let pair = Pair::new();
    let block = pair.block().await;
    assert_eq!(pair.verdict(&block).await, Verdict::Valid);
    for node in [&pair.builder, &pair.judge] {
        node.decide(proposed(&block)).await.unwrap();
        let tip = node.executor.store().tip().unwrap();
        assert_eq!(
            (tip.id, tip.state_root()),
            (block.header.id(), block.header.state_root)
        );
    }
    // Asked again, as after a crash between writing and answering: nothing happens.
    let height = Height(1);
    let certificate = pair
        .judge
        .executor
        .store()
        .certificate(height)
        .unwrap()
        .unwrap();
    pair.judge
        .app
        .decided(proposed(&block), certificate)
        .await
        .unwrap();
    assert_eq!(pair.judge.next_height(), Height(2));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_header_that_says_something_else_is_invalid_by_number() {
    let pair = Pair::new();
    let honest = pair.block().await;
    type Change = fn(&mut Block);
    let changes: [(Change, &str); 7] = [
        (|b| b.header.state_root = Hash([1; 32]), "NP2125"),
        (|b| b.header.validators = Hash([1; 32]), "NP2125"),
        (|b| b.header.observation_root = Hash([1; 32]), "NP2125"),
        (|b| b.header.transaction_root = Hash([1; 32]), "NP2125"),
        (|b| b.header.parent = Hash([1; 32]), "NP2121"),
        (|b| b.header.proposer = Hash28([1; 28]), "NP2123"),
        (|b| drop(b.transactions.pop()), "NP2125"),
    ];
    for (change, number) in changes {
        let mut block = honest.clone();
        change(&mut block);
        let reason = reason(pair.verdict(&block).await);
        assert!(reason.starts_with(number), "{reason}");
    }
    assert_eq!(pair.verdict(&honest).await, Verdict::Valid);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_transaction_that_is_refused_makes_its_block_invalid() {
    let pair = Pair::new();
    let mut block = pair.block().await;
    block.transactions.reverse();
    let again = block.transactions[0].clone();
    block.transactions.push(again);
    let bytes = block.transactions.iter().map(|bytes| bytes.as_slice());
    block.header.transaction_root = transaction_root(bytes);
    let reason = reason(pair.verdict(&block).await);
    assert!(reason.starts_with("NP2005"), "{reason}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_cardano_point_on_a_chain_without_cardano_is_invalid() {
    let pair = Pair::new();
    let mut block = pair.block().await;
    block.header.cardano = Some(CardanoPoint {
        slot: Slot(5),
        hash: Hash([1; 32]),
    });
    let reason = reason(pair.verdict(&block).await);
    assert!(reason.contains("follows no Cardano"), "{reason}");
}

#[tokio::test(flavor = "multi_thread")]
async fn time_ahead_waits_time_behind_is_invalid_unless_two_thirds_saw_it_in_time() {
    let pair = Pair::new();
    let block = pair.block().await;
    pair.judge.ahead_ms.send_replace(-2_001);
    assert_eq!(pair.verdict(&block).await, Verdict::NotYet);
    pair.judge.ahead_ms.send_replace(-2_000);
    assert_eq!(pair.verdict(&block).await, Verdict::Valid);

    let late = Pair::new();
    let block = late.block().await;
    late.judge.ahead_ms.send_replace(2_001);
    let why = reason(late.verdict(&block).await);
    assert!(why.contains("too far behind"), "{why}");
    let anew = Proposal {
        round: 3,
        valid_round: Some(1),
        ..late.proposal(&block)
    };
    assert_eq!(late.judge.app.judge(&anew).await.unwrap(), Verdict::Valid);
    let later = Proposal {
        round: 1,
        ..late.proposal(&block)
    };
    assert_eq!(late.judge.app.judge(&later).await.unwrap(), Verdict::Valid);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_block_for_another_height_cannot_be_told_yet() {
    let pair = Pair::new();
    let first = pair.block().await;
    pair.builder.decide(proposed(&first)).await.unwrap();
    let second = pair.builder.build().await;
    let second = pair.builder.executor.decode(&second.bytes).unwrap();
    assert_eq!(pair.verdict(&second).await, Verdict::NotYet);
}

#[tokio::test(flavor = "multi_thread")]
async fn bytes_that_are_no_block_have_no_id() {
    let pair = Pair::new();
    let block = pair.block().await;
    let (app, bytes) = (&pair.judge.app, block.to_bytes());
    assert_eq!(app.block_id(&bytes), Some(block.header.id()));
    assert_eq!(app.block_id(&bytes[1..]), None);
    assert_eq!(app.block_id(&[&bytes[..], &[0]].concat()), None);
    // Another body under the same header would be another block of the same id.
    let mut other = block.clone();
    other.transactions.pop();
    assert_eq!(app.block_id(&other.to_bytes()), None);
    assert_eq!(app.block_id(&vec![0x82; 3 << 20]), None);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_node_that_disagrees_with_two_thirds_stops() {
    let pair = Pair::new();
    let mut block = pair.block().await;
    block.header.state_root = Hash([1; 32]);
    block.header.time = TimeMs(block.header.time.0 + 1);
    let error = pair.judge.decide(proposed(&block)).await.unwrap_err();
    let Some(AppError::Diverged { height, error, .. }) = error.downcast_ref() else {
        panic!("{error}")
    };
    assert_eq!(*height, Height(1));
    let what = |e: &BlockError| {
        matches!(
            e,
            BlockError::Mismatch {
                what: "state root",
                ..
            }
        )
    };
    assert!(what(error), "{error}");
    assert_eq!(pair.judge.next_height(), Height(1));
}

/// A Cardano that takes 700 ms to say where it is.
#[derive(Default)]
struct Slow(Mutex<Option<watch::Sender<i64>>>);

impl CardanoView for Slow {
    fn point(&self, parent: Option<CardanoPoint>) -> Option<CardanoPoint> {
        let clock = self.0.lock().unwrap();
        clock.as_ref().unwrap().send_modify(|ahead| *ahead += 700);
        parent
    }

    fn observations(
        &self,
        _: Option<CardanoPoint>,
        _: Option<CardanoPoint>,
    ) -> Result<Vec<Vec<u8>>, ObservationError> {
        Ok(Vec::new())
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_block_is_no_older_than_the_look_at_cardano_by_which_it_names_a_point() {
    let slow = Arc::new(Slow::default());
    let genesis = chain::genesis(1, ACCOUNTS);
    let pair = Pair::of(&genesis, [slow.clone(), Arc::new(NoCardano)]);
    *slow.0.lock().unwrap() = Some(pair.builder.ahead_ms.clone());
    let block = pair.built().await;
    // What the clock said after the look.
    assert_eq!(block.header.time, TimeMs(1_000_700));
    assert_eq!(pair.verdict(&block).await, Verdict::Valid);
}
