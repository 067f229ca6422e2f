//! Holds what keeps the tree easy to read: short files, a README in each crate, one list of lints for the rules, and no trace of anybody's
//! machine.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

/// The longest a source file may be, in lines: beyond it lie two rooms.
const LINES_MAX: usize = 600;

/// Folders that hold no source of ours.
const SKIPPED: [&str; 6] = [
    ".git",
    "target",
    "node_modules",
    "build",
    "corpus",
    "proptest-regressions",
];

/// Folders of the root that demo and cluster leave.
const LEFT: [&str; 2] = ["demo", "cluster"];

/// Endings of what people read and write.
const SOURCES: [&str; 11] = [
    "rs", "ak", "toml", "md", "sh", "js", "mjs", "json", "html", "css", "yaml",
];

fn workspace_root() -> PathBuf {
    let cli = Path::new(env!("CARGO_MANIFEST_DIR"));
    cli.ancestors()
        .nth(2)
        .expect("sidechain-node/cli is two levels deep")
        .to_path_buf()
}

/// Every file of ours below `folder`.
fn files(folder: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).expect("a readable folder") {
        let entry = entry.expect("a readable entry");
        let name = entry.file_name();
        let kind = entry.file_type().expect("a file type");
        let name = name.to_string_lossy();
        let is_left = LEFT.contains(&name.as_ref()) && folder == workspace_root();
        if kind.is_dir() && !is_left && !SKIPPED.contains(&name.as_ref()) {
            found.extend(files(&entry.path()));
        } else if kind.is_file() {
            found.push(entry.path());
        }
    }
    found.sort();
    found
}

/// Path relative to the root and text of every source file.
fn sources() -> Vec<(String, String)> {
    let root = workspace_root();
    let named = ["Makefile", "run", "LICENSE", "NOTICE"];
    let wanted = |path: &PathBuf| {
        let ending = path
            .extension()
            .map(|ending| ending.to_string_lossy().into_owned());
        let name = path
            .file_name()
            .map(|name| name.to_string_lossy().into_owned());
        ending.is_some_and(|ending| SOURCES.contains(&ending.as_str()))
            || name.is_some_and(|name| named.contains(&name.as_str()))
    };
    let relative = |path: &Path| {
        path.strip_prefix(&root)
            .expect("below the root")
            .display()
            .to_string()
    };
    let found: Vec<(String, String)> = files(&root)
        .iter()
        .filter(|path| wanted(path))
        .filter_map(|path| Some((relative(path), fs::read_to_string(path).ok()?)))
        .collect();
    assert!(
        found.len() > 30,
        "the tree was not read: {} files",
        found.len()
    );
    found
}

/// Folders of the workspace's crates, relative to the root.
fn crates() -> Vec<String> {
    let manifests = sources()
        .into_iter()
        .filter(|(path, text)| path.ends_with("/Cargo.toml") && text.contains("[package]"));
    manifests
        .map(|(path, _)| path.trim_end_matches("/Cargo.toml").to_owned())
        .collect()
}

#[test]
fn no_source_file_is_over_600_lines() {
    let endings = [".rs", ".ak", ".sh", ".js", ".mjs", ".html", ".css"];
    let long: Vec<String> = sources()
        .iter()
        .filter(|(path, _)| endings.iter().any(|ending| path.ends_with(ending)))
        .map(|(path, text)| (path, text.lines().count()))
        .filter(|(_, lines)| *lines > LINES_MAX)
        .map(|(path, lines)| format!("{path}: {lines}"))
        .collect();
    assert_eq!(
        long,
        Vec::<String>::new(),
        "part these files by verb or rule"
    );
}

#[test]
fn every_crate_and_every_room_has_a_readme() {
    let root = workspace_root();
    let unbuilt = [
        "ispo-tracker",
        "governance-dao",
        "iaas",
        "saas",
        "sidechain-node/console",
    ]
    .map(str::to_owned);
    let silent: Vec<String> = crates()
        .into_iter()
        .chain(unbuilt)
        .filter(|folder| !root.join(folder).join("README.md").is_file())
        .collect();
    assert_eq!(
        silent,
        Vec::<String>::new(),
        "say what these folders own, and what not"
    );
}

#[test]
fn crates_of_rules_share_one_list_of_lints() {
    let root = workspace_root();
    let strict = fs::read_to_string(root.join("core/clippy.toml")).expect("core/clippy.toml");
    let outside_core = ["cardano/observe", "sidechain-node/runtime"].map(str::to_owned);
    let rooms = crates()
        .into_iter()
        .filter(|folder| folder.ends_with("/rules"));
    let loose: Vec<String> = rooms
        .chain(outside_core)
        .filter(|folder| {
            fs::read_to_string(root.join(folder).join("clippy.toml"))
                .ok()
                .as_ref()
                != Some(&strict)
        })
        .collect();
    assert_eq!(
        loose,
        Vec::<String>::new(),
        "link clippy.toml of these crates to core/clippy.toml"
    );
}

#[test]
fn nothing_names_somebodys_machine() {
    // Written in halves, so that this file does not name them either.
    let traces = [
        concat!("/wo", "rk/"),
        concat!("/ro", "ot/"),
        concat!("/tmp/", "brief"),
        concat!("crates", ".io"),
        concat!("registry", ".npmjs"),
        concat!("pypi", ".org"),
        concat!("deb", ".debian"),
    ];
    let mut faults = Vec::new();
    for (path, text) in sources() {
        for (number, line) in text.lines().enumerate() {
            for trace in traces.iter().filter(|trace| line.contains(**trace)) {
                faults.push(format!("{path}:{}: {trace}", number + 1));
            }
        }
    }
    assert_eq!(faults, Vec::<String>::new());
}

/// Every way to write out the first `{one,other}` of a name, and of what is left.
fn written_out(name: &str) -> Vec<String> {
    let parts = name
        .split_once('{')
        .and_then(|(before, rest)| Some((before, rest.split_once('}')?)));
    let Some((before, (choices, after))) = parts else {
        return vec![name.to_owned()];
    };
    let each = choices.split(',');
    each.flat_map(|choice| written_out(&format!("{before}{choice}{after}")))
        .collect()
}

/// The files and folders of ours that a text names: sources by their endings, folders by the first one on their way.
fn named_paths(text: &str, tops: &BTreeSet<String>) -> Vec<String> {
    let words = text.split(|c: char| c.is_whitespace() || "`()\"|;→".contains(c));
    let mut found = Vec::new();
    for name in words.flat_map(written_out) {
        let name = name.split("::").next().unwrap_or_default();
        let name = name.trim_matches([',', '.', ':', '*', '?', '!']);
        let name = name.trim_end_matches('/');
        let is_plain = |c: char| c.is_ascii_alphanumeric() || "_-./".contains(c);
        let is_source = [".rs", ".md", ".sh", ".ak", ".mjs"]
            .iter()
            .any(|ending| name.len() > ending.len() && name.ends_with(ending));
        let mut steps = name.split('/');
        let is_below = steps.next().is_some_and(|first| tops.contains(first));
        // `iaas/paas/saas` are three rooms.
        let is_folder =
            is_below && steps.clone().next().is_some() && !steps.all(|s| tops.contains(s));
        if (is_source || is_folder) && !name.starts_with('/') && name.chars().all(is_plain) {
            found.push(name.to_owned());
        }
    }
    found
}

#[test]
fn every_path_that_the_documents_name_exists() {
    let root = workspace_root();
    let mut there = BTreeSet::new();
    for file in files(&root) {
        let below = file.strip_prefix(&root).expect("below the root");
        there.extend(below.ancestors().map(|path| path.display().to_string()));
    }
    let tops = there.iter().filter(|path| root.join(path).is_dir());
    let tops: BTreeSet<String> = tops.filter(|path| !path.contains('/')).cloned().collect();
    // What is named may leave away the beginning of its way: `runtime/src/tree.rs`, `tree.rs`.
    let ends: BTreeSet<&str> = there
        .iter()
        .flat_map(|path| path.match_indices('/').map(move |(at, _)| &path[at + 1..]))
        .collect();
    // A decision is named by its number, too.
    let numbered = |name: &str| {
        let begins = format!("{name}-");
        name.starts_with("docs/decisions/") && there.iter().any(|path| path.starts_with(&begins))
    };
    let (mut named, mut missing) = (0, Vec::new());
    for (path, text) in sources() {
        let is_read = path.ends_with(".md") && path != "CHANGELOG.md";
        for name in named_paths(&text, &tops).into_iter().filter(|_| is_read) {
            named += 1;
            if !there.contains(&name) && !ends.contains(name.as_str()) && !numbered(&name) {
                missing.push(format!("{path}: {name}"));
            }
        }
    }
    assert!(named > 500, "the documents were not read: {named} paths");
    assert_eq!(missing, Vec::<String>::new());
}

#[test]
fn paths_are_found_however_they_are_written() {
    let tops = BTreeSet::from(["core", "iaas", "paas"].map(str::to_owned));
    let text = "core/{lease,outbox} and `execute.rs::check`, (`runtime/src/tree.rs`); iaas/paas, `/v1/status`, a.json: core/primitives/.";
    assert_eq!(
        named_paths(text, &tops),
        [
            "core/lease",
            "core/outbox",
            "execute.rs",
            "runtime/src/tree.rs",
            "core/primitives"
        ]
    );
}

/// Features in a list of TOML, or separated by commas.
fn features(text: &str) -> BTreeSet<String> {
    let names = text.split(|c: char| !c.is_ascii_alphanumeric() && c != '-' && c != '_');
    let names = names.filter(|name| !name.is_empty());
    names.map(str::to_owned).collect()
}

/// Otherwise `make test` compiles again what `make demo` has compiled (docs/decisions/002-one-build-profile.md).
#[test]
fn make_build_asks_for_every_feature_that_a_crate_asks_of_itself_in_tests() {
    let makefile = fs::read_to_string(workspace_root().join("Makefile")).expect("a Makefile");
    let asked = makefile
        .lines()
        .find_map(|line| line.strip_prefix("\tcargo build --workspace --features "));
    let asked = features(asked.expect("make build names features"));
    let mut in_tests = BTreeSet::new();
    for (path, text) in sources() {
        let of_itself = text.lines().filter(|line| line.contains("path = \".\""));
        for line in of_itself.filter(|_| path.ends_with("Cargo.toml")) {
            let (_, list) = line.split_once("features = [").expect("features");
            in_tests.extend(features(list));
        }
    }
    assert_eq!(asked, in_tests);
}
