//! The handshake: the newest common version is accepted, another magic refused, a query answered. What local clients and peers negotiate
//! differs in the versions and their parameters alone.

use std::{collections::BTreeMap, fmt::Debug, ops::RangeInclusive, time::Duration};

use pallas_codec::minicbor::{Decoder, Encode, decode};
use pallas_network::miniprotocols::{
    PROTOCOL_N2C_HANDSHAKE as HANDSHAKE,
    handshake::{Message, RefuseReason, VersionTable, n2c::VersionData},
};
use tokio::time::timeout;

use super::{channel::Channel, error::SessionError, mux::Link};

/// How long the other side has for its handshake, as with a cardano-node.
const TIMEOUT_MS: u64 = 10_000;
/// Node-to-client versions carry this bit, to be told from node-to-node ones.
const N2C_BIT: u64 = 1 << 15;

/// How a handshake ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Outcome {
    /// The connection goes on with this version (without the node-to-client bit).
    Accepted(u64),
    /// The client has its answer, and the connection ends.
    Answered,
}

/// The parameters of a version that somebody proposes.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Proposed<D> {
    pub(crate) network_magic: u64,
    /// Whether it only asks what is served.
    pub(crate) query: bool,
    pub(crate) data: D,
}

/// What one side of a kind of connection offers.
pub(crate) trait Terms {
    /// A version's parameters.
    type Data: Encode<()> + Clone + Debug;
    /// The versions served.
    const VERSIONS: RangeInclusive<u64>;
    /// The network it serves.
    fn network_magic(&self) -> u64;
    /// The parameters that it offers.
    fn offered(&self) -> Self::Data;
    /// Reads what the other side proposes.
    fn read(parameters: &[u8]) -> Result<Proposed<Self::Data>, decode::Error>;
    /// What both agree on.
    fn agreed(&self, proposed: &Self::Data) -> Self::Data;
}

/// What local clients are offered.
#[derive(Clone, Copy, Debug)]
pub(crate) struct LocalTerms {
    pub(crate) network_magic: u64,
}

impl Terms for LocalTerms {
    type Data = VersionData;
    /// 16 is Conway's first, 23 the newest that pallas speaks.
    const VERSIONS: RangeInclusive<u64> = N2C_BIT + 16..=N2C_BIT + 23;

    fn network_magic(&self) -> u64 {
        self.network_magic
    }

    fn offered(&self) -> VersionData {
        VersionData::new(self.network_magic, Some(false))
    }

    fn read(parameters: &[u8]) -> Result<Proposed<VersionData>, decode::Error> {
        let mut d = Decoder::new(parameters);
        if d.array()? != Some(2) {
            return Err(decode::Error::message("expected [network magic, query]"));
        }
        let (network_magic, query) = (d.u64()?, d.bool()?);
        Ok(Proposed {
            network_magic,
            query,
            data: VersionData::new(network_magic, Some(query)),
        })
    }

    fn agreed(&self, _: &VersionData) -> VersionData {
        self.offered()
    }
}

/// What a client proposes: the undecoded parameters of each version.
type Proposals<'b> = BTreeMap<u64, &'b [u8]>;

/// Agrees on a version with the other side of a connection; none if it has its answer, and the connection ends.
pub(crate) async fn greet<T: Terms>(
    link: &Link<'_>,
    terms: &T,
) -> Result<Option<u64>, SessionError> {
    let handshake = serve(link.channel(HANDSHAKE)?, terms);
    let outcome = timeout(Duration::from_millis(TIMEOUT_MS), handshake).await;
    let outcome = outcome.map_err(|_| SessionError::HandshakeTimeout {
        timeout_ms: TIMEOUT_MS,
    })??;
    Ok(match outcome {
        Outcome::Accepted(version) => {
            link.place().greeted();
            Some(version)
        }
        Outcome::Answered => None,
    })
}

/// Answers the client's proposal.
async fn serve<T: Terms>(mut channel: Channel<'_>, terms: &T) -> Result<Outcome, SessionError> {
    let message = channel.receive().await?;
    let proposals = proposals(&message).map_err(|e| channel.undecodable(&e))?;
    let (answer, outcome) = answer(&proposals, terms);
    channel.send(&answer).await?;
    Ok(outcome)
}

/// Reads a client's proposal and makes the answer, for the fuzz targets.
pub(super) fn read<T: Terms>(message: &[u8], terms: &T) {
    if let Ok(proposals) = proposals(message) {
        let _ = answer(&proposals, terms);
    }
}

fn proposals(message: &[u8]) -> Result<Proposals<'_>, decode::Error> {
    let mut d = Decoder::new(message);
    d.array()?;
    if d.u16()? != 0 {
        return Err(decode::Error::message(
            "the first message must propose versions",
        ));
    }
    let mut left = d
        .map()?
        .ok_or_else(|| decode::Error::message("an indefinite map of versions"))?;
    let mut proposals = Proposals::new();
    while left > 0 {
        let version = d.u64()?;
        let start = d.position();
        d.skip()?;
        proposals.insert(version, &message[start..d.position()]);
        left -= 1;
    }
    Ok(proposals)
}

fn answer<T: Terms>(proposals: &Proposals<'_>, terms: &T) -> (Message<T::Data>, Outcome) {
    let common = proposals
        .iter()
        .rev()
        .find(|(version, _)| T::VERSIONS.contains(version));
    let Some((&version, parameters)) = common else {
        return (
            Message::Refuse(RefuseReason::VersionMismatch(T::VERSIONS.collect())),
            Outcome::Answered,
        );
    };
    let refuse = |reason| (Message::Refuse(reason), Outcome::Answered);
    let expected = terms.network_magic();
    match T::read(parameters) {
        Err(error) => refuse(RefuseReason::HandshakeDecodeError(
            version,
            error.to_string(),
        )),
        Ok(proposed) if proposed.network_magic != expected => {
            let magic = proposed.network_magic;
            let reason =
                format!("version data mismatch: network magic {magic}, expected {expected}");
            refuse(RefuseReason::Refused(version, reason))
        }
        Ok(Proposed { query: true, .. }) => (Message::QueryReply(table(terms)), Outcome::Answered),
        Ok(proposed) => (
            Message::Accept(version, terms.agreed(&proposed.data)),
            Outcome::Accepted(version & !N2C_BIT),
        ),
    }
}

fn table<T: Terms>(terms: &T) -> VersionTable<T::Data> {
    let values = T::VERSIONS
        .map(|version| (version, terms.offered()))
        .collect();
    VersionTable { values }
}

/// The answer's bytes and how the handshake ended, for the tests of each kind of connection.
#[cfg(test)]
pub(super) fn answered<T: Terms>(hex_message: &str, terms: &T) -> (String, Outcome) {
    let message = hex::decode(hex_message).expect("hex");
    let (answer, outcome) = answer(&proposals(&message).expect("proposals"), terms);
    let bytes = pallas_codec::minicbor::to_vec(&answer).expect("encodes");
    (hex::encode(bytes), outcome)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn answered(hex_message: &str) -> (String, Outcome) {
        super::answered(hex_message, &LocalTerms { network_magic: 42 })
    }

    #[test]
    fn the_newest_common_version_is_accepted() {
        // Versions 10 (a bare magic), 16, 19 and 32 are proposed.
        let proposal = "8200a419800a182a19801082182af419801382182af419802082182af4";
        assert_eq!(
            answered(proposal),
            ("830119801382182af4".into(), Outcome::Accepted(19))
        );
    }

    #[test]
    fn a_query_is_answered_with_all_versions() {
        let (bytes, outcome) = answered("8200a119801382182af5");
        assert!(
            bytes.starts_with("8203a819801082182af419801182182af4"),
            "{bytes}"
        );
        assert_eq!(outcome, Outcome::Answered);
    }

    #[test]
    fn another_magic_is_refused_with_both() {
        let (bytes, outcome) = answered("8200a11980138201f4");
        let text = "version data mismatch: network magic 1, expected 42";
        assert_eq!(
            (bytes, outcome),
            (
                format!(
                    "82028302198013{:02x}{:02x}{}",
                    0x78,
                    text.len(),
                    hex::encode(text)
                ),
                Outcome::Answered
            )
        );
    }

    #[test]
    fn versions_that_have_passed_are_refused_by_name() {
        let (bytes, outcome) = answered("8200a119800a182a");
        assert_eq!(
            (bytes.as_str(), outcome),
            (
                "8202820088198010198011198012198013198014198015198016198017",
                Outcome::Answered
            )
        );
    }

    #[test]
    fn malformed_parameters_are_refused_as_such() {
        let (bytes, _) = answered("8200a1198013182a");
        assert!(bytes.starts_with("82028301198013"), "{bytes}");
    }
}
