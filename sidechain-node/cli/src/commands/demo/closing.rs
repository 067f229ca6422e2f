//! The table at the end.

use nupeer_primitives::Amount;

use super::told::Told;
use crate::{amount::show_ada, output::table};

/// The end of the story as people read it.
pub(super) fn lines(told: &Told) -> Vec<String> {
    let mut lines = people(told);
    lines.push(String::new());
    lines.extend(transactions(told));
    lines.push(String::new());
    lines.extend(figures(told));
    lines
}

fn ada(lovelace: u64) -> String {
    show_ada(Amount::new(lovelace.into()))
        .trim_end_matches(" ADA")
        .to_owned()
}

fn people(told: &Told) -> Vec<String> {
    let head = [
        "ADA",
        "Cardano before",
        "after",
        "sidechain before",
        "after",
        "held",
    ];
    let mut rows = vec![head.map(str::to_owned).to_vec()];
    let balances = &told.report.balances;
    for person in &balances.people {
        let (before, after) = (person.before, person.after);
        let cells = [
            before.cardano,
            after.cardano,
            before.sidechain,
            after.sidechain,
            after.held,
        ];
        rows.push([vec![person.name.to_owned()], cells.map(ada).to_vec()].concat());
    }
    let pots = [
        "pots".into(),
        String::new(),
        String::new(),
        ada(0),
        ada(balances.pots),
    ];
    rows.push(pots.to_vec());
    table(&rows)
}

fn transactions(told: &Told) -> Vec<String> {
    let head = [
        "Cardano transaction",
        "id",
        "fee ADA",
        "bytes",
        "steps",
        "memory",
    ];
    let mut rows = vec![head.map(str::to_owned).to_vec()];
    for transaction in &told.report.cardano.transactions {
        let costs = transaction.costs;
        rows.push(vec![
            transaction.what.clone(),
            format!("{}…", transaction.tx.get(..12).unwrap_or(&transaction.tx)),
            ada(costs.fee),
            costs.size.to_string(),
            costs.cpu.to_string(),
            costs.mem.to_string(),
        ]);
    }
    table(&rows)
}

fn figures(told: &Told) -> Vec<String> {
    let report = &told.report;
    let mark = |holds: bool| if holds { "ok" } else { "BROKEN" };
    let balances = &report.balances;
    let books = [balances.credited, balances.paid_out, balances.held];
    let [credited, paid_out, held] = books.map(ada);
    let [vault, owed] = [balances.vault, told.owed].map(ada);
    let limits = &report.lease.limits;
    let seconds = |ms: u64| format!("{:.1} s", ms as f64 / 1000.0);
    vec![
        format!(
            "conservation  {}  {credited} credited - {paid_out} paid out = {held} held",
            mark(report.invariants.conservation)
        ),
        format!(
            "solvency      {}  vault {vault} >= owed {owed}",
            mark(report.invariants.solvency)
        ),
        format!(
            "agreement     {}  {} validators at height {}",
            mark(report.network.all_agree),
            report.network.validators,
            report.network.height
        ),
        format!(
            "workload      ok  held by the kernel ({}) to {} CPU, {} MiB, {} processes",
            report.lease.driver,
            limits.cpu_milli as f64 / 1000.0,
            limits.memory_bytes >> 20,
            limits.pids_max
        ),
        format!(
            "order to first byte {} · deposit to credit {} · {:.0} s in all",
            seconds(report.lease.order_to_first_byte_ms),
            seconds(told.deposit_to_credit_ms),
            report.elapsed_s
        ),
    ]
}
