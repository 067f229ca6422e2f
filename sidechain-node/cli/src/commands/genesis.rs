//! `nupeer genesis`, and the folders of a new chain's validators.

use std::{fs, os::unix::fs::DirBuilderExt, path::Path};

use ed25519_dalek::SigningKey;
use nupeer_ledger::Params;
use nupeer_primitives::{AccountId, Amount, AssetId, CardanoNetwork, PublicKey, TimeMs};
use nupeer_runtime::{
    Genesis,
    genesis::{Credit, GenesisValidator, Limits},
};
use rand::rngs::OsRng;
use serde_json::json;

use crate::{
    args::GenesisCommand,
    error::{CliError, Exit, Outcome, file_error},
    output::{Printer, table},
    signing::now_unix_ms,
    wallet_file::write_new,
};

pub(super) fn run(command: &GenesisCommand, printer: &Printer) -> Outcome<()> {
    match command {
        GenesisCommand::New(args) => {
            let genesis = make(&args.out, &args.name, args.validators, &args.credit)?;
            describe(&genesis, printer)?;
            printer.note(&format!("written to {}", args.out.display()));
            Ok(())
        }
        GenesisCommand::Show { file } => describe(&read(file)?, printer),
    }
}

/// The genesis in a file.
pub(super) fn read(file: &Path) -> Outcome<Genesis> {
    let text = fs::read_to_string(file).map_err(|error| file_error(file, &error))?;
    Genesis::from_json(&text).map_err(|error| CliError::numbered(Exit::Usage, &error))
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

/// Makes keys for each validator under `out`, and the genesis that names them.
pub(super) fn make(
    out: &Path,
    name: &str,
    validators: u16,
    credits: &[(String, Amount)],
) -> Outcome<Genesis> {
    let network = CardanoNetwork::Testnet;
    let credit = |(address, amount): &(String, Amount)| {
        let account =
            AccountId::parse(address, network).map_err(|e| CliError::numbered(Exit::Usage, &e))?;
        Ok(Credit {
            account,
            asset: AssetId::Ada,
            amount: *amount,
        })
    };
    let credits = credits.iter().map(credit).collect::<Outcome<_>>()?;
    let validators = (0..validators).map(|n| validator(&out.join(format!("validator-{n}"))));
    let genesis = Genesis {
        name: name.to_owned(),
        cardano_network: network.id(),
        cardano: None,
        start: TimeMs(now_unix_ms()),
        validators: validators.collect::<Outcome<_>>()?,
        limits: Limits::default(),
        params: Params::default(),
        credits,
    };
    let text = genesis
        .to_json()
        .map_err(|error| CliError::numbered(Exit::Usage, &error))?;
    write_new(&out.join("genesis.json"), &text)?;
    Ok(genesis)
}

fn validator(folder: &Path) -> Outcome<GenesisValidator> {
    let made = fs::DirBuilder::new()
        .recursive(true)
        .mode(0o700)
        .create(folder);
    made.map_err(|error| file_error(folder, &error))?;
    let key = |name: &str| -> Outcome<PublicKey> {
        let key = SigningKey::generate(&mut OsRng);
        write_new(&folder.join(name), &hex::encode(key.to_bytes()))?;
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
