//! What people did on the sidechain, read block by block; and whether every validator has what they were told is final.

use serde_json::Value;

use super::{
    person::{Person, number, text},
    report::{Sidechain, SidechainTransaction},
};
use crate::{api::Api, error::Outcome};

/// Everything that these people did in the blocks up to `height`, as the first of `apis` tells it.
pub(super) fn read(people: &[&Person], apis: &[Api], height: u64) -> Outcome<Sidechain> {
    let mut found = Sidechain::default();
    let Some(api) = apis.first() else {
        return Ok(found);
    };
    for height in 1..=height {
        let block = api.get(&format!("/v1/blocks/{height}"))?;
        for id in block["transactions"].as_array().into_iter().flatten() {
            let id = id.as_str().unwrap_or_default();
            let shown = api.get(&format!("/v1/transactions/{id}"))?;
            if let Some(person) = people.iter().find(|p| shown["account"] == p.account) {
                found.transactions.push(transaction(person, &shown)?);
            }
        }
    }
    found.told_final = people
        .iter()
        .flat_map(|person| person.told_final())
        .collect();
    found.lost = found.told_final.clone();
    found.lost.retain(|id| !is_everywhere(id, apis));
    let withdrawals = api.get("/v1/withdrawals?limit=100")?;
    found.withdrawals = withdrawals["withdrawals"].as_array().map_or(0, Vec::len);
    Ok(found)
}

fn transaction(person: &Person, shown: &Value) -> Outcome<SidechainTransaction> {
    Ok(SidechainTransaction {
        id: text(shown, "id")?,
        height: number(shown, "height")?,
        name: person.name,
        text: text(shown, "text")?,
        fee_lovelace: number(shown, "fee_lovelace")?,
    })
}

/// Whether each node has the transaction in the same place.
fn is_everywhere(id: &str, apis: &[Api]) -> bool {
    let place = |api: &Api| {
        let shown = api.get(&format!("/v1/transactions/{id}")).ok()?;
        let is_final = shown["status"] == "final";
        is_final.then_some((shown["height"].as_u64()?, shown["index"].as_u64()?))
    };
    let places: Vec<_> = apis.iter().map(place).collect();
    places.first().is_some_and(Option::is_some) && places.iter().all(|place| *place == places[0])
}
