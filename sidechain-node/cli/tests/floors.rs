//! Holds the floors of the house (ARCHITECTURE.md): who may depend on whom, over what `cargo metadata` says.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::Value;

/// A crate's floor; a crate depends on lower floors, and on its own only where `SHARED` says so.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Floor {
    /// Helpers of tests, below everything, so that all may use them; nothing else is built on them.
    Testing,
    Primitives,
    Ledger,
    Core,
    Observe,
    Room,
    Runtime,
    Io,
    Console,
    Cli,
}

/// Floors whose crates may depend on one another.
const SHARED: [Floor; 1] = [Floor::Io];

/// Every folder that holds a crate, now or later. A crate that is not here has no floor, and the test says so.
const HOUSE: [(&str, Floor); 31] = [
    ("testing", Floor::Testing),
    ("core/primitives", Floor::Primitives),
    ("core/ledger", Floor::Ledger),
    ("core/lease", Floor::Core),
    ("core/outbox", Floor::Core),
    ("cardano/observe", Floor::Observe),
    ("bridge/rules", Floor::Room),
    ("ispo-tracker/rules", Floor::Room),
    ("governance-dao/rules", Floor::Room),
    ("iaas/rules", Floor::Room),
    ("paas/rules", Floor::Room),
    ("saas/rules", Floor::Room),
    ("sidechain-node/runtime", Floor::Runtime),
    ("cardano/ledger", Floor::Io),
    ("cardano/contracts", Floor::Io),
    ("cardano/client", Floor::Io),
    ("cardano/devnet", Floor::Io),
    ("bridge/relayer", Floor::Io),
    ("ispo-tracker/sources", Floor::Io),
    ("iaas/drivers", Floor::Io),
    ("paas/drivers", Floor::Io),
    ("saas/drivers", Floor::Io),
    ("provider-agent", Floor::Io),
    ("sidechain-node/consensus", Floor::Io),
    ("sidechain-node/serve", Floor::Io),
    ("sidechain-node/settings", Floor::Io),
    ("sidechain-node/node", Floor::Io),
    ("sidechain-node/client", Floor::Io),
    ("sidechain-node/console", Floor::Console),
    ("sidechain-node/cli", Floor::Cli),
    ("bench", Floor::Cli),
];

/// Names that stand at the top level of the tree.
const TOP_LEVEL: [&str; 7] = [
    "sidechain-node",
    "bridge",
    "ispo-tracker",
    "governance-dao",
    "iaas",
    "paas",
    "saas",
];

/// Crates that reach a file, a socket or a thread: no crate of rules may have one below it, however deep.
const IO_CRATES: [&str; 18] = [
    "async-std",
    "crossbeam-channel",
    "fs4",
    "hyper",
    "libcontainer",
    "libp2p",
    "mio",
    "nix",
    "pallas-network",
    "rayon",
    "rocksdb",
    "smol",
    "socket2",
    "tempfile",
    "tokio",
    "tracing-subscriber",
    "ureq",
    "warp",
];

/// Random sources and clocks: no crate of rules names one itself (libraries bring some that the rules never call).
const UNEQUAL_CRATES: [&str; 7] = [
    "chrono",
    "fastrand",
    "getrandom",
    "jiff",
    "rand",
    "rand_chacha",
    "time",
];

fn workspace_root() -> PathBuf {
    let cli = Path::new(env!("CARGO_MANIFEST_DIR"));
    cli.ancestors()
        .nth(2)
        .expect("sidechain-node/cli is two levels deep")
        .to_path_buf()
}

/// What the workspace's crates depend on, as Cargo resolved it; packages by id.
struct House {
    name: BTreeMap<String, String>,
    /// Folder of each workspace member, relative to the root, by package id.
    members: BTreeMap<String, String>,
    /// Packages that a package is built from, tests left out.
    builds_on: BTreeMap<String, BTreeSet<String>>,
    /// As `builds_on`, with what its tests use.
    uses: BTreeMap<String, BTreeSet<String>>,
}

impl House {
    fn read() -> Self {
        let root = workspace_root();
        let output = Command::new(env!("CARGO"))
            .args(["metadata", "--format-version", "1", "--offline"])
            .args(["--filter-platform", "x86_64-unknown-linux-gnu"])
            .current_dir(&root)
            .output()
            .expect("cargo runs");
        assert!(
            output.status.success(),
            "cargo metadata: {}",
            String::from_utf8_lossy(&output.stderr)
        );
        let metadata: Value =
            serde_json::from_slice(&output.stdout).expect("cargo metadata prints JSON");
        Self::from_metadata(&metadata, &root)
    }

    fn from_metadata(metadata: &Value, root: &Path) -> Self {
        let workspace: BTreeSet<String> = list(&metadata["workspace_members"]).map(text).collect();
        let mut house = Self {
            name: BTreeMap::new(),
            members: BTreeMap::new(),
            builds_on: BTreeMap::new(),
            uses: BTreeMap::new(),
        };
        for package in list(&metadata["packages"]) {
            let id = text(&package["id"]);
            if workspace.contains(&id) {
                house
                    .members
                    .insert(id.clone(), folder(&text(&package["manifest_path"]), root));
            }
            house.name.insert(id, text(&package["name"]));
        }
        for node in list(&metadata["resolve"]["nodes"]) {
            let id = text(&node["id"]);
            for dependency in list(&node["deps"]) {
                let target = text(&dependency["pkg"]);
                let kinds: Vec<&Value> = list(&dependency["dep_kinds"])
                    .map(|kind| &kind["kind"])
                    .collect();
                if kinds.iter().any(|kind| kind.is_null()) {
                    house
                        .builds_on
                        .entry(id.clone())
                        .or_default()
                        .insert(target.clone());
                }
                house.uses.entry(id.clone()).or_default().insert(target);
            }
        }
        house
    }

    fn floor(&self, id: &str) -> Option<Floor> {
        let folder = self.members.get(id)?;
        HOUSE
            .iter()
            .find(|(path, _)| path == folder)
            .map(|(_, floor)| *floor)
    }

    /// Every package below `id`, with the chain of names that leads there.
    fn below(&self, id: &str) -> BTreeMap<String, Vec<String>> {
        let mut found = BTreeMap::new();
        let mut open = vec![(id.to_owned(), vec![self.name[id].clone()])];
        while let Some((at, chain)) = open.pop() {
            for next in self.builds_on.get(&at).into_iter().flatten() {
                if found.contains_key(next) {
                    continue;
                }
                let mut chain = chain.clone();
                chain.push(self.name[next].clone());
                found.insert(next.clone(), chain.clone());
                open.push((next.clone(), chain));
            }
        }
        found
    }

    fn rules(&self) -> impl Iterator<Item = &String> {
        self.members.keys().filter(|id| {
            let floor = self.floor(id);
            floor.is_some_and(|floor| (Floor::Primitives..=Floor::Runtime).contains(&floor))
        })
    }
}

fn list(value: &Value) -> impl Iterator<Item = &Value> {
    value.as_array().into_iter().flatten()
}

fn text(value: &Value) -> String {
    value.as_str().expect("a string").to_owned()
}

fn folder(manifest: &str, root: &Path) -> String {
    let folder = Path::new(manifest)
        .parent()
        .expect("a manifest lies in a folder");
    folder
        .strip_prefix(root)
        .expect("members lie in the workspace")
        .display()
        .to_string()
}

/// Whether a crate on floor `from` may depend on one on floor `to`.
fn may_depend(from: Floor, to: Floor) -> bool {
    to < from || (to == from && SHARED.contains(&from))
}

#[test]
fn every_crate_has_a_floor() {
    let house = House::read();
    assert!(!house.members.is_empty(), "cargo metadata names no member");
    let homeless: Vec<&String> = house
        .members
        .iter()
        .filter(|(id, _)| house.floor(id).is_none())
        .map(|(_, path)| path)
        .collect();
    assert_eq!(
        homeless,
        Vec::<&String>::new(),
        "give these crates a floor in HOUSE"
    );
}

#[test]
fn nobody_depends_upwards_or_sideways() {
    let house = House::read();
    let mut faults = Vec::new();
    for (id, folder) in &house.members {
        for target in house.uses.get(id).into_iter().flatten() {
            if let (Some(from), Some(to)) = (house.floor(id), house.floor(target))
                && !may_depend(from, to)
            {
                faults.push(format!(
                    "{folder} ({from:?}) depends on {} ({to:?})",
                    house.members[target]
                ));
            }
        }
    }
    assert_eq!(
        faults,
        Vec::<String>::new(),
        "dependencies point down the floors"
    );
}

#[test]
fn what_tests_need_is_built_into_nothing_but_tests_and_bench() {
    let house = House::read();
    let is_for_tests = |id: &String| house.floor(id) == Some(Floor::Testing);
    let built_on_it: Vec<&str> = house
        .members
        .iter()
        .filter(|(id, _)| {
            house
                .builds_on
                .get(*id)
                .into_iter()
                .flatten()
                .any(is_for_tests)
        })
        .map(|(_, folder)| folder.as_str())
        .collect();
    assert_eq!(built_on_it, ["bench"]);
}

#[test]
fn rooms_never_import_one_another() {
    assert!(!may_depend(Floor::Room, Floor::Room));
    assert!(!may_depend(Floor::Room, Floor::Runtime));
    assert!(may_depend(Floor::Runtime, Floor::Room));
}

#[test]
fn rules_stand_on_no_crate_that_does_io() {
    let house = House::read();
    let mut faults = Vec::new();
    for id in house.rules() {
        for (below, chain) in house.below(id) {
            if IO_CRATES.contains(&house.name[&below].as_str()) {
                faults.push(chain.join(" -> "));
            }
        }
    }
    assert_eq!(
        faults,
        Vec::<String>::new(),
        "rules compute from their inputs alone"
    );
}

#[test]
fn rules_name_no_random_source_and_no_clock() {
    let house = House::read();
    let mut faults = Vec::new();
    for id in house.rules() {
        for below in house.builds_on.get(id).into_iter().flatten() {
            if UNEQUAL_CRATES.contains(&house.name[below].as_str()) {
                faults.push(format!("{} -> {}", house.name[id], house.name[below]));
            }
        }
    }
    assert_eq!(
        faults,
        Vec::<String>::new(),
        "two validators must compute alike"
    );
}

#[test]
fn malachite_is_seen_by_the_consensus_crate_alone() {
    let house = House::read();
    let is_malachite = |id: &String| house.name[id].starts_with("arc-malachitebft-");
    let sees: Vec<&str> = house
        .members
        .iter()
        .filter(|(id, _)| house.uses.get(*id).into_iter().flatten().any(is_malachite))
        .map(|(_, folder)| folder.as_str())
        .collect();
    assert_eq!(
        sees,
        ["sidechain-node/consensus"],
        "it calls itself alpha: one crate changes with it"
    );
}

#[test]
fn the_seven_names_stand_at_top_level() {
    let root = workspace_root();
    let missing: Vec<&&str> = TOP_LEVEL
        .iter()
        .filter(|name| !root.join(name).is_dir())
        .collect();
    assert_eq!(missing, Vec::<&&str>::new());
}
