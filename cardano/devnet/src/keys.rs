//! A pool's keys, all derived from the devnet's seed: cold (ed25519), VRF (draft 03) and KES (Sum6).
//!
//! Everyone knows a devnet's seed, so these keys protect nothing; they exist because headers must be valid.

use nupeer_primitives::blake2b_256;
use pallas_crypto::{
    hash::{Hash, Hasher},
    kes::{
        summed_kes::Sum6Kes,
        traits::{KesSig as _, KesSk},
    },
    key::ed25519,
};
use pallas_primitives::babbage::OperationalCert;
use vrf_dalek::vrf03::{PublicKey03, SecretKey03, VrfProof03};

use crate::profile::MAX_KES_EVOLUTIONS;

/// Bytes of a Sum6 secret key: the key itself and the four bytes of its period.
const KES_KEY_BYTES: usize = Sum6Kes::SIZE + 4;

/// Length of a Sum6 signature in bytes.
pub const KES_SIGNATURE_BYTES: usize = 448;

/// 32 bytes that depend on the devnet's seed, on what they are for and on a counter.
pub fn derive(seed: u64, purpose: &str, index: u64) -> [u8; 32] {
    let length = (purpose.len() as u64).to_be_bytes();
    let parts: [&[u8]; 5] = [
        b"nupeer/devnet/1",
        &length,
        purpose.as_bytes(),
        &seed.to_be_bytes(),
        &index.to_be_bytes(),
    ];
    blake2b_256(&parts).0
}

/// The message that a pool's cold key signs in an operational certificate.
pub(crate) fn opcert_message(hot_vkey: &[u8], counter: u64, kes_period: u64) -> Vec<u8> {
    [hot_vkey, &counter.to_be_bytes(), &kes_period.to_be_bytes()].concat()
}

/// What a header's VRF evaluates: blake2b-256 of the slot and the epoch's nonce (`mkInputVRF` of Praos).
pub(crate) fn vrf_input(slot: u64, epoch_nonce: &Hash<32>) -> Hash<32> {
    let mut hasher = Hasher::<256>::new();
    hasher.input(&slot.to_be_bytes());
    hasher.input(epoch_nonce.as_ref());
    hasher.finalize()
}

/// The keys of one pool.
pub struct PoolKeys {
    seed: u64,
    index: u64,
    cold: ed25519::SecretKey,
    vrf: SecretKey03,
    vrf_public: PublicKey03,
    hot: Option<HotKey>,
}

/// A KES key at one of its evolutions.
struct HotKey {
    start_period: u64,
    evolution: u64,
    secret: Vec<u8>,
    public: Vec<u8>,
}

impl PoolKeys {
    /// The keys of pool number `index` of the devnet with this seed.
    pub fn derive(seed: u64, index: u64) -> Self {
        let vrf = SecretKey03::from_bytes(&derive(seed, "pool/vrf", index));
        let vrf_public = PublicKey03::from(&vrf);
        let cold = ed25519::SecretKey::from(derive(seed, "pool/cold", index));
        Self {
            seed,
            index,
            cold,
            vrf,
            vrf_public,
            hot: None,
        }
    }

    /// The cold verification key, which a header calls its issuer.
    pub fn issuer(&self) -> Vec<u8> {
        self.cold.public_key().as_ref().to_vec()
    }

    /// The pool's id: blake2b-224 of its cold verification key.
    pub fn id(&self) -> Hash<28> {
        Hasher::<224>::hash(&self.issuer())
    }

    /// The VRF verification key.
    pub fn vrf_public(&self) -> [u8; 32] {
        self.vrf_public.to_bytes()
    }

    /// The VRF's proof and output for a slot.
    pub(crate) fn prove(&self, slot: u64, epoch_nonce: &Hash<32>) -> ([u8; 80], [u8; 64]) {
        let input = vrf_input(slot, epoch_nonce);
        let proof = VrfProof03::generate(&self.vrf_public, &self.vrf, input.as_ref());
        (proof.to_bytes(), proof.proof_to_hash())
    }

    /// The operational certificate under which this pool signs in `kes_period`. `counter_of` tells the counter to
    /// issue for a given first period.
    pub(crate) fn certificate(
        &mut self,
        kes_period: u64,
        counter_of: impl Fn(u64) -> u64,
    ) -> OperationalCert {
        let start_period = kes_period - kes_period % MAX_KES_EVOLUTIONS;
        let counter = counter_of(start_period);
        let hot_vkey = self.hot_at(kes_period).public.clone();
        let sigma = self
            .cold
            .sign(opcert_message(&hot_vkey, counter, start_period));
        OperationalCert {
            operational_cert_hot_vkey: hot_vkey.into(),
            operational_cert_sequence_number: counter,
            operational_cert_kes_period: start_period,
            operational_cert_sigma: sigma.as_ref().to_vec().into(),
        }
    }

    /// Signs a header body's bytes with the key of `kes_period`.
    pub(crate) fn sign(&mut self, kes_period: u64, message: &[u8]) -> Vec<u8> {
        // Dropping a key zeroes the buffer it lies in, so it signs from a copy.
        let mut secret = self.hot_at(kes_period).secret.clone();
        match Sum6Kes::from_bytes(&mut secret) {
            Ok(key) => key.sign(message).to_bytes().to_vec(),
            Err(_) => unreachable!("the buffer has the key's size"),
        }
    }

    /// The KES key evolved to `kes_period`. A key cannot evolve backwards: after a fork to an earlier period it is
    /// made anew, which only a devnet, whose seed is public, can do.
    fn hot_at(&mut self, kes_period: u64) -> &HotKey {
        let evolution = kes_period % MAX_KES_EVOLUTIONS;
        let start_period = kes_period - evolution;
        let usable = self
            .hot
            .take()
            .filter(|hot| hot.start_period == start_period && hot.evolution <= evolution);
        let mut hot =
            usable.unwrap_or_else(|| HotKey::generate(self.seed, self.index, start_period));
        while hot.evolution < evolution {
            hot.evolve();
        }
        self.hot.insert(hot)
    }
}

impl HotKey {
    fn generate(seed: u64, index: u64, start_period: u64) -> Self {
        let purpose = format!("pool/{index}/kes");
        let mut kes_seed = derive(seed, &purpose, start_period);
        let mut buffer = vec![0; KES_KEY_BYTES];
        let (key, public) = Sum6Kes::keygen(&mut buffer, &mut kes_seed);
        let (secret, public) = (key.as_bytes().to_vec(), public.as_bytes().to_vec());
        Self {
            start_period,
            evolution: 0,
            secret,
            public,
        }
    }

    fn evolve(&mut self) {
        let mut buffer = self.secret.clone();
        if let Ok(mut key) = Sum6Kes::from_bytes(&mut buffer) {
            // Sum6 has 64 periods, more than the 62 used of each key.
            if key.update().is_ok() {
                self.secret = key.as_bytes().to_vec();
            }
        }
        self.evolution += 1;
    }
}

/// Whether `signature` over `message` is the KES key's at its evolution.
pub(crate) fn kes_verifies(
    hot_vkey: &[u8],
    evolution: u64,
    message: &[u8],
    signature: &[u8],
) -> bool {
    use pallas_crypto::kes::{PublicKey, summed_kes::Sum6KesSig};
    let (Ok(key), Ok(signature), Ok(evolution)) = (
        PublicKey::from_bytes(hot_vkey),
        Sum6KesSig::from_bytes(signature),
        u32::try_from(evolution),
    ) else {
        return false;
    };
    evolution < 64 && signature.verify(evolution, &key, message).is_ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_same_seed_gives_the_same_keys_and_another_gives_others() {
        let (a, b) = (PoolKeys::derive(42, 0), PoolKeys::derive(42, 0));
        assert_eq!((a.id(), a.vrf_public()), (b.id(), b.vrf_public()));
        for other in [PoolKeys::derive(42, 1), PoolKeys::derive(43, 0)] {
            assert_ne!(a.id(), other.id());
            assert_ne!(a.vrf_public(), other.vrf_public());
        }
    }

    #[test]
    fn a_signature_verifies_in_its_own_period_alone() {
        let mut pool = PoolKeys::derive(42, 0);
        for period in [0, 1, 31, 32, 61, 62, 63, 5, 200] {
            let certificate = pool.certificate(period, |_| 0);
            let signature = pool.sign(period, b"header");
            let hot_vkey = certificate.operational_cert_hot_vkey.to_vec();
            let evolution = period - certificate.operational_cert_kes_period;
            assert_eq!(signature.len(), KES_SIGNATURE_BYTES);
            assert!(
                kes_verifies(&hot_vkey, evolution, b"header", &signature),
                "period {period}"
            );
            assert!(
                !kes_verifies(&hot_vkey, evolution + 1, b"header", &signature),
                "period {period}"
            );
            assert!(
                !kes_verifies(&hot_vkey, evolution, b"other", &signature),
                "period {period}"
            );
        }
    }

    #[test]
    fn each_window_of_periods_has_a_key_of_its_own() {
        let mut pool = PoolKeys::derive(42, 0);
        let first = pool.certificate(61, |_| 0);
        let second = pool.certificate(62, |_| 1);
        assert_ne!(
            first.operational_cert_hot_vkey,
            second.operational_cert_hot_vkey
        );
        assert_eq!(second.operational_cert_kes_period, 62);
    }
}
