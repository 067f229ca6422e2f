//! What the agent asks of the chain. Everything blocks: call it off the async threads.
//!
//! An error is never an answer: who gets one knows nothing, and tears nothing down.

use nupeer_lease::{Action, Lease, LeaseId, Machine, MachineId, SignedOffer};
use nupeer_ledger::Grant;
use nupeer_primitives::{AccountId, Code, Hash, Hash28, Height, Numbered, TimeMs};

use crate::desired::Desired;

/// The chain, as far as an agent needs it.
pub trait Chain: Send + Sync {
    /// The machines of an account, withdrawn ones included: a node's word, which [`Chain::machine`] bears out.
    ///
    /// # Errors
    /// [`ChainError`]; the list is complete or there is none.
    fn machines_of(&self, owner: &AccountId) -> Result<Machines, ChainError>;

    /// The leases on a machine.
    ///
    /// # Errors
    /// [`ChainError`]; the list is complete or there is none.
    fn leases_on(&self, machine: &MachineId) -> Result<Desired, ChainError>;

    /// How far the chain is, on the word of its validators' signatures and not of a node.
    ///
    /// # Errors
    /// [`ChainError`].
    fn certified(&self) -> Result<Certified, ChainError>;

    /// A lease as a state proof shows it under a header that the validators signed, or that there is none.
    ///
    /// # Errors
    /// [`ChainError`]; [`ChainError::Malformed`] where the proof does not hold.
    fn lease(&self, id: &LeaseId) -> Result<ProvenLease, ChainError>;

    /// A machine as a state proof shows it under a header that the validators signed, or that there is none.
    ///
    /// # Errors
    /// As [`Chain::lease`].
    fn machine(&self, id: &MachineId) -> Result<ProvenMachine, ChainError>;

    /// What was said last is not believed: another node is asked first from now on, if there is one.
    fn doubt(&self);

    /// What `account` grants `key`; none where it grants nothing.
    ///
    /// # Errors
    /// [`ChainError`].
    fn grant(&self, account: &AccountId, key: &Hash28) -> Result<Option<Grant>, ChainError>;

    /// Signs and submits an action of the owner's, with the operator key. Returns the transaction's id.
    ///
    /// # Errors
    /// [`ChainError`].
    fn submit(&self, action: Action) -> Result<Hash, ChainError>;

    /// Signs an action as [`Chain::submit`] does, for who keeps it before a node has it.
    ///
    /// # Errors
    /// [`ChainError`].
    fn sign(&self, action: Action) -> Result<SignedAction, ChainError>;

    /// Submits what was signed. Doing so again does no harm.
    ///
    /// # Errors
    /// [`ChainError`].
    fn submit_signed(&self, signed: &SignedAction) -> Result<(), ChainError>;

    /// Where a transaction is.
    ///
    /// # Errors
    /// [`ChainError`].
    fn transaction(&self, id: &Hash) -> Result<Fate, ChainError>;

    /// Where a transaction is by the word of every node: final or pending where any of them says so, and refused or unknown only where
    /// each of them was asked.
    ///
    /// # Errors
    /// [`ChainError`]; a node that may know better does not answer.
    fn transaction_anywhere(&self, id: &Hash) -> Result<Fate, ChainError> {
        self.transaction(id)
    }

    /// Makes a signed offer known.
    ///
    /// # Errors
    /// [`ChainError`].
    fn publish(&self, offer: &SignedOffer) -> Result<(), ChainError>;
}

/// A block that the validators signed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Certified {
    /// Its height.
    pub height: Height,
    /// Its time.
    pub time: TimeMs,
}

/// A lease as it stood after a block that the validators signed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ProvenLease {
    /// The block.
    pub at: Certified,
    /// The lease; none where there was none.
    pub lease: Option<Lease>,
}

/// A machine as it stood after a block that the validators signed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ProvenMachine {
    /// The block.
    pub at: Certified,
    /// The machine; none where there was none.
    pub machine: Option<Machine>,
}

/// An account's machines at one height.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Machines {
    /// The height of the answer.
    pub height: Height,
    /// That block's time.
    pub time: TimeMs,
    /// The machines, withdrawn ones included until the chain forgets them.
    pub machines: Vec<(MachineId, Machine)>,
}

/// A signed transaction.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SignedAction {
    /// Its id.
    pub id: Hash,
    /// The whole, as nodes take it.
    pub cbor: Vec<u8>,
}

/// Where a transaction is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Fate {
    /// Decided.
    Final(Height),
    /// Waiting.
    Pending,
    /// Refused, for this reason.
    Refused(String),
    /// Nobody knows it.
    Unknown,
}

/// Why the chain gave no answer. The numbers are NP8070 to NP8075, without NP8074.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ChainError {
    /// None of the nodes answered.
    #[error("no node answers: {0}")]
    Unreachable(String),
    /// The answer is older than one that was given before.
    #[error("a node answers for height {provided}, {seen} was seen before")]
    Behind {
        /// Of the answer.
        provided: Height,
        /// The highest before.
        seen: Height,
    },
    /// The answer is not what a node of this chain says.
    #[error("a node's answer is not understood: {0}")]
    Malformed(String),
    /// A rule refused it.
    #[error("refused: {0}")]
    Refused(String),
    /// The nodes serve another chain than the one that the agent works for.
    #[error(
        "the nodes or the settings name the chain {named}, this data folder belongs to {expected}"
    )]
    OtherChain {
        /// Genesis id of the agent's chain.
        expected: Hash,
        /// Genesis id of theirs.
        named: Hash,
    },
}

impl Numbered for ChainError {
    fn code(&self) -> Code {
        Code(match self {
            ChainError::Unreachable(_) => 8070,
            ChainError::Behind { .. } => 8071,
            ChainError::Malformed(_) => 8072,
            ChainError::Refused(_) => 8073,
            ChainError::OtherChain { .. } => 8075,
        })
    }
}
