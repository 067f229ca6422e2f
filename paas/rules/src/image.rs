//! The name of an image: the sha256 of its OCI manifest, in the state 32 bytes, before people `sha256:` and 64 digits (OCI image-spec,
//! "Digests").

use nupeer_primitives::Hash;

use crate::error::ContainerError;

const ALGORITHM: &str = "sha256:";

/// The digest that `text` names. There is one spelling: lowercase.
///
/// # Errors
/// [`ContainerError::Digest`].
pub fn parse(text: &str) -> Result<Hash, ContainerError> {
    let lowercase = |digits: &&str| !digits.bytes().any(|b| b.is_ascii_uppercase());
    let digits = text.strip_prefix(ALGORITHM).filter(lowercase);
    digits
        .and_then(|digits| digits.parse().ok())
        .ok_or_else(|| ContainerError::Digest {
            provided: text.chars().take(80).collect(),
        })
}

/// The digest as people read it.
pub fn text(digest: &Hash) -> String {
    format!("{ALGORITHM}{digest}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_digest_has_one_spelling() {
        let digits = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";
        let whole = format!("sha256:{digits}");
        assert_eq!(text(&parse(&whole).unwrap()), whole);
        for wrong in [
            digits.to_owned(),
            format!("sha512:{digits}"),
            format!("sha256:{}", digits.to_uppercase()),
            format!("sha256:{digits}0"),
            "sha256:".to_owned(),
            String::new(),
        ] {
            let provided = wrong.clone();
            assert_eq!(parse(&wrong), Err(ContainerError::Digest { provided }));
        }
    }
}
