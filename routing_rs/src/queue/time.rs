//! What time alone changes: rings, preferences that end, waits that press for a reservation.

use super::{Contact, PREFERENCE, PRESSING, Queue, RING};
use crate::refused::{NUMBER_LIMIT, Outcome, time};
use crate::timers::NEVER_NS;

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

    pub(super) fn pass_rung(&mut self, one: &mut Contact) -> Option<u32> {
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
    pub(super) fn change_preference_over(&mut self, one: &mut Contact) {
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

    pub(super) fn start_pressing(&mut self, one: &mut Contact) {
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

    pub(super) fn schedule_ring(&mut self, one: &Contact) {
        let key = self.key_of(one);
        if let Some((after_ns, _, _)) = self.catalogue.rung_at(key.ladder, key.rung) {
            let queued_ns = one.card.effective_ns + self.credit_ns(one);
            self.timers.schedule(RING, one.id, queued_ns + after_ns);
        }
    }

    pub(super) fn schedule_pressing(&mut self, one: &Contact) {
        let after_ns = self.catalogue.order_at(self.key_of(one).order).reserve_after_ns;
        if after_ns != NEVER_NS {
            let queued_ns = one.card.effective_ns + self.credit_ns(one);
            self.timers.schedule(PRESSING, one.id, queued_ns + after_ns);
        }
    }
}
