//! Sets of small numbers as words of bits.

use smallvec::SmallVec;

/// A set of handles.
#[derive(Default)]
pub(crate) struct Bits {
    pub(crate) words: Vec<u64>,
}

impl Bits {
    #[inline]
    pub(crate) fn set(&mut self, at: u32, on: bool) {
        let word = at as usize / 64;
        if word >= self.words.len() {
            if !on {
                return;
            }
            self.words.resize(word + 1, 0);
        }
        let bit = 1 << (at % 64);
        if on {
            self.words[word] |= bit;
        } else {
            self.words[word] &= !bit;
        }
    }
}

/// The numbers in a word, which begins at `base`.
pub(crate) fn each(mut word: u64, base: u32) -> impl Iterator<Item = u32> {
    std::iter::from_fn(move || {
        if word == 0 {
            return None;
        }
        let bit = word.trailing_zeros();
        word &= word - 1;
        Some(base + bit)
    })
}

/// Some of the crews.
#[derive(Default)]
pub(crate) struct Crowd {
    all: Bits,
    /// Which words of `all` have anyone, so that a few among very many are found at once.
    words: Bits,
}

impl Crowd {
    pub(crate) fn set(&mut self, crew: u32, on: bool) {
        self.all.set(crew, on);
        let word = crew / 64;
        self.words.set(
            word,
            self.all.words.get(word as usize).is_some_and(|word| *word != 0),
        );
    }

    pub(crate) fn bytes(&self) -> usize {
        self.all.words.capacity() * 8
    }
}

/// Which crews have each skill, to find those with all of several by words.
#[derive(Default)]
pub(crate) struct BySkill {
    skills: Vec<Bits>,
}

impl BySkill {
    pub(crate) fn learn(&mut self, crew: u32, skills: impl Iterator<Item = u32>) {
        for skill in skills {
            if self.skills.len() <= skill as usize {
                self.skills.resize_with(skill as usize + 1, Bits::default);
            }
            self.skills[skill as usize].set(crew, true);
        }
    }

    pub(crate) fn bytes(&self) -> usize {
        let words: usize = self.skills.iter().map(|bits| bits.words.capacity()).sum();
        words * 8
    }

    /// Calls `visit` with each of some crews that has every one of these skills, at whatever level, ascending.
    #[inline]
    pub(crate) fn with(&self, some: &Crowd, skills: impl Iterator<Item = u32>, mut visit: impl FnMut(u32)) {
        let mut sets: SmallVec<[&[u64]; 8]> = SmallVec::new();
        for skill in skills {
            sets.push(self.skills.get(skill as usize).map_or(&[], |bits| &bits.words));
        }
        for (at, summary) in some.words.words.iter().enumerate() {
            for word in each(*summary, at as u32 * 64) {
                let found = sets.iter().fold(some.all.words[word as usize], |found, words| {
                    found & words.get(word as usize).copied().unwrap_or(0)
                });
                for crew in each(found, word * 64) {
                    visit(crew);
                }
            }
        }
    }
}
