//! Four engines over loopback, each with a chain of its own in files.

mod support;

use nupeer_consensus::EvidenceKind;
use support::{Behaviour, Cluster, agree, all_reach};

type Test = Result<(), Box<dyn std::error::Error>>;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn four_validators_agree_on_ten_blocks() -> Test {
    let cluster = Cluster::new(4, 0);
    let running = cluster.start_all();
    all_reach(&running, 10).await;
    agree(&running, 10, &cluster.set());
    for one in running {
        one.stop().await?;
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_restarted_validator_catches_up_and_builds_again() -> Test {
    let cluster = Cluster::new(4, 0);
    let mut running = cluster.start_all();
    all_reach(&running, 3).await;
    running.remove(0).stop().await?;
    let away_until = running[0].chain.tip() + 30;
    all_reach(&running, away_until).await;

    running.insert(0, cluster.start(0));
    assert!(running[0].chain.tip() < away_until);
    all_reach(&running, away_until).await;
    agree(&running, away_until, &cluster.set());
    // Absent validators get a turn again every 32 heights; then it is present.
    let mut height = away_until;
    while running[1].chain.builder(height) != cluster.id(0) {
        height += 1;
        assert!(height < away_until + 100, "it never built a block");
        all_reach(&running, height).await;
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn all_stopped_and_started_again_go_on() -> Test {
    let cluster = Cluster::new(4, 0);
    let mut running = cluster.start_all();
    for round in 1..=3 {
        all_reach(&running, 4 * round).await;
        let before: Vec<_> = running.iter().map(|one| one.chain.blocks()).collect();
        for one in running {
            one.stop().await?;
        }
        running = cluster.start_all();
        for (one, before) in running.iter().zip(before) {
            let now = one.chain.blocks();
            assert!(
                before
                    .iter()
                    .all(|(height, block)| now.get(height) == Some(block))
            );
        }
    }
    all_reach(&running, 16).await;
    agree(&running, 16, &cluster.set());
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_proposer_of_invalid_blocks_does_not_stop_the_chain() -> Test {
    let cluster = Cluster::new(4, 0);
    let running = cluster.start_all();
    let invalid = Behaviour {
        builds_invalid: true,
        ..Behaviour::default()
    };
    running[2].chain.behaviour.send_replace(invalid);
    all_reach(&running, 12).await;
    agree(&running, 12, &cluster.set());
    let built: Vec<_> = (2..=12)
        .map(|height| running[0].chain.builder(height))
        .collect();
    assert!(!built.contains(&cluster.id(2)), "{built:?}");
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_cannot_judge_yet_holds_up_nobody_and_follows() -> Test {
    let cluster = Cluster::new(4, 0);
    let running = cluster.start_all();
    let blind = Behaviour {
        judges_nothing: true,
        ..Behaviour::default()
    };
    running[3].chain.behaviour.send_replace(blind);
    all_reach(&running, 12).await;
    agree(&running, 12, &cluster.set());
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_verdict_that_comes_late_still_decides() -> Test {
    let cluster = Cluster::new(4, 0);
    let running = cluster.start_all();
    all_reach(&running, 2).await;
    // Two of four cannot judge: no quorum, until they can.
    let blind = Behaviour {
        judges_nothing: true,
        ..Behaviour::default()
    };
    running[2].chain.behaviour.send_replace(blind);
    running[3].chain.behaviour.send_replace(blind);
    // What is under way may still be decided. Then two seconds of questions: longer than a round's time.
    running[2].chain.is_asked(5).await;
    let stuck = running[0].chain.tip();
    running[2].chain.is_asked(40).await;
    assert!(
        running[0].chain.tip() <= stuck + 1,
        "two of four made a quorum"
    );
    for one in &running[2..] {
        one.chain.behaviour.send_replace(Behaviour::default());
    }
    all_reach(&running, stuck + 4).await;
    agree(&running, stuck + 4, &cluster.set());
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn blocks_of_many_parts_arrive() -> Test {
    let cluster = Cluster::new(4, 0);
    let running = cluster.start_all();
    let large = Behaviour {
        payload_bytes: 1_500_000,
        ..Behaviour::default()
    };
    for one in &running {
        one.chain.behaviour.send_replace(large);
    }
    all_reach(&running, 8).await;
    agree(&running, 8, &cluster.set());
    assert!(running[0].chain.blocks()[&8].0.len() > 1_500_000);
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_node_without_a_vote_follows() -> Test {
    let cluster = Cluster::new(4, 1);
    let running = cluster.start_all();
    all_reach(&running, 8).await;
    agree(&running, 8, &cluster.set());
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_validator_that_runs_twice_is_convicted() -> Test {
    let cluster = Cluster::new(4, 1);
    let mut running: Vec<_> = (0..4).map(|place| cluster.start(place)).collect();
    running.push(cluster.start_as(4, 0));
    let evidence = running[1].chain.sees_evidence().await;
    assert_eq!(evidence.validator, cluster.id(0));
    assert!(evidence.verify(&cluster.keys(0).public_key()));
    assert!(!evidence.verify(&cluster.keys(1).public_key()));
    assert!(matches!(
        evidence.kind,
        EvidenceKind::Proposal | EvidenceKind::Prevote | EvidenceKind::Precommit
    ));
    let tip = running[1].chain.tip();
    all_reach(&running[1..4], tip + 3).await;
    agree(&running[1..4], tip + 3, &cluster.set());
    Ok(())
}
