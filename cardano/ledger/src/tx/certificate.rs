//! Certificates: registrations, delegations, pools, the committee and DReps (Conway CDDL, `certificate`).

use super::credential::{Anchor, DRep};
use super::pool::PoolParameters;
use super::set;
use crate::address::Credential;
use crate::cbor::{DecodeError, Reader};
use std::collections::BTreeSet;

const WHAT: &str = "a certificate";

/// blake2b-224 of the operator's cold key.
pub type PoolId = [u8; 28];

/// Whom stake is delegated to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Delegatee {
    /// A pool, for block production.
    Pool(PoolId),
    /// A DRep, for votes.
    DRep(DRep),
    /// Both at once.
    PoolAndDRep(PoolId, DRep),
}

/// One certificate. Deposits and refunds are in lovelace; the old forms 0 and 1 state none.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Certificate<'a> {
    /// Kinds 0 and 7: an account comes to be.
    Register {
        /// Whose.
        credential: Credential,
        /// What is put down, if stated.
        deposit_lovelace: Option<u64>,
    },
    /// Kinds 1 and 8: an account ends.
    Unregister {
        /// Whose.
        credential: Credential,
        /// What comes back, if stated.
        refund_lovelace: Option<u64>,
    },
    /// Kinds 2, 9 and 10.
    Delegate {
        /// Whose stake.
        credential: Credential,
        /// To whom.
        to: Delegatee,
    },
    /// Kinds 11, 12 and 13.
    RegisterAndDelegate {
        /// Whose account, and whose stake.
        credential: Credential,
        /// To whom.
        to: Delegatee,
        /// What is put down.
        deposit_lovelace: u64,
    },
    /// Kind 3: a pool comes to be, or changes its parameters.
    RegisterPool(Box<PoolParameters>),
    /// Kind 4.
    RetirePool {
        /// Which pool.
        pool: PoolId,
        /// At the start of which epoch.
        epoch: u64,
    },
    /// Kind 14: a committee member names the credential that votes for it.
    AuthorizeHot {
        /// The member.
        cold: Credential,
        /// Who votes.
        hot: Credential,
    },
    /// Kind 15.
    ResignCold {
        /// The member.
        cold: Credential,
        /// Why.
        anchor: Option<Anchor<'a>>,
    },
    /// Kind 16.
    RegisterDRep {
        /// Who.
        credential: Credential,
        /// What is put down.
        deposit_lovelace: u64,
        /// What it stands for.
        anchor: Option<Anchor<'a>>,
    },
    /// Kind 17.
    UnregisterDRep {
        /// Who.
        credential: Credential,
        /// What comes back.
        refund_lovelace: u64,
    },
    /// Kind 18.
    UpdateDRep {
        /// Who.
        credential: Credential,
        /// What it stands for now.
        anchor: Option<Anchor<'a>>,
    },
}

impl<'a> Certificate<'a> {
    pub(crate) fn decode(reader: &mut Reader<'a>) -> Result<Self, DecodeError> {
        let (kind, record) = reader.variant(WHAT, arity)?;
        let certificate = match kind {
            3 => Self::RegisterPool(Box::new(PoolParameters::decode_fields(reader)?)),
            4 => Self::RetirePool {
                pool: pool_id(reader)?,
                epoch: reader.unsigned("an epoch")?,
            },
            kind => Self::decode_of_credential(kind, Credential::decode(reader)?, reader)?,
        };
        reader.close(record, WHAT)?;
        Ok(certificate)
    }

    /// What follows the credential that all kinds but the pools' begin with.
    fn decode_of_credential(
        kind: u64,
        credential: Credential,
        reader: &mut Reader<'a>,
    ) -> Result<Self, DecodeError> {
        Ok(match kind {
            0 | 7 => Self::Register {
                credential,
                deposit_lovelace: (kind == 7).then(|| coin(reader)).transpose()?,
            },
            1 | 8 => Self::Unregister {
                credential,
                refund_lovelace: (kind == 8).then(|| coin(reader)).transpose()?,
            },
            2 | 9 | 10 => Self::Delegate {
                credential,
                to: Delegatee::decode(kind, reader)?,
            },
            11..=13 => Self::RegisterAndDelegate {
                credential,
                to: Delegatee::decode(kind, reader)?,
                deposit_lovelace: coin(reader)?,
            },
            14 => Self::AuthorizeHot {
                cold: credential,
                hot: Credential::decode(reader)?,
            },
            15 => Self::ResignCold {
                cold: credential,
                anchor: Anchor::decode_optional(reader)?,
            },
            16 => Self::RegisterDRep {
                credential,
                deposit_lovelace: coin(reader)?,
                anchor: Anchor::decode_optional(reader)?,
            },
            17 => Self::UnregisterDRep {
                credential,
                refund_lovelace: coin(reader)?,
            },
            // `arity` lets no other kind through.
            _ => Self::UpdateDRep {
                credential,
                anchor: Anchor::decode_optional(reader)?,
            },
        })
    }

    /// Who must agree, by signature or script: nobody for the old registration, which puts down a deposit and nothing else.
    ///
    /// Source: Conway ledger, `getVKeyWitnessTxCert` and `getScriptWitnessTxCert`. A pool's owners, who must sign too, are in its parameters.
    pub fn authority(&self) -> Option<Credential> {
        match self {
            Self::Register {
                deposit_lovelace: None,
                ..
            } => None,
            Self::Register { credential, .. }
            | Self::Unregister { credential, .. }
            | Self::Delegate { credential, .. }
            | Self::RegisterAndDelegate { credential, .. }
            | Self::RegisterDRep { credential, .. }
            | Self::UnregisterDRep { credential, .. }
            | Self::UpdateDRep { credential, .. } => Some(*credential),
            Self::AuthorizeHot { cold, .. } | Self::ResignCold { cold, .. } => Some(*cold),
            Self::RegisterPool(parameters) => Some(Credential::Key(parameters.id)),
            Self::RetirePool { pool, .. } => Some(Credential::Key(*pool)),
        }
    }
}

/// How many items a kind of certificate has, with its number; 5 and 6 went with Babbage.
fn arity(kind: u64) -> Option<u64> {
    match kind {
        0 | 1 => Some(2),
        2 | 4 | 7..=9 | 14 | 15 | 17 | 18 => Some(3),
        10..=12 | 16 => Some(4),
        13 => Some(5),
        3 => Some(1 + PoolParameters::FIELDS),
        _ => None,
    }
}

impl Delegatee {
    /// As the kinds 2 and 11 (pool), 9 and 12 (DRep), 10 and 13 (both) have it.
    fn decode(kind: u64, reader: &mut Reader<'_>) -> Result<Self, DecodeError> {
        Ok(match kind {
            2 | 11 => Self::Pool(pool_id(reader)?),
            9 | 12 => Self::DRep(DRep::decode(reader)?),
            _ => Self::PoolAndDRep(pool_id(reader)?, DRep::decode(reader)?),
        })
    }

    /// The pool, if one is named.
    pub fn pool(&self) -> Option<PoolId> {
        match self {
            Self::Pool(pool) | Self::PoolAndDRep(pool, _) => Some(*pool),
            Self::DRep(_) => None,
        }
    }

    /// The DRep, if one is named.
    pub fn drep(&self) -> Option<DRep> {
        match self {
            Self::DRep(drep) | Self::PoolAndDRep(_, drep) => Some(*drep),
            Self::Pool(_) => None,
        }
    }
}

/// The certificates of a body: in their order, none twice, at least one.
pub(super) fn decode_all<'a>(reader: &mut Reader<'a>) -> Result<Vec<Certificate<'a>>, DecodeError> {
    let what = "the certificates";
    let mut certificates = Vec::new();
    let mut length = set::open(reader, what)?;
    while reader.more(&mut length)? {
        certificates.push(Certificate::decode(reader)?);
    }
    let distinct: BTreeSet<&Certificate<'_>> = certificates.iter().collect();
    if distinct.len() < certificates.len() {
        return Err(DecodeError::Duplicate { what });
    }
    if certificates.is_empty() {
        return Err(DecodeError::Empty { what });
    }
    Ok(certificates)
}

fn pool_id(reader: &mut Reader<'_>) -> Result<PoolId, DecodeError> {
    reader.fixed::<28>("a pool id").copied()
}

fn coin(reader: &mut Reader<'_>) -> Result<u64, DecodeError> {
    reader.unsigned("lovelace")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{bytes, list, unsigned};
    use proptest::prelude::*;

    const ALICE: Credential = Credential::Key([1; 28]);
    const SCRIPT: Credential = Credential::Script([2; 28]);
    const POOL: PoolId = [3; 28];

    fn alice() -> Vec<u8> {
        list(&[unsigned(0), bytes(&[1; 28])])
    }

    fn script() -> Vec<u8> {
        list(&[unsigned(1), bytes(&[2; 28])])
    }

    fn pool() -> Vec<u8> {
        bytes(&POOL)
    }

    /// `drep_always_abstain`.
    fn abstain() -> Vec<u8> {
        vec![0x81, 2]
    }

    fn null() -> Vec<u8> {
        vec![0xf6]
    }

    fn anchor() -> Vec<u8> {
        list(&[vec![0x61, b'u'], bytes(&[9; 32])])
    }

    fn certificate(kind: u64, fields: &[Vec<u8>]) -> Vec<u8> {
        list(&[&[unsigned(kind)], fields].concat())
    }

    /// Each kind but the pool's registration, with who must agree to it.
    fn samples() -> Vec<(Vec<u8>, Certificate<'static>, Option<Credential>)> {
        const BOTH: Delegatee = Delegatee::PoolAndDRep(POOL, DRep::AlwaysAbstain);
        let (credential, cold) = (ALICE, SCRIPT);
        let hash: &'static [u8; 32] = &[9; 32];
        let some_anchor = Some(Anchor { url: "u", hash });
        let five = unsigned(5);
        vec![
            (
                certificate(0, &[alice()]),
                Certificate::Register {
                    credential,
                    deposit_lovelace: None,
                },
                None,
            ),
            (
                certificate(1, &[alice()]),
                Certificate::Unregister {
                    credential,
                    refund_lovelace: None,
                },
                Some(ALICE),
            ),
            (
                certificate(2, &[alice(), pool()]),
                Certificate::Delegate {
                    credential,
                    to: Delegatee::Pool(POOL),
                },
                Some(ALICE),
            ),
            (
                certificate(4, &[pool(), five.clone()]),
                Certificate::RetirePool {
                    pool: POOL,
                    epoch: 5,
                },
                Some(Credential::Key(POOL)),
            ),
            (
                certificate(7, &[script(), five.clone()]),
                Certificate::Register {
                    credential: SCRIPT,
                    deposit_lovelace: Some(5),
                },
                Some(SCRIPT),
            ),
            (
                certificate(8, &[alice(), five.clone()]),
                Certificate::Unregister {
                    credential,
                    refund_lovelace: Some(5),
                },
                Some(ALICE),
            ),
            (
                certificate(9, &[alice(), abstain()]),
                Certificate::Delegate {
                    credential,
                    to: Delegatee::DRep(DRep::AlwaysAbstain),
                },
                Some(ALICE),
            ),
            (
                certificate(10, &[alice(), pool(), abstain()]),
                Certificate::Delegate {
                    credential,
                    to: BOTH,
                },
                Some(ALICE),
            ),
            (
                certificate(11, &[alice(), pool(), five.clone()]),
                Certificate::RegisterAndDelegate {
                    credential,
                    to: Delegatee::Pool(POOL),
                    deposit_lovelace: 5,
                },
                Some(ALICE),
            ),
            (
                certificate(12, &[alice(), abstain(), five.clone()]),
                Certificate::RegisterAndDelegate {
                    credential,
                    to: Delegatee::DRep(DRep::AlwaysAbstain),
                    deposit_lovelace: 5,
                },
                Some(ALICE),
            ),
            (
                certificate(13, &[alice(), pool(), abstain(), five.clone()]),
                Certificate::RegisterAndDelegate {
                    credential,
                    to: BOTH,
                    deposit_lovelace: 5,
                },
                Some(ALICE),
            ),
            (
                certificate(14, &[script(), alice()]),
                Certificate::AuthorizeHot { cold, hot: ALICE },
                Some(SCRIPT),
            ),
            (
                certificate(15, &[script(), null()]),
                Certificate::ResignCold { cold, anchor: None },
                Some(SCRIPT),
            ),
            (
                certificate(16, &[alice(), five.clone(), anchor()]),
                Certificate::RegisterDRep {
                    credential,
                    deposit_lovelace: 5,
                    anchor: some_anchor,
                },
                Some(ALICE),
            ),
            (
                certificate(17, &[alice(), five]),
                Certificate::UnregisterDRep {
                    credential,
                    refund_lovelace: 5,
                },
                Some(ALICE),
            ),
            (
                certificate(18, &[alice(), null()]),
                Certificate::UpdateDRep {
                    credential,
                    anchor: None,
                },
                Some(ALICE),
            ),
        ]
    }

    #[test]
    fn each_kind_is_read_whole_and_names_who_must_agree() {
        for (raw, expected, authority) in samples() {
            let mut reader = Reader::new(&raw);
            let read = Certificate::decode(&mut reader).expect("a certificate");
            assert_eq!(reader.finish("a certificate"), Ok(()));
            assert_eq!(read.authority(), authority, "{read:?}");
            assert_eq!(read, expected);
        }
    }

    #[test]
    fn a_certificate_with_one_item_too_many_is_refused() {
        for (raw, _, _) in samples() {
            let mut longer = raw.clone();
            longer[0] += 1;
            longer.push(0);
            let refused = Certificate::decode(&mut Reader::new(&longer));
            let provided = usize::from(longer[0] & 0x1f);
            let expected = DecodeError::WrongLength {
                what: WHAT,
                provided,
                expected: provided - 1,
            };
            assert_eq!(refused, Err(expected));
        }
    }

    #[test]
    fn kinds_that_conway_does_not_have_are_refused() {
        for key in [5, 6, 19, u64::MAX] {
            let raw = certificate(key, &[alice()]);
            let refused = Certificate::decode(&mut Reader::new(&raw));
            assert_eq!(refused, Err(DecodeError::UnknownKey { what: WHAT, key }));
        }
    }

    #[test]
    fn certificates_keep_their_order_and_are_there_once() {
        let (one, other) = (certificate(1, &[alice()]), certificate(0, &[alice()]));
        let what = "the certificates";
        let all =
            |raw: &[u8]| decode_all(&mut Reader::new(raw)).map(|certificates| certificates.len());
        let plain = list(&[&one, &other]);
        let tagged = [vec![0xd9, 0x01, 0x02], plain.clone()].concat();
        for raw in [plain, tagged] {
            let mut reader = Reader::new(&raw);
            let read = decode_all(&mut reader).expect("certificates");
            assert!(matches!(read[0], Certificate::Unregister { .. }));
            assert!(matches!(read[1], Certificate::Register { .. }));
        }
        assert_eq!(
            all(&list(&[&one, &one])),
            Err(DecodeError::Duplicate { what })
        );
        assert_eq!(all(&[0x80]), Err(DecodeError::Empty { what }));
    }

    proptest! {
        #[test]
        fn random_bytes_never_panic(kind in 0_u8..19, raw in proptest::collection::vec(any::<u8>(), 0..120)) {
            let raw = [vec![0x9f, kind], raw].concat();
            let _ = Certificate::decode(&mut Reader::new(&raw));
        }
    }
}
