//! A devnet, a bridge on it, a committee of four, and people.

use std::{collections::BTreeMap, time::Duration};

use nupeer_cardano_client::LedgerEvaluator;
use nupeer_cardano_client::{
    Network, Node, OutputReference, ProtocolParameters, TransactionBuilder, UnsignedTransaction,
    Value, wallet::SigningKey,
};
use nupeer_devnet::{Config, Devnet, genesis::Account};
use nupeer_outbox::{
    Anchor, Deposit, Leaf,
    anchor::AssetTotals,
    certificate::{Certificate, CertificateError},
    credited::CreditedTree,
    leaf::PAYOUTS,
    merkle::Tree,
};
use nupeer_primitives::{
    AccountId, AssetId, Credential, Hash, Hash28, Height, PublicKey, Signature, Slot, TimeMs,
};
use nupeer_relayer::{
    Bridge, CardanoState, Deployment, Snapshot, convert,
    deploy::{self, Prepared, Submitter, Wanted},
    transactions::{Window, anchor, deposit, sweep},
};
use pallas_addresses::Address;
use tokio::{runtime::Handle, task::JoinError};

use crate::confirm::confirm;

pub(crate) const ADA: u64 = 1_000_000;

/// The devnet's default seed.
const SEED: u64 = 42;

/// One of the devnet's funded accounts.
pub(crate) fn person(index: u64) -> Submitter {
    let Account {
        payment_secret,
        address,
        ..
    } = Account::derive(SEED, index);
    Submitter {
        key: SigningKey::from_seed(payment_secret),
        address: Address::from_bytes(&address).unwrap(),
    }
}

/// A committee's member.
pub(crate) fn member(n: u8) -> SigningKey {
    SigningKey::from_seed([n; 32])
}

pub(crate) struct World {
    _folder: tempfile::TempDir,
    pub(crate) devnet: Devnet,
    pub(crate) node: Node,
    pub(crate) parameters: ProtocolParameters,
    pub(crate) evaluator: LedgerEvaluator,
    pub(crate) relayer: Submitter,
    pub(crate) bridge: Bridge,
    pub(crate) costs: Vec<(String, UnsignedTransaction)>,
}

/// A devnet with nothing on it.
pub(crate) struct Ground {
    folder: tempfile::TempDir,
    pub(crate) devnet: Devnet,
    pub(crate) node: Node,
}

impl Ground {
    pub(crate) async fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let config = Config {
            block_interval_ms: None,
            ..Config::new(folder.path())
        };
        let devnet = Devnet::start(config).await.unwrap();
        let genesis = devnet.genesis();
        let (k, epoch) = (
            genesis.profile.security_parameter(),
            genesis.profile.epoch_slots(),
        );
        let network = Network::devnet(TimeMs(genesis.system_start_ms), 1000, k, epoch);
        let node = Node::new(devnet.socket_path(), network);
        mint(&devnet, 3).await;
        Ground {
            folder,
            devnet,
            node,
        }
    }

    /// Deploys a bridge with two shards while blocks are made. An error is a panic of it.
    pub(crate) async fn deploy(&self) -> Result<(Deployment, Prepared), JoinError> {
        let wanted = Wanted {
            keys: (1..=4).map(|n| member(n).public_key()).collect(),
            shards: 2,
            assets: vec![],
        };
        let node = self.node.clone();
        let deploying = tokio::task::spawn_blocking(move || {
            let evaluator = LedgerEvaluator::new(&node.network);
            let patience = Duration::from_secs(60);
            let relayer = person(0);
            let deploying = deploy::deploy(&node, &wanted, &relayer, &evaluator, patience, |_| {});
            Handle::current().block_on(deploying).unwrap()
        });
        let minting = async {
            loop {
                tokio::time::sleep(Duration::from_millis(100)).await;
                mint(&self.devnet, 1).await;
            }
        };
        tokio::select! {
            deployed = deploying => deployed,
            () = minting => unreachable!(),
        }
    }
}

impl World {
    /// A bridge with two shards.
    pub(crate) async fn new() -> Self {
        let ground = Ground::new().await;
        let deployed = ground.deploy().await.unwrap();
        World::on(ground, deployed).await
    }

    /// That bridge.
    pub(crate) async fn on(ground: Ground, deployed: (Deployment, Prepared)) -> Self {
        let (deployment, prepared) = deployed;
        let Ground {
            folder,
            devnet,
            node,
        } = ground;
        let evaluator = LedgerEvaluator::new(&node.network);
        let parameters = node.parameters().await.unwrap();
        let mut costs = Vec::new();
        for made in prepared.transactions() {
            confirm(&made.signed, &parameters);
            costs.push((made.name.to_owned(), made.unsigned.clone()));
        }
        let bridge = deployment.check().unwrap();
        World {
            _folder: folder,
            devnet,
            node,
            parameters,
            evaluator,
            relayer: person(0),
            bridge,
            costs,
        }
    }

    pub(crate) async fn mint(&self, blocks: u64) {
        mint(&self.devnet, blocks).await;
    }

    pub(crate) async fn state(&self) -> CardanoState {
        let snapshot = Snapshot::read(&self.node, &self.bridge, &self.relayer.address);
        let snapshot = snapshot.await.unwrap();
        CardanoState::of(&self.bridge, &self.relayer.address, &snapshot).unwrap()
    }

    pub(crate) fn window(&self, state: &CardanoState) -> Window {
        Window::after(&self.node.network, state.tip.point.slot).unwrap()
    }

    /// Builds, confirms, signs, submits and puts into a block.
    pub(crate) async fn carry(
        &mut self,
        name: &str,
        builder: TransactionBuilder,
        who: &SigningKey,
    ) -> UnsignedTransaction {
        let unsigned = builder.build(&self.parameters, &self.evaluator).unwrap();
        let signed = unsigned.sign([who]).unwrap();
        confirm(&signed, &self.parameters);
        assert_eq!(self.node.submit(&signed.cbor).await.unwrap(), signed.id);
        self.mint(1).await;
        self.costs.push((name.to_owned(), unsigned.clone()));
        unsigned
    }

    pub(crate) async fn deposit(&mut self, index: u64, lovelace: u64) -> OutputReference {
        let who = person(index);
        let tip = self.node.tip().await.unwrap().unwrap();
        let (address, _) = nupeer_outbox::Address::from_bytes(&who.address.to_vec()).unwrap();
        let wish = Deposit {
            recipient: AccountId(Credential::Key(who.key.key_hash())),
            refund: address,
            nonce: index,
            credit_before: Slot(tip.point.slot.0 + 100),
        };
        let funds = self.node.utxos_at(std::slice::from_ref(&who.address)).await;
        let value = Value::lovelace(lovelace);
        let builder = deposit::build(&self.bridge, &wish, value, &who.address, funds.unwrap());
        let made = self.carry("deposit", builder, &who.key).await;
        made.utxos()[usize::from(deposit::DEPOSIT_INDEX)].reference
    }

    /// The next anchor, over these leaves and credited deposits.
    pub(crate) fn next_anchor(
        state: &CardanoState,
        leaves: &[Leaf],
        credited: &[OutputReference],
    ) -> Anchor {
        let credited: Vec<_> = credited.iter().map(|d| convert::reference(*d)).collect();
        let seq = state.head.datum.last_anchor_seq + 1;
        Anchor {
            seq,
            sidechain_height: Height(10 * seq),
            observed: (state.tip.point.slot, state.tip.point.hash),
            decided_until: Slot(0),
            outbox_roots: [(PAYOUTS, tree(leaves).root())].into(),
            credited_deposits_root: CreditedTree::new(&credited).root(),
            state_root: Hash([7; 32]),
            assets: [(AssetId::Ada, AssetTotals::default())].into(),
        }
    }

    /// A certificate by these members.
    pub(crate) fn certify(
        &self,
        state: &CardanoState,
        anchor: &Anchor,
        members: &[u8],
    ) -> Result<Certificate, CertificateError> {
        let head = convert::reference(state.head.utxo.reference);
        let id = self.bridge.scripts.bridge_id();
        let digest = anchor::statement(42, id, 0, head, anchor).digest();
        let sign = |n: &u8| -> (PublicKey, Signature) {
            (member(*n).public_key(), member(*n).sign(&digest.0))
        };
        Certificate::assemble(&self.bridge.committee, &digest, members.iter().map(sign))
    }

    pub(crate) async fn anchor(&mut self, leaves: &[Leaf], credited: &[OutputReference]) {
        let state = self.state().await;
        let anchor = Self::next_anchor(&state, leaves, credited);
        let certificate = self.certify(&state, &anchor, &[4, 1, 2]).unwrap();
        let builder = anchor::build(
            &self.bridge,
            &state,
            &self.relayer.address,
            &anchor,
            &certificate,
            &self.window(&state),
            &self.parameters,
        );
        let key = person(0).key;
        self.carry("anchor", builder.unwrap(), &key).await;
    }

    pub(crate) async fn sweep(
        &mut self,
        shard: u8,
        deposits: &[OutputReference],
        credited: &[OutputReference],
    ) {
        let state = self.state().await;
        let all: Vec<_> = credited.iter().map(|d| convert::reference(*d)).collect();
        let proofs = CreditedTree::new(&all);
        let path = |d: &OutputReference| (*d, proofs.proof(&convert::reference(*d)).unwrap());
        let paths: BTreeMap<_, _> = deposits.iter().map(path).collect();
        let builder = sweep::build(
            &state,
            &self.relayer.address,
            shard,
            state.last_anchor().unwrap(),
            &paths,
            &self.window(&state),
        );
        let key = person(0).key;
        self.carry(
            &format!("sweep of {}", deposits.len()),
            builder.unwrap(),
            &key,
        )
        .await;
    }

    pub(crate) async fn lovelace_at(&self, address: &Address) -> u64 {
        let utxos = self
            .node
            .utxos_at(std::slice::from_ref(address))
            .await
            .unwrap();
        utxos.iter().map(|utxo| utxo.output.value.coin()).sum()
    }
}

async fn mint(devnet: &Devnet, blocks: u64) {
    devnet.owner().mint(blocks).await.unwrap().unwrap();
}

pub(crate) fn tree(leaves: &[Leaf]) -> Tree {
    Tree::new(leaves.iter().map(Leaf::hash).collect())
}

/// Somebody's address of whom nothing else is known.
pub(crate) fn stranger(n: u8) -> nupeer_outbox::Address {
    nupeer_outbox::Address {
        payment: Credential::Key(Hash28([n; 28])),
        stake: Some(Credential::Key(Hash28([!n; 28]))),
    }
}
