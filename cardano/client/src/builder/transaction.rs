//! A balanced transaction, before and after it is signed.

use std::collections::{BTreeMap, BTreeSet};

use nupeer_primitives::{Hash, Hash28, PublicKey, Signature};

use super::{
    Purpose, SignError,
    assemble::{Assembled, Draft},
};
use crate::{Output, OutputReference, Utxo, parameters::ExUnits, wallet::SigningKey};

/// A balanced transaction. Its id is final: signatures do not change it.
#[derive(Clone, Debug)]
pub struct UnsignedTransaction {
    assembled: Assembled,
    id: Hash,
    signers: BTreeSet<Hash28>,
    pub(super) inputs: BTreeMap<OutputReference, Output>,
    pub(super) outputs: Vec<Output>,
    needs: BTreeSet<OutputReference>,
    fee_lovelace: u64,
    units: BTreeMap<Purpose, ExUnits>,
    signed_bytes: u64,
}

/// A transaction ready for submission.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SignedTransaction {
    /// Its id.
    pub id: Hash,
    /// Its CBOR.
    pub cbor: Vec<u8>,
}

impl UnsignedTransaction {
    pub(super) fn new(
        draft: Draft<'_>,
        assembled: Assembled,
        signers: BTreeSet<Hash28>,
        signed_bytes: u64,
    ) -> Self {
        let pledged = draft.collateral.iter().flat_map(|c| &c.inputs);
        let pledged = pledged.map(|utxo| utxo.reference);
        let seen = draft.builder.references.keys().copied();
        UnsignedTransaction {
            id: assembled.id(),
            needs: draft
                .inputs
                .keys()
                .copied()
                .chain(seen)
                .chain(pledged)
                .collect(),
            assembled,
            signers,
            inputs: draft.inputs,
            outputs: draft.outputs,
            fee_lovelace: draft.fee,
            units: draft.units,
            signed_bytes,
        }
    }

    /// Blake2b-256 of the body: what each key signs.
    pub fn id(&self) -> Hash {
        self.id
    }

    /// The body's CBOR.
    pub fn body(&self) -> &[u8] {
        &self.assembled.body
    }

    /// The whole transaction without signatures, which an outside wallet completes.
    pub fn cbor(&self) -> Vec<u8> {
        // What was assembled once assembles again.
        self.assembled.transaction(&[]).unwrap_or_default()
    }

    /// Hashes of the keys that must sign.
    pub fn signers(&self) -> &BTreeSet<Hash28> {
        &self.signers
    }

    /// The fee.
    pub fn fee_lovelace(&self) -> u64 {
        self.fee_lovelace
    }

    /// The units that each redeemer declares.
    pub fn units(&self) -> &BTreeMap<Purpose, ExUnits> {
        &self.units
    }

    /// Size with all signatures.
    pub fn signed_bytes(&self) -> u64 {
        self.signed_bytes
    }

    /// What it spends.
    pub fn inputs(&self) -> impl Iterator<Item = OutputReference> {
        self.inputs.keys().copied()
    }

    /// All that must be unspent for it to be valid: what it spends, what it refers to, what it pledges.
    pub fn needs(&self) -> impl Iterator<Item = OutputReference> {
        self.needs.iter().copied()
    }

    /// What it makes, change included, to be spent by a transaction after it without waiting.
    pub fn utxos(&self) -> Vec<Utxo> {
        let references = (0..).map(|index| OutputReference {
            transaction_id: self.id,
            index,
        });
        references
            .zip(self.outputs.clone())
            .map(|(reference, output)| Utxo { reference, output })
            .collect()
    }

    /// Signs with `keys`, of which those that need not sign are left out.
    pub fn sign<'a>(
        &self,
        keys: impl IntoIterator<Item = &'a SigningKey>,
    ) -> Result<SignedTransaction, SignError> {
        let keys = keys
            .into_iter()
            .filter(|key| self.signers.contains(&key.key_hash()));
        let signatures: Vec<_> = keys
            .map(|key| (key.public_key(), key.sign(&self.id.0)))
            .collect();
        self.complete(&signatures)
    }

    /// Puts signatures made elsewhere in place. Each is verified, and none may be missing.
    pub fn complete(
        &self,
        signatures: &[(PublicKey, Signature)],
    ) -> Result<SignedTransaction, SignError> {
        let by_key: BTreeMap<Hash28, _> = signatures
            .iter()
            .map(|pair| (pair.0.hash(), *pair))
            .collect();
        if let Some((key, _)) = by_key
            .iter()
            .find(|(_, (key, signature))| !key.verifies(&self.id.0, signature))
        {
            return Err(SignError::Invalid(*key));
        }
        let missing: Vec<_> = self
            .signers
            .iter()
            .filter(|key| !by_key.contains_key(key))
            .copied()
            .collect();
        if !missing.is_empty() {
            return Err(SignError::Missing { missing });
        }
        let signatures: Vec<_> = by_key.into_values().collect();
        let cbor = self.assembled.transaction(&signatures).unwrap_or_default();
        Ok(SignedTransaction { id: self.id, cbor })
    }
}
