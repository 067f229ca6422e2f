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
    /// Beside the inputs what it refers to and pledges: without one of these it can be in no block either.
    needs: Vec<OutputReference>,
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
            needs: made.needs().collect(),
            outputs: outputs.map(|utxo| (utxo.reference, utxo.output)).collect(),
        });
    }

    /// Forgets what is in a block or cannot be in one any more (an input is gone, or an output that it refers to or pledges) and what has expired, and gives
    /// the chain as it will be with the rest. What needs outputs of a forgotten transaction that is not in a block is forgotten too.
    pub fn apply(&mut self, snapshot: &Snapshot) -> Snapshot {
        let mut outputs = snapshot.outputs.clone();
        let slot = snapshot.tip.point.slot;
        self.0.retain(|waiting| {
            let possible = waiting
                .needs
                .iter()
                .all(|needed| outputs.contains_key(needed));
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

#[cfg(test)]
mod tests {
    use nupeer_cardano_client::{Tip, Utxo, Value, address};
    use nupeer_primitives::{CardanoNetwork, CardanoPoint, Hash28};

    use super::*;

    fn coin(n: u8) -> Utxo {
        let address = address::enterprise(CardanoNetwork::Testnet, Hash28([n; 28]));
        let (transaction_id, index) = (Hash([n; 32]), 0);
        Utxo {
            reference: OutputReference {
                transaction_id,
                index,
            },
            output: Output::new(address, Value::lovelace(1_000_000)),
        }
    }

    fn snapshot(slot: u64, coins: &[u8]) -> Snapshot {
        let (slot, hash) = (Slot(slot), Hash([0; 32]));
        let point = CardanoPoint { slot, hash };
        let utxos = coins.iter().map(|n| coin(*n));
        Snapshot {
            tip: Tip {
                point,
                block_number: 0,
            },
            outputs: utxos.map(|utxo| (utxo.reference, utxo.output)).collect(),
        }
    }

    /// Spends some, needs others beside them, makes one; valid before slot 20.
    fn waiting(spends: &[u8], needs: &[u8], makes: u8) -> Waiting {
        let reference = |n: &u8| coin(*n).reference;
        let made = coin(makes);
        Waiting {
            id: made.reference.transaction_id,
            valid_until: Slot(20),
            cbor: vec![makes],
            submitted_at: 0,
            inputs: spends.iter().map(reference).collect(),
            needs: spends.iter().chain(needs).map(reference).collect(),
            outputs: [(made.reference, made.output)].into(),
        }
    }

    #[test]
    fn what_can_still_come_is_laid_over_what_is_there_and_nothing_else() {
        // The first spends 1 and makes 10, referring to 2; the second spends 10 and makes 11.
        let chained = || Overlay(vec![waiting(&[1], &[2], 10), waiting(&[10], &[], 11)]);
        for (case, slot, there, expected, left) in [
            ("both wait", 5, vec![1, 2], vec![2, 11], 2),
            (
                "the last slot in which they can come",
                19,
                vec![1, 2],
                vec![2, 11],
                2,
            ),
            ("too late", 20, vec![1, 2], vec![1, 2], 0),
            ("the first is in a block", 5, vec![2, 10], vec![2, 11], 1),
            ("both are", 5, vec![2, 11], vec![2, 11], 0),
            (
                "somebody else spent the input",
                5,
                vec![2, 7],
                vec![2, 7],
                0,
            ),
            ("what it refers to is gone", 5, vec![1, 7], vec![1, 7], 0),
        ] {
            let mut overlay = chained();
            let seen = overlay.apply(&snapshot(slot, &there));
            assert_eq!(seen.outputs, snapshot(slot, &expected).outputs, "{case}");
            assert_eq!(overlay.0.len(), left, "{case}");
        }
    }

    #[test]
    fn what_waits_too_long_is_due_once_in_three_blocks() {
        let mut overlay = Overlay(vec![waiting(&[1], &[], 10)]);
        let due: Vec<_> = (0..8).map(|block| overlay.overdue(block).len()).collect();
        assert_eq!(due, [0, 0, 0, 1, 0, 0, 1, 0]);
    }
}
