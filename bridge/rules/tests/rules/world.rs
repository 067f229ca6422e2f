//! A chain with a bridge of two shards and four validators, and the Cardano beside it.

use std::collections::BTreeMap;

use ed25519_dalek::{Signer, SigningKey};
use nupeer_bridge::{
    Action, Begin, BridgeError, End, Event, Params, Settings, WithdrawalId, WithdrawalState,
    actions::{CancelWithdrawal, SignAnchor, Withdraw},
    block, genesis, invariants,
    view::{self, AnchorView},
};
use nupeer_ledger::{Context, Overlay, Purse, memory::MemoryState, purse};
use nupeer_observe::{
    AnchorSeen, DepositDatum, DepositSeen, HeadSeen, Observation, Scope, ShardSeen,
};
use nupeer_outbox::{
    Address, BridgeId, Deposit, Leaf, OutputReference, Shard, Value, shard::RESERVE_LOVELACE,
};
use nupeer_primitives::{
    AccountId, Amount, AssetId, CardanoNetwork, CardanoPoint, Credential, Hash, Hash28, Height,
    PublicKey, Signature, Slot, TimeMs, plutus::Data,
};

pub(crate) const ADA: u64 = 1_000_000;
pub(crate) const MAGIC: u32 = 42;

pub(crate) fn token() -> AssetId {
    AssetId::Native {
        policy: Hash28([0x77; 28]),
        name: b"USDM".to_vec(),
    }
}

pub(crate) fn account(n: u8) -> AccountId {
    AccountId::of_key(Hash28([n; 28]))
}

pub(crate) fn address(n: u8) -> Address {
    Address {
        payment: Credential::Key(Hash28([n; 28])),
        stake: Some(Credential::Key(Hash28([n; 28]))),
    }
}

pub(crate) fn address_bytes(n: u8) -> Vec<u8> {
    address(n).to_bytes(CardanoNetwork::Testnet)
}

pub(crate) fn place(tx: u64, index: u32) -> OutputReference {
    let mut id = [0xee; 32];
    id[..8].copy_from_slice(&tx.to_be_bytes());
    OutputReference {
        transaction_id: Hash(id),
        index,
    }
}

pub(crate) fn settings() -> Settings {
    let seed = place(1, 0);
    Settings {
        bridge_id: BridgeId::derive(MAGIC, &seed),
        network_magic: MAGIC,
        seed,
        birth: Hash([0xb1; 32]),
        scope: Scope {
            genesis: Hash28([1; 28]),
            head: Hash28([2; 28]),
            anchor: Hash28([3; 28]),
            vault: Hash28([4; 28]),
            deposit: Hash28([5; 28]),
        },
        committee: Hash28([6; 28]),
        shards: 2,
        assets: vec![token()],
        params: Params {
            anchor_interval_blocks: 2,
            anchor_timeout_blocks: 20,
            leaf_outputs_max: 3,
            deposit_min_lovelace: 2_000_000,
            ..Params::default()
        },
    }
}

pub(crate) fn member(n: u8) -> SigningKey {
    SigningKey::from_bytes(&[n + 100; 32])
}

pub(crate) fn public(key: &SigningKey) -> PublicKey {
    PublicKey(key.verifying_key().to_bytes())
}

/// What a deposit's datum says, good for ever.
pub(crate) fn datum(recipient: u8) -> Deposit {
    Deposit {
        recipient: account(recipient),
        refund: address(recipient),
        nonce: 0,
        credit_before: Slot(u64::MAX),
    }
}

/// What lies on Cardano, as the bridge's scripts let it move.
#[derive(Clone)]
pub(crate) struct Cardano {
    pub(crate) head: OutputReference,
    pub(crate) anchors: u64,
    pub(crate) shards: Vec<(OutputReference, Shard, Value)>,
    pub(crate) deposits: BTreeMap<OutputReference, Value>,
    transactions: u64,
}

impl Cardano {
    fn new(settings: &Settings) -> Self {
        let shard = |n: u8| {
            let state = Shard::new(n, settings.assets.iter().cloned()).unwrap();
            let value = Value::lovelace(RESERVE_LOVELACE);
            (settings.born(2 + u32::from(n)), state, value)
        };
        Cardano {
            head: settings.born(1),
            anchors: 0,
            shards: (0..settings.shards).map(shard).collect(),
            deposits: BTreeMap::new(),
            transactions: 100,
        }
    }

    pub(crate) fn next(&mut self, index: u32) -> OutputReference {
        self.transactions += 1;
        place(self.transactions, index)
    }

    pub(crate) fn deposit(&mut self, value: Value, datum: Deposit) -> DepositSeen {
        let output = self.next(0);
        self.deposits.insert(output, value.clone());
        DepositSeen {
            output,
            slot: Slot(500),
            value,
            datum: DepositDatum::WellFormed(datum),
            has_reference_script: false,
            has_staking_part: false,
        }
    }

    pub(crate) fn publish(&mut self, anchor: &AnchorView) -> Vec<Observation> {
        assert_eq!(anchor.record.spends, self.head, "spends the head");
        assert_eq!(anchor.record.anchor.seq, self.anchors + 1);
        self.anchors += 1;
        self.head = self.next(0);
        let output = OutputReference {
            index: 1,
            ..self.head
        };
        vec![
            Observation::Head(HeadSeen {
                output: self.head,
                seq: self.anchors,
            }),
            Observation::Anchor(AnchorSeen {
                output,
                seq: self.anchors,
                body_hash: anchor.record.anchor.body_hash(),
            }),
        ]
    }

    /// Moves a shard to a new output with what `change` does to it; `with` is spent beside it.
    pub(crate) fn step(
        &mut self,
        shard: u8,
        with: &[OutputReference],
        change: impl FnOnce(&mut Shard, &mut Value),
    ) -> ShardSeen {
        let output = self.next(0);
        let (at, state, value) = &mut self.shards[usize::from(shard)];
        let mut spent = [&[*at][..], with].concat();
        spent.sort();
        change(state, value);
        *at = output;
        let nft = settings().scope.shard_token(shard);
        ShardSeen {
            output,
            state: state.clone(),
            value: value.clone().with(nft, Amount::new(1)),
            spent,
        }
    }

    pub(crate) fn sweep(&mut self, shard: u8, deposits: &[OutputReference]) -> Observation {
        let taken = deposits.iter().map(|at| self.deposits.remove(at).unwrap());
        let sum = taken.fold(Value::default(), |sum, value| {
            sum.checked_add(&value).unwrap()
        });
        Observation::Shard(self.step(shard, deposits, |state, value| {
            *state = state.after_absorbing(&sum).unwrap();
            *value = value.checked_add(&sum).unwrap();
        }))
    }

    /// What the vault's script does with a leaf: its sequence and reserve are checked, as there.
    pub(crate) fn pay(&mut self, leaf: &Leaf) -> Observation {
        Observation::Shard(self.step(leaf.shard(), &[], |state, value| {
            *state = state.after_paying(leaf).expect("the next of its shard");
            *value = value.checked_sub(leaf.totals()).expect("covered");
            assert!(value.of(&AssetId::Ada) >= Amount::from(RESERVE_LOVELACE));
        }))
    }
}

#[derive(Clone)]
pub(crate) struct World {
    pub(crate) state: MemoryState,
    pub(crate) cardano: Cardano,
    pub(crate) height: u64,
    transactions: u8,
}

impl World {
    pub(crate) fn new() -> Self {
        World::of(settings())
    }

    pub(crate) fn of(settings: Settings) -> Self {
        let mut state = MemoryState::default();
        let keys = (0..4).map(|n| public(&member(n))).collect();
        genesis::init(&mut state, &settings, point(0), keys).unwrap();
        World {
            cardano: Cardano::new(&settings),
            state,
            height: 0,
            transactions: 0,
        }
    }

    /// A block: what was seen, then nothing else.
    pub(crate) fn block(&mut self, seen: Vec<Observation>) -> Vec<Event> {
        self.height += 1;
        let height = Height(self.height);
        let point = point(self.height);
        let mut events = block::begin(&mut self.state, &Begin { height, point }, &seen);
        events.extend(self.end());
        events
    }

    fn end(&mut self) -> Vec<Event> {
        let context = End {
            height: Height(self.height),
            parent_state_root: Hash([self.height as u8; 32]),
        };
        block::end(&mut self.state, &context)
    }

    pub(crate) fn blocks(&mut self, count: u64) -> Vec<Event> {
        (0..count).flat_map(|_| self.block(vec![])).collect()
    }

    pub(crate) fn act(
        &mut self,
        sender: AccountId,
        signer: Hash28,
        action: Action,
    ) -> Result<Vec<Event>, BridgeError> {
        self.transactions = self.transactions.wrapping_add(1);
        let mut id = [0xaa; 32];
        id[0] = self.transactions;
        id[1..9].copy_from_slice(&self.height.to_be_bytes());
        let context = Context {
            sender,
            signer,
            transaction: Hash(id),
            height: Height(self.height),
            time: TimeMs(self.height * 1_000),
        };
        let mut fork = Overlay::new(&self.state);
        let done = action.execute(&mut fork, &context)?;
        let changes = fork.into_changes();
        self.state.commit(changes);
        Ok(done)
    }

    pub(crate) fn withdraw(
        &mut self,
        from: u8,
        withdraw: Withdraw,
    ) -> Result<WithdrawalId, BridgeError> {
        let sender = account(from);
        let events = self.act(sender, sender.hash(), Action::Withdraw(withdraw))?;
        match &events[..] {
            [Event::WithdrawalRequested { id, .. }] => Ok(*id),
            other => panic!("{other:?}"),
        }
    }

    pub(crate) fn withdraw_ada(&mut self, from: u8, ada: u64) -> WithdrawalId {
        let withdraw = Withdraw::ada(address_bytes(from), Amount::from(ada * ADA));
        self.withdraw(from, withdraw).expect("a withdrawal")
    }

    pub(crate) fn cancel(&mut self, by: u8, id: WithdrawalId) -> Result<Vec<Event>, BridgeError> {
        let sender = account(by);
        let action = Action::CancelWithdrawal(CancelWithdrawal { id });
        self.act(sender, sender.hash(), action)
    }

    pub(crate) fn state_of(&self, id: &WithdrawalId) -> WithdrawalState {
        view::withdrawal(&self.state, id)
            .expect("a withdrawal")
            .state
    }

    pub(crate) fn sign(&mut self, n: u8) -> Result<Vec<Event>, BridgeError> {
        let to_sign = view::to_sign(&self.state).expect("an anchor waits");
        let key = member(n);
        let signature = Signature(key.sign(&to_sign.digest.0).to_bytes());
        let seq = to_sign.seq;
        let who = AccountId::of_key(public(&key).hash());
        let action = Action::SignAnchor(SignAnchor { seq, signature });
        self.act(who, who.hash(), action)
    }

    /// Three of four sign what waits; what is certified then.
    pub(crate) fn certify(&mut self) -> AnchorView {
        (0..3).for_each(|n| {
            self.sign(n).expect("a signature");
        });
        self.certified()
    }

    pub(crate) fn certified(&self) -> AnchorView {
        let overview = view::overview(&self.state).expect("a bridge");
        overview.certified.expect("a certified anchor")
    }

    /// A deposit of ADA that is credited in this block.
    pub(crate) fn deposit_ada(&mut self, to: u8, ada: u64) -> OutputReference {
        let seen = self.cardano.deposit(Value::lovelace(ada * ADA), datum(to));
        let output = seen.output;
        self.block(vec![Observation::Deposit(seen)]);
        output
    }

    /// An anchor over all that there is to say, made, signed, published and seen.
    pub(crate) fn anchor(&mut self) -> AnchorView {
        self.wait_for_anchor();
        let anchor = self.certify();
        let seen = self.cardano.publish(&anchor);
        self.block(seen);
        anchor
    }

    pub(crate) fn wait_for_anchor(&mut self) {
        for _ in 0..50 {
            if view::to_sign(&self.state).is_some() {
                return;
            }
            self.block(vec![]);
        }
        panic!("no anchor is made");
    }

    /// Sweeps everything into a shard, under a new anchor.
    pub(crate) fn sweep_all(&mut self, shard: u8) {
        self.anchor();
        let all: Vec<_> = self.cardano.deposits.keys().copied().collect();
        let seen = self.cardano.sweep(shard, &all);
        self.block(vec![seen]);
    }

    /// Pays every leaf of the anchor that is not paid yet.
    pub(crate) fn pay_all(&mut self, anchor: &AnchorView) -> Vec<Event> {
        let mut seen = vec![];
        for leaf in leaves(anchor) {
            let next = self.cardano.shards[usize::from(leaf.shard())].1.next_seq;
            if leaf.seq() >= next {
                seen.push(self.cardano.pay(&leaf));
            }
        }
        self.block(seen)
    }

    pub(crate) fn balance(&self, n: u8, asset: &AssetId) -> Amount {
        purse::balance(&self.state, &Purse::Account(account(n)), asset)
    }

    pub(crate) fn assert_sound(&self) {
        assert_eq!(invariants::violations(&self.state), vec![]);
        assert_eq!(invariants::standing(&self.state), vec![]);
        for row in nupeer_ledger::invariants::conservation(&self.state) {
            assert!(row.holds(), "{row:?}");
        }
    }

    pub(crate) fn halted(&self) -> Option<nupeer_bridge::Contradiction> {
        view::overview(&self.state).expect("a bridge").status.halted
    }
}

pub(crate) fn leaves(anchor: &AnchorView) -> Vec<Leaf> {
    let read = |bytes: &Vec<u8>| Leaf::from_data(&Data::from_cbor(bytes).unwrap()).unwrap();
    anchor.leaves.iter().map(read).collect()
}

pub(crate) fn point(n: u64) -> CardanoPoint {
    CardanoPoint {
        slot: Slot(1_000 + n),
        hash: Hash([n as u8; 32]),
    }
}
