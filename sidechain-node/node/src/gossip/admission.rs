//! Messages of peers on their way into the mempool and the book of offers: one after the other, since a sender's transactions must keep their
//! order, and beside the swarm's task, since verifying takes time.

use std::sync::Arc;

use bytes::Bytes;
use libp2p::{
    PeerId,
    gossipsub::{MessageAcceptance, MessageId},
};
use nupeer_runtime::error::TransactionError;
use tokio::sync::mpsc;

use super::batch;
use crate::{
    intake::{Intake, SubmitError, Taken},
    mempool::{MempoolError, Origin},
};

/// A message.
pub(super) struct Incoming {
    pub(super) peer: PeerId,
    pub(super) id: MessageId,
    /// Of the topic of offers, where each message is one signed offer.
    pub(super) is_offer: bool,
    pub(super) data: Vec<u8>,
}

/// What is to become of it.
pub(super) struct Judged {
    pub(super) peer: PeerId,
    pub(super) id: MessageId,
    pub(super) acceptance: MessageAcceptance,
    /// To be told to others by this node itself, since the message does not go on.
    pub(super) fresh: Vec<Bytes>,
}

/// Starts the task; it ends when either channel is dropped.
pub(super) fn spawn(
    intake: Arc<Intake>,
    bytes_max: usize,
    waiting_max: usize,
) -> (mpsc::Sender<Incoming>, mpsc::Receiver<Judged>) {
    let (inbox, mut incoming) = mpsc::channel::<Incoming>(waiting_max);
    let (done, judged) = mpsc::channel(waiting_max);
    tokio::spawn(async move {
        while let Some(message) = incoming.recv().await {
            let intake = intake.clone();
            let judged = tokio::task::spawn_blocking(move || judge(&intake, message, bytes_max));
            let Ok(judged) = judged.await else { return };
            if done.send(judged).await.is_err() {
                return;
            }
        }
    });
    (inbox, judged)
}

fn judge(intake: &Intake, message: Incoming, bytes_max: usize) -> Judged {
    let Incoming {
        peer,
        id,
        is_offer,
        data,
    } = message;
    let (acceptance, fresh) = if is_offer {
        (offer(intake, data), Vec::new())
    } else {
        match batch::decode(&data, bytes_max) {
            Ok(transactions) => accept(intake.submit_all(transactions, Origin::Peer)),
            Err(_) => (MessageAcceptance::Reject, Vec::new()),
        }
    };
    Judged {
        peer,
        id,
        acceptance,
        fresh,
    }
}

/// An offer goes on when it is in the book; what holds nowhere is an offence, what does not hold here may hold elsewhere.
fn offer(intake: &Intake, data: Vec<u8>) -> MessageAcceptance {
    match intake.offers().submit(data.into(), Origin::Peer) {
        Ok(_) => MessageAcceptance::Accept,
        Err(error) if error.is_always_wrong() => MessageAcceptance::Reject,
        Err(_) => MessageAcceptance::Ignore,
    }
}

/// A message goes on when all of it was taken. One with something that is wrong whatever the state is an offence: whoever
/// passed it on should have seen that. Anything else may look different to another node.
fn accept(results: Vec<Result<Taken, SubmitError>>) -> (MessageAcceptance, Vec<Bytes>) {
    if results.iter().all(|result| result.is_ok()) {
        return (MessageAcceptance::Accept, Vec::new());
    }
    let offence = results
        .iter()
        .any(|result| result.as_ref().is_err_and(is_always_wrong));
    let fresh = results
        .into_iter()
        .flatten()
        .flat_map(|taken| taken.fresh)
        .collect();
    let acceptance = if offence {
        MessageAcceptance::Reject
    } else {
        MessageAcceptance::Ignore
    };
    (acceptance, fresh)
}

fn is_always_wrong(error: &SubmitError) -> bool {
    let SubmitError::Mempool(MempoolError::Refused(error)) = error else {
        return false;
    };
    match error {
        TransactionError::Expired { .. }
        | TransactionError::Ledger(_)
        | TransactionError::Lease(_)
        | TransactionError::Bridge(_) => false,
        TransactionError::Encoding(_)
        | TransactionError::WrongNetwork { .. }
        | TransactionError::WrongKey { .. }
        | TransactionError::BadSignature
        | TransactionError::Wallet(_)
        | TransactionError::WrongAddress { .. }
        | TransactionError::WrongText { .. } => true,
    }
}
