//! Python's objects, made and taken apart.

use pyo3::prelude::*;
use pyo3::types::{PyBool, PyString, PyTuple};
use smallvec::SmallVec;

/// An int of Python's.
pub(crate) fn int(py: Python<'_>, value: i64) -> Bound<'_, PyAny> {
    match value.into_pyobject(py) {
        Ok(made) => made.into_any(),
        Err(never) => match never {},
    }
}

pub(crate) fn truth(py: Python<'_>, value: bool) -> Bound<'_, PyAny> {
    PyBool::new(py, value).to_owned().into_any()
}

/// Two texts with a line break between, as the keys of the state's indexes are; what is no text as Python formats it.
pub(crate) fn joined<'py>(
    first: &Bound<'py, PyAny>,
    second: &Bound<'py, PyAny>,
) -> PyResult<Bound<'py, PyAny>> {
    if let (Some(left), Some(right)) = (as_utf8(first), as_utf8(second)) {
        let mut bytes: SmallVec<[u8; 128]> = SmallVec::with_capacity(left.len() + right.len() + 1);
        bytes.extend_from_slice(left.as_bytes());
        bytes.push(b'\n');
        bytes.extend_from_slice(right.as_bytes());
        return Ok(PyString::from_bytes(first.py(), &bytes)?.into_any());
    }
    // A text may hold halves of characters, which no UTF-8 does.
    pyo3::intern!(first.py(), "{}\n{}").call_method1("format", (first, second))
}

fn as_utf8<'a>(text: &'a Bound<'_, PyAny>) -> Option<&'a str> {
    text.cast_exact::<PyString>().ok()?.to_str().ok()
}

/// The members of a tuple that a Python function gave as a pair.
pub(crate) fn pair(given: Bound<'_, PyAny>) -> PyResult<(Bound<'_, PyAny>, Bound<'_, PyAny>)> {
    let given = given.cast_into::<PyTuple>()?;
    Ok((given.get_item(0)?, given.get_item(1)?))
}
