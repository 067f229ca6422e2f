//! Making and reading CIP-19 addresses.

use nupeer_primitives::{CardanoNetwork, Credential, Hash28};
use pallas_addresses::{
    Address, Network, ShelleyAddress, ShelleyDelegationPart, ShelleyPaymentPart, StakeAddress,
    StakePayload,
};

/// A payment key with a stake key (type 0).
pub fn base(network: CardanoNetwork, payment: Hash28, stake: Hash28) -> Address {
    shelley(
        network,
        Credential::Key(payment),
        Some(Credential::Key(stake)),
    )
}

/// A payment key alone (type 6).
pub fn enterprise(network: CardanoNetwork, payment: Hash28) -> Address {
    shelley(network, Credential::Key(payment), None)
}

/// Any payment credential with any stake credential or none.
pub fn shelley(network: CardanoNetwork, payment: Credential, stake: Option<Credential>) -> Address {
    let payment = match payment {
        Credential::Key(hash) => ShelleyPaymentPart::key_hash(hash.0.into()),
        Credential::Script(hash) => ShelleyPaymentPart::script_hash(hash.0.into()),
    };
    let stake = match stake {
        Some(Credential::Key(hash)) => ShelleyDelegationPart::key_hash(hash.0.into()),
        Some(Credential::Script(hash)) => ShelleyDelegationPart::script_hash(hash.0.into()),
        None => ShelleyDelegationPart::Null,
    };
    ShelleyAddress::new(pallas_network(network), payment, stake).into()
}

/// A credential's reward address (types 14 and 15).
pub fn reward(network: CardanoNetwork, credential: Credential) -> Address {
    let payload = match credential {
        Credential::Key(hash) => StakePayload::Stake(hash.0.into()),
        Credential::Script(hash) => StakePayload::Script(hash.0.into()),
    };
    StakeAddress::new(pallas_network(network), payload).into()
}

/// Who may spend from `address`; `None` for Byron and reward addresses.
pub fn payment_credential(address: &Address) -> Option<Credential> {
    match address {
        Address::Shelley(shelley) => Some(match shelley.payment() {
            ShelleyPaymentPart::Key(hash) => Credential::Key(Hash28(**hash)),
            ShelleyPaymentPart::Script(hash) => Credential::Script(Hash28(**hash)),
        }),
        Address::Byron(_) | Address::Stake(_) => None,
    }
}

fn pallas_network(network: CardanoNetwork) -> Network {
    match network {
        CardanoNetwork::Mainnet => Network::Mainnet,
        CardanoNetwork::Testnet => Network::Testnet,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    // CIP-19's payment key, stake key and script.
    const PAYMENT: &str = "9493315cd92eb5d8c4304e67b7e16ae36d61d34502694657811a2c8e";
    const STAKE: &str = "337b62cfff6403a06a3acbc34f8c46003c69fe79a3628cefa9c47251";
    const SCRIPT: &str = "c37b1b5dc0669f1d3c61a6fddb2e8fde96be87b881c60bce8e8d542f";

    fn key(text: &str) -> Credential {
        Credential::Key(text.parse().unwrap())
    }

    fn script(text: &str) -> Credential {
        Credential::Script(text.parse().unwrap())
    }

    #[test]
    fn addresses_are_those_of_cip_19() {
        for (payment, stake, mainnet, testnet) in [
            (
                key(PAYMENT),
                Some(key(STAKE)),
                "addr1qx2fxv2umyhttkxyxp8x0dlpdt3k6cwng5pxj3jhsydzer3n0d3vllmyqwsx5wktcd8cc3sq835lu7drv2xwl2wywfgse35a3x",
                "addr_test1qz2fxv2umyhttkxyxp8x0dlpdt3k6cwng5pxj3jhsydzer3n0d3vllmyqwsx5wktcd8cc3sq835lu7drv2xwl2wywfgs68faae",
            ),
            (
                script(SCRIPT),
                Some(key(STAKE)),
                "addr1z8phkx6acpnf78fuvxn0mkew3l0fd058hzquvz7w36x4gten0d3vllmyqwsx5wktcd8cc3sq835lu7drv2xwl2wywfgs9yc0hh",
                "addr_test1zrphkx6acpnf78fuvxn0mkew3l0fd058hzquvz7w36x4gten0d3vllmyqwsx5wktcd8cc3sq835lu7drv2xwl2wywfgsxj90mg",
            ),
            (
                key(PAYMENT),
                Some(script(SCRIPT)),
                "addr1yx2fxv2umyhttkxyxp8x0dlpdt3k6cwng5pxj3jhsydzerkr0vd4msrxnuwnccdxlhdjar77j6lg0wypcc9uar5d2shs2z78ve",
                "addr_test1yz2fxv2umyhttkxyxp8x0dlpdt3k6cwng5pxj3jhsydzerkr0vd4msrxnuwnccdxlhdjar77j6lg0wypcc9uar5d2shsf5r8qx",
            ),
            (
                script(SCRIPT),
                Some(script(SCRIPT)),
                "addr1x8phkx6acpnf78fuvxn0mkew3l0fd058hzquvz7w36x4gt7r0vd4msrxnuwnccdxlhdjar77j6lg0wypcc9uar5d2shskhj42g",
                "addr_test1xrphkx6acpnf78fuvxn0mkew3l0fd058hzquvz7w36x4gt7r0vd4msrxnuwnccdxlhdjar77j6lg0wypcc9uar5d2shs4p04xh",
            ),
            (
                key(PAYMENT),
                None,
                "addr1vx2fxv2umyhttkxyxp8x0dlpdt3k6cwng5pxj3jhsydzers66hrl8",
                "addr_test1vz2fxv2umyhttkxyxp8x0dlpdt3k6cwng5pxj3jhsydzerspjrlsz",
            ),
            (
                script(SCRIPT),
                None,
                "addr1w8phkx6acpnf78fuvxn0mkew3l0fd058hzquvz7w36x4gtcyjy7wx",
                "addr_test1wrphkx6acpnf78fuvxn0mkew3l0fd058hzquvz7w36x4gtcl6szpr",
            ),
        ] {
            for (network, text) in [
                (CardanoNetwork::Mainnet, mainnet),
                (CardanoNetwork::Testnet, testnet),
            ] {
                let made = shelley(network, payment, stake);
                assert_eq!(made.to_string(), text);
                assert_eq!(Address::from_bech32(text).unwrap(), made);
                assert_eq!(payment_credential(&made), Some(payment));
            }
        }
    }

    #[test]
    fn reward_addresses_are_those_of_cip_19() {
        for (credential, text) in [
            (
                key(STAKE),
                "stake1uyehkck0lajq8gr28t9uxnuvgcqrc6070x3k9r8048z8y5gh6ffgw",
            ),
            (
                script(SCRIPT),
                "stake178phkx6acpnf78fuvxn0mkew3l0fd058hzquvz7w36x4gtcccycj5",
            ),
        ] {
            let made = reward(CardanoNetwork::Mainnet, credential);
            assert_eq!(made.to_string(), text);
            assert_eq!(payment_credential(&made), None);
        }
    }
}
