//! Governance actions and the proposals that carry them (Conway CDDL, `proposal_procedures`, `gov_action`).

use super::ratio::unit_interval;
use super::{Anchor, ParameterUpdate, RewardAccount, TxId, set};
use crate::address::Credential;
use crate::cbor::{DecodeError, Reader};
use crate::parameters::{ProtocolVersion, Ratio};
use crate::script::ScriptHash;
use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

/// A proposal's place: the transaction that made it, and its number there.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ActionId {
    /// The transaction's id.
    pub tx_id: TxId,
    /// The proposal's number, from 0.
    pub index: u16,
}

impl ActionId {
    pub(super) fn decode(reader: &mut Reader<'_>) -> Result<Self, DecodeError> {
        let what = "a governance action's id";
        let record = reader.record(2, what)?;
        let tx_id = *reader.fixed::<32>("a transaction id")?;
        let index = u16::try_from(reader.unsigned("an action's index")?);
        let index = index.map_err(|_| DecodeError::OutOfRange {
            what: "an action's index",
        })?;
        reader.close(record, what)?;
        Ok(Self { tx_id, index })
    }

    fn decode_optional(reader: &mut Reader<'_>) -> Result<Option<Self>, DecodeError> {
        if reader.null()? {
            return Ok(None);
        }
        Self::decode(reader).map(Some)
    }
}

impl fmt::Display for ActionId {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}#{}", hex::encode(self.tx_id), self.index)
    }
}

impl fmt::Debug for ActionId {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, formatter)
    }
}

/// What is proposed. `previous` is the action of the same lineage that was enacted or proposed before it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Action<'a> {
    /// Kind 0: other parameters.
    ParameterChange {
        /// The one before it.
        previous: Option<ActionId>,
        /// Which, and to what.
        update: ParameterUpdate,
        /// The constitution's script, which must agree.
        guardrails: Option<ScriptHash>,
    },
    /// Kind 1: another version of the protocol.
    HardFork {
        /// The one before it.
        previous: Option<ActionId>,
        /// Which.
        version: ProtocolVersion,
    },
    /// Kind 2: lovelace of the treasury, by account.
    TreasuryWithdrawals {
        /// How much for whom.
        withdrawals: BTreeMap<RewardAccount, u64>,
        /// The constitution's script, which must agree.
        guardrails: Option<ScriptHash>,
    },
    /// Kind 3: no confidence in the committee.
    NoConfidence {
        /// The one before it.
        previous: Option<ActionId>,
    },
    /// Kind 4: another committee.
    UpdateCommittee {
        /// The one before it.
        previous: Option<ActionId>,
        /// Who goes.
        removed: BTreeSet<Credential>,
        /// Who comes, and through which epoch.
        added: BTreeMap<Credential, u64>,
        /// Which part of the committee must agree to an action, in lowest terms.
        threshold: Ratio,
    },
    /// Kind 5: another constitution.
    NewConstitution {
        /// The one before it.
        previous: Option<ActionId>,
        /// Its text.
        anchor: Anchor<'a>,
        /// Its script.
        guardrails: Option<ScriptHash>,
    },
    /// Kind 6: nothing but an opinion.
    Information,
}

/// A governance action with its deposit.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Proposal<'a> {
    /// What is put down.
    pub deposit_lovelace: u64,
    /// Where the deposit goes back to.
    pub return_account: RewardAccount,
    /// What is proposed.
    pub action: Action<'a>,
    /// Why.
    pub anchor: Anchor<'a>,
    /// The bytes as they came.
    pub raw: &'a [u8],
}

impl<'a> Action<'a> {
    fn decode(reader: &mut Reader<'a>) -> Result<Self, DecodeError> {
        let what = "a governance action";
        let (kind, record) = reader.variant(what, |kind| match kind {
            0 => Some(4),
            1 | 2 | 5 => Some(3),
            3 => Some(2),
            4 => Some(5),
            6 => Some(1),
            _ => None,
        })?;
        let action = match kind {
            2 => Self::TreasuryWithdrawals {
                withdrawals: treasury_withdrawals(reader)?,
                guardrails: script_hash(reader)?,
            },
            6 => Self::Information,
            kind => Self::decode_of_lineage(kind, ActionId::decode_optional(reader)?, reader)?,
        };
        reader.close(record, what)?;
        Ok(action)
    }

    /// What follows the action before it.
    fn decode_of_lineage(
        kind: u64,
        previous: Option<ActionId>,
        reader: &mut Reader<'a>,
    ) -> Result<Self, DecodeError> {
        Ok(match kind {
            0 => Self::ParameterChange {
                previous,
                update: ParameterUpdate::decode(reader)?,
                guardrails: script_hash(reader)?,
            },
            1 => Self::HardFork {
                previous,
                version: protocol_version(reader)?,
            },
            3 => Self::NoConfidence { previous },
            4 => Self::UpdateCommittee {
                previous,
                removed: set::decode(reader, "the members removed", Credential::decode)?,
                added: members(reader)?,
                threshold: unit_interval(reader)?,
            },
            _ => constitution(previous, reader)?,
        })
    }

    /// The script of the constitution that the action names.
    pub fn guardrails(&self) -> Option<ScriptHash> {
        match self {
            Self::ParameterChange { guardrails, .. }
            | Self::TreasuryWithdrawals { guardrails, .. } => *guardrails,
            Self::HardFork { .. }
            | Self::NoConfidence { .. }
            | Self::UpdateCommittee { .. }
            | Self::NewConstitution { .. }
            | Self::Information => None,
        }
    }

    /// The action that it follows.
    pub fn previous(&self) -> Option<ActionId> {
        match self {
            Self::ParameterChange { previous, .. }
            | Self::HardFork { previous, .. }
            | Self::NoConfidence { previous }
            | Self::UpdateCommittee { previous, .. }
            | Self::NewConstitution { previous, .. } => *previous,
            Self::TreasuryWithdrawals { .. } | Self::Information => None,
        }
    }
}

impl<'a> Proposal<'a> {
    fn decode(reader: &mut Reader<'a>) -> Result<Self, DecodeError> {
        let what = "a proposal";
        let start = reader.position();
        let record = reader.record(4, what)?;
        let mut proposal = Self {
            deposit_lovelace: reader.unsigned("a deposit")?,
            return_account: RewardAccount::decode(reader)?,
            action: Action::decode(reader)?,
            anchor: Anchor::decode(reader)?,
            raw: &[],
        };
        reader.close(record, what)?;
        proposal.raw = reader.since(start);
        Ok(proposal)
    }

    /// Whether both say the same, whatever the bytes.
    fn says_the_same(&self, other: &Self) -> bool {
        self.deposit_lovelace == other.deposit_lovelace
            && self.return_account == other.return_account
            && self.action == other.action
            && self.anchor == other.anchor
    }
}

/// The proposals of a body: in their order, none twice, at least one.
pub(super) fn decode_all<'a>(reader: &mut Reader<'a>) -> Result<Vec<Proposal<'a>>, DecodeError> {
    let what = "the proposals";
    let mut proposals: Vec<Proposal<'a>> = Vec::new();
    let mut length = set::open(reader, what)?;
    while reader.more(&mut length)? {
        let proposal = Proposal::decode(reader)?;
        if proposals.iter().any(|other| other.says_the_same(&proposal)) {
            return Err(DecodeError::Duplicate { what });
        }
        proposals.push(proposal);
    }
    if proposals.is_empty() {
        return Err(DecodeError::Empty { what });
    }
    Ok(proposals)
}

/// `[anchor, script hash / nil]`.
fn constitution<'a>(
    previous: Option<ActionId>,
    reader: &mut Reader<'a>,
) -> Result<Action<'a>, DecodeError> {
    let what = "a constitution";
    let record = reader.record(2, what)?;
    let action = Action::NewConstitution {
        previous,
        anchor: Anchor::decode(reader)?,
        guardrails: script_hash(reader)?,
    };
    reader.close(record, what)?;
    Ok(action)
}

fn script_hash(reader: &mut Reader<'_>) -> Result<Option<ScriptHash>, DecodeError> {
    if reader.null()? {
        return Ok(None);
    }
    reader.fixed::<28>("a script hash").map(|hash| Some(*hash))
}

fn protocol_version(reader: &mut Reader<'_>) -> Result<ProtocolVersion, DecodeError> {
    let what = "a protocol version";
    let record = reader.record(2, what)?;
    let mut number =
        || u16::try_from(reader.unsigned(what)?).map_err(|_| DecodeError::OutOfRange { what });
    let (major, minor) = (number()?, number()?);
    reader.close(record, what)?;
    Ok(ProtocolVersion { major, minor })
}

fn treasury_withdrawals(
    reader: &mut Reader<'_>,
) -> Result<BTreeMap<RewardAccount, u64>, DecodeError> {
    let what = "withdrawals from the treasury";
    entries(reader, what, |reader| {
        Ok((
            RewardAccount::decode(reader)?,
            reader.unsigned("a withdrawal from the treasury")?,
        ))
    })
}

fn members(reader: &mut Reader<'_>) -> Result<BTreeMap<Credential, u64>, DecodeError> {
    entries(reader, "the members added", |reader| {
        Ok((Credential::decode(reader)?, reader.unsigned("an epoch")?))
    })
}

fn entries<'a, K: Ord, V>(
    reader: &mut Reader<'a>,
    what: &'static str,
    entry: impl Fn(&mut Reader<'a>) -> Result<(K, V), DecodeError>,
) -> Result<BTreeMap<K, V>, DecodeError> {
    let mut entries = BTreeMap::new();
    let mut length = reader.map(what)?;
    while reader.more(&mut length)? {
        let (key, value) = entry(reader)?;
        if entries.insert(key, value).is_some() {
            return Err(DecodeError::Duplicate { what });
        }
    }
    Ok(entries)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{bytes, list, unsigned};
    use crate::tx::ParameterValue;
    use proptest::prelude::*;

    const HASH: [u8; 28] = [1; 28];
    const ID: ActionId = ActionId {
        tx_id: [2; 32],
        index: 3,
    };

    fn id() -> Vec<u8> {
        list(&[bytes(&ID.tx_id), unsigned(3)])
    }

    fn null() -> Vec<u8> {
        vec![0xf6]
    }

    fn anchor() -> Vec<u8> {
        list(&[vec![0x61, b'u'], bytes(&[9; 32])])
    }

    fn account() -> Vec<u8> {
        bytes(&[&[0xe0], HASH.as_slice()].concat())
    }

    fn cold() -> Vec<u8> {
        list(&[unsigned(0), bytes(&HASH)])
    }

    fn half() -> Vec<u8> {
        vec![0xd8, 0x1e, 0x82, 1, 2]
    }

    fn map_of(key: &[u8], value: &[u8]) -> Vec<u8> {
        [&[0xa1], key, value].concat()
    }

    fn proposal(action: &[u8]) -> Vec<u8> {
        list(&[unsigned(5), account(), action.to_vec(), anchor()])
    }

    fn decoded(action: &[u8]) -> Result<Action<'static>, DecodeError> {
        let raw: &'static [u8] = list(&[proposal(action)]).leak();
        let mut proposals = decode_all(&mut Reader::new(raw))?;
        Ok(proposals.remove(0).action)
    }

    /// Each kind of action, as bytes and decoded.
    fn samples() -> Vec<(Vec<u8>, Action<'static>)> {
        let update = ParameterUpdate::decode(&mut Reader::new(&[0xa1, 0, 7])).expect("an update");
        assert_eq!(update.values().get(&0), Some(&ParameterValue::Integer(7)));
        let account = RewardAccount {
            network: 0,
            credential: Credential::Key(HASH),
        };
        let member = Credential::Key(HASH);
        let version = ProtocolVersion {
            major: 11,
            minor: 0,
        };
        let hash: &'static [u8; 32] = &[9; 32];
        vec![
            (
                list(&[unsigned(0), id(), vec![0xa1, 0, 7], bytes(&HASH)]),
                Action::ParameterChange {
                    previous: Some(ID),
                    update,
                    guardrails: Some(HASH),
                },
            ),
            (
                list(&[unsigned(1), null(), vec![0x82, 11, 0]]),
                Action::HardFork {
                    previous: None,
                    version,
                },
            ),
            (
                list(&[unsigned(2), map_of(&self::account(), &[6]), null()]),
                Action::TreasuryWithdrawals {
                    withdrawals: BTreeMap::from([(account, 6)]),
                    guardrails: None,
                },
            ),
            (
                list(&[unsigned(3), id()]),
                Action::NoConfidence { previous: Some(ID) },
            ),
            (
                list(&[
                    unsigned(4),
                    id(),
                    list(&[cold()]),
                    map_of(&cold(), &[8]),
                    half(),
                ]),
                Action::UpdateCommittee {
                    previous: Some(ID),
                    removed: BTreeSet::from([member]),
                    added: BTreeMap::from([(member, 8)]),
                    threshold: Ratio {
                        numerator: 1,
                        denominator: 2,
                    },
                },
            ),
            (
                list(&[unsigned(5), null(), list(&[anchor(), bytes(&HASH)])]),
                Action::NewConstitution {
                    previous: None,
                    anchor: Anchor { url: "u", hash },
                    guardrails: Some(HASH),
                },
            ),
            (list(&[unsigned(6)]), Action::Information),
        ]
    }

    #[test]
    fn each_kind_of_action_is_read() {
        for (raw, action) in samples() {
            assert_eq!(decoded(&raw), Ok(action), "{}", hex::encode(&raw));
        }
    }

    #[test]
    fn an_action_has_the_fields_of_its_kind_and_no_others() {
        for (raw, action) in samples() {
            let mut longer = raw.clone();
            longer[0] += 1;
            longer.push(0);
            assert!(
                matches!(decoded(&longer), Err(DecodeError::WrongLength { .. })),
                "{action:?}"
            );
        }
        assert_eq!(
            decoded(&list(&[unsigned(7)])),
            Err(DecodeError::UnknownKey {
                what: "a governance action",
                key: 7
            })
        );
    }

    #[test]
    fn proposals_stand_in_their_order_none_twice_and_one_at_least() {
        let what = "the proposals";
        let (one, other) = (
            proposal(&list(&[unsigned(6)])),
            proposal(&list(&[unsigned(3), null()])),
        );
        let both = list(&[other.clone(), one.clone()]);
        let read = decode_all(&mut Reader::new(&both)).expect("proposals");
        let raws: Vec<&[u8]> = read.iter().map(|proposal| proposal.raw).collect();
        assert_eq!(raws, [other.as_slice(), one.as_slice()]);
        assert_eq!(read[0].deposit_lovelace, 5);
        // The second as an indefinite list: other bytes, the same proposal.
        let mut same = one.clone();
        same[0] = 0x9f;
        same.push(0xff);
        assert_eq!(
            decode_all(&mut Reader::new(&list(&[one, same]))),
            Err(DecodeError::Duplicate { what })
        );
        assert_eq!(
            decode_all(&mut Reader::new(&[0x80])),
            Err(DecodeError::Empty { what })
        );
    }

    proptest! {
        #[test]
        fn a_byte_changed_anywhere_never_panics(
            which in any::<prop::sample::Index>(), position in any::<prop::sample::Index>(), byte in any::<u8>(),
        ) {
            let samples = samples();
            let mut raw = list(&[proposal(&samples[which.index(samples.len())].0)]);
            let position = position.index(raw.len());
            raw[position] = byte;
            if let Ok(proposals) = decode_all(&mut Reader::new(&raw)) {
                prop_assert_eq!(proposals.len(), 1);
            }
        }
    }
}
