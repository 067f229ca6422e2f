//! Headers and blocks made by others: the Haskell node's vectors, and real blocks.

use std::path::Path;

use nupeer_cardano_ledger::scenarios::Outcome;
use nupeer_devnet::{block::split_block, header::Header, header_vectors};
use nupeer_testing::chain_data;
use pallas_crypto::hash::{Hash, Hasher};
use pallas_traverse::MultiEraBlock;

#[test]
fn the_haskell_nodes_vectors_are_judged_alike() {
    let folder = chain_data::folder("headers");
    let reports = header_vectors::run_file(&folder.join("header-test-cases.json"));
    let reports = reports.expect("the vectors");
    let failed: Vec<_> = reports
        .iter()
        .filter(|report| report.outcome != Outcome::Passed)
        .collect();
    assert!(failed.is_empty(), "{failed:#?}");
    assert!(!reports.is_empty(), "no vector in the file");
}

fn is_conway(raw: &[u8]) -> bool {
    raw.starts_with(&[0x82, 0x07])
}

fn read_hex(path: &Path) -> Vec<u8> {
    hex::decode(std::fs::read_to_string(path).expect("a block").trim()).expect("hex")
}

#[test]
fn real_conway_blocks_have_the_hashes_that_their_headers_say() {
    let folder = chain_data::folder("blocks");
    let mut checked = 0;
    for entry in std::fs::read_dir(folder).expect("blocks") {
        let path = entry.expect("a file").path();
        let raw = read_hex(&path);
        if !is_conway(&raw) {
            continue;
        }
        let (raw_header, body) = split_block(&raw).expect("a Conway block");
        let header = Header::decode(raw_header).expect("a Praos header");
        header
            .verify_body(&body)
            .unwrap_or_else(|error| panic!("{}: {error}", path.display()));
        let reference = MultiEraBlock::decode(&raw).expect("a block");
        assert_eq!(
            (header.hash, header.body.slot),
            (reference.hash(), reference.slot())
        );
        let ids: Vec<_> = body
            .transactions()
            .expect("transactions")
            .iter()
            .map(|raw| id(raw))
            .collect();
        assert_eq!(
            ids,
            reference
                .txs()
                .iter()
                .map(|tx| tx.hash())
                .collect::<Vec<_>>(),
            "{}",
            path.display()
        );
        checked += 1;
    }
    assert!(checked > 0, "no Conway block in the folder");
}

fn id(raw: &[u8]) -> Hash<32> {
    nupeer_devnet::block::TxParts::split(raw)
        .expect("a transaction")
        .id()
}

#[test]
fn real_headers_decode_to_the_bytes_they_came_in() {
    let folder = chain_data::folder("headers");
    let mut checked = 0;
    for entry in std::fs::read_dir(folder).expect("headers") {
        let path = entry.expect("a file").path();
        if path
            .extension()
            .is_some_and(|extension| extension == "cbor")
        {
            let raw = std::fs::read(&path).expect("a header");
            let header =
                Header::decode(&raw).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
            assert_eq!(header.hash, Hasher::<256>::hash(&raw));
            checked += 1;
        }
    }
    assert!(checked > 0, "no header in the folder");
}

#[test]
fn real_blocks_of_other_eras_are_refused_by_their_tag_or_their_shape() {
    let folder = chain_data::folder("blocks");
    for entry in std::fs::read_dir(folder).expect("blocks") {
        let path = entry.expect("a file").path();
        let raw = read_hex(&path);
        assert_eq!(
            split_block(&raw).is_ok(),
            is_conway(&raw),
            "{}",
            path.display()
        );
    }
}
