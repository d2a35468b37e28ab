//! One command's turn: what its stage reads, and how what it decides becomes true.

use pyo3::call::PyCallArgs;
use pyo3::exceptions::PyKeyError;
use pyo3::prelude::*;
use pyo3::types::{PyDict, PyList};

use crate::engine::dispatcher::Dispatcher;
use crate::engine::effects::Usual;
use crate::engine::lines::LinesHeld;
use crate::engine::objects::int;
use crate::engine::records::{
    Agent, ChannelRule, Contact, ContactAdmitted, ContactEnded, EngineConfig, Queue, QueueRules, State, Step,
    Terms, Work,
};
use crate::engine::slots::{Slot, Struct};
use crate::engine::words::blanks;

pub(crate) struct Turn<'a, 'py> {
    pub(crate) py: Python<'py>,
    pub(crate) engine: &'a Bound<'py, Dispatcher>,
    pub(crate) state: State<'py>,
    pub(crate) contacts: Bound<'py, PyDict>,
    pub(crate) lines: Bound<'py, LinesHeld>,
    pub(crate) now_ns: i64,
    /// The same as Python's int, of which every event of this moment has a share.
    pub(crate) now: Bound<'py, PyAny>,
    pub(crate) events: Bound<'py, PyList>,
    pub(crate) asks: Bound<'py, PyList>,
    /// What is told of each event while a snapshot is being taken.
    capture: Option<Bound<'py, PyAny>>,
    /// What is told of each contact that ends.
    at_end: Option<Bound<'py, PyAny>>,
}

/// What an event about a contact does: `asks.py`, `apply/` and `follow.py` for one type of event.
pub(crate) trait Effect<'py>: Struct<'py> {
    /// The ask that follows, before the event is applied.
    fn ask(&self, _turn: &Turn<'_, 'py>, _contact: &Contact<'py>) -> PyResult<()> {
        Ok(())
    }
    /// What becomes of the state.
    fn apply(&self, turn: &Turn<'_, 'py>, contact: &Contact<'py>) -> PyResult<()>;
    /// How the lines move.
    fn follow(&self, _turn: &Turn<'_, 'py>, _contact: &Contact<'py>) -> PyResult<()> {
        Ok(())
    }
}

impl<'a, 'py> Turn<'a, 'py> {
    /// What an engine holds now, with the step that its events and asks go to.
    pub(crate) fn of(engine: &'a Bound<'py, Dispatcher>) -> PyResult<Self> {
        let py = engine.py();
        let held = engine.try_borrow()?;
        let step = Step::of(held.step.bind(py).clone())?;
        let state = State::of(held.state.bind(py).clone())?;
        Ok(Self {
            py,
            engine,
            contacts: state.contacts().dict()?,
            state,
            lines: held.lines.bind(py).clone(),
            now_ns: held.now_ns,
            now: int(py, held.now_ns),
            events: step.events().get().cast_into()?,
            asks: step.asks().get().cast_into()?,
            capture: held.capture.as_ref().map(|capture| capture.bind(py).clone()),
            at_end: held.at_end.as_ref().map(|at_end| at_end.bind(py).clone()),
        })
    }

    /// Makes an event about a contact true, now.
    pub(crate) fn emit<E: Effect<'py> + Usual>(&self, contact: &Contact<'py>, event: &E) -> PyResult<()> {
        self.before(event.object())?;
        event.ask(self, contact)?;
        event.apply(self, contact)?;
        event.follow(self, contact)?;
        self.events.append(event.object())
    }

    /// Makes a new contact.
    pub(crate) fn admit(
        &self,
        event: &ContactAdmitted<'py>,
        key: &Bound<'py, PyAny>,
    ) -> PyResult<Contact<'py>> {
        self.before(event.object())?;
        let contact = event.apply(self, key)?;
        self.events.append(event.object())?;
        Ok(contact)
    }

    /// Tells a snapshot that is being taken, and whoever keeps contacts that end, what is about to change.
    pub(crate) fn before(&self, event: &Bound<'py, PyAny>) -> PyResult<()> {
        if let Some(capture) = &self.capture {
            capture.call_method1(pyo3::intern!(self.py, "before"), (event,))?;
        }
        if let Some(at_end) = &self.at_end
            && let Ok(ended) = ContactEnded::of(event.clone())
        {
            at_end.call1((self.contact(&ended.contact().get())?.object(), event))?;
        }
        Ok(())
    }

    pub(crate) fn ask<A: Struct<'py>>(&self, ask: &A) -> PyResult<()> {
        self.asks.append(ask.object())
    }

    /// Has a function of the Python modules do what is too rare to be here as well.
    pub(crate) fn python<A: PyCallArgs<'py>>(
        &self,
        module: &str,
        name: &str,
        given: A,
    ) -> PyResult<Bound<'py, PyAny>> {
        self.py.import(module)?.getattr(name)?.call1(given)
    }

    pub(crate) fn int(&self, value: i64) -> Bound<'py, PyAny> {
        int(self.py, value)
    }

    /// The empty text.
    pub(crate) fn blank(&self) -> Bound<'py, PyAny> {
        blanks(self.py).text.bind(self.py).clone()
    }

    pub(crate) fn zero(&self) -> Bound<'py, PyAny> {
        blanks(self.py).zero.bind(self.py).clone()
    }

    pub(crate) fn none(&self) -> Bound<'py, PyAny> {
        self.py.None().into_bound(self.py)
    }

    pub(crate) fn config(&self) -> PyResult<EngineConfig<'py>> {
        EngineConfig::of(self.state.config().get())
    }

    pub(crate) fn find_contact(&self, number: &Slot<'_, 'py>) -> PyResult<Option<Contact<'py>>> {
        self.contacts.get_item(number.get())?.map(Contact::of).transpose()
    }

    /// A live contact and this agent's part in it: `refuse.find_work`.
    pub(crate) fn find_work(
        &self,
        number: &Slot<'_, 'py>,
        agent: &Bound<'py, PyAny>,
    ) -> PyResult<Option<(Contact<'py>, Work<'py>)>> {
        let Some(contact) = self.find_contact(number)? else {
            return Ok(None);
        };
        let Some(work) = contact.works().find(agent)? else {
            return Ok(None);
        };
        Ok(Some((contact, Work::of(work)?)))
    }

    /// A contact that is there, since an event names it.
    pub(crate) fn contact(&self, number: &Bound<'py, PyAny>) -> PyResult<Contact<'py>> {
        match self.contacts.get_item(number)? {
            Some(contact) => Contact::of(contact),
            None => Err(missing(number)),
        }
    }

    pub(crate) fn agent(&self, name: &Bound<'py, PyAny>) -> PyResult<Agent<'py>> {
        Agent::of(member(&self.state.agents(), name)?)
    }

    pub(crate) fn queue(&self, name: &Bound<'py, PyAny>) -> PyResult<Queue<'py>> {
        Queue::of(member(&self.state.queues(), name)?)
    }

    pub(crate) fn rules(&self, queue: &Bound<'py, PyAny>) -> PyResult<QueueRules<'py>> {
        QueueRules::of(member(&self.config()?.queues(), queue)?)
    }

    pub(crate) fn channel(&self, name: &Bound<'py, PyAny>) -> PyResult<ChannelRule<'py>> {
        ChannelRule::of(member(&self.config()?.channels(), name)?)
    }

    pub(crate) fn terms(&self, queue: &Bound<'py, PyAny>) -> PyResult<Terms<'py>> {
        match self.lines.borrow().terms.bind(self.py).get_item(queue)? {
            Some(terms) => Terms::of(terms),
            None => Err(missing(queue)),
        }
    }
}

/// What must be in a dictionary.
fn member<'py>(table: &Slot<'_, 'py>, key: &Bound<'py, PyAny>) -> PyResult<Bound<'py, PyAny>> {
    table.find(key)?.ok_or_else(|| missing(key))
}

fn missing(key: &Bound<'_, PyAny>) -> PyErr {
    PyKeyError::new_err(key.clone().unbind())
}

/// Seconds of a setting as whole nanoseconds, as `config.ns` rounds them.
pub(crate) fn ns(seconds: &Slot<'_, '_>) -> PyResult<i64> {
    #[allow(
        clippy::cast_possible_truncation,
        reason = "settings are limited to what an i64 holds"
    )]
    Ok((seconds.float()? * 1e9).round_ties_even() as i64)
}
