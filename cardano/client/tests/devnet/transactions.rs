//! Each kind of transaction is taken by the devnet's ledger, and what it must refuse is refused with a reason.

use nupeer_cardano_client::LedgerEvaluator;
use nupeer_cardano_client::{
    Output, Script, Utxo, Value, address,
    builder::{BuildError, Change, NoScripts, Purpose, TransactionBuilder},
    node::NodeError,
};
use nupeer_primitives::{AssetId, CardanoNetwork, Credential, Slot, plutus::Data};
use pallas_primitives::Metadatum;

use super::{Person, World};

const ADA: u64 = 1_000_000;

/// `(program 1.1.0 (lam ctx (con unit ())))`: agrees to everything.
const AGREES: &str = "450101002499";
/// `(program 1.1.0 (lam ctx (error)))`: agrees to nothing.
const REFUSES: &str = "450101002601";

fn script(hex: &str) -> Script {
    Script::plutus_v3(hex::decode(hex).unwrap())
}

fn locked_by(script: &Script, value: Value) -> Output {
    Output::new(
        address::shelley(
            CardanoNetwork::Testnet,
            Credential::Script(script.hash()),
            None,
        ),
        value,
    )
    .with_inline_datum(&Data::Constr(0, vec![Data::bytes([7; 70]), Data::Int(-3)]))
}

fn evaluator(world: &World) -> LedgerEvaluator {
    LedgerEvaluator::new(&world.node.network)
}

#[tokio::test]
async fn payments_chained_before_any_block_are_taken() {
    let world = World::new().await;
    world.mint(1).await;
    let (payer, payee) = (Person::new(0), Person::new(1));
    let before: u64 = world
        .utxos(&payee)
        .await
        .iter()
        .map(|utxo| utxo.output.value.coin())
        .sum();
    let parameters = world.node.parameters().await.unwrap();
    let mut purse = world.utxos(&payer).await;
    for n in 0..20u64 {
        let builder = TransactionBuilder::new(Change::to(payer.address.clone()))
            .available(purse)
            .metadata(674, Metadatum::Text(format!("payment {n}")))
            .valid_until(Slot(100))
            .pay(Output::new(
                payee.address.clone(),
                Value::lovelace((n + 1) * ADA),
            ));
        let built = builder.build(&parameters, &NoScripts).unwrap();
        world.submit(&built.sign([&payer.key]).unwrap()).await;
        purse = built
            .utxos()
            .into_iter()
            .filter(|utxo| utxo.output.address == payer.address)
            .collect();
    }
    world.mint(1).await;
    let after: u64 = world
        .utxos(&payee)
        .await
        .iter()
        .map(|utxo| utxo.output.value.coin())
        .sum();
    assert_eq!(after - before, 210 * ADA);
    assert_eq!(
        world.utxos(&payer).await,
        purse,
        "the change is what the builder said"
    );
}

/// Pays for a reference script and two locked outputs, and mints a token with the script as its policy.
async fn deploy(world: &World, owner: &Person, script: &Script) -> (Utxo, Vec<Utxo>) {
    let parameters = world.node.parameters().await.unwrap();
    let token = AssetId::Native {
        policy: script.hash(),
        name: b"shard".to_vec(),
    };
    let builder = TransactionBuilder::new(Change::to(owner.address.clone()))
        .available(world.utxos(owner).await)
        .script(script.clone())
        .mint(script.hash(), [(b"shard".to_vec(), 2)], Data::Int(0))
        .pay(
            Output::new(owner.address.clone(), Value::lovelace(5 * ADA))
                .with_script(script.clone()),
        )
        .pay(locked_by(
            script,
            Value::lovelace(100 * ADA).with(token.clone(), 1),
        ))
        .pay(locked_by(script, Value::lovelace(40 * ADA).with(token, 1)));
    let built = builder.build(&parameters, &evaluator(world)).unwrap();
    world.submit(&built.sign([&owner.key]).unwrap()).await;
    world.mint(1).await;
    let made = built.utxos();
    (made[0].clone(), made[1..3].to_vec())
}

#[tokio::test]
async fn scripts_mint_and_spend_by_reference_under_phase_two() {
    let world = World::new().await;
    world.mint(1).await;
    let (owner, payee) = (Person::new(2), Person::new(3));
    let script = script(AGREES);
    let (reference, shards) = deploy(&world, &owner, &script).await;
    let parameters = world.node.parameters().await.unwrap();
    let evaluator = evaluator(&world);
    // [shard, change, payout]
    let left = shards[0]
        .output
        .value
        .checked_sub(&Value::lovelace(60 * ADA))
        .unwrap();
    let next = Output {
        value: left,
        ..shards[0].output.clone()
    };
    let builder = TransactionBuilder::new(Change::single_at(owner.address.clone(), 1))
        .available(world.utxos(&owner).await)
        .reference(reference.clone())
        .spend_with(shards[0].clone(), Data::Constr(1, vec![]))
        .required_signer(owner.key.key_hash())
        .valid_from(Slot(1))
        .valid_until(Slot(30))
        .pay(next.clone())
        .pay(Output::new(
            payee.address.clone(),
            Value::lovelace(60 * ADA),
        ));
    let built = builder.build(&parameters, &evaluator).unwrap();
    let signed = built.sign([&owner.key]).unwrap();
    world.submit(&signed).await;
    world.mint(1).await;
    assert_eq!(built.utxos()[0].output, next);
    assert!(world.utxos(&payee).await.contains(&built.utxos()[2]));
    // Both shards at once, their tokens burned.
    let rest = [built.utxos()[0].clone(), shards[1].clone()];
    let mut builder = TransactionBuilder::new(Change::to(owner.address.clone()))
        .available(world.utxos(&owner).await)
        .reference(reference)
        .mint(script.hash(), [(b"shard".to_vec(), -2)], Data::Int(0));
    for shard in rest {
        builder = builder.spend_with(shard, Data::Constr(2, vec![]));
    }
    let built = builder.build(&parameters, &evaluator).unwrap();
    assert_eq!(built.units().len(), 3);
    world.submit(&built.sign([&owner.key]).unwrap()).await;
    world.mint(1).await;
    let spent: Vec<_> = built.inputs().collect();
    assert_eq!(world.node.utxos(&spent).await.unwrap(), []);
}

#[tokio::test]
async fn a_script_that_refuses_is_noticed_before_anything_is_sent() {
    let world = World::new().await;
    world.mint(1).await;
    let owner = Person::new(4);
    let refuses = script(REFUSES);
    let parameters = world.node.parameters().await.unwrap();
    let lock = TransactionBuilder::new(Change::to(owner.address.clone()))
        .available(world.utxos(&owner).await)
        .pay(locked_by(&refuses, Value::lovelace(9 * ADA)))
        .build(&parameters, &NoScripts)
        .unwrap();
    let locked = lock.utxos()[0].clone();
    let builder = TransactionBuilder::new(Change::to(owner.address.clone()))
        .available(world.utxos(&owner).await)
        .script(refuses)
        .spend_with(locked.clone(), Data::Int(0));
    let refused = builder
        .build(&parameters, &evaluator(&world))
        .map(|built| built.id())
        .unwrap_err();
    let BuildError::Script(error) = refused else {
        panic!("{refused}")
    };
    assert_eq!(error.purpose, Some(Purpose::Spend(locked.reference)));
}

#[tokio::test]
async fn the_nodes_refusals_say_why() {
    let world = World::new().await;
    world.mint(1).await;
    let payer = Person::new(5);
    let parameters = world.node.parameters().await.unwrap();
    let pay = |lovelace| {
        TransactionBuilder::new(Change::to(payer.address.clone())).pay(Output::new(
            payer.address.clone(),
            Value::lovelace(lovelace),
        ))
    };
    let purse = world.utxos(&payer).await;
    let first = pay(2 * ADA)
        .available(purse.clone())
        .build(&parameters, &NoScripts)
        .unwrap();
    let second = pay(3 * ADA)
        .available(purse.clone())
        .build(&parameters, &NoScripts)
        .unwrap();
    world.submit(&first.sign([&payer.key]).unwrap()).await;
    let cheap = nupeer_cardano_client::ProtocolParameters {
        fee_constant_lovelace: 1,
        ..parameters.clone()
    };
    let poor = pay(2 * ADA)
        .available(first.utxos())
        .build(&cheap, &NoScripts)
        .unwrap();
    let unsigned = pay(2 * ADA)
        .available(first.utxos())
        .build(&parameters, &NoScripts)
        .unwrap();
    for (cbor, said) in [
        (second.sign([&payer.key]).unwrap().cbor, "BadInputs"),
        (poor.sign([&payer.key]).unwrap().cbor, "fee"),
        (unsigned.cbor(), "sign"),
        (vec![0x80], ""),
    ] {
        let refused = world.node.submit(&cbor).await.unwrap_err();
        let NodeError::Rejected(rejection) = refused else {
            panic!("{refused}")
        };
        let text = rejection.text();
        assert!(
            !text.is_empty() && text.to_lowercase().contains(&said.to_lowercase()),
            "{text}"
        );
    }
}

#[tokio::test]
async fn parameters_and_tip_are_the_devnets() {
    let world = World::new().await;
    assert_eq!(world.node.tip().await.unwrap(), None);
    world.mint(7).await;
    let tip = world.node.tip().await.unwrap().unwrap();
    let theirs = world.devnet.view().block(6).unwrap();
    assert_eq!(
        (tip.block_number, tip.point.slot.0, tip.point.hash.0),
        (6, theirs.slot, *theirs.hash)
    );
    let ours = world.node.parameters().await.unwrap();
    let theirs = nupeer_cardano_ledger::ProtocolParameters::conway_v10();
    assert_eq!(ours.fee_per_byte_lovelace, theirs.fee_per_byte_lovelace);
    assert_eq!(
        ours.utxo_cost_per_byte_lovelace,
        theirs.lovelace_per_utxo_byte
    );
    assert_eq!(
        ours.transaction_units_max.memory,
        theirs.max_tx_ex_units.memory
    );
    assert_eq!(Some(ours.cost_model_v3), theirs.cost_models.v3);
    assert_eq!(
        ours.reference_script_price.numerator,
        theirs.reference_script_price.base.numerator
    );
}
