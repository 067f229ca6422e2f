//! What keeps an engine from starting, and what ends it.

mod support;

use std::fs::OpenOptions;
use std::io::{Read, Seek, SeekFrom, Write};
use std::net::TcpListener;
use std::time::Duration;

use nupeer_consensus::{Config, ConsensusError};
use support::{Behaviour, Chain, Cluster, Running, all_reach};

impl Cluster {
    fn start_configured(&self, config: Config) -> Running {
        let keys = self.keys(0);
        let chain = Chain::open(&self.home(0), keys.validator_id(), self.set(), 0);
        self.start_with(config, keys, chain)
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_validator_alone_decides_and_tells_its_port() {
    let cluster = Cluster::new(1, 0);
    let listen = "/ip4/127.0.0.1/tcp/0".to_owned();
    let alone = cluster.start_configured(Config {
        listen,
        ..cluster.config(0)
    });
    let address = alone.chain.listens().await;
    assert!(
        address.starts_with("/ip4/127.0.0.1/tcp/") && !address.ends_with("/0"),
        "{address}"
    );
    alone.chain.reaches(5).await;
    assert!(nupeer_consensus::metrics().contains("place-0"));
    alone.stop().await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_stopped_engine_lets_go_of_port_and_folder() {
    let cluster = Cluster::new(1, 0);
    for round in 1..=3 {
        let alone = cluster.start(0);
        alone.chain.reaches(round * 3).await;
        alone.stop().await.unwrap();
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_second_engine_in_a_folder_is_refused() {
    let cluster = Cluster::new(1, 1);
    let first = cluster.start(0);
    first.chain.reaches(1).await;
    let config = Config {
        listen: cluster.address(1),
        ..cluster.config(0)
    };
    let second = cluster.start_configured(config).ends().await;
    let home = cluster.home(0);
    assert!(matches!(second, Err(ConsensusError::Locked { home: at }) if at == home));
    let tip = first.chain.tip();
    first.chain.reaches(tip + 2).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_taken_port_is_refused() {
    let cluster = Cluster::new(1, 0);
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let listen = format!("/ip4/127.0.0.1/tcp/{}", taken.local_addr().unwrap().port());
    let config = Config {
        listen: listen.clone(),
        ..cluster.config(0)
    };
    let refused = cluster.start_configured(config).ends().await;
    assert!(matches!(refused, Err(ConsensusError::Listen { address }) if address == listen));
    cluster.start(0).chain.reaches(1).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn addresses_that_are_none_are_refused_by_name() {
    let cluster = Cluster::new(1, 0);
    let config = cluster.config(0);
    for (listen, peers, expected) in [
        ("localhost:1", vec![], "listen"),
        ("/ip4/127.0.0.1/udp/1/quic-v1", vec![], "listen"),
        (
            "/ip4/127.0.0.1/tcp/0",
            vec!["/ip4/127.0.0.1".to_owned()],
            "peers",
        ),
    ] {
        let config = Config {
            listen: listen.into(),
            peers,
            ..config.clone()
        };
        let refused = cluster.start_configured(config).ends().await;
        assert!(
            matches!(refused, Err(ConsensusError::Config { setting, .. }) if setting == expected)
        );
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_failing_application_ends_its_engine_and_no_other() {
    let cluster = Cluster::new(4, 0);
    let mut running = cluster.start_all();
    all_reach(&running, 2).await;
    let failing = running.remove(0);
    let behaviour = Behaviour {
        fails_at: Some(1),
        ..Behaviour::default()
    };
    failing.chain.behaviour.send_replace(behaviour);
    let stored = failing.chain.clone();
    let Err(ConsensusError::Application {
        task,
        height,
        source,
    }) = failing.ends().await
    else {
        panic!("it went on");
    };
    assert_eq!(task, "execute and store a decided block");
    assert_eq!(height.0, stored.tip() + 1);
    assert_eq!(source.to_string(), "the disk is full");

    running.push(cluster.start(0));
    let tip = running[0].chain.tip();
    all_reach(&running, tip + 5).await;
}

/// Waits for the crash log to hold signed votes of the first height: 12 bytes are its head.
async fn logged(cluster: &Cluster) {
    let path = cluster.home(0).join("consensus.wal");
    let length = || std::fs::metadata(&path).map_or(0, |meta| meta.len());
    let wait = async {
        while length() < 200 {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    };
    tokio::time::timeout(support::PATIENCE, wait)
        .await
        .expect("nothing was logged");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_damaged_crash_log_halts_until_an_operator_looks() {
    // Alone among four, it signs and never decides.
    let cluster = Cluster::new(4, 0);
    let alone = cluster.start(0);
    logged(&cluster).await;
    alone.stop().await.unwrap();

    let wal = cluster.home(0).join("consensus.wal");
    let mut file = OpenOptions::new().read(true).write(true).open(wal).unwrap();
    let mut byte = [0];
    file.seek(SeekFrom::End(-1)).unwrap();
    file.read_exact(&mut byte).unwrap();
    file.seek(SeekFrom::End(-1)).unwrap();
    file.write_all(&[byte[0] ^ 0xff]).unwrap();
    drop(file);

    let damaged = cluster.start(0);
    let reason = damaged.chain.halts().await;
    assert!(matches!(
        damaged.stop().await,
        Err(ConsensusError::Halted { .. })
    ));
    let marker = cluster.home(0).join("HALTED");
    let Err(ConsensusError::Halted {
        reason: again,
        marker: at,
    }) = cluster.start(0).ends().await
    else {
        panic!("it started");
    };
    assert_eq!((again, &at), (reason, &marker));

    std::fs::remove_file(marker).unwrap();
    let looked_at = cluster.start(0);
    looked_at.chain.listens().await;
    looked_at.stop().await.unwrap();
}
