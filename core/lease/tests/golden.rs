//! Formats that others sign, send and store. Regenerating one of these is approving a change of the format.

use nupeer_lease::{
    Action, Bond, Kind, LeaseId, MachineId, MachineTerms, Metric, Offer, Price, Resources, Score,
    SignedOffer, SignedUsage, Usage,
    actions::{
        CancelRequest, CloseLease, EndLease, Match, PostRequest, Progress, RegisterMachine,
        ReportLease, SubmitUsage, TopUp, UpdateMachine, WithdrawMachine,
    },
    request::Wanted,
};
use nupeer_primitives::{
    AccountId, Amount, AssetId, Hash, Hash28, PublicKey, Signature, TimeMs, blake2b_256,
    cbor::{self, CborError},
};

const CHAIN: Hash = Hash([0xcc; 32]);

fn most() -> Resources {
    Resources {
        cpu_milli: u32::MAX,
        memory_bytes: u64::MAX,
        disk_bytes: u64::MAX,
        pids: u32::MAX,
        ports: u16::MAX,
    }
}

fn terms() -> MachineTerms {
    MachineTerms {
        operator: PublicKey([1; 32]),
        endpoint: "http://provider.example:8080".into(),
        capacity: most(),
        scores: vec![
            Score {
                metric: Metric::CpuSingle,
                value: 7,
            },
            Score {
                metric: Metric::DiskWrite,
                value: 8,
            },
        ],
        evidence: Hash([2; 32]),
    }
}

fn offer() -> SignedOffer {
    SignedOffer {
        offer: Offer {
            machine: MachineId(Hash([3; 32])),
            kind: Kind::Container,
            capacity: Resources {
                cpu_milli: 200,
                memory_bytes: 64 << 20,
                disk_bytes: 0,
                pids: 32,
                ports: 1,
            },
            price: Price::Vector {
                cpu_lovelace_per_hour: 1,
                memory_gib_lovelace_per_hour: 2,
                disk_gib_lovelace_per_hour: 3,
                port_lovelace_per_hour: 4,
            },
            duration_ms_max: 3_600_000,
            tenant: Some(AccountId::of_key(Hash28([4; 28]))),
            leases_max: 1,
            expires: TimeMs(1_800_000_000_000),
            nonce: 9,
        },
        operator: PublicKey([1; 32]),
        signature: Signature([5; 64]),
    }
}

fn usage() -> SignedUsage {
    SignedUsage {
        usage: Usage {
            lease: LeaseId(Hash([0xff; 32])),
            metered_ms: u64::MAX,
            evidence: Hash([6; 32]),
        },
        operator: PublicKey([1; 32]),
        operator_signature: Signature([5; 64]),
        tenant_key: PublicKey([7; 32]),
        tenant_signature: Signature([8; 64]),
    }
}

fn wanted() -> Wanted {
    Wanted {
        kind: Kind::Container,
        resources: most(),
        duration_ms: u64::MAX,
        image: Hash([9; 32]),
        manifest: Hash([10; 32]),
        score_floors: terms().scores,
        machine: Some(MachineId(Hash([3; 32]))),
        price_max_lovelace_per_hour: u64::MAX,
        expires: TimeMs(1_800_000_000_000),
    }
}

/// One of each verb, with the longest values that occur.
fn actions() -> Vec<(&'static str, Action)> {
    let amount = Amount::from(u64::MAX);
    let (machine, lease) = (MachineId(Hash([0xff; 32])), LeaseId(Hash([0xff; 32])));
    let token = AssetId::Native {
        policy: Hash28([0xff; 28]),
        name: vec![0xff; 32],
    };
    let kind = Kind::Container;
    let bonds = vec![Bond {
        kind,
        asset: token,
        amount,
    }];
    let register = RegisterMachine {
        terms: terms(),
        bonds,
    };
    let update = UpdateMachine {
        machine,
        terms: terms(),
        nonce_floor: u64::MAX,
    };
    let post = PostRequest {
        wanted: wanted(),
        escrow_lovelace: amount,
    };
    let pair = Match {
        request: lease,
        offer: offer(),
    };
    let progress = Progress::Provisioning;
    let note = SubmitUsage { usage: usage() };
    let top_up = TopUp {
        lease,
        amount_lovelace: amount,
    };
    let usage = Some(usage());
    let close = CloseLease {
        lease,
        usage: usage.clone(),
    };
    vec![
        ("register", Action::RegisterMachine(register)),
        ("update", Action::UpdateMachine(update)),
        (
            "withdraw",
            Action::WithdrawMachine(WithdrawMachine { machine }),
        ),
        ("post", Action::PostRequest(post)),
        (
            "cancel",
            Action::CancelRequest(CancelRequest { request: lease }),
        ),
        ("match", Action::Match(Box::new(pair))),
        (
            "report",
            Action::ReportLease(ReportLease { lease, progress }),
        ),
        ("usage", Action::SubmitUsage(Box::new(note))),
        ("top-up", Action::TopUp(top_up)),
        ("close", Action::CloseLease(Box::new(close))),
        ("end", Action::EndLease(Box::new(EndLease { lease, usage }))),
    ]
}

#[test]
fn offers_are_pinned() {
    let bytes = offer().to_bytes();
    assert_eq!(hex::encode(&bytes), include_str!("golden/offer.hex").trim());
    assert_eq!(SignedOffer::from_bytes(&bytes), Ok(offer()));
    let id = offer().offer.id(&CHAIN).to_string();
    assert_eq!(id, include_str!("golden/offer_id.hex").trim());
}

#[test]
fn usage_notes_are_pinned() {
    let bytes = usage().to_bytes();
    assert_eq!(hex::encode(&bytes), include_str!("golden/usage.hex").trim());
    assert_eq!(SignedUsage::from_bytes(&bytes), Ok(usage()));
    let hash = usage().usage.signing_hash(&CHAIN).to_string();
    assert_eq!(hash, include_str!("golden/usage_hash.hex").trim());
}

/// Name, weight and blake2b-256 of the encoding of each verb, one a line.
#[test]
fn actions_are_pinned_and_decode_to_themselves() {
    let mut lines = Vec::new();
    for (name, action) in actions() {
        let bytes = cbor::encode(&action);
        assert_eq!(cbor::decode::<Action>(&bytes), Ok(action.clone()));
        let digest = blake2b_256(&[&bytes]);
        lines.push(format!("{name} {} {digest}", action.weight()));
    }
    assert_eq!(lines.join("\n"), include_str!("golden/actions.txt").trim());
}

#[test]
fn every_actions_text_is_one_short_line_of_ascii() {
    for (_, action) in actions() {
        let text = action.text();
        assert!(text.len() <= 141, "{} bytes: {text}", text.len());
        assert!(text.bytes().all(|b| (32..=126).contains(&b)), "{text}");
        assert!(!text.contains("  ") && text.trim() == text, "{text}");
    }
}

#[test]
fn an_absent_note_has_one_encoding() {
    let lease = LeaseId(Hash([1; 32]));
    let close = Action::CloseLease(Box::new(CloseLease { lease, usage: None }));
    let bytes = cbor::encode(&close);
    assert_eq!(cbor::decode::<Action>(&bytes), Ok(close));
    // The same with an explicit null: arrays of two, of one, then of two elements.
    let null = [&[0x82, 0x09, 0x81, 0x82][..], &bytes[4..], &[0xf6]].concat();
    assert_eq!(bytes[..4], [0x82, 0x09, 0x81, 0x81]);
    assert_eq!(cbor::decode::<Action>(&null), Err(CborError::NotCanonical));
}

#[test]
fn truncated_reencoded_and_oversized_documents_are_refused() {
    let bytes = offer().to_bytes();
    for end in 0..bytes.len() {
        let refused = SignedOffer::from_bytes(&bytes[..end]);
        assert!(matches!(refused, Err(CborError::Malformed(_))), "{end}");
    }
    let longer = [&bytes[..], &[0]].concat();
    assert_eq!(
        SignedOffer::from_bytes(&longer),
        Err(CborError::NotCanonical)
    );
    let too_long = SignedOffer::from_bytes(&[0; 1_025]);
    let (provided, maximum) = (1_025, 1_024);
    assert_eq!(too_long, Err(CborError::TooLong { provided, maximum }));
    let too_long = SignedUsage::from_bytes(&[0; 513]);
    let (provided, maximum) = (513, 512);
    assert_eq!(too_long, Err(CborError::TooLong { provided, maximum }));
}
