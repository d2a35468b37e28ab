//! What is kept of a contact: its record, its exceptions, its part of the digest, where it waits.

use super::{
    Card, Contact, DIRTY_CONTACTS_MAX, EXCEPTIONAL, Exceptions, Kept, NOBODY, PREFERENCE, PRESSING, Queue,
    RING, SEVERAL, WAITING,
};
use crate::crews::NO_AGENT;
use crate::hash::{Tag, digest};
use crate::lanes::{Entry, NOWHERE, OWN_CREDIT, Terms, TermsKey};
use crate::lines::{NO_SLOT, Slot};
use crate::order::Place;
use crate::refused::{Outcome, unknown};

impl Queue {
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
    pub(super) fn keep(&mut self, one: &Contact) {
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
    pub(super) fn write(&mut self, one: &Contact) {
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
    pub(super) fn lane_of(&self, one: &Contact) -> u32 {
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

    pub(super) fn credit_ns(&self, one: &Contact) -> i64 {
        let credit_ns = self.key_of(one).credit_ns;
        if credit_ns != OWN_CREDIT {
            return credit_ns;
        }
        self.own(one).map_or(0, |own| own.credit_ns)
    }

    pub(super) fn terms(&mut self, key: TermsKey) -> u32 {
        let (terms, new_stall) = self.lanes.find(key, &self.catalogue);
        if let Some(stall) = new_stall {
            self.shelves.learn_stall(stall, &self.catalogue, &self.lanes);
        }
        terms
    }

    pub(super) fn except(&mut self, one: &mut Contact) -> &mut Exceptions {
        if one.card.exceptions == NOWHERE {
            one.card.exceptions = self.exceptions.add(Exceptions::default());
            self.exceptions_of.set(one.id, one.card.exceptions);
        }
        &mut self.exceptions[one.card.exceptions]
    }

    pub(super) fn add_excluded(&mut self, one: &mut Contact, agent: u64) {
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
    pub(super) fn contact_digest(&self, one: &Contact) -> u64 {
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

    pub(super) fn exceptional_digest(&self, one: &Contact) -> u64 {
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
    pub(super) fn change_contact(&mut self, one: &mut Contact, change: impl FnOnce(&mut Self, &mut Contact)) {
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

    pub(super) fn move_to(&mut self, one: &mut Contact, key: TermsKey) {
        let terms = self.terms(key);
        self.lanes.join(terms);
        self.lanes.leave(one.card.terms);
        one.card.terms = terms;
    }

    /// Puts a waiting contact where agents look for it; the caller writes down where that is.
    pub(super) fn file(&mut self, one: &mut Contact) {
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

    pub(super) fn unfile(&mut self, one: &Contact) {
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
    pub(super) fn shelve(&mut self, changed: Option<u32>) {
        if let Some(stall) = changed {
            self.shelves.head_changed(stall, &self.lanes);
        }
    }

    /// Notes a contact for the next match, where somebody is there who might take it: agents who come to have
    /// room, or changed already, will themselves look at all who wait.
    pub(super) fn look_at_contact(&mut self, contact: u64) {
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
    pub(super) fn refile_preferring(&mut self, agent: u64) {
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
    pub(super) fn start_waiting(&mut self, one: &mut Contact) {
        one.waiting = true;
        self.file(one);
        self.keep(one);
        self.waiting_n += 1;
        self.digest = self.digest.wrapping_add(waiting_digest(one.id));
    }

    pub(super) fn wait_again(&mut self, contact: u64) {
        if let Some(mut one) = self.find(contact) {
            one.holder = NO_AGENT;
            self.start_waiting(&mut one);
        }
    }

    /// Takes a waiting contact out of the lists, for whoever is to have it; the table is left to them.
    #[inline]
    pub(super) fn stop_waiting(&mut self, one: &mut Contact) {
        self.end_reservation(one);
        self.unfile(one);
        self.waiting_n -= 1;
        self.digest = self.digest.wrapping_sub(waiting_digest(one.id));
        one.waiting = false;
        one.holder = NO_AGENT;
    }

    pub(super) fn forget(&mut self, contact: u64) {
        let Some(one) = self.find(contact) else { return };
        self.contacts.remove(contact);
        self.forget_rules(&one);
    }

    /// Forgets what a contact, in no table any more, had besides.
    pub(super) fn forget_rules(&mut self, one: &Contact) {
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
