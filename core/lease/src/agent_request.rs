//! Requests to a provider's agent: how a tenant proves to it, off the chain, who asks. Both sides share this format.
//!
//! The header [`HEADER`] holds the hexadecimal digits of the canonical CBOR of a [`SignedAgentRequest`]. The key signs
//! blake2b-256("nupeer/agent/1" ‖ genesis id ‖ canonical CBOR of the [`AgentRequest`]), so a request holds on one chain, for one lease (hence
//! one machine), one method and path, one body, and until it expires. The body's hash stands in the header, so that an agent knows who asks
//! before it reads a long body, and compares the hash afterwards ([`AgentRequest::check_body`]). Sent again within its time it does the
//! same again: what can be asked of an agent may be repeated.
//!
//! Whether the key may act for the lease's tenant is for the asker of this module to look up: the account's own key, or
//! one that it grants `lease`.

use minicbor::{Decode, Encode};
use nupeer_primitives::{
    Code, Hash, Numbered, PublicKey, Signature, TimeMs, blake2b_256,
    cbor::{self, CborError},
};

use crate::id::LeaseId;

/// Name of the HTTP header.
pub const HEADER: &str = "nupeer-request";

/// Longest encoding of a signed request, in bytes; its header has twice as many digits.
pub const REQUEST_BYTES_MAX: usize = 1_024;

/// The longest that a request may hold, in ms: it bounds how long a copied one can be sent again.
pub const REQUEST_LIFE_MS_MAX: u64 = 300_000;

/// What is asked of an agent.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
pub struct AgentRequest {
    /// About which lease.
    #[n(0)]
    pub lease: LeaseId,
    /// The HTTP method, in capitals.
    #[n(1)]
    pub method: String,
    /// The path with its query, as it is sent.
    #[n(2)]
    pub path: String,
    /// Blake2b-256 of the body; of nothing where there is none.
    #[n(3)]
    pub body: Hash,
    /// Until when it holds, unix ms.
    #[n(4)]
    pub expires: TimeMs,
}

impl AgentRequest {
    /// What the key signs on the chain with this genesis id.
    pub fn signing_hash(&self, chain: &Hash) -> Hash {
        blake2b_256(&[b"nupeer/agent/1", &chain.0, &cbor::encode(self)])
    }

    /// Checks that the body which came is the one that was signed for.
    ///
    /// # Errors
    /// [`AgentRequestError::WrongBody`].
    pub fn check_body(&self, provided: &Hash) -> Result<(), AgentRequestError> {
        if *provided == self.body {
            return Ok(());
        }
        Err(AgentRequestError::WrongBody {
            provided: *provided,
            signed: self.body,
        })
    }
}

/// A request and a key's word for it.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
pub struct SignedAgentRequest {
    /// What is asked.
    #[n(0)]
    pub request: AgentRequest,
    /// The key.
    #[n(1)]
    pub key: PublicKey,
    /// Its signature over [`AgentRequest::signing_hash`].
    #[n(2)]
    pub signature: Signature,
}

impl SignedAgentRequest {
    /// The header's value.
    pub fn to_header(&self) -> String {
        hex::encode(cbor::encode(self))
    }

    /// The request that a header's value says.
    ///
    /// # Errors
    /// No hexadecimal digits, longer than [`REQUEST_BYTES_MAX`], malformed, or another encoding of the same thing.
    pub fn from_header(value: &str) -> Result<Self, AgentRequestError> {
        if value.len() > 2 * REQUEST_BYTES_MAX {
            let (provided, maximum) = (value.len().div_ceil(2), REQUEST_BYTES_MAX);
            return Err(CborError::TooLong { provided, maximum }.into());
        }
        let bytes = hex::decode(value).map_err(|_| AgentRequestError::NotHexadecimal)?;
        Ok(cbor::decode_bounded(&bytes, REQUEST_BYTES_MAX)?)
    }

    /// Checks that this is a request of `method` and `path` about `lease` which holds at `now` on the chain with this genesis
    /// id, signed by its key. The body is compared with [`AgentRequest::check_body`].
    ///
    /// # Errors
    /// Of something else, expired, valid for too long, or not signed.
    pub fn verify(
        &self,
        chain: &Hash,
        lease: &LeaseId,
        method: &str,
        path: &str,
        now: TimeMs,
    ) -> Result<(), AgentRequestError> {
        let request = &self.request;
        check_same("lease", &request.lease.to_string(), &lease.to_string())?;
        check_same("method", &request.method, method)?;
        check_same("path", &request.path, path)?;
        check_life(request.expires, now)?;
        let hash = request.signing_hash(chain);
        let signed = self.key.verifies(&hash.0, &self.signature);
        signed.then_some(()).ok_or(AgentRequestError::BadSignature)
    }
}

fn check_same(what: &'static str, signed: &str, sent: &str) -> Result<(), AgentRequestError> {
    if signed == sent {
        return Ok(());
    }
    let short = |text: &str| text.chars().take(80).collect();
    let (signed, sent) = (short(signed), short(sent));
    Err(AgentRequestError::AnotherRequest { what, signed, sent })
}

fn check_life(expires: TimeMs, now: TimeMs) -> Result<(), AgentRequestError> {
    if expires <= now {
        return Err(AgentRequestError::Expired { expires, now });
    }
    let (provided_ms, maximum_ms) = (now.until(expires), REQUEST_LIFE_MS_MAX);
    if provided_ms > maximum_ms {
        return Err(AgentRequestError::LifeTooLong {
            provided_ms,
            maximum_ms,
        });
    }
    Ok(())
}

/// Why an agent does not do what it is asked.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum AgentRequestError {
    /// Truncated, re-encoded or too long.
    #[error("the header {HEADER}: {0}")]
    Encoding(#[from] CborError),
    /// Not what a header holds.
    #[error("the header {HEADER} holds something else than hexadecimal digits")]
    NotHexadecimal,
    /// The signature is of another request.
    #[error("signed for the {what} {signed:?}, sent as {sent:?}")]
    AnotherRequest {
        /// Which part.
        what: &'static str,
        /// In the header.
        signed: String,
        /// As it came.
        sent: String,
    },
    /// Too late.
    #[error("the request held until {expires}, it is {now} (unix ms)")]
    Expired {
        /// In the header.
        expires: TimeMs,
        /// The agent's clock.
        now: TimeMs,
    },
    /// Signed for longer than a request may hold.
    #[error("the request holds for {provided_ms} ms more, at most {maximum_ms} are taken")]
    LifeTooLong {
        /// What is left of it.
        provided_ms: u64,
        /// The most.
        maximum_ms: u64,
    },
    /// The signature is not of this request.
    #[error("the signature does not verify over this request")]
    BadSignature,
    /// Another body than the one signed for.
    #[error("the body hashes to {provided}, signed was {signed}")]
    WrongBody {
        /// Of what came.
        provided: Hash,
        /// In the header.
        signed: Hash,
    },
}

impl Numbered for AgentRequestError {
    fn code(&self) -> Code {
        Code(match self {
            AgentRequestError::Encoding(error) => return error.code(),
            AgentRequestError::NotHexadecimal => 4080,
            AgentRequestError::AnotherRequest { .. } => 4081,
            AgentRequestError::Expired { .. } => 4082,
            AgentRequestError::LifeTooLong { .. } => 4083,
            AgentRequestError::BadSignature => 4084,
            AgentRequestError::WrongBody { .. } => 4085,
        })
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::actions::testing::key;

    const CHAIN: Hash = Hash([0xcc; 32]);
    const LEASE: LeaseId = LeaseId(Hash([7; 32]));
    const NOW: TimeMs = TimeMs(1_000);
    const PATH: &str = "/v1/leases/07/logs?tail=10";

    fn signed(change: impl Fn(&mut AgentRequest)) -> SignedAgentRequest {
        let mut request = AgentRequest {
            lease: LEASE,
            method: "GET".into(),
            path: PATH.into(),
            body: blake2b_256(&[]),
            expires: TimeMs(61_000),
        };
        change(&mut request);
        let key = key(1);
        SignedAgentRequest {
            signature: key.sign(&request.signing_hash(&CHAIN).0),
            key: key.public,
            request,
        }
    }

    fn verify(signed: &SignedAgentRequest) -> Result<(), AgentRequestError> {
        signed.verify(&CHAIN, &LEASE, "GET", PATH, NOW)
    }

    #[test]
    fn the_format_is_pinned() {
        let request = AgentRequest {
            lease: LEASE,
            method: "GET".into(),
            path: "/v1/x".into(),
            body: Hash([1; 32]),
            expires: TimeMs(2),
        };
        assert_eq!(
            request.signing_hash(&CHAIN).to_string(),
            "f5440c4608e7338e81a52eee2573f1e7b72a96c77298ae921de31aefafad6d15"
        );
        let signed = SignedAgentRequest {
            request,
            key: PublicKey([2; 32]),
            signature: Signature([3; 64]),
        };
        let expected = [
            "83855820",
            &"07".repeat(32),
            "6347455465",
            &hex::encode("/v1/x"),
            "5820",
            &"01".repeat(32),
            "025820",
            &"02".repeat(32),
            "5840",
            &"03".repeat(64),
        ];
        assert_eq!(signed.to_header(), expected.concat());
    }

    #[test]
    fn a_header_says_what_was_signed() {
        let sent = signed(|_| {});
        let came = SignedAgentRequest::from_header(&sent.to_header()).unwrap();
        assert_eq!(came, sent);
        assert_eq!(verify(&came), Ok(()));
        assert_eq!(came.request.check_body(&blake2b_256(&[])), Ok(()));
    }

    #[test]
    fn each_flaw_has_its_error() {
        let another = |what, signed: &str, sent: &str| AgentRequestError::AnotherRequest {
            what,
            signed: signed.into(),
            sent: sent.into(),
        };
        let other = LeaseId(Hash([8; 32]));
        let cases = [
            (
                signed(|r| r.lease = other),
                another("lease", &other.to_string(), &LEASE.to_string()),
            ),
            (
                signed(|r| r.method = "POST".into()),
                another("method", "POST", "GET"),
            ),
            (
                signed(|r| r.path = "/v1/y".into()),
                another("path", "/v1/y", PATH),
            ),
            (
                signed(|r| r.expires = NOW),
                AgentRequestError::Expired {
                    expires: NOW,
                    now: NOW,
                },
            ),
            (
                signed(|r| r.expires = TimeMs(301_001)),
                AgentRequestError::LifeTooLong {
                    provided_ms: 300_001,
                    maximum_ms: 300_000,
                },
            ),
            (
                SignedAgentRequest {
                    request: signed(|_| {}).request,
                    ..signed(|r| r.expires = TimeMs(61_001))
                },
                AgentRequestError::BadSignature,
            ),
        ];
        for (request, error) in cases {
            assert_eq!(verify(&request), Err(error));
        }
        let elsewhere = signed(|_| {}).verify(&Hash::ZERO, &LEASE, "GET", PATH, NOW);
        assert_eq!(elsewhere, Err(AgentRequestError::BadSignature));
        let provided = blake2b_256(&[b"other"]);
        let wrong = signed(|_| {}).request.check_body(&provided);
        let body = AgentRequestError::WrongBody {
            provided,
            signed: blake2b_256(&[]),
        };
        assert_eq!(wrong, Err(body));
    }

    #[test]
    fn what_is_no_header_is_refused() {
        let refused = |value: &str| SignedAgentRequest::from_header(value).unwrap_err();
        assert_eq!(refused("xyz"), AgentRequestError::NotHexadecimal);
        let too_long = CborError::TooLong {
            provided: 1_025,
            maximum: 1_024,
        };
        let long = "0".repeat(2_049);
        assert_eq!(refused(&long), AgentRequestError::Encoding(too_long));
        let mut twice = signed(|_| {}).to_header();
        twice.push_str("00");
        assert!(matches!(
            refused(&twice),
            AgentRequestError::Encoding(CborError::NotCanonical)
        ));
    }

    proptest! {
        #[test]
        fn no_header_makes_the_decoder_panic(value in ".{0,200}", bytes: Vec<u8>) {
            let _ = SignedAgentRequest::from_header(&value);
            let _ = SignedAgentRequest::from_header(&hex::encode(bytes));
        }

        #[test]
        fn a_changed_header_never_verifies(at: prop::sample::Index, flip in 1u8..) {
            let mut bytes = hex::decode(signed(|_| {}).to_header()).unwrap();
            let at = at.index(bytes.len());
            bytes[at] ^= flip;
            let verdict = SignedAgentRequest::from_header(&hex::encode(bytes)).and_then(|s| verify(&s));
            prop_assert!(verdict.is_err());
        }
    }
}
