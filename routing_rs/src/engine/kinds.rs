//! Which of a few types an object is of: a table by where the types lie.

use pyo3::ffi;
use pyo3::prelude::*;

/// How many places the table has; a power of two, several times as many as there are types.
const PLACES: usize = 64;

/// A type of `records.rs`, which is known once it is bound.
pub(crate) type Kind = fn() -> *mut ffi::PyTypeObject;

/// Something for each of a few types.
pub(crate) struct Kinds<T: Copy>([Option<(usize, T)>; PLACES]);

fn first_place(kind: usize) -> usize {
    (kind >> 4 ^ kind >> 10) % PLACES // types lie 16 bytes apart at least
}

impl<T: Copy> Kinds<T> {
    pub(crate) fn of(told: &[(Kind, T)]) -> Self {
        assert!(told.len() < PLACES, "a place must be left for what is not found");
        let mut places = [None; PLACES];
        for (kind, told) in told {
            let kind = kind() as usize;
            let mut place = first_place(kind);
            while places[place].is_some() {
                place = (place + 1) % PLACES;
            }
            places[place] = Some((kind, *told));
        }
        Self(places)
    }

    /// What there is for an object's type.
    #[inline]
    pub(crate) fn find(&self, object: &Bound<'_, PyAny>) -> Option<T> {
        let kind = object.get_type_ptr() as usize;
        let mut place = first_place(kind);
        while let Some((one, told)) = self.0[place] {
            if one == kind {
                return Some(told);
            }
            place = (place + 1) % PLACES;
        }
        None
    }
}
