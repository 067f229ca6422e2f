//! Which bridge: one per seed and network.

use std::fmt;

use nupeer_primitives::{Hash, blake2b_256};

use crate::OutputReference;

const DOMAIN: &[u8; 16] = b"NuPeer/bridge/v1";

/// Names a bridge for ever: `H(domain(16) ‖ network magic(4) ‖ seed(32 + 4))`. The seed can be spent once, so no
/// second bridge has this id.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct BridgeId(pub Hash);

impl BridgeId {
    /// The id of the bridge that is born from `seed` on the network with this magic (1 preprod, 764,824,073 mainnet).
    pub fn derive(network_magic: u32, seed: &OutputReference) -> Self {
        BridgeId(blake2b_256(&[
            DOMAIN,
            &network_magic.to_be_bytes(),
            &seed.to_bytes(),
        ]))
    }
}

impl fmt::Display for BridgeId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl fmt::Debug for BridgeId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn another_network_or_seed_is_another_bridge() {
        let seed = OutputReference {
            transaction_id: Hash([1; 32]),
            index: 0,
        };
        let next = OutputReference { index: 1, ..seed };
        let id = BridgeId::derive(1, &seed);
        assert_ne!(id, BridgeId::derive(2, &seed));
        assert_ne!(id, BridgeId::derive(1, &next));
    }
}
