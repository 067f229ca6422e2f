//! A chain with a bridge: its genesis, deposits on a devnet, and a Cardano that a test tells block by block.
#![allow(
    dead_code,
    unreachable_pub,
    reason = "each test binary uses its own part"
)]

use std::sync::{Arc, Mutex};

use nupeer_bridge::{Params, Settings};
use nupeer_cardano_client::{
    Node as CardanoNode, Output, TransactionBuilder, Value as CardanoValue,
    builder::{Change, NoScripts},
    wallet::SigningKey,
};
use nupeer_contracts::{BridgeScripts, Validator};
use nupeer_devnet::genesis::Account;
use nupeer_node::cardano::{CardanoHealth, CardanoView, ObservationError, Observe};
use nupeer_observe::{DepositDatum, DepositSeen, Observation, Scope};
use nupeer_outbox::{Address, Deposit, OutputReference, Value};
use nupeer_primitives::{AccountId, CardanoNetwork, CardanoPoint, Credential, Hash, Hash28, Slot};
use nupeer_runtime::{Genesis, genesis::CardanoSettings};
use pallas_addresses::Address as CardanoAddress;

use super::chain;

/// The devnet's default seed.
const DEVNET_SEED: u64 = 42;
/// A slot that no test reaches.
const NEVER: Slot = Slot(1 << 40);

fn scripts(magic: u32) -> BridgeScripts {
    let seed = OutputReference {
        transaction_id: Hash([9; 32]),
        index: 0,
    };
    BridgeScripts::derive(magic, seed).unwrap()
}

/// A bridge that nobody deployed: what concerns it in a block is found by its scripts alone.
pub fn settings(magic: u32) -> Settings {
    let scripts = scripts(magic);
    let hash = |validator| scripts.hash(validator);
    Settings {
        bridge_id: scripts.bridge_id(),
        network_magic: magic,
        seed: scripts.seed(),
        birth: Hash([8; 32]),
        scope: Scope {
            genesis: hash(Validator::Genesis),
            head: hash(Validator::Head),
            anchor: hash(Validator::Anchor),
            vault: hash(Validator::Vault),
            deposit: hash(Validator::Deposit),
        },
        committee: hash(Validator::Committee),
        shards: 2,
        assets: vec![],
        params: Params::default(),
    }
}

/// The genesis of a chain with a bridge to that Cardano.
pub fn genesis(validators: u8, cardano: CardanoSettings) -> Genesis {
    Genesis {
        cardano: Some(cardano),
        bridge: Some(settings(cardano.magic)),
        ..chain::genesis(validators, 0)
    }
}

/// What a node of a chain with a bridge observes.
pub fn observe(magic: u32) -> Arc<Observe> {
    let scope = settings(magic).scope;
    Arc::new(move |block: &[u8]| -> Result<Vec<Vec<u8>>, String> {
        let seen = nupeer_observe::observe(&scope, block).map_err(|error| error.to_string())?;
        Ok(seen.iter().map(Observation::to_bytes).collect())
    })
}

fn datum(recipient: AccountId) -> Deposit {
    Deposit {
        recipient,
        refund: Address::enterprise(Credential::Key(Hash28([7; 28]))),
        nonce: 0,
        credit_before: NEVER,
    }
}

/// Deposits on a devnet by an ordinary transaction, which waits for the next block.
pub async fn deposit(cardano: &CardanoNode, recipient: AccountId, lovelace: u64) {
    let from = Account::derive(DEVNET_SEED, 1);
    let address = CardanoAddress::from_bytes(&from.address).unwrap();
    let magic = u32::try_from(cardano.network.magic).unwrap();
    let to = scripts(magic)
        .address(Validator::Deposit)
        .to_bytes(CardanoNetwork::Testnet);
    let output = Output::new(
        CardanoAddress::from_bytes(&to).unwrap(),
        CardanoValue::lovelace(lovelace),
    )
    .with_inline_datum(&datum(recipient).to_data());
    let parameters = cardano.parameters().await.unwrap();
    let funds = cardano.utxos_at(std::slice::from_ref(&address));
    let unsigned = TransactionBuilder::new(Change::to(address.clone()))
        .available(funds.await.unwrap())
        .pay(output)
        .build(&parameters, &NoScripts)
        .unwrap();
    let key = SigningKey::from_seed(from.payment_secret);
    let signed = unsigned.sign([&key]).unwrap();
    cardano.submit(&signed.cbor).await.unwrap();
}

/// A deposit as it is observed, in an output of its own for each `n`. One with a reference script is refused.
pub fn deposit_seen(
    n: u8,
    recipient: AccountId,
    lovelace: u64,
    has_reference_script: bool,
) -> Observation {
    Observation::Deposit(DepositSeen {
        output: OutputReference {
            transaction_id: Hash([n; 32]),
            index: 0,
        },
        slot: Slot(5),
        value: Value::lovelace(lovelace),
        datum: DepositDatum::WellFormed(datum(recipient)),
        has_reference_script,
        has_staking_part: false,
    })
}

/// A Cardano in which a test puts block after block, deep at once, each with its observations.
#[derive(Default)]
pub struct Told {
    blocks: Mutex<Vec<Vec<Observation>>>,
    halted: Mutex<Option<String>>,
}

impl Told {
    /// Its network, and the block before the first that is told.
    pub fn settings() -> CardanoSettings {
        CardanoSettings {
            magic: 42,
            security_parameter: 12,
            from: Told::point_of(0),
        }
    }

    fn point_of(number: usize) -> CardanoPoint {
        let slot = Slot(u64::try_from(number).unwrap());
        let hash = Hash([u8::try_from(number).unwrap(); 32]);
        CardanoPoint { slot, hash }
    }

    fn number_of(point: CardanoPoint) -> usize {
        usize::try_from(point.slot.0).unwrap()
    }

    /// The next block.
    pub fn tell(&self, observations: Vec<Observation>) {
        self.blocks.lock().unwrap().push(observations);
    }

    /// What the node says of why it takes no part in bridge actions.
    pub fn halt(&self, reason: Option<&str>) {
        *self.halted.lock().unwrap() = reason.map(str::to_owned);
    }
}

impl CardanoView for Told {
    fn point(&self, parent: Option<CardanoPoint>) -> Option<CardanoPoint> {
        let newest = Told::point_of(self.blocks.lock().unwrap().len());
        parent.map(|_| newest)
    }

    fn observations(
        &self,
        parent: Option<CardanoPoint>,
        point: Option<CardanoPoint>,
    ) -> Result<Vec<Vec<u8>>, ObservationError> {
        let (parent, point) = (parent.unwrap(), point.unwrap());
        let blocks = self.blocks.lock().unwrap();
        let between = &blocks[Told::number_of(parent)..Told::number_of(point)];
        Ok(between
            .iter()
            .flatten()
            .map(Observation::to_bytes)
            .collect())
    }

    fn health(&self) -> CardanoHealth {
        CardanoHealth {
            connected: true,
            halted: self.halted.lock().unwrap().clone(),
            ..CardanoHealth::default()
        }
    }
}
