//! The counts of one queue and of one agent: what `tallies.py` does with them.

use pyo3::exceptions::PyKeyError;
use pyo3::prelude::*;
use pyo3::sync::PyOnceLock;
use pyo3::types::PyList;

use crate::engine::figures::count::Count;
use crate::engine::figures::records::{AgentTally, QueueTally};
use crate::engine::slots::{Slot, sum};

/// What an agent's time is divided into, as `tallies.py` numbers it.
const OFFLINE: i64 = 0;
const BREAK: i64 = 1;
const LOST: i64 = 2;
const OFFERED: i64 = 4;
const CONNECTED: i64 = 5;
const WRAPPING: i64 = 6;

impl<'py> QueueTally<'py> {
    /// A stay ends with an agent.
    pub(crate) fn answer(&self, waited: &Slot<'_, 'py>) -> PyResult<()> {
        let waited_ns = waited.int()?;
        self.answered().add(1)?;
        self.wait_ns().add(waited_ns)?;
        if waited_ns > self.wait_ns_max().int()? {
            self.wait_ns_max().set(waited.get());
        }
        if waited_ns <= self.answer_target_ns().int()? {
            self.answered_in_target().add(1)?;
        }
        count_wait(&self.waits(), waited_ns)
    }

    /// A stay ends by the customer's leaving.
    pub(crate) fn abandon(&self, waited_ns: i64) -> PyResult<()> {
        self.abandoned().add(1)?;
        self.abandon_wait_ns().add(waited_ns)?;
        if waited_ns > self.abandon_wait_ns_max().int()? {
            self.abandon_wait_ns_max().set_int(waited_ns);
        }
        if waited_ns <= self.answer_target_ns().int()? {
            self.abandoned_in_target().add(1)?;
        }
        if waited_ns < self.short_abandon_ns().int()? {
            self.short_abandons().add(1)?;
        }
        count_wait(&self.abandon_waits(), waited_ns)
    }
}

impl<'py> AgentTally<'py> {
    /// Finds the state that follows from status and works; when it changed, closes the old one's time.
    pub(crate) fn settle(&self, count: &Count<'_, 'py>) -> PyResult<()> {
        let (before, state) = (self.state().int()?, self.state_now()?);
        if state == before {
            return Ok(());
        }
        let spent_ns = count.at_ns - self.since_ns().int()?;
        if spent_ns != 0 {
            add_at(&self.state_ns(), usize::try_from(before)?, spent_ns)?;
            if before == BREAK {
                let (times, reason) = (self.break_ns(), self.reason().get());
                let earlier = times.find(&reason)?.unwrap_or_else(|| count.zero());
                times.put(&reason, &sum(&earlier, spent_ns)?)?;
            }
        }
        self.since_ns().set(count.at.clone());
        self.state().set_int(state);
        Ok(())
    }

    fn state_now(&self) -> PyResult<i64> {
        let status = self.status().int()?;
        Ok(if status == OFFLINE {
            OFFLINE
        } else if self.lost().is_true() {
            LOST
        } else if !self.connected().is_zero()? {
            CONNECTED
        } else if !self.offered().is_zero()? {
            OFFERED
        } else if !self.wrapping().is_zero()? {
            WRAPPING
        } else {
            status
        })
    }
}

/// Adds to one of the numbers in a list.
fn add_at(numbers: &Slot<'_, '_>, at: usize, by: i64) -> PyResult<()> {
    let numbers = numbers.get().cast_into::<PyList>()?;
    numbers.set_item(at, sum(&numbers.get_item(at)?, by)?)
}

/// Adds to the number that a table has for a key.
pub(crate) fn add_of<'py>(numbers: &Slot<'_, 'py>, key: &Bound<'py, PyAny>, by: i64) -> PyResult<()> {
    match numbers.find(key)? {
        Some(number) => numbers.put(key, &sum(&number, by)?),
        None => Err(PyKeyError::new_err(key.clone().unbind())),
    }
}

static BOUNDS_NS: PyOnceLock<Vec<i64>> = PyOnceLock::new();

/// Counts a wait in its class of a histogram.
fn count_wait(histogram: &Slot<'_, '_>, waited_ns: i64) -> PyResult<()> {
    let py = histogram.py();
    let bounds_ns = BOUNDS_NS.get_or_try_init(py, || {
        py.import("centralita.tallies")?
            .getattr("WAIT_BOUNDS_NS")?
            .extract::<Vec<i64>>()
    })?;
    add_at(
        histogram,
        bounds_ns.partition_point(|bound_ns| *bound_ns < waited_ns),
        1,
    )
}
