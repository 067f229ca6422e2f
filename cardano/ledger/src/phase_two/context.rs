//! What a Plutus script is told of its transaction.
//!
//! Source: plutus-ledger-api, `PlutusLedgerApi.V1`, `.V2` and `.V3` (`ScriptContext`, `TxInfo`), and the Conway ledger's `toPlutusTxInfo` for the
//! order of things: inputs by reference, values ada first, redeemers by kind and index, datums, signatories by hash.
//!
//! V1 differs from V2 in that it is told of no reference inputs, redeemers, inline datums or reference scripts, and that its maps are lists of
//! pairs. V3 differs from V2 in that transaction ids are bare bytes, the fee is a number, the mint has no entry for ada, and the context
//! carries redeemer and datum, which V2 takes as arguments of their own.

use super::build::{Build, Data};
use super::certificates;
use super::governance;
use crate::address::{Address, Credential, Staking};
use crate::clock::SlotClock;
use crate::data::DatumHash;
use crate::output::{Datum, Output};
use crate::rules::inputs::Resolved;
use crate::script::PlutusVersion;
use crate::scripts::{Need, Purpose};
use crate::tx::{Body, Transaction, TxIn};
use crate::value::{AssetName, PolicyId, Value};
use std::collections::{BTreeMap, BTreeSet};

/// The language whose shapes are being built.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Dialect {
    V1,
    V2,
    V3,
}

impl Dialect {
    pub(super) fn version(self) -> PlutusVersion {
        match self {
            Self::V1 => PlutusVersion::V1,
            Self::V2 => PlutusVersion::V2,
            Self::V3 => PlutusVersion::V3,
        }
    }
}

/// `TxInfo`, the same for all scripts of one language.
///
/// # Errors
/// What cannot be told to a script: a Byron or pointer address, an untranslatable time, a redeemer without a purpose, or what the
/// language has no word for.
pub(super) fn tx_info<'a>(
    build: Build<'a>,
    dialect: Dialect,
    tx: &Transaction<'_>,
    resolved: &Resolved<'_>,
    needs: &[Need],
    clock: &SlotClock,
) -> Result<Data<'a>, String> {
    let body = &tx.body;
    let outputs = body
        .outputs
        .iter()
        .map(|output| tx_out(build, dialect, output))
        .collect::<Result<Vec<_>, _>>()?;
    let mut fields = vec![inputs(build, dialect, &body.inputs, resolved)?];
    // V1 is not told of them, but fails where it could not be.
    let references = inputs(build, dialect, &body.reference_inputs, resolved)?;
    fields.extend((dialect != Dialect::V1).then_some(references));
    fields.extend([
        build.list(&outputs),
        fee(build, dialect, body.fee_lovelace),
        mint(build, dialect, body),
        certificates::all(build, dialect, &body.certificates)?,
        association(
            build,
            dialect,
            &certificates::withdrawals(build, dialect, &body.withdrawals),
        ),
        valid_range(build, body, clock)?,
        build.list(
            &body
                .required_signers
                .iter()
                .map(|hash| build.bytes(hash))
                .collect::<Vec<_>>(),
        ),
    ]);
    if dialect != Dialect::V1 {
        fields.push(redeemers(build, dialect, tx, needs)?);
    }
    fields.push(datums(build, dialect, &tx.witnesses.datums)?);
    fields.push(tx_id(build, dialect, &tx.id));
    match dialect {
        Dialect::V1 | Dialect::V2 => check_words(body)?,
        Dialect::V3 => fields.extend([
            governance::votes(build, &body.votes),
            governance::proposals(build, &body.proposals),
            lovelace(build, body.current_treasury_lovelace),
            lovelace(build, body.donation_lovelace),
        ]),
    }
    Ok(build.constr(0, &fields))
}

/// What came with Conway cannot be told to the languages from before it.
fn check_words(body: &Body<'_>) -> Result<(), String> {
    let absent = [
        (body.votes.is_empty(), "votes"),
        (body.proposals.is_empty(), "proposals"),
        (body.current_treasury_lovelace.is_none(), "the treasury"),
        (body.donation_lovelace.is_none(), "a donation"),
    ];
    match absent.into_iter().find(|(is_absent, _)| !is_absent) {
        Some((_, what)) => Err(format!("Plutus V1 and V2 have no word for {what}")),
        None => Ok(()),
    }
}

fn lovelace<'a>(build: Build<'a>, lovelace: Option<u64>) -> Data<'a> {
    build.maybe(lovelace.map(|lovelace| build.integer(lovelace)))
}

/// The arguments of a script: V3 takes its context alone, V1 and V2 the datum (if it spends), the redeemer and the context.
///
/// # Errors
/// When a datum is not there or cannot be read.
pub(super) fn arguments<'a>(
    build: Build<'a>,
    dialect: Dialect,
    tx_info: Data<'a>,
    redeemer: &[u8],
    need: &Need,
    tx: &Transaction<'_>,
    resolved: &Resolved<'_>,
) -> Result<Vec<Data<'a>>, String> {
    let redeemer = build.cbor(redeemer)?;
    let datum = match need.purpose {
        Purpose::Spend(input) => spent_datum(build, input, tx, resolved)?,
        Purpose::Mint(_)
        | Purpose::Certify(_)
        | Purpose::Reward(_)
        | Purpose::Vote(_)
        | Purpose::Propose(_) => None,
    };
    Ok(match dialect {
        Dialect::V1 | Dialect::V2 => {
            let purpose = script_purpose(build, dialect, need, &tx.body)?;
            let context = build.constr(0, &[tx_info, purpose]);
            datum.into_iter().chain([redeemer, context]).collect()
        }
        Dialect::V3 => {
            let info = script_info(build, need, datum, &tx.body)?;
            vec![build.constr(0, &[tx_info, redeemer, info])]
        }
    })
}

/// V3's `ScriptInfo`: the purpose, with the datum of an output that is spent.
fn script_info<'a>(
    build: Build<'a>,
    need: &Need,
    datum: Option<Data<'a>>,
    body: &Body<'_>,
) -> Result<Data<'a>, String> {
    match need.purpose {
        Purpose::Spend(input) => Ok(build.constr(
            1,
            &[out_ref(build, Dialect::V3, &input), build.maybe(datum)],
        )),
        // All others are as the purpose has them.
        _ => script_purpose(build, Dialect::V3, need, body),
    }
}

fn spent_datum<'a>(
    build: Build<'a>,
    input: TxIn,
    tx: &Transaction<'_>,
    resolved: &Resolved<'_>,
) -> Result<Option<Data<'a>>, String> {
    match resolved.get(&input).map(|output| output.datum) {
        None | Some(Datum::Absent) => Ok(None),
        Some(Datum::Inline(datum)) => build.cbor(datum).map(Some),
        Some(Datum::Hash(hash)) => {
            let datum = tx
                .witnesses
                .datums
                .get(&hash)
                .ok_or_else(|| format!("no datum {}", hex::encode(hash)))?;
            build.cbor(datum).map(Some)
        }
    }
}

fn inputs<'a>(
    build: Build<'a>,
    dialect: Dialect,
    inputs: &BTreeSet<TxIn>,
    resolved: &Resolved<'_>,
) -> Result<Data<'a>, String> {
    let known = inputs
        .iter()
        .filter_map(|input| Some((input, resolved.get(input)?)));
    let infos = known.map(|(input, output)| {
        Ok(build.constr(
            0,
            &[
                out_ref(build, dialect, input),
                tx_out(build, dialect, output)?,
            ],
        ))
    });
    Ok(build.list(&infos.collect::<Result<Vec<_>, String>>()?))
}

fn out_ref<'a>(build: Build<'a>, dialect: Dialect, input: &TxIn) -> Data<'a> {
    build.constr(
        0,
        &[
            tx_id(build, dialect, &input.tx_id),
            build.integer(input.index),
        ],
    )
}

fn tx_id<'a>(build: Build<'a>, dialect: Dialect, id: &[u8; 32]) -> Data<'a> {
    match dialect {
        Dialect::V1 | Dialect::V2 => build.constr(0, &[build.bytes(id)]),
        Dialect::V3 => build.bytes(id),
    }
}

fn tx_out<'a>(build: Build<'a>, dialect: Dialect, output: &Output<'_>) -> Result<Data<'a>, String> {
    let (address, value) = (address(build, output.address)?, value(build, &output.value));
    if dialect == Dialect::V1 {
        let hash = datum_hash_of(build, output.datum)?;
        return Ok(build.constr(0, &[address, value, hash]));
    }
    let datum = match output.datum {
        Datum::Absent => build.constr(0, &[]),
        Datum::Hash(hash) => build.constr(1, &[build.bytes(&hash)]),
        Datum::Inline(datum) => build.constr(2, &[build.cbor(datum)?]),
    };
    let script = build.maybe(output.script.map(|script| build.bytes(&script.hash())));
    Ok(build.constr(0, &[address, value, datum, script]))
}

/// V1's datum of an output: a hash or nothing.
fn datum_hash_of<'a>(build: Build<'a>, datum: Datum<'_>) -> Result<Data<'a>, String> {
    match datum {
        Datum::Absent => Ok(build.maybe(None)),
        Datum::Hash(hash) => Ok(build.maybe(Some(build.bytes(&hash)))),
        Datum::Inline(_) => Err("Plutus V1 has no word for an inline datum".to_owned()),
    }
}

fn address<'a>(build: Build<'a>, address: Address) -> Result<Data<'a>, String> {
    let Address::Shelley {
        payment, staking, ..
    } = address
    else {
        return Err("a Byron address cannot be told to a Plutus script".to_owned());
    };
    let staking = match staking {
        Staking::Absent => None,
        Staking::Credential(stake) => Some(build.constr(0, &[credential(build, stake)])),
        Staking::Pointer(pointer) => Some(build.constr(
            1,
            &[
                build.integer(pointer.slot),
                build.integer(pointer.tx_index),
                build.integer(pointer.certificate_index),
            ],
        )),
    };
    Ok(build.constr(0, &[credential(build, payment), build.maybe(staking)]))
}

pub(super) fn credential<'a>(build: Build<'a>, credential: Credential) -> Data<'a> {
    match credential {
        Credential::Key(hash) => build.constr(0, &[build.bytes(&hash)]),
        Credential::Script(hash) => build.constr(1, &[build.bytes(&hash)]),
    }
}

/// Ada first, under the empty policy and name.
fn value<'a>(build: Build<'a>, value: &Value) -> Data<'a> {
    let assets = value
        .assets
        .iter()
        .map(|(policy, names)| policy_entry(build, policy, names));
    build.map(
        &std::iter::once(ada(build, value.lovelace))
            .chain(assets)
            .collect::<Vec<_>>(),
    )
}

fn ada<'a>(build: Build<'a>, lovelace: u64) -> (Data<'a>, Data<'a>) {
    let empty = build.bytes(&[]);
    (empty, build.map(&[(empty, build.integer(lovelace))]))
}

fn fee<'a>(build: Build<'a>, dialect: Dialect, lovelace: u64) -> Data<'a> {
    match dialect {
        Dialect::V1 | Dialect::V2 => build.map(&[ada(build, lovelace)]),
        Dialect::V3 => build.integer(lovelace),
    }
}

/// V1 and V2 have an entry of zero ada first.
fn mint<'a>(build: Build<'a>, dialect: Dialect, body: &Body<'_>) -> Data<'a> {
    let zero = (dialect != Dialect::V3).then(|| ada(build, 0));
    let policies = body
        .mint
        .iter()
        .map(|(policy, names)| policy_entry(build, policy, names));
    build.map(&zero.into_iter().chain(policies).collect::<Vec<_>>())
}

fn policy_entry<'a, Q: Copy + Into<i128>>(
    build: Build<'a>,
    policy: &PolicyId,
    names: &BTreeMap<AssetName, Q>,
) -> (Data<'a>, Data<'a>) {
    let entries: Vec<_> = names
        .iter()
        .map(|(name, quantity)| (build.bytes(name), build.integer(*quantity)))
        .collect();
    (build.bytes(policy), build.map(&entries))
}

/// `[from, until)`: the lower bound closed, the upper open; an absent bound is infinite and closed.
fn valid_range<'a>(
    build: Build<'a>,
    body: &Body<'_>,
    clock: &SlotClock,
) -> Result<Data<'a>, String> {
    let from = bound(build, body.valid_from, 0, true, clock)?;
    let until = bound(build, body.valid_until, 2, false, clock)?;
    Ok(build.constr(0, &[from, until]))
}

fn bound<'a>(
    build: Build<'a>,
    slot: Option<u64>,
    infinity: u64,
    is_closed: bool,
    clock: &SlotClock,
) -> Result<Data<'a>, String> {
    let Some(slot) = slot else {
        return Ok(build.constr(0, &[build.constr(infinity, &[]), build.boolean(true)]));
    };
    let time_ms = clock
        .posix_time_ms(slot)
        .ok_or_else(|| format!("slot {slot} has no time"))?;
    Ok(build.constr(
        0,
        &[
            build.constr(1, &[build.integer(time_ms)]),
            build.boolean(is_closed),
        ],
    ))
}

/// From purpose to redeemer, in the order of the redeemers' keys.
fn redeemers<'a>(
    build: Build<'a>,
    dialect: Dialect,
    tx: &Transaction<'_>,
    needs: &[Need],
) -> Result<Data<'a>, String> {
    let pairs = tx.witnesses.redeemers.iter().map(|(key, redeemer)| {
        let need = needs.iter().find(|need| need.key == *key);
        let need = need.ok_or_else(|| format!("the redeemer {key:?} has no purpose"))?;
        Ok((
            script_purpose(build, dialect, need, &tx.body)?,
            build.cbor(redeemer.data)?,
        ))
    });
    Ok(build.map(&pairs.collect::<Result<Vec<_>, String>>()?))
}

fn script_purpose<'a>(
    build: Build<'a>,
    dialect: Dialect,
    need: &Need,
    body: &Body<'_>,
) -> Result<Data<'a>, String> {
    Ok(match need.purpose {
        Purpose::Mint(policy) => build.constr(0, &[build.bytes(&policy)]),
        Purpose::Spend(input) => build.constr(1, &[out_ref(build, dialect, &input)]),
        Purpose::Reward(account) => {
            let whose = certificates::staking(build, dialect, account.credential);
            build.constr(2, &[whose])
        }
        Purpose::Certify(index) => {
            let fields = certificates::purpose(build, dialect, index, &body.certificates)?;
            build.constr(3, &fields)
        }
        Purpose::Vote(_) | Purpose::Propose(_) if dialect != Dialect::V3 => {
            return Err("Plutus V1 and V2 have no word for votes and proposals".to_owned());
        }
        Purpose::Vote(voter) => build.constr(4, &[governance::voter(build, &voter)]),
        Purpose::Propose(index) => {
            build.constr(5, &governance::proposing(build, index, &body.proposals)?)
        }
    })
}

fn datums<'a>(
    build: Build<'a>,
    dialect: Dialect,
    datums: &BTreeMap<DatumHash, &[u8]>,
) -> Result<Data<'a>, String> {
    let pairs = datums
        .iter()
        .map(|(hash, datum)| Ok((build.bytes(hash), build.cbor(datum)?)));
    let pairs = pairs.collect::<Result<Vec<_>, String>>()?;
    Ok(association(build, dialect, &pairs))
}

/// A map, which V1 has as a list of pairs.
fn association<'a>(build: Build<'a>, dialect: Dialect, pairs: &[(Data<'a>, Data<'a>)]) -> Data<'a> {
    if dialect != Dialect::V1 {
        return build.map(pairs);
    }
    let pairs = pairs
        .iter()
        .map(|(key, value)| build.constr(0, &[*key, *value]));
    build.list(&pairs.collect::<Vec<_>>())
}
