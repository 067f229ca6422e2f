//! Why Plutus data is not what it should be, and how its fields are taken apart.

use nupeer_primitives::{Code, Hash, Hash28, Numbered, plutus::Data};

/// Why a value is none of this crate's formats, or cannot be written as one.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum WireError {
    /// Another constructor, another number of fields, or a field of another kind.
    #[error("not the Plutus data of {expected}")]
    Shape {
        /// What was looked for.
        expected: &'static str,
    },
    /// A number outside of what the field holds.
    #[error("{provided} is out of range for {field}")]
    Range {
        /// The field.
        field: &'static str,
        /// The number found.
        provided: i128,
    },
    /// A byte string of another length.
    #[error("{field} has {provided} bytes where {expected} are expected")]
    Length {
        /// The field.
        field: &'static str,
        /// Bytes found.
        provided: usize,
        /// Bytes wanted.
        expected: usize,
    },
    /// Entries that repeat or stand out of order, where each thing has one encoding.
    #[error("{field} do not ascend")]
    Order {
        /// The list.
        field: &'static str,
    },
}

impl Numbered for WireError {
    fn code(&self) -> Code {
        match self {
            WireError::Shape { .. } => Code(3050),
            WireError::Range { .. } => Code(3051),
            WireError::Length { .. } => Code(3052),
            WireError::Order { .. } => Code(3053),
        }
    }
}

/// The `N` fields of constructor `index`.
pub fn fields<'a, const N: usize>(
    data: &'a Data,
    index: u64,
    expected: &'static str,
) -> Result<&'a [Data; N], WireError> {
    match data {
        Data::Constr(found, fields) if *found == index => fields
            .as_slice()
            .try_into()
            .map_err(|_| WireError::Shape { expected }),
        _ => Err(WireError::Shape { expected }),
    }
}

/// An unsigned integer of 64 bits.
pub fn unsigned(data: &Data, field: &'static str) -> Result<u64, WireError> {
    match data {
        Data::Int(provided) => u64::try_from(*provided).map_err(|_| WireError::Range {
            field,
            provided: *provided,
        }),
        _ => Err(WireError::Shape { expected: field }),
    }
}

/// An unsigned integer of 127 bits: a cumulative amount.
pub fn amount(data: &Data, field: &'static str) -> Result<u128, WireError> {
    match data {
        Data::Int(provided) => u128::try_from(*provided).map_err(|_| WireError::Range {
            field,
            provided: *provided,
        }),
        _ => Err(WireError::Shape { expected: field }),
    }
}

/// An amount as Plutus data. Saturates at 127 bits, ten billion times more than any asset has.
pub fn amount_data(units: u128) -> Data {
    Data::Int(i128::try_from(units).unwrap_or(i128::MAX))
}

/// A byte string.
pub fn bytes<'a>(data: &'a Data, expected: &'static str) -> Result<&'a [u8], WireError> {
    match data {
        Data::Bytes(bytes) => Ok(bytes),
        _ => Err(WireError::Shape { expected }),
    }
}

/// A byte string of exactly `N` bytes.
pub fn array<const N: usize>(data: &Data, field: &'static str) -> Result<[u8; N], WireError> {
    let found = bytes(data, field)?;
    found.try_into().map_err(|_| WireError::Length {
        field,
        provided: found.len(),
        expected: N,
    })
}

/// A digest of 32 bytes.
pub fn hash(data: &Data, field: &'static str) -> Result<Hash, WireError> {
    array(data, field).map(Hash)
}

/// A digest of 28 bytes.
pub fn hash28(data: &Data, field: &'static str) -> Result<Hash28, WireError> {
    array(data, field).map(Hash28)
}

/// A list.
pub fn list<'a>(data: &'a Data, expected: &'static str) -> Result<&'a [Data], WireError> {
    match data {
        Data::List(items) => Ok(items),
        _ => Err(WireError::Shape { expected }),
    }
}

/// A map's pairs.
pub fn map<'a>(data: &'a Data, expected: &'static str) -> Result<&'a [(Data, Data)], WireError> {
    match data {
        Data::Map(pairs) => Ok(pairs),
        _ => Err(WireError::Shape { expected }),
    }
}
