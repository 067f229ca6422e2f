//! What travels in the market: offers, usage notes, requests to an agent, what a container is to run. One encoding each.
#![no_main]

use libfuzzer_sys::fuzz_target;
use nupeer_lease::{
    agent_request::SignedAgentRequest,
    id::LeaseId,
    offer::SignedOffer,
    usage::{ProviderNote, SignedUsage},
};
use nupeer_paas::ContainerSpec;
use nupeer_primitives::{Hash, TimeMs};

const CHAIN: Hash = Hash([7; 32]);
const LEASE: LeaseId = LeaseId(Hash([9; 32]));

fuzz_target!(|bytes: &[u8]| {
    if let Ok(offer) = SignedOffer::from_bytes(bytes) {
        assert_eq!(offer.to_bytes(), bytes);
        let _ = offer.offer.price.for_resources(&offer.offer.capacity);
        let _ = offer.offer.id(&CHAIN);
    }
    // What a tenant uploads to a process that runs as root.
    if let Ok(spec) = ContainerSpec::from_bytes(bytes) {
        assert_eq!(spec.to_bytes(), bytes);
    }
    if let Ok(usage) = SignedUsage::from_bytes(bytes) {
        assert_eq!(usage.to_bytes(), bytes);
    }
    if let Ok(note) = ProviderNote::from_bytes(bytes) {
        assert_eq!(note.to_bytes(), bytes);
        let claim = note.usage.metered_ms;
        assert!(
            note.check(&CHAIN, &LEASE, &note.operator, claim, claim)
                .is_err()
        );
    }
    if let Ok(request) = SignedAgentRequest::from_header(&hex::encode(bytes)) {
        assert_eq!(request.to_header(), hex::encode(bytes));
        assert!(
            request
                .verify(&CHAIN, &LEASE, "GET", "/", TimeMs(0))
                .is_err()
        );
    }
});
