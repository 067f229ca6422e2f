//! Records by themselves: who is shown one, or that there is none, need believe nobody but the validators.

mod common;

use common::{World, account, genesis, key, public, sign};
use ed25519_dalek::Signer;
use nupeer_ledger::StateRead;
use nupeer_outbox::{Address, OutputReference};
use nupeer_primitives::{
    Amount, CardanoNetwork, Credential, Hash, Hash28, Height, Numbered, Signature, TimeMs, cbor,
    consensus::{Certificate, CertificateError, precommit_preimage},
};
use nupeer_runtime::{
    Action, BlockInput, Proven, ProvenError, RecordKind, Sender, StateProof, Transaction,
    genesis::CardanoSettings, proof::ProofError, propose,
};

/// A chain with a bridge on which account 1 asked for a withdrawal; its id, and the bytes of its record.
fn withdrawn() -> (World, Hash, Vec<u8>, Proven) {
    let output = |n: u8| OutputReference {
        transaction_id: Hash([n; 32]),
        index: 0,
    };
    let script = |n: u8| Hash28([n; 28]);
    let point = nupeer_primitives::CardanoPoint {
        slot: nupeer_primitives::Slot(100),
        hash: Hash([7; 32]),
    };
    let bridge = nupeer_bridge::Settings {
        bridge_id: nupeer_outbox::BridgeId::derive(42, &output(1)),
        network_magic: 42,
        seed: output(1),
        birth: Hash([2; 32]),
        scope: nupeer_observe::Scope {
            genesis: script(1),
            head: script(2),
            anchor: script(3),
            vault: script(4),
            deposit: script(5),
        },
        committee: script(6),
        shards: 1,
        assets: vec![],
        params: nupeer_bridge::Params::default(),
    };
    let mut genesis = genesis();
    genesis.credits = vec![];
    genesis.bridge = Some(bridge);
    genesis.cardano = Some(CardanoSettings {
        magic: 42,
        security_parameter: 12,
        from: point,
    });
    let mut world = World::new(&genesis);
    let deposit = nupeer_observe::Observation::Deposit(nupeer_observe::DepositSeen {
        output: output(9),
        slot: nupeer_primitives::Slot(100),
        value: nupeer_outbox::Value::lovelace(100_000_000),
        datum: nupeer_observe::DepositDatum::WellFormed(nupeer_outbox::Deposit {
            recipient: account(1),
            refund: Address::enterprise(Credential::Key(script(8))),
            nonce: 0,
            credit_before: nupeer_primitives::Slot(u64::MAX),
        }),
        has_reference_script: false,
        has_staking_part: false,
    });
    let to = Address::enterprise(Credential::Key(script(8))).to_bytes(CardanoNetwork::Testnet);
    let withdraw = nupeer_bridge::actions::Withdraw::ada(to, Amount::new(20_000_000));
    let transaction = Transaction {
        network: world.chain.id,
        sender: Sender {
            account: account(1),
            key: account(1).hash(),
        },
        sequence: 0,
        valid_until: TimeMs(1_000_000),
        action: Action::Bridge(nupeer_bridge::Action::Withdraw(withdraw)),
    };
    let id = transaction.id();
    let signed = sign(transaction, &key(1));
    let (bytes, verified) = (signed.to_bytes(), signed.verify(&world.chain).unwrap());
    let input = BlockInput {
        cardano: Some(point),
        observations: vec![deposit.to_bytes()],
        ..world.input()
    };
    let candidates = [(bytes.as_slice(), &verified)].into_iter();
    let proposal = propose(&world.store, &world.chain, &world.tip, &input, candidates).unwrap();
    assert_eq!(proposal.refused, vec![]);
    let header = proposal.block.header.clone();
    world.commit(proposal);
    let record = world.store.plain(&RecordKind::Withdrawal.plain_key(&id));
    let state = proof(&world, &RecordKind::Withdrawal.leaf_key(&id));
    let certificate = certificate(&world, header.height, header.id());
    let proven = Proven {
        header,
        certificate,
        state,
    };
    (world, id, record.expect("a record"), proven)
}

fn proof(world: &World, key: &Hash) -> StateProof {
    let version = world.tip.tree_version.unwrap();
    StateProof::of(&world.store, version, key, world.tip.journal).unwrap()
}

/// The one validator's.
fn certificate(world: &World, height: Height, block: Hash) -> Certificate {
    let message = precommit_preimage(&world.chain.id, height, 0, &block);
    let validator = key(200);
    let signature = Signature(validator.sign(&message).to_bytes());
    Certificate {
        height,
        round: 0,
        block,
        signatures: vec![(public(&validator).hash(), signature)],
    }
}

#[test]
fn a_record_is_shown_by_itself_and_so_is_that_there_is_none() {
    let (world, id, record, proven) = withdrawn();
    let kind = RecordKind::Withdrawal;
    assert_eq!(
        proven.verify_record(&world.chain, kind, &id, Some(&record)),
        Ok(())
    );
    // It is the record that the bridge reads.
    let read: nupeer_bridge::Withdrawal = cbor::decode(&record).unwrap();
    assert_eq!(read.account, account(1));
    for (kind, other) in [
        (RecordKind::Lease, id),
        (RecordKind::Withdrawal, Hash([3; 32])),
    ] {
        let state = proof(&world, &kind.leaf_key(&other));
        let absent = Proven {
            state,
            ..proven.clone()
        };
        assert_eq!(
            absent.verify_record(&world.chain, kind, &other, None),
            Ok(())
        );
        let claimed = absent.verify_record(&world.chain, kind, &other, Some(&record));
        assert_eq!(claimed, Err(ProofError::OtherValue.into()));
    }
    // On the wire as here.
    assert_eq!(cbor::decode::<Proven>(&cbor::encode(&proven)), Ok(proven));
}

/// What a node answers with; `fuzz/corpus/proven` begins with it.
#[test]
fn a_proof_is_pinned() {
    let (_, _, _, proven) = withdrawn();
    let pinned = include_str!("golden/proven.hex").trim();
    assert_eq!(hex::encode(cbor::encode(&proven)), pinned);
}

#[test]
fn whatever_is_altered_is_refused_by_its_number() {
    let (world, id, record, good) = withdrawn();
    let kind = RecordKind::Withdrawal;
    let refused = |proven: &Proven, id: &Hash, record: Option<&[u8]>| {
        let verified = proven.verify_record(&world.chain, kind, id, record);
        let error = verified.unwrap_err();
        (error.code().0, error)
    };
    let mut richer = record.clone();
    *richer.last_mut().unwrap() ^= 1;
    let other_value = || (2131, ProvenError::from(ProofError::OtherValue));
    assert_eq!(refused(&good, &id, Some(&richer)), other_value());
    assert_eq!(refused(&good, &Hash([3; 32]), Some(&record)), other_value());
    assert_eq!(refused(&good, &id, None), other_value());

    let mut unsigned = good.clone();
    unsigned.certificate.signatures.clear();
    let (provided, total) = (0, 1);
    let few = CertificateError::NoQuorum { provided, total };
    assert_eq!(
        refused(&unsigned, &id, Some(&record)),
        (1043, ProvenError::from(few))
    );
    let stranger = public(&key(5)).hash();
    let mut forged = good.clone();
    forged.certificate.signatures[0].0 = stranger;
    assert_eq!(
        refused(&forged, &id, Some(&record)),
        (
            1040,
            ProvenError::from(CertificateError::UnknownSigner(stranger))
        )
    );
    // A state of one's own making, under the certificate of the block that was decided.
    let mut made_up = good.clone();
    made_up.header.state_root = Hash([6; 32]);
    let (provided, expected) = (good.header.id(), made_up.header.id());
    assert_eq!(
        refused(&made_up, &id, Some(&record)),
        (2134, ProvenError::OtherBlock { provided, expected })
    );
    let mut elsewhere = good.clone();
    elsewhere.state.journal = Hash([6; 32]);
    assert_eq!(refused(&elsewhere, &id, Some(&record)).0, 2132);
}
