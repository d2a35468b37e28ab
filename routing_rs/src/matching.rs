//! The rule: take contacts in order; the first that has an eligible agent gets the best of them; repeat.
//!
//! After a match nobody eligible is left while someone they could serve waits, reservations apart. So the
//! next match needs to look only at agents and contacts that changed since: one freed agent compares the
//! heads of the stalls they can serve, one new contact the first agents of the squads that can serve it.
//! When several changed, a heap of candidates, each a lower bound of what it may still bring, gives the
//! pairs in the order of the rule.

mod for_agent;
mod for_contact;

use std::cmp::Reverse;
use std::collections::BinaryHeap;

use smallvec::SmallVec;

use crate::catalogue::Requirement;
use crate::crews::{Agent, fits};
use crate::lanes::{Entry, NOWHERE};
use crate::order::Place;
use crate::queue::{Contact, Enqueue, Queue};
use crate::refused::{Outcome, time};

/// What a contact's order compares agents by, smaller first; the agent's id ends it.
pub(crate) type Choice = SmallVec<[i64; 6]>;

/// Who brought a candidate in, and so what to propose next.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Source {
    Itself,
    Agent(u32),
    /// The lane, and the contact's entry in it.
    Lane(u32, Entry),
}

/// A contact that may be next.
type Candidate = Reverse<(Place, Source)>;

/// Pairs of contact and agent, in the order made.
pub type Pairs = Vec<(u64, u64)>;

impl Queue {
    /// # Errors
    /// `Invalid` for a time out of range.
    pub fn match_now(&mut self, now_ns: i64) -> Outcome<Pairs> {
        let mut pairs = Vec::new();
        self.match_into(now_ns, &mut pairs)?;
        Ok(pairs)
    }

    /// # Errors
    /// As `finish`, and then nothing is matched.
    pub fn finish_then_match(&mut self, contact: i64, agent: i64, now_ns: i64) -> Outcome<Pairs> {
        self.finish(contact, agent, now_ns)?;
        self.match_now(now_ns)
    }

    /// # Errors
    /// As `enqueue`, and then nothing is matched.
    pub fn enqueue_then_match(&mut self, told: &Enqueue, now_ns: i64) -> Outcome<Pairs> {
        self.enqueue(told)?;
        self.match_now(now_ns)
    }

    /// As `match_now`, into a list that the caller uses again.
    ///
    /// # Errors
    /// `Invalid` for a time out of range.
    pub fn match_into(&mut self, now_ns: i64, pairs: &mut Pairs) -> Outcome<()> {
        time("now_ns", now_ns)?;
        if !self.reserved.is_empty() && !self.lanes.one_rate() {
            // Who stands before a reservation changes with time: its agent may have become free for more.
            for at in self.reserved.clone() {
                self.touch(at);
            }
        }
        loop {
            let plain = self.pressing.is_empty() && !self.dirty_everyone;
            match (self.dirty_agents.len(), self.dirty_contacts.len()) {
                (0, 0) if !self.dirty_everyone => return Ok(()),
                (0, _) if self.crews.filed_n == 0 && self.reserved.is_empty() => {
                    self.dirty_contacts.clear();
                    self.dirty_everyone = false;
                }
                (1, 0) if plain => self.match_agent(now_ns, pairs),
                (0, 1) if plain => self.match_contact(now_ns, pairs),
                _ => self.match_many(now_ns, pairs),
            }
        }
    }

    /// One agent changed: whatever they can have, nobody else could.
    fn match_agent(&mut self, now_ns: i64, pairs: &mut Pairs) {
        let Some(at) = self.dirty_agents.pop() else { return };
        // The agent stays marked, so that nothing below notes them again.
        while self.dirty_agents.is_empty() {
            let rooms = self.rooms(&self.agents[at]);
            let has_room = rooms.fit_any(&self.crews);
            if has_room && let Some(mut one) = self.best_contact_within(at, &rooms, now_ns) {
                self.give(&mut one, &[at], now_ns);
                pairs.push((one.id, self.agents[at].id));
            } else {
                self.settle_with(at, has_room);
                return;
            }
        }
        self.dirty_agents.push(at);
    }

    /// One contact changed.
    fn match_contact(&mut self, now_ns: i64, pairs: &mut Pairs) {
        let Some(contact) = self.dirty_contacts.pop() else {
            return;
        };
        let Some(mut one) = self.find(contact).filter(|one| one.waiting) else {
            return;
        };
        let chosen = self.choose(&one, now_ns);
        if !chosen.is_empty() {
            self.give_to(&mut one, &chosen, now_ns, pairs);
        }
    }

    /// Several changed: the candidates they bring in, or when they are very many those of all lanes.
    fn match_many(&mut self, now_ns: i64, pairs: &mut Pairs) {
        let agents = std::mem::take(&mut self.dirty_agents);
        let contacts = std::mem::take(&mut self.dirty_contacts);
        for at in &agents {
            self.settle(*at);
        }
        let mut heap = BinaryHeap::new();
        // Each contact taken spoils what other agents had in view: the square of their number bounds it.
        if std::mem::take(&mut self.dirty_everyone) || agents.len().pow(2) > self.lanes.stalls.len() + 64 {
            self.propose_lanes(now_ns, &mut heap);
        } else {
            for at in agents {
                self.propose(at, now_ns, &mut heap);
            }
            for one in contacts
                .into_iter()
                .filter_map(|contact| self.find(contact))
                .filter(|one| one.waiting)
            {
                heap.push(Reverse((self.place(&one, now_ns), Source::Itself)));
            }
        }
        while let Some(Reverse((place, source))) = heap.pop() {
            let mut barred_alone = true;
            if let Some(mut one) = self.find(place.contact).filter(|one| one.waiting) {
                barred_alone = one.card.exceptions != NOWHERE;
                let chosen = self.choose(&one, now_ns);
                if !chosen.is_empty() {
                    barred_alone = true;
                    self.give_to(&mut one, &chosen, now_ns, pairs);
                }
                // Agents whom a reservation caught or let go.
                for at in std::mem::take(&mut self.dirty_agents) {
                    self.settle(at);
                    self.propose(at, now_ns, &mut heap);
                }
            }
            match source {
                Source::Itself => {}
                Source::Agent(at) => self.propose(at, now_ns, &mut heap),
                Source::Lane(lane, entry) => {
                    let entries = &self.lanes.lanes[lane as usize].entries;
                    // What nobody can take today, nobody can take further back in the lane either.
                    if barred_alone && let Some(next) = entries.after(&self.lanes.blocks, entry) {
                        self.propose_lane(lane, next, now_ns, &mut heap);
                    }
                }
            }
        }
    }

    fn propose(&self, at: u32, now_ns: i64, heap: &mut BinaryHeap<Candidate>) {
        if let Some(one) = self.best_contact(at, now_ns) {
            heap.push(Reverse((self.place(&one, now_ns), Source::Agent(at))));
        }
    }

    fn propose_lanes(&self, now_ns: i64, heap: &mut BinaryHeap<Candidate>) {
        for lane in self.lanes.stalls.iter().flat_map(|stall| &stall.lanes) {
            if let Some(first) = self.lanes.lanes[*lane as usize].entries.first() {
                self.propose_lane(*lane, first, now_ns, heap);
            }
        }
        for one in self
            .prefers
            .values()
            .flatten()
            .filter_map(|contact| self.find(*contact))
        {
            if self.own(&one).is_some_and(|own| own.private) {
                heap.push(Reverse((self.place(&one, now_ns), Source::Itself)));
            }
        }
    }

    fn propose_lane(&self, lane: u32, entry: Entry, now_ns: i64, heap: &mut BinaryHeap<Candidate>) {
        let place = self.entry_place(lane, entry, now_ns);
        heap.push(Reverse((place, Source::Lane(lane, entry))));
    }

    fn give_to(&mut self, one: &mut Contact, chosen: &[u32], now_ns: i64, pairs: &mut Pairs) {
        self.give(one, chosen, now_ns);
        pairs.extend(chosen.iter().map(|at| (one.id, self.agents[*at].id)));
        // They have less room than before, so there is nothing new to look for on their behalf.
        self.dirty_agents.retain(|at| !chosen.contains(at));
        for at in chosen {
            self.settle(*at);
        }
    }

    /// Files an agent with room again.
    fn settle(&mut self, at: u32) {
        let has_room = self.rooms(&self.agents[at]).fit_any(&self.crews);
        self.settle_with(at, has_room);
    }

    #[inline]
    fn settle_with(&mut self, at: u32, has_room: bool) {
        if self.agents[at].dirty {
            self.digest_agent(at);
        }
        let one = &mut self.agents[at];
        if has_room && one.available && !one.filed && one.reserver.is_none() {
            one.filed = true;
            self.crews.file(one, at);
        }
    }
}

// What both sides and the explanations ask.
impl Queue {
    pub(crate) fn lane_place(&self, lane: u32, effective_ns: i64, contact: u64, now_ns: i64) -> Place {
        let lane = &self.lanes.lanes[lane as usize];
        Place::new(lane.priority, lane.rate, effective_ns, contact, now_ns)
    }

    pub(crate) fn entry_place(&self, lane: u32, entry: Entry, now_ns: i64) -> Place {
        self.lane_place(lane, entry.effective_ns, entry.contact(), now_ns)
    }

    #[inline]
    fn has_room(&self, required: &Requirement, agent: &Agent) -> bool {
        fits(
            &self.loads,
            agent.load,
            agent.profile,
            &self.catalogue,
            required.medium,
            required.units,
        )
    }

    fn skilled_with_room(&self, one: &Contact, agent: &Agent) -> bool {
        let required = self.catalogue.requirement_at(self.key_of(one).requirement);
        self.catalogue
            .profile_at(agent.profile)
            .skills
            .meet(&required.skills)
            && self.has_room(required, agent)
    }
}

/// The next contact of a lane, and those behind it.
pub(crate) struct InLane<I>(pub(crate) Place, pub(crate) u32, pub(crate) I);

impl<I> PartialEq for InLane<I> {
    fn eq(&self, other: &Self) -> bool {
        self.0 == other.0
    }
}

impl<I> Eq for InLane<I> {}

impl<I> PartialOrd for InLane<I> {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

impl<I> Ord for InLane<I> {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        other.0.cmp(&self.0)
    }
}
