//! The wallet beside two independent implementations.

use cardano_message_signing as cms;
use cardano_serialization_lib as csl;
use cms::utils::{FromBytes as _, ToBytes as _};
use proptest::prelude::*;

use super::*;

/// Words, and the entropy that they stand for.
const PHRASES: [(&str, &str); 3] = [
    (
        "test walk nut penalty hip pave soap entry language right filter choice",
        "df9ed25ed146bf43336a5d7cf7395994",
    ),
    (
        "art forum devote street sure rather head chuckle guard poverty release quote oak craft enemy",
        "0ccb74f36b7da1649a8144675522d4d8097c6412",
    ),
    (
        "excess behave track soul table wear ocean cash stay nature item turtle palm soccer lunch horror start stumble \
         month panic right must lock dress",
        "4e828f9a67ddcff0e6391ad4f26ddb7579f59ba14b6dd4baf63dcfdb9d2420da",
    ),
];

fn theirs(entropy: &str, passphrase: &str, path: [u32; 2]) -> csl::PrivateKey {
    let root = csl::Bip32PrivateKey::from_bip39_entropy(
        &hex::decode(entropy).unwrap(),
        passphrase.as_bytes(),
    );
    let account = [PURPOSE, COIN_TYPE, 0]
        .into_iter()
        .fold(root, |key, step| key.derive(HARDENED | step));
    path.into_iter()
        .fold(account, |key, step| key.derive(step))
        .to_raw_key()
}

#[test]
fn keys_and_addresses_are_those_of_cardano_serialization_lib() {
    for (words, entropy) in PHRASES {
        for passphrase in ["", "foo"] {
            let phrase = Phrase::parse(words).unwrap();
            let wallet = Wallet::new(&phrase, passphrase, CardanoNetwork::Testnet);
            let stake = theirs(entropy, passphrase, [2, 0]).to_public().hash();
            for index in [0, 1, 77] {
                let key = theirs(entropy, passphrase, [0, index]);
                let ours = wallet.payment_signing_key(index);
                assert_eq!(ours.public_key().0.to_vec(), key.to_public().as_bytes());
                assert_eq!(ours.sign(b"hi").0.to_vec(), key.sign(b"hi").to_bytes());
                let credential = |hash: &csl::Ed25519KeyHash| csl::Credential::from_keyhash(hash);
                let base = csl::BaseAddress::new(
                    0,
                    &credential(&key.to_public().hash()),
                    &credential(&stake),
                );
                assert_eq!(
                    wallet.base_address(index).to_string(),
                    base.to_address().to_bech32(None).unwrap()
                );
            }
            let reward =
                csl::RewardAddress::new(0, &csl::Credential::from_keyhash(&stake)).to_address();
            assert_eq!(wallet.reward_address().to_vec(), reward.to_bytes());
        }
    }
}

/// Reads a signature as the reference library does, and verifies what that library says was signed.
fn read_elsewhere(signature: &DataSignature) -> (Vec<u8>, Vec<u8>) {
    let message = cms::COSESign1::from_bytes(signature.cose_sign1.clone()).unwrap();
    let key = cms::COSEKey::from_bytes(signature.cose_key.clone()).unwrap();
    let x = key
        .header(&cms::Label::new_int(&cms::utils::Int::new_i32(-2)))
        .unwrap()
        .as_bytes()
        .unwrap();
    let signed = message.signed_data(None, None).unwrap().to_bytes();
    let verified = csl::PublicKey::from_bytes(&x).unwrap().verify(
        &signed,
        &csl::Ed25519Signature::from_bytes(message.signature()).unwrap(),
    );
    assert!(verified);
    let protected = message.headers().protected().deserialized_headers();
    let address = protected
        .header(&cms::Label::new_text("address".into()))
        .unwrap()
        .as_bytes()
        .unwrap();
    (address, message.payload().unwrap())
}

/// The same message as the reference library builds it, signature included.
fn built_elsewhere(key: &csl::PrivateKey, address: &[u8], payload: &[u8]) -> DataSignature {
    let mut protected = cms::HeaderMap::new();
    protected.set_algorithm_id(&cms::Label::from_algorithm_id(
        cms::builders::AlgorithmId::EdDSA,
    ));
    let address = cms::cbor::CBORValue::new_bytes(address.to_vec());
    protected
        .set_header(&cms::Label::new_text("address".into()), &address)
        .unwrap();
    let headers = cms::Headers::new(
        &cms::ProtectedHeaderMap::new(&protected),
        &cms::HeaderMap::new(),
    );
    let builder = cms::builders::COSESign1Builder::new(&headers, payload.to_vec(), false);
    let signature = key.sign(&builder.make_data_to_sign().to_bytes()).to_bytes();
    let public = key.to_public().as_bytes();
    DataSignature {
        cose_sign1: builder.build(signature).to_bytes(),
        cose_key: cms::builders::EdDSA25519Key::new(public).build().to_bytes(),
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(32))]

    #[test]
    fn signatures_of_data_are_those_of_cardano_message_signing(payload in prop::collection::vec(any::<u8>(), 0..300)) {
        let (words, entropy) = PHRASES[0];
        let wallet = Wallet::new(&Phrase::parse(words).unwrap(), "", CardanoNetwork::Mainnet);
        let ours = wallet.sign_data(&payload, false);
        let (address, signed) = read_elsewhere(&ours);
        prop_assert_eq!(address, wallet.reward_address().to_vec());
        prop_assert_eq!(signed, payload.clone());
        let theirs = built_elsewhere(&theirs(entropy, "", [2, 0]), &wallet.reward_address(), &payload);
        prop_assert_eq!(&ours.cose_sign1, &theirs.cose_sign1);
        prop_assert_eq!(&ours.cose_key, &theirs.cose_key);
        let (_, hashed) = read_elsewhere(&wallet.sign_data(&payload, true));
        prop_assert_eq!(hashed, nupeer_primitives::blake2b_224(&payload).0.to_vec());
    }
}
