//! The thread's own time, and what each operation took of it.

/// What this thread has had of a processor, so that neighbours on the machine do not count; 0 elsewhere.
#[cfg(target_os = "linux")]
pub(crate) fn thread_ns() -> u64 {
    #[repr(C)]
    struct Timespec {
        s: i64,
        ns: i64,
    }
    unsafe extern "C" {
        fn clock_gettime(clock: i32, into: *mut Timespec) -> i32;
    }
    const CLOCK_THREAD_CPUTIME_ID: i32 = 3;
    let mut told = Timespec { s: 0, ns: 0 };
    // SAFETY: the call writes one timespec of two 64-bit words, as it is on 64-bit Linux, and `told` is that.
    // What std reads instead, /proc, is brought up to date at the scheduler's ticks alone: 4 ms.
    unsafe { clock_gettime(CLOCK_THREAD_CPUTIME_ID, &raw mut told) };
    (told.s * 1_000_000_000 + told.ns) as u64
}

#[cfg(not(target_os = "linux"))]
pub(crate) fn thread_ns() -> u64 {
    0
}

/// What each operation took while the centre filled.
#[derive(Default)]
pub(crate) struct Clock {
    pub(crate) timed: bool,
    pub(crate) spent_ns: Vec<u32>,
}

impl Clock {
    pub(crate) fn time<T>(&mut self, operation: impl FnOnce() -> T) -> T {
        if !self.timed {
            return operation();
        }
        let before_ns = thread_ns();
        let done = operation();
        self.spent_ns.push((thread_ns() - before_ns) as u32);
        done
    }
}
