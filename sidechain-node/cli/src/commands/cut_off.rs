//! What a command says before it sends something that must not be sent twice: which other command tells whether it was done. Whoever sees it cut off, by a power cut or
//! `kill -9`, asks that one before giving the command again; where nothing was said, nothing was sent.

use crate::output::Printer;

const BEFORE: &str = "should this be cut off:  nupeer ";
const AFTER: &str = "  tells whether it was done; repeat it only if not";

/// Says it.
pub(crate) fn note(asks: &str, printer: &Printer) {
    printer.note(&line(asks));
}

fn line(asks: &str) -> String {
    format!("{BEFORE}{asks}{AFTER}")
}

/// The command that such a line names, without `nupeer`; nothing in another line.
pub(crate) fn asks_first(line: &str) -> Option<&str> {
    line.strip_prefix(BEFORE)?.strip_suffix(AFTER)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_said_names_the_command_to_ask_with() {
        assert_eq!(asks_first(&line("wallet funds")), Some("wallet funds"));
        assert_eq!(asks_first("nupeer wallet funds  tells"), None);
        assert_eq!(asks_first("submitted"), None);
    }
}
