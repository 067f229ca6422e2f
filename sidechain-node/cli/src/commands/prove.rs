//! Records and balances that a node shows and need not be believed for: checked against the validators of a genesis at hand.

use std::{fs, path::Path};

use nupeer_bridge::{Withdrawal, WithdrawalId};
use nupeer_lease::{Lease, LeaseId, Machine, MachineId, Request};
use nupeer_node::api::json;
use nupeer_primitives::{Hash, Numbered, cbor};
use nupeer_runtime::{Chain, Genesis, Proven, RecordKind};
use serde_json::{Value, json};

use crate::{
    api::Api,
    commands::{lease, machine, status::plain, withdraw},
    error::{CliError, Exit, Outcome, file_error},
    output::Printer,
};

/// The chain of a genesis file: whose validators count.
pub(super) fn chain(genesis: &Path) -> Outcome<Chain> {
    let next =
        "--prove FILE   is the genesis that you trust; nupeer up keeps it in cluster/genesis.json";
    let text =
        fs::read_to_string(genesis).map_err(|error| file_error(genesis, &error).next(next))?;
    let genesis = Genesis::from_json(&text)
        .map_err(|error| CliError::numbered(Exit::Usage, &error).next(next))?;
    genesis
        .chain()
        .map_err(|error| CliError::numbered(Exit::Usage, &error))
}

/// A whole id. The beginning of one would leave it to the node which record is meant.
pub(super) fn id(text: &str) -> Outcome<Hash> {
    text.parse()
        .map_err(|error| CliError::new(Exit::Usage, format!("{text}: {error}")))
}

/// Asks for the record of an id of the first kind that has one, checks it, and prints what it says; or that each kind has none.
pub(super) fn show(
    kinds: &[RecordKind],
    text: &str,
    genesis: &Path,
    api: &Api,
    printer: &Printer,
) -> Outcome<()> {
    let (chain, id) = (chain(genesis)?, id(text)?);
    let mut absent: Option<Value> = None;
    let mut lines = Vec::new();
    for kind in kinds {
        let (value, said) = checked(*kind, &id, &chain, api)?;
        if value["there"] == true {
            printer.result(value, &said);
            return Ok(());
        }
        absent = absent.or(Some(value));
        lines.extend(said);
    }
    printer.result(absent.unwrap_or_default(), &lines);
    Ok(())
}

/// One record, or that there is none, in a state that the validators signed: for programs and for people.
fn checked(kind: RecordKind, id: &Hash, chain: &Chain, api: &Api) -> Outcome<(Value, Vec<String>)> {
    let (word, path) = names(kind);
    let answer = api.get(&format!("/v1/{path}/{id}/proof"))?;
    let proven: Proven = part(&answer, "proven_cbor")?;
    let record = bytes(&answer["record_cbor"], "record_cbor")?;
    proven
        .verify_record(chain, kind, id, record.as_deref())
        .map_err(|error| failed(&error))?;
    let (mut value, mut lines) = match &record {
        Some(record) => read(kind, id, record, &proven, chain)?,
        None => (
            json!({ "id": id.to_string() }),
            vec![format!("no {word} {id}")],
        ),
    };
    let (height, signers) = (proven.header.height, proven.certificate.signatures.len());
    value["record"] = word.into();
    value["there"] = record.is_some().into();
    value["height"] = height.0.into();
    value["proven"] = true.into();
    value["signers"] = signers.into();
    lines.push(sealed(&proven));
    Ok((value, lines))
}

/// What is said of everything that is proven.
pub(super) fn sealed(proven: &Proven) -> String {
    let (height, signers) = (proven.header.height, proven.certificate.signatures.len());
    format!("proven at height {height}, signed by {signers} validators")
}

/// What it is called, and its place in the interface.
fn names(kind: RecordKind) -> (&'static str, &'static str) {
    match kind {
        RecordKind::Machine => ("machine", "machines"),
        RecordKind::Request => ("request", "requests"),
        RecordKind::Lease => ("lease", "leases"),
        RecordKind::Withdrawal => ("withdrawal", "withdrawals"),
    }
}

/// What a record says, in the forms that a node's answers have.
fn read(
    kind: RecordKind,
    id: &Hash,
    record: &[u8],
    proven: &Proven,
    chain: &Chain,
) -> Outcome<(Value, Vec<String>)> {
    let (network, now) = (chain.cardano, proven.header.time);
    Ok(match kind {
        RecordKind::Machine => {
            let found: Machine = decoded(record)?;
            let value = json::market::machine(&MachineId(*id), &found, network);
            let lines = machine::lines(&value);
            (value, lines)
        }
        RecordKind::Request => {
            let found: Request = decoded(record)?;
            let value = json::market::request(&LeaseId(*id), &found, network);
            let lines = lease::request_lines(&value);
            (value, lines)
        }
        RecordKind::Lease => {
            let found: Lease = decoded(record)?;
            let mut value = json::market::lease(&LeaseId(*id), &found, None, now, network);
            // Where the agent answers stands in the machine's record, which was not asked for.
            if let Some(fields) = value.as_object_mut() {
                fields.remove("endpoint");
            }
            let lines = lease::lines(&value);
            (value, lines)
        }
        RecordKind::Withdrawal => {
            let found: Withdrawal = decoded(record)?;
            let value = json::bridge::withdrawal(&WithdrawalId(*id), &found, network);
            let lines = vec![withdraw::words(&value)];
            (value, lines)
        }
    })
}

fn decoded<T>(record: &[u8]) -> Outcome<T>
where
    T: for<'b> minicbor::Decode<'b, ()> + minicbor::Encode<()>,
{
    cbor::decode(record).map_err(|error| failed(&error))
}

/// A part of an answer that is canonical CBOR in hexadecimal.
pub(super) fn part<T>(answer: &Value, name: &str) -> Outcome<T>
where
    T: for<'b> minicbor::Decode<'b, ()> + minicbor::Encode<()>,
{
    let bytes = hex::decode(plain(&answer[name]));
    let bytes = bytes.map_err(|_| lying(&format!("{name} is not hexadecimal")))?;
    cbor::decode(&bytes).map_err(|error| failed(&error))
}

/// Bytes in hexadecimal, or null for what is not there.
pub(super) fn bytes(value: &Value, name: &str) -> Outcome<Option<Vec<u8>>> {
    match value {
        Value::Null => Ok(None),
        value => hex::decode(plain(value))
            .map(Some)
            .map_err(|_| lying(&format!("{name} is not hexadecimal"))),
    }
}

/// What a node shows does not hold.
pub(super) fn failed(error: &dyn Numbered) -> CliError {
    CliError::numbered(Exit::CheckFailed, error)
        .next("do not trust this node; ask another with --api-url")
}

/// What a node shows is no proof.
pub(super) fn lying(what: &str) -> CliError {
    CliError::new(
        Exit::CheckFailed,
        format!("the node's proof does not hold: {what}"),
    )
    .next("do not trust this node; ask another with --api-url")
}
