//! Addresses as people write them (CIP-19, CIP-5).

use bech32::{Bech32, Hrp};
use nupeer_outbox::{Address, address::AddressError};
use nupeer_primitives::CardanoNetwork;

use crate::error::BridgeError;

fn prefix(network: CardanoNetwork) -> &'static str {
    match network {
        CardanoNetwork::Mainnet => "addr",
        CardanoNetwork::Testnet => "addr_test",
    }
}

/// The bech32 text of an address: 58 to 108 characters.
pub fn to_bech32(address: &Address, network: CardanoNetwork) -> String {
    let bytes = address.to_bytes(network);
    let hrp = Hrp::parse(prefix(network));
    hrp.ok()
        .and_then(|hrp| bech32::encode::<Bech32>(hrp, &bytes).ok())
        .unwrap_or_default()
}

/// The address that a bech32 text names, which must be one of `network` that a script can pay to.
///
/// # Errors
/// Text that is no bech32 address, a Byron address (base58), a reward or pointer address, another network's.
pub fn parse(text: &str, network: CardanoNetwork) -> Result<Address, BridgeError> {
    if is_base58(text) {
        return Err(AddressError::Byron.into());
    }
    let (hrp, bytes) = bech32::decode(text).map_err(|e| BridgeError::AddressText {
        reason: e.to_string(),
    })?;
    let (address, provided) = Address::from_bytes(&bytes)?;
    let expected = network;
    if provided != expected {
        return Err(BridgeError::WrongNetwork { provided, expected });
    }
    if hrp.as_str() != prefix(network) {
        return Err(BridgeError::AddressText {
            reason: format!(
                "it starts with {hrp}1 where {}1 is expected",
                prefix(network)
            ),
        });
    }
    Ok(address)
}

/// Byron addresses are base58: letters of both cases, which bech32 never mixes.
fn is_base58(text: &str) -> bool {
    let mixed = text.bytes().any(|b| b.is_ascii_uppercase())
        && text.bytes().any(|b| b.is_ascii_lowercase());
    let alphabet = |b: u8| b.is_ascii_alphanumeric() && !matches!(b, b'0' | b'O' | b'I' | b'l');
    mixed && text.len() > 50 && text.bytes().all(alphabet)
}

#[cfg(test)]
mod tests {
    use nupeer_primitives::{Credential, Hash28, Numbered};

    use super::*;

    const HERE: CardanoNetwork = CardanoNetwork::Testnet;

    fn base() -> Address {
        Address {
            payment: Credential::Key(Hash28([1; 28])),
            stake: Some(Credential::Script(Hash28([2; 28]))),
        }
    }

    #[test]
    fn an_address_survives_its_text() {
        for address in [base(), Address::enterprise(base().payment)] {
            let text = to_bech32(&address, HERE);
            assert!(text.starts_with("addr_test1"), "{text}");
            assert_eq!(parse(&text, HERE), Ok(address));
        }
    }

    #[test]
    fn what_is_no_payable_address_of_this_network_is_refused_by_number() {
        let mainnet = to_bech32(&base(), CardanoNetwork::Mainnet);
        let good = to_bech32(&base(), HERE);
        // CIP-19's test vectors: a pointer and a reward address; a Byron address of mainnet.
        for (text, code) in [
            (&mainnet[..], 3012),
            (&good[..good.len() - 1], 3013),
            ("", 3013),
            (
                "addr_test1gz2n8fvzgmyhnqlpnv2340v09943nxrnl7dw6dqeytr",
                3013,
            ),
            (
                "stake_test1uqevw2xnsc0pvn9t9r9c7qryfqfeerchgrlm3ea2nefr9hqp8n5xl",
                3055,
            ),
            (
                "Ae2tdPwUPEZ4YjgvykNpoFeYUxoyhNj2kg8KfKWN2FizsSpLUPv68MpTVDo",
                3054,
            ),
        ] {
            let error = parse(text, HERE).expect_err(text);
            assert_eq!(error.code().0, code, "{text}: {error}");
        }
    }
}
