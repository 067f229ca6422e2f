//! Anchors: the sidechain's state on Cardano, once per checkpoint.

use std::collections::BTreeMap;

use nupeer_primitives::{Amount, AssetId, Hash, Height, Slot, blake2b_256, plutus::Data};

use crate::{
    error::{WireError, amount, amount_data, fields, hash, list, map, unsigned},
    value::{asset_data, asset_from_data},
};

/// What the sidechain says of one asset, in base units.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct AssetTotals {
    /// What the sidechain owes: balances, holds, pots and withdrawals in flight.
    pub liabilities: Amount,
    /// Paid out by all shards, as far as observed.
    pub paid: Amount,
    /// Swept into all shards, as far as observed.
    pub swept: Amount,
    /// Credited deposits that are not yet swept.
    pub unswept: Amount,
}

/// The sidechain's state at one height.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Anchor {
    /// One above the anchor before.
    pub seq: u64,
    /// The height it is the state of.
    pub sidechain_height: Height,
    /// Slot and hash of the last Cardano block that the sidechain has observed there.
    pub observed: (Slot, Hash),
    /// Below this slot every deposit is either credited or never will be.
    pub decided_until: Slot,
    /// Root of the outbox tree of each kind of leaf.
    pub outbox_roots: BTreeMap<u8, Hash>,
    /// Root of the sparse tree of credited deposits.
    pub credited_deposits_root: Hash,
    /// Root of the sidechain's state.
    pub state_root: Hash,
    /// Per asset, what is owed and where it lies.
    pub assets: BTreeMap<AssetId, AssetTotals>,
}

impl Anchor {
    /// The datum.
    pub fn to_data(&self) -> Data {
        let (slot, block) = self.observed;
        let roots = self.outbox_roots.iter();
        let roots = roots.map(|(kind, root)| (Data::Int((*kind).into()), Data::bytes(root.0)));
        let fields = vec![
            Data::Int(self.seq.into()),
            Data::Int(self.sidechain_height.0.into()),
            Data::Constr(0, vec![Data::Int(slot.0.into()), Data::bytes(block.0)]),
            Data::Int(self.decided_until.0.into()),
            Data::Map(roots.collect()),
            Data::bytes(self.credited_deposits_root.0),
            Data::bytes(self.state_root.0),
            Data::List(self.assets.iter().map(totals_data).collect()),
        ];
        Data::Constr(0, fields)
    }

    /// The inverse of [`Anchor::to_data`]; kinds and assets that do not ascend are refused.
    pub fn from_data(data: &Data) -> Result<Self, WireError> {
        let [
            seq,
            height,
            observed,
            decided,
            roots,
            credited,
            state,
            assets,
        ] = fields(data, 0, "an anchor")?;
        let [slot, block] = fields(observed, 0, "a Cardano point")?;
        let anchor = Anchor {
            seq: unsigned(seq, "anchor seq")?,
            sidechain_height: Height(unsigned(height, "sidechain height")?),
            observed: (
                Slot(unsigned(slot, "observed slot")?),
                hash(block, "observed block")?,
            ),
            decided_until: Slot(unsigned(decided, "decided until")?),
            outbox_roots: map(roots, "outbox roots")?
                .iter()
                .map(root_from_data)
                .collect::<Result<_, _>>()?,
            credited_deposits_root: hash(credited, "root of credited deposits")?,
            state_root: hash(state, "state root")?,
            assets: list(assets, "assets")?
                .iter()
                .map(totals_from_data)
                .collect::<Result<_, _>>()?,
        };
        // Maps drop repetitions and restore order: what then differs was not written by `to_data`.
        if anchor.to_data() == *data {
            Ok(anchor)
        } else {
            Err(WireError::Order {
                field: "an anchor's kinds or assets",
            })
        }
    }

    /// What a certificate signs: the hash of the datum.
    pub fn body_hash(&self) -> Hash {
        blake2b_256(&[&self.to_data().to_cbor()])
    }
}

fn root_from_data((kind, root): &(Data, Data)) -> Result<(u8, Hash), WireError> {
    let provided = unsigned(kind, "outbox kind")?;
    let field = "outbox kind";
    let kind = u8::try_from(provided).map_err(|_| WireError::Range {
        field,
        provided: provided.into(),
    })?;
    Ok((kind, hash(root, "outbox root")?))
}

fn totals_data((asset, totals): (&AssetId, &AssetTotals)) -> Data {
    let (policy, name) = asset_data(asset);
    let amounts = [
        totals.liabilities,
        totals.paid,
        totals.swept,
        totals.unswept,
    ];
    let amounts = amounts.map(|amount| amount_data(amount.units()));
    Data::Constr(0, [policy, name].into_iter().chain(amounts).collect())
}

fn totals_from_data(data: &Data) -> Result<(AssetId, AssetTotals), WireError> {
    let [policy, name, liabilities, paid, swept, unswept] = fields(data, 0, "an asset's totals")?;
    let units = |data, field| amount(data, field).map(Amount::new);
    let totals = AssetTotals {
        liabilities: units(liabilities, "liabilities")?,
        paid: units(paid, "paid")?,
        swept: units(swept, "swept")?,
        unswept: units(unswept, "unswept")?,
    };
    Ok((asset_from_data(policy, name)?, totals))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::leaf::PAYOUTS;

    fn anchor() -> Anchor {
        let totals = AssetTotals {
            liabilities: Amount::new(5),
            ..AssetTotals::default()
        };
        Anchor {
            seq: 1,
            sidechain_height: Height(2),
            observed: (Slot(3), Hash([4; 32])),
            decided_until: Slot(5),
            outbox_roots: [(PAYOUTS, Hash([6; 32])), (3, Hash([7; 32]))].into(),
            credited_deposits_root: Hash([8; 32]),
            state_root: Hash([9; 32]),
            assets: [(AssetId::Ada, totals)].into(),
        }
    }

    #[test]
    fn an_anchor_survives_plutus_data() {
        assert_eq!(Anchor::from_data(&anchor().to_data()), Ok(anchor()));
    }

    #[test]
    fn kinds_and_assets_out_of_order_or_repeated_are_refused() {
        let Data::Constr(0, good) = anchor().to_data() else {
            panic!("a constructor")
        };
        let (Data::Map(mut roots), Data::List(mut assets)) = (good[4].clone(), good[7].clone())
        else {
            panic!("a map and a list")
        };
        roots.reverse();
        assets.push(assets[0].clone());
        for (at, bad) in [(4, Data::Map(roots)), (7, Data::List(assets))] {
            let mut fields = good.clone();
            fields[at] = bad;
            let field = "an anchor's kinds or assets";
            assert_eq!(
                Anchor::from_data(&Data::Constr(0, fields)),
                Err(WireError::Order { field })
            );
        }
    }
}
