//! Which stalls an agent's profile can serve: two structures, one turning into the other.
//!
//! While distinct requirements and profiles are few, each profile lists the stalls it can serve, and a
//! freed agent compares their heads. When they multiply, such lists would cost their product, so the
//! heads are shelved instead, each under the rarest skill it requires, in order; a freed agent reads only
//! the shelves of their own skills, and each only as far as someone better placed was found elsewhere.

use crate::catalogue::Catalogue;
use crate::lanes::{Lanes, NOWHERE};
use crate::ranked::Ranked;

/// Past so many stalls, or pairs of profile and stall, the lists are given up for shelves.
const STALLS_MAX: usize = 2048;
const PAIRS_MAX: usize = 2_000_000;

/// The head of a stall on a shelf, with what rejects most misfits at once.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Shelved {
    pub(crate) standing: u128,
    pub(crate) contact: u64,
    pub(crate) skills: u64,
    pub(crate) stall: u32,
}

/// Shelves for one medium and rate: by skill, the first for those who require none.
pub(crate) struct Case {
    pub(crate) medium: u32,
    pub(crate) rate: u32,
    pub(crate) shelves: Vec<Ranked<Shelved>>,
}

#[derive(Default)]
pub(crate) struct Shelves {
    /// By profile: the stalls it can serve; empty once dispersed.
    pub(crate) adjacent: Vec<Vec<u32>>,
    pairs_n: usize,
    pub(crate) dispersed: bool,
    pub(crate) cases: Vec<Case>,
    /// By stall: its case and shelf, and what of it stands there.
    filed: Vec<(u32, u32, Option<Shelved>)>,
    /// By skill: how many profiles have it.
    profiles_with: Vec<u32>,
}

impl Shelves {
    pub(crate) fn learn_profile(&mut self, profile: u32, catalogue: &Catalogue, lanes: &Lanes) {
        if (profile as usize) < self.adjacent.len() {
            return;
        }
        let skills = &catalogue.profile_at(profile).skills;
        for (skill, _) in skills.iter() {
            if self.profiles_with.len() <= skill as usize {
                self.profiles_with.resize(skill as usize + 1, 0);
            }
            self.profiles_with[skill as usize] += 1;
        }
        let mut stalls = Vec::new();
        if !self.dispersed {
            let all = lanes.stalls.iter().enumerate();
            let able =
                all.filter(|(_, stall)| skills.meet(&catalogue.requirement_at(stall.requirement).skills));
            stalls.extend(able.map(|(at, _)| at as u32));
        }
        self.pairs_n += stalls.len();
        self.adjacent.push(stalls);
        self.disperse_if_many(catalogue, lanes);
    }

    pub(crate) fn learn_stall(&mut self, stall: u32, catalogue: &Catalogue, lanes: &Lanes) {
        let required = &catalogue
            .requirement_at(lanes.stalls[stall as usize].requirement)
            .skills;
        if self.dispersed {
            self.shelve_new(stall, catalogue, lanes);
            return;
        }
        for profile in 0..self.adjacent.len() {
            if catalogue.profile_at(profile as u32).skills.meet(required) {
                self.adjacent[profile].push(stall);
                self.pairs_n += 1;
            }
        }
        self.disperse_if_many(catalogue, lanes);
    }

    /// Notes that a stall's head is another, or that it has one again, or none.
    #[inline]
    pub(crate) fn head_changed(&mut self, stall: u32, catalogue: &Catalogue, lanes: &Lanes) {
        if self.dispersed {
            self.reshelve(stall, catalogue, lanes);
        }
    }

    fn disperse_if_many(&mut self, catalogue: &Catalogue, lanes: &Lanes) {
        if lanes.stalls.len() > STALLS_MAX || self.pairs_n > PAIRS_MAX {
            self.disperse(catalogue, lanes);
        }
    }

    /// Gives up the lists for shelves, for good.
    pub(crate) fn disperse(&mut self, catalogue: &Catalogue, lanes: &Lanes) {
        if self.dispersed {
            return;
        }
        self.dispersed = true;
        for stalls in &mut self.adjacent {
            *stalls = Vec::new();
        }
        for stall in 0..lanes.stalls.len() {
            self.shelve_new(stall as u32, catalogue, lanes);
        }
    }

    fn shelve_new(&mut self, stall: u32, catalogue: &Catalogue, lanes: &Lanes) {
        let one = &lanes.stalls[stall as usize];
        let required = catalogue.requirement_at(one.requirement);
        let with = |skill: u32| self.profiles_with.get(skill as usize).copied().unwrap_or(0);
        let rarest = required
            .skills
            .iter()
            .map(|(skill, _)| skill)
            .min_by_key(|skill| (with(*skill), *skill));
        let shelf = rarest.map_or(0, |skill| skill + 1);
        let known = self
            .cases
            .iter()
            .position(|case| (case.medium, case.rate) == (required.medium, one.rate));
        let case = known.unwrap_or_else(|| {
            self.cases.push(Case {
                medium: required.medium,
                rate: one.rate,
                shelves: Vec::new(),
            });
            self.cases.len() - 1
        });
        let shelves = &mut self.cases[case].shelves;
        if shelves.len() <= shelf as usize {
            shelves.resize_with(shelf as usize + 1, Ranked::default);
        }
        while self.filed.len() <= stall as usize {
            self.filed.push((NOWHERE, NOWHERE, None));
        }
        self.filed[stall as usize] = (case as u32, shelf, None);
        self.reshelve(stall, catalogue, lanes);
    }

    fn reshelve(&mut self, stall: u32, catalogue: &Catalogue, lanes: &Lanes) {
        let (case, shelf, before) = self.filed[stall as usize];
        let head = lanes.heads[stall as usize];
        let skills = before.map_or_else(
            || {
                catalogue
                    .requirement_at(lanes.stalls[stall as usize].requirement)
                    .skills
                    .mask
            },
            |before| before.skills,
        );
        let now = (head.lane != NOWHERE).then_some(Shelved {
            standing: head.standing,
            contact: head.contact,
            skills,
            stall,
        });
        let shelf = &mut self.cases[case as usize].shelves[shelf as usize];
        if let Some(before) = before {
            shelf.remove(before);
        }
        if let Some(now) = now {
            shelf.insert(now);
        }
        self.filed[stall as usize].2 = now;
    }

    pub(crate) fn bytes(&self) -> usize {
        let adjacent: usize = self
            .adjacent
            .iter()
            .map(|stalls| stalls.capacity() * 4 + 24)
            .sum();
        let shelves: usize = self
            .cases
            .iter()
            .flat_map(|case| &case.shelves)
            .map(Ranked::bytes)
            .sum();
        adjacent + shelves + self.filed.capacity() * size_of::<(u32, u32, Option<Shelved>)>()
    }
}
