//! Every signature is valid, and every key that must sign has signed: those of inputs, collateral, withdrawals, certificates and votes, and the
//! required signers. Who owns a Byron address signs with a bootstrap witness, for the address's root.
//!
//! Source: Conway formal specification, rule UTXOW (`∀[ (vk , σ) ∈ vkSigs ] isSigned vk (txidBytes txId) σ`,
//! `witsVKeyNeeded utxo txb ⊆ witsKeyHashes`); <https://intersectmbo.github.io/formal-ledger-specifications/site/Ledger.Conway.Specification.Utxow.html>.

use super::RuleError;
use super::inputs::Resolved;
use crate::address::{Address, Credential};
use crate::tx::{Body, Certificate, Transaction, Voter};
use ed25519_dalek::{Signature, VerifyingKey};
use nupeer_primitives::{Code, Numbered};
use pallas_crypto::hash::Hasher;
use std::collections::BTreeSet;
use thiserror::Error;

/// blake2b-224 of a public key.
pub(crate) type KeyHash = [u8; 28];

/// Why a transaction's signatures are refused.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum SignaturesError {
    /// Signatures that do not verify over the transaction's id.
    #[error("invalid signatures by the keys {}", hex_list(keys))]
    Invalid {
        /// The public keys.
        keys: Vec<[u8; 32]>,
    },
    /// Keys that must sign and have not.
    #[error(
        "the keys {} must sign; signed: {}",
        hex_list(missing),
        hex_list(signed)
    )]
    Missing {
        /// Hashes of the keys that must sign and have not.
        missing: Vec<[u8; 28]>,
        /// Hashes of the keys that have signed.
        signed: Vec<[u8; 28]>,
    },
}

fn hex_list<const N: usize>(items: &[[u8; N]]) -> String {
    items.iter().map(hex::encode).collect::<Vec<_>>().join(", ")
}

impl Numbered for SignaturesError {
    fn code(&self) -> Code {
        Code(match self {
            Self::Invalid { .. } => 7270,
            Self::Missing { .. } => 7271,
        })
    }
}

impl RuleError for SignaturesError {
    fn predicate_name(&self) -> &'static str {
        match self {
            Self::Invalid { .. } => "InvalidWitnessesUTXOW",
            Self::Missing { .. } => "MissingVKeyWitnessesUTXOW",
        }
    }
}

pub(crate) fn check(tx: &Transaction<'_>, resolved: &Resolved<'_>) -> Result<(), SignaturesError> {
    let keys = invalid(tx);
    if !keys.is_empty() {
        return Err(SignaturesError::Invalid { keys });
    }
    let mut signed = signers(tx);
    signed.extend(tx.witnesses.bootstrap.keys().copied());
    let missing: Vec<KeyHash> = required(&tx.body, resolved)
        .difference(&signed)
        .copied()
        .collect();
    if !missing.is_empty() {
        return Err(SignaturesError::Missing {
            missing,
            signed: signed.into_iter().collect(),
        });
    }
    Ok(())
}

/// The keys whose signatures, ordinary or bootstrap, do not verify.
fn invalid(tx: &Transaction<'_>) -> Vec<[u8; 32]> {
    let witnesses = &tx.witnesses;
    let ordinary = witnesses
        .vkeys
        .iter()
        .map(|witness| (witness.key, witness.signature));
    let bootstrap = witnesses
        .bootstrap
        .values()
        .map(|witness| (witness.key, witness.signature));
    ordinary
        .chain(bootstrap)
        .filter(|(key, signature)| !is_signed(key, signature, &tx.id))
        .map(|(key, _)| *key)
        .collect()
}

/// Hashes of the keys that have signed; bootstrap witnesses, which satisfy no native script, are not among them.
pub(crate) fn signers(tx: &Transaction<'_>) -> BTreeSet<KeyHash> {
    tx.witnesses
        .vkeys
        .iter()
        .map(|witness| *Hasher::<224>::hash(witness.key))
        .collect()
}

/// Hashes of the keys that must sign.
fn required(body: &Body<'_>, resolved: &Resolved<'_>) -> BTreeSet<KeyHash> {
    let spent = body
        .inputs
        .iter()
        .chain(&body.collateral)
        .filter_map(|input| resolved.get(input));
    let owners = spent.filter_map(|output| match output.address {
        Address::Byron(address) => Some(address.root),
        Address::Shelley { payment, .. } => match payment {
            Credential::Key(hash) => Some(hash),
            Credential::Script(_) => None,
        },
    });
    owners
        .chain(body.required_signers.iter().copied())
        .chain(stake_keys(body))
        .collect()
}

/// Hashes of the keys that must sign for withdrawals, certificates and votes: the accounts', the authorities', the voters', and the pools'
/// owners'.
fn stake_keys(body: &Body<'_>) -> impl Iterator<Item = KeyHash> {
    let accounts = body.withdrawals.keys().map(|account| account.credential);
    let authorities = body.certificates.iter().filter_map(Certificate::authority);
    let voters = body.votes.keys().map(Voter::credential);
    let keys =
        accounts
            .chain(authorities)
            .chain(voters)
            .filter_map(|credential| match credential {
                Credential::Key(hash) => Some(hash),
                Credential::Script(_) => None,
            });
    let pools = body
        .certificates
        .iter()
        .filter_map(|certificate| match certificate {
            Certificate::RegisterPool(pool) => Some(&pool.owners),
            _ => None,
        });
    keys.chain(pools.flatten().copied())
}

/// Strict verification, as libsodium does it: no small-order points, a canonical scalar, no cofactor.
fn is_signed(key: &[u8; 32], signature: &[u8; 64], tx_id: &[u8; 32]) -> bool {
    let signature = Signature::from_bytes(signature);
    VerifyingKey::from_bytes(key).is_ok_and(|key| key.verify_strict(tx_id, &signature).is_ok())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::byron;
    use crate::byron::samples::{CHAIN_CODE, MAINNET, address_of};
    use crate::output::Output;
    use crate::testing::{
        TestKey, TxBuilder, bytes, input, list, output_at, pool_fields, unsigned,
    };

    fn verdict(build: impl Fn(TxBuilder) -> TxBuilder) -> Result<(), SignaturesError> {
        let (alice, bob) = (TestKey::new(1), TestKey::new(2));
        let utxos = [output_at(&alice.address(), 5), output_at(&bob.address(), 5)];
        let resolved: Resolved<'_> = (0..)
            .zip(&utxos)
            .map(|(index, output)| (input(index), Output::parse(output).expect("an output")))
            .collect();
        let bytes = build(TxBuilder::new().input(input(0)).fee(5)).build();
        check(
            &Transaction::decode(&bytes).expect("a transaction"),
            &resolved,
        )
    }

    fn missing(key: u8, signed: &[u8]) -> Result<(), SignaturesError> {
        let mut signed: Vec<_> = signed.iter().map(|key| TestKey::new(*key).hash()).collect();
        signed.sort_unstable();
        Err(SignaturesError::Missing {
            missing: vec![TestKey::new(key).hash()],
            signed,
        })
    }

    #[test]
    fn owners_of_inputs_and_collateral_and_required_signers_must_sign() {
        assert_eq!(verdict(|tx| tx.sign(1)), Ok(()));
        assert_eq!(verdict(|tx| tx), missing(1, &[]));
        assert_eq!(verdict(|tx| tx.sign(3)), missing(1, &[3]));
        assert_eq!(
            verdict(|tx| tx.collateral(input(1)).sign(1)),
            missing(2, &[1])
        );
        assert_eq!(
            verdict(|tx| tx.collateral(input(1)).sign(1).sign(2)),
            Ok(())
        );
        assert_eq!(
            verdict(|tx| tx.required_signer(TestKey::new(3).hash()).sign(1)),
            missing(3, &[1])
        );
    }

    #[test]
    fn accounts_authorities_voters_and_owners_of_pools_must_sign() {
        let key = TestKey::new(3).hash();
        let withdrawal = [
            vec![0xa1],
            bytes(&[&[0xe0], key.as_slice()].concat()),
            vec![0],
        ]
        .concat();
        let mut of_key = pool_fields(key, 0);
        of_key[6] = list::<Vec<u8>>(&[]);
        let mut of_owner = pool_fields(TestKey::new(1).hash(), 0);
        of_owner[6] = list(&[bytes(&key)]);
        let certificate = |fields: Vec<Vec<u8>>| list(&[list(&fields)]);
        let pool = |fields| certificate([vec![unsigned(3)], fields].concat());
        let unregistration = vec![unsigned(1), list(&[unsigned(0), bytes(&key)])];
        let voter = list(&[unsigned(4), bytes(&key)]);
        let action = list(&[bytes(&[8; 32]), unsigned(0)]);
        let vote = [vec![0xa1], voter, vec![0xa1], action, vec![0x82, 1, 0xf6]].concat();
        for (field, value) in [
            (19, vote),
            (5, withdrawal),
            (4, certificate(unregistration)),
            (4, pool(of_key)),
            (4, pool(of_owner)),
        ] {
            let with = |tx: TxBuilder| tx.body_field(field, value.clone());
            assert_eq!(verdict(|tx| with(tx).sign(1)), missing(3, &[1]));
            assert_eq!(verdict(|tx| with(tx).sign(1).sign(3)), Ok(()));
        }
        let registration = vec![unsigned(0), list(&[unsigned(0), bytes(&key)])];
        let with = |tx: TxBuilder| tx.body_field(4, certificate(registration.clone()));
        assert_eq!(verdict(|tx| with(tx).sign(1)), Ok(()), "the old form");
    }

    #[test]
    fn an_invalid_signature_is_refused_even_when_it_is_not_needed() {
        let keys = vec![TestKey::new(3).public()];
        assert_eq!(
            verdict(|tx| tx.sign(1).forge(3)),
            Err(SignaturesError::Invalid { keys })
        );
    }

    /// Spends from the Byron address of the first key, and offers bootstrap collateral of the second.
    fn byron_verdict(build: impl Fn(TxBuilder) -> TxBuilder) -> Result<(), SignaturesError> {
        let utxos = [1, 2].map(|key| output_at(&address_of(&TestKey::new(key).public()), 5));
        let resolved: Resolved<'_> = (0..)
            .zip(&utxos)
            .map(|(index, output)| (input(index), Output::parse(output).expect("an output")))
            .collect();
        let tx = TxBuilder::new().input(input(0)).collateral(input(1)).fee(5);
        let bytes = build(tx).build();
        check(
            &Transaction::decode(&bytes).expect("a transaction"),
            &resolved,
        )
    }

    fn root(key: u8) -> [u8; 28] {
        byron::root_of(&TestKey::new(key).public(), &CHAIN_CODE, &MAINNET)
    }

    #[test]
    fn owners_of_byron_addresses_sign_with_bootstrap_witnesses() {
        let bootstrap = |keys: &'static [u8]| move |tx: TxBuilder| tx.sign_byron(keys);
        assert_eq!(byron_verdict(bootstrap(&[1, 2])), Ok(()));
        let missing = |key, signed: Vec<_>| {
            let missing = vec![root(key)];
            Err(SignaturesError::Missing { missing, signed })
        };
        assert_eq!(byron_verdict(bootstrap(&[1])), missing(2, vec![root(1)]));
        // An ordinary signature of the same key says nothing of the address.
        let ordinary = byron_verdict(|tx| tx.sign_byron(&[1]).sign(2));
        let mut signed = vec![root(1), TestKey::new(2).hash()];
        signed.sort_unstable();
        assert_eq!(ordinary, missing(2, signed));
    }

    #[test]
    fn a_bootstrap_witness_over_something_else_is_invalid() {
        let keys = vec![TestKey::new(2).public()];
        let forged = byron_verdict(|tx| tx.sign_byron(&[1]).forge_byron(2));
        assert_eq!(forged, Err(SignaturesError::Invalid { keys }));
    }
}
