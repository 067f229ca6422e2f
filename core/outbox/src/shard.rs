//! A vault shard's datum.

use nupeer_primitives::{Amount, AssetId, Code, Hash, Numbered, plutus::Data};

use crate::{
    Leaf, Value,
    error::{WireError, amount, amount_data, fields, hash, list, unsigned},
    value::{asset_data, asset_from_data},
};

/// Root of an empty sparse tree: a literal, no digest (jmt's `SPARSE_MERKLE_PLACEHOLDER_HASH`).
pub const EMPTY_SPARSE_ROOT: Hash = Hash(*b"SPARSE_MERKLE_PLACEHOLDER_HASH__");

/// The lovelace that a shard starts with and never goes below: the minimum of its own output at its largest. It belongs
/// to nobody. Same number in `bridge.ak`.
pub const RESERVE_LOVELACE: u64 = 5_000_000;

/// Most native assets in a shard: with names of 32 bytes and full counters its output's minimum is below the reserve.
pub const ASSETS_MAX: usize = 4;

/// One asset in a shard, in base units since the shard's birth.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Holding {
    /// The asset.
    pub asset: AssetId,
    /// Reserved for the rate limit; zero.
    pub bucket: u128,
    /// Paid out.
    pub paid: Amount,
    /// Swept in.
    pub swept: Amount,
}

/// A vault shard's state.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Shard {
    /// Which shard, as in its NFT's name.
    pub shard: u8,
    /// The leaf that it pays next; all below are paid.
    pub next_seq: u64,
    /// Reserved for the rate limit; zero.
    pub bucket_time: u64,
    /// The assets that may enter, ADA first, ascending.
    pub holdings: Vec<Holding>,
    /// Reserved for exits; [`EMPTY_SPARSE_ROOT`].
    pub exited_root: Hash,
}

/// Why a shard does not take a step, for the same reasons as its script.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ShardError {
    /// The leaf is another shard's.
    #[error("a leaf of shard {provided} where this is shard {expected}")]
    WrongShard {
        /// The leaf's shard.
        provided: u8,
        /// This shard.
        expected: u8,
    },
    /// The leaf is paid already, or not yet next.
    #[error("leaf {provided} where {expected} is next")]
    WrongSeq {
        /// The leaf's place.
        provided: u64,
        /// The shard's next.
        expected: u64,
    },
    /// More native assets than the reserve carries.
    #[error("{provided} native assets where a shard's reserve carries {maximum}")]
    Assets {
        /// Assets given.
        provided: usize,
        /// Most allowed.
        maximum: usize,
    },
    /// The shard does not list the asset.
    #[error("the shard does not list {asset}")]
    Unlisted {
        /// The asset.
        asset: AssetId,
    },
    /// A count leaves the range.
    #[error("a count leaves the range")]
    Overflow,
}

impl Numbered for ShardError {
    fn code(&self) -> Code {
        match self {
            ShardError::WrongShard { .. } => Code(3065),
            ShardError::WrongSeq { .. } => Code(3066),
            ShardError::Unlisted { .. } => Code(3067),
            ShardError::Overflow => Code(3068),
            ShardError::Assets { .. } => Code(3069),
        }
    }
}

impl Shard {
    /// A new shard for ADA and these native assets, which it puts in order.
    pub fn new(shard: u8, assets: impl IntoIterator<Item = AssetId>) -> Result<Self, ShardError> {
        let mut assets: Vec<AssetId> = assets.into_iter().chain([AssetId::Ada]).collect();
        assets.sort();
        assets.dedup();
        let (provided, maximum) = (assets.len().saturating_sub(1), ASSETS_MAX);
        if provided > maximum {
            return Err(ShardError::Assets { provided, maximum });
        }
        let empty = |asset| Holding {
            asset,
            bucket: 0,
            paid: Amount::ZERO,
            swept: Amount::ZERO,
        };
        Ok(Shard {
            shard,
            next_seq: 0,
            bucket_time: 0,
            holdings: assets.into_iter().map(empty).collect(),
            exited_root: EMPTY_SPARSE_ROOT,
        })
    }

    /// The shard after paying `leaf`.
    pub fn after_paying(&self, leaf: &Leaf) -> Result<Self, ShardError> {
        if leaf.shard() != self.shard {
            return Err(ShardError::WrongShard {
                provided: leaf.shard(),
                expected: self.shard,
            });
        }
        if leaf.seq() != self.next_seq {
            return Err(ShardError::WrongSeq {
                provided: leaf.seq(),
                expected: self.next_seq,
            });
        }
        let mut after = self.book(leaf.totals(), |holding| &mut holding.paid)?;
        after.next_seq = self.next_seq.checked_add(1).ok_or(ShardError::Overflow)?;
        Ok(after)
    }

    /// The shard after taking in deposits that hold `value` together.
    pub fn after_absorbing(&self, value: &Value) -> Result<Self, ShardError> {
        self.book(value, |holding| &mut holding.swept)
    }

    fn book(
        &self,
        value: &Value,
        entry: impl Fn(&mut Holding) -> &mut Amount,
    ) -> Result<Self, ShardError> {
        let mut after = self.clone();
        for (asset, amount) in value.entries() {
            let holding = after
                .holdings
                .iter_mut()
                .find(|holding| holding.asset == *asset);
            let entry = entry(holding.ok_or_else(|| ShardError::Unlisted {
                asset: asset.clone(),
            })?);
            *entry = entry.checked_add(amount).ok_or(ShardError::Overflow)?;
        }
        Ok(after)
    }

    /// The datum.
    pub fn to_data(&self) -> Data {
        let fields = vec![
            Data::Int(self.shard.into()),
            Data::Int(self.next_seq.into()),
            Data::Int(self.bucket_time.into()),
            Data::List(self.holdings.iter().map(holding_data).collect()),
            Data::bytes(self.exited_root.0),
        ];
        Data::Constr(0, fields)
    }

    /// The inverse of [`Shard::to_data`].
    pub fn from_data(data: &Data) -> Result<Self, WireError> {
        let [shard, next_seq, bucket_time, holdings, exited_root] = fields(data, 0, "a shard")?;
        let provided = unsigned(shard, "shard")?;
        let holdings = list(holdings, "holdings")?.iter();
        let holdings: Vec<Holding> = holdings.map(holding_from_data).collect::<Result<_, _>>()?;
        if holdings
            .windows(2)
            .any(|pair| pair[0].asset >= pair[1].asset)
        {
            return Err(WireError::Order {
                field: "a shard's holdings",
            });
        }
        Ok(Shard {
            shard: u8::try_from(provided).map_err(|_| WireError::Range {
                field: "shard",
                provided: provided.into(),
            })?,
            next_seq: unsigned(next_seq, "next seq")?,
            bucket_time: unsigned(bucket_time, "bucket time")?,
            holdings,
            exited_root: hash(exited_root, "root of exits")?,
        })
    }
}

fn holding_data(holding: &Holding) -> Data {
    let (policy, name) = asset_data(&holding.asset);
    let amounts = [holding.bucket, holding.paid.units(), holding.swept.units()];
    Data::Constr(
        0,
        [policy, name]
            .into_iter()
            .chain(amounts.map(amount_data))
            .collect(),
    )
}

fn holding_from_data(data: &Data) -> Result<Holding, WireError> {
    let [policy, name, bucket, paid, swept] = fields(data, 0, "a holding")?;
    Ok(Holding {
        asset: asset_from_data(policy, name)?,
        bucket: amount(bucket, "bucket")?,
        paid: Amount::new(amount(paid, "paid")?),
        swept: Amount::new(amount(swept, "swept")?),
    })
}

#[cfg(test)]
mod tests {
    use nupeer_primitives::{Credential, Hash28, TimeMs};

    use super::*;
    use crate::{Address, Output};

    fn token(policy: u8) -> AssetId {
        AssetId::Native {
            policy: Hash28([policy; 28]),
            name: b"x".to_vec(),
        }
    }

    fn new(shard: u8, assets: impl IntoIterator<Item = AssetId>) -> Shard {
        Shard::new(shard, assets).expect("few assets")
    }

    #[test]
    fn a_shard_lists_no_more_assets_than_its_reserve_carries() {
        let (provided, maximum) = (5, ASSETS_MAX);
        let refused = Shard::new(0, (1..=5).map(token));
        assert_eq!(refused, Err(ShardError::Assets { provided, maximum }));
        assert!(Shard::new(0, (1..=4).map(token)).is_ok());
    }

    #[test]
    fn a_new_shard_lists_ada_first_and_each_asset_once() {
        let shard = new(1, [token(2), token(1), token(2), AssetId::Ada]);
        let listed: Vec<_> = shard
            .holdings
            .iter()
            .map(|holding| holding.asset.clone())
            .collect();
        assert_eq!(listed, [AssetId::Ada, token(1), token(2)]);
        assert_eq!(Shard::from_data(&shard.to_data()), Ok(shard));
    }

    #[test]
    fn paying_counts_up_and_books_what_was_paid() {
        let (before, leaf) = (new(1, []), leaf(1, 0));
        let after = before.after_paying(&leaf).expect("paid");
        assert_eq!(
            (after.next_seq, after.holdings[0].paid),
            (1, Amount::new(5))
        );
        assert_eq!(
            after.after_paying(&leaf),
            Err(ShardError::WrongSeq {
                provided: 0,
                expected: 1
            })
        );
        let (provided, expected) = (1, 2);
        assert_eq!(
            new(2, []).after_paying(&leaf),
            Err(ShardError::WrongShard { provided, expected })
        );
    }

    #[test]
    fn absorbing_books_listed_assets_and_refuses_others() {
        let swept = Value::lovelace(7).with(token(1), Amount::new(3));
        let after = new(1, [token(1)])
            .after_absorbing(&swept)
            .expect("absorbed");
        assert_eq!(
            after
                .holdings
                .iter()
                .map(|h| h.swept.units())
                .collect::<Vec<_>>(),
            [7, 3]
        );
        let asset = token(1);
        assert_eq!(
            new(1, []).after_absorbing(&swept),
            Err(ShardError::Unlisted { asset })
        );
    }

    fn leaf(shard: u8, seq: u64) -> Leaf {
        let address = Address::enterprise(Credential::Key(Hash28([1; 28])));
        let output = Output {
            address,
            value: Value::lovelace(5),
            datum: None,
        };
        Leaf::new(shard, seq, TimeMs(0), vec![output]).expect("a leaf")
    }

    #[test]
    fn holdings_out_of_order_are_refused() {
        let mut shard = new(1, [token(1)]);
        shard.holdings.reverse();
        let field = "a shard's holdings";
        assert_eq!(
            Shard::from_data(&shard.to_data()),
            Err(WireError::Order { field })
        );
    }
}
