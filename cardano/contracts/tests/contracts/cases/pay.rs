//! A shard that pays a leaf.

use nupeer_contracts::{Validator, redeemer};
use nupeer_outbox::{
    Address, Anchor, Leaf, Output, Shard, Value,
    merkle::{Tree, leaf_hash},
    shard::{EMPTY_SPARSE_ROOT, RESERVE_LOVELACE},
};
use nupeer_primitives::{Amount, AssetId, Credential, Hash28, TimeMs};

use crate::{
    cases::anchor::anchor,
    harness::{
        Tx, World,
        world::{ANCHOR, MINUTE_MS, NOW_MS, SHARD, to_key, token},
    },
};

pub(crate) const SHARD_OUT: usize = 0;
pub(crate) const CHANGE_OUT: usize = 1;
pub(crate) const PAYOUT_OUT: usize = 2;

/// What a shard of the tests holds beside its reserve, in base units of each asset.
pub(crate) const HELD: u64 = 900_000_000_000;

/// A payment before it is put into a transaction.
pub(crate) struct Case {
    pub(crate) before: Shard,
    pub(crate) leaf: Leaf,
    pub(crate) anchor: Anchor,
    pub(crate) path: Vec<u8>,
}

/// Payouts to different people: 2 ADA and a little, and so many tokens each.
pub(crate) fn payouts(count: usize, asset: Option<&AssetId>) -> Vec<Output> {
    let payout = |i: usize| {
        let payment = Credential::Key(Hash28([i as u8; 28]));
        let stake = Some(Credential::Key(Hash28([!(i as u8); 28])));
        let value = Value::lovelace(2_000_000 + i as u64);
        let value = asset.into_iter().fold(value, |v, asset| {
            v.with(asset.clone(), Amount::new(1_000_000 + i as u128))
        });
        Output {
            address: Address { payment, stake },
            value,
            datum: None,
        }
    };
    (0..count).map(payout).collect()
}

/// A shard's output.
pub(crate) fn shard_value(world: &World, shard: u8) -> Value {
    let value = Value::lovelace(RESERVE_LOVELACE + HELD)
        .with(world.scripts.shard_token(shard), Amount::new(1));
    value.with(token(b"USD"), Amount::from(HELD))
}

/// A shard in the midst of its life.
pub(crate) fn shard(number: u8) -> Shard {
    let mut shard = Shard::new(number, [token(b"USD"), token(b"EUR")]).expect("few assets");
    shard.next_seq = 17;
    for holding in shard
        .holdings
        .iter_mut()
        .filter(|holding| holding.asset != token(b"EUR"))
    {
        holding.paid = Amount::new(120_000_000);
        holding.swept = Amount::new(120_000_000 + u128::from(HELD));
    }
    shard
}

impl Case {
    /// A leaf with these outputs among 1,000 others, next in shard 1.
    pub(crate) fn of(outputs: Vec<Output>) -> Case {
        let before = shard(1);
        let leaf =
            Leaf::new(1, before.next_seq, TimeMs(NOW_MS - MINUTE_MS), outputs).expect("a leaf");
        Case::under(before, leaf)
    }

    /// That leaf under an anchor, whether or not it is the shard's.
    pub(crate) fn under(before: Shard, leaf: Leaf) -> Case {
        let mut leaves: Vec<_> = (0..1_000u32).map(|i| leaf_hash(&i.to_be_bytes())).collect();
        leaves[611] = leaf.hash();
        let tree = Tree::new(leaves);
        let path = tree.proof(611).expect("in the tree");
        Case {
            before,
            leaf,
            anchor: anchor(tree.root(), EMPTY_SPARSE_ROOT),
            path,
        }
    }

    /// The transaction.
    pub(crate) fn tx(self, world: &World) -> Tx {
        let held = shard_value(world, self.before.shard);
        let mut tx = world.transaction(&[Validator::Vault]);
        let nft = Value::lovelace(3_000_000).with(world.scripts.anchor_token(), Amount::new(1));
        tx.references.insert(
            ANCHOR,
            world.at(Validator::Anchor, nft, self.anchor.to_data()),
        );
        tx.inputs.insert(
            SHARD,
            (
                world.at(Validator::Vault, held.clone(), self.before.to_data()),
                None,
            ),
        );
        // What the script would leave, step by step, so that a bad leaf can be tried too.
        let mut after = self
            .before
            .after_absorbing(&Value::default())
            .expect("unchanged");
        for holding in &mut after.holdings {
            holding.paid = holding
                .paid
                .checked_add(self.leaf.totals().of(&holding.asset))
                .expect("in range");
        }
        after.next_seq += 1;
        let left = held.checked_sub(self.leaf.totals()).unwrap_or(held);
        tx.outputs = vec![
            world.at(Validator::Vault, left, after.to_data()),
            to_key(99_000_000),
        ];
        tx.outputs
            .extend(self.leaf.outputs().iter().cloned().map(Into::into));
        tx.redeem(
            &SHARD,
            redeemer::pay(tx.reference_ix(&ANCHOR), &self.leaf, &self.path),
        );
        tx
    }
}

/// Ten payouts of ADA.
pub(crate) fn tx(world: &World) -> Tx {
    Case::of(payouts(10, None)).tx(world)
}

/// Ten payouts of ADA and a token.
pub(crate) fn tx_with_token(world: &World) -> Tx {
    Case::of(payouts(10, Some(&token(b"USD")))).tx(world)
}
