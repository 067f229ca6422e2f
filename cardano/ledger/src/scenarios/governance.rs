//! The DReps, the committee and the proposals of a scenario.

use super::from_hex;
use crate::address::Credential;
use crate::governance::{
    ActionKind, Authorization, Governance, Lineage, OpenProposal, Representative,
};
use crate::parameters::ProtocolVersion;
use crate::tx::ActionId;
use serde::Deserialize;
use std::collections::{BTreeMap, BTreeSet};

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct GovernanceFields {
    #[serde(default)]
    dreps: Vec<DRepFields>,
    #[serde(default)]
    committee: Vec<MemberFields>,
    #[serde(default)]
    proposals: Vec<(IdFields, String, u64)>,
    #[serde(default)]
    proposals_roots: RootFields,
    #[serde(default)]
    governance_activity: ActivityFields,
    #[serde(default)]
    guardrail_script: Option<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct DRepFields {
    credential: String,
    deposit: u64,
    valid_until: u64,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct MemberFields {
    cold_credential: String,
    #[serde(default)]
    status: Option<String>,
    #[serde(default)]
    valid_until: Option<u64>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct IdFields {
    transaction_id: String,
    proposal_index: u16,
}

#[derive(Deserialize, Default)]
#[serde(rename_all = "camelCase", default)]
struct RootFields {
    protocol_parameters: Option<IdFields>,
    hard_fork: Option<IdFields>,
    constitutional_committee: Option<IdFields>,
    constitution: Option<IdFields>,
}

#[derive(Deserialize, Default)]
#[serde(rename_all = "camelCase", default)]
struct ActivityFields {
    consecutive_dormant_epochs: u64,
}

impl GovernanceFields {
    pub(super) fn load(&self) -> Result<Governance, String> {
        Ok(Governance {
            dreps: self.dreps.iter().map(drep).collect::<Result<_, _>>()?,
            terms: self.terms()?,
            authorizations: self.authorizations()?,
            proposals: self
                .proposals
                .iter()
                .map(proposal)
                .collect::<Result<_, _>>()?,
            votes: BTreeMap::new(),
            enacted: self.proposals_roots.load()?,
            guardrails: self.guardrail_script.as_deref().map(hash).transpose()?,
            dormant_epochs: self.governance_activity.consecutive_dormant_epochs,
        })
    }

    fn terms(&self) -> Result<BTreeMap<Credential, u64>, String> {
        let terms = self.committee.iter().filter_map(|member| {
            let epoch = member.valid_until?;
            Some(credential(&member.cold_credential).map(|cold| (cold, epoch)))
        });
        terms.collect()
    }

    fn authorizations(&self) -> Result<BTreeMap<Credential, Authorization>, String> {
        let authorizations = self.committee.iter().filter_map(|member| {
            let status = member.status.as_deref()?;
            Some(authorization(&member.cold_credential, status))
        });
        authorizations.collect()
    }
}

impl RootFields {
    fn load(&self) -> Result<BTreeMap<Lineage, ActionId>, String> {
        let roots = [
            (Lineage::Parameters, &self.protocol_parameters),
            (Lineage::HardFork, &self.hard_fork),
            (Lineage::Committee, &self.constitutional_committee),
            (Lineage::Constitution, &self.constitution),
        ];
        roots
            .into_iter()
            .filter_map(|(lineage, fields)| {
                let id = fields.as_ref()?.load();
                Some(id.map(|id| (lineage, id)))
            })
            .collect()
    }
}

impl IdFields {
    fn load(&self) -> Result<ActionId, String> {
        Ok(ActionId {
            tx_id: hash(&self.transaction_id)?,
            index: self.proposal_index,
        })
    }
}

fn drep(fields: &DRepFields) -> Result<(Credential, Representative), String> {
    let drep = Representative {
        deposit_lovelace: fields.deposit,
        active_until_epoch: fields.valid_until,
        anchor: None,
    };
    Ok((credential(&fields.credential)?, drep))
}

fn authorization(cold: &str, status: &str) -> Result<(Credential, Authorization), String> {
    let authorization = match status {
        "resigned" => Authorization::Resigned(None),
        hot => Authorization::Hot(credential(hot)?),
    };
    Ok((credential(cold)?, authorization))
}

fn proposal(
    (id, kind, expires_after_epoch): &(IdFields, String, u64),
) -> Result<(ActionId, OpenProposal), String> {
    let open = OpenProposal {
        kind: self::kind(kind)?,
        deposit_lovelace: 0,
        proposed_in_epoch: 0,
        expires_after_epoch: *expires_after_epoch,
        raw: Vec::new(),
    };
    Ok((id.load()?, open))
}

/// The kinds that the format tells apart. Of its two for the committee and for what has no lineage, it says no more.
fn kind(name: &str) -> Result<ActionKind, String> {
    let parameters = |touches_security_group| ActionKind::ParameterChange {
        touches_security_group,
    };
    Ok(match name {
        "ProtocolParameters" => parameters(false),
        "ProtocolParameters(security-group)" => parameters(true),
        "ConstitutionalCommittee" => ActionKind::UpdateCommittee {
            added: BTreeSet::new(),
        },
        "Constitution" => ActionKind::NewConstitution,
        "TreasuryWithdrawals" => ActionKind::TreasuryWithdrawals,
        "Orphan" | "Information" => ActionKind::Information,
        other => ActionKind::HardFork(
            version(other).ok_or_else(|| format!("the kind of proposal {other:?}"))?,
        ),
    })
}

/// `HardFork(major.minor)`.
fn version(name: &str) -> Option<ProtocolVersion> {
    let inner = name.strip_prefix("HardFork(")?.strip_suffix(')')?;
    let (major, minor) = inner.split_once('.')?;
    Some(ProtocolVersion {
        major: major.parse().ok()?,
        minor: minor.parse().ok()?,
    })
}

fn credential(hex: &str) -> Result<Credential, String> {
    Credential::parse(&from_hex(hex)?).map_err(|error| error.to_string())
}

fn hash<const N: usize>(hex: &str) -> Result<[u8; N], String> {
    let bytes = from_hex(hex)?;
    <[u8; N]>::try_from(bytes).map_err(|bytes| format!("a hash of {} bytes", bytes.len()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn kinds_of_proposals_are_read_by_their_names() {
        let version = ProtocolVersion {
            major: 10,
            minor: 2,
        };
        assert_eq!(kind("HardFork(10.2)"), Ok(ActionKind::HardFork(version)));
        let secure = ActionKind::ParameterChange {
            touches_security_group: true,
        };
        assert_eq!(kind("ProtocolParameters(security-group)"), Ok(secure));
        assert_eq!(kind("Orphan"), Ok(ActionKind::Information));
        for unknown in ["HardFork(10)", "HardFork", "Opinion"] {
            let error = format!("the kind of proposal {unknown:?}");
            assert_eq!(kind(unknown), Err(error));
        }
    }

    #[test]
    fn members_have_a_term_a_hot_credential_both_or_neither() {
        let cold = |number: u8| "8200581c".to_owned() + &hex::encode([number; 28]);
        let json = serde_json::json!({
            "committee": [
                {"coldCredential": cold(1), "status": cold(9), "validUntil": 5},
                {"coldCredential": cold(2), "status": "resigned", "validUntil": null},
                {"coldCredential": cold(3), "status": null, "validUntil": 7},
            ],
            "guardrailScript": null,
        });
        let fields: GovernanceFields = serde_json::from_value(json).expect("the fields");
        let state = fields.load().expect("a state");
        let key = |number: u8| Credential::Key([number; 28]);
        let authorizations = BTreeMap::from([
            (key(1), Authorization::Hot(key(9))),
            (key(2), Authorization::Resigned(None)),
        ]);
        let expected = Governance {
            terms: BTreeMap::from([(key(1), 5), (key(3), 7)]),
            authorizations,
            ..Governance::default()
        };
        assert_eq!(state, expected);
    }
}
