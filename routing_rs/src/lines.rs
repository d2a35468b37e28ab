//! The sorted sequence that a lane is, in blocks of eight cache lines that all lanes draw from one arena.
//!
//! Putting last and taking first read one line of the lane and write one of a block. Whoever waits knows the
//! slot it was given, so that leaving from the middle reads that slot and clears a bit, without search or
//! moving; slots are a hint, for whoever is put in between moves those behind it within a block. `ranked.rs`
//! is for keys that have nowhere to keep a hint. The blocks of a line are linked, and where there are several
//! listed by the entry in their first slot, for search and rank.

use std::num::NonZeroU16;

use crate::lanes::{Entry, NOWHERE};
use crate::prefetch::prefetch;
use crate::ranked::Ranked;
use crate::slab::Slab;

const SLOTS: usize = 31;
const SLOT_BITS: u32 = 5;
const HALF: usize = SLOTS / 2;

/// Left with so many, a block is joined with the one behind if both fit with room to spare.
const SPARSE: u32 = 6;
const JOINED_MAX: u32 = 20;

/// Entries ascending in the first `used` slots. The dead stay until room is needed.
#[repr(align(64))]
pub(crate) struct Block {
    live: u32,
    used: NonZeroU16,
    next: u32,
    before: u32,
    entries: [Entry; SLOTS],
}

/// The arena of blocks.
pub(crate) type Blocks = Slab<Block, 64>;

/// Where an entry was put, as far as its owner knows.
pub(crate) type Slot = u32;

/// No slot is known.
pub(crate) const NO_SLOT: Slot = u32::MAX;

impl Block {
    fn new(before: u32, next: u32, first: Entry) -> Self {
        Self {
            live: 1,
            used: NonZeroU16::MIN,
            next,
            before,
            entries: [first; SLOTS],
        }
    }

    #[inline]
    fn used_n(&self) -> usize {
        usize::from(self.used.get())
    }

    fn used(&self) -> &[Entry] {
        &self.entries[..self.used_n()]
    }

    #[inline]
    fn push(&mut self, entry: Entry) {
        self.entries[self.used_n()] = entry;
        self.live |= 1 << self.used.get();
        self.used = self.used.saturating_add(1);
    }

    fn floor(&self) -> Entry {
        self.entries[0]
    }

    fn is_live(&self, at: usize) -> bool {
        self.live >> at & 1 != 0
    }

    fn first(&self) -> Entry {
        self.entries[self.live.trailing_zeros() as usize % SLOTS]
    }

    fn last(&self) -> Entry {
        self.entries[self.live.ilog2() as usize % SLOTS]
    }

    fn iter(&self) -> impl Iterator<Item = Entry> + '_ {
        crate::bits::each(u64::from(self.live), 0).map(|at| self.entries[at as usize])
    }

    /// Lets the dead go.
    fn compact(&mut self) {
        let mut live = self.iter();
        let mut kept = Self::new(self.before, self.next, live.next().unwrap_or_default());
        live.for_each(|entry| kept.push(entry));
        *self = kept;
    }
}

/// A sorted set of entries. One that comes alone needs no block until another follows.
pub(crate) struct Line {
    first: Entry,
    /// Nothing in the last block is greater, dead or alive.
    last: Entry,
    len: u32,
    front: u32,
    back: u32,
    /// The blocks by what is in their first slot, when there are several.
    listed: Option<Box<Ranked<(Entry, u32)>>>,
}

impl Default for Line {
    fn default() -> Self {
        Self {
            first: Entry::default(),
            last: Entry::default(),
            len: 0,
            front: NOWHERE,
            back: NOWHERE,
            listed: None,
        }
    }
}

fn slot(block: u32, at: usize) -> Slot {
    block << SLOT_BITS | at as u32
}

/// Asks for the memory of a slot and of its block's head.
pub(crate) fn prefetch_slot(blocks: &Blocks, slot: Slot) {
    if let Some(block) = blocks.place(slot >> SLOT_BITS) {
        prefetch(block);
        prefetch(block.wrapping_add(16 + 16 * (slot as usize % (1 << SLOT_BITS))));
    }
}

impl Line {
    #[inline]
    pub(crate) fn is_empty(&self) -> bool {
        self.len == 0
    }

    #[inline]
    pub(crate) fn first(&self) -> Option<Entry> {
        (self.len > 0).then_some(self.first)
    }

    pub(crate) fn last(&self, blocks: &Blocks) -> Option<Entry> {
        if self.front == NOWHERE {
            return self.first();
        }
        Some(blocks[self.back].last())
    }

    /// Puts an entry, which is not here, in its place.
    #[inline]
    pub(crate) fn insert(&mut self, blocks: &mut Blocks, entry: Entry) -> Slot {
        self.len += 1;
        if self.front == NOWHERE {
            if self.len == 1 {
                (self.first, self.last) = (entry, entry);
                return NO_SLOT;
            }
            self.open(blocks);
        }
        // The last may be dead, and this be its return.
        if entry <= self.last {
            return self.insert_between(blocks, entry);
        }
        self.last = entry;
        let block = &mut blocks[self.back];
        let at = block.used_n();
        if at < SLOTS {
            block.push(entry);
            return slot(self.back, at);
        }
        self.append(blocks, entry)
    }

    /// Puts the one that was alone into a block.
    fn open(&mut self, blocks: &mut Blocks) {
        let made = blocks.add(Block::new(NOWHERE, NOWHERE, self.first));
        (self.front, self.back) = (made, made);
    }

    fn append(&mut self, blocks: &mut Blocks, entry: Entry) -> Slot {
        let before = self.back;
        let made = blocks.add(Block::new(before, NOWHERE, entry));
        self.link(blocks, before, made);
        if self.listed.is_none() {
            self.list(blocks, before);
        }
        self.list(blocks, made);
        slot(made, 0)
    }

    /// Puts a new block, which knows its neighbours, behind another.
    fn link(&mut self, blocks: &mut Blocks, before: u32, made: u32) {
        let next = blocks[made].next;
        blocks[before].next = made;
        if next == NOWHERE {
            self.back = made;
        } else {
            blocks[next].before = made;
        }
    }

    fn list(&mut self, blocks: &Blocks, block: u32) {
        let listed = self.listed.get_or_insert_default();
        listed.insert((blocks[block].floor(), block));
    }

    fn unlist(&mut self, blocks: &Blocks, block: u32) {
        if let Some(listed) = &mut self.listed {
            listed.remove((blocks[block].floor(), block));
        }
    }

    /// The block in which an entry is or would be.
    fn find(&self, entry: Entry) -> u32 {
        let listed = self.listed.as_ref();
        let found = listed.and_then(|listed| listed.at_or_before((entry, u32::MAX)));
        found.map_or(self.front, |(_, block)| block)
    }

    fn insert_between(&mut self, blocks: &mut Blocks, entry: Entry) -> Slot {
        self.first = self.first.min(entry);
        let mut at = self.find(entry);
        let place = blocks[at].used().partition_point(|other| *other < entry);
        if blocks[at].used().get(place) == Some(&entry) {
            blocks[at].live |= 1 << place;
            return slot(at, place);
        }
        // What is in the first slot may change.
        self.unlist(blocks, at);
        if blocks[at].used_n() == SLOTS {
            blocks[at].compact();
        }
        if blocks[at].used_n() == SLOTS {
            let upper = self.split(blocks, at);
            if entry > blocks[upper].floor() {
                self.list(blocks, at);
                at = upper;
                self.unlist(blocks, at);
            }
        }
        let block = &mut blocks[at];
        let place = block.used().partition_point(|other| *other < entry);
        let used = block.used_n();
        block.entries.copy_within(place..used, place + 1);
        block.entries[place] = entry;
        let below = (1 << place) - 1;
        block.live = block.live & below | 1 << place | (block.live & !below) << 1;
        block.used = block.used.saturating_add(1);
        if self.listed.is_some() {
            self.list(blocks, at);
        }
        slot(at, place)
    }

    /// Moves the upper half of a full block without dead, which is not listed, into a new one behind it.
    fn split(&mut self, blocks: &mut Blocks, at: u32) -> u32 {
        let lower = &mut blocks[at];
        let mut upper = Block::new(at, lower.next, lower.entries[HALF]);
        for entry in &lower.entries[HALF + 1..] {
            upper.push(*entry);
        }
        lower.used = NonZeroU16::MIN.saturating_add(HALF as u16 - 1);
        lower.live = (1 << HALF) - 1;
        let made = blocks.add(upper);
        self.link(blocks, at, made);
        self.list(blocks, made);
        made
    }

    /// Takes an entry out; `hint` is where it was put. Returns whether it was here.
    #[inline]
    pub(crate) fn remove(&mut self, blocks: &mut Blocks, entry: Entry, hint: Slot) -> bool {
        if self.front == NOWHERE {
            let alone = self.len == 1 && entry == self.first;
            self.len -= u32::from(alone);
            return alone;
        }
        let (block, at) = if entry == self.first {
            (self.front, blocks[self.front].live.trailing_zeros() as usize)
        } else {
            let (block, at) = (hint >> SLOT_BITS, hint as usize & ((1 << SLOT_BITS) - 1));
            let right = |block: &Block| block.entries.get(at) == Some(&entry) && block.is_live(at);
            if blocks.get(block).is_some_and(right) {
                (block, at)
            } else {
                let block = self.find(entry);
                match blocks[block].used().binary_search(&entry) {
                    Ok(at) if blocks[block].is_live(at) => (block, at),
                    _ => return false,
                }
            }
        };
        self.len -= 1;
        let one = &mut blocks[block];
        one.live &= !(1 << at);
        let live = one.live;
        if live == 0 {
            self.unlink(blocks, block);
        } else if block != self.front && live.count_ones() == SPARSE {
            self.join(blocks, block);
        }
        if entry == self.first && self.len > 0 {
            self.first = blocks[self.front].first();
        }
        true
    }

    /// Gives up a block without life.
    fn unlink(&mut self, blocks: &mut Blocks, block: u32) {
        self.unlist(blocks, block);
        let Block { next, before, .. } = blocks[block];
        blocks.remove(block);
        if before == NOWHERE {
            self.front = next;
        } else {
            blocks[before].next = next;
        }
        if next == NOWHERE {
            self.back = before;
            if before != NOWHERE {
                self.last = blocks[before].used().last().copied().unwrap_or_default();
            }
        } else {
            blocks[next].before = before;
        }
        if self.front == self.back {
            self.listed = None;
        }
    }

    /// Joins a block with few left with the one behind it.
    fn join(&mut self, blocks: &mut Blocks, block: u32) {
        let next = blocks[block].next;
        if next == NOWHERE || blocks[next].live.count_ones() + SPARSE > JOINED_MAX {
            return;
        }
        self.unlist(blocks, block);
        blocks[block].compact();
        let moved: Vec<Entry> = blocks[next].iter().collect();
        blocks[next].live = 0;
        for entry in moved {
            blocks[block].push(entry);
        }
        self.list(blocks, block);
        self.unlink(blocks, next);
    }

    pub(crate) fn iter<'a>(&self, blocks: &'a Blocks) -> impl Iterator<Item = Entry> + 'a {
        let alone = self.first().filter(|_| self.front == NOWHERE);
        let front = (self.front != NOWHERE).then_some(self.front);
        let linked = std::iter::successors(front, |block| {
            let next = blocks[*block].next;
            (next != NOWHERE).then_some(next)
        });
        alone
            .into_iter()
            .chain(linked.flat_map(|block| blocks[block].iter()))
    }

    /// The next entry after this one, which need not be here.
    pub(crate) fn after(&self, blocks: &Blocks, entry: Entry) -> Option<Entry> {
        if self.front == NOWHERE {
            return self.first().filter(|alone| *alone > entry);
        }
        let block = &blocks[self.find(entry)];
        let within = block.iter().find(|other| *other > entry);
        within.or_else(|| (block.next != NOWHERE).then(|| blocks[block.next].first()))
    }

    /// How many entries are smaller.
    pub(crate) fn rank(&self, blocks: &Blocks, entry: Entry) -> usize {
        if self.front == NOWHERE {
            return usize::from(self.first().is_some_and(|alone| alone < entry));
        }
        let block = self.find(entry);
        let within = blocks[block].iter().filter(|other| *other < entry).count();
        let listed = self.listed.iter().flat_map(|listed| listed.iter());
        let before = listed.take_while(|(_, other)| *other != block);
        let before: u32 = before.map(|(_, other)| blocks[other].live.count_ones()).sum();
        before as usize + within
    }

    /// Beside the blocks.
    pub(crate) fn bytes(&self) -> usize {
        let listed = self.listed.as_ref();
        listed.map_or(0, |listed| size_of_val(&**listed) + listed.bytes())
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn a_line_agrees_with_a_map(
            step_n in 1_i64..400, steps in prop::collection::vec((0_i64..4_000, 0_u8..16), 1..3_000)
        ) {
            let (mut line, mut blocks, mut map) = (Line::default(), Blocks::default(), BTreeMap::new());
            for (turn, (key, what)) in steps.into_iter().enumerate() {
                // Mostly last, as they come; else anywhere.
                let late = Entry::new(turn as i64 * step_n + key % 4, turn as u64, false);
                let some = map.keys().nth(key as usize % map.len().max(1)).copied();
                match (what, some) {
                    (0..=6, _) => {
                        map.insert(late, line.insert(&mut blocks, late));
                    }
                    (7..=8, _) => {
                        let early = Entry::new(key, 9_000 + turn as u64, turn % 2 == 0);
                        map.insert(early, line.insert(&mut blocks, early));
                    }
                    (9..=11, Some(_)) => {
                        let (first, _) = map.pop_first().expect("not empty");
                        prop_assert!(line.remove(&mut blocks, first, NO_SLOT));
                    }
                    (12..=14, Some(some)) => {
                        let hint = map.remove(&some).expect("here");
                        prop_assert!(line.remove(&mut blocks, some, hint));
                        if key % 5 == 0 {
                            let hint = line.insert(&mut blocks, some);
                            map.insert(some, if key % 2 == 0 { hint } else { NO_SLOT });
                        }
                    }
                    _ => prop_assert!(!line.remove(&mut blocks, Entry::new(key, 8_999, false), key as u32)),
                }
                let ask = some.unwrap_or(late);
                prop_assert_eq!(line.first(), map.keys().next().copied());
                prop_assert_eq!(line.last(&blocks), map.keys().last().copied());
                prop_assert_eq!(line.rank(&blocks, ask), map.range(..ask).count());
                let next = map.range((std::ops::Bound::Excluded(ask), std::ops::Bound::Unbounded)).next();
                prop_assert_eq!(line.after(&blocks, ask), next.map(|(entry, _)| *entry));
            }
            prop_assert!(line.iter(&blocks).eq(map.keys().copied()));
            for (entry, hint) in map {
                prop_assert!(line.remove(&mut blocks, entry, hint));
            }
            prop_assert!(line.is_empty());
            prop_assert_eq!(blocks.len(), 0);
        }
    }

    #[test]
    fn a_block_fills_eight_cache_lines() {
        assert_eq!(size_of::<Option<Block>>(), 512);
    }
}
