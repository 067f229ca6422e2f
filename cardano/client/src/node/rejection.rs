//! Why a node refused a transaction, as text.

use std::fmt;

use pallas_codec::minicbor::{
    self, Decoder, Encoder,
    data::Token,
    decode::{self, Tokenizer},
    encode,
};
use pallas_network::miniprotocols::localtxsubmission::TxValidationError;

/// Longest text shown of a reason, in characters.
const TEXT_CHARS_MAX: usize = 2000;

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

    /// The texts inside, which the devnet and script failures have; else what pallas makes of the ledger's failures;
    /// else hexadecimal.
    pub fn text(&self) -> String {
        let texts = self.texts();
        let text = if !texts.is_empty() {
            texts.join("; ")
        } else if let Ok(error) = minicbor::decode::<TxValidationError>(&self.bytes) {
            format!("{error:?}")
        } else {
            hex::encode(&self.bytes)
        };
        match text.char_indices().nth(TEXT_CHARS_MAX) {
            Some((end, _)) => format!("{}…", &text[..end]),
            None => text,
        }
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
        let text = rejection("818206818201820082058200821a00028ab51a0002a2f4").text();
        let hexadecimal = text.starts_with("818206");
        assert!(hexadecimal || text.contains("Conway"), "{text}");
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
