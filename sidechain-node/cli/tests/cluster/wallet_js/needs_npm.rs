//! What needs node, npm, and the libraries that npm installs.

use serde_json::Value;

use super::{OWNER, STRANGER, Solo, Wallet, json};
use crate::validators::address;

#[test]
fn what_a_javascript_wallet_signed_becomes_final() {
    let wallet = Wallet::open();
    let solo = Solo::start(&wallet.address);
    for hashed in [false, true] {
        let prepared = solo.prepare(&wallet.address, "3ADA");
        assert_eq!(prepared["address"], wallet.address_hex.as_str());
        let payload = prepared["payload_hex"].as_str().unwrap();
        let signed = wallet.sign_data(OWNER, &wallet.address_hex, payload, hashed);
        let settled = json(&solo.submit(&prepared, &signed));
        assert_eq!(settled["status"], "final", "hashed: {hashed}");
        assert_eq!(settled["id"], prepared["id"]);
    }
    assert_eq!(solo.lovelace(&address(9)), 6_000_000);
}

#[test]
fn what_a_javascript_wallet_signed_of_something_else_is_refused_by_its_number() {
    let wallet = Wallet::open();
    let solo = Solo::start(&wallet.address);
    let prepared = solo.prepare(&wallet.address, "3ADA");
    let payload = prepared["payload_hex"].as_str().unwrap();
    let dearer = solo.prepare(&wallet.address, "4ADA");
    let dearer = dearer["payload_hex"].as_str().unwrap();
    let (own, main) = (&wallet.address_hex, &wallet.mainnet_address_hex);
    for (signed, code, what) in [
        (
            wallet.sign_data(OWNER, own, dearer, false),
            "NP2105",
            "another text",
        ),
        (
            wallet.sign_data(OWNER, own, dearer, true),
            "NP2105",
            "another text's hash",
        ),
        (
            wallet.sign_data(OWNER, main, payload, false),
            "NP2104",
            "the address on another network",
        ),
        (
            wallet.sign_data(STRANGER, own, payload, false),
            "NP2102",
            "somebody else's key",
        ),
        (
            another_key_beside(&wallet, payload),
            "NP1023",
            "a key that did not sign",
        ),
    ] {
        let refused = solo.submit(&prepared, &signed);
        let said = String::from_utf8_lossy(&refused.stderr);
        assert!(said.contains(&format!("error {code}")), "{what}: {said}");
        assert_eq!(refused.status.code(), Some(3), "{what}");
    }
    assert_eq!(solo.lovelace(&address(9)), 0);
}

/// The owner's signature beside a stranger's key.
fn another_key_beside(wallet: &Wallet, payload: &str) -> Value {
    let mut signed = wallet.sign_data(OWNER, &wallet.address_hex, payload, false);
    let other = wallet.sign_data(STRANGER, &wallet.address_hex, payload, false);
    signed["key"] = other["key"].clone();
    signed
}
