//! Files that may be missing, which is no error.

use std::fs;
use std::io::{self, ErrorKind};
use std::path::Path;

/// What a file says; `None` where there is none.
///
/// # Errors
/// It is there and cannot be read.
pub(crate) fn read(path: &Path) -> io::Result<Option<Vec<u8>>> {
    match fs::read(path) {
        Ok(bytes) => Ok(Some(bytes)),
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error),
    }
}

/// Removes a file, if there is one.
///
/// # Errors
/// It is there and cannot be removed.
pub(crate) fn remove(path: &Path) -> io::Result<()> {
    match fs::remove_file(path) {
        Err(error) if error.kind() != ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_missing_is_none_and_what_cannot_be_read_is_an_error() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("file");
        assert_eq!(read(&path).unwrap(), None);
        remove(&path).unwrap();
        fs::write(&path, "text").unwrap();
        assert_eq!(read(&path).unwrap(), Some(b"text".to_vec()));
        remove(&path).unwrap();
        assert!(!path.exists());
        fs::create_dir(&path).unwrap();
        assert!(read(&path).is_err());
        assert!(remove(&path).is_err());
    }
}
