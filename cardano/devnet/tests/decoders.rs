//! Whatever bytes arrive: no decoder panics, and no changed block verifies.

mod common;

use common::{Coin, blocks, chain, pay};
use nupeer_devnet::{
    block::{TxParts, split_block},
    cbor::{Limits, Scanner},
    fuzz,
    genesis::Account,
    header::Header,
    query::Query,
    verify::{ChainState, Pools},
};
use proptest::prelude::*;

/// Our first block, with a transaction in it, and what judges it.
fn first_block() -> (ChainState, Pools, Vec<u8>) {
    let mut chain = chain();
    let payment = pay(
        &Coin::genesis(42, 0),
        &Account::derive(42, 1),
        5_000_000,
        None,
    );
    chain.submit(&payment.raw, None).expect("is accepted");
    chain.mint(1, None).expect("mints");
    let genesis = chain.genesis();
    let origin = ChainState::origin(genesis.profile, genesis.hash().0.into());
    (origin, genesis.pools(), blocks(&chain)[0].raw.to_vec())
}

/// Gives bytes to every decoder.
fn decode(bytes: &[u8]) {
    let limits = Limits {
        bytes: 4_096,
        depth: 16,
    };
    let _ = Scanner::new(limits).advance(bytes);
    let _ = TxParts::split(bytes).map(|parts| parts.id());
    let _ = Header::decode(bytes);
    let _ = Query::decode(bytes);
    let _ = split_block(bytes).map(|(_, body)| body.transactions());
    for protocol in 0..6 {
        fuzz::receive_from_peer(protocol, bytes);
    }
}

#[derive(Clone, Debug)]
enum Change {
    Flip(u8),
    Cut,
    Insert(u8),
}

fn change() -> impl Strategy<Value = Change> {
    prop_oneof![
        (0u8..8).prop_map(Change::Flip),
        Just(Change::Cut),
        any::<u8>().prop_map(Change::Insert)
    ]
}

proptest! {
    #[test]
    fn random_bytes_never_panic(bytes in proptest::collection::vec(any::<u8>(), 0..300)) {
        decode(&bytes);
        // As a list or map of what follows, they come further.
        for head in [[0x82, 0x07].as_slice(), &[0x84], &[0x82, 0x00, 0x82]] {
            decode(&[head, &bytes].concat());
        }
    }

    #[test]
    fn a_changed_block_never_verifies(at in any::<prop::sample::Index>(), change in change()) {
        let (state, pools, raw) = first_block();
        prop_assert!(state.verify_block(&pools, &raw).is_ok());
        let at = at.index(raw.len());
        let mut changed = raw.clone();
        match change {
            Change::Flip(bit) => changed[at] ^= 1 << bit,
            Change::Cut => changed.truncate(at),
            Change::Insert(byte) => changed.insert(at, byte),
        }
        decode(&changed);
        prop_assert!(changed == raw || state.verify_block(&pools, &changed).is_err());
    }
}
