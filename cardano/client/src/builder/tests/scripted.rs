//! Any wallet, any scripts: fee, minima, balance and pledge hold whatever is spent, minted and paid.

use proptest::prelude::*;

use super::{
    GrowingWithSize,
    csl::confirm,
    kinds::{ADA, carrying, locked, pay, purse, redeemer},
    script, token,
};
use crate::{
    Value,
    builder::{
        BuildError, Change, TransactionBuilder,
        fixtures::{key_address, parameters, utxo},
    },
};

/// What one transaction with scripts is to do.
#[derive(Clone, Debug)]
struct Wish {
    /// Lovelace of outputs that a script guards, each with so many of a token.
    spent: Vec<(u64, u64)>,
    /// Units minted; none leaves the policy alone.
    minted: Option<i64>,
    payouts: Vec<u64>,
    by_reference: bool,
    /// The change stands alone in second place, as a vault wants it, or wherever and in as many outputs as is useful.
    single: bool,
}

fn wish() -> impl Strategy<Value = Wish> {
    let spent = prop::collection::vec((2 * ADA..50 * ADA, 0u64..90), 0..4);
    let minted = prop::option::of(1i64..1_000);
    let payouts = prop::collection::vec(ADA..40 * ADA, 1..12);
    (spent, minted, payouts, any::<bool>(), any::<bool>())
        .prop_filter("something runs", |(spent, minted, ..)| {
            !spent.is_empty() || minted.is_some()
        })
        .prop_map(|(spent, minted, payouts, by_reference, single)| Wish {
            spent,
            minted,
            payouts,
            by_reference,
            single,
        })
}

impl Wish {
    fn builder(&self) -> TransactionBuilder {
        let change = match self.single {
            true => Change::single_at(key_address(1), 1),
            false => Change::to(key_address(1)),
        };
        let mut builder = TransactionBuilder::new(change);
        builder = match self.by_reference {
            true => builder.reference(carrying(1)).reference(carrying(2)),
            false => builder.script(script(1)).script(script(2)),
        };
        for (n, (lovelace, tokens)) in (30..).zip(&self.spent) {
            let value = Value::lovelace(*lovelace).with(token(3), *tokens);
            builder = builder.spend_with(locked(n, 1, value), redeemer());
        }
        if let Some(units) = self.minted {
            let policy = script(2).hash();
            builder = builder.mint(policy, [(b"minted".to_vec(), units)], redeemer());
        }
        let payouts = self.payouts.iter();
        payouts.fold(builder, |builder, lovelace| {
            builder.pay(pay(2, Value::lovelace(*lovelace)))
        })
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(96))]

    #[test]
    fn any_wallet_runs_scripts_for_the_least_fee_under_a_pledge_that_comes_back(
        purse in purse(),
        wish in wish(),
    ) {
        let held: u64 = purse.iter().map(|utxo| utxo.output.value.coin()).sum();
        let builder = wish.builder().available(purse);
        match builder.build(&parameters(), &GrowingWithSize) {
            // Each claim is checked there, by an independent implementation.
            Ok(built) => drop(confirm(&builder, &built)),
            Err(refused) => {
                let is_for_want = matches!(
                    refused,
                    BuildError::InsufficientFunds { .. }
                        | BuildError::ChangeTooSmall { .. }
                        | BuildError::InsufficientCollateral { .. }
                );
                prop_assert!(is_for_want, "{}", refused);
                // Fees, and the minima of change with five tokens apart from it, are far below that.
                let paid: u64 = wish.payouts.iter().sum();
                prop_assert!(held < paid + 20 * ADA, "{} with {} for {:?}", refused, held, wish);
            }
        }
    }
}

#[test]
fn a_fee_that_leaves_the_change_an_output_fewer_is_not_that_of_the_larger_transaction() {
    let purse = vec![utxo(1, Value::lovelace(2 * ADA))];
    // So that with a larger fee the rest of the change is too little for an output of its own.
    let wish = Wish {
        spent: vec![(40_001_966, 0), (41_536_839, 0), (49_859_518, 1)],
        minted: Some(1),
        payouts: vec![26_121_913, 2_289_450, 28_335_501, 33_002_981, 35_239_746],
        by_reference: true,
        single: false,
    };
    let builder = wish.builder().available(purse);
    let built = builder.build(&parameters(), &GrowingWithSize).unwrap();
    drop(confirm(&builder, &built));
}
