//! What the scripts refuse, they refuse on the devnet too.

use std::collections::BTreeMap;

use nupeer_cardano_client::{Output, builder::BuildError, node::NodeError};
use nupeer_contracts::redeemer;
use nupeer_outbox::{Leaf, Value, certificate::CertificateError, credited::CreditedTree};
use nupeer_primitives::{Numbered, TimeMs};
use nupeer_relayer::{
    convert,
    transactions::{TransactionError, anchor, pay, sweep},
};

use crate::world::{ADA, World, member, person, stranger, tree};

/// The number of the error that stops a transaction before it is sent.
fn refused(result: Result<nupeer_cardano_client::UnsignedTransaction, BuildError>) -> u16 {
    result.map(|built| built.id()).unwrap_err().code().0
}

/// The builder's number for a script that says no.
const SCRIPT_REFUSES: u16 = 7021;

#[tokio::test]
async fn an_anchor_with_a_wrong_signature_is_refused_by_us_and_by_the_script() {
    let world = World::new().await;
    let state = world.state().await;
    let next = World::next_anchor(&state, &[], &[]);
    let below = world.certify(&state, &next, &[1, 4]).unwrap_err();
    let (provided, minimum) = (2, 3);
    assert_eq!(below, CertificateError::BelowQuorum { provided, minimum });
    let outsider = world.certify(&state, &next, &[1, 2, 9]).unwrap_err();
    let key = member(9).public_key();
    assert_eq!(outsider, CertificateError::Outsider { key });
    // Signed by the right people over another anchor: the script itself must notice.
    let mut other = next.clone();
    other.state_root.0[0] ^= 1;
    let foreign = world.certify(&state, &other, &[1, 2, 4]).unwrap();
    let (own, window) = (person(0).address, world.window(&state));
    let builder = anchor::build(
        &world.bridge,
        &state,
        &own,
        &next,
        &foreign,
        &window,
        &world.parameters,
    );
    let built = builder.unwrap().build(&world.parameters, &world.evaluator);
    assert_eq!(refused(built), SCRIPT_REFUSES);
}

#[tokio::test]
async fn an_anchor_cannot_be_published_twice() {
    let mut world = World::new().await;
    let state = world.state().await;
    let next = World::next_anchor(&state, &[], &[]);
    let certificate = world.certify(&state, &next, &[1, 2, 3]).unwrap();
    world.anchor(&[], &[]).await;
    let state = world.state().await;
    let (own, window) = (person(0).address, world.window(&state));
    let builder = anchor::build(
        &world.bridge,
        &state,
        &own,
        &next,
        &certificate,
        &window,
        &world.parameters,
    );
    let built = builder.unwrap().build(&world.parameters, &world.evaluator);
    assert_eq!(refused(built), SCRIPT_REFUSES);
}

#[tokio::test]
async fn a_leaf_is_paid_once() {
    let mut world = World::new().await;
    let deposits = [world.deposit(1, 100 * ADA).await];
    let output = nupeer_outbox::Output {
        address: stranger(1),
        value: Value::lovelace(9 * ADA),
        datum: None,
    };
    let leaf = Leaf::new(0, 0, TimeMs(0), vec![output]).unwrap();
    let leaves = [leaf.clone()];
    world.anchor(&leaves, &deposits).await;
    world.sweep(0, &deposits, &deposits).await;
    let path = tree(&leaves).proof(0).unwrap();
    let before = world.state().await;
    let (own, window) = (person(0).address, world.window(&before));
    let anchor = before.last_anchor().unwrap();
    let once = pay::build(&world.bridge, &before, &own, anchor, &leaf, &path, &window).unwrap();
    let first = once.build(&world.parameters, &world.evaluator).unwrap();
    let first = first.sign([&person(0).key]).unwrap();
    world.carry("pay", once, &person(0).key).await;
    // The very same transaction: its inputs are gone.
    let error = world.node.submit(&first.cbor).await.unwrap_err();
    let NodeError::Rejected(rejection) = error else {
        panic!("{error}")
    };
    assert!(rejection.text().contains("BadInputs"), "{rejection}");
    // The leaf again, from the shard as it is now.
    let after = world.state().await;
    let anchor = after.last_anchor().unwrap();
    let window = world.window(&after);
    let again = pay::build(&world.bridge, &after, &own, anchor, &leaf, &path, &window);
    assert_eq!(again.unwrap_err().code().0, 3066);
    // And with a redeemer that lies about it, which only the script can see.
    let mut lying = after.clone();
    lying.shards.get_mut(&0).unwrap().datum.next_seq = 0;
    let lie = pay::build(&world.bridge, &lying, &own, anchor, &leaf, &path, &window).unwrap();
    assert_eq!(
        refused(lie.build(&world.parameters, &world.evaluator)),
        SCRIPT_REFUSES
    );
}

#[tokio::test]
async fn a_deposit_that_is_not_credited_stays_where_it_is() {
    let mut world = World::new().await;
    let credited = world.deposit(1, 10 * ADA).await;
    let other = world.deposit(2, 20 * ADA).await;
    world.anchor(&[], &[credited]).await;
    let state = world.state().await;
    let path = CreditedTree::new(&[convert::reference(credited)])
        .proof(&convert::reference(credited))
        .unwrap();
    let (own, window) = (person(0).address, world.window(&state));
    let anchor = state.last_anchor().unwrap();
    let paths = BTreeMap::from([(other, path)]);
    let builder = sweep::build(&state, &own, 0, anchor, &paths, &window).unwrap();
    assert_eq!(
        refused(builder.build(&world.parameters, &world.evaluator)),
        SCRIPT_REFUSES
    );
    let nothing = sweep::build(&state, &own, 0, anchor, &BTreeMap::new(), &window);
    assert_eq!(nothing.unwrap_err(), TransactionError::Nothing);
    // Nor does it go anywhere else without a shard.
    let taken = nupeer_cardano_client::TransactionBuilder::new(
        nupeer_cardano_client::builder::Change::to(own.clone()),
    )
    .available(state.funds.clone())
    .reference(state.references[&nupeer_contracts::Validator::Deposit].clone())
    .spend_with(state.deposits[&other].clone(), redeemer::sweep(0))
    .pay(Output::new(
        own,
        nupeer_cardano_client::Value::lovelace(20 * ADA),
    ));
    assert_eq!(
        refused(taken.build(&world.parameters, &world.evaluator)),
        SCRIPT_REFUSES
    );
}

#[tokio::test]
async fn a_payout_below_the_reserve_is_not_built() {
    let mut world = World::new().await;
    let output = nupeer_outbox::Output {
        address: stranger(1),
        value: Value::lovelace(2 * ADA),
        datum: None,
    };
    let leaf = Leaf::new(1, 0, TimeMs(0), vec![output]).unwrap();
    let leaves = [leaf.clone()];
    world.anchor(&leaves, &[]).await;
    let state = world.state().await;
    let path = tree(&leaves).proof(0).unwrap();
    let (own, window) = (person(0).address, world.window(&state));
    let anchor = state.last_anchor().unwrap();
    let built = pay::build(&world.bridge, &state, &own, anchor, &leaf, &path, &window);
    let (shard, provided, minimum) = (1, 3 * ADA, 5 * ADA);
    let below = TransactionError::BelowReserve {
        shard,
        provided,
        minimum,
    };
    assert_eq!(built.unwrap_err(), below);
}
