//! The fields of Python's structs, read and written where they lie.
//!
//! msgspec keeps each field of a struct as one pointer at a fixed place in the object, as `__slots__` do, those of a
//! dataclass among them. Asking for it by name costs a look-up each time; here the place is found once, by making a
//! struct of known objects and looking where they are, and from then on a field costs one read. All that is unsafe about
//! it is in this file: a record is only made from an object of exactly its type, whose size and fields were looked at.

use std::panic::resume_unwind;
use std::ptr::NonNull;
use std::sync::atomic::{AtomicPtr, AtomicU32, Ordering::Relaxed};

use pyo3::exceptions::{PyImportError, PyTypeError};
use pyo3::ffi;
use pyo3::prelude::*;
use pyo3::types::{PyDict, PyFloat, PyInt, PyString, PyType};

use crate::engine::objects::{int, truth};
use crate::engine::words::blanks;

/// One field of one object.
pub(crate) struct Slot<'a, 'py> {
    place: NonNull<*mut ffi::PyObject>,
    owner: &'a Bound<'py, PyAny>,
}

/// What a field unwinds with that somebody has deleted, up to the dispatcher, which says so as Python would.
pub(crate) struct Deleted(pub(crate) String);

impl<'py> Slot<'_, 'py> {
    fn pointer(&self) -> *mut ffi::PyObject {
        // SAFETY: the place lies in a live object of the layout's type, and the GIL is held.
        let pointer = unsafe { self.place.read() };
        if pointer.is_null() {
            self.deleted();
        }
        pointer
    }

    /// A field is empty only once somebody has deleted it, which no other reader should have to think of.
    #[cold]
    #[inline(never)]
    fn deleted(&self) -> ! {
        let kind = self.owner.get_type();
        let missing = fields_of(&kind)
            .unwrap_or_default()
            .into_iter()
            .find(|field| !self.owner.hasattr(field).unwrap_or(true));
        let kind = kind
            .name()
            .map_or_else(|_| "?".to_owned(), |name| name.to_string());
        resume_unwind(Box::new(Deleted(format!(
            "'{kind}' object has no attribute '{}'",
            missing.unwrap_or_default()
        ))))
    }

    pub(crate) fn py(&self) -> Python<'py> {
        self.owner.py()
    }

    /// What is in it.
    pub(crate) fn get(&self) -> Bound<'py, PyAny> {
        // SAFETY: a field that is set holds an object, of which this takes a reference of its own.
        unsafe { Bound::from_borrowed_ptr(self.py(), self.pointer()) }
    }

    /// What is in it, known to be a dictionary.
    pub(crate) fn dict(&self) -> PyResult<Bound<'py, PyDict>> {
        Ok(self.get().cast_into::<PyDict>()?)
    }

    /// What the dictionary in it has for a key.
    pub(crate) fn find(&self, key: &Bound<'py, PyAny>) -> PyResult<Option<Bound<'py, PyAny>>> {
        self.dict()?.get_item(key)
    }

    /// Whether the dictionary in it has a key.
    pub(crate) fn has(&self, key: &Bound<'py, PyAny>) -> PyResult<bool> {
        self.dict()?.contains(key)
    }

    /// Sets a key of the dictionary in it.
    pub(crate) fn put(&self, key: &Bound<'py, PyAny>, value: &Bound<'py, PyAny>) -> PyResult<()> {
        self.dict()?.set_item(key, value)
    }

    /// Takes a key out of the dictionary in it; a `KeyError` when it is not there.
    pub(crate) fn remove(&self, key: &Bound<'py, PyAny>) -> PyResult<()> {
        self.dict()?.del_item(key)
    }

    /// How many entries the dictionary in it has.
    pub(crate) fn entries(&self) -> PyResult<usize> {
        Ok(self.dict()?.len())
    }

    /// Puts something else in.
    pub(crate) fn set(&self, value: Bound<'py, PyAny>) {
        // SAFETY: as above; the reference that was in the field is this one's to drop, after the field has the new one.
        let earlier = unsafe { self.place.replace(value.into_ptr()) };
        // SAFETY: a field's pointer is null or a reference that the field owned.
        drop(unsafe { Bound::from_owned_ptr_or_opt(self.py(), earlier) });
    }

    pub(crate) fn set_int(&self, value: i64) {
        self.set(int(self.py(), value));
    }

    pub(crate) fn set_float(&self, value: f64) {
        self.set(PyFloat::new(self.py(), value).into_any());
    }

    pub(crate) fn set_bool(&self, value: bool) {
        self.set(truth(self.py(), value));
    }

    /// The integer in it.
    #[inline]
    pub(crate) fn int(&self) -> PyResult<i64> {
        // SAFETY: `pointer` is a live object, and the GIL is held.
        unsafe { long(self.py(), self.pointer()) }
    }

    /// Adds to the integer in it.
    #[inline]
    pub(crate) fn add(&self, by: i64) -> PyResult<()> {
        if by == 0 {
            return Ok(());
        }
        // SAFETY: as above.
        let known = unsafe { long(self.py(), self.pointer()) };
        match known.ok().and_then(|known| known.checked_add(by)) {
            Some(sum) => self.set_int(sum),
            None => self.set(self.get().add(by)?), // a sum of times may outgrow what an i64 holds
        }
        Ok(())
    }

    /// Whether the integer in it is 0.
    #[inline]
    pub(crate) fn is_zero(&self) -> PyResult<bool> {
        let (pointer, known) = (self.pointer(), blanks(self.py()));
        // Python has one object for each of its small ints, but does not promise it.
        Ok(pointer == known.zero.as_ptr() || (pointer != known.one.as_ptr() && self.int()? == 0))
    }

    pub(crate) fn float(&self) -> PyResult<f64> {
        self.get().extract()
    }

    pub(crate) fn is_none(&self) -> bool {
        // SAFETY: only the address of the one None is compared.
        self.pointer() == unsafe { ffi::Py_None() }
    }

    pub(crate) fn is_true(&self) -> bool {
        // SAFETY: only the address of the one True is compared.
        self.pointer() == unsafe { ffi::Py_True() }
    }

    /// The integer in it, if it is one and a machine's word holds it.
    pub(crate) fn plain_int(&self) -> Option<i64> {
        self.get()
            .cast_exact::<PyInt>()
            .ok()
            .and_then(|value| value.extract().ok())
    }

    /// The seconds in it, if they are a number.
    pub(crate) fn plain_float(&self) -> Option<f64> {
        let value = self.get();
        let number = value.is_exact_instance_of::<PyFloat>() || value.is_exact_instance_of::<PyInt>();
        if number { value.extract().ok() } else { None }
    }

    /// Whether Python takes what is in it for false: the empty text or table, None, zero.
    pub(crate) fn is_blank(&self) -> bool {
        let pointer = self.pointer();
        // SAFETY: `pointer` is a live object, and only the length of a str is asked for.
        unsafe {
            if ffi::PyUnicode_CheckExact(pointer) != 0 {
                return ffi::PyUnicode_GetLength(pointer) == 0;
            }
        }
        !self.get().is_truthy().unwrap_or(true)
    }

    /// Whether it holds this very object or an equal text.
    pub(crate) fn is_text(&self, text: &Bound<'py, PyString>) -> bool {
        let pointer = self.pointer();
        if pointer == text.as_ptr() {
            return true;
        }
        // SAFETY: live objects; what is no str gives -1 and an exception, which is taken back.
        let length = unsafe { ffi::PyUnicode_GetLength(pointer) };
        if length < 0 {
            drop(PyErr::take(self.py()));
            return false;
        }
        // SAFETY: as above; two texts of one length are compared.
        unsafe {
            length == ffi::PyUnicode_GetLength(text.as_ptr())
                && ffi::PyUnicode_Compare(pointer, text.as_ptr()) == 0
        }
    }
}

/// As `PyLong_AsLongLong`, which takes five times as long where a size is as wide.
///
/// # Safety
/// The GIL is held, and the object lives.
#[inline]
unsafe fn read_int(object: *mut ffi::PyObject) -> i64 {
    if size_of::<isize>() == size_of::<i64>() {
        // SAFETY: as this function's.
        unsafe { ffi::PyLong_AsSsize_t(object) as i64 }
    } else {
        // SAFETY: as this function's.
        unsafe { ffi::PyLong_AsLongLong(object) }
    }
}

/// What an int of Python's is; an error for anything else, and for one that an i64 does not hold.
///
/// # Safety
/// The GIL is held, and the object lives.
#[inline]
unsafe fn long(py: Python<'_>, object: *mut ffi::PyObject) -> PyResult<i64> {
    // SAFETY: as this function's; anything but an int is refused with an exception.
    let value = unsafe { read_int(object) };
    if value == -1
        && let Some(error) = PyErr::take(py)
    {
        return Err(error);
    }
    Ok(value)
}

/// One integer of Python's and another, as `Slot::add` adds them.
pub(crate) fn sum<'py>(value: &Bound<'py, PyAny>, by: i64) -> PyResult<Bound<'py, PyAny>> {
    // SAFETY: a bound object is live, and its GIL is held.
    let known = unsafe { long(value.py(), value.as_ptr()) };
    match known.ok().and_then(|known| known.checked_add(by)) {
        Some(sum) => Ok(int(value.py(), sum)),
        None => value.add(by),
    }
}

/// Where the fields of a type lie.
pub(crate) struct Layout<const N: usize> {
    kind: AtomicPtr<ffi::PyTypeObject>,
    offsets: [AtomicU32; N],
}

impl<const N: usize> Layout<N> {
    pub(crate) const fn unknown() -> Self {
        Self {
            kind: AtomicPtr::new(std::ptr::null_mut()),
            offsets: [const { AtomicU32::new(0) }; N],
        }
    }

    /// Whether an object is of this type. What a type adds that is made from it lies behind its fields.
    #[inline]
    pub(crate) fn is_of(&self, object: &Bound<'_, PyAny>) -> bool {
        let wanted = self.kind.load(Relaxed);
        // SAFETY: a live object has a type, and a layout's type lives as long as the process.
        unsafe {
            let kind = ffi::Py_TYPE(object.as_ptr());
            kind == wanted || (!wanted.is_null() && ffi::PyType_IsSubtype(kind, wanted) != 0)
        }
    }

    /// Where a field lies in an object that is of this type.
    #[inline]
    pub(crate) fn slot<'a, 'py>(&self, object: &'a Bound<'py, PyAny>, field: usize) -> Slot<'a, 'py> {
        debug_assert!(self.is_of(object));
        // SAFETY: records are only made of objects of this type, in which this offset was found to be a field.
        let place = unsafe {
            object
                .as_ptr()
                .byte_add(self.offsets[field].load(Relaxed) as usize)
        };
        Slot {
            // SAFETY: an offset from a live object is not null.
            place: unsafe { NonNull::new_unchecked(place.cast()) },
            owner: object,
        }
    }

    /// A new object of this type with these fields, in the layout's order.
    pub(crate) fn make<'py>(
        &self,
        py: Python<'py>,
        fields: [Bound<'py, PyAny>; N],
    ) -> PyResult<Bound<'py, PyAny>> {
        let kind = self.kind.load(Relaxed);
        assert!(!kind.is_null(), "records are bound before any is made");
        // SAFETY: a heap type that `bind` has seen: a plain allocation, zeroed, which takes a reference to its type.
        let made = unsafe { Bound::from_owned_ptr_or_err(py, ffi::PyType_GenericAlloc(kind, 0))? };
        for (offset, field) in self.offsets.iter().zip(fields) {
            // SAFETY: as in `slot`; the field is empty yet and takes the reference over.
            unsafe {
                made.as_ptr()
                    .byte_add(offset.load(Relaxed) as usize)
                    .cast::<*mut ffi::PyObject>()
                    .write(field.into_ptr());
            }
        }
        Ok(made)
    }

    /// Finds out where the fields lie. They must be exactly these, in this order.
    pub(crate) fn bind(&self, kind: &Bound<'_, PyType>, fields: [&str; N]) -> PyResult<()> {
        let py = kind.py();
        let known = fields_of(kind)?;
        if known != fields {
            return Err(PyImportError::new_err(format!(
                "{kind} has the fields {known:?}; the compiled engine knows {fields:?}: \
                 it was built from another version, or routing_rs/src/engine/records.rs lacks what was changed"
            )));
        }
        let object = py.import("builtins")?.getattr("object")?;
        let told = PyDict::new(py);
        let mut marks = Vec::with_capacity(N);
        for field in fields {
            let mark = object.call0()?;
            told.set_item(field, &mark)?;
            marks.push(mark);
        }
        let probe = kind.call((), Some(&told))?;
        let size: usize = kind.getattr("__basicsize__")?.extract()?;
        for (place, mark) in self.offsets.iter().zip(&marks) {
            let found = (size_of::<ffi::PyObject>()..size)
                .step_by(size_of::<*mut ffi::PyObject>())
                // SAFETY: the offsets lie within the object's own size.
                .find(|&at| unsafe { probe.as_ptr().byte_add(at).cast::<*mut ffi::PyObject>().read() } == mark.as_ptr());
            let Some(at) = found else {
                return Err(PyImportError::new_err(format!(
                    "a field of {kind} does not lie in it"
                )));
            };
            place.store(u32::try_from(at)?, Relaxed);
        }
        self.kind.store(kind.as_type_ptr(), Relaxed);
        // The type lives as long as the process: a layout must not outlive it.
        std::mem::forget(kind.clone());
        Ok(())
    }

    /// The type itself.
    pub(crate) fn of_python<'py>(&self, py: Python<'py>) -> Bound<'py, PyType> {
        let kind = self.kind();
        assert!(!kind.is_null(), "records are bound before any is asked about");
        // SAFETY: a type that `bind` has seen, and that lives as long as the process.
        unsafe { Bound::from_borrowed_ptr(py, kind.cast()).cast_into_unchecked() }
    }

    pub(crate) fn kind(&self) -> *mut ffi::PyTypeObject {
        self.kind.load(Relaxed)
    }
}

/// The names of a type's fields: a struct's, or the slots of a dataclass.
fn fields_of(kind: &Bound<'_, PyType>) -> PyResult<Vec<String>> {
    match kind.getattr_opt("__struct_fields__")? {
        Some(known) => known.extract(),
        None => kind.getattr("__slots__")?.extract(),
    }
}

/// What cannot be a record of a type.
pub(crate) fn not_of(object: &Bound<'_, PyAny>, name: &str) -> PyErr {
    PyTypeError::new_err(format!("{} is not the engine's {name}", object.get_type()))
}

/// An object of one of the types in `records.rs`.
pub(crate) trait Struct<'py>: Sized {
    /// The object as this record; an error when it is of another type.
    fn of(object: Bound<'py, PyAny>) -> PyResult<Self>;
    fn object(&self) -> &Bound<'py, PyAny>;
    fn kind() -> *mut ffi::PyTypeObject;
    /// The type as Python knows it.
    fn of_python(py: Python<'py>) -> Bound<'py, PyType>;
    fn bind(py: Python<'py>) -> PyResult<()>;
}

/// Declares records: for each a type over the Python object with one method a field, and a struct of all its
/// fields to make one from.
macro_rules! records {
    ($($module:literal { $($name:ident from $fields:ident { $($field:ident),* $(,)? })* })*) => {
        $($(
            #[derive(Clone)]
            pub(crate) struct $name<'py>(pyo3::Bound<'py, pyo3::PyAny>);

            #[allow(dead_code, reason = "some records are only read")]
            pub(crate) struct $fields<'py> {
                $(pub(crate) $field: pyo3::Bound<'py, pyo3::PyAny>,)*
            }

            const _: () = {
                use $crate::engine::slots::{Layout, Slot, Struct, not_of};
                use pyo3::prelude::*;

                #[allow(non_camel_case_types, reason = "named as the fields are")]
                enum At { $($field),* }

                static LAYOUT: Layout<{ [$(stringify!($field)),*].len() }> = Layout::unknown();

                #[allow(dead_code, reason = "not every field of every record is asked for")]
                impl<'py> $name<'py> {
                    $(
                        #[inline]
                        pub(crate) fn $field(&self) -> Slot<'_, 'py> {
                            LAYOUT.slot(&self.0, At::$field as usize)
                        }
                    )*
                }

                #[allow(dead_code, reason = "some records are only read")]
                impl<'py> $fields<'py> {
                    pub(crate) fn make(self, py: Python<'py>) -> PyResult<$name<'py>> {
                        Ok($name(LAYOUT.make(py, [$(self.$field),*])?))
                    }
                }

                impl<'py> Struct<'py> for $name<'py> {
                    fn of(object: Bound<'py, PyAny>) -> PyResult<Self> {
                        if LAYOUT.is_of(&object) { Ok(Self(object)) } else { Err(not_of(&object, stringify!($name))) }
                    }

                    fn object(&self) -> &Bound<'py, PyAny> {
                        &self.0
                    }

                    fn kind() -> *mut pyo3::ffi::PyTypeObject {
                        LAYOUT.kind()
                    }

                    fn of_python(py: Python<'py>) -> Bound<'py, pyo3::types::PyType> {
                        LAYOUT.of_python(py)
                    }

                    fn bind(py: Python<'py>) -> PyResult<()> {
                        let kind = py.import($module)?.getattr(stringify!($name))?.cast_into()?;
                        LAYOUT.bind(&kind, [$(stringify!($field)),*])
                    }
                }
            };
        )*)*

        /// Finds out how all records lie, once.
        pub(crate) fn bind_all(py: pyo3::Python<'_>) -> pyo3::PyResult<()> {
            use $crate::engine::slots::Struct;
            static BOUND: pyo3::sync::PyOnceLock<()> = pyo3::sync::PyOnceLock::new();
            BOUND.get_or_try_init(py, || {
                $($( $name::bind(py)?; )*)*
                Ok(())
            })
            .copied()
        }
    };
}
pub(crate) use records;
