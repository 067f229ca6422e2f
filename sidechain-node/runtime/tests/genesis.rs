//! The genesis: its id binds every field, and its file says the same.

mod common;

use common::genesis;
use nupeer_bridge::Settings;
use nupeer_lease::{KindParams, Resources};
use nupeer_observe::Scope;
use nupeer_outbox::{BridgeId, OutputReference};
use nupeer_primitives::{
    Amount, AssetId, CardanoPoint, Hash, Hash28, Slot, consensus::ValidatorSetError,
};
use nupeer_runtime::{
    Genesis,
    genesis::{CardanoSettings, GenesisError, Limits},
};
use proptest::prelude::*;

fn followed() -> CardanoSettings {
    let from = CardanoPoint {
        slot: Slot(5),
        hash: Hash([7; 32]),
    };
    CardanoSettings {
        magic: 42,
        security_parameter: 12,
        from,
    }
}

#[test]
fn a_file_describes_the_same_genesis() {
    let mut genesis = genesis();
    genesis.cardano = Some(followed());
    let text = genesis.to_json().unwrap();
    assert_eq!(Genesis::from_json(&text).unwrap().id(), genesis.id());
}

/// A genesis in which every parameter of the file is another number, beginning with `first`.
fn numbered(first: u16, asset: AssetId) -> Genesis {
    let mut numbers = first + 1..;
    let mut next = || numbers.next().unwrap();
    let seed = OutputReference {
        transaction_id: Hash([1; 32]),
        index: 3,
    };
    let mut resources = || Resources {
        cpu_milli: next().into(),
        memory_bytes: next().into(),
        disk_bytes: next().into(),
        pids: next().into(),
        ports: next(),
    };
    let (minimum, maximum) = (resources(), resources());
    let kinds = vec![KindParams {
        kind: nupeer_lease::Kind::Container,
        bond_asset: asset,
        bond_minimum: Amount::new(next().into()),
        minimum,
        maximum,
    }];
    Genesis {
        cardano: Some(followed()),
        credits: vec![],
        limits: Limits {
            block_bytes_max: 1_000_000 + u32::from(next()),
            transaction_bytes_max: 10_000 + u32::from(next()),
        },
        params: nupeer_ledger::Params {
            fee_base_lovelace: next().into(),
            fee_byte_lovelace: next().into(),
            fee_weight_lovelace: next().into(),
        },
        lease: nupeer_lease::Params {
            protocol_fee_per_10k: next(),
            upload_timeout_ms: 600_000 + u64::from(first),
            provision_timeout_ms: next().into(),
            pause_grace_ms: next().into(),
            settle_window_ms: next().into(),
            request_life_ms_max: next().into(),
            offer_life_ms_max: next().into(),
            duration_ms_max: next().into(),
            escrow_cover_ms_min: next().into(),
            retention_ms: next().into(),
            due_per_block_max: next().into(),
            kinds,
        },
        bridge: Some(Settings {
            bridge_id: BridgeId::derive(42, &seed),
            network_magic: 42,
            seed,
            birth: Hash([2; 32]),
            scope: Scope {
                genesis: Hash28([3; 28]),
                head: Hash28([4; 28]),
                anchor: Hash28([5; 28]),
                vault: Hash28([6; 28]),
                deposit: Hash28([7; 28]),
            },
            committee: Hash28([8; 28]),
            shards: 5,
            assets: vec![token(vec![0x74])],
            params: nupeer_bridge::Params {
                utxo_cost_per_byte_lovelace: next().into(),
                withdrawal_min_lovelace: next().into(),
                leaf_outputs_max: u32::from(next() % 80).max(1),
                anchor_interval_blocks: next().into(),
                anchor_timeout_blocks: next().into(),
                deposit_min_lovelace: next().into(),
            },
        }),
        ..genesis()
    }
}

fn token(name: Vec<u8>) -> AssetId {
    let policy = Hash28([0xab; 28]);
    AssetId::Native { policy, name }
}

proptest! {
    #[test]
    fn every_parameter_is_read_as_it_was_written(first in 0u16..60_000, name: [u8; 5], is_ada: bool) {
        let asset = if is_ada { AssetId::Ada } else { token(name.to_vec()) };
        let genesis = numbered(first, asset);
        let text = genesis.to_json().unwrap();
        prop_assert_eq!(Genesis::from_json(&text).unwrap(), genesis);
    }
}

#[test]
fn the_file_is_written_as_it_was_first() {
    let text = numbered(0, token(vec![0x74])).to_json().unwrap();
    let parts = text.split_once("  \"limits\"").unwrap().1;
    let (parameters, rest) = parts.split_once("  \"credits\"").unwrap();
    assert_eq!(parameters, include_str!("golden/genesis_parameters.txt"));
    let (_, bridge) = rest.split_once("\"network_magic\"").unwrap();
    assert_eq!(bridge, include_str!("golden/genesis_bridge.txt"));
}

#[test]
fn what_is_absent_is_as_it_is_by_default_and_what_is_unknown_is_refused() {
    let full: serde_json::Value =
        serde_json::from_str(&numbered(0, AssetId::Ada).to_json().unwrap()).unwrap();
    let without = |place: &str, field: &str| {
        let mut file = full.clone();
        let fields = file.pointer_mut(place).unwrap().as_object_mut().unwrap();
        fields.remove(field).unwrap();
        Genesis::from_json(&file.to_string())
    };
    let lease = without("/market", "retention_ms").unwrap().lease;
    assert_eq!(
        lease.retention_ms,
        nupeer_lease::Params::default().retention_ms
    );
    assert_eq!(without("/market", "kinds").unwrap().lease.kinds, []);
    let read = without("/bridge", "params").unwrap().bridge.unwrap();
    assert_eq!(read.params, nupeer_bridge::Params::default());
    let fees = without("/fees", "byte_lovelace").unwrap().params;
    let by_default = nupeer_ledger::Params::default().fee_byte_lovelace;
    assert_eq!(fees.fee_byte_lovelace, by_default);
    assert_eq!(without("", "limits").unwrap().limits, Limits::default());
    let lacks = without("/market/kinds/0/minimum", "pids").unwrap_err();
    assert!(
        lacks.to_string().contains("missing field `pids`"),
        "{lacks}"
    );
    for place in ["/limits", "/fees", "/market", "/market/kinds/0/maximum"] {
        let mut file = full.clone();
        file.pointer_mut(place).unwrap()["mispelt"] = 1.into();
        let refused = Genesis::from_json(&file.to_string()).unwrap_err();
        assert!(
            refused.to_string().contains("unknown field `mispelt`"),
            "{place}: {refused}"
        );
    }
}

#[test]
fn every_field_changes_the_id() {
    let base = genesis();
    let changes: [fn(&mut Genesis); 8] = [
        |g| g.name = "other".into(),
        |g| g.cardano_network = 1,
        |g| g.start.0 += 1,
        |g| g.validators[0].power += 1,
        |g| g.limits.block_bytes_max += 1,
        |g| g.params.fee_base_lovelace += 1,
        |g| g.credits.truncate(1),
        |g| g.lease.retention_ms += 1,
    ];
    for change in changes {
        let mut other = base.clone();
        change(&mut other);
        assert_ne!(other.id(), base.id());
    }
}

#[test]
fn a_genesis_without_sense_is_refused() {
    type Change = fn(&mut Genesis);
    let cases: [(Change, GenesisError); 4] = [
        (
            |g| g.name = "Two Words".into(),
            GenesisError::Name {
                provided: "Two Words".into(),
            },
        ),
        (
            |g| g.cardano_network = 2,
            GenesisError::Network { provided: 2 },
        ),
        (
            |g| g.validators.clear(),
            GenesisError::Validators(ValidatorSetError::Empty),
        ),
        (
            |g| g.limits.block_bytes_max = 1_000,
            GenesisError::Limits {
                block: 1_000,
                transaction: 16_384,
            },
        ),
    ];
    for (change, error) in cases {
        let mut genesis = genesis();
        change(&mut genesis);
        assert_eq!(genesis.chain(), Err(error));
    }
}

#[test]
fn a_misspelt_key_in_the_file_is_noticed() {
    let text = genesis()
        .to_json()
        .unwrap()
        .replace("\"credits\"", "\"credit\"");
    let Err(GenesisError::File(why)) = Genesis::from_json(&text) else {
        panic!("accepted")
    };
    assert!(why.contains("unknown field `credit`"), "{why}");
}

#[test]
fn a_market_that_would_not_work_begins_no_chain() {
    let mut genesis = genesis();
    genesis.lease.protocol_fee_per_10k = 10_001;
    let what = "a fee over 100 %";
    let refused = nupeer_lease::LeaseError::InvalidParams { what };
    assert_eq!(
        genesis.execute().unwrap_err(),
        GenesisError::Lease(Box::new(refused))
    );
}

#[test]
fn a_file_without_a_market_has_one_without_kinds_and_an_unknown_kind_is_refused() {
    let text = genesis().to_json().unwrap();
    let mut file: serde_json::Value = serde_json::from_str(&text).unwrap();
    file["market"]["kinds"][0]["kind"] = "submarine".into();
    let Err(GenesisError::File(why)) = Genesis::from_json(&file.to_string()) else {
        panic!("accepted")
    };
    assert!(why.contains("submarine"), "{why}");
    file.as_object_mut().unwrap().remove("market");
    let read = Genesis::from_json(&file.to_string()).unwrap();
    assert_eq!(read.lease, nupeer_lease::Params::default());
}
