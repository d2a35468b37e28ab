//! Sets of small numbers as words of bits.

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

/// Which crews have each skill, to find those with all of several by words.
#[derive(Default)]
pub(crate) struct BySkill {
    all: Bits,
    skills: Vec<Bits>,
}

impl BySkill {
    pub(crate) fn set(&mut self, crew: u32, skills: impl Iterator<Item = u32>, on: bool) {
        self.all.set(crew, on);
        for skill in skills {
            if self.skills.len() <= skill as usize {
                self.skills.resize_with(skill as usize + 1, Bits::default);
            }
            self.skills[skill as usize].set(crew, on);
        }
    }

    pub(crate) fn bytes(&self) -> usize {
        let words: usize = self.skills.iter().map(|bits| bits.words.capacity()).sum();
        (words + self.all.words.capacity()) * 8
    }

    /// The crews that have every one of these skills, at whatever level, ascending.
    pub(crate) fn with(&self, skills: impl Iterator<Item = u32>) -> impl Iterator<Item = u32> + '_ {
        let mut sets: smallvec::SmallVec<[&[u64]; 8]> = smallvec::SmallVec::new();
        sets.push(&self.all.words);
        let mut least = self.all.words.len();
        for skill in skills {
            let words = self
                .skills
                .get(skill as usize)
                .map_or(&[][..], |bits| &bits.words);
            least = least.min(words.len());
            sets.push(words);
        }
        let one = sets.len() > 1;
        (0..least).flat_map(move |at| {
            let word = sets[usize::from(one)..]
                .iter()
                .fold(u64::MAX, |word, words| word & words[at]);
            each(word, at as u32 * 64)
        })
    }
}
