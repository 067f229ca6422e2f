//! What needs a chunk of preprod's own chain.

use super::*;

#[test]
fn the_node_of_a_chain_that_follows_no_cardano_follows_preprod_from_the_point_that_it_is_given() {
    let world = World::new();
    let mut node = world.chain("plain", &[]);
    // Twice: what it followed before it was killed it does not follow again.
    for _ in 0..2 {
        node.start(&world.cardano.socket, &world.point(FROM));
        let status = node.follows_to(&world.last());
        assert_eq!(status["cardano_view"]["error"], Value::Null);
        assert_eq!(status["cardano_view"]["halted"], Value::Null);
        // Its blocks name no point: whether they do is the genesis' to say.
        assert_eq!(status["cardano"], Value::Null);
        node.kill();
    }
}

#[test]
fn where_the_genesis_names_the_point_preprod_is_followed_from_there_and_from_nowhere_else() {
    let world = World::new();
    let from = world.point(FROM);
    let follows = ["--cardano-network", "preprod", "--cardano-from", &from];
    let mut node = world.chain("following", &follows);
    let other = world.point(FROM + 1);
    let refused = node.command(&world.cardano.socket, &other).output();
    let refused = refused.unwrap();
    let said = String::from_utf8_lossy(&refused.stderr).into_owned();
    assert_eq!(refused.status.code(), Some(2), "{said}");
    assert!(said.contains("NP6079") && said.contains(&from), "{said}");
    node.start(&world.cardano.socket, &from);
    let status = node.follows_to(&world.last());
    assert_eq!(status["cardano"], from);
}
