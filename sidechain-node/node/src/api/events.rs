//! `GET /v1/events`: every decided block, as server-sent events whose id is the height, so that whoever was away goes on where it was
//! (`Last-Event-ID`, or `?from=`).

use std::{collections::VecDeque, convert::Infallible, sync::Arc};

use futures::stream::{self, Stream};
use nupeer_primitives::Height;
use serde::Deserialize;
use tokio::sync::{OwnedSemaphorePermit, broadcast};
use warp::{Reply, http::StatusCode, sse};

use super::{
    Api,
    error::{ApiError, internal},
    json,
};
use crate::{handle::NodeHandle, store::StoreError, summary::BlockSummary};

/// Streams that a node serves at a time.
pub const STREAMS_MAX: usize = 256;

/// Blocks that are read from the store at a time for a stream that is behind.
const PAGE: u64 = 64;

/// Where to begin.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct EventsQuery {
    from: Option<u64>,
}

/// The stream, from the height asked for, the one after `Last-Event-ID`, or the next block.
pub async fn stream(
    query: EventsQuery,
    last_seen: Option<u64>,
    api: Arc<Api>,
) -> warp::reply::Response {
    let Ok(permit) = api.streams.clone().try_acquire_owned() else {
        let busy = format!("{STREAMS_MAX} streams are open; this node serves no more");
        return ApiError::new(StatusCode::SERVICE_UNAVAILABLE, busy).reply();
    };
    // Subscribing comes first, so that no block falls between the tip and the stream.
    let (live, node) = (api.node.subscribe(), api.node.clone());
    let tip = match read(&node, |node| Ok(node.status()?.tip.height)).await {
        Ok(tip) => tip,
        Err(error) => return internal(&error).reply(),
    };
    let asked = query
        .from
        .or(last_seen.map(|height| height.saturating_add(1)));
    let next = asked.map_or(tip.next(), |height| Height(height.max(1)));
    let cursor = Cursor {
        live,
        node,
        tip,
        next,
        ready: VecDeque::new(),
        _permit: permit,
    };
    sse::reply(sse::keep_alive().stream(blocks(cursor))).into_response()
}

struct Cursor {
    node: NodeHandle,
    live: broadcast::Receiver<Arc<BlockSummary>>,
    /// The last block that is known to be stored.
    tip: Height,
    next: Height,
    ready: VecDeque<Arc<BlockSummary>>,
    _permit: OwnedSemaphorePermit,
}

fn blocks(cursor: Cursor) -> impl Stream<Item = Result<sse::Event, Infallible>> {
    stream::unfold(cursor, |mut cursor| async move {
        let block = cursor.next_block().await?;
        let data = json::summary(&block, cursor.node.chain().cardano).to_string();
        let event = sse::Event::default()
            .event("block")
            .id(block.height.to_string())
            .data(data);
        Some((Ok(event), cursor))
    })
}

impl Cursor {
    /// The block at `next`, waiting for it if it is not decided yet; `None` when the node goes down.
    async fn next_block(&mut self) -> Option<Arc<BlockSummary>> {
        loop {
            if let Some(block) = self.ready.pop_front() {
                self.next = block.height.next();
                return Some(block);
            }
            if self.next <= self.tip {
                let (from, to) = (self.next, self.tip);
                self.ready = read(&self.node, move |node| stored(node, from, to))
                    .await
                    .ok()?;
                continue;
            }
            match self.live.recv().await {
                Ok(block) => {
                    self.tip = self.tip.max(block.height);
                    if block.height == self.next {
                        self.ready.push_back(block);
                    }
                }
                // What was missed is read from the store.
                Err(broadcast::error::RecvError::Lagged(_)) => {
                    self.tip = read(&self.node, |node| Ok(node.status()?.tip.height))
                        .await
                        .ok()?;
                }
                Err(broadcast::error::RecvError::Closed) => return None,
            }
        }
    }
}

/// Stored blocks from `from` to `to`, at most [`PAGE`] of them.
fn stored(
    node: &NodeHandle,
    from: Height,
    to: Height,
) -> Result<VecDeque<Arc<BlockSummary>>, StoreError> {
    let last = to.0.min(from.0.saturating_add(PAGE - 1));
    let summary = |height| {
        node.summary(Height(height))?
            .ok_or(StoreError::Corrupt { what: "block" })
    };
    (from.0..=last)
        .map(|height| summary(height).map(Arc::new))
        .collect()
}

async fn read<T: Send + 'static>(
    node: &NodeHandle,
    query: impl FnOnce(&NodeHandle) -> Result<T, StoreError> + Send + 'static,
) -> Result<T, StoreError> {
    let node = node.clone();
    let done = tokio::task::spawn_blocking(move || query(&node)).await;
    // A panic in a query is this node's fault, as a store that cannot be read is.
    done.unwrap_or(Err(StoreError::Corrupt { what: "answer" }))
}
