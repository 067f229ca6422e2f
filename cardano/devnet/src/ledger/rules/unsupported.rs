//! What this ledger does not check yet, refused by name. This file shrinks as the ledger grows.

use crate::ledger::address::{Address, Staking};
use crate::ledger::cbor::Reader;
use crate::ledger::error::LedgerError;
use crate::ledger::output::Output;
use crate::ledger::rules::inputs::Resolved;
use crate::ledger::script::{PlutusVersion, Script};
use crate::ledger::tx::{Body, Transaction};

/// Refuses parts of a transaction that no rule looks into.
pub(crate) fn check(tx: &Transaction<'_>) -> Result<(), LedgerError> {
    check_fields(&tx.body)?;
    if tx.witnesses.bootstrap.is_some() {
        return unsupported("bootstrap witnesses");
    }
    if tx
        .auxiliary
        .as_ref()
        .is_some_and(|data| data.has_plutus_scripts)
    {
        return unsupported("Plutus scripts in auxiliary data");
    }
    tx.witnesses
        .scripts
        .iter()
        .try_for_each(|script| check_script(*script))?;
    tx.body.all_outputs().try_for_each(check_output)
}

/// Refuses inputs that only a bootstrap witness could unlock.
pub(crate) fn check_resolved(body: &Body<'_>, resolved: &Resolved<'_>) -> Result<(), LedgerError> {
    let spent = body.inputs.iter().chain(&body.collateral);
    if spent
        .filter_map(|input| resolved.get(input))
        .any(|output| output.address == Address::Byron)
    {
        return unsupported("spending from a Byron address");
    }
    Ok(())
}

/// Refuses the languages that phase 2 does not run.
pub(crate) fn check_script(script: Script<'_>) -> Result<(), LedgerError> {
    match script {
        Script::Plutus(PlutusVersion::V1, _) => unsupported("Plutus V1 scripts"),
        Script::Plutus(PlutusVersion::V2 | PlutusVersion::V3, _) | Script::Native(_) => Ok(()),
    }
}

fn check_fields(body: &Body<'_>) -> Result<(), LedgerError> {
    if let Some(certificates) = body.certificates {
        return unsupported(certificate_name(certificates));
    }
    let fields = [
        (body.withdrawals.is_some(), "withdrawals"),
        (body.votes.is_some(), "voting procedures"),
        (body.proposals.is_some(), "proposal procedures"),
        (body.donation_lovelace.is_some(), "treasury donations"),
    ];
    match fields.into_iter().find(|(present, _)| *present) {
        Some((_, form)) => unsupported(form),
        None => Ok(()),
    }
}

fn check_output(output: &Output<'_>) -> Result<(), LedgerError> {
    match output.address {
        Address::Byron => unsupported("outputs to Byron addresses"),
        Address::Shelley {
            staking: Staking::Pointer,
            ..
        } => unsupported("outputs to pointer addresses"),
        Address::Shelley { .. } => output.script.map_or(Ok(()), check_script),
    }
}

fn unsupported(form: &'static str) -> Result<(), LedgerError> {
    Err(LedgerError::Unsupported { form })
}

/// The name of the first certificate (Conway CDDL, `certificate`).
fn certificate_name(certificates: &[u8]) -> &'static str {
    match first_certificate_kind(certificates) {
        Some(0) => "the certificate stake_registration",
        Some(1) => "the certificate stake_deregistration",
        Some(2) => "the certificate stake_delegation",
        Some(3) => "the certificate pool_registration",
        Some(4) => "the certificate pool_retirement",
        Some(7) => "the certificate reg_cert",
        Some(8) => "the certificate unreg_cert",
        Some(9) => "the certificate vote_deleg_cert",
        Some(10) => "the certificate stake_vote_deleg_cert",
        Some(11) => "the certificate stake_reg_deleg_cert",
        Some(12) => "the certificate vote_reg_deleg_cert",
        Some(13) => "the certificate stake_vote_reg_deleg_cert",
        Some(14) => "the certificate auth_committee_hot_cert",
        Some(15) => "the certificate resign_committee_cold_cert",
        Some(16) => "the certificate reg_drep_cert",
        Some(17) => "the certificate unreg_drep_cert",
        Some(18) => "the certificate update_drep_cert",
        _ => "this kind of certificate",
    }
}

fn first_certificate_kind(certificates: &[u8]) -> Option<u64> {
    let mut tagged = Reader::new(certificates);
    let mut plain = tagged.clone();
    let reader = if tagged.tag("a set").is_ok() {
        &mut tagged
    } else {
        &mut plain
    };
    reader.array("certificates").ok()?;
    reader.array("a certificate").ok()?;
    reader.unsigned("a certificate's kind").ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ledger::testing::{TxBuilder, input};

    fn form(tx: &TxBuilder) -> &'static str {
        let bytes = tx.clone().build();
        match check(&Transaction::decode(&bytes).expect("a transaction")) {
            Err(LedgerError::Unsupported { form }) => form,
            other => panic!("expected a refusal by name, found {other:?}"),
        }
    }

    #[test]
    fn each_unchecked_field_is_refused_by_its_name() {
        let cases = [
            (
                4,
                "8183028200581c00000000000000000000000000000000000000000000000000000000f6",
                "the certificate stake_delegation",
            ),
            (4, "d9010281830700f6", "the certificate reg_cert"),
            (4, "00", "this kind of certificate"),
            (5, "a0", "withdrawals"),
            (19, "a0", "voting procedures"),
            (20, "80", "proposal procedures"),
            (22, "01", "treasury donations"),
        ];
        let payment = TxBuilder::new().input(input(0)).fee(0);
        for (key, value, expected) in cases {
            let value = hex::decode(value).expect("hex");
            assert_eq!(form(&payment.clone().body_field(key, value)), expected);
        }
    }

    #[test]
    fn plutus_v1_is_refused_by_its_name() {
        let payment = TxBuilder::new().input(input(0)).fee(0);
        assert_eq!(
            form(&payment.witness_field(3, vec![0x81, 0x41, 0x00])),
            "Plutus V1 scripts"
        );
    }
}
