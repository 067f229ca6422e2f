//! The relayer: round after round it looks, plans and does.
//!
//! Level-triggered: nothing is kept between rounds but what was submitted and is in no block yet, and that only so as not to do it twice.

use std::{
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use nupeer_cardano_client::LedgerEvaluator;
use nupeer_cardano_client::{
    Node, ProtocolParameters, UnsignedTransaction, builder::Evaluate, node::NodeError,
};
use nupeer_client::Client;
use tokio::time::{MissedTickBehavior, interval};

use crate::{
    Bridge, BridgeState, CardanoState, RelayError, Snapshot, Step,
    deploy::Submitter,
    overlay::Overlay,
    plan::{Objection, plan},
    source::Source,
    transactions::{TransactionError, Window, anchor, pay, sweep},
};

/// A relayer of one bridge.
pub struct Relayer {
    bridge: Bridge,
    node: Node,
    submitter: Submitter,
    evaluator: Arc<dyn Evaluate + Send + Sync>,
    source: Arc<Mutex<Source>>,
    overlay: Overlay,
    objections: Vec<Objection>,
    /// What failed in the last round, in words.
    failures: Vec<String>,
}

/// What a round did.
#[derive(Clone, Debug, Default)]
pub struct Round {
    /// Transactions that were submitted.
    pub submitted: Vec<(Step, UnsignedTransaction)>,
    /// Steps that failed, with the reason.
    pub failed: Vec<(Step, String)>,
    /// What the node says and does not hold.
    pub objections: Vec<Objection>,
}

impl Relayer {
    /// A relayer that asks these nodes of the sidechain.
    pub fn new(bridge: Bridge, node: Node, client: Client, submitter: Submitter) -> Self {
        let id = bridge.scripts.bridge_id().to_string();
        Relayer {
            evaluator: Arc::new(LedgerEvaluator::new(&node.network)),
            source: Arc::new(Mutex::new(Source::new(client, id))),
            bridge,
            node,
            submitter,
            overlay: Overlay::default(),
            objections: Vec::new(),
            failures: Vec::new(),
        }
    }

    /// Goes round until `shutdown`. A round that fails is told and tried again.
    pub async fn run(&mut self, poll: Duration, shutdown: impl Future<Output = ()>) {
        let mut ticks = interval(poll);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut shutdown = std::pin::pin!(shutdown);
        let mut trouble = String::new();
        loop {
            tokio::select! {
                () = &mut shutdown => return,
                _ = ticks.tick() => {}
            }
            match self.round().await {
                Ok(_) => trouble.clear(),
                Err(error) => {
                    // The same trouble each round is told once.
                    let text = error.to_string();
                    if text != trouble {
                        tracing::warn!(error = %text, "nothing can be relayed");
                    }
                    trouble = text;
                }
            }
        }
    }

    /// Looks, plans and does.
    pub async fn round(&mut self) -> Result<Round, RelayError> {
        let own = &self.submitter.address;
        let snapshot = Snapshot::read(&self.node, &self.bridge, own).await?;
        let cardano = self.expected(&snapshot)?;
        self.insist(snapshot.tip.block_number).await?;
        let told = self.ask(&cardano).await?;
        let window = Window::after(&self.node.network, snapshot.tip.point.slot)?;
        let planned = plan(&self.bridge, &cardano, &told, window.from_time);
        self.object(&planned.objections);
        let is_false = |objection: &Objection| {
            matches!(
                objection,
                Objection::OtherDeposits { .. } | Objection::OtherLeaves { .. }
            )
        };
        if planned.objections.iter().any(is_false) {
            let mut source = self.source.lock().unwrap_or_else(PoisonError::into_inner);
            source.doubt();
        }
        let mut round = Round {
            objections: planned.objections,
            ..Round::default()
        };
        if planned.steps.is_empty() {
            self.failures.clear();
            return Ok(round);
        }
        let parameters = self.node.parameters().await?;
        for step in planned.steps {
            let cardano = self.expected(&snapshot)?;
            match self.take(&step, &cardano, &window, &parameters).await {
                Ok(made) => round.submitted.push((step, made)),
                Err(error) => {
                    if let RelayError::Node(NodeError::Rejected(_)) = error {
                        // What this was built on may be gone; the next round builds on what is in blocks.
                        self.overlay.clear();
                    }
                    round.failed.push((step, error.to_string()));
                }
            }
        }
        self.tell_failures(&round.failed);
        Ok(round)
    }

    /// Tells of what failed, once as long as it fails for the same reason.
    fn tell_failures(&mut self, failed: &[(Step, String)]) {
        let words = |(step, error): &(Step, String)| format!("{step}: {error}");
        let failures: Vec<String> = failed.iter().map(words).collect();
        for failure in &failures {
            if !self.failures.contains(failure) {
                tracing::warn!(%failure, "a step failed");
            }
        }
        self.failures = failures;
    }

    /// The bridge as it will be once everything that waits is in a block.
    fn expected(&mut self, snapshot: &Snapshot) -> Result<CardanoState, RelayError> {
        let expected = self.overlay.apply(snapshot);
        Ok(CardanoState::of(
            &self.bridge,
            &self.submitter.address,
            &expected,
        )?)
    }

    /// Submits again what is in no block for long: a node that has it refuses, one that lost it takes it.
    async fn insist(&mut self, tip_block: u64) -> Result<(), RelayError> {
        for waiting in self.overlay.overdue(tip_block) {
            fail::fail_point!("relayer-before-insisting");
            let submitted = self.node.submit(&waiting.cbor).await;
            fail::fail_point!("relayer-after-insisting");
            match submitted {
                Ok(_) => tracing::info!(tx = %waiting.id, "submitted again"),
                Err(NodeError::Rejected(_)) => {}
                Err(error) => return Err(error.into()),
            }
        }
        Ok(())
    }

    async fn ask(&self, cardano: &CardanoState) -> Result<BridgeState, RelayError> {
        let (source, cardano) = (Arc::clone(&self.source), cardano.clone());
        let asked = tokio::task::spawn_blocking(move || {
            // What a panic left behind is whole: entries are added one by one.
            let mut source = source.lock().unwrap_or_else(PoisonError::into_inner);
            source.ask(&cardano)
        });
        Ok(asked.await.map_err(|_| RelayError::Interrupted)??)
    }

    /// Tells of what does not hold, once as long as it is the same.
    fn object(&mut self, objections: &[Objection]) {
        for objection in objections {
            if !self.objections.contains(objection) {
                tracing::warn!(%objection, "the node is not to be believed in this");
            }
        }
        self.objections = objections.to_vec();
    }

    async fn take(
        &mut self,
        step: &Step,
        cardano: &CardanoState,
        window: &Window,
        parameters: &ProtocolParameters,
    ) -> Result<UnsignedTransaction, RelayError> {
        let (bridge, own) = (&self.bridge, &self.submitter.address);
        let published = |seq: &u64| {
            let what = || format!("anchor {seq}");
            let anchor = cardano.anchors.get(seq);
            anchor.ok_or_else(|| TransactionError::Missing { what: what() })
        };
        let builder = match step {
            Step::Anchor {
                anchor,
                certificate,
            } => anchor::build(
                bridge,
                cardano,
                own,
                anchor,
                certificate,
                window,
                parameters,
            )?,
            Step::Sweep {
                shard,
                anchor,
                paths,
            } => sweep::build(cardano, own, *shard, published(anchor)?, paths, window)?,
            Step::Pay { anchor, leaf, path } => {
                pay::build(bridge, cardano, own, published(anchor)?, leaf, path, window)?
            }
        };
        let evaluator = Arc::clone(&self.evaluator);
        let parameters = parameters.clone();
        let built = tokio::task::spawn_blocking(move || builder.build(&parameters, &*evaluator));
        let made = built.await.map_err(|_| RelayError::Interrupted)??;
        let signed = made.sign([&self.submitter.key])?;
        fail::fail_point!("relayer-before-submitting");
        self.node.submit(&signed.cbor).await?;
        fail::fail_point!("relayer-after-submitting");
        let tip_block = cardano.tip.block_number;
        self.overlay.add(&made, &signed, window.until, tip_block);
        let units = made.units().values();
        let (cpu, mem) = units.fold((0, 0), |(cpu, mem), u| (cpu + u.steps, mem + u.memory));
        tracing::info!(
            %step, tx = %signed.id, fee_lovelace = made.fee_lovelace(), size = made.signed_bytes(), cpu, mem,
            "submitted"
        );
        Ok(made)
    }
}
