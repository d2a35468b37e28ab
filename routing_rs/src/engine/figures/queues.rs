//! A contact in its queues: what `fold.py` has under that heading.

use pyo3::intern;
use pyo3::prelude::*;
use pyo3::types::PyDict;

use crate::engine::figures::count::{Count, Counted, Counts};
use crate::engine::figures::records::{Live, LiveFields};
use crate::engine::figures::tallies::add_of;
use crate::engine::objects::truth;
use crate::engine::records::{ContactAdmitted, ContactConnected, ContactEnded, ContactQueued};
use crate::engine::slots::{Slot, Struct};
use crate::engine::words::blanks;

impl<'py> Counts<'py> for ContactAdmitted<'py> {
    fn count(&self, count: &Count<'_, 'py>) -> PyResult<Counted> {
        let (py, direction) = (count.py, self.direction());
        let inbound = direction.is_text(intern!(py, "inbound"));
        let consultation = !inbound && direction.is_text(intern!(py, "consultation"));
        let outbound = !inbound && direction.is_text(intern!(py, "outbound"));
        let live = LiveFields {
            consultation: truth(py, consultation),
            queue: if outbound {
                self.queue().get()
            } else {
                blanks(py).text.bind(py).clone()
            },
            entered: count.no(),
            staying: count.no(),
            callback: count.no(),
            wait_from_ns: count.zero(),
            works: PyDict::new(py).into_any(),
            to_dial: truth(py, outbound),
            contact: count.zero(),
        };
        count
            .lives()
            .set_item(self.contact().get(), live.make(py)?.object())?;
        if consultation {
            count.memory()?.consultations_admitted().add(1)?;
        } else {
            count.memory()?.admitted().add(1)?;
        }
        Ok(Counted::Done)
    }
}

impl<'py> Counts<'py> for ContactQueued<'py> {
    fn count(&self, count: &Count<'_, 'py>) -> PyResult<Counted> {
        let Some(live) = count.live(&self.contact())? else {
            return Ok(Counted::Done);
        };
        if live.consultation().is_true() {
            return Ok(Counted::Done);
        }
        if live.to_dial().is_true() || live.staying().is_true() || live.callback().is_true() {
            return Ok(Counted::Unusual);
        }
        let tally = count.queue(&self.queue())?;
        if !live.entered().is_true() {
            live.entered().set_bool(true);
            tally.admitted().add(1)?;
        }
        tally.offered().add(1)?;
        if live.wait_from_ns().is_zero()? {
            live.wait_from_ns().set(count.at.clone());
        }
        tally
            .waiting()
            .put(&self.contact().get(), &live.wait_from_ns().get())?;
        live.queue().set(self.queue().get());
        live.staying().set_bool(true);
        Ok(Counted::Done)
    }
}

impl<'py> Counts<'py> for ContactConnected<'py> {
    fn count(&self, count: &Count<'_, 'py>) -> PyResult<Counted> {
        let Some(live) = count.live(&self.contact())? else {
            return Ok(Counted::Done);
        };
        if live.callback().is_true() {
            return Ok(Counted::Unusual);
        }
        let agent = self.agent().get();
        let work = match live.work(&agent)? {
            Some(work) if work.accepted().is_true() => work,
            _ => live.begin(count, &agent)?.0,
        };
        work.talk_from_ns().set(count.at.clone());
        if live.consultation().is_true() {
            return Ok(Counted::Done);
        }
        live.to_dial().set_bool(false);
        if live.staying().is_true() {
            let tally = count.queue(&live.queue())?;
            live.staying().set_bool(false);
            tally.waiting().remove(&self.contact().get())?;
            tally.answer(&self.waited_ns())?;
        }
        Ok(Counted::Done)
    }
}

impl<'py> Counts<'py> for ContactEnded<'py> {
    fn count(&self, count: &Count<'_, 'py>) -> PyResult<Counted> {
        let Some(live) = count.live(&self.contact())? else {
            return Ok(Counted::Done);
        };
        if live.callback().is_true() {
            return Ok(Counted::Unusual);
        }
        count.lives().del_item(self.contact().get())?;
        for (agent, work) in live.all_works()? {
            live.drop_work(count, &agent, &work)?;
        }
        if live.consultation().is_true() {
            count.memory()?.consultations_ended().add(1)?;
            return Ok(Counted::Done);
        }
        count.memory()?.ended().add(1)?;
        let outcome = self.outcome();
        let served = outcome.is_text(intern!(count.py, "served"));
        if live.staying().is_true() {
            live.leave(count, &self.contact(), walked_out(count, &outcome))?;
        }
        let tally = count.queue(&self.queue())?;
        if !live.entered().is_true() && !self.queue().is_blank() {
            tally.admitted().add(1)?;
        }
        add_of(&tally.outcomes(), &outcome.get(), 1)?;
        let (talk_ns, hold_ns) = (self.talk_ns().int()?, self.hold_ns().int()?);
        if served || talk_ns != 0 || hold_ns != 0 {
            tally.handled().add(1)?;
            tally.talk_ns().add(talk_ns)?;
            tally.hold_ns().add(hold_ns)?;
            tally.wrap_up_ns().add(self.wrap_up_ns().int()?)?;
        }
        Ok(Counted::Done)
    }
}

/// Whether the customer left by themselves. One who was served before ends as served.
pub(crate) fn walked_out<'py>(count: &Count<'_, 'py>, outcome: &Slot<'_, 'py>) -> bool {
    count.left && outcome.is_text(intern!(count.py, "served"))
        || outcome.is_text(intern!(count.py, "abandoned"))
}

impl<'py> Live<'py> {
    /// The contact, which is no callback, is out of its queue without an answer.
    pub(crate) fn leave(
        &self,
        count: &Count<'_, 'py>,
        contact: &Slot<'_, 'py>,
        abandoned: bool,
    ) -> PyResult<()> {
        let tally = count.queue(&self.queue())?;
        self.staying().set_bool(false);
        tally.waiting().remove(&contact.get())?;
        if abandoned {
            tally.abandon(count.at_ns - self.wait_from_ns().int()?)
        } else {
            tally.removed().add(1)
        }
    }
}
