//! The conversation with the node, and the patience between conversations.

use std::{
    future::Future,
    pin::{Pin, pin},
    sync::Arc,
    time::Duration,
};

use nupeer_primitives::Numbered;
use pallas_network::miniprotocols::chainsync::{self, NextResponse, Tip as PallasTip};
use tokio::time::sleep;

use super::{
    FollowerError, Inner,
    reader::Reader,
    writer::{self, Heard, Message, Writer},
};
use crate::{
    chain::{self, Tip},
    node::{NodeError, Session, broken, within},
};

/// Pauses between attempts to connect: doubled each time, up to a bound; short again once blocks arrive.
const PAUSE_FIRST: Duration = Duration::from_millis(100);
const PAUSE_LAST: Duration = Duration::from_secs(10);

pub(super) async fn run(
    inner: &Arc<Inner>,
    shutdown: impl Future<Output = ()>,
) -> Result<(), FollowerError> {
    let mut shutdown = pin!(shutdown);
    let mut pause = PAUSE_FIRST;
    loop {
        let mut heard = 0;
        let Err(error) = one_connection(inner, shutdown.as_mut(), &mut heard).await else {
            inner.status.send_modify(|status| status.connected = false);
            return Ok(());
        };
        disconnected(inner, &error);
        if !error.is_passing() {
            return Err(error);
        }
        pause = if heard > 1 { PAUSE_FIRST } else { pause };
        tokio::select! {
            () = &mut shutdown => return Ok(()),
            () = sleep(pause) => pause = pause.saturating_mul(2).min(PAUSE_LAST),
        }
    }
}

/// Follows over one connection until it breaks, or the writer does, or it is time to stop.
async fn one_connection(
    inner: &Arc<Inner>,
    shutdown: Pin<&mut impl Future<Output = ()>>,
    heard: &mut u64,
) -> Result<(), FollowerError> {
    let Writer {
        messages,
        mut ended,
    } = writer::start(inner.clone())?;
    let mut written = None;
    let broken_by = tokio::select! {
        biased;
        () = shutdown => Ok(()),
        error = converse(inner, &messages, heard) => Err(error),
        // The node may have nothing to say for long; a writer that ended is noticed all the same.
        result = &mut ended => {
            written = Some(result);
            Ok(())
        }
    };
    drop(messages);
    // The writer finishes what it has, and its own error explains more than the connection's.
    let written = match written {
        Some(written) => written,
        None => ended.await,
    };
    written
        .unwrap_or_else(|_| Err(FollowerError::Store("the writer died".into())))
        .and(broken_by)
}

fn disconnected(inner: &Inner, error: &FollowerError) {
    tracing::warn!(%error, "the follower's connection ended");
    inner.status.send_modify(|status| {
        status.connected = false;
        status.error = Some(format!("{}: {error}", error.code()));
    });
}

/// Speaks with the node until something breaks. `heard` counts its messages.
async fn converse(
    inner: &Inner,
    messages: &tokio::sync::mpsc::Sender<Heard>,
    heard: &mut u64,
) -> FollowerError {
    let listen = async {
        let mut session = inner.config.node.connect().await?;
        let found = intersect(inner, &mut session).await?;
        loop {
            let next = match *heard {
                0 => found_or_lost(inner, &found)?,
                _ => next(inner, &mut session).await?,
            };
            *heard += 1;
            if messages.send(next).await.is_err() {
                // The writer ended and says why by itself.
                let reason = "what it sent was refused".into();
                return Err(NodeError::Connection {
                    doing: "following",
                    reason,
                }
                .into());
            }
        }
    };
    let outcome: Result<std::convert::Infallible, FollowerError> = listen.await;
    match outcome {
        Ok(never) => match never {},
        Err(error) => error,
    }
}

type Found = (Option<pallas_network::miniprotocols::Point>, Option<Tip>);

async fn intersect(inner: &Inner, session: &mut Session) -> Result<Found, FollowerError> {
    const DOING: &str = "looking for a common block";
    let points = Reader::new(&inner.store)?.intersection_points()?;
    let points = points.into_iter().map(chain::to_pallas).collect();
    let found = within(
        DOING,
        inner.config.node.timeouts.answer,
        session.chain_sync().find_intersect(points),
    )
    .await?;
    let (point, tip) = found.map_err(|error| broken(DOING, &error))?;
    Ok((point, tip_of(&tip)?))
}

/// No common block: the node may be catching up. If it is beyond our oldest block, it is on another chain.
fn found_or_lost(inner: &Inner, (point, node_tip): &Found) -> Result<Heard, FollowerError> {
    if let Some(point) = point {
        return Ok((Message::Intersected(point_of(point)?), *node_tip));
    }
    let reader = Reader::new(&inner.store)?;
    let base = reader.base();
    let beyond = node_tip
        .zip(base.point)
        .is_some_and(|(node, base)| node.point.slot > base.slot);
    match beyond && reader.tip()?.is_some() {
        true => Ok((Message::BeyondUndo, *node_tip)),
        false => Err(FollowerError::NoIntersection { oldest: base.point }),
    }
}

async fn next(inner: &Inner, session: &mut Session) -> Result<Heard, FollowerError> {
    const DOING: &str = "following the chain";
    let timeouts = inner.config.node.timeouts;
    let client = session.chain_sync();
    let asked = within(DOING, timeouts.answer, client.request_next()).await?;
    let mut answer = asked.map_err(|error| broken(DOING, &error))?;
    if matches!(answer, NextResponse::Await) {
        let waited = within(
            "waiting for a block",
            timeouts.idle,
            client.recv_while_must_reply(),
        )
        .await?;
        answer = waited.map_err(|error| broken(DOING, &error))?;
    }
    heard(answer)
}

fn heard(answer: NextResponse<chainsync::BlockContent>) -> Result<Heard, FollowerError> {
    match answer {
        NextResponse::RollForward(block, tip) => Ok((Message::Forward(block.0), tip_of(&tip)?)),
        NextResponse::RollBackward(point, tip) => {
            Ok((Message::Backward(point_of(&point)?), tip_of(&tip)?))
        }
        NextResponse::Await => {
            let reason = "it asked for patience twice".into();
            Err(NodeError::Connection {
                doing: "following the chain",
                reason,
            }
            .into())
        }
    }
}

fn point_of(
    point: &pallas_network::miniprotocols::Point,
) -> Result<Option<nupeer_primitives::CardanoPoint>, FollowerError> {
    chain::from_pallas(point).map_err(|reason| {
        NodeError::Answer {
            asked: "a point",
            reason,
        }
        .into()
    })
}

fn tip_of(tip: &PallasTip) -> Result<Option<Tip>, FollowerError> {
    let PallasTip(point, block_number) = tip;
    Ok(point_of(point)?.map(|point| Tip {
        point,
        block_number: *block_number,
    }))
}
