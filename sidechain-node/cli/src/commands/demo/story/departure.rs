//! Money goes back to Cardano; and the balance of everything.

use serde_json::Value;

use super::{Story, WITHDRAWAL, funds};
use crate::{
    api::Api,
    commands::demo::{
        person::{number, text},
        told::Told,
    },
    error::Outcome,
};

impl Story<'_, '_> {
    /// 10. The owner's withdrawal: an anchor that the committee signs, a payment that a script judges, and its depth.
    pub(super) fn withdrawal(&mut self) -> Outcome<()> {
        self.stage.chapter();
        self.stage.going(
            "withdrawal",
            &format!("the owner takes {WITHDRAWAL} back to Cardano"),
        );
        let receive = self.owner.receive.clone();
        let paid = self
            .owner
            .does(&["withdraw", WITHDRAWAL, "--to", &receive, "--yes", "--wait"])?;
        let (payout, seq) = (text(&paid, "payout_tx")?, number(&paid, "anchor_seq")?);
        let anchor = self.api()?.get(&format!("/v1/bridge/anchors/{seq}"))?;
        let anchor_tx = text(&anchor, "cardano_tx")?;
        let report = &mut self.told.report.cardano;
        report.anchor.seq = seq;
        report.anchor.signers = signers(&anchor);
        report.anchor.tx = anchor_tx.clone();
        report.payout.tx = payout.clone();
        report.payout.lovelace = number(&paid, "lovelace")?;
        let anchor_costs = self.note_transaction("anchor", &anchor_tx)?;
        let payout_costs = self.note_transaction("payout", &payout)?;
        let report = &mut self.told.report.cardano;
        report.anchor.costs = anchor_costs;
        report.payout.costs = payout_costs;
        let signers = report.anchor.signers;
        self.stage.done(
            "withdrawal",
            &format!("paid under anchor {seq}, {signers} of 4 signed; closed"),
        );
        Ok(())
    }

    fn api(&self) -> Outcome<Api> {
        Ok(Api::new(
            self.told.api_urls.first().map_or("", String::as_str),
        ))
    }

    /// 11. Who has what, and whether the books are in order.
    pub(super) fn balance(mut self) -> Outcome<Told> {
        self.stage.chapter();
        self.settled()?;
        let after = [funds(&self.tenant)?, funds(&self.owner)?];
        for (person, after) in self.told.people.iter_mut().zip(after) {
            person.2 = after;
        }
        let credited = self.credited()?;
        let is_lost = |deposit: &Value| {
            let output = deposit["output"].as_str();
            output.is_some_and(|output| output.starts_with(&self.lost))
        };
        let found = credited.iter().any(is_lost);
        self.told.report.cardano.rolled_back_deposit.credited = found;
        let sweep = credited.first().map(|deposit| text(deposit, "sweep_tx"));
        if let Some(sweep) = sweep {
            self.note_transaction("sweep", &sweep?)?;
        }
        self.at_one_height()?;
        self.books()?;
        self.told.report.elapsed_s = self.stage.started.elapsed().as_secs_f64();
        self.stage.done("balance", "the books are below");
        Ok(self.told)
    }

    /// The deposits that the sidechain has credited, all of them.
    fn credited(&self) -> Outcome<Vec<Value>> {
        let page = self.api()?.get("/v1/bridge/deposits?limit=100")?;
        Ok(page["deposits"].as_array().cloned().unwrap_or_default())
    }

    /// The invariants. The node sums up every purse for its audit; this adds up what people's own wallets say.
    fn books(&mut self) -> Outcome<()> {
        let (bridge, audit) = (
            self.api()?.get("/v1/bridge")?,
            self.api()?.get("/v1/invariants")?,
        );
        let (totals, purses) = (ada(&bridge["totals"]), ada(&audit["conservation"]));
        let [vault, unswept] = [number(&totals, "vault")?, number(&totals, "unswept")?];
        let [credited, paid_out] = [number(&purses, "credited")?, number(&purses, "paid_out")?];
        let (held, owed) = (number(&purses, "held")?, number(&totals, "liabilities")?);
        self.told.books = [credited, paid_out, held];
        self.told.vault = [vault + unswept, owed];
        self.told.pots_lovelace = number(&totals, "pots")?;
        let people = self.told.people.iter();
        let theirs: u64 = people
            .map(|(_, _, after)| after.sidechain + after.held)
            .sum();
        let sound = audit["violations"].as_array().is_some_and(Vec::is_empty);
        let invariants = &mut self.told.report.invariants;
        invariants.conservation = sound
            && all_hold(&audit["conservation"])
            && credited.checked_sub(paid_out) == Some(held)
            && theirs + self.told.pots_lovelace == held;
        invariants.solvency = vault + unswept >= owed && all_hold(&audit["solvency"]);
        Ok(())
    }
}

/// Whether there are rows, and each holds.
fn all_hold(rows: &Value) -> bool {
    let rows = rows.as_array();
    rows.is_some_and(|rows| !rows.is_empty() && rows.iter().all(|row| row["holds"] == true))
}

/// ADA's row.
fn ada(rows: &Value) -> Value {
    let rows = rows.as_array();
    let found = rows.and_then(|all| all.iter().find(|row| row["asset"] == "ADA"));
    found.cloned().unwrap_or_default()
}

/// How many signed an anchor.
fn signers(anchor: &Value) -> u64 {
    let signatures = anchor["signatures"].as_array();
    let given = signatures.map_or(0, |all| {
        all.iter().filter(|signature| !signature.is_null()).count()
    });
    u64::try_from(given).unwrap_or(u64::MAX)
}
