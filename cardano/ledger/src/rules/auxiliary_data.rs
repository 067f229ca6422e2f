//! The body commits to the auxiliary data, no string in its metadata is too long, and the Plutus scripts in it can be decoded.
//!
//! Source: Conway formal specification, rule UTXOW (`txADhash ≡ map hash txAD`); <https://intersectmbo.github.io/formal-ledger-specifications/site/Ledger.Conway.Specification.Utxow.html>; Shelley ledger,
//! `validMetadatum`, for the length of strings; Alonzo ledger, `validateAlonzoTxAuxData`, for the scripts.

use super::RuleError;
use super::well_formed::first_malformed;
use crate::script::ScriptHash;
use crate::tx::{AuxiliaryData, Transaction};
use nupeer_primitives::{Code, Numbered};
use pallas_crypto::hash::Hasher;
use thiserror::Error;

/// Why auxiliary data is refused.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum AuxiliaryDataError {
    /// Data without a hash in the body.
    #[error(
        "auxiliary data with the hash {}, which the body does not name",
        hex::encode(expected)
    )]
    MissingHash {
        /// The data's hash.
        expected: [u8; 32],
    },
    /// A hash in the body without data.
    #[error(
        "the body names auxiliary data {}, which is not there",
        hex::encode(provided)
    )]
    MissingData {
        /// What the body says.
        provided: [u8; 32],
    },
    /// Another hash.
    #[error(
        "the body names auxiliary data {}, its hash is {}",
        hex::encode(provided),
        hex::encode(expected)
    )]
    Conflict {
        /// What the body says.
        provided: [u8; 32],
        /// The data's hash.
        expected: [u8; 32],
    },
    /// A string in the metadata is too long.
    #[error(
        "a string in the metadata has {provided_bytes} bytes, at most {maximum_bytes} are allowed"
    )]
    StringTooLong {
        /// The longest string.
        provided_bytes: usize,
        /// The greatest length.
        maximum_bytes: usize,
    },
    /// A Plutus script that cannot be decoded.
    #[error(
        "malformed script {} in the auxiliary data: {reason}",
        hex::encode(hash)
    )]
    MalformedScript {
        /// The script's hash.
        hash: ScriptHash,
        /// What is wrong with it.
        reason: String,
    },
}

impl Numbered for AuxiliaryDataError {
    fn code(&self) -> Code {
        Code(match self {
            Self::MissingHash { .. } => 7350,
            Self::MissingData { .. } => 7351,
            Self::Conflict { .. } => 7352,
            Self::StringTooLong { .. } => 7353,
            Self::MalformedScript { .. } => 7404,
        })
    }
}

impl RuleError for AuxiliaryDataError {
    fn predicate_name(&self) -> &'static str {
        match self {
            Self::MissingHash { .. } => "MissingTxBodyMetadataHash",
            Self::MissingData { .. } => "MissingTxMetadata",
            Self::Conflict { .. } => "ConflictingMetadataHash",
            Self::StringTooLong { .. } | Self::MalformedScript { .. } => "InvalidMetadata",
        }
    }
}

pub(crate) fn check(tx: &Transaction<'_>, protocol_version: u16) -> Result<(), AuxiliaryDataError> {
    match (tx.body.auxiliary_data_hash, &tx.auxiliary) {
        (None, None) => Ok(()),
        (Some(provided), None) => Err(AuxiliaryDataError::MissingData { provided }),
        (None, Some(data)) => Err(AuxiliaryDataError::MissingHash {
            expected: hash(data),
        }),
        (Some(provided), Some(data)) => check_data(provided, data, protocol_version),
    }
}

fn check_data(
    provided: [u8; 32],
    data: &AuxiliaryData<'_>,
    protocol_version: u16,
) -> Result<(), AuxiliaryDataError> {
    let expected = hash(data);
    if provided != expected {
        return Err(AuxiliaryDataError::Conflict { provided, expected });
    }
    let (provided_bytes, maximum_bytes) =
        (data.longest_string_bytes, AuxiliaryData::STRING_LENGTH_MAX);
    if provided_bytes > maximum_bytes {
        return Err(AuxiliaryDataError::StringTooLong {
            provided_bytes,
            maximum_bytes,
        });
    }
    match first_malformed(&data.plutus_scripts, protocol_version) {
        Some((hash, reason)) => Err(AuxiliaryDataError::MalformedScript { hash, reason }),
        None => Ok(()),
    }
}

fn hash(data: &AuxiliaryData<'_>) -> [u8; 32] {
    *Hasher::<256>::hash(data.raw)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::script::{PlutusVersion, Script};
    use crate::testing::{TxBuilder, bytes, input, list};

    fn verdict(data: Option<&[u8]>, named: Option<[u8; 32]>) -> Result<(), AuxiliaryDataError> {
        let mut builder = TxBuilder::new().input(input(0)).fee(0);
        if let Some(hash) = named {
            builder = builder.body_field(7, [&[0x58, 32], hash.as_slice()].concat());
        }
        if let Some(data) = data {
            builder = builder.auxiliary(data.to_vec());
        }
        check(
            &Transaction::decode(&builder.build()).expect("a transaction"),
            10,
        )
    }

    #[test]
    fn the_body_names_exactly_the_data_that_is_there() {
        let data = [0xa1, 0x01, 0x61, 0x61];
        let expected = *Hasher::<256>::hash(&data);
        let provided = [1; 32];
        assert_eq!(verdict(None, None), Ok(()));
        assert_eq!(verdict(Some(&data), Some(expected)), Ok(()));
        assert_eq!(
            verdict(Some(&data), None),
            Err(AuxiliaryDataError::MissingHash { expected })
        );
        assert_eq!(
            verdict(None, Some(provided)),
            Err(AuxiliaryDataError::MissingData { provided })
        );
        assert_eq!(
            verdict(Some(&data), Some(provided)),
            Err(AuxiliaryDataError::Conflict { provided, expected })
        );
    }

    #[test]
    fn strings_of_64_bytes_are_the_longest() {
        for (length, allowed) in [(64, true), (65, false)] {
            let data = [
                &[0xa1, 0x01, 0x81, 0x58, length],
                vec![0; usize::from(length)].as_slice(),
            ]
            .concat();
            assert_eq!(
                verdict(Some(&data), Some(*Hasher::<256>::hash(&data))).is_ok(),
                allowed,
                "{length}"
            );
        }
    }

    #[test]
    fn plutus_scripts_of_each_language_are_well_formed() {
        // A program of version 1.0.0 that is a function which returns its argument.
        let program = bytes(&[0x01, 0x00, 0x00, 0x20, 0x01, 0x01]);
        let languages = [PlutusVersion::V1, PlutusVersion::V2, PlutusVersion::V3];
        for (key, version) in (2..=4).zip(languages) {
            let verdict = |scripts: &[&[u8]]| {
                let scripts: Vec<Vec<u8>> = scripts.iter().map(|script| bytes(script)).collect();
                let data = [vec![0xd9, 0x01, 0x03, 0xa1, key], list(&scripts)].concat();
                verdict(Some(&data), Some(*Hasher::<256>::hash(&data)))
            };
            assert_eq!(verdict(&[&program]), Ok(()), "{version:?}");
            let malformed = verdict(&[&program, &[0x41, 0xff]]);
            let expected = Script::Plutus(version, &[0x41, 0xff]).hash();
            assert!(
                matches!(
                    malformed,
                    Err(AuxiliaryDataError::MalformedScript { hash, .. }) if hash == expected
                ),
                "{malformed:?}"
            );
        }
    }
}
