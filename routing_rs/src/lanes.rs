//! Terms: what contacts share that are alike in all but their age. Lanes: the waiting contacts of one
//! requirement, rate and priority, in order. Stalls: the lanes of one requirement and one rate, whose first
//! contact is the stall's head.
//!
//! A freed agent compares heads, one a stall, never contacts. Within a lane nothing is ever re-sorted: at
//! one rate the order is that of the effective times, whatever the clock says. An entry of a lane says all
//! there is to say about a contact on the lane's own terms, so that giving it away reads nothing else.

mod heads;
mod terms;

use std::collections::VecDeque;

use smallvec::SmallVec;

use crate::catalogue::Catalogue;
use crate::lines::{Blocks, Line, Slot};
use crate::order::glance;
use crate::paged::Paged;
use crate::table::Table;
pub(crate) use heads::{Entry, Glances, Head, NEAR_STALLS, NO_GLANCE};
pub(crate) use terms::{OWN_CREDIT, Terms, TermsKey};

pub(crate) const NOWHERE: u32 = u32::MAX;

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
