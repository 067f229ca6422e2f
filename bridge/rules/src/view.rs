//! Reading the bridge: for the API, relayers, signers and pages.

use nupeer_ledger::{
    StateRead,
    totals::{Total, total},
};
use nupeer_outbox::{Committee, OutputReference, anchor::AssetTotals, shard::RESERVE_LOVELACE};
use nupeer_primitives::{AccountId, Amount, AssetId, Hash, Height, PublicKey, Signature};

use crate::{
    anchor::{self, AnchorRecord, Totals},
    credit::{Credited, Refused},
    genesis,
    settings::Settings,
    shard::ShardRecord,
    status::Status,
    store,
    withdrawal::{Withdrawal, WithdrawalId},
};

/// Most entries of one page.
pub const PAGE_MAX: usize = 100;

/// The bridge at a glance.
#[derive(Clone, Debug)]
pub struct Overview {
    /// What the genesis says.
    pub settings: Settings,
    /// Counters.
    pub status: Status,
    /// Whose signatures certify.
    pub committee: Committee,
    /// Shards, by number.
    pub shards: Vec<ShardRecord>,
    /// Per asset, what is owed and where it lies.
    pub totals: Totals,
    /// The newest anchor with a quorum: the one that waits for Cardano, else the last one there.
    pub certified: Option<AnchorView>,
    /// Number and signatures of the anchor that waits for signatures.
    pub signing: Option<(u64, usize)>,
}

/// An anchor with what a relayer needs to carry out what it says.
#[derive(Clone, Debug)]
pub struct AnchorView {
    /// The anchor.
    pub record: AnchorRecord,
    /// Plutus data of its payments, in the order of its tree.
    pub leaves: Vec<Vec<u8>>,
}

/// The bridge at a glance; `None` on a chain without one.
pub fn overview(state: &dyn StateRead) -> Option<Overview> {
    let (settings, status) = (Settings::load(state)?, Status::load(state)?);
    let committee = genesis::committee(state)?;
    let waiting = status.pending_newest(state).map(|(_, record)| record);
    let (certified, signing) = match waiting {
        Some(record) if record.certified => (Some(record), None),
        Some(record) => (
            store::anchor(state, status.last_anchor),
            Some((record.anchor.seq, record.signers())),
        ),
        None => (store::anchor(state, status.last_anchor), None),
    };
    Some(Overview {
        totals: asset_totals(state, &settings, &status),
        shards: shards(state, &settings),
        certified: certified.map(|record| with_leaves(state, record)),
        signing,
        settings,
        status,
        committee,
    })
}

fn with_leaves(state: &dyn StateRead, record: AnchorRecord) -> AnchorView {
    let leaves = record.leaves.iter();
    let leaves = leaves.filter_map(|id| store::leaf(state, id));
    AnchorView {
        leaves: leaves.map(|leaf| leaf.data.to_vec()).collect(),
        record,
    }
}

/// The anchor of that number: as it is on Cardano, or as it waits for that with a quorum.
pub fn anchor(state: &dyn StateRead, seq: u64) -> Option<AnchorView> {
    let waiting = || {
        let (_, record) = Status::load(state)?.pending_newest(state)?;
        (record.certified && record.anchor.seq == seq).then_some(record)
    };
    let record = store::anchor(state, seq).or_else(waiting)?;
    Some(with_leaves(state, record))
}

/// What a committee member may sign now.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ToSign {
    /// The anchor's number.
    pub seq: u64,
    /// What is signed.
    pub digest: Hash,
    /// The committee's keys, in its order.
    pub keys: Vec<PublicKey>,
    /// Signatures so far, in the same order.
    pub signatures: Vec<Option<Signature>>,
}

impl ToSign {
    /// Whether the chain waits for that member's signature.
    pub fn waits_for(&self, key: &PublicKey) -> bool {
        let place = self.keys.binary_search(key).ok();
        place.is_some_and(|place| self.signatures.get(place) == Some(&None))
    }
}

/// The anchor that waits for signatures; `None` while none does.
pub fn to_sign(state: &dyn StateRead) -> Option<ToSign> {
    let status = Status::load(state).filter(|status| status.halted.is_none())?;
    let (_, record) = status.pending_newest(state)?;
    if record.certified {
        return None;
    }
    let (settings, committee) = (Settings::load(state)?, genesis::committee(state)?);
    let statement = anchor::statement(&settings, &committee, &record.anchor, record.spends);
    Some(ToSign {
        seq: record.anchor.seq,
        digest: statement.digest(),
        keys: committee.keys().to_vec(),
        signatures: record.signatures,
    })
}

/// The shards, by number.
pub fn shards(state: &dyn StateRead, settings: &Settings) -> Vec<ShardRecord> {
    (0..settings.shards)
        .filter_map(|shard| store::shard(state, shard))
        .collect()
}

/// Credited deposits after the place `after`, in the order of credit.
pub fn deposits(state: &dyn StateRead, after: Option<u64>, limit: usize) -> Vec<(u64, Credited)> {
    store::page(state, store::DEPOSIT, after, limit.min(PAGE_MAX))
}

/// Refused deposits after the place `after`, in the order of refusal.
pub fn refused(state: &dyn StateRead, after: Option<u64>, limit: usize) -> Vec<(u64, Refused)> {
    store::page(state, store::REFUSED, after, limit.min(PAGE_MAX))
}

/// What a deposit came to, with its place in its list.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Settled {
    /// It became a balance.
    Credited(u64, Credited),
    /// It never will.
    Refused(u64, Refused),
}

/// What the deposit in that output came to; `None` until a block observed it.
pub fn settled(state: &dyn StateRead, output: &OutputReference) -> Option<Settled> {
    if let Some(index) = store::deposit_at(state, output) {
        let deposit = store::deposit(state, index)?;
        return Some(Settled::Credited(index, deposit));
    }
    let index = store::refused_at(state, output)?;
    Some(Settled::Refused(index, store::refused(state, index)?))
}

/// Heights whose states the open anchors name, in ascending order: the anchor that waits, in all its makings, since any of
/// them may come to Cardano, and the last one there, under which proofs hold until the next has come.
pub fn anchored_heights(state: &dyn StateRead) -> Vec<Height> {
    let Some(status) = Status::load(state) else {
        return Vec::new();
    };
    let waiting = (0..status.pending_versions).filter_map(|version| store::pending(state, version));
    let open = waiting.chain(store::anchor(state, status.last_anchor));
    let mut heights: Vec<Height> = open.map(|record| record.anchor.sidechain_height).collect();
    heights.sort_unstable();
    heights.dedup();
    heights
}

/// The withdrawal of that id.
pub fn withdrawal(state: &dyn StateRead, id: &WithdrawalId) -> Option<Withdrawal> {
    store::withdrawal(state, id)
}

/// Withdrawals, of one account or of all, in the order of their requests, after the one named.
pub fn withdrawals(
    state: &dyn StateRead,
    account: Option<&AccountId>,
    after: Option<&WithdrawalId>,
    limit: usize,
) -> Vec<(WithdrawalId, Withdrawal)> {
    let prefix = account.map_or(store::WITHDRAWAL_NO.to_vec(), store::withdrawals_of);
    let after = match after.map(|id| store::withdrawal(state, id)) {
        None => None,
        Some(Some(last)) => Some(last.number),
        // After one that never was comes nothing.
        Some(None) => return Vec::new(),
    };
    let ids = store::page::<WithdrawalId>(state, &prefix, after, limit.min(PAGE_MAX));
    ids.into_iter()
        .filter_map(|(_, id)| Some((id, store::withdrawal(state, &id)?)))
        .collect()
}

/// An account's withdrawals that are neither paid nor taken back, oldest first, at most a page of them.
pub fn in_flight(state: &dyn StateRead, account: &AccountId) -> Vec<(WithdrawalId, Withdrawal)> {
    let prefix = store::withdrawals_open(account);
    let ids = store::page::<WithdrawalId>(state, &prefix, None, PAGE_MAX);
    ids.into_iter()
        .filter_map(|(_, id)| Some((id, store::withdrawal(state, &id)?)))
        .collect()
}

/// Of each listed asset, what is owed and where it lies.
pub(crate) fn asset_totals(state: &dyn StateRead, settings: &Settings, status: &Status) -> Totals {
    let shards = shards(state, settings);
    let of = |asset: AssetId| {
        let credited = total(state, Total::Credited, &asset);
        let holdings = shards.iter().flat_map(|shard| &shard.state.holdings);
        let holdings: Vec<_> = holdings.filter(|holding| holding.asset == asset).collect();
        let totals = AssetTotals {
            liabilities: credited.saturating_sub(total(state, Total::PaidOut, &asset)),
            paid: sum(holdings.iter().map(|holding| holding.paid)),
            swept: sum(holdings.iter().map(|holding| holding.swept)),
            unswept: status.unswept.of(&asset),
        };
        (asset, totals)
    };
    settings.all_assets().map(of).collect()
}

/// Saturates where no sum of real assets comes.
fn sum(amounts: impl Iterator<Item = Amount>) -> Amount {
    amounts.fold(Amount::ZERO, |sum, amount| {
        sum.checked_add(amount).unwrap_or(Amount::new(u128::MAX))
    })
}

/// What the sidechain owes of one asset, and what there is for it on Cardano.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Solvency {
    /// Of what.
    pub asset: AssetId,
    /// In all shards, less the reserves.
    pub vault: Amount,
    /// In credited deposits that are not yet swept.
    pub unswept: Amount,
    /// Balances, holds, pots and withdrawals in flight.
    pub liabilities: Amount,
}

impl Solvency {
    /// vault + unswept ≥ liabilities.
    pub fn holds(&self) -> bool {
        self.vault
            .checked_add(self.unswept)
            .is_none_or(|there| there >= self.liabilities)
    }
}

/// Solvency of every listed asset, by what was last seen; nothing on a chain without a bridge.
pub fn solvency(state: &dyn StateRead) -> Vec<Solvency> {
    let (Some(settings), Some(status)) = (Settings::load(state), Status::load(state)) else {
        return Vec::new();
    };
    let shards = shards(state, &settings);
    let totals = asset_totals(state, &settings, &status);
    let of = |(asset, totals): (AssetId, AssetTotals)| {
        let reserve = match asset {
            AssetId::Ada => Amount::from(RESERVE_LOVELACE),
            AssetId::Native { .. } => Amount::ZERO,
        };
        let each = shards
            .iter()
            .map(|shard| shard.value.of(&asset).saturating_sub(reserve));
        Solvency {
            vault: sum(each),
            unswept: totals.unswept,
            liabilities: totals.liabilities,
            asset,
        }
    };
    totals.into_iter().map(of).collect()
}
