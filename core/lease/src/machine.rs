//! A machine: who owns it, which key speaks for it, what it has, and what secures its word.

use minicbor::{Decode, Encode};
use nupeer_ledger::{HoldKind, Purse, Scope, StateRead, grant};
use nupeer_primitives::{AccountId, Amount, AssetId, Hash, PublicKey, TimeMs, blake2b_256};

use crate::{
    error::LeaseError,
    id::MachineId,
    params::Kind,
    resources::{Resource, Resources},
    score::{self, Score},
};

/// Longest address of an agent, in bytes.
pub const ENDPOINT_BYTES_MAX: usize = 128;

/// What an owner says of a machine, and may say anew.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
pub struct MachineTerms {
    /// The key that signs its offers and usage notes: the owner's own, or one that the owner's account grants `machine`.
    #[n(0)]
    pub operator: PublicKey,
    /// Where its agent answers, as a URL or `host:port`; 1 to 128 visible ASCII characters.
    #[n(1)]
    pub endpoint: String,
    /// What it has to lease.
    #[n(2)]
    pub capacity: Resources,
    /// Benchmark results, ascending by metric.
    #[n(3)]
    pub scores: Vec<Score>,
    /// Blake2b-256 of the benchmark's raw report, which the agent keeps.
    #[n(4)]
    pub evidence: Hash,
}

impl MachineTerms {
    /// Checks what needs no machine; `owner` must let the operator key act at `time`.
    pub(crate) fn check(
        &self,
        state: &dyn StateRead,
        owner: &AccountId,
        time: TimeMs,
    ) -> Result<(), LeaseError> {
        let length = self.endpoint.len();
        let visible = self.endpoint.bytes().all(|b| b.is_ascii_graphic());
        if !(1..=ENDPOINT_BYTES_MAX).contains(&length) || !visible {
            return Err(LeaseError::InvalidEndpoint { provided: length });
        }
        for (resource, empty) in [
            (Resource::Cpu, self.capacity.cpu_milli == 0),
            (Resource::Memory, self.capacity.memory_bytes == 0),
        ] {
            if empty {
                return Err(LeaseError::NoCapacity { resource });
            }
        }
        score::check_order(&self.scores)?;
        authorise_operator(state, owner, &self.operator, time)
    }
}

/// Checks that `operator` may act for machines of `owner` at `time`.
pub(crate) fn authorise_operator(
    state: &dyn StateRead,
    owner: &AccountId,
    operator: &PublicKey,
    time: TimeMs,
) -> Result<(), LeaseError> {
    let key = operator.hash();
    grant::authorise(state, owner, &key, Some(Scope::MACHINE), time)
        .map_err(|reason| LeaseError::OperatorNotGranted { key, reason })
}

/// What secures a machine's leases of one kind.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
pub struct Bond {
    /// Of which kind.
    #[n(0)]
    pub kind: Kind,
    /// In which asset.
    #[n(1)]
    pub asset: AssetId,
    /// How much, in base units.
    #[n(2)]
    pub amount: Amount,
}

impl Bond {
    /// The hold that keeps it.
    pub fn purse(&self, owner: AccountId, machine: &MachineId) -> Purse {
        let number = [self.kind.number()];
        Purse::Hold {
            owner,
            kind: HoldKind::Bond,
            id: blake2b_256(&[b"nupeer/bond/1", &machine.0.0, &number]),
        }
    }
}

/// How far a machine is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Encode, Decode)]
pub enum MachineState {
    /// Takes leases.
    #[n(0)]
    Live,
    /// Takes no more; withdrawn when the last one ends.
    #[n(1)]
    Draining,
    /// Gone, its bond released.
    #[n(2)]
    Withdrawn {
        /// When the chain forgets it, unix ms.
        #[n(0)]
        forget: TimeMs,
    },
}

impl MachineState {
    /// Its name, for errors.
    pub fn name(&self) -> &'static str {
        match self {
            MachineState::Live => "live",
            MachineState::Draining => "draining",
            MachineState::Withdrawn { .. } => "withdrawn",
        }
    }
}

/// A machine as the chain knows it.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
pub struct Machine {
    /// Whose it is.
    #[n(0)]
    pub owner: AccountId,
    /// What the owner says of it.
    #[n(1)]
    pub terms: MachineTerms,
    /// What secures it, ascending by kind: it serves these kinds.
    #[n(2)]
    pub bonds: Vec<Bond>,
    /// What open leases take of its capacity.
    #[n(3)]
    pub used: Resources,
    /// How many leases are open.
    #[n(4)]
    pub leases_open: u32,
    /// Offers with a lower nonce no longer hold.
    #[n(5)]
    pub nonce_floor: u64,
    /// How far it is.
    #[n(6)]
    pub state: MachineState,
}

impl Machine {
    /// What is left to lease.
    pub fn free(&self) -> Resources {
        self.terms.capacity.saturating_sub(&self.used)
    }

    /// When something happens to it by itself.
    pub fn due(&self) -> Option<TimeMs> {
        match self.state {
            MachineState::Withdrawn { forget } => Some(forget),
            MachineState::Live | MachineState::Draining => None,
        }
    }
}
