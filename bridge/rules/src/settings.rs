//! What a chain's genesis says of its bridge.

use minicbor::{Decode, Encode};
use nupeer_ledger::{StateRead, StateWrite};
use nupeer_observe::Scope;
use nupeer_outbox::{BridgeId, OutputReference, Shard};
use nupeer_primitives::{AssetId, CardanoNetwork, Hash, Hash28, cbor};

use crate::error::BridgeError;

/// Magic of Cardano's mainnet; every other network is a test network.
const MAINNET_MAGIC: u32 = 764_824_073;

/// A bridge as it was born on Cardano, and the figures by which it works. Whoever joins derives scripts and outputs from the seed and
/// compares (`cardano/contracts`).
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
pub struct Settings {
    /// The bridge's id, which follows from network and seed.
    #[n(0)]
    pub bridge_id: BridgeId,
    /// Magic of the Cardano network.
    #[n(1)]
    pub network_magic: u32,
    /// The output whose spending gave birth to it.
    #[n(2)]
    pub seed: OutputReference,
    /// Id of the transaction of birth: outputs committee, head, shards.
    #[n(3)]
    pub birth: Hash,
    /// Hashes of the scripts that blocks are searched for.
    #[n(4)]
    pub scope: Scope,
    /// Script that the committee lies at.
    #[n(5)]
    pub committee: Hash28,
    /// Number of shards, at least one.
    #[n(6)]
    pub shards: u8,
    /// Native assets that may enter, ascending; ADA always may.
    #[n(7)]
    pub assets: Vec<AssetId>,
    /// Figures.
    #[n(8)]
    pub params: Params,
}

/// Most payments in one transaction: at 80, outputs with a token of the longest name and with the largest amounts leave room for a shard
/// of four assets. A leaf that fits no transaction could never be paid, and nothing after it.
const LEAF_OUTPUTS_MAX: u64 = 80;

/// Most that a smallest deposit may be: 1,000 ADA, a thousand times what carrying one costs. Above it the parameter would be no guard of relayers but a door
/// that few can pass.
pub const DEPOSIT_MIN_LOVELACE_MAX: u64 = 1_000_000_000;

/// The bridge's parameters.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Encode, Decode)]
pub struct Params {
    /// Cardano's `coinsPerUTxOByte`, by which an output's minimum is computed.
    #[n(0)]
    pub utxo_cost_per_byte_lovelace: u64,
    /// Least ADA of a withdrawal of ADA, beside its output's minimum.
    #[n(1)]
    pub withdrawal_min_lovelace: u64,
    /// Most payments in one transaction of a shard.
    #[n(2)]
    pub leaf_outputs_max: u32,
    /// Blocks between making one anchor and the next: what comes meanwhile travels together.
    #[n(3)]
    pub anchor_interval_blocks: u64,
    /// Blocks after which an anchor that is not on Cardano is made again, if there is more to say.
    #[n(4)]
    pub anchor_timeout_blocks: u64,
    /// Least ADA in a deposit that is credited: sweeping one costs a relayer a share of a transaction, however small it is. At most
    /// [`DEPOSIT_MIN_LOVELACE_MAX`].
    #[n(5)]
    pub deposit_min_lovelace: u64,
}

impl Default for Params {
    fn default() -> Self {
        Params {
            utxo_cost_per_byte_lovelace: 4_310,
            withdrawal_min_lovelace: 2_000_000,
            leaf_outputs_max: 80,
            anchor_interval_blocks: 5,
            anchor_timeout_blocks: 600,
            deposit_min_lovelace: 5_000_000,
        }
    }
}

const KEY: &[u8] = b"bridge/settings";

impl Settings {
    /// Which kind of Cardano network addresses belong to.
    pub fn network(&self) -> CardanoNetwork {
        match self.network_magic {
            MAINNET_MAGIC => CardanoNetwork::Mainnet,
            _ => CardanoNetwork::Testnet,
        }
    }

    /// Whether an asset may enter and leave.
    pub fn lists(&self, asset: &AssetId) -> bool {
        *asset == AssetId::Ada || self.assets.contains(asset)
    }

    /// Every asset that may enter, ADA first.
    pub fn all_assets(&self) -> impl Iterator<Item = AssetId> + '_ {
        [AssetId::Ada]
            .into_iter()
            .chain(self.assets.iter().cloned())
    }

    /// The output of birth at that place.
    pub fn born(&self, index: u32) -> OutputReference {
        OutputReference {
            transaction_id: self.birth,
            index,
        }
    }

    /// Checks what follows from other fields, and that the figures make sense.
    ///
    /// # Errors
    /// A bridge id of another seed; no shard; assets that do not ascend or are too many for a shard; figures of nothing.
    pub fn check(&self) -> Result<(), BridgeError> {
        let expected = BridgeId::derive(self.network_magic, &self.seed);
        let provided = self.bridge_id;
        if provided != expected {
            return Err(BridgeError::WrongBridgeId { provided, expected });
        }
        if self.shards == 0 {
            return Err(BridgeError::NoShard);
        }
        let ascending = self.assets.windows(2).all(|pair| pair[0] < pair[1]);
        if !ascending || self.assets.contains(&AssetId::Ada) {
            return Err(BridgeError::AssetsOutOfOrder);
        }
        Shard::new(0, self.assets.iter().cloned())?;
        self.params.check()
    }

    /// Those in the state; `None` on a chain without a bridge.
    pub fn load(state: &dyn StateRead) -> Option<Settings> {
        state.plain(KEY).and_then(|bytes| cbor::decode(&bytes).ok())
    }

    pub(crate) fn store(&self, state: &mut dyn StateWrite) {
        state.set_plain(KEY.to_vec(), Some(cbor::encode(self)));
    }
}

impl Params {
    /// Each figure with what it must be between.
    fn check(&self) -> Result<(), BridgeError> {
        let (provided, maximum) = (self.deposit_min_lovelace, DEPOSIT_MIN_LOVELACE_MAX);
        if provided > maximum {
            return Err(BridgeError::SmallestDeposit { provided, maximum });
        }
        for (parameter, provided, minimum, maximum) in [
            (
                "utxo_cost_per_byte_lovelace",
                self.utxo_cost_per_byte_lovelace,
                1,
                1_000_000,
            ),
            (
                "leaf_outputs_max",
                self.leaf_outputs_max.into(),
                1,
                LEAF_OUTPUTS_MAX,
            ),
            (
                "anchor_interval_blocks",
                self.anchor_interval_blocks,
                1,
                u64::MAX,
            ),
            (
                "anchor_timeout_blocks",
                self.anchor_timeout_blocks,
                1,
                u64::MAX,
            ),
        ] {
            if !(minimum..=maximum).contains(&provided) {
                return Err(BridgeError::Parameter {
                    parameter,
                    provided,
                    minimum,
                    maximum,
                });
            }
        }
        Ok(())
    }
}
