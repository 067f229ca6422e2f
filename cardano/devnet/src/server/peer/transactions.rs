//! Tx-submission: a peer offers transactions when it is asked to, and what the devnet does not have goes to the mempool like anyone's
//! (`tx-submission2.cddl`). A transaction that the ledger refuses is none of the protocol's business: it is named no more.

use std::time::Duration;

use pallas_codec::minicbor::{Decoder, data::IanaTag, data::Type, decode};
use pallas_network::miniprotocols::txsubmission::{EraTxBody, EraTxId, Message};

use crate::{
    block::TxParts,
    chain::TxStatus,
    owner::Owner,
    query::CONWAY_ERA,
    server::{channel::Channel, error::SessionError},
};

/// How many offers may be open at once, as with a cardano-node.
const OFFERS_MAX: u16 = 10;
/// How far a transaction's size may be from the announced one, in bytes: with a node's wrapping or without.
const SIZE_DIFFERENCE_MAX: usize = 10;
/// How long a peer may take for the transactions that it was asked for, as with a cardano-node (`timeLimitsTxSubmission2`).
const TRANSACTIONS_WAIT: Duration = Duration::from_secs(10);

/// A transaction that a peer has.
struct Offer {
    id: EraTxId,
    size_bytes: usize,
}

/// A transaction that has come, with the size of its wrapping.
struct Body<'b> {
    era: u16,
    raw: &'b [u8],
    wrapped_bytes: usize,
}

/// What a peer sends.
enum Reply<'b> {
    Init,
    Offers(Vec<Offer>),
    Bodies(Vec<Body<'b>>),
    Done,
}

/// Serves the protocol until the connection ends. After the peer is done it may begin anew.
pub(crate) async fn serve(mut channel: Channel<'_>, owner: &Owner) -> Result<(), SessionError> {
    loop {
        let message = channel.receive().await?;
        match reply(&message).map_err(|e| channel.undecodable(&e))? {
            Reply::Init => collect(&mut channel, owner).await?,
            _ => return Err(channel.unexpected("anything before the beginning")),
        }
    }
}

/// Reads a peer's message, for the fuzz targets.
pub(in crate::server) fn read(message: &[u8]) {
    let Ok(Reply::Bodies(bodies)) = reply(message) else {
        return;
    };
    for body in bodies {
        let _ = TxParts::split(body.raw).map(|parts| parts.id());
    }
}

/// Asks for offers, and for what is new among them, until the peer is done.
async fn collect(channel: &mut Channel<'_>, owner: &Owner) -> Result<(), SessionError> {
    let mut acknowledged = 0;
    while let Some(offers) = offers(channel, acknowledged).await? {
        acknowledged = offers.len() as u16;
        let wanted = unknown(owner, offers).await?;
        if !wanted.is_empty() {
            fetch(channel, owner, &wanted).await?;
        }
    }
    Ok(())
}

/// The peer's next offers, for which it may take its time; none when it is done.
async fn offers(
    channel: &mut Channel<'_>,
    acknowledged: u16,
) -> Result<Option<Vec<Offer>>, SessionError> {
    let request = Message::<EraTxId, EraTxBody>::RequestTxIds(true, acknowledged, OFFERS_MAX);
    channel.send(&request).await?;
    let message = channel.receive().await?;
    match reply(&message).map_err(|e| channel.undecodable(&e))? {
        Reply::Done => Ok(None),
        Reply::Offers(offers) if offers.is_empty() => {
            Err(channel.unexpected("an answer without a transaction"))
        }
        Reply::Offers(offers) if offers.len() > usize::from(OFFERS_MAX) => {
            Err(channel.unexpected("more than was asked for"))
        }
        Reply::Offers(offers) => Ok(Some(offers)),
        _ => Err(channel.unexpected("anything but transactions' ids")),
    }
}

/// Those offers that could become part of the chain and are not yet on their way to it.
async fn unknown(owner: &Owner, offers: Vec<Offer>) -> Result<Vec<Offer>, SessionError> {
    let unknown = owner.ask(move |chain| {
        let size_max = chain.with_waiting().parameters().max_tx_size_bytes;
        let size_max = usize::try_from(size_max).unwrap_or(usize::MAX);
        let is_wanted = |offer: &Offer| {
            let known = offer
                .id
                .1
                .as_slice()
                .try_into()
                .map(|id| chain.transaction(&id));
            let is_new = matches!(known, Ok(TxStatus::Unknown | TxStatus::Refused { .. }));
            is_new
                && offer.id.0 == CONWAY_ERA
                && offer.size_bytes <= size_max.saturating_add(SIZE_DIFFERENCE_MAX)
        };
        offers.into_iter().filter(is_wanted).collect()
    });
    unknown.await.map_err(|_| SessionError::Closed)
}

/// Has the wanted transactions sent, and submits them. A peer may leave out what it no longer has.
async fn fetch(
    channel: &mut Channel<'_>,
    owner: &Owner,
    wanted: &[Offer],
) -> Result<(), SessionError> {
    let ids = wanted.iter().map(|offer| offer.id.clone()).collect();
    let request = Message::<EraTxId, EraTxBody>::RequestTxs(ids);
    channel.send(&request).await?;
    let message = channel.receive_within(TRANSACTIONS_WAIT).await?;
    let Reply::Bodies(bodies) = reply(&message).map_err(|e| channel.undecodable(&e))? else {
        return Err(channel.unexpected("anything but transactions"));
    };
    if bodies.len() > wanted.len() {
        return Err(channel.unexpected("more than was asked for"));
    }
    for body in &bodies {
        check(body, wanted).map_err(|message| channel.unexpected(message))?;
        submit(owner, body.raw).await?;
    }
    Ok(())
}

/// That a transaction was asked for, and is of the size that was said.
fn check(body: &Body<'_>, wanted: &[Offer]) -> Result<(), &'static str> {
    let unasked = "a transaction that was not asked for";
    let id = TxParts::split(body.raw).map_err(|_| unasked)?.id();
    let is_it = |offer: &&Offer| offer.id.0 == body.era && offer.id.1 == id.as_slice();
    let offer = wanted.iter().find(is_it).ok_or(unasked)?;
    if offer.size_bytes.abs_diff(body.wrapped_bytes) > SIZE_DIFFERENCE_MAX {
        return Err("a transaction of another size than announced");
    }
    Ok(())
}

async fn submit(owner: &Owner, raw: &[u8]) -> Result<(), SessionError> {
    let submitted = owner.submit(raw.to_vec()).await;
    match submitted.map_err(|_| SessionError::Closed)? {
        Ok(id) => tracing::info!(tx = %hex::encode(id), "accepted a peer's transaction"),
        Err(error) => tracing::info!(%error, "refused a peer's transaction"),
    }
    Ok(())
}

fn reply(message: &[u8]) -> Result<Reply<'_>, decode::Error> {
    let mut d = Decoder::new(message);
    match (d.array()?, d.u16()?) {
        (Some(1), 6) => Ok(Reply::Init),
        (Some(2), 1) => Ok(Reply::Offers(list(&mut d, offer)?)),
        (Some(2), 3) => Ok(Reply::Bodies(list(&mut d, body)?)),
        (Some(1), 4) => Ok(Reply::Done),
        _ => Err(decode::Error::message("a server's message")),
    }
}

/// A list of no stated length: a node's codec takes no other. One more than may come is enough to see that they are too many.
fn list<'b, T>(
    d: &mut Decoder<'b>,
    item: impl Fn(&mut Decoder<'b>) -> Result<T, decode::Error>,
) -> Result<Vec<T>, decode::Error> {
    if d.array()?.is_some() {
        return Err(decode::Error::message(
            "expected a list of no stated length",
        ));
    }
    let mut items = Vec::new();
    while items.len() <= usize::from(OFFERS_MAX) && d.datatype()? != Type::Break {
        items.push(item(d)?);
    }
    Ok(items)
}

/// `[[era, id], size]`
fn offer(d: &mut Decoder<'_>) -> Result<Offer, decode::Error> {
    pair(d)?;
    pair(d)?;
    let id = EraTxId(d.u16()?, d.bytes()?.to_vec());
    let size_bytes = usize::try_from(d.u32()?).unwrap_or(usize::MAX);
    Ok(Offer { id, size_bytes })
}

/// `[era, #6.24(bytes)]`
fn body<'b>(d: &mut Decoder<'b>) -> Result<Body<'b>, decode::Error> {
    let start = d.position();
    pair(d)?;
    let era = d.u16()?;
    if d.tag()? != IanaTag::Cbor.tag() {
        return Err(decode::Error::message("expected a transaction in tag 24"));
    }
    let raw = d.bytes()?;
    let wrapped_bytes = d.position() - start;
    Ok(Body {
        era,
        raw,
        wrapped_bytes,
    })
}

fn pair(d: &mut Decoder<'_>) -> Result<(), decode::Error> {
    match d.array()? {
        Some(2) => Ok(()),
        _ => Err(decode::Error::message("expected a pair")),
    }
}
