//! The journal: a running hash over what blocks changed in the plain key space, which the state root commits to. Two
//! validators whose plain entries ever differed differ in it for ever (`docs/decisions/001`).

use std::collections::BTreeMap;

use nupeer_primitives::{Hash, blake2b_256, cbor};

/// The journal before the first block.
pub const EMPTY: Hash = Hash::ZERO;

/// The journal after a block that made these changes. A block without any leaves it as it is.
pub fn advance(journal: &Hash, changes: &BTreeMap<Vec<u8>, Option<Vec<u8>>>) -> Hash {
    if changes.is_empty() {
        return *journal;
    }
    let mut bytes = Vec::new();
    for (key, value) in changes {
        push(&mut bytes, key);
        match value {
            None => bytes.push(0),
            Some(value) => {
                bytes.push(1);
                push(&mut bytes, value);
            }
        }
    }
    blake2b_256(&[b"nupeer/journal/1", &journal.0, &blake2b_256(&[&bytes]).0])
}

/// Length-framed, so that no two lists of changes run together to the same bytes.
fn push(out: &mut Vec<u8>, part: &[u8]) {
    out.extend(cbor::encode(&(part.len() as u64)));
    out.extend_from_slice(part);
}

#[cfg(test)]
mod tests {
    use super::*;

    fn changes(entries: &[(&str, Option<&str>)]) -> BTreeMap<Vec<u8>, Option<Vec<u8>>> {
        let owned = |(k, v): &(&str, Option<&str>)| {
            (k.as_bytes().to_vec(), v.map(|v| v.as_bytes().to_vec()))
        };
        entries.iter().map(owned).collect()
    }

    #[test]
    fn different_changes_give_different_journals() {
        let cases = [
            changes(&[("a", Some("b"))]),
            changes(&[("ab", Some(""))]),
            changes(&[("a", None)]),
            changes(&[("a", None), ("b", None)]),
        ];
        let journals: Vec<Hash> = cases.iter().map(|c| advance(&EMPTY, c)).collect();
        for (i, one) in journals.iter().enumerate() {
            assert!(journals[..i].iter().all(|other| other != one));
        }
    }

    #[test]
    fn no_change_leaves_it_and_order_of_blocks_matters() {
        let (a, b) = (changes(&[("a", Some("1"))]), changes(&[("b", Some("2"))]));
        assert_eq!(advance(&EMPTY, &changes(&[])), EMPTY);
        assert_ne!(
            advance(&advance(&EMPTY, &a), &b),
            advance(&advance(&EMPTY, &b), &a)
        );
    }
}
