//! Why a node refused a transaction, as text.

use std::fmt;

use pallas_codec::minicbor::{
    self, Decoder, Encoder,
    data::Token,
    decode::{self, Tokenizer},
    encode,
};

/// Longest text shown of a reason, in characters.
const TEXT_CHARS_MAX: usize = 2000;

/// Conway's failures by their numbers (cardano-ledger, `ConwayLedgerPredFailure`), from 1.
const LEDGER: [&str; 9] = [
    "UtxowFailure",
    "CertsFailure",
    "GovFailure",
    "WdrlNotDelegatedToDRep",
    "TreasuryValueMismatch",
    "TxRefScriptsSizeTooBig",
    "MempoolFailure",
    "WithdrawalsMissingAccounts",
    "IncompleteWithdrawals",
];

/// Those that `UtxowFailure` wraps, from 0 (`ConwayUtxowPredFailure`).
const UTXOW: [&str; 18] = [
    "UtxoFailure",
    "InvalidWitnessesUTXOW",
    "MissingVKeyWitnessesUTXOW",
    "MissingScriptWitnessesUTXOW",
    "ScriptWitnessNotValidatingUTXOW",
    "MissingTxBodyMetadataHash",
    "MissingTxMetadata",
    "ConflictingMetadataHash",
    "InvalidMetadata",
    "ExtraneousScriptWitnessesUTXOW",
    "MissingRedeemers",
    "MissingRequiredDatums",
    "NotAllowedSupplementalDatums",
    "PPViewHashesDontMatch",
    "UnspendableUTxONoDatumHash",
    "ExtraRedeemers",
    "MalformedScriptWitnesses",
    "MalformedReferenceScripts",
];

/// Those that `UtxoFailure` wraps, from 0 (`ConwayUtxoPredFailure`).
const UTXO: [&str; 23] = [
    "UtxosFailure",
    "BadInputsUTxO",
    "OutsideValidityIntervalUTxO",
    "MaxTxSizeUTxO",
    "InputSetEmptyUTxO",
    "FeeTooSmallUTxO",
    "ValueNotConservedUTxO",
    "WrongNetwork",
    "WrongNetworkWithdrawal",
    "OutputTooSmallUTxO",
    "OutputBootAddrAttrsTooBig",
    "OutputTooBigUTxO",
    "InsufficientCollateral",
    "ScriptsNotPaidUTxO",
    "ExUnitsTooBigUTxO",
    "CollateralContainsNonADA",
    "WrongNetworkInTxBody",
    "OutsideForecast",
    "TooManyCollateralInputs",
    "NoCollateralInputs",
    "IncorrectTotalCollateralField",
    "BabbageOutputTooSmallUTxO",
    "BabbageNonDisjointRefInputs",
];

/// A node's refusal. The bytes are the ledger's own encoding of its failures, `[[era, [failure…]]]`.
#[derive(Clone, PartialEq, Eq)]
pub struct Rejection {
    bytes: Vec<u8>,
}

impl Rejection {
    /// The node's reason as it came.
    pub fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// The texts inside, which the devnet and script failures have; else the first failure's name and the whole in
    /// hexadecimal. pallas' decoder of failures is not used: it panics at some bytes and recurses at others.
    pub fn text(&self) -> String {
        let texts = self.texts();
        let text = match (texts.is_empty(), self.name()) {
            (false, _) => texts.join("; "),
            (true, Ok(Some(name))) => format!("{name} {}", hex::encode(&self.bytes)),
            (true, _) => hex::encode(&self.bytes),
        };
        match text.char_indices().nth(TEXT_CHARS_MAX) {
            Some((end, _)) => format!("{}…", &text[..end]),
            None => text,
        }
    }

    /// What the first of `[[era, [failure…]]]` is called, as deep as names are known here.
    fn name(&self) -> Result<Option<&'static str>, decode::Error> {
        let mut d = Decoder::new(&self.bytes);
        d.array()?;
        d.array()?;
        d.skip()?;
        d.array()?;
        let mut number = || d.array().and_then(|_| d.u16()).map(usize::from);
        let found = match number()? {
            1 => match number()? {
                0 => UTXO.get(number()?),
                wrapped => UTXOW.get(wrapped),
            },
            other => other.checked_sub(1).and_then(|place| LEDGER.get(place)),
        };
        Ok(found.copied())
    }

    fn texts(&self) -> Vec<String> {
        let tokens = Tokenizer::new(&self.bytes).map_while(Result::ok);
        let texts = tokens.filter_map(|token| match token {
            Token::String(text) => Some(text.to_owned()),
            _ => None,
        });
        texts.collect()
    }
}

impl fmt::Display for Rejection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text())
    }
}

impl fmt::Debug for Rejection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Rejection({})", self.text())
    }
}

/// pallas passes on what some nodes send without the protocol's frame.
impl From<String> for Rejection {
    fn from(text: String) -> Self {
        Rejection {
            bytes: minicbor::to_vec(text).unwrap_or_default(),
        }
    }
}

impl<'b, C> minicbor::Decode<'b, C> for Rejection {
    fn decode(d: &mut Decoder<'b>, _: &mut C) -> Result<Self, decode::Error> {
        let start = d.position();
        d.skip()?;
        Ok(Rejection {
            bytes: d
                .input()
                .get(start..d.position())
                .unwrap_or_default()
                .to_vec(),
        })
    }
}

impl<C> minicbor::Encode<C> for Rejection {
    fn encode<W: encode::Write>(
        &self,
        e: &mut Encoder<W>,
        _: &mut C,
    ) -> Result<(), encode::Error<W::Error>> {
        e.writer_mut()
            .write_all(&self.bytes)
            .map_err(encode::Error::write)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rejection(hex: &str) -> Rejection {
        Rejection {
            bytes: hex::decode(hex).unwrap(),
        }
    }

    #[test]
    fn texts_are_shown_as_they_are() {
        // [[6, [[7, "too small"]]]]
        assert_eq!(
            rejection("81820681820769746f6f20736d616c6c").text(),
            "too small"
        );
    }

    #[test]
    fn the_ledgers_failures_are_named() {
        // [[6, [[1, [0, [5, …]]]]]]: FeeTooSmallUTxO with both sides.
        for (hex, name) in [
            (
                "81820681820182008305 1a00028ab51a0002a2f4",
                "FeeTooSmallUTxO",
            ),
            ("8182068182018202 80", "MissingVKeyWitnessesUTXOW"),
            ("818206818204 80", "WdrlNotDelegatedToDRep"),
        ] {
            let hex = hex.replace(' ', "");
            assert_eq!(rejection(&hex).text(), format!("{name} {hex}"));
        }
    }

    #[test]
    fn an_unknown_governance_action_does_not_panic() {
        // Found by fuzzing: pallas' decoder held this to be unreachable.
        let found = "81820681820382018208 80fe".replace(' ', "");
        assert!(rejection(&found).text().starts_with("GovFailure "));
    }

    #[test]
    fn what_nobody_understands_is_shown_in_hexadecimal_and_cut() {
        assert_eq!(rejection("8101").text(), "8101");
        let long = Rejection {
            bytes: vec![0; 5000],
        }
        .text();
        assert_eq!(long.chars().count(), TEXT_CHARS_MAX + 1);
    }
}
