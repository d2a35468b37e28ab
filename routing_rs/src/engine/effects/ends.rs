//! The end of a service, the after-work, and the end of a contact: `apply/service.py`, `apply/ends.py`.

use pyo3::intern;
use pyo3::prelude::*;

use super::arrivals::forget_customer;
use super::offers::{left_line, reached_on, weight};
use super::phases::{
    Phases, count, drop_work, earliest_work_ns, exclude, move_on, pass_on, take_out, time_asking_again,
    time_works, work,
};
use crate::engine::lines::{ANNOUNCE, ASK_AGAIN, DUE, Lines, STAGE, WORK};
use crate::engine::objects::truth;
use crate::engine::records::{
    Contact, ContactEnded, DisconnectContactFields, EndedFields, Queue, ServiceEnded, Work, WrapUpEnded,
    WrapUpStarted,
};
use crate::engine::slots::Struct;
use crate::engine::turn::{Effect, Turn};
use crate::engine::words::{Phase, blanks, fixed};

const ENDS: &str = "centralita.apply.ends";

fn disconnect<'py>(turn: &Turn<'_, 'py>, contact: &Contact<'py>, reason: Bound<'py, PyAny>) -> PyResult<()> {
    turn.ask(
        &DisconnectContactFields {
            contact: contact.id().get(),
            channel: reached_on(contact),
            provider_id: contact.provider_id().get(),
            reason,
        }
        .make(turn.py)?,
    )
}

impl<'py> Effect<'py> for ServiceEnded<'py> {
    fn ask(&self, turn: &Turn<'_, 'py>, contact: &Contact<'py>) -> PyResult<()> {
        let reason = if self.reason().is_blank() {
            self.by().get()
        } else {
            self.reason().get()
        };
        disconnect(turn, contact, reason)
    }

    fn apply(&self, turn: &Turn<'_, 'py>, contact: &Contact<'py>) -> PyResult<()> {
        static PHASES: Phases = Phases::new();
        move_on::<Self>(turn, contact, &PHASES)?;
        contact.deadline_ns().set(turn.zero());
        contact.announce_at_ns().set(turn.zero());
        contact.outcome().set(self.outcome().get());
        contact.ended_by().set(self.by().get());
        contact.ended_reason().set(self.reason().get());
        Ok(())
    }

    fn follow(&self, turn: &Turn<'_, 'py>, contact: &Contact<'py>) -> PyResult<()> {
        let number = contact.id().int()?;
        turn.lines.cancel(STAGE, number)?;
        turn.lines.cancel(ANNOUNCE, number)?;
        for (_, work) in contact.works().dict()? {
            if Work::of(work)?.hold().int()? == 0 {
                return Ok(());
            }
        }
        take_out(turn, &contact.id().get())
    }
}

impl<'py> Effect<'py> for WrapUpStarted<'py> {
    fn apply(&self, turn: &Turn<'_, 'py>, contact: &Contact<'py>) -> PyResult<()> {
        static PHASES: Phases = Phases::new();
        move_on::<Self>(turn, contact, &PHASES)?;
        let (agent, hold) = (self.agent().get(), self.hold().get());
        let elsewhere = self.hold().int()? != 0;
        if elsewhere {
            turn.state.last_id().set(hold.clone());
            exclude(turn, contact, &agent, &self.deadline_ns().get())?;
        }
        let work = work(
            turn,
            intern!(turn.py, "wrapping"),
            self.deadline_ns().get(),
            turn.zero(),
            hold,
        )?;
        contact.works().put(&agent, work.object())?;
        if elsewhere {
            pass_on(turn, contact, &agent)
        } else {
            Ok(())
        }
    }

    fn follow(&self, turn: &Turn<'_, 'py>, contact: &Contact<'py>) -> PyResult<()> {
        if self.hold().int()? != 0 {
            turn.python(
                "centralita.follow",
                "keep_taken",
                (&turn.lines, self.object(), &turn.now),
            )?;
        }
        turn.lines
            .schedule(WORK, contact.id().int()?, earliest_work_ns(contact)?)
    }
}

impl<'py> Effect<'py> for WrapUpEnded<'py> {
    fn apply(&self, turn: &Turn<'_, 'py>, contact: &Contact<'py>) -> PyResult<()> {
        static PHASES: Phases = Phases::new();
        move_on::<Self>(turn, contact, &PHASES)?;
        count(&contact.wrap_up_ns(), self.wrap_up_ns().int()?)?;
        if !self.disposition().is_blank() {
            contact.disposition().set(self.disposition().get());
        }
        if !self.notes().is_blank() {
            contact.notes().set(self.notes().get());
        }
        drop_work(turn, contact, &self.agent().get())
    }

    fn follow(&self, turn: &Turn<'_, 'py>, contact: &Contact<'py>) -> PyResult<()> {
        if self.hold().int()? == 0 {
            let_go(turn, contact, &self.agent().get())?;
        } else {
            take_out(turn, &self.hold().get())?;
        }
        time_works(turn, contact)?;
        if !contact.excluded().is_none() {
            time_asking_again(turn, contact)?;
        }
        turn.lines.set_changed();
        Ok(())
    }
}

/// One of the hands a contact is in opens; the contact may have no other: `follow._let_go`.
fn let_go<'py>(turn: &Turn<'_, 'py>, contact: &Contact<'py>, agent: &Bound<'py, PyAny>) -> PyResult<()> {
    let (number, agent) = (contact.id().int()?, turn.agent(agent)?.number().int()?);
    if !turn.lines.queue()?.finish_if_held(number, agent, turn.now_ns)? {
        return Ok(());
    }
    let mut held = false;
    for (_, work) in contact.works().dict()? {
        held |= Work::of(work)?.hold().int()? == 0;
    }
    if !held {
        turn.lines
            .borrow()
            .known
            .bind(turn.py)
            .discard(contact.id().get())?;
    }
    turn.lines.set_changed();
    Ok(())
}

impl<'py> Effect<'py> for ContactEnded<'py> {
    fn ask(&self, turn: &Turn<'_, 'py>, contact: &Contact<'py>) -> PyResult<()> {
        if Phase::of(&contact.phase())? == Phase::Wrapping {
            return Ok(());
        }
        disconnect(turn, contact, self.outcome().get())
    }

    fn apply(&self, turn: &Turn<'_, 'py>, contact: &Contact<'py>) -> PyResult<()> {
        static PHASES: Phases = Phases::new();
        let number = contact.id().get();
        move_on::<Self>(turn, contact, &PHASES)?;
        let works = contact.works().dict()?;
        if !works.is_empty() {
            for (agent, _) in &works {
                turn.agent(&agent)?.contacts().remove(&number)?;
            }
            works.clear();
            contact.agent().set(turn.blank());
        }
        self.learn(turn, contact)?;
        count(&turn.state.ended_n(), 1)?;
        if !contact.customer().is_none() {
            forget_customer(turn, contact)?;
        }
        turn.contacts.del_item(&number)?;
        remember(turn, contact, &number)
    }

    fn follow(&self, turn: &Turn<'_, 'py>, contact: &Contact<'py>) -> PyResult<()> {
        let number = contact.id().get();
        take_out(turn, &number)?;
        let number = number.extract()?;
        if self.outcome().is_text(intern!(turn.py, "served")) {
            // The end of the service and of the wrap-up have taken its other deadlines away.
            return turn.lines.cancel(ASK_AGAIN, number);
        }
        for kind in [STAGE, WORK, ANNOUNCE, DUE, ASK_AGAIN] {
            turn.lines.cancel(kind, number)?;
        }
        Ok(())
    }
}

impl<'py> ContactEnded<'py> {
    /// What the end says of how long a contact takes, or of how long people wait before they give up.
    #[allow(clippy::cast_precision_loss, reason = "as Python makes a float of an int")]
    fn learn(&self, turn: &Turn<'_, 'py>, contact: &Contact<'py>) -> PyResult<()> {
        let served = contact.answered().is_true() && contact.direction().is_text(intern!(turn.py, "inbound"));
        let gave_up =
            !served && self.outcome().is_text(intern!(turn.py, "abandoned")) && self.waited_ns().int()? != 0;
        if !served && !gave_up {
            return Ok(());
        }
        let Some(queue) = turn.state.queues().find(&contact.queue().get())? else {
            // A contact that was answered in a queue that is no more, and then was abandoned, is neither.
            return Ok(());
        };
        let queue = Queue::of(queue)?;
        if gave_up {
            return left_line(turn.py, &queue, self.waited_ns().int()?, true);
        }
        let handling_ns = contact.talk_ns().int()? + contact.hold_ns().int()? + contact.wrap_up_ns().int()?;
        count(&queue.handled_n(), 1)?;
        let mean_ns = queue.handling_ns().float()?;
        let weight = weight(fixed(turn.py)?.gap_weight, queue.handled_n().int()?);
        queue
            .handling_ns()
            .set_float(mean_ns + (handling_ns as f64 - mean_ns) * weight);
        Ok(())
    }
}

/// What is kept of the contact for a while.
fn remember<'py>(turn: &Turn<'_, 'py>, contact: &Contact<'py>, number: &Bound<'py, PyAny>) -> PyResult<()> {
    let py = turn.py;
    let last_words = if contact.messages().is_blank() {
        blanks(py).tuple.bind(py).clone()
    } else {
        turn.engine.try_borrow_mut()?.wordless = false;
        turn.python(ENDS, "last_words", (contact.object(), &turn.now))?
    };
    let ended = turn.state.ended().dict()?;
    let one = EndedFields {
        channel: contact.channel().get(),
        provider_id: contact.provider_id().get(),
        queue: contact.queue().get(),
        agent: contact.last_agent().get(),
        ended_ns: turn.now.clone(),
        rated: contact.rated().get(),
        reached_on: contact.callback_channel().get(),
        last_words,
        consultation: truth(py, contact.parent().int()? != 0),
        forwarded_to: contact.forwarded_to().get(),
        undelivered: contact.undelivered().get(),
    }
    .make(py)?;
    ended.set_item(number, one.object())?;
    if turn.now_ns >= turn.state.words_swept_ns().int()? + fixed(py)?.words_swept_every_ns {
        if turn.engine.try_borrow()?.wordless {
            turn.state.words_swept_ns().set(turn.now.clone());
        } else {
            turn.python(ENDS, "let_go_of_words", (turn.state.object(), &turn.now))?;
        }
    }
    if ended.len() > fixed(py)?.ended_kept_max {
        turn.python(ENDS, "forget_oldest", (turn.state.object(),))?;
    }
    Ok(())
}
