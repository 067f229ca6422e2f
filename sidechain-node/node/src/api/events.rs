//! `GET /v1/events`: every decided block, as server-sent events whose id is the height, so that whoever was away goes on where it was
//! (`Last-Event-ID`, or `?from=`).

use std::{
    collections::VecDeque,
    convert::Infallible,
    net::{IpAddr, Ipv4Addr, SocketAddr},
    sync::Arc,
};

use futures::stream::{self, Stream};
use nupeer_primitives::Height;
use nupeer_serve::{Full, Limits, Place, Shares};
use serde::Deserialize;
use tokio::sync::broadcast;
use warp::{Reply, sse};

use super::{
    Api,
    error::{ApiError, AskError, internal},
    json,
};
use crate::{handle::NodeHandle, store::StoreError, summary::BlockSummary};

/// Streams of one address: a stream tells everything, so that a program needs one.
const PER_ADDRESS_MAX: usize = 8;

/// Blocks that are read from the store at a time for a stream that is behind.
const PAGE: u64 = 64;

/// Where to begin.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct EventsQuery {
    from: Option<u64>,
}

/// Places for streams: half of all connections, so that streams keep no question out; half of these for this machine's own addresses, which proxies may have.
pub(super) fn shares(limits: &Limits) -> Shares {
    let all = limits.connections_max / 2;
    Shares::new(all, PER_ADDRESS_MAX, all / 2)
}

/// The stream, from the height asked for, the one after `Last-Event-ID`, or the next block.
pub async fn stream(
    query: EventsQuery,
    last_seen: Option<u64>,
    from: Option<SocketAddr>,
    api: Arc<Api>,
) -> warp::reply::Response {
    let from = from.map_or(IpAddr::V4(Ipv4Addr::UNSPECIFIED), |from| from.ip());
    let place = match api.streams.take(from) {
        Ok(place) => place,
        Err(full) => return no_place(full).reply(),
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
        _place: place,
    };
    sse::reply(sse::keep_alive().stream(blocks(cursor))).into_response()
}

fn no_place(full: Full) -> ApiError {
    match full {
        Full::Address { maximum } => AskError::StreamsOfAddress { maximum }.into(),
        Full::All { maximum } => AskError::Streams { maximum }.into(),
    }
}

struct Cursor {
    node: NodeHandle,
    live: broadcast::Receiver<Arc<BlockSummary>>,
    /// The last block that is known to be stored.
    tip: Height,
    next: Height,
    ready: VecDeque<Arc<BlockSummary>>,
    _place: Place,
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
