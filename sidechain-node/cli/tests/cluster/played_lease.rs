//! A lease that a played chain has, of account 2's machine, and what its played agent signs for.

use nupeer_lease::{
    Kind, Lease, LeaseId, LeaseState, Machine, MachineId, MachineState, MachineTerms, OfferId,
    ProviderNote, Resources, Usage, usage::evidence,
};
use nupeer_primitives::{AccountId, Amount, Hash, PublicKey, Signature, TimeMs};

use crate::{
    played::genesis,
    validators::{account, key},
};

pub(crate) const LEASE: LeaseId = LeaseId(Hash([7; 32]));
const MACHINE: MachineId = MachineId(Hash([9; 32]));

fn operator() -> PublicKey {
    PublicKey(key(2).verifying_key().to_bytes())
}

/// An hour that began at 0, with nothing settled.
pub(crate) fn lease(tenant: AccountId, state: LeaseState) -> Lease {
    Lease {
        tenant,
        provider: account(2),
        machine: MACHINE,
        offer: OfferId(Hash([4; 32])),
        kind: Kind::Container,
        resources: Resources::default(),
        image: Hash::ZERO,
        manifest: Hash::ZERO,
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

/// Its machine, whose agent answers at `endpoint`.
pub(crate) fn machine(endpoint: String) -> Machine {
    Machine {
        owner: account(2),
        terms: MachineTerms {
            operator: operator(),
            endpoint,
            capacity: Resources::default(),
            scores: vec![],
            evidence: Hash::ZERO,
        },
        bonds: vec![],
        used: Resources::default(),
        leases_open: 1,
        nonce_floor: 0,
        state: MachineState::Live,
    }
}

/// The agent's note for so much running time.
pub(crate) fn note(metered_ms: u64) -> ProviderNote {
    let counters = vec![0xa0];
    let usage = Usage {
        lease: LEASE,
        metered_ms,
        evidence: evidence(&LEASE, &counters),
    };
    let hash = usage.signing_hash(&genesis("played").id());
    let signature = ed25519_dalek::Signer::sign(&key(2), &hash.0);
    ProviderNote {
        usage,
        operator: operator(),
        operator_signature: Signature(signature.to_bytes()),
        counters: counters.into(),
    }
}
