//! Chain-sync: whole blocks to local clients, headers to peers; rollbacks, and waiting at the tip.

use pallas_codec::minicbor::{self, Decode, Encode};
use pallas_crypto::hash::Hash;
use pallas_network::miniprotocols::{
    Point as WirePoint,
    chainsync::{BlockContent, HeaderContent, Message, Tip as WireTip},
};

use super::{channel::Channel, error::SessionError};
use crate::{
    block::split_block,
    query::CONWAY_ERA,
    view::{Block, ChainView, Cursor, Next, Point, ViewTip},
};

/// Conway's index among the eras of a header's wrapping, which counts Byron as one era; a block's own tag counts it as two.
const ERA: u8 = CONWAY_ERA as u8;

/// What a follower gets of a block: all of it or its header.
pub(crate) trait Content: Encode<()> + for<'b> Decode<'b, ()> {}

impl Content for BlockContent {}
impl Content for HeaderContent {}

/// The whole block, era-tagged, as local clients get it.
pub(crate) fn block(block: &Block) -> BlockContent {
    BlockContent(block.raw.to_vec())
}

/// The header in its era, as peers get it: `[era, #6.24(bytes)]`.
pub(crate) fn header(block: &Block) -> HeaderContent {
    // A block of our own chain was cut when it was put there; of another nothing would be sent but what no peer takes.
    let header = split_block(&block.raw).map(|(header, _)| header.to_vec());
    HeaderContent {
        variant: ERA,
        byron_prefix: None,
        cbor: header.unwrap_or_default(),
    }
}

/// Serves the protocol until the connection ends. After the client is done it may begin anew.
pub(crate) async fn serve<C: Content>(
    mut channel: Channel<'_>,
    view: &ChainView,
    content: fn(&Block) -> C,
) -> Result<(), SessionError> {
    let mut cursor = view.origin();
    loop {
        let message = channel.receive().await?;
        let message: Message<C> =
            minicbor::decode(&message).map_err(|e| channel.undecodable(&e))?;
        match message {
            Message::RequestNext => next(&channel, view, &mut cursor, content).await?,
            Message::FindIntersect(points) => {
                intersect(&channel, view, &mut cursor, &points).await?
            }
            Message::Done => cursor = view.origin(),
            _ => return Err(channel.unexpected("a server's message")),
        }
    }
}

async fn intersect(
    channel: &Channel<'_>,
    view: &ChainView,
    cursor: &mut Cursor,
    points: &[WirePoint],
) -> Result<(), SessionError> {
    let points: Vec<_> = points.iter().filter_map(from_wire).collect();
    let tip = tip(&view.tip());
    match view.intersect(&points) {
        Some((point, found)) => {
            *cursor = found;
            channel
                .send(&Message::<BlockContent>::IntersectFound(
                    to_wire(&point),
                    tip,
                ))
                .await
        }
        None => {
            channel
                .send(&Message::<BlockContent>::IntersectNotFound(tip))
                .await
        }
    }
}

async fn next<C: Content>(
    channel: &Channel<'_>,
    view: &ChainView,
    cursor: &mut Cursor,
    content: fn(&Block) -> C,
) -> Result<(), SessionError> {
    let mut changed = view.subscribe();
    let mut waiting = false;
    loop {
        changed.mark_unchanged();
        let (next, at) = view.next(cursor);
        let answer = match next {
            Next::Forward(block) => Message::RollForward(content(&block), tip(&at)),
            Next::Backward(point) => Message::RollBackward(to_wire(&point), tip(&at)),
            Next::AtTip if waiting => {
                changed.changed().await.map_err(|_| SessionError::Closed)?;
                continue;
            }
            Next::AtTip => {
                waiting = true;
                channel.send(&Message::<C>::AwaitReply).await?;
                continue;
            }
        };
        return channel.send(&answer).await;
    }
}

/// A point of ours, if it can be one: hashes of another length are on no chain.
pub(crate) fn from_wire(point: &WirePoint) -> Option<Point> {
    match point {
        WirePoint::Origin => Some(Point::Origin),
        WirePoint::Specific(slot, hash) => {
            let hash: [u8; 32] = hash.as_slice().try_into().ok()?;
            Some(Point::Block {
                slot: *slot,
                hash: Hash::new(hash),
            })
        }
    }
}

pub(crate) fn to_wire(point: &Point) -> WirePoint {
    match point {
        Point::Origin => WirePoint::Origin,
        Point::Block { slot, hash } => WirePoint::Specific(*slot, hash.to_vec()),
    }
}

fn tip(tip: &ViewTip) -> WireTip {
    WireTip(to_wire(&tip.point), tip.block_number)
}
