//! Which stalls an agent's profile can serve: two structures, one turning into the other.
//!
//! While distinct requirements and profiles are few, each profile lists the stalls it can serve, and a
//! freed agent compares their heads. When they multiply, such lists would cost their product, so the
//! heads are shelved instead, each under the skills it requires, of more than three the rarest, in order; a
//! freed agent reads only the shelves of their own ones, twos and threes of skills, and each only as far as
//! someone better placed was found elsewhere. Under one skill alone the shelves would be long and mostly of
//! what needs another as well; which threes there are is known by a bit each, for they are very many.

use smallvec::SmallVec;

use crate::catalogue::Catalogue;
use crate::lanes::{Lanes, NEAR_STALLS, NO_GLANCE, NOWHERE};
use crate::paged::{Paged, Sparse};
use crate::ranked::Ranked;
use crate::skills::{Packed, Skills};

/// Past so many pairs of profile and stall, or `NEAR_STALLS`, the lists are given up for shelves.
const PAIRS_MAX: usize = 2_000_000;

/// And past so many profiles, each of which a new stall is compared with.
const PROFILES_MAX: usize = 16_384;

/// So many lists are let go at a time once they are given up.
const LET_GO: usize = 16;

/// Skills beyond so many share shelves.
const SHELVED_SKILLS: u32 = 512;

/// And those of three skills or more beyond so many, one bit each.
const THIRD_SKILLS: u32 = 128;

/// Beside the number of a slot: it is of three skills.
const OF_THREE: u32 = 1 << 31;

/// From this level on a requirement stands on another shelf, which those of a lesser level need not read: the
/// ones that few can meet wait longest, and would stand in front of all others.
const HARD_LEVEL: u32 = 6;

/// What reading a shelf's first would tell, where a reader of very many shelves passes.
#[derive(Clone, Copy)]
pub(crate) struct Slot {
    /// Of the first, `NO_GLANCE` when there is none.
    pub(crate) glance: u64,
    pub(crate) skills: u64,
    pub(crate) levels: Packed,
    pub(crate) units: u32,
    /// Its place in `shelves` from 1; 0 when there is none yet.
    pub(crate) shelf: u32,
    /// There are others behind the first.
    pub(crate) more: bool,
}

impl Slot {
    const EMPTY: Self = Self {
        glance: NO_GLANCE,
        skills: 0,
        levels: Packed::NONE,
        units: 0,
        shelf: 0,
        more: false,
    };
}

/// The head of a stall on a shelf, with what it requires where that is little.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Shelved {
    pub(crate) standing: u128,
    pub(crate) contact: u64,
    pub(crate) skills: u64,
    pub(crate) levels: Packed,
    pub(crate) stall: u32,
    pub(crate) units: u32,
}

/// Shelves for one medium and rate.
pub(crate) struct Case {
    pub(crate) medium: u32,
    pub(crate) rate: u32,
    /// By `shelf_of`.
    slots: Sparse<Slot>,
    /// By `three_of`.
    of_three: Sparse<Slot>,
    /// By two of three skills, the lower ones: with which third there is somebody.
    thirds: Sparse<u128>,
    shelves: Paged<Ranked<Shelved>>,
}

impl Case {
    /// The slots of every shelf, not empty, that someone with these skills should read.
    #[inline]
    pub(crate) fn slots_for(&self, skills: &Skills) -> SmallVec<[&Slot; 256]> {
        let mut found = SmallVec::new();
        let own: SmallVec<[Shelving; 24]> = skills.iter().map(shelving).collect();
        self.add_four(0, 0, &mut found);
        for (at, one) in own.iter().enumerate() {
            for other in &own[..=at] {
                let (pair, hard) = shelf_of(*one, *other);
                self.add_four(pair, hard, &mut found);
            }
        }
        let thirds: SmallVec<[u32; 24]> = own.iter().map(|(skill, _)| skill % THIRD_SKILLS).collect();
        let all = thirds.iter().fold(0_u128, |all, skill| all | 1 << skill);
        for (at, one) in thirds.iter().enumerate() {
            for other in &thirds[..at] {
                let (low, high) = (*one.min(other), *one.max(other));
                if let Some(with) = self.thirds.get(pair_of(low, high)) {
                    self.add_thirds(low, high, with & all, &mut found);
                }
            }
        }
        found
    }

    #[inline]
    fn add_four<'a>(&'a self, pair: u32, hard: u32, found: &mut SmallVec<[&'a Slot; 256]>) {
        let Some(four) = self.slots.four(pair as usize) else {
            return;
        };
        for (within, slot) in four.iter().enumerate() {
            // The last of the four is for the hardest; whoever may read it may read all.
            if slot.glance != NO_GLANCE && within as u32 & !hard == 0 {
                found.push(slot);
            }
        }
    }

    #[inline]
    fn add_thirds<'a>(&'a self, low: u32, middle: u32, with: u128, found: &mut SmallVec<[&'a Slot; 256]>) {
        // A third is not below the two others, and mostly there is none.
        let mut with = with >> middle << middle;
        while with != 0 {
            let high = with.trailing_zeros();
            with &= with - 1;
            if let Some(slot) = self.of_three.get(three_of(low, middle, high)) {
                found.push(slot);
            }
        }
    }

    /// The slot of a stall, by its number.
    fn slot_mut(&mut self, slot: u32) -> &mut Slot {
        let at = (slot & !OF_THREE) as usize;
        if slot & OF_THREE == 0 {
            self.slots.reach(at, Slot::EMPTY)
        } else {
            self.of_three.reach(at, Slot::EMPTY)
        }
    }

    pub(crate) fn shelf(&self, shelf: u32) -> &Ranked<Shelved> {
        &self.shelves[shelf as usize - 1]
    }
}

/// A skill as it is shelved, and 1 when its level is hard.
type Shelving = (u32, u32);

fn shelving((skill, level): (u32, u32)) -> Shelving {
    (skill % SHELVED_SKILLS, u32::from(level >= HARD_LEVEL))
}

/// The first of the four shelves of a pair of skills, or of one skill with itself, and which of them it is;
/// the first four are for those who require none.
#[inline]
fn shelf_of(one: Shelving, other: Shelving) -> (u32, u32) {
    let ((low, low_hard), (high, high_hard)) = (one.min(other), one.max(other));
    (4 * (1 + high * (high + 1) / 2 + low), 2 * high_hard + low_hard)
}

fn pair_of(low: u32, high: u32) -> usize {
    (high * (high + 1) / 2 + low) as usize
}

fn three_of(low: u32, middle: u32, high: u32) -> usize {
    (high * (high + 1) * (high + 2) / 6) as usize + pair_of(low, middle)
}

#[derive(Clone, Copy, Default)]
struct Filed {
    case: u32,
    slot: u32,
    /// On a shelf of three: its place in `thirds`, and its bit there.
    third: (u32, u32),
    units: u32,
    skills: u64,
    levels: Packed,
    now: Option<(u128, u64)>,
}

#[derive(Default)]
pub(crate) struct Shelves {
    /// By profile: the stalls it can serve; let go little by little once dispersed.
    pub(crate) adjacent: Paged<Vec<u16>>,
    profiles_n: usize,
    pairs_n: usize,
    pub(crate) dispersed: bool,
    pub(crate) cases: Vec<Case>,
    /// By stall: where it stands, and its head there.
    filed: Paged<Filed>,
    /// By skill: how many profiles have it.
    profiles_with: Vec<u32>,
}

impl Shelves {
    pub(crate) fn learn_profile(&mut self, profile: u32, catalogue: &Catalogue, lanes: &Lanes) {
        if (profile as usize) < self.profiles_n {
            return;
        }
        self.profiles_n += 1;
        let skills = &catalogue.profile_at(profile).skills;
        for (skill, _) in skills.iter() {
            if self.profiles_with.len() <= skill as usize {
                self.profiles_with.resize(skill as usize + 1, 0);
            }
            self.profiles_with[skill as usize] += 1;
        }
        if self.dispersed {
            self.let_go();
            return;
        }
        let all = lanes.stalls.iter().enumerate();
        let able = all.filter(|(_, stall)| skills.meet(&catalogue.requirement_at(stall.requirement).skills));
        let stalls: Vec<u16> = able.map(|(at, _)| at as u16).collect();
        self.pairs_n += stalls.len();
        self.adjacent.push(stalls);
        self.disperse_if_many(catalogue, lanes);
    }

    pub(crate) fn learn_stall(&mut self, stall: u32, catalogue: &Catalogue, lanes: &Lanes) {
        let required = &catalogue
            .requirement_at(lanes.stalls[stall as usize].requirement)
            .skills;
        if self.dispersed {
            self.let_go();
            self.shelve_new(stall, catalogue, lanes);
            return;
        }
        for profile in 0..self.adjacent.len() {
            if catalogue.profile_at(profile as u32).skills.meet(required) {
                self.adjacent[profile].push(stall as u16);
                self.pairs_n += 1;
            }
        }
        self.disperse_if_many(catalogue, lanes);
    }

    /// Notes that a stall's head is another, or that it has one again, or none.
    #[inline]
    pub(crate) fn head_changed(&mut self, stall: u32, lanes: &Lanes) {
        if self.dispersed {
            if self.adjacent.len() > 0 {
                self.let_go();
            }
            self.reshelve(stall, lanes);
        }
    }

    fn disperse_if_many(&mut self, catalogue: &Catalogue, lanes: &Lanes) {
        let many = lanes.stalls.len() >= NEAR_STALLS || self.profiles_n > PROFILES_MAX;
        if many || self.pairs_n > PAIRS_MAX {
            self.disperse(catalogue, lanes);
        }
    }

    /// Gives up the lists for shelves, for good.
    pub(crate) fn disperse(&mut self, catalogue: &Catalogue, lanes: &Lanes) {
        if self.dispersed {
            return;
        }
        self.dispersed = true;
        for stall in 0..lanes.stalls.len() {
            self.shelve_new(stall as u32, catalogue, lanes);
        }
    }

    /// Lets some lists go: all at once would be a pause.
    fn let_go(&mut self) {
        for _ in 0..LET_GO {
            if self.adjacent.pop().is_none() {
                return;
            }
        }
    }

    fn shelve_new(&mut self, stall: u32, catalogue: &Catalogue, lanes: &Lanes) {
        let one = &lanes.stalls[stall as usize];
        let required = catalogue.requirement_at(one.requirement);
        let with = |skill: u32| self.profiles_with.get(skill as usize).copied().unwrap_or(0);
        let mut skills: Vec<(u32, u32)> = required.skills.iter().collect();
        skills.sort_unstable_by_key(|(skill, _)| (with(*skill), *skill));
        let pair = |one, other| {
            let (pair, hard) = shelf_of(shelving(one), shelving(other));
            (pair + hard, (0, 0))
        };
        let (slot, third) = match skills[..] {
            [] => (0, (0, 0)),
            [only] => pair(only, only),
            [rarest, next] => pair(rarest, next),
            [one, two, three, ..] => {
                let mut rarest = [one, two, three].map(|(skill, _)| skill % THIRD_SKILLS);
                rarest.sort_unstable();
                let [low, middle, high] = rarest;
                let three = three_of(low, middle, high) as u32 | OF_THREE;
                (three, (pair_of(low, middle) as u32, high))
            }
        };
        let known = self
            .cases
            .iter()
            .position(|case| (case.medium, case.rate) == (one.medium, one.rate));
        let case = known.unwrap_or_else(|| {
            self.cases.push(Case {
                medium: one.medium,
                rate: one.rate,
                slots: Sparse::default(),
                of_three: Sparse::default(),
                thirds: Sparse::default(),
                shelves: Paged::default(),
            });
            self.cases.len() - 1
        });
        let made = &mut self.cases[case];
        if made.slot_mut(slot).shelf == 0 {
            made.shelves.push(Ranked::default());
            made.slot_mut(slot).shelf = made.shelves.len() as u32;
        }
        let (skills, levels) = (required.skills.mask, required.skills.packed());
        let filed = Filed {
            case: case as u32,
            slot,
            third,
            units: one.units as u32,
            skills,
            levels,
            now: None,
        };
        debug_assert_eq!(self.filed.len(), stall as usize, "stalls are shelved in turn");
        self.filed.push(filed);
        self.reshelve(stall, lanes);
    }

    fn reshelve(&mut self, stall: u32, lanes: &Lanes) {
        let filed = &mut self.filed[stall as usize];
        let Filed {
            skills,
            levels,
            units,
            ..
        } = *filed;
        let head = &lanes.heads[stall as usize];
        let of = |(standing, contact)| Shelved {
            standing,
            contact,
            skills,
            levels,
            stall,
            units,
        };
        let case = &mut self.cases[filed.case as usize];
        let number = case.slot_mut(filed.slot).shelf;
        let shelf = &mut case.shelves[number as usize - 1];
        if let Some(before) = filed.now.take() {
            shelf.remove(of(before));
        }
        if head.lane != NOWHERE {
            let now = (head.standing(), head.entry.contact());
            filed.now = Some(now);
            shelf.insert(of(now));
        }
        let mut slot = Slot {
            shelf: number,
            ..Slot::EMPTY
        };
        if let Some(first) = shelf.first() {
            slot.glance = lanes.glances.of(first.stall);
            (slot.skills, slot.levels, slot.units) = (first.skills, first.levels, first.units);
            slot.more = shelf.len() > 1;
        }
        *case.slot_mut(filed.slot) = slot;
        if filed.slot & OF_THREE != 0 {
            let (pair, third) = filed.third;
            let thirds = case.thirds.reach(pair as usize, 0);
            let here = u128::from(slot.glance != NO_GLANCE);
            *thirds = *thirds & !(1 << third) | here << third;
        }
    }

    pub(crate) fn bytes(&self) -> usize {
        let adjacent: usize = self
            .adjacent
            .iter()
            .map(|stalls| stalls.capacity() * 2 + 24)
            .sum();
        let shelves: usize = self
            .cases
            .iter()
            .flat_map(|case| case.shelves.iter())
            .map(Ranked::bytes)
            .sum();
        let slots: usize = self
            .cases
            .iter()
            .map(|case| {
                case.slots.bytes() + case.of_three.bytes() + case.thirds.bytes() + case.shelves.bytes()
            })
            .sum();
        adjacent + shelves + slots + self.filed.bytes()
    }
}
