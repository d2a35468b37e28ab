//! One record's counting: what its events find, and who counts which type.

use pyo3::prelude::*;
use pyo3::sync::PyOnceLock;
use pyo3::types::PyDict;

use crate::engine::figures::Folding;
use crate::engine::figures::records::{AgentTally, Live, Memory, QueueTally};
use crate::engine::kinds::{Kind, Kinds};
use crate::engine::objects::truth;
use crate::engine::records::{
    AbandonContact, ClassificationStarted, ContactAdmitted, ContactClassified, ContactConnected,
    ContactEnded, ContactIdentified, ContactOffered, ContactQueued, IdentificationStarted, OfferAccepted,
    Record, ServiceEnded, WrapUpEnded, WrapUpStarted,
};
use crate::engine::slots::{Slot, Struct};
use crate::engine::words::blanks;

/// What became of an event.
pub(crate) enum Counted {
    /// Done.
    Done,
    /// Not for here: nothing has been changed.
    Unusual,
}

/// How an event of every contact's life is counted.
pub(crate) trait Counts<'py>: Struct<'py> {
    fn count(&self, count: &Count<'_, 'py>) -> PyResult<Counted>;
}

/// What a record's events are counted in. It holds nothing of its own.
pub(crate) struct Count<'a, 'py> {
    pub(crate) py: Python<'py>,
    fold: &'a Folding,
    pub(crate) at_ns: i64,
    /// The same as Python's int, of which everything that begins at this moment has a share.
    pub(crate) at: &'a Bound<'py, PyAny>,
    /// Whether the record is of a customer's leaving.
    pub(crate) left: bool,
}

impl<'a, 'py> Count<'a, 'py> {
    pub(crate) fn of(fold: &'a Folding, moment: &'a Moment<'py>) -> Self {
        Self {
            py: moment.at.py(),
            fold,
            at_ns: moment.at_ns,
            at: &moment.at,
            left: moment.left,
        }
    }

    pub(crate) fn memory(&self) -> PyResult<Memory<'py>> {
        Memory::of(self.fold.memory.bind(self.py).clone())
    }

    pub(crate) fn lives(&self) -> &'a Bound<'py, PyDict> {
        self.fold.live.bind(self.py)
    }

    /// What is remembered of a live contact; nothing when its admission was not seen.
    pub(crate) fn live(&self, contact: &Slot<'_, 'py>) -> PyResult<Option<Live<'py>>> {
        self.lives().get_item(contact.get())?.map(Live::of).transpose()
    }

    pub(crate) fn queue(&self, name: &Slot<'_, 'py>) -> PyResult<QueueTally<'py>> {
        QueueTally::of(found_or_begun(self.fold.queues.bind(self.py), &name.get())?)
    }

    pub(crate) fn agent(&self, name: &Bound<'py, PyAny>) -> PyResult<AgentTally<'py>> {
        AgentTally::of(found_or_begun(self.fold.agents.bind(self.py), name)?)
    }

    pub(crate) fn zero(&self) -> Bound<'py, PyAny> {
        blanks(self.py).zero.bind(self.py).clone()
    }

    pub(crate) fn no(&self) -> Bound<'py, PyAny> {
        truth(self.py, false)
    }
}

/// When a record's events happened, and by what.
pub(crate) struct Moment<'py> {
    pub(crate) at_ns: i64,
    pub(crate) at: Bound<'py, PyAny>,
    left: bool,
}

impl<'py> Moment<'py> {
    pub(crate) fn of(record: &Record<'py>) -> PyResult<Self> {
        let (at, command) = (record.at_ns(), record.command().get());
        Ok(Self {
            at_ns: at.int()?,
            at: at.get(),
            left: command.get_type_ptr() == AbandonContact::kind(),
        })
    }
}

/// A tally of a table that makes those it does not have.
fn found_or_begun<'py>(table: &Bound<'py, PyDict>, name: &Bound<'py, PyAny>) -> PyResult<Bound<'py, PyAny>> {
    match table.get_item(name)? {
        Some(found) => Ok(found),
        None => table.as_any().get_item(name),
    }
}

/// How one type of event is counted.
pub(crate) type Counter = for<'py> fn(&Count<'_, 'py>, Bound<'py, PyAny>) -> PyResult<Counted>;

macro_rules! counters {
    ($($name:ident),* $(,)?) => {
        [$((|| <$name<'_> as Struct<'_>>::kind(), |count, event| $name::of(event)?.count(count))),*]
    };
}

static COUNTERS: [(Kind, Counter); 13] = counters![
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

/// Types of event that no figure is of.
macro_rules! uncounted {
    ($($name:ident),* $(,)?) => {
        $(impl<'py> Counts<'py> for $name<'py> {
            fn count(&self, _count: &Count<'_, 'py>) -> PyResult<Counted> {
                Ok(Counted::Done)
            }
        })*
    };
}

uncounted![
    IdentificationStarted,
    ContactIdentified,
    ClassificationStarted,
    ContactClassified
];

static BY_KIND: PyOnceLock<Kinds<Counter>> = PyOnceLock::new();

/// How the types of event that are counted here are.
pub(crate) fn counters(py: Python<'_>) -> &'static Kinds<Counter> {
    BY_KIND.get_or_init(py, || Kinds::of(&COUNTERS))
}
