//! Usage notes: how long a lease ran, in the words of both sides. They are cumulative, so that a lost one costs nothing.
//!
//! Both sides sign blake2b-256("nupeer/usage/1" ‖ genesis id ‖ canonical CBOR of the note): the provider with the machine's operator
//! key, the tenant with any key that the tenant's account lets lease, a session key as a rule.

use minicbor::{Decode, Encode};
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
