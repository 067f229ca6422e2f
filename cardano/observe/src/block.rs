//! A block taken apart as far as outputs, without recursion: its parts are skipped over, whatever they hold.

use minicbor::{Decoder, data::Type, decode::Error};
use nupeer_outbox::OutputReference;
use nupeer_primitives::{Hash, Slot, blake2b_256};

use crate::{
    error::ObserveError,
    plutus::{byte_string, each},
};

/// Number of the Conway era in a block's envelope: the first with Plutus V3, so that no bridge is older.
const CONWAY: u64 = 7;

/// A transaction that passed phase 2, as far as we look at it.
pub(crate) struct Transaction<'b> {
    pub(crate) id: Hash,
    body: &'b [u8],
}

/// Slot and valid transactions of a block in the form `[era, [header, bodies, witnesses, auxiliary data, invalid]]`
/// (Conway ledger specification, `conway.cddl`). Blocks of earlier eras have none for us.
pub(crate) fn transactions(raw: &[u8]) -> Result<(Slot, Vec<Transaction<'_>>), ObserveError> {
    let mut d = Decoder::new(raw);
    d.array()?;
    match d.u64()? {
        CONWAY => Ok(conway(&mut d, raw)?),
        provided if provided < CONWAY => Ok((Slot(0), Vec::new())),
        provided => Err(ObserveError::Era {
            provided,
            maximum: CONWAY,
        }),
    }
}

fn conway<'b>(d: &mut Decoder<'b>, raw: &'b [u8]) -> Result<(Slot, Vec<Transaction<'b>>), Error> {
    d.array()?;
    let slot = slot(d.clone())?;
    d.skip()?;
    let (mut bodies, length) = (Vec::new(), d.array()?);
    each(d, length, |d| {
        bodies.push(skipped(d, raw)?);
        Ok(())
    })?;
    d.skip()?;
    d.skip()?;
    let mut invalid = Vec::new();
    elements(d, |d| {
        invalid.push(d.u64()?);
        Ok(())
    })?;
    let valid = (0u64..)
        .zip(bodies)
        .filter(|(index, _)| !invalid.contains(index));
    let transactions = valid.map(|(_, body)| Transaction {
        id: blake2b_256(&[body]),
        body,
    });
    Ok((slot, transactions.collect()))
}

/// The header is `[[number, slot, …], signature]`.
fn slot(mut d: Decoder<'_>) -> Result<Slot, Error> {
    d.array()?;
    d.array()?;
    d.u64()?;
    d.u64().map(Slot)
}

/// The number of a field; `None` where another thing stands in its place, which is passed over.
pub(crate) fn key(d: &mut Decoder<'_>) -> Result<Option<u64>, Error> {
    match d.datatype()? {
        Type::U8 | Type::U16 | Type::U32 | Type::U64 => d.u64().map(Some),
        _ => d.skip().map(|()| None),
    }
}

/// Passes over one item and returns its bytes.
pub(crate) fn skipped<'b>(d: &mut Decoder<'b>, raw: &'b [u8]) -> Result<&'b [u8], Error> {
    let start = d.position();
    d.skip()?;
    Ok(raw.get(start..d.position()).unwrap_or_default())
}

/// The elements of a list or a set, which since Conway may carry a tag.
fn elements<'b>(
    d: &mut Decoder<'b>,
    item: impl FnMut(&mut Decoder<'b>) -> Result<(), Error>,
) -> Result<(), Error> {
    if d.datatype()? == Type::Tag {
        d.tag()?;
    }
    let length = d.array()?;
    each(d, length, item)
}

impl<'b> Transaction<'b> {
    /// What it spends, ascending.
    pub(crate) fn inputs(&self) -> Result<Vec<OutputReference>, Error> {
        let mut inputs = Vec::new();
        self.field(0, |d| {
            elements(d, |d| {
                inputs.push(input(d)?);
                Ok(())
            })
        })?;
        inputs.sort();
        Ok(inputs)
    }

    /// Its outputs' bytes, in order; none where they are no list.
    pub(crate) fn outputs(&self) -> Vec<&'b [u8]> {
        let (body, mut outputs) = (self.body, Vec::new());
        let listed = self.field(1, |d| {
            elements(d, |d| {
                outputs.push(skipped(d, body)?);
                Ok(())
            })
        });
        // The block was passed over whole, so that a body without a list of outputs is one that no ledger takes.
        listed.map_or_else(|_| Vec::new(), |()| outputs)
    }

    /// Runs `read` on the body's field of that number, if it has one.
    fn field(
        &self,
        number: u64,
        mut read: impl FnMut(&mut Decoder<'b>) -> Result<(), Error>,
    ) -> Result<(), Error> {
        let mut d = Decoder::new(self.body);
        let length = d.map()?;
        each(&mut d, length, |d| match key(d)? == Some(number) {
            true => read(d),
            false => d.skip(),
        })
    }
}

fn input(d: &mut Decoder<'_>) -> Result<OutputReference, Error> {
    let at = d.position();
    let length = d.array()?;
    let id = Hash::try_from(&byte_string(d)?[..]);
    let index = d.u32()?;
    if length.is_none() {
        d.skip()?;
    }
    Ok(OutputReference {
        transaction_id: id.map_err(|e| Error::message(e.to_string()).at(at))?,
        index,
    })
}
