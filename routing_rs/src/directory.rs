//! A map from page numbers to small values that are never 0: numbers in sequence by their place in one short
//! array, all others in a table.

use std::collections::VecDeque;

use crate::table::Table;

/// A number so little beyond the sequence prolongs it.
const GAP_MAX: u64 = 64;

/// The sequence is no longer than this; its oldest numbers move to the table.
const NEAR_MAX: usize = 1 << 16;

/// A map from numbers to values other than 0.
#[derive(Default)]
pub(crate) struct Directory {
    /// The number that the first of `near` belongs to.
    first: u64,
    near: VecDeque<u32>,
    far: Table<u32>,
    far_n: usize,
}

impl Directory {
    /// The value of a number, or 0.
    #[inline]
    pub(crate) fn get(&self, number: u64) -> u32 {
        let at = number.wrapping_sub(self.first);
        if let Some(found) = self.near.get(at as usize)
            && *found != 0
        {
            return *found;
        }
        if self.far_n == 0 {
            return 0;
        }
        self.far.get(number).unwrap_or(0)
    }

    /// Sets the value of a number; 0 forgets it.
    pub(crate) fn set(&mut self, number: u64, value: u32) {
        if self.far_n > 0 && self.far.get(number).is_some() {
            if value == 0 {
                self.far.remove(number);
                self.far_n -= 1;
            } else {
                self.far.set(number, value);
            }
            return;
        }
        if value == 0 {
            self.forget(number);
            return;
        }
        if self.near.is_empty() {
            self.first = number;
        }
        let (at, len) = (number.wrapping_sub(self.first), self.near.len() as u64);
        if at < len {
            self.near[at as usize] = value;
        } else if number > self.first && at < len + GAP_MAX {
            self.near.resize(at as usize, 0);
            self.near.push_back(value);
            self.shorten();
        } else if len == 0 {
            self.near.push_back(value);
        } else {
            self.far.set(number, value);
            self.far_n += 1;
        }
    }

    fn forget(&mut self, number: u64) {
        let at = number.wrapping_sub(self.first);
        if let Some(place) = self.near.get_mut(at as usize) {
            *place = 0;
        }
        while self.near.front() == Some(&0) {
            self.near.pop_front();
            self.first += 1;
        }
        if self.near.is_empty() {
            self.near = VecDeque::new();
        }
    }

    fn shorten(&mut self) {
        while self.near.len() > NEAR_MAX {
            if let Some(value) = self.near.pop_front()
                && value != 0
            {
                self.far.set(self.first, value);
                self.far_n += 1;
            }
            self.first += 1;
        }
    }

    pub(crate) fn bytes(&self) -> usize {
        self.near.capacity() * 4 + self.far.bytes()
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashMap;

    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn a_directory_agrees_with_a_map(
            base in 0_u64..1 << 50, steps in prop::collection::vec((0_u64..600, 0_u32..4, 0_u8..4), 1..2_000)
        ) {
            let (mut directory, mut map) = (Directory::default(), HashMap::new());
            for (turn, (number, value, what)) in steps.into_iter().enumerate() {
                // In sequence, near it, or far from it.
                let number = match what {
                    0 | 1 => base + turn as u64 / 3 + number % 5,
                    2 => base + number,
                    _ => number << 30,
                };
                directory.set(number, value);
                map.insert(number, value);
                prop_assert_eq!(directory.get(number), value);
            }
            for (number, value) in map {
                prop_assert_eq!(directory.get(number), value);
            }
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(4))]

        #[test]
        fn a_long_sequence_moves_its_oldest(kept in prop::collection::btree_set(0_u64..200_000, 1..50)) {
            let mut directory = Directory::default();
            for number in 0..200_000 {
                directory.set(number, 7);
                if !kept.contains(&number) && number > 100 {
                    directory.set(number - 100, u32::from(kept.contains(&(number - 100))) * 7);
                }
            }
            prop_assert!(directory.near.len() <= NEAR_MAX);
            for number in kept {
                prop_assert_eq!(directory.get(number), 7);
            }
        }
    }
}
