//! A map from ids to small values, for ids that come in sequence and mostly leave in it.
//!
//! Ids in sequence share pages of 64, where a value is found by its place and lies beside its neighbours in
//! time; ids far apart, and the few that a page's others left behind, are kept in a table one by one. A page
//! is made for the fourth of its ids and given up with all but two of them, so that neither costs more than
//! some hundred bytes an id. Nothing is larger than a page, so nothing great is ever copied.

use crate::bits::each;
use crate::directory::Directory;
use crate::prefetch::prefetch;
use crate::table::Table;

const PAGE_BITS: u32 = 6;
const PAGE: usize = 1 << PAGE_BITS;

/// From so many ids on they have a page; down to one less they keep it.
const DENSE_MIN: u32 = 4;

/// In the directory: the rest is the place of a page, not the number of ids that have none.
const IS_PAGE: u32 = 1 << 31;

struct Page<V> {
    /// Which of the page's ids are here.
    here: u64,
    values: [V; PAGE],
}

/// A map from ids below `u64::MAX` to `V`.
pub(crate) struct Pages<V> {
    /// By the upper bits of an id: its page, or how many ids with these bits are in `scattered`.
    directory: Directory,
    pages: Vec<Option<Box<Page<V>>>>,
    free: Vec<u32>,
    scattered: Table<V>,
    len: usize,
}

impl<V: Copy + Default> Default for Pages<V> {
    fn default() -> Self {
        Self {
            directory: Directory::default(),
            pages: Vec::new(),
            free: Vec::new(),
            scattered: Table::default(),
            len: 0,
        }
    }
}

#[inline]
fn within(key: u64) -> (u64, usize) {
    let at = key & (PAGE as u64 - 1);
    (1 << at, at as usize)
}

impl<V: Copy + Default> Pages<V> {
    pub(crate) fn len(&self) -> usize {
        self.len
    }

    #[inline]
    fn page(&self, entry: u32) -> Option<&Page<V>> {
        self.pages.get((entry & !IS_PAGE) as usize)?.as_deref()
    }

    #[inline]
    fn page_mut(&mut self, entry: u32) -> Option<&mut Page<V>> {
        self.pages.get_mut((entry & !IS_PAGE) as usize)?.as_deref_mut()
    }

    #[inline]
    pub(crate) fn get(&self, key: u64) -> Option<V> {
        let entry = self.directory.get(key >> PAGE_BITS);
        if entry & IS_PAGE == 0 {
            return if entry == 0 { None } else { self.scattered.get(key) };
        }
        let page = self.page(entry)?;
        let (bit, at) = within(key);
        (page.here & bit != 0).then(|| page.values[at])
    }

    /// Asks for the memory of a key that has a page.
    pub(crate) fn prefetch(&self, key: u64) {
        let entry = self.directory.get(key >> PAGE_BITS);
        if entry & IS_PAGE != 0
            && let Some(page) = self.page(entry)
        {
            prefetch(&raw const page.here);
            prefetch(&raw const page.values[within(key).1]);
        }
    }

    /// Sets the value of a key; returns whether it is new.
    #[inline]
    pub(crate) fn set(&mut self, key: u64, value: V) -> bool {
        let entry = self.directory.get(key >> PAGE_BITS);
        if entry & IS_PAGE == 0 {
            return self.scatter(key, value, entry);
        }
        let Some(page) = self.page_mut(entry) else {
            return false;
        };
        let (bit, at) = within(key);
        let new = page.here & bit == 0;
        page.here |= bit;
        page.values[at] = value;
        self.len += usize::from(new);
        new
    }

    /// Sets the value of a key of a page that is not, which may make it one.
    fn scatter(&mut self, key: u64, value: V, before_n: u32) -> bool {
        if !self.scattered.set(key, value) {
            return false;
        }
        self.len += 1;
        let number = key >> PAGE_BITS;
        let entry = if before_n + 1 == DENSE_MIN {
            self.gather(number)
        } else {
            before_n + 1
        };
        self.directory.set(number, entry);
        true
    }

    /// Makes a page of what is scattered; returns its entry for the directory.
    fn gather(&mut self, number: u64) -> u32 {
        let mut page = Box::new(Page {
            here: 0,
            values: [V::default(); PAGE],
        });
        let (mut found_n, mut at) = (0, 0);
        while found_n < DENSE_MIN && at < PAGE {
            if let Some(value) = self.scattered.remove(number << PAGE_BITS | at as u64) {
                page.here |= 1 << at;
                page.values[at] = value;
                found_n += 1;
            }
            at += 1;
        }
        let place = self.free.pop().unwrap_or_else(|| {
            self.pages.push(None);
            self.pages.len() as u32 - 1
        });
        self.pages[place as usize] = Some(page);
        place | IS_PAGE
    }

    #[inline]
    pub(crate) fn remove(&mut self, key: u64) -> Option<V> {
        let entry = self.directory.get(key >> PAGE_BITS);
        if entry & IS_PAGE == 0 {
            return self.remove_scattered(key, entry);
        }
        let page = self.page_mut(entry)?;
        let (bit, at) = within(key);
        if page.here & bit == 0 {
            return None;
        }
        page.here &= !bit;
        let value = page.values[at];
        // Two are left, or fewer.
        let but_one = page.here & page.here.wrapping_sub(1);
        let few = but_one & but_one.wrapping_sub(1) == 0;
        self.len -= 1;
        if few {
            self.give_up(key >> PAGE_BITS, entry & !IS_PAGE);
        }
        Some(value)
    }

    fn remove_scattered(&mut self, key: u64, before_n: u32) -> Option<V> {
        let value = self.scattered.remove(key)?;
        self.len -= 1;
        self.directory.set(key >> PAGE_BITS, before_n - 1);
        Some(value)
    }

    /// Scatters the few that a page has left.
    fn give_up(&mut self, number: u64, place: u32) {
        let Some(page) = self.pages[place as usize].take() else {
            return;
        };
        for at in each(page.here, 0) {
            self.scattered
                .set(number << PAGE_BITS | u64::from(at), page.values[at as usize]);
        }
        self.free.push(place);
        if self.free.len() == self.pages.len() {
            (self.pages, self.free) = (Vec::new(), Vec::new());
        }
        self.directory.set(number, page.here.count_ones());
    }

    pub(crate) fn bytes(&self) -> usize {
        let pages_n = self.pages.len() - self.free.len();
        let places = self.pages.capacity() * size_of::<Option<Box<Page<V>>>>() + self.free.capacity() * 4;
        pages_n * size_of::<Page<V>>() + places + self.directory.bytes() + self.scattered.bytes()
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
        for key in 0..1_000_000 {
            pages.set(key, key);
        }
        let peak = pages.bytes();
        for key in 0..1_000_000 {
            assert_eq!(pages.remove(key), Some(key));
        }
        assert!(pages.bytes() - small < peak / 20);
    }
}
