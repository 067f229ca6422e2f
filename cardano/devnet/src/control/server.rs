//! The server of the devnet's commands.

use std::{io, time::Duration};

use serde::Serialize;
use serde_json::{Value, json};
use tokio::{
    io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader},
    net::UnixStream,
    task::JoinSet,
    time::timeout,
};

use super::{
    BlockReply, ControlError, CostsReply, Cut, CutReply, DroppedReply, HURRY_BLOCKS_MAX,
    LINE_BYTES_MAX, Refusal, Request, StatusReply, TxReply, faucet,
};
use crate::{
    block::{TxParts, split_block},
    chain::{Chain, Reorganisation, Reorganised, TxStatus},
    owner::Owner,
    server::{CLIENTS_MAX, Place, Places, STALL_TIMEOUT_MS, Socket},
    view::{Block, Point, ViewTip},
};
use nupeer_cardano_ledger::{Transaction, TxId};

/// Blocks made without letting anybody else at the chain.
const HURRY_BATCH: u64 = 500;

/// Accepts commanders for ever; dropping the future ends all connections.
pub(crate) async fn accept(socket: &Socket, owner: Owner) {
    // As many as clients of the node, for the same reasons.
    let places = Places::new(CLIENTS_MAX);
    let mut sessions = JoinSet::new();
    loop {
        let stream = socket.accept().await;
        while sessions.try_join_next().is_some() {}
        let place = places.take().await;
        let owner = owner.clone();
        sessions.spawn(async move {
            tokio::select! {
                ended = serve(stream, &owner, &place) => tracing::debug!(?ended, "a commander is gone"),
                idle_ms = place.displaced() => tracing::debug!(idle_ms, "a commander makes room for another"),
            }
        });
    }
}

pub(super) async fn serve(stream: UnixStream, owner: &Owner, place: &Place) -> io::Result<()> {
    let (read, mut write) = stream.into_split();
    let mut read = BufReader::new(read);
    loop {
        let mut line = Vec::new();
        (&mut read)
            .take(LINE_BYTES_MAX)
            .read_until(b'\n', &mut line)
            .await?;
        if line.is_empty() {
            return Ok(());
        }
        place.greeted();
        let serving = place.serving();
        let answer = match handle(&line, owner).await {
            Ok(value) => json!({ "ok": value }),
            Err(error) => json!({ "error": Refusal::from(&error) }),
        };
        drop(serving);
        place.writing(true);
        let answer = format!("{answer}\n");
        let written = write.write_all(answer.as_bytes());
        timeout(Duration::from_millis(STALL_TIMEOUT_MS), written).await??;
        place.writing(false);
        // A line without an end is the last, or too long to go on after.
        if line.last() != Some(&b'\n') {
            return Ok(());
        }
    }
}

pub(super) fn read(line: &[u8]) -> Result<Request, ControlError> {
    Ok(serde_json::from_slice(line)?)
}

async fn handle(line: &[u8], owner: &Owner) -> Result<Value, ControlError> {
    match read(line)? {
        Request::Status {} => reply(&owner.ask(|chain| status(chain)).await?),
        Request::Faucet { address, lovelace } => {
            reply(&faucet::pay(owner, &address, lovelace).await?)
        }
        Request::Fork(cut) => reorganise(owner, &cut, true).await,
        Request::Rollback(cut) => reorganise(owner, &cut, false).await,
        Request::Stall {} => set_stalled(owner, true).await,
        Request::Resume {} => set_stalled(owner, false).await,
        Request::Hurry { blocks } => hurry(owner, blocks).await,
        Request::Tx { id } => {
            let id = tx_id(&id)?;
            reply(
                &owner
                    .ask(move |chain| tx_reply(&id, chain.transaction(&id)))
                    .await?,
            )
        }
    }
}

fn reply(value: &impl Serialize) -> Result<Value, ControlError> {
    Ok(serde_json::to_value(value)?)
}

async fn set_stalled(owner: &Owner, stalled: bool) -> Result<Value, ControlError> {
    let status = owner.ask(move |chain| {
        chain.set_stalled(stalled);
        status(chain)
    });
    reply(&status.await?)
}

async fn hurry(owner: &Owner, blocks: u64) -> Result<Value, ControlError> {
    if blocks > HURRY_BLOCKS_MAX {
        return Err(ControlError::TooManyBlocks {
            provided: blocks,
            maximum: HURRY_BLOCKS_MAX,
        });
    }
    let mut left = blocks;
    while left > 0 {
        let batch = left.min(HURRY_BATCH);
        owner.mint(batch).await??;
        left -= batch;
    }
    reply(&owner.ask(|chain| status(chain)).await?)
}

async fn reorganise(owner: &Owner, cut: &Cut, outgrow: bool) -> Result<Value, ControlError> {
    let wanted = Reorganisation {
        depth: cut.depth,
        drop: cut
            .drop
            .iter()
            .map(|id| tx_id(id))
            .collect::<Result<_, _>>()?,
        replacements: cut
            .replace
            .iter()
            .map(|raw| raw_tx(raw))
            .collect::<Result<_, _>>()?,
        outgrow,
        force: cut.force,
    };
    let done = owner
        .ask(move |chain| {
            chain
                .reorganise(&wanted)
                .map(|done| cut_reply(chain, &done))
        })
        .await??;
    reply(&done)
}

fn tx_id(text: &str) -> Result<TxId, ControlError> {
    let bytes = hex::decode(text)
        .ok()
        .and_then(|bytes| bytes.try_into().ok());
    bytes.ok_or_else(|| ControlError::Hex {
        field: "id",
        value: text.to_owned(),
        expected: "32 bytes",
    })
}

fn raw_tx(text: &str) -> Result<Vec<u8>, ControlError> {
    let error = |_| ControlError::Hex {
        field: "replace",
        value: text.to_owned(),
        expected: "a transaction",
    };
    hex::decode(text).map_err(error)
}

fn status(chain: &Chain) -> StatusReply {
    let (genesis, status) = (chain.genesis(), chain.status());
    StatusReply {
        network_magic: genesis.network_magic,
        profile: genesis.profile.to_string(),
        seed: genesis.seed,
        system_start_ms: genesis.system_start_ms,
        tip: tip_reply(&status.tip),
        epoch: status.epoch,
        epoch_slots_left: status.epoch_slots_left,
        epoch_nonce: status.epoch_nonce.to_string(),
        mempool_transactions: status.mempool_transactions,
        mempool_bytes: status.mempool_bytes,
        rollbacks: status.rollbacks,
        stalled: status.stalled,
    }
}

fn tip_reply(tip: &ViewTip) -> Option<BlockReply> {
    match tip.point {
        Point::Origin => None,
        Point::Block { slot, hash } => Some(BlockReply {
            block_number: tip.block_number,
            slot,
            hash: hash.to_string(),
        }),
    }
}

fn block_reply(block: &Block) -> BlockReply {
    BlockReply {
        block_number: block.block_number,
        slot: block.slot,
        hash: block.hash.to_string(),
    }
}

fn cut_reply(chain: &Chain, done: &Reorganised) -> CutReply {
    let view = chain.view();
    let height = view.height_of(&done.intersection).unwrap_or(0);
    let intersection = height.checked_sub(1).and_then(|number| view.block(number));
    let dropped = |(id, reason): &(TxId, String)| DroppedReply {
        id: hex::encode(id),
        reason: reason.clone(),
    };
    CutReply {
        intersection: intersection.as_ref().map(block_reply),
        rolled_back: done.rolled_back,
        tip: tip_reply(&done.tip),
        returned: done.returned.iter().map(hex::encode).collect(),
        dropped: done.dropped.iter().map(dropped).collect(),
    }
}

fn tx_reply(id: &TxId, status: TxStatus) -> TxReply {
    match status {
        TxStatus::Confirmed { block, depth } => TxReply::Confirmed {
            costs: costs(id, &block).unwrap_or_default(),
            block: block_reply(&block),
            depth,
        },
        TxStatus::Waiting => TxReply::Waiting,
        TxStatus::Refused { reason } => TxReply::Refused { reason },
        TxStatus::Unknown => TxReply::Unknown,
    }
}

/// What the transaction of this id in the block cost.
fn costs(id: &TxId, block: &Block) -> Option<CostsReply> {
    let (_, body) = split_block(&block.raw).ok()?;
    let is_wanted = |raw: &Vec<u8>| TxParts::split(raw).is_ok_and(|parts| *parts.id() == *id);
    let raw = body.transactions().ok()?.into_iter().find(is_wanted)?;
    let tx = Transaction::decode(&raw).ok()?;
    let units = tx.witnesses.total_ex_units().unwrap_or_default();
    Some(CostsReply {
        fee_lovelace: tx.body.fee_lovelace,
        size: tx.size_bytes(),
        cpu: units.cpu,
        mem: units.memory,
    })
}
