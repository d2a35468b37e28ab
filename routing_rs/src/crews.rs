//! Agents, the crews of those with one profile, and the squads of those in a crew with one load.
//!
//! What distinguishes agents within a squad is only since when, how often and in which turn they were
//! given contacts; a squad keeps them sorted by each sequence of these that some queue's order uses. So
//! the best agent for a contact is the best of the squads' firsts. Only agents with room for something
//! are filed in squads: a full house costs nothing.

use smallvec::SmallVec;

use crate::bits::{BySkill, Crowd};
use crate::catalogue::{Catalogue, OrderKey};
use crate::lanes::NOWHERE;
use crate::loads::Loads;
use crate::paged::Paged;
use crate::ranked::Ranked;

/// A contact in an agent's hands, with what the table says of it, so that finishing reads one place.
#[derive(Clone, Copy)]
pub(crate) struct Hand {
    pub(crate) contact: u64,
    /// Its part of the queue's digest.
    pub(crate) digest: u64,
    pub(crate) effective_ns: i64,
    /// Its terms; NOWHERE when the table must be asked, since it has exceptions or is in other hands as well.
    pub(crate) terms: u32,
    pub(crate) units: u32,
    pub(crate) medium: u16,
    pub(crate) tentative: bool,
}

/// Two cache lines with the first contact in hand, all that a release needs of an agent.
#[repr(align(64))]
pub(crate) struct Agent {
    pub(crate) id: u64,
    pub(crate) since_ns: i64,
    pub(crate) turn: u64,
    /// The agent's part of the queue's digest, which does not contain it while the agent is dirty.
    pub(crate) digest: u64,
    pub(crate) given: u32,
    pub(crate) profile: u32,
    pub(crate) load: u32,
    pub(crate) available: bool,
    pub(crate) filed: bool,
    pub(crate) dirty: bool,
    /// The contact it drains for.
    pub(crate) reserver: Option<u64>,
    pub(crate) hands: SmallVec<[Hand; 1]>,
}

/// What distinguishes agents of one squad.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Trait {
    Since,
    Given,
    Turn,
}

/// An agent as a squad sorts it.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Ranking {
    pub(crate) traits: [i64; 3],
    pub(crate) id: u64,
    pub(crate) agent: u32,
}

pub(crate) struct Squad {
    pub(crate) load: u32,
    /// By projection.
    pub(crate) rankings: SmallVec<[Ranked<Ranking>; 1]>,
}

#[derive(Default)]
pub(crate) struct Crew {
    pub(crate) agents_n: u32,
    pub(crate) available_n: u32,
    pub(crate) filed_n: u32,
    /// Empty ones are left for the next to come.
    pub(crate) squads: SmallVec<[Squad; 1]>,
}

#[derive(Default)]
pub(crate) struct Crews {
    /// By profile.
    pub(crate) crews: Paged<Crew>,
    pub(crate) skilled: BySkill,
    /// Crews with an agent in them.
    pub(crate) present: Crowd,
    /// Crews with an agent in a squad.
    pub(crate) open: Crowd,
    pub(crate) filed_n: usize,
    /// The sequences of traits that some order uses.
    projections: Vec<Vec<Trait>>,
    /// By order: its projection.
    of_order: Vec<usize>,
    /// By medium: the fewest units any requirement on it takes.
    units_min: Vec<i64>,
}

fn traits_of(keys: &[OrderKey]) -> Vec<Trait> {
    let of_key = |key: &OrderKey| match key {
        OrderKey::LongestIdle => Some(Trait::Since),
        OrderKey::FewestContacts => Some(Trait::Given),
        OrderKey::RoundRobin => Some(Trait::Turn),
        _ => None,
    };
    keys.iter().filter_map(of_key).collect()
}

impl Crews {
    #[inline]
    pub(crate) fn projection(&self, order: u32) -> usize {
        self.of_order[order as usize]
    }

    /// Whether an order with these keys sorts agents in a way no order did before.
    pub(crate) fn sorts_anew(&self, keys: &[OrderKey]) -> bool {
        !self.projections.contains(&traits_of(keys))
    }

    /// Notes an order. No agent may be filed when it sorts anew.
    pub(crate) fn learn_order(&mut self, order: u32, keys: &[OrderKey]) {
        if (order as usize) < self.of_order.len() {
            return;
        }
        let traits = traits_of(keys);
        let known = self
            .projections
            .iter()
            .position(|projection| *projection == traits);
        if known.is_none() {
            self.projections.push(traits);
        }
        self.of_order.push(known.unwrap_or(self.projections.len() - 1));
    }

    /// Notes a requirement; returns whether agents held to be full may have room for it.
    pub(crate) fn learn_requirement(&mut self, medium: u32, units: i64) -> bool {
        while self.units_min.len() <= medium as usize {
            self.units_min.push(i64::MAX);
        }
        let least = &mut self.units_min[medium as usize];
        let smaller = units < *least;
        *least = units.min(*least);
        smaller
    }

    /// How many media any requirement is on.
    #[inline]
    pub(crate) fn media_n(&self) -> usize {
        self.units_min.len()
    }

    pub(crate) fn learn_profile(&mut self, profile: u32, catalogue: &Catalogue) {
        if (profile as usize) < self.crews.len() {
            return;
        }
        self.crews.push(Crew::default());
        let skills = &catalogue.profile_at(profile).skills;
        self.skilled.learn(profile, skills.iter().map(|(skill, _)| skill));
    }

    #[inline]
    fn ranking(projection: &[Trait], agent: &Agent, at: u32) -> Ranking {
        let mut traits = [0; 3];
        for (place, named) in traits.iter_mut().zip(projection) {
            *place = match named {
                Trait::Since => agent.since_ns,
                Trait::Given => i64::from(agent.given),
                Trait::Turn => agent.turn as i64,
            };
        }
        Ranking {
            traits,
            id: agent.id,
            agent: at,
        }
    }

    pub(crate) fn file(&mut self, agent: &Agent, at: u32) {
        let crew = &mut self.crews[agent.profile as usize];
        let squad = if let Some(squad) = crew.squads.iter_mut().position(|squad| squad.load == agent.load) {
            squad
        } else {
            // An empty squad is used again, so that a crew has no more of them than its loads at once.
            let unused = crew
                .squads
                .iter()
                .position(|squad| squad.rankings.first().is_none_or(Ranked::is_empty));
            if let Some(squad) = unused {
                crew.squads[squad].load = agent.load;
                squad
            } else {
                crew.squads.push(Squad {
                    load: agent.load,
                    rankings: SmallVec::new(),
                });
                crew.squads.len() - 1
            }
        };
        let squad = &mut crew.squads[squad];
        if squad.rankings.len() < self.projections.len() {
            squad
                .rankings
                .resize_with(self.projections.len(), Ranked::default);
        }
        for (ranked, projection) in squad.rankings.iter_mut().zip(&self.projections) {
            ranked.insert(Self::ranking(projection, agent, at));
        }
        crew.filed_n += 1;
        self.filed_n += 1;
        if crew.filed_n == 1 {
            self.open.set(agent.profile, true);
        }
    }

    pub(crate) fn unfile(&mut self, agent: &Agent, at: u32) {
        let crew = &mut self.crews[agent.profile as usize];
        if let Some(squad) = crew.squads.iter_mut().find(|squad| squad.load == agent.load) {
            for (ranked, projection) in squad.rankings.iter_mut().zip(&self.projections) {
                ranked.remove(Self::ranking(projection, agent, at));
            }
        }
        crew.filed_n -= 1;
        self.filed_n -= 1;
        if crew.filed_n == 0 {
            if crew.squads.len() > 1 {
                crew.squads.truncate(1);
                crew.squads.shrink_to_fit();
            }
            self.open.set(agent.profile, false);
        }
    }

    pub(crate) fn bytes(&self) -> usize {
        let rankings = self
            .crews
            .iter()
            .flat_map(|crew| &crew.squads)
            .flat_map(|squad| &squad.rankings);
        let squads: usize = self
            .crews
            .iter()
            .filter(|crew| crew.squads.spilled())
            .map(|crew| crew.squads.capacity() * size_of::<Squad>())
            .sum();
        let sets = self.skilled.bytes() + self.present.bytes() + self.open.bytes();
        rankings.map(Ranked::bytes).sum::<usize>() + squads + sets + self.crews.bytes()
    }

    /// Counts an agent into its crew, or out of it.
    pub(crate) fn count(&mut self, agent: &Agent, joined: bool) {
        let crew = &mut self.crews[agent.profile as usize];
        let change = if joined { 1 } else { -1 };
        crew.agents_n = crew.agents_n.wrapping_add_signed(change);
        if agent.available {
            crew.available_n = crew.available_n.wrapping_add_signed(change);
        }
        if crew.agents_n == u32::from(joined) {
            self.present.set(agent.profile, joined);
        }
    }
}

/// More media than so many are rare.
const FEW_MEDIA: usize = 4;

/// What one agent has room for, on each medium, found once for a whole scan.
pub(crate) struct Rooms {
    few: [i64; FEW_MEDIA],
    rest: Vec<i64>,
}

impl Rooms {
    /// The most units a contact on each of `media_n` media may take; negative when none may come.
    #[inline]
    pub(crate) fn new(agent: &Agent, media_n: usize, loads: &Loads, catalogue: &Catalogue) -> Self {
        let profile = catalogue.profile_at(agent.profile);
        if profile.limits.is_empty() && loads.interrupts.is_empty() {
            let room = profile.capacity - loads.units(agent.load);
            return Self {
                few: [room; FEW_MEDIA],
                rest: if media_n > FEW_MEDIA {
                    vec![room; media_n - FEW_MEDIA]
                } else {
                    Vec::new()
                },
            };
        }
        let room = |medium: usize| {
            let medium = medium as u32;
            if !profile.limits.is_empty() && loads.held(agent.load, medium) >= profile.limit(medium) {
                return -1;
            }
            profile.capacity - loads.blocking(agent.load, medium)
        };
        let few = std::array::from_fn(|medium| if medium < media_n { room(medium) } else { -1 });
        let rest = (FEW_MEDIA..media_n).map(room).collect();
        Self { few, rest }
    }

    /// The most units that a contact on a medium may take, -1 when none may come.
    #[inline]
    pub(crate) fn on(&self, medium: u32) -> i64 {
        let medium = medium as usize;
        match self.few.get(medium) {
            Some(room) => *room,
            None => self.rest.get(medium - FEW_MEDIA).copied().unwrap_or(-1),
        }
    }

    #[inline]
    pub(crate) fn fit(&self, medium: u32, units: i64) -> bool {
        self.on(medium) >= units
    }

    /// Whether there is room for the least that any requirement takes.
    #[inline]
    pub(crate) fn fit_any(&self, crews: &Crews) -> bool {
        let least = &crews.units_min;
        let few_n = least.len().min(FEW_MEDIA);
        (0..few_n).any(|medium| self.few[medium] >= least[medium])
            || self
                .rest
                .iter()
                .zip(&least[few_n..])
                .any(|(room, least)| room >= least)
    }
}

/// Whether a load leaves room for so many units on a medium.
#[inline]
pub(crate) fn fits(
    loads: &Loads,
    load: u32,
    profile: u32,
    catalogue: &Catalogue,
    medium: u32,
    units: i64,
) -> bool {
    let profile = catalogue.profile_at(profile);
    profile.capacity - loads.blocking(load, medium) >= units
        && (profile.limits.is_empty() || loads.held(load, medium) < profile.limit(medium))
}

pub(crate) const NO_AGENT: u32 = NOWHERE;
