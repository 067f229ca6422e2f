//! Money comes in from Cardano; and some does not, since a fork takes it.

use std::time::Instant;

use super::{LOST_DEPOSIT, OWNER, Story, TENANT, costs, deposit_state, funds, joined, millis};
use crate::{
    commands::demo::{
        person::{Person, number, text},
        report::{Balance, Costs, Funds},
    },
    error::Outcome,
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
        let teller = &self.stage.teller;
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
            person.follows(&deposit, move |line| {
                if is_tenants && line.contains("deep") && !line.contains("fee") {
                    teller.doing(line);
                }
            })
        };
        let (tenant, owner) = std::thread::scope(|scope| {
            let owner = scope.spawn(|| deposit(&self.owner, OWNER.1));
            let tenant = deposit(&self.tenant, TENANT.1);
            (tenant, owner.join())
        });
        let (tenant, owner) = (tenant?, joined(owner)?);
        self.told.deposit_to_credit_ms = millis(started);
        // As Cardano counts it: a wallet counts from when it first looked, which may be a block or two later.
        let (tx, devnet) = (text(&tenant, "tx")?, self.stage.path("devnet"));
        let shown = self
            .tenant
            .does(&["devnet", "tx", &tx, "--data", &devnet])?;
        let report = &mut self.told.report.cardano.deposit;
        report.tx = tx;
        report.lovelace = number(&tenant, "lovelace")?;
        report.depth_at_credit = number(&shown, "depth")?;
        self.note_transaction("deposit, tenant", &text(&tenant, "tx")?)?;
        self.note_transaction("deposit, owner", &text(&owner, "tx")?)?;
        let depth = self.told.report.cardano.deposit.depth_at_credit;
        let teller = &self.stage.teller;
        teller.done(&format!("credited {depth} blocks deep"));
        Ok(())
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
