//! Agents: signing in, being available or not, changing profile, leaving; and when the digest counts them.

use smallvec::SmallVec;

use super::Queue;
use crate::crews::Agent;
use crate::hash::{Tag, digest};
use crate::loads::IDLE;
use crate::refused::{Outcome, id, invalid, number, time, unknown};

impl Queue {
    #[allow(clippy::too_many_arguments, reason = "one row of a snapshot")]
    pub fn add_agent(
        &mut self,
        agent: i64,
        profile: i64,
        now_ns: i64,
        available: bool,
        since_ns: Option<i64>,
        given: i64,
        turn: i64,
    ) -> Outcome<()> {
        let agent = id("agent", agent)?;
        let profile = self.catalogue.check_profile(profile)?;
        let since_ns = match since_ns {
            None => time("now_ns", now_ns)?,
            Some(since_ns) => time("since_ns", since_ns)?,
        };
        let given = number("given", given, 0)? as u32;
        let turn = id("turn", turn)?;
        if self.agent_of.get(agent).is_some() {
            return invalid(format!("agent {agent} is here already"));
        }
        let made = Agent {
            id: agent,
            digest: 0,
            since_ns,
            turn,
            given,
            profile,
            load: IDLE,
            available,
            filed: false,
            dirty: true,
            reserver: None,
            hands: SmallVec::new(),
        };
        self.crews.count(&made, true);
        self.loads.count(IDLE, true);
        let at = self.agents.add(made);
        self.agent_of.set(agent, at);
        self.turn = self.turn.max(turn);
        self.dirty_agents.push(at);
        self.refile_preferring(agent);
        Ok(())
    }

    pub fn set_available(&mut self, agent: i64, available: bool, now_ns: i64) -> Outcome<()> {
        let at = self.agent(agent)?;
        time("now_ns", now_ns)?;
        if self.agents[at].available == available {
            return Ok(());
        }
        if !available {
            self.end_reservation_of(at);
        }
        self.amend(at, |one| {
            one.available = available;
            if available {
                one.since_ns = now_ns;
            }
        });
        let crew = &mut self.crews.crews[self.agents[at].profile as usize];
        crew.available_n = crew
            .available_n
            .wrapping_add_signed(if available { 1 } else { -1 });
        Ok(())
    }

    pub fn set_profile(&mut self, agent: i64, profile: i64) -> Outcome<()> {
        let profile = self.catalogue.check_profile(profile)?;
        let at = self.agent(agent)?;
        self.end_reservation_of(at);
        self.touch(at);
        self.crews.count(&self.agents[at], false);
        self.amend(at, |one| one.profile = profile);
        self.crews.count(&self.agents[at], true);
        Ok(())
    }

    pub fn remove_agent(&mut self, agent: i64, now_ns: i64) -> Outcome<Vec<u64>> {
        let at = self.agent(agent)?;
        time("now_ns", now_ns)?;
        self.end_reservation_of(at);
        self.touch(at);
        let mut hands: Vec<u64> = self.agents[at].hands.iter().map(|hand| hand.contact).collect();
        hands.sort_unstable();
        for contact in &hands {
            self.take_hand(*contact, at);
        }
        self.crews.count(&self.agents[at], false);
        self.loads.count(IDLE, false);
        self.dirty_agents.retain(|other| *other != at);
        let gone = self.agents[at].id;
        self.agents.remove(at);
        self.agent_of.remove(gone);
        self.refile_preferring(gone);
        Ok(hands)
    }

    pub fn agent_keys(&self, agent: i64) -> Outcome<(i64, u32, u64)> {
        let one = &self.agents[self.agent(agent)?];
        Ok((one.since_ns, one.given, one.turn))
    }

    pub(crate) fn agent(&self, agent: i64) -> Outcome<u32> {
        let known = u64::try_from(agent)
            .ok()
            .and_then(|agent| self.agent_of.get(agent));
        known.map_or_else(|| unknown("agent", agent), Ok)
    }

    /// Takes an agent out of the squads and the digest until the next match, which will look at them.
    #[inline]
    pub(crate) fn touch(&mut self, at: u32) {
        let one = &mut self.agents[at];
        if !one.dirty {
            one.dirty = true;
            self.digest = self.digest.wrapping_sub(one.digest);
            if one.filed {
                one.filed = false;
                self.crews.unfile(one, at);
            }
            self.dirty_agents.push(at);
        }
    }

    /// Takes an agent, looked at, back into the digest.
    #[inline]
    pub(crate) fn digest_agent(&mut self, at: u32) {
        let made = self.agent_digest(&self.agents[at]);
        let one = &mut self.agents[at];
        one.dirty = false;
        one.digest = made;
        self.digest = self.digest.wrapping_add(made);
    }

    pub(crate) fn unfile_agent(&mut self, at: u32) {
        let one = &mut self.agents[at];
        if one.filed {
            one.filed = false;
            self.crews.unfile(one, at);
        }
    }

    /// Changes an agent's own figures.
    #[inline]
    pub(super) fn amend(&mut self, at: u32, change: impl FnOnce(&mut Agent)) {
        self.touch(at);
        change(&mut self.agents[at]);
    }

    pub(super) fn agent_digest(&self, one: &Agent) -> u64 {
        let (profile, since) = (self.catalogue.profile_hash(one.profile), one.since_ns as u64);
        digest(
            Tag::Agent,
            [
                one.id,
                profile,
                u64::from(one.available),
                since,
                u64::from(one.given),
                one.turn,
            ],
        )
    }
}
