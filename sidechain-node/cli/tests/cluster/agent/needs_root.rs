//! What runs containers, for which it must be root.

use super::*;
use crate::demo::must_be_root;

#[test]
#[allow(clippy::print_stdout)] // the figure, for whoever looks
fn a_lease_from_the_order_to_its_complete_absence() {
    must_be_root();
    let mut town = Town::new();
    let (owner_before, tenant_before) = (
        town.owner.lovelace(&town.owner_account),
        town.tenant.lovelace(&town.tenant_account),
    );
    let lease = town.order();
    let address = town.published(&lease);
    town.wait_for_state(&lease, "active");
    let logs = town.at_agent(&["logs", &lease]);
    assert!(logs["text"].as_str().unwrap().contains("200"), "{logs}");

    // The agent dies; the workload does not notice; another agent goes on where it was.
    let first = town.agent.first_process(&lease);
    town.agent.kill();
    town.agent.start();
    assert_eq!(
        town.published(&lease),
        address,
        "tenants find it where it was"
    );
    assert_eq!(
        town.agent.first_process(&lease),
        first,
        "it was not restarted"
    );

    // A validator that dies stops nothing.
    town.validators.kill(0);
    town.at_agent(&["attend", &lease, "--for", "2"]);
    town.validators.start(0);

    // Nobody signs: the workload stands still, then the chain's clock.
    town.wait_for_state(&lease, "paused");
    assert_eq!(town.shown(&lease)["reason"], "unsigned");
    // An agent counts no further than the chain's clock as far as it knows that: until it knows of the pause, the count may rise.
    wait_until("the agent knows of the pause", || {
        town.at_agent(&["status", &lease])["agent_state"] == "paused unsigned"
    });
    let stopped = town.at_agent(&["status", &lease]);
    assert_eq!(stopped["workload"], "paused");
    std::thread::sleep(Duration::from_secs(1));
    let still = town.at_agent(&["status", &lease]);
    assert_eq!(still["metered_ms"], stopped["metered_ms"]);
    town.at_agent(&["attend", &lease, "--for", "1"]);
    town.wait_for_state(&lease, "active");
    assert!(page(&address).contains(GREETING), "it runs on");

    let memory_kib = town.agent.memory_kib();
    println!("the agent's peak: {memory_kib} KiB");
    assert!(memory_kib <= MEMORY_KIB_MAX, "{memory_kib} KiB");

    town.at_agent(&["close", &lease, "--yes"]);
    town.wait_for_state(&lease, "closed");
    wait_until("everything is gone", || {
        let left = |folder: &str| fs::read_dir(town.agent.workloads().join(folder));
        let containers = left("containers").unwrap().count();
        // What is being taken in has a folder that stays.
        let images = left("images").unwrap().count() - 1;
        containers == 0 && images == 0 && town.agent.cgroups().is_empty()
    });
    assert_eq!(page(&address), "");
    assert!(!Path::new("/proc").join(pid(&first)).exists());

    let closed = town.shown(&lease);
    let [paid, fee, charged] = ["paid_lovelace", "protocol_fee_lovelace", "charged_lovelace"]
        .map(|name| number(&closed[name]));
    assert!(charged > 0 && paid + fee == charged, "{closed}");
    assert_eq!(fee, charged / 10);
    assert!(number(&closed["metered_ms"]) <= number(&closed["clock_ms"]));
    // The tenant has the rest of the escrow back; fees of transactions are far below one ADA.
    let tenant = town.tenant.lovelace(&town.tenant_account);
    let spent = tenant_before - tenant;
    assert!(
        (u128::from(charged)..u128::from(charged) + 1_000_000).contains(&spent),
        "{spent}"
    );
    let owner = town.owner.lovelace(&town.owner_account);
    assert!(owner_before.abs_diff(owner) < 1_000_000);
}

#[test]
fn a_second_agent_on_the_same_folder_is_refused() {
    must_be_root();
    let folder = tempfile::tempdir().unwrap();
    let owner = Person {
        folder: folder.path().to_owned(),
        url: "http://127.0.0.1:1".into(),
    };
    let account = owner.account();
    let made = owner.does(&["agent", "init", "--owner", &account]);
    let mut first = Agent {
        folder: folder.path().join("agent"),
        name: made["name"].as_str().unwrap().to_owned(),
        child: None,
    };
    first.start();
    // No node answers, and it waits for one.
    wait_until("the first agent waits", || first.log().contains("waiting"));
    let second = owner.output(&["agent"]);
    assert_eq!(second.status.code(), Some(11));
}
