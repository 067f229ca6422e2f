//! What needs the Aiken compiler: the committed blueprints are those of the sources, its tests pass, and our way of
//! applying parameters is its own. Where the compiler is not at hand `scripts/test.sh` leaves these tests out; run all the same, they fail.

use std::{
    env,
    ffi::OsStr,
    fs,
    path::{Path, PathBuf},
    process::Command,
};

use nupeer_contracts::{Blueprint, Validator};
use nupeer_outbox::OutputReference;
use nupeer_primitives::{Hash, plutus::Data};
use serde_json::Value as Json;
use tempfile::TempDir;

/// The version whose output is committed.
const VERSION: &str = "v1.1.24";

/// `../shared/tools/aiken` beside the workspace, else `aiken` on the PATH, if it is the right version.
fn found() -> Option<PathBuf> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).ancestors().nth(2)?;
    let beside = root.join("../shared/tools/aiken");
    let on_path = env::split_paths(&env::var_os("PATH")?)
        .map(|folder| folder.join("aiken"))
        .collect::<Vec<_>>();
    let found = [beside]
        .into_iter()
        .chain(on_path)
        .find(|path| path.is_file())?;
    let said = Command::new(&found).arg("--version").output().ok()?.stdout;
    let said = String::from_utf8_lossy(&said).into_owned();
    said.contains(VERSION).then_some(found)
}

fn aiken() -> PathBuf {
    found().unwrap_or_else(|| {
        panic!(
            "no Aiken {VERSION} in ../shared/tools or on the PATH: scripts/test.sh leaves needs_aiken:: out then"
        )
    })
}

/// The compiler and a copy of the project to work in.
fn project() -> (PathBuf, TempDir) {
    let aiken = aiken();
    let copy = tempfile::tempdir().expect("a folder");
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    for name in ["aiken.toml", "aiken.lock"] {
        fs::copy(root.join(name), copy.path().join(name)).expect("copied");
    }
    for (path, text) in crate::codes::sources() {
        let target = copy
            .path()
            .join(path.strip_prefix(root).expect("below the root"));
        fs::create_dir_all(target.parent().expect("a folder")).expect("made");
        fs::write(target, text).expect("written");
    }
    (aiken, copy)
}

fn run<I: AsRef<OsStr>>(
    aiken: &Path,
    folder: &Path,
    arguments: impl IntoIterator<Item = I>,
) -> Vec<u8> {
    let output = Command::new(aiken)
        .args(arguments)
        .current_dir(folder)
        .output()
        .expect("aiken runs");
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(
        output.status.success(),
        "{said}\n{}",
        String::from_utf8_lossy(&output.stdout)
    );
    output.stdout
}

fn validators(json: &str) -> Json {
    let mut blueprint: Json = serde_json::from_str(json).expect("JSON");
    // The preamble names the build of the compiler, which may differ where its output does not.
    blueprint["preamble"] = Json::Null;
    blueprint
}

#[test]
fn the_committed_blueprints_are_what_the_compiler_makes() {
    let (aiken, folder) = project();
    run(&aiken, folder.path(), ["build", "--deny"]);
    run(
        &aiken,
        folder.path(),
        [
            "build",
            "--deny",
            "-t",
            "verbose",
            "-f",
            "user-defined",
            "-o",
            "plutus.debug.json",
        ],
    );
    for (name, committed) in [
        ("plutus.json", include_str!("../../plutus.json")),
        ("plutus.debug.json", include_str!("../../plutus.debug.json")),
    ] {
        let built = fs::read_to_string(folder.path().join(name)).expect("built");
        assert_eq!(
            validators(&built),
            validators(committed),
            "{name}: run make contracts ARGS=--write"
        );
    }
}

#[test]
fn the_aiken_tests_pass() {
    let (aiken, folder) = project();
    let said = run(
        &aiken,
        folder.path(),
        ["check", "--deny", "-f", "user-defined"],
    );
    let said: Json = serde_json::from_slice(&said).expect("JSON");
    let total = said["summary"]["total"].as_u64().expect("a number");
    assert!(total >= 20 && said["summary"]["failed"] == 0, "{said:#}");
}

#[test]
fn the_sources_are_formatted() {
    let (aiken, folder) = project();
    run(&aiken, folder.path(), ["fmt", "--check"]);
}

#[test]
fn parameters_are_applied_as_the_compiler_applies_them() {
    let (aiken, folder) = project();
    let seed = OutputReference {
        transaction_id: Hash([0xa5; 32]),
        index: 300,
    };
    for (validator, parameters) in [
        (
            Validator::Genesis,
            vec![seed.to_data(), Data::Int(764_824_073)],
        ),
        (
            Validator::Head,
            vec![
                Data::bytes([1; 28]),
                Data::bytes([2; 28]),
                Data::bytes([3; 28]),
                Data::Int(1),
            ],
        ),
        (
            Validator::Vault,
            (1..=4).map(|byte| Data::bytes([byte; 28])).collect(),
        ),
        (Validator::Deposit, vec![Data::bytes([1; 28])]),
    ] {
        fs::write(
            folder.path().join("applied.json"),
            include_str!("../../plutus.json"),
        )
        .expect("written");
        let (module, name) = validator
            .title()
            .split_once('.')
            .expect("a module and a name");
        for parameter in &parameters {
            let cbor = hex::encode(parameter.to_cbor());
            let files = [
                "-i",
                "applied.json",
                "-o",
                "applied.json",
                "-m",
                module,
                "-v",
                name,
            ];
            let arguments = ["blueprint", "apply"]
                .into_iter()
                .chain(files)
                .chain([cbor.as_str()]);
            run(&aiken, folder.path(), arguments);
        }
        let theirs = fs::read_to_string(folder.path().join("applied.json")).expect("applied");
        let theirs = Blueprint::parse(&theirs).expect("a blueprint");
        let ours = Blueprint::embedded()
            .expect("the blueprint")
            .script(validator)
            .apply(&parameters);
        assert_eq!(
            ours.as_ref(),
            Ok(theirs.script(validator)),
            "{}",
            validator.title()
        );
    }
}
