//! Small material for the rules' own tests: keys, outputs, and transactions put together byte by byte.

use super::address::Credential;
use super::byron::samples;
use super::clock::SlotClock;
use super::delegation::Pool;
use super::parameters::Ratio;
use super::tx::{PoolParameters, RewardAccount, TxIn};
use ed25519_dalek::{Signer, SigningKey};
use pallas_crypto::hash::Hasher;
use std::collections::{BTreeMap, BTreeSet};

/// A clock with small figures.
pub(crate) const CLOCK: SlotClock = SlotClock {
    zero_slot: 0,
    zero_time_ms: 1_700_000_000_000,
    slot_length_ms: 1_000,
    zero_epoch: 0,
    epoch_length_slots: 120,
    stability_window_slots: 36,
};

/// A made-up input.
pub(crate) fn input(index: u16) -> TxIn {
    TxIn {
        tx_id: [0xaa; 32],
        index,
    }
}

/// An output of so much lovelace at an enterprise address of a test network.
pub(crate) fn enterprise_output(lovelace: u64) -> Vec<u8> {
    output_at(&[&[0x60], [7; 28].as_slice()].concat(), lovelace)
}

/// An output that a script locks.
pub(crate) fn script_output(hash: &[u8; 28], lovelace: u64) -> Vec<u8> {
    output_at(&[&[0x70], hash.as_slice()].concat(), lovelace)
}

/// An output of so much lovelace at an address.
pub(crate) fn output_at(address: &[u8], lovelace: u64) -> Vec<u8> {
    let mut output = vec![0xa2, 0x00];
    output.extend(bytes(address));
    output.push(0x01);
    output.extend(unsigned(lovelace));
    output
}

/// The shortest CBOR of an unsigned integer.
pub(crate) fn unsigned(value: u64) -> Vec<u8> {
    head(0, value)
}

/// The CBOR of a byte string.
pub(crate) fn bytes(content: &[u8]) -> Vec<u8> {
    [head(2, content.len() as u64).as_slice(), content].concat()
}

/// The CBOR of a list of encoded items.
pub(crate) fn list<T: AsRef<[u8]>>(items: &[T]) -> Vec<u8> {
    let mut list = head(4, items.len() as u64);
    items.iter().for_each(|item| list.extend(item.as_ref()));
    list
}

/// A pool with this id that put down 7 lovelace.
pub(crate) fn pool(id: [u8; 28]) -> Pool {
    let credential = Credential::Key([5; 28]);
    Pool {
        deposit_lovelace: 7,
        parameters: PoolParameters {
            id,
            vrf: [4; 32],
            pledge_lovelace: 1,
            cost_lovelace: 340_000_000,
            margin: Ratio {
                numerator: 1,
                denominator: 2,
            },
            reward_account: RewardAccount {
                network: 0,
                credential,
            },
            owners: BTreeSet::from([*credential.hash()]),
            relays: Vec::new(),
            metadata: None,
        },
    }
}

/// The fields of a pool's registration: of a pool with this id and cost, a margin of one half, and an owner who also has the rewards.
pub(crate) fn pool_fields(id: [u8; 28], cost_lovelace: u64) -> Vec<Vec<u8>> {
    let half = list(&[unsigned(1), unsigned(2)]);
    vec![
        bytes(&id),
        bytes(&[4; 32]),
        unsigned(1),
        unsigned(cost_lovelace),
        [vec![0xd8, 0x1e], half].concat(),
        bytes(&[&[0xe0], [5; 28].as_slice()].concat()),
        list(&[bytes(&[5; 28])]),
        list::<Vec<u8>>(&[]),
        vec![0xf6],
    ]
}

fn map(fields: &BTreeMap<u64, Vec<u8>>) -> Vec<u8> {
    let mut map = head(5, fields.len() as u64);
    for (key, value) in fields {
        map.extend(unsigned(*key));
        map.extend(value);
    }
    map
}

fn head(major: u8, argument: u64) -> Vec<u8> {
    let wide = argument.to_be_bytes();
    let (short, tail): (u8, &[u8]) = match argument {
        0..=23 => (wide[7], &[]),
        24..=0xff => (24, &wide[7..]),
        0x100..=0xffff => (25, &wide[6..]),
        0x1_0000..=0xffff_ffff => (26, &wide[4..]),
        _ => (27, &wide),
    };
    [&[major << 5 | short], tail].concat()
}

/// A key made from a number.
pub(crate) struct TestKey(SigningKey);

impl TestKey {
    pub(crate) fn new(number: u8) -> Self {
        Self(SigningKey::from_bytes(&[number; 32]))
    }

    pub(crate) fn public(&self) -> [u8; 32] {
        self.0.verifying_key().to_bytes()
    }

    pub(crate) fn hash(&self) -> [u8; 28] {
        *Hasher::<224>::hash(&self.public())
    }

    /// The key's enterprise address on a test network.
    pub(crate) fn address(&self) -> Vec<u8> {
        [&[0x60], self.hash().as_slice()].concat()
    }
}

/// A transaction in the making.
#[derive(Debug, Clone, Default)]
pub(crate) struct TxBuilder {
    inputs: Vec<Vec<u8>>,
    outputs: Vec<Vec<u8>>,
    collateral: Vec<Vec<u8>>,
    references: Vec<Vec<u8>>,
    signers: Vec<Vec<u8>>,
    body: BTreeMap<u64, Vec<u8>>,
    witnesses: BTreeMap<u64, Vec<u8>>,
    keys: Vec<(u8, bool)>,
    byron_keys: Vec<(u8, bool)>,
    auxiliary: Option<Vec<u8>>,
    is_invalid: bool,
}

impl TxBuilder {
    pub(crate) fn new() -> Self {
        Self::default()
    }

    pub(crate) fn input(mut self, input: TxIn) -> Self {
        self.inputs.push(reference(input));
        self
    }

    pub(crate) fn output(mut self, output: Vec<u8>) -> Self {
        self.outputs.push(output);
        self
    }

    pub(crate) fn fee(self, lovelace: u64) -> Self {
        self.body_field(2, unsigned(lovelace))
    }

    pub(crate) fn validity(mut self, from: Option<u64>, until: Option<u64>) -> Self {
        self.body.extend(from.map(|slot| (8, unsigned(slot))));
        self.body.extend(until.map(|slot| (3, unsigned(slot))));
        self
    }

    pub(crate) fn collateral(mut self, input: TxIn) -> Self {
        self.collateral.push(reference(input));
        self
    }

    pub(crate) fn collateral_return(self, output: Vec<u8>) -> Self {
        self.body_field(16, output)
    }

    pub(crate) fn total_collateral(self, lovelace: u64) -> Self {
        self.body_field(17, unsigned(lovelace))
    }

    pub(crate) fn reference(mut self, input: TxIn) -> Self {
        self.references.push(reference(input));
        self
    }

    pub(crate) fn required_signer(mut self, hash: [u8; 28]) -> Self {
        self.signers.push(bytes(&hash));
        self
    }

    pub(crate) fn body_field(mut self, key: u64, value: Vec<u8>) -> Self {
        self.body.insert(key, value);
        self
    }

    pub(crate) fn witness_field(mut self, key: u64, value: Vec<u8>) -> Self {
        self.witnesses.insert(key, value);
        self
    }

    pub(crate) fn auxiliary(mut self, data: Vec<u8>) -> Self {
        self.auxiliary = Some(data);
        self
    }

    /// Marks the transaction as one whose scripts fail.
    pub(crate) fn invalid(mut self) -> Self {
        self.is_invalid = true;
        self
    }

    /// Adds the signature of a numbered key.
    pub(crate) fn sign(mut self, key: u8) -> Self {
        self.keys.push((key, true));
        self
    }

    /// Adds a numbered key's signature over something else.
    pub(crate) fn forge(mut self, key: u8) -> Self {
        self.keys.push((key, false));
        self
    }

    /// Adds the bootstrap witnesses of numbered keys.
    pub(crate) fn sign_byron(mut self, keys: &[u8]) -> Self {
        self.byron_keys.extend(keys.iter().map(|key| (*key, true)));
        self
    }

    /// Adds a numbered key's bootstrap witness over something else.
    pub(crate) fn forge_byron(mut self, key: u8) -> Self {
        self.byron_keys.push((key, false));
        self
    }

    pub(crate) fn build(self) -> Vec<u8> {
        let body = self.body_bytes();
        let id = Hasher::<256>::hash(&body);
        let mut witnesses = self.witnesses;
        if !self.keys.is_empty() {
            let signatures: Vec<Vec<u8>> = self
                .keys
                .iter()
                .map(|(key, honest)| signature(*key, id.as_ref(), *honest))
                .collect();
            witnesses.insert(0, list(&signatures));
        }
        if !self.byron_keys.is_empty() {
            let signatures = self.byron_keys.iter().map(|(key, honest)| {
                let public = TestKey::new(*key).public();
                samples::witness(&public, &signed(*key, id.as_ref(), *honest))
            });
            witnesses.insert(2, list(&signatures.collect::<Vec<_>>()));
        }
        let flag = if self.is_invalid { 0xf4 } else { 0xf5 };
        list(&[
            body,
            map(&witnesses),
            vec![flag],
            self.auxiliary.unwrap_or_else(|| vec![0xf6]),
        ])
    }

    fn body_bytes(&self) -> Vec<u8> {
        let mut body = self.body.clone();
        body.insert(0, list(&self.inputs));
        body.insert(1, list(&self.outputs));
        for (key, items) in [
            (13, &self.collateral),
            (14, &self.signers),
            (18, &self.references),
        ] {
            if !items.is_empty() {
                body.insert(key, list(items));
            }
        }
        map(&body)
    }
}

fn signature(key: u8, id: &[u8], honest: bool) -> Vec<u8> {
    let public = TestKey::new(key).public();
    list(&[bytes(&public), bytes(&signed(key, id, honest))])
}

fn signed(key: u8, id: &[u8], honest: bool) -> [u8; 64] {
    let message = if honest { id } else { b"something else" };
    TestKey::new(key).0.sign(message).to_bytes()
}

fn reference(input: TxIn) -> Vec<u8> {
    list(&[bytes(&input.tx_id), unsigned(u64::from(input.index))])
}
