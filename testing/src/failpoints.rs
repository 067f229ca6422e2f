//! Failpoints by the names that the sources give them, so that no test forgets one.

use std::{fs, path::Path};

/// The names in a crate's `src` that `fail_point!`, or a crate's own `failpoint!` around it, is given, in alphabetical order, each as often as it stands there.
///
/// # Panics
/// Where the sources cannot be read.
pub fn in_sources(manifest_folder: &str) -> Vec<String> {
    let (mut found, mut open) = (Vec::new(), vec![Path::new(manifest_folder).join("src")]);
    while let Some(path) = open.pop() {
        match path.read_dir() {
            Ok(entries) => open.extend(entries.filter_map(|entry| Some(entry.ok()?.path()))),
            Err(_) => found.extend(in_text(&fs::read_to_string(&path).unwrap_or_default())),
        }
    }
    assert!(!found.is_empty(), "no failpoints below {manifest_folder}");
    found.sort();
    found
}

fn in_text(text: &str) -> Vec<String> {
    let uses = text.split("point!(\"").collect::<Vec<_>>();
    let named = uses
        .windows(2)
        .filter(|pair| pair[0].ends_with("fail_") || pair[0].ends_with("fail"));
    let names = named.filter_map(|pair| pair[1].split('"').next());
    names.map(str::to_owned).collect()
}

/// Fails unless `named` are exactly the failpoints of a crate's sources, and its README tells of each in a table.
///
/// # Panics
/// Where they differ.
pub fn assert_all_named(manifest_folder: &str, named: &[&str]) {
    let mut sorted = named.to_vec();
    sorted.sort_unstable();
    assert_eq!(in_sources(manifest_folder), sorted);
    let readme = Path::new(manifest_folder).join("README.md");
    let readme = fs::read_to_string(readme).unwrap_or_default();
    let untold: Vec<_> = named
        .iter()
        .filter(|name| !readme.contains(&format!("| `{name}` |")))
        .collect();
    assert_eq!(untold, [&""; 0], "README.md does not list these");
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_what_the_macro_is_given() {
        let text = "fail::fail_point!(\"before\"); point!(\"no\"); fail_point!(\"after\", |_| Err(())); failpoint!(\"short\");";
        assert_eq!(in_text(text), ["before", "after", "short"]);
    }
}
