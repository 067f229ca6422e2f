//! Headers and blocks made by others: the Haskell node's vectors, and real blocks.

use std::path::Path;

use num_rational::Ratio;
use nupeer_devnet::{
    block::split_block,
    header::Header,
    verify::{HeaderContext, HeaderError},
};
use nupeer_testing::chain_data;
use pallas_crypto::hash::{Hash, Hasher};
use pallas_traverse::MultiEraBlock;
use serde::Deserialize;

#[derive(Deserialize)]
struct Vector {
    title: String,
    context: Context,
    header: String,
    expected: serde_json::Value,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Context {
    active_slot_coeff: serde_json::Number,
    nonce: String,
    ocert_counters: std::collections::BTreeMap<String, u64>,
    #[serde(rename = "praosMaxKESEvo")]
    kes_evolutions_max: u64,
    #[serde(rename = "praosSlotsPerKESPeriod")]
    kes_period_slots: u64,
    #[serde(rename = "vrfVKeyHash")]
    vrf_key_hash: String,
}

fn hash<const N: usize>(text: &str) -> Hash<N> {
    let bytes: [u8; N] = hex::decode(text).expect("hex").try_into().expect("a hash");
    Hash::new(bytes)
}

/// A decimal fraction such as 0.02, exactly.
fn ratio(number: &serde_json::Number) -> Ratio<u64> {
    let text = number.to_string();
    let (whole, fraction) = text.split_once('.').unwrap_or((&text, ""));
    let digits = format!("{whole}{fraction}").parse().expect("digits");
    Ratio::new(digits, 10u64.pow(fraction.len() as u32))
}

impl Context {
    fn for_pool(&self, pool: &Hash<28>) -> HeaderContext {
        HeaderContext {
            epoch_nonce: hash(&self.nonce),
            kes_period_slots: self.kes_period_slots,
            kes_evolutions_max: self.kes_evolutions_max,
            active_slot_coefficient: ratio(&self.active_slot_coeff),
            vrf_key_hash: hash(&self.vrf_key_hash),
            counter: self.ocert_counters.get(&pool.to_string()).copied(),
        }
    }
}

fn judge(vector: &Vector) -> Result<(), HeaderError> {
    let header = Header::decode(&hex::decode(&vector.header).expect("hex"))?;
    header.verify(&vector.context.for_pool(&header.pool()))
}

/// The reason that each of the vectors' errors must have here.
fn is_reason(expected: &serde_json::Value, error: &HeaderError) -> bool {
    if expected.get("decodeError").is_some() {
        return matches!(error, HeaderError::Length { .. });
    }
    let name = expected["error"].as_str().unwrap_or_default();
    match name.split('(').nth(1).unwrap_or(name) {
        "InvalidSignature" => matches!(error, HeaderError::CertificateSignature),
        "SequenceNumberTooFarAhead" => matches!(error, HeaderError::CounterTooLarge { .. }),
        "SequenceNumberTooSmall" => matches!(error, HeaderError::CounterTooSmall { .. }),
        "InvalidKesSignature" => matches!(error, HeaderError::KesSignature { .. }),
        "OpCertKesPeriodTooLarge" => matches!(error, HeaderError::CertificateTooNew { .. }),
        "OpCertKesPeriodTooOld" => matches!(error, HeaderError::CertificateExpired { .. }),
        "InsufficientLeaderStake" => matches!(error, HeaderError::NotLeader { .. }),
        "KnownLeaderVrf" => matches!(error, HeaderError::VrfKey { .. }),
        "InvalidProof" | "MalformedProof" => matches!(error, HeaderError::VrfProof { .. }),
        "ProofMismatch" => matches!(error, HeaderError::VrfOutput),
        "TryFromSliceError)" => matches!(error, HeaderError::Length { .. }),
        _ => false,
    }
}

/// Vectors about looking a pool up, which is the chain's part and not the header's.
fn is_about_lookup(expected: &serde_json::Value) -> bool {
    matches!(
        expected["error"].as_str(),
        Some("UnknownPool" | "PoolError")
    )
}

#[test]
fn the_haskell_nodes_vectors_are_judged_alike() {
    let folder = chain_data::folder("headers");
    let text = std::fs::read_to_string(folder.join("header-test-cases.json")).expect("the vectors");
    let vectors: Vec<Vector> = serde_json::from_str(&text).expect("vectors");
    let (mut accepted, mut refused) = (0, 0);
    for vector in vectors
        .iter()
        .filter(|vector| !is_about_lookup(&vector.expected))
    {
        match judge(vector) {
            Ok(()) => {
                assert_eq!(vector.expected, "pass", "accepted: {}", vector.title);
                accepted += 1;
            }
            Err(error) => {
                assert!(
                    is_reason(&vector.expected, &error),
                    "{}: {error}, not {}",
                    vector.title,
                    vector.expected
                );
                refused += 1;
            }
        }
    }
    assert!(
        accepted > 0 && refused > 0,
        "{accepted} accepted, {refused} refused"
    );
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
