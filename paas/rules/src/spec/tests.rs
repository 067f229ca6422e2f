//! What makes a container and what does not.

use nupeer_lease::{LeaseState, MachineId, OfferId};
use nupeer_primitives::{AccountId, Amount, Hash28, TimeMs, cbor::CborError};
use proptest::prelude::*;

use super::*;

fn spec() -> ContainerSpec {
    ContainerSpec {
        image: Hash([1; 32]),
        argv: vec!["/bin/httpd".into(), "-f".into()],
        env: vec!["HOME=/".into(), "EMPTY=".into()],
        cpu_milli: 200,
        memory_bytes: 64 << 20,
        pids: 32,
        port: Some(8_080),
    }
}

fn lease_of(spec: &ContainerSpec) -> Lease {
    Lease {
        tenant: AccountId::of_key(Hash28([2; 28])),
        provider: AccountId::of_key(Hash28([3; 28])),
        machine: MachineId(Hash::ZERO),
        offer: OfferId(Hash::ZERO),
        kind: Kind::Container,
        resources: spec.resources(),
        image: spec.image,
        manifest: spec.manifest(),
        price_lovelace_per_hour: 1,
        protocol_fee_per_10k: 0,
        duration_ms: 1,
        matched_at: TimeMs(0),
        deposited_lovelace: Amount::ZERO,
        charged_lovelace: Amount::ZERO,
        refunded_lovelace: Amount::ZERO,
        metered_ms: 0,
        evidence: Hash::ZERO,
        ran_ms: 0,
        state: LeaseState::Reserved { until: TimeMs(0) },
    }
}

fn limit(what: &'static str, provided: u64, minimum: u64, maximum: u64) -> ContainerError {
    ContainerError::Limit {
        what,
        provided,
        minimum,
        maximum,
    }
}

#[test]
fn each_flaw_has_its_error() {
    type Change = fn(&mut ContainerSpec);
    let cases: [(Change, ContainerError); 12] = [
        (|s| s.cpu_milli = 9, limit("cpu_milli", 9, 10, 1_024_000)),
        (
            |s| s.memory_bytes = 1,
            limit("memory_bytes", 1, 8 << 20, 16 << 40),
        ),
        (
            |s| s.memory_bytes = u64::MAX,
            limit("memory_bytes", u64::MAX, 8 << 20, 16 << 40),
        ),
        (|s| s.pids = 3, limit("pids", 3, 4, 1 << 22)),
        (|s| s.port = Some(0), limit("port", 0, 1, 65_535)),
        (
            |s| s.argv = vec![String::new(); 129],
            limit("arguments", 129, 0, 128),
        ),
        (
            |s| s.argv = vec!["x".repeat(4_097)],
            limit("argument", 4_097, 0, 4_096),
        ),
        (
            |s| s.argv[1] = "a\0b".into(),
            ContainerError::ZeroByte {
                what: "argument",
                index: 1,
            },
        ),
        (
            |s| s.env[1] = "NOTHING".into(),
            ContainerError::Variable { index: 1 },
        ),
        (
            |s| s.env[0] = "1ST=x".into(),
            ContainerError::Variable { index: 0 },
        ),
        (
            |s| s.env[0] = "=x".into(),
            ContainerError::Variable { index: 0 },
        ),
        (
            |s| s.env.push("HOME=/root".into()),
            ContainerError::VariableTwice {
                name: "HOME".into(),
            },
        ),
    ];
    assert_eq!(spec().check(), Ok(()));
    for (change, error) in cases {
        let mut wrong = spec();
        change(&mut wrong);
        assert_eq!(wrong.check(), Err(error));
    }
}

#[test]
fn many_long_strings_are_too_much_together() {
    let argv = vec!["x".repeat(4_000); 9];
    let large = ContainerSpec { argv, ..spec() };
    let bytes = large.to_bytes();
    let length = bytes.len() as u64;
    assert_eq!(
        large.check(),
        Err(limit("bytes in all", length, 0, 32 << 10))
    );
    let (provided, maximum) = (bytes.len(), SPEC_BYTES_MAX);
    let error = CborError::TooLong { provided, maximum };
    assert_eq!(ContainerSpec::from_bytes(&bytes), Err(error.into()));
}

#[test]
fn a_specification_is_of_its_lease_alone() {
    let spec = spec();
    let lease = lease_of(&spec);
    assert_eq!(spec.check_lease(&lease), Ok(()));

    let other = ContainerSpec {
        image: Hash([9; 32]),
        ..spec.clone()
    };
    let error = ContainerError::WrongImage {
        provided: other.image,
        expected: lease.image,
    };
    assert_eq!(other.check_lease(&lease), Err(error));

    let larger = ContainerSpec {
        pids: 33,
        ..spec.clone()
    };
    let error = ContainerError::WrongResources {
        provided: larger.resources(),
        expected: lease.resources,
    };
    assert_eq!(larger.check_lease(&lease), Err(error));

    // Not seen in the resources, but another command, another environment, another port all the same.
    for changed in [
        ContainerSpec {
            argv: vec!["/bin/sh".into()],
            ..spec.clone()
        },
        ContainerSpec {
            env: vec![],
            ..spec.clone()
        },
        ContainerSpec {
            port: Some(22),
            ..spec.clone()
        },
    ] {
        let error = ContainerError::WrongManifest {
            provided: changed.manifest(),
            expected: lease.manifest,
        };
        assert_eq!(changed.check_lease(&lease), Err(error));
    }
}

/// Regenerating these is approving a change of the format.
#[test]
fn the_format_is_pinned() {
    let bytes = concat!(
        "8758200101010101010101010101010101010101010101010101010101010101010101",
        "826a2f62696e2f6874747064622d668266484f4d453d2f66454d5054593d18c81a04000000",
        "1820191f90",
    );
    assert_eq!(hex(&spec().to_bytes()), bytes);
    let manifest = "1d1247a3cb84bfd450b14394ad6c30ca92de751050b7bb221cc1b2c03419d154";
    assert_eq!(spec().manifest().to_string(), manifest);
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

proptest! {
    #[test]
    fn no_bytes_make_the_decoder_panic(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        let _ = ContainerSpec::from_bytes(&bytes);
    }

    #[test]
    fn what_passes_the_check_survives_encoding(cpu_milli in 10u32..2_000, port in any::<Option<u16>>(), word in "[a-z\\x00]{0,9}") {
        let spec = ContainerSpec { cpu_milli, port, argv: vec![word], ..spec() };
        match spec.check() {
            Ok(()) => prop_assert_eq!(ContainerSpec::from_bytes(&spec.to_bytes()), Ok(spec)),
            Err(error) => prop_assert_eq!(ContainerSpec::from_bytes(&spec.to_bytes()), Err(error)),
        }
    }
}
