//! Amounts as people write them: `100ADA`, `2500000lovelace`. Bare numbers and more decimals than an asset has are
//! refused; nothing is a float.

use nupeer_primitives::Amount;

/// Decimals of ADA.
const ADA_DECIMALS: u32 = 6;

/// The lovelace that `text` says.
pub(crate) fn parse_ada(text: &str) -> Result<Amount, String> {
    let (number, decimals) = match (text.strip_suffix("lovelace"), text.strip_suffix("ADA")) {
        (Some(number), _) => (number, 0),
        (_, Some(number)) => (number, ADA_DECIMALS),
        _ => {
            return Err(format!(
                "{text:?} has no unit; write 5ADA or 5000000lovelace"
            ));
        }
    };
    let (whole, fraction) = number
        .trim_end()
        .split_once('.')
        .unwrap_or((number.trim_end(), ""));
    let digits = |part: &str| part.bytes().all(|b| b.is_ascii_digit());
    if whole.is_empty() || !digits(whole) || !digits(fraction) || number.trim_end().ends_with('.') {
        return Err(format!("{number:?} is no number"));
    }
    if fraction.len() > decimals as usize {
        return Err(format!(
            "{text:?} has {} decimals, at most {decimals} exist",
            fraction.len()
        ));
    }
    let padded = format!("{whole}{fraction:0<width$}", width = decimals as usize);
    let units: u128 = padded
        .parse()
        .map_err(|_| format!("{text:?} is larger than any amount"))?;
    if units > u128::from(u64::MAX) {
        return Err(format!("{text:?} is more ADA than can exist"));
    }
    Ok(Amount::new(units))
}

/// `1,234.500000 ADA`.
pub(crate) fn show_ada(amount: Amount) -> String {
    format!("{} ADA", amount.display(6))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn amounts_are_read_exactly_or_refused() {
        for (text, lovelace) in [
            ("5ADA", Some(5_000_000)),
            ("0.000001ADA", Some(1)),
            ("1.5ADA", Some(1_500_000)),
            ("2500000lovelace", Some(2_500_000)),
            ("18446744073709551615lovelace", Some(u64::MAX)),
            ("5", None),
            ("1.0000001ADA", None),
            ("1.5lovelace", None),
            (".5ADA", None),
            ("5.ADA", None),
            ("-5ADA", None),
            ("1e3ADA", None),
            ("18446744073709551616lovelace", None),
            ("ADA", None),
        ] {
            assert_eq!(parse_ada(text).ok(), lovelace.map(Amount::from), "{text}");
        }
    }
}
