//! Chain-sync for local clients: whole blocks, rollbacks, and waiting at the tip.

use pallas_codec::minicbor;
use pallas_crypto::hash::Hash;
use pallas_network::miniprotocols::{
    Point as WirePoint,
    chainsync::{BlockContent, Message, Tip as WireTip},
};

use super::{channel::Channel, error::SessionError};
use crate::view::{ChainView, Cursor, Next, Point, ViewTip};

/// Serves the protocol until the connection ends. After the client is done it may begin anew.
pub(crate) async fn serve(mut channel: Channel<'_>, view: &ChainView) -> Result<(), SessionError> {
    let mut cursor = view.origin();
    loop {
        let message = channel.receive().await?;
        let message: Message<BlockContent> =
            minicbor::decode(&message).map_err(|e| channel.undecodable(&e))?;
        match message {
            Message::RequestNext => next(&channel, view, &mut cursor).await?,
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

async fn next(
    channel: &Channel<'_>,
    view: &ChainView,
    cursor: &mut Cursor,
) -> Result<(), SessionError> {
    let mut changed = view.subscribe();
    let mut waiting = false;
    loop {
        changed.mark_unchanged();
        let (next, at) = view.next(cursor);
        let answer = match next {
            Next::Forward(block) => {
                Message::RollForward(BlockContent(block.raw.to_vec()), tip(&at))
            }
            Next::Backward(point) => Message::RollBackward(to_wire(&point), tip(&at)),
            Next::AtTip if waiting => {
                changed.changed().await.map_err(|_| SessionError::Closed)?;
                continue;
            }
            Next::AtTip => {
                waiting = true;
                channel.send(&Message::<BlockContent>::AwaitReply).await?;
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
