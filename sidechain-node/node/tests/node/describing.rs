//! `openapi.json` is true: every route of the sources is in it and none besides, and whatever it says of an answer was compared with one.

mod stage;

use std::{collections::BTreeSet, fs, path::Path};

use nupeer_lease::actions::Match;
use nupeer_node::api::{OPENAPI, Rate};
use nupeer_primitives::{CardanoNetwork, Hash};
use serde_json::Value;

use crate::support::{
    chain, described,
    http::{Answer, Served},
    is_final,
};
use stage::{Stage, TENANT, grant, transfer, withdraw};

/// What the description says and nobody can be made to answer: it takes a disk that fails.
const NEVER_SEEN: [(&str, &str, &str); 2] = [
    ("/healthz", "get", "default"),
    ("/metrics", "get", "default"),
];

fn document() -> Value {
    serde_json::from_str(OPENAPI).unwrap()
}

/// What was compared with the description: path, method, and the status under which it describes the answer.
#[derive(Default)]
struct Compared(BTreeSet<(String, String, String)>);

impl Compared {
    /// Compares an answer with what is said of it.
    fn compare(&mut self, path: &str, method: &str, answer: &Answer) {
        let document = document();
        let responses = &document["paths"][path][method]["responses"];
        let status = answer.status.to_string();
        let said = match responses[&status].is_object() {
            true => status,
            false => "default".to_owned(),
        };
        let content = &responses[&said]["content"][&answer.kind];
        assert!(
            content.is_object(),
            "{method} {path} answers {} as {}: not described",
            answer.status,
            answer.kind
        );
        if answer.kind == "application/json" {
            let at = format!("{method} {path} {said}");
            let found = described::differences(&at, &answer.json(), &content["schema"], &document);
            assert_eq!(found, Vec::<String>::new(), "{}", answer.body);
        }
        self.0.insert((path.into(), method.into(), said));
    }
}

/// All that the description says: path, method, status.
fn said() -> BTreeSet<(String, String, String)> {
    let mut said = BTreeSet::new();
    for (path, methods) in document()["paths"].as_object().unwrap() {
        for (method, asked) in methods.as_object().unwrap() {
            for status in asked["responses"].as_object().unwrap().keys() {
                said.insert((path.clone(), method.clone(), status.clone()));
            }
        }
    }
    said
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn whatever_is_said_of_an_answer_was_compared_with_one() {
    let stage = Stage::new().await;
    let (api, mut compared) = (&stage.api, Compared::default());
    // What changes something.
    let machine = stage.machine().await;
    let offer = stage.offer(machine, 0);
    let answer = api.post("/v1/offers", &offer.to_bytes()).await;
    assert_eq!(answer.status, 202, "{answer:?}");
    compared.compare("/v1/offers", "post", &answer);
    let lease = stage.request().await;
    let matched = Match {
        request: lease,
        offer,
    };
    let matched = nupeer_lease::Action::Match(Box::new(matched));
    stage.does(TENANT, matched).await;
    let open = stage.request().await;
    stage.does(TENANT, grant()).await;
    let withdrawal = stage.does(TENANT, withdraw()).await;
    let signed = stage.signed(TENANT, transfer());
    let bytes = signed.to_bytes();
    for (path, status) in [("/v1/transactions/check", 200), ("/v1/transactions", 202)] {
        let answer = api.post(path, &bytes).await;
        assert_eq!(answer.status, status, "{answer:?}");
        compared.compare(path, "post", &answer);
    }
    let id = signed.transaction.id();
    is_final(&stage.handle, &id).await;

    // What tells of it. Lists are not empty.
    let account = chain::account(TENANT).to_bech32(CardanoNetwork::Testnet);
    let deposit = format!("/v1/deposits/{}/0", Hash([1; 32]));
    for (path, asked, filled) in [
        ("/v1/status", "/v1/status".to_owned(), None),
        ("/v1/genesis", "/v1/genesis".to_owned(), None),
        ("/v1/blocks/{height}", "/v1/blocks/latest".to_owned(), None),
        (
            "/v1/accounts/{address}",
            format!("/v1/accounts/{account}?prove=ada"),
            Some("keys"),
        ),
        (
            "/v1/accounts/{address}",
            format!("/v1/accounts/{account}"),
            Some("withdrawals"),
        ),
        (
            "/v1/transactions/{id}",
            format!("/v1/transactions/{id}"),
            Some("events"),
        ),
        ("/v1/machines", "/v1/machines".to_owned(), Some("machines")),
        ("/v1/machines/{id}", format!("/v1/machines/{machine}"), None),
        (
            "/v1/machines/{id}/proof",
            format!("/v1/machines/{machine}/proof"),
            None,
        ),
        ("/v1/offers", "/v1/offers".to_owned(), Some("offers")),
        ("/v1/requests", "/v1/requests".to_owned(), Some("requests")),
        ("/v1/requests/{id}", format!("/v1/requests/{open}"), None),
        (
            "/v1/requests/{id}/proof",
            format!("/v1/requests/{open}/proof"),
            None,
        ),
        ("/v1/leases", "/v1/leases".to_owned(), Some("leases")),
        ("/v1/leases/{id}", format!("/v1/leases/{lease}"), None),
        (
            "/v1/leases/{id}/proof",
            format!("/v1/leases/{lease}/proof"),
            None,
        ),
        ("/v1/bridge", "/v1/bridge".to_owned(), Some("shards")),
        (
            "/v1/bridge/anchors/{seq}",
            "/v1/bridge/anchors/1".to_owned(),
            Some("signatures"),
        ),
        (
            "/v1/bridge/deposits",
            "/v1/bridge/deposits?limit=1".to_owned(),
            Some("deposits"),
        ),
        (
            "/v1/bridge/refused",
            "/v1/bridge/refused".to_owned(),
            Some("refused"),
        ),
        ("/v1/deposits/{transaction}/{index}", deposit, None),
        (
            "/v1/withdrawals",
            "/v1/withdrawals?limit=1".to_owned(),
            Some("withdrawals"),
        ),
        (
            "/v1/withdrawals/{id}",
            format!("/v1/withdrawals/{withdrawal}"),
            None,
        ),
        (
            "/v1/withdrawals/{id}/proof",
            format!("/v1/withdrawals/{withdrawal}/proof"),
            None,
        ),
        ("/v1/invariants", "/v1/invariants".to_owned(), None),
        ("/healthz", "/healthz".to_owned(), None),
        ("/metrics", "/metrics".to_owned(), None),
        ("/openapi.json", "/openapi.json".to_owned(), None),
    ] {
        let answer = api.get(&asked).await;
        assert_eq!(answer.status, 200, "{asked}: {answer:?}");
        compared.compare(path, "get", &answer);
        if let Some(name) = filled {
            let body = answer.json();
            let is_filled = body[name].as_array().is_some_and(|list| !list.is_empty());
            assert!(is_filled, "{asked}: {body}");
        }
    }
    stage.told.halt(Some("a rollback"));
    let answer = api.get("/healthz").await;
    assert_eq!(answer.status, 503, "{answer:?}");
    compared.compare("/healthz", "get", &answer);
    stage.told.halt(None);

    compared.0.insert(stream_is_as_described(&stage).await);
    for (path, method, refused) in refusals(&stage).await {
        compared.compare(&path, &method, &refused);
    }
    let never =
        NEVER_SEEN.map(|(path, method, status)| (path.into(), method.into(), status.into()));
    compared.0.extend(never);
    assert_eq!(compared.0, said());
    stage.end().await;
}

/// Every event of the stream so far, by the schema of its data.
async fn stream_is_as_described(stage: &Stage) -> (String, String, String) {
    let document = document();
    let ok = &document["paths"]["/v1/events"]["get"]["responses"]["200"];
    let schema = &ok["content"]["text/event-stream"]["schema"]["contentSchema"];
    let blocks = usize::try_from(stage.handle.status().unwrap().tip.height.0).unwrap();
    let mut kinds = BTreeSet::new();
    for block in stage.api.events("/v1/events?from=1", blocks).await {
        let found = described::differences("/v1/events", &block, schema, &document);
        assert_eq!(found, Vec::<String>::new(), "{block}");
        let own = block["events"].as_array().unwrap().iter();
        let transactions = block["transactions"].as_array().unwrap().iter();
        let of = transactions.flat_map(|one| one["events"].as_array().unwrap());
        kinds.extend(
            own.chain(of)
                .map(|event| event["kind"].as_str().unwrap().to_owned()),
        );
    }
    for kind in [
        "anchor_certified",
        "anchor_made",
        "anchor_signed",
        "deposit_credited",
        "deposit_refused",
        "key_granted",
        "machine_registered",
        "matched",
        "requested",
        "transferred",
        "withdrawal_requested",
    ] {
        assert!(kinds.contains(kind), "no {kind} in {kinds:?}");
    }
    ("/v1/events".into(), "get".into(), "200".into())
}

/// A refusal of each route that refuses anything: nobody may ask it just now.
async fn refusals(stage: &Stage) -> Vec<(String, String, Answer)> {
    let none = Rate {
        burst: 0.0,
        per_second: 0.0,
        spares_loopback: false,
    };
    let closed = Served::start(stage.handle.clone(), none).await;
    let mut refused = Vec::new();
    for (path, method, status) in said() {
        if status != "default" || !path.starts_with("/v1/") {
            continue;
        }
        let asked = filled(&path);
        let answer = match method.as_str() {
            "get" => closed.get(&asked).await,
            "post" => closed.post(&asked, b"1").await,
            other => panic!("{other} {path}: nobody asks that"),
        };
        assert_eq!(answer.refusal(), (429, "NP6118".to_owned()), "{asked}");
        refused.push((path, method, answer));
    }
    closed.end().await;
    refused
}

/// The path with something in the place of each parameter.
fn filled(path: &str) -> String {
    let parts = path.split('/');
    let parts: Vec<&str> = parts
        .map(|part| if part.starts_with('{') { "1" } else { part })
        .collect();
    parts.join("/")
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_listing_takes_the_parameters_that_are_described_and_no_other() {
    let stage = Stage::new().await;
    let account = chain::account(TENANT).to_bech32(CardanoNetwork::Testnet);
    let document = document();
    let queries = |path: &str| -> Vec<(String, bool)> {
        let asked = document["paths"][path]["get"]["parameters"].as_array();
        let parameters = asked.into_iter().flatten();
        parameters
            .filter(|parameter| parameter["in"] == "query")
            .map(|parameter| {
                let name = parameter["name"].as_str().unwrap().to_owned();
                (name, parameter["schema"]["type"] == "integer")
            })
            .collect()
    };
    let paths: Vec<String> = document["paths"]
        .as_object()
        .unwrap()
        .keys()
        .cloned()
        .collect();
    let all: BTreeSet<String> = paths
        .iter()
        .flat_map(|path| queries(path).into_iter().map(|(name, _)| name))
        .collect();
    assert!(all.len() >= 9, "{all:?}");
    let mut asked = 0;
    for path in paths {
        let known = queries(&path);
        // A stream does not end, and is asked with its parameter elsewhere.
        if known.is_empty() || path == "/v1/events" {
            continue;
        }
        for name in all.iter().map(String::as_str).chain(["colour"]) {
            let is_number = known.iter().find(|(known, _)| known == name);
            let value = match (name, is_number) {
                (_, Some((_, true))) => "1".to_owned(),
                ("owner" | "tenant" | "account", _) => account.clone(),
                ("signer", _) => "00".repeat(28),
                ("prove", _) => "ada".to_owned(),
                _ => "00".repeat(32),
            };
            let path = path.replace("{address}", &account);
            let answer = stage.api.get(&format!("{path}?{name}={value}")).await;
            let expected = if is_number.is_some() { 200 } else { 400 };
            assert_eq!(answer.status, expected, "{path}?{name}={value}: {answer:?}");
            asked += 1;
        }
    }
    assert!(asked >= 80, "{asked}");
    stage.end().await;
}

/// Method and path of each route in a source of the interface: `warp::path!("machines" / String)` behind `v1`, with `{}` for a parameter. A route that
/// is made for several names (`warp::path(path)`) stands for each `one("name"` of its source.
fn routes(source: &str) -> BTreeSet<(String, String)> {
    let code = source.split("#[cfg(test)]").next().unwrap_or_default();
    let names: Vec<&str> = code
        .split("one(\"")
        .skip(1)
        .filter_map(|rest| rest.split('"').next())
        .collect();
    let mut found = BTreeSet::new();
    for statement in code.split(';') {
        let Some((before, rest)) = statement.split_once("warp::path!(") else {
            continue;
        };
        let inside = rest.split(')').next().unwrap_or_default();
        let parts = inside.split('/').map(|part| match part.trim() {
            "String" => "{}",
            literal => literal.trim_matches('"'),
        });
        let path = parts.collect::<Vec<_>>().join("/");
        let method = match rest.contains("warp::post()") {
            true => "post",
            false => "get",
        };
        let version = if before.contains("v1") { "/v1" } else { "" };
        let paths = match before.contains("warp::path(path)") {
            true => names
                .iter()
                .map(|name| format!("{version}/{name}/{path}"))
                .collect(),
            false => vec![format!("{version}/{path}")],
        };
        found.extend(paths.into_iter().map(|path| (path, method.to_owned())));
    }
    found
}

#[test]
fn every_route_of_the_sources_is_described_and_no_other() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/api");
    let sources = fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().path());
    let sources = sources.filter(|path| path.extension().is_some_and(|end| end == "rs"));
    let in_code: BTreeSet<_> = sources
        .flat_map(|path| routes(&fs::read_to_string(path).unwrap()))
        .collect();
    let nameless = |path: &str| {
        let parts = path.split('/');
        let parts = parts.map(|part| if part.starts_with('{') { "{}" } else { part });
        parts.collect::<Vec<_>>().join("/")
    };
    let described: BTreeSet<_> = said()
        .into_iter()
        .map(|(path, method, _)| (nameless(&path), method))
        .collect();
    assert_eq!(in_code, described);
}

#[test]
fn routes_are_read_from_sources_as_they_are_written() {
    let source = r#"
        let a = v1
            .and(warp::path!("things" / String))
            .and(warp::get())
            .then(thing);
        let b = v1.and(warp::path!("things")).and(warp::post()).then(make);
        let c = warp::path!("free").and(warp::get()).then(free);
        let one = |path: &'static str| warp::path("v1").and(warp::path(path)).and(warp::path!(String / "proof")).and(warp::get());
        one("a").or(one("b"));
    "#;
    let expected = [
        ("/free", "get"),
        ("/v1/a/{}/proof", "get"),
        ("/v1/b/{}/proof", "get"),
        ("/v1/things", "post"),
        ("/v1/things/{}", "get"),
    ];
    let expected = expected.map(|(path, method)| (path.to_owned(), method.to_owned()));
    assert_eq!(routes(source), BTreeSet::from(expected));
}
