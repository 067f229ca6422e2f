//! The only place that writes to the terminal. Standard output carries results; prose, prompts and errors go to standard
//! error, so that a pipe sees results alone. Whatever others wrote is made printable here ([`printable`]), before colours of our own.
#![allow(clippy::print_stdout, clippy::print_stderr)]

use std::{
    io::{self, BufRead, IsTerminal, Write},
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
};

use serde_json::Value;

use crate::{
    error::{CliError, Exit, Outcome},
    printable,
};

/// How results are shown.
#[derive(Clone)]
pub(crate) struct Printer {
    json: bool,
    colour: bool,
    /// Whether a line may move: standard error is a terminal that can.
    moves: bool,
    /// Whether a line that moves stands there now.
    moving: Arc<AtomicBool>,
}

/// The widest line that moves; a wider one would wrap and stay.
const MOVING_MAX: usize = 79;

impl Printer {
    pub(crate) fn new(json: bool, no_colour: bool) -> Self {
        let dumb = std::env::var("TERM").is_ok_and(|term| term == "dumb");
        let plain = std::env::var_os("NO_COLOR").is_some() || dumb;
        let terminal = std::io::stderr().is_terminal();
        Printer {
            json,
            colour: !no_colour && !plain && terminal,
            moves: !dumb && terminal,
            moving: Arc::default(),
        }
    }

    /// An id in a listing: its beginning, which is enough to name it, where somebody reads along at a terminal; else the whole.
    pub(crate) fn brief(&self, id: String) -> String {
        match io::stdout().is_terminal() {
            true => id.chars().take(BRIEF).collect(),
            false => id,
        }
    }

    /// Whether [`Printer::moving`] lines move.
    pub(crate) fn moves(&self) -> bool {
        self.moves
    }

    /// What is being waited for. On a terminal the next such line takes its place, and whatever else is said; elsewhere it is a
    /// line like others.
    pub(crate) fn moving(&self, line: &str) {
        if !self.moves {
            return self.note(line);
        }
        let line: String = printable::line(line).chars().take(MOVING_MAX).collect();
        self.moving.store(true, Ordering::Relaxed);
        eprint!("\r{line}\u{1b}[K");
        let _ = std::io::stderr().flush();
    }

    /// Makes room where a line that moves stands.
    fn settle(&self) {
        if self.moving.swap(false, Ordering::Relaxed) {
            eprint!("\r\u{1b}[K");
        }
    }

    /// A result: `value` as JSON where asked for (with its `schema` number), else `lines` for people.
    pub(crate) fn result(&self, mut value: Value, lines: &[String]) {
        self.settle();
        if self.json {
            if let Some(object) = value.as_object_mut() {
                object.insert("schema".into(), 1.into());
            }
            say(&printable::json(&value));
        } else {
            lines.iter().for_each(|line| say(&printable::text(line)));
        }
    }

    /// Whether results are JSON.
    pub(crate) fn is_json(&self) -> bool {
        self.json
    }

    /// A part of a result that people read as it comes.
    pub(crate) fn part(&self, text: &str) -> Outcome<()> {
        self.settle();
        let mut out = io::stdout().lock();
        let written = out
            .write_all(printable::text(text).as_bytes())
            .and_then(|()| out.flush());
        written.map_err(|error| {
            let what = format!("standard output takes no more: {error}");
            CliError::new(Exit::Unexpected, what)
        })
    }

    /// Text that is the result itself, in whatever format was asked for; of our own making.
    pub(crate) fn raw(&self, text: &str) {
        self.settle();
        say(text);
    }

    /// Something a person wants to know meanwhile.
    pub(crate) fn note(&self, line: &str) {
        self.settle();
        eprintln!("{}", printable::text(line));
    }

    /// What went wrong, and what next.
    pub(crate) fn error(&self, error: &CliError) {
        self.settle();
        if error.what.is_empty() {
            return;
        }
        let label = error
            .code
            .as_ref()
            .map_or("error".into(), |code| format!("error {code}"));
        let label = if self.colour {
            format!("\u{1b}[31m{label}\u{1b}[0m")
        } else {
            label
        };
        eprintln!("{label}: {}", printable::text(&error.what));
        if !error.next.is_empty() {
            eprintln!("what next");
            let print = |step: &String| eprintln!("  {}", printable::line(step));
            error.next.iter().for_each(print);
        }
        if let Some(code) = &error.code {
            eprintln!("nupeer explain {code} says more.");
        }
    }

    /// Asks before money moves. `yes` answers; without it and without a terminal nothing is done.
    pub(crate) fn confirm(&self, question: &str, yes: bool) -> Outcome<()> {
        if yes {
            return Ok(());
        }
        if !std::io::stdin().is_terminal() {
            let refused = CliError::new(
                Exit::NotConfirmed,
                "nobody is there to confirm it; nothing was done",
            );
            return Err(refused.next("--yes confirms it, --dry-run shows it"));
        }
        self.settle();
        eprint!("{} [y/N] ", printable::text(question));
        let mut answer = String::new();
        let read = std::io::stdin().lock().read_line(&mut answer);
        if read.is_ok() && matches!(answer.trim(), "y" | "Y" | "yes") {
            return Ok(());
        }
        Err(CliError::new(
            Exit::NotConfirmed,
            "not confirmed; nothing was done",
        ))
    }
}

/// Digits of an id that tell it from others in a listing.
const BRIEF: usize = 12;

/// Columns of a terminal that nobody widened.
const WIDTH: usize = 80;

/// A text of any length beside its label: lines of at most 80 columns, the text in a column of its own.
pub(crate) fn wrapped(label: &str, indent: usize, text: &str) -> Vec<String> {
    let mut lines = vec![format!("{label:<indent$}")];
    let mut is_empty = true;
    for word in text.split_whitespace() {
        let width = |line: &String| line.chars().count();
        let full = lines
            .last()
            .is_some_and(|line| width(line) + 1 + width(&word.to_owned()) > WIDTH);
        if full && !is_empty {
            lines.push(" ".repeat(indent));
            is_empty = true;
        }
        if let Some(line) = lines.last_mut() {
            line.push_str(if is_empty { "" } else { " " });
            line.push_str(word);
        }
        is_empty = false;
    }
    lines
}

/// Columns padded to the widest cell; the last one is not padded. A cell is one line, whoever wrote it.
pub(crate) fn table(rows: &[Vec<String>]) -> Vec<String> {
    let rows: Vec<Vec<String>> = rows
        .iter()
        .map(|row| row.iter().map(|cell| printable::line(cell)).collect())
        .collect();
    let columns = rows.iter().map(Vec::len).max().unwrap_or(0);
    let width = |column: usize| {
        rows.iter()
            .filter_map(|row| row.get(column))
            .map(|cell| cell.chars().count())
            .max()
    };
    let widths: Vec<usize> = (0..columns)
        .map(|column| width(column).unwrap_or(0))
        .collect();
    let line = |row: &Vec<String>| {
        let cells = row
            .iter()
            .zip(&widths)
            .map(|(cell, width)| format!("{cell:<width$}"));
        cells.collect::<Vec<_>>().join("  ").trim_end().to_owned()
    };
    rows.iter().map(line).collect()
}

/// A line of the result. Whoever reads may stop before its end, as `head` does: that is no failure of what was asked.
fn say(line: &str) {
    let _ = writeln!(io::stdout(), "{line}");
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_are_as_wide_as_their_widest_cell() {
        let rows = [
            vec!["A".into(), "LONG".into()],
            vec!["word".into(), "x".into()],
        ];
        assert_eq!(table(&rows), ["A     LONG", "word  x"]);
    }

    #[test]
    fn a_cell_makes_no_row_and_no_width_of_what_is_not_shown() {
        let rows = [
            vec!["a\u{1b}[2J\nroot".into(), "x".into()],
            vec!["A".into(), "y".into()],
        ];
        assert_eq!(table(&rows), ["a[2J root  x", "A          y"]);
    }

    #[test]
    fn a_long_text_stays_in_its_column_and_within_eighty() {
        let lines = wrapped("cause", 10, &"word ".repeat(40));
        assert!(lines.len() > 2);
        assert!(lines[0].starts_with("cause     word word"));
        assert!(lines[1].starts_with("          word"));
        assert!(lines.iter().all(|line| line.chars().count() <= WIDTH));
        assert_eq!(
            wrapped("x", 4, &"y".repeat(99)),
            [format!("x   {}", "y".repeat(99))]
        );
    }
}
