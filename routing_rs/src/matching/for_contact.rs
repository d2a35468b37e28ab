//! From a contact to its agents: the best of those eligible, or whom a contact past its wait reserves instead.
//!
//! Agents of one profile with one load stand in a squad, ranked by the keys of each order, so that the first
//! of each squad are compared, never all.

use smallvec::SmallVec;

use super::Choice;
use crate::catalogue::{Order, OrderKey, Requirement};
use crate::crews::{Agent, Ranking, fits};
use crate::hash::lot;
use crate::order::Place;
use crate::queue::{Contact, Queue};
use crate::ranked::Ranked;

impl Queue {
    /// The best agents for a contact, at most as many as it is offered to. Whom a contact past its wait
    /// reserves instead is marked and passed over.
    pub(super) fn choose(&mut self, one: &Contact, now_ns: i64) -> SmallVec<[u32; 4]> {
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
