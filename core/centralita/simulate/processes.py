"""Work spread over the machine's cores, by processes that last as long as it does.

What is made is given back in the order asked for, whichever process makes it, and however many there are.
An interrupt is for whoever asked: it ends the processes, and they have nothing to say of their own.
"""

from __future__ import annotations

import os
import signal
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager
from multiprocessing import get_context
from typing import Any, Protocol, TypeVar

Given = TypeVar("Given")
Made = TypeVar("Made")


class Each(Protocol):
    """As the built-in `map`, of one iterable."""

    def __call__(self, make: Callable[[Given], Made], given: Iterable[Given], /) -> Iterator[Made]:
        """What `make` makes of each, in order."""
        ...


def workers_n() -> int:
    """How many processes run at once unless somebody says otherwise: a core each."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


@contextmanager
def processes(
    workers: int, *, begin: Callable[..., object] | None = None, told: tuple[Any, ...] = ()
) -> Iterator[Each]:
    """Processes for a while; with one worker there is none, and everything is made here.

    Each calls `begin(*told)` first. They are started afresh, not forked: whoever calls may have threads.
    Left by an exception, they drop what they have not begun, and it comes out once they have ended.
    """
    if workers == 1:
        if begin is not None:
            begin(*told)
        yield map
        return
    with ProcessPoolExecutor(
        workers, mp_context=get_context("spawn"), initializer=begin, initargs=told
    ) as executor:

        def each(make: Callable[[Given], Made], given: Iterable[Given], /) -> Iterator[Made]:
            with _interrupts_for_us_alone():
                return executor.map(make, given)

        try:
            yield each
        except BaseException:
            executor.shutdown(cancel_futures=True)  # and wait: let go of, it would run them all first
            raise


@contextmanager
def _interrupts_for_us_alone() -> Iterator[None]:
    """Ctrl-C goes to every process of a terminal; those started in here leave it to us, who end them."""
    if not hasattr(signal, "pthread_sigmask"):
        yield
        return
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)
