"""Who takes part in a simulation: a customer who is inside, and the class of customers that one is of.

Both are known by the place of their fields to the compiled part of `world`, `routing_rs/src/engine/people.rs`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

import msgspec

from centralita.messages import AdmitContact
from centralita.simulate.distributions import Sampler
from centralita.simulate.scenario import Customers


class Visitor(msgspec.Struct, gc=False):
    """A customer who is inside."""

    group: Group
    handling_ns: int
    wrap_up_ns: int
    attempt: int
    contact: int = 0
    impatient: bool = True
    callback_ns: int = -1


class Group(msgspec.Struct):
    """A class of customers with its streams.

    `admission` lets one of them in, but for the `provider_id`; `callback` and `redial_after` are None where nobody asks for
    it.
    """

    index: int
    rules: Customers
    admission: AdmitContact
    moments: Iterator[int]
    handling: Sampler
    patience: Sampler | None
    wrap_up: Sampler | None
    callback: Callable[[], float] | None
    redial: Callable[[], float]
    redial_after: Sampler | None
