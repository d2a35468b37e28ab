//! What a call refuses, and in which words: ids and handles nobody gave out, values out of range.

pub(crate) const NUMBER_LIMIT: i64 = 1 << 31;
pub(crate) const ID_LIMIT: i64 = 1 << 62;
pub(crate) const TIME_LIMIT_NS: i64 = 1 << 61;

/// Why a call was refused; the queue is unchanged.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Refused {
    /// An id or a handle that nobody gave out: what it was to be, and the id.
    Unknown(&'static str, i64),
    /// A value out of range, or something that is so already.
    Invalid(String),
}

pub(crate) type Outcome<T> = Result<T, Refused>;

#[cold]
pub(crate) fn unknown<T>(what: &'static str, id: i64) -> Outcome<T> {
    Err(Refused::Unknown(what, id))
}

#[cold]
pub(crate) fn invalid<T>(why: String) -> Outcome<T> {
    Err(Refused::Invalid(why))
}

#[inline]
pub(crate) fn within(name: &str, value: i64, least: i64, below: i64) -> Outcome<i64> {
    if least <= value && value < below {
        return Ok(value);
    }
    invalid(format!("{name} was {value}; allowed: {least} to {}", below - 1))
}

#[inline]
pub(crate) fn number(name: &str, value: i64, least: i64) -> Outcome<i64> {
    within(name, value, least, NUMBER_LIMIT)
}

#[inline]
pub(crate) fn time(name: &str, value: i64) -> Outcome<i64> {
    within(name, value, 1 - TIME_LIMIT_NS, TIME_LIMIT_NS)
}

#[inline]
pub(crate) fn id(name: &str, value: i64) -> Outcome<u64> {
    within(name, value, 0, ID_LIMIT).map(|value| value as u64)
}
