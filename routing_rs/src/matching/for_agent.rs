//! From a freed agent to the contact: the first in order of those they are eligible for.
//!
//! Heads are compared, one a stall; past so many stalls the shelves say which may come first.

use std::collections::BinaryHeap;

use super::InLane;
use crate::crews::{Agent, Rooms};
use crate::lanes::{NO_GLANCE, NOWHERE};
use crate::order::Place;
use crate::queue::{Contact, Queue};
use crate::shelves::Held;

impl Queue {
    /// The first contact in order that an agent is eligible for.
    pub(crate) fn best_contact(&self, at: u32, now_ns: i64) -> Option<Contact> {
        let rooms = self.rooms(&self.agents[at]);
        if !rooms.fit_any(&self.crews) {
            return None;
        }
        self.best_contact_within(at, &rooms, now_ns)
    }

    #[inline]
    pub(super) fn best_contact_within(&self, at: u32, rooms: &Rooms, now_ns: i64) -> Option<Contact> {
        let agent = &self.agents[at];
        if !agent.available || self.waiting_n() == 0 {
            return None;
        }
        let mut best = self.first_reachable(agent, rooms, now_ns);
        if !self.prefers.is_empty()
            && let Some(preferring) = self.prefers.get(&agent.id)
        {
            let private = preferring.iter().filter_map(|contact| self.find(*contact));
            let mine = private.filter(|one| {
                self.own(one).is_some_and(|own| own.private) && self.skilled_with_room(one, agent)
            });
            if let Some(first) = mine.min_by_key(|one| self.place(one, now_ns)) {
                best = best
                    .filter(|one| self.place(one, now_ns) < self.place(&first, now_ns))
                    .or(Some(first));
            }
        }
        let reserver = agent.reserver.and_then(|reserver| self.find(reserver));
        best.filter(|one| {
            reserver.is_none_or(|reserver| self.place(one, now_ns) <= self.place(&reserver, now_ns))
        })
    }

    pub(super) fn rooms(&self, agent: &Agent) -> Rooms {
        Rooms::new(agent, self.crews.media_n(), &self.loads, &self.catalogue)
    }

    /// The first contact in a lane that an agent is eligible for.
    fn first_reachable(&self, agent: &Agent, rooms: &Rooms, now_ns: i64) -> Option<Contact> {
        let stall = if self.shelves.dispersed {
            self.first_shelved(agent, rooms, now_ns)
        } else if self.lanes.one_rate() {
            self.first_adjacent(agent, rooms)
        } else {
            self.first_adjacent_at(agent, rooms, now_ns)
        }?;
        let head = &self.lanes.heads[stall as usize];
        let one = self.contact_of(head.lane, head.entry)?;
        if self.excludes(&one, agent.id) {
            self.first_allowed(agent, rooms, now_ns)
        } else {
            Some(one)
        }
    }

    pub(super) fn excludes(&self, one: &Contact, agent: u64) -> bool {
        self.own(one).is_some_and(|own| own.excluded.contains(&agent))
    }

    fn first_adjacent(&self, agent: &Agent, rooms: &Rooms) -> Option<u32> {
        let stalls = &self.shelves.adjacent[agent.profile as usize];
        let glances = &self.lanes.glances;
        // First without asking for room, which most have, nor comparing in full, which is seldom needed.
        let (mut least, mut next, mut found) = (NO_GLANCE, NO_GLANCE, 0);
        for stall in stalls {
            let glanced = glances.near(*stall);
            next = next.min(glanced.max(least));
            found = if glanced < least { *stall } else { found };
            least = least.min(glanced);
        }
        if least == NO_GLANCE {
            return None;
        }
        let found = u32::from(found);
        if least != next && self.stall_fits(found, rooms) {
            return Some(found);
        }
        self.first_with_room(stalls, rooms)
    }

    fn first_with_room(&self, stalls: &[u16], rooms: &Rooms) -> Option<u32> {
        let heads = &self.lanes.heads;
        let mut best = NO_GLANCE;
        let mut found: Option<u32> = None;
        for near in stalls {
            let glanced = self.lanes.glances.near(*near);
            let stall = &u32::from(*near);
            if glanced > best || glanced == NO_GLANCE || !self.stall_fits(*stall, rooms) {
                continue;
            }
            if glanced == best
                && let Some(found) = found
            {
                let (head, before) = (&heads[*stall as usize], &heads[found as usize]);
                if (head.standing(), head.entry) > (before.standing(), before.entry) {
                    continue;
                }
            }
            (best, found) = (glanced, Some(*stall));
        }
        found
    }

    fn first_adjacent_at(&self, agent: &Agent, rooms: &Rooms, now_ns: i64) -> Option<u32> {
        let stalls = &self.shelves.adjacent[agent.profile as usize];
        let stalls = stalls.iter().map(|stall| u32::from(*stall));
        let waiting = stalls.filter(|stall| self.lanes.heads[*stall as usize].lane != NOWHERE);
        let able = waiting.filter(|stall| self.stall_fits(*stall, rooms));
        able.min_by_key(|stall| self.head_place(*stall, now_ns))
    }

    fn first_shelved(&self, agent: &Agent, rooms: &Rooms, now_ns: i64) -> Option<u32> {
        let held = Held::new(&self.catalogue.profile_at(agent.profile).skills);
        let one_rate = self.lanes.one_rate();
        let mut best: Option<u32> = None;
        for case in &self.shelves.cases {
            let bound = best.filter(|_| one_rate);
            let least = bound.map_or(NO_GLANCE, |best| self.lanes.glances.of(best));
            let room = rooms.on(case.medium);
            let first = case.first(&held, room, least, &self.lanes, &self.catalogue);
            let before = best.map(|best| self.head_place(best, now_ns));
            best = first
                .filter(|first| before.is_none_or(|before| self.head_place(*first, now_ns) < before))
                .or(best);
        }
        best
    }

    /// As `first_reachable` when contacts exclude the agent: merges whole lanes instead of heads. It costs
    /// as much as there are contacts, waiting in front, that this very agent declined.
    fn first_allowed(&self, agent: &Agent, rooms: &Rooms, now_ns: i64) -> Option<Contact> {
        let mut heap = BinaryHeap::new();
        let skills = &self.catalogue.profile_at(agent.profile).skills;
        for stall in self.lanes.stalls.iter() {
            let reachable = skills.meet(&self.catalogue.requirement_at(stall.requirement).skills);
            if stall.lanes.is_empty() || !reachable || !rooms.fit(stall.medium, stall.units) {
                continue;
            }
            for lane in &stall.lanes {
                let mut entries = self.lanes.lanes[*lane as usize].entries.iter(&self.lanes.blocks);
                if let Some(entry) = entries.next() {
                    heap.push(InLane(self.entry_place(*lane, entry, now_ns), *lane, entries));
                }
            }
        }
        while let Some(InLane(place, lane, mut entries)) = heap.pop() {
            let one = self.find(place.contact)?;
            if !self.excludes(&one, agent.id) {
                return Some(one);
            }
            if let Some(entry) = entries.next() {
                heap.push(InLane(self.entry_place(lane, entry, now_ns), lane, entries));
            }
        }
        None
    }

    fn head_place(&self, stall: u32, now_ns: i64) -> Place {
        let head = &self.lanes.heads[stall as usize];
        self.entry_place(head.lane, head.entry, now_ns)
    }

    #[inline]
    fn stall_fits(&self, stall: u32, rooms: &Rooms) -> bool {
        let one = &self.lanes.stalls[stall as usize];
        rooms.fit(one.medium, one.units)
    }
}
