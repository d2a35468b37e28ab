//! A sorted sequence in blocks, for keys that have nowhere to keep where they are; lanes have `lines.rs`.
//!
//! Taking the first and putting last cost O(1) and touch one hot line; anything else is a binary search
//! and a move within one block. Nothing is ever larger than a block, so nothing great is ever copied. The
//! first block lies in the sequence itself: the many that are short have no other, and the first of any is
//! one step away.

use std::collections::VecDeque;

const BLOCK: usize = 128;

/// An empty sequence keeps what memory a few need, in bytes, for the next to come.
const KEPT: usize = 64;

struct Block<K> {
    last: K,
    items: VecDeque<K>,
}

/// A sorted set of keys.
pub(crate) struct Ranked<K> {
    /// The first block; empty only when everything is.
    front: VecDeque<K>,
    /// The blocks after it, None when there is none.
    #[allow(
        clippy::box_collection,
        reason = "one word, not four, in the very many that have one block"
    )]
    rest: Option<Box<VecDeque<Block<K>>>>,
    len: usize,
}

impl<K> Default for Ranked<K> {
    fn default() -> Self {
        Self {
            front: VecDeque::new(),
            rest: None,
            len: 0,
        }
    }
}

impl<K: Ord + Copy> Ranked<K> {
    pub(crate) fn len(&self) -> usize {
        self.len
    }

    #[inline]
    pub(crate) fn is_empty(&self) -> bool {
        self.len == 0
    }

    #[inline]
    pub(crate) fn first(&self) -> Option<K> {
        self.front.front().copied()
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = K> + '_ {
        let rest = self.rest.iter().flat_map(|rest| rest.iter());
        self.front
            .iter()
            .chain(rest.flat_map(|block| &block.items))
            .copied()
    }

    #[inline]
    pub(crate) fn insert(&mut self, key: K) {
        self.len += 1;
        if self.rest.is_none() && self.front.len() < BLOCK {
            match self.front.back() {
                Some(last) if *last > key => {
                    let place = self.front.partition_point(|item| *item < key);
                    self.front.insert(place, key);
                }
                _ => self.front.push_back(key),
            }
            return;
        }
        self.insert_among_blocks(key);
    }

    fn insert_among_blocks(&mut self, key: K) {
        if self.front.back().is_some_and(|last| key < *last) {
            let place = self.front.partition_point(|item| *item < key);
            self.front.insert(place, key);
            if self.front.len() > BLOCK {
                let items = self.front.split_off(BLOCK / 2);
                if let Some(last) = items.back().copied() {
                    self.rest
                        .get_or_insert_default()
                        .push_front(Block { last, items });
                }
            }
            return;
        }
        let rest = self.rest.get_or_insert_default();
        match rest.back_mut() {
            Some(back) if key < back.last => {}
            Some(back) if back.items.len() < BLOCK => {
                back.items.push_back(key);
                back.last = key;
                return;
            }
            _ => {
                let mut items = VecDeque::with_capacity(BLOCK);
                items.push_back(key);
                rest.push_back(Block { last: key, items });
                return;
            }
        }
        let at = rest.partition_point(|block| block.last < key);
        let block = &mut rest[at];
        let place = block.items.partition_point(|item| *item < key);
        block.items.insert(place, key);
        if block.items.len() > BLOCK {
            let upper = block.items.split_off(BLOCK / 2);
            let last = std::mem::replace(&mut block.last, block.items[BLOCK / 2 - 1]);
            rest.insert(at + 1, Block { last, items: upper });
        }
    }

    #[inline]
    pub(crate) fn pop_first(&mut self) -> Option<K> {
        let key = self.front.pop_front()?;
        self.len -= 1;
        if self.front.is_empty() {
            self.advance_front();
        }
        Some(key)
    }

    /// The next block becomes the first.
    fn advance_front(&mut self) {
        if let Some(next) = self.rest.as_mut().and_then(|rest| rest.pop_front()) {
            self.front = next.items;
            self.release();
        } else if self.front.capacity() * size_of::<K>() > KEPT {
            self.front = VecDeque::new();
        }
    }

    /// Removes a key; returns whether it was there.
    #[inline]
    pub(crate) fn remove(&mut self, key: K) -> bool {
        if self.first() == Some(key) {
            self.pop_first();
            return true;
        }
        self.remove_within(key)
    }

    fn remove_within(&mut self, key: K) -> bool {
        if self.front.back().is_some_and(|last| key <= *last) {
            let Ok(place) = self.front.binary_search(&key) else {
                return false;
            };
            self.front.remove(place);
            self.len -= 1;
            if self.front.len() * 4 < self.front.capacity() && self.rest.is_none() {
                self.front.shrink_to(self.front.len() * 2);
            }
            return true;
        }
        let Some(rest) = &mut self.rest else { return false };
        let at = rest.partition_point(|block| block.last < key);
        let Some(block) = rest.get_mut(at) else {
            return false;
        };
        let Ok(place) = block.items.binary_search(&key) else {
            return false;
        };
        block.items.remove(place);
        self.len -= 1;
        if let Some(last) = block.items.back() {
            block.last = *last;
            self.merge(at);
        } else {
            rest.remove(at);
            self.release();
        }
        true
    }

    /// Joins a block that has become small with the one after it.
    fn merge(&mut self, at: usize) {
        let Some(rest) = &mut self.rest else { return };
        if rest[at].items.len() >= BLOCK / 2 || at + 1 >= rest.len() {
            return;
        }
        if rest[at].items.len() + rest[at + 1].items.len() > BLOCK * 3 / 4 {
            return;
        }
        if let Some(next) = rest.remove(at + 1) {
            let block = &mut rest[at];
            block.items.extend(next.items);
            block.last = next.last;
            self.release();
        }
    }

    fn release(&mut self) {
        if let Some(rest) = &mut self.rest {
            if rest.is_empty() {
                self.rest = None;
            } else if rest.len() * 4 < rest.capacity() {
                rest.shrink_to(rest.len() * 2);
            }
        }
    }

    /// The greatest key that is not greater than this one.
    pub(crate) fn at_or_before(&self, key: K) -> Option<K> {
        let last = |items: &VecDeque<K>| {
            let place = items.partition_point(|item| *item <= key);
            place.checked_sub(1).and_then(|place| items.get(place).copied())
        };
        if let Some(rest) = &self.rest {
            let at = rest.partition_point(|block| block.items.front().is_some_and(|first| *first <= key));
            if let Some(at) = at.checked_sub(1) {
                return last(&rest[at].items);
            }
        }
        last(&self.front)
    }

    pub(crate) fn bytes(&self) -> usize {
        let front = self.front.capacity() * size_of::<K>();
        let Some(rest) = &self.rest else { return front };
        let items: usize = rest
            .iter()
            .map(|block| block.items.capacity() * size_of::<K>())
            .sum();
        front + items + rest.capacity() * size_of::<Block<K>>()
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn a_sequence_agrees_with_a_set(steps in prop::collection::vec((0_i32..1_500, 0_u8..8), 1..3_000)) {
            let (mut ranked, mut set) = (Ranked::default(), BTreeSet::new());
            for (key, what) in steps {
                match what {
                    0..=4 => {
                        if set.insert(key) {
                            ranked.insert(key);
                        }
                    }
                    5 => prop_assert_eq!(ranked.pop_first(), set.pop_first()),
                    _ => prop_assert_eq!(ranked.remove(key), set.remove(&key)),
                }
                prop_assert_eq!(ranked.first(), set.first().copied());
                prop_assert_eq!(ranked.len(), set.len());
                prop_assert_eq!(ranked.at_or_before(key), set.range(..=key).next_back().copied());
            }
            prop_assert_eq!(ranked.iter().collect::<Vec<_>>(), set.into_iter().collect::<Vec<_>>());
        }
    }
}
