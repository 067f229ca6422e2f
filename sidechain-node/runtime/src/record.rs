//! Records that anybody can be shown: machines, requests, leases and withdrawals. They are plain entries, since rules look at them in
//! order; beside each stands a leaf of the authenticated tree with the hash of its bytes, so that one of them, or its absence, can be proven by
//! itself.
//!
//! ```text
//! key    blake2b_256("nupeer/record/1" ‖ the plain key)
//! value  blake2b_256(the plain value), 32 bytes
//! ```

use nupeer_ledger::{Changes, state::after_prefix};
use nupeer_primitives::{Hash, blake2b_256};

/// What a record is of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RecordKind {
    /// A machine, by its id.
    Machine,
    /// A request for a lease, by its id.
    Request,
    /// A lease, by its id.
    Lease,
    /// A withdrawal, by its id.
    Withdrawal,
}

impl RecordKind {
    /// All of them.
    pub const ALL: [RecordKind; 4] = [
        RecordKind::Machine,
        RecordKind::Request,
        RecordKind::Lease,
        RecordKind::Withdrawal,
    ];

    /// Where their rooms keep them.
    fn prefix(self) -> &'static [u8] {
        match self {
            RecordKind::Machine => nupeer_lease::records::MACHINE,
            RecordKind::Request => nupeer_lease::records::REQUEST,
            RecordKind::Lease => nupeer_lease::records::LEASE,
            RecordKind::Withdrawal => nupeer_bridge::records::WITHDRAWAL,
        }
    }

    /// The plain key of the record of that id.
    pub fn plain_key(self, id: &Hash) -> Vec<u8> {
        [self.prefix(), &id.0].concat()
    }

    /// The key of its leaf.
    pub fn leaf_key(self, id: &Hash) -> Hash {
        leaf_key(&self.plain_key(id))
    }
}

fn leaf_key(plain_key: &[u8]) -> Hash {
    blake2b_256(&[b"nupeer/record/1", plain_key])
}

/// The value of the leaf of a record.
pub fn leaf_value(record: &[u8]) -> Vec<u8> {
    blake2b_256(&[record]).0.to_vec()
}

/// Adds the leaves of all records among the changes.
pub(crate) fn witness(changes: &mut Changes) {
    for kind in RecordKind::ALL {
        let (from, to) = (kind.prefix(), after_prefix(kind.prefix()));
        let records = changes.plain.range(from.to_vec()..to);
        let leaves: Vec<_> = records
            .map(|(key, record)| (leaf_key(key), record.as_deref().map(leaf_value)))
            .collect();
        changes.proven.extend(leaves);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn leaves_are_pinned_and_of_records_alone() {
        let id = Hash([7; 32]);
        let mut changes = Changes::default();
        for kind in RecordKind::ALL {
            changes.plain.insert(kind.plain_key(&id), Some(vec![1, 2]));
        }
        let gone = RecordKind::Lease.plain_key(&Hash([8; 32]));
        changes.plain.insert(gone, None);
        for other in [
            "lease/lease-of/a",
            "bridge/withdrawal-no/b",
            "bridge/status",
            "held/c",
        ] {
            changes.plain.insert(other.into(), Some(vec![3]));
        }
        witness(&mut changes);
        assert_eq!(changes.proven.len(), 5);
        for kind in RecordKind::ALL {
            let leaf = &changes.proven[&kind.leaf_key(&id)];
            assert_eq!(*leaf, Some(leaf_value(&[1, 2])));
        }
        assert_eq!(
            changes.proven[&RecordKind::Lease.leaf_key(&Hash([8; 32]))],
            None
        );
        let key = RecordKind::Lease.leaf_key(&id).to_string();
        assert_eq!(
            key,
            "69b9cb80d3b10b37499296a666c2b2837fa17b7a3ac7786911b66658cd2509f9"
        );
        assert_eq!(
            hex::encode(leaf_value(&[1, 2])),
            "65da3986eaecf046cb2c41673aed9d4e1e661730dc31c62f327df5d15933595d"
        );
    }
}
