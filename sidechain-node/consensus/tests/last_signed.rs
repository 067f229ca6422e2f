//! A validator whose store and crash log are gone, or are those of yesterday: what it signed is written down beside its key.

mod support;

use std::fs;
use std::path::Path;
use std::time::Duration;

use support::{Cluster, PATIENCE, agree, all_reach};

type Test = Result<(), Box<dyn std::error::Error>>;

fn copy(from: &Path, to: &Path) -> std::io::Result<()> {
    fs::create_dir_all(to)?;
    for entry in fs::read_dir(from)? {
        let (path, name) = (entry.as_ref().unwrap().path(), entry?.file_name());
        match path.is_dir() {
            true => copy(&path, &to.join(name))?,
            false => drop(fs::copy(&path, to.join(name))?),
        }
    }
    Ok(())
}

/// How often an engine repeated its votes because nothing came of them.
fn repeats(moniker: &str) -> u64 {
    let metrics = nupeer_consensus::metrics();
    let of_it = |line: &&str| line.contains("rebroadcast_timeouts") && line.contains(moniker);
    // One line for each start of an engine of that name.
    let lines = metrics.lines().filter(of_it);
    let counts = lines.filter_map(|line| line.rsplit(' ').next()?.parse::<u64>().ok());
    counts.sum()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn without_store_and_crash_log_nothing_is_signed_a_second_time() -> Test {
    let cluster = Cluster::new(1, 0);
    let (home, kept) = (cluster.home(0), cluster.last_signed(0));
    let saved = home.with_extension("saved");
    let alone = cluster.start(0);
    alone.chain.reaches(5).await;
    alone.stop().await?;
    copy(&home, &saved)?;

    // It would build other blocks for heights that it has decided, and it alone decides.
    fs::remove_dir_all(&home)?;
    let before = repeats("place-0");
    let forgetful = cluster.start_salted(0, 0, 77);
    forgetful.chain.builds().await;
    let gives_up = async {
        while repeats("place-0") == before {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    tokio::time::timeout(PATIENCE, gives_up).await?;
    assert_eq!(forgetful.chain.tip(), 0);
    forgetful.stop().await?;

    // That the record kept it from that: without, there is a second chain.
    let record = fs::read(&kept)?;
    fs::remove_file(&kept)?;
    fs::remove_dir_all(&home)?;
    let unguarded = cluster.start_salted(0, 0, 77);
    unguarded.chain.reaches(3).await;
    unguarded.stop().await?;

    // With its own data, the record is in nobody's way.
    fs::write(&kept, record)?;
    fs::remove_dir_all(&home)?;
    copy(&saved, &home)?;
    let alone = cluster.start(0);
    let tip = alone.chain.tip();
    assert!(tip >= 5);
    alone.chain.reaches(tip + 3).await;
    alone.stop().await?;
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_lost_all_but_the_record_fetches_the_chain_votes_and_builds_again() -> Test {
    let cluster = Cluster::new(4, 0);
    let mut running = cluster.start_all();
    all_reach(&running, 6).await;
    running.remove(0).stop().await?;
    fs::remove_dir_all(cluster.home(0))?;
    running.insert(0, cluster.start_salted(0, 0, 77));
    let tip = running[1].chain.tip();
    all_reach(&running, tip + 10).await;
    let mut height = tip + 10;
    while running[1].chain.builder(height) != cluster.id(0) {
        height += 1;
        assert!(height < tip + 200, "it never built a block");
        all_reach(&running, height).await;
    }
    agree(&running, height, &cluster.set());
    for one in &running {
        let evidence = one.chain.evidence();
        assert!(evidence.is_empty(), "{evidence:?}");
    }
    Ok(())
}
