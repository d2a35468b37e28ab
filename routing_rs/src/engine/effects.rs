//! What the events of every contact's life do: the ask that follows, the state's change, the lines' move.
//!
//! Each does what `asks.py`, `apply/` and `follow.py` say of its type, which are its specification; all other
//! events are theirs alone.

mod arrivals;
mod ends;
mod line;
mod offers;
mod phases;

use pyo3::prelude::*;
use pyo3::sync::PyOnceLock;

pub(crate) use arrivals::customer_key;

use crate::engine::kinds::{Kind, Kinds};
use crate::engine::objects::joined;
use crate::engine::records::{
    ClassificationStarted, ContactAdmitted, ContactClassified, ContactConnected, ContactEnded,
    ContactIdentified, ContactOffered, ContactQueued, IdentificationStarted, OfferAccepted, ServiceEnded,
    WrapUpEnded, WrapUpStarted,
};
use crate::engine::slots::Struct;
use crate::engine::turn::{Effect, Turn};

type Doing = for<'py> fn(&Turn<'_, 'py>, &Bound<'py, PyAny>) -> PyResult<()>;

/// What one type of event does, asked of an object.
#[derive(Clone, Copy)]
pub(crate) struct Doings {
    /// All of it: the ask, the state's change, the lines' move.
    pub(crate) emit: Doing,
    /// All but the ask, for an event that was journalled.
    pub(crate) again: Doing,
}

/// An event that does here what it does, whoever emits it: in `DOINGS`. A decider can emit no other, or the state
/// that lives would become another one than the state recovered.
pub(crate) trait Usual {}

macro_rules! doings {
    ($n:literal: $($name:ident),* $(,)?) => {
        $(impl Usual for $name<'_> {})*

        static DOINGS: [(Kind, Doings); $n] = [
            (|| <ContactAdmitted<'_> as Struct<'_>>::kind(), Doings { emit: admitted, again: admitted }),
            $((|| <$name<'_> as Struct<'_>>::kind(), Doings {
                emit: |turn, event| {
                    let event = $name::of(event.clone())?;
                    let contact = turn.contact(&event.contact().get())?;
                    event.ask(turn, &contact)?;
                    event.apply(turn, &contact)?;
                    event.follow(turn, &contact)
                },
                again: |turn, event| {
                    let event = $name::of(event.clone())?;
                    let contact = turn.contact(&event.contact().get())?;
                    event.apply(turn, &contact)?;
                    event.follow(turn, &contact)
                },
            })),*
        ];
    };
}

/// A new contact: it asks for nothing and moves no line.
fn admitted<'py>(turn: &Turn<'_, 'py>, event: &Bound<'py, PyAny>) -> PyResult<()> {
    let event = ContactAdmitted::of(event.clone())?;
    let key = joined(&event.channel().get(), &event.provider_id().get())?;
    event.apply(turn, &key).map(|_| ())
}

doings! { 13:
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
}

impl Doings {
    /// Those of an event's type, if they are here.
    pub(crate) fn of(event: &Bound<'_, PyAny>) -> Option<Self> {
        static BY_KIND: PyOnceLock<Kinds<Doings>> = PyOnceLock::new();
        BY_KIND.get_or_init(event.py(), || Kinds::of(&DOINGS)).find(event)
    }
}
