//! What the compiled engine asks of the queue and the timers, without Python between.

use pyo3::prelude::*;

use crate::python::{LONG, PyQueue, PyTimers};
use crate::{Change, Enqueue, Pairs, Timers};

impl PyQueue {
    #[inline]
    pub(crate) fn put_in(&mut self, told: &Enqueue) -> PyResult<()> {
        self.run(|queue| queue.enqueue(told))
    }

    #[inline]
    pub(crate) fn take_out(&mut self, contact: i64, now_ns: i64) -> PyResult<()> {
        self.run(|queue| queue.drop(contact, now_ns))
    }

    #[inline]
    pub(crate) fn take(&mut self, contact: i64, agent: i64, now_ns: i64) -> PyResult<()> {
        self.run(|queue| queue.accept(contact, agent, now_ns).map(|_| ()))
    }

    /// Whether rings are over for a contact from now on.
    pub(crate) fn end_rings(&mut self, contact: i64) -> PyResult<()> {
        let told = Change {
            ladder: Some(-1),
            ..Change::default()
        };
        self.run(|queue| queue.change(contact, &told))
    }

    /// Opens an agent's hand if the contact is in it, and says whether it was.
    pub(crate) fn finish_if_held(&mut self, contact: i64, agent: i64, now_ns: i64) -> PyResult<bool> {
        self.run(|queue| {
            let held = queue
                .holders(contact)?
                .iter()
                .any(|&one| one.cast_signed() == agent);
            if held {
                queue.finish(contact, agent, now_ns)?;
            }
            Ok(held)
        })
    }

    /// Whether a ring or the end of a preference is due.
    #[inline]
    pub(crate) fn has_due(&mut self, now_ns: i64) -> PyResult<bool> {
        self.run(|queue| Ok(queue.next_deadline_ns() <= now_ns))
    }

    /// Who gets whom now; without the GIL where much has changed.
    #[inline]
    pub(crate) fn find_pairs(&mut self, py: Python<'_>, now_ns: i64, pairs: &mut Pairs) -> PyResult<()> {
        if self.queue.changed_n() < LONG {
            return self.run(|queue| queue.match_into(now_ns, pairs));
        }
        let made = self.run_long(py, |queue| queue.match_now(now_ns))?;
        pairs.extend(made);
        Ok(())
    }
}

impl PyTimers {
    #[inline]
    pub(crate) fn put(&mut self, kind: u32, subject: i64, at_ns: i64) -> PyResult<()> {
        let (kind, subject) = Timers::check(i64::from(kind), subject)?;
        self.timers.schedule(kind, subject, Timers::check_time(at_ns)?);
        Ok(())
    }

    #[inline]
    pub(crate) fn take(&mut self, kind: u32, subject: i64) {
        if let Ok((kind, subject)) = Timers::check(i64::from(kind), subject) {
            self.timers.cancel(kind, subject);
        }
    }
}
