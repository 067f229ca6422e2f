//! The committee's datum: whose signatures certify.

use nupeer_primitives::{Code, Numbered, PublicKey, plutus::Data};

use crate::{
    BridgeId,
    error::{WireError, array, fields, hash, list, unsigned},
};

/// Signature scheme number of ed25519, the only one yet.
pub const ED25519: u8 = 0;

/// Most members: at 100 an anchor takes 0.77 ADA and a third of a transaction; beyond lies another scheme.
pub const MEMBERS_MAX: usize = 100;

/// The committee of one epoch. Keys ascend, so none occurs twice, and a signature's place is its key's.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Committee {
    bridge_id: BridgeId,
    epoch: u64,
    keys: Vec<PublicKey>,
}

/// Why keys make no committee.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CommitteeError {
    /// No member, or more than an anchor's transaction carries.
    #[error("{provided} members where 1 to {maximum} are possible")]
    Members {
        /// Keys given.
        provided: usize,
        /// Most allowed.
        maximum: usize,
    },
    /// One key twice would have two votes.
    #[error("key {key} occurs twice")]
    Repeated {
        /// The key.
        key: PublicKey,
    },
}

impl Numbered for CommitteeError {
    fn code(&self) -> Code {
        match self {
            CommitteeError::Members { .. } => Code(3060),
            CommitteeError::Repeated { .. } => Code(3061),
        }
    }
}

/// ⌊2n/3⌋ + 1: more than two thirds of `members`.
pub fn quorum(members: usize) -> usize {
    members.saturating_mul(2) / 3 + 1
}

impl Committee {
    /// The committee of these keys, which it puts in order.
    pub fn new(
        bridge_id: BridgeId,
        epoch: u64,
        mut keys: Vec<PublicKey>,
    ) -> Result<Self, CommitteeError> {
        let (provided, maximum) = (keys.len(), MEMBERS_MAX);
        if provided == 0 || provided > maximum {
            return Err(CommitteeError::Members { provided, maximum });
        }
        keys.sort();
        if let Some(pair) = keys.windows(2).find(|pair| pair[0] == pair[1]) {
            return Err(CommitteeError::Repeated { key: pair[0] });
        }
        Ok(Committee {
            bridge_id,
            epoch,
            keys,
        })
    }

    /// The bridge it serves.
    pub fn bridge_id(&self) -> BridgeId {
        self.bridge_id
    }

    /// Its number; hand-overs count up by one.
    pub fn epoch(&self) -> u64 {
        self.epoch
    }

    /// Its keys, ascending.
    pub fn keys(&self) -> &[PublicKey] {
        &self.keys
    }

    /// How many must sign.
    pub fn quorum(&self) -> usize {
        quorum(self.keys.len())
    }

    /// The datum.
    pub fn to_data(&self) -> Data {
        let fields = vec![
            Data::bytes(self.bridge_id.0.0),
            Data::Int(self.epoch.into()),
            Data::List(self.keys.iter().map(|key| Data::bytes(key.0)).collect()),
            Data::Int(self.quorum() as i128),
            Data::Int(ED25519.into()),
        ];
        Data::Constr(0, fields)
    }

    /// The inverse of [`Committee::to_data`]; another quorum or scheme is refused.
    pub fn from_data(data: &Data) -> Result<Self, WireError> {
        let expected = "a committee";
        let [bridge_id, epoch, keys, _, _] = fields(data, 0, expected)?;
        let keys = list(keys, "committee keys")?.iter();
        let keys: Result<_, _> = keys
            .map(|key| array(key, "a committee key").map(PublicKey))
            .collect();
        let bridge_id = BridgeId(hash(bridge_id, "bridge id")?);
        let committee = Committee::new(bridge_id, unsigned(epoch, "epoch")?, keys?);
        let committee = committee.map_err(|_| WireError::Order {
            field: "committee keys",
        })?;
        // The rest of the datum follows from the keys: their order, the quorum, the scheme.
        if committee.to_data() == *data {
            Ok(committee)
        } else {
            Err(WireError::Shape { expected })
        }
    }
}

#[cfg(test)]
mod tests {
    use nupeer_primitives::Hash;

    use super::*;

    const BRIDGE: BridgeId = BridgeId(Hash([7; 32]));

    fn keys(bytes: &[u8]) -> Vec<PublicKey> {
        bytes.iter().map(|b| PublicKey([*b; 32])).collect()
    }

    #[test]
    fn the_quorum_is_more_than_two_thirds() {
        for (members, wanted) in [
            (1, 1),
            (2, 2),
            (3, 3),
            (4, 3),
            (5, 4),
            (6, 5),
            (7, 5),
            (20, 14),
            (100, 67),
        ] {
            assert_eq!(quorum(members), wanted);
            assert!(wanted * 3 > members * 2 && (wanted - 1) * 3 <= members * 2);
        }
    }

    #[test]
    fn a_datum_with_another_quorum_scheme_or_order_is_refused() {
        let committee = Committee::new(BRIDGE, 3, keys(&[2, 1, 3, 4])).expect("a committee");
        let datum = committee.to_data();
        assert_eq!(Committee::from_data(&datum), Ok(committee));
        let Data::Constr(0, good) = datum else {
            panic!("a constructor")
        };
        let backwards = Data::List(
            keys(&[2, 1, 3, 4])
                .iter()
                .map(|k| Data::bytes(k.0))
                .collect(),
        );
        for (at, bad) in [(2, backwards), (3, Data::Int(2)), (4, Data::Int(1))] {
            let mut fields = good.clone();
            fields[at] = bad;
            let expected = "a committee";
            assert_eq!(
                Committee::from_data(&Data::Constr(0, fields)),
                Err(WireError::Shape { expected })
            );
        }
    }

    #[test]
    fn repeated_keys_and_bad_sizes_are_refused() {
        let key = PublicKey([1; 32]);
        let repeated = Committee::new(BRIDGE, 0, keys(&[1, 2, 1]));
        assert_eq!(repeated, Err(CommitteeError::Repeated { key }));
        for provided in [0, MEMBERS_MAX + 1] {
            let many = (0..provided).map(|i| PublicKey([i as u8; 32])).collect();
            let maximum = MEMBERS_MAX;
            assert_eq!(
                Committee::new(BRIDGE, 0, many),
                Err(CommitteeError::Members { provided, maximum })
            );
        }
    }
}
