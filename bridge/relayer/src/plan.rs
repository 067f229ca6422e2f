//! What is to be done next: a pure function of how the bridge stands on Cardano and of what the sidechain says. It is asked anew in each
//! round, so nothing needs to be remembered, and whatever a fork or a crash undid is done again.

use std::{
    cmp::Reverse,
    collections::{BTreeMap, BTreeSet},
    fmt,
};

use nupeer_cardano_client::{OutputReference, Utxo};
use nupeer_outbox::{
    Anchor, Leaf, certificate::Certificate, credited::CreditedTree, shard::RESERVE_LOVELACE,
};
use nupeer_primitives::{AssetId, TimeMs};

use crate::{
    Bridge, BridgeState, CardanoState, CertifiedAnchor, convert,
    state::Located,
    transactions::{anchor::statement, only_listed, sweep::DEPOSITS_MAX},
};

/// Most payments of one shard in a round: what a few blocks carry.
const PAYMENTS_MAX: u64 = 8;

/// One transaction to make.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Step {
    /// Publish an anchor.
    Anchor {
        /// What it says.
        anchor: Box<Anchor>,
        /// Who certified it.
        certificate: Certificate,
    },
    /// Take credited deposits into a shard.
    Sweep {
        /// Which shard.
        shard: u8,
        /// The anchor that they are credited under.
        anchor: u64,
        /// Their proofs.
        paths: BTreeMap<OutputReference, Vec<u8>>,
    },
    /// Carry out a leaf.
    Pay {
        /// The anchor that it is under.
        anchor: u64,
        /// The payment.
        leaf: Box<Leaf>,
        /// Its proof.
        path: Vec<u8>,
    },
}

impl fmt::Display for Step {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Step::Anchor { anchor, .. } => write!(f, "anchor {}", anchor.seq),
            Step::Sweep { shard, paths, .. } => {
                write!(f, "sweep of {} deposits into shard {shard}", paths.len())
            }
            Step::Pay { leaf, .. } => write!(f, "payment {} of shard {}", leaf.seq(), leaf.shard()),
        }
    }
}

/// Something that the node says and that does not hold; nothing is done about it but to say so.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Objection {
    /// Signatures that make no certificate.
    #[error("anchor {seq} is called certified, but {reason}")]
    NotCertified {
        /// Its number.
        seq: u64,
        /// Why not.
        reason: String,
    },
    /// Leaves that are not those under the anchor's root on Cardano.
    #[error("the leaves of anchor {seq} are not those that it stands for on Cardano")]
    OtherLeaves {
        /// Its number.
        seq: u64,
    },
    /// Deposits whose tree is not that of the anchor on Cardano.
    #[error("the credited deposits are not those that anchor {seq} stands for on Cardano")]
    OtherDeposits {
        /// Its number.
        seq: u64,
    },
    /// A deposit that no shard takes.
    #[error(
        "deposit {output} is credited, but no shard takes it: it holds an asset that is not listed, or carries a script"
    )]
    Unsweepable {
        /// Which.
        output: OutputReference,
    },
    /// A payment that its shard cannot make.
    #[error("shard {shard} holds too little for its payment {seq}")]
    Uncovered {
        /// Which shard.
        shard: u8,
        /// Which payment.
        seq: u64,
    },
}

/// What to do, and what does not hold.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Plan {
    /// Transactions, in order.
    pub steps: Vec<Step>,
    /// What the node says and does not hold.
    pub objections: Vec<Objection>,
}

/// The next useful things: the next anchor if it is certified; deposits into shards; payments, in each shard's order. `now` is the
/// start of the validity range that payments would have.
pub fn plan(bridge: &Bridge, cardano: &CardanoState, told: &BridgeState, now: TimeMs) -> Plan {
    let mut planner = Planner {
        bridge,
        cardano,
        told,
        now,
        plan: Plan::default(),
    };
    planner.anchor();
    planner.sweeps();
    planner.payments();
    planner.plan
}

struct Planner<'a> {
    bridge: &'a Bridge,
    cardano: &'a CardanoState,
    told: &'a BridgeState,
    now: TimeMs,
    plan: Plan,
}

impl<'a> Planner<'a> {
    fn anchor(&mut self) {
        let Some(certified) = &self.told.certified else {
            return;
        };
        let (head, seq) = (&self.cardano.head, certified.anchor.seq);
        let spent = convert::reference(head.utxo.reference);
        // An anchor that is there already, or that spends a head of another fork: no fault, and nothing to do.
        if head.datum.last_anchor_seq.checked_add(1) != Some(seq) || certified.spends != spent {
            return;
        }
        let committee = &self.cardano.committee.datum;
        let scripts = &self.bridge.scripts;
        let statement = statement(
            scripts.network_magic(),
            scripts.bridge_id(),
            committee.epoch(),
            spent,
            &certified.anchor,
        );
        match certified.certificate(committee, &statement) {
            Ok(certificate) => self.plan.steps.push(Step::Anchor {
                anchor: Box::new(certified.anchor.clone()),
                certificate,
            }),
            Err(error) => self.plan.objections.push(Objection::NotCertified {
                seq,
                reason: error.to_string(),
            }),
        }
    }

    fn sweeps(&mut self) {
        let Some((on_cardano, known)) = self.newest() else {
            return;
        };
        let count = usize::try_from(known.credited_count).unwrap_or(usize::MAX);
        let Some(credited) = self.told.credited.get(..count) else {
            // More than the node tells of, though it tells of no more: it lies about the one or the other.
            if self.told.is_all_credited {
                let seq = known.anchor.seq;
                self.plan.objections.push(Objection::OtherDeposits { seq });
            }
            return;
        };
        let waiting = self.sweepable(credited);
        if waiting.is_empty() {
            return;
        }
        let (seq, tree) = (known.anchor.seq, CreditedTree::new(credited));
        if tree.root() != on_cardano.datum.credited_deposits_root {
            self.plan.objections.push(Objection::OtherDeposits { seq });
            return;
        }
        for (shard, deposits) in self.spread(waiting) {
            for group in deposits.chunks(DEPOSITS_MAX) {
                let proof = |deposit: &OutputReference| {
                    Some((*deposit, tree.proof(&convert::reference(*deposit))?))
                };
                let paths: BTreeMap<_, _> = group.iter().filter_map(proof).collect();
                let anchor = seq;
                self.plan.steps.push(Step::Sweep {
                    shard,
                    anchor,
                    paths,
                });
            }
        }
    }

    /// The newest anchor that is on Cardano and that the node tells of.
    fn newest(&self) -> Option<(&'a Located<Anchor>, &'a CertifiedAnchor)> {
        let (cardano, told) = (self.cardano, self.told);
        let mut newest_first = cardano.anchors.iter().rev();
        newest_first.find_map(|(seq, anchor)| Some((anchor, told.anchors.get(seq)?)))
    }

    fn sweepable(&mut self, credited: &[nupeer_outbox::OutputReference]) -> Vec<Utxo> {
        let credited: BTreeSet<_> = credited.iter().collect();
        let here = self.cardano.deposits.values();
        let here = here.filter(|d| credited.contains(&convert::reference(d.reference)));
        let assets = &self.bridge.assets;
        let takes = |d: &&Utxo| only_listed(d, assets) && d.output.script.is_none();
        let (taken, refused): (Vec<_>, Vec<_>) = here.partition(takes);
        let objections = refused.iter().map(|d| Objection::Unsweepable {
            output: d.reference,
        });
        self.plan.objections.extend(objections);
        taken.into_iter().cloned().collect()
    }

    /// The largest deposit to the poorest shard, and so on, so that each can pay.
    fn spread(&self, mut deposits: Vec<Utxo>) -> BTreeMap<u8, Vec<OutputReference>> {
        let lovelace = |utxo: &Utxo| utxo.output.value.coin();
        deposits.sort_by_key(|deposit| (Reverse(lovelace(deposit)), deposit.reference));
        let shards = self.cardano.shards.iter();
        let mut held: BTreeMap<u8, u64> = shards
            .map(|(number, shard)| (*number, lovelace(&shard.utxo)))
            .collect();
        let mut spread: BTreeMap<u8, Vec<_>> = BTreeMap::new();
        for deposit in deposits {
            let poorest = held
                .iter_mut()
                .min_by_key(|(number, held)| (**held, **number));
            if let Some((number, held)) = poorest {
                *held = held.saturating_add(lovelace(&deposit));
                spread.entry(*number).or_default().push(deposit.reference);
            }
        }
        spread
    }

    fn payments(&mut self) {
        let mut leaves: BTreeMap<(u8, u64), (u64, usize)> = BTreeMap::new();
        for (seq, known) in &self.told.anchors {
            let Some(on_cardano) = self.cardano.anchors.get(seq) else {
                continue;
            };
            if !known.has_the_leaves_of(&on_cardano.datum) {
                let seq = *seq;
                self.plan.objections.push(Objection::OtherLeaves { seq });
                continue;
            }
            for (place, leaf) in known.leaves.iter().enumerate() {
                leaves.insert((leaf.shard(), leaf.seq()), (*seq, place));
            }
        }
        for (number, shard) in &self.cardano.shards {
            let mut left = shard.utxo.output.value.coin();
            let first = shard.datum.next_seq;
            for seq in first..first.saturating_add(PAYMENTS_MAX) {
                let Some((anchor, place)) = leaves.get(&(*number, seq)) else {
                    break;
                };
                if !self.payment(*anchor, *place, &mut left) {
                    break;
                }
            }
        }
    }

    /// Plans one payment; whether the shard's next one can follow.
    fn payment(&mut self, anchor: u64, place: usize, left: &mut u64) -> bool {
        let known = self.told.anchors.get(&anchor);
        let found =
            known.and_then(|known| Some((known.leaves.get(place)?, known.tree().proof(place)?)));
        let Some((leaf, path)) = found else {
            return false;
        };
        if leaf.not_before() > self.now {
            return false;
        }
        let total = leaf.totals().of(&AssetId::Ada).to_u64();
        let rest = total.and_then(|total| left.checked_sub(total));
        match rest.filter(|rest| *rest >= RESERVE_LOVELACE) {
            Some(rest) => *left = rest,
            None => {
                let (shard, seq) = (leaf.shard(), leaf.seq());
                let objection = Objection::Uncovered { shard, seq };
                self.plan.objections.push(objection);
                return false;
            }
        }
        let leaf = Box::new(leaf.clone());
        self.plan.steps.push(Step::Pay { anchor, leaf, path });
        true
    }
}

#[cfg(test)]
mod tests;
