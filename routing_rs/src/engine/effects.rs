//! What the events of every contact's life do: the ask that follows, the state's change, the lines' move.
//!
//! Each does what `asks.py`, `apply/` and `follow.py` say of its type, which are its specification; all other
//! events are theirs alone.

mod arrivals;
mod ends;
mod line;
mod offers;
mod phases;

use pyo3::ffi;
use pyo3::prelude::*;

pub(crate) use arrivals::customer_key;
pub(crate) use phases::provider_key;

use crate::engine::records::{
    ClassificationStarted, ContactAdmitted, ContactClassified, ContactConnected, ContactEnded, ContactIdentified,
    ContactOffered, ContactQueued, IdentificationStarted, OfferAccepted, ServiceEnded, WrapUpEnded, WrapUpStarted,
};
use crate::engine::slots::Struct;
use crate::engine::turn::{Effect, Turn};

/// One of the three things an event does, asked of an object.
#[derive(Clone, Copy)]
pub(crate) struct Doings {
    kind: fn() -> *mut ffi::PyTypeObject,
    ask: for<'py> fn(&Turn<'_, 'py>, &Bound<'py, PyAny>) -> PyResult<()>,
    apply: for<'py> fn(&Turn<'_, 'py>, &Bound<'py, PyAny>) -> PyResult<()>,
    follow: for<'py> fn(&Turn<'_, 'py>, &Bound<'py, PyAny>) -> PyResult<()>,
}

macro_rules! doings {
    ($($name:ident),* $(,)?) => {
        [$(Doings {
            kind: || <$name<'_> as Struct<'_>>::kind(),
            ask: |turn, event| $name::of(event.clone())?.ask(turn),
            apply: |turn, event| $name::of(event.clone())?.apply(turn),
            follow: |turn, event| $name::of(event.clone())?.follow(turn),
        }),*]
    };
}

static DOINGS: [Doings; 13] = doings![
    ContactAdmitted,
    IdentificationStarted,
    ContactIdentified,
    ClassificationStarted,
    ContactClassified,
    ContactQueued,
    ContactOffered,
    OfferAccepted,
    ContactConnected,
    ServiceEnded,
    WrapUpStarted,
    WrapUpEnded,
    ContactEnded,
];

impl Doings {
    /// Those of an event's type, if they are here.
    pub(crate) fn of(event: &Bound<'_, PyAny>) -> Option<&'static Self> {
        // SAFETY: a live object has a type; only its address is compared.
        let kind = unsafe { ffi::Py_TYPE(event.as_ptr()) };
        DOINGS.iter().find(|doings| (doings.kind)() == kind)
    }

    pub(crate) fn ask<'py>(&self, turn: &Turn<'_, 'py>, event: &Bound<'py, PyAny>) -> PyResult<()> {
        (self.ask)(turn, event)
    }

    pub(crate) fn apply<'py>(&self, turn: &Turn<'_, 'py>, event: &Bound<'py, PyAny>) -> PyResult<()> {
        (self.apply)(turn, event)
    }

    pub(crate) fn follow<'py>(&self, turn: &Turn<'_, 'py>, event: &Bound<'py, PyAny>) -> PyResult<()> {
        (self.follow)(turn, event)
    }
}
