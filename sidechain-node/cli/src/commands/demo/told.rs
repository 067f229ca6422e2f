//! What came of the story.

use super::report::Report;
use crate::error::{CliError, Exit, Outcome};

/// What came of it.
#[derive(Default)]
pub(super) struct Told {
    pub(super) report: Report,
    pub(super) api_urls: Vec<String>,
    pub(super) deposit_to_credit_ms: u64,
    /// What the sidechain owes, in lovelace.
    pub(super) owed: u64,
}

impl Told {
    /// Fails unless everything that the story promises came true.
    pub(super) fn check(&self) -> Outcome<()> {
        let Report {
            network,
            cardano,
            lease,
            invariants,
            sidechain,
            ..
        } = &self.report;
        let promises = [
            (network.all_agree, "the validators agree"),
            (
                !cardano.rolled_back_deposit.credited,
                "a deposit lost to a fork is not credited",
            ),
            (cardano.anchor.signers >= 3, "three of four sign the anchor"),
            (lease.paid_lovelace > 0, "the owner is paid"),
            (cardano.payout.count == 1, "a withdrawal is paid once"),
            (
                sidechain.lost.is_empty(),
                "what somebody was told is final is on every validator",
            ),
            (invariants.conservation, "conservation"),
            (invariants.solvency, "solvency"),
        ];
        match promises.iter().find(|(holds, _)| !holds) {
            None => Ok(()),
            Some((_, promise)) => {
                let what = format!("this does not hold: {promise}");
                Err(CliError::new(Exit::CheckFailed, what).next("the logs tell more"))
            }
        }
    }
}
