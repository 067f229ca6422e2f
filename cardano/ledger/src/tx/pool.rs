//! A stake pool's parameters (Conway CDDL, `pool_params`).

use super::certificate::PoolId;
use super::credential::url;
use super::ratio::unit_interval;
use super::set;
use super::withdrawals::RewardAccount;
use crate::cbor::{DecodeError, Reader};
use crate::parameters::Ratio;
use std::collections::BTreeSet;

/// The longest DNS name of a relay, in bytes (Conway CDDL, `dns_name`).
const DNS_NAME_LENGTH_MAX: usize = 128;

/// What an operator says of a pool.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct PoolParameters {
    /// blake2b-224 of the operator's cold key.
    pub id: PoolId,
    /// blake2b-256 of the key that wins slots.
    pub vrf: [u8; 32],
    /// What the owners promise to delegate, in lovelace.
    pub pledge_lovelace: u64,
    /// What the operator takes of an epoch's rewards first, in lovelace.
    pub cost_lovelace: u64,
    /// What the operator takes of the rest, in lowest terms.
    pub margin: Ratio,
    /// Where the operator's rewards go.
    pub reward_account: RewardAccount,
    /// Hashes of the owners' stake keys.
    pub owners: BTreeSet<[u8; 28]>,
    /// Where to reach it, the most important first.
    pub relays: Vec<Relay>,
    /// Who it says it is.
    pub metadata: Option<PoolMetadata>,
}

/// A pool's node (Conway CDDL, `relay`).
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Relay {
    /// By address.
    Address {
        /// TCP port.
        port: Option<u16>,
        /// IPv4, as the ledger stores it.
        ipv4: Option<[u8; 4]>,
        /// IPv6, as the ledger stores it.
        ipv6: Option<[u8; 16]>,
    },
    /// By an A or AAAA record.
    Name {
        /// TCP port.
        port: Option<u16>,
        /// DNS name.
        name: String,
    },
    /// By an SRV record.
    Service {
        /// DNS name.
        name: String,
    },
}

/// Where a pool describes itself (Conway CDDL, `pool_metadata`).
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct PoolMetadata {
    /// Where the description is.
    pub url: String,
    /// Its hash, of any length; the rule POOL allows 32 bytes.
    pub hash: Vec<u8>,
}

impl PoolParameters {
    /// How many fields they have.
    pub(super) const FIELDS: u64 = 9;

    /// The fields, which stand in their certificate without a list of their own.
    pub(super) fn decode_fields(reader: &mut Reader<'_>) -> Result<Self, DecodeError> {
        Ok(Self {
            id: *reader.fixed::<28>("a pool id")?,
            vrf: *reader.fixed::<32>("a VRF key hash")?,
            pledge_lovelace: reader.unsigned("a pledge")?,
            cost_lovelace: reader.unsigned("a pool's cost")?,
            margin: unit_interval(reader)?,
            reward_account: RewardAccount::decode(reader)?,
            owners: set::decode(reader, "a pool's owners", |reader| {
                reader.fixed::<28>("an owner's key hash").copied()
            })?,
            relays: relays(reader)?,
            metadata: optional(reader, PoolMetadata::decode)?,
        })
    }
}

impl Relay {
    fn decode(reader: &mut Reader<'_>) -> Result<Self, DecodeError> {
        let what = "a relay";
        let (kind, record) = reader.variant(what, |kind| match kind {
            0 => Some(4),
            1 => Some(3),
            2 => Some(2),
            _ => None,
        })?;
        let relay = match kind {
            0 => Self::Address {
                port: optional(reader, port)?,
                ipv4: optional(reader, |reader| reader.fixed::<4>("an IPv4").copied())?,
                ipv6: optional(reader, |reader| reader.fixed::<16>("an IPv6").copied())?,
            },
            1 => Self::Name {
                port: optional(reader, port)?,
                name: dns_name(reader)?,
            },
            _ => Self::Service {
                name: dns_name(reader)?,
            },
        };
        reader.close(record, what)?;
        Ok(relay)
    }
}

impl PoolMetadata {
    fn decode(reader: &mut Reader<'_>) -> Result<Self, DecodeError> {
        let record = reader.record(2, "a pool's metadata")?;
        let metadata = Self {
            url: url(reader)?.to_owned(),
            hash: reader.bytes("the hash of a pool's metadata")?.to_vec(),
        };
        reader.close(record, "a pool's metadata")?;
        Ok(metadata)
    }
}

fn relays(reader: &mut Reader<'_>) -> Result<Vec<Relay>, DecodeError> {
    let mut relays = Vec::new();
    let mut length = reader.array("a pool's relays")?;
    while reader.more(&mut length)? {
        relays.push(Relay::decode(reader)?);
    }
    Ok(relays)
}

/// Something or null.
fn optional<'a, T>(
    reader: &mut Reader<'a>,
    item: impl Fn(&mut Reader<'a>) -> Result<T, DecodeError>,
) -> Result<Option<T>, DecodeError> {
    if reader.null()? {
        Ok(None)
    } else {
        item(reader).map(Some)
    }
}

fn port(reader: &mut Reader<'_>) -> Result<u16, DecodeError> {
    u16::try_from(reader.unsigned("a port")?)
        .map_err(|_| DecodeError::OutOfRange { what: "a port" })
}

fn dns_name(reader: &mut Reader<'_>) -> Result<String, DecodeError> {
    let name = reader.text("a DNS name")?;
    if name.len() > DNS_NAME_LENGTH_MAX {
        return Err(DecodeError::TooLong {
            what: "a DNS name",
            provided: name.len(),
            maximum: DNS_NAME_LENGTH_MAX,
        });
    }
    Ok(name.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::address::Credential;
    use crate::testing::pool_fields;
    use crate::testing::{bytes, list, unsigned};

    fn decode(raw: &[Vec<u8>]) -> Result<PoolParameters, DecodeError> {
        let raw = raw.concat();
        let mut reader = Reader::new(&raw);
        let parameters = PoolParameters::decode_fields(&mut reader)?;
        reader.finish("pool parameters").map(|()| parameters)
    }

    #[test]
    fn the_parameters_are_read_whole() {
        let mut fields = pool_fields([3; 28], 340_000_000);
        let name = [vec![0x61], b"r".to_vec()].concat();
        fields[7] = list(&[
            list(&[
                unsigned(0),
                unsigned(3001),
                bytes(&[127, 0, 0, 1]),
                vec![0xf6],
            ]),
            list(&[unsigned(1), vec![0xf6], name.clone()]),
            list(&[unsigned(2), name]),
        ]);
        let read = decode(&fields).expect("pool parameters");
        let name = "r".to_owned();
        let expected = PoolParameters {
            id: [3; 28],
            vrf: [4; 32],
            pledge_lovelace: 1,
            cost_lovelace: 340_000_000,
            margin: Ratio {
                numerator: 1,
                denominator: 2,
            },
            reward_account: RewardAccount {
                network: 0,
                credential: Credential::Key([5; 28]),
            },
            owners: BTreeSet::from([[5; 28]]),
            relays: vec![
                Relay::Address {
                    port: Some(3001),
                    ipv4: Some([127, 0, 0, 1]),
                    ipv6: None,
                },
                Relay::Name {
                    port: None,
                    name: name.clone(),
                },
                Relay::Service { name },
            ],
            metadata: None,
        };
        assert_eq!(read, expected);
    }

    #[test]
    fn a_margin_lies_between_nought_and_one() {
        let margin = |numerator, denominator| {
            let mut fields = pool_fields([3; 28], 0);
            let ratio = list(&[unsigned(numerator), unsigned(denominator)]);
            fields[4] = [vec![0xd8, 0x1e], ratio].concat();
            decode(&fields).map(|read| (read.margin.numerator, read.margin.denominator))
        };
        assert_eq!(margin(0, 7), Ok((0, 1)));
        assert_eq!(margin(4, 6), Ok((2, 3)));
        assert_eq!(margin(7, 7), Ok((1, 1)));
        let what = "a number between 0 and 1";
        for (numerator, denominator) in [(8, 7), (0, 0), (1, 0)] {
            assert_eq!(
                margin(numerator, denominator),
                Err(DecodeError::OutOfRange { what })
            );
        }
    }

    #[test]
    fn a_port_has_sixteen_bits() {
        let mut fields = pool_fields([3; 28], 0);
        let null = vec![0xf6];
        fields[7] = list(&[list(&[unsigned(0), unsigned(65_536), null.clone(), null])]);
        let what = "a port";
        assert_eq!(decode(&fields), Err(DecodeError::OutOfRange { what }));
    }
}
