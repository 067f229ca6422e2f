//! Blocks as far as following looks at them: true hashes, numbers and bodies; no proof of leadership.

use nupeer_primitives::{CardanoPoint, Hash, Slot, blake2b_256};
use pallas_codec::minicbor;
use pallas_primitives::{
    VrfCert,
    babbage::{Header, HeaderBody, OperationalCert},
};

use crate::chain::Tip;

/// A block and where it is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Block {
    pub(crate) tip: Tip,
    pub(crate) raw: Vec<u8>,
}

/// An empty body: bodies, witnesses, metadata, invalid transactions.
const EMPTY_BODY: [&[u8]; 4] = [&[0x80], &[0x80], &[0xa0], &[0x80]];

/// `count` blocks from the origin, in every second slot. `salt` tells chains apart.
pub(crate) fn chain(count: u64, salt: u8) -> Vec<Block> {
    extend(&[], count, salt)
}

/// `blocks` and `count` more.
pub(crate) fn extend(blocks: &[Block], count: u64, salt: u8) -> Vec<Block> {
    let mut blocks = blocks.to_vec();
    for _ in 0..count {
        blocks.push(with_body(blocks.last(), salt, EMPTY_BODY));
    }
    blocks
}

/// The block after `parent` with the parts of a body.
pub(crate) fn with_body(parent: Option<&Block>, salt: u8, body: [&[u8]; 4]) -> Block {
    let (block_number, slot) = parent.map_or((0, 0), |parent| {
        (parent.tip.block_number + 1, parent.tip.point.slot.0 + 2)
    });
    let hashes: Vec<u8> = body
        .iter()
        .flat_map(|part| blake2b_256(&[part]).0)
        .collect();
    let header_body = HeaderBody {
        block_number,
        slot,
        prev_hash: parent.map(|parent| parent.tip.point.hash.0.into()),
        issuer_vkey: vec![1; 32].into(),
        vrf_vkey: vec![2; 32].into(),
        vrf_result: VrfCert(vec![3; 64].into(), vec![4; 80].into()),
        block_body_size: body.iter().map(|part| part.len() as u64).sum(),
        block_body_hash: blake2b_256(&[&hashes]).0.into(),
        operational_cert: OperationalCert {
            operational_cert_hot_vkey: vec![5; 32].into(),
            operational_cert_sequence_number: 0,
            operational_cert_kes_period: 0,
            operational_cert_sigma: vec![6; 64].into(),
        },
        protocol_version: (10, 0),
    };
    let header = minicbor::to_vec(Header {
        header_body,
        body_signature: vec![salt; 448].into(),
    })
    .unwrap();
    // `[era 7 (Conway), [header, body…]]`
    let raw = [&[0x82, 0x07, 0x85], header.as_slice(), &body.concat()].concat();
    let point = CardanoPoint {
        slot: Slot(slot),
        hash: Hash(blake2b_256(&[&header]).0),
    };
    Block {
        tip: Tip {
            point,
            block_number,
        },
        raw,
    }
}
