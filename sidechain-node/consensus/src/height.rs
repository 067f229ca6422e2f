//! What is known of the height that is being decided, and of the few after it.

use std::collections::{BTreeMap, BTreeSet};

use malachitebft_core_types::ValidatorSet as _;
use nupeer_primitives::consensus::ValidatorId;
use nupeer_primitives::{Hash, Hash28, Height};

use crate::Undecided;
use crate::context::{Address, Announcement, Members};
use crate::signing::StrictVerifier;
use crate::streams::{Assembled, Refusal};

/// Rounds ahead of the own whose proposals are taken, as Malachite takes their votes.
const ROUNDS_AHEAD_MAX: u32 = 10;
/// Blocks announced per round that are remembered: the second convicts, a third says nothing new.
const ANNOUNCED_PER_ROUND_MAX: usize = 2;
/// Heights ahead of the own whose votes and blocks are kept. One that falls a little behind goes on with them; without
/// them it would fetch each block when all others have gone on, and never vote again while blocks come fast.
pub(crate) const HEIGHTS_AHEAD_MAX: u64 = 10;
/// Blocks kept for them.
const AHEAD_MAX: usize = 16;
/// Blocks kept for them of one proposer.
const AHEAD_PER_PROPOSER_MAX: usize = 4;

/// The state of one height.
pub(crate) struct HeightState {
    pub(crate) height: Height,
    pub(crate) round: u32,
    pub(crate) members: Members,
    /// Blocks that are in the store and may be decided.
    blocks: BTreeMap<Hash, Undecided>,
    /// What proposers announced, by round and block: repeated for them when others must see it again.
    announced: BTreeMap<(u32, Hash), Announcement>,
    /// Blocks that the application was asked about, and whether they were proposed anew: a block is judged once
    /// as its proposer's own and once as somebody else's.
    judged: BTreeSet<(Hash, bool)>,
    /// Whole blocks for heights ahead.
    ahead: BTreeMap<(Height, ValidatorId), Assembled>,
}

impl HeightState {
    pub(crate) fn new(height: Height, members: Members, stored: Vec<Undecided>) -> Self {
        let mut state = HeightState {
            height,
            round: 0,
            members,
            blocks: BTreeMap::new(),
            announced: BTreeMap::new(),
            judged: BTreeSet::new(),
            ahead: BTreeMap::new(),
        };
        stored
            .into_iter()
            .for_each(|undecided| state.store(undecided));
        state
    }

    /// Whether an announcement is worth setting memory aside for. Remembers it, if it is of this height.
    pub(crate) fn admit(
        &mut self,
        announcement: &Announcement,
        verifier: &StrictVerifier,
    ) -> Result<(), Refusal> {
        self.in_reach(announcement)?;
        let proposer = Address(announcement.proposer);
        let member = self
            .members
            .get_by_address(&proposer)
            .ok_or(Refusal::NotProposer)?;
        // Who proposes at a height is settled with the one before; it is checked then.
        if announcement.height == self.height && !self.is_turn(announcement) {
            return Err(Refusal::NotProposer);
        }
        if !verifier.announced_by(announcement, &member.public_key) {
            return Err(Refusal::Signature);
        }
        if announcement.height != self.height {
            return if self.has_room(announcement) {
                Ok(())
            } else {
                Err(Refusal::Known)
            };
        }
        self.remember(announcement);
        let anew = announcement.valid_round.is_some();
        let known = self.blocks.contains_key(&announcement.block)
            || self.judged.contains(&(announcement.block, anew));
        if known { Err(Refusal::Known) } else { Ok(()) }
    }

    fn in_reach(&self, announcement: &Announcement) -> Result<(), Refusal> {
        let Announcement {
            height: provided,
            round,
            valid_round,
            ..
        } = *announcement;
        let current = self.height;
        let first = match provided {
            _ if provided == current => self.round,
            _ if (1..=HEIGHTS_AHEAD_MAX).contains(&current.until(provided)) => 0,
            _ => return Err(Refusal::Height { provided, current }),
        };
        if round > first.saturating_add(ROUNDS_AHEAD_MAX) {
            return Err(Refusal::Round {
                provided: round,
                current: first,
            });
        }
        match valid_round {
            Some(valid) if valid >= round => Err(Refusal::Round {
                provided: valid,
                current: round,
            }),
            _ => Ok(()),
        }
    }

    fn is_turn(&self, announcement: &Announcement) -> bool {
        self.members.proposer(announcement.round).address.0 == announcement.proposer
    }

    fn remember(&mut self, announcement: &Announcement) {
        let round = announcement.round;
        let first = (round, Hash([0; Hash::LEN]));
        let last = (round, Hash([0xff; Hash::LEN]));
        if self.announced.range(first..=last).count() < ANNOUNCED_PER_ROUND_MAX {
            self.announced
                .insert((round, announcement.block), announcement.clone());
        }
    }

    /// The announcement by which a proposer proposed `block` in `round`.
    pub(crate) fn announcement(&self, round: u32, block: Hash) -> Option<&Announcement> {
        self.announced.get(&(round, block))
    }

    fn has_room(&self, announcement: &Announcement) -> bool {
        let proposer = announcement.proposer;
        let kept = self
            .ahead
            .keys()
            .filter(|(_, other)| *other == proposer)
            .count();
        kept < AHEAD_PER_PROPOSER_MAX && !self.ahead.contains_key(&(announcement.height, proposer))
    }

    /// Keeps a whole block for a height ahead. Nearer heights come first.
    pub(crate) fn park(&mut self, assembled: Assembled) {
        let announcement = &assembled.announcement;
        if self.has_room(announcement) {
            let at = (announcement.height, announcement.proposer);
            self.ahead.insert(at, assembled);
        }
        while self.ahead.len() > AHEAD_MAX {
            self.ahead.pop_last();
        }
    }

    /// Whether a whole block of this height is to be judged; it counts as judged from now on.
    pub(crate) fn begin_judging(&mut self, announcement: &Announcement) -> bool {
        announcement.height == self.height
            && self.is_turn(announcement)
            && !self.blocks.contains_key(&announcement.block)
            && self
                .judged
                .insert((announcement.block, announcement.valid_round.is_some()))
    }

    /// A block is in the store.
    pub(crate) fn store(&mut self, undecided: Undecided) {
        if undecided.height == self.height {
            self.blocks.entry(undecided.block.id).or_insert(undecided);
        }
    }

    pub(crate) fn block(&self, id: &Hash) -> Option<&Undecided> {
        self.blocks.get(id)
    }

    /// Blocks that were first seen in `round`.
    pub(crate) fn blocks_of(&self, round: u32) -> impl Iterator<Item = &Undecided> {
        self.blocks
            .values()
            .filter(move |undecided| undecided.round == round)
    }

    /// What `proposer` itself built for `round`. It must not build another.
    pub(crate) fn own(&self, round: u32, proposer: ValidatorId) -> Option<&Undecided> {
        self.blocks_of(round)
            .find(|u| u.proposer == proposer && u.valid_round.is_none())
    }

    /// Who may have built a block that was announced so.
    pub(crate) fn builders(&self, announcement: &Announcement) -> Vec<ValidatorId> {
        let Some(valid_round) = announcement.valid_round else {
            return vec![announcement.proposer];
        };
        let cycle = u32::try_from(self.members.count()).unwrap_or(u32::MAX);
        let rounds = 0..valid_round.saturating_add(1).min(cycle);
        let distinct: BTreeSet<_> = rounds
            .map(|round| self.members.proposer(round).address.0)
            .collect();
        distinct.into_iter().collect()
    }

    /// Goes on to a height. What was kept for it and came from its proposers is given out.
    pub(crate) fn advance(&mut self, height: Height, members: Members) -> Vec<Assembled> {
        let mut ahead = std::mem::take(&mut self.ahead);
        *self = HeightState::new(height, members, Vec::new());
        self.ahead = ahead.split_off(&(height.next(), Hash28([0; Hash28::LEN])));
        let mut due = Vec::new();
        for assembled in ahead.into_values() {
            let announcement = &assembled.announcement;
            if announcement.height == height && self.is_turn(announcement) {
                self.remember(announcement);
                due.push(assembled);
            }
        }
        due
    }
}

#[cfg(test)]
#[path = "height_tests.rs"]
mod tests;
