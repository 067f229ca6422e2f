//! The files of a lease's record that matter to that lease alone: each is read as it was written, or set aside.

use std::fmt;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use nix::libc::{EIO, EISDIR};
use nupeer_primitives::Numbered;

use super::{Record, RecordError};
use crate::files;
use crate::metering::Meter;

/// What the name of a file that was set aside ends with.
const ASIDE: &str = "damaged";

/// A file of a lease's record.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Part {
    /// What is to be run.
    Manifest,
    /// Which image was uploaded.
    Image,
    /// How long it ran, and what was signed for.
    Meter,
}

impl Part {
    pub(super) const fn file(self) -> &'static str {
        match self {
            Part::Manifest => "manifest.cbor",
            Part::Image => "image",
            Part::Meter => "meter.json",
        }
    }

    /// What makes it whole again.
    pub(super) const fn remedy(self) -> &'static str {
        match self {
            Part::Manifest => "its tenant uploads the manifest again",
            Part::Image => "its tenant uploads the image again",
            Part::Meter => {
                "it stands still and nothing more is signed for until the file is restored or the lease ends"
            }
        }
    }
}

impl fmt::Display for Part {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Part::Manifest => "manifest",
            Part::Image => "image",
            Part::Meter => "meter",
        })
    }
}

/// Where a file is kept for whoever wants to look at it, once it is set aside.
pub(super) fn aside(folder: &Path, file: &str) -> PathBuf {
    folder.join(format!("{file}.{ASIDE}"))
}

/// Removes a file, or the folder that stands in its place.
pub(super) fn discard(path: &Path) -> io::Result<()> {
    files::remove(path).or_else(|_| fs::remove_dir_all(path))
}

/// Whether an error is that of one file, and not of the disk or of the process.
fn is_of_one_file(error: &io::Error) -> bool {
    matches!(error.raw_os_error(), Some(EIO | EISDIR))
}

impl Record {
    /// What a file says, as `parse` understands it; `None` where there is none. Of one that is not what was written there nothing is known.
    pub(super) fn part<T>(
        &mut self,
        part: Part,
        parse: impl FnOnce(&[u8]) -> Result<T, String>,
    ) -> Result<Option<T>, RecordError> {
        let path = self.folder.join(part.file());
        let reason = match files::read(&path) {
            Ok(Some(bytes)) => match parse(&bytes) {
                Ok(value) => return Ok(Some(value)),
                Err(reason) => reason,
            },
            Ok(None) if aside(&self.folder, part.file()).exists() => {
                "it was set aside before".to_owned()
            }
            Ok(None) => return Ok(None),
            Err(error) if is_of_one_file(&error) => error.to_string(),
            Err(source) => return Err(RecordError::Io { path, source }),
        };
        self.set_aside(part, reason);
        Ok(None)
    }

    /// Takes a file for lost, and keeps it beside where it was. What it said is not known from now on.
    pub(crate) fn set_aside(&mut self, part: Part, reason: String) -> RecordError {
        let path = self.folder.join(part.file());
        if path.exists()
            && let Err(error) = fs::rename(&path, aside(&self.folder, part.file()))
        {
            tracing::warn!(path = %path.display(), %error, "a damaged file stays where it is");
        }
        match part {
            Part::Manifest => self.manifest = None,
            Part::Image => self.image = None,
            Part::Meter => self.meter = Meter::default(),
        }
        self.damaged.insert(part);
        let damaged = RecordError::Damaged { path, reason };
        let problem = self.problem(part);
        tracing::error!(code = %damaged.code(), cause = %damaged, "{}: {problem}", problem.code());
        problem
    }

    /// Notes that a file is whole again.
    pub(super) fn mend(&mut self, part: Part) {
        if self.damaged.remove(&part) {
            let _ = discard(&aside(&self.folder, part.file()));
        }
    }

    /// What is set aside, and what helps.
    pub fn problems(&self) -> Vec<RecordError> {
        let damaged = self.damaged.iter();
        damaged.map(|part| self.problem(*part)).collect()
    }

    fn problem(&self, part: Part) -> RecordError {
        RecordError::SetAside {
            lease: self.id,
            part,
            remedy: part.remedy(),
        }
    }

    /// Whether the running time is known: otherwise nothing may be signed for, since it could be less than what was.
    pub fn is_metered(&self) -> bool {
        !self.damaged.contains(&Part::Meter)
    }

    /// As [`Record::is_metered`], for who cannot go on without.
    ///
    /// # Errors
    /// [`RecordError::SetAside`].
    pub fn check_meter(&self) -> Result<(), RecordError> {
        match self.is_metered() {
            true => Ok(()),
            false => Err(self.problem(Part::Meter)),
        }
    }

    /// Begins to count anew in the place of a meter that is set aside. For a lease that never ran alone: then nothing was signed.
    ///
    /// # Errors
    /// [`RecordError::Io`].
    pub(crate) fn begin_meter(&mut self) -> Result<(), RecordError> {
        self.meter = Meter::default();
        self.write_meter()?;
        self.mend(Part::Meter);
        Ok(())
    }
}
