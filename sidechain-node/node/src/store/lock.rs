//! One process per data folder.

use std::{
    fs::{File, OpenOptions, TryLockError},
    io::{Read, Write},
    path::Path,
};

use super::StoreError;

/// Held while a process works in a data folder. The kernel lets go of it when the process dies, however it dies.
#[derive(Debug)]
pub struct FolderLock {
    _file: File,
}

impl FolderLock {
    /// Takes the folder for this process; creates it where missing.
    pub fn take(folder: &Path) -> Result<FolderLock, StoreError> {
        let path = folder.join("lock");
        let failed = |source| StoreError::Io {
            path: path.clone(),
            source,
        };
        std::fs::create_dir_all(folder).map_err(failed)?;
        let mut options = OpenOptions::new();
        options.read(true).write(true).create(true).truncate(false);
        let mut file = options.open(&path).map_err(failed)?;
        match file.try_lock() {
            Ok(()) => {
                file.set_len(0).map_err(failed)?;
                write!(file, "process {}", std::process::id()).map_err(failed)?;
                Ok(FolderLock { _file: file })
            }
            Err(TryLockError::WouldBlock) => Err(StoreError::AlreadyRunning {
                folder: folder.into(),
                holder: holder(&mut file),
            }),
            Err(TryLockError::Error(source)) => Err(failed(source)),
        }
    }
}

/// What the holder wrote about itself, which may be nothing yet.
fn holder(file: &mut File) -> String {
    let mut text = String::new();
    match file.take(64).read_to_string(&mut text) {
        Ok(read) if read > 0 => text,
        _ => "another process".into(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_folder_is_taken_once_and_free_again_after() {
        let folder = tempfile::tempdir().unwrap();
        let held = FolderLock::take(folder.path()).unwrap();
        let refused = FolderLock::take(folder.path()).unwrap_err();
        let StoreError::AlreadyRunning { holder, .. } = refused else {
            panic!("{refused}")
        };
        assert_eq!(holder, format!("process {}", std::process::id()));
        drop(held);
        FolderLock::take(folder.path()).unwrap();
    }
}
