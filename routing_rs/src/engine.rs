//! What every contact goes through, compiled: the dispatch of commands and events, and the usual way of a
//! contact from its arrival to its end.
//!
//! The engine is written in Python: `stages/`, `apply/`, `asks.py` and `follow.py` say what each command and each event
//! does, and the state is theirs. Here stands the same once more for what happens to every contact, over the same objects
//! and in the same order, for speed alone: whatever is not usual is left to Python. An engine with another core than
//! the native one uses nothing of it but the dispatch, and the tests hold the two together.

mod dispatcher;
mod drive;
mod effects;
mod figures;
mod guard;
mod kinds;
mod lines;
mod objects;
mod people;
mod queue;
mod records;
mod slots;
mod stages;
mod turn;
mod words;

pub(crate) use dispatcher::Dispatcher;
pub(crate) use drive::DriveHeld;
pub(crate) use figures::Folding;
pub(crate) use lines::LinesHeld;
pub(crate) use people::PeopleHeld;
