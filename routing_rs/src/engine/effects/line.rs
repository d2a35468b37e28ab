//! A contact in its line: `apply/line.py`.

use pyo3::prelude::*;
use pyo3::types::{PyDict, PyTuple};

use super::phases::{Phases, exclude, forget, move_on};
use crate::Enqueue;
use crate::engine::lines::{ANNOUNCE, Lines, STAGE};
use crate::engine::objects::pair;
use crate::engine::records::{Contact, ContactQueued};
use crate::engine::slots::Struct;
use crate::engine::turn::{Effect, Turn};
use crate::engine::words::Phase;

impl<'py> Effect<'py> for ContactQueued<'py> {
    fn apply(&self, turn: &Turn<'_, 'py>, contact: &Contact<'py>) -> PyResult<()> {
        static PHASES: Phases = Phases::new();
        if Phase::of(&contact.phase())? == Phase::Waiting {
            // It stays so, and its line changes.
            let number = contact.id().get();
            forget(&turn.queue(&contact.queue().get())?.waiting().dict()?, &number)?;
            turn.queue(&self.queue().get())?
                .waiting()
                .put(&number, &turn.none())?;
        }
        contact.queue().set(self.queue().get());
        move_on::<Self>(turn, contact, &PHASES)?;
        if contact.wait_from_ns().int()? == 0 {
            contact.wait_from_ns().set(turn.now.clone());
        }
        contact.skills().set(self.skills().get());
        contact.priority().set(self.priority().get());
        contact.rate_thousandths().set(self.rate_thousandths().get());
        contact.credit_ns().set(self.credit_ns().get());
        contact.queued_ns().set(self.queued_ns().get());
        contact.prefer_agent().set(self.preferred_agent().get());
        contact.prefer_until_ns().set(self.preferred_until_ns().get());
        contact.deadline_ns().set(self.max_wait_until_ns().get());
        contact.announce_at_ns().set(self.announce_at_ns().get());
        contact.due_ns().set(self.due_ns().get());
        contact.hops().set(self.hops().get());
        contact.rung().set(turn.zero());
        for agent in self.excluded().get().cast_into::<PyTuple>()? {
            exclude(turn, contact, &agent, &turn.zero())?;
        }
        Ok(())
    }

    fn follow(&self, turn: &Turn<'_, 'py>, contact: &Contact<'py>) -> PyResult<()> {
        let number = contact.id().get();
        let been_in_line = contact.hops().int()? > 1
            || !none_excluded(contact)?
            || turn.lines.borrow().known.bind(turn.py).contains(&number)?;
        if been_in_line {
            turn.python(
                "centralita.follow",
                "put_back",
                (&turn.lines, contact.object(), &turn.now),
            )?;
            return Ok(());
        }
        // Into its first line a contact comes from nowhere and without any deadline, unless the agent who placed
        // it passes it on.
        if contact.due_ns().int()? == 0 {
            enqueue(turn, contact)?;
        }
        let number: i64 = number.extract()?;
        let deadline_ns = contact.deadline_ns().int()?;
        if deadline_ns != 0 {
            turn.lines.schedule(STAGE, number, deadline_ns)?;
        }
        let announce_at_ns = contact.announce_at_ns().int()?;
        if announce_at_ns != 0 {
            turn.lines.schedule(ANNOUNCE, number, announce_at_ns)?;
        }
        Ok(())
    }
}

fn none_excluded(contact: &Contact<'_>) -> PyResult<bool> {
    Ok(contact.excluded().is_none() || contact.excluded().entries()? == 0)
}

/// Puts a contact into the queue at its own place, as the state has it: `Lines.enqueue`.
fn enqueue<'py>(turn: &Turn<'_, 'py>, contact: &Contact<'py>) -> PyResult<()> {
    let plain = !contact.queue().is_blank()
        && contact.rung().int()? == 0
        && contact.prefer_agent().is_blank()
        && none_excluded(contact)?;
    if !plain {
        turn.lines
            .call_method1(pyo3::intern!(turn.py, "enqueue"), (contact.object(),))?;
        return Ok(());
    }
    let queue = contact.queue().get();
    let (requirement, ladder) = place(turn, contact, &queue)?;
    let told = Enqueue {
        queued_ns: contact.queued_ns().int()?,
        credit_ns: contact.credit_ns().int()?,
        priority: contact.priority().int()?,
        rate: contact.rate_thousandths().int()?,
        ladder,
        ..Enqueue::plain(
            contact.id().int()?,
            requirement,
            turn.terms(&queue)?.order().int()?,
            0,
        )
    };
    turn.lines.borrow().known.bind(turn.py).add(contact.id().get())?;
    turn.lines.set_changed();
    turn.lines.queue()?.put_in(&told)
}

/// (requirement, ladder) of a contact in a queue: `Lines.place`, and what it remembered last.
fn place<'py>(
    turn: &Turn<'_, 'py>,
    contact: &Contact<'py>,
    queue: &Bound<'py, PyAny>,
) -> PyResult<(i64, i64)> {
    let (medium, skills) = (contact.medium().get(), contact.skills().get());
    let shared = turn.lines.borrow().shared.bind(turn.py).clone();
    let known = match shared.get_item(queue)? {
        Some(by_medium) => by_medium.cast_into::<PyDict>()?.get_item(&medium)?,
        None => None,
    };
    if let Some(known) = known {
        let known = known.cast_into::<PyTuple>()?;
        if known.get_item(0)?.is(&skills) {
            return Ok((known.get_item(1)?.extract()?, known.get_item(2)?.extract()?));
        }
    }
    let found = turn
        .lines
        .call_method1(pyo3::intern!(turn.py, "place"), (queue, medium, skills))?;
    let (requirement, ladder) = pair(found)?;
    Ok((requirement.extract()?, ladder.extract()?))
}
