//! Rounds of drafting until fee and execution units stand still.

use std::collections::BTreeMap;

use pallas_addresses::Address;

use super::{
    BuildError, Evaluate, EvaluateError, Purpose, RedeemerError, TransactionBuilder,
    UnsignedTransaction,
    assemble::{Assembled, Draft},
    collateral,
    fee::{FeeBasis, minimum_fee},
    minimum, scripts, select,
};
use crate::{ProtocolParameters, Utxo, Value, parameters::ExUnits};

/// Fee and units only ever grow, and grow less each time: three or four rounds are usual.
const ROUNDS: u32 = 32;

/// Bytes of scripts that one transaction may refer to (Conway: fixed, not a parameter; `ppMaxRefScriptSizePerTx`).
const REFERENCE_SCRIPT_BYTES_MAX: u64 = 200 * 1024;

/// Bytes whose price a fee may be above the least: figures of another length, no more.
const SLACK_BYTES: u64 = 8;

type Units = BTreeMap<Purpose, ExUnits>;

pub(super) fn balance(
    builder: &TransactionBuilder,
    parameters: &ProtocolParameters,
    evaluator: &dyn Evaluate,
) -> Result<UnsignedTransaction, BuildError> {
    check_request(builder, parameters)?;
    let (mut fee, mut units) = (parameters.fee_constant_lovelace, Units::new());
    for _ in 0..ROUNDS {
        let draft = draft(builder, fee, &units, parameters)?;
        let assembled = draft.assemble(parameters)?;
        let used = evaluate(&draft, &assembled, parameters, evaluator)?;
        let settled = used
            .iter()
            .all(|(purpose, used)| units.get(purpose).is_some_and(|had| used.within(*had)));
        for (purpose, used) in used {
            let had = units.entry(purpose).or_default();
            *had = had.max(used);
        }
        let required = required_fee(&draft, &assembled, &units, parameters)?;
        if settled && required <= fee {
            let slack = parameters.fee_per_byte_lovelace.saturating_mul(SLACK_BYTES);
            let cheaper = match fee - required > slack {
                true => cheaper(&draft, required, parameters, evaluator)?,
                false => None,
            };
            return cheaper.map_or_else(|| finish(draft, assembled, parameters), Ok);
        }
        fee = fee.max(required);
    }
    Err(BuildError::Unsettled { rounds: ROUNDS })
}

fn draft<'a>(
    builder: &'a TransactionBuilder,
    fee: u64,
    units: &Units,
    parameters: &ProtocolParameters,
) -> Result<Draft<'a>, BuildError> {
    let selection = select::select(builder, fee, parameters)?;
    let witnesses = scripts::witnesses(builder, &selection.inputs)?;
    let pledge = builder
        .has_redeemers()
        .then(|| collateral::choose(builder, fee, parameters))
        .transpose()?;
    let mut outputs = builder.outputs.clone();
    let at = builder.change.position.unwrap_or(outputs.len());
    let change = at..at.saturating_add(selection.change.len());
    outputs.splice(at..at, selection.change);
    let (inputs, units) = (selection.inputs, units.clone());
    Ok(Draft {
        builder,
        inputs,
        outputs,
        change,
        collateral: pledge,
        witnesses,
        fee,
        units,
    })
}

/// A fee only grows, and a larger fee can make the change an output fewer, so that less would do than the draft before needed: the difference belongs
/// to the change. None where nothing settles that way.
fn cheaper(
    draft: &Draft<'_>,
    mut fee: u64,
    parameters: &ProtocolParameters,
    evaluator: &dyn Evaluate,
) -> Result<Option<UnsignedTransaction>, BuildError> {
    while fee < draft.fee {
        let Some(next) = at_fee(draft, fee, parameters)? else {
            return Ok(None);
        };
        let assembled = next.assemble(parameters)?;
        let used = evaluate(&next, &assembled, parameters, evaluator)?;
        let enough = |(purpose, used): (&Purpose, &ExUnits)| {
            next.units.get(purpose).is_some_and(|had| used.within(*had))
        };
        if !used.iter().all(enough) {
            return Ok(None);
        }
        let required = required_fee(&next, &assembled, &next.units, parameters)?;
        if required <= fee {
            return finish(next, assembled, parameters).map(Some);
        }
        fee = required;
    }
    Ok(None)
}

/// The draft with a smaller fee, and the difference in the last of its change; none where it has no change.
fn at_fee<'a>(
    draft: &Draft<'a>,
    fee: u64,
    parameters: &ProtocolParameters,
) -> Result<Option<Draft<'a>>, BuildError> {
    let mut outputs = draft.outputs.clone();
    let last = draft.change.clone().next_back();
    let Some(output) = last.and_then(|last| outputs.get_mut(last)) else {
        return Ok(None);
    };
    let left = Value::lovelace(draft.fee.saturating_sub(fee));
    output.value = output
        .value
        .checked_add(&left)
        .ok_or(BuildError::Overflow)?;
    let pledge = draft
        .collateral
        .as_ref()
        .map(|_| collateral::choose(draft.builder, fee, parameters))
        .transpose()?;
    Ok(Some(Draft {
        builder: draft.builder,
        inputs: draft.inputs.clone(),
        outputs,
        change: draft.change.clone(),
        collateral: pledge,
        witnesses: draft.witnesses.clone(),
        fee,
        units: draft.units.clone(),
    }))
}

/// What each redeemer uses in this draft; the builder's own names in place of the ledger's indices.
fn evaluate(
    draft: &Draft<'_>,
    assembled: &Assembled,
    parameters: &ProtocolParameters,
    evaluator: &dyn Evaluate,
) -> Result<Units, BuildError> {
    let purposes = draft.purposes();
    if purposes.is_empty() {
        return Ok(Units::new());
    }
    let purpose_of = |index| {
        purposes
            .iter()
            .find(|(known, _)| *known == index)
            .map(|(_, purpose)| *purpose)
    };
    let transaction = assembled.transaction(&[])?;
    let answers = evaluator
        .evaluate(&transaction, &resolved(draft), parameters)
        .map_err(|refusal| {
            let RedeemerError { index, reason } = refusal;
            EvaluateError {
                purpose: index.and_then(purpose_of),
                reason,
            }
        })?;
    let mut units = Units::new();
    for (index, used) in answers {
        let unknown = || EvaluateError {
            purpose: None,
            reason: format!("no redeemer {index:?}"),
        };
        units.insert(purpose_of(index).ok_or_else(unknown)?, used);
    }
    match purposes
        .iter()
        .find(|(_, purpose)| !units.contains_key(purpose))
    {
        Some((_, purpose)) => Err(EvaluateError {
            purpose: Some(*purpose),
            reason: "it was not run".into(),
        }
        .into()),
        None => Ok(units),
    }
}

/// The outputs behind inputs, reference inputs and collateral, each once.
fn resolved(draft: &Draft<'_>) -> Vec<Utxo> {
    let pledged = draft
        .collateral
        .iter()
        .flat_map(|c| &c.inputs)
        .map(|utxo| (utxo.reference, utxo.output.clone()));
    let known = draft.inputs.iter().chain(&draft.builder.references);
    let known = known.map(|(reference, output)| (*reference, output.clone()));
    let all: BTreeMap<_, _> = known.chain(pledged).collect();
    all.into_iter()
        .map(|(reference, output)| Utxo { reference, output })
        .collect()
}

fn required_fee(
    draft: &Draft<'_>,
    assembled: &Assembled,
    units: &Units,
    parameters: &ProtocolParameters,
) -> Result<u64, BuildError> {
    let basis = FeeBasis {
        transaction_bytes: assembled.signed_bytes(draft.signing_keys().len())?,
        units: total(units)?,
        reference_script_bytes: scripts::reference_bytes(draft.builder, &draft.inputs),
    };
    minimum_fee(&basis, parameters)
}

fn total(units: &Units) -> Result<ExUnits, BuildError> {
    let sum = units
        .values()
        .try_fold(ExUnits::default(), |sum, units| sum.checked_add(*units));
    sum.ok_or(BuildError::Overflow)
}

fn finish(
    draft: Draft<'_>,
    assembled: Assembled,
    parameters: &ProtocolParameters,
) -> Result<UnsignedTransaction, BuildError> {
    let (provided, maximum) = (total(&draft.units)?, parameters.transaction_units_max);
    if !provided.within(maximum) {
        return Err(BuildError::TooManyUnits { provided, maximum });
    }
    let provided = scripts::reference_bytes(draft.builder, &draft.inputs);
    let maximum = REFERENCE_SCRIPT_BYTES_MAX;
    if provided > maximum {
        return Err(BuildError::ReferenceScripts { provided, maximum });
    }
    let signers = draft.signing_keys();
    let (provided, maximum) = (
        assembled.signed_bytes(signers.len())?,
        parameters.transaction_bytes_max,
    );
    if provided > maximum {
        return Err(BuildError::TooLarge { provided, maximum });
    }
    Ok(UnsignedTransaction::new(
        draft, assembled, signers, provided,
    ))
}

/// What is wrong with a request whatever inputs are chosen.
fn check_request(
    builder: &TransactionBuilder,
    parameters: &ProtocolParameters,
) -> Result<(), BuildError> {
    if let Some(both) = builder
        .references
        .keys()
        .find(|reference| builder.inputs.contains_key(reference))
    {
        return Err(BuildError::SpentAndReferenced(*both));
    }
    let (provided, maximum) = (
        builder.change.position.unwrap_or_default(),
        builder.outputs.len(),
    );
    if provided > maximum {
        return Err(BuildError::ChangePosition { provided, maximum });
    }
    for (index, output) in builder.outputs.iter().enumerate() {
        check_address(builder, index, &output.address)?;
        minimum::check(index, output, parameters)?;
    }
    check_address(
        builder,
        builder.change.position.unwrap_or(maximum),
        &builder.change.address,
    )
}

/// Reward addresses receive nothing, scripts cannot see Byron's (Conway, `ByronTxOutInContext`), and the ledger
/// refuses those of another network.
fn check_address(
    builder: &TransactionBuilder,
    index: usize,
    address: &Address,
) -> Result<(), BuildError> {
    let network = |address: &Address| address.network().map(|network| network.is_mainnet());
    let reason = match address {
        Address::Stake(_) => "a reward address",
        Address::Byron(_) if builder.has_redeemers() => "a Byron address, which scripts cannot see",
        Address::Byron(_) => return Ok(()),
        Address::Shelley(_) if network(address) != network(&builder.change.address) => {
            "an address of another network than the change's"
        }
        Address::Shelley(_) => return Ok(()),
    };
    Err(BuildError::Address { index, reason })
}
