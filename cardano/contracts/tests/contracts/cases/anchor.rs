//! An anchor signed by three of four.

use nupeer_contracts::{Validator, redeemer};
use nupeer_outbox::{
    Anchor, Committee, Head, Value,
    anchor::AssetTotals,
    certificate::{Kind, Statement},
    leaf::PAYOUTS,
};
use nupeer_primitives::{Amount, AssetId, Hash, Height, Slot, TimeMs, plutus::Data};

use crate::harness::{
    Tx, World,
    tx::Mint,
    world::{COMMITTEE, HEAD, MINUTE_MS, NETWORK_MAGIC, NOW_MS, to_key},
};

pub(crate) const HEAD_OUT: usize = 0;
pub(crate) const ANCHOR_OUT: usize = 1;

/// An anchor before it is put into a transaction.
pub(crate) struct Case {
    pub(crate) committee: Committee,
    pub(crate) before: Head,
    pub(crate) anchor: Anchor,
    pub(crate) statement: Statement,
    pub(crate) slots: Vec<Vec<u8>>,
}

/// What the sidechain anchors.
pub(crate) fn anchor(outbox_root: Hash, credited_deposits_root: Hash) -> Anchor {
    let amount = |ada: u128| Amount::new(ada * 1_000_000);
    let totals = AssetTotals {
        liabilities: amount(5_000),
        paid: amount(120),
        swept: amount(4_000),
        unswept: amount(1_120),
    };
    Anchor {
        seq: 42,
        sidechain_height: Height(123_456),
        observed: (Slot(150_000_000), Hash([1; 32])),
        decided_until: Slot(149_990_000),
        outbox_roots: [(PAYOUTS, outbox_root)].into(),
        credited_deposits_root,
        state_root: Hash([4; 32]),
        assets: [(AssetId::Ada, totals)].into(),
    }
}

impl Case {
    /// Number 42, signed by the first three members.
    pub(crate) fn healthy(world: &World) -> Case {
        let committee = world.committee();
        let anchor = anchor(Hash([2; 32]), Hash([3; 32]));
        let before = Head {
            last_anchor_seq: 41,
            last_anchor_time: TimeMs(NOW_MS - 60 * MINUTE_MS),
        };
        let statement = Statement {
            network_magic: NETWORK_MAGIC,
            bridge_id: committee.bridge_id(),
            epoch: committee.epoch(),
            kind: Kind::Anchor,
            spent: HEAD,
            body_hash: anchor.body_hash(),
        };
        let slots = Vec::new();
        Case {
            committee,
            before,
            anchor,
            statement,
            slots,
        }
        .signed(world, &[0, 1, 2])
    }

    /// Signatures of these members over the statement, in their slots.
    pub(crate) fn signed(mut self, world: &World, members: &[usize]) -> Case {
        let digest = self.statement.digest();
        let slot = |member| {
            if members.contains(&member) {
                world.sign(member, &digest)
            } else {
                Vec::new()
            }
        };
        self.slots = (0..self.committee.keys().len()).map(slot).collect();
        self
    }

    /// The transaction.
    pub(crate) fn tx(self, world: &World) -> Tx {
        let nft = |asset| Value::lovelace(3_000_000).with(asset, Amount::new(1));
        let mut tx = world.transaction(&[Validator::Head]);
        let head = world.at(
            Validator::Head,
            nft(world.scripts.head_token()),
            self.before.to_data(),
        );
        tx.inputs.insert(HEAD, (head, None));
        let committee = nft(world.scripts.committee_token());
        tx.references.insert(
            COMMITTEE,
            world.at(Validator::Committee, committee, self.committee.to_data()),
        );
        let after = Head {
            last_anchor_seq: self.before.last_anchor_seq + 1,
            last_anchor_time: TimeMs(NOW_MS + 10 * MINUTE_MS),
        };
        tx.outputs = vec![
            world.at(
                Validator::Head,
                nft(world.scripts.head_token()),
                after.to_data(),
            ),
            world.at(
                Validator::Anchor,
                nft(world.scripts.anchor_token()),
                self.anchor.to_data(),
            ),
            to_key(95_000_000),
        ];
        let policy = world.scripts.hash(Validator::Head);
        let tokens = [(Vec::new(), 1)].into();
        tx.mint.insert(
            policy,
            Mint {
                tokens,
                redeemer: Some(redeemer::anchor_mint()),
            },
        );
        let slots = Data::List(self.slots.iter().map(Data::bytes).collect());
        let committee_ix = tx.reference_ix(&COMMITTEE) as i128;
        tx.redeem(&HEAD, Data::Constr(0, vec![Data::Int(committee_ix), slots]));
        tx
    }
}

/// The healthy transaction.
pub(crate) fn tx(world: &World) -> Tx {
    Case::healthy(world).tx(world)
}
