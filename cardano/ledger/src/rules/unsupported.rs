//! What this ledger does not check yet, refused by name. This file shrinks as the ledger grows.

use crate::error::LedgerError;
use crate::tx::{Body, Certificate, Transaction};

/// Refuses parts of a transaction that no rule looks into.
pub(crate) fn check(tx: &Transaction<'_>) -> Result<(), LedgerError> {
    check_fields(&tx.body)
}

fn check_fields(body: &Body<'_>) -> Result<(), LedgerError> {
    if let Some(name) = body.certificates.iter().find_map(certificate_name) {
        return unsupported(name);
    }
    let fields = [
        (!body.votes.is_empty(), "voting procedures"),
        (!body.proposals.is_empty(), "proposal procedures"),
        (body.donation_lovelace.is_some(), "treasury donations"),
    ];
    match fields.into_iter().find(|(present, _)| *present) {
        Some((_, form)) => unsupported(form),
        None => Ok(()),
    }
}

fn unsupported(form: &'static str) -> Result<(), LedgerError> {
    Err(LedgerError::Unsupported { form })
}

/// The name in the Conway CDDL of a certificate that no rule looks into.
fn certificate_name(certificate: &Certificate<'_>) -> Option<&'static str> {
    match certificate {
        Certificate::Register { .. }
        | Certificate::Unregister { .. }
        | Certificate::Delegate { .. }
        | Certificate::RegisterAndDelegate { .. }
        | Certificate::RegisterPool(_)
        | Certificate::RetirePool { .. } => None,
        Certificate::AuthorizeHot { .. } => Some("the certificate auth_committee_hot_cert"),
        Certificate::ResignCold { .. } => Some("the certificate resign_committee_cold_cert"),
        Certificate::RegisterDRep { .. } => Some("the certificate reg_drep_cert"),
        Certificate::UnregisterDRep { .. } => Some("the certificate unreg_drep_cert"),
        Certificate::UpdateDRep { .. } => Some("the certificate update_drep_cert"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{TxBuilder, bytes, input, list, unsigned};

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

    /// `{[2, key hash]: {[transaction id, 0]: [1, null]}}`: a DRep's yes.
    fn vote() -> Vec<u8> {
        let voter = list(&[unsigned(2), bytes(&[7; 28])]);
        let action = list(&[bytes(&[8; 32]), unsigned(0)]);
        let ballot = [vec![0xa1], action, list(&[unsigned(1), vec![0xf6]])].concat();
        [vec![0xa1], voter, ballot].concat()
    }

    /// `[deposit, account, [6], [url, hash]]`: an information action.
    fn proposal() -> Vec<u8> {
        let account = bytes(&[&[0xe0], [7; 28].as_slice()].concat());
        let anchor = list(&[vec![0x61, 0x61], bytes(&[8; 32])]);
        list(&[unsigned(1), account, list(&[unsigned(6)]), anchor])
    }

    #[test]
    fn each_unchecked_field_is_refused_by_its_name() {
        let cases = [
            (19, vote(), "voting procedures"),
            (20, list(&[proposal()]), "proposal procedures"),
            (22, vec![0x01], "treasury donations"),
        ];
        for (key, value, expected) in cases {
            assert_eq!(form(&payment().body_field(key, value)), expected);
        }
    }

    #[test]
    fn each_unchecked_certificate_is_refused_by_its_name() {
        let (key, lovelace) = (list(&[unsigned(0), bytes(&[7; 28])]), unsigned(5));
        let null = vec![0xf6];
        let cases: [(u64, Vec<Vec<u8>>, &str); 5] = [
            (
                14,
                vec![key.clone(), key.clone()],
                "auth_committee_hot_cert",
            ),
            (
                15,
                vec![key.clone(), null.clone()],
                "resign_committee_cold_cert",
            ),
            (
                16,
                vec![key.clone(), lovelace.clone(), null.clone()],
                "reg_drep_cert",
            ),
            (17, vec![key.clone(), lovelace], "unreg_drep_cert"),
            (18, vec![key, null], "update_drep_cert"),
        ];
        for (kind, fields, expected) in cases {
            let certificate = list(&[vec![unsigned(kind)], fields].concat());
            let refused = form(&payment().body_field(4, list(&[certificate])));
            assert_eq!(refused.strip_prefix("the certificate "), Some(expected));
        }
    }
}
