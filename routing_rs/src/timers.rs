//! Deadlines: at most one for each kind and subject, popped by time, then kind, then subject.

use crate::ranked::Ranked;
use crate::refused::{Outcome, TIME_LIMIT_NS, id, within};
use crate::table::Table;

const KIND_LIMIT: i64 = 1 << 8;

/// Where a deadline could stand: nothing is due.
pub const NEVER_NS: i64 = i64::MAX;

/// A set of deadlines. Nothing in it is stale: a replaced deadline is taken out at once.
#[derive(Default)]
pub struct Timers {
    at_ns: Vec<Table<i64>>,
    order: Ranked<(i64, u32, u64)>,
}

impl Timers {
    /// # Errors
    /// `Invalid` for a kind or a subject out of range.
    pub fn check(kind: i64, subject: i64) -> Outcome<(u32, u64)> {
        Ok((
            within("kind", kind, 0, KIND_LIMIT)? as u32,
            id("subject", subject)?,
        ))
    }

    /// # Errors
    /// `Invalid` for a time out of range.
    pub fn check_time(at_ns: i64) -> Outcome<i64> {
        within("at_ns", at_ns, 1 - 2 * TIME_LIMIT_NS, 2 * TIME_LIMIT_NS)
    }

    /// Sets the deadline of a kind and subject, replacing an earlier one.
    pub fn schedule(&mut self, kind: u32, subject: u64, at_ns: i64) {
        while self.at_ns.len() <= kind as usize {
            self.at_ns.push(Table::default());
        }
        let table = &mut self.at_ns[kind as usize];
        if let Some(earlier_ns) = table.get(subject) {
            self.order.remove((earlier_ns, kind, subject));
        }
        table.set(subject, at_ns);
        self.order.insert((at_ns, kind, subject));
    }

    /// Forgets a deadline, if there is one.
    pub fn cancel(&mut self, kind: u32, subject: u64) {
        if let Some(at_ns) = self
            .at_ns
            .get_mut(kind as usize)
            .and_then(|table| table.remove(subject))
        {
            self.order.remove((at_ns, kind, subject));
        }
    }

    /// Removes and returns the first deadline that is due: its time, kind and subject.
    pub fn pop_one(&mut self, now_ns: i64) -> Option<(i64, u32, u64)> {
        if self.next_deadline_ns() > now_ns {
            return None;
        }
        let (at_ns, kind, subject) = self.order.pop_first()?;
        self.at_ns[kind as usize].remove(subject);
        Some((at_ns, kind, subject))
    }

    /// Removes and returns every deadline that is due, in order.
    pub fn pop_due(&mut self, now_ns: i64) -> Vec<(i64, u32, u64)> {
        std::iter::from_fn(|| self.pop_one(now_ns)).collect()
    }

    /// Returns the earliest deadline, or `NEVER_NS`.
    #[must_use]
    pub fn next_deadline_ns(&self) -> i64 {
        self.order.first().map_or(NEVER_NS, |(at_ns, _, _)| at_ns)
    }

    /// Returns the deadline of a kind and subject, or `NEVER_NS` when it has none.
    #[must_use]
    pub fn deadline_ns(&self, kind: u32, subject: u64) -> i64 {
        self.at_ns
            .get(kind as usize)
            .and_then(|table| table.get(subject))
            .unwrap_or(NEVER_NS)
    }

    /// Returns how many deadlines there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.order.len()
    }

    /// Returns whether there is none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.order.is_empty()
    }

    pub(crate) fn bytes(&self) -> usize {
        self.order.bytes() + self.at_ns.iter().map(Table::bytes).sum::<usize>()
    }
}
