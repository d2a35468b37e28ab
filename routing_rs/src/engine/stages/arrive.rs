//! A contact comes in and goes on to its first line: `stages/arrive.py`, `identify.py`, `classify.py`.

use pyo3::intern;
use pyo3::prelude::*;
use pyo3::types::PyDict;

use super::{Decided, wait};
use crate::engine::effects::customer_key;
use crate::engine::objects::{joined, truth};
use crate::engine::records::{
    AdmitContact, ChannelRule, ClassificationStartedFields, ClassifyContact, Contact, ContactAdmittedFields,
    ContactClassifiedFields, ContactIdentifiedFields, Customer, IdentificationStartedFields, IdentifyContact,
    Limits,
};
use crate::engine::slots::{Slot, Struct};
use crate::engine::turn::{Turn, ns};
use crate::engine::words::Phase;

/// Whether a priority is one that contacts may have.
fn is_priority(slot: &Slot<'_, '_>) -> bool {
    slot.plain_int()
        .is_some_and(|priority| (-1000..=1000).contains(&priority))
}

/// Whether a credit is none, or one that may be given: within a year.
fn is_credit(slot: &Slot<'_, '_>) -> bool {
    slot.is_none() || slot.plain_float().is_some_and(|seconds| seconds.abs() <= YEAR_S)
}

const YEAR_S: f64 = 31_536_000.0;

/// The first of two texts that is not empty.
fn either<'py>(first: &Slot<'_, 'py>, second: &Slot<'_, 'py>) -> Bound<'py, PyAny> {
    if first.is_blank() {
        second.get()
    } else {
        first.get()
    }
}

pub(crate) fn admit<'py>(turn: &Turn<'_, 'py>, command: &AdmitContact<'py>) -> PyResult<Decided<'py>> {
    let (py, state) = (turn.py, &turn.state);
    let Some(channel) = turn.config()?.channels().find(&command.channel().get())? else {
        return Ok(Decided::Unusual);
    };
    let channel = ChannelRule::of(channel)?;
    let usual = !command.provider_id().is_blank()
        && command.outbound().is_blank()
        && command.text().is_blank()
        && command.skills().is_blank()
        && is_priority(&command.priority())
        && is_credit(&command.credit_s());
    if !usual {
        return Ok(Decided::Unusual);
    }
    let key = joined(&command.channel().get(), &command.provider_id().get())?;
    if let Some(known) = state.by_provider().find(&key)? {
        return Ok(Decided::Contact(known));
    }
    let queue = either(&command.queue(), &channel.queue());
    if queue.is_truthy()? && !state.queues().has(&queue)? {
        return Ok(Decided::Unusual);
    }
    let number = turn.int(state.last_id().int()? + 1);
    let credit_ns = if command.credit_s().is_none() {
        turn.none()
    } else {
        turn.int(ns(&command.credit_s())?)
    };
    let conversation = if command.conversation().is_blank() {
        number.clone()
    } else {
        command.conversation().get()
    };
    let admitted = ContactAdmittedFields {
        contact: number.clone(),
        conversation,
        channel: command.channel().get(),
        medium: channel.medium().get(),
        provider_id: command.provider_id().get(),
        direction: intern!(py, "inbound").clone().into_any(),
        handle: command.handle().get(),
        to: command.to().get(),
        subject: command.subject().get(),
        customer_name: command.customer_name().get(),
        language: command.language().get(),
        queue,
        skills: command.skills().get(),
        priority: command.priority().get(),
        credit_ns,
        preferred_agent: command.preferred_agent().get(),
        attributes: command.attributes().get(),
        parent: turn.zero(),
    };
    let contact = turn.admit(&admitted.make(py)?, &key)?;
    go_on(turn, &contact)?;
    Ok(Decided::Contact(number))
}

/// Sends a contact to the next stage before waiting that it has not been through.
fn go_on<'py>(turn: &Turn<'_, 'py>, contact: &Contact<'py>) -> PyResult<()> {
    let (py, config) = (turn.py, turn.config()?);
    let phase = Phase::of(&contact.phase())?;
    let limits = Limits::of(config.limits().get())?;
    let until = |seconds: Slot<'_, 'py>| PyResult::Ok(turn.int(turn.now_ns + ns(&seconds)?));
    if phase == Phase::Arrived && !config.crms().is_blank() {
        let deadline_ns = until(limits.identify_s())?;
        return turn.emit(
            contact,
            &IdentificationStartedFields {
                contact: contact.id().get(),
                deadline_ns,
            }
            .make(py)?,
        );
    }
    if matches!(phase, Phase::Arrived | Phase::Identifying) && !config.classifiers().is_blank() {
        let deadline_ns = until(limits.classify_s())?;
        return turn.emit(
            contact,
            &ClassificationStartedFields {
                contact: contact.id().get(),
                deadline_ns,
            }
            .make(py)?,
        );
    }
    let channel = turn.channel(&contact.channel().get())?;
    if phase != Phase::SelfService && !channel.bot().is_blank() {
        turn.python(
            "centralita.stages.arrive",
            "go_on",
            (turn.engine, contact.object()),
        )?;
        return Ok(());
    }
    // The channel's queue is the contact's from the beginning, but for rules that came later.
    let queue = if contact.queue().is_blank() {
        either(&channel.queue(), &config.default_queue())
    } else {
        contact.queue().get()
    };
    wait::enter(turn, contact, &queue)
}

pub(crate) fn identify<'py>(turn: &Turn<'_, 'py>, command: &IdentifyContact<'py>) -> PyResult<Decided<'py>> {
    let Some(contact) = turn.find_contact(&command.contact())? else {
        return Ok(Decided::Unusual);
    };
    let identifying = Phase::of(&contact.phase())? == Phase::Identifying;
    if command.customer().is_none() && !identifying {
        return Ok(Decided::Unusual);
    }
    let theirs = if command.customer().is_none() {
        None
    } else {
        conversation(turn, &contact, &Customer::of(command.customer().get())?)?
    };
    let conversation = if command.conversation().is_blank() {
        theirs.unwrap_or_else(|| turn.zero())
    } else {
        command.conversation().get()
    };
    let identified = ContactIdentifiedFields {
        contact: contact.id().get(),
        customer: command.customer().get(),
        conversation,
        timed_out: truth(turn.py, false),
    };
    turn.emit(&contact, &identified.make(turn.py)?)?;
    if identifying {
        go_on(turn, &contact)?;
    }
    Ok(Decided::Done)
}

/// The conversation that the same customer's oldest other contact is in.
fn conversation<'py>(
    turn: &Turn<'_, 'py>,
    contact: &Contact<'py>,
    customer: &Customer<'py>,
) -> PyResult<Option<Bound<'py, PyAny>>> {
    let Some(theirs) = turn.state.by_customer().find(&customer_key(customer)?)? else {
        return Ok(None);
    };
    let own = contact.id().int()?;
    let mut oldest: Option<i64> = None;
    for (number, _) in theirs.cast_into::<PyDict>()? {
        let number: i64 = number.extract()?;
        if number != own && oldest.is_none_or(|oldest| number < oldest) {
            oldest = Some(number);
        }
    }
    oldest
        .map(|number| Ok(turn.contact(&turn.int(number))?.conversation().get()))
        .transpose()
}

pub(crate) fn classify<'py>(turn: &Turn<'_, 'py>, command: &ClassifyContact<'py>) -> PyResult<Decided<'py>> {
    let Some(contact) = turn.find_contact(&command.contact())? else {
        return Ok(Decided::Unusual);
    };
    let usual = Phase::of(&contact.phase())? == Phase::Classifying
        && (command.queue().is_blank() || turn.state.queues().has(&command.queue().get())?)
        && command.skills().is_blank()
        && command.attributes().is_blank()
        && (command.priority().is_none() || is_priority(&command.priority()));
    if !usual {
        return Ok(Decided::Unusual);
    }
    let skills = if command.skills().is_none() {
        contact.own_skills().get()
    } else {
        command.skills().get()
    };
    let priority = if command.priority().is_none() {
        contact.own_priority().get()
    } else {
        command.priority().get()
    };
    let classified = ContactClassifiedFields {
        contact: contact.id().get(),
        queue: either(&command.queue(), &contact.queue()),
        skills,
        priority,
        preferred_agent: either(&command.preferred_agent(), &contact.preferred_agent()),
        attributes: contact.attributes().get(),
        by: command.by().get(),
    };
    turn.emit(&contact, &classified.make(turn.py)?)?;
    go_on(turn, &contact)?;
    Ok(Decided::Done)
}
