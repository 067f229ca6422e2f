//! The tree of credited deposits, as the deposit's and the vault's scripts read it.
//!
//! It is the compact sparse Merkle tree of the crate `jmt` with blake2b-256: node = `H("JMT::IntrnalNode" ‖ left ‖
//! right)`, leaf = `H("JMT::LeafNode" ‖ key hash ‖ H(value))`, the misspelling included; an empty subtree is
//! [`EMPTY_SPARSE_ROOT`](crate::shard::EMPTY_SPARSE_ROOT). Whoever keeps the tree keeps it with `jmt`; here is what a
//! proof on chain needs.

use nupeer_primitives::{Hash, blake2b_256};

use crate::{OutputReference, shard::EMPTY_SPARSE_ROOT};

const DOMAIN: &[u8; 16] = b"NuPeer/credit/v1";

/// The value under every credited deposit.
pub const VALUE: &[u8; 1] = &[1];

/// What the key of a deposit is the hash of: domain(16) ‖ transaction id(32) ‖ index(4).
pub fn key_preimage(deposit: &OutputReference) -> [u8; 52] {
    let mut out = [0; 52];
    out[..16].copy_from_slice(DOMAIN);
    out[16..].copy_from_slice(&deposit.to_bytes());
    out
}

/// The deposit's key hash in the tree: `blake2b_256` of [`key_preimage`].
pub fn key(deposit: &OutputReference) -> Hash {
    blake2b_256(&[&key_preimage(deposit)])
}

/// Siblings of a proof in the form that the vault's redeemer carries: 32 bytes each, bottom first.
pub fn pack(siblings: impl IntoIterator<Item = Hash>) -> Vec<u8> {
    siblings.into_iter().flat_map(|sibling| sibling.0).collect()
}

/// Root and proofs of a whole tree given at once, for who has no `jmt` store: `O(n)` hashes a call.
#[derive(Clone, Debug, Default)]
pub struct CreditedTree(Vec<Hash>);

impl CreditedTree {
    /// The tree of these deposits.
    pub fn new<'a>(deposits: impl IntoIterator<Item = &'a OutputReference>) -> Self {
        let mut keys: Vec<Hash> = deposits.into_iter().map(key).collect();
        keys.sort();
        keys.dedup();
        CreditedTree(keys)
    }

    /// Its root.
    pub fn root(&self) -> Hash {
        subtree(&self.0, 0)
    }

    /// The packed path of a deposit; `None` when it is not in the tree.
    pub fn proof(&self, deposit: &OutputReference) -> Option<Vec<u8>> {
        let key = key(deposit);
        let (mut keys, mut depth, mut siblings) = (&self.0[..], 0, Vec::new());
        keys.binary_search(&key).ok()?;
        while keys.len() > 1 {
            let (zeros, ones) = split(keys, depth);
            let (own, other) = if bit_at(&key, depth) {
                (ones, zeros)
            } else {
                (zeros, ones)
            };
            siblings.push(subtree(other, depth + 1));
            (keys, depth) = (own, depth + 1);
        }
        Some(pack(siblings.into_iter().rev()))
    }
}

fn subtree(keys: &[Hash], depth: usize) -> Hash {
    match keys {
        [] => EMPTY_SPARSE_ROOT,
        [key] => leaf(key),
        _ => {
            let (zeros, ones) = split(keys, depth);
            node(&subtree(zeros, depth + 1).0, &subtree(ones, depth + 1).0)
        }
    }
}

/// Sorted keys that share their first `depth` bits, parted by the next.
fn split(keys: &[Hash], depth: usize) -> (&[Hash], &[Hash]) {
    keys.split_at(keys.partition_point(|key| !bit_at(key, depth)))
}

/// Bit `at` of a key, counted from the first byte's highest: which way its path turns at that depth.
pub fn bit_at(key: &Hash, at: usize) -> bool {
    key.0
        .get(at / 8)
        .is_some_and(|byte| byte >> (7 - at % 8) & 1 == 1)
}

/// Hash of the leaf of a credited deposit.
pub fn leaf(key: &Hash) -> Hash {
    blake2b_256(&[b"JMT::LeafNode", &key.0, &blake2b_256(&[VALUE]).0])
}

/// Hash of the node above two subtrees.
pub fn node(left: &[u8], right: &[u8]) -> Hash {
    blake2b_256(&[b"JMT::IntrnalNode", left, right])
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn deposits(count: u32) -> Vec<OutputReference> {
        (0..count)
            .map(|index| OutputReference {
                transaction_id: Hash([index as u8; 32]),
                index,
            })
            .collect()
    }

    /// Whether `path` proves the deposit credited under `root`, as the vault's script decides it.
    fn is_credited(root: &Hash, deposit: &OutputReference, path: &[u8]) -> bool {
        let siblings = path.chunks_exact(Hash::LEN);
        let depth = siblings.len();
        let key = key(deposit);
        if depth > 256 || !siblings.remainder().is_empty() {
            return false;
        }
        // The lowest sibling stands at the deepest bit of the path.
        let climbed = siblings
            .zip((0..depth).rev())
            .fold(leaf(&key), |hash, (sibling, bit)| {
                if bit_at(&key, bit) {
                    node(sibling, &hash.0)
                } else {
                    node(&hash.0, sibling)
                }
            });
        climbed == *root
    }

    proptest! {
        #[test]
        fn every_deposit_in_the_tree_is_proved_and_no_other(count in 1u32..60) {
            let deposits = deposits(count + 1);
            let (stranger, inside) = deposits.split_last().expect("one at least");
            let tree = CreditedTree::new(inside);
            prop_assert_eq!(tree.proof(stranger), None);
            for deposit in inside {
                let path = tree.proof(deposit).expect("in the tree");
                prop_assert!(is_credited(&tree.root(), deposit, &path));
                prop_assert!(!is_credited(&tree.root(), stranger, &path));
            }
        }
    }

    #[test]
    fn nothing_is_credited_under_the_empty_root() {
        let tree = CreditedTree::new([]);
        assert_eq!(tree.root(), EMPTY_SPARSE_ROOT);
        assert!(!is_credited(&tree.root(), &deposits(1)[0], &[]));
    }

    /// Sibling hashes are private in `jmt`; its serde form shows the nodes that they are the hashes of.
    fn siblings(proof: &serde_json::Value) -> Vec<Hash> {
        let hash = |value: &serde_json::Value| {
            let bytes: [u8; 32] = serde_json::from_value(value.clone()).expect("32 bytes");
            Hash(bytes)
        };
        let each = proof["siblings"]
            .as_array()
            .expect("a list")
            .iter()
            .map(|sibling| {
                if let Some(inner) = sibling.get("Internal") {
                    node(
                        &hash(&inner["left_child"]).0,
                        &hash(&inner["right_child"]).0,
                    )
                } else if let Some(leaf) = sibling.get("Leaf") {
                    let parts = [
                        &b"JMT::LeafNode"[..],
                        &hash(&leaf["key_hash"]).0,
                        &hash(&leaf["value_hash"]).0,
                    ];
                    blake2b_256(&parts)
                } else {
                    EMPTY_SPARSE_ROOT
                }
            });
        each.collect()
    }

    /// The nodes and values of one version.
    #[derive(Default)]
    struct Memory(jmt::storage::NodeBatch);

    impl jmt::storage::TreeReader for Memory {
        fn get_node_option(
            &self,
            key: &jmt::storage::NodeKey,
        ) -> anyhow::Result<Option<jmt::storage::Node>> {
            Ok(self.0.nodes().get(key).cloned())
        }

        fn get_value_option(&self, at: u64, key: jmt::KeyHash) -> anyhow::Result<Option<Vec<u8>>> {
            Ok(self.0.values().get(&(at, key)).cloned().flatten())
        }

        fn get_rightmost_leaf(
            &self,
        ) -> anyhow::Result<Option<(jmt::storage::NodeKey, jmt::storage::LeafNode)>> {
            Ok(None)
        }
    }

    #[test]
    fn the_tree_is_that_of_jmt() {
        use jmt::{JellyfishMerkleTree, KeyHash};
        type Blake = blake2::Blake2b<blake2::digest::consts::U32>;

        let deposits = deposits(200);
        let empty = Memory::default();
        let entries = deposits.iter().map(|d| {
            (
                KeyHash::with::<Blake>(key_preimage(d)),
                Some(VALUE.to_vec()),
            )
        });
        let put = JellyfishMerkleTree::<_, Blake>::new(&empty).put_value_set(entries, 0);
        let (root, batch) = put.expect("a tree");
        let full = Memory(batch.node_batch);
        let theirs = JellyfishMerkleTree::<_, Blake>::new(&full);
        let ours = CreditedTree::new(&deposits);
        assert_eq!(ours.root().0, root.0);
        for deposit in &deposits {
            let (_, proof) = theirs
                .get_with_proof(KeyHash(key(deposit).0), 0)
                .expect("a proof");
            let proof = serde_json::to_value(proof).expect("serde");
            assert_eq!(ours.proof(deposit), Some(pack(siblings(&proof))));
        }
    }

    #[test]
    fn a_path_cut_within_a_sibling_proves_nothing() {
        let deposit = deposits(1)[0];
        let root = CreditedTree::new([&deposit]).root();
        assert!(is_credited(&root, &deposit, &[]));
        assert!(!is_credited(&root, &deposit, &[0]));
    }

    #[test]
    fn a_path_longer_than_a_key_proves_nothing() {
        let deposit = deposits(1)[0];
        assert!(!is_credited(
            &CreditedTree::new([&deposit]).root(),
            &deposit,
            &[0; 257 * 32]
        ));
    }
}
