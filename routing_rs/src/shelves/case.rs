//! The shelves for one medium and rate: where each stall stands, and the first of them that somebody can serve.

use smallvec::SmallVec;

use super::grids::{Corner, Grids, Levels, Three, Told, pair_of};
use crate::catalogue::Catalogue;
use crate::lanes::{Lanes, NO_GLANCE, NOWHERE};
use crate::paged::{Paged, Sparse};
use crate::prefetch::prefetch;
use crate::ranked::Ranked;
use crate::skills::{Packed, Skills, Spread};

/// Skills beyond so many share shelves.
const SHELVED_SKILLS: u32 = 512;

/// From this level on a requirement stands on another shelf, which those of a lesser level need not read: the
/// ones that few can meet wait longest, and would stand in front of all others.
const HARD_LEVEL: u32 = 6;

/// What reading a shelf's first would tell, where a reader of very many shelves passes.
#[derive(Clone, Copy)]
struct Slot {
    /// Of the first, `NO_GLANCE` when there is none.
    glance: u64,
    skills: u64,
    levels: Packed,
    units: u32,
    /// Its place in `shelves` from 1; 0 when there is none yet.
    shelf: u32,
    /// There are others behind the first.
    more: bool,
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
struct Shelved {
    standing: u128,
    contact: u64,
    skills: u64,
    levels: Packed,
    stall: u32,
    units: u32,
}

/// Which shelf a stall stands on.
#[derive(Clone, Copy)]
enum Shelf {
    /// None but a grid: of one skill or two, where all take the same units.
    Grid(Corner),
    /// By `shelf_of`.
    Four(u32),
    /// Of three skills, of more the rarest.
    Three(Three),
}

/// Where a stall stands, and its head there.
#[derive(Clone, Copy)]
pub(super) struct Filed {
    shelf: Shelf,
    units: u32,
    skills: u64,
    levels: Packed,
    now: Option<(u128, u64)>,
}

impl Default for Filed {
    fn default() -> Self {
        Self {
            shelf: Shelf::Four(0),
            units: 0,
            skills: 0,
            levels: Packed::NONE,
            now: None,
        }
    }
}

/// What somebody has, spelt out once for all that is asked of it.
pub(crate) struct Held<'a> {
    skills: &'a Skills,
    spread: Spread,
    /// Of the first skills, which share no shelf.
    levels: Levels,
}

impl<'a> Held<'a> {
    pub(crate) fn new(skills: &'a Skills) -> Self {
        Self {
            skills,
            spread: skills.spread(),
            levels: skills
                .iter()
                .take_while(|(skill, _)| *skill < SHELVED_SKILLS)
                .collect(),
        }
    }
}

/// Shelves for one medium and rate, and while there are few such for one number of units.
#[derive(Default)]
pub(crate) struct Case {
    pub(crate) medium: u32,
    rate: u32,
    /// What all stalls take; None where each may take another.
    units: Option<u32>,
    grids: Grids,
    slots: Sparse<Slot>,
    /// How many stalls stand on `slots`.
    on_slots_n: usize,
    /// By the number of a three.
    of_three: Sparse<Slot>,
    shelves: Paged<Ranked<Shelved>>,
}

impl Case {
    pub(super) fn new(medium: u32, rate: u32, units: Option<u32>) -> Self {
        Self {
            medium,
            rate,
            units,
            ..Self::default()
        }
    }

    pub(super) fn is_for(&self, medium: u32, rate: u32, units: Option<u32>) -> bool {
        (self.medium, self.rate, self.units) == (medium, rate, units)
    }

    /// Finds a stall's place: `rarest` are its required skills, those that few profiles have first.
    pub(super) fn place(&mut self, required: &Skills, rarest: &[(u32, u32)], units: u32) -> Filed {
        let apart = rarest.iter().all(|(skill, _)| *skill < SHELVED_SKILLS);
        let exact = apart && self.units.is_some();
        let shelf = match *rarest {
            [] => Shelf::Four(0),
            [only] if exact => Shelf::Grid(Corner::new(only, only)),
            [one, other] if exact => Shelf::Grid(Corner::new(one, other)),
            [one, two, three, ..] if apart => Shelf::Three(Three::new([one, two, three])),
            [one] => Shelf::Four(shelf_of(one, one)),
            [one, other, ..] => Shelf::Four(shelf_of(one, other)),
        };
        self.on_slots_n += usize::from(matches!(shelf, Shelf::Four(_)));
        Filed {
            shelf,
            units,
            skills: required.mask,
            levels: required.packed(),
            now: None,
        }
    }

    /// Puts a stall where its head belongs; `filed` is of every stall.
    pub(super) fn reshelve(&mut self, stall: u32, filed: &mut Paged<Filed>, lanes: &Lanes) {
        let one = &mut filed[stall as usize];
        if let Shelf::Grid(corner) = one.shelf {
            return self.grids.set(corner, stall, lanes.glances.of(stall));
        }
        let Filed {
            shelf: stands,
            skills,
            levels,
            units,
            ..
        } = *one;
        let of = |(standing, contact)| Shelved {
            standing,
            contact,
            skills,
            levels,
            stall,
            units,
        };
        let head = &lanes.heads[stall as usize];
        let now = (head.lane != NOWHERE).then(|| (head.standing(), head.entry.contact()));
        let before = std::mem::replace(&mut one.now, now);
        let mut slot = *self.slot_mut(stands);
        if slot.shelf == 0 {
            self.shelves.push(Ranked::default());
            slot.shelf = self.shelves.len() as u32;
        }
        let shelf = &mut self.shelves[slot.shelf as usize - 1];
        if let Some(before) = before {
            shelf.remove(of(before));
        }
        if let Some(now) = now {
            shelf.insert(of(now));
        }
        slot = Slot {
            shelf: slot.shelf,
            ..Slot::EMPTY
        };
        if let Some(first) = shelf.first() {
            slot.glance = lanes.glances.of(first.stall);
            (slot.skills, slot.levels, slot.units) = (first.skills, first.levels, first.units);
            slot.more = shelf.len() > 1;
        }
        *self.slot_mut(stands) = slot;
        if let Shelf::Three(three) = stands {
            match (before, now) {
                (None, Some(_)) => self.grids.add(&three),
                (Some(_), None) => {
                    let slots = three
                        .beside()
                        .filter_map(|number| self.of_three.get(number as usize));
                    let beside = slots
                        .filter(|slot| slot.glance != NO_GLANCE)
                        .flat_map(|slot| self.shelves[slot.shelf as usize - 1].iter());
                    let threes = beside.filter_map(|other| match filed[other.stall as usize].shelf {
                        Shelf::Three(other) => Some(other),
                        _ => None,
                    });
                    self.grids.remove(&three, threes);
                }
                _ => {}
            }
        }
    }

    fn slot_mut(&mut self, shelf: Shelf) -> &mut Slot {
        match shelf {
            Shelf::Four(number) => self.slots.reach(number as usize, Slot::EMPTY),
            Shelf::Three(three) => self.of_three.reach(three.number() as usize, Slot::EMPTY),
            Shelf::Grid(_) => unreachable!("a stall of a grid stands on no shelf"),
        }
    }

    /// The first stall that these skills and this room serve, if its glance is `least` or below.
    #[inline]
    pub(crate) fn first(
        &self,
        held: &Held,
        room: i64,
        mut least: u64,
        lanes: &Lanes,
        catalogue: &Catalogue,
    ) -> Option<u32> {
        if self.units.is_some_and(|units| i64::from(units) > room) {
            return None;
        }
        let mut told = Told::default();
        self.grids.ask(&held.levels, &mut told);
        let mut best: Option<(u128, u64, u32)> = None;
        let mut found: Option<&Ranked<Shelved>> = None;
        least = least.min(told.least);
        // First the firsts alone, of which the slots tell all: mostly one of them is the one.
        let mut deep: SmallVec<[(u64, &Ranked<Shelved>); 64]> = SmallVec::new();
        let mut slots = SmallVec::new();
        self.slots_for(held, &told, &mut slots);
        for slot in slots {
            if slot.glance > least {
                continue;
            }
            let roomy = slot.skills & !held.skills.mask == 0 && i64::from(slot.units) <= room;
            let able = if roomy {
                held.spread.meet(slot.levels)
            } else {
                Some(false)
            };
            if able == Some(true) && slot.glance < least {
                (least, found) = (slot.glance, Some(self.shelf(slot)));
            } else if slot.more || able != Some(false) {
                deep.push((slot.glance, self.shelf(slot)));
            }
        }
        if let Some(first) = found.and_then(Ranked::first) {
            best = Some((first.standing, first.contact, first.stall));
        } else if told.least == least && least != NO_GLANCE {
            self.grids.first(&held.levels, &told, |stall| {
                let head = &lanes.heads[stall as usize];
                let one = (head.standing(), head.entry.contact(), stall);
                best = Some(best.map_or(one, |best| best.min(one)));
            });
        }
        // Then those behind a first that they can't serve, as far as they may still come sooner.
        for (glance, shelf) in deep {
            if glance > least {
                continue;
            }
            let sooner = |entry: &Shelved| {
                best.is_none_or(|(standing, contact, _)| {
                    (entry.standing, entry.contact) < (standing, contact)
                })
            };
            let meets = |entry: &Shelved| {
                let packed = held.spread.meet(entry.levels);
                let required = lanes.stalls[entry.stall as usize].requirement;
                packed.unwrap_or_else(|| held.skills.meet(&catalogue.requirement_at(required).skills))
            };
            let mut entries = shelf.iter().take_while(sooner);
            let serves = |entry: &Shelved| {
                let roomy = entry.skills & !held.skills.mask == 0 && i64::from(entry.units) <= room;
                roomy && meets(entry)
            };
            if let Some(entry) = entries.find(serves) {
                least = least.min(lanes.glances.of(entry.stall));
                best = Some((entry.standing, entry.contact, entry.stall));
            }
        }
        best.map(|(.., stall)| stall)
    }

    /// The slots of every shelf that somebody should read.
    #[inline]
    fn slots_for<'a>(&'a self, held: &Held, told: &Told, found: &mut SmallVec<[&'a Slot; 64]>) {
        if self.on_slots_n > 0 {
            self.add_slots(held, found);
        }
        told.threes(&held.levels, |number| {
            if let Some(slot) = self.of_three.get(number as usize) {
                prefetch(&raw const *slot);
                found.push(slot);
            }
        });
    }

    fn add_slots<'a>(&'a self, held: &Held, found: &mut SmallVec<[&'a Slot; 64]>) {
        self.add_four(0, found);
        let own: SmallVec<[(u32, u32); 24]> = held.skills.iter().collect();
        for (at, one) in own.iter().enumerate() {
            for other in &own[..=at] {
                self.add_four(shelf_of(*one, *other), found);
            }
        }
    }

    /// Adds a shelf, and those of its four that are for lesser levels.
    fn add_four<'a>(&'a self, shelf: u32, found: &mut SmallVec<[&'a Slot; 64]>) {
        let Some(four) = self.slots.four(shelf as usize & !3) else {
            return;
        };
        for (within, slot) in four.iter().enumerate() {
            // The last of the four is for the hardest; whoever may read it may read all.
            if slot.glance != NO_GLANCE && within as u32 & !(shelf % 4) == 0 {
                found.push(slot);
            }
        }
    }

    fn shelf(&self, slot: &Slot) -> &Ranked<Shelved> {
        &self.shelves[slot.shelf as usize - 1]
    }

    pub(super) fn bytes(&self) -> usize {
        let shelves: usize = self.shelves.iter().map(Ranked::bytes).sum();
        let slots = self.slots.bytes() + self.of_three.bytes();
        shelves + slots + self.grids.bytes() + self.shelves.bytes()
    }
}

/// The shelf of a pair of skills, or of one skill with itself, one of four by which levels are hard; the first
/// four are for those who require none.
fn shelf_of(one: (u32, u32), other: (u32, u32)) -> u32 {
    let shelving = |(skill, level)| (skill % SHELVED_SKILLS, u32::from(level >= HARD_LEVEL));
    let (one, other) = (shelving(one), shelving(other));
    let ((low, low_hard), (high, high_hard)) = (one.min(other), one.max(other));
    4 * (1 + pair_of(low, high) as u32) + 2 * high_hard + low_hard
}
