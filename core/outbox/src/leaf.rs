//! Leaves: what a shard of the vault pays, exactly.

use nupeer_primitives::{AssetId, Code, Hash, Numbered, TimeMs, plutus::Data};

use crate::{
    Output, Value,
    error::{WireError, fields, list, unsigned},
    merkle,
};

/// Kind of outbox tree whose leaves are payouts; also the constructor of their Plutus data, so that a leaf of
/// another kind is no payout, whatever tree it turns up in.
pub const PAYOUTS: u8 = 0;

/// Most outputs in a leaf: 131 with a token fill a transaction of 16,384 bytes, and the submitter needs room.
pub const OUTPUTS_MAX: usize = 120;

/// A payment by one shard, in that shard's sequence. Outputs hold ADA alone, or each ADA and the same one asset.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Leaf {
    shard: u8,
    seq: u64,
    not_before: TimeMs,
    totals: Value,
    outputs: Vec<Output>,
}

/// Why outputs make no leaf.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum LeafError {
    /// No output, or more than fit a transaction.
    #[error("{provided} outputs where 1 to {maximum} are paid at once")]
    Outputs {
        /// Outputs given.
        provided: usize,
        /// Most allowed.
        maximum: usize,
    },
    /// An output without ADA, or whose assets beside ADA are not those of the first: the script adds up one.
    #[error(
        "output {index} does not hold exactly ADA and the assets of the first output, at most one"
    )]
    Assets {
        /// Place of the output in the leaf.
        index: usize,
    },
    /// The sum of an asset leaves the range.
    #[error("the outputs add up to more than there can be")]
    Overflow,
}

impl Numbered for LeafError {
    fn code(&self) -> Code {
        match self {
            LeafError::Outputs { .. } => Code(3057),
            LeafError::Assets { .. } => Code(3058),
            LeafError::Overflow => Code(3059),
        }
    }
}

impl Leaf {
    /// A payment of `outputs`, not to be made before `not_before`.
    pub fn new(
        shard: u8,
        seq: u64,
        not_before: TimeMs,
        outputs: Vec<Output>,
    ) -> Result<Self, LeafError> {
        let (provided, maximum) = (outputs.len(), OUTPUTS_MAX);
        let first = outputs.first().filter(|_| provided <= maximum);
        let first = first.ok_or(LeafError::Outputs { provided, maximum })?;
        let uneven =
            |output: &Output| !holds_ada_and_one(&output.value) || !same_assets(output, first);
        if let Some(index) = outputs.iter().position(uneven) {
            return Err(LeafError::Assets { index });
        }
        let totals = outputs
            .iter()
            .try_fold(Value::default(), |sum, output| {
                sum.checked_add(&output.value)
            })
            .ok_or(LeafError::Overflow)?;
        Ok(Leaf {
            shard,
            seq,
            not_before,
            totals,
            outputs,
        })
    }

    /// The shard that pays.
    pub fn shard(&self) -> u8 {
        self.shard
    }

    /// Its place in the shard's sequence.
    pub fn seq(&self) -> u64 {
        self.seq
    }

    /// The earliest moment of payment.
    pub fn not_before(&self) -> TimeMs {
        self.not_before
    }

    /// Sum of the outputs.
    pub fn totals(&self) -> &Value {
        &self.totals
    }

    /// What is paid, in the order of the transaction's outputs from the third on.
    pub fn outputs(&self) -> &[Output] {
        &self.outputs
    }

    /// What the script serialises: constructor [`PAYOUTS`] of shard, seq, not_before, totals, outputs.
    pub fn to_data(&self) -> Data {
        let fields = vec![
            Data::Int(self.shard.into()),
            Data::Int(self.seq.into()),
            Data::Int(self.not_before.0.into()),
            self.totals.to_data(),
            Data::List(self.outputs.iter().map(Output::to_data).collect()),
        ];
        Data::Constr(PAYOUTS.into(), fields)
    }

    /// The inverse of [`Leaf::to_data`]; totals that are not the outputs' sum and outputs that no leaf has are refused.
    pub fn from_data(data: &Data) -> Result<Self, WireError> {
        let expected = "a leaf";
        let [shard, seq, not_before, _, outputs] = fields(data, PAYOUTS.into(), expected)?;
        let provided = unsigned(shard, "shard")?;
        let shard = u8::try_from(provided).map_err(|_| WireError::Range {
            field: "shard",
            provided: provided.into(),
        })?;
        let outputs = list(outputs, "a leaf's outputs")?.iter();
        let outputs = outputs.map(Output::from_data).collect::<Result<_, _>>()?;
        let (seq, not_before) = (unsigned(seq, "seq")?, unsigned(not_before, "not before")?);
        let leaf = Leaf::new(shard, seq, TimeMs(not_before), outputs);
        leaf.ok()
            .filter(|leaf| leaf.to_data() == *data)
            .ok_or(WireError::Shape { expected })
    }

    /// Its place at the bottom of the tree.
    pub fn hash(&self) -> Hash {
        merkle::leaf_hash(&self.to_data().to_cbor())
    }
}

fn holds_ada_and_one(value: &Value) -> bool {
    !value.of(&AssetId::Ada).is_zero() && value.entries().len() <= 2
}

fn same_assets(a: &Output, b: &Output) -> bool {
    a.value
        .entries()
        .map(|(asset, _)| asset)
        .eq(b.value.entries().map(|(asset, _)| asset))
}

#[cfg(test)]
mod tests {
    use nupeer_primitives::{Amount, Credential, Hash28};

    use super::*;
    use crate::Address;

    fn token(name: &[u8]) -> AssetId {
        AssetId::Native {
            policy: Hash28([9; 28]),
            name: name.to_vec(),
        }
    }

    fn output(value: Value) -> Output {
        let address = Address::enterprise(Credential::Key(Hash28([1; 28])));
        Output {
            address,
            value,
            datum: None,
        }
    }

    fn leaf(values: Vec<Value>) -> Result<Leaf, LeafError> {
        Leaf::new(0, 0, TimeMs(0), values.into_iter().map(output).collect())
    }

    #[test]
    fn a_leaf_survives_plutus_data_and_other_totals_are_refused() {
        let held = Value::lovelace(2).with(token(b"x"), Amount::new(30));
        let good = leaf(vec![held.clone(), held]).expect("a leaf");
        assert_eq!(Leaf::from_data(&good.to_data()), Ok(good.clone()));
        let Data::Constr(0, mut fields) = good.to_data() else {
            panic!("a constructor")
        };
        fields[3] = Value::lovelace(3).to_data();
        let expected = "a leaf";
        assert_eq!(
            Leaf::from_data(&Data::Constr(0, fields)),
            Err(WireError::Shape { expected })
        );
    }

    #[test]
    fn totals_are_the_sum_of_the_outputs() {
        let held = |ada, units| Value::lovelace(ada).with(token(b"x"), Amount::new(units));
        let leaf = leaf(vec![held(2, 30), held(5, 70)]).expect("a leaf");
        assert_eq!(leaf.totals(), &held(7, 100));
    }

    #[test]
    fn no_outputs_and_too_many_are_refused() {
        let maximum = OUTPUTS_MAX;
        for provided in [0, maximum + 1] {
            let values = vec![Value::lovelace(1); provided];
            assert_eq!(leaf(values), Err(LeafError::Outputs { provided, maximum }));
        }
        assert!(leaf(vec![Value::lovelace(1); maximum]).is_ok());
    }

    #[test]
    fn outputs_that_the_script_could_not_add_up_are_refused() {
        let ada = Value::lovelace(1);
        let with = |name: &[u8]| ada.clone().with(token(name), Amount::new(1));
        for (values, index) in [
            (vec![ada.clone(), with(b"x")], 1),
            (vec![with(b"x"), ada.clone()], 1),
            (vec![with(b"x"), with(b"y")], 1),
            (vec![with(b"x").with(token(b"y"), Amount::new(1))], 0),
            (vec![Value::default()], 0),
            (vec![Value::default().with(token(b"x"), Amount::new(1))], 0),
        ] {
            assert_eq!(leaf(values), Err(LeafError::Assets { index }));
        }
    }

    #[test]
    fn a_sum_beyond_the_range_is_refused() {
        let huge = Value::default().with(AssetId::Ada, Amount::new(u128::MAX));
        assert_eq!(leaf(vec![huge.clone(), huge]), Err(LeafError::Overflow));
    }
}
