//! How much of Cardano one block of the sidechain takes in. Whoever builds a block takes Cardano blocks as long as they fit; whoever judges it
//! accepts any portion that fits.

/// Most Cardano blocks in a portion.
pub const BLOCKS_MAX: u64 = 100;

/// Most observations in a portion: a little more than one Cardano block can make. A body has [`BODY_BYTES_MAX`], and an output that is
/// observed takes [`OUTPUT_BYTES_MIN`] of them.
pub const OBSERVATIONS_MAX: usize = 2_500;

/// Most bytes of observations in a portion. They are longer than what they are made of, since an observation writes out what a block
/// abbreviates.
pub const BYTES_MAX: usize = 1 << 20;

/// Most bytes in the body of a Cardano block (`maxBlockBodySize` of mainnet).
pub const BODY_BYTES_MAX: usize = 90_112;

/// Fewest bytes of an output that is observed: `[address, lovelace]` with a script's address of 29 bytes, and the lovelace that Cardano
/// asks of an output of that size, in five bytes.
pub const OUTPUT_BYTES_MIN: usize = 37;

/// What a portion has taken so far.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Portion {
    blocks: u64,
    observations: usize,
    bytes: usize,
}

impl Portion {
    /// Takes the next Cardano block, with its observations in their encoding, if it fits. The first always does, whatever is in it: no
    /// block of Cardano holds the sidechain up.
    pub fn takes(&mut self, observations: &[Vec<u8>]) -> bool {
        let with = self.with(observations);
        let fits = with.blocks <= BLOCKS_MAX
            && with.observations <= OBSERVATIONS_MAX
            && with.bytes <= BYTES_MAX;
        let taken = fits || self.blocks == 0;
        if taken {
            *self = with;
        }
        taken
    }

    fn with(&self, observations: &[Vec<u8>]) -> Portion {
        let bytes = observations.iter().map(Vec::len);
        Portion {
            blocks: self.blocks.saturating_add(1),
            observations: self.observations.saturating_add(observations.len()),
            bytes: bytes.fold(self.bytes, usize::saturating_add),
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn seen(count: usize, bytes: usize) -> Vec<Vec<u8>> {
        vec![vec![0; bytes]; count]
    }

    /// How many of these blocks, in their order, one portion takes.
    fn taken(blocks: &[Vec<Vec<u8>>]) -> usize {
        let mut portion = Portion::default();
        blocks
            .iter()
            .take_while(|block| portion.takes(block))
            .count()
    }

    #[test]
    fn a_portion_ends_where_the_next_block_does_not_fit() {
        let (some, full) = (seen(1_000, 60), seen(OBSERVATIONS_MAX, 60));
        for (blocks, expected) in [
            (vec![], 0),
            (vec![seen(0, 0); 101], 100),
            (vec![some.clone(); 4], 2),
            (vec![full.clone(), seen(0, 0)], 2),
            (vec![full.clone(), seen(1, 1)], 1),
            // More than fits goes alone, wherever it comes.
            (vec![seen(OBSERVATIONS_MAX + 1, 1), seen(0, 0)], 1),
            (vec![seen(1, BYTES_MAX + 1), seen(0, 0)], 1),
            (vec![seen(0, 0), seen(1, BYTES_MAX + 1)], 1),
            (vec![seen(2, BYTES_MAX / 2), seen(1, 1)], 1),
        ] {
            assert_eq!(taken(&blocks), expected);
        }
    }

    #[test]
    fn what_one_block_of_cardano_can_make_is_no_more_than_a_portion_counts() {
        let most = BODY_BYTES_MAX / OUTPUT_BYTES_MIN;
        assert!(most <= OBSERVATIONS_MAX, "{most}");
        assert_eq!(taken(&[seen(most, 100), seen(0, 0)]), 2);
    }

    proptest! {
        #[test]
        fn every_block_gets_through_in_the_end_and_whatever_begins_a_portion_is_one(
            sizes in prop::collection::vec((0usize..3_000, 0usize..3), 1..150)
        ) {
            let blocks: Vec<_> = sizes.iter().map(|(count, bytes)| seen(*count, *bytes)).collect();
            let mut rest = &blocks[..];
            while !rest.is_empty() {
                let portion = taken(rest);
                prop_assert!(portion > 0, "nothing holds the chain up");
                for shorter in 1..=portion {
                    prop_assert_eq!(taken(&rest[..shorter]), shorter);
                }
                rest = &rest[portion..];
            }
        }
    }
}
