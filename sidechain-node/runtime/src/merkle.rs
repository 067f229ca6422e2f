//! The transaction root: a binary Merkle tree as in RFC 6962 §2.1 with blake2b-256, so that a transaction's presence in a
//! block can be shown without the block.

use nupeer_primitives::{Hash, blake2b_256};

/// The root over `leaves`; of none it is the hash of nothing.
pub fn root(leaves: &[Hash]) -> Hash {
    match leaves {
        [] => blake2b_256(&[]),
        [leaf] => blake2b_256(&[&[0], &leaf.0]),
        _ => {
            // RFC 6962: the largest power of two below the number of leaves goes left.
            let half = leaves.len().next_power_of_two() / 2;
            let (left, right) = leaves.split_at(half);
            blake2b_256(&[&[1], &root(left).0, &root(right).0])
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn order_and_number_of_leaves_matter() {
        let (a, b) = (Hash([1; 32]), Hash([2; 32]));
        let roots = [
            root(&[]),
            root(&[a]),
            root(&[a, b]),
            root(&[b, a]),
            root(&[a, b, b]),
        ];
        for (i, one) in roots.iter().enumerate() {
            assert!(roots[..i].iter().all(|other| other != one));
        }
    }

    #[test]
    fn three_leaves_are_two_and_one() {
        let leaves = [Hash([1; 32]), Hash([2; 32]), Hash([3; 32])];
        let expected = blake2b_256(&[&[1], &root(&leaves[..2]).0, &root(&leaves[2..]).0]);
        assert_eq!(root(&leaves), expected);
    }
}
