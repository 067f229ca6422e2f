//! What a mempool promises, whatever is submitted: it keeps to its limits, and what it offers can be executed.

use nupeer_ledger::memory::MemoryState;
use nupeer_runtime::{BlockInput, Chain, Tip, execute, memory::MemoryStore};
use proptest::prelude::*;

use super::*;
use crate::{
    testing::{self, BALANCE, NEVER, Pay},
    verified::VerifiedCache,
};

const ACCOUNTS: u16 = 4;

/// A chain in memory with a mempool beside it.
struct World {
    chain: Chain,
    verified: VerifiedCache,
    store: MemoryStore,
    tip: Tip,
    pool: Mempool,
    now: TimeMs,
}

impl World {
    fn new(limits: Limits) -> Self {
        let genesis = testing::genesis(1, ACCOUNTS);
        let (chain, executed) = (genesis.chain().unwrap(), genesis.execute().unwrap());
        let (mut store, tip) = (MemoryStore::default(), executed.tip.clone());
        store.commit(executed);
        let verified = VerifiedCache::new(chain.clone());
        World {
            chain,
            verified,
            store,
            pool: Mempool::new(limits),
            now: TimeMs(tip.time.0 + 1),
            tip,
        }
    }

    fn next(&self) -> Next {
        Next {
            height: self.tip.height.next(),
            time: self.now,
        }
    }

    fn candidate(&self, pay: &Pay) -> Candidate {
        let bytes = pay.bytes(&self.chain);
        let verified = self.verified.verify(&bytes).unwrap();
        Candidate { bytes, verified }
    }

    fn submit_as(&mut self, pay: &Pay, origin: Origin) -> Result<Admitted, MempoolError> {
        let (candidate, next) = (self.candidate(pay), self.next());
        self.pool.admit(&self.store, next, candidate, origin)
    }

    fn submit(&mut self, pay: &Pay) -> Result<(), MempoolError> {
        self.submit_as(pay, Origin::Local).map(drop)
    }

    /// Decides the block that a proposer would build now; gives the ids in it and those that it could not execute.
    fn decide(&mut self, bytes_max: usize) -> (Vec<Hash>, Vec<Hash>) {
        let offer = self.pool.offer(bytes_max);
        let candidates = offer.iter().map(|c| (&c.bytes[..], &*c.verified));
        let input = BlockInput {
            time: self.now,
            proposer: Hash28([1; 28]),
            cardano: None,
            observations: vec![],
        };
        let built =
            execute::propose(&self.store, &self.chain, &self.tip, &input, candidates).unwrap();
        let refused: Vec<Hash> = built.refused.iter().map(|(id, _)| *id).collect();
        let included: Vec<Hash> = offer
            .iter()
            .map(Candidate::id)
            .filter(|id| !refused.contains(id))
            .collect();
        assert_eq!(included.len(), built.block.transactions.len());
        self.tip = built.executed.tip.clone();
        self.store.commit(built.executed);
        self.now = TimeMs(self.now.0 + 1_000);
        self.pool.commit(&self.store, self.next(), &included);
        (included, refused)
    }

    /// The numbers that the pool keeps are those of what it holds.
    fn check_books(&self) {
        let entries = || self.pool.queues.values().flat_map(|queue| &queue.entries);
        let bytes: usize = entries().map(|entry| entry.candidate.bytes.len()).sum();
        assert_eq!(self.pool.size(), (entries().count(), bytes));
        assert_eq!(self.pool.slots.len(), entries().count());
        assert!(
            self.pool
                .queues
                .values()
                .all(|queue| !queue.entries.is_empty())
        );
        let Limits {
            count_max,
            bytes_max,
            per_account_max,
            waiting_max,
            ..
        } = self.pool.limits;
        let (count, bytes) = self.pool.size();
        assert!(count <= count_max && bytes <= bytes_max);
        assert!(
            self.pool
                .queues
                .values()
                .all(|queue| queue.entries.len() <= per_account_max)
        );
        assert!(self.pool.waiting.len() <= waiting_max);
    }
}

fn small() -> Limits {
    Limits {
        count_max: 12,
        bytes_max: 3_000,
        system_count_max: 2,
        system_bytes_max: 1_000,
        per_account_max: 5,
        waiting_max: 3,
        waiting_ms: 2_500,
        repeat_ms: 2_000,
        rebase_max: 100,
        refused_max: 50,
    }
}

fn refused(result: Result<(), MempoolError>) -> LedgerError {
    match result {
        Err(MempoolError::Refused(TransactionError::Ledger(error))) => error,
        other => panic!("{other:?}"),
    }
}

#[test]
fn consecutive_numbers_of_one_key_wait_together_and_go_in_order() {
    let mut world = World::new(small());
    let pays: Vec<Pay> = (0..3).map(|sequence| Pay::new(0, 1, sequence)).collect();
    pays.iter().for_each(|pay| world.submit(pay).unwrap());
    let gap = refused(world.submit(&Pay::new(0, 1, 4)));
    assert_eq!(
        gap,
        LedgerError::SequenceMismatch {
            provided: 4,
            expected: 3
        }
    );
    let ids: Vec<Hash> = pays.iter().map(|pay| world.candidate(pay).id()).collect();
    assert_eq!(world.decide(100_000), (ids, vec![]));
    assert_eq!(world.pool.size(), (0, 0));
    world.submit(&Pay::new(0, 1, 3)).unwrap();
}

#[test]
fn submitting_again_is_harmless_and_another_in_its_place_is_refused() {
    let mut world = World::new(small());
    let pay = Pay::new(0, 1, 0);
    world.submit(&pay).unwrap();
    assert!(matches!(
        world.submit_as(&pay, Origin::Local),
        Ok(Admitted::Known)
    ));
    let other = Pay {
        lovelace: 5,
        ..Pay::new(0, 1, 0)
    };
    let pending = world.candidate(&pay).id();
    assert_eq!(
        world.submit(&other),
        Err(MempoolError::SequenceTaken {
            sequence: 0,
            pending
        })
    );
    assert_eq!(world.pool.size().0, 1);
}

#[test]
fn what_is_pending_is_spent() {
    let mut world = World::new(small());
    let half = |sequence| Pay {
        lovelace: BALANCE / 2,
        ..Pay::new(0, 1, sequence)
    };
    world.submit(&half(0)).unwrap();
    assert!(matches!(
        refused(world.submit(&half(1))),
        LedgerError::InsufficientFunds { .. }
    ));
}

#[test]
fn a_preview_comes_after_what_is_pending_says_what_admission_would_and_takes_nothing() {
    let mut world = World::new(small());
    let half = |sequence| Pay {
        lovelace: BALANCE / 2,
        ..Pay::new(0, 1, sequence)
    };
    let preview = |world: &mut World, pay: &Pay| {
        let (candidate, next) = (world.candidate(pay), world.next());
        let transaction = candidate.verified.transaction();
        let previewed = world
            .pool
            .preview(&world.store, next, transaction, candidate.bytes.len());
        world.check_books();
        previewed
    };
    assert_eq!(preview(&mut world, &half(0)), Ok(()));
    assert_eq!(preview(&mut world, &half(0)), Ok(()), "nothing was taken");
    world.submit(&half(0)).unwrap();
    let small = Pay::new(0, 1, 1);
    assert_eq!(preview(&mut world, &small), Ok(()));
    let told = preview(&mut world, &half(1));
    assert_eq!(told, world.submit(&half(1)));
    assert!(matches!(
        refused(told),
        LedgerError::InsufficientFunds { .. }
    ));
    assert_eq!(world.pool.size().0, 1);
    // After a block the queue is of another height.
    world.decide(100_000);
    assert_eq!(preview(&mut world, &small), Ok(()));
}

#[test]
fn money_that_arrives_can_be_spent_at_once() {
    let mut world = World::new(small());
    let most = Pay {
        lovelace: BALANCE - 10_000,
        ..Pay::new(0, 1, 0)
    };
    world
        .submit(&Pay {
            lovelace: BALANCE,
            ..Pay::new(1, 0, 0)
        })
        .unwrap_err();
    world.submit(&most).unwrap();
    // Account 1 has something pending while it receives.
    world.submit(&Pay::new(1, 2, 0)).unwrap();
    let offer = world.pool.offer(100_000);
    let only = offer
        .iter()
        .position(|c| c.id() == world.candidate(&most).id())
        .unwrap();
    let room = offer[only].bytes.len() + 5;
    assert_eq!(world.decide(room).0.len(), 1);
    world
        .submit(&Pay {
            lovelace: BALANCE,
            ..Pay::new(1, 2, 1)
        })
        .unwrap();
    assert_eq!(world.decide(100_000).1, []);
}

#[test]
fn limits_are_kept_and_named() {
    let mut world = World::new(small());
    for sequence in 0..5 {
        world.submit(&Pay::new(0, 1, sequence)).unwrap();
    }
    let refused = world.submit(&Pay::new(0, 1, 5));
    assert_eq!(refused, Err(MempoolError::AccountFull { maximum: 5 }));
    for from in 1..3 {
        for sequence in 0..5 {
            let _ = world.submit(&Pay::new(from, 0, sequence));
        }
    }
    let Err(MempoolError::Full {
        count,
        bytes,
        count_max: 12,
        bytes_max: 3_000,
    }) = world.submit(&Pay::new(3, 0, 0))
    else {
        panic!("not full")
    };
    assert_eq!((count, bytes), world.pool.size());
    world.check_books();
}

#[test]
fn the_order_is_fair_among_accounts() {
    let mut world = World::new(small());
    for sequence in 0..4 {
        world.submit(&Pay::new(0, 1, sequence)).unwrap();
    }
    world.submit(&Pay::new(1, 2, 0)).unwrap();
    world.submit(&Pay::new(2, 3, 0)).unwrap();
    let senders: Vec<AccountId> = world
        .pool
        .offer(100_000)
        .iter()
        .map(|c| c.verified.transaction().sender.account)
        .collect();
    assert_eq!(senders, [0, 1, 2, 0, 0, 0].map(testing::account));
}

#[test]
fn when_one_does_not_fit_its_account_waits() {
    let mut world = World::new(small());
    world.submit(&Pay::new(0, 1, 0)).unwrap();
    world.submit(&Pay::new(0, 1, 1)).unwrap();
    assert_eq!(world.pool.offer(10), Vec::<Candidate>::new());
    let one = world.pool.offer(100_000)[0].bytes.len() + 5;
    assert_eq!(world.pool.offer(2 * one - 1).len(), 1);
    assert_eq!(world.pool.offer(100_000).len(), 2);
}

impl PartialEq for Candidate {
    fn eq(&self, other: &Self) -> bool {
        self.bytes == other.bytes
    }
}

#[test]
fn what_expires_goes_with_what_follows_it_and_its_reason_stays() {
    let mut world = World::new(small());
    let short = Pay {
        valid_until: TimeMs(world.now.0 + 500),
        ..Pay::new(0, 1, 0)
    };
    let after = Pay::new(0, 1, 1);
    world.submit(&short).unwrap();
    world.submit(&after).unwrap();
    let (short, after) = (world.candidate(&short).id(), world.candidate(&after).id());
    world.decide(10);
    assert_eq!(world.pool.size(), (0, 0));
    assert_eq!(world.pool.refusal(&short).unwrap().code, Code(2106));
    assert_eq!(world.pool.refusal(&after).unwrap().code, Code(2005));
    world
        .submit(&Pay {
            valid_until: NEVER,
            ..Pay::new(0, 1, 0)
        })
        .unwrap();
}

#[test]
fn what_another_block_used_up_goes() {
    let mut world = World::new(small());
    let (ours, theirs) = (Pay::new(0, 1, 0), Pay::new(0, 2, 0));
    world.submit(&ours).unwrap();
    let id = world.candidate(&ours).id();
    // A block with another transaction in its place, from elsewhere.
    let mut elsewhere = Mempool::new(small());
    std::mem::swap(&mut world.pool, &mut elsewhere);
    world.submit(&theirs).unwrap();
    std::mem::swap(&mut world.pool, &mut elsewhere);
    let included = elsewhere.offer(100_000)[0].clone();
    let input = BlockInput {
        time: world.now,
        proposer: Hash28([1; 28]),
        cardano: None,
        observations: vec![],
    };
    let candidates = std::iter::once((&included.bytes[..], &*included.verified));
    let built =
        execute::propose(&world.store, &world.chain, &world.tip, &input, candidates).unwrap();
    world.tip = built.executed.tip.clone();
    world.store.commit(built.executed);
    let next = world.next();
    world.pool.commit(&world.store, next, &[included.id()]);
    assert_eq!(world.pool.size(), (0, 0));
    assert_eq!(world.pool.refusal(&id).unwrap().code, Code(2005));
}

#[test]
fn a_peers_transactions_may_overtake_one_another() {
    let mut world = World::new(small());
    let pay = |sequence| Pay::new(0, 1, sequence);
    for sequence in [2, 1] {
        let held = world.submit_as(&pay(sequence), Origin::Peer).unwrap();
        assert!(matches!(held, Admitted::Held));
    }
    // The API does not wait: whoever submits should know.
    refused(world.submit(&pay(3)));
    let Ok(Admitted::New { followers }) = world.submit_as(&pay(0), Origin::Peer) else {
        panic!("not admitted")
    };
    assert_eq!(followers.len(), 2);
    assert_eq!(world.pool.size().0, 3);
    let far = world.submit_as(&pay(99), Origin::Peer).map(drop);
    assert_eq!(
        refused(far),
        LedgerError::SequenceMismatch {
            provided: 99,
            expected: 3
        }
    );
}

#[test]
fn nobody_waits_for_ever() {
    let mut world = World::new(small());
    world.submit_as(&Pay::new(0, 1, 1), Origin::Peer).unwrap();
    world.decide(0);
    assert_eq!(world.pool.waiting.len(), 1);
    world.decide(0);
    world.decide(0);
    assert_eq!(world.pool.waiting.len(), 0);
}

#[test]
fn executing_again_is_bounded_and_gets_to_everybody() {
    let mut world = World::new(Limits {
        rebase_max: 1,
        ..small()
    });
    let soon = TimeMs(world.now.0 + 10_000);
    (0..4).for_each(|from| {
        world
            .submit(&Pay {
                valid_until: soon,
                ..Pay::new(from, 0, 0)
            })
            .unwrap_or(())
    });
    world.submit(&Pay::new(0, 1, 0)).unwrap();
    let stale = |world: &World| {
        let next = world.next();
        world
            .pool
            .queues
            .values()
            .filter(|queue| !queue.is_current(next))
            .count()
    };
    let (count, _) = world.pool.size();
    assert_eq!(stale(&world), 0);
    world.decide(0);
    assert_eq!(stale(&world), count - 1);
    let mut seen = BTreeSet::new();
    for _ in 0..count {
        seen.extend(world.pool.cursor);
        world.decide(0);
    }
    assert_eq!(seen.len(), count);
}

#[test]
fn local_ones_are_repeated_ever_less_often_and_others_never() {
    let mut world = World::new(small());
    world.submit(&Pay::new(0, 1, 0)).unwrap();
    world.submit_as(&Pay::new(1, 2, 0), Origin::Peer).unwrap();
    let later = |ms: u64| TimeMs(world.now.0 + ms);
    for (ms, count) in [(1_999, 0), (2_000, 1), (5_999, 0), (6_000, 1), (13_999, 0)] {
        let at = later(ms);
        assert_eq!(world.pool.to_repeat(at, 9).len(), count, "after {ms} ms");
    }
}

#[test]
fn a_state_without_anything_refuses_everything() {
    let mut world = World::new(small());
    let (candidate, next) = (world.candidate(&Pay::new(0, 1, 0)), world.next());
    let empty = MemoryState::default();
    let refused = world.pool.admit(&empty, next, candidate, Origin::Local);
    assert!(matches!(refused, Err(MempoolError::Refused(_))));
    assert_eq!(world.pool.size(), (0, 0));
    world.check_books();
}

#[derive(Clone, Debug)]
enum Step {
    Submit {
        from: u16,
        to: u16,
        ahead: u64,
        lovelace: u128,
        valid_ms: Option<u64>,
        peer: bool,
    },
    Decide {
        bytes_max: usize,
    },
}

fn step() -> impl Strategy<Value = Step> {
    let lovelace = prop_oneof![Just(1_000_000), Just(BALANCE / 3), Just(BALANCE)];
    let valid = prop_oneof![3 => Just(None), 1 => (0u64..4_000).prop_map(Some)];
    let submit = (
        0..ACCOUNTS,
        0..ACCOUNTS,
        0u64..7,
        lovelace,
        valid,
        any::<bool>(),
    );
    prop_oneof![
        8 => submit.prop_map(|(from, to, ahead, lovelace, valid_ms, peer)| Step::Submit {
            from, to, ahead, lovelace, valid_ms, peer
        }),
        1 => (0usize..2_000).prop_map(|bytes_max| Step::Decide { bytes_max }),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn it_keeps_to_its_limits_and_what_it_offers_executes(
        steps in prop::collection::vec(step(), 1..80)
    ) {
        let mut world = World::new(small());
        for step in steps {
            match step {
                Step::Submit { from, to, ahead, lovelace, valid_ms, peer } => {
                    let account = testing::account(from);
                    let next = nupeer_ledger::sequence::next(&world.store, &account, &account.hash());
                    let valid_until = valid_ms.map_or(NEVER, |ms| TimeMs(world.now.0 + ms));
                    let pay = Pay { from, to, sequence: next + ahead, lovelace, valid_until };
                    let origin = if peer { Origin::Peer } else { Origin::Local };
                    let _ = world.submit_as(&pay, origin);
                }
                Step::Decide { bytes_max } => {
                    let (_, refused) = world.decide(bytes_max);
                    prop_assert_eq!(refused, vec![]);
                }
            }
            world.check_books();
        }
    }

    #[test]
    fn with_little_time_for_it_the_books_are_right_all_the_same(
        steps in prop::collection::vec(step(), 1..80)
    ) {
        let mut world = World::new(Limits { rebase_max: 1, ..small() });
        for step in steps {
            match step {
                Step::Submit { from, to, ahead, lovelace, .. } => {
                    let pay = Pay { from, to, sequence: ahead, lovelace, valid_until: NEVER };
                    let _ = world.submit(&pay);
                }
                Step::Decide { bytes_max } => drop(world.decide(bytes_max)),
            }
            world.check_books();
        }
    }
}
