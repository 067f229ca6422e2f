//! From deployment to payout.

use nupeer_outbox::{Leaf, Output, Value, shard::RESERVE_LOVELACE};
use nupeer_primitives::{Amount, AssetId, CardanoNetwork, TimeMs};
use nupeer_relayer::{convert, transactions::pay};

use crate::world::{ADA, World, person, stranger, tree};

fn leaf(shard: u8, seq: u64, lovelace: &[u64]) -> Leaf {
    let outputs = lovelace.iter().enumerate().map(|(n, lovelace)| Output {
        address: stranger(n as u8),
        value: Value::lovelace(*lovelace),
        datum: None,
    });
    Leaf::new(shard, seq, TimeMs(0), outputs.collect()).unwrap()
}

#[tokio::test]
async fn what_is_deposited_is_swept_and_paid_out_again() {
    let mut world = World::new().await;
    let deposits = [
        world.deposit(1, 500 * ADA).await,
        world.deposit(2, 70 * ADA).await,
    ];
    world.anchor(&[], &deposits).await;
    world.sweep(1, &deposits, &deposits).await;
    let state = world.state().await;
    assert!(state.deposits.is_empty());
    let shard = &state.shards[&1];
    assert_eq!(shard.utxo.output.value.coin(), RESERVE_LOVELACE + 570 * ADA);
    assert_eq!(shard.datum.holdings[0].swept, Amount::from(570 * ADA));
    assert_eq!(state.shards[&0].utxo.output.value.coin(), RESERVE_LOVELACE);

    let leaves = [leaf(1, 0, &[40 * ADA, 3 * ADA]), leaf(1, 1, &[7 * ADA])];
    world.anchor(&leaves, &deposits).await;
    for (n, leaf) in leaves.iter().enumerate() {
        let state = world.state().await;
        let path = tree(&leaves).proof(n).unwrap();
        let anchor = state.last_anchor().unwrap();
        let (own, window) = (person(0).address, world.window(&state));
        let builder = pay::build(&world.bridge, &state, &own, anchor, leaf, &path, &window);
        world.carry("pay", builder.unwrap(), &person(0).key).await;
    }
    let state = world.state().await;
    let shard = &state.shards[&1];
    assert_eq!(shard.utxo.output.value.coin(), RESERVE_LOVELACE + 520 * ADA);
    let books = &shard.datum.holdings[0];
    assert_eq!((shard.datum.next_seq, &books.asset), (2, &AssetId::Ada));
    assert_eq!(books.paid, Amount::from(50 * ADA));
    for (n, lovelace) in [(0, 47 * ADA), (1, 3 * ADA)] {
        let payee = convert::client_address(&stranger(n), CardanoNetwork::Testnet);
        assert_eq!(world.lovelace_at(&payee).await, lovelace);
    }
    assert_eq!(state.head.datum.last_anchor_seq, 2);
    costs_are_as_documented(&world);
}

/// The contracts' README gives about these figures; fees are the submitter's.
fn costs_are_as_documented(world: &World) {
    for (name, made) in &world.costs {
        let units = made.units().values();
        let (memory, steps) = units.fold((0, 0), |sum, u| (sum.0 + u.memory, sum.1 + u.steps));
        let (bytes, fee) = (made.signed_bytes(), made.fee_lovelace());
        let most = match name.as_str() {
            "seed" | "deposit" => 180_000,
            "reference scripts" => 600_000,
            "birth" => 370_000,
            "anchor" => 330_000,
            "pay" => 340_000,
            _ => 400_000,
        };
        let figures = format!("{bytes} B, {steps} steps, {memory} memory, {fee} lovelace");
        assert!(fee <= most, "{name}: {figures}");
    }
}

#[tokio::test]
async fn a_shard_takes_ten_deposits_at_once() {
    let mut world = World::new().await;
    let mut deposits = Vec::new();
    for n in 0..10 {
        deposits.push(world.deposit(1 + n % 3, (2 + n) * ADA).await);
    }
    world.anchor(&[], &deposits).await;
    world.sweep(0, &deposits, &deposits).await;
    let state = world.state().await;
    let swept = state.shards[&0].datum.holdings[0].swept;
    assert_eq!(swept, Amount::from(65 * ADA));
}
