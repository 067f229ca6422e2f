//! Local state queries. What is acquired is a block; each question is answered as of it, however far the chain has gone on.

use bytes::Bytes;
use pallas_codec::minicbor::{Decoder, decode};
use pallas_network::miniprotocols::{Point as WirePoint, localstate::AcquireFailure};

use super::{chain_sync::from_wire, channel::Channel, error::SessionError};
use crate::{
    owner::Owner,
    query::{Query, QueryError, answer},
    view::{ChainView, Point},
};

const ACQUIRED: [u8; 2] = [0x81, 0x01];

/// What a client wants to acquire.
enum Target {
    Tip,
    Immutable,
    Point(WirePoint),
}

/// What a client sends. Acquiring anew and acquiring differ in number alone.
enum Request {
    Acquire(Target),
    Query(Bytes),
    Release,
    Done,
}

/// Serves the protocol until the connection ends.
pub(crate) async fn serve(
    mut channel: Channel<'_>,
    view: &ChainView,
    owner: &Owner,
    security_parameter: u64,
) -> Result<(), SessionError> {
    let mut acquired: Option<Point> = None;
    loop {
        let message = channel.receive().await?;
        match request(&message).map_err(|e| channel.undecodable(&e))? {
            Request::Acquire(target) => {
                let point = resolve(view, &target, security_parameter);
                match &point {
                    Ok(_) => channel.send_bytes(ACQUIRED.to_vec()).await?,
                    Err(failure) => channel.send_bytes(failed(failure)).await?,
                }
                acquired = point.ok();
            }
            Request::Query(query) => {
                let point = acquired
                    .ok_or_else(|| channel.unexpected("a query before anything is acquired"))?;
                let answer = ask(owner, point, &query).await?;
                channel
                    .send_bytes([&[0x82, 0x04], answer.as_slice()].concat())
                    .await?;
            }
            Request::Release | Request::Done => acquired = None,
        }
    }
}

/// The question in a client's message, if it is one, for the fuzz targets.
pub(super) fn query(message: &Bytes) -> Option<Bytes> {
    match request(message) {
        Ok(Request::Query(query)) => Some(query),
        _ => None,
    }
}

fn request(message: &Bytes) -> Result<Request, decode::Error> {
    let mut d = Decoder::new(message);
    d.array()?;
    Ok(match d.u16()? {
        0 | 6 => Request::Acquire(Target::Point(d.decode()?)),
        8 | 9 => Request::Acquire(Target::Tip),
        10 | 11 => Request::Acquire(Target::Immutable),
        3 => Request::Query(message.slice(d.position()..)),
        5 => Request::Release,
        7 => Request::Done,
        _ => return Err(decode::Error::message("a server's message")),
    })
}

/// The block that a client means: at most k blocks back, as with a cardano-node.
fn resolve(
    view: &ChainView,
    target: &Target,
    security_parameter: u64,
) -> Result<Point, AcquireFailure> {
    let tip = view.tip();
    match target {
        Target::Tip => Ok(tip.point),
        Target::Immutable => Ok(view.point_at(tip.height.saturating_sub(security_parameter))),
        Target::Point(point) => {
            let point = from_wire(point).ok_or(AcquireFailure::PointNotOnChain)?;
            let height = view
                .height_of(&point)
                .ok_or(AcquireFailure::PointNotOnChain)?;
            let depth = tip.height.saturating_sub(height);
            if depth > security_parameter {
                Err(AcquireFailure::PointTooOld)
            } else {
                Ok(point)
            }
        }
    }
}

fn failed(failure: &AcquireFailure) -> Vec<u8> {
    let code = match failure {
        AcquireFailure::PointTooOld => 0,
        AcquireFailure::PointNotOnChain => 1,
    };
    vec![0x82, 0x02, code]
}

async fn ask(owner: &Owner, point: Point, query: &[u8]) -> Result<Vec<u8>, SessionError> {
    let query = Query::decode(query).map_err(|error| match error {
        QueryError::Unsupported { name } => SessionError::UnsupportedQuery { query: name },
        QueryError::Malformed { reason } => SessionError::Undecodable {
            protocol: super::STATE_QUERY,
            reason,
        },
    })?;
    let asked = owner.ask(move |chain| {
        let genesis = chain.genesis().clone();
        chain.at(&point, |ledger, state| {
            answer(&query, &genesis, ledger, state)
        })
    });
    let answered = asked.await.map_err(|_| SessionError::Closed)?;
    answered.map_err(|_| SessionError::AcquiredStateGone)
}
