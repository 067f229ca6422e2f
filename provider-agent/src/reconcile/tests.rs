use nupeer_lease::{CloseReason, MachineId};
use nupeer_paas_drivers::Exit;
use nupeer_primitives::{Hash, TimeMs};

use super::*;
use crate::played;

const NEVER: TimeMs = TimeMs(u64::MAX);

fn lease(state: LeaseState) -> Lease {
    let spec = played::spec(Hash([5; 32]), None);
    Lease {
        metered_ms: 10_000,
        ran_ms: 20_000,
        ..played::lease(&spec, MachineId(Hash([3; 32])), state)
    }
}

const EXITED: WorkloadState = WorkloadState::Exited {
    exit: Exit {
        code: Some(1),
        signal: None,
        oom_kills: 0,
    },
};

/// Every way a workload can be.
const WORKLOADS: [Option<WorkloadState>; 7] = [
    None,
    Some(WorkloadState::Prepared),
    Some(WorkloadState::Changing),
    Some(WorkloadState::Running),
    Some(WorkloadState::Paused),
    Some(EXITED),
    Some(WorkloadState::Broken),
];

fn states() -> [LeaseState; 7] {
    let until = NEVER;
    [
        LeaseState::Reserved { until },
        LeaseState::Provisioning { until },
        LeaseState::Active { since: TimeMs(0) },
        LeaseState::Paused {
            reason: PauseReason::Funds,
            until,
        },
        LeaseState::Paused {
            reason: PauseReason::Unsigned,
            until,
        },
        LeaseState::Closing {
            reason: CloseReason::TenantClosed,
            until,
        },
        LeaseState::Closed {
            reason: CloseReason::TenantClosed,
            forget: until,
        },
    ]
}

/// Everything uploaded, signed, settled and well.
fn facts(lease: Option<&Lease>, workload: Option<WorkloadState>) -> Facts<'_> {
    Facts {
        lease,
        workload,
        uploaded: true,
        publishes: true,
        open: true,
        answers: true,
        rested: true,
        unsigned_ms: 0,
        signed_ms: 10_000,
        metered: true,
        recorded: true,
        kept: true,
        policy: Policy {
            unsigned_ms_max: 30_000,
            submit_ms: 5_000,
        },
    }
}

#[test]
fn every_pair_of_states_has_its_steps_when_all_is_signed() {
    use Step::{
        Accept, DropUploads, End, Forget, Open, Pause, Prepare, Remove, ReportActive, Resume, Start,
    };
    // In the order of WORKLOADS: nothing, prepared, changing, running, paused, exited, broken.
    let table: [[&[Step]; 7]; 7] = [
        // Reserved, and all is uploaded: whatever is there, the chain is told first.
        [&[Accept]; 7],
        // Provisioning.
        [
            &[Prepare, Start, Open],
            &[Start, Open],
            &[],
            &[ReportActive],
            &[Resume],
            &[Start, Open],
            &[Remove],
        ],
        // Active: the chain knows; what went down comes up again.
        [
            &[Prepare, Start, Open],
            &[Start, Open],
            &[],
            &[],
            &[Resume],
            &[Start, Open],
            &[Remove],
        ],
        // Paused for funds: nothing runs and nothing is removed.
        [&[], &[], &[], &[Pause], &[], &[], &[]],
        // Paused unsigned, and signed since.
        [
            &[Prepare, Start, Open],
            &[Start, Open],
            &[],
            &[ReportActive],
            &[Resume],
            &[Start, Open],
            &[Remove],
        ],
        // Closing.
        [
            &[End],
            &[Remove],
            &[Remove],
            &[Remove],
            &[Remove],
            &[Remove],
            &[Remove],
        ],
        // Closed.
        [
            &[DropUploads],
            &[Remove],
            &[Remove],
            &[Remove],
            &[Remove],
            &[Remove],
            &[Remove],
        ],
    ];
    for (state, row) in states().into_iter().zip(table) {
        let lease = lease(state);
        for (workload, steps) in WORKLOADS.into_iter().zip(row) {
            let found = reconcile(&facts(Some(&lease), workload));
            assert_eq!(found, steps, "{} with {workload:?}", state.name());
        }
    }
    // Unknown to the chain.
    for workload in WORKLOADS {
        let steps = if workload.is_some() { Remove } else { Forget };
        assert_eq!(reconcile(&facts(None, workload)), [steps]);
    }
}

#[test]
fn every_pair_of_states_has_its_steps_when_too_much_is_unsigned() {
    use Step::{
        Accept, DropUploads, Open, Pause, Prepare, Remove, ReportActive, ReportPaused, Resume,
        Start,
    };
    let table: [[&[Step]; 7]; 7] = [
        [&[Accept]; 7],
        // Before it is active there is nothing to sign.
        [
            &[Prepare, Start, Open],
            &[Start, Open],
            &[],
            &[ReportActive],
            &[Resume],
            &[Start, Open],
            &[Remove],
        ],
        // Active: paused here, then on the chain; what does not run is not started.
        [
            &[ReportPaused],
            &[ReportPaused],
            &[],
            &[Pause],
            &[ReportPaused],
            &[ReportPaused],
            &[ReportPaused],
        ],
        [&[], &[], &[], &[Pause], &[], &[], &[]],
        [&[], &[], &[], &[Pause], &[], &[], &[]],
        // Closing: gone at once; the tenant may sign until the window ends.
        [
            &[],
            &[Remove],
            &[Remove],
            &[Remove],
            &[Remove],
            &[Remove],
            &[Remove],
        ],
        [
            &[DropUploads],
            &[Remove],
            &[Remove],
            &[Remove],
            &[Remove],
            &[Remove],
            &[Remove],
        ],
    ];
    for (state, row) in states().into_iter().zip(table) {
        let lease = lease(state);
        for (workload, steps) in WORKLOADS.into_iter().zip(row) {
            let unsigned = Facts {
                unsigned_ms: 30_000,
                ..facts(Some(&lease), workload)
            };
            let found = reconcile(&unsigned);
            assert_eq!(found, steps, "{} with {workload:?}", state.name());
        }
    }
}

#[test]
fn what_cannot_be_metered_stands_still_until_it_is_over_and_is_ended_at_once() {
    let until = NEVER;
    let reason = PauseReason::Unsigned;
    let steps = |state, workload| {
        let lease = lease(state);
        reconcile(&Facts {
            metered: false,
            ..facts(Some(&lease), workload)
        })
    };
    let active = LeaseState::Active { since: TimeMs(0) };
    let running = Some(WorkloadState::Running);
    assert_eq!(steps(active, running), [Step::Pause]);
    for workload in [None, Some(WorkloadState::Paused), Some(EXITED)] {
        assert_eq!(steps(active, workload), [Step::ReportPaused]);
        assert_eq!(steps(LeaseState::Paused { reason, until }, workload), []);
    }
    let reason = CloseReason::TenantClosed;
    let closing = LeaseState::Closing { reason, until };
    assert_eq!(steps(closing, running), [Step::Remove]);
    assert_eq!(steps(closing, None), [Step::End]);
}

#[test]
fn a_little_unsigned_time_changes_nothing_while_it_runs_and_keeps_a_pause() {
    let little = |state, workload| {
        let lease = lease(state);
        reconcile(&Facts {
            unsigned_ms: 29_999,
            ..facts(Some(&lease), Some(workload))
        })
    };
    let active = LeaseState::Active { since: TimeMs(0) };
    let paused = LeaseState::Paused {
        reason: PauseReason::Unsigned,
        until: NEVER,
    };
    assert_eq!(little(active, WorkloadState::Running), []);
    // The pause was never told, or the tenant signed before it was: it runs on.
    assert_eq!(little(active, WorkloadState::Paused), [Step::Resume]);
    assert_eq!(little(paused, WorkloadState::Paused), []);
}

#[test]
fn nothing_starts_before_everything_is_uploaded_or_while_it_rests() {
    let reserved = lease(LeaseState::Reserved { until: NEVER });
    let missing = Facts {
        uploaded: false,
        ..facts(Some(&reserved), None)
    };
    assert_eq!(reconcile(&missing), [], "not accepted either");
    for state in [
        LeaseState::Provisioning { until: NEVER },
        LeaseState::Active { since: TimeMs(0) },
        LeaseState::Paused {
            reason: PauseReason::Unsigned,
            until: NEVER,
        },
    ] {
        let lease = lease(state);
        for workload in [None, Some(WorkloadState::Prepared), Some(EXITED)] {
            let all = facts(Some(&lease), workload);
            let missing = Facts {
                uploaded: false,
                ..all
            };
            let resting = Facts {
                rested: false,
                ..all
            };
            assert_eq!(reconcile(&missing), []);
            assert_eq!(reconcile(&resting), []);
        }
    }
}

#[test]
fn what_publishes_no_port_is_started_and_has_no_door() {
    let lease = lease(LeaseState::Provisioning { until: NEVER });
    for (workload, steps) in [
        (None, vec![Step::Prepare, Step::Start]),
        (Some(WorkloadState::Prepared), vec![Step::Start]),
        (Some(EXITED), vec![Step::Start]),
    ] {
        let inward = Facts {
            publishes: false,
            ..facts(Some(&lease), workload)
        };
        assert_eq!(reconcile(&inward), steps);
    }
}

#[test]
fn it_is_reported_only_when_its_port_is_open_and_answers() {
    let lease = lease(LeaseState::Provisioning { until: NEVER });
    let running = facts(Some(&lease), Some(WorkloadState::Running));
    for (publishes, open, answers, step) in [
        (true, false, false, Step::Open),
        (true, true, false, Step::Reach),
        (true, true, true, Step::ReportActive),
        (false, false, false, Step::ReportActive),
    ] {
        let facts = Facts {
            publishes,
            open,
            answers,
            ..running
        };
        assert_eq!(reconcile(&facts), [step]);
    }
}

#[test]
fn an_active_workload_gets_its_proxy_back() {
    let lease = lease(LeaseState::Active { since: TimeMs(0) });
    let restarted = Facts {
        open: false,
        answers: false,
        ..facts(Some(&lease), Some(WorkloadState::Running))
    };
    assert_eq!(reconcile(&restarted), [Step::Open]);
}

#[test]
fn signed_time_is_settled_often_while_active_and_at_once_otherwise() {
    let until = NEVER;
    let submits = |state, signed_ms, unsigned_ms| {
        let lease = lease(state);
        let workload = match state {
            LeaseState::Active { .. } => Some(WorkloadState::Running),
            LeaseState::Closing { .. } => None,
            _ => Some(WorkloadState::Paused),
        };
        let facts = Facts {
            signed_ms,
            unsigned_ms,
            ..facts(Some(&lease), workload)
        };
        reconcile(&facts).contains(&Step::Submit)
    };
    let active = LeaseState::Active { since: TimeMs(0) };
    let funds = LeaseState::Paused {
        reason: PauseReason::Funds,
        until,
    };
    let unsigned = LeaseState::Paused {
        reason: PauseReason::Unsigned,
        until,
    };
    let closing = LeaseState::Closing {
        reason: CloseReason::TenantClosed,
        until,
    };
    for (state, signed_ms, unsigned_ms, expected) in [
        (active, 10_000, 0, false),
        (active, 14_999, 0, false),
        (active, 15_000, 0, true),
        (funds, 10_000, 0, false),
        (funds, 10_001, 0, true),
        (unsigned, 10_001, 500, true),
        (unsigned, 10_000, 500, false),
        (closing, 10_001, 500, true),
        (closing, 10_000, 500, false),
        // All signed: it ends with the note.
        (closing, 20_000, 0, false),
    ] {
        let found = submits(state, signed_ms, unsigned_ms);
        assert_eq!(
            found,
            expected,
            "{} {signed_ms} {unsigned_ms}",
            state.name()
        );
    }
}

#[test]
fn nothing_is_left_to_do_once_everything_is_forgotten() {
    let nothing = Facts {
        recorded: false,
        kept: false,
        ..facts(None, None)
    };
    assert_eq!(reconcile(&nothing), []);
    let closed = lease(LeaseState::Closed {
        reason: CloseReason::Completed,
        forget: NEVER,
    });
    let evidence_kept = Facts {
        kept: false,
        ..facts(Some(&closed), None)
    };
    assert_eq!(reconcile(&evidence_kept), []);
}
