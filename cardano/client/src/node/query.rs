//! Answers to state queries, read by hand: pallas decodes outputs into trees and fails on some of them (pallas#423).

use minicbor::Decoder;
use nupeer_primitives::{CardanoPoint, Hash, Slot};

use crate::{Output, OutputReference, Utxo, chain::Tip};

type Read<T> = Result<T, String>;

/// The one item of a ledger answer: `[item]`, or two names of eras if the question was for another one.
pub(crate) fn unwrapped(answer: &[u8]) -> Read<&[u8]> {
    let mut d = Decoder::new(answer);
    match d.array().map_err(text)? {
        Some(1) => Ok(&answer[d.position()..]),
        Some(2) => Err("the ledger is in another era".into()),
        other => Err(format!("an array of length {other:?}")),
    }
}

/// `[]` or `[slot, hash]`.
pub(crate) fn point(answer: &[u8]) -> Read<Option<CardanoPoint>> {
    let mut d = Decoder::new(answer);
    match d.array().map_err(text)? {
        Some(0) => Ok(None),
        Some(2) => {
            let slot = Slot(d.u64().map_err(text)?);
            Ok(Some(CardanoPoint {
                slot,
                hash: d.decode().map_err(text)?,
            }))
        }
        other => Err(format!("a point of length {other:?}")),
    }
}

/// `[0]` before the first block, else `[1, number]`.
pub(crate) fn block_number(answer: &[u8]) -> Read<Option<u64>> {
    let mut d = Decoder::new(answer);
    d.array().map_err(text)?;
    match d.u8().map_err(text)? {
        0 => Ok(None),
        1 => d.u64().map(Some).map_err(text),
        other => Err(format!("a block number of kind {other}")),
    }
}

/// A point and a number, both or neither.
pub(super) fn tip(point: Option<CardanoPoint>, number: Option<u64>) -> Read<Option<Tip>> {
    match (point, number) {
        (None, None) => Ok(None),
        (Some(point), Some(block_number)) => Ok(Some(Tip {
            point,
            block_number,
        })),
        other => Err(format!("a point and a number that do not fit: {other:?}")),
    }
}

/// `{[transaction id, index]: output}`, outputs in any form that the ledger has.
pub(crate) fn utxos(answer: &[u8]) -> Read<Vec<Utxo>> {
    let mut d = Decoder::new(answer);
    let length = d.map().map_err(text)?;
    let mut found = Vec::new();
    while another(&mut d, length, found.len())? {
        d.array().map_err(text)?;
        let transaction_id: Hash = d.decode().map_err(text)?;
        let index = d.u16().map_err(text)?;
        let start = d.position();
        d.skip().map_err(text)?;
        let output = Output::from_cbor(&answer[start..d.position()]).map_err(|e| e.to_string())?;
        found.push(Utxo {
            reference: OutputReference {
                transaction_id,
                index,
            },
            output,
        });
    }
    found.sort_by_key(|utxo| utxo.reference);
    Ok(found)
}

fn another(d: &mut Decoder<'_>, length: Option<u64>, read: usize) -> Read<bool> {
    match length {
        Some(length) => Ok((read as u64) < length),
        None => d
            .datatype()
            .map(|kind| kind != minicbor::data::Type::Break)
            .map_err(text),
    }
}

fn text(error: minicbor::decode::Error) -> String {
    error.to_string()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn answers_read_as_nodes_write_them() {
        let hash = "ab".repeat(32);
        let place = CardanoPoint {
            slot: Slot(7),
            hash: hash.parse().unwrap(),
        };
        let bytes = |text: &str| hex::decode(text).unwrap();
        assert_eq!(point(&bytes(&format!("82075820{hash}"))), Ok(Some(place)));
        assert_eq!(point(&bytes("80")), Ok(None));
        assert_eq!(block_number(&bytes("820105")), Ok(Some(5)));
        assert_eq!(block_number(&bytes("8100")), Ok(None));
        assert_eq!(unwrapped(&bytes("8107")), Ok(&[7][..]));
        let mismatch = bytes(
            "82820567426162626167658206 66436f6e776179"
                .replace(' ', "")
                .as_str(),
        );
        assert_eq!(
            unwrapped(&mismatch),
            Err("the ledger is in another era".into())
        );
    }

    #[test]
    fn outputs_of_both_forms_are_found_in_definite_and_indefinite_maps() {
        let address = format!("581d60{}", "01".repeat(28));
        let (one, two) = (
            format!("825820{}01", "02".repeat(32)),
            format!("825820{}00", "02".repeat(32)),
        );
        let entries = format!("{one}82{address}05{two}a200{address}0109");
        for text in [format!("a2{entries}"), format!("bf{entries}ff")] {
            let found = utxos(&hex::decode(text).unwrap()).unwrap();
            let lovelace: Vec<_> = found
                .iter()
                .map(|utxo| (utxo.reference.index, utxo.output.value.coin()))
                .collect();
            assert_eq!(lovelace, [(0, 9), (1, 5)]);
        }
    }

    proptest! {
        #[test]
        fn no_answer_makes_a_reader_panic(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
            let _ = (unwrapped(&bytes), point(&bytes), block_number(&bytes), utxos(&bytes));
        }
    }
}
