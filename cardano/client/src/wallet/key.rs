//! A key that signs, derived or plain.

use ed25519_bip32::XPrv;
use nupeer_primitives::{Hash28, PublicKey, Signature};
use pallas_crypto::key::ed25519::SecretKey;

/// An ed25519 signing key, erased when dropped. Both kinds make signatures that any ed25519 verifier accepts.
pub struct SigningKey {
    secret: Secret,
    public: PublicKey,
}

/// Both types inside erase themselves.
enum Secret {
    /// 64 bytes of scalar and nonce key (BIP32-Ed25519).
    Extended(XPrv),
    /// 32 bytes of seed (RFC 8032), as in cardano-cli's `.skey` files.
    Plain(SecretKey),
}

impl SigningKey {
    pub(super) fn extended(key: XPrv) -> Self {
        let public = PublicKey(key.public().public_key());
        SigningKey {
            secret: Secret::Extended(key),
            public,
        }
    }

    /// The RFC 8032 key of a seed of 32 bytes.
    pub fn from_seed(seed: [u8; 32]) -> Self {
        let key = SecretKey::from(seed);
        let public = PublicKey(key.public_key().into());
        SigningKey {
            secret: Secret::Plain(key),
            public,
        }
    }

    /// The public half.
    pub fn public_key(&self) -> PublicKey {
        self.public
    }

    /// Blake2b-224 of the public key: the credential in addresses.
    pub fn key_hash(&self) -> Hash28 {
        self.public.hash()
    }

    /// Signs `message`; deterministic.
    pub fn sign(&self, message: &[u8]) -> Signature {
        match &self.secret {
            Secret::Extended(key) => Signature(*key.sign::<()>(message).to_bytes()),
            Secret::Plain(key) => {
                let mut bytes = [0; 64];
                bytes.copy_from_slice(key.sign(message).as_ref());
                Signature(bytes)
            }
        }
    }
}

impl std::fmt::Debug for SigningKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "SigningKey(of {})", self.public)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_seed_makes_the_key_of_rfc_8032() {
        // RFC 8032 §7.1, test 2.
        let seed = "4ccd089b28ff96da9db6c346ec114e0f5b8a319f35aba624da8cf6ed4fb8a6fb";
        let key = SigningKey::from_seed(hex::decode(seed).unwrap().try_into().unwrap());
        let public = "3d4017c3e843895a92b70aa74d1b7ebc9c982ccf2ec4968cc0cd55f12af4660c";
        let signature = "92a009a9f0d4cab8720e820b5f642540a2b27b5416503f8fb3762223ebdb69da\
                         085ac1e43e15996e458f3613d0f11d8c387b2eaeb4302aeeb00d291612bb0c00";
        assert_eq!(key.public_key().to_string(), public);
        assert_eq!(key.sign(&[0x72]).to_string(), signature);
    }

    #[test]
    fn printing_a_key_shows_its_public_half_only() {
        let text = format!("{:?}", SigningKey::from_seed([7; 32]));
        assert!(!text.contains(&hex::encode([7; 32])) && text.starts_with("SigningKey(of "));
    }
}
