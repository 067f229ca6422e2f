//! Who built the last blocks, for the order in which validators propose.

use std::collections::VecDeque;

use nupeer_primitives::{Height, consensus::ValidatorId};

use crate::store::{Store, StoreError};

/// How many are remembered. Consensus asks for twice the number of validators.
const REMEMBERED: u64 = 512;

/// Builders of the last blocks, the newest last.
#[derive(Debug, Default)]
pub(super) struct Builders {
    last: Height,
    ids: VecDeque<ValidatorId>,
}

impl Builders {
    /// Reads them from the decided blocks.
    pub(super) fn load(store: &Store) -> Result<Self, StoreError> {
        let mut builders = Builders::default();
        let tip = store.tip()?.height;
        let first = tip.0.saturating_sub(REMEMBERED) + 1;
        for height in (first..=tip.0).map(Height) {
            let header = store
                .header(height)?
                .ok_or(StoreError::Corrupt { what: "block" })?;
            builders.push(height, header.proposer);
        }
        Ok(builders)
    }

    /// Notes who built the block of a height; of one that is known already there is nothing to note.
    pub(super) fn push(&mut self, height: Height, builder: ValidatorId) {
        if height <= self.last {
            return;
        }
        self.last = height;
        self.ids.push_back(builder);
        if self.ids.len() as u64 > REMEMBERED {
            self.ids.pop_front();
        }
    }

    /// The builders of the `count` heights just below `height`, as far as they are remembered.
    pub(super) fn below(&self, height: Height, count: usize) -> Vec<ValidatorId> {
        // Usually `height` follows the last; what is newer is left out.
        let newer = height.until(self.last.next());
        let newer = usize::try_from(newer).unwrap_or(usize::MAX);
        self.ids
            .iter()
            .rev()
            .skip(newer)
            .take(count)
            .copied()
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use nupeer_primitives::Hash28;

    use super::*;

    #[test]
    fn the_last_ones_below_a_height_are_told() {
        let mut builders = Builders::default();
        (1..=600u64).for_each(|h| builders.push(Height(h), Hash28([(h % 251) as u8; 28])));
        let id = |h: u64| Hash28([(h % 251) as u8; 28]);
        assert_eq!(builders.below(Height(601), 3), [id(600), id(599), id(598)]);
        assert_eq!(builders.below(Height(599), 2), [id(598), id(597)]);
        assert_eq!(builders.below(Height(601), 9_999).len(), 512);
        assert_eq!(Builders::default().below(Height(1), 8), []);
    }

    #[test]
    fn a_height_that_is_told_again_counts_once() {
        let mut builders = Builders::default();
        let id = |n: u8| Hash28([n; 28]);
        for (height, builder) in [(1, 1), (2, 2), (2, 2), (1, 1), (3, 3)] {
            builders.push(Height(height), id(builder));
        }
        assert_eq!(builders.below(Height(4), 8), [id(3), id(2), id(1)]);
    }
}
