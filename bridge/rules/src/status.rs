//! Where the bridge stands: one record, so that a block reads and writes it once.

use minicbor::{Decode, Encode};
use nupeer_ledger::{StateRead, StateWrite};
use nupeer_outbox::{OutputReference, Value};
use nupeer_primitives::{CardanoPoint, Height, cbor};

use crate::{anchor::AnchorRecord, error::BridgeError, halt::Contradiction, store};

/// The bridge's counters, and the newest of each thing.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
pub struct Status {
    /// The Cardano point observed up to.
    #[n(0)]
    pub observed: CardanoPoint,
    /// The head's output: what the next anchor spends.
    #[n(1)]
    pub head: OutputReference,
    /// Number of the last anchor seen on Cardano; 0 before the first.
    #[n(2)]
    pub last_anchor: u64,
    /// How often the next anchor was made; 0 while none waits for signatures or for Cardano.
    #[n(3)]
    pub pending_versions: u16,
    /// When the last anchor was made.
    #[n(4)]
    pub anchor_made: Height,
    /// Deposits credited.
    #[n(5)]
    pub credited_count: u64,
    /// Deposits refused.
    #[n(6)]
    pub refused_count: u64,
    /// Withdrawals asked for.
    #[n(7)]
    pub withdrawal_count: u64,
    /// What of the credited deposits is not yet swept.
    #[n(8)]
    pub unswept: Value,
    /// Why nothing leaves any more, if so.
    #[n(9)]
    pub halted: Option<Contradiction>,
}

const KEY: &[u8] = b"bridge/status";

impl Status {
    /// The one in the state; `None` on a chain without a bridge.
    pub fn load(state: &dyn StateRead) -> Option<Status> {
        state.plain(KEY).and_then(|bytes| cbor::decode(&bytes).ok())
    }

    pub(crate) fn store(&self, state: &mut dyn StateWrite) {
        state.set_plain(KEY.to_vec(), Some(cbor::encode(self)));
    }

    /// An error while nothing may leave.
    pub(crate) fn refuse_if_halted(&self) -> Result<(), BridgeError> {
        match &self.halted {
            None => Ok(()),
            Some(reason) => Err(BridgeError::Halted {
                reason: Box::new(reason.clone()),
            }),
        }
    }

    /// Stops everything that leaves. The first reason stays.
    pub(crate) fn halt(&mut self, reason: Contradiction) {
        self.halted.get_or_insert(reason);
    }

    /// Number of the anchor that waits for signatures or for Cardano.
    pub fn pending_seq(&self) -> Option<u64> {
        (self.pending_versions > 0).then(|| self.last_anchor.saturating_add(1))
    }

    /// Its newest version.
    pub(crate) fn pending_newest(&self, state: &dyn StateRead) -> Option<(u16, AnchorRecord)> {
        let version = self.pending_versions.checked_sub(1)?;
        Some((version, store::pending(state, version)?))
    }

    /// Its newest version, if it has that number.
    pub(crate) fn pending_record(
        &self,
        state: &dyn StateRead,
        provided: u64,
    ) -> Result<(u16, AnchorRecord), BridgeError> {
        let expected = self.pending_seq();
        let wrong = BridgeError::WrongAnchor { provided, expected };
        if expected != Some(provided) {
            return Err(wrong);
        }
        self.pending_newest(state).ok_or(wrong)
    }
}
