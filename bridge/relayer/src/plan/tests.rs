//! Table by table: how the bridge stands, what the node says, what is planned.

use nupeer_cardano_client::{Output, Script, Tip, Value, wallet::SigningKey};
use nupeer_contracts::{BridgeScripts, Validator};
use nupeer_outbox::{
    self as outbox, Address, Committee, Head, Shard, credited::CreditedTree, leaf::PAYOUTS,
    merkle::Tree,
};
use nupeer_primitives::{
    CardanoPoint, Credential, Hash, Hash28, Height, PublicKey, Signature, Slot,
};

use super::*;
use crate::deployment::script_address;

const ADA: u64 = 1_000_000;
const NOW: TimeMs = TimeMs(1_000_000);

fn at(first: u8, index: u16) -> OutputReference {
    OutputReference {
        transaction_id: Hash([first; 32]),
        index,
    }
}

fn member(n: u8) -> SigningKey {
    SigningKey::from_seed([n; 32])
}

fn bridge() -> Bridge {
    let scripts = BridgeScripts::derive(42, convert::reference(at(1, 0))).unwrap();
    let keys: Vec<PublicKey> = (1..=4).map(|n| member(n).public_key()).collect();
    Bridge {
        committee: Committee::new(scripts.bridge_id(), 0, keys).unwrap(),
        shards: 2,
        assets: vec![],
        reference_outputs: BTreeMap::new(),
        scripts,
    }
}

/// A bridge with shards that hold so many ADA beyond their reserve, after so many anchors.
struct Case {
    bridge: Bridge,
    cardano: CardanoState,
    told: BridgeState,
}

fn located<T>(
    bridge: &Bridge,
    script: Validator,
    place: OutputReference,
    lovelace: u64,
    datum: T,
) -> Located<T> {
    let output = Output::new(
        script_address(&bridge.scripts, script),
        Value::lovelace(lovelace),
    );
    let utxo = Utxo {
        reference: place,
        output,
    };
    Located { utxo, datum }
}

impl Case {
    fn new(anchors: u64, ada: [u64; 2]) -> Self {
        let bridge = bridge();
        let head = Head {
            last_anchor_seq: anchors,
            last_anchor_time: TimeMs(0),
        };
        let shard = |n: u8| {
            let lovelace = RESERVE_LOVELACE + ada[usize::from(n)] * ADA;
            let state = Shard::new(n, []).unwrap();
            (
                n,
                located(&bridge, Validator::Vault, at(3, n.into()), lovelace, state),
            )
        };
        let (slot, hash) = (Slot(9), Hash([9; 32]));
        let cardano = CardanoState {
            tip: Tip {
                point: CardanoPoint { slot, hash },
                block_number: 9,
            },
            committee: located(
                &bridge,
                Validator::Committee,
                at(2, 0),
                3 * ADA,
                bridge.committee.clone(),
            ),
            head: located(&bridge, Validator::Head, at(2, 1), 3 * ADA, head),
            anchors: BTreeMap::new(),
            shards: [shard(0), shard(1)].into(),
            deposits: BTreeMap::new(),
            references: BTreeMap::new(),
            funds: vec![],
        };
        let told = BridgeState::default();
        Case {
            bridge,
            cardano,
            told,
        }
    }

    fn plan(&self) -> Plan {
        plan(&self.bridge, &self.cardano, &self.told, NOW)
    }

    /// What the sidechain has credited, and what of it lies on Cardano.
    fn credited(mut self, all: u8, waiting: &[(u8, u64)]) -> Self {
        self.told.credited = (0..all)
            .map(|n| convert::reference(at(5, n.into())))
            .collect();
        for (n, ada) in waiting {
            let here = located(
                &self.bridge,
                Validator::Deposit,
                at(5, (*n).into()),
                ada * ADA,
                (),
            );
            self.cardano.deposits.insert(here.utxo.reference, here.utxo);
        }
        self
    }

    fn certified(&self, seq: u64, leaves: &[Leaf], credited_count: u64) -> CertifiedAnchor {
        let credited = usize::try_from(credited_count).unwrap();
        let hashes = leaves.iter().map(Leaf::hash).collect();
        let anchor = Anchor {
            seq,
            sidechain_height: Height(seq),
            observed: (Slot(1), Hash([1; 32])),
            decided_until: Slot(0),
            outbox_roots: [(PAYOUTS, Tree::new(hashes).root())].into(),
            credited_deposits_root: CreditedTree::new(&self.told.credited[..credited]).root(),
            state_root: Hash([2; 32]),
            assets: BTreeMap::new(),
        };
        let spends = convert::reference(self.cardano.head.utxo.reference);
        let scripts = &self.bridge.scripts;
        let digest = statement(42, scripts.bridge_id(), 0, spends, &anchor).digest();
        let sign = |key: &PublicKey| -> Option<Signature> {
            let signer = (1..=3)
                .map(member)
                .find(|member| member.public_key() == *key)?;
            Some(signer.sign(&digest.0))
        };
        CertifiedAnchor {
            signatures: self.bridge.committee.keys().iter().map(sign).collect(),
            anchor,
            spends,
            leaves: leaves.to_vec(),
            credited_count,
        }
    }

    /// An anchor on Cardano, of which the node tells.
    fn anchored(mut self, seq: u64, leaves: &[Leaf], credited_count: u64) -> Self {
        let known = self.certified(seq, leaves, credited_count);
        let there = located(
            &self.bridge,
            Validator::Anchor,
            at(4, 0),
            2 * ADA,
            known.anchor.clone(),
        );
        self.cardano.anchors.insert(seq, there);
        self.told.anchors.insert(seq, known);
        self
    }
}

fn leaf(shard: u8, seq: u64, ada: u64) -> Leaf {
    let output = outbox::Output {
        address: Address::enterprise(Credential::Key(Hash28([7; 28]))),
        value: outbox::Value::lovelace(ada * ADA),
        datum: None,
    };
    Leaf::new(shard, seq, NOW, vec![output]).unwrap()
}

fn described(plan: &Plan) -> Vec<String> {
    plan.steps.iter().map(Step::to_string).collect()
}

#[test]
fn with_nothing_said_nothing_is_done() {
    assert_eq!(Case::new(0, [0, 0]).plan(), Plan::default());
}

#[test]
fn the_next_anchor_is_published_once_it_is_certified() {
    let mut case = Case::new(4, [0, 0]);
    case.told.certified = Some(case.certified(5, &[], 0));
    assert_eq!(described(&case.plan()), ["anchor 5"]);
}

#[test]
fn an_anchor_that_is_there_or_of_another_fork_is_left_alone_without_complaint() {
    let mut there = Case::new(5, [0, 0]);
    there.told.certified = Some(there.certified(5, &[], 0));
    let mut forked = Case::new(4, [0, 0]);
    let certified = forked.certified(5, &[], 0);
    forked.cardano.head.utxo.reference = at(8, 0);
    forked.told.certified = Some(certified);
    for case in [there, forked] {
        assert_eq!(case.plan(), Plan::default());
    }
}

#[test]
fn signatures_that_make_no_certificate_are_objected_to() {
    let first = |c: &mut CertifiedAnchor, slot| {
        let given = c.signatures.iter_mut().find(|slot| slot.is_some());
        *given.unwrap() = slot;
    };
    let changes: [&dyn Fn(&mut CertifiedAnchor); 3] = [
        &|c| first(c, None),
        &|c| first(c, Some(Signature([7; 64]))),
        &|c| c.anchor.state_root = Hash([3; 32]),
    ];
    for change in changes {
        let mut case = Case::new(4, [0, 0]);
        let mut certified = case.certified(5, &[], 0);
        change(&mut certified);
        case.told.certified = Some(certified);
        let planned = case.plan();
        assert_eq!(planned.steps, []);
        assert!(matches!(
            planned.objections[..],
            [Objection::NotCertified { seq: 5, .. }]
        ));
    }
}

#[test]
fn deposits_are_spread_over_the_poorest_shards_in_groups() {
    for (held, waiting, expected) in [
        (
            [0, 0],
            vec![(0, 500)],
            vec!["sweep of 1 deposits into shard 0"],
        ),
        (
            [9, 0],
            vec![(1, 500)],
            vec!["sweep of 1 deposits into shard 1"],
        ),
        (
            [0, 0],
            vec![(0, 500), (2, 60), (3, 70)],
            vec![
                "sweep of 1 deposits into shard 0",
                "sweep of 2 deposits into shard 1",
            ],
        ),
        (
            [5000, 0],
            (0..12).map(|n| (n, 5)).collect(),
            vec![
                "sweep of 10 deposits into shard 1",
                "sweep of 2 deposits into shard 1",
            ],
        ),
    ] {
        let case = Case::new(1, held)
            .credited(12, &waiting)
            .anchored(1, &[], 12);
        assert_eq!(described(&case.plan()), expected);
    }
}

#[test]
fn a_deposit_that_the_anchor_does_not_cover_waits() {
    // 3 is credited after the anchor; 200 never was.
    let case = Case::new(1, [0, 0])
        .credited(4, &[(3, 50), (200, 50)])
        .anchored(1, &[], 3);
    assert_eq!(case.plan(), Plan::default());
}

#[test]
fn a_deposit_that_no_shard_takes_is_named() {
    let mut case = Case::new(1, [0, 0])
        .credited(2, &[(0, 50), (1, 50)])
        .anchored(1, &[], 2);
    let token = AssetId::Native {
        policy: Hash28([7; 28]),
        name: vec![],
    };
    let output = &mut case.cardano.deposits.get_mut(&at(5, 0)).unwrap().output;
    output.value.set(token, 1);
    let output = &mut case.cardano.deposits.get_mut(&at(5, 1)).unwrap().output;
    output.script = Some(Script::plutus_v3(vec![0x40]));
    let planned = case.plan();
    assert_eq!(planned.steps, []);
    let named = [at(5, 0), at(5, 1)].map(|output| Objection::Unsweepable { output });
    assert_eq!(planned.objections, named);
}

#[test]
fn other_deposits_than_the_anchors_are_objected_to() {
    let mut case = Case::new(1, [0, 0])
        .credited(2, &[(0, 50)])
        .anchored(1, &[], 2);
    case.told.credited[1] = convert::reference(at(6, 6));
    let planned = case.plan();
    assert_eq!(planned.objections, [Objection::OtherDeposits { seq: 1 }]);
    assert_eq!(planned.steps, []);
}

#[test]
fn an_anchor_over_more_deposits_than_the_node_tells_of_is_objected_to_once_it_has_told_all() {
    let mut case = Case::new(1, [0, 0])
        .credited(2, &[(0, 50)])
        .anchored(1, &[], 2);
    case.told.anchors.get_mut(&1).unwrap().credited_count = 1_000_000;
    assert_eq!(case.plan(), Plan::default(), "there may be more to come");
    case.told.is_all_credited = true;
    let planned = case.plan();
    assert_eq!(planned.objections, [Objection::OtherDeposits { seq: 1 }]);
    assert_eq!(planned.steps, []);
}

#[test]
fn payments_are_made_in_each_shards_order_across_anchors() {
    let mut case = Case::new(2, [100, 100])
        .anchored(1, &[leaf(0, 0, 2), leaf(0, 1, 3), leaf(1, 7, 2)], 0)
        .anchored(2, &[leaf(0, 2, 4), leaf(0, 4, 2)], 0);
    case.cardano.shards.get_mut(&0).unwrap().datum.next_seq = 1;
    // Shard 1 waits for its payment 0, shard 0 has paid 0 and knows no 3.
    assert_eq!(
        described(&case.plan()),
        ["payment 1 of shard 0", "payment 2 of shard 0"]
    );
}

#[test]
fn leaves_that_the_anchor_does_not_stand_for_are_not_paid() {
    let mut case = Case::new(1, [100, 100]).anchored(1, &[leaf(0, 0, 2)], 0);
    case.told.anchors.get_mut(&1).unwrap().leaves = vec![leaf(0, 0, 99)];
    let planned = case.plan();
    assert_eq!(planned.steps, []);
    assert_eq!(planned.objections, [Objection::OtherLeaves { seq: 1 }]);
}

#[test]
fn a_payment_that_is_not_covered_holds_up_its_shard_alone() {
    let leaves = [leaf(0, 0, 6), leaf(0, 1, 5), leaf(0, 2, 1), leaf(1, 0, 1)];
    let case = Case::new(1, [10, 10]).anchored(1, &leaves, 0);
    let planned = case.plan();
    assert_eq!(
        described(&planned),
        ["payment 0 of shard 0", "payment 0 of shard 1"]
    );
    let (shard, seq) = (0, 1);
    assert_eq!(planned.objections, [Objection::Uncovered { shard, seq }]);
}

#[test]
fn a_payment_is_not_made_before_its_time() {
    let case = Case::new(1, [100, 100]).anchored(1, &[leaf(0, 0, 2)], 0);
    let early = plan(&case.bridge, &case.cardano, &case.told, TimeMs(NOW.0 - 1));
    assert_eq!(early, Plan::default());
    assert_eq!(described(&case.plan()), ["payment 0 of shard 0"]);
}
