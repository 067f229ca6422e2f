//! Parameters of the market: the genesis sets them, governance changes them.

use std::fmt;

use minicbor::{Decode, Encode};
use nupeer_ledger::{StateRead, StateWrite};
use nupeer_primitives::{Amount, AssetId, cbor};

use crate::{error::LeaseError, resources::Resources, settlement::FEE_PARTS};

/// Kinds of lease. The numbers are part of wire and state formats and never move.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Encode, Decode)]
#[cbor(index_only)]
pub enum Kind {
    /// A container, whose rules are those of `paas`.
    #[n(0)]
    Container,
}

impl Kind {
    /// Its number.
    pub const fn number(self) -> u8 {
        self as u8
    }
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Kind::Container => "container",
        })
    }
}

/// What a kind of lease demands.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
pub struct KindParams {
    /// Which kind.
    #[n(0)]
    pub kind: Kind,
    /// The asset of a machine's bond.
    #[n(1)]
    pub bond_asset: AssetId,
    /// The least bond of a machine, in base units.
    #[n(2)]
    pub bond_minimum: Amount,
    /// The least that a lease asks for.
    #[n(3)]
    pub minimum: Resources,
    /// The most that a lease asks for.
    #[n(4)]
    pub maximum: Resources,
}

/// The market's parameters. Times are in ms.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
pub struct Params {
    /// The protocol's part of what leases pay, in parts per ten thousand.
    #[n(0)]
    pub protocol_fee_per_10k: u16,
    /// From the provider's word that it begins to running; afterwards the tenant has everything back.
    #[n(1)]
    pub provision_timeout_ms: u64,
    /// How long a paused lease is kept.
    #[n(2)]
    pub pause_grace_ms: u64,
    /// How long the last usage note may come after a lease's end.
    #[n(3)]
    pub settle_window_ms: u64,
    /// The longest that a request may stand open.
    #[n(4)]
    pub request_life_ms_max: u64,
    /// The longest that an offer may hold.
    #[n(5)]
    pub offer_life_ms_max: u64,
    /// The longest lease.
    #[n(6)]
    pub duration_ms_max: u64,
    /// How long an escrow must last at the tenant's own highest price.
    #[n(7)]
    pub escrow_cover_ms_min: u64,
    /// How long what is over can still be read.
    #[n(8)]
    pub retention_ms: u64,
    /// The most deadlines that one block fires; what is left waits for the next.
    #[n(9)]
    pub due_per_block_max: u32,
    /// The kinds that are offered, ascending.
    #[n(10)]
    pub kinds: Vec<KindParams>,
    /// From match to the provider's word that it begins: the tenant's upload, of 512 MiB in 215 s at 20 Mbit/s, lies here. Afterwards the
    /// tenant has everything back.
    #[n(11)]
    pub upload_timeout_ms: u64,
}

impl Default for Params {
    /// No kinds: they are for the rooms that know them to add.
    fn default() -> Self {
        Params {
            protocol_fee_per_10k: 1_000,
            provision_timeout_ms: 120_000,
            pause_grace_ms: 600_000,
            settle_window_ms: 30_000,
            request_life_ms_max: 86_400_000,
            offer_life_ms_max: 86_400_000,
            duration_ms_max: 366 * 86_400_000,
            escrow_cover_ms_min: 60_000,
            retention_ms: 7 * 86_400_000,
            due_per_block_max: 256,
            kinds: Vec::new(),
            upload_timeout_ms: 600_000,
        }
    }
}

const KEY: &[u8] = b"params/lease";

impl Params {
    /// Refuses parameters under which the rules would not work.
    ///
    /// # Errors
    /// [`LeaseError::InvalidParams`] with what is wrong.
    pub fn check(&self) -> Result<(), LeaseError> {
        let ascending = self
            .kinds
            .windows(2)
            .all(|pair| pair[0].kind < pair[1].kind);
        let ranges = self
            .kinds
            .iter()
            .all(|kind| kind.minimum.excess_over(&kind.maximum).is_none());
        for (holds, what) in [
            (self.protocol_fee_per_10k <= FEE_PARTS, "a fee over 100 %"),
            (self.due_per_block_max > 0, "blocks that fire no deadline"),
            (ascending, "kinds that do not ascend"),
            (ranges, "a kind whose minimum is above its maximum"),
        ] {
            if !holds {
                return Err(LeaseError::InvalidParams { what });
            }
        }
        Ok(())
    }

    /// The parameters of `kind`.
    pub(crate) fn kind(&self, kind: Kind) -> Result<&KindParams, LeaseError> {
        self.kinds
            .iter()
            .find(|params| params.kind == kind)
            .ok_or(LeaseError::KindNotOffered { kind })
    }

    /// The parameters in force; the defaults where the genesis set none.
    pub fn load(state: &dyn StateRead) -> Params {
        state
            .plain(KEY)
            .and_then(|bytes| cbor::decode(&bytes).ok())
            .unwrap_or_default()
    }

    /// Puts them in force.
    ///
    /// # Errors
    /// As [`Params::check`].
    pub fn store(&self, state: &mut dyn StateWrite) -> Result<(), LeaseError> {
        self.check()?;
        state.set_plain(KEY.to_vec(), Some(cbor::encode(self)));
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parameters_that_break_the_rules_are_refused() {
        let kind = KindParams {
            kind: Kind::Container,
            bond_asset: AssetId::Ada,
            bond_minimum: Amount::ZERO,
            minimum: Resources {
                pids: 2,
                ..Resources::default()
            },
            maximum: Resources::default(),
        };
        for (params, what) in [
            (
                Params {
                    protocol_fee_per_10k: 10_001,
                    ..Params::default()
                },
                "a fee over 100 %",
            ),
            (
                Params {
                    due_per_block_max: 0,
                    ..Params::default()
                },
                "blocks that fire no deadline",
            ),
            (
                Params {
                    kinds: vec![kind.clone(), kind.clone()],
                    ..Params::default()
                },
                "kinds that do not ascend",
            ),
            (
                Params {
                    kinds: vec![kind],
                    ..Params::default()
                },
                "a kind whose minimum is above its maximum",
            ),
        ] {
            assert_eq!(params.check(), Err(LeaseError::InvalidParams { what }));
        }
        assert_eq!(Params::default().check(), Ok(()));
    }
}
