//! The RocksDB behind a follower: rows by block number, and what must be known besides.

use std::path::Path;

use nupeer_primitives::CardanoPoint;
use rocksdb::{ColumnFamily, DB, ErrorKind, IteratorMode, Options, WriteBatch, WriteOptions};

use super::{DeepRollback, FollowerError, block::Place, row};

const BLOCKS: &str = "blocks";
const META: &str = "meta";

/// Keys of [`META`]. Their values are canonical CBOR.
const FORMAT: &[u8] = b"format";
const NETWORK: &[u8] = b"network";
const FROM: &[u8] = b"from";
/// The place before the first row: the beginning, or the last block that was forgotten.
const BASE: &[u8] = b"base";
const CONSUMED: &[u8] = b"consumed";
const DEEP_ROLLBACK: &[u8] = b"deep-rollback";
/// The highest block number that was ever held, since the last rollback deeper than k; older stores have none.
const HIGHEST: &[u8] = b"highest";

/// Raised when stored formats change in a way that older code would misread.
const FORMAT_NUMBER: u64 = 1;

/// Bytes of the write buffer: a follower's share of its process's memory is to stay small.
const WRITE_BUFFER_BYTES: usize = 4 << 20;

pub(super) struct Store {
    pub(super) db: DB,
}

impl Store {
    pub(super) fn open(
        path: &Path,
        magic: u64,
        from: Option<CardanoPoint>,
    ) -> Result<Self, FollowerError> {
        let mut options = Options::default();
        options.create_if_missing(true);
        options.create_missing_column_families(true);
        options.set_write_buffer_size(WRITE_BUFFER_BYTES);
        options.set_max_write_buffer_number(2);
        options.set_max_open_files(64);
        options.set_keep_log_file_num(2);
        let db = DB::open_cf(&options, path, [BLOCKS, META]).map_err(|error| {
            let locked = error.kind() == ErrorKind::IOError && error.as_ref().contains("lock");
            if locked {
                FollowerError::Locked {
                    path: path.to_owned(),
                }
            } else {
                error.into()
            }
        })?;
        let store = Store { db };
        store.identify(magic, from)?;
        Ok(store)
    }

    /// Writes down whose store this is, or compares.
    fn identify(&self, magic: u64, from: Option<CardanoPoint>) -> Result<(), FollowerError> {
        let Some(format) = self.meta::<u64>(FORMAT)? else {
            let mut batch = WriteBatch::default();
            self.put_meta(&mut batch, NETWORK, &magic)?;
            self.put_meta(&mut batch, FROM, &from)?;
            self.put_base(
                &mut batch,
                &Place {
                    point: from,
                    number: None,
                },
            )?;
            self.put_meta(&mut batch, FORMAT, &FORMAT_NUMBER)?;
            return self.write(batch, true);
        };
        if format != FORMAT_NUMBER {
            return Err(FollowerError::Damaged(format!(
                "format {format} where {FORMAT_NUMBER} is known"
            )));
        }
        let lacks = |what: &str| FollowerError::Damaged(format!("no {what}"));
        let expected = self.meta(NETWORK)?.ok_or_else(|| lacks("network"))?;
        if expected != magic {
            return Err(FollowerError::OtherNetwork {
                provided: magic,
                expected,
            });
        }
        let expected = self.meta(FROM)?.ok_or_else(|| lacks("beginning"))?;
        match expected == from {
            true => Ok(()),
            false => Err(FollowerError::OtherStart {
                provided: from,
                expected,
            }),
        }
    }

    pub(super) fn blocks(&self) -> Result<&ColumnFamily, FollowerError> {
        self.family(BLOCKS)
    }

    pub(super) fn meta_family(&self) -> Result<&ColumnFamily, FollowerError> {
        self.family(META)
    }

    fn family(&self, name: &str) -> Result<&ColumnFamily, FollowerError> {
        self.db
            .cf_handle(name)
            .ok_or_else(|| FollowerError::Damaged(format!("no column family {name}")))
    }

    /// Writes `batch` as a whole or not at all; if `synced`, it is on disk when this returns.
    pub(super) fn write(&self, batch: WriteBatch, synced: bool) -> Result<(), FollowerError> {
        let mut options = WriteOptions::default();
        options.set_sync(synced);
        Ok(self.db.write_opt(batch, &options)?)
    }

    pub(super) fn put_base(
        &self,
        batch: &mut WriteBatch,
        base: &Place,
    ) -> Result<(), FollowerError> {
        self.put_meta(batch, BASE, &(base.point, base.number))
    }

    pub(super) fn base_key() -> &'static [u8] {
        BASE
    }

    pub(super) fn put_consumed(&self, block_number: Option<u64>) -> Result<(), FollowerError> {
        let mut batch = WriteBatch::default();
        self.put_meta(&mut batch, CONSUMED, &block_number)?;
        self.write(batch, false)
    }

    /// The number of the last block whose observations were consumed.
    pub(super) fn consumed(&self) -> Result<Option<u64>, FollowerError> {
        Ok(self.meta::<Option<u64>>(CONSUMED)?.flatten())
    }

    pub(super) fn deep_rollback(&self) -> Result<Option<DeepRollback>, FollowerError> {
        self.meta(DEEP_ROLLBACK)
    }

    pub(super) fn put_deep_rollback(
        &self,
        batch: &mut WriteBatch,
        rollback: &DeepRollback,
    ) -> Result<(), FollowerError> {
        self.put_meta(batch, DEEP_ROLLBACK, rollback)
    }

    pub(super) fn clear_deep_rollback(&self) -> Result<(), FollowerError> {
        let mut batch = WriteBatch::default();
        batch.delete_cf(self.meta_family()?, DEEP_ROLLBACK);
        self.write(batch, true)
    }

    pub(super) fn highest(&self) -> Result<Option<u64>, FollowerError> {
        Ok(self.meta::<Option<u64>>(HIGHEST)?.flatten())
    }

    pub(super) fn put_highest(
        &self,
        batch: &mut WriteBatch,
        block_number: Option<u64>,
    ) -> Result<(), FollowerError> {
        self.put_meta(batch, HIGHEST, &block_number)
    }

    /// Rows from the oldest on.
    pub(super) fn oldest_first(
        &self,
    ) -> Result<impl Iterator<Item = Result<(u64, row::Row), FollowerError>> + '_, FollowerError>
    {
        let rows = self.db.iterator_cf(self.blocks()?, IteratorMode::Start);
        Ok(rows.map(|entry| {
            let (key, value) = entry?;
            Ok((row::number(&key)?, row::Row::from_bytes(&value)?))
        }))
    }

    fn meta<T: for<'b> minicbor::Decode<'b, ()>>(
        &self,
        key: &[u8],
    ) -> Result<Option<T>, FollowerError> {
        let bytes = self.db.get_pinned_cf(self.meta_family()?, key)?;
        Ok(bytes.map(|bytes| minicbor::decode(&bytes)).transpose()?)
    }

    fn put_meta(
        &self,
        batch: &mut WriteBatch,
        key: &[u8],
        value: &impl minicbor::Encode<()>,
    ) -> Result<(), FollowerError> {
        let bytes = minicbor::to_vec(value).map_err(|e| FollowerError::Store(e.to_string()))?;
        batch.put_cf(self.meta_family()?, key, bytes);
        Ok(())
    }
}
