//! Opening a chain: a new one, or the one that a folder holds.

use std::{
    collections::{HashMap, VecDeque},
    path::Path,
    sync::Arc,
};

use pallas_codec::minicbor::Encoder;
use pallas_crypto::hash::Hasher;

use super::{Chain, ChainError, waiting::Shown};
use crate::{
    block::split_block,
    genesis::Genesis,
    mempool::Mempool,
    profile::SLOT_LENGTH_MS,
    stack::{Stack, apply},
    store::ChainFile,
    verify::{ChainState, HeaderError},
    view::{Block, ChainView},
};
use nupeer_cardano_ledger::{Ledger, LedgerError, ProtocolParameters, Settings, SlotClock, TxIn};

impl Chain {
    /// A new chain that lives in memory alone.
    pub fn in_memory(genesis: Genesis) -> Result<Self, ChainError> {
        Self::new(genesis, None)
    }

    /// The chain in the file at `path`, which is made if there is none.
    pub fn open(genesis: Genesis, path: &Path) -> Result<Self, ChainError> {
        let (file, stored) = ChainFile::open(path, genesis.hash())?;
        if stored.torn_bytes > 0 {
            tracing::warn!(
                bytes = stored.torn_bytes,
                "cut an unfinished record off the chain's file"
            );
        }
        let mut chain = Self::new(genesis, Some(file))?;
        chain.reorganisations = stored.rollbacks;
        let mut blocks = Vec::with_capacity(stored.blocks.len());
        for raw in stored.blocks {
            blocks.push(chain.replay(raw.into())?);
        }
        chain.view.replace(0, blocks);
        Ok(chain)
    }

    fn new(genesis: Genesis, file: Option<ChainFile>) -> Result<Self, ChainError> {
        Ok(Self {
            pools: genesis.pool_keys(),
            stack: origin(&genesis)?,
            genesis,
            mempool: Mempool::default(),
            shown: Shown::default(),
            file,
            view: ChainView::default(),
            confirmed: HashMap::new(),
            refused: VecDeque::new(),
            reorganisations: 0,
            stalled: false,
            stopped: false,
        })
    }

    fn replay(&mut self, raw: Arc<[u8]>) -> Result<Block, ChainError> {
        let block = replay(&mut self.stack, raw)?;
        for tx in self.stack.newest() {
            self.confirmed.insert(tx.id(), block.block_number);
        }
        Ok(block)
    }
}

/// The ledger and the state before the first block.
pub(super) fn origin(genesis: &Genesis) -> Result<Stack, ChainError> {
    let state = ChainState::origin(genesis.profile, genesis.hash().0.into());
    Ok(Stack::new(
        genesis_ledger(genesis).map_err(ChainError::Funds)?,
        state,
    ))
}

/// Applies a stored block. Who made it is not checked again; that it follows, has its body and is accepted by the ledger is.
pub(super) fn replay(stack: &mut Stack, raw: Arc<[u8]>) -> Result<Block, ChainError> {
    let block_number = stack.state.next().0;
    let broken = |error: HeaderError| ChainError::StoredBlock {
        block_number,
        error,
    };
    let header = stack.state.link(&raw).map_err(broken)?;
    let (_, body) = split_block(&raw).map_err(|error| broken(error.into()))?;
    let transactions = body.transactions().map_err(|error| broken(error.into()))?;
    let slot = header.body.slot;
    let mut layer = stack.open(slot);
    for (position, tx) in transactions.iter().enumerate() {
        let applied = stack
            .ledger
            .validate(tx, slot)
            .and_then(|tx| apply(&mut stack.ledger, tx));
        match applied {
            Ok(applied) => layer.applied.push(applied),
            Err(error) => {
                return Err(ChainError::StoredTransaction {
                    block_number,
                    position,
                    error,
                });
            }
        }
    }
    let after = stack.state.advance(&header);
    stack.close(layer, after);
    Ok(Block {
        block_number,
        slot,
        hash: header.hash,
        raw,
    })
}

fn genesis_ledger(genesis: &Genesis) -> Result<Ledger, LedgerError> {
    let profile = genesis.profile;
    let clock = SlotClock {
        zero_slot: 0,
        zero_time_ms: genesis.system_start_ms,
        slot_length_ms: SLOT_LENGTH_MS,
        zero_epoch: 0,
        epoch_length_slots: profile.epoch_slots(),
        stability_window_slots: profile.stability_slots(),
    };
    let settings = Settings {
        parameters: ProtocolParameters::conway_v10(),
        network: 0,
        clock,
    };
    Ledger::genesis(
        settings,
        genesis
            .funds()
            .map(|(address, lovelace)| genesis_output(&address, lovelace)),
    )
}

/// A genesis output stands where Shelley puts its initial funds: at the hash of its address, number 0.
pub(crate) fn genesis_output(address: &[u8], lovelace: u64) -> (TxIn, Vec<u8>) {
    let reference = TxIn {
        tx_id: *Hasher::<256>::hash(address),
        index: 0,
    };
    let mut output = Vec::new();
    let mut e = Encoder::new(&mut output);
    // Writing to memory cannot fail. {0: address, 1: lovelace}
    drop(
        e.map(2)
            .and_then(|e| e.u8(0)?.bytes(address)?.u8(1)?.u64(lovelace))
            .map(|_| ()),
    );
    (reference, output)
}
