//! The queue's operations: each checks what it is given, changes the state, keeps the digest, and notes
//! which agents and contacts the next match must look at. Who gets whom is in `matching.rs`.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::hash::BuildHasherDefault;

use smallvec::SmallVec;

use crate::catalogue::{
    Catalogue, NO_LADDER, NUMBER_LIMIT, Outcome, id, invalid, number, time, unknown, within,
};
use crate::crews::{Agent, Crews, Hand, NO_AGENT};
use crate::hash::{Folder, Tag, digest};
use crate::lanes::{Entry, Lanes, NOWHERE, OWN_CREDIT, Terms, TermsKey};
use crate::lines::{NO_SLOT, Slot};
use crate::loads::{IDLE, Loads};
use crate::order::Place;
use crate::pages::Pages;
use crate::ranked::Ranked;
use crate::shelves::Shelves;
use crate::slab::Slab;
use crate::table::Table;
use crate::timers::Timers;

/// Stands where an agent's id could.
pub const NOBODY: i64 = -1;

/// The timers' kinds, in the order that matters at one instant.
pub(crate) const RING: u32 = 0;
const PREFERENCE: u32 = 1;
const PRESSING: u32 = 2;

/// Past so many contacts to look at, the next match looks at the agents with room instead.
const DIRTY_CONTACTS_MAX: usize = 4096;

/// Several agents hold the contact: see its exceptions.
const SEVERAL: u32 = NO_AGENT - 1;

/// What a contact is, beside its id.
#[derive(Clone, Copy)]
pub(crate) struct Card {
    pub(crate) effective_ns: i64,
    pub(crate) terms: u32,
    /// NOWHERE when it has no exceptions.
    pub(crate) exceptions: u32,
}

/// A contact as the table keeps it, wherever it is.
#[derive(Clone, Copy, Default)]
pub(crate) struct Kept {
    effective_ns: i64,
    /// And EXCEPTIONAL where `exceptions_of` has more, WAITING while it waits.
    terms: u32,
    /// Its slot in its lane while it waits; else the one agent who has it, `NO_AGENT`, or SEVERAL.
    place: u32,
}

/// Beside the terms of a contact that has exceptions.
const EXCEPTIONAL: u32 = 1 << 31;

/// Beside the terms of a contact that waits.
const WAITING: u32 = 1 << 30;

/// A contact wherever it is.
#[derive(Clone, Copy)]
pub(crate) struct Contact {
    pub(crate) id: u64,
    pub(crate) card: Card,
    pub(crate) waiting: bool,
    holder: u32,
    /// Where it waits in its lane, as far as is known.
    slot: Slot,
}

/// What a contact has of its own, beyond its lane.
#[derive(Default)]
pub(crate) struct Exceptions {
    credit_ns: i64,
    pub(crate) preferred: Option<u64>,
    preferred_until_ns: i64,
    pub(crate) excluded: SmallVec<[u64; 2]>,
    holders: Vec<u32>,
    pub(crate) pressing: bool,
    /// The agent who drains for it.
    pub(crate) reserved: Option<u32>,
    /// It waits with its preferred agent instead of in its lane.
    pub(crate) private: bool,
}

/// What `Queue::enqueue` is told.
#[derive(Clone, Debug)]
pub struct Enqueue {
    pub contact: i64,
    pub requirement: i64,
    pub order: i64,
    pub queued_ns: i64,
    pub credit_ns: i64,
    pub priority: i64,
    pub rate: i64,
    pub ladder: i64,
    pub rung: i64,
    pub preferred: i64,
    pub preferred_until_ns: i64,
    pub excluded: Vec<i64>,
    pub waiting: bool,
}

impl Enqueue {
    /// A contact without peculiarities.
    #[must_use]
    pub fn plain(contact: i64, requirement: i64, order: i64, queued_ns: i64) -> Self {
        Self {
            contact,
            requirement,
            order,
            queued_ns,
            credit_ns: 0,
            priority: 0,
            rate: 1000,
            ladder: -1,
            rung: 0,
            preferred: NOBODY,
            preferred_until_ns: 0,
            excluded: Vec::new(),
            waiting: true,
        }
    }
}

/// What `Queue::change` is told; None leaves as it is.
#[derive(Clone, Default, Debug)]
pub struct Change {
    pub requirement: Option<i64>,
    pub order: Option<i64>,
    pub priority: Option<i64>,
    pub rate: Option<i64>,
    pub credit_ns: Option<i64>,
    pub ladder: Option<i64>,
    pub rung: Option<i64>,
}

/// The matching queue.
#[derive(Default)]
pub struct Queue {
    pub(crate) catalogue: Catalogue,
    pub(crate) contacts: Pages<Kept>,
    waiting_n: usize,
    pub(crate) exceptions: Slab<Exceptions>,
    /// By contact, of those that have any.
    exceptions_of: Table<u32>,
    pub(crate) lanes: Lanes,
    pub(crate) shelves: Shelves,
    pub(crate) agents: Slab<Agent>,
    pub(crate) agent_of: Pages<u32>,
    pub(crate) loads: Loads,
    pub(crate) crews: Crews,
    timers: Timers,
    /// By preferred agent, here or not: who waits and prefers them.
    pub(crate) prefers: HashMap<u64, Vec<u64>, BuildHasherDefault<Folder>>,
    /// By lane: who waits past the wait for a reservation and has none.
    pub(crate) pressing: BTreeMap<u32, Ranked<(i64, u64)>>,
    pub(crate) reserved: Vec<u32>,
    pub(crate) dirty_agents: Vec<u32>,
    pub(crate) dirty_contacts: Vec<u64>,
    pub(crate) dirty_everyone: bool,
    turn: u64,
    digest: u64,
}

// Interning.
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
    fn look_at_all_agents(&mut self) {
        let all: Vec<u32> = self.agents.iter().map(|(at, _)| at).collect();
        for at in all {
            self.touch(at);
        }
    }
}

// Agents.
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
    fn amend(&mut self, at: u32, change: impl FnOnce(&mut Agent)) {
        self.touch(at);
        change(&mut self.agents[at]);
    }

    fn agent_digest(&self, one: &Agent) -> u64 {
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

// Contacts.
impl Queue {
    pub fn enqueue(&mut self, told: &Enqueue) -> Outcome<()> {
        let contact = id("contact", told.contact)?;
        let mut key = TermsKey {
            requirement: self.catalogue.check_requirement(told.requirement)?,
            order: self.catalogue.check_order(told.order)?,
            priority: 0,
            rate: 0,
            credit_ns: 0,
            ladder: NO_LADDER,
            rung: 0,
        };
        let queued_ns = time("queued_ns", told.queued_ns)?;
        let credit_ns = time("credit_ns", told.credit_ns)?;
        key.priority = number("priority", told.priority, 1 - NUMBER_LIMIT)? as i32;
        key.rate = number("rate", told.rate, 1)? as u32;
        (key.ladder, key.rung) = self.catalogue.check_rung(told.ladder, told.rung)?;
        let preferred = within("preferred", told.preferred, NOBODY, crate::catalogue::ID_LIMIT)?;
        let until_ns = time("preferred_until_ns", told.preferred_until_ns)?;
        for agent in &told.excluded {
            id("excluded", *agent)?;
        }
        if self.find(contact).is_some() {
            return invalid(format!("contact {contact} is here already"));
        }
        key.credit_ns = self.lanes.credit_class(credit_ns);
        let terms = self.terms(key);
        self.lanes.join(terms);
        let card = Card {
            effective_ns: queued_ns - credit_ns,
            terms,
            exceptions: NOWHERE,
        };
        let mut one = Contact {
            id: contact,
            card,
            waiting: told.waiting,
            holder: NO_AGENT,
            slot: NO_SLOT,
        };
        if key.credit_ns == OWN_CREDIT || preferred != NOBODY || !told.excluded.is_empty() {
            self.except(&mut one).credit_ns = credit_ns;
        }
        if preferred != NOBODY {
            let own = self.except(&mut one);
            (own.preferred, own.preferred_until_ns) = (Some(preferred as u64), until_ns);
            self.timers.schedule(PREFERENCE, contact, until_ns);
        }
        for agent in &told.excluded {
            self.add_excluded(&mut one, *agent as u64);
        }
        self.digest = self.digest.wrapping_add(self.contact_digest(&one));
        if self.lanes.terms[terms as usize].timed {
            self.schedule_ring(&one);
            self.schedule_pressing(&one);
        }
        if told.waiting {
            self.start_waiting(&mut one);
        } else {
            self.keep(&one);
        }
        Ok(())
    }

    pub fn requeue(&mut self, contact: i64, now_ns: i64) -> Outcome<()> {
        let one = self.contact(contact)?;
        time("now_ns", now_ns)?;
        if one.waiting {
            return Ok(());
        }
        for at in self.holders_of(&one) {
            self.take_back(one.id, at, now_ns);
        }
        self.wait_again(one.id);
        Ok(())
    }

    pub fn drop(&mut self, contact: i64, now_ns: i64) -> Outcome<()> {
        let mut one = self.contact(contact)?;
        time("now_ns", now_ns)?;
        if one.waiting {
            self.stop_waiting(&mut one);
            self.contacts.remove(one.id);
            self.forget_rules(&one);
            return Ok(());
        }
        for at in self.holders_of(&one) {
            let hand = self.take_hand(one.id, at);
            if !hand.tentative {
                self.amend(at, |agent| agent.since_ns = now_ns);
            }
        }
        self.forget(one.id);
        Ok(())
    }

    pub fn change(&mut self, contact: i64, told: &Change) -> Outcome<()> {
        let mut one = self.contact(contact)?;
        let was = self.key_of(&one);
        let mut key = was;
        if let Some(requirement) = told.requirement {
            key.requirement = self.catalogue.check_requirement(requirement)?;
        }
        if let Some(order) = told.order {
            key.order = self.catalogue.check_order(order)?;
        }
        if let Some(priority) = told.priority {
            key.priority = number("priority", priority, 1 - NUMBER_LIMIT)? as i32;
        }
        if let Some(rate) = told.rate {
            key.rate = number("rate", rate, 1)? as u32;
        }
        let mut credit_ns = self.credit_ns(&one);
        let queued_ns = one.card.effective_ns + credit_ns;
        if let Some(new_ns) = told.credit_ns {
            credit_ns = time("credit_ns", new_ns)?;
        }
        let kept_ladder = if was.ladder == NO_LADDER {
            -1
        } else {
            i64::from(was.ladder)
        };
        let kept_rung = if told.ladder.is_some() {
            0
        } else {
            i64::from(was.rung)
        };
        let (ladder, rung) = (told.ladder.unwrap_or(kept_ladder), told.rung.unwrap_or(kept_rung));
        (key.ladder, key.rung) = self.catalogue.check_rung(ladder, rung)?;
        if told.credit_ns.is_some() {
            key.credit_ns = self.lanes.credit_class(credit_ns);
        }

        self.change_contact(&mut one, |queue, one| {
            if told.credit_ns.is_some() {
                if key.credit_ns == OWN_CREDIT || one.card.exceptions != NOWHERE {
                    queue.except(one).credit_ns = credit_ns;
                }
                one.card.effective_ns = queued_ns - credit_ns;
            }
            queue.move_to(one, key);
            if told.order.is_some() && one.card.exceptions != NOWHERE {
                queue.except(one).pressing = false;
            }
        });
        if told.ladder.is_some() || told.rung.is_some() {
            self.timers.cancel(RING, one.id);
            self.schedule_ring(&one);
        }
        if told.order.is_some() {
            self.timers.cancel(PRESSING, one.id);
            self.schedule_pressing(&one);
        }
        Ok(())
    }

    pub fn prefer(&mut self, contact: i64, agent: i64, until_ns: i64) -> Outcome<()> {
        let mut one = self.contact(contact)?;
        let agent = within("preferred", agent, NOBODY, crate::catalogue::ID_LIMIT)?;
        time("until_ns", until_ns)?;
        if agent == NOBODY && one.card.exceptions == NOWHERE {
            return Ok(());
        }
        self.change_contact(&mut one, |queue, one| {
            let own = queue.except(one);
            own.preferred = u64::try_from(agent).ok();
            own.preferred_until_ns = if agent == NOBODY { 0 } else { until_ns };
        });
        self.timers.cancel(PREFERENCE, one.id);
        if agent != NOBODY {
            self.timers.schedule(PREFERENCE, one.id, until_ns);
        }
        Ok(())
    }

    pub fn exclude(&mut self, contact: i64, agent: i64) -> Outcome<()> {
        let mut one = self.contact(contact)?;
        let agent = id("excluded", agent)?;
        self.change_contact(&mut one, |queue, one| queue.add_excluded(one, agent));
        Ok(())
    }

    #[inline]
    pub(crate) fn find(&self, contact: u64) -> Option<Contact> {
        let Kept {
            effective_ns,
            terms,
            place,
        } = self.contacts.get(contact)?;
        let waiting = terms & WAITING != 0;
        let (holder, slot) = if waiting {
            (NO_AGENT, place)
        } else {
            (place, NO_SLOT)
        };
        let exceptions = if terms & EXCEPTIONAL == 0 {
            NOWHERE
        } else {
            self.exceptions_of.get(contact).unwrap_or(NOWHERE)
        };
        let card = Card {
            effective_ns,
            terms: terms & !(EXCEPTIONAL | WAITING),
            exceptions,
        };
        Some(Contact {
            id: contact,
            card,
            waiting,
            holder,
            slot,
        })
    }

    /// Where a contact waits in its lane, as far as is known.
    pub(crate) fn slot_of(&self, contact: u64) -> Option<Slot> {
        let kept = self.contacts.get(contact)?;
        (kept.terms & WAITING != 0 && kept.place != NO_SLOT).then_some(kept.place)
    }

    /// Writes a contact back, and what whoever has it knows about it.
    fn keep(&mut self, one: &Contact) {
        self.write(one);
        if !one.waiting && one.holder < SEVERAL {
            let terms = if one.card.exceptions == NOWHERE {
                one.card.terms
            } else {
                NOWHERE
            };
            let hands = &mut self.agents[one.holder].hands;
            if let Some(hand) = hands.iter_mut().find(|hand| hand.contact == one.id) {
                (hand.terms, hand.effective_ns) = (terms, one.card.effective_ns);
            }
        }
    }

    /// The table's half of `keep`.
    #[inline]
    fn write(&mut self, one: &Contact) {
        let (state, place) = if one.waiting {
            (WAITING, one.slot)
        } else {
            (0, one.holder)
        };
        let Card {
            effective_ns,
            mut terms,
            exceptions,
        } = one.card;
        terms |= state;
        if exceptions != NOWHERE {
            terms |= EXCEPTIONAL;
        }
        let kept = Kept {
            effective_ns,
            terms,
            place,
        };
        self.contacts.set(one.id, kept);
    }

    pub(crate) fn contact(&self, contact: i64) -> Outcome<Contact> {
        let known = u64::try_from(contact).ok().and_then(|contact| self.find(contact));
        known.map_or_else(|| unknown("contact", contact), Ok)
    }

    #[inline]
    pub(crate) fn terms_of(&self, one: &Contact) -> &Terms {
        &self.lanes.terms[one.card.terms as usize]
    }

    #[inline]
    fn lane_of(&self, one: &Contact) -> u32 {
        self.terms_of(one).lane
    }

    /// The contact that an entry of a lane stands for.
    #[inline]
    pub(crate) fn contact_of(&self, lane: u32, entry: Entry) -> Option<Contact> {
        if entry.odd() {
            return self.find(entry.contact());
        }
        Some(Contact {
            id: entry.contact(),
            card: Card {
                effective_ns: entry.effective_ns,
                terms: self.lanes.lanes[lane as usize].terms,
                exceptions: NOWHERE,
            },
            waiting: true,
            holder: NO_AGENT,
            slot: NO_SLOT,
        })
    }

    #[inline]
    pub(crate) fn key_of(&self, one: &Contact) -> TermsKey {
        self.lanes.terms[one.card.terms as usize].key
    }

    pub(crate) fn own(&self, one: &Contact) -> Option<&Exceptions> {
        (one.card.exceptions != NOWHERE).then(|| &self.exceptions[one.card.exceptions])
    }

    pub(crate) fn place(&self, one: &Contact, now_ns: i64) -> Place {
        let key = self.key_of(one);
        Place::new(key.priority, key.rate, one.card.effective_ns, one.id, now_ns)
    }

    /// The agent, present and not excluded, for whom alone a contact is.
    pub(crate) fn kept_for(&self, one: &Contact) -> Option<u32> {
        let own = self.own(one)?;
        let preferred = own.preferred?;
        if own.excluded.contains(&preferred) {
            return None;
        }
        self.agent_of.get(preferred)
    }

    fn credit_ns(&self, one: &Contact) -> i64 {
        let credit_ns = self.key_of(one).credit_ns;
        if credit_ns != OWN_CREDIT {
            return credit_ns;
        }
        self.own(one).map_or(0, |own| own.credit_ns)
    }

    fn terms(&mut self, key: TermsKey) -> u32 {
        let (terms, new_stall) = self.lanes.find(key, &self.catalogue);
        if let Some(stall) = new_stall {
            self.shelves.learn_stall(stall, &self.catalogue, &self.lanes);
        }
        terms
    }

    fn except(&mut self, one: &mut Contact) -> &mut Exceptions {
        if one.card.exceptions == NOWHERE {
            one.card.exceptions = self.exceptions.add(Exceptions::default());
            self.exceptions_of.set(one.id, one.card.exceptions);
        }
        &mut self.exceptions[one.card.exceptions]
    }

    fn add_excluded(&mut self, one: &mut Contact, agent: u64) {
        let contact = one.id;
        let own = self.except(one);
        if !own.excluded.contains(&agent) {
            own.excluded.push(agent);
            self.digest = self
                .digest
                .wrapping_add(digest(Tag::Excluded, [contact, agent, 0, 0, 0, 0]));
        }
    }

    #[inline]
    fn contact_digest(&self, one: &Contact) -> u64 {
        let terms = self.terms_of(one);
        if one.card.exceptions == NOWHERE {
            let credit_ns = terms.key.credit_ns;
            let queued_ns = one.card.effective_ns + credit_ns;
            let parts = [
                one.id,
                terms.hash,
                queued_ns as u64,
                credit_ns as u64,
                terms.rest_hash,
                0,
            ];
            return digest(Tag::Contact, parts);
        }
        self.exceptional_digest(one)
    }

    fn exceptional_digest(&self, one: &Contact) -> u64 {
        let terms = self.terms_of(one);
        let credit_ns = self.credit_ns(one);
        let rest = self.own(one).map_or(terms.rest_hash, |own| {
            let ladder = self.catalogue.ladder_hash(terms.key.ladder);
            let preferred = own.preferred.unwrap_or(NOBODY as u64);
            let until = own.preferred_until_ns as u64;
            digest(
                Tag::Rest,
                [
                    ladder,
                    u64::from(terms.key.rung),
                    preferred,
                    until,
                    u64::from(own.pressing),
                    0,
                ],
            )
        });
        let queued = (one.card.effective_ns + credit_ns) as u64;
        digest(
            Tag::Contact,
            [one.id, terms.hash, queued, credit_ns as u64, rest, 0],
        )
    }

    /// Changes a contact while it is out of every list, and puts it back. Its reservation ends.
    fn change_contact(&mut self, one: &mut Contact, change: impl FnOnce(&mut Self, &mut Contact)) {
        self.end_reservation(one);
        if one.waiting {
            self.unfile(one);
        }
        let before = self.contact_digest(one);
        change(self, one);
        let after = self.contact_digest(one);
        self.digest = self.digest.wrapping_add(after).wrapping_sub(before);
        if one.waiting {
            self.file(one);
        }
        self.keep(one);
    }

    fn move_to(&mut self, one: &mut Contact, key: TermsKey) {
        let terms = self.terms(key);
        self.lanes.join(terms);
        self.lanes.leave(one.card.terms);
        one.card.terms = terms;
    }

    /// Puts a waiting contact where agents look for it; the caller writes down where that is.
    fn file(&mut self, one: &mut Contact) {
        if one.card.exceptions != NOWHERE {
            let private = self.kept_for(one);
            let own = &mut self.exceptions[one.card.exceptions];
            own.private = private.is_some();
            if let Some(preferred) = own.preferred {
                self.prefers.entry(preferred).or_default().push(one.id);
            }
            if own.pressing && own.reserved.is_none() {
                self.press(one);
            }
            if private.is_some() {
                self.look_at_contact(one.id);
                return;
            }
        }
        let Card {
            effective_ns,
            terms,
            exceptions,
        } = one.card;
        let exceptional = exceptions != NOWHERE;
        let (slot, changed) = self.lanes.insert(terms, effective_ns, one.id, exceptional);
        one.slot = slot;
        self.shelve(changed);
        self.look_at_contact(one.id);
    }

    fn unfile(&mut self, one: &Contact) {
        if one.card.exceptions != NOWHERE {
            let own = &mut self.exceptions[one.card.exceptions];
            if let Some(preferred) = own.preferred
                && let Some(preferring) = self.prefers.get_mut(&preferred)
            {
                preferring.retain(|other| *other != one.id);
                if preferring.is_empty() {
                    self.prefers.remove(&preferred);
                }
            }
            if own.pressing && own.reserved.is_none() {
                self.unpress(one);
            }
            let own = &mut self.exceptions[one.card.exceptions];
            if std::mem::take(&mut own.private) {
                return;
            }
        }
        let Card {
            effective_ns,
            terms,
            exceptions,
        } = one.card;
        let exceptional = exceptions != NOWHERE;
        let changed = self
            .lanes
            .remove(terms, effective_ns, one.id, exceptional, one.slot);
        self.shelve(changed);
    }

    #[inline]
    fn shelve(&mut self, changed: Option<u32>) {
        if let Some(stall) = changed {
            self.shelves.head_changed(stall, &self.lanes);
        }
    }

    /// Notes a contact for the next match, where somebody is there who might take it: agents who come to have
    /// room, or changed already, will themselves look at all who wait.
    fn look_at_contact(&mut self, contact: u64) {
        if self.dirty_everyone || (self.crews.filed_n == 0 && self.reserved.is_empty()) {
            return;
        }
        if self.dirty_contacts.len() >= DIRTY_CONTACTS_MAX {
            self.dirty_everyone = true;
            self.dirty_contacts = Vec::new();
            return;
        }
        self.dirty_contacts.push(contact);
    }

    /// When an agent comes or goes, those who prefer them wait elsewhere.
    fn refile_preferring(&mut self, agent: u64) {
        let Some(preferring) = self.prefers.get(&agent).cloned() else {
            return;
        };
        for contact in preferring {
            if let Some(mut one) = self.find(contact) {
                self.unfile(&one);
                self.file(&mut one);
                self.write(&one);
            }
        }
    }

    #[inline]
    fn start_waiting(&mut self, one: &mut Contact) {
        one.waiting = true;
        self.file(one);
        self.keep(one);
        self.waiting_n += 1;
        self.digest = self.digest.wrapping_add(waiting_digest(one.id));
    }

    fn wait_again(&mut self, contact: u64) {
        if let Some(mut one) = self.find(contact) {
            one.holder = NO_AGENT;
            self.start_waiting(&mut one);
        }
    }

    /// Takes a waiting contact out of the lists, for whoever is to have it; the table is left to them.
    #[inline]
    fn stop_waiting(&mut self, one: &mut Contact) {
        self.end_reservation(one);
        self.unfile(one);
        self.waiting_n -= 1;
        self.digest = self.digest.wrapping_sub(waiting_digest(one.id));
        one.waiting = false;
        one.holder = NO_AGENT;
    }

    fn forget(&mut self, contact: u64) {
        let Some(one) = self.find(contact) else { return };
        self.contacts.remove(contact);
        self.forget_rules(&one);
    }

    /// Forgets what a contact, in no table any more, had besides.
    fn forget_rules(&mut self, one: &Contact) {
        let contact = one.id;
        self.digest = self.digest.wrapping_sub(self.contact_digest(one));
        if self.terms_of(one).timed {
            self.timers.cancel(RING, contact);
            self.timers.cancel(PRESSING, contact);
        }
        if one.card.exceptions != NOWHERE
            && let Some(own) = self.exceptions.remove(one.card.exceptions)
        {
            self.exceptions_of.remove(contact);
            if own.preferred.is_some() {
                self.timers.cancel(PREFERENCE, contact);
            }
            for agent in own.excluded {
                self.digest = self
                    .digest
                    .wrapping_sub(digest(Tag::Excluded, [contact, agent, 0, 0, 0, 0]));
            }
        }
        self.lanes.leave(one.card.terms);
    }
}

fn waiting_digest(contact: u64) -> u64 {
    digest(Tag::Waiting, [contact, 0, 0, 0, 0, 0])
}

// Time.
impl Queue {
    /// # Errors
    /// `Invalid` for a time out of range.
    pub fn advance(&mut self, now_ns: i64) -> Outcome<Vec<(u64, u32)>> {
        time("now_ns", now_ns)?;
        let mut passed = Vec::new();
        while let Some((_, kind, contact)) = self.timers.pop_one(now_ns) {
            let Some(mut one) = self.find(contact) else {
                continue;
            };
            match kind {
                RING => passed.extend(self.pass_rung(&mut one).map(|rung| (contact, rung))),
                PREFERENCE => self.change_preference_over(&mut one),
                _ => self.start_pressing(&mut one),
            }
        }
        Ok(passed)
    }

    fn pass_rung(&mut self, one: &mut Contact) -> Option<u32> {
        let mut key = self.key_of(one);
        let (_, requirement, added) = self.catalogue.rung_at(key.ladder, key.rung)?;
        key.requirement = requirement;
        key.priority = (i64::from(key.priority) + added).clamp(1 - NUMBER_LIMIT, NUMBER_LIMIT - 1) as i32;
        key.rung += 1;
        self.change_contact(one, |queue, one| queue.move_to(one, key));
        self.schedule_ring(one);
        Some(key.rung)
    }

    /// A preference that is over leaves a reservation alone: it only lets more agents in.
    fn change_preference_over(&mut self, one: &mut Contact) {
        let before = self.contact_digest(one);
        if one.waiting {
            self.unfile(one);
        }
        let own = self.except(one);
        (own.preferred, own.preferred_until_ns) = (None, 0);
        let after = self.contact_digest(one);
        self.digest = self.digest.wrapping_add(after).wrapping_sub(before);
        if one.waiting {
            self.file(one);
            self.write(one);
        }
    }

    fn start_pressing(&mut self, one: &mut Contact) {
        let before = self.contact_digest(one);
        if one.waiting {
            self.unfile(one);
        }
        let credit_ns = self.credit_ns(one);
        let own = self.except(one);
        own.credit_ns = credit_ns;
        own.pressing = true;
        let after = self.contact_digest(one);
        self.digest = self.digest.wrapping_add(after).wrapping_sub(before);
        if one.waiting {
            self.file(one);
        }
        self.keep(one);
    }

    #[must_use]
    pub fn next_deadline_ns(&self) -> i64 {
        self.timers.next_deadline_ns()
    }

    fn schedule_ring(&mut self, one: &Contact) {
        let key = self.key_of(one);
        if let Some((after_ns, _, _)) = self.catalogue.rung_at(key.ladder, key.rung) {
            let queued_ns = one.card.effective_ns + self.credit_ns(one);
            self.timers.schedule(RING, one.id, queued_ns + after_ns);
        }
    }

    fn schedule_pressing(&mut self, one: &Contact) {
        let after_ns = self.catalogue.order_at(self.key_of(one).order).reserve_after_ns;
        if after_ns != crate::timers::NEVER_NS {
            let queued_ns = one.card.effective_ns + self.credit_ns(one);
            self.timers.schedule(PRESSING, one.id, queued_ns + after_ns);
        }
    }
}

// Hands.
impl Queue {
    pub fn accept(&mut self, contact: i64, agent: i64, now_ns: i64) -> Outcome<Vec<u64>> {
        let (one, at) = self.holding(contact, agent)?;
        time("now_ns", now_ns)?;
        let tentative =
            |queue: &Self, other: u32| queue.hand(one.id, other).is_some_and(|hand| hand.tentative);
        let mut lost = self.holders_of(&one);
        lost.retain(|other| *other != at && tentative(self, *other));
        for other in &lost {
            self.take_hand(one.id, *other);
        }
        if let Some(mut hand) = self.hand(one.id, at)
            && hand.tentative
        {
            self.digest = self.digest.wrapping_sub(hand.digest);
            hand.tentative = false;
            hand.digest = self.hand_digest(at, &hand);
            self.digest = self.digest.wrapping_add(hand.digest);
            if let Some(kept) = self.agents[at]
                .hands
                .iter_mut()
                .find(|kept| kept.contact == one.id)
            {
                *kept = hand;
            }
            self.touch(at);
            self.stamp(at, now_ns);
        }
        let mut lost: Vec<u64> = lost.iter().map(|other| self.agents[*other].id).collect();
        lost.sort_unstable();
        Ok(lost)
    }

    pub fn give_back(&mut self, contact: i64, agent: i64, now_ns: i64, exclude: bool) -> Outcome<bool> {
        let (one, at) = self.holding(contact, agent)?;
        time("now_ns", now_ns)?;
        self.take_back(one.id, at, now_ns);
        if exclude && let Some(mut one) = self.find(one.id) {
            let agent = self.agents[at].id;
            self.change_contact(&mut one, |queue, one| queue.add_excluded(one, agent));
        }
        let alone = self.find(one.id).is_some_and(|one| one.holder == NO_AGENT);
        if alone {
            self.wait_again(one.id);
        }
        Ok(alone)
    }

    pub fn finish(&mut self, contact: i64, agent: i64, now_ns: i64) -> Outcome<()> {
        let (one, at) = self.holding(contact, agent)?;
        time("now_ns", now_ns)?;
        self.drop_hand(one.id, at);
        self.agents[at].since_ns = now_ns;
        if one.holder == at {
            self.contacts.remove(one.id);
            self.forget_rules(&one);
        } else {
            self.release(one.id, at);
        }
        Ok(())
    }

    pub fn assign(&mut self, contact: i64, agent: i64, now_ns: i64) -> Outcome<()> {
        let (mut one, at) = self.not_holding(contact, agent)?;
        time("now_ns", now_ns)?;
        if one.waiting {
            self.stop_waiting(&mut one);
        }
        self.put(&mut one, at, false);
        self.stamp(at, now_ns);
        Ok(())
    }

    pub fn hold(
        &mut self,
        contact: i64,
        agent: i64,
        medium: i64,
        units: i64,
        tentative: bool,
    ) -> Outcome<()> {
        let (mut one, at) = self.not_holding(contact, agent)?;
        let medium = self.catalogue.check_medium(medium)?;
        let units = number("units", units, 0)?;
        if one.waiting {
            self.stop_waiting(&mut one);
        }
        let hand = Hand {
            contact: one.id,
            digest: 0,
            effective_ns: one.card.effective_ns,
            terms: NOWHERE,
            units: units as u32,
            medium: medium as u16,
            tentative,
        };
        self.put_hand(&mut one, at, hand);
        Ok(())
    }

    /// (contact, medium, units, tentative) of what an agent has in hand, ascending.
    pub fn hands(&self, agent: i64) -> Outcome<Vec<(u64, u32, u32, bool)>> {
        let one = &self.agents[self.agent(agent)?];
        let told = |hand: &Hand| (hand.contact, u32::from(hand.medium), hand.units, hand.tentative);
        let mut hands: Vec<_> = one.hands.iter().map(told).collect();
        hands.sort_unstable();
        Ok(hands)
    }

    /// Puts a contact, waiting until now, into the hands of the agents chosen for it.
    pub(crate) fn give(&mut self, one: &mut Contact, agents: &[u32], now_ns: i64) {
        let tentative = self.terms_of(one).to_several;
        self.stop_waiting(one);
        for at in agents {
            self.put(one, *at, tentative);
            if !tentative {
                self.stamp(*at, now_ns);
            }
        }
    }

    fn put(&mut self, one: &mut Contact, at: u32, tentative: bool) {
        let terms = self.terms_of(one);
        let (medium, units) = (terms.medium, terms.units);
        self.put_hand(
            one,
            at,
            Hand {
                contact: one.id,
                digest: 0,
                effective_ns: one.card.effective_ns,
                terms: NOWHERE,
                units,
                medium,
                tentative,
            },
        );
    }

    fn put_hand(&mut self, one: &mut Contact, at: u32, mut hand: Hand) {
        self.touch(at);
        hand.digest = self.hand_digest(at, &hand);
        self.digest = self.digest.wrapping_add(hand.digest);
        if one.holder == NO_AGENT && one.card.exceptions == NOWHERE {
            hand.terms = one.card.terms;
        }
        let agent = &mut self.agents[at];
        agent.hands.push(hand);
        agent.load = self
            .loads
            .step(agent.load, u32::from(hand.medium), i64::from(hand.units), 1);
        if one.holder == NO_AGENT {
            one.holder = at;
        } else {
            self.share(one, at);
        }
        self.write(one);
    }

    /// One more agent has a contact.
    fn share(&mut self, one: &mut Contact, at: u32) {
        let first = (one.holder != SEVERAL).then_some(one.holder);
        one.holder = SEVERAL;
        let credit_ns = self.credit_ns(one);
        let own = self.except(one);
        own.credit_ns = credit_ns;
        own.holders.extend(first);
        own.holders.push(at);
        if let Some(first) = first
            && let Some(hand) = self.agents[first]
                .hands
                .iter_mut()
                .find(|hand| hand.contact == one.id)
        {
            hand.terms = NOWHERE;
        }
    }

    /// Takes a contact out of an agent's hands; it stays held, by whoever else has it.
    fn take_hand(&mut self, contact: u64, at: u32) -> Hand {
        let hand = self.drop_hand(contact, at);
        self.release(contact, at);
        hand
    }

    /// The agent's half of `take_hand`.
    fn drop_hand(&mut self, contact: u64, at: u32) -> Hand {
        self.touch(at);
        let agent = &mut self.agents[at];
        let Some(place) = agent.hands.iter().position(|hand| hand.contact == contact) else {
            unreachable!(
                "agent {} was to give contact {contact}, which they do not hold",
                agent.id
            )
        };
        let hand = agent.hands.remove(place);
        agent.load = self
            .loads
            .step(agent.load, u32::from(hand.medium), i64::from(hand.units), -1);
        self.digest = self.digest.wrapping_sub(hand.digest);
        hand
    }

    /// The contact's half of `take_hand`.
    fn release(&mut self, contact: u64, at: u32) {
        let Some(mut one) = self.find(contact) else {
            return;
        };
        if one.holder == SEVERAL {
            let holders = &mut self.exceptions[one.card.exceptions].holders;
            holders.retain(|other| *other != at);
            if let [last] = holders[..] {
                holders.clear();
                one.holder = last;
            }
        } else {
            one.holder = NO_AGENT;
        }
        self.keep(&one);
    }

    fn take_back(&mut self, contact: u64, at: u32, now_ns: i64) {
        if !self.take_hand(contact, at).tentative {
            self.amend(at, |agent| {
                agent.since_ns = now_ns;
                agent.given = agent.given.saturating_sub(1);
            });
        }
    }

    /// A contact is the agent's for good: an offer to several stamps only who accepts it.
    fn stamp(&mut self, at: u32, now_ns: i64) {
        self.turn += 1;
        let agent = &mut self.agents[at];
        debug_assert!(
            agent.dirty,
            "an agent is stamped for what was just put into their hands"
        );
        agent.since_ns = now_ns;
        agent.given += 1;
        agent.turn = self.turn;
    }

    fn hand(&self, contact: u64, at: u32) -> Option<Hand> {
        self.agents[at]
            .hands
            .iter()
            .find(|hand| hand.contact == contact)
            .copied()
    }

    fn hand_digest(&self, at: u32, hand: &Hand) -> u64 {
        let medium = self.catalogue.medium_hash(u32::from(hand.medium));
        let (units, tentative) = (u64::from(hand.units), u64::from(hand.tentative));
        digest(
            Tag::Hold,
            [self.agents[at].id, hand.contact, medium, units, tentative, 0],
        )
    }

    #[inline]
    fn holding(&self, contact: i64, agent: i64) -> Outcome<(Contact, u32)> {
        // Mostly the agent's hands tell all about the contact, so that the table need not be read.
        if agent >= 0
            && let Some(at) = self.agent_of.get(agent as u64)
            && let Some(hand) = self.agents[at]
                .hands
                .iter()
                .find(|hand| hand.contact as i64 == contact)
            && hand.terms != NOWHERE
        {
            let card = Card {
                effective_ns: hand.effective_ns,
                terms: hand.terms,
                exceptions: NOWHERE,
            };
            let one = Contact {
                id: hand.contact,
                card,
                waiting: false,
                holder: at,
                slot: NO_SLOT,
            };
            return Ok((one, at));
        }
        self.holding_by_table(contact, agent)
    }

    fn holding_by_table(&self, contact: i64, agent: i64) -> Outcome<(Contact, u32)> {
        let one = self.contact(contact)?;
        let at = self.agent(agent)?;
        if !one.waiting && self.hand(one.id, at).is_some() {
            return Ok((one, at));
        }
        invalid(format!("agent {agent} does not have contact {contact}"))
    }

    fn not_holding(&self, contact: i64, agent: i64) -> Outcome<(Contact, u32)> {
        let (one, at) = (self.contact(contact)?, self.agent(agent)?);
        if self.hand(one.id, at).is_some() {
            return invalid(format!("agent {agent} has contact {contact} already"));
        }
        Ok((one, at))
    }

    pub(crate) fn holders_of(&self, one: &Contact) -> Vec<u32> {
        match one.holder {
            NO_AGENT => Vec::new(),
            SEVERAL => self.exceptions[one.card.exceptions].holders.clone(),
            at => vec![at],
        }
    }
}

// Reservations: the state of them; when they are made is in `matching.rs`.
impl Queue {
    fn press(&mut self, one: &Contact) {
        self.pressing
            .entry(self.lane_of(one))
            .or_default()
            .insert((one.card.effective_ns, one.id));
    }

    fn unpress(&mut self, one: &Contact) {
        let lane = self.lane_of(one);
        if let Some(pressing) = self.pressing.get_mut(&lane) {
            pressing.remove((one.card.effective_ns, one.id));
            if pressing.is_empty() {
                self.pressing.remove(&lane);
            }
        }
    }

    pub(crate) fn reserve(&mut self, one: &Contact, at: u32) {
        self.end_reservation_of(at);
        self.unpress(one);
        self.exceptions[one.card.exceptions].reserved = Some(at);
        self.touch(at);
        self.agents[at].reserver = Some(one.id);
        self.reserved.push(at);
        self.digest = self.digest.wrapping_add(self.reserved_digest(one.id, at));
    }

    #[inline]
    fn end_reservation(&mut self, one: &Contact) {
        if one.card.exceptions != NOWHERE {
            self.end_reservation_for(one);
        }
    }

    fn end_reservation_for(&mut self, one: &Contact) {
        if let Some(at) = self.exceptions[one.card.exceptions].reserved.take() {
            self.digest = self.digest.wrapping_sub(self.reserved_digest(one.id, at));
            self.agents[at].reserver = None;
            self.reserved.retain(|other| *other != at);
            self.touch(at);
            self.press(one);
        }
    }

    fn end_reservation_of(&mut self, at: u32) {
        if let Some(reserver) = self.agents[at].reserver
            && let Some(one) = self.find(reserver)
        {
            self.end_reservation(&one);
        }
    }

    fn reserved_digest(&self, contact: u64, at: u32) -> u64 {
        digest(Tag::Reserved, [self.agents[at].id, contact, 0, 0, 0, 0])
    }
}

// Questions with short answers; the long ones are in `explain.rs`.
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
