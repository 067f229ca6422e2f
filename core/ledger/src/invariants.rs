//! What must hold after every block, as functions that tests, simulation and a node on demand call alike.

use std::collections::BTreeMap;

use nupeer_primitives::{Amount, AssetId};

use crate::{
    purse::{self, INDEX},
    state::StateRead,
    totals::{self, Total},
};

/// How value that entered compares with value that is here, for one asset.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Conservation {
    /// Of what.
    pub asset: AssetId,
    /// Credited so far.
    pub credited: Amount,
    /// Paid out so far.
    pub paid_out: Amount,
    /// The sum of all purses.
    pub held: Amount,
}

impl Conservation {
    /// credited − paid out = held.
    pub fn holds(&self) -> bool {
        self.paid_out.checked_add(self.held) == Some(self.credited)
    }
}

/// Conservation of every asset (DESIGN.md "Rules of the ledger"), by summing all purses. Reads the whole state.
pub fn conservation(state: &dyn StateRead) -> Vec<Conservation> {
    let mut held = held(state);
    let mut rows: Vec<Conservation> = totals::assets(state)
        .into_iter()
        .map(|asset| Conservation {
            credited: totals::total(state, Total::Credited, &asset),
            paid_out: totals::total(state, Total::PaidOut, &asset),
            held: held.remove(&asset).unwrap_or_default(),
            asset,
        })
        .collect();
    // An asset that is held but was never credited appeared from nowhere.
    rows.extend(held.into_iter().map(|(asset, held)| Conservation {
        asset,
        credited: Amount::ZERO,
        paid_out: Amount::ZERO,
        held,
    }));
    rows
}

/// The sum of all purses, per asset.
fn held(state: &dyn StateRead) -> BTreeMap<AssetId, Amount> {
    let mut sums = BTreeMap::new();
    for (purse, asset) in entries(state) {
        let leaf = purse::leaf_key(&purse, &asset);
        let amount = state
            .proven(&leaf)
            .and_then(|v| Amount::from_be_bytes(&v))
            .unwrap_or_default();
        let sum: &mut Amount = sums.entry(asset).or_default();
        *sum = sum.checked_add(amount).unwrap_or(Amount::new(u128::MAX));
    }
    sums
}

/// Every purse that is not empty, as the index lists it.
fn entries(state: &dyn StateRead) -> impl Iterator<Item = (Vec<u8>, AssetId)> {
    state
        .plain_prefix(INDEX, usize::MAX)
        .into_iter()
        .filter_map(|(key, _)| {
            let purse = &key[INDEX.len()..];
            let length = match purse.first()? {
                0 => 30,
                1 => 63,
                _ => 2,
            };
            let (purse, asset) = purse.split_at_checked(length)?;
            Some((purse.to_vec(), AssetId::from_bytes(asset)?))
        })
}

#[cfg(test)]
mod tests {
    use nupeer_primitives::{AccountId, Hash, Hash28};
    use proptest::prelude::*;

    use super::*;
    use crate::{
        memory::MemoryState,
        purse::{self, HoldKind, Pot, Purse},
    };

    fn purse(n: u8) -> Purse {
        let owner = AccountId::of_key(Hash28([n % 3; 28]));
        match n % 3 {
            0 => Purse::Account(owner),
            1 => Purse::Hold {
                owner,
                kind: HoldKind::Escrow,
                id: Hash([n; 32]),
            },
            _ => Purse::Pot(Pot::Fees),
        }
    }

    fn asset(n: u8) -> AssetId {
        match n % 2 {
            0 => AssetId::Ada,
            _ => AssetId::Native {
                policy: Hash28([1; 28]),
                name: vec![n],
            },
        }
    }

    proptest! {
        #[test]
        fn no_sequence_of_moves_makes_or_loses_value(
            steps in prop::collection::vec((0u8..3, any::<u8>(), any::<u8>(), any::<u8>(), 0u64..100), 1..80)
        ) {
            let mut state = MemoryState::default();
            for (kind, from, to, of, amount) in steps {
                let (amount, of) = (Amount::from(amount), asset(of % 4));
                let _ = match kind {
                    0 => totals::credit(&mut state, &purse(to), &of, amount),
                    1 => totals::pay_out(&mut state, &purse(from), &of, amount),
                    _ => purse::transfer(&mut state, &purse(from), &purse(to), &of, amount),
                };
                for row in conservation(&state) {
                    prop_assert!(row.holds(), "{row:?}");
                }
            }
        }
    }

    #[test]
    fn value_from_nowhere_is_noticed() {
        let mut state = MemoryState::default();
        purse::set(
            &mut state,
            &purse(0),
            &AssetId::Ada,
            Amount::ZERO,
            Amount::new(5),
        );
        let rows = conservation(&state);
        assert_eq!(rows.len(), 1);
        assert!(!rows[0].holds());
    }
}
