//! The ledger's state: unspent outputs as the bytes they came in, pots, what certificates change, and the tip's slot. Every change can be
//! undone.

use super::certs::{CertState, Changes};
use super::error::LedgerError;
use super::output::Output;
use super::rules::certificates::CertificatesError;
use super::rules::inputs::InputsError;
use super::tx::TxIn;
use super::validated::ValidatedTx;
use std::collections::{BTreeMap, BTreeSet};

/// The unspent outputs, by reference; each the CBOR it came in.
pub type Utxos = BTreeMap<TxIn, Vec<u8>>;

/// The state that transactions change.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct State {
    utxos: Utxos,
    by_address: BTreeMap<Vec<u8>, BTreeSet<TxIn>>,
    pots: Pots,
    certs: CertState,
    slot: u64,
}

/// Lovelace that is not in outputs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Pots {
    /// Fees (and collateral taken) of this epoch so far.
    pub fees_lovelace: u64,
    /// The treasury.
    pub treasury_lovelace: u64,
    /// What was given to the treasury in this epoch so far, which it gets at the epoch's end.
    pub donations_lovelace: u64,
}

/// What turns the state after a change into the state before it.
#[derive(Debug, Clone, PartialEq, Eq)]
#[must_use = "a change whose undo is lost cannot be rolled back"]
pub struct Undo {
    spent: Vec<(TxIn, Vec<u8>)>,
    created: Vec<TxIn>,
    changes: Changes,
    pots: Pots,
    slot: u64,
}

impl State {
    pub(crate) fn new(utxos: Utxos, pots: Pots, certs: CertState) -> Self {
        let mut state = Self {
            pots,
            certs,
            ..Self::default()
        };
        for (reference, output) in utxos {
            state.insert(reference, output);
        }
        state
    }

    /// The unspent outputs.
    pub fn utxos(&self) -> &Utxos {
        &self.utxos
    }

    /// The pots.
    pub fn pots(&self) -> Pots {
        self.pots
    }

    /// What certificates change.
    pub fn certs(&self) -> &CertState {
        &self.certs
    }

    /// The slot of the last block applied; 0 before the first.
    pub fn slot(&self) -> u64 {
        self.slot
    }

    /// The unspent outputs at an address, given as its bytes.
    pub fn at_address<'a>(
        &'a self,
        address: &[u8],
    ) -> impl Iterator<Item = (TxIn, &'a [u8])> + use<'a> {
        let references = self.by_address.get(address).into_iter().flatten();
        references.filter_map(|reference| Some((*reference, self.utxos.get(reference)?.as_slice())))
    }

    /// Applies a transaction; the slot becomes the one it was validated for, if that is later.
    ///
    /// # Errors
    /// `BadInputsUTxO` when an input that was unspent at validation no longer is, `changedSinceValidation` when something else that it
    /// changes is no longer as it was; then nothing has changed.
    pub(crate) fn apply(&mut self, tx: &ValidatedTx) -> Result<Undo, LedgerError> {
        let missing: Vec<TxIn> = tx
            .spent
            .iter()
            .filter(|input| !self.utxos.contains_key(input))
            .copied()
            .collect();
        if !missing.is_empty() {
            return Err(InputsError::BadInputs { missing }.into());
        }
        if !tx.changes.fit(&self.certs) {
            return Err(CertificatesError::ChangedSinceValidation.into());
        }
        tx.changes.make(&mut self.certs);
        let mut undo = Undo {
            spent: Vec::new(),
            created: Vec::new(),
            changes: tx.changes.clone(),
            pots: self.pots,
            slot: self.slot,
        };
        for reference in &tx.spent {
            undo.spent
                .extend(self.remove(reference).map(|output| (*reference, output)));
        }
        for (reference, output) in &tx.created {
            self.insert(*reference, output.clone());
            undo.created.push(*reference);
        }
        let pots = &mut self.pots;
        pots.fees_lovelace = pots.fees_lovelace.saturating_add(tx.fee_lovelace);
        pots.donations_lovelace = pots.donations_lovelace.saturating_add(tx.donation_lovelace);
        self.slot = self.slot.max(tx.slot);
        Ok(undo)
    }

    /// Moves the tip to a block's slot.
    pub(crate) fn advance(&mut self, slot: u64) -> Undo {
        let undo = Undo {
            spent: Vec::new(),
            created: Vec::new(),
            changes: Changes::default(),
            pots: self.pots,
            slot: self.slot,
        };
        self.slot = slot;
        undo
    }

    /// Takes a change back. Changes are taken back in the reverse order of being made.
    pub(crate) fn undo(&mut self, undo: Undo) {
        for reference in &undo.created {
            self.remove(reference);
        }
        for (reference, output) in undo.spent {
            self.insert(reference, output);
        }
        undo.changes.take_back(&mut self.certs);
        self.pots = undo.pots;
        self.slot = undo.slot;
    }

    fn insert(&mut self, reference: TxIn, output: Vec<u8>) {
        self.by_address
            .entry(address_of(&output))
            .or_default()
            .insert(reference);
        self.utxos.insert(reference, output);
    }

    fn remove(&mut self, reference: &TxIn) -> Option<Vec<u8>> {
        let output = self.utxos.remove(reference)?;
        let address = address_of(&output);
        if let Some(references) = self.by_address.get_mut(&address) {
            references.remove(reference);
            if references.is_empty() {
                self.by_address.remove(&address);
            }
        }
        Some(output)
    }
}

/// The address of a stored output. Only decoded outputs are stored, so that the empty address stands for none.
fn address_of(output: &[u8]) -> Vec<u8> {
    Output::parse(output)
        .map(|output| output.address_bytes.to_vec())
        .unwrap_or_default()
}

impl Undo {
    /// One undo for a sequence of changes, given in the order in which they were made.
    ///
    /// An output that was created and spent within the sequence is in neither list.
    pub(crate) fn merge(first: Self, rest: Vec<Self>) -> Self {
        let mut created: BTreeSet<TxIn> = first.created.into_iter().collect();
        let mut spent = first.spent;
        let mut changes = first.changes;
        for change in rest {
            spent.extend(
                change
                    .spent
                    .into_iter()
                    .filter(|(input, _)| !created.remove(input)),
            );
            created.extend(change.created);
            changes = changes.then(change.changes);
        }
        Self {
            spent,
            created: created.into_iter().collect(),
            changes,
            pots: first.pots,
            slot: first.slot,
        }
    }
}
