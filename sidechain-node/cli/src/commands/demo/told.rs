//! What came of the story.

use super::report::{Costs, Report};
use crate::error::{CliError, Exit, Outcome};

/// What one person has, in lovelace.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Funds {
    /// In their Cardano wallet.
    pub(super) cardano: u64,
    /// Their balance on the sidechain.
    pub(super) sidechain: u64,
    /// Theirs, in bonds, escrows and withdrawals.
    pub(super) held: u64,
}

/// A Cardano transaction of the story.
pub(super) struct CardanoTransaction {
    pub(super) what: &'static str,
    pub(super) id: String,
    pub(super) costs: Costs,
}

/// What came of it.
#[derive(Default)]
pub(super) struct Told {
    pub(super) report: Report,
    pub(super) api_urls: Vec<String>,
    /// Name, before, after.
    pub(super) people: Vec<(&'static str, Funds, Funds)>,
    pub(super) pots_lovelace: u64,
    pub(super) transactions: Vec<CardanoTransaction>,
    pub(super) deposit_to_credit_ms: u64,
    /// Credited, paid out and held, in lovelace.
    pub(super) books: [u64; 3],
    /// The vault with what is on its way into it, and what is owed, in lovelace.
    pub(super) vault: [u64; 2],
}

impl Told {
    /// Fails unless everything that the story promises came true.
    pub(super) fn check(&self) -> Outcome<()> {
        let Report {
            network,
            cardano,
            lease,
            invariants,
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
