//! The phase of a contact and whose hands it is in: `apply/phases.py`.

use pyo3::exceptions::PyOverflowError;
use pyo3::prelude::*;
use pyo3::sync::PyOnceLock;
use pyo3::types::PyDict;

use crate::engine::lines::{ASK_AGAIN, Lines, WORK};
use crate::engine::records::{Contact, Queue, Work};
use crate::engine::slots::Struct;
use crate::engine::turn::Turn;
use crate::engine::words::{Following, Phase};

/// Which phases an event may come in, read once from Python's table.
pub(crate) type Phases = PyOnceLock<Following>;

/// Brings a contact to the phase that follows an event of type `E`.
pub(crate) fn move_on<'py, E: Struct<'py>>(
    turn: &Turn<'_, 'py>,
    contact: &Contact<'py>,
    phases: &Phases,
) -> PyResult<()> {
    let py = turn.py;
    let phase = Phase::of(&contact.phase())?;
    let following = phases.get_or_try_init(py, || Following::read(&E::of_python(py)))?;
    let Some(next) = following.after(phase) else {
        return refuse::<E>(turn, contact);
    };
    if next == phase {
        return Ok(());
    }
    let spent = |turn: &Turn<'_, 'py>| Ok::<_, PyErr>(turn.now_ns - contact.phase_since_ns().int()?);
    match phase {
        Phase::Connected => contact.talk_ns().set_int(contact.talk_ns().int()? + spent(turn)?),
        Phase::OnHold => contact.hold_ns().set_int(contact.hold_ns().int()? + spent(turn)?),
        Phase::Waiting => forget(
            &turn.queue(&contact.queue().get())?.waiting().dict()?,
            &contact.id().get(),
        )?,
        _ => {}
    }
    if next == Phase::Waiting {
        let queue: Queue<'py> = turn.queue(&contact.queue().get())?;
        queue.waiting().put(&contact.id().get(), &turn.none())?;
    }
    contact.phase().set(next.word(py));
    contact.phase_since_ns().set(turn.now.clone());
    Ok(())
}

/// Python's own `move` says it: a bug, whoever emitted the event.
fn refuse<'py, E: Struct<'py>>(turn: &Turn<'_, 'py>, contact: &Contact<'py>) -> PyResult<()> {
    let py = turn.py;
    let phases = py.import("centralita.apply.phases")?;
    phases.call_method1(
        "move",
        (
            turn.state.object(),
            contact.object(),
            E::of_python(py),
            turn.now_ns,
        ),
    )?;
    Ok(())
}

/// Takes a key out of a dictionary, if it is in.
pub(crate) fn forget<'py>(table: &Bound<'py, PyDict>, key: &Bound<'py, PyAny>) -> PyResult<()> {
    if table.contains(key)? {
        table.del_item(key)?;
    }
    Ok(())
}

/// An agent's part in a contact begins anew.
pub(crate) fn work<'py>(
    turn: &Turn<'_, 'py>,
    state: &Bound<'py, pyo3::types::PyString>,
    deadline_ns: Bound<'py, PyAny>,
    offer: Bound<'py, PyAny>,
    hold: Bound<'py, PyAny>,
) -> PyResult<Work<'py>> {
    crate::engine::records::WorkFields {
        state: state.clone().into_any(),
        since_ns: turn.now.clone(),
        deadline_ns,
        offer,
        hold,
        medium: turn.blank(),
    }
    .make(turn.py)
}

/// Takes a contact out of an agent's hands; whoever else has it goes on.
pub(crate) fn drop_work<'py>(
    turn: &Turn<'_, 'py>,
    contact: &Contact<'py>,
    agent: &Bound<'py, PyAny>,
) -> PyResult<()> {
    contact.works().remove(agent)?;
    turn.agent(agent)?.contacts().remove(&contact.id().get())?;
    pass_on(turn, contact, agent)
}

/// If the contact was this agent's, who does not serve it any more, it is the next one's who does.
pub(crate) fn pass_on<'py>(
    turn: &Turn<'_, 'py>,
    contact: &Contact<'py>,
    agent: &Bound<'py, PyAny>,
) -> PyResult<()> {
    if !contact.agent().get().eq(agent)? {
        return Ok(());
    }
    let wrapping = pyo3::intern!(turn.py, "wrapping");
    for (name, work) in contact.works().dict()? {
        if !Work::of(work)?.state().is_text(wrapping) {
            contact.agent().set(name);
            return Ok(());
        }
    }
    contact.agent().set(turn.blank());
    Ok(())
}

/// Keeps an agent from a contact until a moment; 0: for good.
pub(crate) fn exclude<'py>(
    turn: &Turn<'_, 'py>,
    contact: &Contact<'py>,
    agent: &Bound<'py, PyAny>,
    until_ns: &Bound<'py, PyAny>,
) -> PyResult<()> {
    if contact.excluded().is_none() {
        contact.excluded().set(PyDict::new(turn.py).into_any());
    }
    contact.excluded().put(agent, until_ns)
}

/// The earliest deadline of the agents' works in a contact; 0 when there is none: `lines.earliest_work_ns`.
pub(crate) fn earliest_work_ns(contact: &Contact<'_>) -> PyResult<i64> {
    let mut earliest_ns = 0;
    for (_, work) in contact.works().dict()? {
        let at_ns = Work::of(work)?.deadline_ns().int()?;
        if at_ns != 0 && (earliest_ns == 0 || at_ns < earliest_ns) {
            earliest_ns = at_ns;
        }
    }
    Ok(earliest_ns)
}

/// When the first of those who declined may be asked again; 0 when nobody is waited for: `lines.ask_again_ns`.
fn ask_again_ns(contact: &Contact<'_>) -> PyResult<i64> {
    if contact.excluded().is_none() {
        return Ok(0);
    }
    let works = contact.works().dict()?;
    let mut first_ns = 0;
    for (name, until_ns) in contact.excluded().dict()? {
        let until_ns: i64 = until_ns.extract()?;
        if until_ns != 0 && (first_ns == 0 || until_ns < first_ns) && !works.contains(name)? {
            first_ns = until_ns;
        }
    }
    Ok(first_ns)
}

/// Sets the deadline of the works in a contact as the state has it.
pub(crate) fn time_works<'py>(turn: &Turn<'_, 'py>, contact: &Contact<'py>) -> PyResult<()> {
    set_deadline(turn, WORK, contact, earliest_work_ns(contact)?)
}

/// Sets when the first of those who declined may be asked again, as the state has it.
pub(crate) fn time_asking_again<'py>(turn: &Turn<'_, 'py>, contact: &Contact<'py>) -> PyResult<()> {
    set_deadline(turn, ASK_AGAIN, contact, ask_again_ns(contact)?)
}

/// Sets a deadline; 0 means none.
pub(crate) fn set_deadline<'py>(
    turn: &Turn<'_, 'py>,
    kind: u32,
    contact: &Contact<'py>,
    at_ns: i64,
) -> PyResult<()> {
    let number = contact.id().int()?;
    if at_ns == 0 {
        turn.lines.cancel(kind, number)
    } else {
        turn.lines.schedule(kind, number, at_ns)
    }
}

/// Takes a contact out of the queue and out of all hands: `Lines.forget`.
pub(crate) fn take_out<'py>(turn: &Turn<'_, 'py>, number: &Bound<'py, PyAny>) -> PyResult<()> {
    let known = turn.lines.borrow().known.bind(turn.py).clone();
    if known.contains(number)? {
        turn.lines.queue()?.take_out(number.extract()?, turn.now_ns)?;
        known.discard(number)?;
        turn.lines.set_changed();
    }
    Ok(())
}

/// Adds to a counter; an `OverflowError` when a journal tells of more than a word holds.
pub(crate) fn count(slot: &crate::engine::slots::Slot<'_, '_>, more: i64) -> PyResult<()> {
    let sum = slot.int()?.checked_add(more);
    slot.set_int(sum.ok_or_else(|| PyOverflowError::new_err("a counter ran over"))?);
    Ok(())
}
