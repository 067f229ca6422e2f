//! Room on the disk that the agent writes to: a full one would keep it from writing down what tenants owe.

use nix::sys::statvfs::statvfs;

use crate::config::AgentConfig;
use crate::records::RecordError;

/// Whether as much is free as its owner wants to be kept free (`disk_reserve_bytes`, `disk_reserve_files`).
///
/// # Errors
/// [`RecordError::Full`]; [`RecordError::Io`] where the disk cannot be asked.
pub(crate) fn check_room(config: &AgentConfig) -> Result<(), RecordError> {
    let folder = &config.data_folder;
    let disk = statvfs(folder).map_err(|errno| RecordError::Io {
        path: folder.clone(),
        source: errno.into(),
    })?;
    let provided_bytes = disk.blocks_available().saturating_mul(disk.fragment_size());
    let provided_files = disk.files_available();
    let (minimum_bytes, minimum_files) = (config.disk_reserve_bytes, config.disk_reserve_files);
    // Some file systems have no such count, and say 0 of 0.
    let files_short = disk.files() > 0 && provided_files < minimum_files;
    if provided_bytes >= minimum_bytes && !files_short {
        return Ok(());
    }
    Err(RecordError::Full {
        provided_bytes,
        provided_files,
        minimum_bytes,
        minimum_files,
    })
}
