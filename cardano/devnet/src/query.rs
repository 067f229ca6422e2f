//! Questions that local clients ask of the ledger's state, in the wire format of node-to-client versions 16 to 23.
//!
//! Only what is answered truly is decoded; everything else is refused by its name. In particular there are no stake snapshots,
//! delegations or rewards yet, so nothing is said about them.

mod answer;
mod parameters;

use pallas_codec::minicbor::{Decoder, data::Type, decode};

pub use answer::answer;
pub(crate) use parameters::encode as current_parameters;

use nupeer_cardano_ledger::TxIn;

/// Conway's number in queries and submissions (in blocks it has 7).
pub const CONWAY_ERA: u16 = 6;

/// The most addresses or references in one question.
const ARGUMENTS_MAX: usize = 10_000;

/// A question.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Query {
    /// When slot 0 began.
    SystemStart,
    /// The last block's number.
    ChainBlockNo,
    /// The last block's place.
    ChainPoint,
    /// The era's number.
    CurrentEra,
    /// A question to the ledger of an era.
    Ledger(u16, LedgerQuery),
}

/// A question to the Conway ledger.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum LedgerQuery {
    /// The last block's place.
    Tip,
    /// The epoch.
    EpochNo,
    /// The protocol's parameters.
    CurrentParameters,
    /// The unspent outputs at these addresses.
    UtxoByAddress(Vec<Vec<u8>>),
    /// All unspent outputs.
    UtxoWhole,
    /// These unspent outputs.
    UtxoByTxIn(Vec<TxIn>),
    /// The same answer as the inner question's, as a byte string.
    Cbor(Box<LedgerQuery>),
}

/// Why a question cannot be answered.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum QueryError {
    /// It is not answered.
    #[error("the query {name} is not answered")]
    Unsupported {
        /// Its name in ouroboros-consensus.
        name: String,
    },
    /// It is no question.
    #[error("not a query: {reason}")]
    Malformed {
        /// What the decoder said.
        reason: String,
    },
}

impl From<decode::Error> for QueryError {
    fn from(error: decode::Error) -> Self {
        Self::Malformed {
            reason: error.to_string(),
        }
    }
}

impl Query {
    /// Decodes a question.
    pub fn decode(bytes: &[u8]) -> Result<Self, QueryError> {
        let mut d = Decoder::new(bytes);
        d.array()?;
        match d.u16()? {
            0 => Self::decode_hard_fork(&mut d),
            1 => Ok(Self::SystemStart),
            2 => Ok(Self::ChainBlockNo),
            3 => Ok(Self::ChainPoint),
            tag => Err(unsupported(&format!("number {tag}"))),
        }
    }

    fn decode_hard_fork(d: &mut Decoder<'_>) -> Result<Self, QueryError> {
        d.array()?;
        match d.u16()? {
            0 => {
                d.array()?;
                Ok(Self::Ledger(d.u16()?, LedgerQuery::decode(d)?))
            }
            2 => {
                d.array()?;
                match d.u16()? {
                    1 => Ok(Self::CurrentEra),
                    _ => Err(unsupported("GetInterpreter")),
                }
            }
            _ => Err(unsupported("GetEraStart")),
        }
    }
}

impl LedgerQuery {
    fn decode(d: &mut Decoder<'_>) -> Result<Self, QueryError> {
        d.array()?;
        match d.u16()? {
            0 => Ok(Self::Tip),
            1 => Ok(Self::EpochNo),
            3 => Ok(Self::CurrentParameters),
            6 => Ok(Self::UtxoByAddress(set(d, |d| Ok(d.bytes()?.to_vec()))?)),
            7 => Ok(Self::UtxoWhole),
            // The message that carries a question may nest 64 levels, so that this recursion is short.
            9 => Ok(Self::Cbor(Box::new(Self::decode(d)?))),
            15 => Ok(Self::UtxoByTxIn(set(d, reference)?)),
            tag => Err(unsupported(name(tag))),
        }
    }
}

/// A set, with or without its tag 258.
fn set<T>(
    d: &mut Decoder<'_>,
    item: impl Fn(&mut Decoder<'_>) -> Result<T, decode::Error>,
) -> Result<Vec<T>, QueryError> {
    if d.datatype()? == Type::Tag {
        d.tag()?;
    }
    let count = d.array()?;
    let mut items = Vec::new();
    loop {
        let done = match count {
            Some(count) => items.len() as u64 >= count,
            None => d.datatype()? == Type::Break,
        };
        if done {
            return Ok(items);
        }
        if items.len() >= ARGUMENTS_MAX {
            let reason = format!("more than {ARGUMENTS_MAX} arguments");
            return Err(QueryError::Malformed { reason });
        }
        items.push(item(d)?);
    }
}

fn reference(d: &mut Decoder<'_>) -> Result<TxIn, decode::Error> {
    if d.array()? != Some(2) {
        return Err(decode::Error::message("expected [transaction id, index]"));
    }
    let tx_id = d
        .bytes()?
        .try_into()
        .map_err(|_| decode::Error::message("a transaction id has 32 bytes"))?;
    Ok(TxIn {
        tx_id,
        index: d.u16()?,
    })
}

fn unsupported(name: &str) -> QueryError {
    QueryError::Unsupported {
        name: name.to_owned(),
    }
}

/// The names of ouroboros-consensus' `BlockQuery`, by their numbers.
fn name(tag: u16) -> &'static str {
    const NAMES: [&str; 40] = [
        "GetLedgerTip",
        "GetEpochNo",
        "GetNonMyopicMemberRewards",
        "GetCurrentPParams",
        "GetProposedPParamsUpdates",
        "GetStakeDistribution",
        "GetUTxOByAddress",
        "GetUTxOWhole",
        "DebugEpochState",
        "GetCBOR",
        "GetFilteredDelegationsAndRewardAccounts",
        "GetGenesisConfig",
        "DebugNewEpochState",
        "DebugChainDepState",
        "GetRewardProvenance",
        "GetUTxOByTxIn",
        "GetStakePools",
        "GetStakePoolParams",
        "GetRewardInfoPools",
        "GetPoolState",
        "GetStakeSnapshots",
        "GetPoolDistr",
        "GetStakeDelegDeposits",
        "GetConstitution",
        "GetGovState",
        "GetDRepState",
        "GetDRepStakeDistr",
        "GetCommitteeMembersState",
        "GetFilteredVoteDelegatees",
        "GetAccountState",
        "GetSPOStakeDistr",
        "GetProposals",
        "GetRatifyState",
        "GetFuturePParams",
        "GetLedgerPeerSnapshot",
        "QueryStakePoolDefaultVote",
        "GetPoolDistr2",
        "GetStakeDistribution2",
        "GetMaxMajorProtVersion",
        "GetDRepDelegations",
    ];
    NAMES
        .get(usize::from(tag))
        .copied()
        .unwrap_or("of an unknown number")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn decode(text: &str) -> Result<Query, QueryError> {
        Query::decode(&hex::decode(text.replace(' ', "")).expect("hex"))
    }

    #[test]
    fn questions_are_told_apart() {
        let reference = TxIn {
            tx_id: [0xaa; 32],
            index: 1,
        };
        let by_reference = format!("82008200820682 0f81825820{}01", "aa".repeat(32));
        let by_address = || Query::Ledger(6, LedgerQuery::UtxoByAddress(vec![vec![0x0b]]));
        let parameters = Box::new(LedgerQuery::CurrentParameters);
        let cases = [
            ("8101", Query::SystemStart),
            ("8102", Query::ChainBlockNo),
            ("8103", Query::ChainPoint),
            ("8200 8202 8101", Query::CurrentEra),
            (
                "8200 8200 8206 8101",
                Query::Ledger(6, LedgerQuery::EpochNo),
            ),
            ("8200 8200 8206 8206 81410b", by_address()),
            ("8200 8200 8206 8206 d901029f410bff", by_address()),
            (
                &by_reference,
                Query::Ledger(6, LedgerQuery::UtxoByTxIn(vec![reference])),
            ),
            (
                "8200 8200 8206 8209 8103",
                Query::Ledger(6, LedgerQuery::Cbor(parameters)),
            ),
        ];
        for (text, query) in cases {
            assert_eq!(decode(text), Ok(query), "{text}");
        }
    }

    #[test]
    fn what_is_not_answered_is_named() {
        let cases = [
            ("8200 8200 8206 8214 80", "GetStakeSnapshots"),
            ("8200 8202 8100", "GetInterpreter"),
            ("8200 8200 8206 81185a", "of an unknown number"),
        ];
        for (text, name) in cases {
            assert_eq!(decode(text), Err(unsupported(name)), "{text}");
        }
    }
}
