//! A validator's signature under each anchor that its chain waits for, sent as a system transaction (DESIGN.md "Anchor signatures").
//!
//! What is signed is the chain's own state, which this node has executed itself, so there is nothing to judge: a node that follows
//! signs. Only one whose view of Cardano was rolled back deeper than k keeps its hand still until its operator has looked.

use std::time::Duration;

use ed25519_dalek::{Signer as _, SigningKey};
use nupeer_bridge::{
    Action,
    actions::SignAnchor,
    view::{self, ToSign},
};
use nupeer_ledger::sequence;
use nupeer_primitives::{AccountId, Hash, Height, PublicKey, Signature};
use nupeer_runtime::{Sender, SignedTransaction, Transaction, Witness, witness::signing_hash};
use tokio::sync::{broadcast::error::RecvError, watch};

use crate::{error::NodeError, handle::NodeHandle, store::StoreError};

/// For how long a signature may wait for its block. Another is sent when it did not come.
const VALID_FOR: Duration = Duration::from_secs(60);
/// Blocks after which a signature that did not come is sent once more.
const PATIENCE_BLOCKS: u64 = 10;

/// What was signed, and at which height it was sent.
type Sent = (Hash, Height);

/// Signs until the node stops.
pub(crate) async fn run(
    node: NodeHandle,
    key: SigningKey,
    mut stopped: watch::Receiver<bool>,
) -> Result<(), NodeError> {
    let mut blocks = node.subscribe();
    let mut sent = None;
    loop {
        let (asked, bridge_key, before) = (node.clone(), key.clone(), sent);
        let look = tokio::task::spawn_blocking(move || next(&asked, &bridge_key, before));
        match look.await {
            Ok(Ok(Some((transaction, what)))) => {
                sent = Some(what);
                // It is refused when a late block brought our earlier signature: nothing to mend.
                if let Err(error) = node.submit(transaction).await {
                    tracing::debug!(%error, "the signature under an anchor was not taken");
                }
            }
            Ok(Ok(None)) => {}
            Ok(Err(error)) => tracing::warn!(%error, "anchors cannot be read"),
            Err(error) => return Err(NodeError::Panicked(error.to_string())),
        }
        tokio::select! {
            block = blocks.recv() => if matches!(block, Err(RecvError::Closed)) { return Ok(()) },
            _ = stopped.wait_for(|stopped| *stopped) => return Ok(()),
        }
    }
}

/// The signed transaction to send now, if the chain waits for one of ours.
fn next(
    node: &NodeHandle,
    key: &SigningKey,
    sent: Option<Sent>,
) -> Result<Option<(Vec<u8>, Sent)>, StoreError> {
    let view = node.view()?;
    let public = PublicKey(key.verifying_key().to_bytes());
    let Some(to_sign) = view::to_sign(&view).filter(|anchor| anchor.waits_for(&public)) else {
        return Ok(None);
    };
    let height = view.tip().height;
    let patient = |(digest, at): Sent| {
        digest == to_sign.digest && height.0.saturating_sub(at.0) < PATIENCE_BLOCKS
    };
    if sent.is_some_and(patient) {
        return Ok(None);
    }
    if let Some(reason) = node.cardano_health().halted {
        tracing::error!(seq = to_sign.seq, %reason, "an anchor waits for this validator, which does not sign");
        return Ok(None);
    }
    let account = AccountId::of_key(public.hash());
    let committed = sequence::next(&view, &account, &public.hash());
    let sender = Sender {
        account,
        key: public.hash(),
    };
    let valid_for_ms = u64::try_from(VALID_FOR.as_millis()).unwrap_or(u64::MAX);
    let transaction = Transaction {
        network: node.chain().id,
        sender,
        sequence: node.next_sequence(&account, &public.hash(), committed),
        valid_until: nupeer_primitives::TimeMs(view.tip().time.0.saturating_add(valid_for_ms)),
        action: Action::SignAnchor(signature(&to_sign, key)).into(),
    };
    tracing::info!(seq = to_sign.seq, "signing an anchor");
    Ok(Some((signed(transaction, key), (to_sign.digest, height))))
}

fn signature(to_sign: &ToSign, key: &SigningKey) -> SignAnchor {
    SignAnchor {
        seq: to_sign.seq,
        signature: Signature(key.sign(&to_sign.digest.0).to_bytes()),
    }
}

fn signed(transaction: Transaction, key: &SigningKey) -> Vec<u8> {
    let signature = key.sign(&signing_hash(&transaction.id()).0);
    let witness = Witness::Key {
        public_key: PublicKey(key.verifying_key().to_bytes()),
        signature: Signature(signature.to_bytes()),
    };
    SignedTransaction {
        transaction,
        witness,
    }
    .to_bytes()
}
