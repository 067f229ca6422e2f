//! Answers, encoded as cardano-node encodes them.

use std::collections::BTreeMap;

use pallas_codec::minicbor::{Encoder, data::IanaTag};

use super::{CONWAY_ERA, LedgerQuery, Query, parameters};
use crate::{genesis::Genesis, verify::ChainState};
use nupeer_cardano_ledger::{Ledger, TxIn};

const PICOSECONDS_PER_MS: u64 = 1_000_000_000;
const MS_PER_DAY: u64 = 86_400_000;

/// The names of the eras, by the numbers of queries.
const ERAS: [&str; 7] = [
    "Byron", "Shelley", "Allegra", "Mary", "Alonzo", "Babbage", "Conway",
];

/// Answers a question about the ledger and the chain's state after one of its blocks.
pub fn answer(query: &Query, genesis: &Genesis, ledger: &Ledger, state: &ChainState) -> Vec<u8> {
    match query {
        Query::SystemStart => encoded(|e| system_start(e, genesis.system_start_ms)),
        Query::ChainBlockNo => encoded(|e| match state.tip {
            Some(tip) => drop(e.array(2).and_then(|e| e.u8(1)?.u64(tip.block_number))),
            None => drop(e.array(1).and_then(|e| e.u8(0))),
        }),
        Query::ChainPoint => encoded(|e| point(e, state)),
        Query::CurrentEra => encoded(|e| drop(e.u16(CONWAY_ERA))),
        Query::Ledger(CONWAY_ERA, query) => {
            [vec![0x81], ledger_answer(query, ledger, state)].concat()
        }
        Query::Ledger(era, _) => encoded(|e| era_mismatch(e, *era)),
    }
}

fn ledger_answer(query: &LedgerQuery, ledger: &Ledger, state: &ChainState) -> Vec<u8> {
    match query {
        LedgerQuery::Tip => encoded(|e| point(e, state)),
        LedgerQuery::EpochNo => {
            let slot = state.tip.map_or(0, |tip| tip.slot);
            encoded(|e| drop(e.u64(state.profile.epoch_of(slot))))
        }
        LedgerQuery::CurrentParameters => parameters::encode(ledger.parameters()),
        LedgerQuery::UtxoByAddress(addresses) => utxos(
            addresses
                .iter()
                .flat_map(|address| ledger.utxo_by_address(address)),
        ),
        LedgerQuery::UtxoWhole => utxos(
            ledger
                .utxos()
                .iter()
                .map(|(reference, output)| (*reference, output.as_slice())),
        ),
        LedgerQuery::UtxoByTxIn(references) => utxos(
            references
                .iter()
                .filter_map(|reference| Some((*reference, ledger.utxo_by_txin(reference)?))),
        ),
        LedgerQuery::Cbor(inner) => {
            let inner = ledger_answer(inner, ledger, state);
            encoded(|e| drop(e.tag(IanaTag::Cbor).and_then(|e| e.bytes(&inner))))
        }
    }
}

/// A map from references to outputs, these as the bytes they came in.
fn utxos<'a>(found: impl Iterator<Item = (TxIn, &'a [u8])>) -> Vec<u8> {
    let found: BTreeMap<TxIn, &[u8]> = found.collect();
    let mut bytes = encoded(|e| drop(e.map(found.len() as u64)));
    for (reference, output) in found {
        bytes.extend(encoded(|e| {
            drop(
                e.array(2)
                    .and_then(|e| e.bytes(&reference.tx_id)?.u16(reference.index)),
            )
        }));
        bytes.extend_from_slice(output);
    }
    bytes
}

fn point(e: &mut Encoder<&mut Vec<u8>>, state: &ChainState) {
    match state.tip {
        Some(tip) => drop(
            e.array(2)
                .and_then(|e| e.u64(tip.slot)?.bytes(tip.hash.as_ref())),
        ),
        None => drop(e.array(0)),
    }
}

/// The year, the day in it from 1, and the picosecond of the day.
fn system_start(e: &mut Encoder<&mut Vec<u8>>, system_start_ms: u64) {
    let (mut year, mut day) = (1970u64, system_start_ms / MS_PER_DAY);
    while day >= days_in(year) {
        day -= days_in(year);
        year += 1;
    }
    let picoseconds = (system_start_ms % MS_PER_DAY) * PICOSECONDS_PER_MS;
    drop(
        e.array(3)
            .and_then(|e| e.u64(year)?.u64(day + 1)?.u64(picoseconds)),
    );
}

fn days_in(year: u64) -> u64 {
    let leap = year.is_multiple_of(4) && (!year.is_multiple_of(100) || year.is_multiple_of(400));
    if leap { 366 } else { 365 }
}

/// What a question for another era is answered with: that era, and the current one.
fn era_mismatch(e: &mut Encoder<&mut Vec<u8>>, era: u16) {
    let name = |era: u16| ERAS.get(usize::from(era)).copied().unwrap_or("unknown");
    let pair = e.array(2).and_then(|e| {
        e.array(2)?
            .u16(era)?
            .str(name(era))?
            .array(2)?
            .u16(CONWAY_ERA)?
            .str("Conway")
    });
    drop(pair);
}

/// Bytes written by an encoder into memory, which cannot fail.
pub(super) fn encoded(write: impl FnOnce(&mut Encoder<&mut Vec<u8>>)) -> Vec<u8> {
    let mut bytes = Vec::new();
    write(&mut Encoder::new(&mut bytes));
    bytes
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_start_of_time_is_a_day_of_a_year() {
        // 2024-03-01T00:00:01Z is day 61 of a leap year.
        let cases = [
            (0, "831907b20100"),
            (1_709_251_201_000, "831907e8183d1b000000e8d4a51000"),
        ];
        for (ms, bytes) in cases {
            assert_eq!(hex::encode(encoded(|e| system_start(e, ms))), bytes, "{ms}");
        }
    }

    #[test]
    fn another_era_is_answered_with_both() {
        let bytes = encoded(|e| era_mismatch(e, 5));
        assert_eq!(
            hex::encode(bytes),
            "8282056742616262616765820666436f6e776179"
        );
    }
}
