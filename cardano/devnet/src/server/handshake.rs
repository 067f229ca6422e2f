//! The node-to-client handshake: the newest common version is accepted, another magic refused, a query answered.

use std::collections::BTreeMap;

use pallas_codec::minicbor::{Decoder, decode};
use pallas_network::miniprotocols::handshake::{
    Message, RefuseReason, VersionTable, n2c::VersionData,
};

use super::{channel::Channel, error::SessionError};

/// Node-to-client versions carry this bit, to be told from node-to-node ones.
const N2C_BIT: u64 = 1 << 15;
/// The versions served: 16 is Conway's first, 23 the newest that pallas speaks.
const VERSIONS: std::ops::RangeInclusive<u64> = N2C_BIT + 16..=N2C_BIT + 23;

/// How a handshake ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Outcome {
    /// The connection goes on with this version (without the node-to-client bit).
    Accepted(u64),
    /// The client has its answer, and the connection ends.
    Answered,
}

/// What a client proposes: the undecoded parameters of each version.
type Proposals<'b> = BTreeMap<u64, &'b [u8]>;

/// Answers the client's proposal.
pub(crate) async fn serve(
    mut channel: Channel<'_>,
    network_magic: u64,
) -> Result<Outcome, SessionError> {
    let message = channel.receive().await?;
    let proposals = proposals(&message).map_err(|e| channel.undecodable(&e))?;
    let (answer, outcome) = answer(&proposals, network_magic);
    channel.send(&answer).await?;
    Ok(outcome)
}

/// Reads a client's proposal and makes the answer, for the fuzz targets.
pub(super) fn read(message: &[u8]) {
    if let Ok(proposals) = proposals(message) {
        let _ = answer(&proposals, 42);
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

fn answer(proposals: &Proposals<'_>, network_magic: u64) -> (Message<VersionData>, Outcome) {
    let common = proposals
        .iter()
        .rev()
        .find(|(version, _)| VERSIONS.contains(version));
    let Some((&version, parameters)) = common else {
        return (
            Message::Refuse(RefuseReason::VersionMismatch(VERSIONS.collect())),
            Outcome::Answered,
        );
    };
    let refuse = |reason| (Message::Refuse(reason), Outcome::Answered);
    match parameters_of(parameters) {
        Err(error) => refuse(RefuseReason::HandshakeDecodeError(
            version,
            error.to_string(),
        )),
        Ok((magic, _)) if magic != network_magic => {
            let reason =
                format!("version data mismatch: network magic {magic}, expected {network_magic}");
            refuse(RefuseReason::Refused(version, reason))
        }
        Ok((_, true)) => (Message::QueryReply(table(network_magic)), Outcome::Answered),
        Ok((magic, false)) => {
            let accepted = VersionData::new(magic, Some(false));
            (
                Message::Accept(version, accepted),
                Outcome::Accepted(version - N2C_BIT),
            )
        }
    }
}

/// The network magic and whether the client only asks.
fn parameters_of(parameters: &[u8]) -> Result<(u64, bool), decode::Error> {
    let mut d = Decoder::new(parameters);
    if d.array()? != Some(2) {
        return Err(decode::Error::message("expected [network magic, query]"));
    }
    Ok((d.u64()?, d.bool()?))
}

fn table(network_magic: u64) -> VersionTable<VersionData> {
    let values = VERSIONS
        .map(|version| (version, VersionData::new(network_magic, Some(false))))
        .collect();
    VersionTable { values }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn answered(hex_message: &str) -> (String, Outcome) {
        let message = hex::decode(hex_message).expect("hex");
        let (answer, outcome) = answer(&proposals(&message).expect("proposals"), 42);
        let bytes = pallas_codec::minicbor::to_vec(&answer).expect("encodes");
        (hex::encode(bytes), outcome)
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
