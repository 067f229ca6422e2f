//! Votes on governance actions (Conway CDDL, `voting_procedures`).

use super::{ActionId, Anchor};
use crate::address::Credential;
use crate::cbor::{DecodeError, Reader};
use std::collections::BTreeMap;

const WHAT: &str = "the votes";

/// Who votes. The order is the ledger's, which redeemers count by.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Voter {
    /// A member of the constitutional committee, by the hot credential it authorized.
    Committee(Credential),
    /// A DRep.
    DRep(Credential),
    /// A stake pool, by the hash of its key.
    Pool([u8; 28]),
}

impl Voter {
    /// Who must sign, or which script must run.
    pub fn credential(&self) -> Credential {
        match self {
            Self::Committee(credential) | Self::DRep(credential) => *credential,
            Self::Pool(hash) => Credential::Key(*hash),
        }
    }

    fn decode(reader: &mut Reader<'_>) -> Result<Self, DecodeError> {
        let what = "a voter";
        let record = reader.record(2, what)?;
        let kind = reader.unsigned("a voter's kind")?;
        let hash = *reader.fixed::<28>("a voter's hash")?;
        reader.close(record, what)?;
        Ok(match kind {
            0 => Self::Committee(Credential::Key(hash)),
            1 => Self::Committee(Credential::Script(hash)),
            2 => Self::DRep(Credential::Key(hash)),
            3 => Self::DRep(Credential::Script(hash)),
            4 => Self::Pool(hash),
            key => return Err(DecodeError::UnknownKey { what, key }),
        })
    }
}

/// What a voter says.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Ballot {
    /// Against it.
    No,
    /// For it.
    Yes,
    /// Neither.
    Abstain,
}

/// A vote.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Vote<'a> {
    /// What the voter says.
    pub ballot: Ballot,
    /// Why.
    pub anchor: Option<Anchor<'a>>,
}

impl<'a> Vote<'a> {
    fn decode(reader: &mut Reader<'a>) -> Result<Self, DecodeError> {
        let what = "a vote";
        let record = reader.record(2, what)?;
        let ballot = match reader.unsigned("a ballot")? {
            0 => Ballot::No,
            1 => Ballot::Yes,
            2 => Ballot::Abstain,
            key => return Err(DecodeError::UnknownKey { what, key }),
        };
        let anchor = Anchor::decode_optional(reader)?;
        reader.close(record, what)?;
        Ok(Self { ballot, anchor })
    }
}

/// Who votes how on what.
pub type Votes<'a> = BTreeMap<Voter, BTreeMap<ActionId, Vote<'a>>>;

/// `{+ voter => {+ action => vote}}`.
pub(super) fn decode<'a>(reader: &mut Reader<'a>) -> Result<Votes<'a>, DecodeError> {
    let mut votes = Votes::new();
    let mut length = reader.map(WHAT)?;
    while reader.more(&mut length)? {
        let voter = Voter::decode(reader)?;
        if votes.insert(voter, decode_ballots(reader)?).is_some() {
            return Err(DecodeError::Duplicate { what: WHAT });
        }
    }
    nonempty(votes, WHAT)
}

fn decode_ballots<'a>(
    reader: &mut Reader<'a>,
) -> Result<BTreeMap<ActionId, Vote<'a>>, DecodeError> {
    let what = "a voter's votes";
    let mut ballots = BTreeMap::new();
    let mut length = reader.map(what)?;
    while reader.more(&mut length)? {
        let action = ActionId::decode(reader)?;
        if ballots.insert(action, Vote::decode(reader)?).is_some() {
            return Err(DecodeError::Duplicate { what });
        }
    }
    nonempty(ballots, what)
}

fn nonempty<K, V>(
    entries: BTreeMap<K, V>,
    what: &'static str,
) -> Result<BTreeMap<K, V>, DecodeError> {
    if entries.is_empty() {
        Err(DecodeError::Empty { what })
    } else {
        Ok(entries)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const HASH: &str = "581c01010101010101010101010101010101010101010101010101010101";
    const ACTION: &str = "825820020202020202020202020202020202020202020202020202020202020202020203";

    fn decoded(bytes: &str) -> Result<Vec<(Voter, Ballot)>, DecodeError> {
        let bytes = hex::decode(bytes).expect("hex");
        let votes = decode(&mut Reader::new(&bytes))?;
        Ok(votes
            .into_iter()
            .flat_map(|(voter, ballots)| {
                ballots.into_values().map(move |vote| (voter, vote.ballot))
            })
            .collect())
    }

    #[test]
    fn each_kind_of_voter_and_ballot_is_read() {
        let hash = [1; 28];
        let voters = [
            Voter::Committee(Credential::Key(hash)),
            Voter::Committee(Credential::Script(hash)),
            Voter::DRep(Credential::Key(hash)),
            Voter::DRep(Credential::Script(hash)),
            Voter::Pool(hash),
        ];
        for (kind, voter) in voters.into_iter().enumerate() {
            let ballots = [Ballot::No, Ballot::Yes, Ballot::Abstain];
            for (number, ballot) in ballots.into_iter().enumerate() {
                let bytes = format!("a1820{kind}{HASH}a1{ACTION}820{number}f6");
                assert_eq!(decoded(&bytes), Ok(vec![(voter, ballot)]), "{bytes}");
            }
        }
    }

    #[test]
    fn scripts_come_before_keys_and_the_committee_before_dreps_before_pools() {
        let hash = [1; 28];
        let mut voters = [
            Voter::Pool(hash),
            Voter::DRep(Credential::Key(hash)),
            Voter::Committee(Credential::Key(hash)),
            Voter::DRep(Credential::Script(hash)),
        ];
        voters.sort_unstable();
        let sorted = [
            Voter::Committee(Credential::Key(hash)),
            Voter::DRep(Credential::Script(hash)),
            Voter::DRep(Credential::Key(hash)),
            Voter::Pool(hash),
        ];
        assert_eq!(voters, sorted);
    }

    #[test]
    fn what_the_cddl_does_not_have_is_refused() {
        let vote = format!("{ACTION}8200f6");
        let voter = format!("8200{HASH}");
        let cases = [
            ("a0".to_owned(), DecodeError::Empty { what: WHAT }),
            (
                format!("a1{voter}a0"),
                DecodeError::Empty {
                    what: "a voter's votes",
                },
            ),
            (
                format!("a2{voter}a1{vote}{voter}a1{vote}"),
                DecodeError::Duplicate { what: WHAT },
            ),
            (
                format!("a1{voter}a2{vote}{vote}"),
                DecodeError::Duplicate {
                    what: "a voter's votes",
                },
            ),
            (
                format!("a18205{HASH}a1{vote}"),
                DecodeError::UnknownKey {
                    what: "a voter",
                    key: 5,
                },
            ),
            (
                format!("a1{voter}a1{ACTION}8203f6"),
                DecodeError::UnknownKey {
                    what: "a vote",
                    key: 3,
                },
            ),
        ];
        for (bytes, error) in cases {
            assert_eq!(decoded(&bytes), Err(error), "{bytes}");
        }
    }
}
