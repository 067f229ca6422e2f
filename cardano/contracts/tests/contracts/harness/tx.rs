//! A transaction, resolved, and the script context that the ledger makes of it (Plutus V3).

use std::collections::BTreeMap;

use nupeer_outbox::{Address, Output, OutputReference, Value, address::credential_data};
use nupeer_primitives::{Credential, Hash, Hash28, plutus::Data};

/// An output's datum.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Datum {
    None,
    Hash(Hash),
    Inline(Data),
}

/// An output with all that an attacker may put into it.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Out {
    pub(crate) address: Address,
    pub(crate) value: Value,
    pub(crate) datum: Datum,
    pub(crate) script: Option<Hash28>,
}

impl From<Output> for Out {
    fn from(output: Output) -> Self {
        let datum = output.datum.map_or(Datum::None, Datum::Inline);
        Out {
            address: output.address,
            value: output.value,
            datum,
            script: None,
        }
    }
}

impl Out {
    fn to_data(&self) -> Data {
        let datum = match &self.datum {
            Datum::None => Data::Constr(0, vec![]),
            Datum::Hash(hash) => Data::Constr(1, vec![Data::bytes(hash.0)]),
            Datum::Inline(data) => Data::Constr(2, vec![data.clone()]),
        };
        let script = option(self.script.map(|hash| Data::bytes(hash.0)));
        Data::Constr(
            0,
            vec![self.address.to_data(), self.value.to_data(), datum, script],
        )
    }
}

/// What is minted under one policy, and the policy's redeemer.
#[derive(Clone, Debug, Default)]
pub(crate) struct Mint {
    pub(crate) tokens: BTreeMap<Vec<u8>, i128>,
    pub(crate) redeemer: Option<Data>,
}

/// A transaction with its inputs resolved. Maps keep the ledger's order.
#[derive(Clone, Debug, Default)]
pub(crate) struct Tx {
    pub(crate) inputs: BTreeMap<OutputReference, (Out, Option<Data>)>,
    pub(crate) references: BTreeMap<OutputReference, Out>,
    pub(crate) outputs: Vec<Out>,
    pub(crate) mint: BTreeMap<Hash28, Mint>,
    /// Withdrawals of nothing by scripts, with their redeemers.
    pub(crate) withdrawals: BTreeMap<Hash28, Data>,
    /// Validity range in Unix milliseconds.
    pub(crate) valid: (Option<u64>, Option<u64>),
}

/// What a script is run for.
#[derive(Clone, Debug)]
pub(crate) enum Purpose {
    Spend(OutputReference, Datum),
    Mint(Hash28),
    Withdraw(Hash28),
}

impl Tx {
    /// Place of an input among the inputs.
    pub(crate) fn input_ix(&self, wanted: &OutputReference) -> usize {
        self.inputs
            .keys()
            .position(|reference| reference == wanted)
            .expect("an input")
    }

    /// Place of a reference input among the reference inputs.
    pub(crate) fn reference_ix(&self, wanted: &OutputReference) -> usize {
        self.references
            .keys()
            .position(|reference| reference == wanted)
            .expect("a reference input")
    }

    /// Sets the redeemer of an input.
    pub(crate) fn redeem(&mut self, input: &OutputReference, redeemer: Data) {
        self.inputs.get_mut(input).expect("an input").1 = Some(redeemer);
    }

    /// The output of an input, to be changed.
    pub(crate) fn spent(&mut self, input: &OutputReference) -> &mut Out {
        &mut self.inputs.get_mut(input).expect("an input").0
    }

    /// The output of a reference input, to be changed.
    pub(crate) fn referenced(&mut self, input: &OutputReference) -> &mut Out {
        self.references.get_mut(input).expect("a reference input")
    }

    /// The argument that the ledger calls a V3 script with.
    pub(crate) fn context(&self, purpose: &Purpose, redeemer: &Data) -> Data {
        let info = match purpose {
            Purpose::Mint(policy) => Data::Constr(0, vec![Data::bytes(policy.0)]),
            Purpose::Withdraw(script) => Data::Constr(2, vec![rewarded(script)]),
            Purpose::Spend(reference, datum) => {
                // A datum by hash is looked up among the witnesses, which none of these transactions has.
                let datum = match datum {
                    Datum::Inline(data) => Some(data.clone()),
                    _ => None,
                };
                Data::Constr(1, vec![reference.to_data(), option(datum)])
            }
        };
        Data::Constr(0, vec![self.info(), redeemer.clone(), info])
    }

    fn info(&self) -> Data {
        let inputs = self
            .inputs
            .iter()
            .map(|(reference, (out, _))| input(reference, out));
        let references = self
            .references
            .iter()
            .map(|(reference, out)| input(reference, out));
        let none = || Data::Constr(1, vec![]);
        let fields = vec![
            Data::List(inputs.collect()),
            Data::List(references.collect()),
            Data::List(self.outputs.iter().map(Out::to_data).collect()),
            Data::Int(900_000),
            self.minted(),
            Data::List(vec![]),
            Data::Map(
                self.withdrawals
                    .keys()
                    .map(|script| (rewarded(script), Data::Int(0)))
                    .collect(),
            ),
            self.range(),
            Data::List(vec![]),
            self.redeemers(),
            Data::Map(vec![]),
            Data::bytes([0xee; 32]),
            Data::Map(vec![]),
            Data::List(vec![]),
            none(),
            none(),
        ];
        Data::Constr(0, fields)
    }

    fn minted(&self) -> Data {
        let policies = self.mint.iter().map(|(policy, mint)| {
            let tokens = mint
                .tokens
                .iter()
                .map(|(name, quantity)| (Data::bytes(name), Data::Int(*quantity)));
            (Data::bytes(policy.0), Data::Map(tokens.collect()))
        });
        Data::Map(policies.collect())
    }

    fn range(&self) -> Data {
        let bound = |at: Option<u64>, infinity, inclusive| {
            let kind = at.map_or(Data::Constr(infinity, vec![]), |ms| {
                Data::Constr(1, vec![Data::Int(ms.into())])
            });
            Data::Constr(0, vec![kind, Data::Constr(inclusive, vec![])])
        };
        // The ledger's ranges contain their start and not their end; an open side counts as closed.
        let until_inclusive = u64::from(self.valid.1.is_none());
        Data::Constr(
            0,
            vec![
                bound(self.valid.0, 0, 1),
                bound(self.valid.1, 2, until_inclusive),
            ],
        )
    }

    fn redeemers(&self) -> Data {
        let spends = self.inputs.iter().filter_map(|(reference, (_, redeemer))| {
            let purpose = Data::Constr(1, vec![reference.to_data()]);
            redeemer.clone().map(|redeemer| (purpose, redeemer))
        });
        let mints = self.mint.iter().filter_map(|(policy, mint)| {
            let purpose = Data::Constr(0, vec![Data::bytes(policy.0)]);
            mint.redeemer.clone().map(|redeemer| (purpose, redeemer))
        });
        let withdrawals = self.withdrawals.iter().map(|(script, redeemer)| {
            let purpose = Data::Constr(2, vec![rewarded(script)]);
            (purpose, redeemer.clone())
        });
        Data::Map(spends.chain(mints).chain(withdrawals).collect())
    }
}

fn input(reference: &OutputReference, out: &Out) -> Data {
    Data::Constr(0, vec![reference.to_data(), out.to_data()])
}

fn rewarded(script: &Hash28) -> Data {
    credential_data(&Credential::Script(*script))
}

fn option(data: Option<Data>) -> Data {
    data.map_or(Data::Constr(1, vec![]), |data| Data::Constr(0, vec![data]))
}
