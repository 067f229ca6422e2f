//! An order that fails half-way: whatever holds an escrow by then is named, so that it comes back.

use serde_json::Value;

use crate::{
    asking::{does, nupeer, refusal},
    market::{Market, OWNER},
    validators::{Validators, address},
};

const DIGEST: &str = "sha256:0404040404040404040404040404040404040404040404040404040404040404";

#[test]
fn a_lease_whose_agent_does_not_answer_is_named_and_can_be_ended() {
    let folder = tempfile::tempdir().unwrap();
    let here = folder.path();
    let wallet = ["--json", "wallet", "new"];
    let made = does(&nupeer(here, "http://127.0.0.1:1", &wallet));
    let own = made["account"].as_str().unwrap();
    let credits = [
        format!("{own}=100ADA"),
        format!("{}=100ADA", address(OWNER)),
    ];
    let market = Market::open(Validators::make(&credits));
    let url = market.validators.url(0);
    let run = |args: &[&str]| nupeer(here, &url, args);
    market.client.post_offer(&market.offer(0, |_| {})).unwrap();
    let order = [
        "--json",
        "lease",
        "order",
        "--image",
        DIGEST,
        "--cpu",
        "0.2",
        "--memory",
        "64MiB",
        "--duration",
        "10m",
        "--escrow",
        "1ADA",
        "--price-max",
        "3.6ADA/h",
        "--yes",
        "--upload",
        "image.tar",
    ];

    // An image that is not there is noticed before anything is held.
    let (exit, said) = refusal(&run(&order));
    assert!(exit == 5 && said.contains("image.tar"), "{said}");
    let all = ["--json", "lease", "requests", "--tenant", own];
    assert_eq!(does(&run(&all))["requests"], Value::Array(vec![]));

    // The agent answers nowhere: the lease is there all the same.
    std::fs::write(here.join("image.tar"), "no archive").unwrap();
    let (exit, said) = refusal(&run(&order));
    assert_eq!(exit, 6, "{said}");
    let leases = does(&run(&["--json", "lease", "list"]));
    let lease = leases["leases"][0]["id"].as_str().unwrap().to_owned();
    for told in [
        format!("request {lease} holds 1.000000 ADA"),
        format!("lease {lease} holds it now"),
        format!("lease {lease} is yours and holds its escrow"),
        format!("nupeer lease close {lease}"),
    ] {
        assert!(said.contains(&told), "{told} is not in: {said}");
    }
    let closed = does(&run(&["--json", "lease", "close", &lease, "--yes"]));
    assert_eq!(
        (&closed["state"], &closed["refunded_lovelace"]),
        (&"closed".into(), &"1000000".into())
    );
}
