//! Error numbers: each names one error for ever, lies in its part's range, and is listed in `docs/errors.md`, which this writes from the sources
//! when `NUPEER_WRITE_DOCS` is set (`make docs`).

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};

/// Folders and the first and last number of their errors, as `core/primitives/src/code.rs` gives them out.
const RANGES: [(&[&str], &str, u16, u16); 8] = [
    (
        &["core/primitives"],
        "Encodings, addresses, signatures",
        1000,
        1999,
    ),
    (&["core/ledger"], "Accounts, sequences, fees", 2000, 2099),
    (
        &["sidechain-node/runtime"],
        "Transactions, blocks, genesis",
        2100,
        2999,
    ),
    (
        &[
            "bridge/rules",
            "core/outbox",
            "cardano/observe",
            "cardano/contracts",
        ],
        "The bridge",
        3000,
        3999,
    ),
    (
        &["core/lease", "iaas/rules", "paas/rules", "saas/rules"],
        "Machines and leases",
        4000,
        4999,
    ),
    (&["sidechain-node/"], "Node, API, command line", 6000, 6999),
    (
        &["cardano/", "bridge/relayer"],
        "Cardano: client, wallet, devnet, relayer",
        7000,
        7999,
    ),
    (
        &[
            "provider-agent",
            "iaas/drivers",
            "paas/drivers",
            "saas/drivers",
        ],
        "Provider's agent and drivers",
        8000,
        8999,
    ),
];

/// One numbered error as its source has it.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Numbered {
    number: u16,
    /// `LedgerError::ZeroAmount`.
    name: String,
    /// Path of its source, relative to the root.
    path: String,
    /// The template of its message.
    message: String,
    /// The first paragraph of its documentation.
    meaning: String,
}

#[test]
fn a_number_names_one_error() {
    let mut names: BTreeMap<u16, Vec<String>> = BTreeMap::new();
    for error in numbered() {
        names
            .entry(error.number)
            .or_default()
            .push(format!("{} in {}", error.name, error.path));
    }
    names.retain(|_, names| names.len() > 1);
    assert!(names.is_empty(), "numbers with two errors each: {names:#?}");
}

#[test]
fn a_number_lies_in_the_range_of_its_part() {
    let stray: Vec<String> = numbered()
        .iter()
        .filter(|error| {
            range(&error.path).is_none_or(|(first, last)| !(first..=last).contains(&error.number))
        })
        .map(|error| format!("NP{:04} {} in {}", error.number, error.name, error.path))
        .collect();
    assert_eq!(stray, Vec::<String>::new());
}

#[test]
fn the_list_of_errors_is_that_of_the_sources() {
    let path = root().join("docs/errors.md");
    let wanted = document(&numbered());
    if std::env::var_os("NUPEER_WRITE_DOCS").is_some() {
        fs::write(&path, &wanted).expect("docs/errors.md can be written");
    }
    let found = fs::read_to_string(&path).unwrap_or_default();
    let differing: Vec<&str> = wanted
        .lines()
        .filter(|line| !found.lines().any(|other| other == *line))
        .collect();
    assert!(
        found == wanted,
        "docs/errors.md is out of date: run make docs. New or changed: {differing:#?}"
    );
}

#[test]
fn numbers_are_read_from_both_ways_to_write_them() {
    let source = r#"
/// What is refused.
#[derive(Debug, thiserror::Error)]
pub enum Refusal {
    /// Too little: pay more.
    #[error("{provided} given, {minimum} needed")]
    TooLittle {
        /// Given.
        provided: u64,
    },
    /// Nothing.
    #[error("nothing \"at all\"")]
    Nothing,
    /// Passed on.
    #[error(transparent)]
    Inner(#[from] Other),
}

impl Numbered for Refusal {
    fn code(&self) -> Code {
        Code(match self {
            Refusal::Inner(inner) => return inner.code(),
            Refusal::TooLittle { .. } => 2001,
            Refusal::Nothing => 2002,
        })
    }
}

/// Alone.
#[derive(Debug, thiserror::Error)]
#[error("alone")]
pub struct Alone;

impl Numbered for Alone {
    fn code(&self) -> Code {
        Code(2003)
    }
}
"#;
    let read: Vec<(u16, String, String, String)> = read_source("x.rs", source)
        .into_iter()
        .map(|e| (e.number, e.name, e.message, e.meaning))
        .collect();
    let expected = [
        (
            2001,
            "Refusal::TooLittle",
            "{provided} given, {minimum} needed",
            "Too little: pay more.",
        ),
        (2002, "Refusal::Nothing", "nothing \"at all\"", "Nothing."),
        (2003, "Alone", "alone", "Alone."),
    ];
    assert_eq!(
        read,
        expected.map(|(n, a, b, c)| (n, a.to_owned(), b.to_owned(), c.to_owned()))
    );
}

fn root() -> PathBuf {
    let cli = Path::new(env!("CARGO_MANIFEST_DIR"));
    cli.ancestors()
        .nth(2)
        .expect("sidechain-node/cli is two levels deep")
        .to_path_buf()
}

fn range(path: &str) -> Option<(u16, u16)> {
    let holds = |folders: &[&str]| folders.iter().any(|folder| path.starts_with(folder));
    RANGES
        .iter()
        .find(|(folders, ..)| holds(folders))
        .map(|(_, _, first, last)| (*first, *last))
}

/// Every numbered error of the tree, by number.
fn numbered() -> Vec<Numbered> {
    let mut found = Vec::new();
    for (folders, ..) in RANGES {
        for folder in folders {
            // `sidechain-node/` and `cardano/` stand for what is below them and in no range of its own.
            collect(&root().join(folder), folder, &mut found);
        }
    }
    found.sort_by(|a, b| (a.number, &a.path).cmp(&(b.number, &b.path)));
    found.dedup();
    assert!(
        found.len() > 20,
        "the sources were not read: {} errors",
        found.len()
    );
    found
}

fn collect(folder: &Path, name: &str, found: &mut Vec<Numbered>) {
    let Ok(entries) = fs::read_dir(folder) else {
        return;
    };
    for entry in entries {
        let entry = entry.expect("a readable entry");
        let below = format!(
            "{}/{}",
            name.trim_end_matches('/'),
            entry.file_name().to_string_lossy()
        );
        if entry.path().is_dir() {
            collect(&entry.path(), &below, found);
        } else if below.ends_with(".rs") && below.contains("/src/") {
            found.extend(read_source(
                &below,
                &fs::read_to_string(entry.path()).expect("a source is text"),
            ));
        }
    }
}

/// The numbered errors of one source file.
fn read_source(path: &str, source: &str) -> Vec<Numbered> {
    let texts = texts(source);
    let mut found = Vec::new();
    for block in source.split("\nimpl Numbered for ").skip(1) {
        let block = block.split("\n}").next().unwrap_or_default();
        let owner: String = block
            .chars()
            .take_while(|c| c.is_alphanumeric() || *c == '_')
            .collect();
        let mut rest = block;
        while let Some((before, number, after)) = next_number(rest) {
            rest = after;
            let own = before.rsplit_once("code(),").map_or(before, |(_, own)| own);
            for name in names(own, &owner) {
                let (meaning, message) = texts.get(&name).cloned().unwrap_or_default();
                found.push(Numbered {
                    number,
                    name,
                    path: path.to_owned(),
                    message,
                    meaning,
                });
            }
        }
    }
    found
}

/// What stands before the next number of four digits, the number, and what follows it.
fn next_number(text: &str) -> Option<(&str, u16, &str)> {
    let bytes = text.as_bytes();
    let is_digit = |at: usize| bytes.get(at).is_some_and(u8::is_ascii_digit);
    let starts = |at: &usize| {
        !is_digit(at.wrapping_sub(1)) && (0..4).all(|i| is_digit(at + i)) && !is_digit(at + 4)
    };
    let at = (0..bytes.len()).find(starts)?;
    Some((&text[..at], text[at..at + 4].parse().ok()?, &text[at + 4..]))
}

/// The variants that an arm of a match names, or the type itself where there is none.
fn names(arm: &str, owner: &str) -> Vec<String> {
    let ident = |text: &str| {
        text.chars()
            .take_while(|c| c.is_alphanumeric())
            .collect::<String>()
    };
    let mut pieces: Vec<&str> = arm.split(&format!("{owner}::")).skip(1).collect();
    pieces.extend(arm.split("Self::").skip(1));
    if pieces.is_empty() {
        vec![owner.to_owned()]
    } else {
        pieces
            .iter()
            .map(|p| format!("{owner}::{}", ident(p)))
            .collect()
    }
}

/// Documentation and message of each error type and variant in a source file.
fn texts(source: &str) -> BTreeMap<String, (String, String)> {
    let mut found = BTreeMap::new();
    let (mut owner, mut meaning, mut message) = (String::new(), String::new(), None);
    for line in joined_attributes(source) {
        let text = line.trim();
        if let Some(doc) = text.strip_prefix("///") {
            let _ = write!(
                meaning,
                "{}{}",
                if meaning.is_empty() { "" } else { " " },
                doc.trim()
            );
        } else if let Some(attribute) = text.strip_prefix("#[error(") {
            message = Some(attribute.to_owned());
        } else if let Some(name) = declared(text, "enum ") {
            (owner, meaning, message) = (name, String::new(), None);
        } else if !text.starts_with("#[") {
            if let Some(message) = message.take() {
                let name = declared(text, "struct ")
                    .unwrap_or_else(|| format!("{owner}::{}", first_word(text)));
                found.insert(name, (meaning.clone(), literal(&message)));
            }
            meaning.clear();
        }
    }
    found
}

/// The lines of a source, each `#[error(…)]` on one line.
fn joined_attributes(source: &str) -> Vec<String> {
    let mut lines: Vec<String> = Vec::new();
    let mut open = false;
    for line in source.lines() {
        match lines.last_mut() {
            Some(last) if open => last.push_str(line.trim()),
            _ => lines.push(line.to_owned()),
        }
        let last = lines.last().expect("one was pushed");
        open = last.trim().starts_with("#[error(") && !last.trim_end().ends_with(")]");
    }
    lines
}

fn declared(line: &str, keyword: &str) -> Option<String> {
    let name = line
        .strip_prefix("pub ")
        .or_else(|| line.strip_prefix("pub(crate) "))
        .unwrap_or(line)
        .strip_prefix(keyword)?;
    Some(first_word(name))
}

fn first_word(text: &str) -> String {
    text.chars()
        .take_while(|c| c.is_alphanumeric() || *c == '_')
        .collect()
}

/// The first string literal of an attribute, unescaped; nothing for `transparent`.
fn literal(attribute: &str) -> String {
    let Some((_, text)) = attribute.split_once('"') else {
        return "(as its cause)".to_owned();
    };
    let mut out = String::new();
    let mut characters = text.chars();
    while let Some(character) = characters.next() {
        match character {
            '"' => break,
            '\\' => out.extend(characters.next()),
            other => out.push(other),
        }
    }
    out
}

fn document(errors: &[Numbered]) -> String {
    let mut out = String::from(
        "# Error numbers\n\nWhat a node, a tool or an agent refuses, by number. A number names one error for ever; numbers that are no longer used \
         are not given out again.\nWritten from the sources by `make docs`; edit the documentation there.\n",
    );
    for (_, title, first, last) in RANGES {
        let part: Vec<&Numbered> = errors
            .iter()
            .filter(|error| (first..=last).contains(&error.number))
            .collect();
        if part.is_empty() {
            continue;
        }
        let _ = write!(
            out,
            "\n## {title}\n\n| number | says | means | where |\n|---|---|---|---|\n"
        );
        for error in part {
            let Numbered {
                number,
                name,
                path,
                message,
                meaning,
            } = error;
            let cell = |text: &str| text.replace('|', "\\|");
            let _ = writeln!(
                out,
                "| NP{number:04} | {} | {} | `{name}` in `{path}` |",
                cell(message),
                cell(meaning)
            );
        }
    }
    out
}
