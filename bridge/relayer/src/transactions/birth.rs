//! The transaction that a bridge is born from: spends the seed, makes committee, head and shards.

use nupeer_cardano_client::{
    ProtocolParameters, TransactionBuilder, Utxo,
    builder::{Change, minimum_lovelace},
};
use nupeer_contracts::{BridgeScripts, Validator, birth::Birth};
use nupeer_outbox::Committee;
use nupeer_primitives::AssetId;
use pallas_addresses::Address;

use super::{TransactionError, Window};
use crate::{
    convert,
    deployment::{client_script, network_of},
};

/// Lovelace at the head: its output's minimum when its numbers are at their largest, with room to spare.
const HEAD_LOVELACE: u64 = 3_000_000;

/// Who and what the bridge starts with.
#[derive(Clone, Debug)]
pub struct Beginning {
    /// The first committee.
    pub committee: Committee,
    /// Number of shards.
    pub shards: u8,
    /// Native assets that may enter beside ADA.
    pub assets: Vec<AssetId>,
}

/// The birth. Outputs: committee, head, shards, change. `seed` must be the output that `scripts` were derived from.
pub fn build(
    scripts: &BridgeScripts,
    beginning: &Beginning,
    seed: Utxo,
    submitter: &Address,
    funds: impl IntoIterator<Item = Utxo>,
    window: &Window,
    parameters: &ProtocolParameters,
) -> Result<TransactionBuilder, TransactionError> {
    let network = network_of(scripts.network_magic());
    let mut birth = Birth {
        committee: beginning.committee.clone(),
        valid_until: window.until_time,
        shards: beginning.shards,
        assets: beginning.assets.clone(),
        committee_lovelace: HEAD_LOVELACE,
        head_lovelace: HEAD_LOVELACE,
    };
    let outputs = |birth: &Birth| -> Result<Vec<_>, TransactionError> {
        let outputs = birth.outputs(scripts)?;
        let outputs = outputs.iter().map(|o| convert::client_output(o, network));
        outputs
            .map(|output| output.ok_or(TransactionError::Overflow))
            .collect()
    };
    // A large committee's datum takes more than three ADA.
    if let Some(committee) = outputs(&birth)?.first() {
        let least = minimum_lovelace(committee, parameters)?;
        birth.committee_lovelace = least.max(HEAD_LOVELACE);
    }
    let tokens = birth
        .mint(scripts)
        .into_iter()
        .filter_map(|asset| match asset {
            AssetId::Native { name, .. } => Some((name, 1)),
            AssetId::Ada => None,
        });
    let builder = TransactionBuilder::new(Change::to(submitter.clone()))
        .available(funds)
        .spend(seed)
        .script(client_script(scripts, Validator::Genesis))
        .mint(scripts.hash(Validator::Genesis), tokens, Birth::redeemer())
        .valid_from(window.from)
        .valid_until(window.until);
    Ok(outputs(&birth)?
        .into_iter()
        .fold(builder, TransactionBuilder::pay))
}
