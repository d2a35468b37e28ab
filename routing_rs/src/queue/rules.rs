//! Names and rules are interned here, and what a new rule makes possible is looked at again.

use std::collections::BTreeSet;

use super::Queue;
use crate::hash::{Tag, digest};
use crate::refused::Outcome;

impl Queue {
    /// Returns an empty queue.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    pub fn skill(&mut self, name: &str) -> u32 {
        self.catalogue.skill(name)
    }

    pub fn medium(&mut self, name: &str) -> u32 {
        self.catalogue.medium(name)
    }

    /// # Errors
    /// `Unknown` for a handle nobody gave out, `Invalid` for a number out of range; here and below.
    pub fn requirement(&mut self, skills: &[(i64, i64)], medium: i64, units: i64) -> Outcome<u32> {
        let handle = self.catalogue.requirement(skills, medium, units)?;
        let made = self.catalogue.requirement_at(handle);
        if self.crews.learn_requirement(made.medium, made.units) {
            self.look_at_all_agents();
        }
        Ok(handle)
    }

    pub fn profile(
        &mut self,
        skills: &[(i64, i64)],
        capacity: i64,
        limits: &[(i64, i64)],
        ranks: &[(i64, i64)],
    ) -> Outcome<u32> {
        let handle = self.catalogue.profile(skills, capacity, limits, ranks)?;
        self.crews.learn_profile(handle, &self.catalogue);
        self.shelves.learn_profile(handle, &self.catalogue, &self.lanes);
        Ok(handle)
    }

    pub fn order(
        &mut self,
        keys: &[&str],
        offer_to: i64,
        rank_group: i64,
        seed: i64,
        reserve_after_ns: i64,
    ) -> Outcome<u32> {
        let handle = self
            .catalogue
            .order(keys, offer_to, rank_group, seed, reserve_after_ns)?;
        if self.crews.sorts_anew(&self.catalogue.order_at(handle).keys) {
            // Agents are unfiled before the squads learn one more way to sort them.
            self.look_at_all_agents();
        }
        self.crews
            .learn_order(handle, &self.catalogue.order_at(handle).keys);
        Ok(handle)
    }

    pub fn ladder(&mut self, rungs: &[(i64, i64, i64)]) -> Outcome<u32> {
        self.catalogue.ladder(rungs)
    }

    pub fn set_interrupts(&mut self, pairs: &[(i64, i64)]) -> Outcome<()> {
        let mut made = BTreeSet::new();
        for (by, over) in pairs {
            made.insert((
                self.catalogue.check_medium(*by)?,
                self.catalogue.check_medium(*over)?,
            ));
        }
        let hashed = |interrupts: &BTreeSet<(u32, u32)>| {
            let pairs = interrupts.iter();
            pairs.fold(0_u64, |sum, (by, over)| {
                let names = [self.catalogue.medium_hash(*by), self.catalogue.medium_hash(*over)];
                sum.wrapping_add(digest(Tag::Pair, [names[0], names[1], 0, 0, 0, 0]))
            })
        };
        let change = hashed(&made).wrapping_sub(hashed(&self.loads.interrupts));
        self.digest = self.digest.wrapping_add(change);
        self.loads.set_interrupts(made);
        self.look_at_all_agents();
        Ok(())
    }

    /// Turns now to the structure for very many distinct requirements, as happens by itself.
    pub fn disperse(&mut self) {
        self.shelves.disperse(&self.catalogue, &self.lanes);
    }

    /// After a change of rules every agent may have room for something else than before.
    pub(super) fn look_at_all_agents(&mut self) {
        let all: Vec<u32> = self.agents.iter().map(|(at, _)| at).collect();
        for at in all {
            self.touch(at);
        }
    }
}
