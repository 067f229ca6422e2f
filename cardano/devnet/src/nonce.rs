//! The epoch's nonce as Praos evolves it (`tickChainDepState` and `reupdateChainDepState` of ouroboros-consensus).
//!
//! Every block stirs its VRF output into the evolving nonce; the candidate follows until the window before the epoch's
//! end, then stands still; at the boundary it becomes, with the hash of the last block of the epoch before, the new epoch's
//! nonce.

use pallas_crypto::{
    hash::{Hash, Hasher},
    nonce::{generate_epoch_nonce, generate_rolling_nonce},
};

use crate::profile::Profile;

/// The five nonces of a Praos chain state. An absent one is the neutral nonce, which changes nothing it is combined with.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Nonces {
    /// The epoch these nonces stand in.
    pub epoch: u64,
    /// The nonce that this epoch's VRFs evaluate.
    pub active: Hash<32>,
    /// Moves with every block.
    pub evolving: Hash<32>,
    /// The evolving nonce until the freeze, still after it.
    pub candidate: Hash<32>,
    /// The hash of the block before the last one.
    pub last_applied: Option<Hash<32>>,
    /// `last_applied` as it was at the last boundary.
    pub last_epoch: Option<Hash<32>>,
}

impl Nonces {
    /// The nonces before the first block: mainnet takes the hash of its Shelley genesis, a devnet its own genesis' hash.
    pub fn initial(genesis: Hash<32>) -> Self {
        Self {
            epoch: 0,
            active: genesis,
            evolving: genesis,
            candidate: genesis,
            last_applied: None,
            last_epoch: None,
        }
    }

    /// The nonces at `slot`, before a block there: crosses a boundary if the slot lies in a later epoch. Empty epochs
    /// in between count as one boundary, as in Praos.
    pub fn tick(&self, profile: Profile, slot: u64) -> Self {
        let epoch = profile.epoch_of(slot);
        if epoch <= self.epoch {
            return self.clone();
        }
        let active = match self.last_epoch {
            Some(hash) => generate_epoch_nonce(self.candidate, hash, None),
            None => self.candidate,
        };
        Self {
            epoch,
            active,
            last_epoch: self.last_applied,
            ..self.clone()
        }
    }

    /// The nonces after a block at `slot`, which must already be ticked to.
    pub fn apply(
        &self,
        profile: Profile,
        slot: u64,
        prev_hash: Option<Hash<32>>,
        vrf_output: &[u8],
    ) -> Self {
        let evolving = generate_rolling_nonce(self.evolving, nonce_value(vrf_output).as_ref());
        let frozen =
            slot.saturating_add(profile.nonce_freeze_slots()) >= profile.next_epoch_slot(slot);
        let candidate = if frozen { self.candidate } else { evolving };
        Self {
            evolving,
            candidate,
            last_applied: prev_hash,
            ..self.clone()
        }
    }
}

/// The part of a VRF output that goes into nonces: blake2b-256 of "N" and the output.
fn nonce_value(vrf_output: &[u8]) -> Hash<32> {
    tagged(b"N", vrf_output)
}

/// The part of a VRF output that decides leadership: blake2b-256 of "L" and the output.
pub(crate) fn leader_value(vrf_output: &[u8]) -> Hash<32> {
    tagged(b"L", vrf_output)
}

fn tagged(tag: &[u8], vrf_output: &[u8]) -> Hash<32> {
    let mut hasher = Hasher::<256>::new();
    hasher.input(tag);
    hasher.input(vrf_output);
    hasher.finalize()
}

#[cfg(test)]
mod tests {
    use super::*;

    const GENESIS: Hash<32> = Hash::new([7; 32]);

    fn apply(nonces: &Nonces, slot: u64) -> Nonces {
        let prev = Some(Hash::new([slot as u8; 32]));
        nonces
            .tick(Profile::Fast, slot)
            .apply(Profile::Fast, slot, prev, &[slot as u8; 64])
    }

    #[test]
    fn the_candidate_stands_still_in_the_last_4k_slots() {
        let nonces = Nonces::initial(GENESIS);
        let cases = [(0, false), (71, false), (72, true), (119, true)];
        for (slot, frozen) in cases {
            let after = apply(&nonces, slot);
            assert_ne!(after.evolving, nonces.evolving);
            assert_eq!(after.candidate == nonces.candidate, frozen, "slot {slot}");
        }
    }

    #[test]
    fn a_boundary_takes_the_candidate_and_the_last_epochs_block() {
        let first = apply(&Nonces::initial(GENESIS), 10);
        let second = first.tick(Profile::Fast, 120);
        assert_eq!(
            (second.epoch, second.active),
            (1, first.candidate),
            "no earlier epoch's block: neutral"
        );
        assert_eq!(second.last_epoch, first.last_applied);
        let second = apply(&second, 125);
        let third = second.tick(Profile::Fast, 240);
        let expected =
            generate_epoch_nonce(second.candidate, first.last_applied.expect("a block"), None);
        assert_eq!((third.epoch, third.active), (2, expected));
    }

    #[test]
    fn ticking_within_an_epoch_changes_nothing() {
        let nonces = apply(&Nonces::initial(GENESIS), 3);
        assert_eq!(nonces.tick(Profile::Fast, 119), nonces);
    }
}
