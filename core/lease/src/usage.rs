//! Usage notes: how long a lease ran, in the words of both sides. They are cumulative, so that a lost one costs nothing.
//!
//! Both sides sign blake2b-256("nupeer/usage/1" ‖ genesis id ‖ canonical CBOR of the note): the provider with the machine's operator
//! key, the tenant with any key that the tenant's account lets lease, a session key as a rule.

use minicbor::{Decode, Encode, bytes::ByteVec};
use nupeer_ledger::{Scope, StateRead, grant};
use nupeer_primitives::{
    Hash, PublicKey, Signature, TimeMs, blake2b_256,
    cbor::{self, CborError},
};

use crate::{
    error::LeaseError,
    id::LeaseId,
    lease::{Lease, LeaseState},
    machine, store,
};

/// Longest encoding of a signed usage note, in bytes.
pub const USAGE_BYTES_MAX: usize = 512;

/// How long a lease ran.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Encode, Decode)]
pub struct Usage {
    /// Which lease.
    #[n(0)]
    pub lease: LeaseId,
    /// Since it began, in ms. Each note says more than the one before.
    #[n(1)]
    pub metered_ms: u64,
    /// Blake2b-256 of the counters behind it, which both sides keep.
    #[n(2)]
    pub evidence: Hash,
}

impl Usage {
    /// What both sides sign on the chain with this genesis id.
    pub fn signing_hash(&self, chain: &Hash) -> Hash {
        blake2b_256(&[b"nupeer/usage/1", &chain.0, &cbor::encode(self)])
    }
}

/// A usage note and both sides' word for it.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
pub struct SignedUsage {
    /// What is said.
    #[n(0)]
    pub usage: Usage,
    /// The machine's operator key.
    #[n(1)]
    pub operator: PublicKey,
    /// Its signature.
    #[n(2)]
    pub operator_signature: Signature,
    /// A key that leases for the tenant.
    #[n(3)]
    pub tenant_key: PublicKey,
    /// Its signature.
    #[n(4)]
    pub tenant_signature: Signature,
}

/// Longest counters beside a note, in bytes.
pub const COUNTERS_BYTES_MAX: usize = 512;

/// What a note says of `counters`, the canonical CBOR of what the provider counted:
/// blake2b-256("nupeer/evidence/1" ‖ lease ‖ counters).
pub fn evidence(lease: &LeaseId, counters: &[u8]) -> Hash {
    blake2b_256(&[b"nupeer/evidence/1", &lease.0.0, counters])
}

/// A note as the provider offers it to the tenant: signed by one side, with what it was made from.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
pub struct ProviderNote {
    /// What is said.
    #[n(0)]
    pub usage: Usage,
    /// The machine's operator key.
    #[n(1)]
    pub operator: PublicKey,
    /// Its signature.
    #[n(2)]
    pub operator_signature: Signature,
    /// Canonical CBOR of what the provider counted, which [`evidence`] hashes.
    #[n(3)]
    pub counters: ByteVec,
}

impl ProviderNote {
    /// The canonical bytes.
    pub fn to_bytes(&self) -> Vec<u8> {
        cbor::encode(self)
    }

    /// The note that `bytes` encode canonically.
    ///
    /// # Errors
    /// Longer than a note with its counters, malformed, or another encoding of the same thing.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, CborError> {
        cbor::decode_bounded(bytes, USAGE_BYTES_MAX + COUNTERS_BYTES_MAX)
    }

    /// What a tenant checks before signing too: that it is the word of `operator` about the lease `id` on the chain with this genesis
    /// id, that it says no less than `signed_ms`, which the tenant signed for before, and no more than `clock_ms`, which the
    /// tenant grants, and that its counters are those it was made from.
    ///
    /// # Errors
    /// What does not hold.
    pub fn check(
        &self,
        chain: &Hash,
        id: &LeaseId,
        operator: &PublicKey,
        signed_ms: u64,
        clock_ms: u64,
    ) -> Result<(), LeaseError> {
        if self.usage.lease != *id {
            return Err(LeaseError::UsageOfAnotherLease {
                provided: self.usage.lease,
                expected: *id,
            });
        }
        if self.operator != *operator {
            return Err(LeaseError::WrongOperator {
                provided: self.operator.hash(),
                expected: operator.hash(),
            });
        }
        let hash = self.usage.signing_hash(chain);
        if !operator.verifies(&hash.0, &self.operator_signature) {
            return Err(LeaseError::BadUsageSignature { side: "provider" });
        }
        self.check_claim(id, signed_ms, clock_ms)
    }

    fn check_claim(&self, id: &LeaseId, signed_ms: u64, clock_ms: u64) -> Result<(), LeaseError> {
        let provided_ms = self.usage.metered_ms;
        if provided_ms < signed_ms {
            return Err(LeaseError::UsageBackwards {
                provided_ms,
                metered_ms: signed_ms,
            });
        }
        if provided_ms > clock_ms {
            return Err(LeaseError::UsageBeyondClock {
                provided_ms,
                clock_ms,
            });
        }
        let (provided, expected) = (evidence(id, &self.counters), self.usage.evidence);
        if provided != expected {
            return Err(LeaseError::WrongEvidence { provided, expected });
        }
        Ok(())
    }

    /// The note with the tenant's word beside the provider's; `signature` is over [`Usage::signing_hash`].
    pub fn countersigned(&self, key: PublicKey, signature: Signature) -> SignedUsage {
        SignedUsage {
            usage: self.usage,
            operator: self.operator,
            operator_signature: self.operator_signature,
            tenant_key: key,
            tenant_signature: signature,
        }
    }
}

impl SignedUsage {
    /// The canonical bytes.
    pub fn to_bytes(&self) -> Vec<u8> {
        cbor::encode(self)
    }

    /// The note that `bytes` encode canonically.
    ///
    /// # Errors
    /// Longer than [`USAGE_BYTES_MAX`], malformed, or another encoding of the same thing.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, CborError> {
        cbor::decode_bounded(bytes, USAGE_BYTES_MAX)
    }

    /// Checks the note against `lease`, the lease with the id `id`, at `time`.
    ///
    /// # Errors
    /// Of another lease, of one that is settled, going backwards, beyond the clock, or not signed by both sides.
    pub fn check(
        &self,
        state: &dyn StateRead,
        id: &LeaseId,
        lease: &Lease,
        time: TimeMs,
    ) -> Result<(), LeaseError> {
        if self.usage.lease != *id {
            return Err(LeaseError::UsageOfAnotherLease {
                provided: self.usage.lease,
                expected: *id,
            });
        }
        self.check_time(lease, time)?;
        let hash = self.usage.signing_hash(&crate::genesis::chain(state));
        self.check_operator(state, lease, &hash, time)?;
        self.check_tenant(state, lease, &hash, time)
    }

    fn check_time(&self, lease: &Lease, time: TimeMs) -> Result<(), LeaseError> {
        if let LeaseState::Closed { .. } = lease.state {
            return Err(LeaseError::WrongLeaseState {
                provided: lease.state.name(),
                needed: "not settled yet",
            });
        }
        let provided_ms = self.usage.metered_ms;
        if provided_ms <= lease.metered_ms {
            return Err(LeaseError::UsageBackwards {
                provided_ms,
                metered_ms: lease.metered_ms,
            });
        }
        let clock_ms = lease.clock_ms(time);
        if provided_ms > clock_ms {
            return Err(LeaseError::UsageBeyondClock {
                provided_ms,
                clock_ms,
            });
        }
        Ok(())
    }

    fn check_operator(
        &self,
        state: &dyn StateRead,
        lease: &Lease,
        hash: &Hash,
        time: TimeMs,
    ) -> Result<(), LeaseError> {
        let machine = store::machine(state, &lease.machine).ok_or(LeaseError::UnknownMachine {
            machine: lease.machine,
        })?;
        if self.operator != machine.terms.operator {
            return Err(LeaseError::WrongOperator {
                provided: self.operator.hash(),
                expected: machine.terms.operator.hash(),
            });
        }
        if !self.operator.verifies(&hash.0, &self.operator_signature) {
            return Err(LeaseError::BadUsageSignature { side: "provider" });
        }
        machine::authorise_operator(state, &machine.owner, &self.operator, time)
    }

    fn check_tenant(
        &self,
        state: &dyn StateRead,
        lease: &Lease,
        hash: &Hash,
        time: TimeMs,
    ) -> Result<(), LeaseError> {
        let key = self.tenant_key.hash();
        grant::authorise(state, &lease.tenant, &key, Some(Scope::LEASE), time)
            .map_err(|reason| LeaseError::TenantKeyNotGranted { key, reason })?;
        if !self.tenant_key.verifies(&hash.0, &self.tenant_signature) {
            return Err(LeaseError::BadUsageSignature { side: "tenant" });
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::actions::testing::key;

    const CHAIN: Hash = Hash([0xcc; 32]);
    const LEASE: LeaseId = LeaseId(Hash([7; 32]));

    fn note(metered_ms: u64, counters: &[u8]) -> ProviderNote {
        let usage = Usage {
            lease: LEASE,
            metered_ms,
            evidence: evidence(&LEASE, b"counted"),
        };
        ProviderNote {
            usage,
            operator: key(1).public,
            operator_signature: key(1).sign(&usage.signing_hash(&CHAIN).0),
            counters: counters.to_vec().into(),
        }
    }

    fn check(note: &ProviderNote, id: &LeaseId, operator: u8) -> Result<(), LeaseError> {
        note.check(&CHAIN, id, &key(operator).public, 1_000, 2_000)
    }

    #[test]
    fn a_tenant_signs_for_what_the_clock_grants_and_never_for_less_than_before() {
        let (provided_ms, metered_ms, clock_ms) = (999, 1_000, 2_000);
        let backwards = LeaseError::UsageBackwards {
            provided_ms,
            metered_ms,
        };
        let beyond = LeaseError::UsageBeyondClock {
            provided_ms: 2_001,
            clock_ms,
        };
        for (metered_ms, expected) in [
            (999, Err(backwards)),
            (1_000, Ok(())),
            (2_000, Ok(())),
            (2_001, Err(beyond)),
        ] {
            assert_eq!(check(&note(metered_ms, b"counted"), &LEASE, 1), expected);
        }
    }

    #[test]
    fn a_note_of_another_lease_operator_chain_or_evidence_is_refused() {
        let good = note(1_500, b"counted");
        let other = LeaseId(Hash([8; 32]));
        let another = LeaseError::UsageOfAnotherLease {
            provided: LEASE,
            expected: other,
        };
        assert_eq!(check(&good, &other, 1), Err(another));
        let operator = LeaseError::WrongOperator {
            provided: key(1).public.hash(),
            expected: key(2).public.hash(),
        };
        assert_eq!(check(&good, &LEASE, 2), Err(operator));
        let unsigned = LeaseError::BadUsageSignature { side: "provider" };
        let elsewhere = good.check(&Hash::ZERO, &LEASE, &key(1).public, 0, 9_999);
        assert_eq!(elsewhere, Err(unsigned));
        let evidence = LeaseError::WrongEvidence {
            provided: evidence(&LEASE, b"invented"),
            expected: evidence(&LEASE, b"counted"),
        };
        assert_eq!(check(&note(1_500, b"invented"), &LEASE, 1), Err(evidence));
    }

    #[test]
    fn a_note_is_read_as_it_was_written_and_keeps_its_bytes() {
        let good = note(1_500, b"counted");
        assert_eq!(ProviderNote::from_bytes(&good.to_bytes()), Ok(good.clone()));
        let signature = key(2).sign(&good.usage.signing_hash(&CHAIN).0);
        let signed = good.countersigned(key(2).public, signature);
        assert_eq!((signed.usage, signed.operator), (good.usage, good.operator));
        let head = hex::encode(&good.to_bytes()[..4]);
        assert_eq!(head, "84835820");
    }
}
