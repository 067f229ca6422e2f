//! Programs for Node.js that tests run, with the libraries that their lock file names.

use std::{
    fs::{self, File},
    io,
    path::{Path, PathBuf},
    process::Command,
};

/// Copies the files of the folder `sources` to `into/NAME`, installs there what its `package-lock.json` names, once for each such file, and returns that
/// folder. Tests that run at the same time wait for one another.
///
/// # Errors
/// In words, where npm cannot be run or does not find the libraries.
pub fn installed(sources: &Path, into: &Path) -> Result<PathBuf, String> {
    let told = |error: io::Error| error.to_string();
    let name = sources.file_name().ok_or("a folder without a name")?;
    let folder = into.join(name);
    fs::create_dir_all(&folder).map_err(told)?;
    let lock = File::create(folder.join("lock")).map_err(told)?;
    lock.lock().map_err(told)?;
    for entry in fs::read_dir(sources).map_err(told)? {
        let entry = entry.map_err(told)?;
        if entry.file_type().map_err(told)?.is_file() {
            fs::copy(entry.path(), folder.join(entry.file_name())).map_err(told)?;
        }
    }
    let wanted = fs::read(folder.join("package-lock.json")).map_err(told)?;
    let stamp = folder.join("installed");
    if fs::read(&stamp).ok().as_ref() != Some(&wanted) {
        install(&folder)?;
        fs::write(&stamp, &wanted).map_err(told)?;
    }
    Ok(folder)
}

fn install(folder: &Path) -> Result<(), String> {
    let mut npm = Command::new("npm");
    npm.args(["ci", "--ignore-scripts", "--no-audit", "--no-fund"])
        .args(["--prefer-offline", "--fetch-retries=1"])
        .current_dir(folder);
    let made = npm
        .output()
        .map_err(|error| format!("npm does not run: {error}"))?;
    let said = String::from_utf8_lossy(&made.stderr);
    made.status.success().then_some(()).ok_or_else(|| {
        format!(
            "npm could not install what {} needs: {said}",
            folder.display()
        )
    })
}
