//! A chain on which everything happened that its interface tells of.

use std::{
    sync::Arc,
    time::{SystemTime, UNIX_EPOCH},
};

use nupeer_bridge::actions::Withdraw;
use nupeer_lease::{
    Bond, Kind, LeaseId, MachineId, MachineTerms, Offer, Price, Resources, SignedOffer,
    actions::{PostRequest, RegisterMachine},
    request::Wanted,
};
use nupeer_ledger::{
    Scope,
    actions::{GrantKey, Transfer},
    sequence,
};
use nupeer_node::{Node, NodeHandle, api::Rate};
use nupeer_outbox::Address;
use nupeer_primitives::{
    Amount, AssetId, CardanoNetwork, Credential, Hash, Hash28, Signature, TimeMs,
};
use nupeer_runtime::{Action, Sender, SignedTransaction, Transaction};

use crate::support::{
    Cluster,
    bridge::{self, Told},
    chain,
    http::Served,
    is_final, soon,
};

pub(super) const TENANT: u16 = 0;
const OWNER: u16 = 1;
const ADA: u64 = 1_000_000;
const PRICE: u64 = 3_600_000;

fn now() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap();
    u64::try_from(since.as_millis()).unwrap()
}

/// A chain on which everything happened that its interface tells of, and the interface.
pub(super) struct Stage {
    _folder: tempfile::TempDir,
    node: Node,
    pub(super) handle: NodeHandle,
    pub(super) told: Arc<Told>,
    pub(super) api: Served,
}

impl Stage {
    pub(super) async fn new() -> Stage {
        let folder = tempfile::tempdir().unwrap();
        let cluster = Cluster::of(folder.path(), 1, bridge::genesis(1, Told::settings()));
        let told = Arc::new(Told::default());
        told.tell(vec![
            bridge::deposit_seen(1, chain::account(TENANT), 500 * ADA, false),
            bridge::deposit_seen(2, chain::account(OWNER), 200 * ADA, false),
            bridge::deposit_seen(3, chain::account(OWNER), 200 * ADA, true),
        ]);
        let node = Node::start(cluster.config(0), Some(told.clone()))
            .await
            .unwrap();
        let handle = node.handle();
        let api = Served::start(handle.clone(), Rate::default()).await;
        let credited = || nupeer_bridge::view::anchor(&handle.view().unwrap(), 1).is_some();
        let mut blocks = handle.subscribe();
        soon("credit, and an anchor with a quorum", async {
            while !credited() {
                let _ = blocks.recv().await;
            }
        })
        .await;
        Stage {
            _folder: folder,
            node,
            handle,
            told,
            api,
        }
    }

    /// The next transaction of an account.
    pub(super) fn signed(&self, by: u16, action: Action) -> SignedTransaction {
        let account = chain::account(by);
        let committed = sequence::next(&self.handle.view().unwrap(), &account, &account.hash());
        let sequence = self
            .handle
            .next_sequence(&account, &account.hash(), committed);
        let sender = Sender {
            account,
            key: account.hash(),
        };
        let transaction = Transaction {
            network: self.handle.chain().id,
            sender,
            sequence,
            valid_until: chain::NEVER,
            action,
        };
        chain::sign(&chain::key(by), transaction)
    }

    /// Executes it; its id.
    pub(super) async fn does(&self, by: u16, action: impl Into<Action>) -> Hash {
        let signed = self.signed(by, action.into()).to_bytes();
        let id = self.handle.submit(signed).await.unwrap();
        is_final(&self.handle, &id).await;
        id
    }

    pub(super) async fn machine(&self) -> MachineId {
        let terms = MachineTerms {
            operator: chain::public(&chain::key(OWNER)),
            endpoint: "http://127.0.0.1:1".into(),
            capacity: capacity(),
            scores: vec![],
            evidence: Hash([1; 32]),
        };
        let bond = Bond {
            kind: Kind::Container,
            asset: AssetId::Ada,
            amount: Amount::new(50_000_000),
        };
        let register = RegisterMachine {
            terms,
            bonds: vec![bond],
        };
        let register = nupeer_lease::Action::RegisterMachine(register);
        MachineId::registered_by(&self.does(OWNER, register).await)
    }

    pub(super) fn offer(&self, machine: MachineId, nonce: u64) -> SignedOffer {
        let offer = Offer {
            machine,
            kind: Kind::Container,
            capacity: capacity(),
            price: Price::Whole {
                lovelace_per_hour: PRICE,
            },
            duration_ms_max: 3_600_000,
            tenant: None,
            leases_max: 2,
            expires: TimeMs(now() + 600_000),
            nonce,
        };
        let (key, id) = (chain::key(OWNER), offer.id(&self.handle.chain().id));
        let signature = ed25519_dalek::Signer::sign(&key, &id.0.0);
        SignedOffer {
            operator: chain::public(&key),
            signature: Signature(signature.to_bytes()),
            offer,
        }
    }

    pub(super) async fn request(&self) -> LeaseId {
        let post = PostRequest {
            wanted: wanted(),
            escrow_lovelace: Amount::new(1_000_000),
        };
        let post = nupeer_lease::Action::PostRequest(post);
        LeaseId::requested_by(&self.does(TENANT, post).await)
    }

    pub(super) async fn end(self) {
        drop(self.handle);
        self.api.end().await;
        self.node.stop().await.unwrap();
    }
}

fn capacity() -> Resources {
    Resources {
        cpu_milli: 2_000,
        memory_bytes: 1 << 30,
        disk_bytes: 0,
        pids: 256,
        ports: 4,
    }
}

fn wanted() -> Wanted {
    Wanted {
        kind: Kind::Container,
        resources: Resources {
            cpu_milli: 200,
            memory_bytes: 64 << 20,
            disk_bytes: 0,
            pids: 32,
            ports: 1,
        },
        duration_ms: 600_000,
        image: Hash([4; 32]),
        manifest: Hash([5; 32]),
        score_floors: vec![],
        machine: None,
        price_max_lovelace_per_hour: PRICE,
        expires: TimeMs(now() + 600_000),
    }
}

pub(super) fn transfer() -> Action {
    let transfer = Transfer {
        to: chain::account(OWNER),
        asset: AssetId::Ada,
        amount: Amount::new(1_000_000),
    };
    nupeer_ledger::Action::Transfer(transfer).into()
}

pub(super) fn withdraw() -> Action {
    let to = Address::enterprise(Credential::Key(Hash28([7; 28])));
    let to = to.to_bytes(CardanoNetwork::Testnet);
    nupeer_bridge::Action::Withdraw(Withdraw::ada(to, Amount::new(5_000_000))).into()
}

pub(super) fn grant() -> Action {
    let grant = GrantKey {
        key: Hash28([9; 28]),
        scope: Scope::LEASE,
        budget_lovelace: Amount::new(1_000_000),
        expires: TimeMs(now() + 600_000),
    };
    nupeer_ledger::Action::GrantKey(grant).into()
}
