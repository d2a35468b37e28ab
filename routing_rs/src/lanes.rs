//! Terms: what contacts share that are alike in all but their age. Lanes: the waiting contacts of one
//! requirement, rate and priority, in order. Stalls: the lanes of one requirement and one rate, whose first
//! contact is the stall's head.
//!
//! A freed agent compares heads, one a stall, never contacts. Within a lane nothing is ever re-sorted: at
//! one rate the order is that of the effective times, whatever the clock says. An entry of a lane says all
//! there is to say about a contact on the lane's own terms, so that giving it away reads nothing else.

use std::collections::VecDeque;
use std::hash::{Hash, Hasher};

use smallvec::SmallVec;

use crate::catalogue::{Catalogue, NO_LADDER};
use crate::hash::{Folder, Tag, digest};
use crate::lines::{Blocks, Line, Slot};
use crate::order::{glance, standing};
use crate::paged::Paged;
use crate::table::Table;
use crate::timers::NEVER_NS;

/// A credit that is the contact's own, kept with its exceptions: see `Lanes::credit_class`.
pub(crate) const OWN_CREDIT: i64 = i64::MIN;
pub(crate) const NO_GLANCE: u64 = u64::MAX;
pub(crate) const NOWHERE: u32 = u32::MAX;

const CREDIT_CLASSES_MAX: usize = 64;
const EMPTY_TERMS_MAX: usize = 4096;

/// What contacts have in common.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Default)]
pub(crate) struct TermsKey {
    pub(crate) requirement: u32,
    pub(crate) order: u32,
    pub(crate) priority: i32,
    pub(crate) rate: u32,
    pub(crate) credit_ns: i64,
    pub(crate) ladder: u32,
    pub(crate) rung: u32,
}

/// What contacts share, with what follows from it.
#[derive(Default)]
pub(crate) struct Terms {
    pub(crate) key: TermsKey,
    /// Where they wait.
    pub(crate) lane: u32,
    /// The digests of what the contacts share: `lane` of `naive/digest.py`, and its `rest` of one without exceptions.
    pub(crate) hash: u64,
    pub(crate) rest_hash: u64,
    /// What the requirement takes of whom.
    pub(crate) medium: u16,
    pub(crate) units: u32,
    /// Its order offers to several at once.
    pub(crate) to_several: bool,
    /// Its contacts have deadlines: rings, or a wait for a reservation.
    pub(crate) timed: bool,
    members_n: u32,
    /// Other terms of the same hash, of which there are hardly ever any.
    next_alike: u32,
}

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

#[derive(Default)]
pub(crate) struct Lane {
    pub(crate) stall: u32,
    pub(crate) priority: i32,
    pub(crate) rate: u32,
    pub(crate) requirement: u32,
    /// The terms of all its entries but the odd.
    pub(crate) terms: u32,
    /// How many terms lead here.
    terms_n: u32,
    pub(crate) entries: Line,
}

#[derive(Default)]
pub(crate) struct Stall {
    pub(crate) requirement: u32,
    pub(crate) rate: u32,
    /// What the requirement takes of whom.
    pub(crate) medium: u32,
    pub(crate) units: i64,
    /// The lanes with someone in them, highest priority first.
    pub(crate) lanes: Vec<u32>,
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
    const EMPTY: Self = Self {
        entry: Entry {
            effective_ns: i64::MAX,
            tagged: u64::MAX,
        },
        priority: i32::MIN,
        lane: NOWHERE,
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
    fn set(&mut self, stall: u32, glanced: u64) {
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

#[derive(Default)]
pub(crate) struct Lanes {
    /// By their key's hash: the first terms that have it.
    handles: Table<u32>,
    pub(crate) terms: Paged<Terms>,
    /// By `lane_key`.
    lane_of: Table<u32>,
    pub(crate) lanes: Paged<Lane>,
    pub(crate) blocks: Blocks,
    pub(crate) stalls: Paged<Stall>,
    /// By stall; apart from the stalls so that a scan reads few lines.
    pub(crate) heads: Paged<Head>,
    pub(crate) glances: Glances,
    /// By requirement: its stalls.
    pub(crate) of_requirement: Paged<SmallVec<[u32; 2]>>,
    /// How many stalls with a head there are at each rate.
    rates: Vec<(u32, u32)>,
    emptied: VecDeque<u32>,
    free_terms: Vec<u32>,
    free_lanes: Vec<u32>,
    /// By requirement: the terms found last, which are mostly those wanted next.
    recent: Paged<u32>,
    credits: Vec<i64>,
}

impl Lanes {
    /// Credits are usually one for each queue: those few are kept once by terms, others with the contact.
    pub(crate) fn credit_class(&mut self, credit_ns: i64) -> i64 {
        if self.credits.contains(&credit_ns) {
            return credit_ns;
        }
        if self.credits.len() < CREDIT_CLASSES_MAX {
            self.credits.push(credit_ns);
            return credit_ns;
        }
        OWN_CREDIT
    }

    /// The handle of some terms and, when it is new, their stall. The caller counts the contact in by `join`.
    #[inline]
    pub(crate) fn find(&mut self, key: TermsKey, catalogue: &Catalogue) -> (u32, Option<u32>) {
        if let Some(recent) = self.recent.get(key.requirement as usize)
            && self
                .terms
                .get(*recent as usize)
                .is_some_and(|terms| terms.key == key)
        {
            return (*recent, None);
        }
        let (terms, new_stall) = match self.known(&key) {
            Some(terms) => (terms, None),
            None => self.make(key, catalogue),
        };
        self.recent[key.requirement as usize] = terms;
        (terms, new_stall)
    }

    fn known(&self, key: &TermsKey) -> Option<u32> {
        let mut alike = self.handles.get(hash_of(key))?;
        while alike != NOWHERE && self.terms[alike as usize].key != *key {
            alike = self.terms[alike as usize].next_alike;
        }
        (alike != NOWHERE).then_some(alike)
    }

    /// Takes terms out of those of their hash.
    fn unlist(&mut self, key: &TermsKey, handle: u32) {
        let (hashed, next) = (hash_of(key), self.terms[handle as usize].next_alike);
        let first = self.handles.get(hashed).unwrap_or(NOWHERE);
        if first == handle {
            if next == NOWHERE {
                self.handles.remove(hashed);
            } else {
                self.handles.set(hashed, next);
            }
            return;
        }
        let mut before = first;
        while before != NOWHERE {
            let one = &mut self.terms[before as usize];
            if one.next_alike == handle {
                one.next_alike = next;
            }
            before = one.next_alike;
        }
    }

    fn make(&mut self, key: TermsKey, catalogue: &Catalogue) -> (u32, Option<u32>) {
        let (required, order) = (
            catalogue.requirement_hash(key.requirement),
            catalogue.order_hash(key.order),
        );
        let weights = [i64::from(key.priority) as u64, u64::from(key.rate)];
        let hash = digest(Tag::Lane, [required, order, weights[0], weights[1], 0, 0]);
        let ladder = catalogue.ladder_hash(key.ladder);
        let rest_hash = digest(Tag::Rest, [ladder, u64::from(key.rung), u64::MAX, 0, 0, 0]);
        let (required, order) = (
            catalogue.requirement_at(key.requirement),
            catalogue.order_at(key.order),
        );
        let (stall, new) = self.stall(key.requirement, key.rate, catalogue);
        let lane = self.lane(stall, key.priority);
        let terms = Terms {
            key,
            lane,
            hash,
            rest_hash,
            medium: required.medium as u16,
            units: required.units as u32,
            to_several: order.offer_to > 1,
            timed: key.ladder != NO_LADDER || order.reserve_after_ns != NEVER_NS,
            members_n: 0,
            next_alike: self.handles.get(hash_of(&key)).unwrap_or(NOWHERE),
        };
        let handle = keep(&mut self.terms, &mut self.free_terms, terms);
        self.lanes[lane as usize].terms_n += 1;
        self.handles.set(hash_of(&key), handle);
        (handle, new.then_some(stall))
    }

    fn lane(&mut self, stall: u32, priority: i32) -> u32 {
        if let Some(lane) = self.lane_of.get(lane_key(stall, priority)) {
            return lane;
        }
        let Stall {
            requirement, rate, ..
        } = self.stalls[stall as usize];
        let lane = Lane {
            stall,
            priority,
            rate,
            requirement,
            terms: NOWHERE,
            terms_n: 0,
            entries: Line::default(),
        };
        let handle = keep(&mut self.lanes, &mut self.free_lanes, lane);
        self.lane_of.set(lane_key(stall, priority), handle);
        handle
    }

    fn stall(&mut self, requirement: u32, rate: u32, catalogue: &Catalogue) -> (u32, bool) {
        while self.of_requirement.len() <= requirement as usize {
            self.of_requirement.push(SmallVec::new());
            self.recent.push(NOWHERE);
        }
        let stalls = &mut self.of_requirement[requirement as usize];
        if let Some(stall) = stalls
            .iter()
            .find(|stall| self.stalls[**stall as usize].rate == rate)
        {
            return (*stall, false);
        }
        let stall = self.stalls.len() as u32;
        stalls.push(stall);
        let required = catalogue.requirement_at(requirement);
        let (medium, units) = (required.medium, required.units);
        self.stalls.push(Stall {
            requirement,
            rate,
            medium,
            units,
            lanes: Vec::new(),
        });
        self.heads.push(Head::EMPTY);
        self.glances.set(stall, NO_GLANCE);
        (stall, true)
    }

    #[inline]
    pub(crate) fn join(&mut self, terms: u32) {
        self.terms[terms as usize].members_n += 1;
    }

    /// Counts a contact out; terms long unused are forgotten, a few are kept for those who come and go.
    #[inline]
    pub(crate) fn leave(&mut self, terms: u32) {
        let members_n = &mut self.terms[terms as usize].members_n;
        *members_n -= 1;
        if *members_n == 0 {
            self.emptied.push_back(terms);
            if self.emptied.len() > EMPTY_TERMS_MAX {
                self.forget_one();
            }
        }
    }

    fn forget_one(&mut self) {
        let Some(terms) = self.emptied.pop_front() else {
            return;
        };
        let Terms {
            key,
            lane,
            members_n: 0,
            ..
        } = self.terms[terms as usize]
        else {
            return;
        };
        // Forgotten before, and queued once more than it was forgotten.
        if key.requirement == NOWHERE {
            return;
        }
        self.unlist(&key, terms);
        self.terms[terms as usize].key.requirement = NOWHERE;
        self.free_terms.push(terms);
        let left = &mut self.lanes[lane as usize];
        left.terms_n -= 1;
        if left.terms_n == 0 {
            self.lane_of.remove(lane_key(left.stall, left.priority));
            self.free_lanes.push(lane);
        }
    }

    /// Puts a waiting contact into its lane; returns the slot it has there, and the stall when its head changed.
    #[inline]
    pub(crate) fn insert(
        &mut self,
        terms: u32,
        effective_ns: i64,
        contact: u64,
        exceptional: bool,
    ) -> (Slot, Option<u32>) {
        let lane = self.terms[terms as usize].lane;
        let one = &mut self.lanes[lane as usize];
        let was_empty = one.entries.is_empty();
        if was_empty {
            one.terms = terms;
        }
        let entry = Entry::new(effective_ns, contact, exceptional || one.terms != terms);
        let slot = one.entries.insert(&mut self.blocks, entry);
        if !was_empty && one.entries.first() != Some(entry) {
            return (slot, None);
        }
        let stall = one.stall;
        if was_empty {
            self.open(lane);
        }
        (slot, self.refresh(stall))
    }

    /// Takes a waiting contact out of its lane; returns the stall when its head changed. What is told about the
    /// contact must be what was told when it was put in; its slot may be another by now.
    #[inline]
    pub(crate) fn remove(
        &mut self,
        terms: u32,
        effective_ns: i64,
        contact: u64,
        exceptional: bool,
        slot: Slot,
    ) -> Option<u32> {
        let lane = self.terms[terms as usize].lane;
        let one = &mut self.lanes[lane as usize];
        let entry = Entry::new(effective_ns, contact, exceptional || one.terms != terms);
        let was_there = one.entries.remove(&mut self.blocks, entry, slot);
        debug_assert!(was_there, "a waiting contact is in its lane");
        let stall = one.stall;
        if one.entries.is_empty() {
            self.close(lane);
        } else if self.heads[stall as usize].entry != entry {
            return None;
        }
        self.refresh(stall)
    }

    fn open(&mut self, lane: u32) {
        let at = self.place_among(lane);
        let stall = self.lanes[lane as usize].stall;
        self.stalls[stall as usize].lanes.insert(at, lane);
    }

    fn close(&mut self, lane: u32) {
        let at = self.place_among(lane);
        let stall = self.lanes[lane as usize].stall;
        self.stalls[stall as usize].lanes.remove(at);
    }

    /// Where a lane stands, or would stand, among those of its stall with someone in them.
    fn place_among(&self, lane: u32) -> usize {
        let Lane { stall, priority, .. } = self.lanes[lane as usize];
        let lanes = &self.stalls[stall as usize].lanes;
        lanes.partition_point(|other| self.lanes[*other as usize].priority > priority)
    }

    /// Finds a stall's head again; returns the stall when it changed.
    #[inline]
    fn refresh(&mut self, stall: u32) -> Option<u32> {
        let first = self.stalls[stall as usize].lanes.first().and_then(|lane| {
            let one = &self.lanes[*lane as usize];
            one.entries.first().map(|entry| Head {
                entry,
                priority: one.priority,
                lane: *lane,
            })
        });
        let (head, glanced) = match first {
            Some(head) => (head, glance(head.priority, head.entry.effective_ns)),
            None => (Head::EMPTY, NO_GLANCE),
        };
        let before = std::mem::replace(&mut self.heads[stall as usize], head);
        self.glances.set(stall, glanced);
        if (before.lane == NOWHERE) != (head.lane == NOWHERE) {
            self.count_rate(self.stalls[stall as usize].rate, head.lane != NOWHERE);
        }
        (before != head).then_some(stall)
    }

    fn count_rate(&mut self, rate: u32, opened: bool) {
        let at = match self.rates.binary_search_by_key(&rate, |(counted, _)| *counted) {
            Ok(at) => at,
            Err(at) => {
                self.rates.insert(at, (rate, 0));
                at
            }
        };
        if opened {
            self.rates[at].1 += 1;
        } else {
            self.rates[at].1 -= 1;
            if self.rates[at].1 == 0 {
                self.rates.remove(at);
            }
        }
    }

    /// Whether contacts of one rate alone wait, so that their order does not depend on the time.
    #[inline]
    pub(crate) fn one_rate(&self) -> bool {
        self.rates.len() <= 1
    }

    pub(crate) fn bytes(&self) -> usize {
        let lanes: usize = self.lanes.iter().map(|lane| lane.entries.bytes()).sum();
        lanes + self.blocks.bytes() + self.lanes.bytes() + self.terms.bytes()
    }
}

/// Below the table's greatest key. In the tests of this module nearly all are alike, as they never are else.
fn hash_of(key: &TermsKey) -> u64 {
    let mut hasher = Folder::default();
    key.hash(&mut hasher);
    hasher.finish() >> if cfg!(test) { 62 } else { 1 }
}

fn lane_key(stall: u32, priority: i32) -> u64 {
    u64::from(stall) << 32 | u64::from(priority as u32)
}

/// Puts something where something was, or behind all.
fn keep<T: Default>(all: &mut Paged<T>, free: &mut Vec<u32>, made: T) -> u32 {
    if let Some(handle) = free.pop() {
        all[handle as usize] = made;
        return handle;
    }
    all.push(made);
    all.len() as u32 - 1
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn terms_of_one_hash_are_told_apart_and_forgotten_one_by_one() {
        let mut catalogue = Catalogue::default();
        catalogue.medium("voice");
        catalogue.requirement(&[], 0, 1).expect("in range");
        catalogue
            .order(&["longest_idle"], 1, 0, 0, NEVER_NS)
            .expect("known");
        let mut lanes = Lanes::default();
        let key = |priority: i32| TermsKey {
            priority,
            rate: 1,
            ladder: NO_LADDER,
            ..TermsKey::default()
        };
        let kept = [0, 7, 4_999];
        for priority in 0..5_000 {
            let (terms, _) = lanes.find(key(priority), &catalogue);
            lanes.join(terms);
            if !kept.contains(&priority) {
                lanes.leave(terms);
            }
        }
        assert!(lanes.terms.len() <= EMPTY_TERMS_MAX + kept.len() + 1);
        for priority in (0..5_000).rev() {
            let (terms, _) = lanes.find(key(priority), &catalogue);
            let found = &lanes.terms[terms as usize];
            assert_eq!(found.key, key(priority));
            assert_eq!(lanes.lanes[found.lane as usize].priority, priority);
            assert_eq!(found.members_n, u32::from(kept.contains(&priority)));
        }
    }
}
