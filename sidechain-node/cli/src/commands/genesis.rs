//! `nupeer genesis`, and the folders of a new chain's validators.

mod bridge;

use std::{
    fs,
    os::unix::fs::DirBuilderExt,
    path::{Path, PathBuf},
};

use ed25519_dalek::SigningKey;
use nupeer_cardano_client::Network;
use nupeer_ledger::Params;
use nupeer_primitives::{Amount, AssetId, CardanoNetwork, CardanoPoint, PublicKey, TimeMs};
use nupeer_runtime::{
    Genesis,
    genesis::{CardanoSettings, Credit, GenesisValidator, Limits},
};
use rand::rngs::OsRng;
use serde_json::json;

use crate::{
    args::{GenesisCommand, GenesisNewArgs},
    error::{CliError, Exit, Outcome, file_error},
    output::{Printer, table},
    signing,
    wallet_file::write_new,
};

pub(super) fn run(command: &GenesisCommand, printer: &Printer) -> Outcome<()> {
    match command {
        GenesisCommand::Keys { out, validators } => keys(out, *validators, printer),
        GenesisCommand::New(args) => {
            let chain = NewChain {
                name: &args.name,
                validators: args.validators,
                credits: &args.credit,
                cardano: following(args)?,
            };
            let genesis = make(&args.out, &chain)?;
            describe(&genesis, printer)?;
            printer.note(&format!("written to {}", args.out.display()));
            Ok(())
        }
        GenesisCommand::Show { file } => describe(&read(file)?, printer),
    }
}

/// What a new chain is to follow.
fn following(args: &GenesisNewArgs) -> Outcome<Option<Following>> {
    let Some(network) = &args.cardano_network else {
        return match &args.deployment {
            None => Ok(None),
            Some(_) => Err(
                CliError::new(Exit::Usage, "a bridge stands on a Cardano network")
                    .next("--cardano-network NETWORK      names it (or NUPEER_CARDANO_NETWORK)"),
            ),
        };
    };
    let network = Network::named_or_file(&network.to_string_lossy())
        .map_err(|error| CliError::numbered(Exit::Usage, &error))?;
    if let Some(file) = &args.deployment {
        let deployed = bridge::read(file, &network)?;
        let from = deployed.from;
        let bridge = Some(deployed);
        return Ok(Some(Following {
            network,
            from,
            bridge,
        }));
    }
    let Some(from) = args.cardano_from else {
        return Ok(None);
    };
    Ok(Some(Following {
        network,
        from,
        bridge: None,
    }))
}

/// Makes the keys of validators. The bridge keys are what a bridge's first committee is made of.
fn keys(out: &Path, validators: u16, printer: &Printer) -> Outcome<()> {
    let mut rows = vec![
        ["folder", "consensus key", "bridge key"]
            .map(str::to_owned)
            .to_vec(),
    ];
    let mut values = Vec::new();
    for folder in folders(out, validators) {
        let made = validator(&folder)?;
        let (consensus, bridge) = (made.consensus_key.to_string(), made.bridge_key.to_string());
        values.push(json!({ "folder": folder, "consensus_key": consensus, "bridge_key": bridge }));
        rows.push(vec![folder.display().to_string(), consensus, bridge]);
    }
    printer.result(json!({ "validators": values }), &table(&rows));
    Ok(())
}

/// The genesis in a file.
pub(super) fn read(file: &Path) -> Outcome<Genesis> {
    let next = [
        "nupeer genesis new --out DIR   makes DIR/genesis.json and validators' keys",
        "nupeer up                      keeps that of its chain in cluster/genesis.json",
    ];
    let told = |error: CliError| next.into_iter().fold(error, CliError::next);
    let text = fs::read_to_string(file).map_err(|error| told(file_error(file, &error)))?;
    Genesis::from_json(&text).map_err(|error| told(CliError::numbered(Exit::Usage, &error)))
}

fn describe(genesis: &Genesis, printer: &Printer) -> Outcome<()> {
    let chain = genesis
        .chain()
        .map_err(|error| CliError::numbered(Exit::Refused, &error))?;
    let validators: Vec<String> = chain
        .validators
        .iter()
        .map(|v| v.id().to_string())
        .collect();
    let value = json!({ "id": chain.id.to_string(), "name": chain.name, "validators": validators });
    let mut rows = vec![
        vec!["id".to_owned(), chain.id.to_string()],
        vec!["name".to_owned(), chain.name],
    ];
    rows.extend(
        validators
            .into_iter()
            .map(|id| vec!["validator".into(), id]),
    );
    printer.result(value, &table(&rows));
    Ok(())
}

/// Names of a validator's key files, in its folder.
pub(super) const KEY_FILES: [&str; 3] = ["consensus.key", "bridge.key", "network.key"];

/// What a new chain is to be like.
#[derive(Default)]
pub(super) struct NewChain<'a> {
    /// Its name.
    pub(super) name: &'a str,
    /// How many validators.
    pub(super) validators: u16,
    /// First balances.
    pub(super) credits: &'a [(String, Amount)],
    /// What it follows.
    pub(super) cardano: Option<Following>,
}

/// A Cardano to follow.
pub(super) struct Following {
    /// Its figures.
    pub(super) network: Network,
    /// The block after which to begin.
    pub(super) from: CardanoPoint,
    /// The bridge there, if there is one.
    pub(super) bridge: Option<bridge::Deployed>,
}

fn folders(out: &Path, validators: u16) -> impl Iterator<Item = PathBuf> {
    (0..validators).map(move |n| out.join(format!("validator-{n}")))
}

/// Makes keys for each validator under `out` that has none, and the genesis that names them.
pub(super) fn make(out: &Path, chain: &NewChain<'_>) -> Outcome<Genesis> {
    let network = match &chain.cardano {
        None => CardanoNetwork::Testnet,
        Some(following) => following.network.kind,
    };
    let credit = |(address, amount): &(String, Amount)| {
        let account = signing::receiver(address, network)?;
        Ok(Credit {
            account,
            asset: AssetId::Ada,
            amount: *amount,
        })
    };
    let credits = chain.credits.iter().map(credit).collect::<Outcome<_>>()?;
    let validators = folders(out, chain.validators).map(|folder| validator(&folder));
    let validators: Vec<GenesisValidator> = validators.collect::<Outcome<_>>()?;
    let deployed = chain.cardano.as_ref().and_then(|f| f.bridge.as_ref());
    if let Some(deployed) = deployed {
        deployed.check_committee(validators.iter().map(|validator| validator.bridge_key))?;
    }
    let genesis = Genesis {
        name: chain.name.to_owned(),
        cardano_network: network.id(),
        cardano: chain.cardano.as_ref().map(settings).transpose()?,
        start: TimeMs(nupeer_client::now_unix_ms()),
        validators,
        limits: Limits::default(),
        params: Params::default(),
        credits,
        lease: nupeer_lease::Params {
            kinds: vec![nupeer_paas::kind_params()],
            ..nupeer_lease::Params::default()
        },
        bridge: deployed.map(|deployed| deployed.settings.clone()),
    };
    let text = genesis
        .to_json()
        .map_err(|error| CliError::numbered(Exit::Usage, &error))?;
    write_new(&out.join("genesis.json"), &text)?;
    Ok(genesis)
}

fn settings(following: &Following) -> Outcome<CardanoSettings> {
    let Following { network, from, .. } = following;
    let small = |what: &str, number: u64| {
        u32::try_from(number)
            .map_err(|_| CliError::new(Exit::Usage, format!("the network's {what} is {number}")))
    };
    Ok(CardanoSettings {
        magic: small("magic", network.magic)?,
        security_parameter: small("security parameter", network.security_parameter_blocks)?,
        from: *from,
    })
}

/// A validator's keys: those in its folder, or new ones where it has none.
fn validator(folder: &Path) -> Outcome<GenesisValidator> {
    let made = fs::DirBuilder::new()
        .recursive(true)
        .mode(0o700)
        .create(folder);
    made.map_err(|error| file_error(folder, &error))?;
    let key = |name: &str| -> Outcome<PublicKey> {
        let path = folder.join(name);
        if path.exists() {
            let secret = nupeer_node::keys::read(&path)
                .map_err(|error| CliError::numbered(Exit::Key, &error))?;
            return Ok(PublicKey(
                SigningKey::from_bytes(&secret).verifying_key().to_bytes(),
            ));
        }
        let key = SigningKey::generate(&mut OsRng);
        write_new(&path, &hex::encode(key.to_bytes()))?;
        Ok(PublicKey(key.verifying_key().to_bytes()))
    };
    let [consensus, bridge, network] = KEY_FILES;
    let (consensus_key, bridge_key) = (key(consensus)?, key(bridge)?);
    key(network)?;
    Ok(GenesisValidator {
        consensus_key,
        bridge_key,
        power: 1,
    })
}
