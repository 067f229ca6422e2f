//! The market on the command line: session keys, orders, matches by hand, and why there is no match.

use serde_json::Value;

use crate::{
    asking::{does, nupeer, refusal},
    market::{Market, OWNER, public},
    validators::{Validators, address},
};

/// What a command shows and proves: a record of this kind, or that there is none.
fn is_proven(shown: &Value, record: &str, there: bool) {
    assert_eq!(
        (&shown["record"], &shown["there"], &shown["proven"]),
        (&record.into(), &there.into(), &true.into()),
        "{shown}"
    );
    assert!(shown["height"].as_u64() >= Some(1), "{shown}");
    assert!(shown["signers"].as_u64() >= Some(3), "three of four decide");
}

const DIGEST: &str = "sha256:0404040404040404040404040404040404040404040404040404040404040404";

fn order<'a>(price_max: &'a str, extra: &[&'a str]) -> Vec<&'a str> {
    let mut args = vec![
        "--json", "lease", "order", "--image", DIGEST, "--cpu", "0.2",
    ];
    args.extend(["--memory", "64MiB", "--port", "8080", "--duration", "10m"]);
    args.extend(["--escrow", "1ADA", "--price-max", price_max, "--yes"]);
    args.extend(extra);
    args
}

#[test]
fn a_session_key_orders_a_lease_within_its_budget_and_no_match_says_why() {
    let folder = tempfile::tempdir().unwrap();
    let here = folder.path();
    let made = does(&nupeer(
        here,
        "http://127.0.0.1:1",
        &["--json", "wallet", "new"],
    ));
    let own = made["account"].as_str().unwrap();
    let credits = [
        format!("{own}=100ADA"),
        format!("{}=100ADA", address(OWNER)),
    ];
    let market = Market::open(Validators::make(&credits));
    let url = market.validators.url(0);
    let run = |args: &[&str]| nupeer(here, &url, args);

    let new = [
        "--json",
        "wallet",
        "session",
        "new",
        "--budget",
        "3ADA",
        "--expires",
        "10m",
        "--yes",
    ];
    let session = does(&run(&new));
    assert_eq!(session["scope"], "lease");
    let again = refusal(&run(&new));
    assert_eq!(again.0, 3, "an existing file is never overwritten");
    let shown = does(&run(&[
        "--json",
        "wallet",
        "session",
        "show",
        "session.json",
    ]));
    assert_eq!(shown["budget_lovelace"], "3000000");

    // Nobody offers anything; then somebody does, for more.
    let with = ["--session", "session.json"];
    let (exit, said) = refusal(&run(&order("1ADA/h", &with)));
    assert_eq!(exit, 8, "{said}");
    market.client.post_offer(&market.offer(0, |_| {})).unwrap();
    let (exit, said) = refusal(&run(&order("1ADA/h", &with)));
    assert!(exit == 8 && said.contains("NP4057"), "{said}");
    let listed = does(&run(&["--json", "lease", "requests"]));
    assert_eq!(listed["requests"], Value::Array(vec![]), "nothing was held");

    let ordered = does(&run(&order("3.6ADA/h", &with)));
    let lease = ordered["lease"].as_str().unwrap();
    assert_eq!(ordered["machine"], market.machine.to_string());
    let shown = does(&run(&["--json", "lease", "show", &lease[..8]]));
    assert_eq!(shown["state"], "reserved");
    assert_eq!(shown["resources"]["pids"], 32);
    let mine = does(&run(&[
        "--json",
        "lease",
        "list",
        "--session",
        "session.json",
    ]));
    assert_eq!(mine["leases"][0]["id"], lease);

    // A budget is a budget: what is over it is refused, though the account has more.
    let top_up = |amount| {
        run(&[
            "lease",
            "top-up",
            lease,
            amount,
            "--session",
            "session.json",
            "--yes",
        ])
    };
    let (exit, said) = refusal(&top_up("5ADA"));
    assert!(exit == 3 && said.contains("error NP20"), "{said}");
    assert!(top_up("1ADA").status.success());
    // Nor does it do what it was not granted.
    let withdraw = [
        "machine",
        "withdraw",
        &market.machine.to_string(),
        "--session",
        "session.json",
        "--yes",
    ];
    let (exit, said) = refusal(&run(&withdraw));
    assert!(exit == 3 && said.contains("error NP20"), "{said}");

    // No agent answers; a tenant can close all the same, and has everything back.
    let (exit, _) = refusal(&run(&[
        "lease",
        "status",
        lease,
        "--session",
        "session.json",
    ]));
    assert_eq!(exit, 6);
    let close = [
        "--json",
        "lease",
        "close",
        lease,
        "--session",
        "session.json",
        "--yes",
    ];
    let closed = does(&run(&close));
    assert_eq!(
        (&closed["state"], &closed["refunded_lovelace"]),
        (&"closed".into(), &"2000000".into())
    );
    let again = does(&run(&close));
    assert_eq!(
        (&again["state"], &again["status"]),
        (&"closed".into(), &"already".into())
    );
}

#[test]
fn a_request_is_matched_or_cancelled_by_hand() {
    let folder = tempfile::tempdir().unwrap();
    let here = folder.path();
    let made = does(&nupeer(
        here,
        "http://127.0.0.1:1",
        &["--json", "wallet", "new"],
    ));
    let own = made["account"].as_str().unwrap();
    let credits = [
        format!("{own}=100ADA"),
        format!("{}=100ADA", address(OWNER)),
    ];
    let market = Market::open(Validators::make(&credits));
    let url = market.validators.url(0);
    let run = |args: &[&str]| nupeer(here, &url, args);
    let ask = || {
        let mut args = order("3.6ADA/h", &[]);
        args[2] = "request";
        does(&run(&args))["request"].as_str().unwrap().to_owned()
    };
    let (first, second) = (ask(), ask());
    let (exit, _) = refusal(&run(&["lease", "match", &first, "--yes"]));
    assert_eq!(exit, 8);
    let offer = market.offer(0, |_| {});
    let id = market.client.post_offer(&offer).unwrap().to_string();
    let listed = does(&run(&["--json", "offer", "list"]));
    assert_eq!(listed["offers"][0]["id"], id);
    let matched = does(&run(&[
        "--json",
        "lease",
        "match",
        &first,
        "--offer",
        &id[..9],
        "--yes",
    ]));
    assert_eq!(
        (matched["lease"].as_str(), matched["offer"].as_str()),
        (Some(&*first), Some(&*id))
    );
    // The offer was for one lease.
    let (exit, _) = refusal(&run(&["lease", "match", &second, "--yes"]));
    assert_eq!(exit, 8);
    does(&run(&["--json", "lease", "cancel", &second, "--yes"]));
    let shown = does(&run(&["--json", "lease", "show", &second]));
    assert_eq!(shown["state"], "cancelled");
    let (exit, said) = refusal(&run(&["lease", "match", &second, "--yes"]));
    assert!(exit == 8 || said.contains("NP4035"), "{said}");

    let machines = does(&run(&[
        "--json",
        "machine",
        "list",
        "--owner",
        &address(OWNER),
    ]));
    assert_eq!(machines["machines"][0]["leases_open"], 1);
    let operator = hex::encode(public(77).0);
    let allowed = [
        "--json", "machine", "allow", &operator, "--budget", "60ADA", "--yes",
    ];
    assert_eq!(does(&run(&allowed))["key"], public(77).hash().to_string());
    let account = does(&run(&["--json", "account", own]));
    assert_eq!(account["keys"][0]["scope"], "machine");
}

#[test]
fn a_machine_a_lease_a_request_or_that_there_is_none_is_proven_against_the_genesis() {
    let folder = tempfile::tempdir().unwrap();
    let market = Market::new();
    let (lease, open) = (
        market.leased(&market.offer(0, |_| {})),
        market.requested().to_string(),
    );
    let (lease, machine) = (lease.to_string(), market.machine.to_string());
    let (url, genesis) = (market.validators.url(0), &market.validators.genesis);
    let genesis = genesis.to_str().unwrap();
    let run = |args: &[&str]| nupeer(folder.path(), &url, args);
    let prove =
        |what: &str, id: &str| does(&run(&["--json", what, "show", id, "--prove", genesis]));
    let kept = |path: String| market.validators.get(0, &path).unwrap()["record_cbor"].clone();

    let shown = prove("machine", &machine);
    is_proven(&shown, "machine", true);
    assert_eq!(
        (&shown["owner"], &shown["leases_open"]),
        (&address(OWNER).into(), &1.into())
    );
    assert_eq!(
        shown["record_cbor"],
        kept(format!("/v1/machines/{machine}"))
    );
    let shown = prove("lease", &lease);
    is_proven(&shown, "lease", true);
    assert_eq!(
        (&shown["state"], &shown["machine"]),
        (&"reserved".into(), &machine.as_str().into())
    );
    assert_eq!(shown["record_cbor"], kept(format!("/v1/leases/{lease}")));
    assert!(
        shown.get("endpoint").is_none(),
        "not of the lease's record, so not proven"
    );
    let shown = prove("lease", &open);
    is_proven(&shown, "request", true);
    assert_eq!(shown["state"], "open");

    let nothing = "77".repeat(32);
    for (what, record) in [
        ("machine", "machine"),
        ("lease", "lease"),
        ("withdraw", "withdrawal"),
    ] {
        let shown = prove(what, &nothing);
        is_proven(&shown, record, false);
        assert_eq!(shown["id"], nothing.as_str());
    }
    let said = run(&["lease", "show", &nothing, "--prove", genesis]);
    let said = String::from_utf8(said.stdout).unwrap();
    for words in [
        format!("no lease {nothing}"),
        format!("no request {nothing}"),
        "proven at height ".into(),
    ] {
        assert!(said.contains(&words), "{said}");
    }
    // Which record the beginning of an id means, a node would say.
    let (exit, _) = refusal(&run(&[
        "machine",
        "show",
        &machine[..8],
        "--prove",
        genesis,
    ]));
    assert_eq!(exit, 2);
}
