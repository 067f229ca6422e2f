//! The witness set: signatures, scripts, datums and redeemers (Conway CDDL, `transaction_witness_set`).

use super::set;
use crate::byron;
use crate::cbor::{DecodeError, Length, Major, Reader};
use crate::data::{self, DatumHash, datum_hash};
use crate::native_script;
use crate::script::{PlutusVersion, Script};
use std::collections::{BTreeMap, BTreeSet};

const WHAT: &str = "a witness set";

/// An ed25519 public key and its signature over the transaction's id.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct VKeyWitness<'a> {
    /// The public key.
    pub key: &'a [u8; 32],
    /// The signature.
    pub signature: &'a [u8; 64],
}

/// A key, with what else its Byron address is hashed from, and its signature over the transaction's id.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct BootstrapWitness<'a> {
    /// The public key.
    pub key: &'a [u8; 32],
    /// The signature.
    pub signature: &'a [u8; 64],
    /// The root of the address.
    pub root: [u8; 28],
}

/// What a script costs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default, Hash)]
pub struct ExUnits {
    /// Memory units.
    pub memory: u64,
    /// CPU steps.
    pub cpu: u64,
}

impl ExUnits {
    /// The sum, or nothing when it does not fit.
    pub fn checked_add(self, other: Self) -> Option<Self> {
        Some(Self {
            memory: self.memory.checked_add(other.memory)?,
            cpu: self.cpu.checked_add(other.cpu)?,
        })
    }

    /// Whether neither figure is above the limit's.
    pub fn fits(self, limit: Self) -> bool {
        self.memory <= limit.memory && self.cpu <= limit.cpu
    }
}

/// What a redeemer is for. The order is the ledger's.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum RedeemerTag {
    /// Spending an input.
    Spend,
    /// Minting under a policy.
    Mint,
    /// A certificate.
    Certify,
    /// A withdrawal.
    Reward,
    /// A vote.
    Vote,
    /// A proposal.
    Propose,
}

/// Which script of the transaction a redeemer is for: the `index`-th thing of its kind, in the ledger's order.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RedeemerKey {
    /// The kind of thing.
    pub tag: RedeemerTag,
    /// Its number, from 0.
    pub index: u32,
}

/// A script's argument and its budget.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Redeemer<'a> {
    /// The argument, as CBOR.
    pub data: &'a [u8],
    /// The budget.
    pub ex_units: ExUnits,
}

/// A witness set.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Witnesses<'a> {
    /// The bytes as they came.
    pub raw: &'a [u8],
    /// Key 0.
    pub vkeys: BTreeSet<VKeyWitness<'a>>,
    /// Key 2, by the root of the address that each unlocks.
    pub bootstrap: BTreeMap<[u8; 28], BootstrapWitness<'a>>,
    /// Keys 1, 3, 6 and 7.
    pub scripts: Vec<Script<'a>>,
    /// Key 4, by hash.
    pub datums: BTreeMap<DatumHash, &'a [u8]>,
    /// Key 4's bytes as they came, which the script data hash is over.
    pub datums_raw: Option<&'a [u8]>,
    /// Key 5.
    pub redeemers: BTreeMap<RedeemerKey, Redeemer<'a>>,
    /// Key 5's bytes as they came.
    pub redeemers_raw: Option<&'a [u8]>,
}

impl<'a> Witnesses<'a> {
    pub(super) fn decode(reader: &mut Reader<'a>) -> Result<Self, DecodeError> {
        let start = reader.position();
        let mut witnesses = Self::default();
        let mut seen = BTreeSet::new();
        let mut length = reader.map(WHAT)?;
        while reader.more(&mut length)? {
            let key = reader.unsigned("a key of a witness set")?;
            if !seen.insert(key) {
                return Err(DecodeError::Duplicate { what: WHAT });
            }
            witnesses.decode_field(key, reader)?;
        }
        witnesses.raw = reader.since(start);
        Ok(witnesses)
    }

    fn decode_field(&mut self, key: u64, reader: &mut Reader<'a>) -> Result<(), DecodeError> {
        match key {
            0 => self.vkeys = set::decode_nonempty(reader, "the signatures", vkey_witness)?,
            1 => self.add_scripts(reader, |reader| {
                Ok(Script::Native(native_script::check(reader)?))
            })?,
            2 => self.decode_bootstrap(reader)?,
            3 => self.add_plutus(reader, PlutusVersion::V1)?,
            4 => self.decode_datums(reader)?,
            5 => self.decode_redeemers(reader)?,
            6 => self.add_plutus(reader, PlutusVersion::V2)?,
            7 => self.add_plutus(reader, PlutusVersion::V3)?,
            key => return Err(DecodeError::UnknownKey { what: WHAT, key }),
        }
        Ok(())
    }

    fn add_plutus(
        &mut self,
        reader: &mut Reader<'a>,
        version: PlutusVersion,
    ) -> Result<(), DecodeError> {
        self.add_scripts(reader, |reader| {
            Ok(Script::Plutus(version, reader.bytes("a Plutus script")?))
        })
    }

    fn add_scripts(
        &mut self,
        reader: &mut Reader<'a>,
        item: impl Fn(&mut Reader<'a>) -> Result<Script<'a>, DecodeError>,
    ) -> Result<(), DecodeError> {
        let what = "the scripts of a witness set";
        let mut length = set::open(reader, what)?;
        let mut hashes = BTreeSet::new();
        while reader.more(&mut length)? {
            let script = item(reader)?;
            if !hashes.insert(script.hash()) {
                return Err(DecodeError::Duplicate { what });
            }
            self.scripts.push(script);
        }
        if hashes.is_empty() {
            Err(DecodeError::Empty { what })
        } else {
            Ok(())
        }
    }

    fn decode_bootstrap(&mut self, reader: &mut Reader<'a>) -> Result<(), DecodeError> {
        let what = "the bootstrap witnesses";
        let mut length = set::open(reader, what)?;
        while reader.more(&mut length)? {
            let witness = bootstrap_witness(reader)?;
            if self.bootstrap.insert(witness.root, witness).is_some() {
                return Err(DecodeError::Duplicate { what });
            }
        }
        if self.bootstrap.is_empty() {
            Err(DecodeError::Empty { what })
        } else {
            Ok(())
        }
    }

    fn decode_datums(&mut self, reader: &mut Reader<'a>) -> Result<(), DecodeError> {
        let what = "the datums";
        let start = reader.position();
        let mut length = set::open(reader, what)?;
        while reader.more(&mut length)? {
            let datum = data::check(reader)?;
            if self.datums.insert(datum_hash(datum), datum).is_some() {
                return Err(DecodeError::Duplicate { what });
            }
        }
        self.datums_raw = Some(reader.since(start));
        if self.datums.is_empty() {
            Err(DecodeError::Empty { what })
        } else {
            Ok(())
        }
    }

    /// `[[tag, index, data, units], …]` or `{[tag, index]: [data, units], …}`.
    fn decode_redeemers(&mut self, reader: &mut Reader<'a>) -> Result<(), DecodeError> {
        let what = "the redeemers";
        let start = reader.position();
        let is_map = reader.peek()? == Major::Map;
        let mut length = if is_map {
            reader.map(what)?
        } else {
            reader.array(what)?
        };
        while reader.more(&mut length)? {
            let (key, redeemer) = if is_map {
                redeemer_pair(reader)?
            } else {
                redeemer_item(reader)?
            };
            if self.redeemers.insert(key, redeemer).is_some() {
                return Err(DecodeError::Duplicate { what });
            }
        }
        self.redeemers_raw = Some(reader.since(start));
        if self.redeemers.is_empty() {
            Err(DecodeError::Empty { what })
        } else {
            Ok(())
        }
    }

    /// The sum of the redeemers' budgets; nothing when it does not fit.
    pub fn total_ex_units(&self) -> Option<ExUnits> {
        self.redeemers
            .values()
            .try_fold(ExUnits::default(), |sum, redeemer| {
                sum.checked_add(redeemer.ex_units)
            })
    }
}

fn vkey_witness<'a>(reader: &mut Reader<'a>) -> Result<VKeyWitness<'a>, DecodeError> {
    let record = reader.record(2, "a signature")?;
    let witness = VKeyWitness {
        key: reader.fixed::<32>("a public key")?,
        signature: reader.fixed::<64>("an ed25519 signature")?,
    };
    reader.close(record, "a signature")?;
    Ok(witness)
}

/// `[public key, signature, chain code, attributes]`; before protocol version 12 a chain code may have any length.
fn bootstrap_witness<'a>(reader: &mut Reader<'a>) -> Result<BootstrapWitness<'a>, DecodeError> {
    let record = reader.record(4, "a bootstrap witness")?;
    let key = reader.fixed::<32>("a public key")?;
    let signature = reader.fixed::<64>("an ed25519 signature")?;
    let chain_code = reader.bytes("a chain code")?;
    let attributes = reader.bytes("address attributes")?;
    reader.close(record, "a bootstrap witness")?;
    Ok(BootstrapWitness {
        key,
        signature,
        root: byron::root_of(key, chain_code, attributes),
    })
}

fn redeemer_pair<'a>(reader: &mut Reader<'a>) -> Result<(RedeemerKey, Redeemer<'a>), DecodeError> {
    let record = reader.record(2, "a redeemer's key")?;
    let key = redeemer_key(reader)?;
    reader.close(record, "a redeemer's key")?;
    let record = reader.record(2, "a redeemer")?;
    close_redeemer(reader, record, key)
}

fn redeemer_item<'a>(reader: &mut Reader<'a>) -> Result<(RedeemerKey, Redeemer<'a>), DecodeError> {
    let record = reader.record(4, "a redeemer")?;
    let key = redeemer_key(reader)?;
    close_redeemer(reader, record, key)
}

fn close_redeemer<'a>(
    reader: &mut Reader<'a>,
    record: Length,
    key: RedeemerKey,
) -> Result<(RedeemerKey, Redeemer<'a>), DecodeError> {
    let data = data::check(reader)?;
    let ex_units = ex_units(reader)?;
    reader.close(record, "a redeemer")?;
    Ok((key, Redeemer { data, ex_units }))
}

fn redeemer_key(reader: &mut Reader<'_>) -> Result<RedeemerKey, DecodeError> {
    let tag = match reader.unsigned("a redeemer's tag")? {
        0 => RedeemerTag::Spend,
        1 => RedeemerTag::Mint,
        2 => RedeemerTag::Certify,
        3 => RedeemerTag::Reward,
        4 => RedeemerTag::Vote,
        5 => RedeemerTag::Propose,
        key => {
            return Err(DecodeError::UnknownKey {
                what: "a redeemer's tag",
                key,
            });
        }
    };
    let index = u32::try_from(reader.unsigned("a redeemer's index")?);
    let index = index.map_err(|_| DecodeError::OutOfRange {
        what: "a redeemer's index",
    })?;
    Ok(RedeemerKey { tag, index })
}

/// `[memory, cpu]`; both fit a signed 64-bit integer, as the Haskell decoder demands.
pub(super) fn ex_units(reader: &mut Reader<'_>) -> Result<ExUnits, DecodeError> {
    let record = reader.record(2, "execution units")?;
    let units = ExUnits {
        memory: reader.unsigned("memory units")?,
        cpu: reader.unsigned("CPU steps")?,
    };
    reader.close(record, "execution units")?;
    let limit = ExUnits {
        memory: i64::MAX as u64,
        cpu: i64::MAX as u64,
    };
    if units.fits(limit) {
        Ok(units)
    } else {
        Err(DecodeError::OutOfRange {
            what: "execution units",
        })
    }
}
