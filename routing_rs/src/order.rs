//! The order of contacts: priority, then urgency, then arrival. Kleinrock's accumulating priority
//! (1964): urgency grows at a contact's own rate, so that the order between rates changes with time.

/// Where a contact stands at one moment; smaller is sooner.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(crate) struct Place {
    negated_priority: i64,
    negated_urgency: i128,
    pub(crate) contact: u64,
}

impl Place {
    pub(crate) fn new(priority: i32, rate: u32, effective_ns: i64, contact: u64, now_ns: i64) -> Self {
        let waited_ns = i128::from(now_ns) - i128::from(effective_ns);
        Self {
            negated_priority: -i64::from(priority),
            negated_urgency: -(i128::from(rate) * waited_ns),
            contact,
        }
    }
}

/// Where a contact stands among those of its own rate, whatever the time; smaller is sooner.
#[inline]
pub(crate) fn standing(priority: i32, effective_ns: i64) -> u128 {
    let priority = !(priority as u32 ^ 1 << 31);
    let effective = effective_ns as u64 ^ 1 << 63;
    u128::from(priority) << 64 | u128::from(effective)
}

/// A standing in 64 bits: whoever has the smaller stands sooner, whoever has the same must be compared in
/// full. Priorities beyond a byte and times within 256 ns of each other run together.
#[inline]
pub(crate) fn glance(priority: i32, effective_ns: i64) -> u64 {
    let priority = (127 - priority.clamp(-127, 127)) as u64;
    let effective = (effective_ns as u64 ^ 1 << 63) >> 8;
    priority << 56 | effective
}
