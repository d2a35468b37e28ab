//! The matching queue: who gets whom. Knows nothing of Python; `python.rs` binds it.

#![allow(
    clippy::cast_possible_truncation,
    clippy::cast_possible_wrap,
    clippy::cast_sign_loss,
    reason = "ids are below 2^62, handles below 2^32: checked where they come in"
)]
#![allow(
    clippy::struct_field_names,
    clippy::similar_names,
    clippy::many_single_char_names,
    reason = "lanes hold lanes; home and hole, shelf and shelves are the words there are"
)]
#![allow(
    clippy::missing_errors_doc,
    reason = "every operation refuses what is unknown or out of range, as the type `Refused` says"
)]

mod batch;
mod bits;
mod catalogue;
mod crews;
mod directory;
mod explain;
mod hash;
mod lanes;
mod lines;
mod loads;
mod matching;
mod order;
mod paged;
mod pages;
mod prefetch;
mod queue;
mod ranked;
mod refused;
mod shelves;
mod skills;
mod slab;
mod table;
mod timers;

#[cfg(feature = "python")]
mod engine;
#[cfg(feature = "python")]
mod python;

pub use explain::{Barred, RULES};
pub use matching::Pairs;
pub use queue::{Change, Enqueue, NOBODY, Queue};
pub use refused::Refused;
pub use timers::{NEVER_NS, Timers};

/// The version of this crate, which is the version of the wheel.
pub const VERSION: &str = env!("CARGO_PKG_VERSION");

#[cfg(test)]
mod tests {
    #[test]
    fn version_has_three_parts() {
        assert_eq!(super::VERSION.split('.').count(), 3);
    }
}
