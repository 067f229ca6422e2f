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
    /// Nobody answers.
    Unreachable = 6,
    /// The wait ran out; it may still happen.
    Waited = 7,
    /// Nothing matches now.
    NoMatch = 8,
    /// A question about money had nobody to answer it.
    NotConfirmed = 9,
    /// A proof or an invariant does not hold.
    CheckFailed = 10,
    /// Already running, or locked.
    AlreadyRunning = 11,
    /// Only root may.
    NeedsRoot = 12,
    /// Ctrl-C or SIGTERM.
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
