//! What the agent keeps of each lease on disk: what the tenant uploaded, and the meter. Everything else it knows from the chain and the kernel.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::{self, ErrorKind, Write};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use nupeer_lease::LeaseId;
use nupeer_paas::ContainerSpec;
use nupeer_paas_drivers::image::ImageDigest;
use nupeer_primitives::{Code, Hash, Numbered};

use crate::metering::Meter;

const MANIFEST: &str = "manifest.cbor";
const IMAGE: &str = "image";
const METER: &str = "meter.json";
const PORT: &str = "port";
/// What the folder of a record that is being forgotten begins with.
const DYING: &str = "forgotten-";

/// Why a record could not be read or written. The numbers are NP8062 and NP8063.
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
}

impl Numbered for RecordError {
    fn code(&self) -> Code {
        Code(match self {
            RecordError::Io { .. } => 8062,
            RecordError::Damaged { .. } => 8063,
        })
    }
}

/// One lease's record.
#[derive(Debug, Default)]
pub struct Record {
    folder: PathBuf,
    /// What the tenant wants to run; it was checked against the lease.
    pub manifest: Option<ContainerSpec>,
    /// The image that this tenant uploaded for this lease.
    pub image: Option<ImageDigest>,
    /// How long it ran.
    pub meter: Meter,
    /// The port that was published last; 0 before the first.
    pub port: u16,
}

impl Record {
    /// Keeps the manifest.
    ///
    /// # Errors
    /// [`RecordError::Io`].
    pub fn set_manifest(&mut self, spec: ContainerSpec) -> Result<(), RecordError> {
        write(&self.folder, MANIFEST, &spec.to_bytes())?;
        self.manifest = Some(spec);
        Ok(())
    }

    /// Notes that the image is there.
    ///
    /// # Errors
    /// [`RecordError::Io`].
    pub fn set_image(&mut self, image: ImageDigest) -> Result<(), RecordError> {
        write(&self.folder, IMAGE, image.to_string().as_bytes())?;
        self.image = Some(image);
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
    /// [`RecordError::Io`].
    pub fn save_meter(&self) -> Result<(), RecordError> {
        let failed = |error: serde_json::Error| RecordError::Io {
            path: self.folder.join(METER),
            source: error.into(),
        };
        write(
            &self.folder,
            METER,
            &serde_json::to_vec(&self.meter).map_err(failed)?,
        )
    }

    fn read(folder: PathBuf) -> Result<Self, RecordError> {
        let damaged = |name: &str, reason: String| RecordError::Damaged {
            path: folder.join(name),
            reason,
        };
        let text = |name: &str| -> Result<Option<String>, RecordError> {
            let bytes = read(&folder, name)?;
            let text = bytes.map(String::from_utf8).transpose();
            text.map_err(|error| damaged(name, error.to_string()))
        };
        let manifest = read(&folder, MANIFEST)?
            .map(|bytes| ContainerSpec::from_bytes(&bytes))
            .transpose()
            .map_err(|error| damaged(MANIFEST, error.to_string()))?;
        let image = text(IMAGE)?
            .map(|digest| digest.parse())
            .transpose()
            .map_err(|error: nupeer_paas_drivers::image::ImageError| {
                damaged(IMAGE, error.to_string())
            })?;
        let meter = text(METER)?
            .map(|json| serde_json::from_str(&json))
            .transpose()
            .map_err(|error| damaged(METER, error.to_string()))?;
        // Only a wish: where it is damaged the kernel gives another.
        let port =
            read(&folder, PORT)?.and_then(|digits| String::from_utf8(digits).ok()?.parse().ok());
        Ok(Record {
            manifest,
            image,
            meter: meter.unwrap_or_default(),
            port: port.unwrap_or_default(),
            folder,
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
    /// The disk failed, or a file is not what was written: a meter that is forgotten could sign backwards.
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
            let id = name.parse::<Hash>().ok();
            if let Some(id) = id {
                let record = Record::read(entry.path())?;
                open.insert(LeaseId(id), Arc::new(Mutex::new(record)));
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
        let record = Record {
            folder,
            ..Record::default()
        };
        let record = Arc::new(Mutex::new(record));
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

    /// Forgets a lease's uploads and keeps its meter, which is evidence.
    ///
    /// # Errors
    /// [`RecordError::Io`].
    pub fn drop_uploads(&self, id: &LeaseId) -> Result<(), RecordError> {
        let Some(record) = self.get(id) else {
            return Ok(());
        };
        let mut record = hold(&record);
        for name in [MANIFEST, IMAGE, PORT] {
            fail::fail_point!("record-dropping");
            remove(&record.folder.join(name))?;
        }
        record.manifest = None;
        record.image = None;
        record.port = 0;
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

fn read(folder: &Path, name: &str) -> Result<Option<Vec<u8>>, RecordError> {
    let path = folder.join(name);
    match fs::read(&path) {
        Ok(bytes) => Ok(Some(bytes)),
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
        Err(source) => Err(RecordError::Io { path, source }),
    }
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

fn remove(path: &Path) -> Result<(), RecordError> {
    match fs::remove_file(path) {
        Err(source) if source.kind() != ErrorKind::NotFound => Err(RecordError::Io {
            path: path.into(),
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
mod tests {
    use nupeer_primitives::Hash;

    use super::*;

    const LEASE: LeaseId = LeaseId(Hash([7; 32]));

    fn spec() -> ContainerSpec {
        ContainerSpec {
            image: Hash([1; 32]),
            argv: vec!["/bin/true".into()],
            env: vec![],
            cpu_milli: 200,
            memory_bytes: 64 << 20,
            pids: 32,
            port: Some(8080),
        }
    }

    #[test]
    fn what_was_kept_is_there_after_a_restart() {
        let folder = tempfile::tempdir().unwrap();
        let records = Records::open(folder.path()).unwrap();
        {
            let record = records.of(&LEASE).unwrap();
            let mut record = hold(&record);
            record.set_manifest(spec()).unwrap();
            record.set_image(ImageDigest([1; 32])).unwrap();
            record.set_port(4242).unwrap();
            record.meter.ran_ms = 99;
            record.save_meter().unwrap();
        }
        let again = Records::open(folder.path()).unwrap();
        assert_eq!(again.ids(), [LEASE]);
        assert_eq!(again.images(), [ImageDigest([1; 32])]);
        let record = again.get(&LEASE).unwrap();
        let record = hold(&record);
        assert_eq!(
            (record.manifest.clone(), record.meter.ran_ms, record.port),
            (Some(spec()), 99, 4242)
        );
    }

    #[test]
    fn forgetting_goes_in_two_steps() {
        let folder = tempfile::tempdir().unwrap();
        let records = Records::open(folder.path()).unwrap();
        let record = records.of(&LEASE).unwrap();
        hold(&record).set_image(ImageDigest([1; 32])).unwrap();
        hold(&record).meter.ran_ms = 99;
        hold(&record).save_meter().unwrap();
        records.drop_uploads(&LEASE).unwrap();
        assert_eq!(records.images(), []);
        let again = Records::open(folder.path()).unwrap();
        assert_eq!(hold(&again.get(&LEASE).unwrap()).meter.ran_ms, 99);
        records.forget(&LEASE).unwrap();
        records.forget(&LEASE).unwrap();
        assert_eq!(Records::open(folder.path()).unwrap().ids(), []);
    }

    #[test]
    fn a_damaged_meter_stops_the_agent_rather_than_signing_backwards() {
        let folder = tempfile::tempdir().unwrap();
        let records = Records::open(folder.path()).unwrap();
        hold(&records.of(&LEASE).unwrap()).save_meter().unwrap();
        let meter = folder.path().join(LEASE.to_string()).join(METER);
        fs::write(&meter, "{\"ran_ms\":").unwrap();
        let refused = Records::open(folder.path());
        assert!(matches!(refused, Err(RecordError::Damaged { path, .. }) if path == meter));
    }

    #[test]
    fn a_damaged_port_stops_nobody() {
        let folder = tempfile::tempdir().unwrap();
        let records = Records::open(folder.path()).unwrap();
        hold(&records.of(&LEASE).unwrap()).set_port(4711).unwrap();
        let port = || {
            let records = Records::open(folder.path()).unwrap();
            hold(&records.get(&LEASE).unwrap()).port
        };
        assert_eq!(port(), 4711);
        fs::write(folder.path().join(LEASE.to_string()).join(PORT), "").unwrap();
        assert_eq!(port(), 0);
    }
}
