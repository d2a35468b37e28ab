//! The rule: take contacts in order; the first that has an eligible agent gets the best of them; repeat.
//!
//! After a match nobody eligible is left while someone they could serve waits, reservations apart. So the
//! next match needs to look only at agents and contacts that changed since: one freed agent compares the
//! heads of the stalls they can serve, one new contact the first agents of the squads that can serve it.
//! When several changed, a heap of candidates, each a lower bound of what it may still bring, gives the
//! pairs in the order of the rule.

use std::cmp::Reverse;
use std::collections::BinaryHeap;

use smallvec::SmallVec;

use crate::catalogue::{Order, OrderKey, Outcome, Requirement, Skills, Spread, time};
use crate::crews::{Agent, Ranking, Rooms, fits};
use crate::hash::lot;
use crate::lanes::{Entry, NO_GLANCE, NOWHERE};
use crate::order::Place;
use crate::queue::{Contact, Enqueue, Queue};
use crate::ranked::Ranked;
use crate::shelves::Shelved;

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

// From a freed agent to the contact.
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
    fn best_contact_within(&self, at: u32, rooms: &Rooms, now_ns: i64) -> Option<Contact> {
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

    fn rooms(&self, agent: &Agent) -> Rooms {
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

    fn excludes(&self, one: &Contact, agent: u64) -> bool {
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
        let skills = &self.catalogue.profile_at(agent.profile).skills;
        let held = skills.spread();
        if !self.lanes.one_rate() {
            let mut best: Option<u32> = None;
            for case in &self.shelves.cases {
                let room = rooms.on(case.medium);
                for slot in case.slots_for(skills) {
                    let before = best.map(|best| self.head_place(best, now_ns));
                    let sooner = |entry: &Shelved| {
                        before.is_none_or(|before| self.head_place(entry.stall, now_ns) < before)
                    };
                    best = self
                        .first_on(case.shelf(slot.shelf), skills, &held, room, sooner)
                        .map(|entry| entry.stall)
                        .or(best);
                }
            }
            return best;
        }
        // First the firsts alone, of which the slots tell all: mostly one of them is the one.
        let mut least = NO_GLANCE;
        let mut found: Option<&Ranked<Shelved>> = None;
        let mut deep: SmallVec<[(u64, i64, &Ranked<Shelved>); 96]> = SmallVec::new();
        for case in &self.shelves.cases {
            let room = rooms.on(case.medium);
            for slot in case.slots_for(skills) {
                if slot.glance > least {
                    continue;
                }
                let roomy = slot.skills & !skills.mask == 0 && i64::from(slot.units) <= room;
                let able = if roomy {
                    held.meet(slot.levels)
                } else {
                    Some(false)
                };
                if able == Some(true) && slot.glance < least {
                    (least, found) = (slot.glance, Some(case.shelf(slot.shelf)));
                } else if slot.more || able != Some(false) {
                    deep.push((slot.glance, room, case.shelf(slot.shelf)));
                }
            }
        }
        // Then those behind a first that they can't serve, as far as they may still come sooner.
        let mut best: Option<Shelved> = found.and_then(Ranked::first);
        for (glance, room, shelf) in deep {
            if glance > least {
                continue;
            }
            let sooner = |entry: &Shelved| {
                best.is_none_or(|best| (entry.standing, entry.contact) < (best.standing, best.contact))
            };
            if let Some(sooner) = self.first_on(shelf, skills, &held, room, sooner) {
                least = self.lanes.glances.of(sooner.stall);
                best = Some(sooner);
            }
        }
        best.map(|best| best.stall)
    }

    /// The first stall of a shelf that these skills and this room serve, if it comes sooner than the best so far.
    #[inline]
    fn first_on(
        &self,
        shelf: &Ranked<Shelved>,
        skills: &Skills,
        held: &Spread,
        room: i64,
        sooner: impl Fn(&Shelved) -> bool,
    ) -> Option<Shelved> {
        for entry in shelf.iter() {
            if !sooner(&entry) {
                return None;
            }
            let meets = || {
                let packed = held.meet(entry.levels);
                packed.unwrap_or_else(|| skills.meet(&self.required_by(entry.stall).skills))
            };
            if entry.skills & !skills.mask == 0 && i64::from(entry.units) <= room && meets() {
                return Some(entry);
            }
        }
        None
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

    pub(crate) fn lane_place(&self, lane: u32, effective_ns: i64, contact: u64, now_ns: i64) -> Place {
        let lane = &self.lanes.lanes[lane as usize];
        Place::new(lane.priority, lane.rate, effective_ns, contact, now_ns)
    }

    pub(crate) fn entry_place(&self, lane: u32, entry: Entry, now_ns: i64) -> Place {
        self.lane_place(lane, entry.effective_ns, entry.contact(), now_ns)
    }

    fn head_place(&self, stall: u32, now_ns: i64) -> Place {
        let head = &self.lanes.heads[stall as usize];
        self.entry_place(head.lane, head.entry, now_ns)
    }

    #[inline]
    fn required_by(&self, stall: u32) -> &Requirement {
        self.catalogue
            .requirement_at(self.lanes.stalls[stall as usize].requirement)
    }

    #[inline]
    fn stall_fits(&self, stall: u32, rooms: &Rooms) -> bool {
        let one = &self.lanes.stalls[stall as usize];
        rooms.fit(one.medium, one.units)
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

// From a contact to its agents.
impl Queue {
    /// The best agents for a contact, at most as many as it is offered to. Whom a contact past its wait
    /// reserves instead is marked and passed over.
    fn choose(&mut self, one: &Contact, now_ns: i64) -> SmallVec<[u32; 4]> {
        let offer_to = self.catalogue.order_at(self.key_of(one).order).offer_to;
        let mut chosen: SmallVec<[u32; 4]> = SmallVec::new();
        while chosen.len() < offer_to
            && let Some(at) = self.best_agent(one, &chosen, now_ns)
        {
            if let Some(presser) = self.presser_of(at, self.place(one, now_ns), now_ns) {
                self.reserve(&presser, at);
            } else {
                self.unfile_agent(at);
                chosen.push(at);
            }
        }
        chosen
    }

    /// The first contact before `place`, past its wait and passed by, that an agent could have with empty hands.
    fn presser_of(&self, at: u32, place: Place, now_ns: i64) -> Option<Contact> {
        if self.pressing.is_empty() {
            return None;
        }
        let agent = &self.agents[at];
        let profile = self.catalogue.profile_at(agent.profile);
        let mut first: Option<(Place, Contact)> = None;
        for (lane, pressing) in &self.pressing {
            let required = self
                .catalogue
                .requirement_at(self.lanes.lanes[*lane as usize].requirement);
            let drains = profile.skills.meet(&required.skills)
                && profile.capacity >= required.units
                && profile.limit(required.medium) > 0;
            if !drains {
                continue;
            }
            for (effective_ns, contact) in pressing.iter() {
                let at_place = self.lane_place(*lane, effective_ns, contact, now_ns);
                if at_place >= place || first.is_some_and(|(before, _)| before < at_place) {
                    break;
                }
                if let Some(one) = self.find(contact)
                    && !self.excludes(&one, agent.id)
                    && self.kept_for(&one).is_none_or(|kept| kept == at)
                {
                    first = Some((at_place, one));
                    break;
                }
            }
        }
        first.map(|(_, one)| one)
    }

    /// The best eligible agent for a contact, apart from those chosen already.
    fn best_agent(&self, one: &Contact, chosen: &[u32], now_ns: i64) -> Option<u32> {
        let key = self.key_of(one);
        let required = self.catalogue.requirement_at(key.requirement);
        let order = self.catalogue.order_at(key.order);
        if let Some(at) = self.kept_for(one) {
            let agent = &self.agents[at];
            let eligible = !chosen.contains(&at)
                && agent.available
                && self.skilled_with_room(one, agent)
                && self.may_pass(one, agent, now_ns);
            return eligible.then_some(at);
        }
        let mut best: Option<(Choice, u32)> = None;
        let excluded = self.own(one).map_or(&[][..], |own| &own.excluded);
        let projection = self.crews.projection(key.order);
        let scan_all = order.keys.contains(&OrderKey::Random);
        let by_idleness = *order.keys == [OrderKey::LongestIdle] && excluded.is_empty();
        if by_idleness && self.reserved.is_empty() {
            return self.longest_idle(required, projection);
        }
        let consider = |best: &mut Option<(Choice, u32)>, profile: u32| {
            if !self.catalogue.profile_at(profile).skills.meet(&required.skills) {
                return;
            }
            for squad in &self.crews.crews[profile as usize].squads {
                if !fits(
                    &self.loads,
                    squad.load,
                    profile,
                    &self.catalogue,
                    required.medium,
                    required.units,
                ) {
                    continue;
                }
                let rankings = squad.rankings.get(projection).into_iter().flat_map(Ranked::iter);
                let allowed = rankings.filter(|ranking| !excluded.contains(&ranking.id));
                for ranking in allowed.take(if scan_all { usize::MAX } else { 1 }) {
                    let traits = (ranking.traits, ranking.id);
                    let choice = self.choice(order, required, one.id, profile, squad.load, traits);
                    if best.as_ref().is_none_or(|(before, _)| choice < *before) {
                        *best = Some((choice, ranking.agent));
                    }
                }
            }
        };
        if self.crews.filed_n > 0 {
            let skills = required.skills.iter().map(|(skill, _)| skill);
            self.crews
                .skilled
                .with(&self.crews.open, skills, |profile| consider(&mut best, profile));
        }
        for at in &self.reserved {
            let agent = &self.agents[*at];
            if !chosen.contains(at)
                && !excluded.contains(&agent.id)
                && self.skilled_with_room(one, agent)
                && self.may_pass(one, agent, now_ns)
            {
                let choice = self.choice_of(one, agent);
                if best.as_ref().is_none_or(|(before, _)| choice < *before) {
                    best = Some((choice, *at));
                }
            }
        }
        best.map(|(_, at)| at)
    }

    /// `best_agent` for the commonest order, nobody excluded or reserved: no choice is spelt out.
    fn longest_idle(&self, required: &Requirement, projection: usize) -> Option<u32> {
        let mut best: Option<(bool, Ranking)> = None;
        if self.crews.filed_n == 0 {
            return None;
        }
        let skills = required.skills.iter().map(|(skill, _)| skill);
        self.crews.skilled.with(&self.crews.open, skills, |profile| {
            for squad in &self.crews.crews[profile as usize].squads {
                let Some(first) = squad.rankings.get(projection).and_then(Ranked::first) else {
                    continue;
                };
                let busy = squad.load != crate::loads::IDLE;
                // Most are later than someone seen already, which is quicker to see than their levels.
                let sooner = best.is_none_or(|(best_busy, best)| {
                    (busy, first.traits[0], first.id) < (best_busy, best.traits[0], best.id)
                });
                let candidate = (busy, first);
                if sooner
                    && self.catalogue.profile_at(profile).skills.meet(&required.skills)
                    && fits(
                        &self.loads,
                        squad.load,
                        profile,
                        &self.catalogue,
                        required.medium,
                        required.units,
                    )
                {
                    best = Some(candidate);
                }
            }
        });
        best.map(|(_, first)| first.agent)
    }

    /// Whether no reservation keeps an agent from a contact.
    pub(crate) fn may_pass(&self, one: &Contact, agent: &Agent, now_ns: i64) -> bool {
        let reserver = agent.reserver.and_then(|reserver| self.find(reserver));
        reserver.is_none_or(|reserver| self.place(one, now_ns) <= self.place(&reserver, now_ns))
    }

    pub(crate) fn choice_of(&self, one: &Contact, agent: &Agent) -> Choice {
        let key = self.key_of(one);
        let order = self.catalogue.order_at(key.order);
        let required = self.catalogue.requirement_at(key.requirement);
        let mut traits = [0; 3];
        let own = order.keys.iter().filter_map(|key| match key {
            OrderKey::LongestIdle => Some(agent.since_ns),
            OrderKey::FewestContacts => Some(i64::from(agent.given)),
            OrderKey::RoundRobin => Some(agent.turn as i64),
            _ => None,
        });
        for (place, value) in traits.iter_mut().zip(own) {
            *place = value;
        }
        self.choice(
            order,
            required,
            one.id,
            agent.profile,
            agent.load,
            (traits, agent.id),
        )
    }

    /// What an order compares an agent by. `traits` are the agent's own figures in the order's sequence.
    fn choice(
        &self,
        order: &Order,
        required: &Requirement,
        contact: u64,
        profile: u32,
        load: u32,
        (traits, agent): ([i64; 3], u64),
    ) -> Choice {
        let profile = self.catalogue.profile_at(profile);
        let mut traits = traits.into_iter();
        let mut next = || traits.next().unwrap_or(0);
        let mut choice = Choice::new();
        for key in &order.keys {
            let value = match key {
                OrderKey::LongestIdle => {
                    choice.push(i64::from(load != crate::loads::IDLE));
                    next()
                }
                OrderKey::FewestContacts | OrderKey::RoundRobin => next(),
                OrderKey::LeastLoaded => self.loads.units(load) * 10_000 / profile.capacity.max(1),
                OrderKey::MostSkilled => {
                    let levels = required
                        .skills
                        .iter()
                        .map(|(skill, _)| profile.skills.level(skill));
                    -i64::from(levels.sum::<u32>())
                }
                OrderKey::LeastFlexible => profile.skills.len() as i64,
                OrderKey::Rank => profile.rank(order.rank_group),
                OrderKey::Random => lot(order.seed, contact, agent),
            };
            choice.push(value);
        }
        choice.push(agent as i64);
        choice
    }
}
