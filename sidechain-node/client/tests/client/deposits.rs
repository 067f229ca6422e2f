//! What a node says of a deposit, and what is no answer.

use nupeer_client::{Client, ClientError, DepositStatus};
use nupeer_primitives::{CardanoPoint, Hash, Height, Slot};
use serde_json::{Value, json};

use crate::played::{node, not_found};

const TRANSACTION: Hash = Hash([7; 32]);

fn asked(says: Value) -> Result<DepositStatus, ClientError> {
    let url = node(move |method, path| match (method, path) {
        ("GET", path) if path == format!("/v1/deposits/{TRANSACTION}/3") => (200, says.clone()),
        _ => not_found(),
    });
    Client::new([url]).deposit(&TRANSACTION, 3)
}

#[test]
fn each_state_of_a_deposit_is_told() {
    let (height, reason) = (Height(9), "it has no datum".to_owned());
    let point = CardanoPoint {
        slot: Slot(8),
        hash: Hash([6; 32]),
    };
    for (says, expected) in [
        (
            json!({ "state": "unknown", "cardano": null }),
            DepositStatus::Unknown { observed: None },
        ),
        (
            json!({ "state": "unknown", "cardano": point.to_string() }),
            DepositStatus::Unknown {
                observed: Some(point),
            },
        ),
        (
            json!({ "state": "seen", "depth": 4 }),
            DepositStatus::Seen { depth: 4 },
        ),
        (
            json!({ "state": "credited", "deposit": { "index": 5, "credited_height": 9, "swept": true } }),
            DepositStatus::Credited {
                index: 5,
                height,
                swept: true,
            },
        ),
        (
            json!({ "state": "refused", "refusal": { "refused_height": 9, "reason": reason } }),
            DepositStatus::Refused { height, reason },
        ),
    ] {
        assert_eq!(asked(says).unwrap(), expected);
    }
}

#[test]
fn an_answer_that_lacks_what_it_promises_is_none() {
    for (says, lacks) in [
        (json!({}), "state"),
        (json!({ "state": "lost" }), "state"),
        (json!({ "state": "unknown", "cardano": "8" }), "cardano"),
        (json!({ "state": "seen" }), "depth"),
        (json!({ "state": "credited", "deposit": null }), "index"),
        (
            json!({ "state": "refused", "refusal": { "refused_height": 9 } }),
            "reason",
        ),
    ] {
        let refused = asked(says).unwrap_err();
        let ClientError::Malformed { expected, .. } = refused else {
            panic!("{refused}")
        };
        assert!(expected.contains(lacks), "{expected}");
    }
}
