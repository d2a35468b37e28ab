//! A sequence in pages: growth copies a few words that lead to the pages, never what is on them.
//!
//! A `Vec` that doubles at 100,000 of anything copies megabytes while everybody waits.

/// How many values a page holds.
const PAGE: usize = 128;

/// One page: an array, so that a place on it needs no check.
type Page<T> = Box<[T; PAGE]>;

/// Values by their place, from 0.
pub(crate) struct Paged<T> {
    pages: Vec<Page<T>>,
    len: usize,
}

impl<T> Default for Paged<T> {
    fn default() -> Self {
        Self {
            pages: Vec::new(),
            len: 0,
        }
    }
}

impl<T: Default> Paged<T> {
    #[inline]
    pub(crate) fn len(&self) -> usize {
        self.len
    }

    pub(crate) fn push(&mut self, value: T) {
        let at = self.len;
        if at == self.pages.len() * PAGE {
            self.pages.push(Box::new(std::array::from_fn(|_| T::default())));
        }
        self.len += 1;
        self[at] = value;
    }

    pub(crate) fn pop(&mut self) -> Option<T> {
        self.len = self.len.checked_sub(1)?;
        let at = self.len;
        let value = std::mem::take(&mut self[at]);
        if at.is_multiple_of(PAGE) {
            self.pages.pop();
        }
        Some(value)
    }

    #[inline]
    pub(crate) fn get(&self, at: usize) -> Option<&T> {
        if at < self.len { Some(&self[at]) } else { None }
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = &T> {
        self.pages.iter().flat_map(|page| page.iter()).take(self.len)
    }

    pub(crate) fn bytes(&self) -> usize {
        self.pages.len() * (size_of::<[T; PAGE]>() + size_of::<Page<T>>())
    }
}

impl<T> std::ops::Index<usize> for Paged<T> {
    type Output = T;

    #[inline]
    fn index(&self, at: usize) -> &T {
        &self.pages[at / PAGE][at % PAGE]
    }
}

impl<T> std::ops::IndexMut<usize> for Paged<T> {
    #[inline]
    fn index_mut(&mut self, at: usize) -> &mut T {
        &mut self.pages[at / PAGE][at % PAGE]
    }
}

/// Values by places of which most are never used: a page is made for the first of its places.
pub(crate) struct Sparse<T> {
    pages: Vec<Option<Page<T>>>,
}

impl<T> Default for Sparse<T> {
    fn default() -> Self {
        Self { pages: Vec::new() }
    }
}

impl<T: Copy> Sparse<T> {
    /// The value at a place of a page that was made.
    #[inline]
    pub(crate) fn get(&self, at: usize) -> Option<&T> {
        let page = self.pages.get(at / PAGE)?.as_ref()?;
        Some(&page[at % PAGE])
    }

    /// Four values from a place that four divides, of a page that was made.
    #[inline]
    pub(crate) fn four(&self, at: usize) -> Option<&[T; 4]> {
        let page = self.pages.get(at / PAGE)?.as_ref()?;
        page.as_chunks().0.get(at % PAGE / 4)
    }

    /// The value at a place; its page is made of `filler` if it is not there.
    pub(crate) fn reach(&mut self, at: usize, filler: T) -> &mut T {
        let number = at / PAGE;
        if self.pages.len() <= number {
            self.pages.resize_with(number + 1, || None);
        }
        let page = self.pages[number].get_or_insert_with(|| Box::new([filler; PAGE]));
        &mut page[at % PAGE]
    }

    pub(crate) fn bytes(&self) -> usize {
        let made_n = self.pages.iter().flatten().count();
        made_n * size_of::<[T; PAGE]>() + self.pages.len() * size_of::<Option<Page<T>>>()
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashMap;

    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn a_paged_sequence_agrees_with_a_vector(steps in prop::collection::vec((any::<u32>(), 0_u8..5), 1..3_000)) {
            let (mut paged, mut vector) = (Paged::default(), Vec::new());
            for (value, what) in steps {
                match what {
                    0..=2 => {
                        paged.push(value);
                        vector.push(value);
                    }
                    3 => prop_assert_eq!(paged.pop(), vector.pop()),
                    _ if vector.is_empty() => {}
                    _ => {
                        let at = value as usize % vector.len();
                        prop_assert_eq!(paged[at], vector[at]);
                        (paged[at], vector[at]) = (value, value);
                    }
                }
                prop_assert_eq!(paged.len(), vector.len());
                prop_assert_eq!(paged.get(value as usize), vector.get(value as usize));
            }
            prop_assert!(paged.iter().eq(vector.iter()));
        }

        #[test]
        fn sparse_places_agree_with_a_map(steps in prop::collection::vec((0_usize..100_000, any::<u32>()), 1..300)) {
            let (mut sparse, mut map) = (Sparse::default(), HashMap::new());
            for (at, value) in steps {
                *sparse.reach(at, 0) = value;
                map.insert(at, value);
            }
            for (at, value) in map {
                prop_assert_eq!(sparse.get(at), Some(&value));
                prop_assert_eq!(sparse.four(at / 4 * 4).map(|four| four[at % 4]), Some(value));
            }
        }
    }
}
