//! Certificates and withdrawals as Plutus scripts are told of them.
//!
//! Source: plutus-ledger-api, `DCert` of `PlutusLedgerApi.V1` (which V2 shares) and `TxCert` of `.V3`; the Conway ledger's `transTxCert` and
//! `transTxCertV1V2`. Before protocol version 10 V3 was not told of the deposits of the kinds 7 and 8; this ledger knows no version before it.

use super::build::{Build, Data};
use super::context::{Dialect, credential};
use crate::address::Credential;
use crate::tx::{Certificate, DRep, Delegatee, RewardAccount};
use std::collections::BTreeMap;

/// All certificates, in their order.
///
/// # Errors
/// When one is of a kind that V1 and V2 have no word for.
pub(super) fn all<'a>(
    build: Build<'a>,
    dialect: Dialect,
    certificates: &[Certificate<'_>],
) -> Result<Data<'a>, String> {
    let told = certificates
        .iter()
        .map(|certificate| tell(build, dialect, certificate));
    Ok(build.list(&told.collect::<Result<Vec<_>, _>>()?))
}

/// The fields of the purpose `Certifying`: the certificate, which V3 has after its number.
///
/// # Errors
/// As [`all`], or when there is no such certificate.
pub(super) fn purpose<'a>(
    build: Build<'a>,
    dialect: Dialect,
    index: u32,
    certificates: &[Certificate<'_>],
) -> Result<Vec<Data<'a>>, String> {
    let certificate = usize::try_from(index)
        .ok()
        .and_then(|index| certificates.get(index))
        .ok_or_else(|| format!("there is no certificate {index}"))?;
    let told = tell(build, dialect, certificate)?;
    let number = (dialect == Dialect::V3).then(|| build.integer(index));
    Ok(number.into_iter().chain([told]).collect())
}

/// Lovelace by account: V3 has them in the ledger's order, V1 and V2 keys before scripts, as they sort them anew.
pub(super) fn withdrawals<'a>(
    build: Build<'a>,
    dialect: Dialect,
    withdrawals: &BTreeMap<RewardAccount, u64>,
) -> Vec<(Data<'a>, Data<'a>)> {
    let mut accounts: Vec<(Credential, u64)> = withdrawals
        .iter()
        .map(|(account, lovelace)| (account.credential, *lovelace))
        .collect();
    if dialect != Dialect::V3 {
        accounts.sort_by_key(|(whose, _)| match whose {
            Credential::Key(hash) => (0, *hash),
            Credential::Script(hash) => (1, *hash),
        });
    }
    accounts
        .into_iter()
        .map(|(whose, lovelace)| (staking(build, dialect, whose), build.integer(lovelace)))
        .collect()
}

/// A stake credential, which V1 and V2 have as `StakingHash`.
pub(super) fn staking<'a>(build: Build<'a>, dialect: Dialect, whose: Credential) -> Data<'a> {
    let whose = credential(build, whose);
    match dialect {
        Dialect::V1 | Dialect::V2 => build.constr(0, &[whose]),
        Dialect::V3 => whose,
    }
}

fn tell<'a>(
    build: Build<'a>,
    dialect: Dialect,
    certificate: &Certificate<'_>,
) -> Result<Data<'a>, String> {
    match dialect {
        Dialect::V1 | Dialect::V2 => tell_old(build, dialect, certificate),
        Dialect::V3 => Ok(tell_new(build, certificate)),
    }
}

/// `DCert`.
fn tell_old<'a>(
    build: Build<'a>,
    dialect: Dialect,
    certificate: &Certificate<'_>,
) -> Result<Data<'a>, String> {
    let staking = |credential: &Credential| staking(build, dialect, *credential);
    Ok(match certificate {
        Certificate::Register { credential, .. } => build.constr(0, &[staking(credential)]),
        Certificate::Unregister { credential, .. } => build.constr(1, &[staking(credential)]),
        Certificate::Delegate {
            credential,
            to: Delegatee::Pool(pool),
        } => build.constr(2, &[staking(credential), build.bytes(pool)]),
        Certificate::RegisterPool(pool) => {
            build.constr(3, &[build.bytes(&pool.id), build.bytes(&pool.vrf)])
        }
        Certificate::RetirePool { pool, epoch } => {
            build.constr(4, &[build.bytes(pool), build.integer(*epoch)])
        }
        other => {
            return Err(format!(
                "Plutus V1 and V2 have no word for the certificate {other:?}"
            ));
        }
    })
}

/// `TxCert`.
fn tell_new<'a>(build: Build<'a>, certificate: &Certificate<'_>) -> Data<'a> {
    let who = |whose: &Credential| credential(build, *whose);
    let lovelace = |lovelace: &u64| build.integer(*lovelace);
    let stated = |stated: &Option<u64>| build.maybe(stated.as_ref().map(lovelace));
    match certificate {
        Certificate::Register {
            credential,
            deposit_lovelace,
        } => build.constr(0, &[who(credential), stated(deposit_lovelace)]),
        Certificate::Unregister {
            credential,
            refund_lovelace,
        } => build.constr(1, &[who(credential), stated(refund_lovelace)]),
        Certificate::Delegate { credential, to } => {
            build.constr(2, &[who(credential), delegatee(build, to)])
        }
        Certificate::RegisterAndDelegate {
            credential,
            to,
            deposit_lovelace,
        } => build.constr(
            3,
            &[
                who(credential),
                delegatee(build, to),
                lovelace(deposit_lovelace),
            ],
        ),
        Certificate::RegisterDRep {
            credential,
            deposit_lovelace,
            ..
        } => build.constr(4, &[who(credential), lovelace(deposit_lovelace)]),
        Certificate::UpdateDRep { credential, .. } => build.constr(5, &[who(credential)]),
        Certificate::UnregisterDRep {
            credential,
            refund_lovelace,
        } => build.constr(6, &[who(credential), lovelace(refund_lovelace)]),
        Certificate::RegisterPool(pool) => {
            build.constr(7, &[build.bytes(&pool.id), build.bytes(&pool.vrf)])
        }
        Certificate::RetirePool { pool, epoch } => {
            build.constr(8, &[build.bytes(pool), build.integer(*epoch)])
        }
        Certificate::AuthorizeHot { cold, hot } => build.constr(9, &[who(cold), who(hot)]),
        Certificate::ResignCold { cold, .. } => build.constr(10, &[who(cold)]),
    }
}

fn delegatee<'a>(build: Build<'a>, to: &Delegatee) -> Data<'a> {
    match to {
        Delegatee::Pool(pool) => build.constr(0, &[build.bytes(pool)]),
        Delegatee::DRep(to) => build.constr(1, &[drep(build, to)]),
        Delegatee::PoolAndDRep(pool, to) => build.constr(2, &[build.bytes(pool), drep(build, to)]),
    }
}

fn drep<'a>(build: Build<'a>, drep: &DRep) -> Data<'a> {
    match drep {
        DRep::Credential(whose) => build.constr(0, &[credential(build, *whose)]),
        DRep::AlwaysAbstain => build.constr(1, &[]),
        DRep::AlwaysNoConfidence => build.constr(2, &[]),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::pool;
    use amaru_uplc::arena::Arena;
    use amaru_uplc::bumpalo::Bump;

    const KEY: Credential = Credential::Key([1; 28]);
    const SCRIPT: Credential = Credential::Script([2; 28]);
    const POOL: [u8; 28] = [3; 28];

    fn hash(byte: u8) -> String {
        format!("581c{}", hex::encode([byte; 28]))
    }

    fn constr(tag: u8, fields: &[&str]) -> String {
        // Alternatives 0 to 6 are tags 121 to 127, those from 7 on tags 1280 and following.
        let tag = match tag {
            0..=6 => format!("d8{:02x}", 121 + tag),
            _ => format!("d9{:04x}", 1273 + u16::from(tag)),
        };
        if fields.is_empty() {
            format!("{tag}80")
        } else {
            format!("{tag}9f{}ff", fields.concat())
        }
    }

    fn key() -> String {
        constr(0, &[&hash(1)])
    }

    fn script() -> String {
        constr(1, &[&hash(2)])
    }

    /// Each kind of certificate, as V3 is told of it and as V1 and V2 are, where they can be.
    fn cases() -> Vec<(Certificate<'static>, String, Option<String>)> {
        let (credential, five) = (KEY, 5);
        let drep = DRep::Credential(SCRIPT);
        let old = |tag, fields: &[&str]| {
            let staking = constr(0, &[&key()]);
            Some(constr(tag, &[&[staking.as_str()], fields].concat()))
        };
        let some_five = constr(0, &["05"]);
        let none = constr(1, &[]);
        let to_pool = constr(0, &[&hash(3)]);
        let to_drep = constr(1, &[&constr(0, &[&script()])]);
        let to_both = constr(2, &[&hash(3), &constr(1, &[])]);
        let vrf = format!("5820{}", hex::encode([4; 32]));
        let register = |deposit_lovelace| Certificate::Register {
            credential,
            deposit_lovelace,
        };
        let unregister = |refund_lovelace| Certificate::Unregister {
            credential,
            refund_lovelace,
        };
        let delegate = |to| Certificate::Delegate { credential, to };
        let (drep_only, both) = (
            Delegatee::DRep(drep),
            Delegatee::PoolAndDRep(POOL, DRep::AlwaysAbstain),
        );
        vec![
            (register(None), constr(0, &[&key(), &none]), old(0, &[])),
            (
                register(Some(5)),
                constr(0, &[&key(), &some_five]),
                old(0, &[]),
            ),
            (unregister(None), constr(1, &[&key(), &none]), old(1, &[])),
            (
                unregister(Some(5)),
                constr(1, &[&key(), &some_five]),
                old(1, &[]),
            ),
            (
                delegate(Delegatee::Pool(POOL)),
                constr(2, &[&key(), &to_pool]),
                old(2, &[&hash(3)]),
            ),
            (delegate(drep_only), constr(2, &[&key(), &to_drep]), None),
            (delegate(both), constr(2, &[&key(), &to_both]), None),
            (
                Certificate::RegisterAndDelegate {
                    credential,
                    to: Delegatee::DRep(DRep::AlwaysNoConfidence),
                    deposit_lovelace: five,
                },
                constr(3, &[&key(), &constr(1, &[&constr(2, &[])]), "05"]),
                None,
            ),
            (
                Certificate::RegisterDRep {
                    credential: SCRIPT,
                    deposit_lovelace: five,
                    anchor: None,
                },
                constr(4, &[&script(), "05"]),
                None,
            ),
            (
                Certificate::UpdateDRep {
                    credential,
                    anchor: None,
                },
                constr(5, &[&key()]),
                None,
            ),
            (
                Certificate::UnregisterDRep {
                    credential,
                    refund_lovelace: five,
                },
                constr(6, &[&key(), "05"]),
                None,
            ),
            (
                Certificate::RegisterPool(Box::new(pool(POOL).parameters)),
                constr(7, &[&hash(3), &vrf]),
                Some(constr(3, &[&hash(3), &vrf])),
            ),
            (
                Certificate::RetirePool {
                    pool: POOL,
                    epoch: five,
                },
                constr(8, &[&hash(3), "05"]),
                Some(constr(4, &[&hash(3), "05"])),
            ),
            (
                Certificate::AuthorizeHot {
                    cold: SCRIPT,
                    hot: KEY,
                },
                constr(9, &[&script(), &key()]),
                None,
            ),
            (
                Certificate::ResignCold {
                    cold: SCRIPT,
                    anchor: None,
                },
                constr(10, &[&script()]),
                None,
            ),
        ]
    }

    #[test]
    fn each_certificate_is_told_as_the_definitions_say_or_not_at_all() {
        let (arena, slices) = (Arena::new(), Bump::new());
        let build = Build {
            arena: &arena,
            slices: &slices,
        };
        let data = |text: &str| build.cbor(&hex::decode(text).expect("hex")).expect("data");
        for (certificate, new, old) in cases() {
            let told = |dialect| all(build, dialect, std::slice::from_ref(&certificate));
            let expected = data(&format!("9f{new}ff"));
            assert_eq!(told(Dialect::V3), Ok(expected), "{certificate:?}");
            for dialect in [Dialect::V1, Dialect::V2] {
                match &old {
                    Some(old) => {
                        let expected = data(&format!("9f{old}ff"));
                        assert_eq!(told(dialect), Ok(expected), "{certificate:?}");
                    }
                    None => {
                        let reason = told(dialect).expect_err("no word for it");
                        assert!(
                            reason.contains("have no word for the certificate"),
                            "{reason}"
                        );
                    }
                }
            }
        }
    }

    #[test]
    fn a_certifying_script_is_told_the_certificate_and_by_v3_its_number() {
        let (arena, slices) = (Arena::new(), Bump::new());
        let build = Build {
            arena: &arena,
            slices: &slices,
        };
        let certificates: Vec<Certificate<'_>> = cases()
            .into_iter()
            .map(|(certificate, ..)| certificate)
            .collect();
        let fields = |dialect| {
            let fields = purpose(build, dialect, 4, &certificates).expect("the fifth certificate");
            build.list(&fields)
        };
        let (_, new, old) = &cases()[4];
        let data = |text: &str| build.cbor(&hex::decode(text).expect("hex")).expect("data");
        assert_eq!(fields(Dialect::V3), data(&format!("9f04{new}ff")));
        let old = old.clone().expect("a word for a delegation to a pool");
        assert_eq!(fields(Dialect::V2), data(&format!("9f{old}ff")));
        let absent = purpose(build, Dialect::V3, 99, &certificates);
        assert_eq!(absent, Err("there is no certificate 99".to_owned()));
    }

    #[test]
    fn v3_has_scripts_withdrawals_first_and_the_older_versions_keys() {
        let (arena, slices) = (Arena::new(), Bump::new());
        let build = Build {
            arena: &arena,
            slices: &slices,
        };
        let of = |credential| RewardAccount {
            network: 0,
            credential,
        };
        let all = BTreeMap::from([(of(KEY), 1), (of(SCRIPT), 2)]);
        let told = |dialect| build.map(&withdrawals(build, dialect, &all));
        let data = |text: String| build.cbor(&hex::decode(text).expect("hex")).expect("data");
        let (key, script) = (key(), script());
        assert_eq!(told(Dialect::V3), data(format!("a2{script}02{key}01")));
        let (key, script) = (constr(0, &[&key]), constr(0, &[&script]));
        for dialect in [Dialect::V1, Dialect::V2] {
            assert_eq!(told(dialect), data(format!("a2{key}01{script}02")));
        }
    }
}
