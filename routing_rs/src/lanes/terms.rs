//! Terms: what contacts share that are alike in all but their age, found by what they are and counted.
//!
//! Terms nobody is on are kept for a while, for those who come and go, and then forgotten, so that an engine
//! whose rules change keeps no trace of the old ones.

use std::hash::{Hash, Hasher};

use super::{Lanes, NOWHERE, keep, lane_key};
use crate::catalogue::{Catalogue, NO_LADDER};
use crate::hash::{Folder, Tag, digest};
use crate::timers::NEVER_NS;

/// A credit that is the contact's own, kept with its exceptions: see `Lanes::credit_class`.
pub(crate) const OWN_CREDIT: i64 = i64::MIN;

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
}

/// Below the table's greatest key. In the tests of this module nearly all are alike, as they never are else.
fn hash_of(key: &TermsKey) -> u64 {
    let mut hasher = Folder::default();
    key.hash(&mut hasher);
    hasher.finish() >> if cfg!(test) { 62 } else { 1 }
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
