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

    /// The inverse of [`OutputReference::to_bytes`].
    pub fn from_bytes(bytes: &[u8]) -> Option<Self> {
        let (id, index) = bytes.split_first_chunk::<32>()?;
        Some(OutputReference {
            transaction_id: Hash(*id),
            index: u32::from_be_bytes(index.try_into().ok()?),
        })
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

    /// The inverse of [`Output::to_data`]; a datum by hash and a reference script are refused.
    pub fn from_data(data: &Data) -> Result<Self, WireError> {
        let [address, value, datum, script] = fields(data, 0, "an output")?;
        let [] = fields(script, 1, "an output without a reference script")?;
        let datum = match datum {
            Data::Constr(0, none) if none.is_empty() => None,
            inline => {
                let [inline] = fields(inline, 2, "an inline datum or none")?;
                Some(inline.clone())
            }
        };
        Ok(Output {
            address: Address::from_data(address)?,
            value: Value::from_data(value)?,
            datum,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_output_survives_plutus_data_and_a_reference_script_is_refused() {
        let payment = nupeer_primitives::Credential::Key(nupeer_primitives::Hash28([1; 28]));
        for datum in [None, Some(Data::Int(7))] {
            let output = Output {
                address: Address::enterprise(payment),
                value: Value::lovelace(5),
                datum,
            };
            assert_eq!(Output::from_data(&output.to_data()), Ok(output.clone()));
            let Data::Constr(0, mut fields) = output.to_data() else {
                panic!("a constructor")
            };
            fields[3] = Data::Constr(0, vec![Data::bytes([1; 28])]);
            let expected = "an output without a reference script";
            assert_eq!(
                Output::from_data(&Data::Constr(0, fields)),
                Err(WireError::Shape { expected })
            );
        }
    }

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
