//! How a block changes the state. Mempool, proposer and validators run the same code on a fork of the state.

use jmt::storage::TreeReader;
use minicbor::bytes::ByteVec;
use nupeer_ledger::{
    Changes, Context, Overlay, Params, Pot, Purse, StateRead, grant::Acting, purse, sequence,
};
use nupeer_observe::Observation;
use nupeer_primitives::{
    Amount, AssetId, CardanoPoint, Hash, Height, TimeMs, consensus::ValidatorId,
};

use crate::{
    block::{self, Block, Header},
    error::{BlockError, TransactionError},
    event::Event,
    genesis::Chain,
    journal, record,
    tip::Tip,
    transaction::{Transaction, Verified},
    tree::{self, TreeUpdate},
};

/// What a proposer puts into a block besides transactions.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BlockInput {
    /// The block's time.
    pub time: TimeMs,
    /// Who builds it.
    pub proposer: ValidatorId,
    /// The Cardano point observed up to.
    pub cardano: Option<CardanoPoint>,
    /// What was observed between the parent's point and this one, each in its canonical encoding.
    pub observations: Vec<Vec<u8>>,
}

/// What a block did, not yet written.
#[derive(Clone, Debug)]
pub struct Executed {
    /// The chain's end after this block.
    pub tip: Tip,
    /// Entries of both key spaces to write.
    pub changes: Changes,
    /// The new version of the tree, if a leaf changed.
    pub tree: Option<TreeUpdate>,
    /// What happened, with the index of the transaction that did it; `None`: the block itself did.
    pub events: Vec<(Option<usize>, Event)>,
    /// What each transaction was charged, in their order. No part of the state: it says what the block did.
    pub fees: Vec<Amount>,
    /// Heights whose states open anchors name after this block: proofs under those may still be asked for.
    pub anchored: Vec<Height>,
}

/// What one transaction did.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Done {
    /// What it was charged, in lovelace, by the parameters as they stood.
    pub fee: Amount,
    /// What happened, in order.
    pub events: Vec<Event>,
}

/// A block that was built, what it does, and what was left out of it.
#[derive(Clone, Debug)]
pub struct Proposal {
    /// The block.
    pub block: Block,
    /// What it does.
    pub executed: Executed,
    /// Ids of its transactions, in its order.
    pub included: Vec<Hash>,
    /// Candidates that can no longer be executed, with the reason.
    pub refused: Vec<(Hash, TransactionError)>,
}

/// Executes `transaction` on `state` as a block at `height` and `time` would: all of it, or nothing and the reason.
pub fn check(
    state: &mut Overlay<'_>,
    transaction: &Verified,
    height: Height,
    time: TimeMs,
) -> Result<Done, TransactionError> {
    let asked = Asked {
        transaction: transaction.transaction(),
        id: transaction.id(),
        size_bytes: transaction.size_bytes(),
    };
    state.atomically(|fork| execute_transaction(fork, &asked, height, time))
}

/// What a block at `height` and `time` would make of `transaction` after what `fork` has, were it signed in `size_bytes` bytes: for who wants to know before
/// anything is signed. Nothing of it lasts: the fork ends here. What lasts goes through [`check`], which takes a [`Verified`] alone.
pub fn preview(
    mut fork: Overlay<'_>,
    transaction: &Transaction,
    size_bytes: usize,
    height: Height,
    time: TimeMs,
) -> Result<Done, TransactionError> {
    let asked = Asked {
        transaction,
        id: transaction.id(),
        size_bytes,
    };
    execute_transaction(&mut fork, &asked, height, time)
}

/// What of a signed transaction its execution depends on.
struct Asked<'t> {
    transaction: &'t Transaction,
    id: Hash,
    /// Length of the signed encoding.
    size_bytes: usize,
}

fn execute_transaction(
    state: &mut Overlay<'_>,
    asked: &Asked<'_>,
    height: Height,
    time: TimeMs,
) -> Result<Done, TransactionError> {
    let transaction = asked.transaction;
    let sender = transaction.sender;
    if time > transaction.valid_until {
        return Err(TransactionError::Expired {
            valid_until: transaction.valid_until,
            now: time,
        });
    }
    sequence::consume(state, &sender.account, &sender.key, transaction.sequence)?;
    let acting = Acting::begin(
        state,
        &sender.account,
        &sender.key,
        transaction.action.scope(),
        time,
    )?;
    let account = Purse::Account(sender.account);
    let fee = match transaction.action.is_system() {
        true => Amount::ZERO,
        false => Params::load(state).fee(asked.size_bytes, transaction.action.weight()),
    };
    purse::transfer(state, &account, &Purse::Pot(Pot::Fees), &AssetId::Ada, fee)?;
    let context = Context {
        sender: sender.account,
        signer: sender.key,
        transaction: asked.id,
        height,
        time,
    };
    let events = transaction.action.execute(state, &context)?;
    acting.charge(state)?;
    Ok(Done { fee, events })
}

/// Builds the next block from as many `candidates` (signed bytes and what they were verified to be) as fit and can be executed, in
/// their order.
pub fn propose<'c, S: StateRead + TreeReader>(
    state: &S,
    chain: &Chain,
    tip: &Tip,
    input: &BlockInput,
    candidates: impl Iterator<Item = (&'c [u8], &'c Verified)>,
) -> Result<Proposal, BlockError> {
    let height = tip.height.next();
    let mut fork = Overlay::new(state);
    let (mut transactions, mut fees) = (Vec::new(), Vec::new());
    let (mut included, mut refused) = (Vec::new(), Vec::new());
    let mut events = begin_block(&mut fork, height, input.cardano, &input.observations)?;
    let mut room = block::room_bytes(chain.limits.block_bytes_max);
    for (bytes, verified) in candidates {
        let taken = block::taken_bytes(bytes);
        if taken > room {
            continue;
        }
        match check(&mut fork, verified, height, input.time) {
            Ok(done) => {
                let index = Some(transactions.len());
                events.extend(done.events.into_iter().map(|event| (index, event)));
                fees.push(done.fee);
                included.push(verified.id());
                transactions.push(ByteVec::from(bytes.to_vec()));
                room -= taken;
            }
            Err(error) => refused.push((verified.id(), error)),
        }
    }
    events.extend(end_block(&mut fork, tip, input.time));
    let happened = Happened { events, fees };
    let executed = finish(state, tip, input, fork, happened)?;
    let header = Header {
        height,
        time: input.time,
        proposer: input.proposer,
        parent: tip.id,
        transaction_root: block::transaction_root(
            transactions.iter().map(|bytes| bytes.as_slice()),
        ),
        state_root: executed.tip.state_root(),
        cardano: input.cardano,
        observation_root: block::observation_root(&input.observations),
        validators: chain.validators.hash(),
    };
    let executed = Executed {
        tip: Tip {
            id: header.id(),
            ..executed.tip
        },
        ..executed
    };
    Ok(Proposal {
        block: Block {
            header,
            transactions,
        },
        executed,
        included,
        refused,
    })
}

/// Executes `block` on `state`, the state at `tip`, and checks every commitment of its header. `observations` are what this
/// validator itself observed between the tip's Cardano point and the header's; `verify` returns what a signed
/// transaction's bytes were verified to be (from memory where the mempool has verified them already).
pub fn apply_block<S: StateRead + TreeReader>(
    state: &S,
    chain: &Chain,
    tip: &Tip,
    block: &Block,
    observations: &[Vec<u8>],
    verify: &mut dyn FnMut(&[u8]) -> Result<Verified, TransactionError>,
) -> Result<Executed, BlockError> {
    let header = &block.header;
    check_header(chain, tip, header)?;
    let roots = block::transaction_root(block.transactions.iter().map(|bytes| bytes.as_slice()));
    matches("transaction root", header.transaction_root, roots)?;
    matches(
        "observation root",
        header.observation_root,
        block::observation_root(observations),
    )?;
    let mut fork = Overlay::new(state);
    let mut events = begin_block(&mut fork, header.height, header.cardano, observations)?;
    let mut fees = Vec::with_capacity(block.transactions.len());
    for (index, bytes) in block.transactions.iter().enumerate() {
        let done = verify(bytes)
            .and_then(|verified| check(&mut fork, &verified, header.height, header.time));
        let done = done.map_err(|error| BlockError::Transaction {
            index,
            error: Box::new(error),
        })?;
        events.extend(done.events.into_iter().map(|event| (Some(index), event)));
        fees.push(done.fee);
    }
    events.extend(end_block(&mut fork, tip, header.time));
    let input = BlockInput {
        time: header.time,
        proposer: header.proposer,
        cardano: header.cardano,
        observations: observations.to_vec(),
    };
    let happened = Happened { events, fees };
    let executed = finish(state, tip, &input, fork, happened)?;
    matches("state root", header.state_root, executed.tip.state_root())?;
    Ok(Executed {
        tip: Tip {
            id: header.id(),
            ..executed.tip
        },
        ..executed
    })
}

fn check_header(chain: &Chain, tip: &Tip, header: &Header) -> Result<(), BlockError> {
    let expected = tip.height.next();
    if header.height != expected {
        return Err(BlockError::Height {
            provided: header.height,
            expected,
        });
    }
    if header.parent != tip.id {
        return Err(BlockError::Parent {
            provided: header.parent,
            expected: tip.id,
        });
    }
    if header.time <= tip.time {
        return Err(BlockError::Time {
            provided: header.time,
            parent: tip.time,
        });
    }
    if !advances(tip.cardano, header.cardano) {
        return Err(BlockError::CardanoPoint {
            provided: header.cardano,
            parent: tip.cardano,
        });
    }
    matches("validator set", header.validators, chain.validators.hash())
}

/// The Cardano point stays where it is or moves to a later slot; a chain that follows Cardano never stops to.
fn advances(parent: Option<CardanoPoint>, next: Option<CardanoPoint>) -> bool {
    match (parent, next) {
        (None, None) => true,
        (Some(parent), Some(next)) => next == parent || next.slot > parent.slot,
        _ => false,
    }
}

fn matches(what: &'static str, provided: Hash, expected: Hash) -> Result<(), BlockError> {
    if provided == expected {
        Ok(())
    } else {
        Err(BlockError::Mismatch {
            what,
            provided,
            expected,
        })
    }
}

/// What was seen on Cardano comes before a block's transactions.
fn begin_block(
    fork: &mut Overlay<'_>,
    height: Height,
    cardano: Option<CardanoPoint>,
    observations: &[Vec<u8>],
) -> Result<Vec<(Option<usize>, Event)>, BlockError> {
    let Some(point) = cardano else {
        return Ok(Vec::new());
    };
    let mut seen = Vec::with_capacity(observations.len());
    for (index, bytes) in observations.iter().enumerate() {
        let observation = Observation::from_bytes(bytes);
        seen.push(observation.map_err(|error| BlockError::Observation { index, error })?);
    }
    let context = nupeer_bridge::Begin { height, point };
    let events = nupeer_bridge::block::begin(fork, &context, &seen).into_iter();
    Ok(events.map(|event| (None, Event::Bridge(event))).collect())
}

/// What happens by itself after a block's transactions: what is due at its time, then what is to happen on Cardano.
fn end_block(fork: &mut Overlay<'_>, parent: &Tip, time: TimeMs) -> Vec<(Option<usize>, Event)> {
    let due = nupeer_lease::block::end_block(fork, time).into_iter();
    let due: Vec<_> = due.map(Event::Lease).collect();
    let context = nupeer_bridge::End {
        height: parent.height.next(),
        parent_state_root: parent.state_root(),
    };
    let ordered = nupeer_bridge::block::end(fork, &context).into_iter();
    let all = due.into_iter().chain(ordered.map(Event::Bridge));
    all.map(|event| (None, event)).collect()
}

/// What a block's own steps and its transactions did.
struct Happened {
    events: Vec<(Option<usize>, Event)>,
    fees: Vec<Amount>,
}

/// Everything after the rules: leaves of records, the tree, the journal, the new tip (its id is the caller's to set).
fn finish<S: StateRead + TreeReader>(
    state: &S,
    tip: &Tip,
    input: &BlockInput,
    fork: Overlay<'_>,
    Happened { events, fees }: Happened,
) -> Result<Executed, BlockError> {
    let anchored = nupeer_bridge::view::anchored_heights(&fork);
    let mut changes: Changes = fork.into_changes();
    record::witness(&mut changes);
    let tree = tree::update(state, tip.tree_version, &changes.proven)?;
    let tip = Tip {
        height: tip.height.next(),
        id: tip.id,
        time: input.time,
        cardano: input.cardano,
        tree_version: tree
            .as_ref()
            .map_or(tip.tree_version, |update| Some(update.version)),
        tree_root: tree.as_ref().map_or(tip.tree_root, |update| update.root),
        journal: journal::advance(&tip.journal, &changes.plain),
    };
    Ok(Executed {
        tip,
        changes,
        tree,
        events,
        fees,
        anchored,
    })
}
