//! The bridge's part of the first state.

use nupeer_ledger::{StateRead, StateWrite};
use nupeer_outbox::{Committee, Shard, Value, shard::RESERVE_LOVELACE};
use nupeer_primitives::{CardanoPoint, Height, PublicKey, cbor};

use crate::{error::BridgeError, settings::Settings, shard::ShardRecord, status::Status, store};

const COMMITTEE: &[u8] = b"bridge/committee";

/// Place of the head among the outputs of birth; shards follow.
const HEAD: u32 = 1;

/// Puts a bridge in force as it was born: the head at anchor 0, the shards empty but for their reserve, the committee of epoch 0.
///
/// # Errors
/// As [`Settings::check`], and keys that make no committee.
pub fn init(
    state: &mut dyn StateWrite,
    settings: &Settings,
    from: CardanoPoint,
    bridge_keys: Vec<PublicKey>,
) -> Result<(), BridgeError> {
    settings.check()?;
    let committee = Committee::new(settings.bridge_id, 0, bridge_keys)?;
    settings.store(state);
    state.set_plain(
        COMMITTEE.to_vec(),
        Some(cbor::encode(&(
            committee.epoch(),
            committee.keys().to_vec(),
        ))),
    );
    for shard in 0..settings.shards {
        let record = ShardRecord {
            output: settings.born(HEAD + 1 + u32::from(shard)),
            state: Shard::new(shard, settings.assets.iter().cloned())?,
            value: Value::lovelace(RESERVE_LOVELACE),
            assigned_seq: 0,
            committed: Value::default(),
        };
        store::put_shard(state, shard, &record);
    }
    first_status(settings, from).store(state);
    Ok(())
}

fn first_status(settings: &Settings, observed: CardanoPoint) -> Status {
    Status {
        observed,
        head: settings.born(HEAD),
        last_anchor: 0,
        pending_versions: 0,
        anchor_made: Height(0),
        credited_count: 0,
        refused_count: 0,
        withdrawal_count: 0,
        unswept: Value::default(),
        halted: None,
    }
}

/// The committee in force; `None` on a chain without a bridge.
pub fn committee(state: &dyn StateRead) -> Option<Committee> {
    let settings = Settings::load(state)?;
    let (epoch, keys): (u64, Vec<PublicKey>) = cbor::decode(&state.plain(COMMITTEE)?).ok()?;
    Committee::new(settings.bridge_id, epoch, keys).ok()
}
