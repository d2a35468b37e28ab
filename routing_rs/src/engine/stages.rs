//! What the commands of every contact's life decide, for contacts that ask for nothing unusual.
//!
//! Each does what the stage of its name in `stages/` does, which is its specification. One that meets something it does not know
//! answers `Unusual` before it has changed anything, and the Python stage decides instead.

mod arrive;
mod end;
mod offer;
mod serve;
mod wait;

use pyo3::prelude::*;
use pyo3::sync::PyOnceLock;

use crate::engine::kinds::{Kind, Kinds};
use crate::engine::records::{
    AbandonContact, AdmitContact, AnswerOffer, ClassifyContact, EndContact, FinishWrapUp, IdentifyContact,
    ReportConnection,
};
use crate::engine::slots::Struct;
use crate::engine::turn::Turn;

pub(crate) use offer::run as match_run;

/// What became of a command.
pub(crate) enum Decided<'py> {
    /// Done.
    Done,
    /// Done, and this is the contact that was admitted or found.
    Contact(Bound<'py, PyAny>),
    /// Not for here: nothing has been changed.
    Unusual,
}

/// A stage's way to decide one type of command.
pub(crate) type Decide = for<'py> fn(&Turn<'_, 'py>, Bound<'py, PyAny>) -> PyResult<Decided<'py>>;

macro_rules! deciders {
    ($($name:ident by $decide:path),* $(,)?) => {
        [$((
            || <$name<'_> as Struct<'_>>::kind(),
            |turn, command| $decide(turn, &$name::of(command)?),
        )),*]
    };
}

static DECIDERS: [(Kind, Decide); 8] = deciders![
    AdmitContact by arrive::admit,
    IdentifyContact by arrive::identify,
    ClassifyContact by arrive::classify,
    AnswerOffer by offer::answer,
    ReportConnection by serve::report_connection,
    EndContact by end::end,
    FinishWrapUp by end::finish_wrap_up,
    AbandonContact by end::abandon,
];

/// The decider of a command's type, if it is here.
pub(crate) fn decider(command: &Bound<'_, PyAny>) -> Option<Decide> {
    static BY_KIND: PyOnceLock<Kinds<Decide>> = PyOnceLock::new();
    BY_KIND
        .get_or_init(command.py(), || Kinds::of(&DECIDERS))
        .find(command)
}
