//! What this ledger does not check yet, refused by name. This file shrinks as the ledger grows.

use crate::address::{Address, Staking};
use crate::cbor::Reader;
use crate::error::LedgerError;
use crate::output::Output;
use crate::rules::inputs::Resolved;
use crate::script::{PlutusVersion, Script};
use crate::tx::{Body, Transaction};

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
    use crate::testing::{
        TestKey, TxBuilder, bytes, enterprise_output, input, list, output_at, unsigned,
    };

    fn form(tx: &TxBuilder) -> &'static str {
        let bytes = tx.clone().build();
        name(check(&Transaction::decode(&bytes).expect("a transaction")))
    }

    fn name(refused: Result<(), LedgerError>) -> &'static str {
        match refused {
            Err(LedgerError::Unsupported { form }) => form,
            other => panic!("expected a refusal by name, found {other:?}"),
        }
    }

    fn payment() -> TxBuilder {
        TxBuilder::new().input(input(0)).fee(0)
    }

    /// `[24(bytes), crc32]`.
    fn byron() -> Vec<u8> {
        let payload = [vec![0xd8, 0x18], bytes(&[0xa0])].concat();
        list(&[payload, unsigned(7)])
    }

    /// The Conway CDDL's certificates, by their numbers; 5 and 6 went with Babbage.
    const CERTIFICATES: [(u64, &str); 17] = [
        (0, "stake_registration"),
        (1, "stake_deregistration"),
        (2, "stake_delegation"),
        (3, "pool_registration"),
        (4, "pool_retirement"),
        (7, "reg_cert"),
        (8, "unreg_cert"),
        (9, "vote_deleg_cert"),
        (10, "stake_vote_deleg_cert"),
        (11, "stake_reg_deleg_cert"),
        (12, "vote_reg_deleg_cert"),
        (13, "stake_vote_reg_deleg_cert"),
        (14, "auth_committee_hot_cert"),
        (15, "resign_committee_cold_cert"),
        (16, "reg_drep_cert"),
        (17, "unreg_drep_cert"),
        (18, "update_drep_cert"),
    ];

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
        for (key, value, expected) in cases {
            let value = hex::decode(value).expect("hex");
            assert_eq!(form(&payment().body_field(key, value)), expected);
        }
    }

    #[test]
    fn each_certificate_is_refused_by_its_name_in_a_list_and_in_a_set() {
        for (number, expected) in CERTIFICATES {
            let plain = list(&[list(&[unsigned(number)])]);
            let set = [vec![0xd9, 0x01, 0x02], plain.clone()].concat();
            for certificates in [plain, set] {
                let refused = form(&payment().body_field(4, certificates));
                assert_eq!(refused.strip_prefix("the certificate "), Some(expected));
            }
        }
        for number in [5, 6, 19, u64::MAX] {
            let unknown = list(&[list(&[unsigned(number)])]);
            let refused = form(&payment().body_field(4, unknown));
            assert_eq!(refused, "this kind of certificate");
        }
    }

    #[test]
    fn bootstrap_witnesses_are_refused_by_their_name() {
        let witness = list(&[
            bytes(&[1; 32]),
            bytes(&[2; 64]),
            bytes(&[3; 32]),
            bytes(&[]),
        ]);
        let tx = payment().witness_field(2, list(&[witness]));
        assert_eq!(form(&tx), "bootstrap witnesses");
    }

    #[test]
    fn plutus_scripts_in_auxiliary_data_are_refused_by_their_name() {
        for language in 2..=4 {
            let scripts = list(&[bytes(&[0x40])]);
            let data = [vec![0xd9, 0x01, 0x03, 0xa1, language], scripts].concat();
            let refused = form(&payment().auxiliary(data));
            assert_eq!(refused, "Plutus scripts in auxiliary data");
        }
    }

    #[test]
    fn addresses_that_no_rule_looks_into_are_refused_by_their_name() {
        let pointer = [[0x40].as_slice(), &[7; 28], &[1, 2, 3]].concat();
        for (address, expected) in [
            (byron(), "outputs to Byron addresses"),
            (pointer, "outputs to pointer addresses"),
        ] {
            let output = output_at(&address, 2_000_000);
            assert_eq!(form(&payment().output(output.clone())), expected);
            assert_eq!(form(&payment().collateral_return(output)), expected);
        }
    }

    #[test]
    fn spending_from_a_byron_address_is_refused_by_its_name() {
        let (bytes, ours) = (output_at(&byron(), 2_000_000), enterprise_output(2_000_000));
        let theirs = Output::parse(&bytes).expect("an output");
        let ours = Output::parse(&ours).expect("an output");
        let resolved = Resolved::from([(input(0), ours), (input(1), theirs)]);
        for tx in [payment().input(input(1)), payment().collateral(input(1))] {
            let raw = tx.build();
            let tx = Transaction::decode(&raw).expect("a transaction");
            let refused = check_resolved(&tx.body, &resolved);
            assert_eq!(name(refused), "spending from a Byron address");
        }
        // Looking at one is no spending of it.
        let raw = payment().reference(input(1)).build();
        let tx = Transaction::decode(&raw).expect("a transaction");
        assert_eq!(check_resolved(&tx.body, &resolved), Ok(()));
    }

    #[test]
    fn plutus_v1_is_refused_by_its_name_wherever_it_lies() {
        let expected = "Plutus V1 scripts";
        let witness = payment().witness_field(3, vec![0x81, 0x41, 0x00]);
        assert_eq!(form(&witness), expected);
        // {0: address, 1: value, 3: 24([1, script])}
        let script = bytes(&list(&[unsigned(1), bytes(&[0x00])]));
        let output = [
            [0xa3, 0x00].as_slice(),
            &bytes(&TestKey::new(1).address()),
            &[0x01],
            &unsigned(2_000_000),
            &[0x03, 0xd8, 0x18],
            &script,
        ]
        .concat();
        assert_eq!(form(&payment().output(output)), expected);
        let referred = check_script(Script::Plutus(PlutusVersion::V1, &[0x00]));
        assert_eq!(name(referred), expected);
        for version in [PlutusVersion::V2, PlutusVersion::V3] {
            assert_eq!(check_script(Script::Plutus(version, &[0x00])), Ok(()));
        }
    }
}
