//! Size and fee of a transaction, as the ledger counts them: real bytes from pallas' builder, a submitter's signature,
//! collateral with return, and scripts by reference.

use nupeer_contracts::{PlutusScript, Validator};
use nupeer_outbox::OutputReference;
use nupeer_primitives::{AssetId, CardanoNetwork, plutus::Data};
use pallas_addresses::Address as PallasAddress;
use pallas_crypto::{hash::Hash as PallasHash, key::ed25519::SecretKey};
use pallas_txbuilder::{BuildConway, ExUnits, Input, Output, ScriptKind, StagingTransaction};

use super::{
    Datum, Out, Tx, World,
    attack::execute,
    machine::{Units, cost_model, parameter},
    tx::Purpose,
    world::{FUNDS, MINUTE_MS, NOW_MS, to_key},
};

/// What a transaction costs.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Cost {
    pub(crate) size_bytes: u64,
    pub(crate) units: Units,
    pub(crate) fee_lovelace: u64,
}

/// The cost of a healthy transaction. Scripts in `carried` stand in the witness set, others are referenced.
pub(crate) fn cost(world: &World, tx: &Tx, carried: &[Validator]) -> Cost {
    let mut units = Units::default();
    let mut staged = body(tx);
    for ran in execute(world, tx) {
        let used = ran
            .outcome
            .unwrap_or_else(|died| panic!("{:?}: {died:?}", ran.validator));
        units += used;
        staged = redeemer(staged, &ran.purpose, &ran.redeemer, used);
    }
    for validator in carried {
        staged = staged.script(
            ScriptKind::PlutusV3,
            world.scripts.script(*validator).as_bytes().to_vec(),
        );
    }
    let built = staged
        .build_conway_raw()
        .expect("a transaction")
        .sign(&SecretKey::from([7; 32]))
        .expect("signed");
    let size_bytes = built.tx_bytes.0.len() as u64;
    let referenced = tx
        .references
        .values()
        .filter_map(|out| world.by_hash().get(&out.script?).copied());
    let referenced: u64 = referenced
        .map(|validator| world.scripts.script(validator))
        .map(size)
        .sum();
    Cost {
        size_bytes,
        units,
        fee_lovelace: fee(size_bytes, units, referenced),
    }
}

fn size(script: &PlutusScript) -> u64 {
    script.size_bytes() as u64
}

/// Conway ledger specification, "Minimum fee": linear in the size, exact in the units and rounded up once, and 15 lovelace for
/// each byte of reference scripts up to 25,600.
fn fee(size_bytes: u64, units: Units, referenced_bytes: u64) -> u64 {
    assert!(referenced_bytes <= parameter(&["minFeeReferenceScripts", "range"]));
    let per_byte = parameter(&["minFeeReferenceScripts", "base", "numerator"]);
    let price = |kind, part| parameter(&["scriptExecutionPrices", kind, part]);
    let (mem, cpu) = (price("memory", "numerator"), price("cpu", "numerator"));
    let (mem_base, cpu_base) = (price("memory", "denominator"), price("cpu", "denominator"));
    let execution =
        (units.mem * mem * cpu_base + units.cpu * cpu * mem_base).div_ceil(mem_base * cpu_base);
    let linear = parameter(&["minFeeConstant"]) + parameter(&["minFeeCoefficient"]) * size_bytes;
    linear + execution + per_byte * referenced_bytes
}

/// The least lovelace that the ledger lets an output hold (Babbage ledger specification, "minUTxO").
pub(crate) fn minimum_lovelace(out: &Out) -> u64 {
    let staged = output(out);
    let built = staged.build_babbage_raw().expect("an output");
    let bytes = pallas_codec::minicbor::to_vec(&built).expect("CBOR");
    parameter(&["minUtxoDepositCoefficient"]) * (160 + bytes.len() as u64)
}

fn body(tx: &Tx) -> StagingTransaction {
    let mut staged = StagingTransaction::new()
        .fee(900_000)
        .network_id(0)
        .add_language(ScriptKind::PlutusV3, cost_model())
        .collateral_input(input(&FUNDS))
        .collateral_output(output(&to_key(95_000_000)));
    staged = tx
        .inputs
        .keys()
        .fold(staged, |staged, reference| staged.input(input(reference)));
    staged = tx.references.keys().fold(staged, |staged, reference| {
        staged.reference_input(input(reference))
    });
    staged = tx
        .outputs
        .iter()
        .fold(staged, |staged, out| staged.output(output(out)));
    for (policy, mint) in &tx.mint {
        for (name, quantity) in &mint.tokens {
            let quantity = i64::try_from(*quantity).expect("64 bits");
            staged = staged
                .mint_asset(PallasHash::new(policy.0), name.clone(), quantity)
                .expect("a token");
        }
    }
    let slot = |ms: u64| 150_000_000 + (ms - NOW_MS + MINUTE_MS) / 1000;
    staged = tx
        .valid
        .0
        .into_iter()
        .fold(staged, |staged, ms| staged.valid_from_slot(slot(ms)));
    tx.valid
        .1
        .into_iter()
        .fold(staged, |staged, ms| staged.invalid_from_slot(slot(ms)))
}

fn redeemer(
    staged: StagingTransaction,
    purpose: &Purpose,
    data: &Data,
    used: Units,
) -> StagingTransaction {
    let units = Some(ExUnits {
        mem: used.mem,
        steps: used.cpu,
    });
    match purpose {
        Purpose::Spend(reference, _) => {
            staged.add_spend_redeemer(input(reference), data.to_cbor(), units)
        }
        Purpose::Mint(policy) => {
            staged.add_mint_redeemer(PallasHash::new(policy.0), data.to_cbor(), units)
        }
        Purpose::Withdraw(_) => unreachable!("no healthy transaction withdraws"),
    }
}

fn input(reference: &OutputReference) -> Input {
    Input::new(
        PallasHash::new(reference.transaction_id.0),
        reference.index.into(),
    )
}

fn output(out: &Out) -> Output {
    let address = PallasAddress::from_bytes(&out.address.to_bytes(CardanoNetwork::Testnet))
        .expect("an address");
    let units = |asset: &AssetId| out.value.of(asset).to_u64().expect("64 bits");
    let mut staged = Output::new(address, units(&AssetId::Ada));
    for (asset, _) in out.value.entries() {
        if let AssetId::Native { policy, name } = asset {
            staged = staged
                .add_asset(PallasHash::new(policy.0), name.clone(), units(asset))
                .expect("an asset");
        }
    }
    match &out.datum {
        Datum::Inline(data) => staged.set_inline_datum(data.to_cbor()),
        Datum::Hash(hash) => staged.set_datum_hash(PallasHash::new(hash.0)),
        Datum::None => staged,
    }
}
