//! From a settled draft to the ledger's bytes.

use std::{
    collections::{BTreeMap, BTreeSet},
    ops::Range,
};

use nupeer_primitives::{Hash, Hash28, PublicKey, Signature, blake2b_256};
use pallas_codec::{
    minicbor,
    utils::{KeepRaw, NonEmptySet, NonZeroInt, Set},
};
use pallas_primitives::{
    PlutusData, PlutusScript,
    conway::{
        AuxiliaryData, ExUnits as PallasUnits, LanguageViews, Multiasset, RedeemerTag, Redeemers,
        RedeemersKey, RedeemersValue, ScriptData, TransactionBody, TransactionOutput, VKeyWitness,
        WitnessSet,
    },
};

use super::{BuildError, Purpose, RedeemerIndex, TransactionBuilder, collateral::Collateral};
use crate::{Output, OutputReference, ProtocolParameters, Script, parameters::ExUnits};

/// Everything that is decided in one round of balancing.
pub(super) struct Draft<'a> {
    pub(super) builder: &'a TransactionBuilder,
    pub(super) inputs: BTreeMap<OutputReference, Output>,
    /// In their final order, change included.
    pub(super) outputs: Vec<Output>,
    /// Which of them are the change.
    pub(super) change: Range<usize>,
    pub(super) collateral: Option<Collateral>,
    pub(super) witnesses: Vec<&'a Script>,
    pub(super) fee: u64,
    pub(super) units: BTreeMap<Purpose, ExUnits>,
}

/// The parts of a transaction that signatures do not change.
#[derive(Clone, Debug)]
pub(super) struct Assembled {
    pub(super) body: Vec<u8>,
    pub(super) auxiliary: Option<Vec<u8>>,
    redeemers: Option<Redeemers>,
    scripts: Vec<PlutusScript<3>>,
}

impl Draft<'_> {
    pub(super) fn assemble(
        &self,
        parameters: &ProtocolParameters,
    ) -> Result<Assembled, BuildError> {
        let auxiliary = self.auxiliary()?;
        let redeemers = self.redeemers()?;
        let outputs: Vec<Vec<u8>> = self.outputs.iter().map(Output::to_cbor).collect();
        let back = self
            .collateral
            .as_ref()
            .and_then(|c| c.back.as_ref())
            .map(Output::to_cbor);
        let body = TransactionBody {
            inputs: Set::from(
                self.inputs
                    .keys()
                    .map(|reference| reference.to_pallas())
                    .collect::<Vec<_>>(),
            ),
            outputs: outputs
                .iter()
                .map(|cbor| raw_output(cbor))
                .collect::<Result<_, _>>()?,
            fee: self.fee,
            ttl: self.builder.valid_until.map(|slot| slot.0),
            certificates: None,
            withdrawals: None,
            auxiliary_data_hash: auxiliary
                .as_ref()
                .map(|bytes| blake2b_256(&[bytes]).0.into()),
            validity_interval_start: self.builder.valid_from.map(|slot| slot.0),
            mint: self.mint(),
            script_data_hash: redeemers
                .as_ref()
                .map(|redeemers| script_data_hash(redeemers, parameters)),
            collateral: self
                .collateral
                .as_ref()
                .and_then(|c| references(c.inputs.iter().map(|utxo| utxo.reference))),
            required_signers: NonEmptySet::from_vec(
                self.builder
                    .signers
                    .iter()
                    .map(|key| key.0.into())
                    .collect(),
            ),
            network_id: None,
            collateral_return: back.as_ref().map(|cbor| raw_output(cbor)).transpose()?,
            total_collateral: self.collateral.as_ref().map(|c| c.lovelace),
            reference_inputs: references(self.builder.references.keys().copied()),
            voting_procedures: None,
            proposal_procedures: None,
            treasury_value: None,
            donation: None,
        };
        let scripts = self
            .witnesses
            .iter()
            .map(|script| PlutusScript(script.bytes.clone().into()))
            .collect();
        Ok(Assembled {
            body: encode(&body)?,
            auxiliary,
            redeemers,
            scripts,
        })
    }

    /// Which keys must sign: those of inputs and collateral, and those required.
    pub(super) fn signing_keys(&self) -> BTreeSet<Hash28> {
        let pledged = self
            .collateral
            .iter()
            .flat_map(|c| &c.inputs)
            .map(|utxo| &utxo.output);
        let spent = self.inputs.values().chain(pledged);
        let keys =
            spent.filter_map(
                |output| match crate::address::payment_credential(&output.address) {
                    Some(nupeer_primitives::Credential::Key(hash)) => Some(hash),
                    _ => None,
                },
            );
        keys.chain(self.builder.signers.iter().copied()).collect()
    }

    /// What each redeemer is for, in the ledger's order, with the index by which the ledger knows it.
    pub(super) fn purposes(&self) -> Vec<(RedeemerIndex, Purpose)> {
        let spending = self.inputs.keys().zip(0..).filter(|(reference, _)| {
            self.builder
                .inputs
                .get(reference)
                .is_some_and(|input| input.redeemer.is_some())
        });
        let spending =
            spending.map(|(reference, n)| (RedeemerIndex::Spend(n), Purpose::Spend(*reference)));
        let minting = self.builder.mint.keys().zip(0..);
        spending
            .chain(minting.map(|(policy, n)| (RedeemerIndex::Mint(n), Purpose::Mint(*policy))))
            .collect()
    }

    fn redeemers(&self) -> Result<Option<Redeemers>, BuildError> {
        let mut entries = BTreeMap::new();
        for (index, purpose) in self.purposes() {
            let data = match &purpose {
                Purpose::Spend(reference) => self
                    .builder
                    .inputs
                    .get(reference)
                    .and_then(|i| i.redeemer.as_ref()),
                Purpose::Mint(policy) => self
                    .builder
                    .mint
                    .get(policy)
                    .map(|minting| &minting.redeemer),
            };
            let Some(data) = data else { continue };
            let ExUnits { memory, steps } = self.units.get(&purpose).copied().unwrap_or_default();
            let value = RedeemersValue {
                data: plutus(&data.to_cbor())?,
                ex_units: PallasUnits { mem: memory, steps },
            };
            entries.insert(key(index), value);
        }
        Ok((!entries.is_empty()).then_some(Redeemers::Map(entries)))
    }

    fn mint(&self) -> Option<Multiasset<NonZeroInt>> {
        let mut mint: Multiasset<NonZeroInt> = BTreeMap::new();
        for (policy, minting) in &self.builder.mint {
            let names = minting.amounts.iter().filter_map(|(name, amount)| {
                Some((name.clone().into(), NonZeroInt::try_from(*amount).ok()?))
            });
            mint.insert(policy.0.into(), names.collect());
        }
        (!mint.is_empty()).then_some(mint)
    }

    fn auxiliary(&self) -> Result<Option<Vec<u8>>, BuildError> {
        match self.builder.metadata.is_empty() {
            true => Ok(None),
            false => encode(&AuxiliaryData::Shelley(self.builder.metadata.clone())).map(Some),
        }
    }
}

impl Assembled {
    /// The transaction's id: the hash of its body.
    pub(super) fn id(&self) -> Hash {
        blake2b_256(&[&self.body])
    }

    /// `[body, witnesses, true, metadata or null]`.
    pub(super) fn transaction(
        &self,
        signatures: &[(PublicKey, Signature)],
    ) -> Result<Vec<u8>, BuildError> {
        let keys = signatures.iter().map(|(key, signature)| VKeyWitness {
            vkey: key.0.to_vec().into(),
            signature: signature.0.to_vec().into(),
        });
        let witnesses = encode(&WitnessSet {
            vkeywitness: NonEmptySet::from_vec(keys.collect()),
            native_script: None,
            bootstrap_witness: None,
            plutus_v1_script: None,
            plutus_data: None,
            redeemer: self.redeemers.clone().map(KeepRaw::from),
            plutus_v2_script: None,
            plutus_v3_script: NonEmptySet::from_vec(self.scripts.clone()),
        })?;
        let null = [0xf6];
        let auxiliary = self.auxiliary.as_deref().unwrap_or(&null);
        Ok([
            &[0x84],
            self.body.as_slice(),
            &witnesses,
            &[0xf5],
            auxiliary,
        ]
        .concat())
    }

    /// Its size once `signers` keys have signed.
    pub(super) fn signed_bytes(&self, signers: usize) -> Result<u64, BuildError> {
        // Distinct keys: the set must not shrink.
        let placeholders: Vec<_> = (0..signers as u64)
            .map(|n| {
                let mut key = [0; 32];
                key[..8].copy_from_slice(&n.to_be_bytes());
                (PublicKey(key), Signature([0; 64]))
            })
            .collect();
        Ok(self.transaction(&placeholders)?.len() as u64)
    }
}

/// Redeemers, then the cost models of the languages used: V3 alone (Conway ledger specification, `hashScriptIntegrity`).
fn script_data_hash(
    redeemers: &Redeemers,
    parameters: &ProtocolParameters,
) -> pallas_primitives::Hash<32> {
    let views = LanguageViews::from_iter([(2, parameters.cost_model_v3.clone())]);
    ScriptData {
        redeemers: Some(redeemers.clone()),
        datums: None,
        language_views: Some(views),
    }
    .hash()
}

fn key(index: RedeemerIndex) -> RedeemersKey {
    match index {
        RedeemerIndex::Spend(index) => RedeemersKey {
            tag: RedeemerTag::Spend,
            index,
        },
        RedeemerIndex::Mint(index) => RedeemersKey {
            tag: RedeemerTag::Mint,
            index,
        },
    }
}

/// Redeemers are our own and their depth is bounded, so pallas' recursive type does no harm.
fn plutus(cbor: &[u8]) -> Result<PlutusData, BuildError> {
    minicbor::decode(cbor).map_err(|e| BuildError::Encoding(e.to_string()))
}

/// Keeps the bytes as they are; only the shell is decoded and no tree outlives the call.
fn raw_output(cbor: &[u8]) -> Result<TransactionOutput<'_>, BuildError> {
    minicbor::decode(cbor).map_err(|e| BuildError::Encoding(e.to_string()))
}

fn references(
    references: impl Iterator<Item = OutputReference>,
) -> Option<NonEmptySet<pallas_primitives::TransactionInput>> {
    NonEmptySet::from_vec(references.map(OutputReference::to_pallas).collect())
}

fn encode<T: minicbor::Encode<()>>(item: &T) -> Result<Vec<u8>, BuildError> {
    minicbor::to_vec(item).map_err(|e| BuildError::Encoding(e.to_string()))
}
