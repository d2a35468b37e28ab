//! The binding: converts and calls, decides nothing.

#[pyo3::pymodule]
mod _routing {
    use pyo3::prelude::*;

    /// Return the version of the compiled queue.
    #[pyfunction]
    fn version() -> &'static str {
        crate::VERSION
    }
}
