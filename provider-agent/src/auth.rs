//! Who asks: a signed request, by a key that may act for the lease's tenant. What is signed is `nupeer_lease::agent_request`.

use std::collections::BTreeMap;
use std::sync::Mutex;
use std::time::{Duration, Instant};

use nupeer_lease::agent_request::{AgentRequestError, SignedAgentRequest};
use nupeer_lease::{Lease, LeaseId};
use nupeer_ledger::Scope;
use nupeer_primitives::{AccountId, Code, Hash, Hash28, Numbered, PublicKey, TimeMs};

use crate::chain::{Chain, ChainError};
use crate::records::hold;

/// How long an answer about a key is believed: so long a revoked key may still read logs.
const BELIEVED_FOR: Duration = Duration::from_secs(5);
/// Most requests of one lease that are remembered to be refused a second time. Each lease has its own, so that no tenant takes another's.
const REMEMBERED_MAX: usize = 256;
/// Most keys whose grant is remembered.
const KEYS_MAX: usize = 1_000;

/// Why a request is refused. The numbers are NP8035 to NP8039; those of the format keep their own.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum AuthError {
    /// Not a signed request for this.
    #[error(transparent)]
    Request(#[from] AgentRequestError),
    /// The request is not signed at all.
    #[error("the header nupeer-request is missing")]
    Unsigned,
    /// The machine has no such lease.
    #[error("there is no lease {lease} on this machine")]
    UnknownLease {
        /// Which was asked for.
        lease: LeaseId,
    },
    /// The key may not act for the tenant.
    #[error("the key {provided} may not act for the tenant {tenant}")]
    NotTenant {
        /// Hash of the key that signed.
        provided: Hash28,
        /// Hash of the tenant's own.
        tenant: Hash28,
    },
    /// The same request was taken before.
    #[error("this request was taken before; sign it again to repeat it")]
    Replayed,
    /// Whether the key may cannot be told now.
    #[error(transparent)]
    Chain(#[from] ChainError),
    /// Too many signed requests of one lease at a time.
    #[error("{maximum} requests of this lease are remembered until they expire; come again later")]
    TooMany {
        /// How many.
        maximum: usize,
    },
}

impl Numbered for AuthError {
    fn code(&self) -> Code {
        Code(match self {
            AuthError::Request(error) => return error.code(),
            AuthError::Chain(error) => return error.code(),
            AuthError::Unsigned => 8035,
            AuthError::UnknownLease { .. } => 8036,
            AuthError::NotTenant { .. } => 8037,
            AuthError::Replayed => 8038,
            AuthError::TooMany { .. } => 8039,
        })
    }
}

/// What is known of keys, and which requests were taken.
#[derive(Default)]
pub struct Gate {
    keys: Mutex<BTreeMap<(AccountId, Hash28), (bool, Instant)>>,
    taken: Mutex<BTreeMap<LeaseId, BTreeMap<Hash, TimeMs>>>,
}

impl Gate {
    /// The request in a header, if it is a signed one of `method` and `path` about `lease` at the time `now`. Costs no query.
    ///
    /// # Errors
    /// See [`AuthError`].
    pub fn read(
        &self,
        header: Option<&str>,
        chain: &Hash,
        lease: &LeaseId,
        (method, path): (&str, &str),
        now: TimeMs,
    ) -> Result<SignedAgentRequest, AuthError> {
        let signed = SignedAgentRequest::from_header(header.ok_or(AuthError::Unsigned)?)?;
        signed.verify(chain, lease, method, path, now)?;
        Ok(signed)
    }

    /// Checks that `key` may act for the tenant of `lease`: the tenant's own, or one that is granted `lease` at `time`.
    ///
    /// # Errors
    /// [`AuthError::NotTenant`], or [`AuthError::Chain`] when nobody can be asked.
    pub fn admit(
        &self,
        chain: &dyn Chain,
        lease: &Lease,
        key: &PublicKey,
        time: TimeMs,
    ) -> Result<(), AuthError> {
        let (tenant, provided) = (lease.tenant, key.hash());
        let refused = AuthError::NotTenant {
            provided,
            tenant: tenant.hash(),
        };
        if provided == tenant.hash() || self.may_lease(chain, &tenant, &provided, time)? {
            return Ok(());
        }
        Err(refused)
    }

    fn may_lease(
        &self,
        chain: &dyn Chain,
        tenant: &AccountId,
        key: &Hash28,
        time: TimeMs,
    ) -> Result<bool, ChainError> {
        let known = hold(&self.keys).get(&(*tenant, *key)).copied();
        if let Some((may, _)) = known.filter(|(_, at)| at.elapsed() < BELIEVED_FOR) {
            return Ok(may);
        }
        let grant = chain.grant(tenant, key)?;
        let may =
            grant.is_some_and(|grant| grant.scope.covers(Scope::LEASE) && time < grant.expires);
        let mut keys = hold(&self.keys);
        if keys.len() >= KEYS_MAX {
            keys.clear();
        }
        keys.insert((*tenant, *key), (may, Instant::now()));
        Ok(may)
    }

    /// Takes a request that changes something, once. It was admitted, so its lease is one of this machine's.
    ///
    /// # Errors
    /// [`AuthError::Replayed`], or [`AuthError::TooMany`].
    pub fn take(
        &self,
        chain: &Hash,
        signed: &SignedAgentRequest,
        now: TimeMs,
    ) -> Result<(), AuthError> {
        let hash = signed.request.signing_hash(chain);
        let mut all = hold(&self.taken);
        all.retain(|_, taken| {
            taken.retain(|_, expires| *expires > now);
            !taken.is_empty()
        });
        let taken = all.entry(signed.request.lease).or_default();
        if taken.contains_key(&hash) {
            return Err(AuthError::Replayed);
        }
        if taken.len() >= REMEMBERED_MAX {
            let maximum = REMEMBERED_MAX;
            return Err(AuthError::TooMany { maximum });
        }
        taken.insert(hash, signed.request.expires);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use nupeer_lease::AgentRequest;
    use nupeer_primitives::Signature;

    use super::*;

    const CHAIN: Hash = Hash([7; 32]);

    /// The `number`th request about lease `lease`, which expires at 1 s.
    fn request(lease: u8, number: u64) -> SignedAgentRequest {
        SignedAgentRequest {
            request: AgentRequest {
                lease: LeaseId(Hash([lease; 32])),
                method: "PUT".into(),
                path: format!("/{number}"),
                body: Hash::ZERO,
                expires: TimeMs(1_000),
            },
            key: PublicKey([1; 32]),
            signature: Signature([2; 64]),
        }
    }

    #[test]
    fn whoever_asks_too_often_keeps_nobody_else_out() {
        let gate = Gate::default();
        let take = |lease, number, now| gate.take(&CHAIN, &request(lease, number), TimeMs(now));
        for number in 0..REMEMBERED_MAX as u64 {
            assert_eq!(take(1, number, 0), Ok(()));
        }
        assert_eq!(take(1, 0, 999), Err(AuthError::Replayed));
        let maximum = REMEMBERED_MAX;
        assert_eq!(take(1, 1 << 40, 999), Err(AuthError::TooMany { maximum }));
        assert_eq!(take(2, 0, 999), Ok(()));
        // What has expired is refused for that, and need not be remembered.
        assert_eq!(take(1, 1 << 40, 1_000), Ok(()));
        assert_eq!(hold(&gate.taken).len(), 1);
    }
}
