//! Offers: what a machine would do at which price. They live off the chain, signed; a match carries one in.
//!
//! The operator key signs blake2b-256("nupeer/offer/1" ‖ genesis id ‖ canonical CBOR of the offer), so an offer holds on one chain
//! and for exactly what it says. How often it can be used is bounded by its expiry, by the number of leases that it
//! says, by the machine's capacity, and by the nonce floor with which an owner takes offers back.

use minicbor::{Decode, Encode};
use nupeer_ledger::StateRead;
use nupeer_primitives::{
    AccountId, Hash, PublicKey, Signature, TimeMs, blake2b_256,
    cbor::{self, CborError},
};

use crate::{
    error::LeaseError,
    id::{MachineId, OfferId},
    machine::{self, Machine},
    params::{Kind, Params},
    price::Price,
    resources::Resources,
    store,
};

/// Longest encoding of a signed offer, in bytes.
pub const OFFER_BYTES_MAX: usize = 1_024;

/// What a machine offers.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
pub struct Offer {
    /// Which machine.
    #[n(0)]
    pub machine: MachineId,
    /// Which kind of lease.
    #[n(1)]
    pub kind: Kind,
    /// The most that one lease may take.
    #[n(2)]
    pub capacity: Resources,
    /// What it costs.
    #[n(3)]
    pub price: Price,
    /// The longest lease, in ms of running.
    #[n(4)]
    pub duration_ms_max: u64,
    /// For this tenant alone.
    #[n(5)]
    pub tenant: Option<AccountId>,
    /// How many leases may be made from it.
    #[n(6)]
    pub leases_max: u32,
    /// The block time from which it no longer holds, unix ms.
    #[n(7)]
    pub expires: TimeMs,
    /// Tells offers apart that otherwise say the same; an owner takes back all below a floor.
    #[n(8)]
    pub nonce: u64,
}

impl Offer {
    /// What the operator key signs on the chain with this genesis id; also the offer's name.
    pub fn id(&self, chain: &Hash) -> OfferId {
        OfferId(blake2b_256(&[
            b"nupeer/offer/1",
            &chain.0,
            &cbor::encode(self),
        ]))
    }
}

/// An offer and its machine's word for it.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
pub struct SignedOffer {
    /// What is offered.
    #[n(0)]
    pub offer: Offer,
    /// The machine's operator key.
    #[n(1)]
    pub operator: PublicKey,
    /// Its signature over [`Offer::id`].
    #[n(2)]
    pub signature: Signature,
}

impl SignedOffer {
    /// The canonical bytes.
    pub fn to_bytes(&self) -> Vec<u8> {
        cbor::encode(self)
    }

    /// The offer that `bytes` encode canonically.
    ///
    /// # Errors
    /// Longer than [`OFFER_BYTES_MAX`], malformed, or another encoding of the same thing.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, CborError> {
        cbor::decode_bounded(bytes, OFFER_BYTES_MAX)
    }

    /// Checks that the offer is its machine's word and holds at `time`. Whether it suits a request is for the match to
    /// say. Nodes use it before they pass an offer on.
    ///
    /// # Errors
    /// An unknown machine, a key that is not its operator's, an altered or expired or withdrawn or used-up offer, a bond that no longer
    /// suffices.
    pub fn verify(&self, state: &dyn StateRead, time: TimeMs) -> Result<Machine, LeaseError> {
        let offer = &self.offer;
        let machine = store::machine(state, &offer.machine).ok_or(LeaseError::UnknownMachine {
            machine: offer.machine,
        })?;
        let id = offer.id(&crate::genesis::chain(state));
        self.check_signer(state, &machine, &id, time)?;
        let params = Params::load(state);
        check_time(offer, &params, time)?;
        check_use(state, &machine, offer, &id)?;
        check_bond(&machine, offer.kind, &params)?;
        Ok(machine)
    }

    fn check_signer(
        &self,
        state: &dyn StateRead,
        machine: &Machine,
        id: &OfferId,
        time: TimeMs,
    ) -> Result<(), LeaseError> {
        if self.operator != machine.terms.operator {
            return Err(LeaseError::WrongOperator {
                provided: self.operator.hash(),
                expected: machine.terms.operator.hash(),
            });
        }
        if !self.operator.verifies(&id.0.0, &self.signature) {
            return Err(LeaseError::BadOfferSignature { offer: *id });
        }
        machine::authorise_operator(state, &machine.owner, &self.operator, time)
    }
}

fn check_time(offer: &Offer, params: &Params, time: TimeMs) -> Result<(), LeaseError> {
    if offer.expires <= time {
        return Err(LeaseError::OfferExpired {
            expired: offer.expires,
            now: time,
        });
    }
    let provided = time.until(offer.expires);
    if provided > params.offer_life_ms_max {
        return Err(LeaseError::OfferTooLong {
            provided,
            maximum: params.offer_life_ms_max,
        });
    }
    Ok(())
}

fn check_use(
    state: &dyn StateRead,
    machine: &Machine,
    offer: &Offer,
    id: &OfferId,
) -> Result<(), LeaseError> {
    if offer.nonce < machine.nonce_floor {
        return Err(LeaseError::OfferTakenBack {
            nonce: offer.nonce,
            floor: machine.nonce_floor,
        });
    }
    let used = store::offer_use(state, id).map_or(0, |used| used.leases);
    if used >= offer.leases_max {
        return Err(LeaseError::OfferUsedUp {
            used,
            maximum: offer.leases_max,
        });
    }
    Ok(())
}

fn check_bond(machine: &Machine, kind: Kind, params: &Params) -> Result<(), LeaseError> {
    let needed = params.kind(kind)?;
    let bond = machine.bonds.iter().find(|bond| bond.kind == kind);
    let bond = bond.ok_or(LeaseError::KindNotServed { kind })?;
    crate::actions::check_bond(bond, needed)
}

/// How often an offer was used; kept until it expires.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Encode, Decode)]
pub struct OfferUse {
    /// Leases made from it.
    #[n(0)]
    pub leases: u32,
    /// When it expires, unix ms.
    #[n(1)]
    pub expires: TimeMs,
}
