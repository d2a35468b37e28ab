//! Offers and connections: `apply/offers.py`.

use pyo3::intern;
use pyo3::prelude::*;

use super::phases::{Phases, count, earliest_work_ns, move_on, time_asking_again, time_works, work};
use crate::engine::lines::{ANNOUNCE, Lines, STAGE, WORK};
use crate::engine::objects::truth;
use crate::engine::records::{
    ConnectContactFields, Contact, ContactConnected, ContactOffered, Limits, OfferAccepted, Queue,
    SendOfferFields,
};
use crate::engine::slots::Struct;
use crate::engine::turn::{Effect, Turn, ns};
use crate::engine::words::fixed;

/// The larger of a weight and of one in `n`.
#[allow(clippy::cast_precision_loss, reason = "counts of samples")]
pub(crate) fn weight(least: f64, n: i64) -> f64 {
    least.max(1.0 / n as f64)
}

/// Somebody left the line, for an agent or for good, after a wait: `means.left_line`.
#[allow(clippy::cast_precision_loss, reason = "as Python makes a float of an int")]
pub(crate) fn left_line(py: Python<'_>, queue: &Queue<'_>, waited_ns: i64, gave_up: bool) -> PyResult<()> {
    count(&queue.line_n(), 1)?;
    let weight = weight(fixed(py)?.line_weight, queue.line_n().int()?);
    let line_ns = queue.line_ns().float()?;
    queue
        .line_ns()
        .set_float(line_ns + (waited_ns as f64 - line_ns) * weight);
    let before = queue.gave_up().float()?;
    queue
        .gave_up()
        .set_float(before + (f64::from(gave_up) - before) * weight);
    Ok(())
}

impl<'py> Effect<'py> for ContactOffered<'py> {
    fn ask(&self, turn: &Turn<'_, 'py>, contact: &Contact<'py>) -> PyResult<()> {
        turn.ask(
            &SendOfferFields {
                contact: contact.id().get(),
                agent: self.agent().get(),
                offer: self.offer().get(),
                expires_ns: self.expires_ns().get(),
            }
            .make(turn.py)?,
        )
    }

    fn apply(&self, turn: &Turn<'_, 'py>, contact: &Contact<'py>) -> PyResult<()> {
        static PHASES: Phases = Phases::new();
        move_on::<Self>(turn, contact, &PHASES)?;
        turn.state.last_id().set(self.offer().get());
        let (offered, agent) = (intern!(turn.py, "offered"), self.agent().get());
        let work = work(
            turn,
            offered,
            self.expires_ns().get(),
            self.offer().get(),
            turn.zero(),
        )?;
        contact.works().put(&agent, work.object())?;
        turn.agent(&agent)?
            .contacts()
            .put(&contact.id().get(), &turn.none())
    }

    fn follow(&self, turn: &Turn<'_, 'py>, contact: &Contact<'py>) -> PyResult<()> {
        // Somebody may still be wrapping up an earlier part of it.
        let alone = contact.works().entries()? == 1;
        let at_ns = if alone {
            self.expires_ns().int()?
        } else {
            earliest_work_ns(contact)?
        };
        turn.lines.schedule(WORK, contact.id().int()?, at_ns)?;
        if !contact.excluded().is_none() {
            // Whoever is picked although they declined is waited for no more.
            time_asking_again(turn, contact)?;
        }
        Ok(())
    }
}

impl<'py> Effect<'py> for OfferAccepted<'py> {
    fn ask(&self, turn: &Turn<'_, 'py>, contact: &Contact<'py>) -> PyResult<()> {
        turn.ask(&connection(turn, contact, self.agent().get()).make(turn.py)?)
    }

    fn apply(&self, turn: &Turn<'_, 'py>, contact: &Contact<'py>) -> PyResult<()> {
        static PHASES: Phases = Phases::new();
        move_on::<Self>(turn, contact, &PHASES)?;
        let agent = self.agent().get();
        let work = work(
            turn,
            intern!(turn.py, "connecting"),
            self.connect_by_ns().get(),
            turn.zero(),
            turn.zero(),
        )?;
        contact.works().put(&agent, work.object())?;
        contact.picked().set(turn.blank());
        turn.agent(&agent)?.no_answers().set(turn.zero());
        contact.agent().set(agent);
        Ok(())
    }

    fn follow(&self, turn: &Turn<'_, 'py>, contact: &Contact<'py>) -> PyResult<()> {
        let number = contact.id().int()?;
        let agent = turn.agent(&self.agent().get())?.number().int()?;
        turn.lines.queue()?.take(number, agent, turn.now_ns)?;
        turn.lines.schedule(WORK, number, earliest_work_ns(contact)?)?;
        if contact.deadline_ns().int()? != 0 {
            turn.lines.cancel(STAGE, number)?;
        }
        if contact.announce_at_ns().int()? != 0 {
            turn.lines.cancel(ANNOUNCE, number)?;
        }
        Ok(())
    }
}

/// A callback or a placed contact is reached on its own handle, anybody else where they are.
fn connection<'py>(
    turn: &Turn<'_, 'py>,
    contact: &Contact<'py>,
    agent: Bound<'py, PyAny>,
) -> ConnectContactFields<'py> {
    let dialled = if !contact.callback_handle().is_blank() {
        contact.callback_handle().get()
    } else if contact.direction().is_text(intern!(turn.py, "outbound")) {
        contact.handle().get()
    } else {
        turn.blank()
    };
    ConnectContactFields {
        contact: contact.id().get(),
        channel: reached_on(contact),
        provider_id: contact.provider_id().get(),
        agent,
        callback_handle: dialled,
    }
}

/// The channel that has the customer.
pub(crate) fn reached_on<'py>(contact: &Contact<'py>) -> Bound<'py, PyAny> {
    if contact.callback_channel().is_blank() {
        contact.channel().get()
    } else {
        contact.callback_channel().get()
    }
}

impl<'py> Effect<'py> for ContactConnected<'py> {
    fn apply(&self, turn: &Turn<'_, 'py>, contact: &Contact<'py>) -> PyResult<()> {
        static PHASES: Phases = Phases::new();
        move_on::<Self>(turn, contact, &PHASES)?;
        let agent = self.agent().get();
        let work = work(
            turn,
            intern!(turn.py, "connected"),
            turn.zero(),
            turn.zero(),
            turn.zero(),
        )?;
        contact.works().put(&agent, work.object())?;
        contact.last_agent().set(agent);
        contact.active_ns().set(turn.now.clone());
        count(&contact.waited_ns(), self.waited_ns().int()?)?;
        contact.answered().set(truth(turn.py, true));
        contact.reached().set(truth(turn.py, true));
        let limits = Limits::of(turn.config()?.limits().get())?;
        contact
            .deadline_ns()
            .set_int(turn.now_ns + ns(&limits.silence_s())?);
        if contact.direction().is_text(intern!(turn.py, "inbound"))
            && let Some(queue) = turn.state.queues().find(&self.queue().get())?
        {
            started(turn, &Queue::of(queue)?, self.waited_ns().int()?)?;
        }
        Ok(())
    }

    fn follow(&self, turn: &Turn<'_, 'py>, contact: &Contact<'py>) -> PyResult<()> {
        let number = contact.id().int()?;
        if !contact.queue().is_blank() && turn.terms(&contact.queue().get())?.has_rings().is_true() {
            turn.lines.queue()?.end_rings(number)?;
        }
        turn.lines.schedule(STAGE, number, contact.deadline_ns().int()?)?;
        if contact.works().entries()? == 1 {
            turn.lines.cancel(WORK, number) // the only work in it is the one that has just begun
        } else {
            time_works(turn, contact)
        }
    }
}

/// `value ** 2` as Python has it: by the C library's `pow`, which is not in every last bit what a product is. The
/// compiler must not see the exponent, from which it would make one.
fn squared(value: f64) -> f64 {
    value.abs().powf(std::hint::black_box(2.0))
}

/// A service begins: what the expected wait is estimated from.
#[allow(clippy::cast_precision_loss, reason = "as Python makes a float of an int")]
fn started(turn: &Turn<'_, '_>, queue: &Queue<'_>, waited_ns: i64) -> PyResult<()> {
    let limits = fixed(turn.py)?;
    if queue.backlog_at_last_start().is_true() {
        let gap_ns = (turn.now_ns - queue.last_start_ns().int()?) as f64;
        let mean_ns = queue.gap_ns().float()?;
        let weight = weight(limits.gap_weight, queue.gaps_n().int()? + 1);
        if mean_ns > 0.0 {
            let off = squared(gap_ns / mean_ns - 1.0);
            let unevenness = queue.gap_unevenness().float()?;
            let more = (off.min(limits.unevenness_max) - unevenness) * limits.line_weight;
            queue.gap_unevenness().set_float(unevenness + more);
        }
        queue.gap_ns().set_float(mean_ns + (gap_ns - mean_ns) * weight);
        count(&queue.gaps_n(), 1)?;
    }
    queue.last_start_ns().set(turn.now.clone());
    queue
        .backlog_at_last_start()
        .set_bool(queue.waiting().entries()? != 0);
    if waited_ns != 0 {
        left_line(turn.py, queue, waited_ns, false)?;
    }
    Ok(())
}
