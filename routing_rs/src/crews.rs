//! Agents, the crews of those with one profile, and the squads of those in a crew with one load.
//!
//! What distinguishes agents within a squad is only since when, how often and in which turn they were
//! given contacts; a squad keeps them sorted by each sequence of these that some queue's order uses. So
//! the best agent for a contact is the best of the squads' firsts. Only agents with room for something
//! are filed in squads: a full house costs nothing.

use smallvec::SmallVec;

use crate::bits::BySkill;
use crate::catalogue::{Catalogue, OrderKey};
use crate::lanes::NOWHERE;
use crate::loads::{IDLE, Loads};
use crate::ranked::Ranked;

/// A contact in an agent's hands.
#[derive(Clone, Copy)]
pub(crate) struct Hand {
    pub(crate) contact: u64,
    pub(crate) units: u32,
    pub(crate) medium: u16,
    pub(crate) tentative: bool,
}

pub(crate) struct Agent {
    pub(crate) id: u64,
    pub(crate) since_ns: i64,
    pub(crate) turn: u64,
    /// The agent's part of the digest as it stands.
    pub(crate) digest: u64,
    pub(crate) given: u32,
    pub(crate) profile: u32,
    pub(crate) load: u32,
    pub(crate) available: bool,
    pub(crate) filed: bool,
    pub(crate) dirty: bool,
    /// The contact it drains for.
    pub(crate) reserver: Option<u64>,
    pub(crate) hands: SmallVec<[Hand; 2]>,
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
    pub(crate) squads: Vec<Squad>,
}

#[derive(Default)]
pub(crate) struct Crews {
    /// By profile.
    pub(crate) crews: Vec<Crew>,
    pub(crate) present: BySkill,
    pub(crate) open: BySkill,
    pub(crate) filed_n: usize,
    /// The sequences of traits that some order uses.
    projections: Vec<Vec<Trait>>,
    /// By order: its projection.
    of_order: Vec<usize>,
    /// By medium: the fewest units any requirement on it takes.
    units_min: Vec<i64>,
    /// By profile: nobody filed has been idle for longer. One word a crew decides most of a search.
    glances: Vec<i64>,
    /// The projection that sorts by idleness alone.
    by_since: Option<usize>,
}

/// The glance at a crew with nobody filed.
const NOBODY_FILED: i64 = i64::MAX;

/// Orders agents by idleness: those with work in hand after all without, whatever their times.
#[inline]
pub(crate) fn glance(load: u32, since_ns: i64) -> i64 {
    since_ns + if load == IDLE { 0 } else { 1 << 62 }
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
        self.by_since = self
            .projections
            .iter()
            .position(|projection| projection[..] == [Trait::Since]);
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

    pub(crate) fn learn_profile(&mut self, profile: u32) {
        while self.crews.len() <= profile as usize {
            self.crews.push(Crew::default());
            self.glances.push(NOBODY_FILED);
        }
    }

    /// At most the least `glance` of those filed in a crew.
    #[inline]
    pub(crate) fn glance_at(&self, profile: u32) -> i64 {
        self.glances[profile as usize]
    }

    fn glance_anew(&self, profile: u32) -> i64 {
        let crew = &self.crews[profile as usize];
        let Some(by_since) = self.by_since else {
            return if crew.filed_n == 0 { NOBODY_FILED } else { i64::MIN };
        };
        let firsts = crew.squads.iter().filter_map(|squad| {
            let first = squad.rankings[by_since].first()?;
            Some(glance(squad.load, first.traits[0]))
        });
        firsts.min().unwrap_or(NOBODY_FILED)
    }

    fn ranking(&self, projection: usize, agent: &Agent, at: u32) -> Ranking {
        let mut traits = [0; 3];
        for (place, named) in traits.iter_mut().zip(&self.projections[projection]) {
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

    pub(crate) fn file(&mut self, agent: &Agent, at: u32, catalogue: &Catalogue) {
        let rankings: SmallVec<[Ranking; 2]> = (0..self.projections.len())
            .map(|projection| self.ranking(projection, agent, at))
            .collect();
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
        squad.rankings.resize_with(rankings.len(), Ranked::default);
        for (ranked, ranking) in squad.rankings.iter_mut().zip(rankings) {
            ranked.insert(ranking);
        }
        crew.filed_n += 1;
        self.filed_n += 1;
        let glanced = &mut self.glances[agent.profile as usize];
        *glanced = glance(agent.load, agent.since_ns).min(*glanced);
        if crew.filed_n == 1 {
            let skills = &catalogue.profile_at(agent.profile).skills;
            self.open
                .set(agent.profile, skills.iter().map(|(skill, _)| skill), true);
        }
    }

    pub(crate) fn unfile(&mut self, agent: &Agent, at: u32, catalogue: &Catalogue) {
        let rankings: SmallVec<[Ranking; 2]> = (0..self.projections.len())
            .map(|projection| self.ranking(projection, agent, at))
            .collect();
        let crew = &mut self.crews[agent.profile as usize];
        if let Some(squad) = crew.squads.iter_mut().find(|squad| squad.load == agent.load) {
            for (ranked, ranking) in squad.rankings.iter_mut().zip(rankings) {
                ranked.remove(ranking);
            }
        }
        crew.filed_n -= 1;
        self.filed_n -= 1;
        if crew.filed_n == 0 {
            crew.squads = Vec::new();
            let skills = &catalogue.profile_at(agent.profile).skills;
            self.open
                .set(agent.profile, skills.iter().map(|(skill, _)| skill), false);
        }
        if self.glances[agent.profile as usize] >= glance(agent.load, agent.since_ns) {
            self.glances[agent.profile as usize] = self.glance_anew(agent.profile);
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
            .map(|crew| crew.squads.capacity() * size_of::<Squad>())
            .sum();
        let sets = self.present.bytes() + self.open.bytes();
        rankings.map(Ranked::bytes).sum::<usize>()
            + squads
            + sets
            + self.crews.capacity() * size_of::<Crew>()
            + self.glances.capacity() * 8
    }

    /// Counts an agent into its crew, or out of it.
    pub(crate) fn count(&mut self, agent: &Agent, joined: bool, catalogue: &Catalogue) {
        let crew = &mut self.crews[agent.profile as usize];
        let change = if joined { 1 } else { -1 };
        crew.agents_n = crew.agents_n.wrapping_add_signed(change);
        if agent.available {
            crew.available_n = crew.available_n.wrapping_add_signed(change);
        }
        if crew.agents_n == u32::from(joined) {
            let skills = &catalogue.profile_at(agent.profile).skills;
            self.present
                .set(agent.profile, skills.iter().map(|(skill, _)| skill), joined);
        }
    }
}

/// What one agent has room for, on each medium, found once for a whole scan.
pub(crate) struct Rooms(SmallVec<[i64; 8]>);

impl Rooms {
    /// The most units a contact on each of `media_n` media may take; negative when none may come.
    #[inline]
    pub(crate) fn new(agent: &Agent, media_n: usize, loads: &Loads, catalogue: &Catalogue) -> Self {
        let profile = catalogue.profile_at(agent.profile);
        let room = |medium: usize| {
            let medium = medium as u32;
            if !profile.limits.is_empty() && loads.held(agent.load, medium) >= profile.limit(medium) {
                return -1;
            }
            profile.capacity - loads.blocking(agent.load, medium)
        };
        Self((0..media_n).map(room).collect())
    }

    #[inline]
    pub(crate) fn fit(&self, medium: u32, units: i64) -> bool {
        self.0.get(medium as usize).is_some_and(|room| *room >= units)
    }

    /// Whether there is room for the least that any requirement takes.
    #[inline]
    pub(crate) fn fit_any(&self, crews: &Crews) -> bool {
        self.0
            .iter()
            .zip(&crews.units_min)
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
