//! The bytes of observations, pinned; and bytes of anybody, which never panic.

use nupeer_outbox::{Shard, Value, shard::EMPTY_SPARSE_ROOT};
use nupeer_primitives::{Amount, Hash, Slot};
use proptest::prelude::*;

use super::made::{SCOPE, at, deposit, nft, one, reference, token};
use crate::{
    AnchorSeen, DepositDatum, DepositSeen, HeadSeen, Observation, Part, ShardSeen, UnreadableSeen,
    observe,
};

#[test]
fn observations_are_pinned() {
    let output = reference(7, 2);
    let pins = [
        (
            Observation::Deposit(DepositSeen {
                output,
                slot: Slot(3),
                value: Value::lovelace(5),
                datum: DepositDatum::Missing,
                has_reference_script: false,
                has_staking_part: false,
            }),
            format!(
                "820081865824{}000000020381824005820280f4f4",
                "07".repeat(32)
            ),
        ),
        (
            Observation::Head(HeadSeen { output, seq: 4 }),
            format!("820181825824{}0000000204", "07".repeat(32)),
        ),
        (
            Observation::Anchor(AnchorSeen {
                output,
                seq: 4,
                body_hash: Hash([8; 32]),
            }),
            format!(
                "820281835824{}00000002045820{}",
                "07".repeat(32),
                "08".repeat(32)
            ),
        ),
        (
            Observation::Shard(ShardSeen {
                output,
                state: Shard::new(1, []).unwrap(),
                value: Value::lovelace(5),
                spent: vec![output],
            }),
            format!(
                "820381845824{0}000000025834d8799f0100009fd8799f4040000000ffff5820{1}ff81824005815824{0}00000002",
                "07".repeat(32),
                hex::encode(EMPTY_SPARSE_ROOT.0),
            ),
        ),
        (
            Observation::Unreadable(UnreadableSeen {
                output,
                part: Part::Shard,
            }),
            format!("820581825824{}0000000202", "07".repeat(32)),
        ),
    ];
    for (observation, hex) in pins {
        let bytes = observation.to_bytes();
        assert_eq!(hex::encode(&bytes), hex);
        assert_eq!(Observation::from_bytes(&bytes), Ok(observation));
    }
}

proptest! {
    #[test]
    fn changed_bytes_never_panic(at_byte in 0usize..700, byte: u8, cut in 0usize..700) {
        let outputs = [
            at(SCOPE.deposit, Value::lovelace(5).with(token(9, b"a"), Amount::new(1)), &deposit().to_data()),
            at(SCOPE.vault, nft(SCOPE.shard_token(3)), &Shard::new(3, []).unwrap().to_data()),
        ];
        let (mut block, _) = one(&outputs);
        let length = block.len();
        // The header's bytes are passed over; what comes behind is what is read.
        block[(500 + at_byte) % length] = byte;
        let _ = observe(&SCOPE, &block);
        let _ = observe(&SCOPE, &block[..cut.min(length)]);
    }

    #[test]
    fn no_bytes_panic(bytes in prop::collection::vec(any::<u8>(), 0..300)) {
        let _ = observe(&SCOPE, &bytes);
        let _ = observe(&SCOPE, &[&[0x82, 0x07][..], &bytes].concat());
        let _ = Observation::from_bytes(&bytes);
    }
}
