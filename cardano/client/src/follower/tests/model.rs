//! The stored chain against a list of blocks, over any course of events.

use proptest::prelude::*;

use super::super::chain::Chain;
use super::*;
use crate::testing::{chain, extend};

/// What a node may do next.
#[derive(Clone, Debug)]
enum Step {
    /// Blocks come.
    Grow(u64),
    /// The last `back` blocks are given up and `more` others come, as chain-sync tells it.
    Fork { back: usize, more: u64 },
    /// The connection breaks; meanwhile the node forks; the intersection lies `below` the fork.
    ForkAway {
        back: usize,
        more: u64,
        below: usize,
    },
    /// What was heard is written.
    Write,
    /// The process ends without warning and begins again.
    Crash,
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let step = prop_oneof![
        4 => (1u64..20).prop_map(Step::Grow),
        2 => (0usize..10, 1u64..12).prop_map(|(back, more)| Step::Fork { back, more }),
        2 => (0usize..10, 1u64..12, 0usize..6).prop_map(|(back, more, below)| Step::ForkAway { back, more, below }),
        1 => Just(Step::Write),
        1 => Just(Step::Crash),
    ];
    prop::collection::vec(step, 1..25)
}

/// The node's chain, and how much of it a crash cannot take away from the store.
struct Model {
    blocks: Vec<Block>,
    salt: u8,
}

impl Model {
    fn fork(&mut self, back: usize, more: u64) -> usize {
        let kept = self.blocks.len().saturating_sub(back);
        self.salt = self.salt.wrapping_add(1);
        self.blocks = extend(&self.blocks[..kept], more, self.salt);
        kept
    }

    fn point(&self, height: usize) -> Option<CardanoPoint> {
        height
            .checked_sub(1)
            .map(|index| self.blocks[index].tip.point)
    }
}

fn run(steps: Vec<Step>) {
    let node_socket = std::path::PathBuf::from("unused");
    let config = FollowerConfig {
        node: Node::new(node_socket, network()),
        from: None,
        retention: Retention::WindowAndConsumed,
    };
    let folder = tempfile::tempdir().unwrap();
    let mut follower = Some(Follower::open(folder.path(), config.clone(), observe).unwrap());
    let mut model = Model {
        blocks: chain(1, 0),
        salt: 0,
    };
    let mut loaded = Chain::load(&follower.as_ref().unwrap().inner).unwrap();
    loaded.forward(&model.blocks[0].raw).unwrap();
    for step in steps {
        match step {
            Step::Grow(more) => {
                let known = model.blocks.len();
                model.blocks = extend(&model.blocks, more, model.salt);
                model.blocks[known..]
                    .iter()
                    .for_each(|block| loaded.forward(&block.raw).unwrap());
            }
            Step::Fork { back, more } => {
                let kept = model.fork(back, more);
                loaded.backward(model.point(kept)).unwrap();
                model.blocks[kept..]
                    .iter()
                    .for_each(|block| loaded.forward(&block.raw).unwrap());
            }
            Step::ForkAway { back, more, below } => {
                loaded.write(true).unwrap();
                let kept = model.fork(back, more).saturating_sub(below);
                loaded.intersected(model.point(kept)).unwrap();
                loaded.backward(model.point(kept)).unwrap();
                model.blocks[kept..]
                    .iter()
                    .for_each(|block| loaded.forward(&block.raw).unwrap());
            }
            Step::Write => loaded.write(false).unwrap(),
            Step::Crash => {
                drop(loaded);
                drop(follower.take());
                follower = Some(Follower::open(folder.path(), config.clone(), observe).unwrap());
                let inner = &follower.as_ref().unwrap().inner;
                loaded = Chain::load(inner).unwrap();
                resume(&mut loaded, inner, &model);
            }
        }
    }
    loaded.write(true).unwrap();
    let follower = follower.unwrap();
    let found = follower
        .observations(None, model.blocks.last().unwrap().tip.point)
        .unwrap();
    let found: Vec<_> = found
        .into_iter()
        .map(|seen| (seen.point, seen.block_number, seen.observations))
        .collect();
    let expected: Vec<_> = model
        .blocks
        .iter()
        .map(|block| (block.tip.point, block.tip.block_number, observe(&block.raw)))
        .collect();
    assert_eq!(found, expected);
}

/// What the follower does after connecting: offers points, and hears what comes after the first that is known.
fn resume(chain: &mut Chain, inner: &Inner, model: &Model) {
    let offered = Reader::new(&inner.store)
        .unwrap()
        .intersection_points()
        .unwrap();
    let height = |point: &Option<CardanoPoint>| match point {
        None => Some(0),
        Some(_) => (1..=model.blocks.len()).find(|height| model.point(*height) == *point),
    };
    let kept = offered.iter().find_map(height).unwrap();
    chain.intersected(model.point(kept)).unwrap();
    chain.backward(model.point(kept)).unwrap();
    model.blocks[kept..]
        .iter()
        .for_each(|block| chain.forward(&block.raw).unwrap());
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(40))]

    #[test]
    fn whatever_happens_the_store_holds_the_nodes_chain(steps in steps()) {
        run(steps);
    }
}
