//! What two cores could do at most: admissions and tree keys a second on one core, measured bare, put together.
//!
//! `bound = C / (V × (1 / admissions + K / tree_keys))`: each of V validators on one machine of C cores admits a transaction once
//! and writes its K keys into an authenticated tree on disk.

use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use jmt::{
    JellyfishMerkleTree, KeyHash,
    storage::{LeafNode, Node, NodeKey, TreeReader, TreeUpdateBatch},
};
use nupeer_node::store::{Store, StoreConfig, codec};
use nupeer_primitives::{TimeMs, blake2b_256};
use nupeer_runtime::{
    SignedTransaction, Verified, execute::BlockInput, execute::propose, tree::Blake2b256,
};
use rocksdb::{DB, WriteBatch, WriteOptions};
use serde_json::{Value, json};

use crate::{
    Extent,
    chain::{ACCOUNTS, BenchChain, VALIDATORS, consensus_key, public},
    note,
    samples::{median, rounded},
};

/// Keys of one version of the tree: a block's.
const BATCH: usize = 1_000;
/// How long a sample of admissions takes.
const SAMPLE: Duration = Duration::from_millis(500);

/// The bound with what it is made of.
pub(crate) struct Bound {
    pub(crate) per_second: f64,
    pub(crate) cores: f64,
    pub(crate) json: Value,
}

pub(crate) fn measure(chain: &BenchChain, extent: Extent) -> Result<Bound> {
    let samples = extent.pick(3, 9);
    note("bound: admissions on one core");
    let admissions = admissions(chain, samples);
    note("bound: keys of a bare tree of 100,000");
    let tree = tree(samples)?;
    note("bound: keys of a transaction");
    let keys = keys_per_transaction(chain)?;
    let cores = std::thread::available_parallelism().map_or(1, |count| count.get());
    let (admission, tree_keys) = (median(&admissions), median(&tree));
    let seconds = f64::from(VALIDATORS) * (1.0 / admission + keys / tree_keys);
    let per_second = cores as f64 / seconds;
    let json = json!({
        "per_second": rounded(per_second),
        "formula": "cores / (validators * (1 / admissions_per_second + keys_per_transaction / tree_keys_per_second))",
        "cores": cores, "validators": VALIDATORS,
        "admissions_per_second": rounded(admission), "admissions_samples": admissions,
        "tree_keys_per_second": rounded(tree_keys), "tree_keys_samples": tree,
        "tree_size": ACCOUNTS, "keys_per_transaction": rounded(keys),
    });
    let cores = cores as f64;
    Ok(Bound {
        per_second,
        cores,
        json,
    })
}

/// Decode, re-encode and compare, hash, parse the key, verify strictly: transactions a second.
fn admissions(chain: &BenchChain, samples: usize) -> Vec<f64> {
    let signed = chain.transfers(0..2_000);
    let mut rates = Vec::new();
    for _ in 0..samples {
        let (began, mut done) = (Instant::now(), 0u32);
        for bytes in signed.iter().cycle() {
            assert!(admit(chain, bytes).is_some(), "signed here");
            done += 1;
            if done % 100 == 0 && began.elapsed() >= SAMPLE {
                break;
            }
        }
        rates.push(rounded(f64::from(done) / began.elapsed().as_secs_f64()));
    }
    rates
}

fn admit(chain: &BenchChain, bytes: &[u8]) -> Option<Verified> {
    let signed = SignedTransaction::from_bytes(bytes, &chain.chain).ok()?;
    signed.verify(&chain.chain).ok()
}

/// Proven keys that a transfer writes, in a block of a thousand.
fn keys_per_transaction(chain: &BenchChain) -> Result<f64> {
    let folder = tempfile::tempdir()?;
    let store = Store::open(&StoreConfig::new(folder.path()), &chain.genesis)?;
    let signed = chain.transfers(0..BATCH as u32);
    let verified: Vec<Verified> = signed
        .iter()
        .filter_map(|bytes| admit(chain, bytes))
        .collect();
    let input = BlockInput {
        time: TimeMs(2_000),
        proposer: public(&consensus_key(0)).hash(),
        cardano: None,
        observations: Vec::new(),
    };
    let candidates = signed.iter().map(|bytes| &bytes[..]).zip(&verified);
    let view = store.view()?;
    let proposal = propose(&view, &chain.chain, view.tip(), &input, candidates)?;
    let executed = proposal.block.transactions.len();
    anyhow::ensure!(executed == BATCH, "{executed} of {BATCH} were executed");
    Ok(proposal.executed.changes.proven.len() as f64 / BATCH as f64)
}

/// Keys a second that a tree on disk takes and nothing else: versions of [`BATCH`] keys, each written in one synced batch.
fn tree(samples: usize) -> Result<Vec<f64>> {
    let mut tree = Bare::open()?;
    let keys: Vec<KeyHash> = (0..ACCOUNTS).map(hashed).collect();
    for chunk in keys.chunks(20_000) {
        tree.put(chunk.iter().copied())?;
    }
    let mut rates = Vec::new();
    for sample in 0..samples {
        let began = Instant::now();
        let versions = 10;
        for version in 0..versions {
            // A stride that is prime to the size visits all keys before it comes back.
            let first = (sample * versions + version) * BATCH;
            let picked = (first..first + BATCH).map(|n| keys[n * 7_919 % keys.len()]);
            tree.put(picked)?;
        }
        rates.push(rounded(
            (versions * BATCH) as f64 / began.elapsed().as_secs_f64(),
        ));
    }
    Ok(rates)
}

fn hashed(n: u32) -> KeyHash {
    KeyHash(blake2b_256(&[b"bench", &n.to_be_bytes()]).0)
}

/// A tree in a database of its own, without cache, journal or anything else of a node.
struct Bare {
    db: DB,
    next: u64,
    _folder: tempfile::TempDir,
}

impl Bare {
    fn open() -> Result<Self> {
        let folder = tempfile::tempdir()?;
        let mut table = rocksdb::BlockBasedOptions::default();
        table.set_block_cache(&rocksdb::Cache::new_lru_cache(256 << 20));
        table.set_bloom_filter(10.0, false);
        let mut options = rocksdb::Options::default();
        options.create_if_missing(true);
        options.set_block_based_table_factory(&table);
        options.set_write_buffer_size(64 << 20);
        Ok(Bare {
            db: DB::open(&options, folder.path())?,
            next: 0,
            _folder: folder,
        })
    }

    fn put(&mut self, keys: impl Iterator<Item = KeyHash>) -> Result<()> {
        let version = self.next;
        let value = |key: KeyHash| (key, Some([&key.0[..], &version.to_be_bytes()].concat()));
        let tree = JellyfishMerkleTree::<'_, _, Blake2b256>::new(&*self);
        let (_, batch) = tree
            .put_value_set(keys.map(value), version)
            .map_err(|error| anyhow::anyhow!("{error}"))?;
        self.write(&batch)?;
        self.next += 1;
        Ok(())
    }

    fn write(&self, update: &TreeUpdateBatch) -> Result<()> {
        let mut batch = WriteBatch::default();
        for (key, node) in update.node_batch.nodes() {
            batch.put(codec::node_key(key)?, codec::node_bytes(node)?);
        }
        for stale in &update.stale_node_index_batch {
            batch.delete(codec::node_key(&stale.node_key)?);
        }
        let mut synced = WriteOptions::default();
        synced.set_sync(true);
        self.db.write_opt(batch, &synced).context("writing")
    }
}

impl TreeReader for Bare {
    fn get_node_option(&self, key: &NodeKey) -> Result<Option<Node>> {
        let found = self.db.get_pinned(codec::node_key(key)?)?;
        Ok(found.map(|bytes| codec::node(&bytes)).transpose()?)
    }

    fn get_value_option(&self, _version: u64, _key: KeyHash) -> Result<Option<Vec<u8>>> {
        // Asked for by proofs alone.
        Ok(None)
    }

    fn get_rightmost_leaf(&self) -> Result<Option<(NodeKey, LeafNode)>> {
        // Asked for when a tree is restored alone.
        Ok(None)
    }
}
