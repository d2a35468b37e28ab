//! A map from ids to small values, for ids that come in sequence and mostly leave in it.
//!
//! Ids are kept in pages of 32, each as long as it has entries: neighbours in time are neighbours in
//! memory, so that whoever arrives and whoever has waited longest are found on lines just read. Ids far
//! apart cost a page each, ids in sequence a byte more than their value. Nothing is larger than a page.

use crate::slab::Slab;
use crate::table::Table;

const PAGE_BITS: u32 = 5;
const ITEMS_MIN: usize = 4;

struct Page<V> {
    /// Which of the page's ids are here.
    here: u32,
    /// Their values, ascending by id.
    items: Vec<V>,
}

/// A map from ids below `u64::MAX` to `V`.
pub(crate) struct Pages<V> {
    directory: Table<u32>,
    pages: Slab<Page<V>>,
    len: usize,
}

impl<V> Default for Pages<V> {
    fn default() -> Self {
        Self {
            directory: Table::default(),
            pages: Slab::default(),
            len: 0,
        }
    }
}

impl<V> Page<V> {
    /// The bit of an id, and how many values lie before it.
    #[inline]
    fn find(&self, key: u64) -> (u32, usize) {
        let bit = 1_u32 << (key & ((1 << PAGE_BITS) - 1));
        // In full from the first on is the rule, so the count is seldom needed.
        let below = bit - 1;
        let rank = if self.here & below == below {
            key as u32 & ((1 << PAGE_BITS) - 1)
        } else {
            (self.here & below).count_ones()
        };
        (bit, rank as usize)
    }
}

impl<V: Copy> Pages<V> {
    pub(crate) fn len(&self) -> usize {
        self.len
    }

    #[inline]
    pub(crate) fn get(&self, key: u64) -> Option<V> {
        let page = &self.pages[self.directory.get(key >> PAGE_BITS)?];
        let (bit, rank) = page.find(key);
        if page.here & bit == 0 {
            return None;
        }
        page.items.get(rank).copied()
    }

    /// Sets the value of a key; returns whether it is new.
    #[inline]
    pub(crate) fn set(&mut self, key: u64, value: V) -> bool {
        let Some(at) = self.directory.get(key >> PAGE_BITS) else {
            let mut items = Vec::with_capacity(ITEMS_MIN);
            items.push(value);
            let here = 1 << (key & ((1 << PAGE_BITS) - 1));
            let at = self.pages.add(Page { here, items });
            self.directory.set(key >> PAGE_BITS, at);
            self.len += 1;
            return true;
        };
        let page = &mut self.pages[at];
        let (bit, rank) = page.find(key);
        if page.here & bit != 0 {
            page.items[rank] = value;
            return false;
        }
        page.here |= bit;
        page.items.insert(rank, value);
        self.len += 1;
        true
    }

    #[inline]
    pub(crate) fn remove(&mut self, key: u64) -> Option<V> {
        let at = self.directory.get(key >> PAGE_BITS)?;
        let page = &mut self.pages[at];
        let (bit, rank) = page.find(key);
        if page.here & bit == 0 {
            return None;
        }
        page.here &= !bit;
        let value = page.items.remove(rank);
        self.len -= 1;
        if page.here == 0 {
            self.pages.remove(at);
            self.directory.remove(key >> PAGE_BITS);
        } else if page.items.len() > ITEMS_MIN && page.items.len() * 2 < page.items.capacity() {
            page.items.shrink_to(page.items.len() + ITEMS_MIN / 2);
        }
        Some(value)
    }

    pub(crate) fn bytes(&self) -> usize {
        let items: usize = self
            .pages
            .iter()
            .map(|(_, page)| page.items.capacity() * size_of::<V>())
            .sum();
        items + self.pages.bytes() + self.directory.bytes()
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashMap;

    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn pages_agree_with_a_map(steps in prop::collection::vec((0_u64..2_000, any::<u32>(), 0_u8..3), 1..3_000)) {
            let (mut pages, mut map) = (Pages::<u32>::default(), HashMap::new());
            for (key, value, what) in steps {
                // Half in sequence, half each on a page of its own.
                let key = if key < 1_000 { key } else { key << 40 };
                if what < 2 {
                    prop_assert_eq!(pages.set(key, value), map.insert(key, value).is_none());
                } else {
                    prop_assert_eq!(pages.remove(key), map.remove(&key));
                }
                prop_assert_eq!(pages.get(key), map.get(&key).copied());
                prop_assert_eq!(pages.len(), map.len());
            }
            for (key, value) in map {
                prop_assert_eq!(pages.get(key), Some(value));
            }
        }
    }

    #[test]
    fn emptied_pages_give_their_memory_back() {
        let mut pages = Pages::<u64>::default();
        let small = pages.bytes();
        for key in 0..200_000 {
            pages.set(key, key);
        }
        let peak = pages.bytes();
        for key in 0..200_000 {
            assert_eq!(pages.remove(key), Some(key));
        }
        assert!(pages.bytes() - small < peak / 20);
    }
}
