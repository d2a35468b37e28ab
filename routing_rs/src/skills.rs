//! Skills with levels, and whether some are met by others: asked more often than anything else.

/// At most four required skills with levels; all ones when there are more.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default)]
pub(crate) struct Packed(u64);

impl Packed {
    pub(crate) const NONE: Self = Self(0);
}

/// Skills with levels, ascending by skill, packed as `skill << 4 | level`, and one bit a skill (modulo
/// 64) to reject most misfits at once.
#[derive(PartialEq, Eq, Hash, Default)]
pub(crate) struct Skills {
    levels: Box<[u32]>,
    pub(crate) mask: u64,
}

impl Skills {
    pub(crate) fn new(levels: &[(u32, u32)]) -> Self {
        let mask = levels.iter().fold(0, |mask, (skill, _)| mask | 1 << (skill % 64));
        Self {
            levels: levels.iter().map(|(skill, level)| skill << 4 | level).collect(),
            mask,
        }
    }

    /// (skill, level), ascending.
    pub(crate) fn iter(&self) -> impl Iterator<Item = (u32, u32)> + '_ {
        self.levels.iter().map(|packed| (packed >> 4, packed & 15))
    }

    pub(crate) fn len(&self) -> usize {
        self.levels.len()
    }

    pub(crate) fn level(&self, skill: u32) -> u32 {
        self.iter()
            .find(|(have, _)| *have == skill)
            .map_or(0, |(_, level)| level)
    }

    /// Whether each required skill is here at its level.
    #[inline]
    pub(crate) fn meet(&self, required: &Skills) -> bool {
        required.mask & !self.mask == 0 && self.meet_exactly(required)
    }

    /// The levels in one word, where they fit.
    pub(crate) fn packed(&self) -> Packed {
        let fits = self.levels.len() <= 4 && self.levels.iter().all(|packed| *packed < 1 << 16);
        let word = |word: u64, packed: &u32| word << 16 | u64::from(*packed);
        Packed(if fits {
            self.levels.iter().fold(0, word)
        } else {
            u64::MAX
        })
    }

    /// The levels by skill, to be asked many times.
    #[inline]
    pub(crate) fn spread(&self) -> Spread {
        let mut levels = [0; SPREAD_SKILLS];
        for packed in &self.levels {
            if let Some(level) = levels.get_mut((packed >> 4) as usize) {
                *level = (packed & 15) as u8;
            }
        }
        Spread(levels)
    }

    fn meet_exactly(&self, required: &Skills) -> bool {
        let mut have = self.levels.iter();
        required.levels.iter().all(|wanted| {
            have.find(|held| **held >> 4 >= *wanted >> 4)
                .is_some_and(|held| held >> 4 == wanted >> 4 && held >= wanted)
        })
    }
}

/// So many skills have a place in `Spread`.
const SPREAD_SKILLS: usize = 128;

/// By skill the level held, 0 for none; of the first skills alone.
pub(crate) struct Spread([u8; SPREAD_SKILLS]);

impl Spread {
    /// Whether packed levels are met; None when they did not fit, or name a skill without a place.
    #[inline]
    pub(crate) fn meet(&self, Packed(mut word): Packed) -> Option<bool> {
        let mut met = true;
        while word != 0 {
            met &= *self.0.get((word as u16 >> 4) as usize)? >= (word & 15) as u8;
            word >>= 16;
        }
        Some(met)
    }
}
