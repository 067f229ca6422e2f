//! The table at the end.

use nupeer_primitives::Amount;

use super::told::{Funds, Told};
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
    for (name, before, after) in &told.people {
        let Funds {
            cardano, sidechain, ..
        } = *before;
        let cells = [
            cardano,
            after.cardano,
            sidechain,
            after.sidechain,
            after.held,
        ];
        rows.push([vec![(*name).to_owned()], cells.map(ada).to_vec()].concat());
    }
    let pots = [
        "pots".into(),
        String::new(),
        String::new(),
        ada(0),
        ada(told.pots_lovelace),
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
    for transaction in &told.transactions {
        let costs = transaction.costs;
        rows.push(vec![
            transaction.what.to_owned(),
            format!("{}…", transaction.id.get(..12).unwrap_or(&transaction.id)),
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
    let [credited, paid_out, held] = told.books.map(ada);
    let [vault, owed] = told.vault.map(ada);
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
            "order to first byte {} · deposit to credit {} · {:.0} s in all",
            seconds(report.lease.order_to_first_byte_ms),
            seconds(told.deposit_to_credit_ms),
            report.elapsed_s
        ),
    ]
}
