//! Many operations in one call: the codes of `protocol.py`'s `BATCH_CODES`, and the rows of a snapshot.

use crate::lines::prefetch_slot;
use crate::matching::Pairs;
use crate::queue::{Change, Enqueue, Queue};
use crate::refused::{Outcome, invalid};

/// So many operations ahead memory is asked for: first what an id leads to, then what that leads to.
const FAR: usize = 12;
const NEAR: usize = 5;

const AGENT_COLUMNS: usize = 6;
const CONTACT_COLUMNS: usize = 12;

fn rows(numbers: &[i64], columns: usize) -> Outcome<std::slice::ChunksExact<'_, i64>> {
    if !numbers.len().is_multiple_of(columns) {
        return invalid(format!(
            "rows hold {} numbers; a row has {columns}",
            numbers.len()
        ));
    }
    Ok(numbers.chunks_exact(columns))
}

impl Queue {
    /// Runs operations in turn and returns the pairs of the matches among them. What came before a refused
    /// one stays done.
    ///
    /// # Errors
    /// As the operations; `Invalid` for a code or a shape that is not known.
    pub fn batch<T: AsRef<[i64]>>(&mut self, operations: &[T]) -> Outcome<Pairs> {
        let mut pairs = Pairs::new();
        self.batch_into(operations, &mut pairs)?;
        Ok(pairs)
    }

    /// As `batch`, into a list that the caller uses again.
    ///
    /// # Errors
    /// As `batch`.
    pub fn batch_into<T: AsRef<[i64]>>(&mut self, operations: &[T], pairs: &mut Pairs) -> Outcome<()> {
        for (at, operation) in operations.iter().enumerate() {
            if let Some(far) = operations.get(at + FAR) {
                self.ask_for_records(far.as_ref());
            }
            if let Some(near) = operations.get(at + NEAR) {
                self.ask_for_slot(near.as_ref());
            }
            self.run(operation.as_ref(), pairs)?;
        }
        Ok(())
    }

    /// Asks for the memory of whoever an operation is about.
    fn ask_for_records(&self, operation: &[i64]) {
        match *operation {
            [3..=8, contact, ..] => self.contacts.prefetch(contact as u64),
            [9..=12, contact, agent, ..] => {
                self.contacts.prefetch(contact as u64);
                if let Some(at) = self.agent_of.get(agent as u64) {
                    self.agents.prefetch(at);
                }
            }
            _ => {}
        }
    }

    /// Asks for the memory of a contact's slot in its lane, its record being there by now.
    fn ask_for_slot(&self, operation: &[i64]) {
        if let [3..=8, contact, ..] = *operation
            && let Some(slot) = self.slot_of(contact as u64)
        {
            prefetch_slot(&self.lanes.blocks, slot);
        }
    }

    fn run(&mut self, operation: &[i64], pairs: &mut Pairs) -> Outcome<()> {
        match *operation {
            [0, now_ns] => self.match_into(now_ns, pairs),
            [1, now_ns] => self.advance(now_ns).map(drop),
            [2, contact, requirement, order, queued_ns, ref more @ ..] if more.len() <= 7 => {
                let mut told = Enqueue::plain(contact, requirement, order, queued_ns);
                told.add_weights(more);
                self.enqueue(&told)
            }
            [3, contact, now_ns] => self.requeue(contact, now_ns),
            [4, contact, now_ns] => self.drop(contact, now_ns),
            [5, contact, priority] => self.change(
                contact,
                &Change {
                    priority: Some(priority),
                    ..Change::default()
                },
            ),
            [6, contact, requirement] => self.change(
                contact,
                &Change {
                    requirement: Some(requirement),
                    ..Change::default()
                },
            ),
            [7, contact, agent, until_ns] => self.prefer(contact, agent, until_ns),
            [8, contact, agent] => self.exclude(contact, agent),
            [9, contact, agent, now_ns] => self.accept(contact, agent, now_ns).map(drop),
            [10, contact, agent, now_ns, exclude] => {
                self.give_back(contact, agent, now_ns, exclude != 0).map(drop)
            }
            [11, contact, agent, now_ns] => self.finish(contact, agent, now_ns),
            [12, contact, agent, now_ns] => self.assign(contact, agent, now_ns),
            [13, agent, profile, now_ns] => self.add_agent(agent, profile, now_ns, true, None, 0, 0),
            [14, agent, available, now_ns] => self.set_available(agent, available != 0, now_ns),
            [15, agent, profile] => self.set_profile(agent, profile),
            [16, agent, now_ns] => self.remove_agent(agent, now_ns).map(drop),
            _ => invalid(format!("batch operation was {operation:?}; see BATCH_CODES")),
        }
    }

    /// Signs in many: rows of agent, profile, available, `since_ns`, given, turn.
    ///
    /// # Errors
    /// As `add_agent`; the rows before the refused one stay.
    pub fn load_agents(&mut self, numbers: &[i64]) -> Outcome<()> {
        for row in rows(numbers, AGENT_COLUMNS)? {
            if let [agent, profile, available, since_ns, given, turn] = *row {
                self.add_agent(
                    agent,
                    profile,
                    since_ns,
                    available != 0,
                    Some(since_ns),
                    given,
                    turn,
                )?;
            }
        }
        Ok(())
    }

    /// Enqueues many: rows of contact, requirement, order, `queued_ns`, `credit_ns`, priority, rate, ladder,
    /// rung, preferred, `preferred_until_ns`, waiting.
    ///
    /// # Errors
    /// As `enqueue`; the rows before the refused one stay.
    pub fn load_contacts(&mut self, numbers: &[i64]) -> Outcome<()> {
        for row in rows(numbers, CONTACT_COLUMNS)? {
            if let [contact, requirement, order, queued_ns, ref more @ .., waiting] = *row {
                let mut told = Enqueue::plain(contact, requirement, order, queued_ns);
                told.add_weights(more);
                told.waiting = waiting != 0;
                self.enqueue(&told)?;
            }
        }
        Ok(())
    }
}

impl Enqueue {
    /// Credit, priority, rate, ladder, rung, preferred agent and until when, as far as given.
    fn add_weights(&mut self, more: &[i64]) {
        let fields = [
            &mut self.credit_ns,
            &mut self.priority,
            &mut self.rate,
            &mut self.ladder,
            &mut self.rung,
            &mut self.preferred,
            &mut self.preferred_until_ns,
        ];
        for (field, value) in fields.into_iter().zip(more) {
            *field = *value;
        }
    }
}
