//! Questions with short answers; the long ones are in `explain.rs`.

use super::Queue;
use crate::refused::Outcome;

impl Queue {
    /// How many agents and contacts the next match must look at.
    #[must_use]
    pub fn changed_n(&self) -> usize {
        if self.dirty_everyone {
            usize::MAX
        } else {
            self.dirty_agents.len() + self.dirty_contacts.len()
        }
    }

    #[must_use]
    pub fn waiting_n(&self) -> usize {
        self.waiting_n
    }

    #[must_use]
    pub fn agents_n(&self) -> usize {
        self.agents.len()
    }

    pub fn is_waiting(&self, contact: i64) -> Outcome<bool> {
        self.contact(contact).map(|one| one.waiting)
    }

    pub fn holders(&self, contact: i64) -> Outcome<Vec<u64>> {
        let one = self.contact(contact)?;
        let mut ids: Vec<u64> = self
            .holders_of(&one)
            .iter()
            .map(|at| self.agents[*at].id)
            .collect();
        ids.sort_unstable();
        Ok(ids)
    }

    /// The contact an agent drains for, or -1.
    pub fn reserved_for(&self, agent: i64) -> Outcome<i64> {
        let one = &self.agents[self.agent(agent)?];
        Ok(one.reserver.map_or(-1, |contact| contact as i64))
    }

    pub fn held_units(&self, agent: i64) -> Outcome<i64> {
        Ok(self.loads.units(self.agents[self.agent(agent)?].load))
    }

    #[must_use]
    pub fn state_hash(&self) -> u64 {
        // Agents to be looked at are taken back into the digest by the next match, once for all that
        // happened to them; after it there are none.
        let changed = self.dirty_agents.iter();
        changed.fold(self.digest, |sum, at| {
            sum.wrapping_add(self.agent_digest(&self.agents[*at]))
        })
    }

    /// What waiting contacts and agents take, in bytes, for whoever measures.
    #[must_use]
    pub fn bytes(&self) -> (usize, usize) {
        let contacts = self.contacts.bytes();
        let held_n = self.contacts.len() - self.waiting_n;
        let held = contacts * held_n / self.contacts.len().max(1);
        let waiting = contacts - held + self.lanes.bytes() + self.exceptions.bytes();
        let agents = self.agents.bytes() + self.agent_of.bytes() + self.crews.bytes() + held;
        (waiting + self.timers.bytes() + self.shelves.bytes(), agents)
    }
}
