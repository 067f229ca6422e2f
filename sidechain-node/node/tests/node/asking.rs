//! What the HTTP interface refuses, each by its number, through its own routes.

use nupeer_node::api::{Rate, limits::BODY_BYTES_MAX};

use crate::support::{
    Cluster,
    chain::{self, Pay},
    height,
    http::Served,
    reaches,
};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_asked_wrongly_is_refused_by_its_number() {
    let cluster = Cluster::new(1, 1);
    let node = cluster.start(0).await.unwrap();
    let handle = node.handle();
    let next = height(&handle).next();
    reaches(&handle, next).await;
    let api = Served::start(handle.clone(), Rate::default()).await;
    let none = "00".repeat(32);
    let account = chain::account(0).to_bech32(handle.chain().cardano);
    for (request, status, code) in [
        ("GET /v1/nothing".to_owned(), 404, "NP6110"),
        ("GET /".to_owned(), 404, "NP6110"),
        ("GET /v1/offers/1".to_owned(), 404, "NP6110"),
        ("POST /v1/status".to_owned(), 405, "NP6111"),
        ("GET /v1/transactions".to_owned(), 405, "NP6111"),
        ("DELETE /healthz".to_owned(), 405, "NP6111"),
        ("POST /v1/transactions".to_owned(), 411, "NP6112"),
        ("POST /v1/transactions/check".to_owned(), 411, "NP6112"),
        ("POST /v1/offers".to_owned(), 411, "NP6112"),
        ("GET /v1/offers?color=red".to_owned(), 400, "NP6114"),
        ("GET /v1/leases?limit=many".to_owned(), 400, "NP6114"),
        ("GET /v1/events?from=x".to_owned(), 400, "NP6114"),
        (
            format!("GET /v1/accounts/{account}?proof=ada"),
            400,
            "NP6114",
        ),
        ("GET /v1/blocks/-1".to_owned(), 400, "NP6116"),
        ("GET /v1/transactions/00".to_owned(), 400, "NP6116"),
        ("GET /v1/machines/xyz".to_owned(), 400, "NP6116"),
        ("GET /v1/leases/xyz/proof".to_owned(), 400, "NP6116"),
        ("GET /v1/leases?owner=x".to_owned(), 400, "NP6116"),
        ("GET /v1/leases?after=7".to_owned(), 400, "NP6116"),
        ("GET /v1/bridge/anchors/one".to_owned(), 400, "NP6116"),
        (
            format!("GET /v1/accounts/{account}?signer=1"),
            400,
            "NP6116",
        ),
        (format!("GET /v1/accounts/{account}?prove=1"), 400, "NP6116"),
        ("GET /v1/leases?limit=0".to_owned(), 400, "NP6117"),
        ("GET /v1/machines?limit=101".to_owned(), 400, "NP6117"),
        ("GET /v1/withdrawals?limit=101".to_owned(), 400, "NP6117"),
        ("GET /v1/blocks/99999999".to_owned(), 404, "NP6121"),
        (format!("GET /v1/transactions/{none}"), 404, "NP6122"),
        (format!("GET /v1/machines/{none}"), 404, "NP6123"),
        (format!("GET /v1/requests/{none}"), 404, "NP6123"),
        (format!("GET /v1/leases/{none}"), 404, "NP6123"),
        (format!("GET /v1/withdrawals/{none}"), 404, "NP6124"),
        ("GET /v1/bridge/anchors/1".to_owned(), 404, "NP6125"),
        ("GET /v1/bridge".to_owned(), 404, "NP3010"),
        ("GET /v1/accounts/nonsense".to_owned(), 400, "NP1010"),
    ] {
        let answer = api.ask(&request, "", b"").await;
        assert_eq!(answer.refusal(), (status, code.to_owned()), "{request}");
    }
    let long = format!("content-length: {}\r\n", BODY_BYTES_MAX + 1);
    for request in ["POST /v1/transactions", "POST /v1/offers"] {
        let answer = api.ask(request, &long, b"").await;
        assert_eq!(answer.refusal(), (413, "NP6113".to_owned()), "{request}");
    }
    let answer = api.ask("GET /v1/events", "last-event-id: x\r\n", b"").await;
    assert_eq!(answer.refusal(), (400, "NP6115".to_owned()));
    let early = Pay::new(0, 0, 9).bytes(handle.chain());
    let answer = api.post("/v1/transactions", &early).await;
    assert_eq!(answer.refusal().0, 422, "{answer:?}");
    drop(handle);
    api.end().await;
    node.stop().await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_asks_too_often_is_refused_by_every_route_but_those_that_tell_how_the_node_is() {
    let cluster = Cluster::new(1, 1);
    let node = cluster.start(0).await.unwrap();
    let once = Rate {
        burst: 1.0,
        per_second: 0.0,
        spares_loopback: false,
    };
    let api = Served::start(node.handle(), once).await;
    assert_eq!(api.get("/v1/status").await.status, 200);
    let none = "00".repeat(32);
    for path in [
        "/v1/status".to_owned(),
        "/v1/genesis".to_owned(),
        "/v1/blocks/latest".to_owned(),
        format!("/v1/transactions/{none}"),
        "/v1/events".to_owned(),
        "/v1/machines".to_owned(),
        format!("/v1/leases/{none}/proof"),
        "/v1/withdrawals".to_owned(),
        "/v1/invariants".to_owned(),
    ] {
        let answer = api.get(&path).await;
        assert_eq!(answer.refusal(), (429, "NP6118".to_owned()), "{path}");
    }
    for path in ["/v1/transactions", "/v1/transactions/check", "/v1/offers"] {
        let answer = api.post(path, b"1").await;
        assert_eq!(answer.refusal(), (429, "NP6118".to_owned()), "{path}");
    }
    for path in ["/metrics", "/openapi.json"] {
        assert_eq!(api.get(path).await.status, 200, "{path}");
    }
    let health = api.get("/healthz").await;
    assert!(health.json()["healthy"].is_boolean(), "{health:?}");
    api.end().await;
    node.stop().await.unwrap();
}
