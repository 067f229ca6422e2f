//! The root of a container, mounted where only its shim sees it.

use std::fs;
use std::os::unix::fs::{MetadataExt, PermissionsExt, chown};
use std::path::{Path, PathBuf};

use nix::mount::{MsFlags, mount};
use nix::sched::{CloneFlags, unshare};

use super::{Orders, Reason};

/// Files and directories that the container may make, per MiB it may write.
const INODES_PER_MIB: u64 = 256;
/// Directories that every Linux has (FHS 3.0) and that may be covered in a mount namespace of one's own.
const STAGES: [&str; 5] = ["/mnt", "/media", "/srv", "/opt", "/run"];

/// Where a root is mounted: a directory that the container's own user can reach, which an agent's private folder is not.
/// It must not cover the folders in use, of which `folder` is the top.
pub(in super::super) fn stage(folder: &Path) -> Option<PathBuf> {
    let usable = |stage: &&Path| stage.is_dir() && !folder.starts_with(stage);
    STAGES
        .map(Path::new)
        .iter()
        .find(|stage| usable(stage))
        .map(|stage| stage.to_path_buf())
}

/// The container's root on its stage.
pub(in super::super) fn root(stage: &Path) -> PathBuf {
    stage.join("root")
}

/// Enters a mount namespace of its own.
pub(super) fn separate() -> Result<(), Reason> {
    unshare(CloneFlags::CLONE_NEWNS)
        .map_err(|errno| format!("making a mount namespace: {errno}"))?;
    // The machine's later mounts and unmounts still arrive here, so that no disk stays busy because of us.
    let flags = MsFlags::MS_REC | MsFlags::MS_SLAVE;
    mount(None::<&str>, "/", None::<&str>, flags, None::<&str>)
        .map_err(|errno| format!("separating the mounts: {errno}"))
}

/// Mounts the container's root, in a mount namespace of its own.
pub(super) fn mount_root(orders: &Orders) -> Result<(), Reason> {
    scratch(orders)?;
    overlay(orders)
}

/// A filesystem in memory for what the container writes. Its pages are charged to the container's cgroup.
fn scratch(orders: &Orders) -> Result<(), Reason> {
    let inodes = (orders.scratch_bytes >> 20)
        .saturating_mul(INODES_PER_MIB)
        .max(1024);
    let options = format!("mode=0711,size={},nr_inodes={inodes}", orders.scratch_bytes);
    mount(
        Some("scratch"),
        &orders.stage,
        Some("tmpfs"),
        hardened(),
        Some(options.as_str()),
    )
    .map_err(|errno| format!("mounting the scratch filesystem: {errno}"))?;
    let preparing = |error: std::io::Error| format!("preparing the scratch filesystem: {error}");
    for name in ["upper", "work", "root"] {
        fs::create_dir(orders.stage.join(name)).map_err(preparing)?;
    }
    // The merged root takes owner and mode from the upper layer.
    let upper = orders.stage.join("upper");
    let image = fs::metadata(&orders.image_root)
        .map_err(|error| format!("looking at the image: {error}"))?;
    fs::set_permissions(&upper, fs::Permissions::from_mode(image.mode() & 0o1777))
        .map_err(preparing)?;
    chown(&upper, Some(orders.root_id), Some(orders.root_id)).map_err(preparing)
}

fn overlay(orders: &Orders) -> Result<(), Reason> {
    // The image's path must not be read as two layers or as another option (overlayfs, "Multiple lower layers").
    let lower = orders
        .image_root
        .to_string_lossy()
        .replace('\\', "\\\\")
        .replace(':', "\\:")
        .replace(',', "\\,");
    let stage = orders.stage.display();
    let options = format!("lowerdir={lower},upperdir={stage}/upper,workdir={stage}/work");
    mount(
        Some("overlay"),
        &root(&orders.stage),
        Some("overlay"),
        hardened(),
        Some(options.as_str()),
    )
    .map_err(|errno| format!("mounting the root: {errno}"))
}

/// No device and no set-user-ID program of an image has any effect, should one ever get in.
fn hardened() -> MsFlags {
    MsFlags::MS_NODEV | MsFlags::MS_NOSUID
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stage_never_covers_the_folder_in_use() {
        for folder in ["/var/lib/nupeer", "/mnt/disk/nupeer", "/mnt"] {
            let stage = stage(Path::new(folder)).unwrap();
            assert!(
                !Path::new(folder).starts_with(&stage),
                "{folder} is below {}",
                stage.display()
            );
        }
    }
}
