//! Asking nodes of the sidechain.

use std::collections::BTreeMap;

use nupeer_client::{Client, ClientError};
use nupeer_outbox::OutputReference;
use serde_json::Value;

use crate::{
    BridgeState, CardanoState, CertifiedAnchor,
    bridge_state::{Lacks, reference},
};

/// Credited deposits in one answer.
const PAGE: usize = 100;
/// Rounds in a row for which the same node is asked first.
const ROUNDS_OF_A_NODE: u64 = 30;
/// Questions of one kind in a round, so that a round ends.
const QUESTIONS_MAX: usize = 64;

/// Why nothing could be learnt.
#[derive(Debug, thiserror::Error)]
pub enum SourceError {
    /// Nobody answers, or whoever does refuses.
    #[error(transparent)]
    Client(#[from] ClientError),
    /// An answer that lacks something.
    #[error(transparent)]
    Lacks(#[from] Lacks),
    /// The node serves another bridge.
    #[error("the node serves bridge {provided}, the deployment is of {expected}")]
    OtherBridge {
        /// The node's.
        provided: String,
        /// The deployment's.
        expected: String,
    },
}

/// What nodes said so far. Anchors on Cardano and credited deposits never change, so each is asked once; both are proven against Cardano when they are used.
pub struct Source {
    client: Client,
    bridge_id: String,
    anchors: BTreeMap<u64, Option<CertifiedAnchor>>,
    credited: Vec<OutputReference>,
    /// How often anybody was asked.
    rounds: u64,
}

impl Source {
    /// Nodes that serve this bridge.
    pub fn new(client: Client, bridge_id: String) -> Self {
        Source {
            client,
            bridge_id,
            anchors: BTreeMap::new(),
            credited: Vec::new(),
            rounds: 0,
        }
    }

    /// Forgets all that was said and asks another node from now on: something of it does not hold.
    pub fn doubt(&mut self) {
        self.anchors.clear();
        self.credited.clear();
        self.client.turn_away();
    }

    /// Asks for what is new. What a node leaves out, nobody can tell from what it does not know yet: so now and then another one is asked.
    pub fn ask(&mut self, cardano: &CardanoState) -> Result<BridgeState, SourceError> {
        self.rounds = self.rounds.wrapping_add(1);
        if self.rounds.is_multiple_of(ROUNDS_OF_A_NODE) {
            self.client.turn_away();
        }
        let told = self.ask_one(cardano);
        if let Err(SourceError::Lacks(_) | SourceError::OtherBridge { .. }) = &told {
            self.doubt();
        }
        told
    }

    fn ask_one(&mut self, cardano: &CardanoState) -> Result<BridgeState, SourceError> {
        let overview = self.client.get("/v1/bridge")?;
        let provided = overview["bridge_id"].as_str().unwrap_or_default();
        if provided != self.bridge_id {
            return Err(SourceError::OtherBridge {
                provided: provided.into(),
                expected: self.bridge_id.clone(),
            });
        }
        let certified = match &overview["anchors"]["certified"] {
            Value::Null => None,
            value => Some(CertifiedAnchor::from_json(value)?),
        };
        self.ask_anchors(cardano)?;
        let is_all_credited = self.ask_deposits()?;
        let anchors = self.anchors.iter();
        let anchors = anchors.filter_map(|(seq, known)| Some((*seq, known.clone()?)));
        Ok(BridgeState {
            certified,
            anchors: anchors.collect(),
            credited: self.credited.clone(),
            is_all_credited,
        })
    }

    /// The anchors on Cardano, newest first, until one that the node keeps no more: nothing is to be done of it and of those before.
    fn ask_anchors(&mut self, cardano: &CardanoState) -> Result<(), SourceError> {
        self.forget_done(cardano);
        let unknown = cardano.anchors.keys().rev();
        let unknown = unknown.filter(|seq| !self.anchors.contains_key(seq));
        for seq in unknown.copied().take(QUESTIONS_MAX).collect::<Vec<_>>() {
            match self.client.get(&format!("/v1/bridge/anchors/{seq}")) {
                Ok(value) => {
                    let known = CertifiedAnchor::from_json(&value)?;
                    self.anchors.insert(seq, Some(known));
                }
                Err(error) if error.is_not_found() => break,
                Err(error) => return Err(error.into()),
            }
        }
        Ok(())
    }

    /// Keeps of an anchor only that it is done, once all its payments are made and a newer one stands for the deposits.
    fn forget_done(&mut self, cardano: &CardanoState) {
        let newest = cardano.anchors.keys().next_back().copied();
        let paid = |shard: u8, seq: u64| {
            let shard = cardano.shards.get(&shard);
            shard.is_some_and(|shard| seq < shard.datum.next_seq)
        };
        for (seq, known) in &mut self.anchors {
            let Some(anchor) = known.as_ref().filter(|_| Some(*seq) != newest) else {
                continue;
            };
            // A fork may unmake a payment: what was paid long ago is forgotten, what was paid lately is kept.
            let is_old = newest.is_some_and(|newest| seq.saturating_add(ANCHORS_KEPT) < newest);
            if is_old
                && anchor
                    .leaves
                    .iter()
                    .all(|leaf| paid(leaf.shard(), leaf.seq()))
            {
                *known = None;
            }
        }
    }

    /// Says whether the node told of all.
    fn ask_deposits(&mut self) -> Result<bool, SourceError> {
        for _ in 0..QUESTIONS_MAX {
            let after = self.credited.len().checked_sub(1);
            let after = after.map_or_else(String::new, |after| format!("&after={after}"));
            let page = self
                .client
                .get(&format!("/v1/bridge/deposits?limit={PAGE}{after}"))?;
            let field = "deposits";
            let deposits = page[field].as_array().ok_or(Lacks { field })?;
            for deposit in deposits {
                let (index, field) = (deposit["index"].as_u64(), "deposits");
                if index != Some(self.credited.len() as u64) {
                    return Err(Lacks { field }.into());
                }
                let output = reference(&deposit["output"]).ok_or(Lacks { field })?;
                self.credited.push(output);
            }
            if deposits.len() < PAGE {
                return Ok(true);
            }
        }
        Ok(false)
    }
}

/// Anchors that are kept although all is paid, for forks.
const ANCHORS_KEPT: u64 = 16;
