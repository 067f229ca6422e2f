//! The genesis: what a chain begins with, and the id that everything signed for it carries.

use minicbor::{Decode, Encode};
use nupeer_ledger::{Overlay, Params, memory::MemoryState};
use nupeer_primitives::{
    AccountId, Amount, AssetId, CardanoNetwork, CardanoPoint, Code, Hash, Height, Numbered,
    PublicKey, TimeMs, blake2b_256, cbor,
    consensus::{Validator, ValidatorSet, ValidatorSetError},
};

use crate::{
    error::BlockError,
    execute::Executed,
    journal,
    memory::MemoryTree,
    tip::Tip,
    tree::{self, EMPTY_ROOT},
};

mod bridge;
pub mod file;
mod market;

/// Longest name of a chain, in bytes, so that signed texts stay short.
pub const NAME_BYTES_MAX: usize = 10;

/// How large things may be.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Encode, Decode)]
pub struct Limits {
    /// A block's encoding, in bytes.
    #[n(0)]
    pub block_bytes_max: u32,
    /// A signed transaction's encoding, in bytes.
    #[n(1)]
    pub transaction_bytes_max: u32,
}

impl Default for Limits {
    fn default() -> Self {
        Limits {
            block_bytes_max: 2 << 20,
            transaction_bytes_max: 16 << 10,
        }
    }
}

/// The Cardano network that a chain stands beside.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Encode, Decode)]
pub struct CardanoSettings {
    /// The network's magic: 764824073 for mainnet, 1 for preprod, 2 for preview, 42 for the devnet.
    #[n(0)]
    pub magic: u32,
    /// Security parameter k, in blocks: how deep a block must lie to be named.
    #[n(1)]
    pub security_parameter: u32,
    /// The block from which on the chain observes.
    #[n(2)]
    pub from: CardanoPoint,
}

/// A validator of the first set.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Encode, Decode)]
pub struct GenesisValidator {
    /// The key that votes.
    #[n(0)]
    pub consensus_key: PublicKey,
    /// The key that signs anchors.
    #[n(1)]
    pub bridge_key: PublicKey,
    /// Voting power.
    #[n(2)]
    pub power: u64,
}

/// A balance that a chain without a bridge starts with; it counts as credited.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
pub struct Credit {
    /// Whose.
    #[n(0)]
    pub account: AccountId,
    /// Of what.
    #[n(1)]
    pub asset: AssetId,
    /// How much, in base units.
    #[n(2)]
    pub amount: Amount,
}

/// What a chain begins with.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
pub struct Genesis {
    /// A name of letters, digits and dashes that people read in what they sign.
    #[n(0)]
    pub name: String,
    /// 0 for test networks, 1 for mainnet.
    #[n(1)]
    pub cardano_network: u8,
    /// The Cardano network to follow, if any.
    #[n(2)]
    pub cardano: Option<CardanoSettings>,
    /// Unix ms; the first block's time lies above.
    #[n(3)]
    pub start: TimeMs,
    /// The first validators.
    #[n(4)]
    pub validators: Vec<GenesisValidator>,
    /// Sizes.
    #[n(5)]
    pub limits: Limits,
    /// Fees.
    #[n(6)]
    pub params: Params,
    /// First balances.
    #[n(7)]
    pub credits: Vec<Credit>,
    /// The market.
    #[n(8)]
    pub lease: nupeer_lease::Params,
    /// The bridge to the Cardano network that is followed, if there is one. Its first committee is the validators' bridge keys.
    #[n(9)]
    pub bridge: Option<nupeer_bridge::Settings>,
}

/// Why a genesis makes no chain.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum GenesisError {
    /// A name that is empty, too long or of other characters.
    #[error("the name {provided:?} is not 1 to {NAME_BYTES_MAX} of a–z, 0–9 and dashes")]
    Name {
        /// The name.
        provided: String,
    },
    /// Neither 0 nor 1.
    #[error("Cardano network {provided}: 0 is a test network, 1 is mainnet")]
    Network {
        /// The number.
        provided: u8,
    },
    /// The validators form no set.
    #[error(transparent)]
    Validators(#[from] ValidatorSetError),
    /// Blocks that could not hold one transaction.
    #[error("blocks of {block} bytes cannot hold transactions of {transaction}")]
    Limits {
        /// The block limit.
        block: u32,
        /// The transaction limit.
        transaction: u32,
    },
    /// A first balance that cannot be.
    #[error("first balances: {0}")]
    Credits(#[from] nupeer_ledger::LedgerError),
    /// Parameters under which the market would not work.
    #[error("market: {0}")]
    Lease(Box<nupeer_lease::LeaseError>),
    /// A bridge that would not work.
    #[error("bridge: {0}")]
    Bridge(Box<nupeer_bridge::BridgeError>),
    /// First balances that nothing on Cardano stands for.
    #[error("{credits} first balances: with a bridge, all value comes from Cardano")]
    CreditsWithBridge {
        /// How many.
        credits: usize,
    },
    /// A bridge to elsewhere than where the chain looks.
    #[error("a bridge to the Cardano network {provided}, the chain follows {expected:?}")]
    BridgeNetwork {
        /// Magic of the bridge's network.
        provided: u32,
        /// Magic of the network that is followed, if any, and of the chain's kind of network.
        expected: Option<u32>,
    },
    /// The first tree cannot be computed.
    #[error(transparent)]
    Tree(Box<BlockError>),
    /// The file is not a genesis.
    #[error("genesis file: {0}")]
    File(String),
}

impl Numbered for GenesisError {
    fn code(&self) -> Code {
        Code(match self {
            GenesisError::Name { .. } => 2140,
            GenesisError::Network { .. } => 2141,
            GenesisError::Validators(_) => 2142,
            GenesisError::Limits { .. } => 2143,
            GenesisError::Credits(_) => 2144,
            GenesisError::Tree(_) => 2145,
            GenesisError::File(_) => 2146,
            GenesisError::Lease(_) => 2147,
            GenesisError::Bridge(_) => 2148,
            GenesisError::CreditsWithBridge { .. } => 2149,
            GenesisError::BridgeNetwork { .. } => 2150,
        })
    }
}

fn bridge_error(error: nupeer_bridge::BridgeError) -> GenesisError {
    GenesisError::Bridge(Box::new(error))
}

/// What of the genesis every later rule needs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Chain {
    /// The genesis id.
    pub id: Hash,
    /// The chain's name.
    pub name: String,
    /// Which kind of Cardano network accounts belong to.
    pub cardano: CardanoNetwork,
    /// The Cardano network that is followed, if any.
    pub follows: Option<CardanoSettings>,
    /// Sizes.
    pub limits: Limits,
    /// Who decides.
    pub validators: ValidatorSet,
}

impl Genesis {
    /// The genesis id: it binds every field.
    pub fn id(&self) -> Hash {
        blake2b_256(&[b"nupeer/genesis/1", &cbor::encode(self)])
    }

    /// Checks the genesis and derives what later rules need.
    pub fn chain(&self) -> Result<Chain, GenesisError> {
        let Limits {
            block_bytes_max: block,
            transaction_bytes_max: transaction,
        } = self.limits;
        if block < transaction.saturating_add(1024) {
            return Err(GenesisError::Limits { block, transaction });
        }
        let votes = |v: &GenesisValidator| Validator {
            public_key: v.consensus_key,
            power: v.power,
        };
        let cardano = match self.cardano_network {
            0 => CardanoNetwork::Testnet,
            1 => CardanoNetwork::Mainnet,
            provided => return Err(GenesisError::Network { provided }),
        };
        self.check_bridge(cardano)?;
        Ok(Chain {
            id: self.id(),
            name: self.checked_name()?,
            cardano,
            follows: self.cardano,
            limits: self.limits,
            validators: ValidatorSet::new(self.validators.iter().map(votes))?,
        })
    }

    /// A bridge leads to the network that the chain follows, and all value comes over it.
    fn check_bridge(&self, network: CardanoNetwork) -> Result<(), GenesisError> {
        let Some(bridge) = &self.bridge else {
            return Ok(());
        };
        bridge.check().map_err(bridge_error)?;
        let expected = self.cardano.map(|settings| settings.magic);
        let provided = bridge.network_magic;
        if expected != Some(provided) || bridge.network() != network {
            return Err(GenesisError::BridgeNetwork { provided, expected });
        }
        match self.credits.len() {
            0 => Ok(()),
            credits => Err(GenesisError::CreditsWithBridge { credits }),
        }
    }

    fn checked_name(&self) -> Result<String, GenesisError> {
        let allowed = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-';
        if !(1..=NAME_BYTES_MAX).contains(&self.name.len()) || !self.name.bytes().all(allowed) {
            return Err(GenesisError::Name {
                provided: self.name.clone(),
            });
        }
        Ok(self.name.clone())
    }

    /// The first state, as if a block of height 0 had made it.
    pub fn execute(&self) -> Result<Executed, GenesisError> {
        let chain = self.chain()?;
        let empty = MemoryState::default();
        let mut state = Overlay::new(&empty);
        let credits: Vec<_> = self
            .credits
            .iter()
            .map(|c| (c.account, c.asset.clone(), c.amount))
            .collect();
        nupeer_ledger::genesis::init(&mut state, &self.params, &credits)?;
        nupeer_lease::genesis::init(&mut state, &chain.id, &self.lease)
            .map_err(|error| GenesisError::Lease(Box::new(error)))?;
        if let (Some(bridge), Some(cardano)) = (&self.bridge, &self.cardano) {
            let keys = self.validators.iter().map(|v| v.bridge_key).collect();
            let done = nupeer_bridge::genesis::init(&mut state, bridge, cardano.from, keys);
            done.map_err(bridge_error)?;
        }
        let changes = state.into_changes();
        let tree = tree::update(&MemoryTree::default(), None, &changes.proven);
        let tree = tree.map_err(|error| GenesisError::Tree(Box::new(error)))?;
        let tip = Tip {
            height: Height(0),
            id: chain.id,
            time: self.start,
            cardano: self.cardano.map(|settings| settings.from),
            tree_version: tree.as_ref().map(|update| update.version),
            tree_root: tree.as_ref().map_or(EMPTY_ROOT, |update| update.root),
            journal: journal::advance(&journal::EMPTY, &changes.plain),
        };
        Ok(Executed {
            tip,
            changes,
            tree,
            events: Vec::new(),
            fees: Vec::new(),
            anchored: Vec::new(),
        })
    }
}
