//! How this crate's types stand in the sidechain's own encodings: observations, state entries.
//!
//! What has a form in Plutus data is the byte string of that form; an output reference is its 36 bytes; a value is a list of
//! assets and amounts. Whoever decodes with `nupeer_primitives::cbor` refuses any other encoding.

use minicbor::{Decode, Decoder, Encode, Encoder, decode::Error, encode::Write};
use nupeer_primitives::{Amount, AssetId, Hash, plutus::Data};

use crate::{Address, Anchor, BridgeId, Deposit, OutputReference, Shard, Value};

macro_rules! as_plutus_data {
    ($($name:ident)*) => {$(
        impl<C> Encode<C> for $name {
            fn encode<W: Write>(
                &self,
                e: &mut Encoder<W>,
                _: &mut C,
            ) -> Result<(), minicbor::encode::Error<W::Error>> {
                e.bytes(&self.to_data().to_cbor())?.ok()
            }
        }

        impl<'b, C> Decode<'b, C> for $name {
            fn decode(d: &mut Decoder<'b>, _: &mut C) -> Result<Self, Error> {
                let at = d.position();
                let data = Data::from_cbor(d.bytes()?).map_err(|e| refused(at, &e))?;
                $name::from_data(&data).map_err(|e| refused(at, &e))
            }
        }
    )*};
}

as_plutus_data!(Address Anchor Deposit Shard);

fn refused(at: usize, error: &dyn std::fmt::Display) -> Error {
    Error::message(error.to_string()).at(at)
}

impl<C> Encode<C> for OutputReference {
    fn encode<W: Write>(
        &self,
        e: &mut Encoder<W>,
        _: &mut C,
    ) -> Result<(), minicbor::encode::Error<W::Error>> {
        e.bytes(&self.to_bytes())?.ok()
    }
}

impl<'b, C> Decode<'b, C> for OutputReference {
    fn decode(d: &mut Decoder<'b>, _: &mut C) -> Result<Self, Error> {
        let at = d.position();
        let wrong = || Error::message("an output reference has 36 bytes").at(at);
        OutputReference::from_bytes(d.bytes()?).ok_or_else(wrong)
    }
}

impl<C> Encode<C> for BridgeId {
    fn encode<W: Write>(
        &self,
        e: &mut Encoder<W>,
        ctx: &mut C,
    ) -> Result<(), minicbor::encode::Error<W::Error>> {
        self.0.encode(e, ctx)
    }
}

impl<'b, C> Decode<'b, C> for BridgeId {
    fn decode(d: &mut Decoder<'b>, ctx: &mut C) -> Result<Self, Error> {
        Hash::decode(d, ctx).map(BridgeId)
    }
}

impl<C> Encode<C> for Value {
    fn encode<W: Write>(
        &self,
        e: &mut Encoder<W>,
        ctx: &mut C,
    ) -> Result<(), minicbor::encode::Error<W::Error>> {
        e.array(self.entries().len() as u64)?;
        for (asset, amount) in self.entries() {
            (asset, amount).encode(e, ctx)?;
        }
        Ok(())
    }
}

impl<'b, C> Decode<'b, C> for Value {
    /// Order, repetition and zeros are for the comparison with the canonical encoding to refuse.
    fn decode(d: &mut Decoder<'b>, ctx: &mut C) -> Result<Self, Error> {
        let entries: Vec<(AssetId, Amount)> = Vec::decode(d, ctx)?;
        let value = Value::default();
        Ok(entries
            .into_iter()
            .fold(value, |value, (asset, amount)| value.with(asset, amount)))
    }
}

#[cfg(test)]
mod tests {
    use nupeer_primitives::{
        Hash28,
        cbor::{CborError, decode, encode},
    };

    use super::*;

    #[test]
    fn encodings_are_pinned() {
        let reference = OutputReference {
            transaction_id: Hash([7; 32]),
            index: 258,
        };
        let token = AssetId::Native {
            policy: Hash28([9; 28]),
            name: b"x".to_vec(),
        };
        let value = Value::lovelace(5).with(token, Amount::new(6));
        let of_value = format!("8282400582581d{}7806", "09".repeat(28));
        let of_reference = format!("5824{}00000102", "07".repeat(32));
        assert_eq!(hex(&encode(&reference)), of_reference);
        assert_eq!(hex(&encode(&value)), of_value);
        assert_eq!(decode(&encode(&reference)), Ok(reference));
        assert_eq!(decode(&encode(&value)), Ok(value));
        let shard = Shard::new(1, []).expect("few assets");
        assert_eq!(decode(&encode(&shard)), Ok(shard));
    }

    #[test]
    fn a_value_with_a_zero_or_out_of_order_is_another_encoding() {
        let token = AssetId::Native {
            policy: Hash28([9; 28]),
            name: vec![],
        };
        for entries in [
            vec![(AssetId::Ada, Amount::ZERO)],
            vec![(token, Amount::new(1)), (AssetId::Ada, Amount::new(1))],
        ] {
            let refused = decode::<Value>(&encode(&entries));
            assert_eq!(refused, Err(CborError::NotCanonical));
        }
    }

    fn hex(bytes: &[u8]) -> String {
        bytes.iter().map(|byte| format!("{byte:02x}")).collect()
    }
}
