//! Monitoring the mempool (`local-tx-monitor.cddl` of ouroboros-network): a client acquires what waits at one moment, asks about that, and
//! may wait for it to change.
//!
//! A transaction's id comes as `[era, id]`, as ouroboros-consensus encodes it; pallas-network sends a text instead, which a cardano-node
//! refuses as well.

use std::sync::Arc;

use nupeer_cardano_ledger::TxId;
use pallas_codec::minicbor::{Decoder, Encoder, data::IanaTag, decode};

use super::{channel::Channel, error::SessionError};
use crate::{
    owner::Owner,
    query::CONWAY_ERA,
    waiting::{Measures, Snapshot, Waiting},
};

/// The first node-to-client version with a question for measures.
const MEASURES_SINCE: u64 = 20;
/// Byron's number among the eras, whose ids have a form of their own.
const BYRON_ERA: u16 = 0;

/// What a client sends. Acquiring and waiting for something new to acquire look the same.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Request {
    Acquire,
    Release,
    Done,
    Ask(Question),
}

/// A question about what is acquired.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Question {
    /// The next transaction.
    Next,
    /// Whether this one waits; none for an id that no Conway transaction has.
    Has(Option<TxId>),
    Sizes,
    Measures,
}

/// What a client has acquired, and how much of it it has been given.
#[derive(Debug)]
struct Acquired {
    snapshot: Arc<Snapshot>,
    given: usize,
}

/// Serves the protocol until the connection ends, as `version` has it. After the client is done it may begin anew.
pub(crate) async fn serve(
    mut channel: Channel<'_>,
    owner: &Owner,
    version: u64,
) -> Result<(), SessionError> {
    let mut acquired: Option<Acquired> = None;
    loop {
        let message = channel.receive().await?;
        let request = request(&message).map_err(|e| channel.undecodable(&e))?;
        let answer = match (request, &mut acquired) {
            (Request::Acquire, _) => {
                let snapshot = acquire(owner, acquired.as_ref()).await?;
                let slot = snapshot.slot;
                acquired = Some(Acquired { snapshot, given: 0 });
                encoded(|e| drop(e.array(2).and_then(|e| e.u8(2)?.u64(slot))))
            }
            (Request::Ask(Question::Measures), Some(_)) if version < MEASURES_SINCE => {
                return Err(channel.unexpected("a question of version 20"));
            }
            (Request::Ask(question), Some(acquired)) => acquired.answer(question),
            (Request::Release, Some(_)) | (Request::Done, None) => {
                acquired = None;
                continue;
            }
            (Request::Ask(_) | Request::Release, None) => {
                return Err(channel.unexpected("a question before anything is acquired"));
            }
            (Request::Done, Some(_)) => {
                return Err(channel.unexpected("an end before what is acquired is released"));
            }
        };
        channel.send_bytes(answer).await?;
    }
}

/// Reads a client's message, for the fuzz targets.
pub(super) fn read(message: &[u8]) {
    let _ = request(message);
}

fn request(message: &[u8]) -> Result<Request, decode::Error> {
    let mut d = Decoder::new(message);
    let length = d.array()?;
    Ok(match (length, d.u16()?) {
        (Some(1), 0) => Request::Done,
        (Some(1), 1) => Request::Acquire,
        (Some(1), 3) => Request::Release,
        (Some(1), 5) => Request::Ask(Question::Next),
        (Some(2), 7) => Request::Ask(Question::Has(transaction_id(&mut d)?)),
        (Some(1), 9) => Request::Ask(Question::Sizes),
        (Some(1), 11) => Request::Ask(Question::Measures),
        _ => return Err(decode::Error::message("not a client's message")),
    })
}

/// `[era, id]`. Ids of different eras are the same if their hashes are.
fn transaction_id(d: &mut Decoder<'_>) -> Result<Option<TxId>, decode::Error> {
    if d.array()? != Some(2) {
        return Err(decode::Error::message("expected [era, transaction id]"));
    }
    match d.u16()? {
        BYRON_ERA => d.skip().map(|()| None),
        era if era > CONWAY_ERA => Err(decode::Error::message("an era that is none")),
        _ => {
            let id = TxId::try_from(d.bytes()?);
            id.map(Some)
                .map_err(|_| decode::Error::message("a transaction id has 32 bytes"))
        }
    }
}

/// What waits now; if something is acquired already, as soon as it is something else.
async fn acquire(
    owner: &Owner,
    acquired: Option<&Acquired>,
) -> Result<Arc<Snapshot>, SessionError> {
    let mut changes = owner.waiting_changes();
    loop {
        changes.mark_unchanged();
        let snapshot = owner.waiting().await.map_err(|_| SessionError::Closed)?;
        match acquired {
            Some(acquired) if acquired.snapshot.is_same(&snapshot) => {
                changes.changed().await.map_err(|_| SessionError::Closed)?;
            }
            _ => return Ok(snapshot),
        }
    }
}

impl Acquired {
    fn answer(&mut self, question: Question) -> Vec<u8> {
        match question {
            Question::Next => {
                let next = self.snapshot.transactions.get(self.given);
                self.given += usize::from(next.is_some());
                next_transaction(next)
            }
            Question::Has(id) => {
                let has = id.is_some_and(|id| self.snapshot.contains(&id));
                encoded(|e| drop(e.array(2).and_then(|e| e.u8(8)?.bool(has))))
            }
            Question::Sizes => sizes(&self.snapshot),
            Question::Measures => measures(self.left(), &self.snapshot.capacity),
        }
    }

    /// What it has not been given yet.
    fn left(&self) -> &[Waiting] {
        self.snapshot
            .transactions
            .get(self.given..)
            .unwrap_or_default()
    }
}

/// `[6]`, or `[6, [era, #6.24(bytes)]]`.
fn next_transaction(next: Option<&Waiting>) -> Vec<u8> {
    let Some(tx) = next else {
        return vec![0x81, 0x06];
    };
    encoded(|e| {
        drop(e.array(2).and_then(|e| {
            e.u8(6)?
                .array(2)?
                .u16(CONWAY_ERA)?
                .tag(IanaTag::Cbor)?
                .bytes(&tx.raw)
        }));
    })
}

/// `[10, [capacity in bytes, size in bytes, number of transactions]]`.
fn sizes(snapshot: &Snapshot) -> Vec<u8> {
    let size = Measures::sum(snapshot.transactions.iter()).bytes;
    let [capacity, size] = [snapshot.capacity.bytes, size].map(word32);
    let number = word32(snapshot.transactions.len() as u64);
    encoded(|e| {
        drop(
            e.array(2)
                .and_then(|e| e.u8(10)?.array(3)?.u32(capacity)?.u32(size)?.u32(number)),
        );
    })
}

/// `[12, number of transactions, {name: [size, capacity]}]`, names in their order. As a cardano-node does, this counts only what the client
/// has not been given yet.
fn measures(left: &[Waiting], capacity: &Measures) -> Vec<u8> {
    let (number, size) = (word32(left.len() as u64), Measures::sum(left.iter()));
    let named = |of: &Measures| {
        [
            ("ex_units_memory", of.memory),
            ("ex_units_steps", of.cpu),
            ("reference_scripts_bytes", of.reference_scripts_bytes),
            ("transaction_bytes", of.bytes),
        ]
    };
    encoded(|e| {
        drop(e.array(3).and_then(|e| e.u8(12)?.u32(number)?.map(4)));
        for ((name, size), (_, capacity)) in named(&size).into_iter().zip(named(capacity)) {
            drop(
                e.str(name)
                    .and_then(|e| e.array(2)?.u64(size)?.u64(capacity)),
            );
        }
    })
}

/// The protocol's numbers here have 32 bits; the mempool never holds as much.
fn word32(number: u64) -> u32 {
    u32::try_from(number).unwrap_or(u32::MAX)
}

/// Bytes written by an encoder into memory, which cannot fail.
fn encoded(write: impl FnOnce(&mut Encoder<&mut Vec<u8>>)) -> Vec<u8> {
    let mut bytes = Vec::new();
    write(&mut Encoder::new(&mut bytes));
    bytes
}

#[cfg(test)]
mod tests {
    use super::*;

    fn waiting(id: u8, bytes: u64) -> Waiting {
        Waiting {
            id: [id; 32],
            raw: vec![id; 2],
            measures: Measures {
                bytes,
                memory: 1,
                cpu: 2,
                reference_scripts_bytes: 3,
            },
        }
    }

    fn acquired() -> Acquired {
        let capacity = Measures {
            bytes: 0x10_0000,
            memory: 10,
            cpu: 11,
            reference_scripts_bytes: 12,
        };
        let snapshot = Arc::new(Snapshot {
            slot: 7,
            transactions: vec![waiting(1, 4), waiting(2, 5)],
            capacity,
        });
        Acquired { snapshot, given: 0 }
    }

    fn answer(acquired: &mut Acquired, question: Question) -> String {
        hex::encode(acquired.answer(question))
    }

    #[test]
    fn each_transaction_is_given_once_in_its_order() {
        let mut acquired = acquired();
        let answers = [(); 4].map(|()| answer(&mut acquired, Question::Next));
        assert_eq!(
            answers,
            ["82068206d818420101", "82068206d818420202", "8106", "8106"]
        );
    }

    #[test]
    fn what_waits_is_known_by_its_id() {
        let mut acquired = acquired();
        for (id, has) in [
            (Some([2; 32]), "8208f5"),
            (Some([3; 32]), "8208f4"),
            (None, "8208f4"),
        ] {
            assert_eq!(answer(&mut acquired, Question::Has(id)), has);
        }
    }

    #[test]
    fn sizes_are_of_all_and_measures_of_what_is_left() {
        let mut acquired = acquired();
        let sizes = "820a831a001000000902";
        let measures = |number, [memory, cpu, scripts, bytes]: [&str; 4]| {
            let name = |name: &str| format!("{:02x}{}", 0x60 + name.len(), hex::encode(name));
            [
                format!("830c{number}a4"),
                format!("{}82{memory}0a", name("ex_units_memory")),
                format!("{}82{cpu}0b", name("ex_units_steps")),
                format!("{}82{scripts}0c", name("reference_scripts_bytes")),
                format!("{}82{bytes}1a00100000", name("transaction_bytes")),
            ]
            .concat()
        };
        assert_eq!(answer(&mut acquired, Question::Sizes), sizes);
        let all = measures("02", ["02", "04", "06", "09"]);
        assert_eq!(answer(&mut acquired, Question::Measures), all);
        answer(&mut acquired, Question::Next);
        assert_eq!(answer(&mut acquired, Question::Sizes), sizes);
        let left = measures("01", ["01", "02", "03", "05"]);
        assert_eq!(answer(&mut acquired, Question::Measures), left);
    }

    /// A message, from hexadecimal.
    fn read(message: &str) -> Result<Request, String> {
        request(&hex::decode(message).expect("hex")).map_err(|error| error.to_string())
    }

    #[test]
    fn an_id_has_its_era_with_it() {
        let id = |era: &str| format!("820782{era}5820{}", "aa".repeat(32));
        let has = |id| Ok(Request::Ask(Question::Has(id)));
        assert_eq!(read(&id("06")), has(Some([0xaa; 32])));
        assert_eq!(read(&id("01")), has(Some([0xaa; 32])), "of any era");
        let byron = format!("8207820082005820{}", "aa".repeat(32));
        assert_eq!(read(&byron), has(None));
    }

    #[test]
    fn what_is_no_message_is_refused() {
        let text = format!("82077840{}", "61".repeat(64));
        for message in [
            "8104",
            "8106",
            "820182",
            "9f01ff",
            "8107",
            "82078206415a",
            &text,
            &format!("820782075820{}", "aa".repeat(32)),
        ] {
            assert!(read(message).is_err(), "{message}");
        }
    }
}
