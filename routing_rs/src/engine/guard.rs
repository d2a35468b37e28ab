//! No panic crosses into Python.

use std::panic::{AssertUnwindSafe, catch_unwind};

use pyo3::exceptions::PyAttributeError;
use pyo3::prelude::*;

use crate::engine::slots::Deleted;
use crate::python::QueueBrokenError;

/// Calls what may panic. A field that somebody has deleted is said as Python says it; anything else is a bug, of which
/// `breaks` makes a note, so that nobody goes on with what it left behind.
pub(crate) fn guard<T>(
    call: impl FnOnce() -> PyResult<T>,
    breaks: impl FnOnce() -> PyResult<()>,
) -> PyResult<T> {
    let payload = match catch_unwind(AssertUnwindSafe(call)) {
        Ok(done) => return done,
        Err(payload) => payload,
    };
    if let Ok(deleted) = payload.downcast::<Deleted>() {
        return Err(PyAttributeError::new_err(deleted.0));
    }
    breaks()?;
    Err(QueueBrokenError::new_err(
        "a bug in the compiled engine; its message is on stderr",
    ))
}
