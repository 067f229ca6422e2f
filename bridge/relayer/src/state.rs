//! The bridge as it stands on Cardano, read from unspent outputs alone.

use std::collections::BTreeMap;

use nupeer_cardano_client::{
    Datum, Output, OutputReference, Tip, Utxo,
    node::{Node, NodeError},
};
use nupeer_contracts::Validator;
use nupeer_observe::plutus;
use nupeer_outbox::{Anchor, Committee, Head, Shard};
use nupeer_primitives::{AssetId, Code, Numbered, plutus::Data};
use pallas_addresses::Address;

use crate::{Bridge, convert};

/// All outputs that matter to the bridge and to whoever relays, at one block.
#[derive(Clone, Debug)]
pub struct Snapshot {
    /// The block.
    pub tip: Tip,
    /// What is unspent.
    pub outputs: BTreeMap<OutputReference, Output>,
}

/// A part of the bridge: where it lies and what its datum says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Located<T> {
    /// The output.
    pub utxo: Utxo,
    /// Its datum.
    pub datum: T,
}

/// The bridge and its submitter's funds.
#[derive(Clone, Debug)]
pub struct CardanoState {
    /// The block that this is the state of, outputs of waiting transactions aside.
    pub tip: Tip,
    /// Whose signatures certify.
    pub committee: Located<Committee>,
    /// What the next anchor spends.
    pub head: Located<Head>,
    /// All anchors by number.
    pub anchors: BTreeMap<u64, Located<Anchor>>,
    /// All shards by number.
    pub shards: BTreeMap<u8, Located<Shard>>,
    /// What lies at the deposits' script, whatever it is.
    pub deposits: BTreeMap<OutputReference, Utxo>,
    /// Scripts that transactions refer to.
    pub references: BTreeMap<Validator, Utxo>,
    /// What the submitter can spend.
    pub funds: Vec<Utxo>,
}

/// Why the bridge cannot be read.
#[derive(Debug, thiserror::Error)]
pub enum StateError {
    /// The node did not answer.
    #[error(transparent)]
    Node(#[from] NodeError),
    /// The chain has no block.
    #[error("the Cardano node has no block yet")]
    NoBlock,
    /// A part of the bridge is not where it must be.
    #[error("the bridge's {part} is not on this Cardano chain")]
    Missing {
        /// Which part.
        part: String,
    },
    /// A reference output carries another script.
    #[error("the reference output of {name} carries another script or none")]
    ReferenceScript {
        /// The script's name.
        name: &'static str,
    },
}

impl Numbered for StateError {
    fn code(&self) -> Code {
        match self {
            StateError::Node(error) => error.code(),
            StateError::NoBlock => Code(7510),
            StateError::Missing { .. } => Code(7511),
            StateError::ReferenceScript { .. } => Code(7512),
        }
    }
}

impl Snapshot {
    /// Asks the node, all in one ledger state.
    pub async fn read(
        node: &Node,
        bridge: &Bridge,
        submitter: &Address,
    ) -> Result<Self, StateError> {
        let mut session = node.connect().await?;
        let tip = session.tip().await?.ok_or(StateError::NoBlock)?;
        let scripts = [
            Validator::Committee,
            Validator::Head,
            Validator::Anchor,
            Validator::Vault,
            Validator::Deposit,
        ];
        let mut addresses: Vec<Address> = scripts
            .iter()
            .map(|script| bridge.address(*script))
            .collect();
        addresses.push(submitter.clone());
        let mut found = session.utxos_at(&addresses).await?;
        let references: Vec<_> = bridge.reference_outputs.values().copied().collect();
        found.extend(session.utxos(&references).await?);
        let outputs = found.into_iter().map(|utxo| (utxo.reference, utxo.output));
        Ok(Snapshot {
            tip,
            outputs: outputs.collect(),
        })
    }
}

impl CardanoState {
    /// What the outputs are: parts by NFT and address, as the scripts know them; everything else at those addresses is dust.
    pub fn of(
        bridge: &Bridge,
        submitter: &Address,
        snapshot: &Snapshot,
    ) -> Result<Self, StateError> {
        let scripts = &bridge.scripts;
        let parts = Parts { bridge, snapshot };
        let committee = parts.one(
            Validator::Committee,
            &scripts.committee_token(),
            |data| Committee::from_data(data).ok(),
            "committee",
        )?;
        let head = parts.one(
            Validator::Head,
            &scripts.head_token(),
            |data| Head::from_data(data).ok(),
            "head",
        )?;
        let mut shards = BTreeMap::new();
        for shard in 0..bridge.shards {
            let token = scripts.shard_token(shard);
            let read = |data: &Data| Shard::from_data(data).ok();
            let found = parts.one(Validator::Vault, &token, read, &format!("shard {shard}"))?;
            shards.insert(shard, found);
        }
        let token = scripts.anchor_token();
        let read = |data: &Data| Anchor::from_data(data).ok();
        let anchors = parts.all(Validator::Anchor, &token, read);
        let anchors = anchors.map(|anchor| (anchor.datum.seq, anchor)).collect();
        let deposits = parts.at(&bridge.address(Validator::Deposit));
        Ok(CardanoState {
            tip: snapshot.tip,
            committee,
            head,
            anchors,
            shards,
            deposits: deposits.map(|utxo| (utxo.reference, utxo)).collect(),
            references: parts.references()?,
            funds: parts.at(submitter).collect(),
        })
    }

    /// The newest anchor on Cardano.
    pub fn last_anchor(&self) -> Option<&Located<Anchor>> {
        self.anchors.values().next_back()
    }
}

struct Parts<'a> {
    bridge: &'a Bridge,
    snapshot: &'a Snapshot,
}

impl<'a> Parts<'a> {
    fn at(&self, address: &Address) -> impl Iterator<Item = Utxo> + use<'a> {
        let address = address.clone();
        let outputs = self.snapshot.outputs.iter();
        let here = outputs.filter(move |(_, output)| output.address == address);
        here.map(|(reference, output)| Utxo {
            reference: *reference,
            output: output.clone(),
        })
    }

    /// Everything at the script that holds its token and has a datum that can be read.
    fn all<T>(
        &self,
        script: Validator,
        token: &AssetId,
        read: impl Fn(&Data) -> Option<T>,
    ) -> impl Iterator<Item = Located<T>> {
        let token = token.clone();
        let holding = self
            .at(&self.bridge.address(script))
            .filter(move |utxo| utxo.output.value.get(&token) > 0);
        holding.filter_map(move |utxo| {
            let datum = read(&inline(&utxo.output)?)?;
            Some(Located { utxo, datum })
        })
    }

    fn one<T>(
        &self,
        script: Validator,
        token: &AssetId,
        read: impl Fn(&Data) -> Option<T>,
        part: &str,
    ) -> Result<Located<T>, StateError> {
        let found = self.all(script, token, read).next();
        found.ok_or_else(|| StateError::Missing { part: part.into() })
    }

    fn references(&self) -> Result<BTreeMap<Validator, Utxo>, StateError> {
        let reference = |(validator, reference): (&Validator, &OutputReference)| {
            let name = crate::deployment::script_name(*validator);
            let output = self.snapshot.outputs.get(reference);
            let output = output.ok_or_else(|| StateError::Missing {
                part: format!("reference output of {name}"),
            })?;
            let carried = output.script.as_ref().map(|script| script.hash());
            if carried != Some(self.bridge.scripts.hash(*validator)) {
                return Err(StateError::ReferenceScript { name });
            }
            let (reference, output) = (*reference, output.clone());
            Ok((*validator, Utxo { reference, output }))
        };
        self.bridge
            .reference_outputs
            .iter()
            .map(reference)
            .collect()
    }
}

/// The inline datum, in whichever encoding a stranger's transaction wrote it.
pub(crate) fn inline(output: &Output) -> Option<Data> {
    match &output.datum {
        Some(Datum::Inline(bytes)) => plutus::read(bytes),
        _ => None,
    }
}

/// All that an output holds, in the outbox's form.
pub(crate) fn held(utxo: &Utxo) -> nupeer_outbox::Value {
    convert::value(&utxo.output.value)
}
