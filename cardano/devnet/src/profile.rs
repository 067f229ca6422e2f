//! The two paces at which a devnet runs: figures that mainnet keeps in its Shelley genesis file.

use serde::{Deserialize, Serialize};
use thiserror::Error;

/// Length of a slot in milliseconds, as on mainnet.
pub const SLOT_LENGTH_MS: u64 = 1_000;

/// How many times a Sum6 KES key may evolve before a new operational certificate is due (mainnet's figure).
pub const MAX_KES_EVOLUTIONS: u64 = 62;

/// A set of consensus figures. The active slot coefficient `f` is 1 in both: every slot has a block unless production
/// is stalled.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Profile {
    /// k = 12 blocks, epochs of 120 slots: deep within seconds.
    #[default]
    Fast,
    /// k = 2160 blocks, epochs of 21,600 slots: mainnet's k.
    Deep,
}

/// A text that names no profile.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error("no profile is called {provided:?}: there are `fast` and `deep`")]
pub struct UnknownProfile {
    /// What was asked for.
    pub provided: String,
}

impl Profile {
    /// The security parameter `k`, in blocks: no rollback is deeper.
    pub fn security_parameter(self) -> u64 {
        match self {
            Profile::Fast => 12,
            Profile::Deep => 2_160,
        }
    }

    /// Slots in an epoch: 10k/f.
    pub fn epoch_slots(self) -> u64 {
        10 * self.security_parameter()
    }

    /// The stability window in slots: 3k/f.
    pub fn stability_slots(self) -> u64 {
        3 * self.security_parameter()
    }

    /// The window in slots before an epoch's end in which blocks no longer move the next epoch's nonce: 4k/f since
    /// Conway (erratum 17.3 of the Shelley ledger specification), 3k/f before.
    pub fn nonce_freeze_slots(self) -> u64 {
        4 * self.security_parameter()
    }

    /// Slots for which one evolution of a KES key signs. Mainnet's 129,600 in `deep`; `fast` evolves within a minute
    /// of demonstration time, so that the evolution is exercised.
    pub fn kes_period_slots(self) -> u64 {
        match self {
            Profile::Fast => 60,
            Profile::Deep => 129_600,
        }
    }

    /// The epoch that `slot` lies in.
    pub fn epoch_of(self, slot: u64) -> u64 {
        slot / self.epoch_slots()
    }

    /// The first slot of the epoch after the one `slot` lies in, saturating.
    pub fn next_epoch_slot(self, slot: u64) -> u64 {
        self.epoch_of(slot)
            .saturating_add(1)
            .saturating_mul(self.epoch_slots())
    }

    /// The name on the command line.
    pub fn name(self) -> &'static str {
        match self {
            Profile::Fast => "fast",
            Profile::Deep => "deep",
        }
    }
}

impl std::str::FromStr for Profile {
    type Err = UnknownProfile;

    fn from_str(text: &str) -> Result<Self, UnknownProfile> {
        [Profile::Fast, Profile::Deep]
            .into_iter()
            .find(|profile| profile.name() == text)
            .ok_or_else(|| UnknownProfile {
                provided: text.to_owned(),
            })
    }
}

impl std::fmt::Display for Profile {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.name())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn figures_follow_from_k() {
        let cases = [
            (Profile::Fast, 12, 120, 36, 48),
            (Profile::Deep, 2_160, 21_600, 6_480, 8_640),
        ];
        for (profile, k, epoch, stability, freeze) in cases {
            assert_eq!(profile.security_parameter(), k);
            assert_eq!(profile.epoch_slots(), epoch);
            assert_eq!(profile.stability_slots(), stability);
            assert_eq!(profile.nonce_freeze_slots(), freeze);
        }
    }

    #[test]
    fn an_epoch_ends_where_the_next_begins() {
        let cases = [
            (0, 0, 120),
            (119, 0, 120),
            (120, 1, 240),
            (u64::MAX, u64::MAX / 120, u64::MAX),
        ];
        for (slot, epoch, next) in cases {
            assert_eq!(
                (
                    Profile::Fast.epoch_of(slot),
                    Profile::Fast.next_epoch_slot(slot)
                ),
                (epoch, next)
            );
        }
    }

    #[test]
    fn names_are_read_back_and_others_refused() {
        assert_eq!("deep".parse(), Ok(Profile::Deep));
        assert_eq!(
            "slow".parse::<Profile>(),
            Err(UnknownProfile {
                provided: "slow".into()
            })
        );
    }
}
