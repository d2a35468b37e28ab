//! The clock of a simulation: a calendar around an engine. `simulate/drive.py` says what it is for.

use std::cmp::Reverse;
use std::collections::BinaryHeap;

use pyo3::exceptions::PyRuntimeError;
use pyo3::prelude::*;
use pyo3::types::{PyDict, PyList, PyTuple, PyType};
use pyo3::{PyTraverseError, PyVisit};
use smallvec::SmallVec;

use crate::NEVER_NS;
use crate::engine::dispatcher::Dispatcher;
use crate::engine::guard::guard;
use crate::engine::records::Step;
use crate::engine::slots::Struct;
use crate::python::{PyQueue, PyTimers};

/// What an entry of the calendar does when its time has come.
pub(crate) enum Deed {
    /// Calls something with these arguments.
    Call(Py<PyAny>, Py<PyTuple>),
    /// Gives the engine a command.
    Do(Py<PyAny>),
    /// Has somebody compiled do something about this.
    Act(Actor, Py<PyAny>),
}

/// Somebody compiled and what they do.
pub(crate) struct Actor {
    pub(crate) who: Py<PyAny>,
    pub(crate) does: Act,
}

pub(crate) type Act = for<'py> fn(&Bound<'py, PyAny>, Bound<'py, PyAny>) -> PyResult<()>;

/// Who is told of an event or does an ask.
enum Listener {
    Python(Py<PyAny>),
    Compiled(Actor),
}

impl Listener {
    fn who(&self) -> &Py<PyAny> {
        match self {
            Self::Python(who) => who,
            Self::Compiled(actor) => &actor.who,
        }
    }

    fn does(&self) -> Option<Act> {
        match self {
            Self::Python(_) => None,
            Self::Compiled(actor) => Some(actor.does),
        }
    }
}

/// An entry of the calendar; they come in the order of (time, when entered).
struct Entry {
    at_ns: i64,
    entered: u64,
    deed: Deed,
}

impl Entry {
    fn key(&self) -> (i64, u64) {
        (self.at_ns, self.entered)
    }
}

impl PartialEq for Entry {
    fn eq(&self, other: &Self) -> bool {
        self.key() == other.key()
    }
}

impl Eq for Entry {}

impl PartialOrd for Entry {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Entry {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        self.key().cmp(&other.key())
    }
}

/// Who is told of one type of event, or does one type of ask, in the order in which they asked for it.
struct Told {
    kind: Py<PyType>,
    listeners: Vec<Listener>,
}

/// Who is told, how unless by a call, and what.
type Telling<'py> = (Bound<'py, PyAny>, Option<Act>, Bound<'py, PyAny>);

/// An engine, its calendar and who plays its edges; `centralita.simulate.drive.Drive` is made of it.
#[pyclass(subclass, module = "centralita._routing", name = "DriveHeld")]
pub(crate) struct DriveHeld {
    engine: Option<Py<Dispatcher>>,
    tick: Py<PyAny>,
    #[pyo3(get)]
    pub(crate) now_ns: i64,
    #[pyo3(get)]
    commands_n: u64,
    calendar: BinaryHeap<Reverse<Entry>>,
    entered: u64,
    edges: Vec<Told>,
    watchers: Vec<Told>,
    followers: Vec<Py<PyAny>>,
}

#[pymethods]
impl DriveHeld {
    #[new]
    #[pyo3(signature = (*_given, **_named))]
    fn new(py: Python<'_>, _given: &Bound<'_, PyTuple>, _named: Option<&Bound<'_, PyDict>>) -> Self {
        Self {
            engine: None,
            tick: py.None(),
            now_ns: 0,
            commands_n: 0,
            calendar: BinaryHeap::new(),
            entered: 0,
            edges: Vec::new(),
            watchers: Vec::new(),
            followers: Vec::new(),
        }
    }

    /// Begins at a time with an engine and the command that lets it look at what is due.
    fn begin(&mut self, engine: Py<Dispatcher>, tick: Py<PyAny>, start_ns: i64) {
        (self.engine, self.tick, self.now_ns) = (Some(engine), tick, start_ns);
    }

    /// Enter something to be called at a time; at the present time or in the past means next.
    #[pyo3(signature = (at_ns, action, *given))]
    fn at(&mut self, at_ns: i64, action: Py<PyAny>, given: Py<PyTuple>) {
        self.enter(at_ns, Deed::Call(action, given));
    }

    /// Enter a command to be done at a time.
    fn do_at(&mut self, at_ns: i64, command: Py<PyAny>) {
        self.enter(at_ns, Deed::Do(command));
    }

    /// Let `edge` do what the engine asks of this kind; at most one each.
    fn plays(&mut self, kind: Bound<'_, PyType>, edge: Py<PyAny>) {
        told(&mut self.edges, kind).listeners = vec![Listener::Python(edge)];
    }

    /// Tell `watcher` of every event of this kind, once it is true.
    fn watches(&mut self, kind: Bound<'_, PyType>, watcher: Py<PyAny>) {
        told(&mut self.watchers, kind)
            .listeners
            .push(Listener::Python(watcher));
    }

    /// Tell `watcher` of every step that changed something, with its command.
    fn follows(&mut self, watcher: Py<PyAny>) {
        self.followers.push(watcher);
    }

    /// Give the engine a command now, and let the edges and the watchers have what comes of it.
    #[pyo3(name = "do")]
    fn do_one<'py>(slf: &Bound<'py, Self>, command: &Bound<'py, PyAny>) -> PyResult<Bound<'py, PyAny>> {
        guard(|| Self::r#do(slf, command), || Ok(()))
    }

    /// Go on until the calendar is empty or until a time; the engine's own deadlines alone don't
    /// keep it going, since a queue that announces does so for ever.
    #[pyo3(signature = (until_ns=None))]
    fn run(slf: &Bound<'_, Self>, until_ns: Option<i64>) -> PyResult<()> {
        guard(|| go_on(slf, until_ns), || Ok(()))
    }

    /// When something happens next: an entry of the calendar or a deadline of the engine.
    fn next_ns(slf: &Bound<'_, Self>) -> PyResult<i64> {
        let due_ns = due_ns(slf)?;
        Ok(first_ns(slf).map_or(due_ns, |first_ns| first_ns.min(due_ns)))
    }

    #[allow(clippy::needless_pass_by_value, reason = "the visit is pyo3's to give")]
    fn __traverse__(&self, visit: PyVisit<'_>) -> Result<(), PyTraverseError> {
        visit.call(&self.engine)?;
        visit.call(&self.tick)?;
        for Reverse(entry) in &self.calendar {
            match &entry.deed {
                Deed::Call(action, given) => {
                    visit.call(action)?;
                    visit.call(given)?;
                }
                Deed::Do(command) => visit.call(command)?,
                Deed::Act(actor, what) => {
                    visit.call(&actor.who)?;
                    visit.call(what)?;
                }
            }
        }
        for told in self.edges.iter().chain(&self.watchers) {
            visit.call(&told.kind)?;
            for listener in &told.listeners {
                visit.call(listener.who())?;
            }
        }
        for follower in &self.followers {
            visit.call(follower)?;
        }
        Ok(())
    }

    fn __clear__(&mut self) {
        self.calendar.clear();
        self.edges.clear();
        self.watchers.clear();
        self.followers.clear();
    }
}

impl DriveHeld {
    pub(crate) fn engine<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, Dispatcher>> {
        match &self.engine {
            Some(engine) => Ok(engine.bind(py).clone()),
            None => Err(PyRuntimeError::new_err("a drive begins with an engine")),
        }
    }

    /// Gives the engine a command now, and lets the edges and the watchers have what comes of it.
    pub(crate) fn r#do<'py>(
        slf: &Bound<'py, Self>,
        command: &Bound<'py, PyAny>,
    ) -> PyResult<Bound<'py, PyAny>> {
        let (engine, now_ns) = {
            let mut held = slf.borrow_mut();
            held.commands_n += 1;
            (held.engine(slf.py())?, held.now_ns)
        };
        let step = Step::of(Dispatcher::decide_at(&engine, command.clone(), now_ns)?)?;
        let events = step.events().get().cast_into::<PyList>()?;
        if !events.is_empty() {
            tell(slf, &step, &events, command)?;
        }
        Ok(step.object().clone())
    }

    pub(crate) fn enter(&mut self, at_ns: i64, deed: Deed) {
        let (at_ns, entered) = (at_ns.max(self.now_ns), self.entered);
        self.entered += 1;
        self.calendar.push(Reverse(Entry { at_ns, entered, deed }));
    }

    /// Lets somebody compiled do what the engine asks of this kind.
    pub(crate) fn play(&mut self, kind: Bound<'_, PyType>, actor: Actor) {
        told(&mut self.edges, kind).listeners = vec![Listener::Compiled(actor)];
    }

    /// Tells somebody compiled of every event of this kind.
    pub(crate) fn watch(&mut self, kind: Bound<'_, PyType>, actor: Actor) {
        told(&mut self.watchers, kind)
            .listeners
            .push(Listener::Compiled(actor));
    }

    /// Takes the first entry out, whose time this is.
    fn pop(&mut self, at_ns: i64) -> Option<Deed> {
        self.now_ns = at_ns;
        self.calendar.pop().map(|Reverse(entry)| entry.deed)
    }

    fn wind(&mut self, at_ns: i64) {
        self.now_ns = self.now_ns.max(at_ns);
    }

    /// Who is to be told what: the watchers of each event, then the edges of each ask.
    fn tellings<'py>(
        &self,
        events: &Bound<'py, PyList>,
        asks: &Bound<'py, PyList>,
    ) -> SmallVec<[Telling<'py>; 4]> {
        let mut found = SmallVec::new();
        for (table, told) in [(&self.watchers, events), (&self.edges, asks)] {
            for one in told {
                let kind = one.get_type_ptr();
                let Some(told) = table.iter().find(|told| told.kind.as_ptr() == kind.cast()) else {
                    continue;
                };
                let listeners = told.listeners.iter();
                found
                    .extend(listeners.map(|who| (who.who().bind(one.py()).clone(), who.does(), one.clone())));
            }
        }
        found
    }
}

/// Goes on until the calendar is empty or until a time.
fn go_on(slf: &Bound<'_, DriveHeld>, until_ns: Option<i64>) -> PyResult<()> {
    let last_ns = until_ns.unwrap_or(NEVER_NS);
    loop {
        run_entries(slf, last_ns)?;
        let Some(until_ns) = until_ns else {
            return Ok(());
        };
        tick_until(slf, until_ns)?;
        if first_ns(slf).is_none_or(|first_ns| first_ns > until_ns) {
            slf.borrow_mut().wind(until_ns);
            return Ok(());
        } // else a Tick has entered something
    }
}

fn told<'a>(table: &'a mut Vec<Told>, kind: Bound<'_, PyType>) -> &'a mut Told {
    let at = table
        .iter()
        .position(|told| told.kind.is(&kind))
        .unwrap_or_else(|| {
            table.push(Told {
                kind: kind.unbind(),
                listeners: Vec::new(),
            });
            table.len() - 1
        });
    &mut table[at]
}

fn tell<'py>(
    drive: &Bound<'py, DriveHeld>,
    step: &Step<'py>,
    events: &Bound<'py, PyList>,
    command: &Bound<'py, PyAny>,
) -> PyResult<()> {
    let py = drive.py();
    let asks = step.asks().get().cast_into::<PyList>()?;
    let (followers, tellings) = {
        let held = drive.borrow();
        let followers: Vec<_> = held
            .followers
            .iter()
            .map(|follower| follower.bind(py).clone())
            .collect();
        (followers, held.tellings(events, &asks))
    };
    for follower in followers {
        follower.call1((step.object(), command))?;
    }
    for (who, does, what) in tellings {
        match does {
            Some(does) => does(&who, what)?,
            None => drop(who.call1((what,))?),
        }
    }
    Ok(())
}

/// Does what stands in the calendar until a time, and what is due before it.
fn run_entries(drive: &Bound<'_, DriveHeld>, last_ns: i64) -> PyResult<()> {
    let py = drive.py();
    while let Some(at_ns) = first_ns(drive).filter(|at_ns| *at_ns <= last_ns) {
        py.check_signals()?;
        if due_ns(drive)? <= at_ns {
            tick_until(drive, at_ns)?;
            if first_ns(drive) < Some(at_ns) {
                continue; // a Tick has entered something earlier
            }
        }
        let deed = drive.borrow_mut().pop(at_ns);
        match deed {
            Some(Deed::Call(action, given)) => drop(action.bind(py).call1(given.bind(py))?),
            Some(Deed::Do(command)) => drop(DriveHeld::r#do(drive, command.bind(py))?),
            Some(Deed::Act(actor, what)) => (actor.does)(actor.who.bind(py), what.into_bound(py))?,
            None => {}
        }
    }
    Ok(())
}

/// When the first entry of the calendar is due.
fn first_ns(drive: &Bound<'_, DriveHeld>) -> Option<i64> {
    drive.borrow().calendar.peek().map(|Reverse(entry)| entry.at_ns)
}

/// When the engine has something to do of itself.
fn due_ns(drive: &Bound<'_, DriveHeld>) -> PyResult<i64> {
    let py = drive.py();
    let engine = drive.borrow().engine(py)?;
    let lines = engine.borrow().lines.bind(py).clone();
    {
        let lines = lines.borrow();
        if let (Ok(queue), Ok(timers)) = (
            lines.queue.bind(py).cast::<PyQueue>(),
            lines.timers.bind(py).cast::<PyTimers>(),
        ) {
            return Ok(queue
                .borrow_mut()
                .next_deadline_ns()?
                .min(timers.borrow().next_deadline_ns()));
        }
    }
    engine
        .call_method0(pyo3::intern!(py, "next_deadline_ns"))?
        .extract()
}

/// Gives the engine its due Ticks, unless one of them enters something that comes first.
fn tick_until(drive: &Bound<'_, DriveHeld>, at_ns: i64) -> PyResult<()> {
    loop {
        let due_ns = due_ns(drive)?;
        if due_ns > at_ns || first_ns(drive).is_some_and(|first_ns| first_ns < due_ns) {
            return Ok(());
        }
        let tick = {
            let mut held = drive.borrow_mut();
            held.wind(due_ns);
            held.tick.bind(drive.py()).clone()
        };
        DriveHeld::r#do(drive, &tick)?;
    }
}
