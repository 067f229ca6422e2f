//! The compiled scripts: a CIP-57 blueprint, embedded when the crate is built, readable at run time for tests.

use nupeer_primitives::{Code, Numbered};
use serde::Deserialize;

use crate::PlutusScript;

const EMBEDDED: &str = include_str!("../plutus.json");

/// The bridge's validators.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Validator {
    /// One-shot policy of the bridge's NFTs. Parameters: seed, network magic.
    Genesis,
    /// Where the committee's output lies. Parameter: genesis policy.
    Committee,
    /// Where anchors lie. Parameter: committee's hash.
    Anchor,
    /// Where deposits lie. Parameter: genesis policy.
    Deposit,
    /// Where the head lies, and policy of anchor tokens. Parameters: genesis policy, committee's and anchor's hash,
    /// network magic.
    Head,
    /// Where shards lie. Parameters: genesis policy, head's, anchor's and deposit's hash.
    Vault,
}

impl Validator {
    /// All of them, in the order in which their hashes become known.
    pub const ALL: [Validator; 6] = [
        Validator::Genesis,
        Validator::Committee,
        Validator::Anchor,
        Validator::Deposit,
        Validator::Head,
        Validator::Vault,
    ];

    /// Its name in the blueprint, before the handler's.
    pub fn title(self) -> &'static str {
        match self {
            Validator::Genesis => "bridge/genesis.genesis",
            Validator::Committee => "bridge/committee.committee",
            Validator::Anchor => "bridge/anchor.anchor",
            Validator::Deposit => "bridge/deposit.deposit",
            Validator::Head => "bridge/head.head",
            Validator::Vault => "bridge/vault.vault",
        }
    }
}

/// Why a text is not the blueprint of these contracts.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BlueprintError {
    /// Not a CIP-57 blueprint.
    #[error("not a CIP-57 blueprint: {0}")]
    Malformed(String),
    /// A validator is missing.
    #[error("the blueprint has no validator {title}")]
    Missing {
        /// Its name.
        title: &'static str,
    },
    /// Code that is not hexadecimal.
    #[error("the code of {title} is not hexadecimal")]
    Code {
        /// Its name.
        title: &'static str,
    },
}

impl Numbered for BlueprintError {
    fn code(&self) -> Code {
        match self {
            BlueprintError::Malformed(_) => Code(3083),
            BlueprintError::Missing { .. } => Code(3084),
            BlueprintError::Code { .. } => Code(3085),
        }
    }
}

/// The scripts before their parameters are applied.
#[derive(Clone, Debug)]
pub struct Blueprint([PlutusScript; 6]);

impl Blueprint {
    /// The blueprint that the crate carries: the silent build.
    pub fn embedded() -> Result<Self, BlueprintError> {
        Self::parse(EMBEDDED)
    }

    /// The scripts in a blueprint's text.
    pub fn parse(json: &str) -> Result<Self, BlueprintError> {
        let file: File = serde_json::from_str(json)
            .map_err(|error| BlueprintError::Malformed(error.to_string()))?;
        let [genesis, committee, anchor, deposit, head, vault] =
            Validator::ALL.map(|validator| file.script(validator));
        Ok(Blueprint([
            genesis?, committee?, anchor?, deposit?, head?, vault?,
        ]))
    }

    /// One of the scripts.
    pub fn script(&self, validator: Validator) -> &PlutusScript {
        &self.0[validator as usize]
    }
}

#[derive(Deserialize)]
struct File {
    validators: Vec<Entry>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Entry {
    title: String,
    compiled_code: String,
}

impl File {
    fn script(&self, validator: Validator) -> Result<PlutusScript, BlueprintError> {
        let title = validator.title();
        let named = |entry: &&Entry| {
            entry
                .title
                .strip_prefix(title)
                .is_some_and(|handler| handler.starts_with('.'))
        };
        let entry = self
            .validators
            .iter()
            .find(named)
            .ok_or(BlueprintError::Missing { title })?;
        hex::decode(&entry.compiled_code)
            .map(PlutusScript::new)
            .map_err(|_| BlueprintError::Code { title })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_hashes_are_those_that_the_compiler_wrote() {
        let json: serde_json::Value = serde_json::from_str(EMBEDDED).expect("JSON");
        let blueprint = Blueprint::embedded().expect("the committed blueprint");
        for entry in json["validators"].as_array().expect("validators") {
            let title = entry["title"].as_str().expect("a title");
            let validator = Validator::ALL
                .into_iter()
                .find(|v| title.starts_with(&format!("{}.", v.title())));
            let validator = validator.unwrap_or_else(|| panic!("{title} is unknown to this crate"));
            assert_eq!(
                blueprint.script(validator).hash().to_string(),
                entry["hash"],
                "{title}"
            );
        }
    }

    #[test]
    fn a_text_without_the_validators_is_refused() {
        let title = "bridge/genesis.genesis";
        assert_eq!(
            Blueprint::parse(r#"{"validators":[]}"#).err(),
            Some(BlueprintError::Missing { title })
        );
        let bad = format!(r#"{{"validators":[{{"title":"{title}.mint","compiledCode":"zz"}}]}}"#);
        assert_eq!(
            Blueprint::parse(&bad).err(),
            Some(BlueprintError::Code { title })
        );
        assert!(matches!(
            Blueprint::parse("{"),
            Err(BlueprintError::Malformed(_))
        ));
    }
}
