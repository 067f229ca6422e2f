//! The birth of a bridge.

use nupeer_contracts::{Validator, birth::Birth};
use nupeer_primitives::TimeMs;

use crate::harness::{
    Tx, World,
    tx::Mint,
    world::{MINUTE_MS, NOW_MS, SEED, to_key, token},
};

/// Two shards, for ADA and two tokens.
pub(crate) fn birth(world: &World) -> Birth {
    Birth {
        committee: world.committee(),
        valid_until: TimeMs(NOW_MS + 10 * MINUTE_MS),
        shards: 2,
        assets: vec![token(b"USD"), token(b"EUR")],
        committee_lovelace: 3_000_000,
        head_lovelace: 3_000_000,
    }
}

/// Place of the committee among the outputs; the head and the shards follow.
pub(crate) const COMMITTEE_OUT: usize = 0;
pub(crate) const HEAD_OUT: usize = 1;
pub(crate) const SHARD_OUT: usize = 2;

/// The transaction.
pub(crate) fn tx(world: &World) -> Tx {
    let birth = birth(world);
    let mut tx = world.transaction(&[]);
    tx.inputs.insert(SEED, (to_key(50_000_000), None));
    tx.outputs = birth
        .outputs(&world.scripts)
        .expect("few assets")
        .into_iter()
        .map(Into::into)
        .collect();
    tx.outputs.push(to_key(130_000_000));
    let tokens = birth
        .mint(&world.scripts)
        .into_iter()
        .map(|asset| match asset {
            nupeer_primitives::AssetId::Native { name, .. } => (name, 1),
            nupeer_primitives::AssetId::Ada => unreachable!("an NFT"),
        });
    let mint = Mint {
        tokens: tokens.collect(),
        redeemer: Some(Birth::redeemer()),
    };
    tx.mint.insert(world.scripts.hash(Validator::Genesis), mint);
    tx
}
