//! What a terminal is given of texts that others wrote: nodes, agents, workloads. Nothing of it moves the cursor, colours, or turns the direction of
//! reading, so that what stands there is what was said.

use std::fmt::Write as _;

use serde_json::Value;

/// Whether a character shows itself and does nothing else: no control character (C0, DEL, C1), no mark or override of direction, no separator that some
/// terminals take for the end of a line.
fn is_plain(c: char) -> bool {
    let turns = matches!(
        c,
        '\u{61c}' | '\u{200e}' | '\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}'
    );
    !c.is_control() && !turns
}

/// A text of any number of lines: line feeds and tabs stay, whatever else is not plain is left out.
pub(crate) fn text(text: &str) -> String {
    let stays = |c: &char| is_plain(*c) || matches!(c, '\n' | '\t');
    text.chars().filter(stays).collect()
}

/// A text in one line, for where another line would be taken for somebody else's word: a space stands for a line feed and a tab.
pub(crate) fn line(text: &str) -> String {
    let spaced = text.chars().map(|c| match c {
        '\n' | '\t' => ' ',
        other => other,
    });
    spaced.filter(|c| is_plain(*c)).collect()
}

/// JSON that says the same and has every such character escaped: serializing leaves those above U+001F as they are. They stand in strings alone.
pub(crate) fn json(value: &Value) -> String {
    let mut out = String::new();
    for c in value.to_string().chars() {
        if is_plain(c) {
            out.push(c);
        } else {
            for unit in c.encode_utf16(&mut [0; 2]) {
                let _ = write!(out, "\\u{unit:04x}");
            }
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    /// A title, a colour, a deletion, the one-character form of the same introducer, and texts that turn.
    const HOSTILE: &str = "a\u{1b}]0;x\u{7}\u{1b}[31mb\tc\r\nd\u{9b}2J\u{7f}\u{202e}e\u{2066}\u{200f}\u{61c}\u{2028}f";

    #[test]
    fn nobody_writes_to_the_terminal_as_they_like() {
        assert_eq!(text(HOSTILE), "a]0;x[31mb\tc\nd2Jef");
        assert_eq!(line(HOSTILE), "a]0;x[31mb c d2Jef");
        for word in ["Größe 5 €", "שלום", "👩‍🚀", "…"] {
            assert_eq!((text(word), line(word)), (word.to_owned(), word.to_owned()));
        }
    }

    #[test]
    fn json_says_the_same_in_plain_characters() {
        let value = json!({ HOSTILE: [HOSTILE, "Größe \\u009b"] });
        let shown = json(&value);
        assert!(shown.chars().all(is_plain), "{shown:?}");
        assert!(shown.contains("\\u009b2J\\u007f\\u202e"), "{shown}");
        assert_eq!(serde_json::from_str::<Value>(&shown).unwrap(), value);
    }
}
