//! The way of one transaction through all rules, in their order.

use super::Settings;
use super::certs::Changes;
use super::error::LedgerError;
use super::phase_two::{self, Budget, Environment, Evaluation};
use super::rules::inputs::Resolved;
use super::rules::{
    auxiliary_data, byron_attributes, certificates, collateral, datums, deposits, ex_units, fees,
    inputs, native_scripts, network, output_size, proposals, redeemers, reference_scripts,
    required_scripts, script_data_hash, signatures, treasury, tx_size, unsupported, validity,
    value_preservation, well_formed, withdrawals,
};
use super::scripts::{self, Available, Need};
use super::state::State;
use super::tx::{ExUnits, Transaction, TxIn};
use super::validated::ValidatedTx;

/// Checks a transaction against the state at a slot: phase 1, then phase 2.
pub(super) fn validate(
    raw_tx: &[u8],
    slot: u64,
    settings: &Settings,
    state: &State,
) -> Result<ValidatedTx, LedgerError> {
    let tx = Transaction::decode(raw_tx)?;
    unsupported::check(&tx, settings.parameters.protocol_version.major)?;
    let resolved = inputs::check(&tx.body, state.utxos())?;
    let needs = scripts::needs(&tx.body, &resolved);
    let available = Available::of(&tx, &resolved);
    let figures = check_body(&tx, slot, settings, state, &resolved)?;
    check_witnesses(&tx, settings, &resolved, &needs, &available)?;
    let environment = Environment {
        parameters: &settings.parameters,
        clock: &settings.clock,
        resolved: &resolved,
        needs: &needs,
        available: &available,
    };
    phase_two::check(&tx, environment)?;
    Ok(effects(raw_tx, slot, &tx, &resolved, figures))
}

/// Runs a transaction's scripts with the greatest budget. Signatures, fee and collateral are not looked at.
pub(super) fn evaluate(
    raw_tx: &[u8],
    settings: &Settings,
    state: &State,
) -> Result<Vec<Evaluation>, LedgerError> {
    let tx = Transaction::decode(raw_tx)?;
    unsupported::check(&tx, settings.parameters.protocol_version.major)?;
    let resolved = inputs::check(&tx.body, state.utxos())?;
    let needs = scripts::needs(&tx.body, &resolved);
    let available = Available::of(&tx, &resolved);
    required_scripts::check(&needs, &available)?;
    datums::check(&tx, &resolved, &needs, &available)?;
    redeemers::check(&tx.witnesses, &needs, &available)?;
    let environment = Environment {
        parameters: &settings.parameters,
        clock: &settings.clock,
        resolved: &resolved,
        needs: &needs,
        available: &available,
    };
    Ok(phase_two::evaluate(&tx, environment, Budget::Greatest)?)
}

/// What counts against the block's limits, and what withdrawals and certificates change.
struct Figures {
    changes: Changes,
    ex_units: ExUnits,
    reference_scripts_bytes: u64,
}

/// Rules LEDGER and UTXO of the formal specification.
fn check_body(
    tx: &Transaction<'_>,
    slot: u64,
    settings: &Settings,
    state: &State,
    resolved: &Resolved<'_>,
) -> Result<Figures, LedgerError> {
    let (body, parameters) = (&tx.body, &settings.parameters);
    let reference_scripts_bytes =
        reference_scripts::check(body, resolved, parameters.max_reference_scripts_size_bytes)?;
    treasury::check(tx, state.pots().treasury_lovelace)?;
    withdrawals::check_network(&body.withdrawals, settings.network)?;
    let circumstances = certificates::Circumstances {
        parameters,
        network: settings.network,
        epoch: settings.clock.epoch(slot),
    };
    let changes = certificates::check(tx, circumstances, state.certs())?;
    validity::check(tx, slot, &settings.clock)?;
    tx_size::check(tx.size_bytes(), parameters.max_tx_size_bytes)?;
    let ex_units = ex_units::check(&tx.witnesses, parameters)?;
    fees::check(
        body.fee_lovelace,
        tx.size_bytes(),
        ex_units,
        reference_scripts_bytes,
        parameters,
    )?;
    let deposits = deposits::of(&body.certificates, &state.certs().delegation, parameters)
        .and_put_down(proposals::deposits(
            &body.proposals,
            parameters.governance_action_deposit_lovelace,
        ));
    value_preservation::check(body, resolved, deposits)?;
    collateral::check(tx, resolved, parameters)?;
    output_size::check(body, parameters)?;
    byron_attributes::check(body)?;
    network::check(body, settings.network)?;
    Ok(Figures {
        changes,
        ex_units,
        reference_scripts_bytes,
    })
}

/// Rule UTXOW of the formal specification.
fn check_witnesses(
    tx: &Transaction<'_>,
    settings: &Settings,
    resolved: &Resolved<'_>,
    needs: &[Need],
    available: &Available<'_>,
) -> Result<(), LedgerError> {
    let parameters = &settings.parameters;
    signatures::check(tx, resolved)?;
    auxiliary_data::check(tx, parameters.protocol_version.major)?;
    required_scripts::check(needs, available)?;
    native_scripts::check(tx, needs, available)?;
    datums::check(tx, resolved, needs, available)?;
    redeemers::check(&tx.witnesses, needs, available)?;
    well_formed::check(tx, parameters.protocol_version.major)?;
    script_data_hash::check(tx, needs, available, &parameters.cost_models)?;
    Ok(())
}

/// What the transaction does: spend and create, or lose its collateral when a script fails.
fn effects(
    raw_tx: &[u8],
    slot: u64,
    tx: &Transaction<'_>,
    resolved: &Resolved<'_>,
    figures: Figures,
) -> ValidatedTx {
    let spent: Vec<TxIn>;
    let (created, fee_lovelace);
    if tx.is_valid {
        spent = tx.body.inputs.iter().copied().collect();
        created = ValidatedTx::created_outputs(tx);
        fee_lovelace = tx.body.fee_lovelace;
    } else {
        spent = tx.body.collateral.iter().copied().collect();
        created = ValidatedTx::created_return(tx);
        // The rule for collateral has seen that this covers the fee; all the ada there is fits 64 bits.
        fee_lovelace = u64::try_from(collateral::balance(&tx.body, resolved).lovelace).unwrap_or(0);
    }
    ValidatedTx {
        id: tx.id,
        raw: raw_tx.to_vec(),
        slot,
        is_valid: tx.is_valid,
        spent,
        created,
        changes: figures.changes,
        fee_lovelace,
        donation_lovelace: tx
            .body
            .donation_lovelace
            .filter(|_| tx.is_valid)
            .unwrap_or(0),
        size_bytes: tx.size_bytes(),
        ex_units: figures.ex_units,
        reference_scripts_bytes: figures.reference_scripts_bytes,
    }
}
