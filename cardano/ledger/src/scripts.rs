//! Which scripts a transaction must run, and where they are.

use super::address::Credential;
use super::rules::inputs::Resolved;
use super::script::{Script, ScriptHash};
use super::tx::{Body, RedeemerKey, RedeemerTag, Transaction, TxIn};
use super::value::PolicyId;
use std::collections::BTreeMap;

/// What a script is asked for. Certificates, withdrawals, votes and proposals will join when their fields are checked.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Purpose {
    /// Spending an output that it locks.
    Spend(TxIn),
    /// Minting or burning under its policy.
    Mint(PolicyId),
}

/// A script that must run (Conway formal specification, `scriptsNeeded`).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Need {
    /// Its redeemer, if it is a Plutus script.
    pub(crate) key: RedeemerKey,
    /// What for.
    pub(crate) purpose: Purpose,
    /// Which script.
    pub(crate) hash: ScriptHash,
}

/// The scripts a transaction must run, in the order of their redeemers.
pub(crate) fn needs(body: &Body<'_>, resolved: &Resolved<'_>) -> Vec<Need> {
    let spends = (0..).zip(&body.inputs).filter_map(|(index, input)| {
        match resolved.get(input)?.address.payment()? {
            Credential::Script(hash) => {
                let key = RedeemerKey {
                    tag: RedeemerTag::Spend,
                    index,
                };
                Some(Need {
                    key,
                    purpose: Purpose::Spend(*input),
                    hash,
                })
            }
            Credential::Key(_) => None,
        }
    });
    let mints = (0..).zip(body.mint.keys()).map(|(index, policy)| {
        let key = RedeemerKey {
            tag: RedeemerTag::Mint,
            index,
        };
        Need {
            key,
            purpose: Purpose::Mint(*policy),
            hash: *policy,
        }
    });
    spends.chain(mints).collect()
}

/// The scripts at hand.
#[derive(Debug, Clone, Default)]
pub(crate) struct Available<'a> {
    /// In the witness set.
    pub(crate) witnessed: BTreeMap<ScriptHash, Script<'a>>,
    /// On outputs that are spent or referred to.
    pub(crate) referenced: BTreeMap<ScriptHash, Script<'a>>,
}

impl<'a> Available<'a> {
    pub(crate) fn of(tx: &Transaction<'a>, resolved: &Resolved<'a>) -> Self {
        let used = tx.body.inputs.union(&tx.body.reference_inputs);
        let referenced = used.filter_map(|input| resolved.get(input)?.script);
        Self {
            witnessed: tx
                .witnesses
                .scripts
                .iter()
                .map(|script| (script.hash(), *script))
                .collect(),
            referenced: referenced.map(|script| (script.hash(), script)).collect(),
        }
    }

    pub(crate) fn get(&self, hash: &ScriptHash) -> Option<Script<'a>> {
        self.witnessed
            .get(hash)
            .or_else(|| self.referenced.get(hash))
            .copied()
    }
}
