//! Amounts as people write them: `100ADA`, `2500000lovelace`. Bare numbers and more decimals than an asset has are
//! refused; nothing is a float.

use nupeer_primitives::Amount;
use serde_json::Value;

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

/// An amount in a result: its base units as a text, since there are amounts that readers of JSON which count in floats would round.
pub(crate) fn base_units(amount: impl Into<Amount>) -> Value {
    Value::String(amount.into().to_string())
}

#[cfg(test)]
mod tests {
    use std::{
        fs,
        path::{Path, PathBuf},
    };

    use super::*;

    /// Every source file of the command line but the demo's, whose report keeps numbers.
    fn sources(folder: &Path, found: &mut Vec<PathBuf>) {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            match path.is_dir() {
                true if path.ends_with("demo") => {}
                true => sources(&path, found),
                false => found.push(path),
            }
        }
    }

    /// What stands behind each key of a result that names an amount, as far as the next comma or semicolon that is not in brackets.
    fn amounts(source: &str) -> Vec<(&str, &str)> {
        let of_a_key = |c: char| c.is_ascii_lowercase() || c == '_';
        let mut found = Vec::new();
        for mark in ["\":", "\"] = "] {
            for (place, _) in source.match_indices(mark) {
                let (before, after) = (&source[..place], &source[place + mark.len()..]);
                let head = before.trim_end_matches(of_a_key);
                let key = &before[head.len()..];
                let is_amount = key == "amount" || key.contains("lovelace");
                if is_amount && head.ends_with('"') {
                    found.push((key, expression(after)));
                }
            }
        }
        found
    }

    fn expression(text: &str) -> &str {
        let mut depth = 0i32;
        let ends = |c: char| {
            match c {
                '(' | '[' | '{' => depth += 1,
                ')' | ']' | '}' => depth -= 1,
                _ => {}
            }
            depth < 0 || (depth == 0 && matches!(c, ',' | ';'))
        };
        text.split(ends).next().unwrap_or_default().trim()
    }

    #[test]
    fn every_amount_in_a_result_is_a_text_of_base_units() {
        let mut files = Vec::new();
        // What a node answers, listings and records print as it is.
        for folder in ["src", "../node/src/api"] {
            let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join(folder);
            sources(&folder, &mut files);
        }
        files.retain(|file| file.extension().is_some_and(|ending| ending == "rs"));
        let mut count = 0;
        for file in files {
            let source = fs::read_to_string(&file).unwrap();
            let source = source.split("\n#[cfg(test)]").next().unwrap();
            for (key, value) in amounts(source) {
                let is_text = ["base_units(", ".to_string()"]
                    .iter()
                    .any(|made| value.contains(made));
                assert!(
                    is_text || value == "null",
                    "{}: {key} is {value}",
                    file.display()
                );
                count += 1;
            }
        }
        assert!(count >= 55, "only {count} amounts were found");
    }

    #[test]
    fn the_walk_sees_an_amount_wherever_it_is_written() {
        let source = r#"json!({ "lovelace": 5, "x": 1, "fee_lovelace": f(a, b), "amount": null });
            value["price_lovelace_per_hour"] = price.into(); value["amount"] == 3; words["lovelace"];"#;
        let expected = [
            ("lovelace", "5"),
            ("fee_lovelace", "f(a, b)"),
            ("amount", "null"),
            ("price_lovelace_per_hour", "price.into()"),
        ];
        assert_eq!(amounts(source), expected);
    }

    #[test]
    fn base_units_are_exact_beyond_what_floats_hold() {
        assert_eq!(base_units(u64::MAX), "18446744073709551615");
        assert_eq!(base_units(Amount::new(u128::MAX)), u128::MAX.to_string());
    }

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
