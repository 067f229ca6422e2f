//! Paths inside an image.

use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

use super::{ImageError, Limits};

/// Longest name of one file, in bytes (`NAME_MAX` of Linux).
const NAME_BYTES_MAX: usize = 255;

/// What a refusal shows of a path: bounded, and whatever the bytes are.
pub(super) fn shown(bytes: &[u8]) -> String {
    String::from_utf8_lossy(&bytes[..bytes.len().min(200)]).into_owned()
}

/// A path relative to the image's root, without `.`, `..`, doubled or trailing slashes; empty for the root itself.
///
/// # Errors
/// An absolute path, one that goes up, one longer or deeper than the limits, or one with a zero byte.
pub(super) fn normalise(bytes: &[u8], limits: &Limits) -> Result<PathBuf, ImageError> {
    if bytes.len() > limits.path_bytes_max || bytes.contains(&0) {
        return Err(ImageError::Path(shown(bytes)));
    }
    if bytes.first() == Some(&b'/') {
        return Err(ImageError::AbsolutePath(shown(bytes)));
    }
    let mut path = PathBuf::new();
    let mut depth = 0;
    for name in bytes.split(|byte| *byte == b'/') {
        match name {
            b"" | b"." => continue,
            b".." => return Err(ImageError::ParentPath(shown(bytes))),
            name if name.len() > NAME_BYTES_MAX => return Err(ImageError::Path(shown(bytes))),
            name => path.push(OsStr::from_bytes(name)),
        }
        depth += 1;
    }
    if depth > limits.path_depth_max {
        return Err(ImageError::Path(shown(bytes)));
    }
    Ok(path)
}

/// Whether the target of a symbolic link at `path` stays inside the root by its spelling. A target that starts with
/// a slash starts at the image's root, as it will for the workload.
///
/// # Errors
/// A target that goes up past the root, an empty or overlong one, or one with a zero byte.
pub(super) fn link_target(path: &Path, target: &[u8], limits: &Limits) -> Result<(), ImageError> {
    if target.is_empty() || target.len() > limits.path_bytes_max || target.contains(&0) {
        return Err(ImageError::Path(shown(target)));
    }
    let absolute = target[0] == b'/';
    let mut depth = if absolute {
        0
    } else {
        path.components().count().saturating_sub(1)
    };
    for name in target.split(|byte| *byte == b'/') {
        match name {
            b"" | b"." => {}
            b".." if depth == 0 => {
                return Err(ImageError::LinkEscapes {
                    path: shown(path.as_os_str().as_bytes()),
                    target: shown(target),
                });
            }
            b".." => depth -= 1,
            _ => depth += 1,
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use nupeer_primitives::Numbered;
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn paths_are_normalised_or_refused() {
        let limits = Limits::default();
        let deep = "d/".repeat(65);
        let long = "n".repeat(256);
        for (given, expected) in [
            ("a/b", Ok("a/b")),
            ("./a//b/", Ok("a/b")),
            (".", Ok("")),
            ("", Ok("")),
            ("a/./b", Ok("a/b")),
            ("...", Ok("...")),
            ("/etc/passwd", Err(8024)),
            ("..", Err(8025)),
            ("a/../b", Err(8025)),
            ("a\0b", Err(8026)),
            (deep.as_str(), Err(8026)),
            (long.as_str(), Err(8026)),
        ] {
            let found = normalise(given.as_bytes(), &limits).map_err(|error| error.code().0);
            assert_eq!(found, expected.map(PathBuf::from), "{given:?}");
        }
    }

    #[test]
    fn a_link_may_climb_to_the_root_and_no_higher() {
        let limits = Limits::default();
        for (path, target, stays) in [
            ("bin/sh", "busybox", true),
            ("bin/sh", "../usr/bin/sh", true),
            ("bin/sh", "../../etc/passwd", false),
            ("sh", "../etc/passwd", false),
            ("var/run", "/run", true),
            ("evil", "/../etc", false),
            ("a/b/c", "../../d/../e", true),
            ("a/b/c", "x/../../../..", false),
        ] {
            let found = link_target(Path::new(path), target.as_bytes(), &limits);
            assert_eq!(found.is_ok(), stays, "{path} -> {target}");
            if let Err(error) = found {
                assert_eq!(error.code().0, 8028);
            }
        }
    }

    proptest! {
        #[test]
        fn a_normalised_path_never_leaves_its_root(bytes in proptest::collection::vec(any::<u8>(), 0..64)) {
            if let Ok(path) = normalise(&bytes, &Limits::default()) {
                prop_assert!(path.components().all(|part| matches!(part, std::path::Component::Normal(_))));
            }
        }
    }
}
