//! A relayer among others, under forks and in a crowd: whatever comes between, it goes on, and nothing is there twice.

use std::collections::BTreeMap;

use nupeer_cardano_client::{
    Output, OutputReference, Script, TransactionBuilder, Value,
    builder::{Change, NoScripts, minimum_lovelace},
};
use nupeer_contracts::Validator;
use nupeer_devnet::chain::Reorganisation;
use nupeer_outbox::{Leaf, credited::CreditedTree};
use nupeer_primitives::{AssetId, plutus::Data};
use nupeer_relayer::{
    CardanoState, Relayer, convert,
    transactions::{pay, sweep},
};

use crate::{
    fixture::{Relaying, leaf},
    sidechain::Sidechain,
    world::{ADA, World, person, stranger, tree},
};

fn leaves() -> [Leaf; 3] {
    [
        leaf(0, 0, 9 * ADA),
        leaf(0, 1, 8 * ADA),
        leaf(1, 0, 7 * ADA),
    ]
}

impl Relaying {
    /// A fork of so many blocks without these transactions, and with those in their place.
    async fn fork(&self, depth: u64, drop: Vec<[u8; 32]>, replacements: Vec<Vec<u8>>) {
        let fork = Reorganisation {
            depth,
            drop,
            replacements,
            outgrow: true,
            ..Reorganisation::default()
        };
        let owner = self.world.devnet.owner();
        let forked = owner.ask(move |chain| chain.reorganise(&fork)).await;
        forked.unwrap().unwrap();
    }

    /// A round's transactions.
    async fn submit(&mut self) -> Vec<[u8; 32]> {
        let round = self.relayer.round().await.unwrap();
        let made = round.submitted.iter();
        made.map(|(_, made)| made.id().0).collect()
    }

    /// Rounds, each with a block after it, until nothing is left to do.
    async fn settle(&mut self) {
        for _ in 0..10 {
            self.relayer.round().await.unwrap();
            self.world.mint(1).await;
        }
        assert_eq!(self.round().await, [""; 0]);
    }

    async fn paid(&self) -> [u64; 2] {
        let mut paid = [0; 2];
        for (paid, payee) in paid.iter_mut().zip([1, 2]) {
            let network = self.world.bridge.network();
            let address = convert::client_address(&stranger(payee), network);
            *paid = self.world.lovelace_at(&address).await;
        }
        paid
    }

    /// Both deposits are in the shards, and the payments are certified and published.
    async fn with_payments_due() -> Self {
        let mut relaying = Relaying::start().await;
        let deposits = relaying.deposits().await;
        relaying.certify(&[], &deposits).await;
        relaying.settle().await;
        relaying.certify(&leaves(), &deposits).await;
        assert_eq!(relaying.round().await, ["anchor 2"]);
        relaying.world.mint(2).await;
        relaying
    }
}

#[tokio::test]
async fn payments_that_a_fork_undoes_are_made_again_and_once() {
    // What waited when the fork came is still known to wait, or is not.
    for has_seen_them_in_a_block in [false, true] {
        let mut relaying = Relaying::with_payments_due().await;
        let payments = relaying.submit().await;
        assert_eq!(payments.len(), 3);
        relaying.world.mint(1).await;
        assert_eq!(relaying.paid().await, [17 * ADA, 7 * ADA]);
        if has_seen_them_in_a_block {
            assert_eq!(relaying.round().await, [""; 0]);
        }
        relaying.fork(1, payments, vec![]).await;
        assert_eq!(relaying.paid().await, [0, 0]);
        relaying.settle().await;
        assert_eq!(relaying.paid().await, [17 * ADA, 7 * ADA]);
        assert_eq!(relaying.held().await, [283 * ADA, 93 * ADA]);
    }
}

#[tokio::test]
async fn two_relayers_at_once_do_everything_once() {
    // With wallets of their own, and with one between them.
    for wallet in [3, 0] {
        let mut relaying = Relaying::start().await;
        let mut other = Relaying::relayer_of(&relaying.world, &[&relaying.sidechain], wallet);
        let deposits = relaying.deposits().await;
        relaying.certify(&[], &deposits).await;
        race(&mut relaying, &mut other).await;
        assert_eq!(relaying.held().await, [300 * ADA, 100 * ADA], "{wallet}");
        relaying.certify(&leaves(), &deposits).await;
        race(&mut relaying, &mut other).await;
        assert_eq!(relaying.paid().await, [17 * ADA, 7 * ADA], "{wallet}");
        assert_eq!(relaying.held().await, [283 * ADA, 93 * ADA], "{wallet}");
    }
}

async fn race(relaying: &mut Relaying, other: &mut Relayer) {
    for _ in 0..10 {
        let (one, two) = tokio::join!(relaying.relayer.round(), other.round());
        one.unwrap();
        two.unwrap();
        relaying.world.mint(1).await;
    }
}

#[tokio::test]
async fn a_sweep_that_another_one_comes_before_is_planned_anew() {
    let mut relaying = Relaying::start().await;
    let deposits = relaying.deposits().await;
    relaying.certify(&[], &deposits).await;
    relaying.submit().await;
    relaying.world.mint(2).await;
    let theirs = their_sweep(&relaying.world, 1, &deposits[..1], &deposits).await;
    let ours = relaying.submit().await;
    assert_eq!(ours.len(), 2);
    // In the block that comes, somebody has put the first deposit into the other shard.
    relaying.fork(1, ours, vec![theirs]).await;
    relaying.settle().await;
    assert_eq!(relaying.held().await, [100 * ADA, 300 * ADA]);
}

/// A stranger's sweep of these deposits, signed.
async fn their_sweep(
    world: &World,
    shard: u8,
    deposits: &[OutputReference],
    credited: &[OutputReference],
) -> Vec<u8> {
    let (who, state) = (person(3), their_state(world).await);
    let all: Vec<_> = credited.iter().map(|d| convert::reference(*d)).collect();
    let proofs = CreditedTree::new(&all);
    let path = |d: &OutputReference| (*d, proofs.proof(&convert::reference(*d)).unwrap());
    let paths: BTreeMap<_, _> = deposits.iter().map(path).collect();
    let (anchor, window) = (state.last_anchor().unwrap(), world.window(&state));
    let builder = sweep::build(&state, &who.address, shard, anchor, &paths, &window);
    let made = builder.unwrap().build(&world.parameters, &world.evaluator);
    made.unwrap().sign([&who.key]).unwrap().cbor
}

/// The bridge with a stranger's funds.
async fn their_state(world: &World) -> CardanoState {
    let mut state = world.state().await;
    let who = person(3).address;
    state.funds = world.node.utxos_at(&[who]).await.unwrap();
    state
}

#[tokio::test]
async fn a_payment_that_another_one_comes_before_is_not_made_twice() {
    let mut relaying = Relaying::with_payments_due().await;
    let (who, world) = (person(3), &relaying.world);
    let state = their_state(world).await;
    let (first, path) = (&leaves()[0], tree(&leaves()).proof(0).unwrap());
    let (anchor, window) = (state.last_anchor().unwrap(), world.window(&state));
    let bridge = &world.bridge;
    let builder = pay::build(bridge, &state, &who.address, anchor, first, &path, &window);
    let made = builder.unwrap().build(&world.parameters, &world.evaluator);
    let theirs = made.unwrap().sign([&who.key]).unwrap().cbor;
    let ours = relaying.submit().await;
    assert_eq!(ours.len(), 3);
    relaying.fork(1, ours, vec![theirs]).await;
    assert_eq!(relaying.paid().await, [9 * ADA, 0]);
    relaying.settle().await;
    assert_eq!(relaying.paid().await, [17 * ADA, 7 * ADA]);
    assert_eq!(relaying.held().await, [283 * ADA, 93 * ADA]);
}

#[tokio::test]
async fn what_refers_to_an_anchor_that_a_fork_lost_is_made_anew_at_once() {
    let mut relaying = Relaying::start().await;
    relaying.relayer = Relaying::relayer_of(&relaying.world, &[&relaying.sidechain], 3);
    let deposits = relaying.deposits().await;
    relaying.certify(&[], &deposits).await;
    // Another relayer's: ours has nothing to submit again.
    relaying.world.anchor(&[], &deposits).await;
    let (_, anchor) = relaying.world.costs.last().unwrap();
    let lost = vec![anchor.id().0];
    assert_eq!(relaying.submit().await.len(), 2, "two sweeps wait");
    relaying.fork(1, lost, vec![]).await;
    assert_eq!(relaying.round().await, ["anchor 1"]);
    // They waited for an anchor that will never be there; nothing is to be waited for until they expire.
    let sweeps = [
        "sweep of 1 deposits into shard 0",
        "sweep of 1 deposits into shard 1",
    ];
    assert_eq!(relaying.round().await, sweeps);
    relaying.world.mint(1).await;
    assert_eq!(relaying.held().await, [300 * ADA, 100 * ADA]);
}

#[tokio::test]
async fn a_full_mempool_is_waited_out() {
    let mut relaying = Relaying::start().await;
    let deposits = relaying.deposits().await;
    relaying.certify(&[], &deposits).await;
    fill_mempool(&relaying.world).await;
    let round = relaying.relayer.round().await.unwrap();
    assert!(round.submitted.is_empty());
    let [(step, reason)] = &round.failed[..] else {
        panic!("{:?}", round.failed)
    };
    assert_eq!(step.to_string(), "anchor 1");
    assert!(reason.contains("the mempool holds"), "{reason}");
    // Its own blocks empty it.
    relaying.world.mint(20).await;
    relaying.settle().await;
    assert_eq!(relaying.held().await, [300 * ADA, 100 * ADA]);
}

/// Somebody's transactions, each on top of the one before, until none goes in any more.
async fn fill_mempool(world: &World) {
    let who = person(4);
    let own = &who.address;
    let mut funds = world
        .node
        .utxos_at(std::slice::from_ref(own))
        .await
        .unwrap();
    for bytes in [13_000, 5_000, 2_000, 500, 100, 0] {
        loop {
            let bulk = Data::Bytes(vec![7; bytes]);
            let mut bulk = Output::new(own.clone(), Value::default()).with_inline_datum(&bulk);
            let lovelace = minimum_lovelace(&bulk, &world.parameters).unwrap();
            bulk.value.set(AssetId::Ada, lovelace);
            let builder = TransactionBuilder::new(Change::to(own.clone()));
            let builder = builder.available(funds.clone()).pay(bulk);
            let made = builder.build(&world.parameters, &NoScripts).unwrap();
            let signed = made.sign([&who.key]).unwrap();
            if world.node.submit(&signed.cbor).await.is_err() {
                break;
            }
            funds = made.utxos();
        }
    }
}

#[tokio::test]
async fn a_node_that_tells_nothing_costs_a_while_and_no_more() {
    let mut relaying = Relaying::start().await;
    let id = relaying.world.bridge.scripts.bridge_id().to_string();
    let silent = Sidechain::start(&id);
    let nodes = [&silent, &relaying.sidechain];
    relaying.relayer = Relaying::relayer_of(&relaying.world, &nodes, 0);
    let deposits = relaying.deposits().await;
    relaying.certify(&[], &deposits).await;
    let mut rounds = 0;
    while relaying.round().await != ["anchor 1"] {
        rounds += 1;
        assert!(rounds < 40, "it asks nobody else");
    }
    relaying.world.mint(1).await;
    for _ in 0..70 {
        relaying.relayer.round().await.unwrap();
    }
    relaying.world.mint(1).await;
    assert_eq!(relaying.held().await, [300 * ADA, 100 * ADA]);
}

/// `(program 1.1.0 (lam context (con unit ())))`: whoever wants may mint.
const ANYBODY: [u8; 6] = [0x45, 0x01, 0x01, 0x00, 0x24, 0x99];

/// What each part of the bridge says, at its address and with a token of its name, and deposits that nobody credits.
async fn send_dust(world: &mut World, deposits: &[OutputReference]) {
    let (who, state) = (person(3), their_state(world).await);
    let policy = Script::plutus_v3(ANYBODY.to_vec()).hash();
    let token = |name: &[u8]| AssetId::Native {
        policy,
        name: name.to_vec(),
    };
    let anchor = World::next_anchor(&state, &[], deposits);
    let forged = [
        (Validator::Committee, "C", state.committee.datum.to_data()),
        (Validator::Head, "H", state.head.datum.to_data()),
        (Validator::Anchor, "", anchor.to_data()),
        (Validator::Vault, "S\0", state.shards[&0].datum.to_data()),
        (Validator::Deposit, "D", Data::Int(5)),
    ];
    let mut builder = TransactionBuilder::new(Change::to(who.address.clone()))
        .available(state.funds.clone())
        .script(Script::plutus_v3(ANYBODY.to_vec()))
        .mint(
            policy,
            forged
                .each_ref()
                .map(|(_, name, _)| (name.as_bytes().to_vec(), 1)),
            Data::Int(0),
        );
    for (script, name, datum) in &forged {
        let value = Value::lovelace(5 * ADA).with(token(name.as_bytes()), 1);
        let dust = Output::new(world.bridge.address(*script), value);
        builder = builder.pay(dust.with_inline_datum(datum));
    }
    let without_datum = world.bridge.address(Validator::Deposit);
    builder = builder.pay(Output::new(without_datum, Value::lovelace(5 * ADA)));
    world.carry("dust", builder, &who.key).await;
}

#[tokio::test]
async fn dust_at_the_bridges_addresses_is_no_part_of_it_and_stops_nothing() {
    let mut relaying = Relaying::start().await;
    let deposits = relaying.deposits().await;
    let before = relaying.world.state().await;
    send_dust(&mut relaying.world, &deposits).await;
    let after = relaying.world.state().await;
    assert_eq!(after.committee, before.committee);
    assert_eq!((after.head, after.shards), (before.head, before.shards));
    assert!(after.anchors.is_empty());
    assert_eq!(after.deposits.len(), 4);
    relaying.certify(&[], &deposits).await;
    relaying.settle().await;
    assert_eq!(relaying.held().await, [300 * ADA, 100 * ADA]);
    relaying.certify(&leaves(), &deposits).await;
    relaying.settle().await;
    assert_eq!(relaying.paid().await, [17 * ADA, 7 * ADA]);
    let left = relaying.world.state().await.deposits;
    assert_eq!(left.len(), 2, "what is not credited stays where it is");
}
