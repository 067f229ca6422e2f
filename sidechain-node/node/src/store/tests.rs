//! What a store promises: a block is there whole or not at all, a view sees one height, a broken read ends it.

use std::{fs, path::Path};

use nupeer_consensus::{Block as Proposed, Undecided};
use nupeer_ledger::{Purse, StateRead, purse};
use nupeer_primitives::{Amount, AssetId, Hash28, TimeMs};
use nupeer_runtime::{BlockInput, Chain, execute, execute::Proposal};

use super::*;
use crate::{
    testing::{self, BALANCE, Pay},
    verified::VerifiedCache,
};

const ACCOUNTS: u16 = 3;

fn genesis() -> Genesis {
    testing::genesis(1, ACCOUNTS)
}

pub(super) fn open(folder: &Path) -> Arc<Store> {
    Store::open(&StoreConfig::new(folder), &genesis()).unwrap()
}

fn chain() -> Chain {
    genesis().chain().unwrap()
}

/// The block that pays once from each account to the next.
pub(super) fn propose(store: &Store) -> Proposal {
    let (chain, view) = (chain(), store.view().unwrap());
    let tip = view.tip();
    let verified = VerifiedCache::new(chain.clone());
    let pay = |from| Pay::new(from, (from + 1) % ACCOUNTS, tip.height.0).bytes(&chain);
    let signed: Vec<_> = (0..ACCOUNTS).map(pay).collect();
    let verified: Vec<_> = signed
        .iter()
        .map(|bytes| verified.verify(bytes).unwrap())
        .collect();
    let input = BlockInput {
        time: TimeMs(tip.time.0 + 1),
        proposer: Hash28([1; 28]),
        cardano: None,
        observations: vec![],
    };
    let candidates = signed
        .iter()
        .zip(&verified)
        .map(|(bytes, v)| (&bytes[..], &**v));
    execute::propose(&view, &chain, tip, &input, candidates).unwrap()
}

fn ids(proposal: &Proposal) -> Vec<Hash> {
    let verified = VerifiedCache::new(chain());
    proposal
        .block
        .transactions
        .iter()
        .map(|bytes| verified.verify(bytes).unwrap().id())
        .collect()
}

pub(super) fn commit(store: &Store, proposal: &Proposal) -> Result<(), StoreError> {
    let header = &proposal.block.header;
    let certificate = testing::certificate(&chain(), header.height, header.id(), 1);
    let (block, transactions) = (proposal.block.to_bytes(), ids(proposal));
    let executed = &proposal.executed;
    let commit = Commit {
        block: &block,
        certificate: &certificate,
        transactions: &transactions,
        executed,
    };
    store.commit(&commit)
}

pub(super) fn grow(store: &Store, blocks: u64) {
    (0..blocks).for_each(|_| commit(store, &propose(store)).unwrap());
}

pub(super) fn lovelace(state: &dyn StateRead, account: u16) -> Amount {
    purse::balance(
        state,
        &Purse::Account(testing::account(account)),
        &AssetId::Ada,
    )
}

#[test]
fn a_new_store_holds_the_genesis_state_and_so_does_a_reopened_one() {
    let folder = tempfile::tempdir().unwrap();
    for _ in 0..2 {
        let store = open(folder.path());
        assert_eq!(store.tip().unwrap(), genesis().execute().unwrap().tip);
        assert_eq!(lovelace(&store.view().unwrap(), 1), Amount::new(BALANCE));
        assert!(store.block(Height(1)).unwrap().is_none());
    }
}

#[test]
fn a_committed_block_and_all_it_does_is_there_after_reopening() {
    let folder = tempfile::tempdir().unwrap();
    let store = open(folder.path());
    grow(&store, 3);
    let proposal = propose(&store);
    commit(&store, &proposal).unwrap();
    drop(store);
    let store = open(folder.path());
    let (tip, height) = (store.tip().unwrap(), Height(4));
    assert_eq!(tip, proposal.executed.tip);
    assert_eq!(
        store.block(height).unwrap().unwrap(),
        proposal.block.to_bytes()
    );
    assert_eq!(
        store.header(height).unwrap().unwrap(),
        proposal.block.header
    );
    let certificate = store.certificate(height).unwrap().unwrap();
    assert_eq!(certificate.verify(&chain().id, &chain().validators), Ok(()));
    for (index, id) in (0..).zip(ids(&proposal)) {
        let at = store.location(&id).unwrap().unwrap();
        assert_eq!((at.height, at.index), (height, index));
    }
    // The tree goes on from what was read back.
    grow(&store, 2);
}

#[test]
fn the_root_is_that_of_a_state_in_memory() {
    let folder = tempfile::tempdir().unwrap();
    let store = open(folder.path());
    let mut memory = nupeer_runtime::memory::MemoryStore::default();
    memory.commit(genesis().execute().unwrap());
    for _ in 0..5 {
        let (tip, proposal) = (store.tip().unwrap(), propose(&store));
        let verified = VerifiedCache::new(chain());
        let mut verify = |bytes: &[u8]| verified.verify(bytes).map(|v| v.as_ref().clone());
        let block = &proposal.block;
        let same =
            nupeer_runtime::apply_block(&memory, &chain(), &tip, block, &[], &mut verify).unwrap();
        assert_eq!(same.tip, proposal.executed.tip);
        memory.commit(same);
        commit(&store, &proposal).unwrap();
    }
}

#[test]
fn a_view_sees_one_height_whatever_is_written() {
    let folder = tempfile::tempdir().unwrap();
    let store = open(folder.path());
    grow(&store, 1);
    let view = store.view().unwrap();
    let (before, tip) = (lovelace(&view, 0), view.tip().clone());
    grow(&store, 3);
    assert_eq!((lovelace(&view, 0), view.tip()), (before, &tip));
    assert_ne!(lovelace(&store.view().unwrap(), 0), before);
    let key = Purse::Account(testing::account(0)).key(&AssetId::Ada);
    let (value, proof) = view.prove(&key).unwrap();
    assert_eq!(
        proof.verify(&tip.state_root(), &key, value.as_deref()),
        Ok(())
    );
}

#[test]
fn absence_is_proven_too() {
    let folder = tempfile::tempdir().unwrap();
    let store = open(folder.path());
    let view = store.view().unwrap();
    let (value, proof) = view.prove(&Hash([3; 32])).unwrap();
    assert_eq!(value, None);
    assert_eq!(
        proof.verify(&view.tip().state_root(), &Hash([3; 32]), None),
        Ok(())
    );
}

#[test]
fn ranges_read_as_in_memory() {
    let folder = tempfile::tempdir().unwrap();
    let store = open(folder.path());
    let mut memory = nupeer_ledger::memory::MemoryState::default();
    memory.commit(genesis().execute().unwrap().changes);
    let view = store.view().unwrap();
    for (from, to, limit) in [
        ("", "z", 100),
        ("", "z", 2),
        ("params", "q", 9),
        ("z", "a", 9),
        ("a", "a", 9),
        ("a", "", 9),
    ] {
        let (from, to) = (from.as_bytes(), to.as_bytes());
        assert_eq!(
            view.plain_range(from, to, limit),
            memory.plain_range(from, to, limit)
        );
    }
    assert_eq!(
        view.plain_prefix(b"", usize::MAX),
        memory.plain_prefix(b"", usize::MAX)
    );
}

#[test]
fn stale_nodes_go_with_the_block_that_made_them_stale() {
    let folder = tempfile::tempdir().unwrap();
    let store = open(folder.path());
    let count = || {
        let nodes = store.column(Column::Nodes).unwrap();
        store
            .db
            .iterator_cf(nodes, rocksdb::IteratorMode::Start)
            .count()
    };
    let before = count();
    grow(&store, 4);
    // The fee pot is one more leaf.
    assert!(count() <= before + 3);
}

#[test]
fn a_transaction_is_found_in_its_block_with_what_it_was_charged_and_did() {
    let folder = tempfile::tempdir().unwrap();
    let store = open(folder.path());
    grow(&store, 1);
    let proposal = propose(&store);
    commit(&store, &proposal).unwrap();
    for (index, id) in ids(&proposal).iter().enumerate() {
        let at = store.location(id).unwrap().unwrap();
        let bytes = proposal.block.transactions[index].to_vec();
        assert_eq!(store.transaction(&at).unwrap(), bytes);
        assert_eq!(at.fee, genesis().params.fee(bytes.len(), 1));
        let all = &proposal.executed.events;
        let own = all.iter().filter(|(by, _)| *by == Some(index));
        let own: Vec<Event> = own.map(|(_, event)| event.clone()).collect();
        assert_eq!(own.len(), 1);
        assert_eq!(store.events_of(&at).unwrap(), own);
    }
    let beyond = Location {
        first: u32::MAX,
        ..store.location(&ids(&proposal)[0]).unwrap().unwrap()
    };
    let refused = store.transaction(&beyond).unwrap_err();
    assert!(matches!(refused, StoreError::Corrupt { what: "block" }));
}

#[test]
fn what_is_undecided_is_kept_until_its_height_is_decided() {
    let folder = tempfile::tempdir().unwrap();
    let undecided = |height, round, n| Undecided {
        height: Height(height),
        round,
        valid_round: None,
        proposer: Hash28([2; 28]),
        block: Proposed {
            id: Hash([n; 32]),
            bytes: vec![n; 3].into(),
        },
    };
    let (one, other) = (undecided(1, 0, 7), undecided(1, 1, 3));
    let store = open(folder.path());
    for stored in [&other, &one, &undecided(2, 0, 9), &one] {
        store.put_undecided(stored).unwrap();
    }
    drop(store);
    let store = open(folder.path());
    assert_eq!(store.undecided(Height(1)).unwrap(), [one, other]);
    grow(&store, 1);
    assert_eq!(store.undecided(Height(1)).unwrap(), []);
    assert_eq!(store.undecided(Height(2)).unwrap().len(), 1);
}

#[test]
fn blocks_are_taken_in_order_only() {
    let folder = tempfile::tempdir().unwrap();
    let store = open(folder.path());
    let proposal = propose(&store);
    commit(&store, &proposal).unwrap();
    let refused = commit(&store, &proposal).unwrap_err();
    let StoreError::NotNext { provided, expected } = refused else {
        panic!("{refused}")
    };
    assert_eq!((provided, expected), (Height(1), Height(2)));
}

#[test]
fn a_second_store_on_the_same_folder_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let store = open(folder.path());
    let refused = Store::open(&StoreConfig::new(folder.path()), &genesis())
        .err()
        .unwrap();
    assert!(
        matches!(refused, StoreError::AlreadyRunning { .. }),
        "{refused}"
    );
    drop(store);
    open(folder.path());
}

#[test]
fn another_genesis_and_another_format_are_refused() {
    let folder = tempfile::tempdir().unwrap();
    drop(open(folder.path()));
    let other = testing::genesis(2, ACCOUNTS);
    let refused = Store::open(&StoreConfig::new(folder.path()), &other)
        .err()
        .unwrap();
    let StoreError::OtherGenesis { provided, expected } = refused else {
        panic!("{refused}")
    };
    assert_eq!((provided, expected), (other.id(), genesis().id()));

    let store = open(folder.path());
    let mut batch = WriteBatch::default();
    let meta = store.column(Column::Meta).unwrap();
    batch.put_cf(meta, codec::SCHEMA_KEY, (SCHEMA + 1).to_be_bytes());
    store.write(batch).unwrap();
    drop(store);
    let refused = Store::open(&StoreConfig::new(folder.path()), &genesis())
        .err()
        .unwrap();
    assert!(
        matches!(
            refused,
            StoreError::Schema {
                provided: 5,
                expected: SCHEMA
            }
        ),
        "{refused}"
    );
}

/// Overwrites the beginning of every data file, as a dying disk would.
fn damage(folder: &Path) -> usize {
    let files = fs::read_dir(folder.join("store"))
        .unwrap()
        .map(|entry| entry.unwrap().path());
    let tables: Vec<_> = files
        .filter(|file| file.extension().is_some_and(|e| e == "sst"))
        .collect();
    for table in &tables {
        let mut bytes = fs::read(table).unwrap();
        let damaged = bytes.len().min(64);
        bytes[..damaged].fill(0xee);
        fs::write(table, bytes).unwrap();
    }
    tables.len()
}

#[test]
fn a_failed_read_says_nothing_and_ends_all_writing() {
    let folder = tempfile::tempdir().unwrap();
    let store = open(folder.path());
    grow(&store, 2);
    let proposal = propose(&store);
    for column in [Column::Proven, Column::Plain, Column::Nodes] {
        store.db.flush_cf(store.column(column).unwrap()).unwrap();
    }
    drop(store);
    assert!(damage(folder.path()) >= 3);
    let store = open(folder.path());
    let view = store.view().unwrap();
    assert_eq!(lovelace(&view, 0), Amount::ZERO);
    assert!(matches!(store.healthy(), Err(StoreError::Poisoned { .. })));
    let refused = commit(&store, &proposal).unwrap_err();
    assert!(matches!(refused, StoreError::Poisoned { .. }), "{refused}");
    assert!(matches!(store.view(), Err(StoreError::Poisoned { .. })));
    assert_eq!(store.tip().unwrap().height, Height(2));
}
