//! What the sidechain says of its bridge, as a node answers it. None of it is believed: an anchor counts by its certificate or by
//! its datum on Cardano, leaves and deposits by the roots in that datum.

use std::collections::BTreeMap;

use nupeer_cardano_client as client;
use nupeer_outbox::{
    Anchor, Committee, Leaf, OutputReference,
    certificate::{Certificate, CertificateError, Statement},
    leaf::PAYOUTS,
    merkle::{EMPTY_ROOT, Tree},
};
use nupeer_primitives::{Signature, plutus::Data};
use serde_json::Value;

use crate::convert;

/// An anchor that the committee certified, with what is under its roots.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CertifiedAnchor {
    /// What it says.
    pub anchor: Anchor,
    /// The head that it spends.
    pub spends: OutputReference,
    /// Signatures in the committee's order.
    pub signatures: Vec<Option<Signature>>,
    /// Payments, in the order of its tree.
    pub leaves: Vec<Leaf>,
    /// How many deposits were credited by then, in order of credit.
    pub credited_count: u64,
}

/// What a node says of the bridge.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct BridgeState {
    /// The last certified anchor.
    pub certified: Option<CertifiedAnchor>,
    /// Anchors on Cardano of which there may still be something to do, by number.
    pub anchors: BTreeMap<u64, CertifiedAnchor>,
    /// Credited deposits, in order of credit.
    pub credited: Vec<OutputReference>,
    /// Whether those are all of which the node tells.
    pub is_all_credited: bool,
}

/// An answer that lacks something.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the node's answer has no proper {field}")]
pub struct Lacks {
    /// The field.
    pub field: &'static str,
}

impl CertifiedAnchor {
    /// Reads `anchors.certified` of `GET /v1/bridge`, or `GET /v1/bridge/anchors/{seq}`.
    pub fn from_json(value: &Value) -> Result<Self, Lacks> {
        let anchor = data(&value["datum_cbor"]).and_then(|data| Anchor::from_data(&data).ok());
        let leaves = value["leaves"].as_array().and_then(|leaves| {
            let leaf = |value| data(value).and_then(|data| Leaf::from_data(&data).ok());
            leaves.iter().map(leaf).collect::<Option<Vec<_>>>()
        });
        let signatures = value["signatures"].as_array();
        let signatures =
            signatures.and_then(|all| all.iter().map(signature).collect::<Option<Vec<_>>>());
        let lacks = |field| Lacks { field };
        Ok(CertifiedAnchor {
            anchor: anchor.ok_or(lacks("datum_cbor"))?,
            spends: reference(&value["spends"]).ok_or(lacks("spends"))?,
            signatures: signatures.ok_or(lacks("signatures"))?,
            leaves: leaves.ok_or(lacks("leaves"))?,
            credited_count: value["credited_count"]
                .as_u64()
                .ok_or(lacks("credited_count"))?,
        })
    }

    /// The certificate over `statement`, if these signatures are of that committee's members over it.
    pub fn certificate(
        &self,
        committee: &Committee,
        statement: &Statement,
    ) -> Result<Certificate, CertificateError> {
        let slots = committee.keys().iter().zip(&self.signatures);
        let given = slots.filter_map(|(key, signature)| Some((*key, (*signature)?)));
        Certificate::assemble(committee, &statement.digest(), given)
    }

    /// The tree of its leaves.
    pub fn tree(&self) -> Tree {
        Tree::new(self.leaves.iter().map(Leaf::hash).collect())
    }

    /// Whether these are the payments that `anchor` stands for.
    pub fn has_the_leaves_of(&self, anchor: &Anchor) -> bool {
        let root = anchor.outbox_roots.get(&PAYOUTS).copied();
        self.tree().root() == root.unwrap_or(EMPTY_ROOT)
    }
}

/// Plutus data in hexadecimal.
fn data(value: &Value) -> Option<Data> {
    Data::from_cbor(&hex::decode(value.as_str()?).ok()?).ok()
}

/// A signature in hexadecimal, or none; nothing else.
fn signature(value: &Value) -> Option<Option<Signature>> {
    if value.is_null() {
        return Some(None);
    }
    let bytes = hex::decode(value.as_str()?).ok()?;
    Some(Some(Signature(bytes.try_into().ok()?)))
}

/// An output as `transaction#index`.
pub fn reference(value: &Value) -> Option<OutputReference> {
    let parsed: client::OutputReference = value.as_str()?.parse().ok()?;
    Some(convert::reference(parsed))
}

#[cfg(test)]
mod tests {
    use nupeer_outbox::{Address, Output, Value as Held};
    use nupeer_primitives::{Credential, Hash, Hash28, Height, Slot, TimeMs};
    use serde_json::json;

    use super::*;

    fn answer() -> (Anchor, Leaf, Value) {
        let output = Output {
            address: Address::enterprise(Credential::Key(Hash28([1; 28]))),
            value: Held::lovelace(5),
            datum: None,
        };
        let leaf = Leaf::new(1, 7, TimeMs(0), vec![output]).unwrap();
        let anchor = Anchor {
            seq: 3,
            sidechain_height: Height(9),
            observed: (Slot(4), Hash([5; 32])),
            decided_until: Slot(2),
            outbox_roots: [(PAYOUTS, leaf.hash())].into(),
            credited_deposits_root: Hash([6; 32]),
            state_root: Hash([7; 32]),
            assets: BTreeMap::new(),
        };
        let value = json!({
            "seq": 3, "height": 9, "datum_cbor": hex::encode(anchor.to_data().to_cbor()),
            "spends": format!("{}#0", "ab".repeat(32)),
            "signatures": [null, "cd".repeat(64)],
            "leaves": [hex::encode(leaf.to_data().to_cbor())], "credited_count": 12,
        });
        (anchor, leaf, value)
    }

    #[test]
    fn an_answer_is_read_whole() {
        let (anchor, leaf, value) = answer();
        let read = CertifiedAnchor::from_json(&value).unwrap();
        assert!(read.has_the_leaves_of(&anchor));
        assert_eq!((read.anchor, read.leaves), (anchor, vec![leaf]));
        assert_eq!(read.signatures, [None, Some(Signature([0xcd; 64]))]);
        assert_eq!(read.credited_count, 12);
    }

    #[test]
    fn an_answer_that_lacks_something_is_refused_by_name() {
        for (field, broken) in [
            ("datum_cbor", json!("80")),
            ("spends", json!("ab#0")),
            ("signatures", json!(["00"])),
            ("leaves", json!([null])),
            ("credited_count", json!("12")),
        ] {
            let (_, _, mut value) = answer();
            value[field] = broken;
            assert_eq!(CertifiedAnchor::from_json(&value), Err(Lacks { field }));
        }
    }

    #[test]
    fn leaves_of_another_anchor_are_noticed() {
        let (mut anchor, _, value) = answer();
        anchor.outbox_roots.insert(PAYOUTS, Hash([1; 32]));
        let read = CertifiedAnchor::from_json(&value).unwrap();
        assert!(!read.has_the_leaves_of(&anchor));
    }
}
