//! Who acts: an account, and a key that may sign for it.

use std::sync::{Mutex, MutexGuard, PoisonError};

use nupeer_primitives::{AccountId, PublicKey, Signature};
use nupeer_runtime::{Sender, SignedTransaction, Transaction, Witness, witness::signing_hash};

/// A secret key, wherever it is kept.
pub trait Key: Send + Sync {
    /// The public half.
    fn public_key(&self) -> PublicKey;

    /// Signs `message`.
    fn sign(&self, message: &[u8]) -> Signature;
}

impl Key for ed25519_dalek::SigningKey {
    fn public_key(&self) -> PublicKey {
        PublicKey(self.verifying_key().to_bytes())
    }

    fn sign(&self, message: &[u8]) -> Signature {
        Signature(ed25519_dalek::Signer::sign(self, message).to_bytes())
    }
}

impl Key for nupeer_cardano_client::wallet::SigningKey {
    fn public_key(&self) -> PublicKey {
        self.public_key()
    }

    fn sign(&self, message: &[u8]) -> Signature {
        self.sign(message)
    }
}

/// An account and a key that acts for it: the account's own, or a session or operator key that it grants what is done.
pub struct Signer {
    account: AccountId,
    key: Box<dyn Key>,
    /// Held from asking for a sequence number until the transaction with it is submitted.
    turn: Mutex<()>,
}

impl Signer {
    /// Acts for `account` with `key`.
    pub fn new(account: AccountId, key: impl Key + 'static) -> Self {
        Signer {
            account,
            key: Box::new(key),
            turn: Mutex::new(()),
        }
    }

    /// The account.
    pub fn account(&self) -> AccountId {
        self.account
    }

    /// The key's public half.
    pub fn public_key(&self) -> PublicKey {
        self.key.public_key()
    }

    /// The account and the key, as a transaction names them.
    pub fn sender(&self) -> Sender {
        Sender {
            account: self.account,
            key: self.public_key().hash(),
        }
    }

    /// Signs `message` as it is: offers, usage notes and requests to agents sign a hash of their own.
    pub fn sign_message(&self, message: &[u8]) -> Signature {
        self.key.sign(message)
    }

    /// Signs a transaction.
    pub fn sign(&self, transaction: Transaction) -> SignedTransaction {
        let signature = self.key.sign(&signing_hash(&transaction.id()).0);
        SignedTransaction {
            transaction,
            witness: Witness::Key {
                public_key: self.public_key(),
                signature,
            },
        }
    }

    pub(crate) fn turn(&self) -> MutexGuard<'_, ()> {
        self.turn.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
