//! The thread that checks, observes and writes blocks.

use std::{sync::Arc, thread};

use nupeer_primitives::CardanoPoint;
use tokio::sync::{mpsc, oneshot};

use super::{FollowerError, Inner, chain::Chain};
use crate::chain::Tip;

/// Data in a block can be nested as deeply as a transaction is long (16 kB), and pallas' trees are dropped
/// recursively; a block full of it (90 kB) takes under 16 MB. Of this stack only what is touched takes memory.
const STACK_BYTES: usize = 64 << 20;

/// Blocks written together while catching up.
const BATCH_BLOCKS: usize = 512;

/// Messages that may wait for the thread. With blocks of 90 kB that is 11 MB.
const WAITING: usize = 128;

/// What chain-sync said.
#[derive(Debug)]
pub(super) enum Message {
    Intersected(Option<CardanoPoint>),
    Forward(Vec<u8>),
    Backward(Option<CardanoPoint>),
    /// The node knows no block of ours, though it is further than our oldest.
    BeyondUndo,
}

/// A message, and the node's tip that came with it.
pub(super) type Heard = (Message, Option<Tip>);

/// The way to a writer, and its end.
pub(super) struct Writer {
    pub(super) messages: mpsc::Sender<Heard>,
    pub(super) ended: oneshot::Receiver<Result<(), FollowerError>>,
}

/// Starts a writer. It ends when its messages end, with everything written, or at an error.
pub(super) fn start(inner: Arc<Inner>) -> Result<Writer, FollowerError> {
    let (messages, received) = mpsc::channel(WAITING);
    let (end, ended) = oneshot::channel();
    let work = move || {
        let result = write_all(&inner, received);
        // Nobody may be waiting any more; then nobody needs to know.
        let _ = end.send(result);
    };
    let builder = thread::Builder::new()
        .name("cardano-follower".into())
        .stack_size(STACK_BYTES);
    builder
        .spawn(work)
        .map_err(|e| FollowerError::Store(format!("no thread: {e}")))?;
    Ok(Writer { messages, ended })
}

fn write_all(inner: &Inner, mut messages: mpsc::Receiver<Heard>) -> Result<(), FollowerError> {
    let mut chain = Chain::load(inner)?;
    while let Some(first) = messages.blocking_recv() {
        let (applied, node_tip) = apply_waiting(&mut chain, first, &mut messages);
        // At the node's tip the next block may be long in coming; while catching up it is not.
        let synced = chain.tip() == node_tip || applied.is_err();
        let written = chain.write(synced);
        publish(inner, &mut chain, node_tip);
        applied.and(written)?;
    }
    Ok(())
}

/// Applies `first` and whatever else waits, up to a batch.
fn apply_waiting(
    chain: &mut Chain,
    first: Heard,
    messages: &mut mpsc::Receiver<Heard>,
) -> (Result<(), FollowerError>, Option<Tip>) {
    let (mut message, mut node_tip) = first;
    loop {
        let applied = apply(chain, message);
        if applied.is_err() || chain.pending() >= BATCH_BLOCKS {
            return (applied, node_tip);
        }
        match messages.try_recv() {
            Ok(next) => (message, node_tip) = next,
            Err(_) => return (applied, node_tip),
        }
    }
}

fn apply(chain: &mut Chain, message: Message) -> Result<(), FollowerError> {
    match message {
        Message::Intersected(point) => chain.intersected(point),
        Message::Forward(raw) => chain.forward(&raw),
        Message::Backward(point) => chain.backward(point),
        Message::BeyondUndo => chain.beyond_undo(),
    }
}

fn publish(inner: &Inner, chain: &mut Chain, node_tip: Option<Tip>) {
    let recorded = chain.recorded();
    inner.status.send_if_modified(|status| {
        let before = status.clone();
        status.tip = if chain.pending() == 0 {
            chain.tip()
        } else {
            status.tip
        };
        status.node_tip = node_tip;
        status.deep_rollback = recorded.or(status.deep_rollback);
        status.connected = true;
        status.error = None;
        *status != before
    });
}
