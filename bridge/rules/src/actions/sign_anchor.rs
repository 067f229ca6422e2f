//! A committee member's signature under the anchor that is being signed.

use minicbor::{Decode, Encode};
use nupeer_ledger::{Context, StateWrite};
use nupeer_primitives::{AccountId, Signature};

use crate::{
    anchor, error::BridgeError, event::Event, genesis, settings::Settings, status::Status, store,
};

/// Adds the sender's signature. The sender is a member of the committee: the account of its bridge key, signing with that key.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
pub struct SignAnchor {
    /// The anchor's number.
    #[n(0)]
    pub seq: u64,
    /// The member's signature over the statement's digest ([`crate::view::to_sign`]).
    #[n(1)]
    pub signature: Signature,
}

impl SignAnchor {
    pub(crate) fn text(&self) -> String {
        format!("sign anchor {}", self.seq)
    }

    pub(crate) fn execute(
        &self,
        state: &mut dyn StateWrite,
        context: &Context,
    ) -> Result<Vec<Event>, BridgeError> {
        let settings = Settings::load(state).ok_or(BridgeError::NoBridge)?;
        let status = Status::load(state).ok_or(BridgeError::NoBridge)?;
        let committee = genesis::committee(state).ok_or(BridgeError::NoBridge)?;
        // Strangers are refused first, by what costs least.
        let is_sender = AccountId::of_key(context.signer) == context.sender;
        let hash = |key: &nupeer_primitives::PublicKey| is_sender && key.hash() == context.signer;
        let place = committee.keys().iter().position(hash);
        let place = place.ok_or(BridgeError::NotMember {
            key: context.signer,
        })?;
        status.refuse_if_halted()?;
        let (version, mut record) = status.pending_record(state, self.seq)?;
        let seq = self.seq;
        if record.certified {
            return Err(BridgeError::AlreadyCertified { seq });
        }
        let slot = record.signatures.get_mut(place);
        let slot = slot.filter(|slot| slot.is_none());
        let slot = slot.ok_or(BridgeError::AlreadySigned { seq })?;
        let digest =
            anchor::statement(&settings, &committee, &record.anchor, record.spends).digest();
        let key = committee.keys()[place];
        if !key.verifies(&digest.0, &self.signature) {
            return Err(BridgeError::BadAnchorSignature { seq, key });
        }
        *slot = Some(self.signature);
        let mut events = vec![Event::AnchorSigned { seq, key }];
        if record.signers() >= committee.quorum() {
            record.certified = true;
            events.push(Event::AnchorCertified { seq });
        }
        store::put_pending(state, version, Some(&record));
        Ok(events)
    }
}
