//! What must hold after every block, as functions that tests, simulation and a node on demand call alike: [`violations`] reads all of
//! the bridge's state, its whole past included; [`standing`] what stands open, beside running totals.

use nupeer_ledger::{
    StateRead, purse,
    totals::{Total, total},
};
use nupeer_outbox::{Value, credited::CreditedTree};
use nupeer_primitives::AssetId;

use crate::{
    credit::Credited,
    credited_tree, leaf,
    settings::Settings,
    status::Status,
    store, view,
    withdrawal::{Withdrawal, WithdrawalId, WithdrawalState},
};

/// A sentence that does not hold, with what it does not hold of.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Violation {
    /// What should hold.
    pub invariant: &'static str,
    /// Of what it does not.
    pub of: String,
}

/// Everything that does not hold; empty on a chain without a bridge. After a halt ([`Status::halted`]) solvency and books may rightly
/// be broken: that is what the halt says.
pub fn violations(state: &dyn StateRead) -> Vec<Violation> {
    let (Some(settings), Some(status)) = (Settings::load(state), Status::load(state)) else {
        return Vec::new();
    };
    let deposits: Vec<Credited> = all(state, store::DEPOSIT);
    let mut found = Vec::new();
    found.extend(solvent(state));
    found.extend(counted(state, &settings, &deposits));
    found.extend(unswept(&status, &deposits));
    found.extend(tree(state, &deposits));
    found.extend(held(state, all(state, store::WITHDRAWAL_NO)));
    found.extend(ordered(state, &settings));
    found
}

/// What does not hold as things stand, by running totals and by what is still open: what a node tells at any time. What it reads does not
/// grow with the number of deposits that were swept, of withdrawals that were closed, or of anchors. As [`violations`] after a
/// halt.
pub fn standing(state: &dyn StateRead) -> Vec<Violation> {
    let (Some(settings), Some(status)) = (Settings::load(state), Status::load(state)) else {
        return Vec::new();
    };
    let waiting = store::unswept(state);
    let mut found = Vec::new();
    found.extend(solvent(state));
    found.extend(booked(state, &settings, &status));
    found.extend(unswept(&status, &waiting));
    found.extend(in_tree(state, &waiting));
    found.extend(held(state, store::open_withdrawals(state)));
    found.extend(ordered(state, &settings));
    found
}

/// What entered lies in the vault's books or waits for a sweep, and what left is in its books too.
fn booked(state: &dyn StateRead, settings: &Settings, status: &Status) -> Vec<Violation> {
    let totals = view::asset_totals(state, settings, status);
    let each = totals.into_iter().flat_map(|(asset, totals)| {
        let entered = totals.swept.checked_add(totals.unswept);
        let credited = total(state, Total::Credited, &asset);
        let left = total(state, Total::PaidOut, &asset);
        let of = asset.to_string();
        [
            check(
                entered == Some(credited),
                "credited is what was swept and what is unswept",
                of.clone(),
            ),
            check(left == totals.paid, "paid out is what all shards paid", of),
        ]
    });
    each.flatten().collect()
}

fn in_tree(state: &dyn StateRead, waiting: &[Credited]) -> Vec<Violation> {
    let missing = waiting
        .iter()
        .filter(|deposit| !credited_tree::contains(state, &deposit.output));
    let each = missing.filter_map(|deposit| {
        let of = format!("{:?}", deposit.output);
        check(false, "the tree has the deposits that are unswept", of)
    });
    each.collect()
}

fn all<T: for<'b> minicbor::Decode<'b, ()> + minicbor::Encode<()>>(
    state: &dyn StateRead,
    prefix: &[u8],
) -> Vec<T> {
    let page = store::page(state, prefix, None, usize::MAX);
    page.into_iter().map(|(_, value)| value).collect()
}

fn check(holds: bool, invariant: &'static str, of: impl Into<String>) -> Option<Violation> {
    let of = of.into();
    (!holds).then_some(Violation { invariant, of })
}

fn solvent(state: &dyn StateRead) -> Vec<Violation> {
    let rows = view::solvency(state).into_iter();
    rows.filter_map(|row| {
        let of = format!("{row:?}");
        check(
            row.holds(),
            "vault and unswept deposits cover what is owed",
            of,
        )
    })
    .collect()
}

/// No deposit was credited twice, and none was lost.
fn counted(state: &dyn StateRead, settings: &Settings, deposits: &[Credited]) -> Vec<Violation> {
    let credited = sum(deposits.iter().map(|deposit| &deposit.value));
    let shards = view::shards(state, settings);
    let mut found = Vec::new();
    for asset in settings.all_assets() {
        let entered = total(state, Total::Credited, &asset);
        let all = credited.as_ref().map(|value| value.of(&asset)) == Some(entered);
        found.extend(check(
            all,
            "credited is the sum of credited deposits",
            asset.to_string(),
        ));
        let paid = shards.iter().flat_map(|shard| &shard.state.holdings);
        let paid = paid
            .filter(|holding| holding.asset == asset)
            .try_fold(0u128, |sum, holding| sum.checked_add(holding.paid.units()));
        let left = total(state, Total::PaidOut, &asset).units();
        let same = paid == Some(left);
        found.extend(check(
            same,
            "paid out is what all shards paid",
            asset.to_string(),
        ));
    }
    found
}

fn sum<'a>(mut values: impl Iterator<Item = &'a Value>) -> Option<Value> {
    values.try_fold(Value::default(), |sum, value| sum.checked_add(value))
}

fn unswept(status: &Status, deposits: &[Credited]) -> Option<Violation> {
    let waiting = deposits.iter().filter(|deposit| deposit.swept.is_none());
    let expected = sum(waiting.map(|deposit| &deposit.value));
    let same = expected.as_ref() == Some(&status.unswept);
    check(
        same,
        "unswept is the sum of deposits not yet swept",
        format!("{:?}", status.unswept),
    )
}

fn tree(state: &dyn StateRead, deposits: &[Credited]) -> Option<Violation> {
    let expected = CreditedTree::new(deposits.iter().map(|deposit| &deposit.output)).root();
    let root = credited_tree::root(state);
    check(
        root == expected,
        "the tree has exactly the credited deposits",
        root.to_string(),
    )
}

/// A withdrawal's hold has what is to be paid until it is paid or taken back, and it is queued or part of a payment that knows it.
fn held(state: &dyn StateRead, ids: Vec<WithdrawalId>) -> Vec<Violation> {
    let each = ids.into_iter().filter_map(|id| {
        let withdrawal = store::withdrawal(state, &id)?;
        let holds = is_held(state, &id, &withdrawal) && is_placed(state, &id, &withdrawal);
        check(
            holds,
            "a withdrawal is held and placed until it is paid",
            id.to_string(),
        )
    });
    each.collect()
}

fn is_held(state: &dyn StateRead, id: &WithdrawalId, withdrawal: &Withdrawal) -> bool {
    let hold = id.hold(withdrawal.account);
    let due = match withdrawal.state.is_closed() {
        true => Value::default(),
        false => withdrawal.value(),
    };
    let assets = [AssetId::Ada, withdrawal.asset.clone()];
    assets
        .iter()
        .all(|asset| purse::balance(state, &hold, asset) == due.of(asset))
}

fn is_placed(state: &dyn StateRead, id: &WithdrawalId, withdrawal: &Withdrawal) -> bool {
    let queued = store::is_queued(state, id, withdrawal);
    match withdrawal.state {
        WithdrawalState::Queued => queued,
        // A leaf may be forgotten once it is paid.
        WithdrawalState::Paid { .. } | WithdrawalState::Cancelled { .. } => !queued,
        WithdrawalState::Assigned(leaf) | WithdrawalState::Anchored { leaf, .. } => {
            let leaf = store::leaf(state, &leaf);
            !queued && leaf.is_some_and(|leaf| leaf.withdrawals.contains(id))
        }
    }
}

/// Open payments are what a shard is committed to, none is missing, and it has what they take beside its reserve.
fn ordered(state: &dyn StateRead, settings: &Settings) -> Vec<Violation> {
    let open = leaf::open(state, settings);
    let shards = view::shards(state, settings).into_iter();
    let each = shards.filter_map(|shard| {
        let number = shard.state.shard;
        let of: Vec<_> = open.iter().filter(|(id, _)| id.shard == number).collect();
        let committed = sum(of.iter().map(|(_, leaf)| &leaf.totals));
        let count = shard.assigned_seq.checked_sub(shard.state.next_seq);
        let holds = committed.as_ref() == Some(&shard.committed)
            && count == Some(of.len() as u64)
            && shard.spare().is_some();
        check(
            holds,
            "a shard covers its open payments",
            format!("shard {number}"),
        )
    });
    each.collect()
}
