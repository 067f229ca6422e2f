//! The body of a transaction: what is hashed and signed (Conway CDDL, `transaction_body`).

use super::certificate::{self, Certificate};
use super::proposals::{self, Proposal};
use super::votes::{self, Votes};
use super::withdrawals::{self, RewardAccount};
use super::{TxIn, set};
use crate::cbor::{DecodeError, Reader};
use crate::output::Output;
use crate::value::{self, Assets};
use std::collections::{BTreeMap, BTreeSet};

const WHAT: &str = "a transaction body";

/// A transaction's body. Fields that no rule looks into yet are kept as bytes; `rules::unsupported` refuses them by name.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Body<'a> {
    /// The bytes as they came: what the transaction's id and its signatures are over.
    pub raw: &'a [u8],
    /// Key 0.
    pub inputs: BTreeSet<TxIn>,
    /// Key 1.
    pub outputs: Vec<Output<'a>>,
    /// Key 2.
    pub fee_lovelace: u64,
    /// Key 3: the first slot in which the transaction is no longer valid.
    pub valid_until: Option<u64>,
    /// Key 4, in the order in which they take effect.
    pub certificates: Vec<Certificate<'a>>,
    /// Key 5: lovelace by account.
    pub withdrawals: BTreeMap<RewardAccount, u64>,
    /// Key 7.
    pub auxiliary_data_hash: Option<[u8; 32]>,
    /// Key 8: the first slot in which the transaction is valid.
    pub valid_from: Option<u64>,
    /// Key 9.
    pub mint: Assets<i64>,
    /// Key 11.
    pub script_data_hash: Option<[u8; 32]>,
    /// Key 13.
    pub collateral: BTreeSet<TxIn>,
    /// Key 14: hashes of keys that must sign.
    pub required_signers: BTreeSet<[u8; 28]>,
    /// Key 15.
    pub network: Option<u8>,
    /// Key 16.
    pub collateral_return: Option<Output<'a>>,
    /// Key 17.
    pub total_collateral_lovelace: Option<u64>,
    /// Key 18.
    pub reference_inputs: BTreeSet<TxIn>,
    /// Key 19.
    pub votes: Votes<'a>,
    /// Key 20, in their order.
    pub proposals: Vec<Proposal<'a>>,
    /// Key 21.
    pub current_treasury_lovelace: Option<u64>,
    /// Key 22.
    pub donation_lovelace: Option<u64>,
}

impl<'a> Body<'a> {
    pub(super) fn decode(reader: &mut Reader<'a>) -> Result<Self, DecodeError> {
        let start = reader.position();
        let mut body = Self::default();
        let mut seen = BTreeSet::new();
        let mut length = reader.map(WHAT)?;
        while reader.more(&mut length)? {
            let key = reader.unsigned("a key of a transaction body")?;
            if !seen.insert(key) {
                return Err(DecodeError::Duplicate { what: WHAT });
            }
            body.decode_field(key, reader)?;
        }
        for (key, field) in [(0, "inputs"), (1, "outputs"), (2, "fee")] {
            if !seen.contains(&key) {
                return Err(DecodeError::MissingField { what: WHAT, field });
            }
        }
        body.raw = reader.since(start);
        Ok(body)
    }

    fn decode_field(&mut self, key: u64, reader: &mut Reader<'a>) -> Result<(), DecodeError> {
        match key {
            0 => self.inputs = set::decode(reader, "the inputs", TxIn::decode)?,
            1 => self.outputs = decode_outputs(reader)?,
            2 => self.fee_lovelace = reader.unsigned("a fee")?,
            3 => self.valid_until = Some(reader.unsigned("a slot")?),
            4 => self.certificates = certificate::decode_all(reader)?,
            5 => self.withdrawals = withdrawals::decode(reader)?,
            7 => self.auxiliary_data_hash = Some(*reader.fixed::<32>("an auxiliary data hash")?),
            8 => self.valid_from = Some(reader.unsigned("a slot")?),
            9 => self.mint = value::decode_mint(reader)?,
            11 => self.script_data_hash = Some(*reader.fixed::<32>("a script data hash")?),
            13 => {
                self.collateral =
                    set::decode_nonempty(reader, "the collateral inputs", TxIn::decode)?
            }
            14 => {
                self.required_signers =
                    set::decode_nonempty(reader, "the required signers", key_hash)?
            }
            15 => self.network = Some(decode_network(reader)?),
            16 => self.collateral_return = Some(Output::decode(reader)?),
            17 => self.total_collateral_lovelace = Some(reader.unsigned("the total collateral")?),
            18 => {
                self.reference_inputs =
                    set::decode_nonempty(reader, "the reference inputs", TxIn::decode)?
            }
            19 => self.votes = votes::decode(reader)?,
            20 => self.proposals = proposals::decode_all(reader)?,
            21 => self.current_treasury_lovelace = Some(reader.unsigned("the treasury's value")?),
            22 => self.donation_lovelace = Some(decode_donation(reader)?),
            key => return Err(DecodeError::UnknownKey { what: WHAT, key }),
        }
        Ok(())
    }

    /// The outputs that the ledger's limits on outputs are about: the ordinary ones and the collateral return.
    pub fn all_outputs(&self) -> impl Iterator<Item = &Output<'a>> {
        self.outputs.iter().chain(&self.collateral_return)
    }

    /// Inputs, collateral inputs and reference inputs: what must be unspent.
    pub fn all_inputs(&self) -> impl Iterator<Item = TxIn> + '_ {
        self.inputs
            .iter()
            .chain(&self.collateral)
            .chain(&self.reference_inputs)
            .copied()
    }
}

fn decode_outputs<'a>(reader: &mut Reader<'a>) -> Result<Vec<Output<'a>>, DecodeError> {
    let mut outputs = Vec::new();
    let mut length = reader.array("the outputs")?;
    while reader.more(&mut length)? {
        outputs.push(Output::decode(reader)?);
    }
    Ok(outputs)
}

fn key_hash(reader: &mut Reader<'_>) -> Result<[u8; 28], DecodeError> {
    reader.fixed::<28>("a key hash").copied()
}

fn decode_network(reader: &mut Reader<'_>) -> Result<u8, DecodeError> {
    match reader.unsigned("a network id")? {
        0 => Ok(0),
        1 => Ok(1),
        _ => Err(DecodeError::OutOfRange {
            what: "a network id",
        }),
    }
}

fn decode_donation(reader: &mut Reader<'_>) -> Result<u64, DecodeError> {
    match reader.unsigned("a donation")? {
        0 => Err(DecodeError::Empty { what: "a donation" }),
        lovelace => Ok(lovelace),
    }
}
