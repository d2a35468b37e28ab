//! What every contact goes through, counted: the fold of the figures over Python's own tallies.
//!
//! `fold.py` says which event moves which count and is the specification; each count here does what its handler of
//! the same event does, in the same order. What meets something it does not know leaves the event to that handler
//! before anything is changed, and all other events are the handlers' alone.

mod agents;
mod count;
mod queues;
mod records;
mod tallies;

use pyo3::gc::{PyTraverseError, PyVisit};
use pyo3::intern;
use pyo3::prelude::*;
use pyo3::types::{PyDict, PyList, PyTuple, PyType};

use crate::engine::figures::count::{Count, Counted, Moment, counters};
use crate::engine::figures::records::Memory;
use crate::engine::guard::guard;
use crate::engine::records::Record;
use crate::engine::slots::Struct;
use crate::python::QueueBrokenError;

/// What a fold keeps; `centralita.fold.Fold` is made of it.
#[pyclass(subclass, module = "centralita._routing", name = "Folding")]
pub(crate) struct Folding {
    #[pyo3(get, set, name = "_memory")]
    memory: Py<PyAny>,
    #[pyo3(get, set, name = "_live")]
    live: Py<PyDict>,
    #[pyo3(get, set, name = "_queues")]
    queues: Py<PyDict>,
    #[pyo3(get, set, name = "_agents")]
    agents: Py<PyDict>,
    #[pyo3(get, set, name = "_handlers")]
    handlers: Py<PyDict>,
    /// The type of the command whose record is folded; told to the handlers alone.
    #[pyo3(get, set, name = "_command")]
    command: Py<PyType>,
    #[pyo3(get, set, name = "_rolls_ns")]
    rolls_ns: i64,
    /// Whether what is usual is counted here; otherwise Python counts everything.
    #[pyo3(get, set, name = "_usual_here")]
    usual_here: bool,
    /// A bug ended an earlier record somewhere: the counts cannot be trusted.
    broken: bool,
}

#[pymethods]
impl Folding {
    #[new]
    #[pyo3(signature = (*_given, **_named))]
    fn new(
        py: Python<'_>,
        _given: &Bound<'_, PyTuple>,
        _named: Option<&Bound<'_, PyDict>>,
    ) -> PyResult<Self> {
        crate::engine::records::bind_all(py)?;
        records::bind_all(py)?;
        let empty = || PyDict::new(py).unbind();
        Ok(Self {
            memory: py.None(),
            live: empty(),
            queues: empty(),
            agents: empty(),
            handlers: empty(),
            command: py.get_type::<PyAny>().unbind(),
            rolls_ns: 0,
            usual_here: false,
            broken: false,
        })
    }

    /// Take in the next record. Records come in order of seq, each once.
    fn fold<'py>(slf: &Bound<'py, Self>, record: Bound<'py, PyAny>) -> PyResult<()> {
        let (usual_here, rolls_ns) = {
            let held = slf.try_borrow()?;
            if held.broken {
                return Err(QueueBrokenError::new_err("an earlier record broke this fold"));
            }
            (held.usual_here, held.rolls_ns)
        };
        if !usual_here || record.get_type_ptr() != Record::kind() {
            slf.call_method1(intern!(slf.py(), "_fold"), (record,))?;
            return Ok(());
        }
        guard(|| fold(slf, &Record::of(record)?, rolls_ns), || breaks(slf))
    }

    /// Breaks the fold, as a bug would: for the test that no panic crosses.
    fn _panic(slf: &Bound<'_, Self>) -> PyResult<()> {
        guard(|| panic!("asked to"), || breaks(slf))
    }

    fn __traverse__(&self, visit: PyVisit<'_>) -> Result<(), PyTraverseError> {
        // The handlers hold the fold that holds them; clearing their table is enough to break that.
        visit.call(&self.handlers)?;
        visit.call(&self.memory)
    }
}

/// After a bug the fold refuses to go on.
fn breaks(slf: &Bound<'_, Folding>) -> PyResult<()> {
    slf.try_borrow_mut()?.broken = true;
    Ok(())
}

fn fold<'py>(slf: &Bound<'py, Folding>, record: &Record<'py>, rolls_ns: i64) -> PyResult<()> {
    let moment = Moment::of(record)?;
    if moment.at_ns >= rolls_ns {
        slf.call_method1(intern!(slf.py(), "_roll"), (&moment.at,))?;
    }
    let events = record.events().get().cast_into::<PyList>()?;
    let mut counted_n = begin(&*slf.try_borrow()?, record, &moment, &events)?;
    while counted_n < events.len() {
        leave_to_python(slf, record, events.get_item(counted_n)?)?;
        counted_n = go_on(&*slf.try_borrow()?, &moment, &events, counted_n + 1)?;
    }
    Ok(())
}

/// Begins with a record, and counts its events up to one that is not for here; how many.
fn begin<'py>(
    fold: &Folding,
    record: &Record<'py>,
    moment: &Moment<'py>,
    events: &Bound<'py, PyList>,
) -> PyResult<usize> {
    let memory = Memory::of(fold.memory.bind(events.py()).clone())?;
    memory.seq().set(record.seq().get());
    memory.at_ns().set(moment.at.clone());
    go_on(fold, moment, events, 0)
}

/// Counts events from one on up to one that is not for here: which that is, or how many there are.
fn go_on<'py>(
    fold: &Folding,
    moment: &Moment<'py>,
    events: &Bound<'py, PyList>,
    from: usize,
) -> PyResult<usize> {
    let (count, counters) = (Count::of(fold, moment), counters(events.py()));
    for at in from..events.len() {
        let event = events.get_item(at)?;
        let counted = match counters.find(&event) {
            Some(counter) => counter(&count, event)?,
            None => Counted::Unusual,
        };
        if matches!(counted, Counted::Unusual) {
            return Ok(at);
        }
    }
    Ok(events.len())
}

/// Has an event's handler count it, if there is one.
fn leave_to_python<'py>(
    fold: &Bound<'py, Folding>,
    record: &Record<'py>,
    event: Bound<'py, PyAny>,
) -> PyResult<()> {
    let handlers = fold.try_borrow()?.handlers.bind(fold.py()).clone();
    if let Some(handler) = handlers.get_item(event.get_type())? {
        fold.try_borrow_mut()?.command = record.command().get().get_type().unbind();
        handler.call1((event, record.at_ns().get()))?;
    }
    Ok(())
}
