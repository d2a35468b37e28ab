//! Which stalls an agent's profile can serve: two structures, one turning into the other.
//!
//! While distinct requirements and profiles are few, each profile lists the stalls it can serve, and a
//! freed agent compares their heads. When they multiply, such lists would cost their product, so the
//! heads are shelved instead, each under the two rarest skills it requires, in order; a freed agent reads
//! only the shelves of their own pairs of skills, and each only as far as someone better placed was found
//! elsewhere. Under one skill alone the shelves would be long and mostly of those who lack another.

use smallvec::SmallVec;

use crate::catalogue::{Catalogue, Packed, Skills};
use crate::lanes::{Lanes, NEAR_STALLS, NO_GLANCE, NOWHERE};
use crate::paged::{Paged, Sparse};
use crate::ranked::Ranked;

/// Past so many pairs of profile and stall, or `NEAR_STALLS`, the lists are given up for shelves.
const PAIRS_MAX: usize = 2_000_000;

/// And past so many profiles, each of which a new stall is compared with.
const PROFILES_MAX: usize = 16_384;

/// So many lists are let go at a time once they are given up.
const LET_GO: usize = 16;

/// Skills beyond so many share shelves.
const SHELVED_SKILLS: u32 = 512;

/// From this level on a requirement stands on another shelf, which those of a lesser level need not read: the
/// ones that few can meet wait longest, and would stand in front of all others.
const HARD_LEVEL: u32 = 6;
const SHELVES_A_PAIR: u32 = 4;

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
    /// By `shelf_of`: the glance of the first on the shelf, and its place in `shelves` from 1.
    slots: Sparse<(u64, u32)>,
    shelves: Paged<Ranked<Shelved>>,
}

impl Case {
    /// Calls `visit` with each shelf, not empty, that someone with these skills should read, and the glance
    /// of the first on it.
    #[inline]
    pub(crate) fn shelves_for(&self, skills: &Skills, mut visit: impl FnMut(u64, u32)) {
        let own: SmallVec<[Shelving; 24]> = skills.iter().map(shelving).collect();
        let mut look = |slot: u32| {
            if let Some((glance, shelf)) = self.slots.get(slot as usize)
                && *glance != NO_GLANCE
            {
                visit(*glance, *shelf);
            }
        };
        look(0);
        for (at, one) in own.iter().enumerate() {
            for other in &own[..=at] {
                // The last of the four is for the hardest; whoever may read it may read all.
                let most = shelf_of(*one, *other);
                let pair = (most - 1) / SHELVES_A_PAIR * SHELVES_A_PAIR + 1;
                let hard = most - pair;
                for within in 0..=hard {
                    if within & !hard == 0 {
                        look(pair + within);
                    }
                }
            }
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

/// The place of a pair of skills, or of one skill with itself; 0 is for those who require none.
fn shelf_of(one: Shelving, other: Shelving) -> u32 {
    let ((low, low_hard), (high, high_hard)) = (one.min(other), one.max(other));
    1 + (high * (high + 1) / 2 + low) * SHELVES_A_PAIR + 2 * high_hard + low_hard
}

#[derive(Clone, Copy, Default)]
struct Filed {
    case: u32,
    slot: u32,
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
        let slot = match skills[..] {
            [] => 0,
            [only] => shelf_of(shelving(only), shelving(only)),
            [rarest, next, ..] => shelf_of(shelving(rarest), shelving(next)),
        };
        let known = self
            .cases
            .iter()
            .position(|case| (case.medium, case.rate) == (one.medium, one.rate));
        let case = known.unwrap_or_else(|| {
            let (slots, shelves) = (Sparse::default(), Paged::default());
            self.cases.push(Case {
                medium: one.medium,
                rate: one.rate,
                slots,
                shelves,
            });
            self.cases.len() - 1
        });
        let Case { slots, shelves, .. } = &mut self.cases[case];
        let (_, shelf) = slots.reach(slot as usize, (NO_GLANCE, 0));
        if *shelf == 0 {
            shelves.push(Ranked::default());
            *shelf = shelves.len() as u32;
        }
        let (skills, levels) = (required.skills.mask, required.skills.packed());
        let filed = Filed {
            case: case as u32,
            slot,
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
        let (glanced, shelf) = case.slots.reach(filed.slot as usize, (NO_GLANCE, 0));
        let shelf = &mut case.shelves[*shelf as usize - 1];
        if let Some(before) = filed.now.take() {
            shelf.remove(of(before));
        }
        if head.lane != NOWHERE {
            let now = (head.standing(), head.entry.contact());
            filed.now = Some(now);
            shelf.insert(of(now));
        }
        *glanced = shelf
            .first()
            .map_or(NO_GLANCE, |first| lanes.glances.of(first.stall));
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
            .map(|case| case.slots.bytes() + case.shelves.bytes())
            .sum();
        adjacent + shelves + slots + self.filed.bytes()
    }
}
