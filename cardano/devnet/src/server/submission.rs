//! Local transaction submission. A refusal carries the ledger's reason in the form that clients of a cardano-node decode.

use pallas_codec::minicbor::{Decoder, Encoder, data::IanaTag, decode};
use pallas_crypto::hash::Hash;

use super::{channel::Channel, error::SessionError};
use crate::{owner::Owner, query::CONWAY_ERA};

/// The longest reason that is sent, in bytes.
const REASON_BYTES_MAX: usize = 2_000;
/// `ConwayMempoolFailure`, the failure of a Conway submission that carries a text.
const MEMPOOL_FAILURE: u8 = 7;

const ACCEPT: [u8; 2] = [0x81, 0x01];

/// What a client sends.
enum Request<'b> {
    Submit { era: u16, raw: &'b [u8] },
    Done,
}

/// Serves the protocol until the connection ends.
pub(crate) async fn serve(mut channel: Channel<'_>, owner: &Owner) -> Result<(), SessionError> {
    loop {
        let message = channel.receive().await?;
        let request = request(&message).map_err(|e| channel.undecodable(&e))?;
        let Request::Submit { era, raw } = request else {
            continue;
        };
        let answer = match submit(owner, era, raw).await? {
            Ok(()) => ACCEPT.to_vec(),
            Err(reason) => reject(&reason),
        };
        channel.send_bytes(answer).await?;
    }
}

/// The transaction in a client's message, if it is one, for the fuzz targets.
pub(super) fn transaction(message: &[u8]) -> Option<&[u8]> {
    match request(message) {
        Ok(Request::Submit { raw, .. }) => Some(raw),
        _ => None,
    }
}

fn request(message: &[u8]) -> Result<Request<'_>, decode::Error> {
    let mut d = Decoder::new(message);
    d.array()?;
    match d.u16()? {
        0 => {
            d.array()?;
            let era = d.u16()?;
            if d.tag()? != IanaTag::Cbor.tag() {
                return Err(decode::Error::message("expected a transaction in tag 24"));
            }
            Ok(Request::Submit {
                era,
                raw: d.bytes()?,
            })
        }
        3 => Ok(Request::Done),
        _ => Err(decode::Error::message("a server's message")),
    }
}

async fn submit(owner: &Owner, era: u16, raw: &[u8]) -> Result<Result<(), String>, SessionError> {
    if era != CONWAY_ERA {
        return Ok(Err(format!(
            "a transaction of era {era}, the ledger is in era {CONWAY_ERA} (Conway)"
        )));
    }
    let submitted = owner
        .submit(raw.to_vec())
        .await
        .map_err(|_| SessionError::Closed)?;
    Ok(submitted
        .map(|id| tracing::info!(tx = %Hash::new(id), "accepted a transaction"))
        .map_err(|error| error.to_string())
        .inspect_err(|reason| tracing::info!(reason, "refused a transaction")))
}

/// `[2, [[era, [[7, text]]]]]`: what a node sends for a transaction that its mempool refuses with a text.
fn reject(reason: &str) -> Vec<u8> {
    let mut bytes = Vec::new();
    let mut e = Encoder::new(&mut bytes);
    // Writing to memory cannot fail.
    drop(e.array(2).and_then(|e| {
        e.u8(2)?
            .array(1)?
            .array(2)?
            .u16(CONWAY_ERA)?
            .array(1)?
            .array(2)?
            .u8(MEMPOOL_FAILURE)?
            .str(shortened(reason))
    }));
    bytes
}

fn shortened(text: &str) -> &str {
    let end = (0..=REASON_BYTES_MAX.min(text.len()))
        .rev()
        .find(|end| text.is_char_boundary(*end));
    &text[..end.unwrap_or(0)]
}

#[cfg(test)]
mod tests {
    use super::*;
    use pallas_codec::minicbor;
    use pallas_network::miniprotocols::localtxsubmission::{
        ConwayLedgerFailure, EraTx, Message, TxValidationError,
    };

    #[test]
    fn a_client_reads_the_reason() {
        let message: Message<EraTx, TxValidationError> =
            minicbor::decode(&reject("too small")).expect("decodes");
        let Message::RejectTx(TxValidationError::ShelleyTxValidationError { error, .. }) = message
        else {
            panic!("no rejection: {message:?}")
        };
        assert_eq!(
            error.0,
            [ConwayLedgerFailure::MempoolFailure("too small".into())]
        );
    }

    #[test]
    fn a_long_reason_is_cut_between_characters() {
        let long = "é".repeat(REASON_BYTES_MAX);
        assert_eq!(shortened(&long).len(), REASON_BYTES_MAX);
        assert_eq!(shortened(&format!("a{long}")).len(), REASON_BYTES_MAX - 1);
        assert_eq!(shortened("short"), "short");
    }
}
