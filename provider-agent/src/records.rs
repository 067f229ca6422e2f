//! What the agent keeps of each lease on disk: what the tenant uploaded, and the meter. Everything else it knows from the chain and the kernel.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::{self, File};
use std::io::{self, ErrorKind, Write};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use nupeer_lease::LeaseId;
use nupeer_paas::ContainerSpec;
use nupeer_paas_drivers::image::{ImageDigest, ImageError};
use nupeer_primitives::{Code, Hash, Numbered};

use crate::files;
use crate::metering::Meter;

mod part;

pub use part::Part;

const PORT: &str = "port";
/// What the folder of a record that is being forgotten begins with.
const DYING: &str = "forgotten-";

/// Why a record could not be read or written. The numbers are NP8062, NP8063, NP8067 and NP8088.
#[derive(Debug, thiserror::Error)]
pub enum RecordError {
    /// The disk failed.
    #[error("{}: {source}", path.display())]
    Io {
        /// Which file.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// Not what the agent wrote there.
    #[error("{} is not what was written there: {reason}", path.display())]
    Damaged {
        /// Which file.
        path: PathBuf,
        /// What is wrong with it.
        reason: String,
    },
    /// What is kept of one lease was damaged; the others go on.
    #[error("the {part} kept of lease {lease} is damaged and set aside: {remedy}")]
    SetAside {
        /// Which lease.
        lease: LeaseId,
        /// What of it.
        part: Part,
        /// What makes it whole again.
        remedy: &'static str,
    },
    /// The disk is as full as its owner lets it be.
    #[error(
        "the machine's disk has {provided_bytes} bytes and {provided_files} files free, of which {minimum_bytes} (disk_reserve_bytes) and {minimum_files} (disk_reserve_files) are kept free"
    )]
    Full {
        /// Bytes that are free.
        provided_bytes: u64,
        /// Files that can still be made.
        provided_files: u64,
        /// Bytes that stay free.
        minimum_bytes: u64,
        /// Files that stay free.
        minimum_files: u64,
    },
}

impl Numbered for RecordError {
    fn code(&self) -> Code {
        Code(match self {
            RecordError::Io { .. } => 8062,
            RecordError::Damaged { .. } => 8063,
            RecordError::SetAside { .. } => 8067,
            RecordError::Full { .. } => 8088,
        })
    }
}

/// One lease's record.
#[derive(Debug)]
pub struct Record {
    id: LeaseId,
    folder: PathBuf,
    /// What the tenant wants to run; it was checked against the lease.
    pub manifest: Option<ContainerSpec>,
    /// The image that this tenant uploaded for this lease.
    pub image: Option<ImageDigest>,
    /// How long it ran.
    pub meter: Meter,
    /// The port that was published last; 0 before the first.
    pub port: u16,
    /// What was damaged: what it said is not known.
    damaged: BTreeSet<Part>,
    /// Whether the meter's file is older than the meter, because writing it failed.
    unsaved: bool,
}

impl Record {
    fn new(id: LeaseId, folder: PathBuf) -> Self {
        Record {
            id,
            folder,
            manifest: None,
            image: None,
            meter: Meter::default(),
            port: 0,
            damaged: BTreeSet::new(),
            unsaved: false,
        }
    }

    /// Keeps the manifest.
    ///
    /// # Errors
    /// [`RecordError::Io`].
    pub fn set_manifest(&mut self, spec: ContainerSpec) -> Result<(), RecordError> {
        write(&self.folder, Part::Manifest.file(), &spec.to_bytes())?;
        self.manifest = Some(spec);
        self.mend(Part::Manifest);
        Ok(())
    }

    /// Notes that the image is there.
    ///
    /// # Errors
    /// [`RecordError::Io`].
    pub fn set_image(&mut self, image: ImageDigest) -> Result<(), RecordError> {
        let digest = image.to_string();
        write(&self.folder, Part::Image.file(), digest.as_bytes())?;
        self.image = Some(image);
        self.mend(Part::Image);
        Ok(())
    }

    /// Notes which port is published, so that the next proxy asks for the same.
    ///
    /// # Errors
    /// [`RecordError::Io`].
    pub fn set_port(&mut self, port: u16) -> Result<(), RecordError> {
        if self.port != port {
            write(&self.folder, PORT, port.to_string().as_bytes())?;
            self.port = port;
        }
        Ok(())
    }

    /// Keeps the meter as it is now; it is on the disk when this returns.
    ///
    /// # Errors
    /// [`RecordError::Io`]; [`RecordError::SetAside`] where what it counted before is not known.
    pub fn save_meter(&mut self) -> Result<(), RecordError> {
        self.check_meter()?;
        self.write_meter()
    }

    /// Keeps the meter where it `must` be, or where that failed the last time: what is only in memory is not kept because it stays the same.
    ///
    /// # Errors
    /// As [`Record::save_meter`].
    pub(crate) fn save_meter_if(&mut self, must: bool) -> Result<(), RecordError> {
        match must || self.unsaved {
            true => self.save_meter(),
            false => Ok(()),
        }
    }

    fn write_meter(&mut self) -> Result<(), RecordError> {
        self.unsaved = true;
        let file = Part::Meter.file();
        let failed = |error: serde_json::Error| RecordError::Io {
            path: self.folder.join(file),
            source: error.into(),
        };
        let json = serde_json::to_vec(&self.meter).map_err(failed)?;
        write(&self.folder, file, &json)?;
        self.unsaved = false;
        Ok(())
    }

    fn read(id: LeaseId, folder: PathBuf) -> Result<Self, RecordError> {
        let mut record = Record::new(id, folder);
        record.manifest = record.part(Part::Manifest, |bytes| {
            ContainerSpec::from_bytes(bytes).map_err(|error| error.to_string())
        })?;
        record.image = record.part(Part::Image, |bytes| {
            let digest = std::str::from_utf8(bytes).map_err(|error| error.to_string())?;
            let parsed: Result<ImageDigest, ImageError> = digest.parse();
            parsed.map_err(|error| error.to_string())
        })?;
        let meter = record.part(Part::Meter, |bytes| {
            serde_json::from_slice(bytes).map_err(|error| error.to_string())
        })?;
        record.meter = meter.unwrap_or_default();
        record.port = record.read_port();
        Ok(record)
    }

    /// Only a wish: what is no port goes, and the kernel gives another, which is written down.
    fn read_port(&self) -> u16 {
        let path = self.folder.join(PORT);
        let digits = match files::read(&path) {
            Ok(None) => return 0,
            read => read.ok().flatten(),
        };
        let port = digits.and_then(|digits| String::from_utf8(digits).ok()?.parse().ok());
        port.unwrap_or_else(|| {
            tracing::warn!(path = %path.display(), "this is no port; another is published");
            let _ = part::discard(&path);
            0
        })
    }
}

/// All leases' records.
#[derive(Debug)]
pub struct Records {
    folder: PathBuf,
    open: Mutex<BTreeMap<LeaseId, Arc<Mutex<Record>>>>,
}

impl Records {
    /// Reads all records in `folder`, which is made where it is missing.
    ///
    /// # Errors
    /// The disk failed. What is damaged of one lease is set aside ([`Records::problems`]): a meter that is forgotten could sign backwards.
    pub fn open(folder: &Path) -> Result<Self, RecordError> {
        let failed = |source| RecordError::Io {
            path: folder.into(),
            source,
        };
        fs::create_dir_all(folder).map_err(failed)?;
        let mut open = BTreeMap::new();
        for entry in fs::read_dir(folder).map_err(failed)? {
            let entry = entry.map_err(failed)?;
            let name = entry.file_name();
            let name = name.to_str().unwrap_or_default();
            if name.starts_with(DYING) {
                sweep(&entry.path())?;
            }
            if let Ok(id) = name.parse::<Hash>().map(LeaseId) {
                let record = Record::read(id, entry.path())?;
                open.insert(id, Arc::new(Mutex::new(record)));
            }
        }
        Ok(Records {
            folder: folder.into(),
            open: Mutex::new(open),
        })
    }

    /// The record of a lease, a new one where there is none.
    ///
    /// # Errors
    /// [`RecordError::Io`].
    pub fn of(&self, id: &LeaseId) -> Result<Arc<Mutex<Record>>, RecordError> {
        let mut open = hold(&self.open);
        if let Some(record) = open.get(id) {
            return Ok(record.clone());
        }
        let folder = self.folder.join(id.to_string());
        fs::create_dir_all(&folder).map_err(|source| RecordError::Io {
            path: folder.clone(),
            source,
        })?;
        fail::fail_point!("record-begun");
        let record = Arc::new(Mutex::new(Record::new(*id, folder)));
        open.insert(*id, record.clone());
        Ok(record)
    }

    /// The record of a lease, if there is one.
    pub fn get(&self, id: &LeaseId) -> Option<Arc<Mutex<Record>>> {
        hold(&self.open).get(id).cloned()
    }

    /// The leases with a record.
    pub fn ids(&self) -> Vec<LeaseId> {
        hold(&self.open).keys().copied().collect()
    }

    /// The images that some lease still needs.
    pub fn images(&self) -> Vec<ImageDigest> {
        let records: Vec<_> = hold(&self.open).values().cloned().collect();
        let images = records.iter().filter_map(|record| hold(record).image);
        images.collect()
    }

    /// What is set aside of any lease.
    pub fn problems(&self) -> Vec<(LeaseId, RecordError)> {
        let records: Vec<_> = hold(&self.open).values().cloned().collect();
        let of = |record: &Arc<Mutex<Record>>| {
            let record = hold(record);
            let problems = record.problems().into_iter();
            problems
                .map(|problem| (record.id, problem))
                .collect::<Vec<_>>()
        };
        records.iter().flat_map(of).collect()
    }

    /// Forgets a lease's uploads and keeps its meter, which is evidence.
    ///
    /// # Errors
    /// [`RecordError::Io`].
    pub fn drop_uploads(&self, id: &LeaseId) -> Result<(), RecordError> {
        let Some(record) = self.get(id) else {
            return Ok(());
        };
        let mut record = hold(&record);
        for name in [Part::Manifest.file(), Part::Image.file(), PORT] {
            fail::fail_point!("record-dropping");
            for path in [record.folder.join(name), part::aside(&record.folder, name)] {
                part::discard(&path).map_err(|source| RecordError::Io { path, source })?;
            }
        }
        record.manifest = None;
        record.image = None;
        record.port = 0;
        record
            .damaged
            .retain(|part| !matches!(part, Part::Manifest | Part::Image));
        Ok(())
    }

    /// Forgets a lease.
    ///
    /// # Errors
    /// [`RecordError::Io`].
    pub fn forget(&self, id: &LeaseId) -> Result<(), RecordError> {
        let folder = self.folder.join(id.to_string());
        let dying = self.folder.join(format!("{DYING}{id}"));
        // Renamed first: a record without half of its files would be another record.
        fail::fail_point!("record-before-forgetting");
        match fs::rename(&folder, &dying) {
            Err(source) if source.kind() != ErrorKind::NotFound => {
                let path = folder;
                return Err(RecordError::Io { path, source });
            }
            _ => {}
        }
        fail::fail_point!("record-dying");
        sweep(&dying)?;
        hold(&self.open).remove(id);
        Ok(())
    }
}

/// A lock whose data is whole even where a holder panicked: every change is one assignment.
pub(crate) fn hold<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

fn sweep(folder: &Path) -> Result<(), RecordError> {
    match fs::remove_dir_all(folder) {
        Err(source) if source.kind() != ErrorKind::NotFound => Err(RecordError::Io {
            path: folder.into(),
            source,
        }),
        _ => Ok(()),
    }
}

/// The old content or the new one, whatever happens, and the new one once this returns.
pub(crate) fn write(folder: &Path, name: &str, bytes: &[u8]) -> Result<(), RecordError> {
    let path = folder.join(name);
    let unfinished = folder.join(format!("{name}.unfinished"));
    let written = File::create(&unfinished).and_then(|mut file| {
        fail::fail_point!("record-before-write");
        file.write_all(bytes)?;
        file.sync_all()?;
        fail::fail_point!("record-written");
        fs::rename(&unfinished, &path)?;
        fail::fail_point!("record-renamed");
        File::open(folder)?.sync_all()
    });
    written.map_err(|source| RecordError::Io { path, source })
}

#[cfg(test)]
mod tests;
