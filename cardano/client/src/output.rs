//! Outputs and references to them.

use std::{fmt, str::FromStr};

use nupeer_primitives::{Credential, Hash, Hash28, plutus::Data};
use pallas_addresses::Address;
use pallas_primitives::TransactionInput;

use crate::{Script, Value, address};

mod codec;

pub use codec::OutputError;
pub(crate) use codec::encoded_value_bytes;

/// Which output of which transaction. The order is the ledger's order of inputs.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct OutputReference {
    /// The transaction that made it.
    pub transaction_id: Hash,
    /// Its place among that transaction's outputs, from 0.
    pub index: u16,
}

/// A text that names no output.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{provided} names no output; expected TRANSACTION_ID#INDEX")]
pub struct OutputReferenceError {
    /// The text.
    pub provided: String,
}

impl OutputReference {
    pub(crate) fn to_pallas(self) -> TransactionInput {
        TransactionInput {
            transaction_id: self.transaction_id.0.into(),
            index: self.index.into(),
        }
    }
}

impl fmt::Display for OutputReference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}#{}", self.transaction_id, self.index)
    }
}

impl fmt::Debug for OutputReference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl FromStr for OutputReference {
    type Err = OutputReferenceError;

    fn from_str(text: &str) -> Result<Self, OutputReferenceError> {
        let parse = || {
            let (id, index) = text.split_once('#')?;
            Some(OutputReference {
                transaction_id: id.parse().ok()?,
                index: index.parse().ok()?,
            })
        };
        parse().ok_or_else(|| OutputReferenceError {
            provided: text.into(),
        })
    }
}

/// The datum at an output.
#[derive(Clone, PartialEq, Eq)]
pub enum Datum {
    /// Only its hash is on chain.
    Hash(Hash),
    /// The CBOR of Plutus data, in the output itself. What others wrote is neither decoded nor changed: data may be
    /// nested deeper than a stack.
    Inline(Vec<u8>),
}

impl fmt::Debug for Datum {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Datum::Hash(hash) => write!(f, "Hash({hash})"),
            Datum::Inline(bytes) => write!(f, "Inline({})", hex::encode(bytes)),
        }
    }
}

/// What a transaction makes and a later one spends.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Output {
    /// Whose it is.
    pub address: Address,
    /// What it holds.
    pub value: Value,
    /// Its datum, if any.
    pub datum: Option<Datum>,
    /// A script for others to refer to, if any.
    pub script: Option<Script>,
}

impl Output {
    /// Value at an address, with neither datum nor script.
    pub fn new(address: Address, value: Value) -> Self {
        Output {
            address,
            value,
            datum: None,
            script: None,
        }
    }

    /// The same with an inline datum.
    pub fn with_inline_datum(mut self, data: &Data) -> Self {
        self.datum = Some(Datum::Inline(data.to_cbor()));
        self
    }

    /// The same with a script for others to refer to.
    pub fn with_script(mut self, script: Script) -> Self {
        self.script = Some(script);
        self
    }

    /// The output in the map form of Babbage and later (Conway CDDL, `post_alonzo_transaction_output`).
    pub fn to_cbor(&self) -> Vec<u8> {
        codec::encode(self)
    }

    /// Reads either form of an output. Total: no bytes make it panic.
    pub fn from_cbor(bytes: &[u8]) -> Result<Self, OutputError> {
        codec::decode(bytes)
    }
}

/// An unspent output and where it is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Utxo {
    /// Where it is.
    pub reference: OutputReference,
    /// What it is.
    pub output: Output,
}

impl Utxo {
    /// Who may spend it; `None` for Byron addresses.
    pub fn credential(&self) -> Option<Credential> {
        address::payment_credential(&self.output.address)
    }

    /// The key that must sign for spending it, if a key must.
    pub fn spending_key(&self) -> Option<Hash28> {
        match self.credential() {
            Some(Credential::Key(hash)) => Some(hash),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn references_are_ordered_as_the_ledger_orders_inputs() {
        let at = |id: u8, index| OutputReference {
            transaction_id: Hash([id; 32]),
            index,
        };
        assert!(at(1, 256) < at(2, 0) && at(1, 2) < at(1, 256));
    }

    #[test]
    fn a_reference_reads_back_from_its_text() {
        let text = format!("{}#7", "ab".repeat(32));
        assert_eq!(text.parse::<OutputReference>().unwrap().to_string(), text);
        for provided in ["ab#7", "", "#", &format!("{}#65536", "ab".repeat(32))] {
            let refused = OutputReferenceError {
                provided: provided.into(),
            };
            assert_eq!(provided.parse::<OutputReference>(), Err(refused));
        }
    }
}
