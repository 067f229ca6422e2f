//! What certificates, withdrawals, votes and proposals change of the state (Conway ledger, `CertState`), beside the unspent outputs.

use super::address::Credential;
use super::delegation::{Delegation, DelegationChanges, DelegationView};
use super::governance::{Governance, GovernanceChanges, GovernanceView};

/// The state that is not in outputs and pots.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct CertState {
    /// Accounts and pools.
    pub delegation: Delegation,
    /// DReps, the committee, proposals and votes.
    pub governance: Governance,
}

impl CertState {
    /// What the ledger holds in deposits and rewards, in lovelace.
    pub fn held_lovelace(&self) -> u128 {
        self.delegation.held_lovelace() + self.governance.held_lovelace()
    }
}

/// What a transaction changes of it; its own undo.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) struct Changes {
    delegation: DelegationChanges,
    governance: GovernanceChanges,
}

impl Changes {
    /// Whether what changes is as it was when the changes were thought out.
    pub(crate) fn fit(&self, state: &CertState) -> bool {
        self.delegation.fit(&state.delegation) && self.governance.fit(&state.governance)
    }

    /// Makes the changes.
    pub(crate) fn make(&self, state: &mut CertState) {
        self.delegation.make(&mut state.delegation);
        self.governance.make(&mut state.governance);
    }

    /// Takes the changes back.
    pub(crate) fn take_back(self, state: &mut CertState) {
        self.delegation.take_back(&mut state.delegation);
        self.governance.take_back(&mut state.governance);
    }

    /// These changes and then others, as one.
    pub(crate) fn then(self, later: Self) -> Self {
        Self {
            delegation: self.delegation.then(later.delegation),
            governance: self.governance.then(later.governance),
        }
    }
}

/// The state as it is after the changes thought out so far: what the next certificate is judged against.
#[derive(Debug)]
pub(crate) struct View<'a> {
    /// Accounts and pools.
    pub(crate) delegation: DelegationView<'a>,
    /// DReps, the committee, proposals and votes.
    pub(crate) governance: GovernanceView<'a>,
}

impl<'a> View<'a> {
    pub(crate) fn of(state: &'a CertState) -> Self {
        Self {
            delegation: DelegationView::of(&state.delegation),
            governance: GovernanceView::of(&state.governance),
        }
    }

    /// Whether stake may be delegated to a DRep.
    pub(crate) fn is_drep_registered(&self, credential: &Credential) -> bool {
        self.governance.drep(credential).is_some()
    }

    pub(crate) fn into_changes(self) -> Changes {
        Changes {
            delegation: self.delegation.into_changes(),
            governance: self.governance.into_changes(),
        }
    }
}
