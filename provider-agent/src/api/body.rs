//! Reading a body that a stranger sends: bounded in size, in number at a time, and in how slowly it may come. What is signed for is
//! compared afterwards.

use std::path::{Path, PathBuf};
use std::time::Duration;

use blake2::{Blake2b, Digest, digest::consts::U32};
use futures::{Stream, StreamExt};
use nupeer_primitives::Hash;
use tokio::fs::File;
use tokio::io::AsyncWriteExt;
use tokio::time::{Instant, timeout_at};
use warp::Buf;

use super::error::ApiError;
use crate::records::RecordError;

/// The least speed of a body as a whole, in bytes per second; what any link has.
const SPEED_MIN: u64 = 32 << 10;

/// How a body may come.
#[derive(Clone, Copy, Debug)]
pub(super) struct Bounds {
    /// As the sender says.
    pub(super) announced: Option<u64>,
    /// The most, in bytes.
    pub(super) maximum: u64,
    /// How long it may stand still.
    pub(super) idle: Duration,
}

/// A file that goes when it is dropped.
#[derive(Debug)]
pub(super) struct Scratch(pub(super) PathBuf);

impl Drop for Scratch {
    fn drop(&mut self) {
        let _ = std::fs::remove_file(&self.0);
    }
}

/// Reads a body into a new file in `folder`. Returns the file and the body's blake2b-256.
pub(super) async fn to_file<B: Buf>(
    body: impl Stream<Item = Result<B, warp::Error>>,
    bounds: Bounds,
    folder: &Path,
    name: &str,
) -> Result<(Scratch, Hash), ApiError> {
    let scratch = Scratch(folder.join(name));
    let path = scratch.0.clone();
    let failed = |source| {
        ApiError::Record(RecordError::Io {
            path: path.clone(),
            source,
        })
    };
    let mut file = File::create_new(&scratch.0).await.map_err(failed)?;
    let mut reading = Reading::begin(body, bounds)?;
    while let Some(part) = reading.next().await? {
        file.write_all(&part).await.map_err(failed)?;
    }
    file.flush().await.map_err(failed)?;
    Ok((scratch, reading.hash()))
}

/// Reads a short body. Returns it and its blake2b-256.
pub(super) async fn to_bytes<B: Buf>(
    body: impl Stream<Item = Result<B, warp::Error>>,
    bounds: Bounds,
) -> Result<(Vec<u8>, Hash), ApiError> {
    let mut reading = Reading::begin(body, bounds)?;
    let mut bytes = Vec::new();
    while let Some(part) = reading.next().await? {
        bytes.extend(part);
    }
    Ok((bytes, reading.hash()))
}

struct Reading<S> {
    body: std::pin::Pin<Box<S>>,
    hasher: Blake2b<U32>,
    bytes: u64,
    announced: u64,
    idle: Duration,
    end: Instant,
}

impl<B: Buf, S: Stream<Item = Result<B, warp::Error>>> Reading<S> {
    fn begin(body: S, bounds: Bounds) -> Result<Self, ApiError> {
        let announced = bounds.announced.ok_or(ApiError::NoLength)?;
        if announced > bounds.maximum {
            return Err(ApiError::TooLarge {
                provided: announced,
                maximum: bounds.maximum,
            });
        }
        let patience = bounds.idle + Duration::from_secs(announced / SPEED_MIN);
        Ok(Reading {
            body: Box::pin(body),
            hasher: Blake2b::new(),
            bytes: 0,
            announced,
            idle: bounds.idle,
            end: Instant::now() + patience,
        })
    }

    /// The next part; none at the end.
    async fn next(&mut self) -> Result<Option<Vec<u8>>, ApiError> {
        let until = self.end.min(Instant::now() + self.idle);
        let bytes = self.bytes;
        let part = timeout_at(until, self.body.next())
            .await
            .map_err(|_| ApiError::Slow { bytes })?;
        let cut = ApiError::Cut {
            provided: self.bytes,
            announced: self.announced,
        };
        let mut part = match part {
            Some(Ok(part)) => part,
            None if self.bytes == self.announced => return Ok(None),
            Some(Err(_)) | None => return Err(cut),
        };
        let part = part.copy_to_bytes(part.remaining()).to_vec();
        self.bytes = self.bytes.saturating_add(part.len() as u64);
        if self.bytes > self.announced {
            return Err(ApiError::TooLarge {
                provided: self.bytes,
                maximum: self.announced,
            });
        }
        self.hasher.update(&part);
        Ok(Some(part))
    }

    fn hash(self) -> Hash {
        Hash(self.hasher.finalize().into())
    }
}
