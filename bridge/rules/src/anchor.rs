//! Anchors: made here, signed by the committee, published by anybody, seen again.
//!
//! One anchor at a time waits for signatures or for Cardano. If that takes too long and there is more to say, it is made again under the
//! same number; which of its makings came to Cardano, the hash of its datum tells, so that all are kept until then.

use minicbor::{Decode, Encode};
use nupeer_ledger::{StateRead, StateWrite};
use nupeer_observe::{AnchorSeen, HeadSeen};
use nupeer_outbox::{
    Anchor, Committee, OutputReference,
    anchor::AssetTotals,
    certificate::{Kind, Statement},
    leaf::PAYOUTS,
    merkle,
};
use nupeer_primitives::{AssetId, Hash, Height, Signature, Slot};

use crate::{
    block::End,
    credited_tree,
    event::Event,
    genesis,
    halt::Contradiction,
    leaf::{self, LeafId, LeafRecord},
    settings::Settings,
    status::Status,
    store, view,
    withdrawal::WithdrawalState,
};

/// How often one anchor is made at most.
const VERSIONS_MAX: u16 = 16;

/// Anchors on Cardano that are kept. The newest carries every open payment and every credited deposit; older ones are for relayers
/// that are at work with them.
pub const KEPT: u64 = 64;

/// An anchor and what belongs to it.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
pub struct AnchorRecord {
    /// What is certified.
    #[n(0)]
    pub anchor: Anchor,
    /// The head's output that publishing it spends.
    #[n(1)]
    pub spends: OutputReference,
    /// Its payments, in the order of its tree.
    #[n(2)]
    pub leaves: Vec<LeafId>,
    /// How many of the credited deposits are in its tree: the first so many.
    #[n(3)]
    pub credited_count: u64,
    /// The block that made it.
    #[n(4)]
    pub made: Height,
    /// Signatures, in the committee's order.
    #[n(5)]
    pub signatures: Vec<Option<Signature>>,
    /// Whether those are enough.
    #[n(6)]
    pub certified: bool,
    /// Where it lies on Cardano, once that was seen.
    #[n(7)]
    pub published: Option<OutputReference>,
}

impl AnchorRecord {
    /// How many members signed.
    pub fn signers(&self) -> usize {
        self.signatures.iter().flatten().count()
    }
}

/// What the committee signs for an anchor that spends that output.
pub fn statement(
    settings: &Settings,
    committee: &Committee,
    anchor: &Anchor,
    spent: OutputReference,
) -> Statement {
    Statement {
        network_magic: settings.network_magic,
        bridge_id: settings.bridge_id,
        epoch: committee.epoch(),
        kind: Kind::Anchor,
        spent,
        body_hash: anchor.body_hash(),
    }
}

/// Makes the next anchor, or makes the waiting one again, if it is time and there is something to say.
pub(crate) fn advance(
    state: &mut dyn StateWrite,
    settings: &Settings,
    status: &mut Status,
    context: &End,
) -> Vec<Event> {
    if !is_time(settings, status, context.height) {
        return Vec::new();
    }
    let mut events = leaf::assign(state, settings, status.withdrawal_count);
    let leaves = leaf::open(state, settings);
    if is_news(state, status, &leaves) {
        events.extend(make(state, settings, status, context, &leaves));
    }
    events
}

fn is_time(settings: &Settings, status: &Status, height: Height) -> bool {
    let since = status.anchor_made.until(height);
    match status.pending_versions {
        0 => status.anchor_made == Height(0) || since >= settings.params.anchor_interval_blocks,
        versions => versions < VERSIONS_MAX && since >= settings.params.anchor_timeout_blocks,
    }
}

/// Whether there are deposits or payments that the waiting anchor, else the last one on Cardano, does not carry.
fn is_news(state: &dyn StateRead, status: &Status, leaves: &[(LeafId, LeafRecord)]) -> bool {
    let waiting = status.pending_newest(state).map(|(_, record)| record);
    let last = waiting.or_else(|| store::anchor(state, status.last_anchor));
    let carried = |id: &LeafId| last.as_ref().is_some_and(|last| last.leaves.contains(id));
    let credited = last.as_ref().map_or(0, |last| last.credited_count);
    status.credited_count > credited || leaves.iter().any(|(id, _)| !carried(id))
}

fn make(
    state: &mut dyn StateWrite,
    settings: &Settings,
    status: &mut Status,
    context: &End,
    leaves: &[(LeafId, LeafRecord)],
) -> Option<Event> {
    let committee = genesis::committee(state)?;
    let seq = status.last_anchor.checked_add(1)?;
    let tree = merkle::Tree::new(leaves.iter().map(|(_, leaf)| leaf.hash()).collect());
    let anchor = Anchor {
        seq,
        sidechain_height: Height(context.height.0.saturating_sub(1)),
        observed: (status.observed.slot, status.observed.hash),
        decided_until: Slot(status.observed.slot.0.checked_add(1)?),
        outbox_roots: [(PAYOUTS, tree.root())].into(),
        credited_deposits_root: credited_tree::root(state),
        state_root: context.parent_state_root,
        assets: view::asset_totals(state, settings, status),
    };
    let digest = statement(settings, &committee, &anchor, status.head).digest();
    let record = AnchorRecord {
        anchor,
        spends: status.head,
        leaves: leaves.iter().map(|(id, _)| *id).collect(),
        credited_count: status.credited_count,
        made: context.height,
        signatures: vec![None; committee.keys().len()],
        certified: false,
        published: None,
    };
    store::put_pending(state, status.pending_versions, Some(&record));
    status.pending_versions = status.pending_versions.saturating_add(1);
    status.anchor_made = context.height;
    Some(Event::AnchorMade { seq, digest })
}

/// The head moved.
pub(crate) fn observe_head(status: &mut Status, seen: &HeadSeen) {
    // Its birth is known from the genesis.
    if seen.output == status.head {
        return;
    }
    status.head = seen.output;
    let (provided, expected) = (seen.seq, status.last_anchor.saturating_add(1));
    if provided != expected {
        status.halt(Contradiction::HeadOutOfOrder { provided, expected });
    }
}

/// An anchor came to Cardano: its payments can be made, its deposits swept.
pub(crate) fn observe(
    state: &mut dyn StateWrite,
    status: &mut Status,
    seen: &AnchorSeen,
) -> Vec<Event> {
    let AnchorSeen {
        output,
        seq,
        body_hash,
    } = *seen;
    let Some(mut record) = waiting(state, status, seq, body_hash) else {
        status.halt(Contradiction::UnknownAnchor { seq, output });
        return Vec::new();
    };
    for version in 0..status.pending_versions {
        store::put_pending(state, version, None);
    }
    (status.last_anchor, status.pending_versions) = (seq, 0);
    record.published = Some(output);
    store::put_anchor(state, seq, Some(&record));
    record.leaves.iter().for_each(|id| carried(state, id, seq));
    forget(state, seq);
    vec![Event::AnchorPublished { seq, output }]
}

fn waiting(
    state: &dyn StateRead,
    status: &Status,
    seq: u64,
    body_hash: Hash,
) -> Option<AnchorRecord> {
    status.pending_seq().filter(|expected| *expected == seq)?;
    (0..status.pending_versions)
        .filter_map(|version| store::pending(state, version))
        .find(|record| record.anchor.body_hash() == body_hash)
}

/// The first anchor that carries a payment is noted with it.
fn carried(state: &mut dyn StateWrite, id: &LeafId, anchor_seq: u64) {
    let Some(mut leaf) = store::leaf(state, id).filter(|leaf| leaf.anchor_seq.is_none()) else {
        return;
    };
    leaf.anchor_seq = Some(anchor_seq);
    store::put_leaf(state, id, Some(&leaf));
    for withdrawal_id in &leaf.withdrawals {
        if let Some(mut withdrawal) = store::withdrawal(state, withdrawal_id)
            && withdrawal.state == WithdrawalState::Assigned(*id)
        {
            let leaf = *id;
            withdrawal.state = WithdrawalState::Anchored { leaf, anchor_seq };
            store::put_withdrawal(state, withdrawal_id, &withdrawal);
        }
    }
}

/// Drops the anchor that is [`KEPT`] behind, and the payments that no later one carries.
fn forget(state: &mut dyn StateWrite, newest: u64) {
    let Some(old) = newest.checked_sub(KEPT) else {
        return;
    };
    let Some(record) = store::anchor(state, old) else {
        return;
    };
    let next = store::anchor(state, old.saturating_add(1));
    for id in &record.leaves {
        let carried = next.as_ref().is_some_and(|next| next.leaves.contains(id));
        let paid = store::leaf(state, id).is_some_and(|leaf| leaf.paid.is_some());
        if paid && !carried {
            store::put_leaf(state, id, None);
        }
    }
    store::put_anchor(state, old, None);
}

/// Of each asset, what is owed and where it lies.
pub(crate) type Totals = std::collections::BTreeMap<AssetId, AssetTotals>;
