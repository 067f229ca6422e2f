//! The validators' signatures under anchors find room where nobody else does.

use ed25519_dalek::{Signer, SigningKey};
use nupeer_bridge::{Action as Bridge, BridgeError, Params, Settings, actions::SignAnchor, view};
use nupeer_observe::{DepositDatum, DepositSeen, Observation, Scope};
use nupeer_outbox::{Address, BridgeId, Deposit, OutputReference, Value};
use nupeer_primitives::{CardanoPoint, Credential, Signature, Slot};
use nupeer_runtime::{
    BlockInput, Chain, Genesis, Sender, Tip, execute, genesis::CardanoSettings, memory::MemoryStore,
};

use super::*;
use crate::{
    testing::{self, NEVER, Pay, bridge_key, public},
    verified::VerifiedCache,
};

const MAGIC: u32 = 42;

fn output(n: u8) -> OutputReference {
    OutputReference {
        transaction_id: Hash([n; 32]),
        index: 0,
    }
}

fn point(n: u8) -> CardanoPoint {
    CardanoPoint {
        slot: Slot(100 + u64::from(n)),
        hash: Hash([n; 32]),
    }
}

fn bridged() -> Genesis {
    let script = |n| Hash28([n; 28]);
    let bridge = Settings {
        bridge_id: BridgeId::derive(MAGIC, &output(1)),
        network_magic: MAGIC,
        seed: output(1),
        birth: Hash([2; 32]),
        scope: Scope {
            genesis: script(1),
            head: script(2),
            anchor: script(3),
            vault: script(4),
            deposit: script(5),
        },
        committee: script(6),
        shards: 2,
        assets: vec![],
        params: Params::default(),
    };
    Genesis {
        cardano: Some(CardanoSettings {
            magic: MAGIC,
            security_parameter: 12,
            from: point(0),
        }),
        bridge: Some(bridge),
        ..testing::genesis(2, 0)
    }
}

fn deposit(n: u8) -> Observation {
    let datum = Deposit {
        recipient: testing::account(n.into()),
        refund: Address::enterprise(Credential::Key(Hash28([n; 28]))),
        nonce: 0,
        credit_before: Slot(u64::MAX),
    };
    Observation::Deposit(DepositSeen {
        output: output(10 + n),
        slot: Slot(100),
        value: Value::lovelace(100_000_000),
        datum: DepositDatum::WellFormed(datum),
        has_reference_script: false,
        has_staking_part: false,
    })
}

/// A chain after the block that credited accounts 0 and 1, and made the anchor that says so.
struct World {
    chain: Chain,
    store: MemoryStore,
    tip: Tip,
}

impl World {
    fn new() -> Self {
        let genesis = bridged();
        let (chain, executed) = (genesis.chain().unwrap(), genesis.execute().unwrap());
        let (mut store, tip) = (MemoryStore::default(), executed.tip.clone());
        store.commit(executed);
        let input = BlockInput {
            time: TimeMs(2_000),
            proposer: Hash28([1; 28]),
            cardano: Some(point(1)),
            observations: [0, 1].map(|n| deposit(n).to_bytes()).to_vec(),
        };
        let none = std::iter::empty();
        let built = execute::propose(&store, &chain, &tip, &input, none).unwrap();
        let tip = built.executed.tip.clone();
        store.commit(built.executed);
        World { chain, store, tip }
    }

    /// A signature under the anchor that waits.
    fn signature(&self, key: &SigningKey) -> Bytes {
        let to_sign = view::to_sign(&self.store).expect("an anchor waits");
        let action = SignAnchor {
            seq: to_sign.seq,
            signature: Signature(key.sign(&to_sign.digest.0).to_bytes()),
        };
        let account = AccountId::of_key(public(key).hash());
        let transaction = Transaction {
            network: self.chain.id,
            sender: Sender {
                account,
                key: account.hash(),
            },
            sequence: 0,
            valid_until: NEVER,
            action: Bridge::SignAnchor(action).into(),
        };
        testing::sign(key, transaction).to_bytes().into()
    }

    fn submit(&self, pool: &mut Mempool, bytes: &Bytes) -> Result<(), MempoolError> {
        let verified = VerifiedCache::new(self.chain.clone()).verify(bytes);
        let candidate = Candidate {
            bytes: bytes.clone(),
            verified: verified.unwrap(),
        };
        let next = Next {
            height: self.tip.height.next(),
            time: TimeMs(3_000),
        };
        pool.admit(&self.store, next, candidate, Origin::Peer)
            .map(drop)
    }
}

#[test]
fn a_full_mempool_takes_the_validators_signatures_and_nobody_elses() {
    let world = World::new();
    let (first, second) = (Pay::new(0, 1, 0), Pay::new(1, 0, 0));
    let (first, second) = (first.bytes(&world.chain), second.bytes(&world.chain));
    let [one, other] = [0, 1].map(|n| world.signature(&bridge_key(n)));
    let counted = Limits {
        count_max: 1,
        system_count_max: 1,
        ..Limits::default()
    };
    let weighed = Limits {
        bytes_max: first.len(),
        system_bytes_max: one.len(),
        ..Limits::default()
    };
    for limits in [counted, weighed] {
        let mut pool = Mempool::new(limits);
        world.submit(&mut pool, &first).unwrap();
        let refused = world.submit(&mut pool, &second).unwrap_err();
        assert!(
            matches!(refused, MempoolError::Full { count: 1, .. }),
            "{refused}"
        );
        // Who is no validator finds no room by calling it a system transaction.
        let stranger = world.signature(&testing::key(2));
        let refused = world.submit(&mut pool, &stranger).unwrap_err();
        let key = testing::account(2).hash();
        let not_member = TransactionError::from(BridgeError::NotMember { key });
        assert_eq!(refused, MempoolError::from(not_member));
        world.submit(&mut pool, &one).unwrap();
        let full = world.submit(&mut pool, &other).unwrap_err();
        assert!(
            matches!(full, MempoolError::Full { count: 2, .. }),
            "{full}"
        );
        // It goes into the next block, before what came before it.
        let offered: Vec<Bytes> = pool.offer(10_000).into_iter().map(|c| c.bytes).collect();
        assert_eq!(offered, [one.clone(), first.clone()]);
    }
}
