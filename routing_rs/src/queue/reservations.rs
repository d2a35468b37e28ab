//! Reservations: the state of them; when they are made is in `matching.rs`.

use super::{Contact, Queue};
use crate::hash::{Tag, digest};
use crate::lanes::NOWHERE;

impl Queue {
    pub(super) fn press(&mut self, one: &Contact) {
        self.pressing
            .entry(self.lane_of(one))
            .or_default()
            .insert((one.card.effective_ns, one.id));
    }

    pub(super) fn unpress(&mut self, one: &Contact) {
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
    pub(super) fn end_reservation(&mut self, one: &Contact) {
        if one.card.exceptions != NOWHERE {
            self.end_reservation_for(one);
        }
    }

    pub(super) fn end_reservation_for(&mut self, one: &Contact) {
        if let Some(at) = self.exceptions[one.card.exceptions].reserved.take() {
            self.digest = self.digest.wrapping_sub(self.reserved_digest(one.id, at));
            self.agents[at].reserver = None;
            self.reserved.retain(|other| *other != at);
            self.touch(at);
            self.press(one);
        }
    }

    pub(super) fn end_reservation_of(&mut self, at: u32) {
        if let Some(reserver) = self.agents[at].reserver
            && let Some(one) = self.find(reserver)
        {
            self.end_reservation(&one);
        }
    }

    pub(super) fn reserved_digest(&self, contact: u64, at: u32) -> u64 {
        digest(Tag::Reserved, [self.agents[at].id, contact, 0, 0, 0, 0])
    }
}
