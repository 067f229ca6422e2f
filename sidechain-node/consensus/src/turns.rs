//! Whose turn it is to propose: round robin, with those who have been absent last.
//!
//! An absent proposer costs the whole chain a timeout at each of its turns. The round in which a height was
//! decided cannot tell who was absent, for two honest validators may hold certificates of different rounds for
//! one block. What all agree on is who built the decided blocks; so a validator that built none of the last two
//! cycles of blocks is taken for absent. It gets its turn again in every eighth cycle, and by building a block
//! then it is present again.

use nupeer_primitives::Height;
use nupeer_primitives::consensus::{ValidatorId, ValidatorSet};

/// One cycle in this many gives everybody a turn.
const CYCLES_BETWEEN_TRIALS: u64 = 8;

/// How many of the last decided blocks are looked at.
pub(crate) fn window(set: &ValidatorSet) -> usize {
    set.len().saturating_mul(2)
}

/// The validators in the order of their turns at `height`, given who built the last [`window`] blocks.
pub(crate) fn turns(
    set: &ValidatorSet,
    height: Height,
    builders: &[ValidatorId],
) -> Vec<ValidatorId> {
    let mut ids: Vec<ValidatorId> = set.iter().map(|validator| validator.id()).collect();
    let count = ids.len() as u64;
    ids.rotate_left((height.0 % count) as usize);
    let trial = (height.0 / count).is_multiple_of(CYCLES_BETWEEN_TRIALS);
    if !trial && builders.len() >= window(set) {
        // A stable sort: present ones keep their order, absent ones follow in theirs.
        ids.sort_by_key(|id| !builders.contains(id));
    }
    ids
}

#[cfg(test)]
mod tests {
    use nupeer_primitives::PublicKey;
    use nupeer_primitives::consensus::Validator;
    use proptest::prelude::*;

    use super::*;

    fn set(count: u8) -> ValidatorSet {
        let validators = (1..=count).map(|i| Validator {
            public_key: PublicKey([i; 32]),
            power: 1,
        });
        ValidatorSet::new(validators).unwrap()
    }

    fn ids(set: &ValidatorSet) -> Vec<ValidatorId> {
        set.iter().map(|v| v.id()).collect()
    }

    #[test]
    fn everybody_is_first_once_in_a_cycle() {
        let set = set(4);
        let mut first: Vec<_> = (40..44).map(|h| turns(&set, Height(h), &[])[0]).collect();
        first.sort();
        assert_eq!(first, ids(&set));
    }

    #[test]
    fn an_absent_validator_comes_last_until_a_trial_cycle() {
        let set = set(4);
        let absent = ids(&set)[0];
        let builders: Vec<_> = ids(&set)[1..]
            .iter()
            .copied()
            .cycle()
            .take(window(&set))
            .collect();
        // Heights divisible by four would be its turn; cycles 8 and 16 are trials.
        for (height, place) in [(36, 3), (60, 3), (32, 0), (64, 0)] {
            assert_eq!(
                turns(&set, Height(height), &builders)[place],
                absent,
                "height {height}"
            );
        }
    }

    #[test]
    fn a_short_history_accuses_nobody() {
        let set = set(4);
        let builders = vec![ids(&set)[1]; window(&set) - 1];
        assert_eq!(turns(&set, Height(4), &builders), ids(&set));
    }

    proptest! {
        #[test]
        fn turns_are_a_permutation_of_the_set(
            count in 1u8..20, height: u64, picks in prop::collection::vec(0usize..20, 0..50),
        ) {
            let set = set(count);
            let all = ids(&set);
            let builders: Vec<_> = picks.iter().map(|i| all[i % all.len()]).collect();
            let mut turns = turns(&set, Height(height), &builders);
            turns.sort();
            prop_assert_eq!(turns, all);
        }
    }
}
