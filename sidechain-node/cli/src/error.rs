//! Errors as people meet them: what happened, why, what next, and an exit code (`docs/exit-codes.md`).

use nupeer_primitives::Numbered;

/// Exit codes; their meaning never changes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub(crate) enum Exit {
    /// Unexpected.
    Unexpected = 1,
    /// The command line is wrong.
    Usage = 2,
    /// Refused by a rule.
    Refused = 3,
    /// A key or a signature is missing or wrong.
    Key = 4,
    /// Not found.
    NotFound = 5,
    /// Unreachable: the node, Cardano's socket or the agent does not answer.
    Unreachable = 6,
    /// The wait ran out; what was asked may still happen.
    Waited = 7,
    /// No match, or not final yet.
    NoMatch = 8,
    /// Not confirmed: a question about money had nobody to answer it.
    NotConfirmed = 9,
    /// A check failed: an invariant, a proof or a comparison does not hold.
    CheckFailed = 10,
    /// Already running, or locked by another process.
    AlreadyRunning = 11,
    /// Only root may: the agent runs containers with limits that the kernel enforces.
    NeedsRoot = 12,
    /// An interrupt: Ctrl-C or SIGTERM.
    Interrupted = 130,
}

/// An error on its way to the terminal.
#[derive(Debug)]
pub(crate) struct CliError {
    pub(crate) exit: Exit,
    /// `NPnnnn`, where a rule or a part of the system has numbered it.
    pub(crate) code: Option<String>,
    pub(crate) what: String,
    /// Commands or steps to try.
    pub(crate) next: Vec<String>,
}

pub(crate) type Outcome<T> = Result<T, CliError>;

impl CliError {
    pub(crate) fn new(exit: Exit, what: impl Into<String>) -> Self {
        CliError {
            exit,
            code: None,
            what: what.into(),
            next: Vec::new(),
        }
    }

    /// The result says it all already.
    pub(crate) fn told(exit: Exit) -> Self {
        CliError::new(exit, "")
    }

    pub(crate) fn numbered(exit: Exit, error: &dyn Numbered) -> Self {
        CliError {
            code: Some(error.code().to_string()),
            ..CliError::new(exit, error.to_string())
        }
    }

    pub(crate) fn next(mut self, step: impl Into<String>) -> Self {
        self.next.push(step.into());
        self
    }
}

/// Failing to read or write a file, with the file's name.
pub(crate) fn file_error(path: &std::path::Path, error: &std::io::Error) -> CliError {
    let exit = if error.kind() == std::io::ErrorKind::NotFound {
        Exit::NotFound
    } else {
        Exit::Unexpected
    };
    CliError::new(exit, format!("{}: {error}", path.display()))
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    /// Codes with what they mean, as `enum Exit` has them.
    fn of_the_source() -> BTreeMap<u8, String> {
        let source = include_str!("error.rs");
        let body = source.split("enum Exit {").nth(1).unwrap();
        let body = body.split("\n}").next().unwrap();
        let lines: Vec<&str> = body.lines().map(str::trim).collect();
        let pairs = lines.windows(2).filter_map(|pair| {
            let meaning = pair[0].strip_prefix("/// ")?.trim_end_matches('.');
            let (_, code) = pair[1].trim_end_matches(',').split_once(" = ")?;
            Some((code.parse().unwrap(), meaning.to_lowercase()))
        });
        pairs.collect()
    }

    /// Codes with what they mean and what to do about each, as people read of them.
    fn of_the_page() -> BTreeMap<u8, (String, String)> {
        let page = include_str!("../../../docs/exit-codes.md");
        let row = |line: &str| {
            let cells: Vec<&str> = line.split('|').map(str::trim).collect();
            let [_, code, meaning, remedy, _] = cells[..] else {
                return None;
            };
            Some((
                code.parse().ok()?,
                (meaning.to_lowercase(), remedy.to_owned()),
            ))
        };
        page.lines().filter_map(row).collect()
    }

    #[test]
    fn the_page_of_exit_codes_says_of_each_code_what_the_program_means_by_it() {
        let (mut source, mut page) = (of_the_source(), of_the_page());
        let (done, _) = page.remove(&0).unwrap();
        assert!(done.starts_with("done"), "{done}");
        // Signals have no row: a shell's 128 and the signal's number.
        assert!(source.remove(&130).unwrap().starts_with("an interrupt"));
        assert!(include_str!("../../../docs/exit-codes.md").contains("\n130 is an interrupt"));
        assert!(page.values().all(|(_, remedy)| !remedy.is_empty()));
        let page: BTreeMap<_, _> = page
            .into_iter()
            .map(|(code, (means, _))| (code, means))
            .collect();
        assert_eq!(source, page);
        assert_eq!(source.len(), 12);
    }
}
