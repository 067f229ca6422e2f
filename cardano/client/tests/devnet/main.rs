//! The client against the devnet: over its socket, judged by its ledger and its phase two.

mod following;
mod transactions;

use std::time::Duration;

use nupeer_cardano_client::{Network, Node, SignedTransaction, Utxo, wallet::SigningKey};
use nupeer_devnet::{Config, Devnet, genesis::Account};
use nupeer_primitives::TimeMs;
use pallas_addresses::Address;

/// Longer than anything here takes on a slow machine.
const PATIENCE: Duration = Duration::from_secs(60);

/// The devnet's default seed.
const SEED: u64 = 42;

/// A devnet that makes blocks on demand, and a client of it.
struct World {
    _folder: tempfile::TempDir,
    devnet: Devnet,
    node: Node,
}

impl World {
    async fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let config = Config {
            block_interval_ms: None,
            ..Config::new(folder.path())
        };
        let devnet = Devnet::start(config).await.unwrap();
        let genesis = devnet.genesis();
        let profile = genesis.profile;
        let network = Network::devnet(
            TimeMs(genesis.system_start_ms),
            1000,
            profile.security_parameter(),
            profile.epoch_slots(),
        );
        let node = Node::new(devnet.socket_path(), network);
        World {
            _folder: folder,
            devnet,
            node,
        }
    }

    async fn mint(&self, blocks: u64) {
        self.devnet.owner().mint(blocks).await.unwrap().unwrap();
    }

    async fn submit(&self, signed: &SignedTransaction) {
        assert_eq!(self.node.submit(&signed.cbor).await.unwrap(), signed.id);
    }

    async fn utxos(&self, who: &Person) -> Vec<Utxo> {
        self.node
            .utxos_at(std::slice::from_ref(&who.address))
            .await
            .unwrap()
    }
}

/// One of the devnet's funded accounts.
struct Person {
    key: SigningKey,
    address: Address,
}

impl Person {
    fn new(index: u64) -> Self {
        let Account {
            payment_secret,
            address,
            ..
        } = Account::derive(SEED, index);
        Person {
            key: SigningKey::from_seed(payment_secret),
            address: Address::from_bytes(&address).unwrap(),
        }
    }
}
