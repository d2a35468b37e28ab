//! The words that a state is told in: phases, what an agent's work is, directions. Python's own objects, so that
//! comparing two is comparing where they are.

use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;
use pyo3::sync::PyOnceLock;
use pyo3::types::{PyDict, PyString, PyTuple, PyType};

use crate::engine::slots::Slot;

/// How many phases there are.
const PHASES: usize = 12;

/// A contact's phase, in the order of `state.Phase`.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[repr(u8)]
pub(crate) enum Phase {
    Arrived,
    Identifying,
    Classifying,
    SelfService,
    Waiting,
    Offered,
    Connecting,
    Connected,
    OnHold,
    Transferring,
    Wrapping,
    Ended,
}

const ALL: [(Phase, &str); PHASES] = [
    (Phase::Arrived, "arrived"),
    (Phase::Identifying, "identifying"),
    (Phase::Classifying, "classifying"),
    (Phase::SelfService, "self_service"),
    (Phase::Waiting, "waiting"),
    (Phase::Offered, "offered"),
    (Phase::Connecting, "connecting"),
    (Phase::Connected, "connected"),
    (Phase::OnHold, "on_hold"),
    (Phase::Transferring, "transferring"),
    (Phase::Wrapping, "wrapping"),
    (Phase::Ended, "ended"),
];

static WORDS: PyOnceLock<[Py<PyString>; PHASES]> = PyOnceLock::new();

fn words(py: Python<'_>) -> &[Py<PyString>; PHASES] {
    WORDS.get_or_init(py, || ALL.map(|(_, word)| PyString::intern(py, word).unbind()))
}

impl Phase {
    /// The phase in a field.
    pub(crate) fn of(slot: &Slot<'_, '_>) -> PyResult<Self> {
        Self::of_word(&slot.get())
    }

    fn of_word(word: &Bound<'_, PyAny>) -> PyResult<Self> {
        let known = words(word.py());
        if let Some(at) = known.iter().position(|one| one.as_ptr() == word.as_ptr()) {
            return Ok(ALL[at].0);
        }
        let text: String = word.extract()?; // an equal text that is another object
        ALL.iter()
            .find(|(_, known)| *known == text)
            .map(|(phase, _)| *phase)
            .ok_or_else(|| PyValueError::new_err(format!("{text:?} is no phase")))
    }

    pub(crate) fn word(self, py: Python<'_>) -> Bound<'_, PyAny> {
        words(py)[self as usize].bind(py).as_any().clone()
    }
}

/// The phase that follows an event in each phase, as `state.CONTACT_TRANSITIONS` has it.
pub(crate) struct Following([Option<Phase>; PHASES]);

impl Following {
    /// What that table says of one type of event.
    pub(crate) fn read(kind: &Bound<'_, PyType>) -> PyResult<Self> {
        let state = kind.py().import("centralita.state")?;
        let table = state.getattr("CONTACT_TRANSITIONS")?;
        let mut read = [None; PHASES];
        for (from, to) in table.get_item(kind)?.cast_into::<PyDict>()? {
            read[Phase::of_word(&from)? as usize] = Some(Phase::of_word(&to)?);
        }
        Ok(Self(read))
    }

    pub(crate) fn after(&self, phase: Phase) -> Option<Phase> {
        self.0[phase as usize]
    }
}

/// Python's constants that most new records begin with.
pub(crate) struct Blanks {
    pub(crate) text: Py<PyAny>,
    pub(crate) zero: Py<PyAny>,
    pub(crate) one: Py<PyAny>,
    pub(crate) tuple: Py<PyAny>,
    /// An empty dictionary, for what is replaced and never changed.
    pub(crate) dict: Py<PyAny>,
}

static BLANKS: PyOnceLock<Blanks> = PyOnceLock::new();

pub(crate) fn blanks(py: Python<'_>) -> &Blanks {
    BLANKS.get_or_init(py, || Blanks {
        text: PyString::intern(py, "").into_any().unbind(),
        zero: crate::engine::objects::int(py, 0).unbind(),
        one: crate::engine::objects::int(py, 1).unbind(),
        tuple: PyTuple::empty(py).into_any().unbind(),
        dict: PyDict::new(py).into_any().unbind(),
    })
}

/// The numbers that Python's modules fix.
pub(crate) struct Fixed {
    pub(crate) ended_kept_max: usize,
    pub(crate) words_swept_every_ns: i64,
    pub(crate) gap_weight: f64,
    pub(crate) line_weight: f64,
    pub(crate) unevenness_max: f64,
}

static FIXED: PyOnceLock<Fixed> = PyOnceLock::new();

pub(crate) fn fixed(py: Python<'_>) -> PyResult<&Fixed> {
    FIXED.get_or_try_init(py, || {
        let (state, means) = (
            py.import("centralita.state")?,
            py.import("centralita.apply.means")?,
        );
        Ok(Fixed {
            ended_kept_max: state.getattr("ENDED_KEPT_MAX")?.extract()?,
            words_swept_every_ns: state.getattr("WORDS_SWEPT_EVERY_NS")?.extract()?,
            gap_weight: means.getattr("GAP_WEIGHT")?.extract()?,
            line_weight: means.getattr("LINE_WEIGHT")?.extract()?,
            unevenness_max: means.getattr("UNEVENNESS_MAX")?.extract()?,
        })
    })
}
