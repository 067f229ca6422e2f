//! Money goes back to Cardano; and the balance of everything.

use std::time::{Duration, Instant};

use serde_json::Value;

use super::{ANSWERS_WITHIN, Story, WITHDRAWAL, funds, joined};
use crate::{
    amount::parse_ada,
    api::Api,
    commands::{
        demo::{
            havoc::WITHDRAWAL as WITHDRAWAL_PART,
            person::{Person, number, text},
            sidechain,
            stage::Stage,
            told::Told,
        },
        wallet_funds::lovelace,
    },
    error::Outcome,
};

/// How often it is looked where a payment is.
const LOOK_EVERY: Duration = Duration::from_millis(700);

impl Story<'_> {
    /// 10. The owner's withdrawal: an anchor that the committee signs, a payment that a script judges, and its depth.
    pub(super) fn withdrawal(&mut self) -> Outcome<()> {
        self.stage.teller.chapter();
        let asks = format!("the owner takes {WITHDRAWAL} back to Cardano");
        self.stage.teller.going(&asks);
        let owner = &self.owner;
        let withdraw = [
            "withdraw",
            WITHDRAWAL,
            "--to",
            &owner.receive,
            "--yes",
            "--wait",
        ];
        let (stage, ordered) = (&*self.stage, self.when_ordered());
        let paid = std::thread::scope(|scope| {
            let finds = |first: &[&str]| found_paid(stage, owner, first);
            let waiting = scope.spawn(move || owner.follows_or_finds(&withdraw, ordered, finds));
            while !waiting.is_finished() {
                if let Some(place) = self.payout_place() {
                    self.stage.teller.doing(&place);
                }
                std::thread::sleep(LOOK_EVERY);
            }
            joined(waiting.join())
        })?;
        self.withdrawal_paid_s = self.stage.started.elapsed().as_secs_f64();
        self.owner.cut_off.never();
        self.part_ends(WITHDRAWAL_PART)?;
        self.owner.was_told(&text(&paid, "tx")?);
        let (payout, seq) = (text(&paid, "payout_tx")?, number(&paid, "anchor_seq")?);
        let anchor = self.asked(&format!("/v1/bridge/anchors/{seq}"))?;
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
        let paid = format!("paid under anchor {seq}, {signers} of 4 signed; closed");
        self.stage.teller.done(&paid);
        Ok(())
    }

    /// Where the withdrawal is, as the owner's own wallet and the devnet say; nothing while they do not.
    fn payout_place(&self) -> Option<String> {
        let funds = self.owner.looks(&["wallet", "funds"])?;
        let Some(payment) = payments(&funds).into_iter().next() else {
            let state = funds["withdrawals"].as_array()?.first()?["state"].as_str()?;
            return Some(match state {
                "anchored" => "under an anchor; a relayer pays".to_owned(),
                _ => "waits for an anchor".to_owned(),
            });
        };
        let (tx, devnet) = (payment.split('#').next()?, self.stage.path("devnet"));
        let shown = self.owner.looks(&["devnet", "tx", tx, "--data", &devnet])?;
        let depth = shown["depth"].as_u64()?;
        let network = std::fs::read(self.stage.data.join("devnet/network.json")).ok()?;
        let network: Value = serde_json::from_slice(&network).ok()?;
        let (k, slot_ms) = (
            network["security_parameter"].as_u64()?,
            network["slot_length_ms"].as_u64()?,
        );
        let more = k.saturating_sub(depth).saturating_mul(slot_ms) / 1000;
        Some(format!(
            "paid, {depth} of {k} blocks deep, about {more} s more"
        ))
    }

    /// Hears when the chain has the withdrawal: then what is killed in its part begins to be.
    fn when_ordered(&self) -> impl Fn(&str) + Clone + Send + use<> {
        let havoc = self.havoc.as_ref();
        let havoc = havoc.map(|havoc| (havoc.beginner(), havoc.cuts.withdrawal));
        let cut_off = self.owner.cut_off.clone();
        move |line| {
            let is_known = ["queued", "assigned", "anchored"]
                .iter()
                .any(|state| line.contains(*state));
            if let (Some((beginner, after)), true) = (&havoc, is_known)
                && beginner.begins(WITHDRAWAL_PART)
            {
                cut_off.at("withdraw", Instant::now() + *after);
            }
        }
    }

    /// What the first validator that answers says; killed ones are waited for.
    pub(super) fn asked(&self, path: &str) -> Outcome<Value> {
        let api = Api::new(&self.told.api_urls.join(","));
        api.get_by(path, Instant::now() + ANSWERS_WITHIN)
    }

    /// 11. Who has what, and whether the books are in order.
    pub(super) fn balance(mut self) -> Outcome<Told> {
        self.stage.teller.chapter();
        self.part(11, Story::settled)?;
        self.havoc_ends();
        self.at_one_height()?;
        self.stage.teller.doing("adding up");
        let after = [funds(&self.tenant)?, funds(&self.owner)?];
        for (person, after) in self.told.report.balances.people.iter_mut().zip(after) {
            person.after = after;
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
        let payments = payments(&self.owner.does(&["wallet", "funds"])?);
        self.told.report.cardano.payout.count = payments.len();
        self.at_one_height()?;
        self.on_the_sidechain()?;
        self.books()?;
        self.told.report.elapsed_s = self.stage.started.elapsed().as_secs_f64();
        self.stage.teller.done("the books are below");
        Ok(self.told)
    }

    /// What people did there, and what it cost them.
    fn on_the_sidechain(&mut self) -> Outcome<()> {
        let apis: Vec<Api> = self.told.api_urls.iter().map(|url| Api::new(url)).collect();
        let height = self.told.report.network.height;
        let found = sidechain::read(&[&self.tenant, &self.owner], &apis, height)?;
        for person in &mut self.told.report.balances.people {
            let theirs = found.transactions.iter().filter(|t| t.name == person.name);
            person.sidechain_fees = theirs.map(|t| t.fee_lovelace).sum();
        }
        self.told.report.sidechain = found;
        Ok(())
    }

    /// The deposits that the sidechain has credited, all of them.
    pub(super) fn credited(&self) -> Outcome<Vec<Value>> {
        let page = self.asked("/v1/bridge/deposits?limit=100")?;
        Ok(page["deposits"].as_array().cloned().unwrap_or_default())
    }

    /// The invariants. The node sums up every purse for its audit; this adds up what people's own wallets say.
    fn books(&mut self) -> Outcome<()> {
        let (bridge, audit) = (self.asked("/v1/bridge")?, self.asked("/v1/invariants")?);
        let (totals, purses) = (ada(&bridge["totals"]), ada(&audit["conservation"]));
        let [vault, unswept] = [number(&totals, "vault")?, number(&totals, "unswept")?];
        let [credited, paid_out] = [number(&purses, "credited")?, number(&purses, "paid_out")?];
        let (held, owed) = (number(&purses, "held")?, number(&totals, "liabilities")?);
        self.told.owed = owed;
        let balances = &mut self.told.report.balances;
        balances.pots = number(&totals, "pots")?;
        balances.vault = vault + unswept;
        (balances.credited, balances.paid_out, balances.held) = (credited, paid_out, held);
        let people = balances.people.iter().map(|person| person.after);
        let theirs: u64 = people.map(|after| after.sidechain + after.held).sum();
        let pots = balances.pots;
        let sound = audit["violations"].as_array().is_some_and(Vec::is_empty);
        let invariants = &mut self.told.report.invariants;
        invariants.conservation = sound
            && all_hold(&audit["conservation"])
            && credited.checked_sub(paid_out) == Some(held)
            && theirs + pots == held;
        invariants.solvency = vault + unswept >= owed && all_hold(&audit["solvency"]);
        Ok(())
    }
}

/// The withdrawal that was sent before its client was killed, once it is paid; nothing if it never came about. `first` is the command that the client named.
fn found_paid(stage: &Stage, owner: &Person, first: &[&str]) -> Outcome<Option<Value>> {
    let sent = owner.does(first)?;
    if sent["status"] != "final" {
        return Ok(None);
    }
    let id = text(&sent, "id")?;
    let mut withdrawal = Value::Null;
    stage.wait_until("the withdrawal is paid", || {
        let shown = owner.looks(&["withdraw", "show", &id]);
        withdrawal = shown.unwrap_or_default();
        withdrawal["state"] == "paid"
    })?;
    withdrawal["tx"] = id.into();
    withdrawal["lovelace"] = withdrawal["amount"].clone();
    Ok(Some(withdrawal))
}

/// Outputs of a wallet that hold just what was withdrawn.
fn payments(funds: &Value) -> Vec<String> {
    let withdrawn = parse_ada(WITHDRAWAL)
        .ok()
        .and_then(|amount| amount.to_u64());
    let outputs = funds["outputs"].as_array().into_iter().flatten();
    let outputs = outputs.filter(|output| Some(lovelace(&output["lovelace"])) == withdrawn);
    let names = outputs.filter_map(|output| output["output"].as_str());
    names.map(str::to_owned).collect()
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
