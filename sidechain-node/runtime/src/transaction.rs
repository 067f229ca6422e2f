//! Transactions: {network, sender, sequence, valid until, action} in canonical CBOR; the id is their blake2b-256
//! (DESIGN.md "Rules of the ledger").

use minicbor::{Decode, Encode};
use nupeer_primitives::{AccountId, Hash, Hash28, TimeMs, blake2b_256, cbor};

use crate::{action::Action, error::TransactionError, genesis::Chain, witness::Witness};

/// Who acts, and with which of its keys: sequence numbers are per account and key.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Encode, Decode)]
pub struct Sender {
    /// The account.
    #[n(0)]
    pub account: AccountId,
    /// Hash of the signing key: the account's own, or a granted one.
    #[n(1)]
    pub key: Hash28,
}

/// What is signed.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
pub struct Transaction {
    /// The chain it is for: its genesis id.
    #[n(0)]
    pub network: Hash,
    /// Who acts.
    #[n(1)]
    pub sender: Sender,
    /// The next number of this account and key.
    #[n(2)]
    pub sequence: u64,
    /// The last block time at which it may be executed, unix ms.
    #[n(3)]
    pub valid_until: TimeMs,
    /// What to do.
    #[n(4)]
    pub action: Action,
}

impl Transaction {
    /// The id: blake2b-256 of the canonical encoding.
    pub fn id(&self) -> Hash {
        blake2b_256(&[&cbor::encode(self)])
    }

    /// Checks that it was made for this chain.
    pub fn is_for(&self, chain: &Chain) -> Result<(), TransactionError> {
        if self.network == chain.id {
            return Ok(());
        }
        let (provided, expected) = (self.network, chain.id);
        Err(TransactionError::WrongNetwork { provided, expected })
    }

    /// The one line that a wallet shows and signs: the chain, what is done, and the id that binds everything else. At most
    /// [`TEXT_BYTES_MAX`] bytes of ASCII for every action.
    pub fn text(&self, chain: &Chain) -> String {
        format!(
            "{}: {} #{}",
            chain.name,
            self.action.text(chain.cardano),
            short_id(&self.id())
        )
    }
}

/// Longest text that a Ledger device shows whole, in bytes (ledger-app-cardano-shelley, `src/signMsg.h`).
pub const TEXT_BYTES_MAX: usize = 198;

/// The id in base64url without padding (RFC 4648 §5), 43 characters where hexadecimal takes 64.
pub fn short_id(id: &Hash) -> String {
    const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
    let mut out = String::with_capacity(43);
    for chunk in id.0.chunks(3) {
        let word = chunk
            .iter()
            .fold(0u32, |word, byte| word << 8 | u32::from(*byte))
            << (8 * (3 - chunk.len()));
        for i in 0..=chunk.len() {
            let index = (word >> (18 - 6 * i)) & 63;
            out.extend(
                ALPHABET
                    .get(index as usize)
                    .map(|letter| char::from(*letter)),
            );
        }
    }
    out
}

/// A transaction with the signature that authorises it: what is submitted, gossiped and put into blocks.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
pub struct SignedTransaction {
    /// What is signed.
    #[n(0)]
    pub transaction: Transaction,
    /// By what right.
    #[n(1)]
    pub witness: Witness,
}

impl SignedTransaction {
    /// The canonical bytes.
    pub fn to_bytes(&self) -> Vec<u8> {
        cbor::encode(self)
    }

    /// The transaction that `bytes` encode canonically, within the chain's size limit.
    pub fn from_bytes(bytes: &[u8], chain: &Chain) -> Result<Self, TransactionError> {
        Ok(cbor::decode_bounded(
            bytes,
            chain.limits.transaction_bytes_max as usize,
        )?)
    }

    /// Checks network and signature: everything that does not depend on the state.
    pub fn verify(self, chain: &Chain) -> Result<Verified, TransactionError> {
        self.transaction.is_for(chain)?;
        self.witness.verify(&self.transaction, chain)?;
        let size_bytes = self.to_bytes().len();
        Ok(Verified {
            id: self.transaction.id(),
            transaction: self.transaction,
            size_bytes,
        })
    }
}

/// A transaction whose network and signature are good. Only [`SignedTransaction::verify`] makes one, so that a signature is
/// verified once per node and never forgotten.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Verified {
    id: Hash,
    transaction: Transaction,
    size_bytes: usize,
}

impl Verified {
    /// The transaction's id.
    pub fn id(&self) -> Hash {
        self.id
    }

    /// What was signed.
    pub fn transaction(&self) -> &Transaction {
        &self.transaction
    }

    /// Length of the signed transaction's encoding, which the fee depends on.
    pub fn size_bytes(&self) -> usize {
        self.size_bytes
    }
}
