//! Transactions: who may sign what, and which text a wallet shows.

mod common;

use common::{ADA, World, account, genesis, key, public, sign};
use ed25519_dalek::{Signer, SigningKey};
use minicbor::bytes::ByteVec;
use nupeer_ledger::{
    LedgerError, Overlay, Scope,
    actions::{GrantKey, RevokeKey, Transfer},
};
use nupeer_primitives::{
    Amount, AssetId, Hash, Hash28, Height, Signature, TimeMs, blake2b_224, cbor::CborError,
};
use nupeer_runtime::{
    Action, Sender, SignedTransaction, Transaction, TransactionError, Verified, Witness, check,
    preview, transaction::TEXT_BYTES_MAX,
};

fn execute(
    world: &World,
    transaction: SignedTransaction,
    time: u64,
) -> Result<(), TransactionError> {
    let verified = transaction.verify(&world.chain)?;
    check(
        &mut Overlay::new(&world.store),
        &verified,
        Height(1),
        TimeMs(time),
    )
    .map(|_| ())
}

#[test]
fn bad_input_has_one_precise_error_each() {
    let world = World::new(&genesis());
    let good = world.transfer(1, 2, 0, ADA).transaction;
    let elsewhere = Transaction {
        network: Hash::ZERO,
        ..good.clone()
    };
    let wrong_network = TransactionError::WrongNetwork {
        provided: Hash::ZERO,
        expected: world.chain.id,
    };
    assert_eq!(
        execute(&world, sign(elsewhere, &key(1)), 2_000),
        Err(wrong_network)
    );

    let (provided, expected) = (public(&key(2)).hash(), public(&key(1)).hash());
    let wrong_key = TransactionError::WrongKey { provided, expected };
    assert_eq!(
        execute(&world, sign(good.clone(), &key(2)), 2_000),
        Err(wrong_key)
    );

    let other = sign(
        Transaction {
            sequence: 7,
            ..good.clone()
        },
        &key(1),
    );
    let swapped = SignedTransaction {
        transaction: good.clone(),
        witness: other.witness,
    };
    assert_eq!(
        execute(&world, swapped, 2_000),
        Err(TransactionError::BadSignature)
    );

    let expired = TransactionError::Expired {
        valid_until: TimeMs(1_999),
        now: TimeMs(2_000),
    };
    let late = Transaction {
        valid_until: TimeMs(1_999),
        ..good.clone()
    };
    assert_eq!(execute(&world, sign(late, &key(1)), 2_000), Err(expired));

    let ahead = Transaction {
        sequence: 1,
        ..good.clone()
    };
    let sequence = LedgerError::SequenceMismatch {
        provided: 1,
        expected: 0,
    };
    assert_eq!(
        execute(&world, sign(ahead, &key(1)), 2_000),
        Err(sequence.into())
    );
}

#[test]
fn a_preview_says_what_a_block_would_of_what_nobody_signed_and_nobody_can_submit() {
    let world = World::new(&genesis());
    for lovelace in [ADA, u128::from(u64::MAX)] {
        let signed = world.transfer(1, 2, 0, lovelace);
        let blank = SignedTransaction {
            witness: signed.witness.blank(),
            ..signed.clone()
        };
        let size_bytes = signed.to_bytes().len();
        assert_eq!(blank.to_bytes().len(), size_bytes);
        let (fork, at) = (Overlay::new(&world.store), (Height(1), TimeMs(2_000)));
        let previewed = preview(fork, &blank.transaction, size_bytes, at.0, at.1);
        assert_eq!(previewed.map(drop), execute(&world, signed, 2_000));
        let submitted = execute(&world, blank, 2_000);
        assert_eq!(submitted, Err(TransactionError::BadSignature));
    }
}

#[test]
fn oversized_truncated_and_re_encoded_transactions_are_refused() {
    let world = World::new(&genesis());
    let bytes = world.transfer(1, 2, 0, ADA).to_bytes();
    let read = |bytes: &[u8]| SignedTransaction::from_bytes(bytes, &world.chain).map(|_| ());
    let too_long = CborError::TooLong {
        provided: 20_000,
        maximum: 16_384,
    };
    assert_eq!(read(&vec![0; 20_000]), Err(too_long.into()));
    assert!(matches!(
        read(&bytes[..bytes.len() - 1]),
        Err(TransactionError::Encoding(CborError::Malformed(_)))
    ));
    // The outer array of two with an indefinite length: the same thing in other bytes.
    let again = [&[0x9f], &bytes[1..], &[0xff]].concat();
    assert_eq!(
        read(&again),
        Err(TransactionError::Encoding(CborError::NotCanonical))
    );
}

fn granted(world: &mut World, scope: Scope, budget: u128) {
    let grant = GrantKey {
        key: public(&key(9)).hash(),
        scope,
        budget_lovelace: Amount::new(budget),
        expires: TimeMs(100_000),
    };
    let transaction = world.transaction(1, 0, nupeer_ledger::Action::GrantKey(grant));
    let proposal = world.propose(&[sign(transaction, &key(1))]);
    assert!(proposal.refused.is_empty(), "{:?}", proposal.refused);
    world.commit(proposal);
}

fn by_session(world: &World, action: nupeer_ledger::Action) -> SignedTransaction {
    let sender = Sender {
        account: account(1),
        key: public(&key(9)).hash(),
    };
    sign(
        Transaction {
            sender,
            ..world.transaction(1, 0, action)
        },
        &key(9),
    )
}

fn transfer(amount: u128) -> nupeer_ledger::Action {
    nupeer_ledger::Action::Transfer(Transfer {
        to: account(2),
        asset: AssetId::Ada,
        amount: Amount::new(amount),
    })
}

#[test]
fn a_session_key_spends_within_its_budget_fees_included() {
    let mut world = World::new(&genesis());
    granted(&mut world, Scope::SPEND, 2 * ADA);
    assert_eq!(
        execute(&world, by_session(&world, transfer(ADA)), 2_500),
        Ok(())
    );
    let over = execute(&world, by_session(&world, transfer(2 * ADA)), 2_500);
    let needed = match over {
        Err(TransactionError::Ledger(LedgerError::OverBudget { needed, remaining })) => {
            assert_eq!(remaining, Amount::new(2 * ADA));
            needed
        }
        other => panic!("{other:?}"),
    };
    assert!(needed > Amount::new(2 * ADA), "the fee counts");
}

#[test]
fn a_session_key_neither_leaves_its_scope_nor_makes_more_keys() {
    let mut world = World::new(&genesis());
    granted(&mut world, Scope::LEASE, 2 * ADA);
    let granted = Scope::LEASE;
    let spend = execute(&world, by_session(&world, transfer(ADA)), 2_500);
    assert_eq!(
        spend,
        Err(LedgerError::OutOfScope {
            granted,
            needed: Some(Scope::SPEND)
        }
        .into())
    );
    let revoke = nupeer_ledger::Action::RevokeKey(RevokeKey {
        key: Hash28([1; 28]),
    });
    let keys = execute(&world, by_session(&world, revoke), 2_500);
    assert_eq!(
        keys,
        Err(LedgerError::OutOfScope {
            granted,
            needed: None
        }
        .into())
    );
}

#[test]
fn a_key_that_nobody_granted_does_nothing() {
    let world = World::new(&genesis());
    let refused = execute(&world, by_session(&world, transfer(ADA)), 2_500);
    assert_eq!(
        refused,
        Err(LedgerError::KeyNotGranted {
            key: public(&key(9)).hash()
        }
        .into())
    );
}

/// What a CIP-30 wallet's `signData` does.
fn wallet(key: &SigningKey, address: &[u8], payload: &[u8], hashed: bool) -> Witness {
    let mut protected = minicbor::Encoder::new(Vec::new());
    protected
        .map(2)
        .unwrap()
        .u8(1)
        .unwrap()
        .i8(-8)
        .unwrap()
        .str("address")
        .unwrap()
        .bytes(address)
        .unwrap();
    let protected = protected.into_writer();
    let digest = blake2b_224(payload).0;
    let payload = if hashed { &digest } else { payload };
    let mut signed = minicbor::Encoder::new(Vec::new());
    signed
        .array(4)
        .unwrap()
        .str("Signature1")
        .unwrap()
        .bytes(&protected)
        .unwrap()
        .bytes(&[])
        .unwrap();
    signed.bytes(payload).unwrap();
    let signature = key.sign(&signed.into_writer()).to_bytes();
    let mut message = minicbor::Encoder::new(Vec::new());
    message
        .array(4)
        .unwrap()
        .bytes(&protected)
        .unwrap()
        .map(1)
        .unwrap()
        .str("hashed")
        .unwrap();
    message
        .bool(hashed)
        .unwrap()
        .bytes(payload)
        .unwrap()
        .bytes(&signature)
        .unwrap();
    let mut cose_key = minicbor::Encoder::new(Vec::new());
    cose_key
        .map(4)
        .unwrap()
        .u8(1)
        .unwrap()
        .u8(1)
        .unwrap()
        .u8(3)
        .unwrap()
        .i8(-8)
        .unwrap();
    cose_key
        .i8(-1)
        .unwrap()
        .u8(6)
        .unwrap()
        .i8(-2)
        .unwrap()
        .bytes(key.verifying_key().as_bytes())
        .unwrap();
    Witness::Wallet {
        cose_sign1: ByteVec::from(message.into_writer()),
        cose_key: ByteVec::from(cose_key.into_writer()),
    }
}

#[test]
fn a_wallet_signs_the_text_that_it_shows_whole_or_hashed() {
    let world = World::new(&genesis());
    let transaction = world.transfer(1, 2, 0, ADA).transaction;
    let (text, address) = (
        transaction.text(&world.chain),
        account(1).reward_address(world.chain.cardano),
    );
    for hashed in [false, true] {
        let witness = wallet(&key(1), &address, text.as_bytes(), hashed);
        let signed = SignedTransaction {
            transaction: transaction.clone(),
            witness,
        };
        assert_eq!(execute(&world, signed, 2_000), Ok(()));
    }
}

#[test]
fn a_wallets_signature_of_another_text_or_address_is_refused_by_name() {
    let world = World::new(&genesis());
    let transaction = world.transfer(1, 2, 0, ADA).transaction;
    let text = transaction.text(&world.chain);
    let own = account(1).reward_address(world.chain.cardano);
    let mut mainnet = own;
    mainnet[0] |= 1;
    let (provided, expected) = (hex::encode(mainnet), hex::encode(own));
    for (address, payload, error) in [
        (
            own,
            "send 2 ADA",
            TransactionError::WrongText {
                expected: text.clone(),
            },
        ),
        (
            mainnet,
            text.as_str(),
            TransactionError::WrongAddress { provided, expected },
        ),
    ] {
        let witness = wallet(&key(1), &address, payload.as_bytes(), false);
        let signed = SignedTransaction {
            transaction: transaction.clone(),
            witness,
        };
        assert_eq!(execute(&world, signed, 2_000), Err(error));
    }
}

#[test]
fn every_actions_text_is_one_short_line_of_ascii() {
    let mut genesis = genesis();
    genesis.name = "ten-letter".into();
    let world = World::new(&genesis);
    let token = AssetId::Native {
        policy: Hash28([0xff; 28]),
        name: vec![0xff; 32],
    };
    let amount = Amount::from(u64::MAX);
    let actions = [
        nupeer_ledger::Action::Transfer(Transfer {
            to: account(2),
            asset: AssetId::Ada,
            amount,
        }),
        nupeer_ledger::Action::Transfer(Transfer {
            to: account(2),
            asset: token,
            amount,
        }),
        nupeer_ledger::Action::GrantKey(GrantKey {
            key: Hash28([0xff; 28]),
            scope: Scope::SPEND.and(Scope::LEASE).and(Scope::MACHINE),
            budget_lovelace: amount,
            expires: TimeMs(253_402_300_799_999),
        }),
        nupeer_ledger::Action::GrantKey(GrantKey {
            key: Hash28([0xff; 28]),
            scope: Scope::SPEND.and(Scope::LEASE).and(Scope::MACHINE),
            budget_lovelace: Amount::new(u128::MAX),
            expires: TimeMs(u64::MAX),
        }),
        nupeer_ledger::Action::RevokeKey(RevokeKey {
            key: Hash28([0xff; 28]),
        }),
    ];
    for action in actions {
        let text = world.transaction(1, 0, action).text(&world.chain);
        assert!(text.len() <= TEXT_BYTES_MAX, "{} bytes: {text}", text.len());
        assert!(
            text.bytes().all(|b| (32..=126).contains(&b))
                && !text.contains("  ")
                && text.trim() == text
        );
    }
}

/// Regenerating these is approving a change of the wire format.
#[test]
fn wire_formats_are_pinned() {
    let world = World::new(&genesis());
    let signed = world.transfer(1, 2, 0, ADA);
    assert_eq!(
        hex::encode(signed.to_bytes()),
        include_str!("golden/transfer.hex").trim()
    );
    assert_eq!(
        world.chain.id.to_string(),
        include_str!("golden/genesis_id.hex").trim()
    );
    let block = world.propose(&[signed]).block;
    assert_eq!(
        hex::encode(block.to_bytes()),
        include_str!("golden/block.hex").trim()
    );
}

#[test]
fn a_verified_transaction_remembers_what_was_signed() {
    let world = World::new(&genesis());
    let signed = world.transfer(1, 2, 0, ADA);
    let (id, size) = (signed.transaction.id(), signed.to_bytes().len());
    let verified: Verified = signed.clone().verify(&world.chain).unwrap();
    assert_eq!((verified.id(), verified.size_bytes()), (id, size));
    assert_eq!(verified.transaction().action, signed.transaction.action);
    assert!(matches!(verified.transaction().action, Action::Ledger(_)));
    let Witness::Key { signature, .. } = signed.witness else {
        panic!("signed by a key")
    };
    assert_ne!(signature, Signature([0; 64]));
}
