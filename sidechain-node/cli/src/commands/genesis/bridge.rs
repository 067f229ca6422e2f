//! A deployed bridge as a chain's genesis names it.

use std::path::Path;

use nupeer_bridge::{Params, Settings};
use nupeer_cardano_client::Network;
use nupeer_contracts::Validator;
use nupeer_observe::Scope;
use nupeer_primitives::{CardanoPoint, PublicKey};
use nupeer_relayer::{Deployment, convert};

use crate::error::{CliError, Exit, Outcome};

/// A deployment that was checked: everything in it follows from its seed.
pub(in crate::commands) struct Deployed {
    /// For the genesis.
    pub(super) settings: Settings,
    /// The Cardano block after which to follow.
    pub(super) from: CardanoPoint,
    /// The first committee's keys, ascending.
    committee: Vec<PublicKey>,
}

/// Reads and checks a deployment for a network. What an output costs is what all public networks have charged since Babbage.
pub(super) fn read(file: &Path, network: &Network) -> Outcome<Deployed> {
    let refused = |error| CliError::numbered(Exit::Refused, &error);
    let deployment = Deployment::read(file).map_err(refused)?;
    let bridge = deployment.check_on(network.magic).map_err(refused)?;
    let hash = |validator| bridge.scripts.hash(validator);
    let settings = Settings {
        bridge_id: deployment.bridge_id,
        network_magic: deployment.network_magic,
        seed: convert::reference(deployment.seed),
        birth: deployment.birth,
        scope: Scope {
            genesis: hash(Validator::Genesis),
            head: hash(Validator::Head),
            anchor: hash(Validator::Anchor),
            vault: hash(Validator::Vault),
            deposit: hash(Validator::Deposit),
        },
        committee: hash(Validator::Committee),
        shards: deployment.shards,
        assets: deployment.assets.clone(),
        params: Params::default(),
    };
    Ok(Deployed {
        settings,
        from: deployment.cardano_point,
        committee: bridge.committee.keys().to_vec(),
    })
}

impl Deployed {
    /// Fails unless the validators' bridge keys are the bridge's committee: others could sign nothing that counts.
    pub(super) fn check_committee(&self, keys: impl Iterator<Item = PublicKey>) -> Outcome<()> {
        let mut keys: Vec<PublicKey> = keys.collect();
        keys.sort();
        if keys == self.committee {
            return Ok(());
        }
        let what = format!(
            "the bridge's committee has {} keys, and they are not these {} validators' bridge keys",
            self.committee.len(),
            keys.len()
        );
        Err(CliError::new(Exit::Key, what)
            .next("nupeer genesis keys --out DIR      makes keys first")
            .next("nupeer deploy --committee DIR      makes a bridge for them"))
    }
}
