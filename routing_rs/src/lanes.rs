//! Lanes: waiting contacts alike in all but their age, in order. Stalls: the lanes of one requirement and
//! one rate, whose first contact is the stall's head.
//!
//! A freed agent compares heads, one a stall, never contacts. Within a lane nothing is ever re-sorted: at
//! one rate the order is that of the effective times, whatever the clock says.

use std::collections::{HashMap, VecDeque};
use std::hash::BuildHasherDefault;

use crate::catalogue::{Catalogue, NO_LADDER};
use crate::hash::{Folder, Tag, digest};
use crate::order::{glance, standing};
use crate::ranked::Ranked;
use crate::timers::NEVER_NS;

/// A credit that is the contact's own, kept with its exceptions: see `Lanes::credit_class`.
pub(crate) const OWN_CREDIT: i64 = i64::MIN;
pub(crate) const NO_GLANCE: u64 = u64::MAX;
pub(crate) const NOWHERE: u32 = u32::MAX;

const CREDIT_CLASSES_MAX: usize = 64;
const EMPTY_LANES_MAX: usize = 4096;

/// What the contacts of a lane share.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub(crate) struct LaneKey {
    pub(crate) requirement: u32,
    pub(crate) order: u32,
    pub(crate) priority: i32,
    pub(crate) rate: u32,
    pub(crate) credit_ns: i64,
    pub(crate) ladder: u32,
    pub(crate) rung: u32,
}

pub(crate) struct Lane {
    pub(crate) key: LaneKey,
    pub(crate) stall: u32,
    /// The digests of what the contacts share: `naive.py`'s `lane`, and `rest` of one without exceptions.
    pub(crate) hash: u64,
    pub(crate) rest_hash: u64,
    /// What the requirement takes of whom.
    pub(crate) medium: u16,
    pub(crate) units: u32,
    /// Its order offers to several at once.
    pub(crate) to_several: bool,
    /// Its contacts have deadlines: rings, or a wait for a reservation.
    pub(crate) timed: bool,
    /// (effective time, contact).
    pub(crate) entries: Ranked<(i64, u64)>,
    members_n: u32,
}

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
    pub(crate) standing: u128,
    pub(crate) contact: u64,
    /// NOWHERE when the stall is empty.
    pub(crate) lane: u32,
    pub(crate) rate: u32,
}

impl Head {
    const fn empty(rate: u32) -> Self {
        Self {
            standing: u128::MAX,
            contact: u64::MAX,
            lane: NOWHERE,
            rate,
        }
    }
}

#[derive(Default)]
pub(crate) struct Lanes {
    handles: HashMap<LaneKey, u32, BuildHasherDefault<Folder>>,
    pub(crate) lanes: Vec<Lane>,
    pub(crate) stalls: Vec<Stall>,
    /// By stall; apart from the stalls so that a scan reads few lines.
    pub(crate) heads: Vec<Head>,
    /// By stall: the head's standing at a glance, `NO_GLANCE` when there is none. A scan reads little else.
    pub(crate) glances: Vec<u64>,
    /// By requirement: its stalls.
    pub(crate) of_requirement: Vec<Vec<u32>>,
    /// How many stalls with a head there are at each rate.
    rates: Vec<(u32, u32)>,
    emptied: VecDeque<u32>,
    free: Vec<u32>,
    /// By requirement: the lane found last, which is mostly the one wanted next.
    recent: Vec<u32>,
    credits: Vec<i64>,
}

impl Lanes {
    /// Credits are usually one for each queue: those few are kept once by lane, others with the contact.
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

    /// The lane of a key and whether its stall is new. The caller counts the contact in by `join`.
    #[inline]
    pub(crate) fn find(&mut self, key: LaneKey, catalogue: &Catalogue) -> (u32, Option<u32>) {
        if let Some(recent) = self.recent.get(key.requirement as usize)
            && self
                .lanes
                .get(*recent as usize)
                .is_some_and(|lane| lane.key == key)
        {
            return (*recent, None);
        }
        let (lane, new_stall) = match self.handles.get(&key) {
            Some(lane) => (*lane, None),
            None => self.make(key, catalogue),
        };
        self.recent[key.requirement as usize] = lane;
        (lane, new_stall)
    }

    fn make(&mut self, key: LaneKey, catalogue: &Catalogue) -> (u32, Option<u32>) {
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
        let lane = Lane {
            key,
            stall,
            hash,
            rest_hash,
            medium: required.medium as u16,
            units: required.units as u32,
            to_several: order.offer_to > 1,
            timed: key.ladder != NO_LADDER || order.reserve_after_ns != NEVER_NS,
            entries: Ranked::default(),
            members_n: 0,
        };
        let handle = if let Some(handle) = self.free.pop() {
            self.lanes[handle as usize] = lane;
            handle
        } else {
            self.lanes.push(lane);
            self.lanes.len() as u32 - 1
        };
        self.handles.insert(key, handle);
        (handle, new.then_some(stall))
    }

    fn stall(&mut self, requirement: u32, rate: u32, catalogue: &Catalogue) -> (u32, bool) {
        while self.of_requirement.len() <= requirement as usize {
            self.of_requirement.push(Vec::new());
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
        self.heads.push(Head::empty(rate));
        self.glances.push(NO_GLANCE);
        (stall, true)
    }

    #[inline]
    pub(crate) fn join(&mut self, lane: u32) {
        self.lanes[lane as usize].members_n += 1;
    }

    /// Counts a contact out; lanes long empty are forgotten, a few are kept for those who come and go.
    #[inline]
    pub(crate) fn leave(&mut self, lane: u32) {
        let members_n = &mut self.lanes[lane as usize].members_n;
        *members_n -= 1;
        if *members_n == 0 {
            self.emptied.push_back(lane);
            if self.emptied.len() > EMPTY_LANES_MAX {
                self.forget_one();
            }
        }
    }

    fn forget_one(&mut self) {
        let Some(lane) = self.emptied.pop_front() else {
            return;
        };
        let empty = &self.lanes[lane as usize];
        if empty.members_n == 0 && self.handles.get(&empty.key) == Some(&lane) {
            self.handles.remove(&empty.key);
            self.lanes[lane as usize].key.requirement = NOWHERE;
            self.free.push(lane);
        }
    }

    /// Puts a waiting contact into its lane; returns whether the stall's head changed.
    #[inline]
    pub(crate) fn insert(&mut self, lane: u32, effective_ns: i64, contact: u64) -> bool {
        let one = &mut self.lanes[lane as usize];
        let was_empty = one.entries.is_empty();
        one.entries.insert((effective_ns, contact));
        if was_empty {
            self.open(lane);
        } else if one.entries.first() != Some((effective_ns, contact)) {
            return false;
        }
        self.refresh(self.lanes[lane as usize].stall)
    }

    /// Takes a waiting contact out of its lane; returns whether the stall's head changed.
    #[inline]
    pub(crate) fn remove(&mut self, lane: u32, effective_ns: i64, contact: u64) -> bool {
        let one = &mut self.lanes[lane as usize];
        one.entries.remove((effective_ns, contact));
        let stall = one.stall;
        if one.entries.is_empty() {
            self.close(lane);
        } else if self.heads[stall as usize].contact != contact {
            return false;
        }
        self.refresh(stall)
    }

    fn open(&mut self, lane: u32) {
        let at = self.first_of_priority(lane);
        let stall = self.lanes[lane as usize].stall;
        self.stalls[stall as usize].lanes.insert(at, lane);
    }

    fn close(&mut self, lane: u32) {
        let from = self.first_of_priority(lane);
        let lanes = &mut self.stalls[self.lanes[lane as usize].stall as usize].lanes;
        if let Some(at) = lanes[from..].iter().position(|other| *other == lane) {
            lanes.remove(from + at);
        }
    }

    /// Where the lanes of a lane's priority begin among those of its stall.
    fn first_of_priority(&self, lane: u32) -> usize {
        let Lane { stall, key, .. } = &self.lanes[lane as usize];
        let lanes = &self.stalls[*stall as usize].lanes;
        lanes.partition_point(|other| self.lanes[*other as usize].key.priority > key.priority)
    }

    /// Finds a stall's head again; returns whether it changed.
    #[inline]
    fn refresh(&mut self, stall: u32) -> bool {
        let Stall { rate, lanes, .. } = &self.stalls[stall as usize];
        let mut first = (i64::MAX, u64::MAX);
        let mut found: Option<(u32, i32)> = None;
        for lane in lanes {
            let one = &self.lanes[*lane as usize];
            if found.is_some_and(|(_, priority)| priority != one.key.priority) {
                break;
            }
            if let Some(entry) = one.entries.first()
                && entry < first
            {
                (first, found) = (entry, Some((*lane, one.key.priority)));
            }
        }
        let (head, glanced) = match found {
            Some((lane, priority)) => {
                let head = Head {
                    standing: standing(priority, first.0),
                    contact: first.1,
                    lane,
                    rate: *rate,
                };
                (head, glance(priority, first.0))
            }
            None => (Head::empty(*rate), NO_GLANCE),
        };
        let before = std::mem::replace(&mut self.heads[stall as usize], head);
        self.glances[stall as usize] = glanced;
        if (before.lane == NOWHERE) != (head.lane == NOWHERE) {
            self.count_rate(head.rate, head.lane != NOWHERE);
        }
        before != head
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
        lanes + self.lanes.capacity() * size_of::<Lane>()
    }
}
