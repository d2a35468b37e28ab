//! A map from ids to small values that never stops the world.
//!
//! Open addressing in many shards, each grown and shrunk by itself in steps of a third: the longest
//! pause is the rebuild of one shard, and memory goes back as entries leave. One cache line a look-up,
//! because the value lies beside its key. A single table that doubles was rejected for its pauses.

use crate::hash::spread;

const SHARD_BITS: u32 = 9;
const EMPTY: u64 = u64::MAX;
const SLOTS_MIN: usize = 8;

#[derive(Clone, Copy)]
struct Slot<V> {
    key: u64,
    value: V,
}

struct Shard<V> {
    slots: Box<[Slot<V>]>,
    len: usize,
}

/// A map from ids below `u64::MAX` to `V`.
pub(crate) struct Table<V> {
    shards: Box<[Shard<V>]>,
}

impl<V: Copy + Default> Shard<V> {
    #[inline]
    fn home(&self, spread: u64) -> usize {
        ((u64::from(spread as u32) * self.slots.len() as u64) >> 32) as usize
    }

    #[inline]
    fn after(&self, at: usize) -> usize {
        if at + 1 == self.slots.len() { 0 } else { at + 1 }
    }

    /// Where the key is, or the empty slot where it would be. The shard is never full.
    #[inline]
    fn seek(&self, key: u64, spread: u64) -> usize {
        let mut at = self.home(spread);
        loop {
            let found = self.slots[at].key;
            if found == key || found == EMPTY {
                return at;
            }
            at = self.after(at);
        }
    }

    fn rebuild(&mut self, slots_n: usize) {
        let empty = Slot {
            key: EMPTY,
            value: V::default(),
        };
        let old = std::mem::replace(&mut self.slots, vec![empty; slots_n].into_boxed_slice());
        for slot in old.iter().filter(|slot| slot.key != EMPTY) {
            let at = self.seek(slot.key, spread(slot.key));
            self.slots[at] = *slot;
        }
    }

    fn remove_at(&mut self, hole: usize) {
        let mut hole = hole;
        let mut at = hole;
        loop {
            at = self.after(at);
            let slot = self.slots[at];
            if slot.key == EMPTY {
                break;
            }
            let home = self.home(spread(slot.key));
            let stays = if hole <= at {
                hole < home && home <= at
            } else {
                hole < home || home <= at
            };
            if !stays {
                self.slots[hole] = slot;
                hole = at;
            }
        }
        self.slots[hole].key = EMPTY;
        self.len -= 1;
    }
}

impl<V: Copy + Default> Default for Table<V> {
    fn default() -> Self {
        let shards = (0..1 << SHARD_BITS)
            .map(|_| Shard {
                slots: Box::default(),
                len: 0,
            })
            .collect();
        Self { shards }
    }
}

impl<V: Copy + Default> Table<V> {
    #[cfg(test)]
    fn len(&self) -> usize {
        self.shards.iter().map(|shard| shard.len).sum()
    }

    #[inline]
    pub(crate) fn get(&self, key: u64) -> Option<V> {
        let spread = spread(key);
        let shard = &self.shards[(spread >> (64 - SHARD_BITS)) as usize];
        if shard.slots.is_empty() {
            return None;
        }
        let slot = &shard.slots[shard.seek(key, spread)];
        (slot.key == key).then_some(slot.value)
    }

    /// Sets the value of a key; returns whether it is new.
    #[inline]
    pub(crate) fn set(&mut self, key: u64, value: V) -> bool {
        let spread = spread(key);
        let shard = &mut self.shards[(spread >> (64 - SHARD_BITS)) as usize];
        if (shard.len + 1) * 4 > shard.slots.len() * 3 {
            let slots_n = (shard.slots.len() * 4 / 3 + 1).max(SLOTS_MIN);
            shard.rebuild(slots_n);
        }
        let at = shard.seek(key, spread);
        let new = shard.slots[at].key == EMPTY;
        shard.slots[at] = Slot { key, value };
        shard.len += usize::from(new);
        new
    }

    #[inline]
    pub(crate) fn remove(&mut self, key: u64) -> Option<V> {
        let spread = spread(key);
        let shard = &mut self.shards[(spread >> (64 - SHARD_BITS)) as usize];
        if shard.slots.is_empty() {
            return None;
        }
        let at = shard.seek(key, spread);
        let slot = shard.slots[at];
        if slot.key != key {
            return None;
        }
        shard.remove_at(at);
        // The smallest shard stays: a table of few would otherwise allocate at every turn.
        if shard.slots.len() > SLOTS_MIN && shard.len * 3 < shard.slots.len() {
            let slots_n = (shard.len * 3 / 2 + 1).max(SLOTS_MIN);
            shard.rebuild(slots_n);
        }
        Some(slot.value)
    }

    pub(crate) fn bytes(&self) -> usize {
        let slots: usize = self.shards.iter().map(|shard| shard.slots.len()).sum();
        slots * size_of::<Slot<V>>() + size_of_val(&*self.shards)
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashMap;

    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn a_table_agrees_with_a_map(steps in prop::collection::vec((0_u64..2_000, any::<u32>(), 0_u8..3), 1..3_000)) {
            let (mut table, mut map) = (Table::<u32>::default(), HashMap::new());
            for (key, value, what) in steps {
                // Multiples of a large step fall into few shards, which then grow, shrink and wrap.
                let key = key << 40;
                if what < 2 {
                    prop_assert_eq!(table.set(key, value), map.insert(key, value).is_none());
                } else {
                    prop_assert_eq!(table.remove(key), map.remove(&key));
                }
                prop_assert_eq!(table.get(key), map.get(&key).copied());
                prop_assert_eq!(table.len(), map.len());
            }
            for (key, value) in map {
                prop_assert_eq!(table.get(key), Some(value));
            }
        }
    }

    #[test]
    fn an_emptied_table_gives_its_memory_back() {
        let mut table = Table::<u64>::default();
        let small = table.bytes();
        for key in 0..200_000 {
            table.set(key, key);
        }
        let peak = table.bytes();
        for key in 0..200_000 {
            assert_eq!(table.remove(key), Some(key));
        }
        assert!(table.bytes() - small < peak / 20);
    }
}
