//! `nupeer deploy`: a bridge's contracts on Cardano.

use std::{fs, path::Path, time::Duration};

use nupeer_cardano_client::LedgerEvaluator;
use nupeer_primitives::PublicKey;
use nupeer_relayer::{
    deploy::{self, DeployError, Prepared, Wanted},
    deployment::{parse_asset, parse_key},
};
use serde_json::{Value, json};

use crate::{
    amount::base_units,
    args_cardano::DeployArgs,
    cardano::{ada, runtime, situation, submitter, unbuilt, unreachable},
    commands::status::plain,
    error::{CliError, Exit, Outcome, file_error},
    output::Printer,
    wallet_file::{self, write_new},
};

pub(super) fn run(args: &DeployArgs, printer: &Printer) -> Outcome<()> {
    if args.out.exists() {
        let what = format!("{} exists and is never overwritten", args.out.display());
        return Err(CliError::new(Exit::Refused, what).next("--out FILE   writes another"));
    }
    let assets = args.asset.iter().map(|text| parse_asset(text));
    let wanted = Wanted {
        keys: committee(&args.committee)?,
        shards: args.shards,
        assets: assets
            .collect::<Result<_, _>>()
            .map_err(|what| CliError::new(Exit::Usage, what))?,
    };
    let node = args.cardano.node()?;
    let wallet = wallet_file::open(&args.file)?;
    let submitter = submitter(&wallet, &node)?;
    let evaluator = LedgerEvaluator::new(&node.network);
    runtime()?.block_on(async {
        let now = situation(&node, &submitter.address).await?;
        let situation = deploy::Situation {
            network: &node.network,
            tip: now.tip.point.slot,
            parameters: &now.parameters,
            funds: now.funds,
        };
        let failed = |error: DeployError| match &error {
            DeployError::Node(error) => unreachable(error),
            DeployError::Waited { .. } => CliError::numbered(Exit::Waited, &error),
            _ => unbuilt(&error, &submitter.address),
        };
        let planned =
            deploy::prepare(&wanted, &situation, &submitter, &evaluator).map_err(failed)?;
        let (fees, locked) = costs(&planned, &submitter.address);
        let (members, quorum) = (wanted.keys.len(), wanted.keys.len() * 2 / 3 + 1);
        printer.note(&format!(
            "a bridge on {} with {} shards; {quorum} of {members} keys certify; {} stays in its outputs for ever, fees {}",
            node.network.name, wanted.shards, ada(locked), ada(fees),
        ));
        if args.dry_run {
            let made: Vec<Value> = planned.transactions().map(transaction).collect();
            let lines: Vec<String> = made.iter().map(|made| format!("would submit  {}", plain(&made["name"]))).collect();
            let value = json!({ "transactions": made, "fees_lovelace": base_units(fees), "locked_lovelace": base_units(locked), "dry_run": true });
            printer.result(value, &lines);
            return Ok(());
        }
        printer.confirm("Deploy?", args.yes)?;
        let patience = Duration::from_secs(args.timeout);
        let deployed =
            deploy::deploy(&node, &wanted, &submitter, &evaluator, patience, |line| printer.note(line))
                .await;
        let (deployment, prepared) = deployed.map_err(failed)?;
        write_new(&args.out, &deployment.to_json())?;
        let transactions: Vec<Value> = prepared.transactions().map(transaction).collect();
        let mut value: Value = serde_json::to_value(&deployment).unwrap_or_default();
        value["transactions"] = transactions.into();
        value["fees_lovelace"] = base_units(fees);
        let lines = [
            format!("bridge  {}", deployment.bridge_id),
            format!("written to {}", args.out.display()),
        ];
        printer.result(value, &lines);
        printer.note("next  nupeer genesis new --deployment FILE   makes a chain beside it");
        Ok(())
    })
}

fn transaction(made: &deploy::Made) -> Value {
    let unsigned = &made.unsigned;
    let units = unsigned.units().values();
    let (cpu, mem) = units.fold((0, 0), |(cpu, mem), u| (cpu + u.steps, mem + u.memory));
    json!({
        "name": made.name, "tx": made.signed.id.to_string(), "fee_lovelace": base_units(unsigned.fee_lovelace()),
        "size": unsigned.signed_bytes(), "cpu": cpu, "mem": mem,
    })
}

/// Fees, and what goes to other addresses than the deployer's.
fn costs(prepared: &Prepared, own: &pallas_addresses::Address) -> (u64, u64) {
    let mut costs = (0u64, 0u64);
    for made in prepared.transactions() {
        costs.0 = costs.0.saturating_add(made.unsigned.fee_lovelace());
        let foreign = made.unsigned.utxos().into_iter();
        let foreign = foreign.filter(|utxo| utxo.output.address != *own);
        let lovelace = foreign.map(|utxo| utxo.output.value.coin());
        costs.1 = lovelace.fold(costs.1, u64::saturating_add);
    }
    costs
}

/// Bridge public keys from a folder of validators, a file, or the text itself.
fn committee(text: &str) -> Outcome<Vec<PublicKey>> {
    let path = Path::new(text);
    let keys = if path.is_dir() {
        from_folder(path)?
    } else if path.is_file() {
        let content = fs::read_to_string(path).map_err(|error| file_error(path, &error))?;
        from_text(&content)?
    } else {
        from_text(text)?
    };
    if keys.is_empty() {
        let what = format!("{text} names no bridge key");
        return Err(CliError::new(Exit::Usage, what).next(
            "nupeer genesis keys --out DIR   makes validators' keys; --committee DIR takes them",
        ));
    }
    Ok(keys)
}

/// The public halves of the bridge keys in `validator-N/bridge.key`.
fn from_folder(folder: &Path) -> Outcome<Vec<PublicKey>> {
    let mut keys = Vec::new();
    for number in 0.. {
        let path = folder.join(format!("validator-{number}/bridge.key"));
        if !path.exists() {
            break;
        }
        let secret =
            nupeer_node::keys::read(&path).map_err(|e| CliError::numbered(Exit::Key, &e))?;
        let key = ed25519_dalek::SigningKey::from_bytes(&secret);
        keys.push(PublicKey(key.verifying_key().to_bytes()));
    }
    Ok(keys)
}

/// What `nupeer genesis keys --json` prints, or keys separated by commas or white space.
fn from_text(text: &str) -> Outcome<Vec<PublicKey>> {
    let written: Option<Vec<String>> = serde_json::from_str::<Value>(text).ok().map(|value| {
        let validators = value["validators"].as_array().into_iter().flatten();
        let keys = validators.filter_map(|validator| validator["bridge_key"].as_str());
        keys.map(str::to_owned).collect()
    });
    let words = || {
        let words = text.split(|c: char| c == ',' || c.is_whitespace());
        words
            .filter(|word| !word.is_empty())
            .map(str::to_owned)
            .collect()
    };
    let keys = written.unwrap_or_else(words);
    let keys = keys.iter().map(|key| parse_key(key));
    keys.collect::<Result<_, _>>()
        .map_err(|what| CliError::new(Exit::Usage, what))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_are_read_from_words_and_from_what_genesis_keys_prints() {
        let (one, two) = ("01".repeat(32), "02".repeat(32));
        let expected = [PublicKey([1; 32]), PublicKey([2; 32])];
        let json =
            format!(r#"{{"validators": [{{"bridge_key": "{one}"}}, {{"bridge_key": "{two}"}}]}}"#);
        for text in [format!("{one},{two}"), format!("{one}\n{two}\n"), json] {
            assert_eq!(committee(&text).unwrap(), expected);
        }
        assert_eq!(committee("no/such/file").unwrap_err().exit, Exit::Usage);
        assert_eq!(committee("").unwrap_err().exit, Exit::Usage);
    }
}
