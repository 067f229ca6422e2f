//! What was submitted and is in no block yet, laid over what the node says is unspent: without it, a round would do again
//! what the round before did.

use std::collections::BTreeMap;

use nupeer_cardano_client::{Output, OutputReference, SignedTransaction, UnsignedTransaction};
use nupeer_primitives::{Hash, Slot};

use crate::state::Snapshot;

/// Blocks after which a transaction that is in none is submitted again: it may have left the node's mempool with a fork.
const PATIENCE_BLOCKS: u64 = 3;

/// A transaction that waits.
#[derive(Clone, Debug)]
pub struct Waiting {
    /// Its id.
    pub id: Hash,
    /// The first slot in which it can be in no block any more.
    pub valid_until: Slot,
    /// Its CBOR.
    pub cbor: Vec<u8>,
    /// The tip's block number when it was submitted last.
    submitted_at: u64,
    inputs: Vec<OutputReference>,
    outputs: BTreeMap<OutputReference, Output>,
}

/// Transactions that wait, in the order of submission.
#[derive(Clone, Debug, Default)]
pub struct Overlay(Vec<Waiting>);

impl Overlay {
    /// Remembers a submitted transaction.
    pub fn add(
        &mut self,
        made: &UnsignedTransaction,
        signed: &SignedTransaction,
        valid_until: Slot,
        tip_block: u64,
    ) {
        let outputs = made.utxos().into_iter();
        self.0.push(Waiting {
            id: made.id(),
            valid_until,
            cbor: signed.cbor.clone(),
            submitted_at: tip_block,
            inputs: made.inputs().collect(),
            outputs: outputs.map(|utxo| (utxo.reference, utxo.output)).collect(),
        });
    }

    /// Forgets what is in a block (an output of it is there, or an input is gone) and what has expired, and gives the chain as it will be with
    /// the rest. What spends outputs of a forgotten transaction that is not in a block is forgotten too.
    pub fn apply(&mut self, snapshot: &Snapshot) -> Snapshot {
        let mut outputs = snapshot.outputs.clone();
        let slot = snapshot.tip.point.slot;
        self.0.retain(|waiting| {
            let possible = waiting
                .inputs
                .iter()
                .all(|input| outputs.contains_key(input));
            if !possible || waiting.valid_until <= slot {
                return false;
            }
            for input in &waiting.inputs {
                outputs.remove(input);
            }
            outputs.extend(waiting.outputs.clone());
            true
        });
        Snapshot {
            tip: snapshot.tip,
            outputs,
        }
    }

    /// Forgets everything, so that it is done anew.
    pub fn clear(&mut self) {
        self.0.clear();
    }

    /// What has waited for some blocks, in the order of submission; from now on it waits anew.
    pub fn overdue(&mut self, tip_block: u64) -> Vec<Waiting> {
        let overdue = |waiting: &&mut Waiting| {
            tip_block.saturating_sub(waiting.submitted_at) >= PATIENCE_BLOCKS
        };
        let again = self.0.iter_mut().filter(overdue).map(|waiting| {
            waiting.submitted_at = tip_block;
            waiting.clone()
        });
        again.collect()
    }
}
