//! Making, signing and submitting transactions, and waiting for them.

use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use nupeer_primitives::{Amount, Hash, Height, TimeMs};
use nupeer_runtime::{Action, SignedTransaction, Transaction};

use crate::{
    answers::{Answer, TransactionStatus},
    client::Client,
    error::ClientError,
    signer::Signer,
};

/// How long a submitted transaction stays valid.
pub const VALID_FOR: Duration = Duration::from_secs(300);

/// How long people and programs wait for a transaction as a rule.
pub const TIMEOUT: Duration = Duration::from_secs(60);

/// How often a node is asked about a transaction.
const POLL: Duration = Duration::from_millis(100);

impl Client {
    /// A transaction of `signer` with the sequence number that the node names as next. Not signed, not submitted.
    ///
    /// # Errors
    /// As [`Client::get`].
    pub fn prepare(
        &self,
        action: impl Into<Action>,
        signer: &Signer,
        valid_for: Duration,
    ) -> Result<Transaction, ClientError> {
        let sender = signer.sender();
        let account = self.account(&sender.account, Some(&sender.key))?;
        Ok(Transaction {
            network: self.chain()?.1.id,
            sender,
            sequence: account.next_sequence,
            valid_until: TimeMs(now_unix_ms().saturating_add(ms(valid_for))),
            action: action.into(),
        })
    }

    /// Makes, signs and submits a transaction; returns its id once a node has it. Transactions of one signer go one after
    /// the other.
    ///
    /// # Errors
    /// As [`Client::get`]; a rule that refuses it is in [`ClientError::Refused`].
    pub fn submit(&self, action: impl Into<Action>, signer: &Signer) -> Result<Hash, ClientError> {
        let _turn = signer.turn();
        let transaction = self.prepare(action, signer, VALID_FOR)?;
        self.submit_signed(&signer.sign(transaction))
    }

    /// Submits a signed transaction. Doing so again does no harm.
    ///
    /// # Errors
    /// As [`Client::submit`].
    pub fn submit_signed(&self, signed: &SignedTransaction) -> Result<Hash, ClientError> {
        let value = self.post_cbor("/v1/transactions", &signed.to_bytes())?;
        Answer::new("/v1/transactions", &value).parsed("id")
    }

    /// Waits until a transaction is in a decided block; returns that block's height. A node that is away meanwhile is waited for.
    ///
    /// # Errors
    /// [`ClientError::TransactionRefused`] and [`ClientError::NotFinal`]; the node's own where it never answered.
    pub fn wait_final(&self, id: &Hash, timeout: Duration) -> Result<Height, ClientError> {
        let start = Instant::now();
        loop {
            let outcome = self.transaction(id);
            let over = start.elapsed() >= timeout;
            match outcome {
                Ok(Some(TransactionStatus::Final { height, .. })) => return Ok(height),
                Ok(Some(TransactionStatus::Refused { code, message })) => {
                    let id = *id;
                    return Err(ClientError::TransactionRefused { id, code, message });
                }
                Err(error) if over || !error.is_temporary() => return Err(error),
                Ok(_) if over => {
                    let (id, waited_ms) = (*id, ms(timeout));
                    return Err(ClientError::NotFinal { id, waited_ms });
                }
                _ => std::thread::sleep(POLL),
            }
        }
    }

    /// Submits a signed transaction and waits until it is in a decided block; returns that block's height. A node keeps in memory
    /// what is not decided: one that is killed forgets it, so whatever nobody knows any more is submitted again.
    ///
    /// # Errors
    /// As [`Client::submit`] and [`Client::wait_final`].
    pub fn carry(
        &self,
        signed: &SignedTransaction,
        timeout: Duration,
    ) -> Result<Height, ClientError> {
        let (id, start) = (signed.transaction.id(), Instant::now());
        loop {
            let submitted = self.submit_signed(signed);
            // It may have become final just before: then a node refuses its number as used.
            let outcome = self.known(&id);
            let left = timeout.saturating_sub(start.elapsed());
            match (outcome, submitted) {
                (Ok(true), _) => match self.wait_known(&id, left)? {
                    Some(height) => return Ok(height),
                    None => continue,
                },
                (_, Err(error)) if left.is_zero() || !error.is_temporary() => return Err(error),
                (Err(error), _) if left.is_zero() || !error.is_temporary() => return Err(error),
                _ => std::thread::sleep(POLL),
            }
        }
    }

    fn known(&self, id: &Hash) -> Result<bool, ClientError> {
        Ok(self.transaction(id)?.is_some())
    }

    /// Waits as [`Client::wait_final`], but no longer than somebody knows the transaction.
    fn wait_known(&self, id: &Hash, timeout: Duration) -> Result<Option<Height>, ClientError> {
        let start = Instant::now();
        loop {
            match self.known(id) {
                Ok(false) if start.elapsed() < timeout => return Ok(None),
                Err(error) if !error.is_temporary() => return Err(error),
                _ => {}
            }
            match self.wait_final(id, POLL.min(timeout)) {
                Err(error) if error.is_temporary() && start.elapsed() < timeout => {}
                outcome => return outcome.map(Some),
            }
        }
    }

    /// Submits and waits; returns the id and the height.
    ///
    /// # Errors
    /// As [`Client::submit`] and [`Client::wait_final`].
    pub fn execute(
        &self,
        action: impl Into<Action>,
        signer: &Signer,
    ) -> Result<(Hash, Height), ClientError> {
        let signed = {
            let _turn = signer.turn();
            let signed = signer.sign(self.prepare(action, signer, VALID_FOR)?);
            self.submit_signed(&signed)?;
            signed
        };
        let height = self.carry(&signed, TIMEOUT)?;
        Ok((signed.transaction.id(), height))
    }

    /// The fee of a signed transaction, by the genesis' parameters.
    ///
    /// # Errors
    /// As [`Client::get`].
    pub fn fee(&self, signed: &SignedTransaction) -> Result<Amount, ClientError> {
        let (genesis, _) = self.chain()?;
        let weight = signed.transaction.action.weight();
        Ok(genesis.params.fee(signed.to_bytes().len(), weight))
    }
}

fn ms(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}

pub(crate) fn now_unix_ms() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH);
    ms(since.unwrap_or_default())
}
