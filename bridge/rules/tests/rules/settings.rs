//! A genesis that would make no bridge is refused.

use nupeer_bridge::{BridgeError, Settings, genesis, settings::DEPOSIT_MIN_LOVELACE_MAX};
use nupeer_ledger::memory::MemoryState;
use nupeer_outbox::{committee::CommitteeError, shard::ShardError};
use nupeer_primitives::{AssetId, Hash, Hash28, Numbered};

use crate::world::{ADA, member, point, public, settings, token};

fn native(n: u8) -> AssetId {
    AssetId::Native {
        policy: Hash28([n; 28]),
        name: vec![],
    }
}

#[test]
fn settings_without_sense_are_refused_by_number() {
    type Change = fn(&mut Settings);
    let cases: [(Change, u16); 8] = [
        (|s| s.seed.index += 1, 3030),
        (|s| s.network_magic += 1, 3030),
        (|s| s.shards = 0, 3031),
        (|s| s.assets = vec![token(), token()], 3032),
        (|s| s.assets = vec![AssetId::Ada], 3032),
        (|s| s.assets = (1..=5).map(native).collect(), 3069),
        (|s| s.params.leaf_outputs_max = 81, 3033),
        (|s| s.params.anchor_interval_blocks = 0, 3033),
    ];
    for (change, code) in cases {
        let mut changed = settings();
        change(&mut changed);
        let error = changed.check().unwrap_err();
        assert_eq!(error.code().0, code, "{error}");
    }
    let (provided, maximum) = (5, 4);
    let mut many = settings();
    many.assets = (1..=5).map(native).collect();
    let expected = BridgeError::Shard(ShardError::Assets { provided, maximum });
    assert_eq!(many.check(), Err(expected));
    assert_eq!(settings().check(), Ok(()));
}

#[test]
fn the_smallest_deposit_is_one_that_people_can_bring() {
    let maximum = DEPOSIT_MIN_LOVELACE_MAX;
    assert_eq!(maximum, 1_000 * ADA);
    for (provided, is_possible) in [
        (0, true),
        (1, true),
        (5 * ADA, true),
        (maximum, true),
        (maximum + 1, false),
        // All the ADA that there can be, and what is no amount of ADA at all.
        (45_000_000_000 * ADA, false),
        (u64::MAX, false),
    ] {
        let mut changed = settings();
        changed.params.deposit_min_lovelace = provided;
        let refused = BridgeError::SmallestDeposit { provided, maximum };
        assert_eq!(refused.code().0, 3034);
        let expected = if is_possible { Ok(()) } else { Err(refused) };
        assert_eq!(changed.check(), expected);
    }
}

#[test]
fn one_key_twice_makes_no_committee() {
    let key = public(&member(0));
    let mut state = MemoryState::default();
    let refused = genesis::init(&mut state, &settings(), point(0), vec![key, key]);
    let expected = CommitteeError::Repeated { key };
    assert_eq!(refused, Err(BridgeError::Committee(expected)));
    assert_eq!(state, MemoryState::default());
    assert_ne!(point(0).hash, Hash([9; 32]));
}
