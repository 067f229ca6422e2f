//! Reading a body that a stranger sends: bounded in size, in how slowly it may come, and in how long it may take. What is signed for is
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

/// The least speed of a body so far, in bytes per second, once it may not stand still any more; what any link has.
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
    /// How long it may take in all.
    pub(super) whole: Duration,
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
    whole: Duration,
    start: Instant,
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
        Ok(Reading {
            body: Box::pin(body),
            hasher: Blake2b::new(),
            bytes: 0,
            announced,
            idle: bounds.idle,
            whole: bounds.whole,
            start: Instant::now(),
        })
    }

    /// Until when the next part must have come: it may stand still for a while, but the whole must keep the least speed, so that a byte now
    /// and then holds no place; and it has an end.
    fn until(&self) -> (Instant, ApiError) {
        let bytes = self.bytes;
        let earned = self.idle + Duration::from_secs(bytes / SPEED_MIN);
        let slow = (self.start + earned).min(Instant::now() + self.idle);
        let end = self.start + self.whole;
        if slow <= end {
            return (slow, ApiError::Slow { bytes });
        }
        let maximum_ms = u64::try_from(self.whole.as_millis()).unwrap_or(u64::MAX);
        (end, ApiError::Long { bytes, maximum_ms })
    }

    /// The next part; none at the end.
    async fn next(&mut self) -> Result<Option<Vec<u8>>, ApiError> {
        let (until, late) = self.until();
        let part = timeout_at(until, self.body.next())
            .await
            .map_err(|_| late)?;
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

#[cfg(test)]
mod tests {
    use futures::stream;

    use super::*;

    const ANNOUNCED: u64 = 4 << 20;

    /// What became of a body that comes in parts of `bytes`, one each `every`; the clock is the test's own.
    async fn reads(bytes: usize, every: Duration) -> (Result<u64, ApiError>, Duration) {
        let start = Instant::now();
        let parts = stream::unfold(0u64, move |sent| async move {
            if sent >= ANNOUNCED {
                return None;
            }
            tokio::time::sleep(every).await;
            let part = std::io::Cursor::new(vec![0; bytes]);
            Some((Ok::<_, warp::Error>(part), sent + bytes as u64))
        });
        let bounds = Bounds {
            announced: Some(ANNOUNCED),
            maximum: ANNOUNCED,
            idle: Duration::from_secs(10),
            whole: Duration::from_secs(100),
        };
        let read = to_bytes(parts, bounds).await;
        let came = read.map(|(bytes, _)| bytes.len() as u64);
        (came, start.elapsed())
    }

    #[tokio::test(start_paused = true)]
    async fn a_byte_now_and_then_holds_no_place() {
        let (came, took) = reads(1, Duration::from_secs(9)).await;
        assert!(matches!(came, Err(ApiError::Slow { bytes: 1 })), "{came:?}");
        assert_eq!(took.as_secs(), 10);
    }

    #[tokio::test(start_paused = true)]
    async fn what_comes_at_the_least_speed_is_given_up_when_its_time_is_over() {
        let (came, took) = reads(32 << 10, Duration::from_secs(1)).await;
        let whole = |error: &ApiError| {
            matches!(
                error,
                ApiError::Long {
                    maximum_ms: 100_000,
                    ..
                }
            )
        };
        assert!(came.as_ref().is_err_and(whole), "{came:?}");
        assert_eq!(took.as_secs(), 100);
    }

    #[tokio::test(start_paused = true)]
    async fn what_comes_well_is_taken() {
        let (came, _) = reads(64 << 10, Duration::from_secs(1)).await;
        assert_eq!(came.unwrap(), ANNOUNCED);
    }
}
