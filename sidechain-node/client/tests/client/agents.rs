//! Agents that say what is not so.

use ed25519_dalek::SigningKey;
use nupeer_client::{AgentClient, ClientError, Logs, Signer};
use nupeer_lease::LeaseId;
use nupeer_primitives::{AccountId, Hash, Hash28, Numbered};
use serde_json::{Value, json};

use crate::played::{node, raw_with};

/// What comes of asking for output from byte 10 on, where `bytes` are the answer.
fn logs(bytes: Vec<u8>, headers: Value) -> Result<Logs, ClientError> {
    let url = node(move |_, path| {
        assert!(path.ends_with("/logs?from=10"), "{path}");
        raw_with(&bytes, headers.clone())
    });
    let account = AccountId::of_key(Hash28([3; 28]));
    let signer = Signer::new(account, SigningKey::from_bytes(&[4; 32]));
    AgentClient::new(&url, Hash([5; 32]), LeaseId(Hash([6; 32])), &signer).logs(10)
}

#[test]
fn a_part_of_a_log_ends_where_its_bytes_do() {
    let part = |headers: Value| logs(b"output".to_vec(), headers);
    for (headers, next) in [
        (json!({}), 16),
        (json!({ "nupeer-log-next": 16 }), 16),
        (json!({ "nupeer-log-from": 10, "nupeer-log-next": 16 }), 16),
        // Older output is gone.
        (json!({ "nupeer-log-from": 50, "nupeer-log-next": 56 }), 56),
    ] {
        let bytes = b"output".to_vec();
        assert_eq!(part(headers.clone()), Ok(Logs { bytes, next }), "{headers}");
    }
    // Asked for what is not written yet.
    let end = json!({ "nupeer-log-from": 7, "nupeer-log-next": 7 });
    let (bytes, next) = (vec![], 7);
    assert_eq!(logs(vec![], end), Ok(Logs { bytes, next }));
    for headers in [
        json!({ "nupeer-log-next": 11 }),
        json!({ "nupeer-log-next": 1_000 }),
        json!({ "nupeer-log-from": 50, "nupeer-log-next": 16 }),
        json!({ "nupeer-log-from": u64::MAX }),
        json!({ "nupeer-log-from": u64::MAX, "nupeer-log-next": u64::MAX }),
    ] {
        let refused = part(headers.clone()).unwrap_err();
        assert!(
            matches!(refused, ClientError::Malformed { .. }),
            "{headers}"
        );
        assert_eq!(refused.code().to_string(), "NP6201");
    }
}

#[test]
fn an_answer_of_an_agent_is_read_up_to_a_bound() {
    let answer = |bytes: usize| logs(vec![b'x'; bytes], json!({}));
    assert_eq!(answer(64 << 10).unwrap().bytes.len(), 64 << 10);
    let refused = answer(1 << 20).unwrap_err();
    assert!(
        matches!(&refused, ClientError::Malformed { expected, .. } if expected.contains("1048576")),
        "{refused}"
    );
}
