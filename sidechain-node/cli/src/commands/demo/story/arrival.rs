//! Money comes in from Cardano; and some does not, since a fork takes it.

use std::time::Instant;

use super::{LOST_DEPOSIT, OWNER, PATIENCE, Story, TENANT, deposit_state, funds, joined, millis};
use crate::{
    commands::demo::{
        person::{Person, number, text},
        told::Funds,
    },
    error::Outcome,
};

impl Story<'_, '_> {
    /// 4. Deposits, credited when they lie k deep.
    pub(super) fn deposits(&mut self) -> Outcome<()> {
        self.stage.chapter();
        let before = [funds(&self.tenant)?, funds(&self.owner)?];
        self.told.people = vec![
            ("tenant", before[0], Funds::default()),
            ("owner", before[1], Funds::default()),
        ];
        let deployment = self.stage.path("deployment.json");
        let started = Instant::now();
        self.stage.going(
            "deposits",
            &format!("tenant {}, owner {}", TENANT.1, OWNER.1),
        );
        let deposit = |person: &Person, amount: &str| {
            person.does(&[
                "deposit",
                amount,
                "--deployment",
                &deployment,
                "--yes",
                "--wait",
            ])
        };
        let (tenant, owner) = std::thread::scope(|scope| {
            let owner = scope.spawn(|| deposit(&self.owner, OWNER.1));
            let tenant = deposit(&self.tenant, TENANT.1);
            (tenant, owner.join())
        });
        let (tenant, owner) = (tenant?, joined(owner)?);
        self.told.deposit_to_credit_ms = millis(started);
        let report = &mut self.told.report.cardano.deposit;
        report.tx = text(&tenant, "tx")?;
        report.lovelace = number(&tenant, "lovelace")?;
        report.depth_at_credit = number(&tenant, "depth_at_credit")?;
        self.note_transaction("deposit, tenant", &text(&tenant, "tx")?)?;
        self.note_transaction("deposit, owner", &text(&owner, "tx")?)?;
        let depth = self.told.report.cardano.deposit.depth_at_credit;
        self.stage
            .done("deposits", &format!("credited {depth} blocks deep"));
        Ok(())
    }

    /// 5. A deposit that a fork takes away before it is deep: its input is spent otherwise on the chain that wins.
    pub(super) fn lost_deposit(&mut self) -> Outcome<()> {
        self.stage.chapter();
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
        let other = text(&other, "cbor")?;
        let lost = self.lost.clone();
        let tenant = &self.tenant;
        let mut depth = 0;
        self.stage
            .running
            .wait_until("the deposit is in a block", PATIENCE, || {
                let shown = tenant.does(&["devnet", "tx", &lost, "--data", &devnet]);
                depth = shown
                    .ok()
                    .and_then(|shown| shown["depth"].as_u64())
                    .unwrap_or(0);
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
        self.stage
            .running
            .wait_until("the tenant's wallet sees the fork", PATIENCE, || {
                let shown = tenant.does(&["wallet", "funds", "--deployment", &deployment]);
                state = shown
                    .ok()
                    .and_then(|funds| deposit_state(&funds, &lost))
                    .unwrap_or_default();
                state == "lost"
            })?;
        self.told.report.cardano.rolled_back_deposit.tx = self.lost.clone();
        self.stage.done(
            "lost deposit",
            &format!("{LOST_DEPOSIT} gone with a fork; wallet: {state}"),
        );
        Ok(())
    }
}
