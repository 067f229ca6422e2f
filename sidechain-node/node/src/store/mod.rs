//! What a node keeps on disk: RocksDB, one column family for each kind of thing ([`columns`]), formats in [`codec`].
//!
//! Block, certificate, state, tree, tip and transaction index are written in **one synced batch** ([`commit`]): after a
//! power cut either all of a height is there or nothing of it. State is read through a [`View`] alone, which sees one
//! height whatever is written meanwhile. A read that fails poisons the store: it refuses every later commit, so that rules
//! may treat reading as total.

use std::{
    path::{Path, PathBuf},
    sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError},
};

use jmt::storage::{Node, NodeKey};
use nupeer_primitives::{Hash, Height, cbor, consensus::Certificate};
use nupeer_runtime::{Event, Genesis, Header, Tip};
use rocksdb::{ColumnFamily, DB, DBPinnableSlice, WriteBatch, WriteOptions};

pub mod cache;
pub mod codec;
pub mod columns;
pub mod commit;
pub mod error;
pub mod kept;
pub mod lock;
pub mod undecided;
pub mod view;

#[cfg(test)]
mod tests;

pub use codec::Location;
pub use commit::Commit;
pub use error::StoreError;
pub use kept::Kept;
pub use view::View;

use cache::Generations;
use columns::Column;
use lock::FolderLock;

/// The format of everything in here. Another one needs a migration.
pub const SCHEMA: u32 = 4;

/// Settings of a store.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StoreConfig {
    /// The node's data folder; created where missing.
    pub folder: PathBuf,
    /// Memory for nodes of the state tree, in bytes. Reading them is what executing a block spends most on.
    pub node_cache_bytes: usize,
    /// Memory for blocks of the database's files, in bytes.
    pub block_cache_bytes: usize,
}

impl StoreConfig {
    /// Settings that keep a validator within 300 MB.
    pub fn new(folder: impl Into<PathBuf>) -> Self {
        StoreConfig {
            folder: folder.into(),
            node_cache_bytes: 64 << 20,
            block_cache_bytes: 32 << 20,
        }
    }
}

/// The store of one node.
pub struct Store {
    db: DB,
    nodes: Mutex<Generations<NodeKey, Node>>,
    poison: OnceLock<String>,
    /// Where the sweep of kept nodes goes on; `None` while there is nothing to sweep.
    sweep: Mutex<Option<Vec<u8>>>,
    // Dropped after the database, so that nobody else opens it too early.
    _lock: FolderLock,
}

impl Store {
    /// Opens the store in a data folder, or makes one whose state is the genesis'. Refused: a folder that another process
    /// works in, that belongs to another genesis, or that was written in another format.
    pub fn open(config: &StoreConfig, genesis: &Genesis) -> Result<Arc<Store>, StoreError> {
        let lock = FolderLock::take(&config.folder)?;
        let db = columns::open(&config.folder.join("store"), config.block_cache_bytes)?;
        let store = Store {
            db,
            nodes: Mutex::new(Generations::new(config.node_cache_bytes)),
            poison: OnceLock::new(),
            // How far an earlier process came is not written down.
            sweep: Mutex::new(Some(Vec::new())),
            _lock: lock,
        };
        match store.get(Column::Meta, codec::SCHEMA_KEY)? {
            Some(bytes) => store.check(&bytes, genesis)?,
            None => store.init(genesis)?,
        }
        Ok(Arc::new(store))
    }

    fn init(&self, genesis: &Genesis) -> Result<(), StoreError> {
        let executed = genesis.execute()?;
        let mut batch = WriteBatch::default();
        let meta = self.column(Column::Meta)?;
        batch.put_cf(meta, codec::SCHEMA_KEY, SCHEMA.to_be_bytes());
        batch.put_cf(meta, codec::GENESIS_KEY, cbor::encode(genesis));
        self.put_executed(&mut batch, &executed, &[])?;
        fail::fail_point!("genesis-before-write");
        self.write(batch)?;
        self.cache_nodes(&executed);
        Ok(())
    }

    fn check(&self, schema: &[u8], genesis: &Genesis) -> Result<(), StoreError> {
        let provided = codec::schema(schema)?;
        if provided != SCHEMA {
            return Err(StoreError::Schema {
                provided,
                expected: SCHEMA,
            });
        }
        let stored = self.get(Column::Meta, codec::GENESIS_KEY)?;
        let stored = stored.ok_or(StoreError::Corrupt { what: "genesis" })?;
        let stored: Genesis = codec::cbor("genesis", &stored)?;
        let (provided, expected) = (genesis.id(), stored.id());
        if provided == expected {
            Ok(())
        } else {
            Err(StoreError::OtherGenesis { provided, expected })
        }
    }

    /// The state at the last decided height, whatever is written while it is looked at.
    pub fn view(&self) -> Result<View<'_>, StoreError> {
        View::new(self)
    }

    /// The end of the chain.
    pub fn tip(&self) -> Result<Tip, StoreError> {
        let bytes = self.get(Column::Meta, codec::TIP_KEY)?;
        codec::cbor("tip", &bytes.ok_or(StoreError::Corrupt { what: "tip" })?)
    }

    /// A decided block's bytes.
    pub fn block(&self, height: Height) -> Result<Option<Vec<u8>>, StoreError> {
        Ok(self
            .get(Column::Blocks, &codec::height_key(height))?
            .map(|bytes| bytes.to_vec()))
    }

    /// A decided block's header.
    pub fn header(&self, height: Height) -> Result<Option<Header>, StoreError> {
        let bytes = self.get(Column::Blocks, &codec::height_key(height))?;
        bytes.map(|bytes| codec::header(&bytes)).transpose()
    }

    /// A decided block's certificate.
    pub fn certificate(&self, height: Height) -> Result<Option<Certificate>, StoreError> {
        let bytes = self.get(Column::Certificates, &codec::height_key(height))?;
        bytes
            .map(|bytes| codec::cbor("certificate", &bytes))
            .transpose()
    }

    /// What happened in a decided block, with the index of the transaction that did it.
    pub fn events(&self, height: Height) -> Result<Vec<(Option<usize>, Event)>, StoreError> {
        let bytes = self.get(Column::Events, &codec::height_key(height))?;
        bytes.map_or(Ok(Vec::new()), |bytes| codec::events(&bytes))
    }

    /// The signed bytes of an executed transaction.
    pub fn transaction(&self, at: &Location) -> Result<Vec<u8>, StoreError> {
        let block = self.get(Column::Blocks, &codec::height_key(at.height))?;
        let (first, length) = (at.first as usize, at.length as usize);
        let bytes = block.as_deref().and_then(|block| {
            let end = first.checked_add(length)?;
            block.get(first..end)
        });
        bytes
            .map(<[u8]>::to_vec)
            .ok_or(StoreError::Corrupt { what: "block" })
    }

    /// What an executed transaction did.
    pub fn events_of(&self, at: &Location) -> Result<Vec<Event>, StoreError> {
        let bytes = self.get(Column::Events, &codec::height_key(at.height))?;
        bytes.map_or(Ok(Vec::new()), |bytes| codec::events_of(&bytes, at.index))
    }

    /// Where a transaction was executed, and what it was charged.
    pub fn location(&self, transaction: &Hash) -> Result<Option<Location>, StoreError> {
        let bytes = self.get(Column::Transactions, &transaction.0)?;
        bytes.map(|bytes| Location::from_bytes(&bytes)).transpose()
    }

    /// Whether everything that was read so far could be read. What was computed before an error here must not be used.
    pub fn healthy(&self) -> Result<(), StoreError> {
        match self.poison.get() {
            None => Ok(()),
            Some(reason) => Err(StoreError::Poisoned {
                reason: reason.clone(),
            }),
        }
    }

    fn poison(&self, reason: impl std::fmt::Display) {
        // The first reason is the one that matters.
        let _ = self.poison.set(reason.to_string());
        tracing::error!(%reason, "the store is not to be trusted any more: it takes no further block");
    }

    fn get(&self, column: Column, key: &[u8]) -> Result<Option<DBPinnableSlice<'_>>, StoreError> {
        Ok(self.db.get_pinned_cf(self.column(column)?, key)?)
    }

    fn column(&self, column: Column) -> Result<&ColumnFamily, StoreError> {
        // All were opened with the database.
        self.db.cf_handle(column.name()).ok_or(StoreError::Corrupt {
            what: column.name(),
        })
    }

    /// Writes a batch so that it survives a power cut. A failure leaves open what was written, so it poisons.
    fn write(&self, batch: WriteBatch) -> Result<(), StoreError> {
        self.healthy()?;
        let mut options = WriteOptions::default();
        options.set_sync(true);
        self.db
            .write_opt(batch, &options)
            .inspect_err(|error| self.poison(error))?;
        Ok(())
    }

    fn nodes(&self) -> MutexGuard<'_, Generations<NodeKey, Node>> {
        // Every change of the cache is whole before it can panic.
        self.nodes.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn sweep(&self) -> MutexGuard<'_, Option<Vec<u8>>> {
        // Set as a whole.
        self.sweep.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The folder of the data that consensus keeps beside this store.
    pub fn consensus_folder(folder: &Path) -> PathBuf {
        folder.join("consensus")
    }

    /// The folder of what is remembered of Cardano beside this store.
    pub fn cardano_folder(folder: &Path) -> PathBuf {
        folder.join("cardano")
    }
}
