//! Listings, page after page.

use serde_json::Value;

use crate::{api::Api, error::Outcome};

/// Most entries that are gathered: more than anybody reads.
const ENTRIES_MAX: usize = 10_000;

/// All entries of the listing `/v1/{what}` under the filter (`name=value&`, or nothing).
pub(super) fn all(api: &Api, what: &str, filter: &str) -> Outcome<Vec<Value>> {
    let (mut entries, mut after) = (Vec::new(), String::new());
    while entries.len() < ENTRIES_MAX {
        let page = api.get(&format!("/v1/{what}?{filter}limit=100{after}"))?;
        entries.extend(page[what].as_array().cloned().unwrap_or_default());
        match page["next"].as_str() {
            Some(next) => after = format!("&after={next}"),
            None => break,
        }
    }
    Ok(entries)
}
