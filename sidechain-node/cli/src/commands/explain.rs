//! `nupeer explain`: what an error number means and what to do about it. Meanings stand in `docs/errors.md`, which is written from
//! the sources and checked against them; remedies in `explain/remedies.txt`.

use serde_json::json;

use crate::{
    error::{CliError, Exit, Outcome},
    output::{Printer, wrapped},
};

const TABLE: &str = include_str!("../../../../docs/errors.md");
/// Columns before each step below an error.
const STEP_MARGIN: usize = 2;
const REMEDIES: &str = include_str!("explain/remedies.txt");

pub(super) fn show(code: &str, printer: &Printer) -> Outcome<()> {
    let found = number(code).and_then(find);
    let Explained {
        code,
        area,
        message,
        cause,
        remedy,
    } = found.ok_or_else(|| {
        CliError::new(Exit::NotFound, format!("no error has the number {code}"))
            .next("numbers look like NP2001; docs/errors.md lists them")
    })?;
    let value = json!({
        "code": code, "area": area, "message": message, "meaning": cause, "remedy": remedy,
    });
    let mut lines = vec![format!("{code}    {area}")];
    for (label, text) in [("says", &message), ("cause", &cause), ("remedy", &remedy)] {
        lines.extend(wrapped(label, 10, text));
    }
    printer.result(value, &lines);
    Ok(())
}

/// An error with what to do next: by its number where it has one, else by its kind. One that says so itself stays as it is.
pub(crate) fn advised(error: CliError) -> CliError {
    if !error.next.is_empty() {
        return error;
    }
    let by_number = error.code.as_deref().and_then(number).and_then(remedy);
    let steps = match by_number.or(by_kind(error.exit)) {
        Some(text) => folded(text),
        None => Vec::new(),
    };
    steps.into_iter().fold(error, CliError::next)
}

/// What helps where nothing more precise is known.
fn by_kind(exit: Exit) -> Option<&'static str> {
    Some(match exit {
        Exit::Unexpected => "nupeer doctor looks for what is wrong here; if it stays, report it.",
        Exit::Usage => "--help after the same command says how it is written.",
        Exit::Refused => "Mend what is named, and give the command again.",
        Exit::Key => "Look at the key's or wallet's file: --wallet and --session name others.",
        Exit::NotFound => {
            "Look whether it is written right, and whether the node is the one that is meant: nupeer status."
        }
        Exit::Unreachable => "nupeer doctor tells what answers and what does not.",
        Exit::Waited => "Ask again later: what was asked for may still happen.",
        Exit::NoMatch => "Ask for less, pay more, or wait.",
        Exit::NotConfirmed => "--yes answers the question, --dry-run shows what it is about.",
        Exit::CheckFailed => "Do not go on; compare with another node (--api-url), and report it.",
        Exit::AlreadyRunning => "End what runs already, or name another folder or address.",
        Exit::NeedsRoot => "The same with sudo.",
        Exit::Interrupted => return None,
    })
}

/// A text in lines that leave room for the margin of steps.
fn folded(text: &str) -> Vec<String> {
    let lines = wrapped("", STEP_MARGIN, text);
    let cut = |line: &String| line.get(STEP_MARGIN..).unwrap_or_default().to_owned();
    lines.iter().map(cut).collect()
}

/// An error as people read of it.
#[derive(Debug)]
struct Explained {
    code: String,
    area: &'static str,
    message: String,
    cause: String,
    remedy: String,
}

/// `NP2001`, `np2001` or `2001`.
fn number(code: &str) -> Option<u16> {
    let code = code.to_ascii_uppercase();
    let digits = code.strip_prefix("NP").unwrap_or(&code);
    let is_number = digits.len() == 4 && digits.bytes().all(|byte| byte.is_ascii_digit());
    digits.parse().ok().filter(|_| is_number)
}

fn find(number: u16) -> Option<Explained> {
    let row = format!("| NP{number:04} ");
    let mut area = "";
    for line in TABLE.lines() {
        if let Some(heading) = line.strip_prefix("## ") {
            area = heading;
        } else if line.starts_with(&row) {
            let cells = cells(line);
            let cell = |place: usize| cells.get(place).cloned().unwrap_or_default();
            return Some(Explained {
                code: cell(0),
                area,
                message: placeholders(&cell(1)),
                cause: cell(2),
                remedy: remedy(number).unwrap_or_default().to_owned(),
            });
        }
    }
    None
}

/// The cells of a table's row; `\|` is no border.
fn cells(row: &str) -> Vec<String> {
    let whole = row.replace("\\|", "\u{0}");
    let cells = whole.trim_matches('|').split('|');
    cells
        .map(|cell| cell.trim().replace('\u{0}', "|"))
        .collect()
}

/// A message's template as a person reads it: `{needed} of {0}` becomes `<needed> of …`.
fn placeholders(template: &str) -> String {
    let mut out = String::new();
    let mut rest = template;
    while let Some((before, (name, after))) = rest
        .split_once('{')
        .and_then(|(before, after)| Some((before, after.split_once('}')?)))
    {
        out.push_str(before);
        let name = name.split(':').next().unwrap_or_default();
        match name.starts_with(|c: char| c.is_ascii_alphabetic()) {
            true => out.push_str(&format!("<{}>", name.to_lowercase())),
            false => out.push('…'),
        }
        rest = after;
    }
    out + rest
}

/// The remedies: first and last number, and what to do.
fn remedies() -> impl Iterator<Item = (u16, u16, &'static str)> {
    let lines = REMEDIES.lines().filter(|line| !line.starts_with('#'));
    lines.filter_map(|line| {
        let (numbers, text) = line.split_once(' ')?;
        let (first, last) = numbers.split_once('-').unwrap_or((numbers, numbers));
        Some((first.parse().ok()?, last.parse().ok()?, text.trim()))
    })
}

/// What to do about an error: by the narrowest range that holds its number.
fn remedy(number: u16) -> Option<&'static str> {
    let holding = remedies().filter(|(first, last, _)| (*first..=*last).contains(&number));
    let narrowest = holding.min_by_key(|(first, last, _)| last - first);
    narrowest.map(|(_, _, text)| text)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Every number of the table.
    fn numbers() -> Vec<u16> {
        let rows = TABLE.lines().filter_map(|line| line.strip_prefix("| NP"));
        let numbers: Vec<u16> = rows.map(|row| row[..4].parse().unwrap()).collect();
        assert!(numbers.len() > 400, "{}", numbers.len());
        numbers
    }

    #[test]
    fn every_number_has_a_cause_and_a_remedy() {
        let lacking: Vec<u16> = numbers()
            .into_iter()
            .filter(|number| {
                let found = find(*number).unwrap();
                found.cause.is_empty() || !found.remedy.ends_with('.')
            })
            .collect();
        assert_eq!(
            lacking,
            Vec::<u16>::new(),
            "add a line for these to sidechain-node/cli/src/commands/explain/remedies.txt"
        );
    }

    #[test]
    fn every_error_says_what_to_do_next() {
        for number in numbers() {
            let error = CliError {
                code: Some(format!("NP{number:04}")),
                ..CliError::new(Exit::Refused, "no")
            };
            let next = advised(error).next;
            assert_eq!(next.join(" "), remedy(number).unwrap());
            assert!(next.iter().all(|step| step.chars().count() <= 78));
        }
        let own = CliError::new(Exit::Usage, "no").next("its own step");
        assert_eq!(advised(own).next, ["its own step"]);
        for exit in [
            Exit::Unexpected,
            Exit::Usage,
            Exit::Refused,
            Exit::Key,
            Exit::NotFound,
            Exit::Unreachable,
            Exit::Waited,
            Exit::NoMatch,
            Exit::NotConfirmed,
            Exit::CheckFailed,
            Exit::AlreadyRunning,
            Exit::NeedsRoot,
        ] {
            assert!(
                !advised(CliError::new(exit, "no")).next.is_empty(),
                "{exit:?}"
            );
        }
    }

    #[test]
    fn a_number_is_found_however_it_is_written_and_no_other_is() {
        for text in ["NP2001", "np2001", "2001"] {
            assert_eq!(number(text), Some(2001), "{text}");
        }
        for text in ["NP9999", "NP2", "NP20010", "", "NP", "x", "+201"] {
            assert!(number(text).and_then(find).is_none(), "{text}");
        }
    }

    #[test]
    fn remedies_are_ranges_in_order_without_overlap_and_every_line_is_read() {
        let all: Vec<_> = remedies().collect();
        let lines = REMEDIES
            .lines()
            .filter(|line| line.starts_with(char::is_numeric));
        assert_eq!(all.len(), lines.count());
        for pair in all.windows(2) {
            assert!(pair[0].0 <= pair[0].1 && pair[0].1 < pair[1].0, "{pair:?}");
        }
    }

    #[test]
    fn commands_that_remedies_name_exist() {
        let mut named = 0;
        for (first, _, text) in remedies() {
            for after in text.split("nupeer ").skip(1) {
                let words = after.split(|c: char| !(c.is_ascii_lowercase() || c == '-'));
                let mut command = crate::help::command();
                let mut found = Vec::new();
                for word in words {
                    match command.find_subcommand(word).cloned() {
                        Some(below) => (command, found) = (below, [found, vec![word]].concat()),
                        None => break,
                    }
                }
                named += 1;
                assert!(!found.is_empty(), "NP{first:04}: nupeer {after}");
                let is_whole = !command.is_subcommand_required_set() || found.len() > 1;
                let is_page = after.contains("--help");
                assert!(is_whole || is_page, "NP{first:04}: nupeer {after}");
            }
        }
        assert!(named > 50, "{named}");
    }

    #[test]
    fn templates_are_read_by_people() {
        for (template, read) in [
            ("{needed} of {asset} needed", "<needed> of <asset> needed"),
            ("made {0}: {scope:#x}, {}", "made …: <scope>, …"),
            ("1 to {NAME_BYTES_MAX}", "1 to <name_bytes_max>"),
            ("nothing { open", "nothing { open"),
        ] {
            assert_eq!(placeholders(template), read);
        }
        assert_eq!(cells(r"| a \| b | c |"), ["a | b", "c"]);
    }
}
