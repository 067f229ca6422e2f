//! A node cannot name another chain than the one that is meant, and no header that the validators did not sign.

use nupeer_client::{Client, ClientError, Signer};
use nupeer_lease::{LeaseId, Machine, MachineId, MachineState, MachineTerms, Resources};
use nupeer_ledger::{Action, actions::RevokeKey};
use nupeer_primitives::{AccountId, Hash, Hash28, Height, Numbered, PublicKey, cbor};
use nupeer_runtime::RecordKind;

use crate::played::{
    VOTERS, block, genesis, genesis_answer, lease_proof, node, not_found, record_proof,
};

fn signer() -> Signer {
    let key = ed25519_dalek::SigningKey::from_bytes(&[1; 32]);
    Signer::new(AccountId::of_key(Hash28([1; 28])), key)
}

#[test]
fn nothing_is_made_for_another_chain_than_the_one_that_is_meant() {
    let (meant, other) = (genesis("meant").id(), genesis("other").id());
    let url = node(|_, path| match path {
        "/v1/genesis" => genesis_answer(&genesis("other")),
        _ => panic!("{path} is asked of a node of another chain"),
    });
    let client = Client::new([url]).expecting(Some(meant));
    let action = Action::RevokeKey(RevokeKey {
        key: Hash28([2; 28]),
    });
    let refused = client.submit(action, &signer()).unwrap_err();
    let (expected, named) = (meant, other);
    assert_eq!(refused, ClientError::OtherChain { expected, named });
    assert_eq!(refused.code().to_string(), "NP6208");
    for id in [meant, other] {
        assert!(refused.to_string().contains(&id.to_string()));
    }
}

#[test]
fn a_node_of_another_chain_keeps_nobody_from_the_right_one() {
    let naming = |name: &'static str| node(move |_, _| genesis_answer(&genesis(name)));
    let urls = [naming("other"), naming("third"), naming("meant")];
    let meant = genesis("meant").id();
    let client = Client::new(urls.clone()).expecting(Some(meant));
    assert_eq!(client.chain().unwrap().1.id, meant);
    let strangers = Client::new(urls[..2].to_vec()).expecting(Some(meant));
    let refused = strangers.chain().unwrap_err();
    assert_eq!(refused.code().to_string(), "NP6208");
}

#[test]
fn a_header_holds_by_the_signatures_of_the_genesis_validators_alone() {
    let asked = |chain: &str, voters: &[u8]| {
        let (meant, of, voters) = (genesis("meant"), genesis(chain), voters.to_vec());
        let id = meant.id();
        let url = node(move |_, path| match path {
            "/v1/genesis" => genesis_answer(&meant),
            "/v1/blocks/latest" => block(&of, 5, &voters),
            _ => not_found(),
        });
        Client::new([url]).expecting(Some(id)).certified()
    };
    assert_eq!(asked("meant", &VOTERS[1..]).unwrap().height, Height(5));
    for (chain, voters, why) in [
        ("meant", &VOTERS[..2], "power 2 of 4 signed"),
        ("meant", &[1, 2, 3, 4][..], "is no validator"),
        ("other", &VOTERS[..], "does not verify"),
    ] {
        let refused = asked(chain, voters).unwrap_err();
        assert_eq!(refused.code().to_string(), "NP6209");
        assert!(refused.to_string().contains(why), "{refused}");
    }
}

#[test]
fn that_there_is_no_lease_takes_a_proof() {
    let meant = genesis("meant");
    let lease = |n: u8| LeaseId(Hash([n; 32]));
    let url = node(move |_, path| {
        let with = |n: u8, voters: &[u8], state: Option<&[u8]>| {
            lease_proof((&meant, 5, voters), &lease(n).0, state, None)
        };
        let is = |n: u8| path == format!("/v1/leases/{}/proof", lease(n));
        match path {
            "/v1/genesis" => genesis_answer(&meant),
            _ if is(1) => with(1, &VOTERS, None),
            _ if is(2) => with(2, &VOTERS, Some(&[1, 2])),
            _ if is(3) => with(3, &VOTERS[..2], None),
            _ if is(4) => with(5, &VOTERS, Some(&[1, 2])),
            _ => not_found(),
        }
    });
    let client = Client::new([url]).expecting(Some(genesis("meant").id()));
    let (shown, header) = client.proven_lease(&lease(1)).unwrap();
    assert_eq!((shown, header.height), (None, Height(5)));
    for (n, code) in [(2, "NP6209"), (3, "NP6209"), (4, "NP6209"), (6, "NP6202")] {
        let refused = client.proven_lease(&lease(n)).unwrap_err();
        assert_eq!(refused.code().to_string(), code, "{n}: {refused}");
    }
}

#[test]
fn a_machine_is_shown_by_a_proof_of_machines_alone() {
    let machine = Machine {
        owner: AccountId::of_key(Hash28([1; 28])),
        terms: MachineTerms {
            operator: PublicKey([2; 32]),
            endpoint: "http://here".into(),
            capacity: Resources::default(),
            scores: vec![],
            evidence: Hash::ZERO,
        },
        bonds: vec![],
        used: Resources::default(),
        leases_open: 0,
        nonce_floor: 0,
        state: MachineState::Live,
    };
    let id = |n: u8| MachineId(Hash([n; 32]));
    let (meant, record) = (genesis("meant"), cbor::encode(&machine));
    let url = node(move |_, path| {
        let shown = |kind, n: u8| {
            let of = (&meant, 5, &VOTERS[..]);
            record_proof(kind, of, &id(n).0, Some(&record), Some(&record))
        };
        let is = |n: u8| path == format!("/v1/machines/{}/proof", id(n));
        match path {
            "/v1/genesis" => genesis_answer(&meant),
            _ if is(1) => shown(RecordKind::Machine, 1),
            _ if is(2) => shown(RecordKind::Lease, 2),
            _ if is(3) => shown(RecordKind::Machine, 1),
            _ => not_found(),
        }
    });
    let client = Client::new([url]).expecting(Some(genesis("meant").id()));
    let (shown, header) = client.proven_machine(&id(1)).unwrap();
    assert_eq!((shown, header.height), (Some(machine), Height(5)));
    for n in [2, 3] {
        let refused = client.proven_machine(&id(n)).unwrap_err();
        assert_eq!(refused.code().to_string(), "NP6209", "{n}: {refused}");
    }
}
