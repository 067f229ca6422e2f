//! Error numbers, which never move (DESIGN.md "Rules of the ledger").
//!
//! | range | whose |
//! |---|---|
//! | NP10xx | `core/primitives`: encodings, addresses, signatures |
//! | NP20xx | `core/ledger`: accounts, sequences, fees |
//! | NP21xx | `sidechain-node/runtime`: transactions, blocks, genesis |
//! | NP30xx | `bridge` and `core/outbox` |
//! | NP40xx | `core/lease` and the kinds of lease |
//! | NP60xx | `sidechain-node`: node, API, command line |
//! | NP70xx | `cardano`: client, wallet, devnet |
//! | NP80xx | `provider-agent` and drivers |

use std::fmt;

use minicbor::{Decode, Encode};

/// A number that names one kind of error for ever, shown as `NP4107`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Encode, Decode)]
#[cbor(transparent)]
pub struct Code(pub u16);

impl fmt::Display for Code {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "NP{:04}", self.0)
    }
}

/// An error with a number.
pub trait Numbered: std::error::Error {
    /// The number of this error.
    fn code(&self) -> Code;
}
