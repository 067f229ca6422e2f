//! The HTTP interface of a cluster: what `openapi.json` says is what is answered (all of it: `node/tests/node/describing.rs`), streams go on
//! where they were, and bad input has a precise answer.

use std::io::{BufRead, BufReader};

use serde_json::Value;

use crate::{
    described::differences,
    validators::{Validators, address, transfer, wait_until},
};

#[test]
fn the_description_is_true() {
    let mut validators = Validators::new(&[(1, 100)]);
    validators.start_all();
    (0..4).for_each(|index| validators.wait_for_height(index, 1));
    let transaction = transfer(&validators.chain, 1, 2, 0, 1_000_000);
    let id = transaction.transaction.id().to_string();
    assert!(validators.submit(0, &transaction));
    wait_until("final", || validators.is_final(0, &id));
    let document = validators.get(0, "/openapi.json").unwrap();
    let absent = |kind: &str| format!("/v1/{kind}/{}/proof", "00".repeat(32));
    for (path, asked) in [
        ("/v1/status", "/v1/status".to_owned()),
        ("/v1/genesis", "/v1/genesis".to_owned()),
        ("/v1/blocks/{height}", "/v1/blocks/latest".to_owned()),
        (
            "/v1/accounts/{address}",
            format!("/v1/accounts/{}?prove=ada", address(2)),
        ),
        ("/v1/transactions/{id}", format!("/v1/transactions/{id}")),
        ("/v1/withdrawals", "/v1/withdrawals?limit=1".to_owned()),
        ("/v1/bridge/deposits", "/v1/bridge/deposits".to_owned()),
        ("/v1/bridge/refused", "/v1/bridge/refused".to_owned()),
        ("/v1/invariants", "/v1/invariants".to_owned()),
        ("/v1/machines/{id}/proof", absent("machines")),
        ("/v1/requests/{id}/proof", absent("requests")),
        ("/v1/leases/{id}/proof", absent("leases")),
        ("/v1/withdrawals/{id}/proof", absent("withdrawals")),
        ("/healthz", "/healthz".to_owned()),
        ("/openapi.json", "/openapi.json".to_owned()),
    ] {
        let answer = validators
            .get(0, &asked)
            .unwrap_or_else(|| panic!("{asked}"));
        let schema = &document["paths"][path]["get"]["responses"]["200"]["content"]["application/json"]
            ["schema"];
        assert!(schema.is_object(), "{path} is not described");
        assert_eq!(
            differences(path, &answer, schema, &document),
            Vec::<String>::new()
        );
    }
    let checks = "/v1/transactions/check";
    let next = transfer(&validators.chain, 1, 2, 1, 1_000_000).to_bytes();
    let (status, answer) = validators.post_to(0, checks, &next);
    let schema = &document["paths"][checks]["post"]["responses"]["200"]["content"]["application/json"]
        ["schema"];
    assert!(schema.is_object(), "{checks} is not described");
    assert_eq!(status, 200, "{answer}");
    let differing = differences(checks, &answer, schema, &document);
    assert_eq!(differing, Vec::<String>::new());
    let metrics = validators.text(0, "/metrics");
    assert!(metrics.contains("\nnupeer_height "), "{metrics}");
}

#[test]
fn bad_input_has_a_precise_answer() {
    let mut validators = Validators::new(&[(1, 100)]);
    validators.start_all();
    (0..4).for_each(|index| validators.wait_for_height(index, 1));
    let good = transfer(&validators.chain, 1, 2, 0, 1_000_000).to_bytes();
    let poor = transfer(&validators.chain, 1, 2, 0, 1_000_000_000_000).to_bytes();
    let early = transfer(&validators.chain, 1, 2, 9, 1_000_000).to_bytes();
    let long_form = [&[0x9f], &good[1..], &[0xff]].concat();
    for (body, status, code) in [
        (good[..good.len() - 1].to_vec(), 422, "NP1002"),
        (long_form, 422, "NP1003"),
        (vec![0x82; 20_000], 422, "NP1001"),
        (poor, 422, "NP2001"),
        (early, 422, "NP2005"),
        (vec![0x82; 70_000], 413, "NP6113"),
        (good, 202, ""),
    ] {
        let (answered, answer) = validators.post(0, &body);
        assert_eq!(
            (answered, answer["error"]["code"].as_str().unwrap_or("")),
            (status, code),
            "{answer}"
        );
    }
    // Asked about before it is signed, a transaction is refused for the same reasons, and taken by nobody.
    let second = |lovelace| {
        let mut signed = transfer(&validators.chain, 1, 2, 1, lovelace);
        signed.witness = signed.witness.blank();
        signed.to_bytes()
    };
    for (body, status, code) in [
        (second(1_000_000), 200, ""),
        (second(1_000_000), 200, ""),
        (second(1_000_000_000_000), 422, "NP2001"),
        (vec![0x82; 20_000], 422, "NP1001"),
        (vec![0x82; 70_000], 413, "NP6113"),
    ] {
        let (answered, answer) = validators.post_to(0, "/v1/transactions/check", &body);
        let code_told = answer["error"]["code"].as_str().unwrap_or("");
        assert_eq!((answered, code_told), (status, code), "{answer}");
    }
    let (answered, answer) = validators.post(0, &second(1_000_000));
    assert_eq!(
        (answered, &answer["error"]["code"]),
        (422, &"NP2103".into())
    );
    for (path, status) in [
        (
            "/v1/accounts/addr_test1vz2fxv2umyhttkxyxp8x0dlpdt3k6cwng5pxj3jhsydzerspjrlsz",
            400,
        ),
        ("/v1/accounts/nonsense", 400),
        ("/v1/blocks/99999999", 404),
        ("/v1/blocks/-1", 400),
        ("/v1/transactions/00", 400),
        ("/v1/nothing", 404),
        ("/v1/events?from=x", 400),
    ] {
        assert_eq!(validators.status_of(0, path), status, "{path}");
    }
}

#[test]
fn a_stream_goes_on_where_it_was_even_after_a_restart() {
    let mut validators = Validators::new(&[(1, 100)]);
    validators.start_all();
    (0..4).for_each(|index| validators.wait_for_height(index, 1));
    let transaction = transfer(&validators.chain, 1, 2, 0, 1_000_000);
    let id = transaction.transaction.id().to_string();
    assert!(validators.submit(0, &transaction));
    wait_until("final", || validators.is_final(0, &id));
    let last = validators.height(0).unwrap();
    // A node that was restarted remembers nothing in memory: what it streams comes from its store.
    validators.kill(0);
    validators.start(0);
    validators.wait_for_height(0, last);
    let stream = validators.open(0, "/v1/events?from=1");
    let data = BufReader::new(stream).lines().map_while(Result::ok);
    let blocks = data
        .filter_map(|line| serde_json::from_str::<Value>(line.strip_prefix("data:")?.trim()).ok());
    let blocks: Vec<Value> = blocks.take(last as usize + 2).collect();
    let heights: Vec<u64> = blocks
        .iter()
        .filter_map(|block| block["height"].as_u64())
        .collect();
    assert_eq!(
        heights,
        (1..=last + 2).collect::<Vec<_>>(),
        "each height once, in order, and on into new blocks"
    );
    let events = blocks
        .iter()
        .flat_map(|block| block["transactions"].as_array().unwrap().clone());
    let ours: Vec<Value> = events
        .filter(|transaction| transaction["id"] == id.as_str())
        .collect();
    assert_eq!(ours.len(), 1);
    assert_eq!(ours[0]["events"][0]["kind"], "transferred");
}
