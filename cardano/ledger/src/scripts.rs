//! Which scripts a transaction must run, and where they are.

use super::address::Credential;
use super::rules::inputs::Resolved;
use super::script::{Script, ScriptHash};
use super::tx::{Body, RedeemerKey, RedeemerTag, RewardAccount, Transaction, TxIn, Voter};
use super::value::PolicyId;
use std::collections::BTreeMap;

/// What a script is asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Purpose {
    /// Spending an output that it locks.
    Spend(TxIn),
    /// Minting or burning under its policy.
    Mint(PolicyId),
    /// A certificate, by its number in the body.
    Certify(u32),
    /// A withdrawal.
    Reward(RewardAccount),
    /// A voter's votes.
    Vote(Voter),
    /// A proposal, by its number in the body.
    Propose(u32),
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
        let payment = resolved.get(input)?.address.payment();
        guarded(RedeemerTag::Spend, index, Purpose::Spend(*input), payment)
    });
    let mints = (0..).zip(body.mint.keys()).filter_map(|(index, policy)| {
        let script = Some(Credential::Script(*policy));
        guarded(RedeemerTag::Mint, index, Purpose::Mint(*policy), script)
    });
    let certificates = (0..)
        .zip(&body.certificates)
        .filter_map(|(index, certificate)| {
            let authority = certificate.authority();
            guarded(
                RedeemerTag::Certify,
                index,
                Purpose::Certify(index),
                authority,
            )
        });
    let withdrawals = (0..)
        .zip(body.withdrawals.keys())
        .filter_map(|(index, account)| {
            let whose = Some(account.credential);
            guarded(RedeemerTag::Reward, index, Purpose::Reward(*account), whose)
        });
    let votes = (0..).zip(body.votes.keys()).filter_map(|(index, voter)| {
        let whose = Some(voter.credential());
        guarded(RedeemerTag::Vote, index, Purpose::Vote(*voter), whose)
    });
    let proposals = (0..).zip(&body.proposals).filter_map(|(index, proposal)| {
        let script = proposal.action.guardrails().map(Credential::Script);
        guarded(RedeemerTag::Propose, index, Purpose::Propose(index), script)
    });
    spends
        .chain(mints)
        .chain(certificates)
        .chain(withdrawals)
        .chain(votes)
        .chain(proposals)
        .collect()
}

/// The need of a script, if one guards the `index`-th thing of a kind.
fn guarded(
    tag: RedeemerTag,
    index: u32,
    purpose: Purpose,
    guard: Option<Credential>,
) -> Option<Need> {
    match guard? {
        Credential::Script(hash) => Some(Need {
            key: RedeemerKey { tag, index },
            purpose,
            hash,
        }),
        Credential::Key(_) => None,
    }
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tx::{Action, ActionId, Anchor, Ballot, Certificate, Proposal, Vote};

    const KEY: Credential = Credential::Key([1; 28]);
    const SCRIPT: Credential = Credential::Script([2; 28]);

    fn unregister(credential: Credential) -> Certificate<'static> {
        Certificate::Unregister {
            credential,
            refund_lovelace: None,
        }
    }

    fn account(credential: Credential) -> RewardAccount {
        RewardAccount {
            network: 0,
            credential,
        }
    }

    #[test]
    fn redeemers_count_all_certificates_and_all_withdrawals_in_their_order() {
        let registered = Certificate::Register {
            credential: SCRIPT,
            deposit_lovelace: None,
        };
        let later = Credential::Script([3; 28]);
        let body = Body {
            certificates: vec![registered, unregister(KEY), unregister(SCRIPT)],
            withdrawals: BTreeMap::from([
                (account(KEY), 0),
                (account(later), 0),
                (account(SCRIPT), 0),
            ]),
            ..Body::default()
        };
        let found: Vec<_> = needs(&body, &Resolved::new())
            .into_iter()
            .map(|need| (need.key.tag, need.key.index, need.purpose, need.hash))
            .collect();
        let reward = |index, credential, hash| {
            (
                RedeemerTag::Reward,
                index,
                Purpose::Reward(account(credential)),
                hash,
            )
        };
        // The old registration needs nobody; scripts' accounts come before keys'.
        let expected = [
            (RedeemerTag::Certify, 2, Purpose::Certify(2), [2; 28]),
            reward(0, SCRIPT, [2; 28]),
            reward(1, later, [3; 28]),
        ];
        assert_eq!(found, expected);
    }

    #[test]
    fn voters_and_guardrails_are_counted_among_all_votes_and_proposals() {
        let action = ActionId {
            tx_id: [4; 32],
            index: 0,
        };
        let vote = Vote {
            ballot: Ballot::Yes,
            anchor: None,
        };
        let voters = [
            Voter::Committee(KEY),
            Voter::DRep(SCRIPT),
            Voter::Pool([5; 28]),
        ];
        let propose = |action| Proposal {
            deposit_lovelace: 0,
            return_account: account(KEY),
            action,
            anchor: Anchor {
                url: "u",
                hash: &[9; 32],
            },
            raw: &[],
        };
        let withdraw = Action::TreasuryWithdrawals {
            withdrawals: BTreeMap::new(),
            guardrails: Some([6; 28]),
        };
        let body = Body {
            votes: voters
                .map(|voter| (voter, BTreeMap::from([(action, vote)])))
                .into(),
            proposals: vec![propose(Action::Information), propose(withdraw)],
            ..Body::default()
        };
        let found: Vec<_> = needs(&body, &Resolved::new())
            .into_iter()
            .map(|need| (need.key.tag, need.key.index, need.purpose, need.hash))
            .collect();
        let expected = [
            (RedeemerTag::Vote, 1, Purpose::Vote(voters[1]), [2; 28]),
            (RedeemerTag::Propose, 1, Purpose::Propose(1), [6; 28]),
        ];
        assert_eq!(found, expected);
    }
}
