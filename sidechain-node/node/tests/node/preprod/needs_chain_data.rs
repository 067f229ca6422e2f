//! What needs a chunk of preprod's own chain.

use super::*;

#[tokio::test(flavor = "multi_thread")]
async fn preprod_is_followed_from_the_point_that_the_genesis_names() {
    let world = World::new(PREPROD);
    let (from, last) = (world.point(FROM), world.last());
    // Twice: what it followed before it stopped it does not follow again, and the node answers from where it was.
    for _ in 0..2 {
        let running = world.start(from).await;
        let is_there = |view: &Value| {
            view["tip"] == last.to_string() && view["connected"] == true && view["error"].is_null()
        };
        let status = running.until("preprod's tip", is_there).await;
        assert_eq!(status["cardano_view"]["node_tip_slot"], last.slot.0);
        assert_eq!(status["cardano_view"]["halted"], Value::Null);
        // The chunk has fewer blocks than k: blocks go on naming the point they began with.
        assert!(world.cardano.blocks.len() < 2160);
        reaches(
            &running.node.handle(),
            height(&running.node.handle()).next(),
        )
        .await;
        assert_eq!(running.status().await["cardano"], from.to_string());
        running.goes_on().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_node_of_another_network_is_refused_by_number_and_never_followed() {
    let world = World::new(PREVIEW);
    let node = CardanoNode::new(&world.cardano.socket, Network::preprod());
    assert_eq!(node.tip().await.unwrap_err().code(), Code(7041));
    let running = world.start(world.point(FROM)).await;
    let error = running.refused("NP7041: ").await;
    assert!(
        error.contains("refused a handshake with magic 1 (preprod)"),
        "{error}"
    );
    assert_eq!(running.status().await["cardano_view"]["connected"], false);
    running.goes_on().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_point_that_preprod_does_not_have_is_told_by_number() {
    let world = World::new(PREPROD);
    let elsewhere = CardanoPoint {
        hash: Hash([7; 32]),
        ..world.point(FROM)
    };
    let running = world.start(elsewhere).await;
    let error = running.refused("NP7065: ").await;
    assert!(error.contains(&elsewhere.to_string()), "{error}");
    running.goes_on().await;
}
