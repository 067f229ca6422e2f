//! The same of accounts and pools: whatever certificates and withdrawals do, nothing is lost, and all of it can be undone.

use super::{KEYS, START_LOVELACE};
use crate::address::Credential;
use crate::delegation::Account;
use crate::testing::{
    CLOCK, TestKey, TxBuilder, bytes, input, list, output_at, pool_fields, unsigned,
};
use crate::tx::DRep;
use crate::{CertState, ExUnits, Ledger, Output, Pots, ProtocolParameters, Settings, TxIn};
use crate::{PoolId, minimum_fee};
use proptest::prelude::*;

const REWARDS: u64 = 7_000_000;
const KEY_DEPOSIT: u64 = 2_000_000;
const POOL_DEPOSIT: u64 = 500_000_000;

/// What a step does with a key's account or pool.
#[derive(Debug, Clone, Copy)]
enum Deed {
    Register,
    Unregister,
    DelegateToOwnPool,
    Abstain,
    RegisterWithDelegation,
    RegisterPool { pledge: u8 },
    RetirePool { epoch: u8 },
    Withdraw,
    WithdrawAndUnregister,
}

fn deed() -> impl Strategy<Value = Deed> {
    prop_oneof![
        Just(Deed::Register),
        Just(Deed::Unregister),
        Just(Deed::DelegateToOwnPool),
        Just(Deed::Abstain),
        Just(Deed::RegisterWithDelegation),
        any::<u8>().prop_map(|pledge| Deed::RegisterPool { pledge }),
        (0_u8..24).prop_map(|epoch| Deed::RetirePool { epoch }),
        Just(Deed::Withdraw),
        Just(Deed::WithdrawAndUnregister),
    ]
}

fn credential(key: u8) -> Credential {
    Credential::Key(TestKey::new(key).hash())
}

/// Each key has an output; the first has an account with rewards, and votes.
fn ledger() -> Ledger {
    let settings = Settings {
        parameters: ProtocolParameters::conway_v10(),
        network: 0,
        clock: CLOCK,
    };
    let utxos = (0..KEYS).map(|key| {
        let output = output_at(&TestKey::new(key).address(), START_LOVELACE);
        (input(u16::from(key)), output)
    });
    let account = Account {
        rewards_lovelace: REWARDS,
        drep: Some(DRep::AlwaysAbstain),
        ..Account::new(KEY_DEPOSIT)
    };
    let mut certs = CertState::default();
    certs.delegation.accounts.insert(credential(0), account);
    Ledger::with_state(settings, utxos, Pots::default(), certs).expect("a genesis")
}

/// All lovelace that there is: in outputs, pots, deposits and rewards.
fn total(ledger: &Ledger) -> u128 {
    let outputs = ledger
        .utxos()
        .values()
        .map(|output| u128::from(Output::parse(output).expect("an output").value.lovelace));
    outputs.sum::<u128>() + u128::from(ledger.pots().fees_lovelace) + ledger.certs().held_lovelace()
}

fn stake_key(key: u8) -> Vec<u8> {
    list(&[unsigned(0), bytes(&TestKey::new(key).hash())])
}

fn pool_of(key: u8) -> PoolId {
    TestKey::new(key).hash()
}

fn registration_of_pool(key: u8, pledge: u8) -> Vec<u8> {
    let mut fields = pool_fields(pool_of(key), 340_000_000);
    fields[2] = unsigned(u64::from(pledge));
    fields[6] = list(&[bytes(&TestKey::new(key).hash())]);
    list(&[vec![unsigned(3)], fields].concat())
}

/// The certificate of a deed, if it has one.
fn certificate(key: u8, deed: Deed) -> Option<Vec<u8>> {
    let abstain = vec![0x81, 0x02];
    let deposit = unsigned(KEY_DEPOSIT);
    let pool = bytes(&pool_of(key));
    Some(match deed {
        Deed::Register => list(&[unsigned(7), stake_key(key), deposit]),
        Deed::Unregister | Deed::WithdrawAndUnregister => list(&[unsigned(1), stake_key(key)]),
        Deed::DelegateToOwnPool => list(&[unsigned(2), stake_key(key), pool]),
        Deed::Abstain => list(&[unsigned(9), stake_key(key), abstain]),
        Deed::RegisterWithDelegation => list(&[unsigned(12), stake_key(key), abstain, deposit]),
        Deed::RegisterPool { pledge } => registration_of_pool(key, pledge),
        Deed::RetirePool { epoch } => list(&[unsigned(4), pool, unsigned(u64::from(epoch))]),
        Deed::Withdraw => return None,
    })
}

/// What a deed brings in and costs by the protocol, in lovelace.
fn balance(ledger: &Ledger, key: u8, deed: Deed) -> (u64, u64) {
    let delegation = &ledger.certs().delegation;
    let rewards = delegation
        .accounts
        .get(&credential(key))
        .map_or(0, |account| account.rewards_lovelace);
    let is_new_pool = !delegation.pools.contains_key(&pool_of(key));
    match deed {
        Deed::Register | Deed::RegisterWithDelegation => (0, KEY_DEPOSIT),
        Deed::Unregister => (KEY_DEPOSIT, 0),
        Deed::RegisterPool { .. } if is_new_pool => (0, POOL_DEPOSIT),
        Deed::Withdraw => (rewards, 0),
        Deed::WithdrawAndUnregister => (rewards + KEY_DEPOSIT, 0),
        _ => (0, 0),
    }
}

/// A transaction of a key that does a deed and balances.
fn transaction(ledger: &Ledger, spent: TxIn, key: u8, deed: Deed) -> Vec<u8> {
    let output = ledger.utxo_by_txin(&spent).expect("an unspent output");
    let held = Output::parse(output).expect("an output").value.lovelace;
    let fee = minimum_fee(ledger.parameters(), 600, ExUnits::default(), 0);
    let (income, cost) = balance(ledger, key, deed);
    let change = (held + income).saturating_sub(cost + fee);
    let mut tx = TxBuilder::new()
        .input(spent)
        .output(output_at(&TestKey::new(key).address(), change))
        .fee(fee)
        .sign(key);
    if let Some(certificate) = certificate(key, deed) {
        tx = tx.body_field(4, list(&[certificate]));
    }
    if matches!(deed, Deed::Withdraw | Deed::WithdrawAndUnregister) {
        let account = bytes(&[&[0xe0], TestKey::new(key).hash().as_slice()].concat());
        let withdrawal = [vec![0xa1], account, unsigned(income_of(ledger, key))].concat();
        tx = tx.body_field(5, withdrawal);
    }
    tx.build()
}

fn income_of(ledger: &Ledger, key: u8) -> u64 {
    balance(ledger, key, Deed::Withdraw).0
}

fn own(ledger: &Ledger, key: u8) -> TxIn {
    let mut outputs = ledger.utxo_by_address(&TestKey::new(key).address());
    outputs.next().expect("an output of the key's").0
}

/// Does deeds, each in a transaction of its own and all in one block.
fn block(ledger: &mut Ledger, deeds: &[(u8, Deed)]) -> crate::Undo {
    let mut ahead = ledger.clone();
    let mut transactions = Vec::new();
    for (key, deed) in deeds {
        let raw = transaction(&ahead, own(&ahead, *key), *key, *deed);
        let tx = ahead.validate(&raw, 1).expect("a valid transaction");
        let _undo = ahead.apply(&tx).expect("applied");
        transactions.push(raw);
    }
    let raws: Vec<&[u8]> = transactions.iter().map(Vec::as_slice).collect();
    ledger.apply_block(1, &raws).expect("a valid block")
}

#[test]
fn an_account_lives_and_ends_and_the_key_has_its_deposit_and_rewards_back() {
    let mut ledger = ledger();
    let start = ledger.clone();
    let deeds = [
        (1, Deed::Register),
        (1, Deed::Abstain),
        (0, Deed::WithdrawAndUnregister),
        (1, Deed::Unregister),
    ];
    let undo = block(&mut ledger, &deeds);
    assert!(ledger.certs().delegation.accounts.is_empty());
    assert_eq!(total(&ledger), total(&start));
    ledger.undo(undo);
    assert_eq!(ledger, start);
}

#[test]
fn a_pool_that_is_there_is_delegated_to_and_changes_without_a_further_deposit() {
    let mut ledger = ledger();
    let start = ledger.clone();
    let deeds = [
        (0, Deed::RegisterPool { pledge: 1 }),
        (0, Deed::DelegateToOwnPool),
        (0, Deed::RetirePool { epoch: 2 }),
        (0, Deed::RegisterPool { pledge: 2 }),
    ];
    let undo = block(&mut ledger, &deeds);
    let delegation = &ledger.certs().delegation;
    let pool = &delegation.pools[&pool_of(0)];
    assert_eq!(pool.deposit_lovelace, POOL_DEPOSIT);
    assert_eq!(pool.parameters.pledge_lovelace, 1);
    assert_eq!(delegation.future_pools[&pool_of(0)].pledge_lovelace, 2);
    assert!(delegation.retirements.is_empty());
    let account = delegation.accounts[&credential(0)];
    assert_eq!(account.pool, Some(pool_of(0)));
    assert_eq!(total(&ledger), total(&start));
    ledger.undo(undo);
    assert_eq!(ledger, start);
}

#[test]
fn what_was_valid_for_another_account_is_not_applied() {
    let mut ledger = ledger();
    let raw = transaction(&ledger, own(&ledger, 0), 0, Deed::Withdraw);
    let withdrawal = ledger.validate(&raw, 1).expect("a withdrawal");
    // The same account changes by a transaction of another key's output.
    let raw = transaction(
        &ledger,
        own(&ledger, 1),
        1,
        Deed::RegisterPool { pledge: 1 },
    );
    let pool = ledger.validate(&raw, 1).expect("a pool");
    let _undo = ledger.apply(&pool).expect("applied");
    let mut elsewhere = ledger.clone();
    let _undo = elsewhere
        .apply(&withdrawal)
        .expect("the account is the same");
    let delegation = TxBuilder::new()
        .input(own(&ledger, 2))
        .output(output_at(
            &TestKey::new(2).address(),
            START_LOVELACE - 1_000_000,
        ))
        .fee(1_000_000)
        .body_field(
            4,
            list(&[list(&[unsigned(2), stake_key(0), bytes(&pool_of(1))])]),
        )
        .sign(0)
        .sign(2)
        .build();
    let delegation = ledger.validate(&delegation, 1).expect("a delegation");
    let _undo = ledger.apply(&delegation).expect("applied");
    let before = ledger.clone();
    let stale = ledger.apply(&withdrawal).expect_err("another account now");
    assert_eq!(stale.predicate_name(), "changedSinceValidation");
    assert_eq!(ledger, before);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn nothing_is_lost_and_every_history_can_be_undone(
        steps in proptest::collection::vec((0..KEYS, deed(), any::<bool>()), 1..16),
    ) {
        let mut ledger = ledger();
        let start = total(&ledger);
        let mut history = Vec::new();
        for (slot, (key, deed, roll_back)) in (1..).zip(steps) {
            let raw = transaction(&ledger, own(&ledger, key), key, deed);
            let before = ledger.clone();
            // What the rules do not allow is a step that changes nothing.
            match ledger.apply_block(slot, &[&raw]) {
                Ok(undo) => history.push((before, undo)),
                Err(_) => prop_assert_eq!(&ledger, &before),
            }
            prop_assert_eq!(total(&ledger), start);
            if roll_back && let Some((before, undo)) = history.pop() {
                ledger.undo(undo);
                prop_assert_eq!(&ledger, &before);
            }
        }
        while let Some((before, undo)) = history.pop() {
            ledger.undo(undo);
            prop_assert_eq!(&ledger, &before);
        }
    }
}
