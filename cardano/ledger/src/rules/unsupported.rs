//! What this ledger does not check yet, refused by name. This file shrinks as the ledger grows.

use crate::error::LedgerError;
use crate::tx::Transaction;

/// The protocol version in which governance came to be whole. Before it only some votes and proposals were allowed (Conway ledger,
/// `hardforkConwayBootstrapPhase`).
const GOVERNANCE_VERSION: u16 = 10;

/// Refuses parts of a transaction that no rule looks into.
pub(crate) fn check(tx: &Transaction<'_>, protocol_version: u16) -> Result<(), LedgerError> {
    if protocol_version >= GOVERNANCE_VERSION {
        return Ok(());
    }
    if !tx.body.votes.is_empty() {
        return unsupported("voting procedures before protocol version 10");
    }
    if !tx.body.proposals.is_empty() {
        return unsupported("proposal procedures before protocol version 10");
    }
    Ok(())
}

fn unsupported(form: &'static str) -> Result<(), LedgerError> {
    Err(LedgerError::Unsupported { form })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{TxBuilder, bytes, input, list, unsigned};

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
    fn votes_and_proposals_before_version_10_are_refused_by_their_names() {
        let cases = [
            (19, vote(), "voting procedures before protocol version 10"),
            (
                20,
                list(&[proposal()]),
                "proposal procedures before protocol version 10",
            ),
        ];
        for (key, value, form) in cases {
            let raw = TxBuilder::new()
                .input(input(0))
                .fee(0)
                .body_field(key, value)
                .build();
            let tx = Transaction::decode(&raw).expect("a transaction");
            assert_eq!(check(&tx, 9), Err(LedgerError::Unsupported { form }));
            assert_eq!(check(&tx, 10), Ok(()));
        }
    }
}
