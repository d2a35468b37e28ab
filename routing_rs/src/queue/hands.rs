//! What agents have in hand: accepted, given back, finished, assigned; tentative while offered to several.

use super::{Card, Contact, Queue, SEVERAL};
use crate::crews::{Hand, NO_AGENT};
use crate::hash::{Tag, digest};
use crate::lanes::NOWHERE;
use crate::lines::NO_SLOT;
use crate::refused::{Outcome, invalid, number, time};

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

    pub(super) fn put(&mut self, one: &mut Contact, at: u32, tentative: bool) {
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

    pub(super) fn put_hand(&mut self, one: &mut Contact, at: u32, mut hand: Hand) {
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
    pub(super) fn share(&mut self, one: &mut Contact, at: u32) {
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
    pub(super) fn take_hand(&mut self, contact: u64, at: u32) -> Hand {
        let hand = self.drop_hand(contact, at);
        self.release(contact, at);
        hand
    }

    /// The agent's half of `take_hand`.
    pub(super) fn drop_hand(&mut self, contact: u64, at: u32) -> Hand {
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
    pub(super) fn release(&mut self, contact: u64, at: u32) {
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

    pub(super) fn take_back(&mut self, contact: u64, at: u32, now_ns: i64) {
        if !self.take_hand(contact, at).tentative {
            self.amend(at, |agent| {
                agent.since_ns = now_ns;
                agent.given = agent.given.saturating_sub(1);
            });
        }
    }

    /// A contact is the agent's for good: an offer to several stamps only who accepts it.
    pub(super) fn stamp(&mut self, at: u32, now_ns: i64) {
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

    pub(super) fn hand(&self, contact: u64, at: u32) -> Option<Hand> {
        self.agents[at]
            .hands
            .iter()
            .find(|hand| hand.contact == contact)
            .copied()
    }

    pub(super) fn hand_digest(&self, at: u32, hand: &Hand) -> u64 {
        let medium = self.catalogue.medium_hash(u32::from(hand.medium));
        let (units, tentative) = (u64::from(hand.units), u64::from(hand.tentative));
        digest(
            Tag::Hold,
            [self.agents[at].id, hand.contact, medium, units, tentative, 0],
        )
    }

    #[inline]
    pub(super) fn holding(&self, contact: i64, agent: i64) -> Outcome<(Contact, u32)> {
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

    pub(super) fn holding_by_table(&self, contact: i64, agent: i64) -> Outcome<(Contact, u32)> {
        let one = self.contact(contact)?;
        let at = self.agent(agent)?;
        if !one.waiting && self.hand(one.id, at).is_some() {
            return Ok((one, at));
        }
        invalid(format!("agent {agent} does not have contact {contact}"))
    }

    pub(super) fn not_holding(&self, contact: i64, agent: i64) -> Outcome<(Contact, u32)> {
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
