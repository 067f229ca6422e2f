//! A small market for tests: one owner, one tenant, their keys, and a clock that tests move.

use std::cell::Cell;

use ed25519_dalek::{Signer, SigningKey};
use nupeer_ledger::{
    Action as LedgerAction, Context, Overlay, Purse, Scope, actions::GrantKey, actions::RevokeKey,
    counting::Counting, grant, memory::MemoryState, purse, totals,
};
use nupeer_primitives::{
    AccountId, Amount, AssetId, Hash, Height, PublicKey, Signature, TimeMs, blake2b_256,
};

use super::*;
use crate::{
    action::Action,
    block, genesis,
    id::OfferId,
    invariants,
    lease::LeaseState,
    machine::MachineTerms,
    offer::{Offer, SignedOffer},
    params::{Kind, Params},
    price::Price,
    request::{Request, Wanted},
    resources::Resources,
    score::{Metric, Score},
    usage::{SignedUsage, Usage},
};

pub(crate) const OWNER: u8 = 1;
pub(crate) const TENANT: u8 = 2;
pub(crate) const OPERATOR: u8 = 11;
pub(crate) const SESSION: u8 = 12;
pub(crate) const STRANGER: u8 = 66;

pub(crate) const START: u64 = 1_000_000;
pub(crate) const FUNDS: u128 = 100_000_000;
pub(crate) const BOND: u128 = 5_000_000;
pub(crate) const ESCROW: u128 = 1_000_000;
pub(crate) const MACHINE_MILLI: u32 = 1_000;

pub(crate) struct Key {
    secret: SigningKey,
    pub(crate) public: PublicKey,
}

impl Key {
    pub(crate) fn sign(&self, message: &[u8]) -> Signature {
        Signature(self.secret.sign(message).to_bytes())
    }
}

pub(crate) fn key(n: u8) -> Key {
    let secret = SigningKey::from_bytes(&[n; 32]);
    let public = PublicKey(secret.verifying_key().to_bytes());
    Key { secret, public }
}

pub(crate) fn chain() -> Hash {
    Hash([0xcc; 32])
}

pub(crate) fn terms() -> MachineTerms {
    MachineTerms {
        operator: key(OPERATOR).public,
        endpoint: "http://127.0.0.1:8080".into(),
        capacity: Resources {
            cpu_milli: MACHINE_MILLI,
            memory_bytes: 1 << 30,
            disk_bytes: 1 << 30,
            pids: 1_000,
            ports: 10,
        },
        scores: vec![Score {
            metric: Metric::CpuSingle,
            value: 1_000,
        }],
        evidence: Hash([0xee; 32]),
    }
}

pub(crate) fn register() -> RegisterMachine {
    RegisterMachine {
        terms: terms(),
        bonds: vec![Bond {
            kind: Kind::Container,
            asset: AssetId::Ada,
            amount: Amount::new(BOND),
        }],
    }
}

/// A lovelace for each ms, for an hour; the escrow lasts 1,000 s.
pub(crate) fn request() -> PostRequest {
    PostRequest {
        wanted: Wanted {
            kind: Kind::Container,
            resources: Resources {
                cpu_milli: 200,
                memory_bytes: 64 << 20,
                disk_bytes: 0,
                pids: 32,
                ports: 1,
            },
            duration_ms: 3_600_000,
            image: Hash([0xab; 32]),
            manifest: Hash([0xac; 32]),
            score_floors: vec![],
            machine: None,
            price_max_lovelace_per_hour: 3_600_000,
            expires: TimeMs(START + 600_000),
        },
        escrow_lovelace: Amount::new(ESCROW),
    }
}

/// A lease that nobody made, for pure functions of it.
pub(crate) fn lease() -> Lease {
    Lease {
        tenant: AccountId::of_key(key(TENANT).public.hash()),
        provider: AccountId::of_key(key(OWNER).public.hash()),
        machine: MachineId(Hash::ZERO),
        offer: OfferId(Hash::ZERO),
        kind: Kind::Container,
        resources: request().wanted.resources,
        image: Hash([0xab; 32]),
        manifest: Hash([0xac; 32]),
        price_lovelace_per_hour: 3_600_000,
        protocol_fee_per_10k: 1_000,
        duration_ms: 3_600_000,
        matched_at: TimeMs(START),
        deposited_lovelace: Amount::new(ESCROW),
        charged_lovelace: Amount::ZERO,
        refunded_lovelace: Amount::ZERO,
        metered_ms: 0,
        evidence: Hash::ZERO,
        ran_ms: 0,
        state: LeaseState::Reserved {
            until: TimeMs(START),
        },
    }
}

pub(crate) fn params() -> Params {
    let least = Resources {
        cpu_milli: 10,
        memory_bytes: 8 << 20,
        disk_bytes: 0,
        pids: 4,
        ports: 0,
    };
    let most = Resources {
        cpu_milli: u32::MAX,
        memory_bytes: u64::MAX,
        disk_bytes: u64::MAX,
        pids: u32::MAX,
        ports: 8,
    };
    Params {
        kinds: vec![KindParams {
            kind: Kind::Container,
            bond_asset: AssetId::Ada,
            bond_minimum: Amount::new(BOND),
            minimum: least,
            maximum: most,
        }],
        ..Params::default()
    }
}

macro_rules! into_action {
    ($($verb:ident),*; $($boxed:ident),*) => {
        $(impl From<$verb> for Action { fn from(verb: $verb) -> Action { Action::$verb(verb) } })*
        $(impl From<$boxed> for Action { fn from(verb: $boxed) -> Action { Action::$boxed(Box::new(verb)) } })*
    };
}

into_action!(RegisterMachine, UpdateMachine, WithdrawMachine, PostRequest, CancelRequest, ReportLease, TopUp;
    Match, SubmitUsage, CloseLease, EndLease);

#[derive(Clone)]
pub(crate) struct World {
    pub(crate) state: MemoryState,
    pub(crate) time: TimeMs,
    transactions: u64,
    nonce: Cell<u64>,
}

impl World {
    /// Owner and tenant have funds and have granted their operator and session keys.
    pub(crate) fn new() -> World {
        let mut world = World {
            state: MemoryState::default(),
            time: TimeMs(START),
            transactions: 0,
            nonce: Cell::new(1),
        };
        genesis::init(&mut world.state, &chain(), &params()).unwrap();
        for who in [OWNER, TENANT] {
            let purse = Purse::Account(world.account(who));
            totals::credit(&mut world.state, &purse, &AssetId::Ada, Amount::new(FUNDS)).unwrap();
        }
        world.grant(OWNER, OPERATOR, Scope::MACHINE);
        world.grant(TENANT, SESSION, Scope::LEASE);
        world
    }

    pub(crate) fn fork(&self) -> World {
        self.clone()
    }

    /// A registered machine and an open request.
    pub(crate) fn with_request() -> (World, MachineId, LeaseId) {
        let mut world = World::new();
        let machine = world.register();
        let request = world.request();
        (world, machine, request)
    }

    pub(crate) fn account(&self, n: u8) -> AccountId {
        AccountId::of_key(key(n).public.hash())
    }

    fn context(&self, sender: u8) -> Context {
        Context {
            sender: self.account(sender),
            signer: key(sender).public.hash(),
            transaction: blake2b_256(&[&self.transactions.to_be_bytes()]),
            height: Height(1),
            time: self.time,
        }
    }

    fn ledger(&mut self, sender: u8, action: LedgerAction) {
        let context = self.context(sender);
        action.execute(&mut self.state, &context).unwrap();
    }

    pub(crate) fn grant(&mut self, account: u8, to: u8, scope: Scope) {
        let key = key(to).public.hash();
        let grant = GrantKey {
            key,
            scope,
            budget_lovelace: Amount::new(FUNDS),
            expires: TimeMs(u64::MAX),
        };
        self.ledger(account, LedgerAction::GrantKey(grant));
    }

    pub(crate) fn revoke(&mut self, account: u8, from: u8) {
        let key = key(from).public.hash();
        self.ledger(account, LedgerAction::RevokeKey(RevokeKey { key }));
    }

    /// Runs an action as the runtime does: authorised, all of it or nothing. Invariants are checked afterwards.
    pub(crate) fn run(
        &mut self,
        sender: u8,
        action: impl Into<Action>,
    ) -> Result<Vec<crate::Event>, LeaseError> {
        self.transactions += 1;
        let (action, context) = (action.into(), self.context(sender));
        let mut fork = Overlay::new(&self.state);
        let done = fork.atomically(|fork| {
            let (account, signer) = (&context.sender, &context.signer);
            grant::authorise(fork, account, signer, action.scope(), context.time)?;
            action.execute(fork, &context)
        });
        let changes = fork.into_changes();
        self.state.commit(changes);
        self.check();
        done
    }

    /// The error that an action is refused with; nothing may have changed.
    pub(crate) fn refused(&mut self, sender: u8, action: impl Into<Action>) -> LeaseError {
        let before = self.state.clone();
        let error = self.run(sender, action).unwrap_err();
        assert_eq!(self.state, before);
        error
    }

    /// How many entries of the state an action reads, if it were run now.
    pub(crate) fn reads(&self, sender: u8, action: impl Into<Action>) -> usize {
        let mut state = Counting::new(self.state.clone());
        let done = action.into().execute(&mut state, &self.context(sender));
        done.unwrap();
        state.reads()
    }

    /// Lets time pass, and ends a block.
    pub(crate) fn pass(&mut self, ms: u64) -> Vec<crate::Event> {
        self.time = self.time.checked_add(ms).unwrap();
        let events = block::end_block(&mut self.state, self.time);
        self.check();
        events
    }

    fn check(&self) {
        assert_eq!(invariants::violations(&self.state, self.time), []);
        let rows = nupeer_ledger::invariants::conservation(&self.state);
        assert!(rows.iter().all(|row| row.holds()), "{rows:?}");
    }

    pub(crate) fn post(&mut self, request: PostRequest) -> LeaseId {
        self.run(TENANT, request).unwrap();
        LeaseId::requested_by(&self.context(TENANT).transaction)
    }

    pub(crate) fn request(&mut self) -> LeaseId {
        let mut action = request();
        action.wanted.expires = TimeMs(self.time.0 + 600_000);
        self.post(action)
    }

    pub(crate) fn register(&mut self) -> MachineId {
        self.run(OWNER, register()).unwrap();
        MachineId::registered_by(&self.context(OWNER).transaction)
    }

    pub(crate) fn offer(&self, machine: MachineId) -> Offer {
        let nonce = self.nonce.replace(self.nonce.get() + 1);
        Offer {
            machine,
            kind: Kind::Container,
            capacity: terms().capacity,
            price: Price::Whole {
                lovelace_per_hour: 3_600_000,
            },
            duration_ms_max: 3_600_000,
            tenant: None,
            leases_max: 1,
            expires: TimeMs(self.time.0 + 3_600_000),
            nonce,
        }
    }

    pub(crate) fn sign(&self, offer: Offer, by: u8) -> SignedOffer {
        let signature = key(by).sign(&offer.id(&chain()).0.0);
        SignedOffer {
            offer,
            operator: key(by).public,
            signature,
        }
    }

    pub(crate) fn signed_offer(&self, machine: MachineId) -> SignedOffer {
        self.sign(self.offer(machine), OPERATOR)
    }

    pub(crate) fn matched_on(&mut self, machine: MachineId) -> LeaseId {
        let request = self.request();
        let offer = self.signed_offer(machine);
        self.run(STRANGER, Match { request, offer }).unwrap();
        request
    }

    /// A machine and a lease reserved on it.
    pub(crate) fn matched(&mut self) -> (MachineId, LeaseId) {
        let machine = self.register();
        let lease = self.matched_on(machine);
        (machine, lease)
    }

    /// A lease that runs since now.
    pub(crate) fn active(&mut self) -> LeaseId {
        let (_, lease) = self.matched();
        for progress in [Progress::Provisioning, Progress::Active] {
            self.run(OWNER, ReportLease { lease, progress }).unwrap();
        }
        lease
    }

    pub(crate) fn usage(&self, lease: LeaseId, metered_ms: u64) -> SignedUsage {
        self.usage_signed_by(lease, metered_ms, OPERATOR, SESSION)
    }

    pub(crate) fn usage_signed_by(
        &self,
        lease: LeaseId,
        metered_ms: u64,
        operator: u8,
        tenant: u8,
    ) -> SignedUsage {
        let usage = Usage {
            lease,
            metered_ms,
            evidence: Hash([0xef; 32]),
        };
        let hash = usage.signing_hash(&chain());
        SignedUsage {
            usage,
            operator: key(operator).public,
            operator_signature: key(operator).sign(&hash.0),
            tenant_key: key(tenant).public,
            tenant_signature: key(tenant).sign(&hash.0),
        }
    }

    pub(crate) fn params(&self) -> Params {
        Params::load(&self.state)
    }

    pub(crate) fn machine(&self, id: &MachineId) -> Machine {
        store::machine(&self.state, id).unwrap()
    }

    pub(crate) fn request_of(&self, id: &LeaseId) -> Request {
        store::request(&self.state, id).unwrap()
    }

    pub(crate) fn lease(&self, id: &LeaseId) -> Lease {
        store::lease(&self.state, id).unwrap()
    }

    pub(crate) fn held(&self, of: &Purse) -> u128 {
        purse::balance(&self.state, of, &AssetId::Ada).units()
    }

    pub(crate) fn balance(&self, n: u8) -> u128 {
        self.held(&Purse::Account(self.account(n)))
    }

    pub(crate) fn escrow(&self, id: &LeaseId) -> u128 {
        self.held(&crate::pay::escrow(self.account(TENANT), id))
    }
}
