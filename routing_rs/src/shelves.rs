//! Which stalls an agent's profile can serve: two structures, one turning into the other.
//!
//! While distinct requirements and profiles are few, each profile lists the stalls it can serve, and a
//! freed agent compares their heads. When they multiply, such lists would cost their product, so the
//! heads are shelved instead, each under the skills it requires: one or two in grids of minima by level, more
//! under the three rarest, in order. A freed agent reads one place for each pair of their own skills, and the
//! firsts of those threes that are there within their levels; what lies behind a first only as far as someone
//! better placed was not found elsewhere.

mod case;
mod grids;

pub(crate) use case::{Case, Held};

use case::Filed;

use crate::catalogue::Catalogue;
use crate::lanes::{Lanes, NEAR_STALLS};
use crate::paged::Paged;

/// Past so many pairs of profile and stall, or `NEAR_STALLS`, the lists are given up for shelves.
const PAIRS_MAX: usize = 2_000_000;

/// And past so many profiles, each of which a new stall is compared with.
const PROFILES_MAX: usize = 16_384;

/// So many lists are let go at a time once they are given up.
const LET_GO: usize = 16;

/// Past so many of them, cases are no longer told apart by the units their stalls take.
const CASES_MAX: usize = 16;

#[derive(Default)]
pub(crate) struct Shelves {
    /// By profile: the stalls it can serve; let go little by little once dispersed.
    pub(crate) adjacent: Paged<Vec<u16>>,
    profiles_n: usize,
    pairs_n: usize,
    pub(crate) dispersed: bool,
    pub(crate) cases: Vec<Case>,
    /// By stall.
    filed: Paged<Filed>,
    /// By stall.
    case_of: Paged<u32>,
    /// By skill: how many profiles have it.
    profiles_with: Vec<u32>,
}

impl Shelves {
    pub(crate) fn learn_profile(&mut self, profile: u32, catalogue: &Catalogue, lanes: &Lanes) {
        if (profile as usize) < self.profiles_n {
            return;
        }
        self.profiles_n += 1;
        let skills = &catalogue.profile_at(profile).skills;
        for (skill, _) in skills.iter() {
            if self.profiles_with.len() <= skill as usize {
                self.profiles_with.resize(skill as usize + 1, 0);
            }
            self.profiles_with[skill as usize] += 1;
        }
        if self.dispersed {
            self.let_go();
            return;
        }
        let all = lanes.stalls.iter().enumerate();
        let able = all.filter(|(_, stall)| skills.meet(&catalogue.requirement_at(stall.requirement).skills));
        let stalls: Vec<u16> = able.map(|(at, _)| at as u16).collect();
        self.pairs_n += stalls.len();
        self.adjacent.push(stalls);
        self.disperse_if_many(catalogue, lanes);
    }

    pub(crate) fn learn_stall(&mut self, stall: u32, catalogue: &Catalogue, lanes: &Lanes) {
        let required = &catalogue
            .requirement_at(lanes.stalls[stall as usize].requirement)
            .skills;
        if self.dispersed {
            self.let_go();
            self.shelve_new(stall, catalogue, lanes);
            return;
        }
        for profile in 0..self.adjacent.len() {
            if catalogue.profile_at(profile as u32).skills.meet(required) {
                self.adjacent[profile].push(stall as u16);
                self.pairs_n += 1;
            }
        }
        self.disperse_if_many(catalogue, lanes);
    }

    /// Notes that a stall's head is another, or that it has one again, or none.
    #[inline]
    pub(crate) fn head_changed(&mut self, stall: u32, lanes: &Lanes) {
        if self.dispersed {
            if self.adjacent.len() > 0 {
                self.let_go();
            }
            self.reshelve(stall, lanes);
        }
    }

    fn disperse_if_many(&mut self, catalogue: &Catalogue, lanes: &Lanes) {
        let many = lanes.stalls.len() >= NEAR_STALLS || self.profiles_n > PROFILES_MAX;
        if many || self.pairs_n > PAIRS_MAX {
            self.disperse(catalogue, lanes);
        }
    }

    /// Gives up the lists for shelves, for good.
    pub(crate) fn disperse(&mut self, catalogue: &Catalogue, lanes: &Lanes) {
        if self.dispersed {
            return;
        }
        self.dispersed = true;
        for stall in 0..lanes.stalls.len() {
            self.shelve_new(stall as u32, catalogue, lanes);
        }
    }

    /// Lets some lists go: all at once would be a pause.
    fn let_go(&mut self) {
        for _ in 0..LET_GO {
            if self.adjacent.pop().is_none() {
                return;
            }
        }
    }

    fn shelve_new(&mut self, stall: u32, catalogue: &Catalogue, lanes: &Lanes) {
        let one = &lanes.stalls[stall as usize];
        let required = catalogue.requirement_at(one.requirement);
        let with = |skill: u32| self.profiles_with.get(skill as usize).copied().unwrap_or(0);
        let mut rarest: Vec<(u32, u32)> = required.skills.iter().collect();
        rarest.sort_unstable_by_key(|(skill, _)| (with(*skill), *skill));
        let units = one.units as u32;
        let case = self.case(one.medium, one.rate, units);
        let filed = self.cases[case].place(&required.skills, &rarest, units);
        debug_assert_eq!(self.filed.len(), stall as usize, "stalls are shelved in turn");
        self.case_of.push(case as u32);
        self.filed.push(filed);
        self.reshelve(stall, lanes);
    }

    /// The case for stalls of a medium, a rate and, while cases are few, units.
    fn case(&mut self, medium: u32, rate: u32, units: u32) -> usize {
        let known = |cases: &[Case], units| cases.iter().position(|case| case.is_for(medium, rate, units));
        if let Some(case) = known(&self.cases, Some(units)) {
            return case;
        }
        let told = (self.cases.len() < CASES_MAX).then_some(units);
        if let Some(case) = known(&self.cases, told) {
            return case;
        }
        self.cases.push(Case::new(medium, rate, told));
        self.cases.len() - 1
    }

    fn reshelve(&mut self, stall: u32, lanes: &Lanes) {
        let case = self.case_of[stall as usize] as usize;
        self.cases[case].reshelve(stall, &mut self.filed, lanes);
    }

    pub(crate) fn bytes(&self) -> usize {
        let adjacent: usize = self
            .adjacent
            .iter()
            .map(|stalls| stalls.capacity() * 2 + 24)
            .sum();
        let cases: usize = self.cases.iter().map(Case::bytes).sum();
        adjacent + cases + self.filed.bytes() + self.case_of.bytes()
    }
}
