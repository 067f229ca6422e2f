//! Governance as far as transactions touch it (CIP-1694; Conway ledger, `VState` and `Proposals`): DReps, the committee, proposals and the
//! votes on them. Nothing is counted or enacted here.

#[cfg(test)]
mod transactions;
mod view;

pub(crate) use view::{GovernanceChanges, GovernanceView};

use super::address::Credential;
use super::parameters::ProtocolVersion;
use super::script::ScriptHash;
use super::tx::{Action, ActionId, Anchor, Ballot, Voter};
use std::collections::{BTreeMap, BTreeSet};

/// A document elsewhere, kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Document {
    /// Where it is said to be.
    pub url: String,
    /// blake2b-256 of it.
    pub hash: [u8; 32],
}

/// A registered DRep.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Representative {
    /// What was put down at its registration, and comes back at its end.
    pub deposit_lovelace: u64,
    /// The last epoch in which it counts as active, if no more dormant epochs are to be added.
    pub active_until_epoch: u64,
    /// What it stands for.
    pub anchor: Option<Document>,
}

/// What a committee member has said of its votes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Authorization {
    /// Who votes for it.
    Hot(Credential),
    /// That it votes no more.
    Resigned(Option<Document>),
}

/// Actions that each follow the one enacted or proposed before it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Lineage {
    /// Changes of parameters.
    Parameters,
    /// Versions of the protocol.
    HardFork,
    /// Committees, and no confidence in them.
    Committee,
    /// Constitutions.
    Constitution,
}

/// What the rules look at in an action.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ActionKind {
    /// Other parameters.
    ParameterChange {
        /// Whether one is among them that pools have a say in.
        touches_security_group: bool,
    },
    /// Another version of the protocol.
    HardFork(ProtocolVersion),
    /// Lovelace of the treasury.
    TreasuryWithdrawals,
    /// No confidence in the committee.
    NoConfidence,
    /// Another committee.
    UpdateCommittee {
        /// Who comes.
        added: BTreeSet<Credential>,
    },
    /// Another constitution.
    NewConstitution,
    /// Nothing but an opinion.
    Information,
}

/// A proposal that is neither enacted nor dropped.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OpenProposal {
    /// What is proposed, as far as the rules look at it.
    pub kind: ActionKind,
    /// What was put down, and comes back.
    pub deposit_lovelace: u64,
    /// The epoch of the block that it came in.
    pub proposed_in_epoch: u64,
    /// The last epoch in which votes on it count.
    pub expires_after_epoch: u64,
    /// The proposal as it came; empty where a state was loaded that does not keep it.
    pub raw: Vec<u8>,
}

/// The state of governance.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Governance {
    /// The registered DReps.
    pub dreps: BTreeMap<Credential, Representative>,
    /// The committee's members, by cold credential, and the last epochs of their terms.
    pub terms: BTreeMap<Credential, u64>,
    /// What members, past and to come ones among them, have said of their votes, by cold credential.
    pub authorizations: BTreeMap<Credential, Authorization>,
    /// The open proposals.
    pub proposals: BTreeMap<ActionId, OpenProposal>,
    /// The votes on them.
    pub votes: BTreeMap<(ActionId, Voter), Ballot>,
    /// The action last enacted of each lineage.
    pub enacted: BTreeMap<Lineage, ActionId>,
    /// The script of the constitution.
    pub guardrails: Option<ScriptHash>,
    /// How many epochs have gone by without anything to vote on, and are not added to the DReps' yet.
    pub dormant_epochs: u64,
}

impl Governance {
    /// What the ledger holds in deposits of DReps and proposals, in lovelace.
    pub fn held_lovelace(&self) -> u128 {
        let dreps = self.dreps.values().map(|drep| drep.deposit_lovelace);
        let proposals = self
            .proposals
            .values()
            .map(|proposal| proposal.deposit_lovelace);
        dreps.chain(proposals).map(u128::from).sum()
    }
}

impl Document {
    /// What an anchor says, kept.
    pub fn of(anchor: &Anchor<'_>) -> Self {
        Self {
            url: anchor.url.to_owned(),
            hash: *anchor.hash,
        }
    }
}

impl ActionKind {
    /// The lineage that actions of this kind belong to.
    pub fn lineage(&self) -> Option<Lineage> {
        match self {
            Self::ParameterChange { .. } => Some(Lineage::Parameters),
            Self::HardFork(_) => Some(Lineage::HardFork),
            Self::NoConfidence | Self::UpdateCommittee { .. } => Some(Lineage::Committee),
            Self::NewConstitution => Some(Lineage::Constitution),
            Self::TreasuryWithdrawals | Self::Information => None,
        }
    }
}

impl From<&Action<'_>> for ActionKind {
    fn from(action: &Action<'_>) -> Self {
        match action {
            Action::ParameterChange { update, .. } => Self::ParameterChange {
                touches_security_group: update.touches_security_group(),
            },
            Action::HardFork { version, .. } => Self::HardFork(*version),
            Action::TreasuryWithdrawals { .. } => Self::TreasuryWithdrawals,
            Action::NoConfidence { .. } => Self::NoConfidence,
            Action::UpdateCommittee { added, .. } => Self::UpdateCommittee {
                added: added.keys().copied().collect(),
            },
            Action::NewConstitution { .. } => Self::NewConstitution,
            Action::Information => Self::Information,
        }
    }
}
