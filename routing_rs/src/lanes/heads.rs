//! Heads: the first contact of each stall, as the matcher compares it, and its standing at a glance.

use crate::order::standing;
use crate::paged::Paged;

pub(crate) const NO_GLANCE: u64 = u64::MAX;

/// A waiting contact as its lane sorts it.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug, Default)]
pub(crate) struct Entry {
    pub(crate) effective_ns: i64,
    /// Its id, and in the lowest bit whether it is on other terms than its lane's, or has exceptions.
    tagged: u64,
}

impl Entry {
    #[inline]
    pub(crate) fn new(effective_ns: i64, contact: u64, odd: bool) -> Self {
        let tagged = contact << 1 | u64::from(odd);
        Self { effective_ns, tagged }
    }

    #[inline]
    pub(crate) fn contact(self) -> u64 {
        self.tagged >> 1
    }

    #[inline]
    pub(crate) fn odd(self) -> bool {
        self.tagged & 1 != 0
    }
}

/// The first contact of a stall, as the matcher compares it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Head {
    pub(crate) entry: Entry,
    pub(crate) priority: i32,
    /// NOWHERE when the stall is empty.
    pub(crate) lane: u32,
}

impl Default for Head {
    fn default() -> Self {
        Self::EMPTY
    }
}

impl Head {
    pub(super) const EMPTY: Self = Self {
        entry: Entry {
            effective_ns: i64::MAX,
            tagged: u64::MAX,
        },
        priority: i32::MIN,
        lane: super::NOWHERE,
    };

    #[inline]
    pub(crate) fn standing(&self) -> u128 {
        standing(self.priority, self.entry.effective_ns)
    }
}

/// So many stalls a scan may go through, each by a number of 16 bits.
pub(crate) const NEAR_STALLS: usize = 2048;

/// By stall: the head's standing at a glance, `NO_GLANCE` when there is none. A scan reads little else, so
/// those of the stalls it may go through lie where no bound needs to be checked.
pub(crate) struct Glances {
    near: Box<[u64; NEAR_STALLS]>,
    far: Paged<u64>,
}

impl Default for Glances {
    fn default() -> Self {
        Self {
            near: Box::new([NO_GLANCE; NEAR_STALLS]),
            far: Paged::default(),
        }
    }
}

impl Glances {
    /// Of a stall below `NEAR_STALLS`.
    #[inline]
    pub(crate) fn near(&self, stall: u16) -> u64 {
        self.near[stall as usize % NEAR_STALLS]
    }

    #[inline]
    pub(crate) fn of(&self, stall: u32) -> u64 {
        let stall = stall as usize;
        match self.near.get(stall) {
            Some(glanced) => *glanced,
            None => self.far[stall - NEAR_STALLS],
        }
    }

    #[inline]
    pub(super) fn set(&mut self, stall: u32, glanced: u64) {
        let stall = stall as usize;
        if let Some(place) = self.near.get_mut(stall) {
            *place = glanced;
            return;
        }
        let far = stall - NEAR_STALLS;
        if far == self.far.len() {
            self.far.push(glanced);
        } else {
            self.far[far] = glanced;
        }
    }
}
