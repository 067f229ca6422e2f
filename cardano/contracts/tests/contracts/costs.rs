//! What each transaction costs: the table in README.md, made again and compared. `UPDATE_COSTS=1` writes it.

use std::{env, fs, path::Path};

use nupeer_contracts::Validator;
use nupeer_outbox::{
    Shard, Value,
    shard::{ASSETS_MAX, RESERVE_LOVELACE},
};
use nupeer_primitives::{Amount, AssetId, Hash28};

use crate::{
    cases::{
        anchor, birth,
        pay::{Case, payouts},
        sweep,
    },
    harness::{
        Build, Tx, World,
        ledger::{Cost, cost, minimum_lovelace},
        machine::parameter,
        world::{SEED, token},
    },
};

const START: &str = "<!-- costs: made by tests/contracts/costs.rs -->";
const END: &str = "<!-- end of costs -->";

struct Row {
    name: &'static str,
    /// Scripts that stand in the transaction itself.
    carried: &'static [Validator],
    tx: fn(&World) -> Tx,
}

const fn row(name: &'static str, tx: fn(&World) -> Tx) -> Row {
    Row {
        name,
        carried: &[],
        tx,
    }
}

const ROWS: [Row; 12] = [
    Row {
        name: "Birth, 2 shards (script carried along)",
        carried: &[Validator::Genesis],
        tx: birth::tx,
    },
    row("Anchor, 3 of 4", anchor::tx),
    row("Anchor, 14 of 20", |_| {
        let world = World::born(include_str!("../../plutus.json"), SEED, 20);
        let signers: Vec<usize> = (3..17).collect();
        anchor::Case::healthy(&world)
            .signed(&world, &signers)
            .tx(&world)
    }),
    row("Sweep, 1 deposit of 1,000 credited", |w| {
        sweep::of_ada(w, 1)
    }),
    row("Sweep, 5 deposits", |w| sweep::of_ada(w, 5)),
    row("Sweep, 10 deposits", |w| sweep::of_ada(w, 10)),
    row("Pay, 1 payout of 1,000 leaves", |w| {
        Case::of(payouts(1, None)).tx(w)
    }),
    row("Pay, 10 payouts", |w| Case::of(payouts(10, None)).tx(w)),
    row("Pay, 100 payouts", |w| Case::of(payouts(100, None)).tx(w)),
    row("Pay, 1 payout with a token", |w| {
        Case::of(payouts(1, Some(&token(b"USD")))).tx(w)
    }),
    row("Pay, 100 payouts with a token each", |w| {
        Case::of(payouts(100, Some(&token(b"USD")))).tx(w)
    }),
    row("Pay, 120 payouts with a token each", |w| {
        Case::of(payouts(120, Some(&token(b"USD")))).tx(w)
    }),
];

fn costs() -> Vec<(&'static str, Cost)> {
    let world = World::of(Build::Silent);
    ROWS.iter()
        .map(|row| (row.name, cost(world, &(row.tx)(world), row.carried)))
        .collect()
}

fn table() -> String {
    let mut out = String::from(
        "| transaction | size B | CPU M | memory k | fee ADA |\n|---|---:|---:|---:|---:|\n",
    );
    for (name, cost) in costs() {
        let (cpu, mem) = (
            cost.units.cpu.div_ceil(100_000),
            cost.units.mem.div_ceil(1_000),
        );
        let fee = cost.fee_lovelace.div_ceil(100);
        out += &format!(
            "| {name} | {} | {}.{} | {mem} | {}.{:04} |\n",
            cost.size_bytes,
            cpu / 10,
            cpu % 10,
            fee / 10_000,
            fee % 10_000
        );
    }
    out += "\n| script | size B |\n|---|---:|\n";
    for validator in Validator::ALL {
        let size = World::of(Build::Silent)
            .scripts
            .script(validator)
            .size_bytes();
        out += &format!(
            "| {} | {size} |\n",
            validator.title().rsplit('.').next().expect("a name")
        );
    }
    out
}

#[test]
fn the_readme_states_what_transactions_cost() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("README.md");
    let readme = fs::read_to_string(&path).expect("README.md");
    let (before, rest) = readme.split_once(START).expect("the table's start");
    let (stated, after) = rest.split_once(END).expect("the table's end");
    let table = format!("\n{}", table());
    if env::var_os("UPDATE_COSTS").is_some() {
        fs::write(&path, format!("{before}{START}{table}{END}{after}")).expect("written");
    } else {
        assert_eq!(
            stated, table,
            "costs moved: look why, then run this test with UPDATE_COSTS=1"
        );
    }
}

#[test]
fn every_healthy_transaction_fits_the_ledgers_limits() {
    for (name, cost) in costs() {
        assert!(
            cost.size_bytes <= parameter(&["maxTransactionSize"]),
            "{name}: {} bytes",
            cost.size_bytes
        );
        assert!(
            cost.units.cpu <= parameter(&["maxExecutionUnitsPerTransaction", "cpu"]),
            "{name}"
        );
        assert!(
            cost.units.mem <= parameter(&["maxExecutionUnitsPerTransaction", "memory"]),
            "{name}"
        );
    }
}

#[test]
fn a_shards_reserve_is_its_outputs_minimum_at_its_largest() {
    let world = World::of(Build::Silent);
    let assets = (0..ASSETS_MAX as u8).map(|byte| {
        let name = vec![byte; AssetId::NAME_BYTES_MAX];
        AssetId::Native {
            policy: Hash28([byte; 28]),
            name,
        }
    });
    let mut shard = Shard::new(255, assets.clone()).expect("as many as there may be");
    (shard.next_seq, shard.bucket_time) = (u64::MAX, u64::MAX);
    for holding in &mut shard.holdings {
        let full = Amount::from(u64::MAX);
        (holding.bucket, holding.paid, holding.swept) = (full.units(), full, full);
    }
    let token =
        Value::lovelace(RESERVE_LOVELACE).with(world.scripts.shard_token(255), Amount::new(1));
    let value = assets.fold(token, |value, asset| {
        value.with(asset, Amount::from(u64::MAX >> 1))
    });
    let minimum = minimum_lovelace(&world.at(Validator::Vault, value, shard.to_data()));
    assert!(minimum <= RESERVE_LOVELACE, "{minimum}");
    assert!(
        minimum > RESERVE_LOVELACE * 3 / 4,
        "the reserve is needlessly large: {minimum}"
    );
}

#[test]
fn every_output_of_a_healthy_transaction_holds_its_minimum() {
    let world = World::of(Build::Silent);
    for row in &ROWS {
        for (place, out) in (row.tx)(world).outputs.iter().enumerate() {
            let (held, minimum) = (out.value.of(&AssetId::Ada), minimum_lovelace(out));
            assert!(
                held >= Amount::from(minimum),
                "{}: output {place} holds {held} of {minimum}",
                row.name
            );
        }
    }
}

#[test]
fn the_share_of_one_payout_is_below_what_was_measured_as_possible() {
    // 0.0111 ADA each at 100 payouts with a token, with buckets that this vault does not have yet.
    let costs = costs();
    let (_, hundred) = costs
        .iter()
        .find(|(name, _)| *name == "Pay, 100 payouts with a token each")
        .expect("a row");
    assert!(
        hundred.fee_lovelace / 100 <= 11_100,
        "{} lovelace each",
        hundred.fee_lovelace / 100
    );
}
