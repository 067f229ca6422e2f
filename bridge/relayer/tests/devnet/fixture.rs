//! A relayer between a world and a sidechain.

use nupeer_cardano_client::OutputReference;
use nupeer_client::Client;
use nupeer_outbox::{Leaf, Output, Value, shard::RESERVE_LOVELACE};
use nupeer_primitives::TimeMs;
use nupeer_relayer::{Relayer, Step, relay::Round};

use crate::{
    sidechain::Sidechain,
    world::{ADA, World, person, stranger},
};

pub(crate) struct Relaying {
    pub(crate) world: World,
    pub(crate) sidechain: Sidechain,
    pub(crate) relayer: Relayer,
}

impl Relaying {
    pub(crate) async fn start() -> Self {
        Self::in_world(World::new().await)
    }

    pub(crate) fn in_world(world: World) -> Self {
        let sidechain = Sidechain::start(&world.bridge.scripts.bridge_id().to_string());
        let relayer = Self::relayer(&world, &sidechain);
        Relaying {
            world,
            sidechain,
            relayer,
        }
    }

    pub(crate) fn relayer(world: &World, sidechain: &Sidechain) -> Relayer {
        Self::relayer_of(world, &[sidechain], 0)
    }

    /// A relayer with a wallet of its own that asks these nodes, the first first.
    pub(crate) fn relayer_of(world: &World, nodes: &[&Sidechain], wallet: u64) -> Relayer {
        let client = Client::new(nodes.iter().map(|node| node.url()));
        Relayer::new(
            world.bridge.clone(),
            world.node.clone(),
            client,
            person(wallet),
        )
    }

    /// The sidechain's committee certifies the next anchor.
    pub(crate) async fn certify(&self, leaves: &[Leaf], credited: &[OutputReference]) {
        let state = self.world.state().await;
        let anchor = World::next_anchor(&state, leaves, credited);
        let certificate = self.world.certify(&state, &anchor, &[1, 2, 3]).unwrap();
        let head = state.head.utxo.reference;
        self.sidechain
            .certify(&anchor, head, &certificate, leaves, credited.len());
    }

    /// Two deposits of 300 and 100 ADA, credited.
    pub(crate) async fn deposits(&mut self) -> [OutputReference; 2] {
        let deposits = [
            self.world.deposit(1, 300 * ADA).await,
            self.world.deposit(2, 100 * ADA).await,
        ];
        deposits
            .iter()
            .for_each(|deposit| self.sidechain.credit(*deposit));
        deposits
    }

    pub(crate) async fn round(&mut self) -> Vec<String> {
        let Round {
            submitted, failed, ..
        } = self.relayer.round().await.unwrap();
        assert!(failed.is_empty(), "{failed:?}");
        submitted
            .iter()
            .map(|(step, _): &(Step, _)| step.to_string())
            .collect()
    }

    pub(crate) async fn held(&self) -> [u64; 2] {
        let state = self.world.state().await;
        [0, 1].map(|shard| state.shards[&shard].utxo.output.value.coin() - RESERVE_LOVELACE)
    }
}

pub(crate) fn leaf(shard: u8, seq: u64, lovelace: u64) -> Leaf {
    let output = Output {
        address: stranger(shard + 1),
        value: Value::lovelace(lovelace),
        datum: None,
    };
    Leaf::new(shard, seq, TimeMs(0), vec![output]).unwrap()
}
