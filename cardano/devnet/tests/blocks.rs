//! Our own blocks, judged by the verifier: each is accepted, and none with a changed byte.

mod common;

use common::{Coin, blocks, chain, genesis, pay};
use nupeer_devnet::{
    Profile,
    chain::Chain,
    genesis::Account,
    header::Header,
    verify::{ChainState, HeaderError},
    view::Block,
};
use pallas_traverse::MultiEraBlock;

/// The state after the first `count` blocks, each verified on the way.
fn verified(chain: &Chain, count: usize) -> ChainState {
    let genesis = chain.genesis();
    let pools = genesis.pools();
    let origin = ChainState::origin(genesis.profile, genesis.hash().0.into());
    blocks(chain)
        .iter()
        .take(count)
        .fold(origin, |state, block| {
            state
                .verify_block(&pools, &block.raw)
                .unwrap_or_else(|e| panic!("block {}: {e}", block.block_number))
        })
}

fn header(block: &Block) -> Header {
    let (raw, _) = nupeer_devnet::block::split_block(&block.raw).expect("a block");
    Header::decode(raw).expect("a header")
}

/// The block with one bit flipped in the middle of where `field` lies.
fn flipped(raw: &[u8], field: &[u8]) -> Vec<u8> {
    let at = raw
        .windows(field.len())
        .position(|window| window == field)
        .expect("the field is in the block");
    let mut raw = raw.to_vec();
    raw[at + field.len() / 2] ^= 0x10;
    raw
}

#[test]
fn each_block_verifies_over_two_epochs_and_a_new_certificate() {
    let mut chain = chain();
    // 62 KES periods of 60 slots each end at slot 3,720, and with them every pool's first certificate.
    chain.mint(3_760, None).expect("mints");
    let state = verified(&chain, usize::MAX);
    assert_eq!(
        state.tip.map(|tip| (tip.block_number, tip.slot)),
        Some((3_759, 3_759))
    );
    assert_eq!(state.nonces.epoch, 31);
    let counters: Vec<_> = state
        .certificates
        .values()
        .map(|last| (last.counter, last.kes_period))
        .collect();
    assert_eq!(counters, [(1, 62); 3]);
}

#[test]
fn others_decode_what_we_make() {
    let mut chain = chain();
    let payment = pay(
        &Coin::genesis(42, 0),
        &Account::derive(42, 1),
        5_000_000,
        None,
    );
    chain.submit(&payment.raw, None).expect("is accepted");
    chain.mint(1, None).expect("mints");
    let block = &blocks(&chain)[0];
    let decoded = MultiEraBlock::decode(&block.raw).expect("a block");
    assert_eq!(
        (decoded.number(), decoded.slot(), decoded.hash()),
        (0, 0, block.hash)
    );
    let ids: Vec<_> = decoded.txs().iter().map(|tx| *tx.hash()).collect();
    assert_eq!(ids, [payment.id]);
}

#[test]
fn a_flipped_bit_is_refused_for_the_right_reason() {
    let mut chain = chain();
    chain.mint(3, None).expect("mints");
    let payment = pay(
        &Coin::genesis(42, 0),
        &Account::derive(42, 1),
        5_000_000,
        None,
    );
    chain.submit(&payment.raw, None).expect("is accepted");
    chain.mint(1, None).expect("mints");
    let (before, pools) = (verified(&chain, 3), chain.genesis().pools());
    let raw = blocks(&chain)[3].raw.clone();
    let header = header(&blocks(&chain)[3]);
    let refused = |field: &[u8]| {
        before
            .verify_block(&pools, &flipped(&raw, field))
            .expect_err("is refused")
    };
    let certificate = &header.body.operational_cert;

    let error = refused(&header.signature);
    assert!(
        matches!(error, HeaderError::KesSignature { evolution: 0 }),
        "{error}"
    );
    let error = refused(&header.body.vrf_result.1);
    assert!(
        matches!(error, HeaderError::VrfProof { slot: 3 }),
        "{error}"
    );
    let error = refused(&header.body.vrf_result.0);
    assert!(matches!(error, HeaderError::VrfOutput), "{error}");
    let error = refused(&certificate.operational_cert_sigma);
    assert!(
        matches!(error, HeaderError::CertificateSignature),
        "{error}"
    );
    let error = refused(&certificate.operational_cert_hot_vkey);
    assert!(
        matches!(error, HeaderError::CertificateSignature),
        "{error}"
    );
    let error = refused(&header.body.issuer_vkey);
    assert!(matches!(error, HeaderError::UnknownPool { .. }), "{error}");
    let error = refused(&header.body.vrf_vkey);
    assert!(matches!(error, HeaderError::VrfKey { .. }), "{error}");
    let error = refused(header.body.prev_hash.expect("a block before").as_ref());
    assert!(matches!(error, HeaderError::PreviousHash { .. }), "{error}");
    let error = refused(&Account::derive(42, 1).address);
    assert!(matches!(error, HeaderError::BodyHash { .. }), "{error}");
}

#[test]
fn a_block_out_of_place_is_refused() {
    let mut chain = chain();
    chain.mint(4, None).expect("mints");
    let (pools, blocks) = (chain.genesis().pools(), blocks(&chain));
    let error = verified(&chain, 2)
        .verify_block(&pools, &blocks[3].raw)
        .expect_err("is refused");
    assert!(matches!(error, HeaderError::PreviousHash { .. }), "{error}");
    let other = ChainState::origin(Profile::Fast, genesis(Profile::Fast, 43).hash().0.into());
    let error = other
        .verify_block(&pools, &blocks[0].raw)
        .expect_err("another network's nonce");
    assert!(
        matches!(error, HeaderError::VrfProof { slot: 0 }),
        "{error}"
    );
}

#[test]
fn the_same_seed_and_commands_give_the_same_blocks() {
    let build = |seed| {
        let mut chain = Chain::in_memory(genesis(Profile::Fast, seed)).expect("a chain");
        chain.mint(5, None).expect("mints");
        let payment = pay(
            &Coin::genesis(seed, 0),
            &Account::derive(seed, 1),
            5_000_000,
            None,
        );
        chain.submit(&payment.raw, None).expect("is accepted");
        chain.mint(5, None).expect("mints");
        let fork = nupeer_devnet::chain::Reorganisation {
            depth: 4,
            outgrow: true,
            ..Default::default()
        };
        chain.reorganise(&fork).expect("forks");
        blocks(&chain)
            .iter()
            .map(|block| block.hash)
            .collect::<Vec<_>>()
    };
    assert_eq!(build(42), build(42));
    assert_ne!(build(42), build(43));
}
