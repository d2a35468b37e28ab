//! One command's turn: what its stage reads, and how what it decides becomes true.

use pyo3::prelude::*;
use pyo3::call::PyCallArgs;
use pyo3::types::{PyDict, PyList};

use crate::engine::dispatcher::Dispatcher;
use crate::engine::lines::LinesHeld;
use crate::engine::records::{Agent, Contact, EngineConfig, Queue, QueueRules, State, Step, Terms, Work};
use crate::engine::slots::{Struct, int};
use crate::engine::words::blanks;

pub(crate) struct Turn<'a, 'py> {
    pub(crate) py: Python<'py>,
    pub(crate) engine: &'a Bound<'py, Dispatcher>,
    pub(crate) state: State<'py>,
    pub(crate) lines: Bound<'py, LinesHeld>,
    pub(crate) now_ns: i64,
    /// The same as Python's int, of which every event of this moment has a share.
    pub(crate) now: Bound<'py, PyAny>,
    pub(crate) events: Bound<'py, PyList>,
    pub(crate) asks: Bound<'py, PyList>,
    /// What is told of each event while a snapshot is being taken.
    capture: Option<Bound<'py, PyAny>>,
}

/// What an event does, in the engine's own hands: `asks.py`, `apply/` and `follow.py` for one type of event.
pub(crate) trait Effect<'py>: Struct<'py> {
    /// The ask that follows, before the event is applied.
    fn ask(&self, _turn: &Turn<'_, 'py>) -> PyResult<()> {
        Ok(())
    }
    /// What becomes of the state.
    fn apply(&self, turn: &Turn<'_, 'py>) -> PyResult<()>;
    /// How the lines move.
    fn follow(&self, _turn: &Turn<'_, 'py>) -> PyResult<()> {
        Ok(())
    }
}

impl<'a, 'py> Turn<'a, 'py> {
    /// What an engine holds now, with the step that its events and asks go to.
    pub(crate) fn of(engine: &'a Bound<'py, Dispatcher>) -> PyResult<Self> {
        let py = engine.py();
        let held = engine.try_borrow()?;
        let step = Step::of(held.step.bind(py).clone())?;
        Ok(Self {
            py,
            engine,
            state: State::of(held.state.bind(py).clone())?,
            lines: held.lines.bind(py).clone(),
            now_ns: held.now_ns,
            now: int(py, held.now_ns),
            events: step.events().get().cast_into()?,
            asks: step.asks().get().cast_into()?,
            capture: held.capture.as_ref().map(|capture| capture.bind(py).clone()),
        })
    }

    /// Makes an event true, now.
    pub(crate) fn emit<E: Effect<'py>>(&self, event: &E) -> PyResult<()> {
        self.before(event.object())?;
        event.ask(self)?;
        event.apply(self)?;
        event.follow(self)?;
        self.events.append(event.object())
    }

    /// Tells a snapshot that is being taken what is about to change.
    pub(crate) fn before(&self, event: &Bound<'py, PyAny>) -> PyResult<()> {
        if let Some(capture) = &self.capture {
            capture.call_method1(pyo3::intern!(self.py, "before"), (event,))?;
        }
        Ok(())
    }

    pub(crate) fn ask<A: Struct<'py>>(&self, ask: &A) -> PyResult<()> {
        self.asks.append(ask.object())
    }

    /// Has a function of the Python modules do what is too rare to be here as well.
    pub(crate) fn python<A: PyCallArgs<'py>>(&self, module: &str, name: &str, given: A) -> PyResult<Bound<'py, PyAny>> {
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

    pub(crate) fn find_contact(&self, number: &Bound<'py, PyAny>) -> PyResult<Option<Contact<'py>>> {
        self.state.contacts().dict()?.get_item(number)?.map(Contact::of).transpose()
    }

    /// A contact that is there, since an event names it.
    pub(crate) fn contact(&self, number: &Bound<'py, PyAny>) -> PyResult<Contact<'py>> {
        member(&self.state.contacts().dict()?, number)
    }

    pub(crate) fn agent(&self, name: &Bound<'py, PyAny>) -> PyResult<Agent<'py>> {
        member(&self.state.agents().dict()?, name)
    }

    pub(crate) fn queue(&self, name: &Bound<'py, PyAny>) -> PyResult<Queue<'py>> {
        member(&self.state.queues().dict()?, name)
    }

    pub(crate) fn rules(&self, queue: &Bound<'py, PyAny>) -> PyResult<QueueRules<'py>> {
        member(&self.config()?.queues().dict()?, queue)
    }

    pub(crate) fn terms(&self, queue: &Bound<'py, PyAny>) -> PyResult<Terms<'py>> {
        member(self.lines.borrow().terms.bind(self.py), queue)
    }
}

fn member<'py, S: Struct<'py>>(table: &Bound<'py, PyDict>, key: &Bound<'py, PyAny>) -> PyResult<S> {
    match table.get_item(key)? {
        Some(found) => S::of(found),
        None => Err(pyo3::exceptions::PyKeyError::new_err(key.clone().unbind())),
    }
}

/// An agent's part in a contact, if there is one.
pub(crate) fn work_of<'py>(contact: &Contact<'py>, agent: &Bound<'py, PyAny>) -> PyResult<Option<Work<'py>>> {
    contact.works().dict()?.get_item(agent)?.map(Work::of).transpose()
}


/// Seconds of a setting as whole nanoseconds, as `config.ns` rounds them.
pub(crate) fn ns(seconds: &crate::engine::slots::Slot<'_, '_>) -> PyResult<i64> {
    #[allow(clippy::cast_possible_truncation, reason = "settings are limited to what an i64 holds")]
    Ok((seconds.float()? * 1e9).round_ties_even() as i64)
}
