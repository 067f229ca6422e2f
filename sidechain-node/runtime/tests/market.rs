//! The market on the chain: its actions run in transactions, what is due happens at the end of a block, and its invariants hold
//! after every one.

mod common;

use common::{ADA, World, account, genesis, key, public, sign};
use ed25519_dalek::{Signer, SigningKey};
use nupeer_lease::{
    Action, Bond, Event as LeaseEvent, Kind, Lease, LeaseError, LeaseId, LeaseState, MachineId,
    MachineTerms, Offer, Price, Resources, SignedOffer, SignedUsage, Usage,
    actions::{
        CloseLease, Match, PostRequest, Progress, RegisterMachine, ReportLease, SubmitUsage,
    },
    request::Wanted,
};
use nupeer_ledger::{Pot, Purse, StateRead, invariants, purse};
use nupeer_primitives::{Amount, AssetId, Code, Hash, Numbered, Signature, TimeMs};
use nupeer_runtime::{
    Event, RecordKind, SignedTransaction, StateProof, TransactionError, apply_block,
    record::leaf_value,
};

const OWNER: u8 = 1;
const TENANT: u8 = 2;

/// Lovelace per hour, so that a second costs 1,000 lovelace.
const PRICE: u64 = 3_600_000;

struct Market {
    world: World,
    sequences: [u64; 4],
}

impl Market {
    fn new() -> Self {
        Market {
            world: World::new(&genesis()),
            sequences: [0; 4],
        }
    }

    fn transaction(&mut self, who: u8, action: Action) -> SignedTransaction {
        let sequence = &mut self.sequences[usize::from(who)];
        let mut transaction = self.world.transaction(
            who,
            *sequence,
            nupeer_ledger::Action::Transfer(nupeer_ledger::actions::Transfer {
                to: account(who),
                asset: AssetId::Ada,
                amount: Amount::ZERO,
            }),
        );
        transaction.action = nupeer_runtime::Action::Lease(action);
        *sequence += 1;
        sign(transaction, &key(who))
    }

    /// Proposes a block of these actions, has it judged, commits it and checks every invariant.
    fn block(&mut self, actions: Vec<(u8, Action)>) -> (Vec<Hash>, Vec<(Option<usize>, Event)>) {
        let transactions: Vec<_> = actions
            .into_iter()
            .map(|(who, action)| self.transaction(who, action))
            .collect();
        let ids = transactions.iter().map(|t| t.transaction.id()).collect();
        let proposal = self.world.propose(&transactions);
        assert_eq!(proposal.refused, []);
        let chain = &self.world.chain;
        let mut verify = |bytes: &[u8]| SignedTransaction::from_bytes(bytes, chain)?.verify(chain);
        let (store, tip) = (&self.world.store, &self.world.tip);
        let judged = apply_block(store, chain, tip, &proposal.block, &[], &mut verify).unwrap();
        assert_eq!(judged.events, proposal.executed.events);
        self.world.commit(proposal);
        self.check();
        (ids, judged.events)
    }

    fn refused(&mut self, who: u8, action: Action) -> TransactionError {
        let transaction = self.transaction(who, action);
        self.sequences[usize::from(who)] -= 1;
        let mut proposal = self.world.propose(&[transaction]);
        assert_eq!(proposal.refused.len(), 1);
        proposal.refused.remove(0).1
    }

    fn check(&self) {
        let store = &self.world.store;
        let now = self.world.tip.time;
        assert_eq!(nupeer_lease::invariants::violations(store, now), []);
        assert!(
            invariants::conservation(store)
                .iter()
                .all(|row| row.holds())
        );
    }

    fn lease(&self, id: &LeaseId) -> Lease {
        nupeer_lease::view::lease(&self.world.store, id).unwrap()
    }

    fn ada(&self, who: u8) -> u128 {
        let purse = Purse::Account(account(who));
        purse::balance(&self.world.store, &purse, &AssetId::Ada)
            .to_u64()
            .unwrap()
            .into()
    }

    fn fees(&self) -> u128 {
        let purse = Purse::Pot(Pot::Protocol);
        purse::balance(&self.world.store, &purse, &AssetId::Ada)
            .to_u64()
            .unwrap()
            .into()
    }

    fn register(&mut self) -> MachineId {
        let (ids, _) = self.block(vec![(OWNER, register())]);
        MachineId::registered_by(&ids[0])
    }

    fn leased(&mut self) -> (MachineId, LeaseId) {
        let machine = self.register();
        let (ids, _) = self.block(vec![(TENANT, request())]);
        let lease = LeaseId::requested_by(&ids[0]);
        let offer = self.offer(machine);
        let matched = Match {
            request: lease,
            offer,
        };
        let (_, events) = self.block(vec![(TENANT, Action::Match(Box::new(matched)))]);
        assert!(matches!(
            events[0],
            (Some(0), Event::Lease(LeaseEvent::Matched { lease: id, .. })) if id == lease
        ));
        (machine, lease)
    }

    fn offer(&self, machine: MachineId) -> SignedOffer {
        let offer = Offer {
            machine,
            kind: Kind::Container,
            capacity: capacity(),
            price: Price::Whole {
                lovelace_per_hour: PRICE,
            },
            duration_ms_max: 3_600_000,
            tenant: None,
            leases_max: 1,
            expires: TimeMs(600_000),
            nonce: 0,
        };
        let id = offer.id(&self.world.chain.id);
        SignedOffer {
            operator: public(&key(OWNER)),
            signature: signature(&key(OWNER), &id.0),
            offer,
        }
    }

    fn usage(&self, lease: LeaseId, metered_ms: u64) -> SignedUsage {
        let usage = Usage {
            lease,
            metered_ms,
            evidence: Hash([3; 32]),
        };
        let hash = usage.signing_hash(&self.world.chain.id);
        SignedUsage {
            usage,
            operator: public(&key(OWNER)),
            operator_signature: signature(&key(OWNER), &hash),
            tenant_key: public(&key(TENANT)),
            tenant_signature: signature(&key(TENANT), &hash),
        }
    }
}

fn signature(key: &SigningKey, hash: &Hash) -> Signature {
    Signature(key.sign(&hash.0).to_bytes())
}

fn capacity() -> Resources {
    Resources {
        cpu_milli: 1_000,
        memory_bytes: 1 << 30,
        disk_bytes: 0,
        pids: 100,
        ports: 1,
    }
}

fn register() -> Action {
    Action::RegisterMachine(RegisterMachine {
        terms: MachineTerms {
            operator: public(&key(OWNER)),
            endpoint: "http://127.0.0.1:9".into(),
            capacity: capacity(),
            scores: vec![],
            evidence: Hash([1; 32]),
        },
        bonds: vec![Bond {
            kind: Kind::Container,
            asset: AssetId::Ada,
            amount: Amount::new(50 * ADA),
        }],
    })
}

fn request() -> Action {
    Action::PostRequest(PostRequest {
        wanted: Wanted {
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
            expires: TimeMs(300_000),
        },
        escrow_lovelace: Amount::new(ADA),
    })
}

fn report(lease: LeaseId, progress: Progress) -> Action {
    Action::ReportLease(ReportLease { lease, progress })
}

#[test]
fn a_lease_runs_from_request_to_settlement_and_every_lovelace_is_accounted_for() {
    let mut market = Market::new();
    let (_, lease) = market.leased();
    market.block(vec![
        (OWNER, report(lease, Progress::Provisioning)),
        (OWNER, report(lease, Progress::Active)),
    ]);
    for _ in 0..3 {
        market.block(vec![]);
    }
    let usage = market.usage(lease, 3_000);
    market.block(vec![(
        OWNER,
        Action::SubmitUsage(Box::new(SubmitUsage { usage })),
    )]);
    assert_eq!(market.lease(&lease).charged_lovelace, Amount::new(3_000));
    let (owner, tenant) = (market.ada(OWNER), market.ada(TENANT));
    let usage = Some(market.usage(lease, 4_000));
    let close = CloseLease { lease, usage };
    let (_, events) = market.block(vec![(TENANT, Action::CloseLease(Box::new(close)))]);
    let is_settled = |(_, event): &(Option<usize>, Event)| {
        matches!(
            event,
            Event::Lease(LeaseEvent::Settled {
                metered_ms: 4_000,
                ..
            })
        )
    };
    assert!(events.iter().any(is_settled), "{events:?}");
    assert_eq!(market.ada(OWNER), owner + 900);
    assert_eq!(market.fees(), 400);
    // One second is unsigned and stays held until the settlement window is over.
    assert!(market.ada(TENANT) > tenant);
    for _ in 0..31 {
        market.block(vec![]);
    }
    let closed = market.lease(&lease);
    assert!(
        matches!(closed.state, LeaseState::Closed { .. }),
        "{closed:?}"
    );
    assert_eq!(closed.refunded_lovelace, Amount::new(ADA - 4_000));
}

#[test]
fn what_is_due_happens_in_an_empty_block_and_belongs_to_no_transaction() {
    let mut market = Market::new();
    let (_, lease) = market.leased();
    let tenant = market.ada(TENANT);
    let mut last = Vec::new();
    while market.lease(&lease).state.is_open() {
        last = market.block(vec![]).1;
    }
    let [(None, Event::Lease(LeaseEvent::LeaseClosed { lease: id, .. }))] = last[..] else {
        panic!("{last:?}")
    };
    assert_eq!(id, lease);
    assert_eq!(market.ada(TENANT), tenant + ADA);
}

#[test]
fn machines_requests_and_leases_can_each_be_shown_by_itself() {
    let mut market = Market::new();
    let (machine, lease) = market.leased();
    let store = &market.world.store;
    let tip = &market.world.tip;
    for (kind, id) in [
        (RecordKind::Machine, machine.0),
        (RecordKind::Request, lease.0),
        (RecordKind::Lease, lease.0),
    ] {
        let record = store.plain(&kind.plain_key(&id)).expect("a record");
        let (key, leaf) = (kind.leaf_key(&id), leaf_value(&record));
        let version = tip.tree_version.unwrap();
        let proof = StateProof::of(store, version, &key, tip.journal).unwrap();
        assert_eq!(proof.verify(&tip.state_root(), &key, Some(&leaf)), Ok(()));
    }
}

#[test]
fn an_empty_block_before_any_deadline_leaves_the_root_as_it_is() {
    let mut market = Market::new();
    market.leased();
    let root = market.world.tip.state_root();
    market.block(vec![]);
    assert_eq!(market.world.tip.state_root(), root);
}

#[test]
fn the_markets_refusals_keep_their_numbers() {
    let mut market = Market::new();
    let (machine, lease) = market.leased();
    let unknown = LeaseId(Hash([9; 32]));
    let again = Match {
        request: lease,
        offer: market.offer(machine),
    };
    let mut altered = market.offer(machine);
    altered.offer.price = Price::Whole {
        lovelace_per_hour: 1,
    };
    let altered = Match {
        request: lease,
        offer: altered,
    };
    let beyond = market.usage(lease, 1);
    let cases = [
        (TENANT, report(lease, Progress::Active), "provider"),
        (OWNER, report(unknown, Progress::Active), "unknown"),
        (TENANT, Action::Match(Box::new(again)), "again"),
        (TENANT, Action::Match(Box::new(altered)), "altered"),
        (
            OWNER,
            Action::SubmitUsage(Box::new(SubmitUsage { usage: beyond })),
            "clock",
        ),
    ];
    for (who, action, what) in cases {
        let refused = market.refused(who, action);
        let TransactionError::Lease(error) = &refused else {
            panic!("{what}: {refused}")
        };
        assert_eq!(refused.code(), error.code());
        assert!(
            (4000..4100).contains(&refused.code().0),
            "{what}: {}",
            refused.code()
        );
        match (what, &**error) {
            ("unknown", LeaseError::UnknownLease { lease }) => assert_eq!(*lease, unknown),
            (
                "clock",
                LeaseError::UsageBeyondClock {
                    clock_ms: 0,
                    provided_ms: 1,
                },
            ) => {}
            ("provider", LeaseError::NotOwner { .. })
            | ("again", LeaseError::RequestNotOpen { .. })
            | ("altered", LeaseError::RequestNotOpen { .. }) => {}
            (what, other) => panic!("{what}: {other} {}", Code(other.code().0)),
        }
    }
}

#[test]
fn an_altered_offer_makes_no_lease() {
    let mut market = Market::new();
    let machine = market.register();
    let (ids, _) = market.block(vec![(TENANT, request())]);
    let mut offer = market.offer(machine);
    offer.offer.leases_max = 2;
    let id = offer.offer.id(&market.world.chain.id);
    let request = LeaseId::requested_by(&ids[0]);
    let refused = market.refused(TENANT, Action::Match(Box::new(Match { request, offer })));
    let expected = LeaseError::BadOfferSignature { offer: id };
    assert_eq!(refused, expected.into());
}

#[test]
fn a_text_of_the_market_fits_a_hardware_wallet() {
    let mut market = Market::new();
    let (_, lease) = market.leased();
    market.world.chain.name = "abcdefghij".into();
    for action in [register(), request(), report(lease, Progress::Paused)] {
        let text = market
            .transaction(OWNER, action)
            .transaction
            .text(&market.world.chain);
        assert!(
            text.is_ascii() && text.len() <= nupeer_runtime::transaction::TEXT_BYTES_MAX,
            "{text}"
        );
    }
}
