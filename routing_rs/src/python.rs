//! The binding: converts and calls, decides nothing.
//!
//! Long calls release the GIL. A panic marks the queue as broken instead of crossing: what it left behind
//! cannot be trusted, so every later call is refused.

use std::panic::{AssertUnwindSafe, catch_unwind};

use pyo3::buffer::PyBuffer;
use pyo3::create_exception;
use pyo3::exceptions::{PyKeyError, PyRuntimeError, PyValueError};
use pyo3::prelude::*;
use pyo3::sync::PyOnceLock;
use pyo3::types::{PyDict, PyList};
use smallvec::SmallVec;

use crate::{Change, Enqueue, NEVER_NS, NOBODY, Pairs, Queue, RULES, Refused, Timers};

create_exception!(
    centralita._routing,
    QueueBrokenError,
    PyRuntimeError,
    "A bug broke this queue; rebuild it."
);

/// From so many rows or operations a call releases the GIL.
pub(crate) const LONG: usize = 32;

/// A peak of so many waiting is worth the milliseconds of giving its memory back.
const PEAK: usize = 250_000;

/// glibc keeps what lies below the last thing in use on its heap until told otherwise.
#[cfg(target_env = "gnu")]
fn trim_heap() {
    unsafe extern "C" {
        fn malloc_trim(pad: usize) -> i32;
    }
    // SAFETY: malloc_trim takes no pointer and locks the arenas itself; without it a drained million leaves
    // 45 of its 63 MB resident.
    unsafe {
        malloc_trim(0);
    }
}

#[cfg(not(target_env = "gnu"))]
fn trim_heap() {}

/// A Python int; one that no 64 bits hold stands at their end, where every range check refuses it.
#[derive(Clone, Copy)]
pub(crate) struct Int(pub(crate) i64);

impl<'a, 'py> FromPyObject<'a, 'py> for Int {
    type Error = PyErr;

    #[inline]
    fn extract(obj: Borrowed<'a, 'py, PyAny>) -> PyResult<Self> {
        match obj.extract::<i64>() {
            Ok(value) => Ok(Self(value)),
            Err(error) if error.is_instance_of::<pyo3::exceptions::PyOverflowError>(obj.py()) => {
                Ok(Self(if obj.lt(0)? { i64::MIN } else { i64::MAX }))
            }
            Err(error) => Err(error),
        }
    }
}

impl From<Refused> for PyErr {
    fn from(refused: Refused) -> Self {
        match refused {
            Refused::Unknown(what, id) => PyKeyError::new_err(format!("{what} {id}")),
            Refused::Invalid(why) => PyValueError::new_err(why),
        }
    }
}

fn ints(given: &Bound<'_, PyAny>) -> PyResult<Vec<i64>> {
    given
        .try_iter()?
        .map(|one| Ok(one?.extract::<Int>()?.0))
        .collect()
}

fn pairs(given: &Bound<'_, PyAny>) -> PyResult<Vec<(i64, i64)>> {
    let pair = |one: Bound<'_, PyAny>| one.extract::<(Int, Int)>().map(|(left, right)| (left.0, right.0));
    given.try_iter()?.map(|one| pair(one?)).collect()
}

fn pairs_or_none(given: Option<&Bound<'_, PyAny>>) -> PyResult<Vec<(i64, i64)>> {
    given.map_or_else(|| Ok(Vec::new()), pairs)
}

/// Rows of native 64-bit integers, whatever the buffer calls them.
fn rows(given: &Bound<'_, PyAny>) -> PyResult<Vec<i64>> {
    if let Ok(numbers) = PyBuffer::<i64>::get(given) {
        return numbers.to_vec(given.py());
    }
    let bytes = PyBuffer::<u8>::get(given)?.to_vec(given.py())?;
    if bytes.len() % 8 != 0 {
        return Err(PyValueError::new_err(format!(
            "rows hold {} bytes, not whole numbers",
            bytes.len()
        )));
    }
    let (eights, _) = bytes.as_chunks::<8>();
    Ok(eights.iter().map(|eight| i64::from_ne_bytes(*eight)).collect())
}

/// The matching queue: see `centralita.matching.protocol` for the contract.
#[pyclass(module = "centralita._routing", name = "MatchingQueue")]
pub(crate) struct PyQueue {
    pub(crate) queue: Queue,
    broken: bool,
    /// The most that waited, as far as `advance` saw, since memory was given back.
    peak_n: usize,
    /// Pairs on their way out.
    pairs: Pairs,
}

impl PyQueue {
    #[inline]
    pub(crate) fn run<T>(&mut self, call: impl FnOnce(&mut Queue) -> Result<T, Refused>) -> PyResult<T> {
        if self.broken {
            return Err(QueueBrokenError::new_err("an earlier call broke this queue"));
        }
        if let Ok(done) = catch_unwind(AssertUnwindSafe(|| call(&mut self.queue))) {
            Ok(done?)
        } else {
            self.broken = true;
            Err(QueueBrokenError::new_err(
                "a bug in the compiled queue; its message is on stderr",
            ))
        }
    }

    /// As `run`, for what tells pairs into a list that is used again; a few of them at most.
    #[inline]
    fn run_for_pairs<'py>(
        &mut self,
        py: Python<'py>,
        call: impl FnOnce(&mut Queue, &mut Pairs) -> Result<(), Refused>,
    ) -> PyResult<Bound<'py, PyList>> {
        let mut pairs = std::mem::take(&mut self.pairs);
        pairs.clear();
        let done = self.run(|queue| call(queue, &mut pairs));
        let made = match (done, &pairs[..]) {
            (Err(error), _) => Err(error),
            (Ok(()), []) => Ok(PyList::empty(py)),
            (Ok(()), pairs) => PyList::new(py, pairs.iter().copied()),
        };
        self.pairs = pairs;
        made
    }

    /// As `run`, without the GIL.
    pub(crate) fn run_long<T: Send>(
        &mut self,
        py: Python<'_>,
        call: impl FnOnce(&mut Queue) -> Result<T, Refused> + Send,
    ) -> PyResult<T> {
        py.detach(|| self.run(call))
    }
}

#[pymethods]
impl PyQueue {
    #[new]
    fn new() -> Self {
        Self {
            queue: Queue::new(),
            broken: false,
            peak_n: 0,
            pairs: Pairs::new(),
        }
    }

    fn skill(&mut self, name: &str) -> PyResult<u32> {
        self.run(|queue| Ok(queue.skill(name)))
    }

    fn medium(&mut self, name: &str) -> PyResult<u32> {
        self.run(|queue| Ok(queue.medium(name)))
    }

    fn requirement(&mut self, skills: &Bound<'_, PyAny>, medium: Int, units: Int) -> PyResult<u32> {
        let skills = pairs(skills)?;
        self.run(|queue| queue.requirement(&skills, medium.0, units.0))
    }

    #[pyo3(signature = (skills, capacity, limits=None, ranks=None))]
    #[pyo3(text_signature = "(self, skills, capacity, limits=(), ranks=())")]
    fn profile(
        &mut self,
        skills: &Bound<'_, PyAny>,
        capacity: Int,
        limits: Option<&Bound<'_, PyAny>>,
        ranks: Option<&Bound<'_, PyAny>>,
    ) -> PyResult<u32> {
        let (skills, limits, ranks) = (pairs(skills)?, pairs_or_none(limits)?, pairs_or_none(ranks)?);
        self.run(|queue| queue.profile(&skills, capacity.0, &limits, &ranks))
    }

    #[pyo3(signature = (keys, *, offer_to=Int(1), rank_group=Int(0), seed=Int(0), reserve_after_ns=Int(crate::NEVER_NS)))]
    #[pyo3(
        text_signature = "(self, keys, *, offer_to=1, rank_group=0, seed=0, reserve_after_ns=9223372036854775807)"
    )]
    fn order(
        &mut self,
        keys: &Bound<'_, PyAny>,
        offer_to: Int,
        rank_group: Int,
        seed: Int,
        reserve_after_ns: Int,
    ) -> PyResult<u32> {
        let keys: Vec<String> = keys
            .try_iter()?
            .map(|key| key?.extract())
            .collect::<PyResult<_>>()?;
        let keys: Vec<&str> = keys.iter().map(String::as_str).collect();
        self.run(|queue| queue.order(&keys, offer_to.0, rank_group.0, seed.0, reserve_after_ns.0))
    }

    fn ladder(&mut self, rungs: &Bound<'_, PyAny>) -> PyResult<u32> {
        let rung = |one: Bound<'_, PyAny>| one.extract::<(Int, Int, Int)>().map(|(a, b, c)| (a.0, b.0, c.0));
        let rungs: Vec<_> = rungs.try_iter()?.map(|one| rung(one?)).collect::<PyResult<_>>()?;
        self.run(|queue| queue.ladder(&rungs))
    }

    fn set_interrupts(&mut self, pairs: &Bound<'_, PyAny>) -> PyResult<()> {
        let pairs = self::pairs(pairs)?;
        self.run(|queue| queue.set_interrupts(&pairs))
    }

    #[pyo3(signature = (agent, profile, *, now_ns, available=true, since_ns=None, given=Int(0), turn=Int(0)))]
    #[pyo3(
        text_signature = "(self, agent, profile, *, now_ns, available=True, since_ns=None, given=0, turn=0)"
    )]
    #[allow(clippy::too_many_arguments, reason = "keywords in Python")]
    fn add_agent(
        &mut self,
        agent: Int,
        profile: Int,
        now_ns: Int,
        available: bool,
        since_ns: Option<Int>,
        given: Int,
        turn: Int,
    ) -> PyResult<()> {
        let since_ns = since_ns.map(|since_ns| since_ns.0);
        self.run(|queue| queue.add_agent(agent.0, profile.0, now_ns.0, available, since_ns, given.0, turn.0))
    }

    #[pyo3(signature = (agent, available, *, now_ns))]
    fn set_available(&mut self, agent: Int, available: bool, now_ns: Int) -> PyResult<()> {
        self.run(|queue| queue.set_available(agent.0, available, now_ns.0))
    }

    fn set_profile(&mut self, agent: Int, profile: Int) -> PyResult<()> {
        self.run(|queue| queue.set_profile(agent.0, profile.0))
    }

    #[pyo3(signature = (agent, *, now_ns))]
    fn remove_agent(&mut self, agent: Int, now_ns: Int) -> PyResult<Vec<u64>> {
        self.run(|queue| queue.remove_agent(agent.0, now_ns.0))
    }

    fn agent_keys(&mut self, agent: Int) -> PyResult<(i64, u32, u64)> {
        self.run(|queue| queue.agent_keys(agent.0))
    }

    #[pyo3(signature = (
        contact, requirement, order, *, queued_ns, credit_ns=Int(0), priority=Int(0), rate=Int(1000), ladder=Int(-1),
        rung=Int(0), preferred=Int(NOBODY), preferred_until_ns=Int(0), excluded=None, waiting=true,
    ))]
    #[pyo3(
        text_signature = "(self, contact, requirement, order, *, queued_ns, credit_ns=0, priority=0, rate=1000, ladder=-1, rung=0, preferred=-1, preferred_until_ns=0, excluded=(), waiting=True)"
    )]
    #[allow(clippy::too_many_arguments, reason = "keywords in Python")]
    fn enqueue(
        &mut self,
        contact: Int,
        requirement: Int,
        order: Int,
        queued_ns: Int,
        credit_ns: Int,
        priority: Int,
        rate: Int,
        ladder: Int,
        rung: Int,
        preferred: Int,
        preferred_until_ns: Int,
        excluded: Option<&Bound<'_, PyAny>>,
        waiting: bool,
    ) -> PyResult<()> {
        let told = Enqueue {
            contact: contact.0,
            requirement: requirement.0,
            order: order.0,
            queued_ns: queued_ns.0,
            credit_ns: credit_ns.0,
            priority: priority.0,
            rate: rate.0,
            ladder: ladder.0,
            rung: rung.0,
            preferred: preferred.0,
            preferred_until_ns: preferred_until_ns.0,
            excluded: excluded.map_or_else(|| Ok(Vec::new()), ints)?,
            waiting,
        };
        self.run(|queue| queue.enqueue(&told))
    }

    #[pyo3(signature = (contact, *, now_ns))]
    fn requeue(&mut self, contact: Int, now_ns: Int) -> PyResult<()> {
        self.run(|queue| queue.requeue(contact.0, now_ns.0))
    }

    #[pyo3(signature = (contact, *, now_ns))]
    fn drop(&mut self, contact: Int, now_ns: Int) -> PyResult<()> {
        self.run(|queue| queue.drop(contact.0, now_ns.0))
    }

    #[pyo3(signature = (
        contact, *, requirement=None, order=None, priority=None, rate=None, credit_ns=None, ladder=None, rung=None,
    ))]
    #[allow(clippy::too_many_arguments, reason = "keywords in Python")]
    fn change(
        &mut self,
        contact: Int,
        requirement: Option<Int>,
        order: Option<Int>,
        priority: Option<Int>,
        rate: Option<Int>,
        credit_ns: Option<Int>,
        ladder: Option<Int>,
        rung: Option<Int>,
    ) -> PyResult<()> {
        let value = |given: Option<Int>| given.map(|given| given.0);
        let told = Change {
            requirement: value(requirement),
            order: value(order),
            priority: value(priority),
            rate: value(rate),
            credit_ns: value(credit_ns),
            ladder: value(ladder),
            rung: value(rung),
        };
        self.run(|queue| queue.change(contact.0, &told))
    }

    #[pyo3(signature = (contact, agent, *, until_ns))]
    fn prefer(&mut self, contact: Int, agent: Int, until_ns: Int) -> PyResult<()> {
        self.run(|queue| queue.prefer(contact.0, agent.0, until_ns.0))
    }

    fn exclude(&mut self, contact: Int, agent: Int) -> PyResult<()> {
        self.run(|queue| queue.exclude(contact.0, agent.0))
    }

    #[pyo3(name = "match", signature = (*, now_ns))]
    fn match_<'py>(&mut self, py: Python<'py>, now_ns: Int) -> PyResult<Bound<'py, PyList>> {
        if self.queue.changed_n() < LONG {
            return self.run_for_pairs(py, |queue, pairs| queue.match_into(now_ns.0, pairs));
        }
        let made = self.run_long(py, |queue| queue.match_now(now_ns.0))?;
        PyList::new(py, made)
    }

    #[pyo3(signature = (*, now_ns))]
    fn advance(&mut self, py: Python<'_>, now_ns: Int) -> PyResult<Vec<(u64, u32)>> {
        self.peak_n = self.peak_n.max(self.queue.waiting_n());
        if self.peak_n > PEAK && self.queue.waiting_n() < self.peak_n / 8 {
            self.release_memory(py);
        }
        if self.queue.next_deadline_ns() > now_ns.0 {
            return self.run(|queue| queue.advance(now_ns.0));
        }
        self.run_long(py, |queue| queue.advance(now_ns.0))
    }

    pub(crate) fn next_deadline_ns(&mut self) -> PyResult<i64> {
        self.run(|queue| Ok(queue.next_deadline_ns()))
    }

    #[pyo3(signature = (contact, agent, *, now_ns))]
    fn accept(&mut self, contact: Int, agent: Int, now_ns: Int) -> PyResult<Vec<u64>> {
        self.run(|queue| queue.accept(contact.0, agent.0, now_ns.0))
    }

    #[pyo3(signature = (contact, agent, *, now_ns, exclude))]
    fn give_back(&mut self, contact: Int, agent: Int, now_ns: Int, exclude: bool) -> PyResult<bool> {
        self.run(|queue| queue.give_back(contact.0, agent.0, now_ns.0, exclude))
    }

    #[pyo3(signature = (contact, agent, *, now_ns))]
    fn finish(&mut self, contact: Int, agent: Int, now_ns: Int) -> PyResult<()> {
        self.run(|queue| queue.finish(contact.0, agent.0, now_ns.0))
    }

    #[pyo3(signature = (contact, agent, *, now_ns))]
    fn assign(&mut self, contact: Int, agent: Int, now_ns: Int) -> PyResult<()> {
        self.run(|queue| queue.assign(contact.0, agent.0, now_ns.0))
    }

    #[pyo3(signature = (contact, agent, *, medium, units, tentative))]
    fn hold(&mut self, contact: Int, agent: Int, medium: Int, units: Int, tentative: bool) -> PyResult<()> {
        self.run(|queue| queue.hold(contact.0, agent.0, medium.0, units.0, tentative))
    }

    // Positions are read faster than keywords are matched, which is why these two take both.
    #[pyo3(signature = (contact, requirement, order, queued_ns, now_ns, priority=Int(0)))]
    #[pyo3(text_signature = "(self, contact, requirement, order, queued_ns, now_ns, priority=0)")]
    #[allow(clippy::too_many_arguments, reason = "one call for a whole arrival")]
    fn enqueue_then_match<'py>(
        &mut self,
        py: Python<'py>,
        contact: Int,
        requirement: Int,
        order: Int,
        queued_ns: Int,
        now_ns: Int,
        priority: Int,
    ) -> PyResult<Bound<'py, PyList>> {
        let mut told = Enqueue::plain(contact.0, requirement.0, order.0, queued_ns.0);
        told.priority = priority.0;
        self.run_for_pairs(py, |queue, pairs| {
            queue.enqueue(&told)?;
            queue.match_into(now_ns.0, pairs)
        })
    }

    #[pyo3(signature = (contact, agent, now_ns))]
    fn finish_then_match<'py>(
        &mut self,
        py: Python<'py>,
        contact: Int,
        agent: Int,
        now_ns: Int,
    ) -> PyResult<Bound<'py, PyList>> {
        self.run_for_pairs(py, |queue, pairs| {
            queue.finish(contact.0, agent.0, now_ns.0)?;
            queue.match_into(now_ns.0, pairs)
        })
    }

    fn batch(&mut self, py: Python<'_>, operations: &Bound<'_, PyAny>) -> PyResult<Vec<(u64, u64)>> {
        let mut parsed: Vec<SmallVec<[i64; 6]>> = Vec::new();
        for operation in operations.try_iter()? {
            let numbers = operation?.try_iter()?.map(|one| Ok(one?.extract::<Int>()?.0));
            parsed.push(numbers.collect::<PyResult<_>>()?);
        }
        self.run_long(py, |queue| queue.batch(&parsed))
    }

    fn load_agents(&mut self, py: Python<'_>, rows: &Bound<'_, PyAny>) -> PyResult<()> {
        let rows = self::rows(rows)?;
        self.run_long(py, |queue| queue.load_agents(&rows))
    }

    fn load_contacts(&mut self, py: Python<'_>, rows: &Bound<'_, PyAny>) -> PyResult<()> {
        let rows = self::rows(rows)?;
        self.run_long(py, |queue| queue.load_contacts(&rows))
    }

    fn waiting_n(&mut self) -> PyResult<usize> {
        self.run(|queue| Ok(queue.waiting_n()))
    }

    fn agents_n(&mut self) -> PyResult<usize> {
        self.run(|queue| Ok(queue.agents_n()))
    }

    fn is_waiting(&mut self, contact: Int) -> PyResult<bool> {
        self.run(|queue| queue.is_waiting(contact.0))
    }

    fn holders(&mut self, contact: Int) -> PyResult<Vec<u64>> {
        self.run(|queue| queue.holders(contact.0))
    }

    fn hands(&mut self, agent: Int) -> PyResult<Vec<(u64, u32, u32, bool)>> {
        self.run(|queue| queue.hands(agent.0))
    }

    fn reserved_for(&mut self, agent: Int) -> PyResult<i64> {
        self.run(|queue| queue.reserved_for(agent.0))
    }

    fn held_units(&mut self, agent: Int) -> PyResult<i64> {
        self.run(|queue| queue.held_units(agent.0))
    }

    #[pyo3(signature = (contact, *, now_ns))]
    fn ahead(&mut self, contact: Int, now_ns: Int) -> PyResult<usize> {
        self.run(|queue| queue.ahead(contact.0, now_ns.0))
    }

    #[pyo3(signature = (*, now_ns, limit))]
    fn in_order(&mut self, now_ns: Int, limit: Int) -> PyResult<Vec<u64>> {
        self.run(|queue| queue.in_order(now_ns.0, usize::try_from(limit.0).unwrap_or(0)))
    }

    fn capable_n(&mut self, requirement: Int) -> PyResult<(u32, u32)> {
        self.run(|queue| queue.capable_n(requirement.0))
    }

    #[pyo3(signature = (contact, *, now_ns, limit=Int(100)))]
    #[pyo3(text_signature = "(self, contact, *, now_ns, limit=100)")]
    fn explain<'py>(
        &mut self,
        py: Python<'py>,
        contact: Int,
        now_ns: Int,
        limit: Int,
    ) -> PyResult<Bound<'py, PyList>> {
        static BARRED: PyOnceLock<Py<PyAny>> = PyOnceLock::new();
        let limit = usize::try_from(limit.0).unwrap_or(0);
        let lines = self.run(|queue| queue.explain(contact.0, now_ns.0, limit))?;
        let barred = BARRED.get_or_try_init(py, || {
            let protocol = py.import("centralita.matching.protocol")?;
            PyResult::Ok(protocol.getattr("Barred")?.unbind())
        })?;
        let told = lines.iter().map(|line| {
            let rule = RULES[line.rule as usize];
            let of = (line.agent, line.agents, line.profile);
            barred
                .bind(py)
                .call1((of.0, of.1, of.2, rule, line.subject, line.needed, line.had))
        });
        PyList::new(py, told.collect::<PyResult<Vec<_>>>()?)
    }

    #[pyo3(signature = (contact, agents, *, now_ns))]
    fn explain_choice<'py>(
        &mut self,
        py: Python<'py>,
        contact: Int,
        agents: &Bound<'_, PyAny>,
        now_ns: Int,
    ) -> PyResult<Vec<Bound<'py, pyo3::types::PyTuple>>> {
        let agents = ints(agents)?;
        let chosen = self.run(|queue| queue.explain_choice(contact.0, &agents, now_ns.0))?;
        chosen
            .into_iter()
            .map(|values| pyo3::types::PyTuple::new(py, values))
            .collect()
    }

    fn state_hash(&mut self) -> PyResult<u64> {
        self.run(|queue| Ok(queue.state_hash()))
    }

    /// What waiting contacts and agents take, for whoever measures: {"waiting": bytes, "agents": bytes}.
    fn memory<'py>(&mut self, py: Python<'py>) -> PyResult<Bound<'py, PyDict>> {
        let (waiting, agents) = self.run(|queue| Ok(queue.bytes()))?;
        let told = PyDict::new(py);
        told.set_item("waiting", waiting)?;
        told.set_item("agents", agents)?;
        Ok(told)
    }

    /// Gives what a drained peak left on the heap back to the system. `advance` does so by itself once.
    fn release_memory(&mut self, py: Python<'_>) {
        self.peak_n = self.queue.waiting_n();
        py.detach(trim_heap);
    }

    /// Turns now to the structure for very many distinct requirements, as happens by itself.
    fn disperse(&mut self) -> PyResult<()> {
        self.run(|queue| {
            queue.disperse();
            Ok(())
        })
    }

    /// Breaks the queue, as a bug would: for the test that no panic crosses.
    fn _panic(&mut self) -> PyResult<()> {
        self.run(|_| -> Result<(), Refused> { panic!("asked to") })
    }
}

/// Deadlines: see `centralita.timers` for the contract.
#[pyclass(module = "centralita._routing", name = "Timers")]
pub(crate) struct PyTimers {
    pub(crate) timers: Timers,
}

#[pymethods]
impl PyTimers {
    #[new]
    fn new() -> Self {
        Self {
            timers: Timers::default(),
        }
    }

    fn schedule(&mut self, kind: Int, subject: Int, at_ns: Int) -> PyResult<()> {
        let (kind, subject) = Timers::check(kind.0, subject.0)?;
        self.timers.schedule(kind, subject, Timers::check_time(at_ns.0)?);
        Ok(())
    }

    fn cancel(&mut self, kind: Int, subject: Int) {
        if let Ok((kind, subject)) = Timers::check(kind.0, subject.0) {
            self.timers.cancel(kind, subject);
        }
    }

    fn pop_due(&mut self, now_ns: Int) -> Vec<(i64, u32, u64)> {
        self.timers.pop_due(now_ns.0)
    }

    pub(crate) fn next_deadline_ns(&self) -> i64 {
        self.timers.next_deadline_ns()
    }

    fn deadline_ns(&self, kind: Int, subject: Int) -> i64 {
        Timers::check(kind.0, subject.0)
            .map_or(NEVER_NS, |(kind, subject)| self.timers.deadline_ns(kind, subject))
    }

    fn __len__(&self) -> usize {
        self.timers.len()
    }
}

#[pymodule]
mod _routing {
    use pyo3::prelude::*;

    #[pymodule_export]
    use super::{PyQueue, PyTimers, QueueBrokenError};
    #[pymodule_export]
    use crate::engine::{Dispatcher, DriveHeld, Folding, LinesHeld, PeopleHeld};

    /// Return the version of the compiled queue.
    #[pyfunction]
    fn version() -> &'static str {
        crate::VERSION
    }
}
