//! An arena in chunks: indices are stable, growth copies nothing, an empty chunk's memory goes back.

use crate::prefetch::prefetch;

struct Chunk<T> {
    items: Vec<Option<T>>,
    free: Vec<u32>,
}

/// Values under indices that are used again once free.
pub(crate) struct Slab<T, const CHUNK: usize = 1024> {
    chunks: Vec<Chunk<T>>,
    with_room: Vec<u32>,
    len: usize,
}

impl<T, const CHUNK: usize> Default for Slab<T, CHUNK> {
    fn default() -> Self {
        Self {
            chunks: Vec::new(),
            with_room: Vec::new(),
            len: 0,
        }
    }
}

impl<T, const CHUNK: usize> Slab<T, CHUNK> {
    pub(crate) fn add(&mut self, value: T) -> u32 {
        self.len += 1;
        let chunk_n = if let Some(chunk_n) = self.with_room.last() {
            *chunk_n
        } else {
            self.chunks.push(Chunk {
                items: Vec::new(),
                free: Vec::new(),
            });
            self.with_room.push(self.chunks.len() as u32 - 1);
            self.chunks.len() as u32 - 1
        };
        let chunk = &mut self.chunks[chunk_n as usize];
        if chunk.items.capacity() == 0 && chunk_n > 0 {
            // The first chunk of a small arena grows; no later one is ever copied.
            chunk.items.reserve_exact(CHUNK);
        }
        let within = if let Some(within) = chunk.free.pop() {
            chunk.items[within as usize] = Some(value);
            within
        } else {
            chunk.items.push(Some(value));
            chunk.items.len() as u32 - 1
        };
        if chunk.free.is_empty() && chunk.items.len() == CHUNK {
            self.with_room.pop();
        }
        chunk_n * CHUNK as u32 + within
    }

    pub(crate) fn remove(&mut self, at: u32) -> Option<T> {
        let chunk_n = at as usize / CHUNK;
        let chunk = self.chunks.get_mut(chunk_n)?;
        let value = chunk.items.get_mut(at as usize % CHUNK)?.take()?;
        self.len -= 1;
        if chunk.free.is_empty() && chunk.items.len() == CHUNK {
            self.with_room.push(chunk_n as u32);
        }
        chunk.free.push(at % CHUNK as u32);
        if chunk.free.len() == chunk.items.len() {
            chunk.items = Vec::new();
            chunk.free = Vec::new();
        }
        Some(value)
    }

    #[inline]
    pub(crate) fn get(&self, at: u32) -> Option<&T> {
        let chunk = self.chunks.get(at as usize / CHUNK)?;
        chunk.items.get(at as usize % CHUNK)?.as_ref()
    }

    /// Where a value is or would be.
    pub(crate) fn place(&self, at: u32) -> Option<*const u8> {
        let chunk = self.chunks.get(at as usize / CHUNK)?;
        let item = chunk.items.get(at as usize % CHUNK)?;
        Some((&raw const *item).cast())
    }

    /// Asks for the first two lines of a value.
    pub(crate) fn prefetch(&self, at: u32) {
        if let Some(place) = self.place(at) {
            prefetch(place);
            prefetch(place.wrapping_add(64));
        }
    }

    pub(crate) fn len(&self) -> usize {
        self.len
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = (u32, &T)> {
        self.chunks.iter().enumerate().flat_map(|(chunk_n, chunk)| {
            let items = chunk.items.iter().enumerate();
            items.filter_map(move |(within, item)| {
                item.as_ref()
                    .map(|item| ((chunk_n * CHUNK + within) as u32, item))
            })
        })
    }

    pub(crate) fn bytes(&self) -> usize {
        let each =
            |chunk: &Chunk<T>| chunk.items.capacity() * size_of::<Option<T>>() + chunk.free.capacity() * 4;
        self.chunks.iter().map(each).sum()
    }
}

impl<T, const CHUNK: usize> std::ops::Index<u32> for Slab<T, CHUNK> {
    type Output = T;

    #[inline]
    fn index(&self, at: u32) -> &T {
        match &self.chunks[at as usize / CHUNK].items[at as usize % CHUNK] {
            Some(item) => item,
            None => unreachable!("an index of the slab outlived its value"),
        }
    }
}

impl<T, const CHUNK: usize> std::ops::IndexMut<u32> for Slab<T, CHUNK> {
    #[inline]
    fn index_mut(&mut self, at: u32) -> &mut T {
        match &mut self.chunks[at as usize / CHUNK].items[at as usize % CHUNK] {
            Some(item) => item,
            None => unreachable!("an index of the slab outlived its value"),
        }
    }
}
