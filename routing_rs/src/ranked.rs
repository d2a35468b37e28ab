//! A sorted sequence in blocks: the queue's only ordered container.
//!
//! Taking the first and putting last cost O(1) and touch one hot line; anything else is a binary search
//! and a move within one block. Ranks are counted block by block, which intrusive lists and heaps cannot
//! do, and nothing is ever larger than a block, so nothing great is ever copied.

use std::collections::VecDeque;

const BLOCK: usize = 128;

struct Block<K> {
    last: K,
    items: VecDeque<K>,
}

/// A sorted set of keys.
pub(crate) struct Ranked<K> {
    blocks: VecDeque<Block<K>>,
    len: usize,
}

impl<K> Default for Ranked<K> {
    fn default() -> Self {
        Self {
            blocks: VecDeque::new(),
            len: 0,
        }
    }
}

impl<K: Ord + Copy> Ranked<K> {
    pub(crate) fn len(&self) -> usize {
        self.len
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.len == 0
    }

    #[inline]
    pub(crate) fn first(&self) -> Option<K> {
        self.blocks.front().and_then(|block| block.items.front().copied())
    }

    pub(crate) fn last(&self) -> Option<K> {
        self.blocks.back().map(|block| block.last)
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = K> + '_ {
        self.blocks.iter().flat_map(|block| block.items.iter().copied())
    }

    #[inline]
    pub(crate) fn insert(&mut self, key: K) {
        self.len += 1;
        let Some(back) = self.blocks.back_mut() else {
            self.blocks.push_back(Block {
                last: key,
                items: VecDeque::from([key]),
            });
            return;
        };
        if back.last < key {
            if back.items.len() < BLOCK {
                back.items.push_back(key);
                back.last = key;
            } else {
                let mut items = VecDeque::with_capacity(BLOCK);
                items.push_back(key);
                self.blocks.push_back(Block { last: key, items });
            }
            return;
        }
        self.insert_within(key);
    }

    fn insert_within(&mut self, key: K) {
        let at = self.blocks.partition_point(|block| block.last < key);
        let block = &mut self.blocks[at];
        let place = block.items.partition_point(|item| *item < key);
        block.items.insert(place, key);
        if block.items.len() > BLOCK {
            let upper = block.items.split_off(BLOCK / 2);
            let last = std::mem::replace(&mut block.last, block.items[BLOCK / 2 - 1]);
            self.blocks.insert(at + 1, Block { last, items: upper });
        }
    }

    #[inline]
    pub(crate) fn pop_first(&mut self) -> Option<K> {
        let block = self.blocks.front_mut()?;
        let key = block.items.pop_front()?;
        self.len -= 1;
        if block.items.is_empty() {
            self.blocks.pop_front();
            self.release();
        }
        Some(key)
    }

    /// Removes a key; returns whether it was there.
    #[inline]
    pub(crate) fn remove(&mut self, key: K) -> bool {
        if self.first() == Some(key) {
            self.pop_first();
            return true;
        }
        let at = self.blocks.partition_point(|block| block.last < key);
        let Some(block) = self.blocks.get_mut(at) else {
            return false;
        };
        let Ok(place) = block.items.binary_search(&key) else {
            return false;
        };
        block.items.remove(place);
        self.len -= 1;
        if let Some(last) = block.items.back() {
            block.last = *last;
        } else {
            self.blocks.remove(at);
            self.release();
            return true;
        }
        self.merge(at);
        true
    }

    /// Joins a block that has become small with the one after it.
    fn merge(&mut self, at: usize) {
        if self.blocks[at].items.len() >= BLOCK / 2 || at + 1 >= self.blocks.len() {
            return;
        }
        if self.blocks[at].items.len() + self.blocks[at + 1].items.len() > BLOCK * 3 / 4 {
            return;
        }
        if let Some(next) = self.blocks.remove(at + 1) {
            let block = &mut self.blocks[at];
            block.items.extend(next.items);
            block.last = next.last;
            self.release();
        }
    }

    fn release(&mut self) {
        if self.blocks.len() * 4 < self.blocks.capacity() {
            self.blocks.shrink_to(self.blocks.len() * 2);
        }
    }

    /// The next key after this one, which need not be here.
    pub(crate) fn after(&self, key: K) -> Option<K> {
        let at = self.blocks.partition_point(|block| block.last <= key);
        let block = self.blocks.get(at)?;
        block
            .items
            .get(block.items.partition_point(|item| *item <= key))
            .copied()
    }

    /// How many keys are smaller.
    pub(crate) fn rank(&self, key: K) -> usize {
        let at = self.blocks.partition_point(|block| block.last < key);
        let before: usize = self.blocks.iter().take(at).map(|block| block.items.len()).sum();
        before
            + self
                .blocks
                .get(at)
                .map_or(0, |block| block.items.partition_point(|item| *item < key))
    }

    pub(crate) fn bytes(&self) -> usize {
        let items: usize = self
            .blocks
            .iter()
            .map(|block| block.items.capacity() * size_of::<K>())
            .sum();
        items + self.blocks.capacity() * size_of::<Block<K>>()
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
                prop_assert_eq!(ranked.last(), set.last().copied());
                prop_assert_eq!(ranked.len(), set.len());
                prop_assert_eq!(ranked.rank(key), set.range(..key).count());
                prop_assert_eq!(ranked.after(key), set.range(key + 1..).next().copied());
            }
            prop_assert_eq!(ranked.iter().collect::<Vec<_>>(), set.into_iter().collect::<Vec<_>>());
        }
    }
}
