//! The column families and how the database is tuned: bounded memory, bounded files, checksums verified on every read.

use std::path::Path;

use rocksdb::{
    BlockBasedOptions, Cache, ColumnFamilyDescriptor, DB, DBCompressionType, LogLevel, Options,
};

use super::StoreError;

/// One kind of things. Names are part of the storage format.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Column {
    /// Leaf key → newest value.
    Proven,
    /// Plain key → value.
    Plain,
    /// Node key → node of the state tree.
    Nodes,
    /// Version since when, and node key → the leaf's key or nothing: nodes of older versions that are kept ([`super::kept`]).
    Stale,
    /// Leaf key and version until when → the value that the leaf had, where a kept version shows it.
    Old,
    /// Height → block.
    Blocks,
    /// Height → certificate.
    Certificates,
    /// Transaction id → where it was executed, where its bytes are, and what it was charged.
    Transactions,
    /// Height → what happened in that block; absent where nothing did.
    Events,
    /// Height, round and id → block that may be decided.
    Undecided,
    /// Schema version, genesis, tip.
    Meta,
}

impl Column {
    /// All of them.
    pub const ALL: [Column; 11] = [
        Column::Proven,
        Column::Plain,
        Column::Nodes,
        Column::Stale,
        Column::Old,
        Column::Blocks,
        Column::Certificates,
        Column::Transactions,
        Column::Events,
        Column::Undecided,
        Column::Meta,
    ];

    /// Its name in the database.
    pub fn name(self) -> &'static str {
        match self {
            Column::Proven => "proven",
            Column::Plain => "plain",
            Column::Nodes => "nodes",
            Column::Stale => "stale",
            Column::Old => "old",
            Column::Blocks => "blocks",
            Column::Certificates => "certificates",
            Column::Transactions => "transactions",
            Column::Events => "events",
            Column::Undecided => "undecided",
            Column::Meta => "meta",
        }
    }

    /// Hashes and signatures do not compress; what is mostly them is stored as it is.
    fn compression(self) -> DBCompressionType {
        match self {
            Column::Plain | Column::Blocks => DBCompressionType::Lz4,
            _ => DBCompressionType::None,
        }
    }
}

/// What is written waits in memory for a file: at most this much per family, and [`MEMTABLES_BYTES_MAX`] in all. Four times as much made full blocks
/// no faster, and a validator of empty ones would grow for an hour of blocks each 400 ms before it stayed as it is.
const MEMTABLE_BYTES_MAX: usize = 2 << 20;
const MEMTABLES_BYTES_MAX: usize = 4 << 20;
const WAL_BYTES_MAX: u64 = 64 << 20;
const OPEN_FILES_MAX: i32 = 256;

/// Opens the database, with every family, or makes it.
pub(super) fn open(path: &Path, block_cache_bytes: usize) -> Result<DB, StoreError> {
    std::fs::create_dir_all(path).map_err(|source| StoreError::Io {
        path: path.into(),
        source,
    })?;
    let cache = Cache::new_lru_cache(block_cache_bytes);
    let family =
        |column: Column| ColumnFamilyDescriptor::new(column.name(), family(column, &cache));
    // `default` exists in every database; nothing is kept in it.
    let default = ColumnFamilyDescriptor::new("default", Options::default());
    let families = Column::ALL.into_iter().map(family).chain([default]);
    Ok(DB::open_cf_descriptors(&database(), path, families)?)
}

fn database() -> Options {
    let mut options = Options::default();
    options.create_if_missing(true);
    options.create_missing_column_families(true);
    options.set_db_write_buffer_size(MEMTABLES_BYTES_MAX);
    options.set_max_total_wal_size(WAL_BYTES_MAX);
    options.set_max_open_files(OPEN_FILES_MAX);
    options.set_max_background_jobs(2);
    options.set_keep_log_file_num(2);
    options.set_max_log_file_size(4 << 20);
    options.set_log_level(LogLevel::Warn);
    options
}

fn family(column: Column, cache: &Cache) -> Options {
    let mut table = BlockBasedOptions::default();
    table.set_block_cache(cache);
    table.set_bloom_filter(10.0, false);
    // Indices and filters grow with the data: in the cache they stay within its bound.
    table.set_cache_index_and_filter_blocks(true);
    table.set_pin_l0_filter_and_index_blocks_in_cache(true);
    let mut options = Options::default();
    options.set_block_based_table_factory(&table);
    options.set_compression_type(column.compression());
    options.set_write_buffer_size(MEMTABLE_BYTES_MAX);
    options
}
