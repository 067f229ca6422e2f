//! The genesis: its id binds every field, and its file says the same.

mod common;

use common::genesis;
use nupeer_primitives::{CardanoPoint, Hash, Slot, consensus::ValidatorSetError};
use nupeer_runtime::{
    Genesis,
    genesis::{CardanoSettings, GenesisError},
};

#[test]
fn a_file_describes_the_same_genesis() {
    let mut genesis = genesis();
    let from = CardanoPoint {
        slot: Slot(5),
        hash: Hash([7; 32]),
    };
    genesis.cardano = Some(CardanoSettings {
        magic: 42,
        security_parameter: 12,
        from,
    });
    let text = genesis.to_json().unwrap();
    assert_eq!(Genesis::from_json(&text).unwrap().id(), genesis.id());
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
