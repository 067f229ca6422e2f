//! What `nupeer` starts itself as, beside what people ask for: these words are not on any help page and may change at any time.

use std::ffi::{OsStr, OsString};

/// The words that make this program a container's shim (`nupeer_paas_drivers::container`).
pub(crate) const CONTAINER_SHIM: [&str; 2] = ["internal", "container-shim"];

/// Whether this process was started to be a container's shim; `arguments` begin with the program's name.
pub(crate) fn is_container_shim(arguments: impl IntoIterator<Item = OsString>) -> bool {
    let words = arguments.into_iter().skip(1);
    words.eq(CONTAINER_SHIM.map(OsStr::new))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_exact_words_make_a_shim() {
        let is_shim = |words: &[&str]| is_container_shim(words.iter().map(OsString::from));
        assert!(is_shim(&["nupeer", "internal", "container-shim"]));
        for words in [
            &["nupeer"][..],
            &["nupeer", "internal"],
            &["nupeer", "container-shim"],
            &["internal", "container-shim"],
            &["nupeer", "internal", "container-shim", "--help"],
        ] {
            assert!(!is_shim(words), "{words:?}");
        }
    }
}
