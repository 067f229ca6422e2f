//! Whole transactions that propose, vote and donate: made, counted and taken back.

use super::{ActionKind, OpenProposal};
use crate::address::Credential;
use crate::certs::CertState;
use crate::delegation::Account;
use crate::testing::{CLOCK, TestKey, TxBuilder, bytes, input, list, output_at, unsigned};
use crate::tx::{ActionId, Ballot, TxIn, Voter};
use crate::{Ledger, Output, Pots, ProtocolParameters, Settings};
use std::collections::BTreeMap;

const START_LOVELACE: u64 = 200_000_000_000;
const FEE_LOVELACE: u64 = 1_000_000;
const DONATION_LOVELACE: u64 = 7;

fn key() -> TestKey {
    TestKey::new(1)
}

/// One key with an output and an account.
fn ledger() -> Ledger {
    let settings = Settings {
        parameters: ProtocolParameters::conway_v10(),
        network: 0,
        clock: CLOCK,
    };
    let mut certs = CertState::default();
    let credential = Credential::Key(key().hash());
    certs
        .delegation
        .accounts
        .insert(credential, Account::new(2_000_000));
    let start = [(input(0), output_at(&key().address(), START_LOVELACE))];
    Ledger::with_state(settings, start, Pots::default(), certs).expect("a genesis")
}

fn pay_back(spent: TxIn, lovelace: u64) -> TxBuilder {
    TxBuilder::new()
        .input(spent)
        .output(output_at(&key().address(), lovelace))
        .fee(FEE_LOVELACE)
        .sign(1)
}

/// Registers a DRep, proposes an opinion, donates, and keeps so much more than is left: the transaction, and what it keeps.
fn proposing(ledger: &Ledger, surplus_lovelace: u64) -> (Vec<u8>, u64) {
    let parameters = ledger.parameters();
    let drep_deposit = parameters.drep_deposit_lovelace;
    let deposit = parameters.governance_action_deposit_lovelace;
    let drep = list(&[unsigned(0), bytes(&key().hash())]);
    let registration = list(&[unsigned(16), drep, unsigned(drep_deposit), vec![0xf6]]);
    let account = bytes(&[&[0xe0], key().hash().as_slice()].concat());
    let anchor = list(&[vec![0x61, b'u'], bytes(&[9; 32])]);
    let opinion = list(&[unsigned(6)]);
    let proposal = list(&[unsigned(deposit), account, opinion, anchor]);
    let paid = FEE_LOVELACE + deposit + drep_deposit + DONATION_LOVELACE;
    let left = START_LOVELACE - paid + surplus_lovelace;
    let tx = pay_back(input(0), left)
        .body_field(4, list(&[registration]))
        .body_field(20, list(&[proposal]))
        .body_field(22, unsigned(DONATION_LOVELACE));
    (tx.build(), left)
}

/// The DRep's yes to it.
fn voting(spent: TxIn, held_lovelace: u64) -> Vec<u8> {
    let voter = list(&[unsigned(2), bytes(&key().hash())]);
    let action = list(&[bytes(&spent.tx_id), unsigned(0)]);
    let votes = [vec![0xa1], voter, vec![0xa1], action, vec![0x82, 1, 0xf6]].concat();
    pay_back(spent, held_lovelace - FEE_LOVELACE)
        .body_field(19, votes)
        .build()
}

/// All the lovelace there is: in outputs, pots, deposits and rewards.
fn total(ledger: &Ledger) -> u128 {
    let outputs = ledger.utxos().values();
    let held: u128 = outputs
        .map(|output| u128::from(Output::parse(output).expect("an output").value.lovelace))
        .sum();
    let pots = ledger.pots();
    held + u128::from(pots.fees_lovelace)
        + u128::from(pots.donations_lovelace)
        + ledger.certs().held_lovelace()
}

#[test]
fn a_proposal_is_voted_on_and_all_of_it_is_taken_back() {
    let mut ledger = ledger();
    let before = ledger.clone();
    let (first, left) = proposing(&ledger, 0);
    let tx = ledger.validate(&first, 1).expect("a valid proposal");
    let undo_first = ledger.apply(&tx).expect("applied");
    let id = ActionId {
        tx_id: tx.id(),
        index: 0,
    };
    let governance = &ledger.certs().governance;
    let open = |raw| OpenProposal {
        kind: ActionKind::Information,
        deposit_lovelace: 100_000_000_000,
        proposed_in_epoch: 0,
        expires_after_epoch: 6,
        raw,
    };
    let raw = governance.proposals[&id].raw.clone();
    assert_eq!(governance.proposals, BTreeMap::from([(id, open(raw))]));
    assert_eq!(ledger.pots().donations_lovelace, DONATION_LOVELACE);
    assert_eq!(total(&ledger), total(&before));
    let second = voting(tx.created()[0].0, left);
    let between = ledger.clone();
    let tx = ledger.validate(&second, 2).expect("a valid vote");
    let undo_second = ledger.apply(&tx).expect("applied");
    let voter = Voter::DRep(Credential::Key(key().hash()));
    let votes = BTreeMap::from([((id, voter), Ballot::Yes)]);
    assert_eq!(ledger.certs().governance.votes, votes);
    assert_eq!(total(&ledger), total(&before));
    ledger.undo(undo_second);
    assert_eq!(ledger, between);
    ledger.undo(undo_first);
    assert_eq!(ledger, before);
}

#[test]
fn a_block_that_proposes_and_votes_is_taken_back_as_one() {
    let mut ledger = ledger();
    let before = ledger.clone();
    let (first, left) = proposing(&ledger, 0);
    let proposed = ledger.validate(&first, 1).expect("a valid proposal");
    let second = voting(proposed.created()[0].0, left);
    let undo = ledger
        .apply_block(1, &[&first, &second])
        .expect("a valid block");
    assert_eq!(ledger.certs().governance.votes.len(), 1);
    ledger.undo(undo);
    assert_eq!(ledger, before);
}

#[test]
fn what_a_proposal_puts_down_is_paid() {
    let ledger = ledger();
    let (exact, _) = proposing(&ledger, 0);
    assert!(ledger.validate(&exact, 1).is_ok());
    let (richer, _) = proposing(&ledger, 1);
    let refused = ledger
        .validate(&richer, 1)
        .expect_err("a lovelace too many");
    assert_eq!(refused.predicate_name(), "ValueNotConservedUTxO");
}
