//! Names of machines, leases and offers.

use std::fmt;

use minicbor::{Decode, Encode};
use nupeer_primitives::{Hash, blake2b_256};

macro_rules! id {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Encode, Decode)]
        #[cbor(transparent)]
        pub struct $name(pub Hash);

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.fmt(f)
            }
        }
    };
}

id!(
    /// A machine: a hash of the transaction that registered it.
    MachineId
);
id!(
    /// A request and the lease made from it: a hash of the transaction that posted the request. Their escrow is the hold of this id.
    LeaseId
);
id!(
    /// An offer: the hash that its operator key signs.
    OfferId
);

impl MachineId {
    /// The machine that the transaction with this id registers.
    pub fn registered_by(transaction: &Hash) -> Self {
        MachineId(blake2b_256(&[b"nupeer/machine/1", &transaction.0]))
    }

    /// The first 16 hexadecimal digits, for texts that have no room for all.
    pub fn short(&self) -> String {
        self.to_string().chars().take(16).collect()
    }
}

impl LeaseId {
    /// The request that the transaction with this id posts.
    pub fn requested_by(transaction: &Hash) -> Self {
        LeaseId(blake2b_256(&[b"nupeer/lease/1", &transaction.0]))
    }
}
