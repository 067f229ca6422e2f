//! Bringing a bridge into the world: seed, reference scripts and birth, one after another without waiting, then waiting
//! until they are in a block.

use std::{collections::BTreeMap, time::Duration};

use nupeer_cardano_client::{
    Network, Node, Output, OutputReference, ProtocolParameters, SignedTransaction,
    TransactionBuilder, UnsignedTransaction, Utxo, Value,
    builder::{BuildError, Change, Evaluate, SignError},
    node::NodeError,
    wallet::SigningKey,
};
use nupeer_contracts::{BridgeScripts, ScriptsError, Validator};
use nupeer_outbox::{Committee, committee::CommitteeError};
use nupeer_primitives::{AssetId, CardanoPoint, Code, Numbered, PublicKey, Slot};
use pallas_addresses::Address;
use tokio::time::{Instant, sleep};

use crate::{
    Deployment, DeploymentError, convert,
    deployment::{Members, REFERENCED, script_name},
    transactions::{
        TransactionError, Window,
        birth::{self, Beginning},
        reference_scripts,
    },
};

/// Lovelace at the seed; they pay for a part of the birth.
const SEED_LOVELACE: u64 = 5_000_000;

/// How often the node is asked while waiting.
const POLL: Duration = Duration::from_millis(200);

/// Who signs and pays for transactions.
#[derive(Debug)]
pub struct Submitter {
    /// The key that spends from the address.
    pub key: SigningKey,
    /// Where funds are and change goes.
    pub address: Address,
}

/// What is to be deployed.
#[derive(Clone, Debug)]
pub struct Wanted {
    /// Bridge public keys of the first committee.
    pub keys: Vec<PublicKey>,
    /// Number of shards.
    pub shards: u8,
    /// Native assets that may enter beside ADA.
    pub assets: Vec<AssetId>,
}

/// Why no bridge was deployed.
#[derive(Debug, thiserror::Error)]
pub enum DeployError {
    /// The node.
    #[error(transparent)]
    Node(#[from] NodeError),
    /// A transaction.
    #[error(transparent)]
    Transaction(#[from] TransactionError),
    /// A transaction cannot be balanced.
    #[error(transparent)]
    Build(#[from] BuildError),
    /// A signature.
    #[error(transparent)]
    Sign(#[from] SignError),
    /// The scripts.
    #[error(transparent)]
    Scripts(#[from] ScriptsError),
    /// The committee.
    #[error(transparent)]
    Committee(#[from] CommitteeError),
    /// What was deployed does not check.
    #[error(transparent)]
    Deployment(#[from] DeploymentError),
    /// The network's magic does not fit the contracts' 32 bits.
    #[error("network magic {0} does not fit 32 bits")]
    Magic(u64),
    /// The node has no block.
    #[error("the Cardano node has no block yet")]
    NoBlock,
    /// Submitted, but in no block within the time given.
    #[error(
        "the bridge was submitted but is in no block after {waited_s} s; its birth is transaction {birth}"
    )]
    Waited {
        /// Seconds waited.
        waited_s: u64,
        /// The birth's id.
        birth: String,
    },
}

impl Numbered for DeployError {
    fn code(&self) -> Code {
        match self {
            DeployError::Node(error) => error.code(),
            DeployError::Transaction(error) => error.code(),
            DeployError::Build(error) => error.code(),
            DeployError::Sign(error) => error.code(),
            DeployError::Scripts(error) => error.code(),
            DeployError::Committee(error) => error.code(),
            DeployError::Deployment(error) => error.code(),
            DeployError::Magic(_) => Code(7530),
            DeployError::NoBlock => Code(7531),
            DeployError::Waited { .. } => Code(7532),
        }
    }
}

/// A transaction of a deployment.
#[derive(Clone, Debug)]
pub struct Made {
    /// What it is for.
    pub name: &'static str,
    /// As it was balanced: fee, units, size.
    pub unsigned: UnsignedTransaction,
    /// As it is submitted.
    pub signed: SignedTransaction,
}

/// A deployment's transactions, signed and not yet submitted.
#[derive(Clone, Debug)]
pub struct Prepared {
    /// Seed and reference scripts, which come first.
    pub before: [Made; 2],
    /// The birth.
    pub birth: Made,
    scripts: BridgeScripts,
    beginning: Beginning,
    seed: OutputReference,
    references: BTreeMap<String, OutputReference>,
}

/// What a node says that a deployment depends on.
#[derive(Clone, Debug)]
pub struct Situation<'a> {
    /// The network.
    pub network: &'a Network,
    /// The tip's slot.
    pub tip: Slot,
    /// The parameters in force.
    pub parameters: &'a ProtocolParameters,
    /// The deployer's outputs.
    pub funds: Vec<Utxo>,
}

/// Makes the transactions of a deployment, each spending the change of the one before.
pub fn prepare(
    wanted: &Wanted,
    situation: &Situation<'_>,
    submitter: &Submitter,
    evaluator: &dyn Evaluate,
) -> Result<Prepared, DeployError> {
    let Situation {
        network,
        tip,
        parameters,
        funds,
    } = situation;
    let magic = u32::try_from(network.magic).map_err(|_| DeployError::Magic(network.magic))?;
    let make = |name, builder: &TransactionBuilder| -> Result<Made, DeployError> {
        let unsigned = builder.build(parameters, evaluator)?;
        let signed = unsigned.sign([&submitter.key])?;
        Ok(Made {
            name,
            unsigned,
            signed,
        })
    };
    let own = &submitter.address;
    let seed_output = Output::new(own.clone(), Value::lovelace(SEED_LOVELACE));
    let seed = TransactionBuilder::new(Change::to(own.clone()))
        .available(funds.iter().cloned())
        .pay(seed_output);
    let seed_made = make("seed", &seed)?;
    let mut after_seed = left(&seed_made.unsigned, funds, own);
    let seed = after_seed.remove(0);
    let scripts = BridgeScripts::derive(magic, convert::reference(seed.reference))?;
    let carrying = reference_scripts::build(&scripts, own, after_seed.clone(), parameters)?;
    let references_made = make("reference scripts", &carrying)?;
    let references = REFERENCED.iter().zip(references_made.unsigned.utxos());
    let references = references
        .map(|(validator, utxo)| (script_name(*validator).to_owned(), utxo.reference))
        .collect();
    let committee = Committee::new(scripts.bridge_id(), 0, wanted.keys.clone())?;
    let beginning = Beginning {
        committee,
        shards: wanted.shards,
        assets: wanted.assets.clone(),
    };
    let window = Window::after(network, *tip)?;
    let rest = left(&references_made.unsigned, &after_seed, own);
    let (utxo, reference) = (seed.clone(), seed.reference);
    let birth = birth::build(&scripts, &beginning, utxo, own, rest, &window, parameters)?;
    let birth_made = make("birth", &birth)?;
    Ok(Prepared {
        before: [seed_made, references_made],
        birth: birth_made,
        scripts,
        beginning,
        seed: reference,
        references,
    })
}

/// What `owner` can spend after a transaction: what it made at the owner's address, then what it left alone.
pub fn left(made: &UnsignedTransaction, before: &[Utxo], owner: &Address) -> Vec<Utxo> {
    let spent: Vec<_> = made.inputs().collect();
    let own = made
        .utxos()
        .into_iter()
        .filter(|utxo| utxo.output.address == *owner);
    let kept = before
        .iter()
        .filter(|utxo| !spent.contains(&utxo.reference));
    own.chain(kept.cloned()).collect()
}

impl Prepared {
    /// All of them, in the order in which they are submitted.
    pub fn transactions(&self) -> impl Iterator<Item = &Made> {
        self.before.iter().chain([&self.birth])
    }

    /// Committee, head and shards, in this order.
    pub fn born(&self) -> Vec<OutputReference> {
        let parts = usize::from(self.beginning.shards) + 2;
        let made = self.birth.unsigned.utxos();
        made.iter().take(parts).map(|utxo| utxo.reference).collect()
    }

    /// The deployment, once it stands in the state of the block at `cardano_point`.
    pub fn deployment(&self, cardano_point: CardanoPoint) -> Deployment {
        let committee = &self.beginning.committee;
        Deployment {
            bridge_id: self.scripts.bridge_id(),
            network_magic: self.scripts.network_magic(),
            seed: self.seed,
            birth: self.birth.signed.id,
            shards: self.beginning.shards,
            assets: self.beginning.assets.clone(),
            committee: Members {
                keys: committee.keys().to_vec(),
                quorum: committee.quorum(),
            },
            scripts: Validator::ALL
                .map(|validator| {
                    (
                        script_name(validator).to_owned(),
                        self.scripts.hash(validator),
                    )
                })
                .into(),
            reference_outputs: self.references.clone(),
            cardano_point,
        }
    }
}

/// Deploys: makes, submits and waits at most `patience` until all is in a block. `tell` hears of each step.
pub async fn deploy(
    node: &Node,
    wanted: &Wanted,
    submitter: &Submitter,
    evaluator: &dyn Evaluate,
    patience: Duration,
    mut tell: impl FnMut(&str),
) -> Result<(Deployment, Prepared), DeployError> {
    let mut session = node.connect().await?;
    let tip = session.tip().await?.ok_or(DeployError::NoBlock)?;
    let parameters = session.parameters().await?;
    let funds = session
        .utxos_at(std::slice::from_ref(&submitter.address))
        .await?;
    drop(session);
    let situation = Situation {
        network: &node.network,
        tip: tip.point.slot,
        parameters: &parameters,
        funds,
    };
    let prepared = prepare(wanted, &situation, submitter, evaluator)?;
    for made in prepared.transactions() {
        fail::fail_point!("deploy-before-submitting");
        node.submit(&made.signed.cbor).await?;
        fail::fail_point!("deploy-after-submitting");
        tell(&format!("submitted  {}  {}", made.signed.id, made.name));
    }
    let point = until_born(node, &prepared, patience).await?;
    fail::fail_point!("deploy-born");
    let deployment = prepared.deployment(point);
    deployment.check_on(node.network.magic)?;
    Ok((deployment, prepared))
}

/// Waits until every part and every reference output is unspent in the state of one block.
async fn until_born(
    node: &Node,
    prepared: &Prepared,
    patience: Duration,
) -> Result<CardanoPoint, DeployError> {
    let mut parts = prepared.born();
    parts.extend(prepared.references.values());
    let end = Instant::now() + patience;
    loop {
        let mut session = node.connect().await?;
        let found = session.utxos(&parts).await?;
        if let (true, Some(tip)) = (found.len() == parts.len(), session.tip().await?) {
            return Ok(tip.point);
        }
        if Instant::now() >= end {
            return Err(DeployError::Waited {
                waited_s: patience.as_secs(),
                birth: prepared.birth.signed.id.to_string(),
            });
        }
        sleep(POLL).await;
    }
}
