//! What peers negotiate: `[network magic, initiator only, peer sharing, query]` (`node-to-node-version-data-v14.cddl`; 13 has the same form).

use std::ops::RangeInclusive;

use pallas_codec::minicbor::{Decoder, decode};
use pallas_network::miniprotocols::handshake::n2n::VersionData;

use crate::server::handshake::{Proposed, Terms};

/// Whether the devnet shares peers: it does, and knows none.
const PEER_SHARING: u8 = 1;

/// What peers are offered.
#[derive(Clone, Copy, Debug)]
pub(crate) struct PeerTerms {
    pub(crate) network_magic: u64,
}

impl Terms for PeerTerms {
    type Data = VersionData;
    /// 13 is the first after Chang, 14 the newest that pallas speaks.
    const VERSIONS: RangeInclusive<u64> = 13..=14;

    fn network_magic(&self) -> u64 {
        self.network_magic
    }

    fn offered(&self) -> VersionData {
        VersionData::new(self.network_magic, false, Some(PEER_SHARING), Some(false))
    }

    fn read(parameters: &[u8]) -> Result<Proposed<VersionData>, decode::Error> {
        let mut d = Decoder::new(parameters);
        if d.array()? != Some(4) {
            return Err(decode::Error::message(
                "expected [network magic, initiator only, peer sharing, query]",
            ));
        }
        let network_magic = u64::from(d.u32()?);
        let initiator_only = d.bool()?;
        let peer_sharing = d.u8()?;
        if peer_sharing > 1 {
            return Err(decode::Error::message("peer sharing is 0 or 1"));
        }
        let query = d.bool()?;
        Ok(Proposed {
            network_magic,
            query,
            data: VersionData::new(
                network_magic,
                initiator_only,
                Some(peer_sharing),
                Some(query),
            ),
        })
    }

    /// A connection goes one way if either side wants that, and shares peers if both do.
    fn agreed(&self, proposed: &VersionData) -> VersionData {
        let ours = self.offered();
        VersionData {
            initiator_only_diffusion_mode: ours.initiator_only_diffusion_mode
                || proposed.initiator_only_diffusion_mode,
            peer_sharing: ours.peer_sharing.min(proposed.peer_sharing),
            ..ours
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::server::handshake::{self, Outcome};

    fn answered(hex_message: &str) -> (String, Outcome) {
        handshake::answered(hex_message, &PeerTerms { network_magic: 42 })
    }

    #[test]
    fn the_newest_common_version_is_accepted_with_what_both_want() {
        for (proposed, agreed) in [
            ("f401f4", "f401f4"),
            ("f501f4", "f501f4"),
            ("f500f4", "f500f4"),
            ("f400f4", "f400f4"),
        ] {
            // Versions 10 (of two parameters), 13, 14 and 99 are proposed.
            let proposal =
                format!("8200a40a82182af40d84182a{proposed}0e84182a{proposed}186384182a{proposed}");
            assert_eq!(
                answered(&proposal),
                (format!("83010e84182a{agreed}"), Outcome::Accepted(14))
            );
        }
    }

    #[test]
    fn a_query_is_answered_with_all_versions() {
        assert_eq!(
            answered("8200a10d84182af500f5"),
            (
                "8203a20d84182af401f40e84182af401f4".into(),
                Outcome::Answered
            )
        );
    }

    #[test]
    fn another_magic_is_refused_with_both() {
        let (bytes, outcome) = answered("8200a10e8401f500f4");
        let text = "version data mismatch: network magic 1, expected 42";
        let expected = format!("820283020e78{:02x}{}", text.len(), hex::encode(text));
        assert_eq!((bytes, outcome), (expected, Outcome::Answered));
    }

    #[test]
    fn versions_that_have_passed_are_refused_by_name() {
        assert_eq!(
            answered("8200a20a82182af40c84182af500f4"),
            ("82028200820d0e".into(), Outcome::Answered)
        );
    }

    #[test]
    fn malformed_parameters_are_refused_as_such() {
        for parameters in [
            // Two of them, as up to version 10; peer sharing 2, as before 13; a magic of more than 32 bits.
            "82182af4",
            "84182af502f4",
            "841b0000000100000000f500f4",
        ] {
            let (bytes, outcome) = answered(&format!("8200a10e{parameters}"));
            assert!(bytes.starts_with("820283010e"), "{bytes}");
            assert_eq!(outcome, Outcome::Answered);
        }
    }
}
