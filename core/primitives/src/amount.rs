//! Amounts of an asset in its base units (lovelace for ADA).

use std::fmt;

use minicbor::{Decode, Decoder, Encode, Encoder, data::IanaTag};

/// An amount in an asset's base units. The inside is private: every step is checked, so no sum wraps.
///
/// In CBOR it is an unsigned integer, above 2^64 − 1 a positive bignum (tag 2) without leading zeros. In state
/// values it is 16 bytes, big-endian, which a Plutus script reads with `bytearray_to_integer`.
#[derive(Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Amount(u128);

impl Amount {
    /// Nothing.
    pub const ZERO: Amount = Amount(0);

    /// `units` base units.
    pub const fn new(units: u128) -> Self {
        Amount(units)
    }

    /// The number of base units.
    pub const fn units(self) -> u128 {
        self.0
    }

    /// Whether it is nothing.
    pub const fn is_zero(self) -> bool {
        self.0 == 0
    }

    /// The sum, unless it leaves the range.
    pub fn checked_add(self, other: Amount) -> Option<Amount> {
        self.0.checked_add(other.0).map(Amount)
    }

    /// The difference, unless `other` is larger.
    pub fn checked_sub(self, other: Amount) -> Option<Amount> {
        self.0.checked_sub(other.0).map(Amount)
    }

    /// The difference, or nothing if `other` is larger.
    pub fn saturating_sub(self, other: Amount) -> Amount {
        Amount(self.0.saturating_sub(other.0))
    }

    /// `self × numerator ÷ denominator`, multiplied first and rounded **down**. `None` if the product leaves the
    /// range or the denominator is zero.
    pub fn mul_div_floor(self, numerator: u128, denominator: u128) -> Option<Amount> {
        self.0
            .checked_mul(numerator)?
            .checked_div(denominator)
            .map(Amount)
    }

    /// The lovelace or other units as 64 bits, which is all that Cardano can carry in one output.
    pub fn to_u64(self) -> Option<u64> {
        u64::try_from(self.0).ok()
    }

    /// 16 bytes, big-endian: the form of a proven balance.
    pub fn to_be_bytes(self) -> [u8; 16] {
        self.0.to_be_bytes()
    }

    /// The inverse of [`Amount::to_be_bytes`].
    pub fn from_be_bytes(bytes: &[u8]) -> Option<Amount> {
        bytes.try_into().ok().map(u128::from_be_bytes).map(Amount)
    }

    /// The amount with `decimals` decimals and thousands separated by commas: `1,234.500000`.
    pub fn display(self, decimals: u8) -> String {
        let digits = format!("{:0>width$}", self.0, width = usize::from(decimals) + 1);
        let (whole, fraction) = digits.split_at(digits.len() - usize::from(decimals));
        let mut out = String::new();
        for (i, digit) in whole.chars().enumerate() {
            if i > 0 && (whole.len() - i) % 3 == 0 {
                out.push(',');
            }
            out.push(digit);
        }
        if decimals > 0 {
            out.push('.');
            out.push_str(fraction);
        }
        out
    }
}

impl From<u64> for Amount {
    fn from(units: u64) -> Self {
        Amount(u128::from(units))
    }
}

impl fmt::Display for Amount {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl fmt::Debug for Amount {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl<C> Encode<C> for Amount {
    fn encode<W: minicbor::encode::Write>(
        &self,
        e: &mut Encoder<W>,
        _: &mut C,
    ) -> Result<(), minicbor::encode::Error<W::Error>> {
        if let Ok(small) = u64::try_from(self.0) {
            return e.u64(small)?.ok();
        }
        let bytes = self.0.to_be_bytes();
        let start = bytes.iter().position(|b| *b != 0).unwrap_or(bytes.len());
        e.tag(IanaTag::PosBignum)?.bytes(&bytes[start..])?.ok()
    }
}

impl<'b, C> Decode<'b, C> for Amount {
    fn decode(d: &mut Decoder<'b>, _: &mut C) -> Result<Self, minicbor::decode::Error> {
        let at = d.position();
        if d.datatype()? != minicbor::data::Type::Tag {
            return d.u64().map(Amount::from);
        }
        if d.tag()? != IanaTag::PosBignum.tag() {
            return Err(minicbor::decode::Error::message("an amount is a positive integer").at(at));
        }
        let bytes = d.bytes()?;
        if bytes.len() > 16 {
            return Err(minicbor::decode::Error::message("an amount has at most 128 bits").at(at));
        }
        Ok(Amount(
            bytes
                .iter()
                .fold(0, |sum, byte| sum << 8 | u128::from(*byte)),
        ))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cbor;

    #[test]
    fn amounts_are_shown_with_their_decimals() {
        for (units, decimals, text) in [
            (0, 6, "0.000000"),
            (1, 6, "0.000001"),
            (1_234_500_000, 6, "1,234.500000"),
            (999, 0, "999"),
            (1_000, 0, "1,000"),
        ] {
            assert_eq!(Amount::new(units).display(decimals), text);
        }
    }

    #[test]
    fn amounts_of_every_width_survive_cbor() {
        for (units, hex) in [
            (0, "00"),
            (u128::from(u64::MAX), "1bffffffffffffffff"),
            (u128::from(u64::MAX) + 1, "c249010000000000000000"),
            (u128::MAX, "c250ffffffffffffffffffffffffffffffff"),
        ] {
            let bytes = cbor::encode(&Amount::new(units));
            assert_eq!(hex::encode(&bytes), hex);
            assert_eq!(cbor::decode::<Amount>(&bytes), Ok(Amount::new(units)));
        }
    }

    #[test]
    fn a_small_amount_as_a_bignum_is_another_encoding() {
        let refused = cbor::decode::<Amount>(&hex::decode("c24105").unwrap());
        assert_eq!(refused, Err(cbor::CborError::NotCanonical));
    }

    #[test]
    fn shares_are_rounded_down_and_never_wrap() {
        assert_eq!(Amount::new(999).mul_div_floor(1, 10), Some(Amount::new(99)));
        assert_eq!(Amount::new(u128::MAX).mul_div_floor(2, 2), None);
        assert_eq!(Amount::new(1).mul_div_floor(1, 0), None);
    }
}
