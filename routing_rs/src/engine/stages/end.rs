//! How a contact ends, and the after-work: `stages/end.py`.

use pyo3::intern;
use pyo3::prelude::*;

use super::Decided;
use crate::engine::records::{
    AbandonContact, Contact, ContactEndedFields, EndContact, FinishWrapUp, ServiceEndedFields,
    WrapUpEndedFields, WrapUpStartedFields,
};
use crate::engine::turn::{Turn, ns};
use crate::engine::words::Phase;

pub(crate) fn end<'py>(turn: &Turn<'_, 'py>, command: &EndContact<'py>) -> PyResult<Decided<'py>> {
    let by = command.by().get();
    let Some((contact, work)) = turn.find_work(&command.contact(), &by)? else {
        return Ok(Decided::Unusual);
    };
    let alone =
        contact.works().entries()? == 1 && contact.consultation().int()? == 0 && contact.parent().int()? == 0;
    let usual = alone
        && work.state().is_text(intern!(turn.py, "connected"))
        && matches!(Phase::of(&contact.phase())?, Phase::Connected | Phase::OnHold);
    if !usual {
        return Ok(Decided::Unusual);
    }
    stop_serving(turn, &contact, &by, command.reason().get())?;
    Ok(Decided::Done)
}

/// The conversation is over; the one agent in it goes to the after-work, if the queue gives any.
fn stop_serving<'py>(
    turn: &Turn<'_, 'py>,
    contact: &Contact<'py>,
    agent: &Bound<'py, PyAny>,
    reason: Bound<'py, PyAny>,
) -> PyResult<()> {
    let (py, served) = (turn.py, intern!(turn.py, "served").clone().into_any());
    let ended = ServiceEndedFields {
        contact: contact.id().get(),
        by: agent.clone(),
        reason: reason.clone(),
        outcome: served.clone(),
    };
    turn.emit(contact, &ended.make(py)?)?;
    let queue = contact.queue().get();
    if contact.queue().is_blank() || turn.terms(&queue)?.wrap_up_ns().int()? == 0 {
        return finish(turn, contact, served, agent.clone(), reason);
    }
    let started = WrapUpStartedFields {
        contact: contact.id().get(),
        agent: agent.clone(),
        deadline_ns: turn.int(turn.now_ns + ns(&turn.rules(&queue)?.wrap_up_s())?),
        hold: turn.zero(),
    };
    turn.emit(contact, &started.make(py)?)
}

pub(crate) fn finish_wrap_up<'py>(
    turn: &Turn<'_, 'py>,
    command: &FinishWrapUp<'py>,
) -> PyResult<Decided<'py>> {
    let agent = command.agent().get();
    let Some((contact, work)) = turn.find_work(&command.contact(), &agent)? else {
        return Ok(Decided::Unusual);
    };
    let usual = work.state().is_text(intern!(turn.py, "wrapping")) && work.hold().is_blank();
    if !usual || !is_known(turn, command)? {
        return Ok(Decided::Unusual);
    }
    let wrapped = WrapUpEndedFields {
        contact: contact.id().get(),
        agent: agent.clone(),
        by: intern!(turn.py, "agent").clone().into_any(),
        disposition: command.disposition().get(),
        notes: command.notes().get(),
        wrap_up_ns: turn.int(turn.now_ns - work.since_ns().int()?),
        hold: work.hold().get(),
    };
    turn.emit(&contact, &wrapped.make(turn.py)?)?;
    if Phase::of(&contact.phase())? == Phase::Wrapping && contact.works().entries()? == 0 {
        let (outcome, by) = (contact.outcome().get(), contact.ended_by().get());
        finish(turn, &contact, outcome, by, contact.ended_reason().get())?;
    }
    Ok(Decided::Done)
}

/// Whether a disposition can be: the configuration lists them, if it lists any.
fn is_known<'py>(turn: &Turn<'_, 'py>, command: &FinishWrapUp<'py>) -> PyResult<bool> {
    if command.disposition().is_blank() {
        return Ok(true);
    }
    let known = turn.config()?.dispositions().get();
    Ok(!known.is_truthy()? || known.contains(command.disposition().get())?)
}

pub(crate) fn abandon<'py>(turn: &Turn<'_, 'py>, command: &AbandonContact<'py>) -> PyResult<Decided<'py>> {
    let Some(contact) = turn.find_contact(&command.contact())? else {
        return Ok(Decided::Unusual);
    };
    let usual = Phase::of(&contact.phase())? == Phase::Waiting
        && contact.works().entries()? == 0
        && contact.callback_handle().is_blank()
        && contact.parent().int()? == 0
        && contact.direction().is_text(intern!(turn.py, "inbound"));
    if !usual {
        return Ok(Decided::Unusual);
    }
    let (abandoned, customer) = (intern!(turn.py, "abandoned"), intern!(turn.py, "customer"));
    let (abandoned, customer) = (abandoned.clone().into_any(), customer.clone().into_any());
    finish(turn, &contact, abandoned, customer, command.reason().get())?;
    Ok(Decided::Done)
}

/// Ends a contact that is no consultation. All the time spent waiting for an agent counts, that of a present wait
/// included.
fn finish<'py>(
    turn: &Turn<'_, 'py>,
    contact: &Contact<'py>,
    outcome: Bound<'py, PyAny>,
    by: Bound<'py, PyAny>,
    reason: Bound<'py, PyAny>,
) -> PyResult<()> {
    let mut waited_ns = contact.waited_ns().get();
    let wait_from_ns = contact.wait_from_ns().int()?;
    let waits = matches!(
        Phase::of(&contact.phase())?,
        Phase::Waiting | Phase::Offered | Phase::Connecting
    );
    if wait_from_ns != 0 && waits {
        waited_ns = turn.int(contact.waited_ns().int()? + turn.now_ns - wait_from_ns);
    }
    let ended = ContactEndedFields {
        contact: contact.id().get(),
        outcome,
        channel: contact.channel().get(),
        queue: contact.queue().get(),
        agent: contact.last_agent().get(),
        by,
        reason,
        direction: contact.direction().get(),
        arrived_ns: contact.arrived_ns().get(),
        waited_ns,
        talk_ns: contact.talk_ns().get(),
        hold_ns: contact.hold_ns().get(),
        wrap_up_ns: contact.wrap_up_ns().get(),
    };
    turn.emit(contact, &ended.make(turn.py)?)
}
