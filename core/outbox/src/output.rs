//! Transaction outputs and references to them, as scripts see them.

use nupeer_primitives::{Hash, plutus::Data};

use crate::{
    Address, Value,
    error::{WireError, fields, hash, unsigned},
};

/// Names an output: the transaction's id and the output's place in it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct OutputReference {
    /// Transaction id.
    pub transaction_id: Hash,
    /// Place among the transaction's outputs, at most 65,535 on Cardano.
    pub index: u32,
}

impl OutputReference {
    /// Transaction id (32 bytes) ‖ index (4 bytes, big-endian): the form in every preimage.
    pub fn to_bytes(&self) -> [u8; 36] {
        let mut out = [0; 36];
        out[..32].copy_from_slice(&self.transaction_id.0);
        out[32..].copy_from_slice(&self.index.to_be_bytes());
        out
    }

    /// The reference in a script context (Plutus V3: the id is a plain byte string).
    pub fn to_data(&self) -> Data {
        let index = Data::Int(self.index.into());
        Data::Constr(0, vec![Data::bytes(self.transaction_id.0), index])
    }

    /// The inverse of [`OutputReference::to_data`].
    pub fn from_data(data: &Data) -> Result<Self, WireError> {
        let [transaction_id, index] = fields(data, 0, "an output reference")?;
        let place = unsigned(index, "output index")?;
        Ok(OutputReference {
            transaction_id: hash(transaction_id, "transaction id")?,
            index: u32::try_from(place).map_err(|_| WireError::Range {
                field: "output index",
                provided: place.into(),
            })?,
        })
    }
}

/// An output with an optional inline datum and no reference script: all that the bridge writes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Output {
    /// Where it goes.
    pub address: Address,
    /// What it holds.
    pub value: Value,
    /// Its inline datum.
    pub datum: Option<Data>,
}

impl Output {
    /// The output in a script context.
    pub fn to_data(&self) -> Data {
        let datum = match &self.datum {
            None => Data::Constr(0, vec![]),
            Some(inline) => Data::Constr(2, vec![inline.clone()]),
        };
        let no_script = Data::Constr(1, vec![]);
        let fields = vec![
            self.address.to_data(),
            self.value.to_data(),
            datum,
            no_script,
        ];
        Data::Constr(0, fields)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_reference_survives_plutus_data_and_a_wide_index_is_refused() {
        let reference = OutputReference {
            transaction_id: Hash([7; 32]),
            index: 258,
        };
        assert_eq!(
            OutputReference::from_data(&reference.to_data()),
            Ok(reference)
        );
        assert_eq!(reference.to_bytes()[32..], [0, 0, 1, 2]);
        let wide = Data::Constr(0, vec![Data::bytes([7; 32]), Data::Int(1 << 32)]);
        let (field, provided) = ("output index", 1 << 32);
        assert_eq!(
            OutputReference::from_data(&wide),
            Err(WireError::Range { field, provided })
        );
    }
}
