//! `nupeer offer`.

use nupeer_primitives::Amount;
use serde_json::{Value, json};

use crate::{
    acting::machine_id,
    amount::show_ada,
    api::Api,
    args_market::OfferCommand,
    commands::{
        machine::{bytes, cpu},
        pages,
        status::plain,
    },
    error::Outcome,
    output::{Printer, table},
    units::show_ms,
};

pub(super) fn run(command: &OfferCommand, api: &Api, printer: &Printer) -> Outcome<()> {
    let OfferCommand::List { machine } = command;
    let filter = match machine {
        Some(machine) => format!("machine={}&", machine_id(machine, api.client())?),
        None => String::new(),
    };
    let offers = pages::all(api, "offers", &filter)?;
    let head = ["OFFER", "CPU", "MEMORY", "PRICE/H", "HOLDS", "MACHINE"];
    let mut rows = vec![head.map(str::to_owned).to_vec()];
    rows.extend(offers.iter().map(|offer| row(offer, printer)));
    let lines = if offers.is_empty() {
        vec!["no offer; nupeer machine list shows whose agents could make some".to_owned()]
    } else {
        table(&rows)
    };
    printer.result(json!({ "offers": offers }), &lines);
    Ok(())
}

fn row(offer: &Value, printer: &Printer) -> Vec<String> {
    let expires = offer["expires_unix_ms"].as_u64().unwrap_or_default();
    let price = offer["price_lovelace_per_hour"].as_str();
    let price = price.and_then(|units| units.parse().ok());
    vec![
        printer.brief(plain(&offer["id"])),
        cpu(&offer["capacity"]["cpu_milli"]),
        bytes(&offer["capacity"]["memory_bytes"]),
        price.map_or("-".into(), |units| show_ada(Amount::new(units))),
        show_ms(expires.saturating_sub(nupeer_client::now_unix_ms()) / 1_000 * 1_000),
        printer.brief(plain(&offer["machine"])),
    ]
}
