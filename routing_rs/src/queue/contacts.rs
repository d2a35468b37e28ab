//! Contacts: putting in, changing, taking out.

use super::{Card, Change, Contact, Enqueue, NOBODY, PREFERENCE, PRESSING, Queue, RING};
use crate::catalogue::NO_LADDER;
use crate::crews::NO_AGENT;
use crate::lanes::{NOWHERE, OWN_CREDIT, TermsKey};
use crate::lines::NO_SLOT;
use crate::refused::{ID_LIMIT, NUMBER_LIMIT, Outcome, id, invalid, number, time, within};

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
        let preferred = within("preferred", told.preferred, NOBODY, ID_LIMIT)?;
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
        let agent = within("preferred", agent, NOBODY, ID_LIMIT)?;
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
}
