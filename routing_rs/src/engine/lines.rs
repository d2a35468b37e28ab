//! What `lines.Lines` holds, where both languages reach it.

use pyo3::gc::{PyTraverseError, PyVisit};
use pyo3::prelude::*;
use pyo3::types::{PyDict, PySet};

use crate::python::{PyQueue, PyTimers};

/// The matching queue, the timers and the names of one engine; `centralita.lines.Lines` is made of it.
#[pyclass(subclass, module = "centralita._routing", name = "LinesHeld")]
pub(crate) struct LinesHeld {
    #[pyo3(get, set)]
    pub(crate) queue: Py<PyAny>,
    #[pyo3(get, set)]
    pub(crate) timers: Py<PyAny>,
    /// Whether anything changed that could let the rule find a pair.
    #[pyo3(get, set)]
    pub(crate) changed: bool,
    #[pyo3(get, set)]
    pub(crate) agent_of: Py<PyDict>,
    #[pyo3(get, set)]
    pub(crate) known: Py<PySet>,
    #[pyo3(get, set)]
    pub(crate) leaving: Py<PySet>,
    #[pyo3(get, set)]
    pub(crate) terms: Py<PyDict>,
    /// By queue and medium: the skills last asked for, as the very object, and their place.
    #[pyo3(get, set, name = "_shared")]
    pub(crate) shared: Py<PyDict>,
}

#[pymethods]
impl LinesHeld {
    #[new]
    #[pyo3(signature = (*_given, **_named))]
    fn new(
        py: Python<'_>,
        _given: &Bound<'_, pyo3::types::PyTuple>,
        _named: Option<&Bound<'_, PyDict>>,
    ) -> PyResult<Self> {
        Self::empty(py)
    }

    /// For Python's collector of cycles.
    fn __traverse__(&self, visit: PyVisit<'_>) -> Result<(), PyTraverseError> {
        visit.call(&self.queue)?;
        visit.call(&self.timers)?;
        visit.call(&self.terms)
    }
}

impl LinesHeld {
    pub(crate) fn empty(py: Python<'_>) -> PyResult<Self> {
        Ok(Self {
            queue: py.None(),
            timers: py.None(),
            changed: true,
            agent_of: PyDict::new(py).unbind(),
            known: PySet::empty(py)?.unbind(),
            leaving: PySet::empty(py)?.unbind(),
            terms: PyDict::new(py).unbind(),
            shared: PyDict::new(py).unbind(),
        })
    }
}

/// What is asked of the lines of an engine whose queue and timers are the compiled ones.
pub(crate) trait Lines<'py> {
    fn queue(&self) -> PyResult<PyRefMut<'py, PyQueue>>;
    fn timers(&self) -> PyResult<PyRefMut<'py, PyTimers>>;
    fn schedule(&self, kind: u32, contact: i64, at_ns: i64) -> PyResult<()>;
    fn cancel(&self, kind: u32, contact: i64) -> PyResult<()>;
    fn set_changed(&self);
}

impl<'py> Lines<'py> for Bound<'py, LinesHeld> {
    fn queue(&self) -> PyResult<PyRefMut<'py, PyQueue>> {
        Ok(self
            .borrow()
            .queue
            .bind(self.py())
            .clone()
            .cast_into::<PyQueue>()?
            .try_borrow_mut()?)
    }

    fn timers(&self) -> PyResult<PyRefMut<'py, PyTimers>> {
        Ok(self
            .borrow()
            .timers
            .bind(self.py())
            .clone()
            .cast_into::<PyTimers>()?
            .try_borrow_mut()?)
    }

    fn schedule(&self, kind: u32, contact: i64, at_ns: i64) -> PyResult<()> {
        self.timers()?.put(kind, contact, at_ns)
    }

    fn cancel(&self, kind: u32, contact: i64) -> PyResult<()> {
        self.timers()?.take(kind, contact);
        Ok(())
    }

    fn set_changed(&self) {
        self.borrow_mut().changed = true;
    }
}

/// Kinds of deadline, as `lines.py` numbers them.
pub(crate) const STAGE: u32 = 0;
pub(crate) const WORK: u32 = 1;
pub(crate) const ANNOUNCE: u32 = 2;
pub(crate) const DUE: u32 = 3;
pub(crate) const ASK_AGAIN: u32 = 4;
