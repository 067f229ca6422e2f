//! BIP-39 words and the root key that Icarus makes of them.

use bip39::{Language, Mnemonic};
use cryptoxide::{hmac::Hmac, pbkdf2::pbkdf2, sha2::Sha512};
use ed25519_bip32::{XPRV_SIZE, XPrv};
use rand::{RngCore, rngs::OsRng};
use zeroize::{Zeroize, Zeroizing};

use super::WalletError;

/// Numbers of words that Cardano wallets use.
const WORD_COUNTS: [usize; 3] = [12, 15, 24];

/// CIP-3, Icarus: rounds of PBKDF2-HMAC-SHA512.
const ROUNDS: u32 = 4096;

/// A checked phrase of 12, 15 or 24 English words.
pub struct Phrase(Mnemonic);

impl Phrase {
    /// Reads words separated by white space, in either case.
    pub fn parse(text: &str) -> Result<Self, WalletError> {
        let mut words = Zeroizing::new(String::with_capacity(text.len()));
        for word in text.split_whitespace() {
            if !words.is_empty() {
                words.push(' ');
            }
            word.chars()
                .for_each(|letter| words.push(letter.to_ascii_lowercase()));
        }
        let provided = words.split(' ').filter(|word| !word.is_empty()).count();
        if !WORD_COUNTS.contains(&provided) {
            return Err(WalletError::WordCount { provided });
        }
        let parsed = Mnemonic::parse_in_normalized(Language::English, &words);
        parsed.map(Phrase).map_err(|error| match error {
            bip39::Error::UnknownWord(index) => WalletError::UnknownWord {
                position: index + 1,
            },
            bip39::Error::BadWordCount(provided) => WalletError::WordCount { provided },
            _ => WalletError::Checksum,
        })
    }

    /// A new phrase of 24 words from the operating system's randomness.
    pub fn generate() -> Result<Self, WalletError> {
        let mut entropy = Zeroizing::new([0; 32]);
        OsRng
            .try_fill_bytes(&mut *entropy)
            .map_err(|e| WalletError::Randomness(e.to_string()))?;
        let made = Mnemonic::from_entropy_in(Language::English, &*entropy);
        made.map(Phrase)
            .map_err(|e| WalletError::Randomness(e.to_string()))
    }

    /// The words, separated by single spaces: to be shown once and written down.
    pub fn words(&self) -> Zeroizing<String> {
        let mut words = Zeroizing::new(String::with_capacity(24 * 9));
        for word in self.0.words() {
            if !words.is_empty() {
                words.push(' ');
            }
            words.push_str(word);
        }
        words
    }

    /// CIP-3, Icarus: PBKDF2 with the passphrase as password and the entropy as salt, bits forced as ed25519-bip32
    /// demands.
    pub(super) fn root_key(&self, passphrase: &str) -> XPrv {
        let mut entropy = Zeroizing::new(self.0.to_entropy());
        let mut mac = Hmac::new(Sha512::new(), passphrase.as_bytes());
        let mut key = [0; XPRV_SIZE];
        pbkdf2(&mut mac, &entropy, ROUNDS, &mut key);
        entropy.zeroize();
        let root = XPrv::normalize_bytes_force3rd(key);
        key.zeroize();
        root
    }
}

impl std::fmt::Debug for Phrase {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Phrase({} words)", self.0.word_count())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    // CIP-3, Icarus test vectors.
    const CIP_3: &str = "eight country switch draw meat scout mystery blade tip drift useless good keep usage title";

    #[test]
    fn root_keys_are_those_of_cip_3() {
        let phrase = Phrase::parse(CIP_3).unwrap();
        for (passphrase, root) in [
            (
                "",
                "c065afd2832cd8b087c4d9ab7011f481ee1e0721e78ea5dd609f3ab3f156d245\
                 d176bd8fd4ec60b4731c3918a2a72a0226c0cd119ec35b47e4d55884667f552a\
                 23f7fdcd4a10c6cd2c7393ac61d877873e248f417634aa3d812af327ffe9d620",
            ),
            (
                "foo",
                "70531039904019351e1afb361cd1b312a4d0565d4ff9f8062d38acf4b15cce41\
                 d7b5738d9c893feea55512a3004acb0d222c35d3e3d5cde943a15a9824cbac59\
                 443cf67e589614076ba01e354b1a432e0e6db3b59e37fc56b5fb0222970a010e",
            ),
        ] {
            assert_eq!(hex::encode(phrase.root_key(passphrase).as_ref()), root);
        }
    }

    #[test]
    fn case_and_white_space_do_not_matter() {
        let messy = format!("  {}\n", CIP_3.to_uppercase().replace(' ', "\t "));
        assert_eq!(*Phrase::parse(&messy).unwrap().words(), CIP_3);
    }

    #[test]
    fn faulty_words_are_named_without_being_repeated() {
        let unknown = CIP_3.replace("draw", "drow");
        let swapped = CIP_3.replace("eight country", "country eight");
        let nine = CIP_3.split(' ').take(9).collect::<Vec<_>>().join(" ");
        for (text, error) in [
            (unknown.as_str(), WalletError::UnknownWord { position: 4 }),
            (swapped.as_str(), WalletError::Checksum),
            (nine.as_str(), WalletError::WordCount { provided: 9 }),
            ("", WalletError::WordCount { provided: 0 }),
        ] {
            assert_eq!(Phrase::parse(text).map(|_| ()).unwrap_err(), error);
        }
    }

    #[test]
    fn generated_phrases_differ_and_read_back() {
        let (one, two) = (Phrase::generate().unwrap(), Phrase::generate().unwrap());
        assert_ne!(*one.words(), *two.words());
        assert_eq!(one.words().split(' ').count(), 24);
        assert_eq!(*Phrase::parse(&one.words()).unwrap().words(), *one.words());
    }
}
