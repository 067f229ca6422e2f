//! `nupeer explain`: the table of `docs/errors.md`, which is written from the sources and checked against them.

use serde_json::json;

use crate::{
    error::{CliError, Exit, Outcome},
    output::Printer,
};

const TABLE: &str = include_str!("../../../../docs/errors.md");

pub(super) fn show(code: &str, printer: &Printer) -> Outcome<()> {
    let code = code.to_ascii_uppercase();
    let (area, row) = find(&code).ok_or_else(|| {
        CliError::new(Exit::NotFound, format!("no error has the number {code}"))
            .next("numbers look like NP2001")
    })?;
    let cells: Vec<&str> = row.trim_matches('|').split('|').map(str::trim).collect();
    let (message, meaning) = (cells.get(1).unwrap_or(&""), cells.get(2).unwrap_or(&""));
    let value = json!({ "code": code, "area": area, "message": message, "meaning": meaning });
    let mut lines = vec![format!("{code}  {area}"), (*message).to_owned()];
    lines.extend((!meaning.is_empty()).then(|| (*meaning).to_owned()));
    printer.result(value, &lines);
    Ok(())
}

/// The heading above a number's row, and the row.
fn find(code: &str) -> Option<(&'static str, &'static str)> {
    let mut area = "";
    for line in TABLE.lines() {
        if let Some(heading) = line.strip_prefix("## ") {
            area = heading;
        } else if line
            .strip_prefix("| ")
            .is_some_and(|row| row.starts_with(code))
        {
            return Some((area, line));
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_number_of_the_table_is_explained_and_no_other() {
        assert!(find("NP2001").is_some());
        assert!(find("NP9999").is_none());
    }
}
