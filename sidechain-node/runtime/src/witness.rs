//! By what right a transaction acts: a key's signature over its id, or a wallet's over its text.

use minicbor::{Decode, Encode, bytes::ByteVec};
use nupeer_primitives::{Hash, PublicKey, Signature, blake2b_256, cip8};

use crate::{error::TransactionError, genesis::Chain, transaction::Transaction};

/// A signature by the key that the transaction names. The numbers are part of the wire format.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
pub enum Witness {
    /// Over [`signing_hash`], by command-line, operator and session keys.
    #[n(0)]
    Key {
        /// The key.
        #[n(0)]
        public_key: PublicKey,
        /// Its signature.
        #[n(1)]
        signature: Signature,
    },
    /// What a CIP-30 wallet's `signData` returned for the transaction's text under the account's reward address.
    #[n(1)]
    Wallet {
        /// COSE_Sign1 message.
        #[n(0)]
        cose_sign1: ByteVec,
        /// COSE_Key.
        #[n(1)]
        cose_key: ByteVec,
    },
}

/// What a key signs: never a bare hash, which could be a hash of something else.
pub fn signing_hash(id: &Hash) -> Hash {
    blake2b_256(&[b"nupeer/tx/1", &id.0])
}

impl Witness {
    /// A witness as long as this one and good for nothing: with it a transaction can be shown to who says what would become of it, and be submitted by
    /// nobody.
    pub fn blank(&self) -> Self {
        let zeros = |bytes: &ByteVec| ByteVec::from(vec![0; bytes.len()]);
        match self {
            Witness::Key { public_key, .. } => Witness::Key {
                public_key: *public_key,
                signature: Signature([0; 64]),
            },
            Witness::Wallet {
                cose_sign1,
                cose_key,
            } => Witness::Wallet {
                cose_sign1: zeros(cose_sign1),
                cose_key: zeros(cose_key),
            },
        }
    }

    /// Checks that the key which `transaction` names signed it.
    pub(crate) fn verify(
        &self,
        transaction: &Transaction,
        chain: &Chain,
    ) -> Result<(), TransactionError> {
        match self {
            Witness::Key {
                public_key,
                signature,
            } => {
                named(public_key, transaction)?;
                let message = signing_hash(&transaction.id());
                public_key
                    .verifies(&message.0, signature)
                    .then_some(())
                    .ok_or(TransactionError::BadSignature)
            }
            Witness::Wallet {
                cose_sign1,
                cose_key,
            } => {
                let signed = cip8::verify(cose_sign1, cose_key)?;
                named(&signed.public_key, transaction)?;
                addressed(&signed.address, transaction, chain)?;
                let expected = transaction.text(chain);
                let same = signed.is_of(expected.as_bytes());
                same.then_some(())
                    .ok_or(TransactionError::WrongText { expected })
            }
        }
    }
}

fn named(key: &PublicKey, transaction: &Transaction) -> Result<(), TransactionError> {
    let (provided, expected) = (key.hash(), transaction.sender.key);
    if provided == expected {
        Ok(())
    } else {
        Err(TransactionError::WrongKey { provided, expected })
    }
}

/// A wallet signs under the account's own reward address on this chain's Cardano network, and under no other.
fn addressed(
    address: &[u8],
    transaction: &Transaction,
    chain: &Chain,
) -> Result<(), TransactionError> {
    let expected = transaction.sender.account.reward_address(chain.cardano);
    if address == expected {
        return Ok(());
    }
    Err(TransactionError::WrongAddress {
        provided: hex::encode(address),
        expected: hex::encode(expected),
    })
}
