//! The chain's behaviour: mempool, forks, rollbacks, restarts.

mod common;

use common::{Coin, FEE_LOVELACE, Payment, blocks, chain, genesis, pay};
use nupeer_cardano_ledger::TxId;
use nupeer_devnet::{
    Profile,
    chain::{Chain, ChainError, Reorganisation, TxStatus},
    genesis::Account,
    view::Point,
};
use pallas_traverse::MultiEraBlock;
use proptest::prelude::*;

fn fork(depth: u64) -> Reorganisation {
    Reorganisation {
        depth,
        outgrow: true,
        ..Default::default()
    }
}

fn rollback(depth: u64) -> Reorganisation {
    Reorganisation {
        depth,
        ..Default::default()
    }
}

fn payment(index: u64) -> Payment {
    pay(
        &Coin::genesis(42, index),
        &Account::derive(42, 19),
        5_000_000,
        None,
    )
}

/// The ids of all transactions in the chain, in their order.
fn ids(chain: &Chain) -> Vec<TxId> {
    let ids = |raw: &[u8]| {
        let block = MultiEraBlock::decode(raw).expect("a block");
        block.txs().iter().map(|tx| *tx.hash()).collect::<Vec<_>>()
    };
    blocks(chain)
        .iter()
        .flat_map(|block| ids(&block.raw))
        .collect()
}

/// What an account holds at the tip, in lovelace by output.
fn utxos(chain: &mut Chain, account: u64) -> usize {
    let (tip, address) = (
        chain.view().tip().point,
        Account::derive(42, account).address,
    );
    chain
        .at(&tip, |ledger, _| ledger.utxo_by_address(&address).count())
        .expect("the tip")
}

#[test]
fn chained_transactions_share_a_block() {
    let mut chain = chain();
    let first = payment(0);
    let second = pay(&first.paid, &Account::derive(42, 18), 2_000_000, None);
    let third = pay(&first.change, &Account::derive(42, 17), 3_000_000, None);
    assert!(
        chain.submit(&second.raw, None).is_err(),
        "its input does not exist yet"
    );
    for payment in [&first, &second, &third] {
        chain.submit(&payment.raw, None).expect("is accepted");
    }
    assert_eq!(chain.transaction(&second.id), TxStatus::Waiting);
    chain.mint(1, None).expect("mints");
    assert_eq!(ids(&chain), [first.id, second.id, third.id]);
    assert!(matches!(
        chain.transaction(&second.id),
        TxStatus::Confirmed { depth: 0, .. }
    ));
    assert_eq!(chain.status().mempool_transactions, 0);
}

#[test]
fn a_double_spend_is_refused_while_the_first_waits_and_after() {
    let mut chain = chain();
    let first = payment(0);
    let second = pay(
        &Coin::genesis(42, 0),
        &Account::derive(42, 18),
        1_000_000,
        None,
    );
    chain.submit(&first.raw, None).expect("is accepted");
    assert!(chain.submit(&second.raw, None).is_err());
    chain.mint(1, None).expect("mints");
    let error = chain.submit(&second.raw, None).expect_err("is refused");
    assert!(error.to_string().starts_with("BadInputsUTxO"), "{error}");
    let status = chain.transaction(&second.id);
    assert_eq!(
        status,
        TxStatus::Refused {
            reason: error.to_string()
        }
    );
}

#[test]
fn a_transaction_that_expires_while_it_waits_is_dropped_with_the_reason() {
    let mut chain = chain();
    chain.mint(3, None).expect("mints");
    let payment = pay(
        &Coin::genesis(42, 0),
        &Account::derive(42, 1),
        5_000_000,
        Some(5),
    );
    chain.submit(&payment.raw, None).expect("is accepted");
    chain.mint(1, Some(5)).expect("mints in slot 5");
    assert!(matches!(
        chain.transaction(&payment.id),
        TxStatus::Refused { .. }
    ));
    assert_eq!(
        (ids(&chain), chain.status().mempool_transactions),
        (vec![], 0)
    );
}

#[test]
fn what_does_not_fit_into_a_block_waits_for_the_next() {
    let mut chain = chain();
    // A payment takes some 300 bytes, so that some 300 of them fill a block of 90,112 bytes.
    let (mut coin, mut sent) = (Coin::genesis(42, 0), Vec::new());
    for _ in 0..400 {
        let payment = pay(&coin, &Account::derive(42, 1), 2_000_000, None);
        chain.submit(&payment.raw, None).expect("is accepted");
        coin = payment.change.clone();
        sent.push(payment.id);
    }
    chain.mint(1, None).expect("mints");
    let first = ids(&chain);
    assert!(
        first.len() < sent.len() && first.len() > 200,
        "{} in the first block",
        first.len()
    );
    assert_eq!(first, sent[..first.len()]);
    let size = blocks(&chain)[0].raw.len();
    assert!((80_000..92_000).contains(&size), "{size} bytes");
    chain.mint(1, None).expect("mints");
    assert_eq!(ids(&chain), sent);
}

#[test]
fn a_fork_outgrows_the_chain_and_keeps_its_transactions() {
    let mut chain = chain();
    chain.mint(5, None).expect("mints");
    let (mined, waiting) = (payment(0), payment(1));
    chain.submit(&mined.raw, None).expect("is accepted");
    chain.mint(3, None).expect("mints");
    chain.submit(&waiting.raw, None).expect("is accepted");
    let before = blocks(&chain);
    let done = chain.reorganise(&fork(4)).expect("forks");
    let after = blocks(&chain);
    assert_eq!((before.len(), after.len()), (8, 9));
    assert_eq!(before[..4], after[..4]);
    assert!((4..8).all(|number| before[number].hash != after[number].hash));
    assert_eq!(
        done.intersection,
        Point::Block {
            slot: 3,
            hash: before[3].hash
        }
    );
    assert_eq!(
        (done.rolled_back, &done.returned, &done.dropped),
        (4, &vec![mined.id, waiting.id], &vec![])
    );
    assert_eq!(ids(&chain), [mined.id, waiting.id]);
    assert_eq!(utxos(&mut chain, 19), 3);
}

#[test]
fn a_fork_can_drop_a_transaction_and_with_it_what_depends_on_it() {
    let mut chain = chain();
    let first = payment(0);
    let second = pay(&first.change, &Account::derive(42, 18), 2_000_000, None);
    chain.submit(&first.raw, None).expect("is accepted");
    chain.submit(&second.raw, None).expect("is accepted");
    chain.mint(2, None).expect("mints");
    let wanted = Reorganisation {
        drop: vec![first.id],
        ..fork(2)
    };
    let done = chain.reorganise(&wanted).expect("forks");
    assert_eq!(
        done.dropped.iter().map(|(id, _)| *id).collect::<Vec<_>>(),
        [first.id, second.id]
    );
    assert_eq!(ids(&chain), Vec::<TxId>::new());
    assert!(matches!(
        chain.transaction(&first.id),
        TxStatus::Refused { .. }
    ));
    chain.submit(&first.raw, None).expect("may come again");
}

#[test]
fn a_fork_can_spend_an_input_otherwise() {
    let mut chain = chain();
    let deposit = payment(0);
    let instead = pay(
        &Coin::genesis(42, 0),
        &Account::derive(42, 0),
        7_000_000,
        None,
    );
    chain.submit(&deposit.raw, None).expect("is accepted");
    chain.mint(3, None).expect("mints");
    let wanted = Reorganisation {
        replacements: vec![instead.raw.clone()],
        ..fork(3)
    };
    let done = chain.reorganise(&wanted).expect("forks");
    assert_eq!(
        done.dropped.iter().map(|(id, _)| *id).collect::<Vec<_>>(),
        [deposit.id]
    );
    assert_eq!(ids(&chain), [instead.id]);
    let TxStatus::Refused { reason } = chain.transaction(&deposit.id) else {
        panic!("the deposit lives")
    };
    assert!(reason.starts_with("BadInputsUTxO"), "{reason}");
}

#[test]
fn a_fork_whose_replacement_is_refused_changes_nothing() {
    let mut chain = chain();
    let (mined, waiting) = (payment(0), payment(1));
    chain.submit(&mined.raw, None).expect("is accepted");
    chain.mint(3, None).expect("mints");
    chain.submit(&waiting.raw, None).expect("is accepted");
    let (before, ledger) = (blocks(&chain), snapshot(&mut chain));
    let wanted = Reorganisation {
        replacements: vec![pay(&mined.paid, &Account::derive(42, 3), 1_000_000, None).raw],
        ..fork(3)
    };
    let error = chain
        .reorganise(&wanted)
        .expect_err("the replaced output does not exist at the fork");
    assert!(
        matches!(error, ChainError::Replacement { index: 0, .. }),
        "{error}"
    );
    assert_eq!((blocks(&chain), snapshot(&mut chain)), (before, ledger));
    assert_eq!(chain.transaction(&waiting.id), TxStatus::Waiting);
    assert!(matches!(
        chain.transaction(&mined.id),
        TxStatus::Confirmed { .. }
    ));
}

#[test]
fn a_rollback_returns_transactions_to_the_mempool() {
    let mut chain = chain();
    chain.mint(2, None).expect("mints");
    let payment = payment(0);
    chain.submit(&payment.raw, None).expect("is accepted");
    chain.mint(2, None).expect("mints");
    let done = chain.reorganise(&rollback(2)).expect("rolls back");
    assert_eq!((done.tip.height, &done.returned), (2, &vec![payment.id]));
    assert_eq!(chain.transaction(&payment.id), TxStatus::Waiting);
    chain.mint(1, None).expect("mints");
    assert_eq!(ids(&chain), [payment.id]);
}

#[test]
fn nothing_goes_deeper_than_k_unless_forced() {
    let mut chain = chain();
    chain.mint(20, None).expect("mints");
    for wanted in [fork(13), rollback(13)] {
        let error = chain.reorganise(&wanted).expect_err("is refused");
        assert!(
            matches!(
                error,
                ChainError::TooDeep {
                    depth: 13,
                    maximum: 12
                }
            ),
            "{error}"
        );
    }
    chain.reorganise(&fork(12)).expect("k itself is allowed");
    chain
        .reorganise(&Reorganisation {
            force: true,
            ..fork(21)
        })
        .expect("to the origin, by force");
    assert_eq!(chain.view().tip().height, 22);
    let error = chain
        .reorganise(&Reorganisation {
            force: true,
            ..fork(23)
        })
        .expect_err("is refused");
    assert!(
        matches!(
            error,
            ChainError::BeyondOrigin {
                depth: 23,
                height: 22
            }
        ),
        "{error}"
    );
}

#[test]
fn a_restart_finds_the_same_chain() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("chain");
    let open = || Chain::open(genesis(Profile::Fast, 42), &path).expect("opens");
    let mut first = open();
    first.mint(150, None).expect("mints");
    first.submit(&payment(0).raw, None).expect("is accepted");
    first.mint(3, None).expect("mints");
    first.reorganise(&fork(5)).expect("forks");
    let (before, ledger, status) = (blocks(&first), snapshot(&mut first), first.status());
    drop(first);
    let mut second = open();
    assert_eq!(
        (blocks(&second), snapshot(&mut second), second.status()),
        (before, ledger, status)
    );
    let mut unbroken = Chain::in_memory(genesis(Profile::Fast, 42)).expect("a chain");
    unbroken.mint(150, None).expect("mints");
    unbroken.submit(&payment(0).raw, None).expect("is accepted");
    unbroken.mint(3, None).expect("mints");
    unbroken.reorganise(&fork(5)).expect("forks");
    for chain in [&mut second, &mut unbroken] {
        chain.mint(2, None).expect("mints");
    }
    assert_eq!(
        blocks(&second),
        blocks(&unbroken),
        "a restart leaves no trace"
    );
}

#[test]
fn the_ledger_can_be_asked_about_earlier_blocks_while_others_wait() {
    let mut chain = chain();
    chain.mint(1, None).expect("mints");
    let earlier = chain.view().tip().point;
    chain.submit(&payment(0).raw, None).expect("is accepted");
    chain.mint(2, None).expect("mints");
    chain.submit(&payment(1).raw, None).expect("is accepted");
    let address = Account::derive(42, 19).address;
    let count = |chain: &mut Chain, point: &Point| {
        chain
            .at(point, |ledger, _| ledger.utxo_by_address(&address).count())
            .expect("on the chain")
    };
    assert_eq!(count(&mut chain, &earlier), 1);
    let tip = chain.view().tip().point;
    assert_eq!(
        count(&mut chain, &tip),
        2,
        "what waits is not in the ledger"
    );
    assert_eq!(chain.status().mempool_transactions, 1);
    chain.mint(1, None).expect("mints");
    assert_eq!(utxos(&mut chain, 19), 3);
}

/// All there is in the ledger at the tip.
fn snapshot(
    chain: &mut Chain,
) -> (
    nupeer_cardano_ledger::Utxos,
    nupeer_cardano_ledger::Pots,
    u64,
) {
    let tip = chain.view().tip().point;
    chain
        .at(&tip, |ledger, _| {
            (ledger.utxos().clone(), ledger.pots(), ledger.slot())
        })
        .expect("the tip")
}

#[derive(Clone, Debug)]
enum Step {
    Submit(u64),
    Mint(u64),
    Fork(u64),
    Rollback(u64),
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        3 => (0u64..20).prop_map(Step::Submit),
        3 => (1u64..4).prop_map(Step::Mint),
        1 => (0u64..6).prop_map(Step::Fork),
        1 => (0u64..6).prop_map(Step::Rollback),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    /// Whatever happened to a chain, its blocks verify, replaying them gives its ledger, and no lovelace is lost.
    #[test]
    fn a_history_can_be_replayed(steps in proptest::collection::vec(step(), 1..30)) {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("chain");
        let mut chain = Chain::open(genesis(Profile::Fast, 42), &path).expect("opens");
        for step in steps {
            let height = chain.view().tip().height;
            match step {
                // Each account's genesis output can be spent once: later tries are refused.
                Step::Submit(index) => drop(chain.submit(&payment(index).raw, None)),
                Step::Mint(count) => chain.mint(count, None).expect("mints"),
                Step::Fork(depth) => drop(chain.reorganise(&fork(depth.min(height))).expect("forks")),
                Step::Rollback(depth) => drop(chain.reorganise(&rollback(depth.min(height))).expect("rolls back")),
            }
        }
        let (before, ledger) = (blocks(&chain), snapshot(&mut chain));
        let fees = FEE_LOVELACE * ids(&chain).len() as u64;
        prop_assert_eq!(ledger.1.fees_lovelace, fees);
        drop(chain);
        let mut again = Chain::open(genesis(Profile::Fast, 42), &path).expect("opens");
        prop_assert_eq!((blocks(&again), snapshot(&mut again)), (before, ledger));
    }
}
