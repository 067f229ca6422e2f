//! Listings, page after page.

use nupeer_client::ClientError;
use nupeer_primitives::Hash;
use serde_json::Value;

use crate::{api::Api, error::Outcome};

/// Most entries that are gathered: more than anybody reads.
const ENTRIES_MAX: usize = 10_000;

/// All entries of the listing `/v1/{what}` under the filter (`name=value&`, or nothing).
pub(super) fn all(api: &Api, what: &str, filter: &str) -> Outcome<Vec<Value>> {
    let (mut entries, mut after) = (Vec::new(), None);
    while entries.len() < ENTRIES_MAX {
        let from = after.map_or(String::new(), |id: Hash| format!("&after={id}"));
        let path = format!("/v1/{what}?{filter}limit=100{from}");
        let page = api.get(&path)?;
        after = next(path, &page, what, after)?;
        entries.extend(page[what].as_array().cloned().unwrap_or_default());
        if after.is_none() {
            break;
        }
    }
    Ok(entries)
}

/// Where the page after `page` begins, if there is one. Ids rise from page to page, and a page before another has entries: a node that does not advance
/// would be asked for ever.
fn next(
    path: String,
    page: &Value,
    what: &str,
    after: Option<Hash>,
) -> Result<Option<Hash>, ClientError> {
    if page["next"].is_null() {
        return Ok(None);
    }
    let next = page["next"].as_str().and_then(|id| id.parse().ok());
    let has_entries = page[what].as_array().is_some_and(|found| !found.is_empty());
    let advances = |next: &Hash| has_entries && after.is_none_or(|after| *next > after);
    match next.filter(advances) {
        Some(next) => Ok(Some(next)),
        None => Err(ClientError::Malformed {
            url: path,
            expected: "a listing that comes to an end".into(),
        }),
    }
}
