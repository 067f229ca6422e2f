//! Proofs that a leaf stands, or does not stand, under a state root. The form is the one that a Plutus script checks:
//! siblings from the bottom up, nothing for an empty one.

use borsh::BorshDeserialize;
use jmt::{JellyfishMerkleTree, KeyHash, storage::TreeReader};
use minicbor::{Decode, Encode};
use nupeer_primitives::{Code, Hash, Numbered, blake2b_256};

use crate::tree::{Blake2b256, EMPTY_ROOT};

/// What a header commits to: the tree's root and the journal.
pub fn state_root(tree_root: &Hash, journal: &Hash) -> Hash {
    blake2b_256(&[b"nupeer/state/1", &tree_root.0, &journal.0])
}

/// A proof of the value of one leaf, or of its absence.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
pub struct StateProof {
    /// The leaf at the end of the path: key and hash of the value. For an absent key it is another key's leaf, or none.
    #[n(0)]
    pub leaf: Option<(Hash, Hash)>,
    /// Siblings from the bottom up; `None` for an empty one.
    #[n(1)]
    pub siblings: Vec<Option<Hash>>,
    /// The journal, the other half of the state root.
    #[n(2)]
    pub journal: Hash,
}

/// Why a proof proves nothing.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ProofError {
    /// More siblings than a key has bits.
    #[error("{0} siblings; a key has 256 bits")]
    TooDeep(usize),
    /// It shows another value, or presence for absence.
    #[error("the proof is of another value")]
    OtherValue,
    /// It leads to another root.
    #[error("the proof leads to {computed}, the header says {expected}")]
    OtherRoot {
        /// Computed from the proof.
        computed: Hash,
        /// In the header.
        expected: Hash,
    },
    /// The tree cannot be read.
    #[error("the state tree cannot be read: {0}")]
    Tree(String),
}

impl Numbered for ProofError {
    fn code(&self) -> Code {
        Code(match self {
            ProofError::TooDeep(_) => 2130,
            ProofError::OtherValue => 2131,
            ProofError::OtherRoot { .. } => 2132,
            ProofError::Tree(_) => 2133,
        })
    }
}

impl StateProof {
    /// The proof for `key` in `version` of the tree.
    pub fn of(
        reader: &impl TreeReader,
        version: u64,
        key: &Hash,
        journal: Hash,
    ) -> Result<StateProof, ProofError> {
        let tree = JellyfishMerkleTree::<'_, _, Blake2b256>::new(reader);
        let (_, proof) = tree
            .get_with_proof(KeyHash(key.0), version)
            .map_err(|e| ProofError::Tree(e.to_string()))?;
        // The crate keeps the siblings to itself, but their borsh form is public.
        let bytes = borsh::to_vec(&proof).map_err(|e| ProofError::Tree(e.to_string()))?;
        let raw = RawProof::try_from_slice(&bytes).map_err(|e| ProofError::Tree(e.to_string()))?;
        let leaf = raw.leaf.map(|(key, value)| (Hash(key), Hash(value)));
        Ok(StateProof {
            leaf,
            siblings: raw.siblings.iter().map(RawNode::hash).collect(),
            journal,
        })
    }

    /// Checks that under `root` the leaf `key` has `value`, or is absent where `value` is `None`.
    pub fn verify(&self, root: &Hash, key: &Hash, value: Option<&[u8]>) -> Result<(), ProofError> {
        if self.siblings.len() > 256 {
            return Err(ProofError::TooDeep(self.siblings.len()));
        }
        let expected = value.map(|value| (*key, blake2b_256(&[value])));
        let shown = match (expected, self.leaf) {
            (Some(expected), Some(leaf)) => expected == leaf,
            (None, None) => true,
            // Absence by another leaf: it must lie on this key's path, or it would say nothing about this key.
            (None, Some((other, _))) => {
                other != *key && same_prefix(&other, key, self.siblings.len())
            }
            (Some(_), None) => false,
        };
        if !shown {
            return Err(ProofError::OtherValue);
        }
        let computed = state_root(&self.climb(key), &self.journal);
        if computed == *root {
            Ok(())
        } else {
            Err(ProofError::OtherRoot {
                computed,
                expected: *root,
            })
        }
    }

    fn climb(&self, key: &Hash) -> Hash {
        let start = self
            .leaf
            .map_or(EMPTY_ROOT, |(key, value)| leaf_hash(&key.0, &value.0));
        let depth = self.siblings.len();
        self.siblings
            .iter()
            .enumerate()
            .fold(start, |node, (i, sibling)| {
                let sibling = sibling.unwrap_or(EMPTY_ROOT);
                if bit(key, depth - 1 - i) {
                    inner_hash(&sibling.0, &node.0)
                } else {
                    inner_hash(&node.0, &sibling.0)
                }
            })
    }
}

fn bit(key: &Hash, index: usize) -> bool {
    key.0
        .get(index / 8)
        .is_some_and(|byte| byte >> (7 - index % 8) & 1 == 1)
}

fn same_prefix(a: &Hash, b: &Hash, bits: usize) -> bool {
    (0..bits).all(|index| bit(a, index) == bit(b, index))
}

fn leaf_hash(key: &[u8; 32], value: &[u8; 32]) -> Hash {
    blake2b_256(&[b"JMT::LeafNode", key, value])
}

fn inner_hash(left: &[u8; 32], right: &[u8; 32]) -> Hash {
    // Spelt as the crate spells it.
    blake2b_256(&[b"JMT::IntrnalNode", left, right])
}

/// The borsh form of the crate's proof, pinned by `a_proof_of_every_key_and_of_absent_ones_verifies`.
#[derive(BorshDeserialize)]
struct RawProof {
    leaf: Option<([u8; 32], [u8; 32])>,
    siblings: Vec<RawNode>,
}

#[derive(BorshDeserialize)]
enum RawNode {
    Null,
    Internal { left: [u8; 32], right: [u8; 32] },
    Leaf { key: [u8; 32], value: [u8; 32] },
}

impl RawNode {
    fn hash(&self) -> Option<Hash> {
        match self {
            RawNode::Null => None,
            RawNode::Internal { left, right } => Some(inner_hash(left, right)),
            RawNode::Leaf { key, value } => Some(leaf_hash(key, value)),
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::{memory::MemoryTree, tree};

    fn key(n: u16) -> Hash {
        blake2b_256(&[&n.to_be_bytes()])
    }

    fn tree_of(keys: &[u16]) -> (MemoryTree, Hash) {
        let mut memory = MemoryTree::default();
        let changes = keys
            .iter()
            .map(|n| (key(*n), Some(n.to_be_bytes().to_vec())))
            .collect();
        let root = match tree::update(&memory, None, &changes).unwrap() {
            Some(update) => memory.commit(update),
            None => EMPTY_ROOT,
        };
        (memory, root)
    }

    const JOURNAL: Hash = Hash([4; 32]);

    proptest! {
        #[test]
        fn a_proof_of_every_key_and_of_absent_ones_verifies(
            keys in prop::collection::btree_set(0u16..300, 1..60), asked in 0u16..300
        ) {
            let keys: Vec<u16> = keys.into_iter().collect();
            let (memory, tree_root) = tree_of(&keys);
            let root = state_root(&tree_root, &JOURNAL);
            let proof = StateProof::of(&memory, 0, &key(asked), JOURNAL).unwrap();
            let bytes = asked.to_be_bytes();
            let (right, wrong) = match keys.contains(&asked) {
                true => (Some(&bytes[..]), None),
                false => (None, Some(&bytes[..])),
            };
            prop_assert_eq!(proof.verify(&root, &key(asked), right), Ok(()));
            prop_assert_eq!(proof.verify(&root, &key(asked), wrong), Err(ProofError::OtherValue));
            prop_assert_eq!(proof.verify(&root, &key(asked), Some(b"forged")), Err(ProofError::OtherValue));
            let elsewhere = proof.verify(&Hash::ZERO, &key(asked), right);
            prop_assert_eq!(elsewhere, Err(ProofError::OtherRoot { computed: root, expected: Hash::ZERO }));
        }

        #[test]
        fn a_proof_with_any_sibling_changed_is_refused(keys in prop::collection::btree_set(0u16..300, 2..60), at: usize) {
            let keys: Vec<u16> = keys.into_iter().collect();
            let (memory, tree_root) = tree_of(&keys);
            let root = state_root(&tree_root, &JOURNAL);
            let mut proof = StateProof::of(&memory, 0, &key(keys[0]), JOURNAL).unwrap();
            let at = at % proof.siblings.len();
            proof.siblings[at] = Some(Hash([1; 32]));
            let refused = proof.verify(&root, &key(keys[0]), Some(&keys[0].to_be_bytes()));
            let is_other_root = matches!(refused, Err(ProofError::OtherRoot { .. }));
            prop_assert!(is_other_root);
        }
    }

    #[test]
    fn a_leaf_beside_the_path_proves_no_absence() {
        let (memory, tree_root) = tree_of(&[1, 2, 3, 4, 5, 6, 7, 8]);
        let root = state_root(&tree_root, &JOURNAL);
        // The proof of key 1, offered as if its leaf showed that key 2 is absent.
        let proof = StateProof::of(&memory, 0, &key(1), JOURNAL).unwrap();
        assert_eq!(
            proof.verify(&root, &key(2), None),
            Err(ProofError::OtherValue)
        );
    }

    #[test]
    fn an_empty_tree_proves_absence() {
        let proof = StateProof {
            leaf: None,
            siblings: vec![],
            journal: JOURNAL,
        };
        assert_eq!(
            proof.verify(&state_root(&EMPTY_ROOT, &JOURNAL), &key(1), None),
            Ok(())
        );
    }
}
