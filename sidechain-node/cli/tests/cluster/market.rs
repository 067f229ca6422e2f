//! The market over HTTP: machines, offers that travel, requests, leases, and each refusal by its number.

use std::time::{SystemTime, UNIX_EPOCH};

use nupeer_client::{Client, ClientError, LeaseFilter, MachineFilter, RequestFilter, Signer};
use nupeer_lease::{
    Action, Bond, Kind, LeaseId, LeaseState, MachineId, MachineTerms, Offer, Price, Resources,
    SignedOffer,
    actions::{Match, PostRequest, RegisterMachine, UpdateMachine, WithdrawMachine},
    request::Wanted,
};
use nupeer_primitives::{Amount, AssetId, Hash, Numbered, PublicKey, TimeMs};
use serde_json::Value;

use crate::{
    described::differences,
    validators::{Validators, account, address, key, wait_until},
};

pub(crate) const OWNER: u8 = 1;
const TENANT: u8 = 2;
/// Lovelace per hour.
const PRICE: u64 = 3_600_000;

fn now() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap();
    u64::try_from(since.as_millis()).unwrap()
}

fn signer(n: u8) -> Signer {
    Signer::new(account(n), key(n))
}

pub(crate) fn public(n: u8) -> PublicKey {
    PublicKey(key(n).verifying_key().to_bytes())
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

fn terms(operator: u8) -> MachineTerms {
    MachineTerms {
        operator: public(operator),
        // Where nobody answers: these tests have no agent.
        endpoint: "http://127.0.0.1:1".into(),
        capacity: capacity(),
        scores: vec![],
        evidence: Hash([1; 32]),
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

fn post() -> Action {
    Action::PostRequest(PostRequest {
        wanted: wanted(),
        escrow_lovelace: Amount::new(1_000_000),
    })
}

/// A running chain with one machine, asked at its first node.
pub(crate) struct Market {
    pub(crate) validators: Validators,
    pub(crate) client: Client,
    pub(crate) machine: MachineId,
}

impl Market {
    pub(crate) fn open(validators: Validators) -> Self {
        let mut validators = validators;
        validators.start_all();
        (0..4).for_each(|index| validators.wait_for_height(index, 1));
        let client = Client::new([validators.url(0)]);
        let register = Action::RegisterMachine(RegisterMachine {
            terms: terms(OWNER),
            bonds: vec![Bond {
                kind: Kind::Container,
                asset: AssetId::Ada,
                amount: Amount::new(50_000_000),
            }],
        });
        let (id, _) = client.execute(register, &signer(OWNER)).unwrap();
        Market {
            validators,
            client,
            machine: MachineId::registered_by(&id),
        }
    }

    pub(crate) fn new() -> Self {
        Market::open(Validators::new(&[(OWNER, 100), (TENANT, 100)]))
    }

    pub(crate) fn offer(&self, nonce: u64, change: impl Fn(&mut Offer)) -> SignedOffer {
        let mut offer = Offer {
            machine: self.machine,
            kind: Kind::Container,
            capacity: capacity(),
            price: Price::Whole {
                lovelace_per_hour: PRICE,
            },
            duration_ms_max: 3_600_000,
            tenant: None,
            leases_max: 1,
            expires: TimeMs(now() + 600_000),
            nonce,
        };
        change(&mut offer);
        let id = offer.id(&self.validators.chain.id);
        SignedOffer {
            operator: public(OWNER),
            signature: signer(OWNER).sign_message(&id.0.0),
            offer,
        }
    }

    /// The number with which a posted offer is refused.
    fn refused(&self, offer: &SignedOffer) -> u16 {
        self.client.post_offer(offer).unwrap_err().code().0
    }

    pub(crate) fn requested(&self) -> LeaseId {
        let (id, _) = self.client.execute(post(), &signer(TENANT)).unwrap();
        LeaseId::requested_by(&id)
    }

    pub(crate) fn leased(&self, offer: &SignedOffer) -> LeaseId {
        let request = self.requested();
        let action = Action::Match(Box::new(Match {
            request,
            offer: offer.clone(),
        }));
        self.client.execute(action, &signer(TENANT)).unwrap();
        request
    }
}

#[test]
fn an_offer_travels_and_each_bad_one_is_refused_by_its_number() {
    let market = Market::new();
    let good = market.offer(10, |_| {});
    let id = market.client.post_offer(&good).unwrap();
    assert_eq!(
        market.client.post_offer(&good).unwrap(),
        id,
        "again does no harm"
    );
    for index in 0..4 {
        let node = Client::new([market.validators.url(index)]);
        wait_until("the offer arrives", || {
            let known = node.offers(Some(&market.machine));
            known.is_ok_and(|page| page.entries == [(id, good.clone())])
        });
    }
    let elsewhere = Hash([9; 32]);
    let mut altered = good.clone();
    altered.offer.price = Price::Whole {
        lovelace_per_hour: 1,
    };
    let mut strangers = market.offer(11, |_| {});
    strangers.operator = public(TENANT);
    for (offer, code) in [
        (altered, 4041),
        (strangers, 4040),
        (market.offer(11, |o| o.expires = TimeMs(now() - 1)), 4042),
        (
            market.offer(11, |o| o.expires = TimeMs(now() + 90_000_000)),
            4043,
        ),
        (market.offer(11, |o| o.machine = MachineId(elsewhere)), 4001),
        (market.offer(11, |o| o.leases_max = 0), 4045),
    ] {
        assert_eq!(market.refused(&offer), code);
    }
    let truncated = &good.to_bytes()[..100];
    let refused = market
        .client
        .post_cbor("/v1/offers", truncated)
        .unwrap_err();
    assert_eq!(refused.code().0, 1002);

    // Used up: one lease was all that it offered. A replay makes no second one, and nobody lists it any more.
    market.leased(&good);
    let (request, _) = market.client.execute(post(), &signer(TENANT)).unwrap();
    let again = Action::Match(Box::new(Match {
        request: LeaseId::requested_by(&request),
        offer: good.clone(),
    }));
    let replayed = market.client.execute(again, &signer(TENANT)).unwrap_err();
    assert_eq!(replayed.rule().unwrap().0, 4045);
    assert_eq!(market.client.offers(None).unwrap().entries, []);
    assert_eq!(market.refused(&good), 4045);

    // Taken back: the owner raised the floor.
    let update = Action::UpdateMachine(UpdateMachine {
        machine: market.machine,
        terms: terms(OWNER),
        nonce_floor: 20,
    });
    market.client.execute(update, &signer(OWNER)).unwrap();
    assert_eq!(market.refused(&market.offer(19, |_| {})), 4044);
    market.client.post_offer(&market.offer(20, |_| {})).unwrap();

    // A machine's ninth offer takes the place of its oldest, and none older comes in after it.
    (21..29).for_each(|nonce| {
        market
            .client
            .post_offer(&market.offer(nonce, |_| {}))
            .unwrap();
    });
    assert_eq!(market.client.offers(None).unwrap().entries.len(), 8);
    assert_eq!(market.refused(&market.offer(20, |_| {})), 6031);

    let withdraw = Action::WithdrawMachine(WithdrawMachine {
        machine: market.machine,
    });
    market.client.execute(withdraw, &signer(OWNER)).unwrap();
    assert_eq!(market.client.offers(None).unwrap().entries, []);
    assert_eq!(market.refused(&market.offer(30, |_| {})), 6030);
}

#[test]
fn what_is_answered_of_the_market_is_described_and_is_what_the_chain_keeps() {
    let market = Market::new();
    let offer = market.offer(0, |o| o.leases_max = 2);
    market.client.post_offer(&offer).unwrap();
    let lease = market.leased(&offer);
    let (open, _) = market.client.execute(post(), &signer(TENANT)).unwrap();
    let open = LeaseId::requested_by(&open);
    let (machine, tenant, owner) = (market.machine, address(TENANT), address(OWNER));
    let document = market.validators.get(0, "/openapi.json").unwrap();
    for (path, asked, filled) in [
        (
            "/v1/machines",
            format!("/v1/machines?owner={owner}"),
            "machines",
        ),
        ("/v1/machines/{id}", format!("/v1/machines/{machine}"), ""),
        (
            "/v1/offers",
            format!("/v1/offers?machine={machine}"),
            "offers",
        ),
        (
            "/v1/requests",
            "/v1/requests?limit=1".to_owned(),
            "requests",
        ),
        (
            "/v1/requests",
            format!("/v1/requests?tenant={tenant}"),
            "requests",
        ),
        ("/v1/requests/{id}", format!("/v1/requests/{open}"), ""),
        (
            "/v1/leases",
            format!("/v1/leases?tenant={tenant}"),
            "leases",
        ),
        (
            "/v1/leases",
            format!("/v1/leases?machine={machine}"),
            "leases",
        ),
        ("/v1/leases/{id}", format!("/v1/leases/{lease}"), ""),
    ] {
        let answer = market
            .validators
            .get(0, &asked)
            .unwrap_or_else(|| panic!("{asked}"));
        let response = &document["paths"][path]["get"]["responses"]["200"];
        let schema = &response["content"]["application/json"]["schema"];
        assert!(schema.is_object(), "{path} is not described");
        let different = differences(path, &answer, schema, &document);
        assert_eq!(different, Vec::<String>::new());
        if !filled.is_empty() {
            assert_ne!(answer[filled], Value::Array(vec![]), "{asked}");
        }
    }
    let (kept, _) = market.client.lease(&lease).unwrap().unwrap();
    assert_eq!((kept.tenant, kept.machine), (account(TENANT), machine));
    assert!(matches!(kept.state, LeaseState::Reserved { .. }));
    let of_tenant = market
        .client
        .leases(LeaseFilter::Of(account(TENANT)))
        .unwrap();
    assert_eq!(of_tenant.entries, [(lease, kept)]);
    let machines = market.client.machines(MachineFilter::All).unwrap().entries;
    assert_eq!(machines[0].1.leases_open, 1);
    let requests = market.client.requests(RequestFilter::Open).unwrap().entries;
    assert_eq!(
        requests.iter().map(|(id, _)| *id).collect::<Vec<_>>(),
        [open]
    );
    assert_eq!(market.client.lease(&open).unwrap(), None);
    for (path, status) in [
        ("/v1/machines/xyz", 400),
        ("/v1/leases?limit=0", 400),
        ("/v1/leases?limit=101", 400),
        ("/v1/leases?owner=x", 400),
        ("/v1/leases?after=7", 400),
        ("/v1/requests?tenant=nobody", 400),
        ("/v1/offers?color=red", 400),
        ("/v1/offers/1", 404),
    ] {
        assert_eq!(market.validators.status_of(0, path), status, "{path}");
    }
}

#[test]
fn the_stream_tells_of_leases_and_of_what_the_block_itself_did() {
    let market = Market::new();
    let mut blocks = market.client.blocks(None);
    let first = blocks.next_block().unwrap().height;
    let short = Action::PostRequest(PostRequest {
        wanted: Wanted {
            expires: TimeMs(now() + 3_000),
            ..wanted()
        },
        escrow_lovelace: Amount::new(1_000_000),
    });
    let (id, _) = market.client.execute(short, &signer(TENANT)).unwrap();
    let request = LeaseId::requested_by(&id).to_string();
    let (mut asked, mut expired, mut last) = (None, None, first);
    while expired.is_none() {
        let block = blocks.next_block().unwrap();
        assert_eq!(block.height, last.next(), "none is left out");
        last = block.height;
        let ours = |event: &&Value| event["request"] == request.as_str();
        let mut by_transactions = block.transactions.iter().flat_map(|(_, events)| events);
        asked = asked.or(by_transactions
            .find(ours)
            .map(|event| event["kind"].clone()));
        expired = block
            .events
            .iter()
            .find(ours)
            .map(|event| event["kind"].clone());
    }
    assert_eq!(
        (asked.unwrap(), expired.unwrap()),
        ("requested".into(), "request_expired".into())
    );
}

#[test]
fn a_client_asks_the_next_node_when_one_is_down_and_names_what_refuses() {
    let mut market = Market::new();
    let urls = [market.validators.url(0), market.validators.url(1)];
    let both = Client::new(urls.clone());
    // The second has every block of the first, or it would answer of a chain where the machine is not yet registered.
    let height = both.status().unwrap().height;
    market.validators.wait_for_height(1, height.0);
    market.validators.kill(0);
    assert_eq!(both.machines(MachineFilter::All).unwrap().entries.len(), 1);
    let poor = Action::PostRequest(PostRequest {
        wanted: wanted(),
        escrow_lovelace: Amount::new(1_000_000_000),
    });
    let refused = both.submit(poor, &signer(TENANT)).unwrap_err();
    assert_eq!(refused.rule().unwrap().0, 2001);
    market.validators.kill(1);
    let nobody = both.status().unwrap_err();
    assert!(
        matches!(nobody, ClientError::Unreachable { .. }),
        "{nobody}"
    );
}
