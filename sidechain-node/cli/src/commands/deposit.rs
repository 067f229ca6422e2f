//! `nupeer deposit`: ADA from Cardano to the sidechain.

use std::time::{Duration, Instant};

use nupeer_bridge::Params;
use nupeer_cardano_client::{
    Node, SignedTransaction, UnsignedTransaction, Utxo, Value as CardanoValue, builder::NoScripts,
    node::NodeError,
};
use nupeer_client::ClientError;
use nupeer_outbox::{Address, BridgeId, Deposit};
use nupeer_relayer::transactions::deposit;
use serde_json::json;

use super::cut_off;
use crate::{
    amount::base_units,
    api::Api,
    args_cardano::DepositArgs,
    cardano::{ada, bridge, built, inputs, runtime, sign, situation, submitter, unreachable},
    deposit_journal::{self, Entry},
    deposit_status::{self, Answer, OnCardano, State, credited, judge, on_cardano, to_json, words},
    error::{CliError, Exit, Outcome},
    known_chain,
    output::Printer,
    signing, wallet_file,
};

/// How often Cardano and the sidechain are asked while waiting.
const POLL: Duration = Duration::from_millis(250);

/// How long a node that went away meanwhile is waited for.
const ANSWERS_WITHIN: Duration = Duration::from_secs(10);

/// How soon what is in no block yet is submitted again.
const AGAIN_AFTER: Duration = Duration::from_secs(3);

pub(super) fn run(args: &DepositArgs, api: &Api, printer: &Printer) -> Outcome<()> {
    let node = args.cardano.node()?;
    let (deployment, bridge) = bridge(&args.bridge.deployment, &node)?;
    let wallet = wallet_file::open(&args.file)?;
    let by = submitter(&wallet, &node)?;
    let network = node.network.kind;
    let account = match &args.to {
        None => wallet.account(),
        Some(text) => signing::receiver(text, network)?,
    };
    let lovelace = args.amount.to_u64().unwrap_or(u64::MAX);
    refuse_tiny(lovelace, deployment.bridge_id, args, api, printer)?;
    runtime()?.block_on(async {
        let now = situation(&node, &by.address).await?;
        let slot = now.tip.point.slot;
        let before = slot.checked_add(args.valid_for_slots);
        let (refund, _) = Address::from_bytes(&by.address.to_vec())
            .map_err(|error| CliError::numbered(Exit::Unexpected, &error))?;
        let wish = Deposit {
            recipient: account,
            refund,
            nonce: slot.0,
            credit_before: before.unwrap_or(slot),
        };
        let value = CardanoValue::lovelace(lovelace);
        let funds = now.funds.clone();
        let builder = deposit::build(&bridge, &wish, value, &by.address, funds);
        let made = built(builder.build(&now.parameters, &NoScripts), &by)?;
        let signed = sign(&made, &by)?;
        let mut entry = Entry {
            bridge_id: deployment.bridge_id.to_string(),
            tx: signed.id.to_string(),
            output: format!("{}#{}", signed.id, deposit::DEPOSIT_INDEX),
            inputs: inputs(&made),
            spent: spent(&made, &now.funds),
            cbor: hex::encode(&signed.cbor),
            lovelace,
            account: account.to_bech32(network),
            valid_until: wish.credit_before.0,
            seen_block: None,
            gone: None,
            security_parameter: node.network.security_parameter_blocks,
        };
        let mut value = json!({
            "tx": entry.tx, "output": entry.output, "inputs": entry.inputs, "lovelace": base_units(lovelace),
            "account": entry.account, "fee_lovelace": base_units(made.fee_lovelace()), "slot": slot.0,
            "valid_until": entry.valid_until, "bridge_id": entry.bridge_id,
        });
        if args.no_submit {
            value["cbor"] = hex::encode(&signed.cbor).into();
            printer.result(value, &[hex::encode(&signed.cbor)]);
            return Ok(());
        }
        let effect = format!(
            "{} to {}, fee {}; credited when {} blocks deep",
            ada(lovelace),
            entry.account,
            ada(made.fee_lovelace()),
            entry.security_parameter,
        );
        if args.dry_run {
            value["dry_run"] = true.into();
            printer.result(value, &[format!("would deposit {effect}")]);
            return Ok(());
        }
        printer.note(&effect);
        printer.confirm("Deposit?", args.yes)?;
        cut_off::note("wallet funds", printer);
        // Before it is submitted: what was submitted and forgotten could not be told from what never was.
        deposit_journal::put(&args.file.wallet, &entry)?;
        send(&node, &signed, args, printer).await?;
        if !args.wait {
            printer.note("next  nupeer wallet funds   shows how deep it is");
            printer.result(value, &[format!("submitted {}", entry.tx)]);
            return Ok(());
        }
        printer.note(&format!("submitted {}", entry.tx));
        let (depth, state) = follow(args, &node, api, &mut entry, printer).await?;
        value["depth_at_credit"] = depth.into();
        if let State::Credited { height, .. } = state {
            value["credited_height"] = height.into();
        }
        printer.result(value, &[words(&entry, &state)]);
        Ok(())
    })
}

/// Refuses what the chain would never credit, by its genesis. Where no node of it answers, it is taken to ask for what a chain does by default.
fn refuse_tiny(
    lovelace: u64,
    bridge_id: BridgeId,
    args: &DepositArgs,
    api: &Api,
    printer: &Printer,
) -> Outcome<()> {
    let by_default = Params::default().deposit_min_lovelace;
    let told = smallest_told(bridge_id, args, api)?;
    let smallest = told.unwrap_or(by_default);
    if lovelace >= smallest {
        if told.is_none() {
            printer.note(&format!(
                "no node of the sidechain answers; taken for granted: it credits {} and more",
                ada(by_default)
            ));
        }
        return Ok(());
    }
    let by = match told {
        Some(_) => "this chain credits",
        None => "a chain credits by default (no node of it answers)",
    };
    let what = format!(
        "{} is less than {}, the least that {by}; a smaller deposit would be lost",
        ada(lovelace),
        ada(smallest)
    );
    Err(CliError::new(Exit::Refused, what).next(format!(
        "nupeer deposit {}   is the smallest",
        ada(smallest).replace(' ', "")
    )))
}

/// The smallest deposit by the genesis that names this bridge, if a node has it. It must be that of the chain which the wallet knows.
fn smallest_told(bridge_id: BridgeId, args: &DepositArgs, api: &Api) -> Outcome<Option<u64>> {
    let (genesis, chain) = match api.client().chain() {
        Ok(known) => known,
        Err(error @ ClientError::OtherChain { .. }) => return Err(error.into()),
        Err(_) => return Ok(None),
    };
    let bridge = genesis.bridge.as_ref();
    let Some(bridge) = bridge.filter(|bridge| bridge.bridge_id == bridge_id) else {
        return Ok(None);
    };
    // What is only printed leaves no trace.
    let is_known = match args.no_submit || args.dry_run {
        true => known_chain::check,
        false => known_chain::keep,
    };
    is_known(&args.file.wallet, chain, api.client().expected())?;
    Ok(Some(bridge.params.deposit_min_lovelace))
}

/// What a transaction spends of `funds`, in the order of its inputs, in hexadecimal CBOR.
fn spent(made: &UnsignedTransaction, funds: &[Utxo]) -> Vec<String> {
    let found = made
        .inputs()
        .filter_map(|input| funds.iter().find(|utxo| utxo.reference == input));
    found
        .map(|utxo| hex::encode(utxo.output.to_cbor()))
        .collect()
}

/// Follows the deposit to its end. Blocks on top of it when the sidechain had credited it.
async fn follow(
    args: &DepositArgs,
    node: &Node,
    api: &Api,
    entry: &mut Entry,
    printer: &Printer,
) -> Outcome<(u64, State)> {
    let end = Instant::now() + Duration::from_secs(args.timeout);
    let mut told = String::new();
    let mut submitted = Instant::now();
    loop {
        // Whoever waits anyway waits for a node that is away, too.
        let cardano = match on_cardano(node, entry).await {
            Err(_) if Instant::now() < end => {
                tokio::time::sleep(POLL).await;
                continue;
            }
            seen => seen.map_err(|e| unreachable(&e))?,
        };
        let known = match credited(api, &entry.output) {
            Err(error) if error.exit == Exit::Unreachable && Instant::now() < end => {
                tokio::time::sleep(POLL).await;
                continue;
            }
            known => known?,
        };
        let before = entry.clone();
        let state = judge(entry, &cardano, &known);
        if *entry != before || state.is_final() {
            deposit_journal::put(&args.file.wallet, entry)?;
        }
        if state == State::Submitted && submitted.elapsed() >= AGAIN_AFTER {
            submit_again(node, entry).await;
            submitted = Instant::now();
        }
        let words = progress(node, entry, &state);
        if words != told {
            printer.moving(&words);
            told.clone_from(&words);
        }
        match state {
            State::Credited { .. } => {
                let seen = entry.seen_block.unwrap_or(cardano.tip.block_number);
                return Ok((cardano.tip.block_number.saturating_sub(seen), state));
            }
            State::Lost | State::Expired | State::Refused { .. } => {
                let what = format!(
                    "deposit {}: {}",
                    entry.tx,
                    deposit_status::words(entry, &state)
                );
                return Err(CliError::new(Exit::Refused, what)
                    .next("nupeer wallet funds    shows what the wallet holds now")
                    .next("nupeer deposit AMOUNT  deposits anew"));
            }
            _ if Instant::now() >= end => {
                let what = format!(
                    "not credited after {} s, and it may still be: {words}",
                    args.timeout
                );
                return Err(CliError::new(Exit::Waited, what)
                    .next("nupeer wallet funds   shows how deep it is"));
            }
            _ => tokio::time::sleep(POLL).await,
        }
    }
}

/// Submits a deposit. What a node refuses, and what never reached one, is forgotten: the wallet must not send it later, when its owner has made
/// another. What may have reached one is not.
async fn send(
    node: &Node,
    signed: &SignedTransaction,
    args: &DepositArgs,
    printer: &Printer,
) -> Outcome<()> {
    let (wallet, id) = (&args.file.wallet, signed.id.to_string());
    let end = Instant::now() + ANSWERS_WITHIN;
    let mut may_have_arrived = false;
    loop {
        let error = match node.submit(&signed.cbor).await {
            Ok(_) => return Ok(()),
            // By what was sent before.
            Err(NodeError::Rejected(_)) if may_have_arrived => return Ok(()),
            Err(error) => error,
        };
        let is_refused = matches!(error, NodeError::Rejected(_));
        may_have_arrived |= !is_refused && !never_reached(&error);
        if is_refused || Instant::now() >= end {
            if !may_have_arrived {
                deposit_journal::forget(wallet, &id)?;
                return Err(unreachable(&error));
            }
            if args.wait {
                printer.note(&format!("{error}; {id} is sent again"));
                return Ok(());
            }
            let what = format!("deposit {id} may have arrived: {error}");
            return Err(CliError::new(Exit::Waited, what)
                .next("nupeer wallet funds   sends it again, and shows where it is"));
        }
        tokio::time::sleep(POLL).await;
    }
}

/// Whether nothing was sent.
fn never_reached(error: &NodeError) -> bool {
    matches!(
        error,
        NodeError::Connect { .. } | NodeError::Handshake { .. }
    )
}

/// Submits a deposit that is in no block yet once more. A node keeps in memory what waits for a block, so one that was started anew has
/// forgotten it; where it has not, it refuses the second, and nothing happens.
async fn submit_again(node: &Node, entry: &Entry) {
    if let Ok(cbor) = hex::decode(&entry.cbor) {
        let _ = node.submit(&cbor).await;
    }
}

/// Where it is, and about when it will be credited.
fn progress(node: &Node, entry: &Entry, state: &State) -> String {
    let words = words(entry, state);
    let State::Waiting { depth } = state else {
        return words;
    };
    let blocks = entry.security_parameter.saturating_sub(*depth);
    let (network, f) = (&node.network, node.network.active_slot_coefficient);
    let ms = blocks
        .saturating_mul(network.slot_length_ms)
        .saturating_mul(f.denominator)
        / f.numerator.max(1);
    format!("{words}, about {} s more", ms / 1000)
}

/// The deposits that this wallet made, with where they are now; on disk is what was learnt. What is in no block yet is submitted again.
pub(super) async fn all(
    wallet: &std::path::Path,
    node: &Node,
    api: Option<&Api>,
    bridge_id: Option<&str>,
) -> Outcome<Vec<(Entry, State)>> {
    let mut found = Vec::new();
    for mut entry in deposit_journal::read(wallet)? {
        if bridge_id.is_some_and(|id| id != entry.bridge_id) {
            continue;
        }
        let cardano = on_cardano(node, &entry)
            .await
            .map_err(|e| unreachable(&e))?;
        let known = match api {
            Some(api) => credited(api, &entry.output)?,
            None => Answer::None,
        };
        let before = entry.clone();
        let state = judge(&mut entry, &cardano, &known);
        if entry != before {
            deposit_journal::learn(wallet, &entry)?;
        }
        if state == State::Submitted {
            submit_again(node, &entry).await;
        }
        found.push((entry, state));
    }
    Ok(found)
}

/// Deposits that were found where they lie, with where they are by the sidechain's word. They are shown, and not remembered.
pub(super) async fn placed(
    found: Vec<Entry>,
    node: &Node,
    api: Option<&Api>,
) -> Outcome<Vec<(Entry, State)>> {
    if found.is_empty() {
        return Ok(Vec::new());
    }
    let tip = node.tip().await.map_err(|e| unreachable(&e))?;
    let tip =
        tip.ok_or_else(|| CliError::new(Exit::Unreachable, "the Cardano node has no block yet"))?;
    let lying = OnCardano {
        tip,
        is_there: true,
        inputs_are_there: false,
    };
    let placed = found.into_iter().map(|mut entry| {
        let known = match api {
            Some(api) => credited(api, &entry.output)?,
            None => Answer::None,
        };
        let state = judge(&mut entry, &lying, &known);
        Ok((entry, state))
    });
    placed.collect()
}

/// Deposits as JSON and as lines.
pub(super) fn listed(deposits: &[(Entry, State)]) -> (Vec<serde_json::Value>, Vec<Vec<String>>) {
    let values = deposits.iter().map(|(entry, state)| to_json(entry, state));
    let rows = deposits.iter().map(|(entry, state)| {
        vec![
            "deposit".to_owned(),
            format!(
                "{}  {}  {}",
                ada(entry.lovelace),
                entry.tx,
                words(entry, state)
            ),
        ]
    });
    (values.collect(), rows.collect())
}
