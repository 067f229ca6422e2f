//! What must be true of every report, however the story went: the balances are those of a story that nobody disturbed, to the
//! lovelace, on both ledgers.

use serde_json::Value;

const ADA: u64 = 1_000_000;
/// What people get from the faucet, bring to the sidechain, promise and take back; as the story has it.
const TENANT: (u64, u64) = (600 * ADA, 500 * ADA);
const OWNER: (u64, u64) = (300 * ADA, 80 * ADA);
const BOND: u64 = 50 * ADA;
const ESCROW: u64 = 8 * ADA;
const WITHDRAWAL: u64 = 10 * ADA;
/// What the owner asks for an hour of a lease.
const PRICE: u64 = 30 * ADA;
const HOUR_MS: u64 = 3_600_000;
/// The tenant signs for six seconds; what their client signed last may be a little older.
const ATTENDED_MS_MIN: u64 = 3_000;
/// Blocks on top of a deposit that is credited.
const K: u64 = 12;
/// How long the story may take on two cores, in seconds.
const STORY_S: f64 = 120.0;

fn lovelace(report: &Value, pointer: &str) -> u64 {
    let amount = report.pointer(pointer).and_then(Value::as_u64);
    amount.unwrap_or_else(|| panic!("{pointer} in {report}"))
}

/// All that is promised.
pub(crate) fn check(report: &Value) {
    network_and_cardano(report);
    lease(report);
    nothing_is_lost_and_nothing_happens_twice(report);
    tenant(report);
    owner(report);
    pots_and_vault(report);
}

fn network_and_cardano(report: &Value) {
    assert_eq!(report["network"]["validators"], 4);
    for promise in [
        "/network/all_agree",
        "/invariants/conservation",
        "/invariants/solvency",
    ] {
        assert_eq!(report.pointer(promise), Some(&true.into()), "{promise}");
    }
    let cardano = &report["cardano"];
    assert_eq!(cardano["deposit"]["lovelace"], TENANT.1);
    let deposit = hash(cardano, "/deposit/tx");
    assert_eq!(ids(report, "deposit, tenant"), [deposit]);
    assert!(lovelace(cardano, "/deposit/depth_at_credit") >= K);
    assert!(lovelace(cardano, "/deposit/depth_named") >= K, "{cardano}");
    assert_eq!(cardano["rolled_back_deposit"]["credited"], false);
    assert!(lovelace(cardano, "/anchor/signers") >= 3);
    assert_eq!(cardano["payout"]["lovelace"], WITHDRAWAL);
    for what in ["anchor", "payout"] {
        let tx = hash(cardano, &format!("/{what}/tx"));
        assert_eq!(ids(report, what), [tx]);
        for cost in ["cpu", "mem", "size", "fee"] {
            let cost = format!("/{what}/{cost}");
            assert!(lovelace(cardano, &cost) > 0, "{cost} in {cardano}");
        }
    }
    assert!(lovelace(cardano, "/anchor/seq") > 0, "{cardano}");
    hash(cardano, "/rolled_back_deposit/tx");
    let deployment = named(report, |what| what.starts_with("deploy, "));
    assert!(deployment.len() >= 2, "{cardano}");
    for what in [
        "lost deposit",
        "what replaced it",
        "anchor",
        "payout",
        "sweep",
    ] {
        assert_eq!(named(report, |name| name == what).len(), 1, "{what}");
    }
}

/// An id of 64 hexadecimal digits.
fn hash(value: &Value, pointer: &str) -> String {
    let id = value.pointer(pointer).and_then(Value::as_str);
    let id = id.unwrap_or_else(|| panic!("{pointer} in {value}"));
    let is_id = id.len() == 64 && id.bytes().all(|byte| byte.is_ascii_hexdigit());
    assert!(is_id, "{pointer} in {value}");
    id.to_owned()
}

/// Ids of the Cardano transactions with this name.
fn ids(report: &Value, what: &str) -> Vec<String> {
    let all = report["cardano"]["transactions"].as_array().unwrap().iter();
    let found = all.filter(|transaction| transaction["what"] == what);
    found.map(|found| hash(found, "/tx")).collect()
}

/// Fees of the Cardano transactions with such names.
fn named(report: &Value, is: impl Fn(&str) -> bool) -> Vec<u64> {
    let all = report["cardano"]["transactions"].as_array().unwrap().iter();
    let found = all.filter(|transaction| is(transaction["what"].as_str().unwrap()));
    found
        .map(|transaction| lovelace(transaction, "/fee"))
        .collect()
}

fn lease(report: &Value) {
    let lease = &report["lease"];
    let (paid, fee) = (
        lovelace(lease, "/paid_lovelace"),
        lovelace(lease, "/protocol_fee_lovelace"),
    );
    // 10 % of the whole, rounded down.
    assert_eq!((paid + fee) / 10, fee, "{lease}");
    assert_eq!(paid + fee + lovelace(lease, "/refund_lovelace"), ESCROW);
    // What ran is what is paid for: each millisecond that was metered, rounded down to a lovelace.
    let metered_ms = (seconds(report, "/lease/metered_s") * 1000.0).round() as u64;
    assert_eq!(paid + fee, PRICE * metered_ms / HOUR_MS, "{lease}");
    assert!(paid > 0 && metered_ms >= ATTENDED_MS_MIN, "{lease}");
    hash(lease, "/id");
    assert_eq!(lease["driver"], "libcontainer");
    assert_eq!(lease["limits"]["cpu_milli"], 200);
    assert_eq!(lease["limits"]["memory_bytes"], 64 << 20);
    assert_eq!(lease["limits"]["pids_max"], 32);
}

fn seconds(report: &Value, pointer: &str) -> f64 {
    let seconds = report.pointer(pointer).and_then(Value::as_f64);
    seconds.unwrap_or_else(|| panic!("{pointer} in {report}"))
}

/// The contract's own limit, for a story that nobody disturbs.
pub(crate) fn in_time(report: &Value) {
    // nextest gives this test the machine (.config/nextest.toml); cargo test plays other stories beside it.
    let beside = match std::env::var_os("NEXTEST") {
        Some(_) => 1.0,
        None => 3.0,
    };
    let elapsed_s = seconds(report, "/elapsed_s");
    assert!(elapsed_s <= STORY_S * beside, "{elapsed_s} s: {report}");
    let first_byte_ms = seconds(report, "/lease/order_to_first_byte_ms");
    assert!(first_byte_ms > 0.0 && first_byte_ms < elapsed_s * 1000.0);
    assert!(seconds(report, "/lease/metered_s") < elapsed_s);
}

/// Twenty kills, some in each part of the story, several where a withdrawal could be paid twice; and people whose client died in the middle of a command.
pub(crate) fn under_havoc(report: &Value, seed: &str) {
    let havoc = &report["havoc"];
    assert_eq!(havoc["seed"].to_string(), seed, "{havoc}");
    let kills = havoc["kills"].as_array().unwrap();
    assert_eq!(kills.len(), 20, "{havoc}");
    for chapter in 4..=11 {
        let is_in = |kill: &Value| kill["chapter"] == chapter;
        assert!(kills.iter().any(is_in), "{chapter}: {havoc}");
    }
    let ordered_s = seconds(havoc, "/withdrawal_ordered_s");
    let paid_s = seconds(havoc, "/withdrawal_paid_s");
    let since: Vec<&Value> = kills
        .iter()
        .filter(|kill| (ordered_s..paid_s).contains(&seconds(kill, "/at_s")))
        .collect();
    assert!(since.len() >= 4, "{havoc}");
    let takes_relayer = |kill: &&Value| {
        let killed = kill["killed"].as_array().unwrap();
        killed.iter().any(|name| name == "relayer")
    };
    assert!(since.iter().any(takes_relayer), "{havoc}");
    let clients = havoc["clients"].as_array().unwrap().iter();
    let commands: Vec<(&str, &str)> = clients
        .map(|client| {
            let command = client["command"].as_str().unwrap();
            let verb = command.split(' ').next().unwrap();
            (client["name"].as_str().unwrap(), verb)
        })
        .collect();
    let expected = [
        ("tenant", "deposit"),
        ("tenant", "lease"),
        ("owner", "withdraw"),
    ];
    assert_eq!(commands, expected, "{havoc}");
}

fn nothing_is_lost_and_nothing_happens_twice(report: &Value) {
    let sidechain = &report["sidechain"];
    assert_eq!(sidechain["lost"], Value::Array(vec![]), "{sidechain}");
    let told = sidechain["told_final"].as_array().unwrap();
    assert!(told.len() >= 5, "{sidechain}");
    assert_eq!(sidechain["withdrawals"], 1);
    assert_eq!(report["cardano"]["payout"]["count"], 1);
    // Each once, however often a client or the agent had to ask.
    let tenants = [
        "let key ",
        "lease 200 mCPU ",
        "match request ",
        "close lease ",
    ];
    assert_eq!(of(report, "tenant").len(), tenants.len(), "{sidechain}");
    let owners = ["let key ", "register machine ", "withdraw 10.000000 ADA "];
    let signed = [("tenant", &tenants[..]), ("owner", &owners[..])];
    for (name, beginnings) in signed {
        for beginning in beginnings {
            assert_eq!(
                count(report, name, beginning),
                1,
                "{beginning}: {sidechain}"
            );
        }
    }
    // What the agent says of the lease. Somebody who kills it may have it say more.
    let lease = count(report, "owner", "lease ");
    assert_eq!(
        of(report, "owner").len(),
        owners.len() + lease,
        "{sidechain}"
    );
    // That it is provisioned, that it runs, that it is paused; and for how long it ran, where the agent settles before the tenant closes.
    let settles = |transaction: &&Value| {
        transaction["name"] == "owner"
            && transaction["text"].as_str().unwrap().contains(" ran for ")
    };
    let all = sidechain["transactions"].as_array().unwrap().iter();
    let settled = all.filter(settles).count();
    let told = lease - settled;
    assert!(
        told == 3 && settled <= 1 || report["havoc"].is_object() && told >= 3,
        "{sidechain}"
    );
}

/// How many of a person's transactions say something that begins so.
fn count(report: &Value, name: &str, beginning: &str) -> usize {
    let all = report["sidechain"]["transactions"]
        .as_array()
        .unwrap()
        .iter();
    let is_meant = |transaction: &&Value| {
        let text = transaction["text"].as_str().unwrap();
        transaction["name"] == name && text.starts_with(&format!("demo: {beginning}"))
    };
    all.filter(is_meant).count()
}

/// Fees of a person's transactions on the sidechain.
fn of(report: &Value, name: &str) -> Vec<u64> {
    let all = report["sidechain"]["transactions"]
        .as_array()
        .unwrap()
        .iter();
    let theirs = all.filter(|transaction| transaction["name"] == name);
    theirs
        .map(|transaction| lovelace(transaction, "/fee_lovelace"))
        .collect()
}

/// Cardano, sidechain and held, before or after.
fn has(report: &Value, name: &str, when: &str) -> [u64; 3] {
    let people = report["balances"]["people"].as_array().unwrap();
    let person = people.iter().find(|person| person["name"] == name).unwrap();
    ["cardano", "sidechain", "held"].map(|purse| lovelace(person, &format!("/{when}/{purse}")))
}

fn tenant(report: &Value) {
    assert_eq!(has(report, "tenant", "before"), [TENANT.0, 0, 0]);
    let is_paid = |what: &str| matches!(what, "deposit, tenant" | "what replaced it");
    let on_cardano: u64 = named(report, is_paid).iter().sum();
    let fees: u64 = of(report, "tenant").iter().sum();
    let spent = ESCROW - lovelace(report, "/lease/refund_lovelace");
    let expected = [TENANT.0 - TENANT.1 - on_cardano, TENANT.1 - spent - fees, 0];
    assert_eq!(has(report, "tenant", "after"), expected, "{report}");
}

fn owner(report: &Value) {
    assert_eq!(has(report, "owner", "before"), [OWNER.0, 0, 0]);
    let on_cardano: u64 = named(report, |what| what == "deposit, owner").iter().sum();
    let fees: u64 = of(report, "owner").iter().sum();
    let earned = lovelace(report, "/lease/paid_lovelace");
    let expected = [
        OWNER.0 - OWNER.1 - on_cardano + WITHDRAWAL,
        OWNER.1 - BOND - WITHDRAWAL + earned - fees,
        BOND,
    ];
    assert_eq!(has(report, "owner", "after"), expected, "{report}");
}

fn pots_and_vault(report: &Value) {
    let both = ["tenant", "owner"].map(|name| of(report, name).iter().sum::<u64>());
    let pots = lovelace(report, "/lease/protocol_fee_lovelace") + both.iter().sum::<u64>();
    assert_eq!(lovelace(report, "/balances/pots"), pots, "{report}");
    let (entered, left) = (TENANT.1 + OWNER.1, WITHDRAWAL);
    for (name, amount) in [
        ("credited", entered),
        ("paid_out", left),
        ("held", entered - left),
        ("vault", entered - left),
    ] {
        assert_eq!(
            lovelace(&report["balances"], &format!("/{name}")),
            amount,
            "{name}"
        );
    }
}
