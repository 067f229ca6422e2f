//! The end of a process's log, as a person reads it: logs are JSON, a line for each event. It may lie in the log that was full before.

use std::{
    fs::File,
    io::{Read, Seek, SeekFrom},
    path::Path,
};

use serde_json::Value;

use crate::own_log;

/// How many lines are shown.
const LINES: usize = 15;
/// The longest line that is shown, in characters.
const LINE_MAX: usize = 240;
/// How much of the log is read, in bytes.
const BYTES: u64 = 32 << 10;

/// The last lines of the log at `path`; none where it cannot be read.
pub(super) fn lines(path: &Path) -> Vec<String> {
    let text = |path: &Path| end(path).unwrap_or_default();
    let text = text(&own_log::before(path)) + &text(path);
    let lines: Vec<&str> = text
        .lines()
        .filter(|line| !line.trim().is_empty())
        .collect();
    let first = lines.len().saturating_sub(LINES);
    lines.iter().skip(first).map(|line| shown(line)).collect()
}

fn end(path: &Path) -> std::io::Result<String> {
    let mut file = File::open(path)?;
    let length = file.metadata()?.len();
    file.seek(SeekFrom::Start(length.saturating_sub(BYTES)))?;
    let mut bytes = Vec::new();
    file.take(BYTES).read_to_end(&mut bytes)?;
    Ok(String::from_utf8_lossy(&bytes).into_owned())
}

/// An event as `LEVEL message name=value`; any other line as it is. Nothing in it moves the cursor.
fn shown(line: &str) -> String {
    let event: Option<Value> = serde_json::from_str(line).ok();
    let text = event
        .as_ref()
        .and_then(told)
        .unwrap_or_else(|| line.to_owned());
    let visible = text.chars().filter(|c| !c.is_control());
    visible.take(LINE_MAX).collect()
}

fn told(event: &Value) -> Option<String> {
    let (level, fields) = (event["level"].as_str()?, event["fields"].as_object()?);
    let mut text = format!("{level} {}", fields.get("message")?.as_str()?);
    for (name, value) in fields.iter().filter(|(name, _)| *name != "message") {
        let value = value
            .as_str()
            .map_or_else(|| value.to_string(), str::to_owned);
        text.push_str(&format!(" {name}={value}"));
    }
    Some(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_fifteen_lines_are_told_and_events_in_words() {
        let folder = tempfile::tempdir().unwrap();
        let log = folder.path().join("log");
        assert_eq!(lines(&log), Vec::<String>::new());
        let mut text: String = (0..40).map(|n| format!("line {n}\n")).collect();
        text.push_str(r#"{"timestamp":"t","level":"WARN","fields":{"message":"no \u001b[31mdisk","left":3},"target":"x"}"#);
        std::fs::write(&log, text).unwrap();
        let last = lines(&log);
        assert_eq!(last.len(), LINES);
        assert_eq!(last[0], "line 26");
        assert_eq!(last[LINES - 1], "WARN no [31mdisk left=3");
    }

    #[test]
    fn the_log_before_tells_what_a_new_one_does_not_yet() {
        let folder = tempfile::tempdir().unwrap();
        let log = folder.path().join("log");
        std::fs::write(own_log::before(&log), "the cause\n").unwrap();
        assert_eq!(lines(&log), ["the cause"]);
        std::fs::write(&log, "the end\n").unwrap();
        assert_eq!(lines(&log), ["the cause", "the end"]);
    }

    #[test]
    fn only_the_end_of_a_long_log_is_read() {
        let folder = tempfile::tempdir().unwrap();
        let log = folder.path().join("log");
        let text = "x".repeat(200_000) + "\nlast";
        std::fs::write(&log, text).unwrap();
        let last = lines(&log);
        assert_eq!(last[0].len(), LINE_MAX);
        assert_eq!(last[1], "last");
    }
}
