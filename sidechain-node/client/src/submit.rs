//! Making, signing and submitting transactions, and waiting for them.

use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use nupeer_primitives::{Amount, Hash, Height, TimeMs};
use nupeer_runtime::{Action, Sender, SignedTransaction, Transaction};

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
        self.prepare_for(action, signer.sender(), valid_for)
    }

    /// As [`Client::prepare`], for who signs elsewhere.
    ///
    /// # Errors
    /// As [`Client::get`].
    pub fn prepare_for(
        &self,
        action: impl Into<Action>,
        sender: Sender,
        valid_for: Duration,
    ) -> Result<Transaction, ClientError> {
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
    /// As [`Client::submit`]; [`ClientError::Unanswered`] where it may have arrived all the same.
    pub fn submit_signed(&self, signed: &SignedTransaction) -> Result<Hash, ClientError> {
        let answer = self.post_cbor("/v1/transactions", &signed.to_bytes());
        let value = answer.map_err(|error| match error {
            ClientError::Unreachable { url, reason } => ClientError::Unanswered {
                id: signed.transaction.id(),
                reason: format!("{url}: {reason}"),
            },
            refused => refused,
        })?;
        Answer::new("/v1/transactions", &value).parsed("id")
    }

    /// Asks the node whether the next block would execute a transaction. The node gets it without its signature, so that nobody can submit it.
    ///
    /// # Errors
    /// As [`Client::get`]; a rule that would refuse it is in [`ClientError::Refused`].
    pub fn check(&self, signed: &SignedTransaction) -> Result<(), ClientError> {
        let unsigned = SignedTransaction {
            transaction: signed.transaction.clone(),
            witness: signed.witness.blank(),
        };
        let path = "/v1/transactions/check";
        let value = self.post_cbor(path, &unsigned.to_bytes())?;
        let answer = Answer::new(path, &value);
        let is_it = answer.parsed::<Hash>("id")? == signed.transaction.id();
        is_it.then_some(()).ok_or_else(|| answer.lacks("id"))
    }

    /// Waits until a transaction is in a decided block; returns that block's height. A node that is away meanwhile is waited for.
    ///
    /// # Errors
    /// [`ClientError::TransactionRefused`] and [`ClientError::NotFinal`]; the node's own where it never answered.
    pub fn wait_final(&self, id: &Hash, timeout: Duration) -> Result<Height, ClientError> {
        self.follow(id, None, timeout)
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
        self.follow(&signed.transaction.id(), Some(signed), timeout)
    }

    /// Asks where a transaction is until that is settled or `timeout` is over.
    fn follow(
        &self,
        id: &Hash,
        signed: Option<&SignedTransaction>,
        timeout: Duration,
    ) -> Result<Height, ClientError> {
        let start = Instant::now();
        loop {
            let outcome = self.settled(id, signed);
            let over = start.elapsed() >= timeout;
            match outcome {
                Ok(Some(height)) => return Ok(height),
                Err(error) if !error.is_temporary() => return Err(error),
                // Who only waits learns that nobody answers; of what was signed here some node may have a copy.
                Err(error) if over && signed.is_none() => return Err(error),
                _ if over => {
                    let (id, waited_ms) = (*id, ms(timeout));
                    return Err(ClientError::NotFinal { id, waited_ms });
                }
                _ => std::thread::sleep(POLL),
            }
        }
    }

    /// The height of a transaction that is final. What nobody knows is submitted, where there is something to submit.
    fn settled(
        &self,
        id: &Hash,
        signed: Option<&SignedTransaction>,
    ) -> Result<Option<Height>, ClientError> {
        match (self.transaction(id)?, signed) {
            (Some(TransactionStatus::Final { height, .. }), _) => Ok(Some(height)),
            (Some(TransactionStatus::Refused { code, message }), _) => {
                let id = *id;
                Err(ClientError::TransactionRefused { id, code, message })
            }
            (Some(TransactionStatus::Pending), _) | (None, None) => Ok(None),
            (None, Some(signed)) => match self.submit_signed(signed) {
                // It may have become final just before: then a node refuses its number as used.
                Err(error) if self.transaction(id)?.is_none() => Err(error),
                _ => Ok(None),
            },
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
            match self.submit_signed(&signed) {
                Err(error) if !error.is_temporary() => return Err(error),
                _ => signed,
            }
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

/// This machine's clock, unix ms.
pub fn now_unix_ms() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH);
    ms(since.unwrap_or_default())
}
