//! A node that a test plays over HTTP, and the chain that it may tell the truth about.
#![allow(dead_code)]

use std::{
    collections::BTreeMap,
    io::{BufRead, BufReader, Read, Write},
    net::{TcpListener, TcpStream},
    sync::Arc,
};

use ed25519_dalek::{Signer, SigningKey};
use nupeer_primitives::{
    Hash, Height, PublicKey, Signature, TimeMs, cbor,
    consensus::{Certificate, Validator, precommit_preimage},
};
use nupeer_runtime::{
    Genesis, Header, Proven, RecordKind, StateProof,
    genesis::{GenesisValidator, Limits},
    memory::MemoryTree,
    proof::state_root,
    record::leaf_value,
};
use serde_json::{Value, json};

/// What a played node answers to a method and a path with its query: status and body.
type Says = Arc<dyn Fn(&str, &str, &[u8]) -> (u16, Value) + Send + Sync>;

/// Serves `says` on a port from the kernel, for as long as the test's process lives; returns the address.
pub(crate) fn node(says: impl Fn(&str, &str) -> (u16, Value) + Send + Sync + 'static) -> String {
    reading_node(move |method, path, _| says(method, path))
}

/// As [`node`], of one that reads what is sent to it.
pub(crate) fn reading_node(
    says: impl Fn(&str, &str, &[u8]) -> (u16, Value) + Send + Sync + 'static,
) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let says: Says = Arc::new(says);
    std::thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            let says = says.clone();
            std::thread::spawn(move || answer(stream, &says));
        }
    });
    url
}

/// One question and its answer. Who goes away meanwhile gets none.
fn answer(stream: TcpStream, says: &Says) -> Option<()> {
    let mut reader = BufReader::new(stream);
    let (mut first, mut length) = (String::new(), 0);
    reader.read_line(&mut first).ok()?;
    loop {
        let mut line = String::new();
        reader.read_line(&mut line).ok()?;
        let line = line.trim().to_ascii_lowercase();
        if line.is_empty() {
            break;
        }
        if let Some(digits) = line.strip_prefix("content-length:") {
            length = digits.trim().parse().ok()?;
        }
    }
    let mut body = vec![0; length];
    reader.read_exact(&mut body).ok()?;
    let mut words = first.split(' ');
    let (status, value) = says(words.next()?, words.next()?, &body);
    let body = match &value[RAW] {
        Value::String(digits) => hex::decode(digits).ok()?,
        _ => value.to_string().into_bytes(),
    };
    let mut head = format!(
        "HTTP/1.1 {status} x\r\ncontent-type: application/json\r\nconnection: close\r\ncontent-length: {}\r\n",
        body.len(),
    );
    for (name, value) in value[HEADERS].as_object().into_iter().flatten() {
        head.push_str(&format!("{name}: {value}\r\n"));
    }
    head.push_str("\r\n");
    reader.get_mut().write_all(head.as_bytes()).ok()?;
    reader.get_mut().write_all(&body).ok()
}

/// The one field of an answer that is bytes and no JSON.
const RAW: &str = "raw";

/// An answer of these bytes.
pub(crate) fn raw(bytes: &[u8]) -> (u16, Value) {
    (200, json!({ RAW: hex::encode(bytes) }))
}

/// The field of such an answer with headers of its own.
const HEADERS: &str = "raw_headers";

/// As [`raw`], with headers: a name and a number each.
pub(crate) fn raw_with(bytes: &[u8], headers: Value) -> (u16, Value) {
    let (status, mut value) = raw(bytes);
    value[HEADERS] = headers;
    (status, value)
}

/// What a node says about what it does not have.
pub(crate) fn not_found() -> (u16, Value) {
    (404, json!({ "error": { "message": "nothing here" } }))
}

fn key(n: u8) -> SigningKey {
    SigningKey::from_bytes(&[n; 32])
}

fn public(n: u8) -> PublicKey {
    PublicKey(key(n).verifying_key().to_bytes())
}

/// Votes of the played chain's validators; any three decide.
pub(crate) const VOTERS: [u8; 4] = [200, 201, 202, 203];

/// A chain of four validators, whose id hangs on `name`.
pub(crate) fn genesis(name: &str) -> Genesis {
    let validator = |n: &u8| GenesisValidator {
        consensus_key: public(*n),
        bridge_key: public(*n + 20),
        power: 1,
    };
    Genesis {
        name: name.into(),
        cardano_network: 0,
        cardano: None,
        start: TimeMs(1_000),
        validators: VOTERS.iter().map(validator).collect(),
        limits: Limits::default(),
        params: nupeer_ledger::Params::default(),
        credits: vec![],
        lease: nupeer_lease::Params::default(),
        bridge: None,
    }
}

/// What `/v1/genesis` answers.
pub(crate) fn genesis_answer(genesis: &Genesis) -> (u16, Value) {
    let text = genesis.to_json().unwrap();
    (200, serde_json::from_str(&text).unwrap())
}

/// What `/v1/blocks/{height}` answers, signed by `voters`.
pub(crate) fn block(genesis: &Genesis, height: u64, voters: &[u8]) -> (u16, Value) {
    let (header, certificate) = certified(genesis, height, voters, Hash::ZERO);
    let value = json!({
        "height": height,
        "header_cbor": hex::encode(cbor::encode(&header)),
        "certificate_cbor": hex::encode(cbor::encode(&certificate)),
    });
    (200, value)
}

/// What `/v1/leases/{id}/proof` answers: `record`, and the proof of `state` under a block signed by `voters`.
pub(crate) fn lease_proof(
    block: (&Genesis, u64, &[u8]),
    id: &Hash,
    state: Option<&[u8]>,
    record: Option<&[u8]>,
) -> (u16, Value) {
    record_proof(RecordKind::Lease, block, id, state, record)
}

/// As [`lease_proof`], of a record of any kind.
pub(crate) fn record_proof(
    kind: RecordKind,
    (genesis, height, voters): (&Genesis, u64, &[u8]),
    id: &Hash,
    state: Option<&[u8]>,
    record: Option<&[u8]>,
) -> (u16, Value) {
    let key = kind.leaf_key(id);
    let mut leaves = BTreeMap::from([(Hash([1; 32]), Some(vec![1]))]);
    leaves.extend(state.map(|state| (key, Some(leaf_value(state)))));
    let mut tree = MemoryTree::default();
    let update = nupeer_runtime::tree::update(&tree, None, &leaves);
    let root = tree.commit(update.unwrap().unwrap());
    let state = StateProof::of(&tree, 0, &key, Hash::ZERO).unwrap();
    let root = state_root(&root, &Hash::ZERO);
    let (header, certificate) = certified(genesis, height, voters, root);
    let proven = Proven {
        header,
        certificate,
        state,
    };
    let value = json!({
        "key": key.to_string(),
        "record_cbor": record.map(hex::encode),
        "proven_cbor": hex::encode(cbor::encode(&proven)),
        "height": height,
    });
    (200, value)
}

fn certified(
    genesis: &Genesis,
    height: u64,
    voters: &[u8],
    state_root: Hash,
) -> (Header, Certificate) {
    let chain = genesis.chain().unwrap();
    let header = Header {
        height: Height(height),
        time: TimeMs(1_000_000 + height * 1_000),
        proposer: public(VOTERS[0]).hash(),
        parent: Hash::ZERO,
        transaction_root: Hash::ZERO,
        state_root,
        cardano: None,
        observation_root: Hash::ZERO,
        validators: chain.validators.hash(),
    };
    let message = precommit_preimage(&chain.id, header.height, 0, &header.id());
    let mut signatures: Vec<_> = voters
        .iter()
        .map(|n| {
            let voter = Validator {
                public_key: public(*n),
                power: 1,
            };
            (voter.id(), Signature(key(*n).sign(&message).to_bytes()))
        })
        .collect();
    signatures.sort_by_key(|(id, _)| *id);
    let certificate = Certificate {
        height: header.height,
        round: 0,
        block: header.id(),
        signatures,
    };
    (header, certificate)
}
