//! Cases of the rule for proposals.

use super::*;
use crate::certs::CertState;
use crate::delegation::Account;
use crate::parameters::ProtocolParameters;
use crate::tx::{Anchor, ParameterUpdate, ParameterValue};

const WHO: Credential = Credential::Key([1; 28]);
const NOBODY: Credential = Credential::Key([2; 28]);
const DEPOSIT: u64 = 100;
const EPOCH: u64 = 10;
const SCRIPT: ScriptHash = [7; 28];
const ANCHOR: Anchor<'static> = Anchor {
    url: "u",
    hash: &[9; 32],
};

const fn id(number: u8) -> ActionId {
    ActionId {
        tx_id: [number; 32],
        index: 0,
    }
}

const fn version(major: u16, minor: u16) -> ProtocolVersion {
    ProtocolVersion { major, minor }
}

const fn account(credential: Credential, network: u8) -> RewardAccount {
    RewardAccount {
        network,
        credential,
    }
}

fn proposal(action: Action<'static>) -> Proposal<'static> {
    Proposal {
        deposit_lovelace: DEPOSIT,
        return_account: account(WHO, 0),
        action,
        anchor: ANCHOR,
        raw: &[0xff],
    }
}

/// One account; no constitution's script.
fn state() -> CertState {
    let mut state = CertState::default();
    state.delegation.accounts = BTreeMap::from([(WHO, Account::new(2))]);
    state
}

fn open_one(state: &mut CertState, number: u8, kind: ActionKind) {
    let open = OpenProposal {
        kind,
        deposit_lovelace: DEPOSIT,
        proposed_in_epoch: 1,
        expires_after_epoch: 20,
        raw: Vec::new(),
    };
    state.governance.proposals.insert(id(number), open);
}

fn after(
    mut state: CertState,
    proposals: &[Proposal<'static>],
) -> Result<CertState, ProposalsError> {
    let parameters = ProtocolParameters {
        governance_action_deposit_lovelace: DEPOSIT,
        governance_action_lifetime_epochs: 6,
        protocol_version: version(10, 1),
        ..ProtocolParameters::conway_v10()
    };
    let circumstances = Circumstances {
        parameters: &parameters,
        network: 0,
        epoch: EPOCH,
    };
    let before = state.clone();
    let mut view = View::of(&before);
    check([5; 32], proposals, circumstances, &mut view)?;
    view.into_changes().make(&mut state);
    Ok(state)
}

fn verdict(state: CertState, action: Action<'static>) -> Result<(), ProposalsError> {
    after(state, &[proposal(action)]).map(|_| ())
}

fn update(key: u64, value: u64) -> ParameterUpdate {
    ParameterUpdate::from_iter([(key, ParameterValue::Integer(value))])
}

fn change(previous: Option<ActionId>, update: ParameterUpdate) -> Action<'static> {
    Action::ParameterChange {
        previous,
        update,
        guardrails: None,
    }
}

type Entries<'e> = &'e [(RewardAccount, u64)];

fn withdrawals(entries: Entries<'_>) -> Action<'static> {
    Action::TreasuryWithdrawals {
        withdrawals: entries.iter().copied().collect(),
        guardrails: None,
    }
}

#[test]
fn a_proposal_is_open_for_its_lifetime() {
    let two = [
        proposal(Action::Information),
        proposal(Action::NoConfidence { previous: None }),
    ];
    let after = after(state(), &two).expect("two proposals");
    let open = |kind| OpenProposal {
        kind,
        deposit_lovelace: DEPOSIT,
        proposed_in_epoch: EPOCH,
        expires_after_epoch: EPOCH + 6,
        raw: vec![0xff],
    };
    let second = ActionId { index: 1, ..id(5) };
    let expected = BTreeMap::from([
        (id(5), open(ActionKind::Information)),
        (second, open(ActionKind::NoConfidence)),
    ]);
    assert_eq!(after.governance.proposals, expected);
    assert_eq!(deposits(&two, DEPOSIT), 200);
}

#[test]
fn the_deposit_is_the_protocols() {
    for provided_lovelace in [DEPOSIT - 1, DEPOSIT + 1] {
        let wrong = Proposal {
            deposit_lovelace: provided_lovelace,
            ..proposal(Action::Information)
        };
        let error = ProposalsError::WrongDeposit {
            provided_lovelace,
            expected_lovelace: DEPOSIT,
        };
        assert_eq!(after(state(), &[wrong]), Err(error));
    }
}

#[test]
fn the_deposit_goes_back_to_an_account_that_is_there() {
    let returning = |return_account| Proposal {
        return_account,
        ..proposal(Action::Information)
    };
    let unknown = account(NOBODY, 0);
    assert_eq!(
        after(state(), &[returning(unknown)]),
        Err(ProposalsError::ReturnAccountUnknown { account: unknown })
    );
    let elsewhere = account(WHO, 1);
    assert_eq!(
        after(state(), &[returning(elsewhere)]),
        Err(ProposalsError::ReturnAccountNetwork {
            account: elsewhere,
            expected: 0
        })
    );
}

#[test]
fn an_action_follows_the_last_enacted_or_an_open_one_of_its_lineage() {
    let mut state = state();
    state.governance.enacted = BTreeMap::from([(Lineage::Committee, id(1))]);
    open_one(
        &mut state,
        2,
        ActionKind::UpdateCommittee {
            added: BTreeSet::new(),
        },
    );
    open_one(&mut state, 3, ActionKind::NewConstitution);
    for previous in [Some(id(1)), Some(id(2))] {
        let action = Action::NoConfidence { previous };
        assert_eq!(verdict(state.clone(), action), Ok(()), "{previous:?}");
    }
    for previous in [None, Some(id(3)), Some(id(4))] {
        let action = Action::NoConfidence { previous };
        let error = ProposalsError::InvalidPrevious {
            provided: previous,
            enacted: Some(id(1)),
        };
        assert_eq!(verdict(state.clone(), action), Err(error), "{previous:?}");
    }
}

#[test]
fn an_action_may_follow_one_of_the_same_transaction_that_comes_before_it() {
    let first = proposal(change(None, update(0, 1)));
    let second = proposal(change(Some(id(5)), update(0, 1)));
    assert!(after(state(), &[first.clone(), second.clone()]).is_ok());
    let error = ProposalsError::InvalidPrevious {
        provided: Some(id(5)),
        enacted: None,
    };
    assert_eq!(after(state(), &[second, first]), Err(error));
}

#[test]
fn a_version_follows_the_current_one_or_the_open_one_before_it() {
    let mut state = state();
    state.governance.enacted = BTreeMap::from([(Lineage::HardFork, id(1))]);
    open_one(&mut state, 2, ActionKind::HardFork(version(10, 2)));
    open_one(&mut state, 3, ActionKind::HardFork(version(11, 0)));
    let current = version(10, 1);
    let cases = [
        (id(1), version(10, 2), None),
        (id(1), version(11, 0), None),
        (id(1), version(10, 1), Some(current)),
        (id(1), version(10, 3), Some(current)),
        (id(1), version(11, 1), Some(current)),
        (id(1), version(12, 0), Some(current)),
        (id(2), version(10, 3), None),
        (id(2), version(11, 0), None),
        (id(2), version(10, 2), Some(version(10, 2))),
        (id(3), version(11, 1), None),
        // Two major versions ahead is compared with the current one, whatever it follows.
        (id(3), version(12, 0), Some(current)),
    ];
    for (previous, provided, follows) in cases {
        let action = Action::HardFork {
            previous: Some(previous),
            version: provided,
        };
        let expected = follows.map_or(Ok(()), |previous| {
            Err(ProposalsError::CannotFollow { provided, previous })
        });
        assert_eq!(verdict(state.clone(), action), expected, "{provided:?}");
    }
}

#[test]
fn an_update_changes_something_and_nothing_to_a_zero_that_must_not_be() {
    assert_eq!(verdict(state(), change(None, update(2, 1))), Ok(()));
    for (update, keys) in [
        (update(2, 0), vec![2]),
        (ParameterUpdate::default(), vec![]),
    ] {
        assert_eq!(
            verdict(state(), change(None, update)),
            Err(ProposalsError::Malformed { keys })
        );
    }
}

#[test]
fn the_treasury_pays_something_and_to_accounts_that_are_there() {
    let (here, elsewhere, unknown) = (account(WHO, 0), account(WHO, 1), account(NOBODY, 0));
    let cases: [(Entries<'_>, Option<ProposalsError>); 5] = [
        (&[(here, 1)], None),
        (
            &[(here, 0)],
            Some(ProposalsError::ZeroWithdrawals { accounts: 1 }),
        ),
        (&[], Some(ProposalsError::ZeroWithdrawals { accounts: 0 })),
        (
            &[(here, 1), (elsewhere, 1)],
            Some(ProposalsError::WithdrawalNetwork {
                accounts: vec![elsewhere],
                expected: 0,
            }),
        ),
        (
            &[(here, 1), (unknown, 0)],
            Some(ProposalsError::WithdrawalAccountsUnknown {
                accounts: vec![unknown],
            }),
        ),
    ];
    for (entries, error) in cases {
        let expected = error.map_or(Ok(()), Err);
        assert_eq!(verdict(state(), withdrawals(entries)), expected);
    }
}

#[test]
fn parameters_and_treasury_name_the_constitutions_script_and_no_other() {
    let with = |guardrails| {
        [
            Action::ParameterChange {
                previous: None,
                update: update(0, 1),
                guardrails,
            },
            Action::TreasuryWithdrawals {
                withdrawals: BTreeMap::from([(account(WHO, 0), 1)]),
                guardrails,
            },
        ]
    };
    for expected in [None, Some(SCRIPT)] {
        for provided in [None, Some(SCRIPT), Some([8; 28])] {
            for action in with(provided) {
                let mut state = state();
                state.governance.guardrails = expected;
                let error = ProposalsError::Guardrails { provided, expected };
                let outcome = if provided == expected {
                    Ok(())
                } else {
                    Err(error)
                };
                assert_eq!(verdict(state, action), outcome);
            }
        }
    }
}

#[test]
fn nobody_joins_the_committee_while_leaving_it_or_for_a_term_that_is_over() {
    let of = |removed: &[Credential], added: &[(Credential, u64)]| Action::UpdateCommittee {
        previous: None,
        removed: removed.iter().copied().collect(),
        added: added.iter().copied().collect(),
        threshold: crate::parameters::Ratio {
            numerator: 1,
            denominator: 2,
        },
    };
    let both = of(&[WHO, NOBODY], &[(WHO, 30)]);
    let conflicting = ProposalsError::ConflictingMembers { members: vec![WHO] };
    assert_eq!(verdict(state(), both), Err(conflicting));
    assert_eq!(verdict(state(), of(&[NOBODY], &[(WHO, EPOCH + 1)])), Ok(()));
    let over = ProposalsError::TermTooShort {
        members: vec![(WHO, EPOCH)],
        current_epoch: EPOCH,
    };
    assert_eq!(verdict(state(), of(&[], &[(WHO, EPOCH)])), Err(over));
}
