//! The long answers: who stands before whom, and what bars an agent from a contact.

use std::collections::{BTreeMap, BinaryHeap};

use crate::crews::Agent;
use crate::lanes::Entry;
use crate::matching::Choice;
use crate::order::Place;
use crate::queue::{Contact, NOBODY, Queue};
use crate::refused::{NUMBER_LIMIT, Outcome, time};

/// The rules in the order they are asked; `BARRED_RULES` of `matching/protocol.py`.
pub const RULES: [&str; 8] = [
    "unavailable",
    "skill",
    "medium_limit",
    "capacity",
    "excluded",
    "preferred_other",
    "reserved",
    "eligible",
];

const MEDIUM_LIMIT: u8 = 2;
const EXCLUDED: u8 = 4;
const RESERVED: u8 = 6;
const ELIGIBLE: u8 = 7;

/// The first rule that bars an agent, or several of one profile; `rule` counts in `RULES`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Barred {
    pub agent: i64,
    pub agents: u32,
    pub profile: i64,
    pub rule: u8,
    pub subject: i64,
    pub needed: i64,
    pub had: i64,
}

impl Queue {
    /// How many stand before a contact for the same people.
    ///
    /// # Errors
    /// `Unknown` for a contact that is not here.
    pub fn ahead(&self, contact: i64, now_ns: i64) -> Outcome<usize> {
        let one = self.contact(contact)?;
        let place = self.place(&one, time("now_ns", now_ns)?);
        let mine = self.capable(self.key_of(&one).requirement);
        let mut shared: BTreeMap<u32, bool> = BTreeMap::new();
        let mut ahead = 0;
        for stall in self.lanes.stalls.iter().filter(|stall| !stall.lanes.is_empty()) {
            let meets = |profile: &u32| {
                let skills = &self.catalogue.requirement_at(stall.requirement).skills;
                self.catalogue.profile_at(*profile).skills.meet(skills)
            };
            if *shared
                .entry(stall.requirement)
                .or_insert_with(|| mine.iter().any(meets))
            {
                ahead += stall
                    .lanes
                    .iter()
                    .map(|lane| self.before(*lane, place, now_ns))
                    .sum::<usize>();
            }
        }
        for contact in self.prefers.values().flatten() {
            if let Some(other) = self.find(*contact)
                && self.own(&other).is_some_and(|own| own.private)
                && self.place(&other, now_ns) < place
            {
                let skills = &self
                    .catalogue
                    .requirement_at(self.key_of(&other).requirement)
                    .skills;
                ahead += usize::from(
                    mine.iter()
                        .any(|profile| self.catalogue.profile_at(*profile).skills.meet(skills)),
                );
            }
        }
        Ok(ahead)
    }

    /// How many of a lane stand before a place, by a rank instead of a count.
    fn before(&self, lane: u32, place: Place, now_ns: i64) -> usize {
        let entries = &self.lanes.lanes[lane as usize].entries;
        // Within a lane places ascend with effective times, so the bound is found by bisection over time.
        let (Some(first), Some(last)) = (entries.first(), entries.last(&self.lanes.blocks)) else {
            return 0;
        };
        let (mut low, mut high) = (first.effective_ns, last.effective_ns + 1);
        while low < high {
            let middle = low + (high - low) / 2;
            if self.lane_place(lane, middle, place.contact, now_ns) < place {
                low = middle + 1;
            } else {
                high = middle;
            }
        }
        let drawn = self.lane_place(lane, low, place.contact, now_ns) == place;
        entries.rank(
            &self.lanes.blocks,
            Entry::new(low, if drawn { place.contact } else { 0 }, false),
        )
    }

    /// The profiles of present agents that have a requirement's skills.
    fn capable(&self, requirement: u32) -> Vec<u32> {
        let required = &self.catalogue.requirement_at(requirement).skills;
        let mut capable = Vec::new();
        let skills = required.iter().map(|(skill, _)| skill);
        self.crews.skilled.with(&self.crews.present, skills, |profile| {
            if self.catalogue.profile_at(profile).skills.meet(required) {
                capable.push(profile);
            }
        });
        capable
    }

    /// (agents present, agents available) with a requirement's skills.
    ///
    /// # Errors
    /// `Unknown` for a requirement nobody gave out.
    pub fn capable_n(&self, requirement: i64) -> Outcome<(u32, u32)> {
        let capable = self.capable(self.catalogue.check_requirement(requirement)?);
        let crews = capable.iter().map(|profile| &self.crews.crews[*profile as usize]);
        Ok(crews.fold((0, 0), |(present, available), crew| {
            (present + crew.agents_n, available + crew.available_n)
        }))
    }

    /// The first waiting contacts in order.
    ///
    /// # Errors
    /// `Invalid` for a time out of range.
    pub fn in_order(&self, now_ns: i64, limit: usize) -> Outcome<Vec<u64>> {
        time("now_ns", now_ns)?;
        let mut heap = BinaryHeap::new();
        for lane in self.lanes.stalls.iter().flat_map(|stall| &stall.lanes) {
            let lane = *lane;
            let entries = self.lanes.lanes[lane as usize].entries.iter(&self.lanes.blocks);
            let mut places = entries.map(move |entry| self.entry_place(lane, entry, now_ns));
            if let Some(place) = places.next() {
                heap.push(crate::matching::InLane(
                    place,
                    lane,
                    Box::new(places) as Box<dyn Iterator<Item = Place>>,
                ));
            }
        }
        let private = self
            .prefers
            .values()
            .flatten()
            .filter_map(|contact| self.find(*contact));
        let private = private.filter(|one| self.own(one).is_some_and(|own| own.private));
        let mut private: Vec<Place> = private.map(|one| self.place(&one, now_ns)).collect();
        private.sort_unstable();
        let mut private = private.into_iter();
        if let Some(place) = private.next() {
            heap.push(crate::matching::InLane(place, 0, Box::new(private)));
        }
        let mut found = Vec::new();
        while found.len() < limit
            && let Some(crate::matching::InLane(place, lane, mut places)) = heap.pop()
        {
            found.push(place.contact);
            if let Some(next) = places.next() {
                heap.push(crate::matching::InLane(next, lane, places));
            }
        }
        Ok(found)
    }

    /// What bars whom from a contact: each agent, or each crew and rule when agents are more than `limit`.
    ///
    /// # Errors
    /// `Unknown` for a contact that is not here.
    pub fn explain(&self, contact: i64, now_ns: i64, limit: usize) -> Outcome<Vec<Barred>> {
        let one = self.contact(contact)?;
        time("now_ns", now_ns)?;
        if self.agents_n() <= limit {
            let mut agents: Vec<(Choice, &Agent)> = self
                .agents
                .iter()
                .map(|(_, agent)| (self.choice_of(&one, agent), agent))
                .collect();
            agents.sort_unstable_by(|left, right| left.0.cmp(&right.0));
            return Ok(agents
                .iter()
                .map(|(_, agent)| self.bar(&one, agent, now_ns))
                .collect());
        }
        let mut grouped = self.grouped(&one, now_ns);
        grouped.sort_unstable_by_key(|line| (std::cmp::Reverse(line.rule), line.profile));
        let rest = grouped.split_off(limit.min(grouped.len()));
        for rule in (0..=ELIGIBLE).rev() {
            let agents = rest
                .iter()
                .filter(|line| line.rule == rule)
                .map(|line| line.agents)
                .sum();
            if agents > 0 {
                grouped.push(Barred {
                    agent: NOBODY,
                    agents,
                    profile: -1,
                    rule,
                    subject: -1,
                    needed: 0,
                    had: 0,
                });
            }
        }
        Ok(grouped)
    }

    /// One line for each profile and rule, with the figures of whoever comes closest.
    fn grouped(&self, one: &Contact, now_ns: i64) -> Vec<Barred> {
        let mut lines: Vec<Barred> = Vec::new();
        // By profile and rule: the line, from 1.
        let mut at = vec![[0_u32; RULES.len()]; self.catalogue.profiles_n()];
        for (_, agent) in self.agents.iter() {
            let mut line = self.bar(one, agent, now_ns);
            line.agent = NOBODY;
            if line.rule == EXCLUDED || line.rule == RESERVED {
                line.subject = -1;
            }
            let known = &mut at[agent.profile as usize][line.rule as usize];
            if *known == 0 {
                lines.push(line);
                *known = lines.len() as u32;
            } else {
                let group = &mut lines[*known as usize - 1];
                group.agents += 1;
                let least = line.rule == MEDIUM_LIMIT;
                group.had = if least {
                    group.had.min(line.had)
                } else {
                    group.had.max(line.had)
                };
            }
        }
        lines
    }

    /// The first rule that bars an agent.
    fn bar(&self, one: &Contact, agent: &Agent, now_ns: i64) -> Barred {
        let required = self.catalogue.requirement_at(self.key_of(one).requirement);
        let profile = self.catalogue.profile_at(agent.profile);
        let barred = |rule, subject, needed, had| Barred {
            agent: agent.id as i64,
            agents: 1,
            profile: i64::from(agent.profile),
            rule,
            subject,
            needed,
            had,
        };
        if !agent.available {
            return barred(0, -1, 1, 0);
        }
        if !profile.skills.meet(&required.skills) {
            let lacking = required
                .skills
                .iter()
                .find(|(skill, level)| profile.skills.level(*skill) < *level);
            let (skill, level) = lacking.unwrap_or_default();
            let had = i64::from(profile.skills.level(skill));
            return barred(1, i64::from(skill), i64::from(level), had);
        }
        let medium = i64::from(required.medium);
        let (limit, held) = (
            profile.limit(required.medium),
            self.loads.held(agent.load, required.medium),
        );
        if held >= limit {
            return barred(MEDIUM_LIMIT, medium, limit.min(NUMBER_LIMIT), held);
        }
        let room = profile.capacity - self.loads.blocking(agent.load, required.medium);
        if room < required.units {
            return barred(3, medium, required.units, room);
        }
        if self.own(one).is_some_and(|own| own.excluded.contains(&agent.id)) {
            return barred(EXCLUDED, agent.id as i64, 0, 0);
        }
        if let Some(kept) = self.kept_for(one)
            && self.agents[kept].id != agent.id
        {
            return barred(5, self.agents[kept].id as i64, 0, 0);
        }
        if let Some(reserver) = agent.reserver
            && !self.may_pass(one, agent, now_ns)
        {
            return barred(RESERVED, reserver as i64, 0, 0);
        }
        barred(ELIGIBLE, -1, 0, 0)
    }

    /// What agents are compared by for a contact, smaller first.
    ///
    /// # Errors
    /// `Unknown` for a contact or an agent that is not here.
    pub fn explain_choice(&self, contact: i64, agents: &[i64], now_ns: i64) -> Outcome<Vec<Vec<i64>>> {
        let one = self.contact(contact)?;
        time("now_ns", now_ns)?;
        let chosen = agents.iter().map(|agent| {
            let agent = &self.agents[self.agent(*agent)?];
            Ok(self.choice_of(&one, agent).into_vec())
        });
        chosen.collect()
    }
}
