//! A transaction as it came over the wire, decoded strictly and by reference (Conway CDDL, `transaction`).

mod auxiliary;
mod body;
mod certificate;
mod credential;
mod input;
mod parameter_update;
mod pool;
mod proposals;
mod ratio;
mod set;
mod votes;
mod withdrawals;
mod witnesses;

pub use auxiliary::AuxiliaryData;
pub use body::Body;
pub use certificate::{Certificate, Delegatee, PoolId};
pub use credential::{Anchor, DRep};
pub use input::TxIn;
pub use parameter_update::{ParameterUpdate, ParameterValue};
pub use pool::{PoolMetadata, PoolParameters, Relay};
pub use proposals::{Action, ActionId, Proposal};
pub use votes::{Ballot, Vote, Voter, Votes};
pub use withdrawals::RewardAccount;
pub use witnesses::{
    BootstrapWitness, ExUnits, Redeemer, RedeemerKey, RedeemerTag, VKeyWitness, Witnesses,
};

use super::cbor::{DecodeError, Reader};
use pallas_crypto::hash::Hasher;

/// blake2b-256 of a transaction's body.
pub type TxId = [u8; 32];

/// A decoded transaction; every slice points into the bytes it was decoded from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Transaction<'a> {
    /// What is signed.
    pub body: Body<'a>,
    /// Signatures, scripts, datums and redeemers.
    pub witnesses: Witnesses<'a>,
    /// The sender's claim that all scripts succeed.
    pub is_valid: bool,
    /// Metadata and scripts that the ledger only keeps.
    pub auxiliary: Option<AuxiliaryData<'a>>,
    /// blake2b-256 of the body's bytes.
    pub id: TxId,
}

impl<'a> Transaction<'a> {
    /// Decodes a transaction that fills `bytes` completely.
    ///
    /// # Errors
    /// On anything that the Conway CDDL does not have: unknown or repeated keys, repeated set elements, trailing bytes.
    pub fn decode(bytes: &'a [u8]) -> Result<Self, DecodeError> {
        let mut reader = Reader::new(bytes);
        let record = reader.record(4, "a transaction")?;
        let body = Body::decode(&mut reader)?;
        let witnesses = Witnesses::decode(&mut reader)?;
        let is_valid = reader.boolean("a validity flag")?;
        let auxiliary = if reader.null()? {
            None
        } else {
            Some(AuxiliaryData::decode(&mut reader)?)
        };
        reader.close(record, "a transaction")?;
        reader.finish("a transaction")?;
        let id = *Hasher::<256>::hash(body.raw);
        Ok(Self {
            body,
            witnesses,
            is_valid,
            auxiliary,
            id,
        })
    }

    /// The size in bytes that fee and limit count: without the validity flag, as before Alonzo.
    pub fn size_bytes(&self) -> u64 {
        let auxiliary = self.auxiliary.as_ref().map_or(1, |data| data.raw.len());
        1 + self.body.raw.len() as u64 + self.witnesses.raw.len() as u64 + auxiliary as u64
    }

    /// Where output number `index` will stand in the set of unspent outputs.
    pub fn output_reference(&self, index: usize) -> TxIn {
        TxIn {
            tx_id: self.id,
            index: u16::try_from(index).unwrap_or(u16::MAX),
        }
    }
}
