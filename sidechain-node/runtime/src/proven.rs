//! One entry of the state with all that shows it: nobody has to be believed but more than two thirds of the validators.

use minicbor::{Decode, Encode};
use nupeer_primitives::{
    Code, Hash, Numbered,
    consensus::{Certificate, CertificateError},
};

use crate::{
    block::Header,
    genesis::Chain,
    proof::{ProofError, StateProof},
    record::{self, RecordKind},
};

/// A leaf's proof, the header whose state root it leads to, and the certificate of that header.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
pub struct Proven {
    /// The block after which the state is this.
    #[n(0)]
    pub header: Header,
    /// Who signed the block.
    #[n(1)]
    pub certificate: Certificate,
    /// From the leaf to the state root.
    #[n(2)]
    pub state: StateProof,
}

/// Why it shows nothing.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ProvenError {
    /// Too few of the validators signed, or others.
    #[error(transparent)]
    Certificate(#[from] CertificateError),
    /// The certificate is of another block.
    #[error("the certificate is of block {provided}, the header is block {expected}")]
    OtherBlock {
        /// In the certificate.
        provided: Hash,
        /// The header's id.
        expected: Hash,
    },
    /// The proof leads elsewhere, or is of another value.
    #[error(transparent)]
    State(#[from] ProofError),
}

impl Numbered for ProvenError {
    fn code(&self) -> Code {
        match self {
            ProvenError::Certificate(error) => error.code(),
            ProvenError::OtherBlock { .. } => Code(2134),
            ProvenError::State(error) => error.code(),
        }
    }
}

impl Proven {
    /// Checks that the leaf `key` has `value`, or is absent where that is `None`, in a state that the chain's validators signed.
    ///
    /// # Errors
    /// The first thing that does not hold: the certificate, what it is of, the proof.
    pub fn verify(
        &self,
        chain: &Chain,
        key: &Hash,
        value: Option<&[u8]>,
    ) -> Result<(), ProvenError> {
        self.certificate.verify(&chain.id, &chain.validators)?;
        let (provided, expected) = (self.certificate.block, self.header.id());
        if provided != expected || self.certificate.height != self.header.height {
            return Err(ProvenError::OtherBlock { provided, expected });
        }
        Ok(self.state.verify(&self.header.state_root, key, value)?)
    }

    /// As [`Proven::verify`], of a record's bytes.
    ///
    /// # Errors
    /// As [`Proven::verify`].
    pub fn verify_record(
        &self,
        chain: &Chain,
        kind: RecordKind,
        id: &Hash,
        record: Option<&[u8]>,
    ) -> Result<(), ProvenError> {
        let leaf = record.map(record::leaf_value);
        self.verify(chain, &kind.leaf_key(id), leaf.as_deref())
    }
}
