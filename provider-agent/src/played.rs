//! What tests and benches play: a tenant's container, and a lease of it. Built for nothing else.

use nupeer_lease::{Kind, Lease, LeaseState, MachineId, OfferId};
use nupeer_paas::ContainerSpec;
use nupeer_primitives::{AccountId, Amount, Hash, Hash28, TimeMs};

/// A small container of `image` that publishes `port`.
pub fn spec(image: Hash, port: Option<u16>) -> ContainerSpec {
    ContainerSpec {
        image,
        argv: vec![],
        env: vec![],
        cpu_milli: 200,
        memory_bytes: 64 << 20,
        pids: 32,
        port,
    }
}

/// A lease of an hour on `machine` for what `spec` says, with nothing metered yet.
pub fn lease(spec: &ContainerSpec, machine: MachineId, state: LeaseState) -> Lease {
    Lease {
        tenant: AccountId::of_key(Hash28([1; 28])),
        provider: AccountId::of_key(Hash28([2; 28])),
        machine,
        offer: OfferId(Hash([4; 32])),
        kind: Kind::Container,
        resources: spec.resources(),
        image: spec.image,
        manifest: spec.manifest(),
        price_lovelace_per_hour: 3_600_000,
        protocol_fee_per_10k: 1_000,
        duration_ms: 3_600_000,
        matched_at: TimeMs(0),
        deposited_lovelace: Amount::new(10_000_000),
        charged_lovelace: Amount::new(0),
        refunded_lovelace: Amount::new(0),
        metered_ms: 0,
        evidence: Hash::ZERO,
        ran_ms: 0,
        state,
    }
}
