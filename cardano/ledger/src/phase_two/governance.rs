//! Votes and proposals as Plutus V3 scripts are told of them; V1 and V2 have no word for them.
//!
//! Source: plutus-ledger-api, `Voter`, `Vote`, `GovernanceAction` and `ProposalProcedure` of `PlutusLedgerApi.V3`; the Conway ledger's
//! `transVotingProcedures` and `transProposal`, and `ToPlutusData` for parameters.

use super::build::{Build, Data};
use super::context::credential;
use crate::address::Credential;
use crate::parameters::{ProtocolVersion, Ratio};
use crate::script::ScriptHash;
use crate::tx::{
    Action, ActionId, Ballot, ParameterUpdate, ParameterValue, Proposal, RewardAccount, Voter,
    Votes,
};
use std::collections::{BTreeMap, BTreeSet};

/// The ballots by voter and action, in the ledger's order.
pub(super) fn votes<'a>(build: Build<'a>, votes: &Votes<'_>) -> Data<'a> {
    let entries: Vec<_> = votes
        .iter()
        .map(|(voter, ballots)| {
            let ballots: Vec<_> = ballots
                .iter()
                .map(|(action, vote)| (action_id(build, action), ballot(build, vote.ballot)))
                .collect();
            (self::voter(build, voter), build.map(&ballots))
        })
        .collect();
    build.map(&entries)
}

/// All proposals, in their order.
pub(super) fn proposals<'a>(build: Build<'a>, proposals: &[Proposal<'_>]) -> Data<'a> {
    let told: Vec<_> = proposals
        .iter()
        .map(|proposal| self::proposal(build, proposal))
        .collect();
    build.list(&told)
}

/// The fields of the purpose `Proposing`: the proposal after its number.
///
/// # Errors
/// When there is no such proposal.
pub(super) fn proposing<'a>(
    build: Build<'a>,
    index: u32,
    proposals: &[Proposal<'_>],
) -> Result<[Data<'a>; 2], String> {
    let proposal = usize::try_from(index)
        .ok()
        .and_then(|index| proposals.get(index))
        .ok_or_else(|| format!("there is no proposal {index}"))?;
    Ok([build.integer(index), self::proposal(build, proposal)])
}

pub(super) fn voter<'a>(build: Build<'a>, voter: &Voter) -> Data<'a> {
    match voter {
        Voter::Committee(hot) => build.constr(0, &[credential(build, *hot)]),
        Voter::DRep(drep) => build.constr(1, &[credential(build, *drep)]),
        Voter::Pool(pool) => build.constr(2, &[build.bytes(pool)]),
    }
}

fn ballot<'a>(build: Build<'a>, ballot: Ballot) -> Data<'a> {
    let tag = match ballot {
        Ballot::No => 0,
        Ballot::Yes => 1,
        Ballot::Abstain => 2,
    };
    build.constr(tag, &[])
}

fn action_id<'a>(build: Build<'a>, id: &ActionId) -> Data<'a> {
    build.constr(0, &[build.bytes(&id.tx_id), build.integer(id.index)])
}

fn proposal<'a>(build: Build<'a>, proposal: &Proposal<'_>) -> Data<'a> {
    build.constr(
        0,
        &[
            build.integer(proposal.deposit_lovelace),
            credential(build, proposal.return_account.credential),
            action(build, &proposal.action),
        ],
    )
}

/// `GovernanceAction`; anchors are not told.
fn action<'a>(build: Build<'a>, action: &Action<'_>) -> Data<'a> {
    let previous = |id: &Option<ActionId>| build.maybe(id.as_ref().map(|id| action_id(build, id)));
    let script =
        |hash: &Option<ScriptHash>| build.maybe(hash.as_ref().map(|hash| build.bytes(hash)));
    match action {
        Action::ParameterChange {
            previous: before,
            update,
            guardrails,
        } => build.constr(
            0,
            &[
                previous(before),
                parameters(build, update),
                script(guardrails),
            ],
        ),
        Action::HardFork {
            previous: before,
            version,
        } => build.constr(1, &[previous(before), protocol_version(build, *version)]),
        Action::TreasuryWithdrawals {
            withdrawals,
            guardrails,
        } => build.constr(
            2,
            &[treasury_withdrawals(build, withdrawals), script(guardrails)],
        ),
        Action::NoConfidence { previous: before } => build.constr(3, &[previous(before)]),
        Action::UpdateCommittee {
            previous: before,
            removed,
            added,
            threshold,
        } => build.constr(
            4,
            &[
                previous(before),
                members(build, removed),
                terms(build, added),
                // `Rational`, other than in parameters.
                build.constr(0, &numbers(build, *threshold)),
            ],
        ),
        Action::NewConstitution {
            previous: before,
            guardrails,
            ..
        } => build.constr(
            5,
            &[previous(before), build.constr(0, &[script(guardrails)])],
        ),
        Action::Information => build.constr(6, &[]),
    }
}

fn protocol_version<'a>(build: Build<'a>, version: ProtocolVersion) -> Data<'a> {
    build.constr(
        0,
        &[build.integer(version.major), build.integer(version.minor)],
    )
}

fn treasury_withdrawals<'a>(
    build: Build<'a>,
    withdrawals: &BTreeMap<RewardAccount, u64>,
) -> Data<'a> {
    let entries = withdrawals.iter().map(|(account, lovelace)| {
        (
            credential(build, account.credential),
            build.integer(*lovelace),
        )
    });
    build.map(&entries.collect::<Vec<_>>())
}

fn members<'a>(build: Build<'a>, members: &BTreeSet<Credential>) -> Data<'a> {
    let members = members.iter().map(|member| credential(build, *member));
    build.list(&members.collect::<Vec<_>>())
}

fn terms<'a>(build: Build<'a>, terms: &BTreeMap<Credential, u64>) -> Data<'a> {
    let terms = terms
        .iter()
        .map(|(member, epoch)| (credential(build, *member), build.integer(*epoch)));
    build.map(&terms.collect::<Vec<_>>())
}

/// `ChangedParameters`: the new values by their keys in the CDDL.
fn parameters<'a>(build: Build<'a>, update: &ParameterUpdate) -> Data<'a> {
    let values = update
        .values()
        .iter()
        .map(|(key, value)| (build.integer(*key), parameter(build, value)));
    build.map(&values.collect::<Vec<_>>())
}

fn parameter<'a>(build: Build<'a>, value: &ParameterValue) -> Data<'a> {
    match value {
        ParameterValue::Integer(value) => build.integer(*value),
        ParameterValue::Ratio(value) => ratio(build, *value),
        ParameterValue::Ratios(values) => {
            let values = values.iter().map(|value| ratio(build, *value));
            build.list(&values.collect::<Vec<_>>())
        }
        ParameterValue::ExUnits(units) => {
            build.list(&[build.integer(units.memory), build.integer(units.cpu)])
        }
        ParameterValue::CostModels(models) => {
            let models = models
                .iter()
                .map(|(language, costs)| (build.integer(*language), integers(build, costs)));
            build.map(&models.collect::<Vec<_>>())
        }
    }
}

fn integers<'a>(build: Build<'a>, values: &[i64]) -> Data<'a> {
    let values = values.iter().map(|value| build.integer(*value));
    build.list(&values.collect::<Vec<_>>())
}

fn ratio<'a>(build: Build<'a>, ratio: Ratio) -> Data<'a> {
    build.list(&numbers(build, ratio))
}

fn numbers<'a>(build: Build<'a>, ratio: Ratio) -> [Data<'a>; 2] {
    [
        build.integer(ratio.numerator),
        build.integer(ratio.denominator),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tx::{Anchor, ExUnits, Vote};
    use amaru_uplc::arena::Arena;
    use amaru_uplc::bumpalo::Bump;

    const WHO: Credential = Credential::Key([1; 28]);
    const SCRIPT: ScriptHash = [2; 28];
    const ID: ActionId = ActionId {
        tx_id: [3; 32],
        index: 4,
    };
    const ANCHOR: Anchor<'static> = Anchor {
        url: "u",
        hash: &[9; 32],
    };
    const HALF: Ratio = Ratio {
        numerator: 1,
        denominator: 2,
    };

    /// Data without its arena: what the tests compare.
    fn told(build: impl for<'a> Fn(Build<'a>) -> Data<'a>) -> String {
        let (arena, slices) = (Arena::new(), Bump::new());
        let build_in = Build {
            arena: &arena,
            slices: &slices,
        };
        format!("{:?}", build(build_in))
    }

    fn who(build: Build<'_>) -> Data<'_> {
        build.constr(0, &[build.bytes(&[1; 28])])
    }

    fn script(build: Build<'_>) -> Data<'_> {
        build.constr(0, &[build.bytes(&SCRIPT)])
    }

    fn id(build: Build<'_>) -> Data<'_> {
        build.constr(0, &[build.bytes(&[3; 32]), build.integer(4_u8)])
    }

    fn some_id(build: Build<'_>) -> Data<'_> {
        build.constr(0, &[id(build)])
    }

    fn none(build: Build<'_>) -> Data<'_> {
        build.constr(1, &[])
    }

    type Expected = for<'a> fn(Build<'a>) -> Data<'a>;

    #[test]
    fn each_action_is_told_as_the_ledger_api_has_it() {
        let version = ProtocolVersion {
            major: 11,
            minor: 0,
        };
        let account = RewardAccount {
            network: 0,
            credential: WHO,
        };
        let update = ParameterUpdate::from_iter([(0, ParameterValue::Integer(44))]);
        let cases: [(Action<'_>, Expected); 7] = [
            (
                Action::ParameterChange {
                    previous: Some(ID),
                    update,
                    guardrails: Some(SCRIPT),
                },
                |b| {
                    let update = b.map(&[(b.integer(0_u8), b.integer(44_u8))]);
                    b.constr(0, &[some_id(b), update, script(b)])
                },
            ),
            (
                Action::HardFork {
                    previous: None,
                    version,
                },
                |b| {
                    let version = b.constr(0, &[b.integer(11_u8), b.integer(0_u8)]);
                    b.constr(1, &[none(b), version])
                },
            ),
            (
                Action::TreasuryWithdrawals {
                    withdrawals: BTreeMap::from([(account, 5)]),
                    guardrails: None,
                },
                |b| b.constr(2, &[b.map(&[(who(b), b.integer(5_u8))]), none(b)]),
            ),
            (Action::NoConfidence { previous: Some(ID) }, |b| {
                b.constr(3, &[some_id(b)])
            }),
            (
                Action::UpdateCommittee {
                    previous: None,
                    removed: BTreeSet::from([WHO]),
                    added: BTreeMap::from([(WHO, 6)]),
                    threshold: HALF,
                },
                |b| {
                    let half = b.constr(0, &[b.integer(1_u8), b.integer(2_u8)]);
                    let added = b.map(&[(who(b), b.integer(6_u8))]);
                    b.constr(4, &[none(b), b.list(&[who(b)]), added, half])
                },
            ),
            (
                Action::NewConstitution {
                    previous: Some(ID),
                    anchor: ANCHOR,
                    guardrails: Some(SCRIPT),
                },
                |b| b.constr(5, &[some_id(b), b.constr(0, &[script(b)])]),
            ),
            (Action::Information, |b| b.constr(6, &[])),
        ];
        for (case, expected) in cases {
            assert_eq!(
                told(|build| action(build, &case)),
                told(expected),
                "{case:?}"
            );
        }
    }

    #[test]
    fn parameters_are_told_by_their_kinds() {
        let half: Expected = |b| b.list(&[b.integer(1_u8), b.integer(2_u8)]);
        let units = ExUnits { memory: 7, cpu: 8 };
        let models = BTreeMap::from([(2, vec![-1, 5])]);
        let cases: [(ParameterValue, Expected); 4] = [
            (ParameterValue::Ratio(HALF), half),
            (ParameterValue::Ratios(vec![HALF]), |b| {
                b.list(&[b.list(&[b.integer(1_u8), b.integer(2_u8)])])
            }),
            (ParameterValue::ExUnits(units), |b| {
                b.list(&[b.integer(7_u8), b.integer(8_u8)])
            }),
            (ParameterValue::CostModels(models), |b| {
                let costs = b.list(&[b.integer(-1_i8), b.integer(5_u8)]);
                b.map(&[(b.integer(2_u8), costs)])
            }),
        ];
        for (case, expected) in cases {
            assert_eq!(
                told(|build| parameter(build, &case)),
                told(expected),
                "{case:?}"
            );
        }
    }

    #[test]
    fn voters_have_their_ballots_in_the_ledgers_order() {
        let vote = |ballot| Vote {
            ballot,
            anchor: None,
        };
        let cast = Votes::from([
            (
                Voter::Pool([5; 28]),
                BTreeMap::from([(ID, vote(Ballot::Abstain))]),
            ),
            (
                Voter::Committee(WHO),
                BTreeMap::from([(ID, vote(Ballot::No))]),
            ),
            (
                Voter::DRep(Credential::Script(SCRIPT)),
                BTreeMap::from([(ID, vote(Ballot::Yes))]),
            ),
        ]);
        let expected: Expected = |b| {
            let ballot = |tag| b.map(&[(id(b), b.constr(tag, &[]))]);
            let drep = b.constr(1, &[b.bytes(&SCRIPT)]);
            b.map(&[
                (b.constr(0, &[who(b)]), ballot(0)),
                (b.constr(1, &[drep]), ballot(1)),
                (b.constr(2, &[b.bytes(&[5; 28])]), ballot(2)),
            ])
        };
        assert_eq!(told(|build| votes(build, &cast)), told(expected));
    }

    #[test]
    fn a_proposal_is_told_with_its_number_and_without_its_anchor() {
        let one = Proposal {
            deposit_lovelace: 9,
            return_account: RewardAccount {
                network: 0,
                credential: WHO,
            },
            action: Action::Information,
            anchor: ANCHOR,
            raw: &[],
        };
        let expected: Expected = |b| b.constr(0, &[b.integer(9_u8), who(b), b.constr(6, &[])]);
        let all = [one];
        let purpose = told(|build| {
            let fields = proposing(build, 0, &all).expect("a proposal");
            build.constr(5, &fields)
        });
        assert_eq!(
            purpose,
            told(|build| build.constr(5, &[build.integer(0_u8), expected(build)]))
        );
        assert_eq!(
            told(|build| proposals(build, &all)),
            told(|build| build.list(&[expected(build)]))
        );
        let (arena, slices) = (Arena::new(), Bump::new());
        let build = Build {
            arena: &arena,
            slices: &slices,
        };
        let absent = proposing(build, 1, &all).err();
        assert_eq!(absent.as_deref(), Some("there is no proposal 1"));
    }
}
