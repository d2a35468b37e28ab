//! Commands in, events and asks out: dispatch, nothing else.

use pyo3::exceptions::{PyKeyError, PyTypeError};
use pyo3::gc::{PyTraverseError, PyVisit};
use pyo3::prelude::*;
use pyo3::types::{PyDict, PyInt, PyTuple, PyType};

use crate::engine::effects::Doings;
use crate::engine::guard::guard;
use crate::engine::lines::LinesHeld;
use crate::engine::objects::int;
use crate::engine::records::{Refusal, State, Step, StepFields, bind_all};
use crate::engine::slots::Struct;
use crate::engine::stages::{Decided, decider, match_run};
use crate::engine::turn::Turn;
use crate::engine::words::blanks;
use crate::python::{Int, QueueBrokenError};
use crate::refused::time;

/// What an engine holds, and its way from a command to a step; `centralita.engine.Engine` is made of it.
#[pyclass(subclass, module = "centralita._routing", name = "Dispatcher")]
pub(crate) struct Dispatcher {
    #[pyo3(get)]
    pub(crate) state: Py<PyAny>,
    /// Whether it is known that no contact that ended has words kept, so that none are to be let go of.
    pub(crate) wordless: bool,
    #[pyo3(get, set)]
    pub(crate) lines: Py<LinesHeld>,
    #[pyo3(get, set)]
    pub(crate) seq: i64,
    #[pyo3(get)]
    pub(crate) now_ns: i64,
    #[pyo3(get, set, name = "_step")]
    pub(crate) step: Py<PyAny>,
    #[pyo3(get, set, name = "_capture")]
    pub(crate) capture: Option<Py<PyAny>>,
    /// Called with a contact that is about to end, and its `ContactEnded`.
    #[pyo3(get, set)]
    pub(crate) at_end: Option<Py<PyAny>>,
    /// Whether what is usual is decided here; otherwise Python's stages decide everything.
    usual_here: bool,
    /// A bug ended an earlier call somewhere: what it left behind cannot be trusted.
    broken: bool,
    tables: Tables,
}

/// Python's tables: which function decides a command, and what an event does.
struct Tables {
    decide: Py<PyDict>,
    effects: Py<PyDict>,
}

#[pymethods]
impl Dispatcher {
    #[new]
    #[pyo3(signature = (*_given, **_named))]
    fn new(
        py: Python<'_>,
        _given: &Bound<'_, PyTuple>,
        _named: Option<&Bound<'_, PyDict>>,
    ) -> PyResult<Self> {
        bind_all(py)?;
        let lines = Py::new(py, LinesHeld::empty(py)?)?;
        Ok(Self {
            state: py.None(),
            wordless: false,
            lines,
            seq: 0,
            now_ns: 0,
            step: py.None(),
            capture: None,
            at_end: None,
            usual_here: false,
            broken: false,
            tables: Tables {
                decide: PyDict::new(py).unbind(),
                effects: PyDict::new(py).unbind(),
            },
        })
    }

    /// Begin with a state, its lines and the tables of `stages` and `apply`; `usual_here` needs the compiled queue and timers.
    fn begin(
        slf: &Bound<'_, Self>,
        state: Py<PyAny>,
        lines: Py<LinesHeld>,
        decide: Py<PyDict>,
        effects: Py<PyDict>,
        usual_here: bool,
    ) -> PyResult<()> {
        let py = slf.py();
        // Whoever makes events true in a way of their own is asked for each of them.
        let emit = pyo3::intern!(py, "emit");
        let plain = slf
            .get_type()
            .getattr(emit)?
            .is(py.get_type::<Self>().getattr(emit)?);
        let step = new_step(py)?.object().clone().unbind();
        let entries = || State::of(state.bind(py).clone())?.ended().entries();
        let wordless = guard(entries, || Ok(()))? == 0;
        let mut held = slf.try_borrow_mut()?;
        held.wordless = wordless;
        (held.state, held.lines, held.step) = (state, lines, step);
        held.usual_here = usual_here && plain;
        held.tables = Tables { decide, effects };
        Ok(())
    }

    #[setter]
    fn set_now_ns(&mut self, now_ns: Int) -> PyResult<()> {
        self.now_ns = time("now_ns", now_ns.0)?;
        Ok(())
    }

    #[setter]
    fn set_state(slf: &Bound<'_, Self>, state: Py<PyAny>) -> PyResult<()> {
        let earlier = {
            let mut held = slf.try_borrow_mut()?;
            held.wordless = false;
            std::mem::replace(&mut held.state, state)
        };
        drop(earlier); // not while the engine is borrowed, as in `handle`
        Ok(())
    }

    /// Decide a command at a moment.
    #[pyo3(signature = (command, *, now_ns))]
    fn handle<'py>(
        slf: &Bound<'py, Self>,
        command: Bound<'py, PyAny>,
        now_ns: Int,
    ) -> PyResult<Bound<'py, PyAny>> {
        Self::decide_at(slf, command, now_ns.0)
    }

    /// For stages: make an event true, now.
    fn emit<'py>(slf: &Bound<'py, Self>, event: Bound<'py, PyAny>) -> PyResult<()> {
        guarded(slf, || emit(slf, event))
    }

    /// Make a journalled event true again: nothing is decided or asked.
    fn again<'py>(slf: &Bound<'py, Self>, event: &Bound<'py, PyAny>) -> PyResult<()> {
        guarded(slf, || again(slf, event))
    }

    /// Breaks the engine, as a bug would: for the test that no panic crosses.
    fn _panic(slf: &Bound<'_, Self>) -> PyResult<()> {
        guarded(slf, || panic!("asked to"))
    }

    /// For Python's collector of cycles: what may refer back to whoever holds this.
    fn __traverse__(&self, visit: PyVisit<'_>) -> Result<(), PyTraverseError> {
        visit.call(&self.state)?;
        visit.call(&self.lines)?;
        visit.call(&self.step)?;
        visit.call(&self.capture)?;
        visit.call(&self.at_end)
    }

    /// A method of the engine's own as `at_end` is a cycle in which nobody else can let go.
    fn __clear__(&mut self) {
        (self.capture, self.at_end) = (None, None);
    }
}

impl Dispatcher {
    /// Decides a command at a moment.
    pub(crate) fn decide_at<'py>(
        slf: &Bound<'py, Self>,
        command: Bound<'py, PyAny>,
        now_ns: i64,
    ) -> PyResult<Bound<'py, PyAny>> {
        let now_ns = time("now_ns", now_ns)?;
        guarded(slf, || handle(slf, command, now_ns))
    }
}

/// After a bug the engine refuses to go on.
fn guarded<T>(slf: &Bound<'_, Dispatcher>, call: impl FnOnce() -> PyResult<T>) -> PyResult<T> {
    if slf.try_borrow()?.broken {
        return Err(QueueBrokenError::new_err("an earlier call broke this engine"));
    }
    guard(call, || {
        slf.try_borrow_mut()?.broken = true;
        Ok(())
    })
}

fn handle<'py>(
    slf: &Bound<'py, Dispatcher>,
    command: Bound<'py, PyAny>,
    now_ns: i64,
) -> PyResult<Bound<'py, PyAny>> {
    let step = new_step(slf.py())?;
    let (usual_here, earlier) = {
        let mut held = slf.try_borrow_mut()?;
        held.now_ns = held.now_ns.max(now_ns);
        (
            held.usual_here,
            std::mem::replace(&mut held.step, step.object().clone().unbind()),
        )
    };
    drop(earlier); // not while the engine is borrowed: what nobody else holds goes with it, and may call us
    let turn = Turn::of(slf)?;
    decide(&turn, command, &step, usual_here)?;
    if !turn.lines.borrow().leaving.bind(turn.py).is_empty() {
        turn.python("centralita.stages.attend", "settle", (slf,))?;
    }
    if turn.lines.borrow().changed {
        if usual_here {
            match_run(&turn)?;
        } else {
            turn.python("centralita.stages.match", "run", (slf,))?;
        }
    }
    if !turn.events.is_empty() {
        let mut held = slf.try_borrow_mut()?;
        held.seq += 1;
        step.seq().set_int(held.seq);
    }
    Ok(step.object().clone())
}

fn emit<'py>(slf: &Bound<'py, Dispatcher>, event: Bound<'py, PyAny>) -> PyResult<()> {
    let turn = Turn::of(slf)?;
    turn.before(&event)?;
    if let Some(doings) = doings(slf, &event) {
        (doings.emit)(&turn, &event)?;
    } else {
        let (ask, apply, follow) = effect(&turn, &event)?;
        if !ask.is_none() {
            ask.call1((turn.state.object(), &event, &turn.asks))?;
        }
        apply.call1((turn.state.object(), &event, &turn.now))?;
        if !follow.is_none() {
            follow.call1((&turn.lines, &event, &turn.now))?;
        }
    }
    turn.events.append(event)
}

fn again<'py>(slf: &Bound<'py, Dispatcher>, event: &Bound<'py, PyAny>) -> PyResult<()> {
    let turn = Turn::of(slf)?;
    if let Some(doings) = doings(slf, event) {
        return (doings.again)(&turn, event);
    }
    let (_, apply, follow) = effect(&turn, event)?;
    apply.call1((turn.state.object(), event, &turn.now))?;
    if !follow.is_none() {
        follow.call1((&turn.lines, event, &turn.now))?;
    }
    Ok(())
}

/// What an event does, where that is compiled and this engine's own.
fn doings(slf: &Bound<'_, Dispatcher>, event: &Bound<'_, PyAny>) -> Option<Doings> {
    if slf.borrow().usual_here {
        Doings::of(event)
    } else {
        None
    }
}

fn new_step(py: Python<'_>) -> PyResult<Step<'_>> {
    StepFields {
        events: pyo3::types::PyList::empty(py).into_any(),
        asks: pyo3::types::PyList::empty(py).into_any(),
        refusal: py.None().into_bound(py),
        contact: blanks(py).zero.bind(py).clone(),
        seq: int(py, 0),
    }
    .make(py)
}

/// Has the stage of a command decide it.
fn decide<'py>(
    turn: &Turn<'_, 'py>,
    command: Bound<'py, PyAny>,
    step: &Step<'py>,
    usual_here: bool,
) -> PyResult<()> {
    if usual_here && let Some(decide) = decider(&command) {
        match decide(turn, command.clone())? {
            Decided::Done => return Ok(()),
            Decided::Contact(number) => {
                step.contact().set(number);
                return Ok(());
            }
            Decided::Unusual => {}
        }
    }
    let table = turn.engine.borrow().tables.decide.bind(turn.py).clone();
    let Some(stage) = table.get_item(command.get_type())? else {
        return Err(no_command(&command));
    };
    let answer = stage.call1((turn.engine, command))?;
    if answer.is_instance_of::<PyInt>() {
        step.contact().set(answer);
    } else if !answer.is_none() {
        step.refusal().set(Refusal::of(answer)?.object().clone());
    }
    Ok(())
}

#[cold]
fn no_command(given: &Bound<'_, PyAny>) -> PyErr {
    let named = given.cast::<PyType>().map_or_else(
        |_| given.get_type().name().map(|name| name.to_string()),
        |kind| kind.name().map(|name| format!("the class {name}")),
    );
    match named {
        Ok(name) => PyTypeError::new_err(format!(
            "an engine takes commands (messages.AnyCommand), got {name}"
        )),
        Err(error) => error,
    }
}

/// (ask, apply, follow) of an event's type.
type Effects<'py> = (Bound<'py, PyAny>, Bound<'py, PyAny>, Bound<'py, PyAny>);

fn effect<'py>(turn: &Turn<'_, 'py>, event: &Bound<'py, PyAny>) -> PyResult<Effects<'py>> {
    let table = turn.engine.borrow().tables.effects.bind(turn.py).clone();
    let found = found(&table, event)?.cast_into::<PyTuple>()?;
    Ok((found.get_item(0)?, found.get_item(1)?, found.get_item(2)?))
}

/// What a table has for an object's type; a `KeyError` when it has nothing.
fn found<'py>(table: &Bound<'py, PyDict>, object: &Bound<'py, PyAny>) -> PyResult<Bound<'py, PyAny>> {
    let kind = object.get_type();
    match table.get_item(&kind)? {
        Some(found) => Ok(found),
        None => Err(PyKeyError::new_err(kind.unbind())),
    }
}
