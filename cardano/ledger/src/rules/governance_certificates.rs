//! DReps come to be, change and end, and committee members say who votes for them, each in its time and with the right deposit.
//!
//! Source: Conway formal specification, rule GOVCERT (`GOVCERT-regdrep`, `GOVCERT-deregdrep`, `GOVCERT-ccreghot`);
//! <https://intersectmbo.github.io/formal-ledger-specifications/site/Ledger.Conway.Specification.Certs.html>. The order of the checks is that
//! of the Haskell ledger's `conwayGovCertTransition`.

use super::RuleError;
use super::certificates::Circumstances;
use crate::address::Credential;
use crate::certs::View;
use crate::governance::{Authorization, Document, Representative};
use crate::tx::{Anchor, DRep};
use nupeer_primitives::{Code, Numbered};
use thiserror::Error;

/// Why a certificate of governance is refused.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum GovernanceCertificatesError {
    /// A DRep that is there already.
    #[error("the DRep {credential:?} is registered already")]
    DRepRegistered {
        /// Who.
        credential: Credential,
    },
    /// A DRep that is not there.
    #[error("the DRep {credential:?} is not registered")]
    DRepNotRegistered {
        /// Who.
        credential: Credential,
    },
    /// A deposit that is not the protocol's.
    #[error("a deposit of {provided_lovelace} lovelace, the protocol's is {expected_lovelace}")]
    WrongDeposit {
        /// What the certificate states.
        provided_lovelace: u64,
        /// The protocol's.
        expected_lovelace: u64,
    },
    /// A refund that is not what was put down.
    #[error("a refund of {provided_lovelace} lovelace, put down were {expected_lovelace}")]
    WrongRefund {
        /// What the certificate states.
        provided_lovelace: u64,
        /// What was put down.
        expected_lovelace: u64,
    },
    /// A committee member that has resigned.
    #[error("{cold:?} has resigned from the committee")]
    Resigned {
        /// The member.
        cold: Credential,
    },
    /// A credential that is no committee member's, nor proposed to be one.
    #[error("{cold:?} is in no committee, neither this nor a proposed one")]
    CommitteeUnknown {
        /// The credential.
        cold: Credential,
    },
}

impl Numbered for GovernanceCertificatesError {
    fn code(&self) -> Code {
        Code(match self {
            Self::DRepRegistered { .. } => 7440,
            Self::DRepNotRegistered { .. } => 7441,
            Self::WrongDeposit { .. } => 7442,
            Self::WrongRefund { .. } => 7443,
            Self::Resigned { .. } => 7444,
            Self::CommitteeUnknown { .. } => 7445,
        })
    }
}

impl RuleError for GovernanceCertificatesError {
    fn predicate_name(&self) -> &'static str {
        match self {
            Self::DRepRegistered { .. } => "ConwayDRepAlreadyRegistered",
            Self::DRepNotRegistered { .. } => "ConwayDRepNotRegistered",
            Self::WrongDeposit { .. } => "ConwayDRepIncorrectDeposit",
            Self::WrongRefund { .. } => "ConwayDRepIncorrectRefund",
            Self::Resigned { .. } => "ConwayCommitteeHasPreviouslyResigned",
            Self::CommitteeUnknown { .. } => "ConwayCommitteeIsUnknown",
        }
    }
}

/// Registers a DRep, which is active from now on.
pub(crate) fn register(
    credential: Credential,
    provided_lovelace: u64,
    anchor: Option<Anchor<'_>>,
    circumstances: Circumstances<'_>,
    view: &mut View<'_>,
) -> Result<(), GovernanceCertificatesError> {
    if view.governance.drep(&credential).is_some() {
        return Err(GovernanceCertificatesError::DRepRegistered { credential });
    }
    let expected_lovelace = circumstances.parameters.drep_deposit_lovelace;
    if provided_lovelace != expected_lovelace {
        return Err(GovernanceCertificatesError::WrongDeposit {
            provided_lovelace,
            expected_lovelace,
        });
    }
    let drep = Representative {
        deposit_lovelace: provided_lovelace,
        active_until_epoch: active_until(circumstances, view),
        anchor: anchor.as_ref().map(Document::of),
    };
    view.governance.set_drep(credential, Some(drep));
    Ok(())
}

/// Ends a DRep; nobody's stake votes through it any more, and its votes are gone.
pub(crate) fn unregister(
    credential: Credential,
    provided_lovelace: u64,
    view: &mut View<'_>,
) -> Result<(), GovernanceCertificatesError> {
    let expected_lovelace = registered(credential, view)?.deposit_lovelace;
    if provided_lovelace != expected_lovelace {
        return Err(GovernanceCertificatesError::WrongRefund {
            provided_lovelace,
            expected_lovelace,
        });
    }
    view.governance.set_drep(credential, None);
    view.governance.forget_votes_of(credential);
    view.delegation.forget_drep(DRep::Credential(credential));
    Ok(())
}

/// Says anew what a DRep stands for, which makes it active.
pub(crate) fn update(
    credential: Credential,
    anchor: Option<Anchor<'_>>,
    circumstances: Circumstances<'_>,
    view: &mut View<'_>,
) -> Result<(), GovernanceCertificatesError> {
    let drep = Representative {
        active_until_epoch: active_until(circumstances, view),
        anchor: anchor.as_ref().map(Document::of),
        ..registered(credential, view)?.clone()
    };
    view.governance.set_drep(credential, Some(drep));
    Ok(())
}

/// Lets a credential vote for a committee member, who may change its mind.
pub(crate) fn authorize(
    cold: Credential,
    hot: Credential,
    view: &mut View<'_>,
) -> Result<(), GovernanceCertificatesError> {
    overwrite(cold, Authorization::Hot(hot), view)
}

/// Ends a committee member's votes for good.
pub(crate) fn resign(
    cold: Credential,
    anchor: Option<Anchor<'_>>,
    view: &mut View<'_>,
) -> Result<(), GovernanceCertificatesError> {
    let document = anchor.as_ref().map(Document::of);
    overwrite(cold, Authorization::Resigned(document), view)
}

fn overwrite(
    cold: Credential,
    authorization: Authorization,
    view: &mut View<'_>,
) -> Result<(), GovernanceCertificatesError> {
    if let Some(Authorization::Resigned(_)) = view.governance.authorization(&cold) {
        return Err(GovernanceCertificatesError::Resigned { cold });
    }
    if !view.governance.is_committee_known(&cold) {
        return Err(GovernanceCertificatesError::CommitteeUnknown { cold });
    }
    view.governance.set_authorization(cold, authorization);
    Ok(())
}

fn registered<'v>(
    credential: Credential,
    view: &'v View<'_>,
) -> Result<&'v Representative, GovernanceCertificatesError> {
    view.governance
        .drep(&credential)
        .ok_or(GovernanceCertificatesError::DRepNotRegistered { credential })
}

fn active_until(circumstances: Circumstances<'_>, view: &View<'_>) -> u64 {
    let max_idle_epochs = circumstances.parameters.drep_max_idle_epochs;
    view.governance
        .active_until(circumstances.epoch, max_idle_epochs)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::certs::CertState;
    use crate::delegation::Account;
    use crate::governance::{ActionKind, OpenProposal};
    use crate::parameters::ProtocolParameters;
    use crate::tx::{ActionId, Ballot, Voter};
    use std::collections::{BTreeMap, BTreeSet};

    const WHO: Credential = Credential::Key([1; 28]);
    const OTHER: Credential = Credential::Script([2; 28]);
    const EPOCH: u64 = 10;
    const ANCHOR: Anchor<'static> = Anchor {
        url: "u",
        hash: &[9; 32],
    };

    type Step<'s> = &'s dyn Fn(Circumstances<'_>, &mut View<'_>) -> Outcome;
    type Outcome = Result<(), GovernanceCertificatesError>;

    fn drep(deposit_lovelace: u64) -> Representative {
        Representative {
            deposit_lovelace,
            active_until_epoch: 3,
            anchor: None,
        }
    }

    fn with_drep(deposit_lovelace: u64) -> CertState {
        let mut state = CertState::default();
        state.governance.dreps = BTreeMap::from([(WHO, drep(deposit_lovelace))]);
        state
    }

    /// The state after the steps, or the error of the first that fails.
    fn after(
        mut state: CertState,
        steps: &[Step<'_>],
    ) -> Result<CertState, GovernanceCertificatesError> {
        let parameters = ProtocolParameters {
            drep_max_idle_epochs: 20,
            drep_deposit_lovelace: 500,
            ..ProtocolParameters::conway_v10()
        };
        let circumstances = Circumstances {
            parameters: &parameters,
            network: 0,
            epoch: EPOCH,
        };
        let before = state.clone();
        let mut view = View::of(&before);
        for step in steps {
            step(circumstances, &mut view)?;
        }
        view.into_changes().make(&mut state);
        Ok(state)
    }

    #[test]
    fn a_drep_is_registered_once_with_the_protocols_deposit() {
        let of = |lovelace| {
            move |circumstances: Circumstances<'_>, view: &mut View<'_>| {
                register(WHO, lovelace, Some(ANCHOR), circumstances, view)
            }
        };
        let state = after(CertState::default(), &[&of(500)]).expect("registered");
        let expected = Representative {
            deposit_lovelace: 500,
            active_until_epoch: 30,
            anchor: Some(Document::of(&ANCHOR)),
        };
        assert_eq!(state.governance.dreps, BTreeMap::from([(WHO, expected)]));
        let again = GovernanceCertificatesError::DRepRegistered { credential: WHO };
        assert_eq!(after(with_drep(7), &[&of(500)]), Err(again));
        let wrong = GovernanceCertificatesError::WrongDeposit {
            provided_lovelace: 499,
            expected_lovelace: 500,
        };
        assert_eq!(after(CertState::default(), &[&of(499)]), Err(wrong));
    }

    #[test]
    fn a_drep_ends_with_what_was_put_down_and_leaves_neither_votes_nor_stake() {
        let action = ActionId {
            tx_id: [3; 32],
            index: 0,
        };
        let mut state = with_drep(7);
        let other = DRep::Credential(OTHER);
        for (credential, drep) in [(WHO, DRep::Credential(WHO)), (OTHER, other)] {
            let account = Account {
                drep: Some(drep),
                ..Account::new(2)
            };
            state.delegation.accounts.insert(credential, account);
            let voter = Voter::DRep(credential);
            state.governance.votes.insert((action, voter), Ballot::Yes);
        }
        let of = |lovelace| {
            move |_: Circumstances<'_>, view: &mut View<'_>| unregister(WHO, lovelace, view)
        };
        let ended = after(state.clone(), &[&of(7)]).expect("ended");
        assert_eq!(ended.governance.dreps, BTreeMap::new());
        let voters: Vec<_> = ended.governance.votes.into_keys().collect();
        assert_eq!(voters, [(action, Voter::DRep(OTHER))]);
        let dreps: Vec<_> = [WHO, OTHER]
            .map(|credential| ended.delegation.accounts[&credential].drep)
            .to_vec();
        assert_eq!(dreps, [None, Some(other)]);
        let wrong = GovernanceCertificatesError::WrongRefund {
            provided_lovelace: 8,
            expected_lovelace: 7,
        };
        assert_eq!(after(state, &[&of(8)]), Err(wrong));
        let absent = GovernanceCertificatesError::DRepNotRegistered { credential: WHO };
        assert_eq!(after(CertState::default(), &[&of(7)]), Err(absent));
    }

    #[test]
    fn an_update_makes_a_drep_active_again_and_keeps_its_deposit() {
        let step = |circumstances: Circumstances<'_>, view: &mut View<'_>| {
            update(WHO, Some(ANCHOR), circumstances, view)
        };
        let state = after(with_drep(7), &[&step]).expect("updated");
        let expected = Representative {
            deposit_lovelace: 7,
            active_until_epoch: 30,
            anchor: Some(Document::of(&ANCHOR)),
        };
        assert_eq!(state.governance.dreps[&WHO], expected);
        let absent = GovernanceCertificatesError::DRepNotRegistered { credential: WHO };
        assert_eq!(after(CertState::default(), &[&step]), Err(absent));
    }

    #[test]
    fn members_and_those_proposed_name_who_votes_for_them_until_they_resign() {
        let authorize = |_: Circumstances<'_>, view: &mut View<'_>| authorize(WHO, OTHER, view);
        let resign = |_: Circumstances<'_>, view: &mut View<'_>| resign(WHO, None, view);
        let proposed = OpenProposal {
            kind: ActionKind::UpdateCommittee {
                added: BTreeSet::from([WHO]),
            },
            deposit_lovelace: 0,
            proposed_in_epoch: 0,
            expires_after_epoch: 6,
            raw: Vec::new(),
        };
        let (mut member, mut candidate) = (CertState::default(), CertState::default());
        member.governance.terms = BTreeMap::from([(WHO, 1)]);
        let id = ActionId {
            tx_id: [3; 32],
            index: 0,
        };
        candidate.governance.proposals = BTreeMap::from([(id, proposed)]);
        for state in [member, candidate] {
            let said = |steps: &[Step<'_>]| {
                after(state.clone(), steps)
                    .map(|state| state.governance.authorizations[&WHO].clone())
            };
            assert_eq!(said(&[&authorize]), Ok(Authorization::Hot(OTHER)));
            let gone = Authorization::Resigned(None);
            assert_eq!(said(&[&authorize, &resign]), Ok(gone));
            let resigned = GovernanceCertificatesError::Resigned { cold: WHO };
            assert_eq!(said(&[&resign, &resign]), Err(resigned.clone()));
            assert_eq!(said(&[&resign, &authorize]), Err(resigned));
        }
        let unknown = GovernanceCertificatesError::CommitteeUnknown { cold: WHO };
        for step in [&authorize as Step<'_>, &resign] {
            assert_eq!(after(CertState::default(), &[step]), Err(unknown.clone()));
        }
    }
}
