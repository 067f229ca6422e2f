//! Fractions as transactions state them (Conway CDDL, `unit_interval` and `nonnegative_interval`).

use crate::cbor::{DecodeError, Reader};
use crate::parameters::Ratio;

/// The tag of a rational number (Conway CDDL, `#6.30`).
const RATIONAL_TAG: u64 = 30;

/// A fraction from 0 to 1, in lowest terms whatever it came in.
pub(super) fn unit_interval(reader: &mut Reader<'_>) -> Result<Ratio, DecodeError> {
    let what = "a number between 0 and 1";
    let ratio = nonnegative_interval(reader, what)?;
    if ratio.numerator > ratio.denominator {
        return Err(DecodeError::OutOfRange { what });
    }
    Ok(ratio)
}

/// `30([numerator, denominator])`, in lowest terms whatever it came in.
pub(super) fn nonnegative_interval(
    reader: &mut Reader<'_>,
    what: &'static str,
) -> Result<Ratio, DecodeError> {
    if reader.tag(what)? != RATIONAL_TAG {
        return Err(reader.unexpected("tag 30"));
    }
    let record = reader.record(2, what)?;
    let (numerator, denominator) = (reader.unsigned(what)?, reader.unsigned(what)?);
    reader.close(record, what)?;
    if denominator == 0 {
        return Err(DecodeError::OutOfRange { what });
    }
    let divisor = greatest_common_divisor(numerator, denominator);
    Ok(Ratio {
        numerator: numerator / divisor,
        denominator: denominator / divisor,
    })
}

/// Euclid's; not zero, because `denominator` is not.
fn greatest_common_divisor(numerator: u64, denominator: u64) -> u64 {
    let (mut a, mut b) = (denominator, numerator);
    while b != 0 {
        (a, b) = (b, a % b);
    }
    a
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{list, unsigned};

    type Read = fn(&mut Reader<'_>) -> Result<Ratio, DecodeError>;

    fn read(read: Read, numerator: u64, denominator: u64) -> Result<(u64, u64), DecodeError> {
        let pair = list(&[unsigned(numerator), unsigned(denominator)]);
        let bytes = [vec![0xd8, 0x1e], pair].concat();
        let ratio = read(&mut Reader::new(&bytes))?;
        Ok((ratio.numerator, ratio.denominator))
    }

    #[test]
    fn a_unit_interval_ends_at_one() {
        let what = "a number between 0 and 1";
        assert_eq!(read(unit_interval, 0, 7), Ok((0, 1)));
        assert_eq!(read(unit_interval, 4, 6), Ok((2, 3)));
        assert_eq!(read(unit_interval, 7, 7), Ok((1, 1)));
        for (numerator, denominator) in [(8, 7), (0, 0), (1, 0)] {
            assert_eq!(
                read(unit_interval, numerator, denominator),
                Err(DecodeError::OutOfRange { what })
            );
        }
    }

    #[test]
    fn other_fractions_have_no_end() {
        let any: Read = |reader| nonnegative_interval(reader, "a price");
        assert_eq!(read(any, 8, 6), Ok((4, 3)));
        assert_eq!(read(any, u64::MAX, 1), Ok((u64::MAX, 1)));
        let what = "a price";
        assert_eq!(read(any, 1, 0), Err(DecodeError::OutOfRange { what }));
    }

    #[test]
    fn a_fraction_has_tag_30() {
        let bytes = [0xd8, 0x1f, 0x82, 0x01, 0x02];
        assert!(matches!(
            unit_interval(&mut Reader::new(&bytes)),
            Err(DecodeError::Unexpected { .. })
        ));
    }
}
