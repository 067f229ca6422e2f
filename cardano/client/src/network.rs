//! Networks by name, with the genesis figures that turn slots into time and epochs.
//!
//! A cardano-node and the devnet differ in these figures and in a socket path, in nothing else.

mod file;

use nupeer_primitives::{CardanoNetwork, Code, Epoch, Numbered, Slot, TimeMs};

pub use file::{NetworkFile, NetworkFileError};

use crate::parameters::Rational;

/// What must be known of a network before its first block is read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Network {
    /// How people call it.
    pub name: String,
    /// The number that both sides of a handshake must agree on.
    pub magic: u64,
    /// Which kind of addresses it uses.
    pub kind: CardanoNetwork,
    /// When slot 0 began.
    pub system_start_ms: TimeMs,
    /// Where Byron's slots of 20 s end and Shelley's begin; slot 0 on networks without a Byron era.
    pub shelley_start_slot: Slot,
    /// Length of a slot since Shelley.
    pub slot_length_ms: u64,
    /// Slots in an epoch since Shelley.
    pub epoch_length_slots: u64,
    /// `k`: a block that is this many blocks deep is final.
    pub security_parameter_blocks: u64,
    /// `f`: the share of slots that have a leader.
    pub active_slot_coefficient: Rational,
}

/// Byron's slots (Byron genesis of mainnet and preprod): 20 s each, 21,600 to the epoch.
const BYRON_SLOT_LENGTH_MS: u64 = 20_000;
const BYRON_EPOCH_LENGTH_SLOTS: u64 = 21_600;

/// The devnet's magic, which Yaci DevKit uses too.
pub const DEVNET_MAGIC: u64 = 42;

/// A network that has no name here.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "no network is called {provided}; known are mainnet, preprod and preview (a devnet names its own figures)"
)]
pub struct UnknownNetwork {
    /// The name given.
    pub provided: String,
}

impl Numbered for UnknownNetwork {
    fn code(&self) -> Code {
        Code(7005)
    }
}

impl Network {
    /// Mainnet (Byron and Shelley genesis files of cardano-node).
    pub fn mainnet() -> Self {
        let kind = CardanoNetwork::Mainnet;
        Self::public(
            "mainnet",
            764_824_073,
            kind,
            1_506_203_091,
            4_492_800,
            432_000,
            2160,
        )
    }

    /// The pre-production test network.
    pub fn preprod() -> Self {
        let kind = CardanoNetwork::Testnet;
        Self::public("preprod", 1, kind, 1_654_041_600, 86_400, 432_000, 2160)
    }

    /// The preview test network, which began in Alonzo.
    pub fn preview() -> Self {
        Self::public(
            "preview",
            2,
            CardanoNetwork::Testnet,
            1_666_656_000,
            0,
            86_400,
            432,
        )
    }

    /// A devnet in which each slot has a leader (f = 1) and which began in Conway.
    pub fn devnet(
        system_start_ms: TimeMs,
        slot_length_ms: u64,
        security_parameter_blocks: u64,
        epoch_length_slots: u64,
    ) -> Self {
        Network {
            name: "devnet".into(),
            magic: DEVNET_MAGIC,
            kind: CardanoNetwork::Testnet,
            system_start_ms,
            shelley_start_slot: Slot(0),
            slot_length_ms,
            epoch_length_slots,
            security_parameter_blocks,
            active_slot_coefficient: Rational::new(1, 1),
        }
    }

    /// A public network by its name.
    pub fn by_name(name: &str) -> Result<Self, UnknownNetwork> {
        match name {
            "mainnet" => Ok(Self::mainnet()),
            "preprod" => Ok(Self::preprod()),
            "preview" => Ok(Self::preview()),
            _ => Err(UnknownNetwork {
                provided: name.into(),
            }),
        }
    }

    fn public(
        name: &str,
        magic: u64,
        kind: CardanoNetwork,
        system_start_s: u64,
        shelley_start_slot: u64,
        epoch_length_slots: u64,
        security_parameter_blocks: u64,
    ) -> Self {
        Network {
            name: name.into(),
            magic,
            kind,
            system_start_ms: TimeMs(system_start_s * 1000),
            shelley_start_slot: Slot(shelley_start_slot),
            slot_length_ms: 1000,
            epoch_length_slots,
            security_parameter_blocks,
            active_slot_coefficient: Rational::new(1, 20),
        }
    }

    /// `3k/f` slots, rounded up: by then k blocks have come (Shelley ledger specification, stability window).
    pub fn stability_window_slots(&self) -> u64 {
        let Rational {
            numerator,
            denominator,
        } = self.active_slot_coefficient;
        let slots = u128::from(self.security_parameter_blocks) * 3 * u128::from(denominator);
        u64::try_from(slots.div_ceil(u128::from(numerator.max(1)))).unwrap_or(u64::MAX)
    }

    /// When `slot` begins; `None` past the range of the clock.
    pub fn slot_start(&self, slot: Slot) -> Option<TimeMs> {
        let byron = slot
            .0
            .min(self.shelley_start_slot.0)
            .checked_mul(BYRON_SLOT_LENGTH_MS)?;
        let since = slot
            .0
            .saturating_sub(self.shelley_start_slot.0)
            .checked_mul(self.slot_length_ms)?;
        self.system_start_ms.checked_add(byron)?.checked_add(since)
    }

    /// The slot in which `time` lies; `None` before the network's start.
    pub fn slot_at(&self, time: TimeMs) -> Option<Slot> {
        let elapsed = time.0.checked_sub(self.system_start_ms.0)?;
        let byron = self
            .shelley_start_slot
            .0
            .checked_mul(BYRON_SLOT_LENGTH_MS)?;
        match elapsed.checked_sub(byron) {
            Some(since) => self
                .shelley_start_slot
                .checked_add(since.checked_div(self.slot_length_ms)?),
            None => Some(Slot(elapsed / BYRON_SLOT_LENGTH_MS)),
        }
    }

    /// The epoch of `slot`; `None` if an epoch has no slots.
    pub fn epoch_of(&self, slot: Slot) -> Option<Epoch> {
        let byron = slot.0.min(self.shelley_start_slot.0) / BYRON_EPOCH_LENGTH_SLOTS;
        let since = slot.0.saturating_sub(self.shelley_start_slot.0);
        byron
            .checked_add(since.checked_div(self.epoch_length_slots)?)
            .map(Epoch)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn slots_fall_into_the_epochs_and_seconds_that_explorers_show() {
        for (network, slot, epoch, unix_s) in [
            // The first Shelley block's slot, and the first slots of later epochs.
            (Network::mainnet(), 4_492_800, 208, 1_596_059_091),
            (Network::mainnet(), 133_660_800, 507, 1_725_227_091),
            (Network::mainnet(), 21_600, 1, 1_506_635_091),
            (Network::preprod(), 86_400, 4, 1_655_769_600),
            (Network::preprod(), 518_400, 5, 1_656_201_600),
            (Network::preview(), 86_400, 1, 1_666_742_400),
        ] {
            assert_eq!(network.epoch_of(Slot(slot)), Some(Epoch(epoch)));
            assert_eq!(network.slot_start(Slot(slot)), Some(TimeMs(unix_s * 1000)));
            assert_eq!(
                network.slot_at(TimeMs(unix_s * 1000 + 999)),
                Some(Slot(slot))
            );
        }
    }

    #[test]
    fn windows_follow_from_k_and_f() {
        assert_eq!(Network::mainnet().stability_window_slots(), 129_600);
        assert_eq!(Network::preview().stability_window_slots(), 25_920);
        let devnet = Network::devnet(TimeMs(0), 1000, 12, 120);
        assert_eq!(devnet.stability_window_slots(), 36);
        assert_eq!(devnet.epoch_of(Slot(121)), Some(Epoch(1)));
    }

    #[test]
    fn a_time_before_the_start_has_no_slot() {
        assert_eq!(Network::preprod().slot_at(TimeMs(0)), None);
    }

    #[test]
    fn an_unknown_name_is_refused_with_the_known_ones() {
        let error = Network::by_name("preprd").unwrap_err();
        assert_eq!(
            error,
            UnknownNetwork {
                provided: "preprd".into()
            }
        );
        assert_eq!(Network::by_name("preview").unwrap().magic, 2);
    }

    #[test]
    fn no_slot_or_figure_makes_the_clock_panic() {
        let broken = Network::devnet(TimeMs(u64::MAX), 0, u64::MAX, 0);
        assert_eq!(broken.slot_start(Slot(u64::MAX)), Some(TimeMs(u64::MAX)));
        assert_eq!(broken.slot_at(TimeMs(u64::MAX)), None);
        assert_eq!(broken.epoch_of(Slot(7)), None);
        assert_eq!(Network::mainnet().slot_start(Slot(u64::MAX)), None);
    }
}
