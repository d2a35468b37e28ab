//! A contact comes in and becomes known: `apply/arrivals.py`.

use pyo3::prelude::*;
use pyo3::types::PyDict;

use super::phases::{Phases, count, move_on};
use crate::engine::lines::{Lines, STAGE};
use crate::engine::objects::{joined, truth};
use crate::engine::records::{
    ClassificationStarted, Contact, ContactAdmitted, ContactClassified, ContactFields, ContactIdentified,
    Customer, FindClassificationFields, FindCustomerFields, IdentificationStarted,
};
use crate::engine::slots::Struct;
use crate::engine::turn::{Effect, Turn};
use crate::engine::words::{Phase, blanks};

/// The key of a customer in `State.by_customer`.
pub(crate) fn customer_key<'py>(customer: &Customer<'py>) -> PyResult<Bound<'py, PyAny>> {
    joined(&customer.crm().get(), &customer.id().get())
}

/// The contact is no longer one of its customer's live ones.
pub(crate) fn forget_customer<'py>(turn: &Turn<'_, 'py>, contact: &Contact<'py>) -> PyResult<()> {
    let key = customer_key(&Customer::of(contact.customer().get())?)?;
    let by_customer = turn.state.by_customer().dict()?;
    let theirs = by_customer.as_any().get_item(&key)?.cast_into::<PyDict>()?;
    theirs.del_item(contact.id().get())?;
    if theirs.is_empty() {
        by_customer.del_item(key)
    } else {
        Ok(())
    }
}

impl<'py> ContactAdmitted<'py> {
    /// Makes the contact; `key` is its provider's.
    pub(crate) fn apply(&self, turn: &Turn<'_, 'py>, key: &Bound<'py, PyAny>) -> PyResult<Contact<'py>> {
        let (py, state, number) = (turn.py, &turn.state, self.contact().get());
        state.last_id().set(number.clone());
        count(&state.admitted_n(), 1)?;
        state.by_provider().put(key, &number)?;
        let (none, blank, zero, no) = (turn.none(), turn.blank(), turn.zero(), truth(py, false));
        let contact = ContactFields {
            id: number.clone(),
            conversation: self.conversation().get(),
            channel: self.channel().get(),
            medium: self.medium().get(),
            provider_id: self.provider_id().get(),
            direction: self.direction().get(),
            arrived_ns: turn.now.clone(),
            handle: self.handle().get(),
            to: self.to().get(),
            subject: self.subject().get(),
            customer_name: self.customer_name().get(),
            language: self.language().get(),
            customer: none.clone(),
            phase: Phase::Arrived.word(py),
            phase_since_ns: turn.now.clone(),
            deadline_ns: zero.clone(),
            queue: self.queue().get(),
            own_skills: self.skills().get(),
            own_priority: self.priority().get(),
            own_credit_ns: self.credit_ns().get(),
            preferred_agent: self.preferred_agent().get(),
            attributes: self.attributes().get(),
            skills: blanks(py).dict.bind(py).clone(), // replaced in its first line, never changed
            priority: zero.clone(),
            rate_thousandths: turn.int(1000),
            credit_ns: zero.clone(),
            queued_ns: zero.clone(),
            wait_from_ns: zero.clone(),
            prefer_agent: blank.clone(),
            prefer_until_ns: zero.clone(),
            excluded: none.clone(),
            rung: zero.clone(),
            announce_at_ns: zero.clone(),
            due_ns: zero.clone(),
            hops: zero.clone(),
            picked: blank.clone(),
            agent: blank.clone(),
            last_agent: blank.clone(),
            works: PyDict::new(py).into_any(),
            consultation: zero.clone(),
            parent: self.parent().get(),
            bot: blank.clone(),
            callback_handle: blank.clone(),
            callback_channel: blank.clone(),
            callback_attempts: zero.clone(),
            outcome: none.clone(),
            ended_by: blank.clone(),
            ended_reason: blank.clone(),
            messages: none,
            messages_n: zero.clone(),
            active_ns: turn.now.clone(),
            notes: blank.clone(),
            disposition: blank.clone(),
            summary: blank.clone(),
            waited_ns: zero.clone(),
            talk_ns: zero.clone(),
            hold_ns: zero.clone(),
            wrap_up_ns: zero.clone(),
            answered: no.clone(),
            rated: no.clone(),
            bot_after: zero.clone(),
            forwarded_to: blank,
            undelivered: zero,
            reached: no,
        }
        .make(py)?;
        turn.contacts.set_item(number, contact.object())?;
        Ok(contact)
    }
}

/// Events by which somebody outside is asked about the contact, until a deadline.
macro_rules! asks_outside {
    ($($name:ident by $ask:ident),* $(,)?) => {
        $(impl<'py> Effect<'py> for $name<'py> {
            fn ask(&self, turn: &Turn<'_, 'py>, contact: &Contact<'py>) -> PyResult<()> {
                let contact = contact.id().get();
                turn.ask(&$ask { contact }.make(turn.py)?)
            }

            fn apply(&self, turn: &Turn<'_, 'py>, contact: &Contact<'py>) -> PyResult<()> {
                static PHASES: Phases = Phases::new();
                move_on::<Self>(turn, contact, &PHASES)?;
                contact.deadline_ns().set(self.deadline_ns().get());
                Ok(())
            }

            fn follow(&self, turn: &Turn<'_, 'py>, contact: &Contact<'py>) -> PyResult<()> {
                turn.lines
                    .schedule(STAGE, contact.id().int()?, self.deadline_ns().int()?)
            }
        })*
    };
}

asks_outside![
    IdentificationStarted by FindCustomerFields,
    ClassificationStarted by FindClassificationFields,
];

impl<'py> Effect<'py> for ContactIdentified<'py> {
    fn apply(&self, turn: &Turn<'_, 'py>, contact: &Contact<'py>) -> PyResult<()> {
        static PHASES: Phases = Phases::new();
        move_on::<Self>(turn, contact, &PHASES)?;
        if Phase::of(&contact.phase())? == Phase::Identifying {
            contact.deadline_ns().set(turn.zero()); // a later answer ends no other wait
        }
        if !self.customer().is_none() {
            if !contact.customer().is_none() {
                forget_customer(turn, contact)?;
            }
            contact.customer().set(self.customer().get());
            let key = customer_key(&Customer::of(self.customer().get())?)?;
            let by_customer = turn.state.by_customer().dict()?;
            let theirs = if let Some(theirs) = by_customer.get_item(&key)? {
                theirs.cast_into::<PyDict>()?
            } else {
                let theirs = PyDict::new(turn.py);
                by_customer.set_item(key, &theirs)?;
                theirs
            };
            theirs.set_item(contact.id().get(), turn.py.None())?;
        }
        if !self.conversation().is_blank() {
            contact.conversation().set(self.conversation().get());
        }
        Ok(())
    }

    fn follow(&self, turn: &Turn<'_, 'py>, contact: &Contact<'py>) -> PyResult<()> {
        if contact.deadline_ns().int()? == 0 {
            turn.lines.cancel(STAGE, contact.id().int()?)?;
        }
        Ok(())
    }
}

impl<'py> Effect<'py> for ContactClassified<'py> {
    fn apply(&self, turn: &Turn<'_, 'py>, contact: &Contact<'py>) -> PyResult<()> {
        static PHASES: Phases = Phases::new();
        move_on::<Self>(turn, contact, &PHASES)?;
        contact.deadline_ns().set(turn.zero());
        contact.queue().set(self.queue().get());
        contact.own_skills().set(self.skills().get());
        contact.own_priority().set(self.priority().get());
        contact.preferred_agent().set(self.preferred_agent().get());
        contact.attributes().set(self.attributes().get());
        Ok(())
    }

    fn follow(&self, turn: &Turn<'_, 'py>, contact: &Contact<'py>) -> PyResult<()> {
        turn.lines.cancel(STAGE, contact.id().int()?)
    }
}
