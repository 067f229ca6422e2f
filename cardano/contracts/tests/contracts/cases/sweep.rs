//! A shard that takes in credited deposits.

use nupeer_contracts::{Validator, redeemer};
use nupeer_outbox::{
    Address, Anchor, Deposit, OutputReference, Shard, Value, credited::CreditedTree,
    merkle::EMPTY_ROOT,
};
use nupeer_primitives::{AccountId, Amount, Credential, Hash, Hash28, Slot};

use crate::{
    cases::{
        anchor::anchor,
        pay::{shard, shard_value},
    },
    harness::{
        Datum, Out, Tx, World,
        world::{ANCHOR, SHARD, to_key, token},
    },
};

pub(crate) const SHARD_OUT: usize = 0;

/// A sweep before it is put into a transaction.
pub(crate) struct Case {
    pub(crate) before: Shard,
    pub(crate) deposits: Vec<(OutputReference, Out)>,
    pub(crate) anchor: Anchor,
    pub(crate) paths: Vec<Vec<u8>>,
}

/// References of deposits: some before, some after the shard's, in no order.
pub(crate) fn reference(i: usize) -> OutputReference {
    OutputReference {
        transaction_id: Hash([(i * 37 + 9) as u8; 32]),
        index: i as u32,
    }
}

/// What a tenant deposits.
pub(crate) fn deposit(world: &World, i: usize, value: Value) -> Out {
    let datum = Deposit {
        recipient: AccountId(Credential::Key(Hash28([i as u8; 28]))),
        refund: Address::enterprise(Credential::Key(Hash28([i as u8; 28]))),
        nonce: i as u64,
        credit_before: Slot(151_000_000),
    };
    world.at(Validator::Deposit, value, datum.to_data())
}

impl Case {
    /// Deposits of these values among 1,000 credited ones, into shard 1.
    pub(crate) fn of(world: &World, values: Vec<Value>) -> Case {
        let deposits = values.into_iter().enumerate();
        let mut deposits: Vec<_> = deposits
            .map(|(i, value)| (reference(i), deposit(world, i, value)))
            .collect();
        deposits.sort_by_key(|(reference, _)| *reference);
        let others: Vec<_> = (0..1_000)
            .map(|index| OutputReference {
                transaction_id: Hash([0xfe; 32]),
                index,
            })
            .collect();
        let tree = CreditedTree::new(
            others
                .iter()
                .chain(deposits.iter().map(|(reference, _)| reference)),
        );
        let paths = deposits
            .iter()
            .map(|(reference, _)| tree.proof(reference).expect("credited"))
            .collect();
        Case {
            before: shard(1),
            deposits,
            anchor: anchor(EMPTY_ROOT, tree.root()),
            paths,
        }
    }

    /// The transaction.
    pub(crate) fn tx(self, world: &World) -> Tx {
        let held = shard_value(world, self.before.shard);
        let mut tx = world.transaction(&[Validator::Vault, Validator::Deposit]);
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
        tx.inputs.extend(
            self.deposits
                .iter()
                .map(|(reference, out)| (*reference, (out.clone(), None))),
        );
        let shard_ix = tx.input_ix(&SHARD);
        for (reference, _) in &self.deposits {
            tx.redeem(reference, redeemer::sweep(shard_ix));
        }
        let values = self.deposits.iter().map(|(_, out)| &out.value);
        let taken = values.fold(Value::default(), |sum, value| {
            sum.checked_add(value).expect("in range")
        });
        let after = self
            .before
            .after_absorbing(&taken)
            .unwrap_or_else(|_| self.before.clone());
        let value = held.checked_add(&taken).expect("in range");
        tx.outputs = vec![
            world.at(Validator::Vault, value, after.to_data()),
            to_key(99_000_000),
        ];
        tx.redeem(
            &SHARD,
            redeemer::absorb(tx.reference_ix(&ANCHOR), &self.paths),
        );
        tx
    }
}

/// So many deposits of 100 ADA.
pub(crate) fn of_ada(world: &World, count: usize) -> Tx {
    Case::of(world, vec![Value::lovelace(100_000_000); count]).tx(world)
}

/// Three deposits: of ADA, and of ADA with one and with two tokens.
pub(crate) fn tx(world: &World) -> Tx {
    let ada = Value::lovelace(500_000_000);
    let one = ada.clone().with(token(b"EUR"), Amount::new(7));
    let two = one.clone().with(token(b"USD"), Amount::new(9));
    Case::of(world, vec![ada, one, two]).tx(world)
}

/// A deposit whose datum nobody can read.
pub(crate) fn with_datum(world: &World, datum: Datum) -> Tx {
    let mut tx = of_ada(world, 1);
    tx.spent(&reference(0)).datum = datum;
    tx
}
