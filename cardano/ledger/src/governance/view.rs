//! What a transaction changes of governance, thought out before it is made, and taken back.

use super::{ActionKind, Authorization, Governance, Lineage, OpenProposal, Representative};
use crate::address::Credential;
use crate::delta::Delta;
use crate::tx::{ActionId, Ballot, Voter};

/// What a transaction changes of governance; its own undo.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) struct GovernanceChanges {
    dreps: Delta<Credential, Representative>,
    authorizations: Delta<Credential, Authorization>,
    proposals: Delta<ActionId, OpenProposal>,
    votes: Delta<(ActionId, Voter), Ballot>,
    dormant_epochs: Option<Figure>,
}

/// A number before and after.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Figure {
    before: u64,
    after: u64,
}

impl GovernanceChanges {
    /// Whether what changes is as it was when the changes were thought out.
    pub(crate) fn fit(&self, state: &Governance) -> bool {
        self.dreps.fits(&state.dreps)
            && self.authorizations.fits(&state.authorizations)
            && self.proposals.fits(&state.proposals)
            && self.votes.fits(&state.votes)
            && self
                .dormant_epochs
                .is_none_or(|figure| figure.before == state.dormant_epochs)
    }

    /// Makes the changes.
    pub(crate) fn make(&self, state: &mut Governance) {
        self.dreps.make(&mut state.dreps);
        self.authorizations.make(&mut state.authorizations);
        self.proposals.make(&mut state.proposals);
        self.votes.make(&mut state.votes);
        if let Some(figure) = self.dormant_epochs {
            state.dormant_epochs = figure.after;
        }
    }

    /// Takes the changes back.
    pub(crate) fn take_back(self, state: &mut Governance) {
        self.dreps.take_back(&mut state.dreps);
        self.authorizations.take_back(&mut state.authorizations);
        self.proposals.take_back(&mut state.proposals);
        self.votes.take_back(&mut state.votes);
        if let Some(figure) = self.dormant_epochs {
            state.dormant_epochs = figure.before;
        }
    }

    /// These changes and then others, as one.
    pub(crate) fn then(self, later: Self) -> Self {
        Self {
            dreps: self.dreps.then(later.dreps),
            authorizations: self.authorizations.then(later.authorizations),
            proposals: self.proposals.then(later.proposals),
            votes: self.votes.then(later.votes),
            dormant_epochs: match (self.dormant_epochs, later.dormant_epochs) {
                (Some(first), Some(second)) => Some(Figure {
                    before: first.before,
                    after: second.after,
                }),
                (first, second) => second.or(first),
            },
        }
    }
}

/// Governance as it is after the changes thought out so far.
#[derive(Debug)]
pub(crate) struct GovernanceView<'a> {
    /// As it was before the transaction.
    pub(crate) state: &'a Governance,
    changes: GovernanceChanges,
}

impl<'a> GovernanceView<'a> {
    pub(crate) fn of(state: &'a Governance) -> Self {
        Self {
            state,
            changes: GovernanceChanges::default(),
        }
    }

    pub(crate) fn into_changes(self) -> GovernanceChanges {
        self.changes
    }

    pub(crate) fn drep(&self, credential: &Credential) -> Option<&Representative> {
        self.changes.dreps.get(&self.state.dreps, credential)
    }

    /// Sets or (with nothing) removes a DRep.
    pub(crate) fn set_drep(&mut self, credential: Credential, drep: Option<Representative>) {
        self.changes.dreps.set(&self.state.dreps, credential, drep);
    }

    /// Whether a cold credential is a member's, or may become one by an open proposal of an earlier transaction.
    pub(crate) fn is_committee_known(&self, cold: &Credential) -> bool {
        let may_come = |proposal: &OpenProposal| match &proposal.kind {
            ActionKind::UpdateCommittee { added } => added.contains(cold),
            _ => false,
        };
        self.state.terms.contains_key(cold) || self.state.proposals.values().any(may_come)
    }

    pub(crate) fn authorization(&self, cold: &Credential) -> Option<&Authorization> {
        self.changes
            .authorizations
            .get(&self.state.authorizations, cold)
    }

    pub(crate) fn set_authorization(&mut self, cold: Credential, authorization: Authorization) {
        self.changes
            .authorizations
            .set(&self.state.authorizations, cold, Some(authorization));
    }

    /// The cold credentials of those for whom `hot` votes.
    pub(crate) fn authorized_by<'v>(
        &'v self,
        hot: &'v Credential,
    ) -> impl Iterator<Item = &'v Credential> {
        let before = self.state.authorizations.keys();
        let colds = before.chain(self.changes.authorizations.keys());
        colds.filter(move |cold| self.authorization(cold) == Some(&Authorization::Hot(*hot)))
    }

    pub(crate) fn enacted(&self, lineage: Lineage) -> Option<ActionId> {
        self.state.enacted.get(&lineage).copied()
    }

    pub(crate) fn proposal(&self, id: &ActionId) -> Option<&OpenProposal> {
        self.changes.proposals.get(&self.state.proposals, id)
    }

    pub(crate) fn add_proposal(&mut self, id: ActionId, proposal: OpenProposal) {
        self.changes
            .proposals
            .set(&self.state.proposals, id, Some(proposal));
    }

    pub(crate) fn vote(&mut self, action: ActionId, voter: Voter, ballot: Ballot) {
        self.changes
            .votes
            .set(&self.state.votes, (action, voter), Some(ballot));
    }

    /// Takes back all earlier votes of a DRep that is none any more (Conway ledger, rule GOV, `cleanupProposalVotes`).
    pub(crate) fn forget_votes_of(&mut self, drep: Credential) {
        let of_drep = |(_, voter): &&(ActionId, Voter)| *voter == Voter::DRep(drep);
        for key in self.state.votes.keys().filter(of_drep) {
            self.changes.votes.set(&self.state.votes, *key, None);
        }
    }

    /// Epochs without anything to vote on that are not added to the DReps' yet.
    pub(crate) fn dormant_epochs(&self) -> u64 {
        self.changes
            .dormant_epochs
            .map_or(self.state.dormant_epochs, |figure| figure.after)
    }

    /// Something is to be voted on again: adds the dormant epochs to every DRep that is active with them.
    ///
    /// Source: Conway ledger, rule CERTS, `updateDormantDRepExpiries`.
    pub(crate) fn end_dormancy(&mut self, current_epoch: u64) {
        let dormant = self.dormant_epochs();
        if dormant == 0 {
            return;
        }
        for (credential, drep) in &self.state.dreps {
            let active_until_epoch = drep.active_until_epoch.saturating_add(dormant);
            if active_until_epoch >= current_epoch {
                let drep = Representative {
                    active_until_epoch,
                    ..drep.clone()
                };
                self.changes
                    .dreps
                    .set(&self.state.dreps, *credential, Some(drep));
            }
        }
        self.changes.dormant_epochs = Some(Figure {
            before: self.state.dormant_epochs,
            after: 0,
        });
    }

    /// The last epoch in which a DRep is active that does something now; dormant epochs will be added later.
    ///
    /// Source: Conway ledger, rule GOVCERT, `computeDRepExpiry`.
    pub(crate) fn active_until(&self, current_epoch: u64, max_idle_epochs: u64) -> u64 {
        current_epoch
            .saturating_add(max_idle_epochs)
            .saturating_sub(self.dormant_epochs())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeMap;

    const ALICE: Credential = Credential::Key([1; 28]);
    const BOB: Credential = Credential::Script([2; 28]);
    const ACTION: ActionId = ActionId {
        tx_id: [3; 32],
        index: 0,
    };

    fn drep(active_until_epoch: u64) -> Representative {
        Representative {
            deposit_lovelace: 5,
            active_until_epoch,
            anchor: None,
        }
    }

    fn proposal() -> OpenProposal {
        OpenProposal {
            kind: ActionKind::Information,
            deposit_lovelace: 7,
            proposed_in_epoch: 1,
            expires_after_epoch: 6,
            raw: Vec::new(),
        }
    }

    fn state() -> Governance {
        Governance {
            dreps: BTreeMap::from([(ALICE, drep(20)), (BOB, drep(4))]),
            authorizations: BTreeMap::from([(ALICE, Authorization::Hot(BOB))]),
            proposals: BTreeMap::from([(ACTION, proposal())]),
            votes: BTreeMap::from([
                ((ACTION, Voter::DRep(ALICE)), Ballot::Yes),
                ((ACTION, Voter::Committee(ALICE)), Ballot::No),
            ]),
            dormant_epochs: 3,
            ..Governance::default()
        }
    }

    #[test]
    fn every_change_is_seen_made_and_taken_back() {
        let start = state();
        let second = ActionId { index: 1, ..ACTION };
        let mut view = GovernanceView::of(&start);
        view.end_dormancy(9);
        view.set_drep(BOB, None);
        view.set_authorization(ALICE, Authorization::Resigned(None));
        view.add_proposal(second, proposal());
        view.vote(second, Voter::DRep(ALICE), Ballot::Abstain);
        view.forget_votes_of(ALICE);
        assert_eq!((view.drep(&BOB), view.dormant_epochs()), (None, 0));
        assert_eq!(view.proposal(&second), Some(&proposal()));
        let changes = view.into_changes();
        let mut end = start.clone();
        assert!(changes.fit(&end));
        changes.make(&mut end);
        let expected = Governance {
            dreps: BTreeMap::from([(ALICE, drep(23))]),
            authorizations: BTreeMap::from([(ALICE, Authorization::Resigned(None))]),
            proposals: BTreeMap::from([(ACTION, proposal()), (second, proposal())]),
            votes: BTreeMap::from([
                ((ACTION, Voter::Committee(ALICE)), Ballot::No),
                ((second, Voter::DRep(ALICE)), Ballot::Abstain),
            ]),
            dormant_epochs: 0,
            ..Governance::default()
        };
        assert_eq!(end, expected);
        assert_eq!(end.held_lovelace(), 19);
        assert!(!changes.fit(&end));
        changes.take_back(&mut end);
        assert_eq!(end, start);
    }

    #[test]
    fn changes_one_after_the_other_are_taken_back_as_one() {
        let start = state();
        let mut middle = start.clone();
        let mut view = GovernanceView::of(&start);
        view.end_dormancy(9);
        let first = view.into_changes();
        first.make(&mut middle);
        let mut end = middle.clone();
        let mut view = GovernanceView::of(&middle);
        view.set_drep(ALICE, None);
        let second = view.into_changes();
        second.make(&mut end);
        first.then(second).take_back(&mut end);
        assert_eq!(end, start);
    }

    #[test]
    fn dormant_epochs_revive_only_whom_they_bring_to_the_present() {
        let start = state();
        for (current_epoch, until) in [(7, 7), (8, 4)] {
            let mut view = GovernanceView::of(&start);
            view.end_dormancy(current_epoch);
            let found = view.drep(&BOB).map(|drep| drep.active_until_epoch);
            assert_eq!(found, Some(until), "{current_epoch}");
        }
    }

    #[test]
    fn dormant_epochs_are_left_out_of_what_a_drep_gets_now() {
        let start = state();
        let mut view = GovernanceView::of(&start);
        assert_eq!(view.active_until(10, 20), 27);
        view.end_dormancy(10);
        assert_eq!(view.active_until(10, 20), 30);
    }

    #[test]
    fn a_hot_credential_is_found_until_another_takes_its_place() {
        let start = state();
        let mut view = GovernanceView::of(&start);
        assert_eq!(view.authorized_by(&BOB).collect::<Vec<_>>(), [&ALICE]);
        view.set_authorization(ALICE, Authorization::Hot(ALICE));
        assert_eq!(view.authorized_by(&BOB).count(), 0);
        assert!(view.authorized_by(&ALICE).all(|cold| *cold == ALICE));
        view.set_authorization(BOB, Authorization::Hot(BOB));
        assert_eq!(view.authorized_by(&BOB).collect::<Vec<_>>(), [&BOB]);
    }
}
