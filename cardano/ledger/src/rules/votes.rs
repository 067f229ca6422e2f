//! Votes are cast by those who have one, on actions that are open, and that they have a say in.
//!
//! Source: Conway formal specification, rule GOV (`GOV-Vote`, `canVote`);
//! <https://intersectmbo.github.io/formal-ledger-specifications/site/Ledger.Conway.Specification.Gov.html>. The order of the checks is that of
//! the Haskell ledger's `conwayGovTransition`.

use super::RuleError;
use super::certificates::Circumstances;
use crate::address::Credential;
use crate::certs::View;
use crate::governance::{ActionKind, Representative};
use crate::tx::{ActionId, Voter, Votes};
use nupeer_primitives::{Code, Numbered};
use thiserror::Error;

/// From this protocol version on a committee member votes only while it is elected.
const ELECTED_ONLY_VERSION: u16 = 11;

/// Why a transaction's votes are refused.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum VotesError {
    /// Voters that are neither registered nor authorized.
    #[error("{voters:?} have no vote")]
    UnknownVoters {
        /// The voters at fault.
        voters: Vec<Voter>,
    },
    /// Actions that are not open.
    #[error("the actions {actions:?} do not exist")]
    UnknownActions {
        /// The actions at fault.
        actions: Vec<ActionId>,
    },
    /// Votes on actions that have expired.
    #[error("the votes {votes:?} come too late, in epoch {current_epoch}")]
    Expired {
        /// The votes at fault, each with the last epoch in which it would have counted.
        votes: Vec<(Voter, ActionId, u64)>,
        /// The epoch of the slot.
        current_epoch: u64,
    },
    /// Votes by those who have no say in such actions.
    #[error("the votes {votes:?} are not for such voters")]
    Disallowed {
        /// The votes at fault.
        votes: Vec<(Voter, ActionId)>,
    },
    /// Votes of committee members that are not elected.
    #[error("the committee members who vote by {hot:?} are not elected")]
    Unelected {
        /// The hot credentials.
        hot: Vec<Credential>,
    },
}

impl Numbered for VotesError {
    fn code(&self) -> Code {
        Code(match self {
            Self::UnknownVoters { .. } => 7470,
            Self::UnknownActions { .. } => 7471,
            Self::Expired { .. } => 7472,
            Self::Disallowed { .. } => 7473,
            Self::Unelected { .. } => 7474,
        })
    }
}

impl RuleError for VotesError {
    fn predicate_name(&self) -> &'static str {
        match self {
            Self::UnknownVoters { .. } => "VotersDoNotExist",
            Self::UnknownActions { .. } => "GovActionsDoNotExist",
            Self::Expired { .. } => "VotingOnExpiredGovAction",
            Self::Disallowed { .. } => "DisallowedVoters",
            Self::Unelected { .. } => "UnelectedCommitteeVoters",
        }
    }
}

/// Something is to be voted on, or is voted on: keeps DReps active. Comes before the certificates.
///
/// Source: Conway ledger, rule CERTS, `updateDormantDRepExpiries` and `updateVotingDRepExpiries`.
pub(crate) fn keep_dreps_active(
    votes: &Votes<'_>,
    has_proposals: bool,
    circumstances: Circumstances<'_>,
    view: &mut View<'_>,
) {
    let governance = &mut view.governance;
    if has_proposals {
        governance.end_dormancy(circumstances.epoch);
    }
    let max_idle_epochs = circumstances.parameters.drep_max_idle_epochs;
    let active_until_epoch = governance.active_until(circumstances.epoch, max_idle_epochs);
    for voter in votes.keys() {
        let Voter::DRep(credential) = voter else {
            continue;
        };
        if let Some(drep) = governance.drep(credential).cloned() {
            let drep = Representative {
                active_until_epoch,
                ..drep
            };
            governance.set_drep(*credential, Some(drep));
        }
    }
}

/// Casts the votes of a transaction; its own proposals are among the actions.
pub(crate) fn check(
    votes: &Votes<'_>,
    circumstances: Circumstances<'_>,
    view: &mut View<'_>,
) -> Result<(), VotesError> {
    if circumstances.parameters.protocol_version.major >= ELECTED_ONLY_VERSION {
        check_elected(votes, view)?;
    }
    check_voters(votes, view)?;
    check_actions(votes, circumstances.epoch, view)?;
    for (voter, ballots) in votes {
        for (action, vote) in ballots {
            view.governance.vote(*action, *voter, vote.ballot);
        }
    }
    Ok(())
}

fn check_elected(votes: &Votes<'_>, view: &View<'_>) -> Result<(), VotesError> {
    let is_elected = |hot: &Credential| {
        let terms = &view.governance.state.terms;
        let mut colds = view.governance.authorized_by(hot);
        colds.any(|cold| terms.contains_key(cold))
    };
    let hot: Vec<Credential> = votes
        .keys()
        .filter_map(|voter| match voter {
            Voter::Committee(hot) if !is_elected(hot) => Some(*hot),
            _ => None,
        })
        .collect();
    if hot.is_empty() {
        Ok(())
    } else {
        Err(VotesError::Unelected { hot })
    }
}

fn check_voters(votes: &Votes<'_>, view: &View<'_>) -> Result<(), VotesError> {
    let is_known = |voter: &Voter| match voter {
        Voter::Committee(hot) => view.governance.authorized_by(hot).next().is_some(),
        Voter::DRep(credential) => view.governance.drep(credential).is_some(),
        Voter::Pool(pool) => view.delegation.is_pool_registered(pool),
    };
    let unknown = votes.keys().filter(|voter| !is_known(voter));
    let voters: Vec<Voter> = unknown.copied().collect();
    if voters.is_empty() {
        Ok(())
    } else {
        Err(VotesError::UnknownVoters { voters })
    }
}

fn check_actions(votes: &Votes<'_>, current_epoch: u64, view: &View<'_>) -> Result<(), VotesError> {
    let (mut actions, mut late, mut disallowed) = (Vec::new(), Vec::new(), Vec::new());
    let pairs = votes
        .iter()
        .flat_map(|(voter, ballots)| ballots.keys().map(move |action| (*voter, *action)));
    for (voter, action) in pairs {
        match view.governance.proposal(&action) {
            None => actions.push(action),
            Some(open) if open.expires_after_epoch < current_epoch => {
                late.push((voter, action, open.expires_after_epoch));
            }
            Some(open) if !has_a_say(voter, &open.kind) => disallowed.push((voter, action)),
            Some(_) => {}
        }
    }
    if !actions.is_empty() {
        return Err(VotesError::UnknownActions { actions });
    }
    if !late.is_empty() {
        return Err(VotesError::Expired {
            votes: late,
            current_epoch,
        });
    }
    if disallowed.is_empty() {
        Ok(())
    } else {
        Err(VotesError::Disallowed { votes: disallowed })
    }
}

/// Who may vote on what (CIP-1694, the table of thresholds). An opinion is open to all, though it changes nothing.
fn has_a_say(voter: Voter, kind: &ActionKind) -> bool {
    match voter {
        Voter::DRep(_) => true,
        Voter::Committee(_) => !matches!(
            kind,
            ActionKind::NoConfidence | ActionKind::UpdateCommittee { .. }
        ),
        Voter::Pool(_) => match kind {
            ActionKind::ParameterChange {
                touches_security_group,
            } => *touches_security_group,
            ActionKind::HardFork(_)
            | ActionKind::NoConfidence
            | ActionKind::UpdateCommittee { .. }
            | ActionKind::Information => true,
            ActionKind::TreasuryWithdrawals | ActionKind::NewConstitution => false,
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::certs::CertState;
    use crate::governance::{Authorization, OpenProposal};
    use crate::parameters::{ProtocolParameters, ProtocolVersion};
    use crate::testing::pool;
    use crate::tx::{Ballot, Vote};
    use std::collections::{BTreeMap, BTreeSet};

    const COLD: Credential = Credential::Key([1; 28]);
    const HOT: Credential = Credential::Script([2; 28]);
    const DREP: Credential = Credential::Key([3; 28]);
    const POOL: [u8; 28] = [4; 28];
    const EPOCH: u64 = 10;
    const VOTERS: [Voter; 3] = [Voter::Committee(HOT), Voter::DRep(DREP), Voter::Pool(POOL)];

    const fn id(number: u8) -> ActionId {
        ActionId {
            tx_id: [number; 32],
            index: 0,
        }
    }

    fn kinds() -> Vec<ActionKind> {
        let version = ProtocolVersion {
            major: 11,
            minor: 0,
        };
        let added = BTreeSet::new();
        let parameters = |touches_security_group| ActionKind::ParameterChange {
            touches_security_group,
        };
        vec![
            parameters(false),
            parameters(true),
            ActionKind::HardFork(version),
            ActionKind::TreasuryWithdrawals,
            ActionKind::NoConfidence,
            ActionKind::UpdateCommittee { added },
            ActionKind::NewConstitution,
            ActionKind::Information,
        ]
    }

    /// One voter of each kind; the actions 0 to 7, one of each kind, to be voted on through `expires_after_epoch`.
    fn state(expires_after_epoch: u64) -> CertState {
        let mut state = CertState::default();
        let governance = &mut state.governance;
        governance.authorizations = BTreeMap::from([(COLD, Authorization::Hot(HOT))]);
        let drep = Representative {
            deposit_lovelace: 5,
            active_until_epoch: 1,
            anchor: None,
        };
        governance.dreps = BTreeMap::from([(DREP, drep)]);
        for (number, kind) in (0..).zip(kinds()) {
            let open = OpenProposal {
                kind,
                deposit_lovelace: 0,
                proposed_in_epoch: 0,
                expires_after_epoch,
                raw: Vec::new(),
            };
            governance.proposals.insert(id(number), open);
        }
        state.delegation.pools = BTreeMap::from([(POOL, pool(POOL))]);
        state
    }

    fn votes(pairs: &[(Voter, ActionId)]) -> Votes<'static> {
        let mut votes = Votes::new();
        let vote = Vote {
            ballot: Ballot::Yes,
            anchor: None,
        };
        for (voter, action) in pairs {
            votes.entry(*voter).or_default().insert(*action, vote);
        }
        votes
    }

    fn after(
        mut state: CertState,
        major: u16,
        pairs: &[(Voter, ActionId)],
    ) -> Result<CertState, VotesError> {
        let parameters = ProtocolParameters {
            protocol_version: ProtocolVersion { major, minor: 0 },
            drep_max_idle_epochs: 20,
            ..ProtocolParameters::conway_v10()
        };
        let circumstances = Circumstances {
            parameters: &parameters,
            network: 0,
            epoch: EPOCH,
        };
        let before = state.clone();
        let mut view = View::of(&before);
        let votes = votes(pairs);
        keep_dreps_active(&votes, false, circumstances, &mut view);
        check(&votes, circumstances, &mut view)?;
        view.into_changes().make(&mut state);
        Ok(state)
    }

    fn verdict(pairs: &[(Voter, ActionId)]) -> Result<(), VotesError> {
        after(state(EPOCH), 10, pairs).map(|_| ())
    }

    #[test]
    fn votes_are_kept_and_make_a_drep_active() {
        let pairs = VOTERS.map(|voter| (voter, id(7)));
        let after = after(state(EPOCH), 10, &pairs).expect("three votes");
        let kept = VOTERS.map(|voter| ((id(7), voter), Ballot::Yes));
        assert_eq!(after.governance.votes, BTreeMap::from(kept));
        assert_eq!(after.governance.dreps[&DREP].active_until_epoch, 30);
    }

    #[test]
    fn each_has_a_say_in_what_cip_1694_gives_it() {
        let say = |voter: Voter| -> Vec<u8> {
            let mine = (0..8).filter(|number| verdict(&[(voter, id(*number))]) == Ok(()));
            mine.collect()
        };
        assert_eq!(say(VOTERS[0]), [0, 1, 2, 3, 6, 7]);
        assert_eq!(say(VOTERS[1]), [0, 1, 2, 3, 4, 5, 6, 7]);
        assert_eq!(say(VOTERS[2]), [1, 2, 4, 5, 7]);
        let refused = (VOTERS[2], id(0));
        assert_eq!(
            verdict(&[(VOTERS[2], id(1)), refused]),
            Err(VotesError::Disallowed {
                votes: vec![refused]
            })
        );
    }

    #[test]
    fn voters_must_be_registered_or_authorized() {
        let nobody = [
            // A member votes by its hot credential alone.
            Voter::Committee(COLD),
            Voter::DRep(HOT),
            Voter::Pool([9; 28]),
        ];
        for voter in nobody {
            let error = VotesError::UnknownVoters {
                voters: vec![voter],
            };
            let pairs = [(VOTERS[0], id(7)), (voter, id(7))];
            assert_eq!(verdict(&pairs), Err(error));
        }
    }

    #[test]
    fn actions_must_be_open() {
        let pairs = [(VOTERS[1], id(7)), (VOTERS[1], id(9))];
        let error = VotesError::UnknownActions {
            actions: vec![id(9)],
        };
        assert_eq!(verdict(&pairs), Err(error));
    }

    #[test]
    fn votes_count_through_the_last_epoch_and_no_longer() {
        let pair = (VOTERS[1], id(7));
        assert!(after(state(EPOCH), 10, &[pair]).is_ok());
        let error = VotesError::Expired {
            votes: vec![(pair.0, pair.1, EPOCH - 1)],
            current_epoch: EPOCH,
        };
        assert_eq!(after(state(EPOCH - 1), 10, &[pair]), Err(error));
    }

    #[test]
    fn unelected_members_vote_before_version_11_and_no_longer() {
        let pair = (VOTERS[0], id(7));
        let error = VotesError::Unelected { hot: vec![HOT] };
        assert!(after(state(EPOCH), 10, &[pair]).is_ok());
        assert_eq!(after(state(EPOCH), 11, &[pair]), Err(error));
        let mut elected = state(EPOCH);
        elected.governance.terms = BTreeMap::from([(COLD, 1)]);
        assert!(after(elected, 11, &[pair]).is_ok());
    }
}
