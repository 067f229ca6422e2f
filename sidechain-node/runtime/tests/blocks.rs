//! Blocks: what a proposer builds every validator accepts, and anything else is refused for one precise reason.

mod common;

use common::{ADA, World, account, genesis, key, public, sign};
use nupeer_ledger::{LedgerError, Overlay, Params, Purse, actions::Transfer, invariants, purse};
use nupeer_primitives::{Amount, AssetId, CardanoPoint, Hash, Hash28, Height, Slot, TimeMs};
use nupeer_runtime::{
    Block, BlockError, Header, SignedTransaction, StateProof, TransactionError, apply_block, block,
    execute::Proposal,
};
use proptest::prelude::*;

fn apply(world: &World, block: &Block) -> Result<nupeer_runtime::Executed, BlockError> {
    let mut verify =
        |bytes: &[u8]| SignedTransaction::from_bytes(bytes, &world.chain)?.verify(&world.chain);
    apply_block(
        &world.store,
        &world.chain,
        &world.tip,
        block,
        &[],
        &mut verify,
    )
}

fn ada(world: &World, n: u8) -> Amount {
    purse::balance(&world.store, &Purse::Account(account(n)), &AssetId::Ada)
}

#[test]
fn what_is_proposed_is_accepted_and_leads_to_the_same_root() {
    let world = World::new(&genesis());
    let Proposal {
        block,
        executed,
        refused,
        ..
    } = world.propose(&[world.transfer(1, 2, 0, ADA)]);
    assert!(refused.is_empty());
    let applied = apply(&world, &block).unwrap();
    assert_eq!(applied.tip, executed.tip);
    assert_eq!(applied.changes, executed.changes);
    assert_eq!(applied.tip.id, block.header.id());
}

#[test]
fn a_fee_is_what_the_parameters_in_force_say_and_a_block_tells_it() {
    let mut world = World::new(&genesis());
    let mut proposal = world.propose(&[]);
    let fee_base_lovelace = 50_000;
    let dearer = Params {
        fee_base_lovelace,
        ..Params::default()
    };
    let mut fork = Overlay::new(&world.store);
    dearer.store(&mut fork);
    let changes = fork.into_changes();
    proposal.executed.changes.merge(changes);
    world.commit(proposal);
    let (transfer, before) = (world.transfer(1, 2, 0, ADA), ada(&world, 1));
    let fee = dearer.fee(transfer.to_bytes().len(), 1);
    let proposal = world.propose(&[transfer]);
    assert_eq!(proposal.executed.fees, [fee]);
    assert_eq!(apply(&world, &proposal.block).unwrap().fees, [fee]);
    world.commit(proposal);
    let spent = fee.checked_add(Amount::new(ADA));
    assert_eq!(before.checked_sub(ada(&world, 1)), spent);
}

#[test]
fn a_proposal_names_what_it_included_whatever_it_left_out() {
    let measured = World::new(&genesis());
    let long = |world: &World| {
        let mut transaction = world.transfer(2, 1, 0, ADA).transaction;
        let asset = AssetId::Native {
            policy: Hash28([7; 28]),
            name: vec![7; 32],
        };
        let (to, amount) = (account(1), Amount::new(1));
        transaction.action = nupeer_ledger::Action::Transfer(Transfer { to, asset, amount }).into();
        sign(transaction, &key(2))
    };
    let short = measured.transfer(1, 2, 0, ADA).to_bytes();
    assert!(long(&measured).to_bytes().len() > short.len());
    // Room for three short ones.
    let room = 3 * block::taken_bytes(&short);
    let framing = 2_048 - block::room_bytes(2_048);
    let mut narrow = genesis();
    let block_bytes_max = u32::try_from(room + framing).unwrap();
    narrow.limits.block_bytes_max = block_bytes_max;
    narrow.limits.transaction_bytes_max = block_bytes_max - 1024;
    let world = World::new(&narrow);
    let replayed = world.transfer(1, 3, 0, ADA);
    let all = [
        world.transfer(1, 2, 0, ADA),
        world.transfer(1, 2, 1, ADA),
        replayed.clone(),
        long(&world),
        world.transfer(3, 2, 0, ADA),
    ];
    let built = world.propose(&all);
    let ids = |all: &[SignedTransaction]| -> Vec<Hash> {
        all.iter().map(|one| one.transaction.id()).collect()
    };
    let [first, second, .., last] = &all;
    let included = [first.clone(), second.clone(), last.clone()];
    assert_eq!(built.included, ids(&included));
    assert_eq!(built.block.transactions.len(), 3);
    let refused: Vec<Hash> = built.refused.iter().map(|(id, _)| *id).collect();
    assert_eq!(refused, ids(&[replayed]));
}

#[test]
fn an_empty_block_changes_height_and_time_alone() {
    let world = World::new(&genesis());
    let proposal = world.propose(&[]);
    let tip = apply(&world, &proposal.block).unwrap().tip;
    assert_eq!(tip.height, Height(1));
    assert_eq!(tip.state_root(), world.tip.state_root());
}

#[test]
fn a_candidate_that_cannot_be_executed_is_left_out_with_its_reason() {
    let world = World::new(&genesis());
    let (good, poor) = (
        world.transfer(1, 2, 0, ADA),
        world.transfer(2, 3, 0, 1_000 * ADA),
    );
    let replay = good.clone();
    let proposal = world.propose(&[good, poor, replay]);
    assert_eq!(proposal.block.transactions.len(), 1);
    let reasons: Vec<_> = proposal
        .refused
        .into_iter()
        .map(|(_, error)| error)
        .collect();
    let sequence = TransactionError::Ledger(LedgerError::SequenceMismatch {
        provided: 0,
        expected: 1,
    });
    assert!(matches!(
        reasons[0],
        TransactionError::Ledger(LedgerError::InsufficientFunds { .. })
    ));
    assert_eq!(reasons[1], sequence);
    assert_eq!(reasons.len(), 2);
}

#[test]
fn fees_leave_the_sender_and_conservation_holds() {
    let mut world = World::new(&genesis());
    let transaction = world.transfer(1, 2, 0, 5 * ADA);
    let fee = 1_000 + 4 * transaction.to_bytes().len() as u128 + 100;
    world.commit(world.propose(&[transaction]));
    assert_eq!(ada(&world, 1), Amount::new(95 * ADA - fee));
    assert_eq!(ada(&world, 2), Amount::new(105 * ADA));
    assert!(
        invariants::conservation(&world.store)
            .iter()
            .all(|row| row.holds())
    );
}

#[test]
fn a_full_block_leaves_the_rest_for_the_next() {
    let mut genesis = genesis();
    genesis.limits.block_bytes_max = 2_048;
    genesis.limits.transaction_bytes_max = 512;
    let mut world = World::new(&genesis);
    let transactions: Vec<_> = (0..20).map(|i| world.transfer(1, 2, i, ADA)).collect();
    let first = world.propose(&transactions);
    let taken = first.block.transactions.len();
    assert!(first.refused.is_empty() && taken > 1 && taken < 20);
    assert!(first.block.to_bytes().len() <= 2_048);
    world.commit(first);
    assert!(
        !world
            .propose(&transactions[taken..])
            .block
            .transactions
            .is_empty()
    );
}

/// Each change of one thing in a good block dies of its own error.
#[test]
fn every_field_of_a_header_is_checked() {
    let world = World::new(&genesis());
    let good = world.propose(&[world.transfer(1, 2, 0, ADA)]).block;
    let point = CardanoPoint {
        slot: Slot(1),
        hash: Hash::ZERO,
    };
    type Change = fn(&mut Header);
    let mismatch = |what, provided: Hash, expected| BlockError::Mismatch {
        what,
        provided,
        expected,
    };
    let header = &good.header;
    let cases: [(Change, BlockError); 7] = [
        (
            |h| h.height = Height(2),
            BlockError::Height {
                provided: Height(2),
                expected: Height(1),
            },
        ),
        (
            |h| h.time = TimeMs(1_000),
            BlockError::Time {
                provided: TimeMs(1_000),
                parent: TimeMs(1_000),
            },
        ),
        (
            |h| h.parent = Hash::ZERO,
            BlockError::Parent {
                provided: Hash::ZERO,
                expected: world.chain.id,
            },
        ),
        (
            |h| h.transaction_root = Hash::ZERO,
            mismatch("transaction root", Hash::ZERO, header.transaction_root),
        ),
        (
            |h| h.state_root = Hash::ZERO,
            mismatch("state root", Hash::ZERO, header.state_root),
        ),
        (
            |h| h.observation_root = Hash::ZERO,
            mismatch("observation root", Hash::ZERO, header.observation_root),
        ),
        (
            |h| h.validators = Hash::ZERO,
            mismatch("validator set", Hash::ZERO, header.validators),
        ),
    ];
    for (change, error) in cases {
        let mut block = good.clone();
        change(&mut block.header);
        assert_eq!(apply(&world, &block).unwrap_err(), error);
    }
    let mut block = good.clone();
    block.header.cardano = Some(point);
    assert_eq!(
        apply(&world, &block).unwrap_err(),
        BlockError::CardanoPoint {
            provided: Some(point),
            parent: None
        }
    );
}

#[test]
fn a_block_with_one_bad_transaction_is_refused_as_a_whole() {
    let world = World::new(&genesis());
    let good = world.transfer(1, 2, 0, ADA);
    let mut block = world.propose(std::slice::from_ref(&good)).block;
    block.transactions.push(block.transactions[0].clone());
    let roots =
        nupeer_runtime::block::transaction_root(block.transactions.iter().map(|b| b.as_slice()));
    block.header.transaction_root = roots;
    let error = TransactionError::Ledger(LedgerError::SequenceMismatch {
        provided: 0,
        expected: 1,
    });
    assert_eq!(
        apply(&world, &block).unwrap_err(),
        BlockError::Transaction {
            index: 1,
            error: Box::new(error)
        }
    );
}

#[test]
fn a_balance_is_proven_under_the_header_and_a_wrong_one_is_not() {
    let mut world = World::new(&genesis());
    world.commit(world.propose(&[world.transfer(1, 2, 0, ADA)]));
    let leaf = Purse::Account(account(2)).key(&AssetId::Ada);
    let version = world.tip.tree_version.unwrap();
    let proof = StateProof::of(&world.store, version, &leaf, world.tip.journal).unwrap();
    let value = Amount::new(101 * ADA).to_be_bytes();
    assert_eq!(
        proof.verify(&world.tip.state_root(), &leaf, Some(&value)),
        Ok(())
    );
    assert!(
        proof
            .verify(
                &world.tip.state_root(),
                &leaf,
                Some(&Amount::new(102 * ADA).to_be_bytes())
            )
            .is_err()
    );
}

#[test]
fn blocks_survive_their_encoding_and_refuse_another() {
    let world = World::new(&genesis());
    let block = world.propose(&[world.transfer(1, 2, 0, ADA)]).block;
    let mut bytes = block.to_bytes();
    assert_eq!(Block::from_bytes(&bytes, 4_096), Ok(block));
    bytes.push(0);
    assert!(Block::from_bytes(&bytes, 4_096).is_err());
}

#[test]
fn a_proposer_is_named_by_its_key() {
    let world = World::new(&genesis());
    assert_eq!(
        world.propose(&[]).block.header.proposer,
        public(&key(200)).hash()
    );
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    /// Random transfers in random blocks: every validator agrees with the proposer, conservation holds, nothing is lost.
    #[test]
    fn any_history_of_transfers_conserves_value(
        blocks in prop::collection::vec(prop::collection::vec((1u8..4, 1u8..4, 0u128..200 * ADA), 0..6), 1..6)
    ) {
        let mut world = World::new(&genesis());
        for moves in blocks {
            let mut next = [0u64; 4];
            for n in 1..4u8 {
                next[usize::from(n)] = nupeer_ledger::sequence::next(&world.store, &account(n), &account(n).hash());
            }
            let mut transactions = Vec::new();
            for (from, to, amount) in moves {
                transactions.push(world.transfer(from, to, next[usize::from(from)], amount));
                next[usize::from(from)] += 1;
            }
            let proposal = world.propose(&transactions);
            let applied = apply(&world, &proposal.block).unwrap();
            prop_assert_eq!(applied.tip.state_root(), proposal.block.header.state_root);
            world.commit(proposal);
            for row in invariants::conservation(&world.store) {
                prop_assert!(row.holds(), "{:?}", row);
            }
        }
    }

    #[test]
    fn no_bytes_make_a_decoder_panic(bytes in prop::collection::vec(any::<u8>(), 0..400)) {
        let world = World::new(&genesis());
        let _ = Block::from_bytes(&bytes, 1_000);
        let _ = SignedTransaction::from_bytes(&bytes, &world.chain);
    }

    /// Any byte of a signed transaction changed: refused, or (where it falls into a part that is not signed) never the same bytes.
    #[test]
    fn a_changed_transaction_does_not_verify(at: prop::sample::Index, flip in 1u8..) {
        let world = World::new(&genesis());
        let mut bytes = world.transfer(1, 2, 0, ADA).to_bytes();
        let at = at.index(bytes.len());
        bytes[at] ^= flip;
        let verdict = SignedTransaction::from_bytes(&bytes, &world.chain).and_then(|t| t.verify(&world.chain));
        prop_assert!(verdict.is_err());
    }
}
