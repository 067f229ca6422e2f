//! Money comes in from Cardano; and some does not, since a fork takes it.

use std::time::Instant;

use nupeer_primitives::{CardanoPoint, TimeMs};
use serde_json::Value;

use super::{LOST_DEPOSIT, OWNER, Story, TENANT, costs, deposit_state, funds, joined, millis};
use crate::{
    commands::demo::{
        person::{Person, number, text},
        report::{Balance, Costs, Funds},
        stage::Stage,
    },
    error::{CliError, Exit, Outcome},
};

impl Story<'_> {
    /// 4. Deposits, credited when they lie k deep.
    pub(super) fn deposits(&mut self) -> Outcome<()> {
        self.stage.teller.chapter();
        let before = [funds(&self.tenant)?, funds(&self.owner)?];
        let names = [self.tenant.name, self.owner.name].into_iter();
        let people = names.zip(before).map(|(name, before)| Balance {
            name,
            before,
            after: Funds::default(),
            sidechain_fees: 0,
        });
        self.told.report.balances.people = people.collect();
        let deployment = self.stage.path("deployment.json");
        let started = Instant::now();
        let both = format!("tenant {}, owner {}", TENANT.1, OWNER.1);
        self.stage.teller.going(&both);
        if let Some(havoc) = &self.havoc {
            let at = Instant::now() + havoc.cuts.deposit;
            self.tenant.cut_off.at("deposit", at);
        }
        let (stage, teller) = (&*self.stage, &self.stage.teller);
        let deposit = |person: &Person, amount: &str| {
            let deposit = [
                "deposit",
                amount,
                "--deployment",
                &deployment,
                "--yes",
                "--wait",
            ];
            let (teller, is_tenants) = (teller.clone(), amount == TENANT.1);
            let hear = move |line: &str| {
                if is_tenants && line.contains("deep") && !line.contains("fee") {
                    teller.doing(line);
                }
            };
            person.follows_or_finds(&deposit, hear, |first| found_credited(stage, person, first))
        };
        let (tenant, owner) = std::thread::scope(|scope| {
            let owner = scope.spawn(|| deposit(&self.owner, OWNER.1));
            let tenant = deposit(&self.tenant, TENANT.1);
            (tenant, owner.join())
        });
        let (tenant, owner) = (tenant?, joined(owner)?);
        self.tenant.cut_off.never();
        self.told.deposit_to_credit_ms = millis(started);
        let tx = text(&tenant, "tx")?;
        let (depth_at_credit, depth_named) = self.depth_at_credit(&tx)?;
        let report = &mut self.told.report.cardano.deposit;
        report.tx = tx;
        report.lovelace = number(&tenant, "lovelace")?;
        report.depth_at_credit = depth_at_credit;
        report.depth_named = depth_named;
        self.note_transaction("deposit, tenant", &text(&tenant, "tx")?)?;
        self.note_transaction("deposit, owner", &text(&owner, "tx")?)?;
        let depth = self.told.report.cardano.deposit.depth_at_credit;
        let teller = &self.stage.teller;
        teller.done(&format!("credited {depth} blocks deep"));
        Ok(())
    }

    /// How deep a deposit lay on Cardano when the block that credits it was made, and how deep the point then lay which that block names. Both from that block's own
    /// words, and neither too small: what was credited too early shows. There is a block in each slot.
    fn depth_at_credit(&self, tx: &str) -> Outcome<(u64, u64)> {
        let devnet = self.stage.path("devnet");
        let shown = self.tenant.does(&["devnet", "tx", tx, "--data", &devnet])?;
        let credited = self.credited()?;
        let is_meant = |deposit: &&Value| {
            let output = deposit["output"].as_str();
            output.is_some_and(|output| output.starts_with(tx))
        };
        let credited = credited.iter().find(is_meant).cloned().unwrap_or_default();
        let height = number(&credited, "credited_height")?;
        let block = self.asked(&format!("/v1/blocks/{height}"))?;
        let point: CardanoPoint = text(&block, "cardano")?.parse().map_err(|error| {
            let what = format!("block {height} names no point of Cardano: {error}");
            CliError::new(Exit::Unexpected, what)
        })?;
        let last = self.slot_at(number(&block, "time_unix_ms")?)?;
        let depth = last.saturating_sub(number(&shown, "block.slot")?);
        let depth = depth.min(number(&shown, "depth")?);
        Ok((depth, last.saturating_sub(point.slot.0)))
    }

    /// The last slot whose block a proposer can have seen which took this time for its own: it looks at Cardano before. Slots of a devnet that is killed run ahead of the
    /// clock: then all up to now.
    fn slot_at(&self, unix_ms: u64) -> Outcome<u64> {
        if self.havoc.is_some() {
            let devnet = self.stage.path("devnet");
            let status = self.tenant.does(&["devnet", "status", "--data", &devnet])?;
            return number(&status, "tip.slot");
        }
        let slot = self.cardano().network()?.slot_at(TimeMs(unix_ms));
        Ok(slot.map_or(0, |slot| slot.0))
    }

    /// 5. A deposit that a fork takes away before it is deep: its input is spent otherwise on the chain that wins.
    pub(super) fn lost_deposit(&mut self) -> Outcome<()> {
        self.stage.teller.chapter();
        let (deployment, devnet) = (
            self.stage.path("deployment.json"),
            self.stage.path("devnet"),
        );
        let made = self.tenant.does(&[
            "deposit",
            LOST_DEPOSIT,
            "--deployment",
            &deployment,
            "--yes",
        ])?;
        self.lost = text(&made, "tx")?;
        let input = text(&made, "inputs.0")?;
        let other = self.tenant.does(&[
            "wallet",
            "pay",
            &self.tenant.receive,
            "2ADA",
            "--spend",
            &input,
            "--no-submit",
            "--yes",
        ])?;
        let (other, replacement) = (text(&other, "cbor")?, text(&other, "tx")?);
        let lost = self.lost.clone();
        let tenant = &self.tenant;
        let (mut depth, mut cost) = (0, Costs::default());
        self.stage.wait_until("the deposit is in a block", || {
            let shown = tenant.does(&["devnet", "tx", &lost, "--data", &devnet]);
            if shown.is_err() {
                // A devnet that was killed has forgotten what was in no block; a wallet that looks sends it again.
                let _ = tenant.does(&["wallet", "funds", "--deployment", &deployment]);
            }
            let shown = shown.unwrap_or_default();
            cost = costs(&shown).unwrap_or_default();
            depth = shown["depth"].as_u64().unwrap_or(0);
            depth >= 2
        })?;
        let depth = (depth + 2).to_string();
        tenant.does(&[
            "devnet",
            "fork",
            "--depth",
            &depth,
            "--replace",
            &other,
            "--data",
            &devnet,
        ])?;
        let mut state = String::new();
        self.stage.wait_until("the tenant's wallet sees it", || {
            let shown = tenant.does(&["wallet", "funds", "--deployment", &deployment]);
            state = shown
                .ok()
                .and_then(|funds| deposit_state(&funds, &lost))
                .unwrap_or_default();
            // That it is lost for good is known when what spent its input lies k deep.
            matches!(&*state, "gone" | "lost")
        })?;
        self.told.report.cardano.rolled_back_deposit.tx = self.lost.clone();
        // What it would have cost: it is in no block any more.
        self.add_transaction("lost deposit", &lost, cost);
        self.note_transaction("what replaced it", &replacement)?;
        let gone = format!("{LOST_DEPOSIT} gone with a fork; wallet: {state}");
        self.stage.teller.done(&gone);
        Ok(())
    }
}

/// The deposit that a wallet made before its client was killed, once it is credited; nothing if it made none. `first` is the command that the client named.
fn found_credited(stage: &Stage, person: &Person, first: &[&str]) -> Outcome<Option<Value>> {
    let made = |funds: &Value| funds["deposits"].as_array()?.last().cloned();
    let Some(mut deposit) = made(&person.does(first)?) else {
        return Ok(None);
    };
    stage.wait_until("the deposit is credited", || {
        if let Some(now) = person.looks(first).as_ref().and_then(made) {
            deposit = now;
        }
        deposit["state"] == "credited"
    })?;
    Ok(Some(deposit))
}
