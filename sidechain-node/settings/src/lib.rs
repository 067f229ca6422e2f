//! Settings of a process: a TOML file, environment variables over it, defaults under it (README.md).

use std::{
    fmt::Display,
    path::{Path, PathBuf},
};

use serde::{Serialize, de::DeserializeOwned};

/// Why settings are refused. Whoever owns them gives it a number.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Fault {
    /// The file cannot be read.
    Unreadable {
        /// The file.
        path: PathBuf,
        /// Why not.
        reason: String,
    },
    /// Not TOML, an unknown key, or a value of another kind.
    Malformed(String),
    /// An environment variable's value is of another kind.
    Variable {
        /// Its name.
        variable: String,
        /// Its value.
        provided: String,
        /// What it should be.
        expected: &'static str,
    },
}

/// A struct of settings, with defaults, whose documentation is also what people read in the file; and `SETTINGS`: every key with its line, in
/// this order. The crate that uses it depends on `serde`.
#[macro_export]
macro_rules! settings {
    ($(#[$meta:meta])* $name:ident { $($key:ident: $kind:ty = $default:expr, $doc:literal;)* }) => {
        $(#[$meta])*
        #[derive(Clone, Debug, PartialEq, Eq, ::serde::Serialize, ::serde::Deserialize)]
        #[serde(default, deny_unknown_fields)]
        pub struct $name {
            $(#[doc = $doc] pub $key: $kind,)*
        }

        impl Default for $name {
            fn default() -> Self {
                $name { $($key: $default,)* }
            }
        }

        /// Every key with a line of documentation, in the order in which a settings file has them.
        pub const SETTINGS: &[(&str, &str)] = &[$((stringify!($key), $doc),)*];
    };
}

/// The text of a settings file.
///
/// # Errors
/// [`Fault::Unreadable`].
pub fn read(file: &Path) -> Result<String, Fault> {
    std::fs::read_to_string(file).map_err(|error| Fault::Unreadable {
        path: file.into(),
        reason: error.to_string(),
    })
}

/// The name of the variable that overrides a key: `prefix` and the key in capitals.
pub fn variable_of(prefix: &str, key: &str) -> String {
    format!("{prefix}{}", key.to_uppercase())
}

/// The settings in `text`, with those variables over them that `variable` knows, and defaults under them. Lists in variables are separated by commas.
///
/// # Errors
/// [`Fault::Malformed`], [`Fault::Variable`].
pub fn parse<T: Default + Serialize + DeserializeOwned>(
    prefix: &str,
    text: &str,
    variable: impl Fn(&str) -> Option<String>,
) -> Result<T, Fault> {
    let mut table: toml::Table = text.parse().map_err(|e: toml::de::Error| malformed(&e))?;
    let defaults = toml::Table::try_from(T::default()).map_err(|e| malformed(&e))?;
    for (key, default) in &defaults {
        let name = variable_of(prefix, key);
        if let Some(text) = variable(&name) {
            table.insert(key.clone(), of_kind(default, &name, text)?);
        }
    }
    table.try_into().map_err(|e: toml::de::Error| malformed(&e))
}

/// A settings file that says what `values` say, each key with its documentation and its variable.
pub fn document<T: Serialize>(prefix: &str, settings: &[(&str, &str)], values: &T) -> String {
    let values = toml::Table::try_from(values).unwrap_or_default();
    let line = |(key, doc): &(&str, &str)| {
        let value = values.get(*key).map(ToString::to_string);
        let (variable, value) = (variable_of(prefix, key), value.unwrap_or_default());
        format!("# {doc}\n# {variable}\n{key} = {value}\n")
    };
    settings.iter().map(line).collect::<Vec<_>>().join("\n")
}

fn malformed(error: &dyn Display) -> Fault {
    Fault::Malformed(error.to_string())
}

/// A variable's text as a value of the same kind as the default.
fn of_kind(default: &toml::Value, variable: &str, text: String) -> Result<toml::Value, Fault> {
    let refuse = |provided: String, expected| Fault::Variable {
        variable: variable.into(),
        provided,
        expected,
    };
    match default {
        toml::Value::Integer(_) => match text.parse() {
            Ok(number) => Ok(toml::Value::Integer(number)),
            Err(_) => Err(refuse(text, "a whole number is expected")),
        },
        toml::Value::Boolean(_) => match text.parse() {
            Ok(truth) => Ok(toml::Value::Boolean(truth)),
            Err(_) => Err(refuse(text, "true or false is expected")),
        },
        toml::Value::Array(_) => {
            let parts = text
                .split(',')
                .map(str::trim)
                .filter(|part| !part.is_empty());
            Ok(toml::Value::Array(parts.map(Into::into).collect()))
        }
        _ => Ok(toml::Value::String(text)),
    }
}

#[cfg(test)]
#[allow(
    unreachable_pub,
    reason = "what the macro makes is for a crate's users"
)]
mod tests {
    use super::*;

    settings! {
        /// Of nobody.
        Own {
            size: u64 = 7, "How large.";
            names: Vec<String> = vec!["a".into()], "Which.";
            loud: bool = false, "Whether it is heard.";
            folder: PathBuf = "data".into(), "Where.";
        }
    }

    fn some(text: &str, variables: &[(&str, &str)]) -> Result<Own, Fault> {
        parse("OF_NOBODY_", text, |name: &str| {
            let mut known = variables.iter();
            let found = known.find(|(known, _)| *known == name);
            found.map(|(_, value)| (*value).to_owned())
        })
    }

    #[test]
    fn variables_override_the_file_and_the_file_the_defaults() {
        let variables = [
            ("OF_NOBODY_SIZE", "9"),
            ("OF_NOBODY_NAMES", "b, c,"),
            ("OF_NOBODY_LOUD", "true"),
            ("SIZE", "1"),
        ];
        let told = some("size = 8\nfolder = \"elsewhere\"", &variables).unwrap();
        let expected = Own {
            size: 9,
            names: vec!["b".into(), "c".into()],
            loud: true,
            folder: "elsewhere".into(),
        };
        assert_eq!(told, expected);
        assert_eq!(some("", &[]), Ok(Own::default()));
    }

    #[test]
    fn a_misspelt_key_and_values_of_another_kind_are_refused_by_name() {
        for (text, named) in [
            ("sise = 8", "sise"),
            ("size = \"much\"", "size"),
            ("size", "size"),
        ] {
            let refused = some(text, &[]).unwrap_err();
            assert!(
                matches!(&refused, Fault::Malformed(why) if why.contains(named)),
                "{refused:?}"
            );
        }
        for (variable, provided, expected) in [
            ("OF_NOBODY_SIZE", "much", "a whole number is expected"),
            ("OF_NOBODY_LOUD", "yes", "true or false is expected"),
        ] {
            let fault = Fault::Variable {
                variable: variable.into(),
                provided: provided.into(),
                expected,
            };
            assert_eq!(some("", &[(variable, provided)]), Err(fault));
        }
    }

    #[test]
    fn a_document_says_every_key_with_its_variable_and_reads_back() {
        let text = document("OF_NOBODY_", SETTINGS, &Own::default());
        assert!(
            text.starts_with("# How large.\n# OF_NOBODY_SIZE\nsize = 7\n\n# Which.\n"),
            "{text}"
        );
        assert_eq!(some(&text, &[]), Ok(Own::default()));
    }

    #[test]
    fn a_file_that_is_not_there_is_named() {
        let file = tempfile::tempdir().unwrap().path().join("node.toml");
        let refused = read(&file).unwrap_err();
        assert!(matches!(refused, Fault::Unreadable { path, .. } if path == file));
    }
}
