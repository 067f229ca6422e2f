//! Block-fetch: the blocks from one point to another, both included (`block-fetch.cddl`).

use pallas_codec::minicbor;
use pallas_network::miniprotocols::{Point as WirePoint, blockfetch::Message};

use crate::{
    server::{chain_sync::from_wire, channel::Channel, error::SessionError},
    view::{Block, ChainView, Cursor, Next, Point},
};

/// Serves the protocol until the connection ends. After the peer is done it may begin anew.
pub(crate) async fn serve(mut channel: Channel<'_>, view: &ChainView) -> Result<(), SessionError> {
    loop {
        let message = channel.receive().await?;
        match minicbor::decode(&message).map_err(|e| channel.undecodable(&e))? {
            Message::RequestRange {
                range: (first, last),
            } => send(&channel, Stretch::find(view, &first, &last)).await?,
            Message::ClientDone => {}
            _ => return Err(channel.unexpected("a server's message")),
        }
    }
}

async fn send(channel: &Channel<'_>, stretch: Option<Stretch<'_>>) -> Result<(), SessionError> {
    let Some(mut stretch) = stretch else {
        return channel.send(&Message::NoBlocks).await;
    };
    channel.send(&Message::StartBatch).await?;
    while let Some(block) = stretch.next()? {
        let body = block.raw.to_vec();
        channel.send(&Message::Block { body }).await?;
    }
    channel.send(&Message::BatchDone).await
}

/// A part of the chain that is on its way to a peer. It holds no blocks, however many they are.
struct Stretch<'a> {
    view: &'a ChainView,
    cursor: Cursor,
    last: Point,
    sent_last: bool,
}

impl<'a> Stretch<'a> {
    /// The blocks from `first` to `last`, unless one of them is not on the chain, or they are in the wrong order.
    fn find(view: &'a ChainView, first: &WirePoint, last: &WirePoint) -> Option<Self> {
        let (first, last) = (from_wire(first)?, from_wire(last)?);
        let (from, to) = (view.height_of(&first)?, view.height_of(&last)?);
        let before = view.point_at(from.checked_sub(1)?);
        let (_, mut cursor) = view.intersect(&[before]).filter(|_| from <= to)?;
        // The first thing that a cursor tells is where it is.
        let (Next::Backward(at), _) = view.next(&mut cursor) else {
            return None;
        };
        (at == before).then_some(Self {
            view,
            cursor,
            last,
            sent_last: false,
        })
    }

    /// The next block, none after the last.
    ///
    /// Fails when a fork took the last away: the protocol has no word for that once a batch has begun, and a node ends the connection, too.
    fn next(&mut self) -> Result<Option<Block>, SessionError> {
        if self.sent_last {
            return Ok(None);
        }
        let (Next::Forward(block), _) = self.view.next(&mut self.cursor) else {
            return Err(SessionError::BlocksGone);
        };
        // Where the last block is, all before it are.
        if self.view.height_of(&self.last).is_none() {
            return Err(SessionError::BlocksGone);
        }
        let at = Point::Block {
            slot: block.slot,
            hash: block.hash,
        };
        self.sent_last = at == self.last;
        Ok(Some(block))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use pallas_crypto::hash::Hash;

    fn block(number: u64, branch: u8) -> Block {
        let mut hash = [branch; 32];
        hash[0] = number as u8;
        Block {
            block_number: number,
            slot: number,
            hash: Hash::new(hash),
            raw: vec![branch, number as u8].into(),
        }
    }

    fn view(count: u64) -> ChainView {
        let view = ChainView::default();
        view.replace(0, (0..count).map(|number| block(number, 0)).collect());
        view
    }

    fn wire(number: u64, branch: u8) -> WirePoint {
        WirePoint::Specific(number, block(number, branch).hash.to_vec())
    }

    fn numbers(stretch: Option<Stretch<'_>>) -> Option<Vec<u64>> {
        let mut stretch = stretch?;
        let mut numbers = Vec::new();
        while let Some(block) = stretch.next().expect("no fork") {
            numbers.push(block.block_number);
        }
        Some(numbers)
    }

    #[test]
    fn a_stretch_includes_both_its_ends() {
        let view = view(5);
        for (first, last, expected) in [
            (0, 0, vec![0]),
            (0, 4, vec![0, 1, 2, 3, 4]),
            (2, 3, vec![2, 3]),
            (4, 4, vec![4]),
        ] {
            let stretch = Stretch::find(&view, &wire(first, 0), &wire(last, 0));
            assert_eq!(numbers(stretch), Some(expected));
        }
    }

    #[test]
    fn there_is_no_stretch_off_the_chain_or_backwards() {
        let view = view(5);
        for (first, last) in [
            (wire(3, 0), wire(2, 0)),
            (wire(3, 1), wire(4, 0)),
            (wire(3, 0), wire(4, 1)),
            (wire(3, 0), wire(5, 0)),
            (WirePoint::Origin, wire(2, 0)),
            (WirePoint::Origin, WirePoint::Origin),
            (wire(3, 0), WirePoint::Specific(4, vec![1, 2, 3])),
        ] {
            assert!(Stretch::find(&view, &first, &last).is_none());
        }
    }

    #[test]
    fn a_fork_under_way_ends_a_stretch_before_it_mixes_chains() {
        for keep in [1, 2, 4] {
            let view = view(5);
            let mut stretch = Stretch::find(&view, &wire(0, 0), &wire(4, 0)).expect("is found");
            for _ in 0..2 {
                stretch.next().expect("no fork").expect("a block");
            }
            view.replace(keep, (keep..9).map(|number| block(number, 1)).collect());
            let error = stretch.next().expect_err("is gone");
            assert!(matches!(error, SessionError::BlocksGone), "{error}");
        }
    }

    #[test]
    fn a_fork_after_its_end_is_none_of_a_stretchs_business() {
        let view = view(5);
        let stretch = Stretch::find(&view, &wire(0, 0), &wire(2, 0));
        view.replace(3, vec![block(3, 1)]);
        assert_eq!(numbers(stretch), Some(vec![0, 1, 2]));
    }
}
