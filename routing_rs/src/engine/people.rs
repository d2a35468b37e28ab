//! The people of a simulation, as most of them are: `simulate/world.py` says what they do.
//!
//! Customers who come, wait, are served and leave a row, and agents who take every offer at once. It is the
//! specification's work once more over the same objects, for speed alone; whoever asks to be called back, calls again, or
//! lets an offer pass is left to Python.

use pyo3::exceptions::{PyAssertionError, PyRuntimeError};
use pyo3::prelude::*;
use pyo3::sync::PyOnceLock;
use pyo3::types::{PyBytes, PyDict, PyString, PyTuple, PyType};
use pyo3::{PyTraverseError, PyVisit, intern};

use crate::engine::drive::{Act, Actor, Deed, DriveHeld};
use crate::engine::guard::guard;
use crate::engine::objects::{int, truth};
use crate::engine::records::{
    AbandonContactFields, AdmitContact, AdmitContactFields, AnswerOfferFields, ConnectContact, ContactEnded,
    EndContactFields, ReportConnectionFields, SendOffer, State, Step,
};
use crate::engine::slots::{Struct, records};
use crate::engine::words::blanks;

records! {
    "centralita.simulate.people" {
        Visitor from VisitorFields { group, handling_ns, wrap_up_ns, attempt, contact, impatient, callback_ns }
        Group from GroupFields { index, rules, admission, moments, handling, patience, wrap_up, callback, redial, redial_after }
    }
}

static BOUND: PyOnceLock<()> = PyOnceLock::new();

/// What a row says when there is nobody, and a visitor who has no after-work or was never called back.
const NONE: i64 = -1;

/// What the people of a scenario know of each other; `centralita.simulate.world` makes them of it.
#[pyclass(subclass, module = "centralita._routing", name = "PeopleHeld")]
pub(crate) struct PeopleHeld {
    #[pyo3(get, set)]
    drive: Option<Py<DriveHeld>>,
    /// The customers inside, by contact.
    #[pyo3(get, set)]
    inside: Py<PyDict>,
    #[pyo3(get, set)]
    admitted: i64,
    /// How many of those inside came in the time that counts.
    #[pyo3(get, set)]
    counted_inside: i64,
    #[pyo3(get, set)]
    from_ns: i64,
    #[pyo3(get, set)]
    end_ns: i64,
    /// Whether nobody comes in after the end.
    #[pyo3(get, set)]
    closes: bool,
    /// Of the agents who do not take everything at once.
    #[pyo3(get, set)]
    behaviours: Py<PyDict>,
    #[pyo3(get, set)]
    queue_index: Py<PyDict>,
    #[pyo3(get, set)]
    agent_index: Py<PyDict>,
    #[pyo3(get, set)]
    outcome_index: Py<PyDict>,
    /// Takes the bytes of a row.
    #[pyo3(get, set)]
    keep: Option<Py<PyAny>>,
}

#[pymethods]
impl PeopleHeld {
    #[new]
    #[pyo3(signature = (*_given, **_named))]
    fn new(
        py: Python<'_>,
        _given: &Bound<'_, PyTuple>,
        _named: Option<&Bound<'_, PyDict>>,
    ) -> PyResult<Self> {
        BOUND.get_or_try_init(py, || bind_all(py))?;
        Ok(Self {
            drive: None,
            inside: PyDict::new(py).unbind(),
            admitted: 0,
            counted_inside: 0,
            from_ns: 0,
            end_ns: 0,
            closes: false,
            behaviours: PyDict::new(py).unbind(),
            queue_index: PyDict::new(py).unbind(),
            agent_index: PyDict::new(py).unbind(),
            outcome_index: PyDict::new(py).unbind(),
            keep: None,
        })
    }

    /// Answer what the engine asks of people, and see them leave.
    fn play(slf: &Bound<'_, Self>) -> PyResult<()> {
        let (py, drive) = (slf.py(), drive(slf)?);
        let mut drive = drive.borrow_mut();
        drive.play(message(py, "SendOffer")?, actor(slf, ring));
        drive.play(message(py, "ConnectContact")?, actor(slf, connect));
        drive.watch(message(py, "ContactEnded")?, actor(slf, ended));
        Ok(())
    }

    /// Enter the next customer of a class.
    #[pyo3(name = "expect")]
    fn expect_one<'py>(slf: &Bound<'py, Self>, group: Bound<'py, PyAny>) -> PyResult<()> {
        guard(|| expect(slf, &Group::of(group)?), || Ok(()))
    }

    #[allow(clippy::needless_pass_by_value, reason = "the visit is pyo3's to give")]
    fn __traverse__(&self, visit: PyVisit<'_>) -> Result<(), PyTraverseError> {
        visit.call(&self.drive)?;
        visit.call(&self.inside)?;
        visit.call(&self.behaviours)?;
        visit.call(&self.queue_index)?;
        visit.call(&self.agent_index)?;
        visit.call(&self.outcome_index)?;
        visit.call(&self.keep)
    }

    fn __clear__(&mut self) {
        self.drive = None;
        self.keep = None;
    }
}

impl PeopleHeld {
    fn counts(&self, arrived_ns: i64) -> bool {
        self.from_ns <= arrived_ns && arrived_ns < self.end_ns
    }
}

/// A type of message.
fn message<'py>(py: Python<'py>, name: &str) -> PyResult<Bound<'py, PyType>> {
    Ok(py.import("centralita.messages")?.getattr(name)?.cast_into()?)
}

fn actor(world: &Bound<'_, PeopleHeld>, does: Act) -> Actor {
    Actor {
        who: world.clone().into_any().unbind(),
        does,
    }
}

fn drive<'py>(world: &Bound<'py, PeopleHeld>) -> PyResult<Bound<'py, DriveHeld>> {
    match &world.borrow().drive {
        Some(drive) => Ok(drive.bind(world.py()).clone()),
        None => Err(PyRuntimeError::new_err("a world has a drive from its beginning")),
    }
}

/// Has Python do what is not usual.
fn python<'py>(world: &Bound<'py, PeopleHeld>, name: &str, what: Bound<'py, PyAny>) -> PyResult<()> {
    world.call_method1(name, (what,)).map(drop)
}

fn draw(sampler: &Bound<'_, PyAny>) -> PyResult<i64> {
    sampler.call0()?.extract()
}

// Customers.

/// Enters the next customer of a class.
fn expect<'py>(world: &Bound<'py, PeopleHeld>, group: &Group<'py>) -> PyResult<()> {
    let Some(at_ns) = group
        .moments()
        .get()
        .cast_into::<pyo3::types::PyIterator>()?
        .next()
    else {
        return Ok(());
    };
    let at_ns = at_ns?.extract()?;
    let expected = {
        let held = world.borrow();
        at_ns < held.end_ns || !held.closes
    };
    if expected {
        let deed = Deed::Act(actor(world, arrive), group.object().clone().unbind());
        drive(world)?.borrow_mut().enter(at_ns, deed);
    }
    Ok(())
}

fn arrive<'py>(world: &Bound<'py, PyAny>, group: Bound<'py, PyAny>) -> PyResult<()> {
    let (py, world, group) = (world.py(), world.cast::<PeopleHeld>()?, Group::of(group)?);
    expect(world, &group)?;
    let wrap_up = group.wrap_up();
    let visitor = VisitorFields {
        group: group.object().clone(),
        handling_ns: group.handling().get().call0()?,
        wrap_up_ns: if wrap_up.is_none() {
            int(py, NONE)
        } else {
            wrap_up.get().call0()?
        },
        attempt: int(py, 1),
        contact: int(py, 0),
        impatient: truth(py, true),
        callback_ns: int(py, NONE),
    };
    let patience = group.patience();
    let patience_ns = if patience.is_none() {
        None
    } else {
        Some(draw(&patience.get())?)
    };
    come_in(world, &group, &visitor.make(py)?, patience_ns)
}

fn come_in<'py>(
    world: &Bound<'py, PeopleHeld>,
    group: &Group<'py>,
    visitor: &Visitor<'py>,
    patience_ns: Option<i64>,
) -> PyResult<()> {
    let (py, drive) = (world.py(), drive(world)?);
    let state = State::of(drive.borrow().engine(py)?.borrow().state.bind(py).clone())?;
    let number = int(py, state.last_id().int()? + 1);
    let now_ns = drive.borrow().now_ns;
    visitor.contact().set(number.clone());
    let (admitted, inside) = {
        let mut held = world.borrow_mut();
        held.admitted += 1;
        held.counted_inside += i64::from(held.counts(now_ns));
        (held.admitted, held.inside.bind(py).clone())
    };
    inside.set_item(number, visitor.object())?;
    let admission = AdmitContact::of(group.admission().get())?;
    let step = Step::of(DriveHeld::r#do(&drive, &admit(&admission, admitted)?)?)?;
    if !step.refusal().is_none() {
        return Err(PyAssertionError::new_err(step.refusal().get().unbind()));
    }
    if !visitor.impatient().is_true() {
        return Ok(());
    }
    if let Some(patience_ns) = patience_ns {
        let deed = Deed::Act(actor(world, give_up), visitor.object().clone().unbind());
        drive.borrow_mut().enter(now_ns + patience_ns, deed);
    }
    if group.callback().is_none() {
        Ok(())
    } else {
        python(world, "_consider_callback", visitor.object().clone())
    }
}

/// The command that lets one more in: the class's own, with a number.
fn admit<'py>(like: &AdmitContact<'py>, number: i64) -> PyResult<Bound<'py, PyAny>> {
    let py = like.object().py();
    let command = AdmitContactFields {
        channel: like.channel().get(),
        provider_id: PyString::new(py, &number.to_string()).into_any(),
        handle: like.handle().get(),
        to: like.to().get(),
        subject: like.subject().get(),
        customer_name: like.customer_name().get(),
        language: like.language().get(),
        queue: like.queue().get(),
        skills: like.skills().get(),
        priority: like.priority().get(),
        credit_s: like.credit_s().get(),
        preferred_agent: like.preferred_agent().get(),
        attributes: like.attributes().get(),
        conversation: like.conversation().get(),
        text: like.text().get(),
        outbound: like.outbound().get(),
    };
    Ok(command.make(py)?.object().clone())
}

fn give_up<'py>(world: &Bound<'py, PyAny>, visitor: Bound<'py, PyAny>) -> PyResult<()> {
    let (py, world, visitor) = (world.py(), world.cast::<PeopleHeld>()?, Visitor::of(visitor)?);
    if visitor.impatient().is_true() {
        let command = AbandonContactFields {
            contact: visitor.contact().get(),
            reason: blank(py),
        };
        DriveHeld::r#do(&drive(world)?, command.make(py)?.object())?;
    }
    Ok(())
}

fn connect<'py>(world: &Bound<'py, PyAny>, ask: Bound<'py, PyAny>) -> PyResult<()> {
    let (py, world, ask) = (world.py(), world.cast::<PeopleHeld>()?, ConnectContact::of(ask)?);
    if !ask.callback_handle().is_blank() {
        return python(world, "_connect", ask.object().clone());
    }
    let (number, agent, drive) = (ask.contact().get(), ask.agent().get(), drive(world)?);
    let inside = world.borrow().inside.bind(py).clone();
    let visitor = Visitor::of(inside.as_any().get_item(&number)?)?;
    visitor.impatient().set_bool(false);
    let made = ReportConnectionFields {
        contact: number.clone(),
        agent: agent.clone(),
        made: truth(py, true),
        customer_gone: truth(py, false),
        reason: blank(py),
    };
    DriveHeld::r#do(&drive, made.make(py)?.object())?;
    let end = EndContactFields {
        contact: number,
        by: agent,
        reason: blank(py),
    }
    .make(py)?
    .object()
    .clone();
    let deed = if visitor.wrap_up_ns().int()? < 0 {
        Deed::Do(end.unbind())
    } else {
        let given = PyTuple::new(py, [end, visitor.object().clone()])?;
        Deed::Call(world.getattr(intern!(py, "_end"))?.unbind(), given.unbind())
    };
    let mut drive = drive.borrow_mut();
    let ends_ns = drive.now_ns + visitor.handling_ns().int()?;
    drive.enter(ends_ns, deed);
    Ok(())
}

fn ended<'py>(world: &Bound<'py, PyAny>, event: Bound<'py, PyAny>) -> PyResult<()> {
    let (py, world, event) = (world.py(), world.cast::<PeopleHeld>()?, ContactEnded::of(event)?);
    let number = event.contact().get();
    let inside = world.borrow().inside.bind(py).clone();
    let visitor = Visitor::of(inside.as_any().get_item(&number)?)?;
    inside.del_item(number)?;
    visitor.impatient().set_bool(false);
    let (group, ended_ns) = (Group::of(visitor.group().get())?, drive(world)?.borrow().now_ns);
    let row = {
        let mut held = world.borrow_mut();
        let arrived_ns = event.arrived_ns().int()?;
        held.counted_inside -= i64::from(held.counts(arrived_ns));
        [
            group.index().int()?,
            place(&held.queue_index, &event.queue().get())?,
            place(&held.agent_index, &event.agent().get())?,
            place(&held.outcome_index, &event.outcome().get())?,
            arrived_ns,
            event.waited_ns().int()?,
            event.talk_ns().int()? + event.hold_ns().int()? + event.wrap_up_ns().int()?,
            ended_ns,
            visitor.callback_ns().int()?,
        ]
    };
    keep(world, row)?;
    if group.redial_after().is_none() {
        return Ok(());
    }
    let outcome = event.outcome();
    if outcome.is_text(intern!(py, "abandoned")) || outcome.is_text(intern!(py, "refused")) {
        return python(world, "_redial", visitor.object().clone());
    }
    Ok(())
}

/// The number by which a row names something.
fn place(index: &Py<PyDict>, name: &Bound<'_, PyAny>) -> PyResult<i64> {
    index.bind(name.py()).as_any().get_item(name)?.extract()
}

fn keep(world: &Bound<'_, PeopleHeld>, row: [i64; 9]) -> PyResult<()> {
    let py = world.py();
    let Some(keep) = world.borrow().keep.as_ref().map(|keep| keep.bind(py).clone()) else {
        return Ok(());
    };
    let bytes: Vec<u8> = row.iter().flat_map(|number| number.to_ne_bytes()).collect();
    keep.call1((PyBytes::new(py, &bytes),)).map(drop)
}

// Agents.

fn ring<'py>(world: &Bound<'py, PyAny>, ask: Bound<'py, PyAny>) -> PyResult<()> {
    let (py, world, ask) = (world.py(), world.cast::<PeopleHeld>()?, SendOffer::of(ask)?);
    let agent = ask.agent().get();
    let behaviours = world.borrow().behaviours.bind(py).clone();
    if !behaviours.is_empty() && behaviours.contains(&agent)? {
        return python(world, "_ring", ask.object().clone());
    }
    let answer = AnswerOfferFields {
        contact: ask.contact().get(),
        agent,
        offer: ask.offer().get(),
        accept: truth(py, true),
        reason: blank(py),
    };
    DriveHeld::r#do(&drive(world)?, answer.make(py)?.object()).map(drop)
}

fn blank(py: Python<'_>) -> Bound<'_, PyAny> {
    blanks(py).text.bind(py).clone()
}
