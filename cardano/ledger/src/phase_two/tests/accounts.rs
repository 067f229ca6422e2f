//! Accounts that scripts guard: their certificates and withdrawals, and what becomes of them when a script fails.

use super::*;
use crate::address::Credential;
use crate::delegation::Account;
use crate::{CertState, Pots};

const REWARDS: u64 = 3_000_000;
const DEPOSIT: u64 = 2_000_000;

/// A script that fails.
fn failing() -> Vec<u8> {
    compiled("(error)")
}

fn succeeding() -> Vec<u8> {
    compiled("(con unit ())")
}

/// The script has an account with rewards; `#1` and `#2` are the first key's.
fn ledger_with_account(script: &[u8]) -> Ledger {
    let before = ledger(script, &SECRET);
    let account = Account {
        rewards_lovelace: REWARDS,
        ..Account::new(DEPOSIT)
    };
    let mut certs = CertState::default();
    let whose = Credential::Script(hash(script));
    certs.delegation.accounts.insert(whose, account);
    Ledger::with_state(
        before.settings().clone(),
        before.utxos().clone(),
        Pots::default(),
        certs,
    )
    .expect("a genesis")
}

/// `{[tag, 0]: [0, units], …}`.
fn redeemers(tags: &[u8]) -> Vec<u8> {
    let units = list(&[unsigned(BUDGET.memory), unsigned(BUDGET.cpu)]);
    let each = |tag: &u8| [&[0x82, *tag, 0, 0x82, 0x00], units.as_slice()].concat();
    let count = u8::try_from(tags.len()).expect("few");
    let all: Vec<u8> = tags.iter().flat_map(each).collect();
    [vec![0xa0 + count], all].concat()
}

/// Withdraws the rewards and ends the account.
fn ending(script: &[u8], tags: &[u8]) -> TxBuilder {
    let credential = list(&[unsigned(1), bytes(&hash(script))]);
    let unregistration = list(&[unsigned(8), credential, unsigned(DEPOSIT)]);
    let account = bytes(&[&[0xf0], hash(script).as_slice()].concat());
    let withdrawal = [vec![0xa1], account, unsigned(REWARDS)].concat();
    let change = HELD + REWARDS + DEPOSIT - FEE;
    TxBuilder::new()
        .input(input(1))
        .collateral(input(2))
        .output(output_at(&TestKey::new(1).address(), change))
        .fee(FEE)
        .body_field(4, list(&[unregistration]))
        .body_field(5, withdrawal)
        .witness_field(5, redeemers(tags))
        .witness_field(7, list(&[bytes(script)]))
        .sign(1)
}

#[test]
fn a_script_withdraws_its_rewards_and_ends_its_account() {
    let script = succeeding();
    let mut ledger = ledger_with_account(&script);
    let before = ledger.clone();
    let raw = complete(&ledger, ending(&script, &[2, 3]));
    let tx = ledger.validate(&raw, SLOT).expect("a valid transaction");
    let undo = ledger.apply(&tx).expect("applied");
    assert_eq!(*ledger.certs(), CertState::default());
    ledger.undo(undo);
    assert_eq!(ledger, before);
}

#[test]
fn both_the_certificate_and_the_withdrawal_need_a_redeemer() {
    let script = succeeding();
    let ledger = ledger_with_account(&script);
    for (tags, missing) in [([2], RedeemerTag::Reward), ([3], RedeemerTag::Certify)] {
        let refused = ledger.validate(&ending(&script, &tags).build(), SLOT);
        let key = RedeemerKey {
            tag: missing,
            index: 0,
        };
        let expected = crate::rules::redeemers::RedeemersError::Missing { keys: vec![key] };
        assert_eq!(refused, Err(expected.into()));
    }
}

#[test]
fn a_transaction_whose_script_fails_changes_no_account() {
    let script = failing();
    let mut ledger = ledger_with_account(&script);
    let before = ledger.clone();
    let raw = complete(&ledger, ending(&script, &[2, 3]).invalid());
    let tx = ledger
        .validate(&raw, SLOT)
        .expect("a valid transaction whose script fails");
    let undo = ledger.apply(&tx).expect("applied");
    assert_eq!(ledger.certs(), before.certs());
    assert_eq!(ledger.utxo_by_txin(&input(2)), None, "the collateral");
    ledger.undo(undo);
    assert_eq!(ledger, before);
    let honest = complete(&ledger, ending(&script, &[2, 3]));
    let refused = ledger.validate(&honest, SLOT).expect_err("it fails");
    assert_eq!(refused.predicate_name(), "ValidationTagMismatch");
}
