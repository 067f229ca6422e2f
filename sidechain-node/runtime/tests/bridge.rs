//! A chain with a bridge, through blocks: what was seen on Cardano is part of what every validator computes.

mod common;

use common::{World, account, genesis, key, public, sign};
use ed25519_dalek::{Signer, SigningKey};
use nupeer_bridge::{
    Action as Bridge, BridgeError, Event as BridgeEvent, Params, Settings,
    actions::{SignAnchor, Withdraw},
    invariants, view,
};
use nupeer_ledger::{
    LedgerError, Pot, Purse,
    actions::{GrantKey, Transfer},
    purse,
};
use nupeer_observe::{DepositDatum, DepositSeen, Observation, Scope};
use nupeer_outbox::{Address, BridgeId, Deposit, OutputReference, Value};
use nupeer_primitives::{
    AccountId, Amount, AssetId, CardanoNetwork, CardanoPoint, Credential, Hash, Hash28, Height,
    Numbered, Signature, Slot, TimeMs, cbor::CborError,
};
use nupeer_runtime::{
    Action, BlockError, BlockInput, Event, Executed, Genesis, Sender, SignedTransaction,
    Transaction, TransactionError, Verified, apply_block,
    execute::{self, Proposal},
    genesis::{CardanoSettings, GenesisError},
};

const ADA: u64 = 1_000_000;

fn output(n: u8) -> OutputReference {
    OutputReference {
        transaction_id: Hash([n; 32]),
        index: 0,
    }
}

fn point(n: u64) -> CardanoPoint {
    CardanoPoint {
        slot: Slot(100 + n),
        hash: Hash([n as u8; 32]),
    }
}

fn bridged() -> Genesis {
    let bridge = Settings {
        bridge_id: BridgeId::derive(42, &output(1)),
        network_magic: 42,
        seed: output(1),
        birth: Hash([2; 32]),
        scope: Scope {
            genesis: Hash28([1; 28]),
            head: Hash28([2; 28]),
            anchor: Hash28([3; 28]),
            vault: Hash28([4; 28]),
            deposit: Hash28([5; 28]),
        },
        committee: Hash28([6; 28]),
        shards: 2,
        assets: vec![],
        params: Params::default(),
    };
    Genesis {
        cardano: Some(CardanoSettings {
            magic: 42,
            security_parameter: 12,
            from: point(0),
        }),
        credits: vec![],
        bridge: Some(bridge),
        ..genesis()
    }
}

fn deposit(n: u8, to: AccountId) -> Observation {
    let datum = Deposit {
        recipient: to,
        refund: Address::enterprise(Credential::Key(Hash28([n; 28]))),
        nonce: 0,
        credit_before: Slot(u64::MAX),
    };
    Observation::Deposit(DepositSeen {
        output: output(n),
        slot: Slot(100),
        value: Value::lovelace(100 * ADA),
        datum: DepositDatum::WellFormed(datum),
        has_reference_script: false,
        has_staking_part: false,
    })
}

fn input(world: &World, at: u64, seen: &[Observation]) -> BlockInput {
    BlockInput {
        cardano: Some(point(at)),
        observations: seen.iter().map(Observation::to_bytes).collect(),
        ..world.input()
    }
}

fn propose(
    world: &World,
    input: &BlockInput,
    transactions: &[SignedTransaction],
) -> Result<Proposal, BlockError> {
    let verified = |t: &SignedTransaction| {
        let verified: Verified = t.clone().verify(&world.chain).unwrap();
        (t.to_bytes(), verified)
    };
    let candidates: Vec<_> = transactions.iter().map(verified).collect();
    let candidates = candidates.iter().map(|(bytes, v)| (bytes.as_slice(), v));
    execute::propose(&world.store, &world.chain, &world.tip, input, candidates)
}

fn apply(
    world: &World,
    proposal: &Proposal,
    observations: &[Vec<u8>],
) -> Result<Executed, BlockError> {
    let mut verify =
        |bytes: &[u8]| SignedTransaction::from_bytes(bytes, &world.chain)?.verify(&world.chain);
    let World { store, chain, tip } = world;
    apply_block(
        store,
        chain,
        tip,
        &proposal.block,
        observations,
        &mut verify,
    )
}

/// Proposes and applies, which must come to the same, and commits.
fn block(
    world: &mut World,
    at: u64,
    seen: &[Observation],
    transactions: &[SignedTransaction],
) -> Vec<(Option<usize>, Event)> {
    let input = input(world, at, seen);
    let proposal = propose(world, &input, transactions).unwrap();
    assert_eq!(proposal.refused, vec![]);
    let applied = apply(world, &proposal, &input.observations).unwrap();
    assert_eq!(applied.tip, proposal.executed.tip);
    assert_eq!(applied.events, proposal.executed.events);
    world.commit(proposal);
    assert_eq!(invariants::violations(&world.store), vec![]);
    applied.events
}

fn transaction(world: &World, who: AccountId, sequence: u64, action: Bridge) -> Transaction {
    Transaction {
        network: world.chain.id,
        sender: Sender {
            account: who,
            key: who.hash(),
        },
        sequence,
        valid_until: TimeMs(1_000_000),
        action: Action::Bridge(action),
    }
}

fn withdraw(world: &World, from: u8, lovelace: u64) -> SignedTransaction {
    let to = Address::enterprise(Credential::Key(Hash28([9; 28])));
    let bytes = to.to_bytes(CardanoNetwork::Testnet);
    let action = Bridge::Withdraw(Withdraw::ada(bytes, Amount::from(lovelace)));
    sign(transaction(world, account(from), 0, action), &key(from))
}

/// The signature of the genesis' one validator, sent from the account of its bridge key.
fn anchor_signature(world: &World, signer: u8, sequence: u64) -> SignedTransaction {
    let to_sign = view::to_sign(&world.store).expect("an anchor waits");
    let signature = Signature(key(signer).sign(&to_sign.digest.0).to_bytes());
    let seq = to_sign.seq;
    let action = Bridge::SignAnchor(SignAnchor { seq, signature });
    let who = AccountId::of_key(public(&key(signer)).hash());
    sign(transaction(world, who, sequence, action), &key(signer))
}

const BRIDGE_KEY: u8 = 201;

#[test]
fn a_deposit_seen_in_a_block_is_spendable_in_the_same_block() {
    let mut world = World::new(&bridged());
    let withdrawal = withdraw(&world, 1, 40 * ADA);
    // Built before the block, as any wallet may: it is good once the deposit is in.
    let events = block(
        &mut world,
        1,
        &[deposit(7, account(1))],
        std::slice::from_ref(&withdrawal),
    );
    let kinds: Vec<_> = events
        .iter()
        .map(|(index, event)| match event {
            Event::Bridge(BridgeEvent::DepositCredited { .. }) => (*index, "credited"),
            Event::Bridge(BridgeEvent::WithdrawalRequested { .. }) => (*index, "requested"),
            Event::Bridge(BridgeEvent::AnchorMade { .. }) => (*index, "anchor"),
            other => panic!("{other:?}"),
        })
        .collect();
    assert_eq!(
        kinds,
        [(None, "credited"), (Some(0), "requested"), (None, "anchor")]
    );
    let fees = purse::balance(&world.store, &Purse::Pot(Pot::Fees), &AssetId::Ada);
    let rest = purse::balance(&world.store, &Purse::Account(account(1)), &AssetId::Ada);
    assert!(!fees.is_zero());
    let sum = fees.checked_add(rest).unwrap();
    assert_eq!(sum, Amount::from(60 * ADA));
    let id = nupeer_bridge::WithdrawalId(withdrawal.transaction.id());
    assert_eq!(
        view::withdrawal(&world.store, &id).unwrap().account,
        account(1)
    );
}

#[test]
fn a_block_says_which_states_open_anchors_name() {
    let world = World::new(&bridged());
    let seen = input(&world, 1, &[deposit(7, account(1))]);
    let proposal = propose(&world, &seen, &[]).unwrap();
    // The anchor of a block names the state before it.
    assert_eq!(proposal.executed.anchored, [Height(0)]);
    let applied = apply(&world, &proposal, &seen.observations).unwrap();
    assert_eq!(applied.anchored, [Height(0)]);
}

#[test]
fn a_member_without_a_balance_signs_and_pays_nothing() {
    let mut world = World::new(&bridged());
    block(&mut world, 1, &[deposit(7, account(1))], &[]);
    let signature = anchor_signature(&world, BRIDGE_KEY, 0);
    let events = block(&mut world, 1, &[], &[signature]);
    let certified = Event::Bridge(BridgeEvent::AnchorCertified { seq: 1 });
    assert_eq!(events[1], (Some(0), certified));
    let fees = purse::balance(&world.store, &Purse::Pot(Pot::Fees), &AssetId::Ada);
    assert_eq!(fees, Amount::ZERO);
}

#[test]
fn freedom_from_fees_helps_no_stranger() {
    let mut world = World::new(&bridged());
    block(&mut world, 1, &[deposit(7, account(1))], &[]);
    let stranger = anchor_signature(&world, 5, 0);
    let poor = withdraw(&world, 2, 5 * ADA);
    let member = anchor_signature(&world, BRIDGE_KEY, 0);
    let again = anchor_signature(&world, BRIDGE_KEY, 1);
    let input = input(&world, 1, &[]);
    let proposal = propose(&world, &input, &[stranger, poor, member, again]).unwrap();
    assert_eq!(proposal.block.transactions.len(), 1, "the member's first");
    let reasons: Vec<_> = proposal
        .refused
        .into_iter()
        .map(|(_, error)| error)
        .collect();
    let key = public(&key(5)).hash();
    assert_eq!(reasons[0], BridgeError::NotMember { key }.into());
    assert!(matches!(
        reasons[1],
        TransactionError::Ledger(LedgerError::InsufficientFunds { .. })
    ));
    assert_eq!(reasons[2], BridgeError::AlreadyCertified { seq: 1 }.into());
    assert_eq!(
        reasons.iter().map(|r| r.code().0).collect::<Vec<_>>(),
        [3020, 2001, 3023]
    );
}

#[test]
fn other_observations_are_another_block() {
    let world = World::new(&bridged());
    let ours = input(&world, 1, &[deposit(7, account(1))]);
    let proposal = propose(&world, &ours, &[]).unwrap();
    let theirs = [deposit(7, account(2)).to_bytes()];
    for observations in [&theirs[..], &[]] {
        let refused = apply(&world, &proposal, observations).unwrap_err();
        let BlockError::Mismatch { what, .. } = refused else {
            panic!("{refused:?}")
        };
        assert_eq!(what, "observation root");
    }
}

#[test]
fn an_observation_that_is_none_makes_no_block() {
    let world = World::new(&bridged());
    let good = deposit(7, account(1)).to_bytes();
    let longer = [&good[..], &[0]].concat();
    for (bad, error) in [
        (longer, CborError::NotCanonical),
        (
            vec![0; 300 << 10],
            CborError::TooLong {
                provided: 300 << 10,
                maximum: 256 << 10,
            },
        ),
    ] {
        let input = BlockInput {
            observations: vec![good.clone(), bad],
            ..input(&world, 1, &[])
        };
        let refused = propose(&world, &input, &[]).unwrap_err();
        let index = 1;
        assert_eq!(refused, BlockError::Observation { index, error });
        assert_eq!(refused.code().0, 2127);
    }
}

#[test]
fn a_chain_may_follow_cardano_without_a_bridge() {
    let plain = Genesis {
        bridge: None,
        ..bridged()
    };
    let mut world = World::new(&plain);
    let before = world.tip.state_root();
    assert_eq!(block(&mut world, 1, &[], &[]), vec![]);
    assert_eq!(block(&mut world, 5, &[], &[]), vec![]);
    assert_eq!(world.tip.cardano, Some(point(5)));
    assert_eq!(world.tip.state_root(), before, "nothing of Cardano is kept");
}

#[test]
fn an_empty_block_at_the_same_point_leaves_the_state_as_it_is() {
    let mut world = World::new(&bridged());
    block(&mut world, 1, &[], &[]);
    let before = world.tip.state_root();
    block(&mut world, 1, &[], &[]);
    assert_eq!(world.tip.state_root(), before);
}

#[test]
fn a_genesis_whose_bridge_makes_no_sense_is_refused_by_number() {
    type Change = fn(&mut Genesis);
    let credit = nupeer_runtime::genesis::Credit {
        account: account(1),
        asset: AssetId::Ada,
        amount: Amount::new(1),
    };
    let credits = |genesis: &mut Genesis, credit| genesis.credits = vec![credit];
    let mut credited = bridged();
    credits(&mut credited, credit);
    let refused = credited.chain().unwrap_err();
    assert_eq!(refused, GenesisError::CreditsWithBridge { credits: 1 });
    let cases: [(Change, u16); 4] = [
        (|g| g.cardano = None, 2150),
        (|g| g.cardano.as_mut().unwrap().magic = 43, 2150),
        (|g| g.cardano_network = 1, 2150),
        (|g| g.bridge.as_mut().unwrap().shards = 0, 2148),
    ];
    for (change, code) in cases {
        let mut genesis = bridged();
        change(&mut genesis);
        let refused = genesis.chain().unwrap_err();
        assert_eq!(refused.code().0, code, "{refused}");
    }
    assert_eq!(refused.code().0, 2149);
    let mut twice = bridged();
    twice.validators.push(twice.validators[0]);
    twice.validators[1].consensus_key = public(&key(77));
    assert_eq!(
        twice.execute().unwrap_err().code().0,
        2148,
        "one bridge key twice"
    );
}

#[test]
fn a_file_describes_the_same_bridge() {
    let genesis = bridged();
    let text = genesis.to_json().unwrap();
    assert_eq!(Genesis::from_json(&text).unwrap(), genesis);
    let misspelt = text.replace("\"birth\"", "\"birht\"");
    assert!(matches!(
        Genesis::from_json(&misspelt),
        Err(GenesisError::File(_))
    ));
    let mut other = bridged();
    other
        .bridge
        .as_mut()
        .unwrap()
        .params
        .withdrawal_min_lovelace += 1;
    assert_ne!(other.id(), genesis.id());
    let mut other = bridged();
    other.bridge.as_mut().unwrap().params.deposit_min_lovelace += 1;
    assert_ne!(other.id(), genesis.id());
    // Who says nothing of it gets what is sensible.
    let line = text.lines().find(|line| line.contains("deposit_min"));
    let silent = text.replace(&format!(",\n{}", line.unwrap()), "");
    assert!(silent.len() < text.len());
    assert_eq!(Genesis::from_json(&silent).unwrap(), genesis);
}

#[test]
fn a_granted_key_takes_no_tokens_out_of_the_account_whatever_its_budget_of_ada() {
    let token = AssetId::Native {
        policy: Hash28([0x77; 28]),
        name: b"USDM".to_vec(),
    };
    let mut genesis = bridged();
    if let Some(bridge) = &mut genesis.bridge {
        bridge.assets = vec![token.clone()];
    }
    let mut world = World::new(&genesis);
    let Observation::Deposit(seen) = deposit(7, account(1)) else {
        panic!("a deposit")
    };
    let value = seen.value.with(token.clone(), Amount::new(50));
    let session = key(77);
    let sent = |world: &World, signer: &SigningKey, sequence, action: &Action| {
        let sender = Sender {
            account: account(1),
            key: public(signer).hash(),
        };
        let transaction = Transaction {
            network: world.chain.id,
            sender,
            sequence,
            valid_until: TimeMs(1_000_000),
            action: action.clone(),
        };
        sign(transaction, signer)
    };
    let grant = GrantKey {
        key: public(&session).hash(),
        scope: nupeer_ledger::Scope::SPEND,
        budget_lovelace: Amount::from(90 * ADA),
        expires: TimeMs(1_000_000),
    };
    let grant = nupeer_ledger::Action::GrantKey(grant).into();
    let granted = sent(&world, &key(1), 0, &grant);
    let seen = [Observation::Deposit(DepositSeen { value, ..seen })];
    block(&mut world, 1, &seen, &[granted]);
    let (to, amount) = (account(2), Amount::new(50));
    let address = Address::enterprise(Credential::Key(Hash28([9; 28])));
    let withdraw = Withdraw {
        address: address.to_bytes(CardanoNetwork::Testnet).into(),
        asset: token.clone(),
        amount,
        lovelace_along: Amount::from(5 * ADA),
    };
    let asset = token.clone();
    let transfer = Transfer { to, asset, amount };
    for action in [
        Action::Bridge(Bridge::Withdraw(withdraw)),
        nupeer_ledger::Action::Transfer(transfer).into(),
    ] {
        let by_session = sent(&world, &session, 0, &action);
        let same = input(&world, 1, &[]);
        let proposal = propose(&world, &same, std::slice::from_ref(&by_session)).unwrap();
        let no_budget = LedgerError::NoBudgetOf {
            asset: token.clone(),
            needed: amount,
        };
        let refused = (by_session.transaction.id(), no_budget.into());
        assert_eq!(proposal.refused, [refused]);
        let by_owner = sent(&world, &key(1), 1, &action);
        let proposal = propose(&world, &same, &[by_owner]).unwrap();
        assert_eq!(proposal.refused, []);
    }
}
