//! A contact and its agents: what `fold.py` has under that heading.

use pyo3::prelude::*;

use crate::engine::figures::count::{Count, Counted, Counts};
use crate::engine::figures::queues::walked_out;
use crate::engine::figures::records::{AgentTally, Live, Work, WorkFields};
use crate::engine::objects::truth;
use crate::engine::records::{ContactOffered, OfferAccepted, ServiceEnded, WrapUpEnded, WrapUpStarted};
use crate::engine::slots::Struct;

impl<'py> Counts<'py> for ContactOffered<'py> {
    fn count(&self, count: &Count<'_, 'py>) -> PyResult<Counted> {
        let Some(live) = count.live(&self.contact())? else {
            return Ok(Counted::Done);
        };
        let name = self.agent().get();
        let agent = count.agent(&name)?;
        live.drop(count, &name)?;
        live.works()
            .dict()?
            .set_item(&name, work(count, count.zero(), false)?.object())?;
        agent.offers_made().add(1)?;
        agent.offered().add(1)?;
        agent.settle(count)?;
        if !live.consultation().is_true() {
            count.queue(&live.queue())?.offers_made().add(1)?;
        }
        Ok(Counted::Done)
    }
}

impl<'py> Counts<'py> for OfferAccepted<'py> {
    fn count(&self, count: &Count<'_, 'py>) -> PyResult<Counted> {
        let Some(live) = count.live(&self.contact())? else {
            return Ok(Counted::Done);
        };
        let (_, agent) = live.begin(count, &self.agent().get())?;
        agent.offers_accepted().add(1)?;
        if !live.consultation().is_true() {
            count.queue(&live.queue())?.offers_accepted().add(1)?;
        }
        Ok(Counted::Done)
    }
}

impl<'py> Counts<'py> for ServiceEnded<'py> {
    fn count(&self, count: &Count<'_, 'py>) -> PyResult<Counted> {
        let Some(live) = count.live(&self.contact())? else {
            return Ok(Counted::Done);
        };
        if live.callback().is_true() {
            return Ok(Counted::Unusual);
        }
        for (agent, work) in live.all_works()? {
            if work.wrap_from_ns().is_zero()? {
                live.drop_work(count, &agent, &work)?;
            }
        }
        if live.staying().is_true() {
            live.leave(count, &self.contact(), walked_out(count, &self.outcome()))?;
        }
        Ok(Counted::Done)
    }
}

impl<'py> Counts<'py> for WrapUpStarted<'py> {
    fn count(&self, count: &Count<'_, 'py>) -> PyResult<Counted> {
        let Some(live) = count.live(&self.contact())? else {
            return Ok(Counted::Done);
        };
        let name = self.agent().get();
        live.drop(count, &name)?;
        let agent = count.agent(&name)?;
        live.works()
            .dict()?
            .set_item(&name, work(count, count.at.clone(), true)?.object())?;
        agent.wrapping().add(1)?;
        agent.settle(count)?;
        Ok(Counted::Done)
    }
}

impl<'py> Counts<'py> for WrapUpEnded<'py> {
    fn count(&self, count: &Count<'_, 'py>) -> PyResult<Counted> {
        if let Some(live) = count.live(&self.contact())? {
            live.drop(count, &self.agent().get())?;
        }
        Ok(Counted::Done)
    }
}

/// An agent's part in a contact begins.
fn work<'py>(count: &Count<'_, 'py>, wrap_from_ns: Bound<'py, PyAny>, accepted: bool) -> PyResult<Work<'py>> {
    WorkFields {
        talk_from_ns: count.zero(),
        wrap_from_ns,
        held_from_ns: count.zero(),
        held_ns: count.zero(),
        accepted: truth(count.py, accepted),
    }
    .make(count.py)
}

impl<'py> Live<'py> {
    /// An agent's part in the contact, if there is one.
    pub(crate) fn work(&self, name: &Bound<'py, PyAny>) -> PyResult<Option<Work<'py>>> {
        self.works().find(name)?.map(Work::of).transpose()
    }

    /// All parts, as they are now.
    pub(crate) fn all_works(&self) -> PyResult<Vec<(Bound<'py, PyAny>, Work<'py>)>> {
        if self.works().entries()? == 0 {
            return Ok(Vec::new());
        }
        self.works()
            .dict()?
            .iter()
            .map(|(name, work)| Ok((name, Work::of(work)?)))
            .collect()
    }

    /// An agent takes part in the contact from now on, whether by an offer or not.
    pub(crate) fn begin(
        &self,
        count: &Count<'_, 'py>,
        name: &Bound<'py, PyAny>,
    ) -> PyResult<(Work<'py>, AgentTally<'py>)> {
        let agent = count.agent(name)?;
        let mut known = self.work(name)?;
        if let Some(work) = &known {
            if !work.wrap_from_ns().is_zero()? {
                self.drop_work(count, name, work)?;
                known = None;
            } else if !work.accepted().is_true() {
                agent.offered().add(-1)?;
            }
        }
        let work = if let Some(work) = known {
            work
        } else {
            let begun = work(count, count.zero(), false)?;
            self.works().put(name, begun.object())?;
            begun
        };
        if !work.accepted().is_true() {
            work.accepted().set_bool(true);
            agent.connected().add(1)?;
            agent.settle(count)?;
        }
        Ok((work, agent))
    }

    /// An agent's part in the contact is over, if there is one.
    pub(crate) fn drop(&self, count: &Count<'_, 'py>, name: &Bound<'py, PyAny>) -> PyResult<()> {
        match self.work(name)? {
            Some(work) => self.drop_work(count, name, &work),
            None => Ok(()),
        }
    }

    /// An agent's part in the contact is over: books its times.
    pub(crate) fn drop_work(
        &self,
        count: &Count<'_, 'py>,
        name: &Bound<'py, PyAny>,
        work: &Work<'py>,
    ) -> PyResult<()> {
        self.works().remove(name)?;
        let agent = count.agent(name)?;
        let wrap_from_ns = work.wrap_from_ns().int()?;
        if wrap_from_ns != 0 {
            agent.wrapping().add(-1)?;
            if !self.consultation().is_true() {
                agent.wrap_up_ns().add(count.at_ns - wrap_from_ns)?;
            }
        } else if work.accepted().is_true() {
            agent.connected().add(-1)?;
            self.book(count, &agent, work)?;
        } else {
            agent.offered().add(-1)?;
        }
        agent.settle(count)
    }

    /// Books the time of a conversation, if there was one.
    fn book(&self, count: &Count<'_, 'py>, agent: &AgentTally<'py>, work: &Work<'py>) -> PyResult<()> {
        let talk_from_ns = work.talk_from_ns().int()?;
        if talk_from_ns == 0 {
            return Ok(());
        }
        if self.consultation().is_true() {
            return agent.consultations().add(1);
        }
        let held_from_ns = work.held_from_ns().int()?;
        let holding_ns = if held_from_ns == 0 {
            0
        } else {
            count.at_ns - held_from_ns
        };
        let held_ns = work.held_ns().int()? + holding_ns;
        agent.contacts().add(1)?;
        agent.hold_ns().add(held_ns)?;
        agent.talk_ns().add(count.at_ns - talk_from_ns - held_ns)
    }
}
