"""A scenario: a contact centre as a live configuration says, and the people who come to it.

`[simulate]` is the world: classes of customers, and crews of agents with their shifts. Of the live components
nothing runs: CRMs, classifiers and bots are left out, since a class of customers says itself which queue it comes
to and what it needs. How one is read is `scenario_file.py`.
"""

from __future__ import annotations

from typing import Annotated, Final, Literal

from msgspec import Meta

from centralita.calendars import DAYS, Calendar
from centralita.config import Agent, EngineConfig, Level, Name, Part, Priority, Seconds
from centralita.simulate.arrivals import Arrivals
from centralita.simulate.distributions import Distribution, Share
from centralita.structs import Frozen

LINE: Final = "simulated"
"""The channel by which customers come when the configuration has none."""

Day = Literal["mon", "tue", "wed", "thu", "fri", "sat", "sun"]
TIME_OF_DAY: Final = r"^([01]\d|2[0-3]):[0-5]\d$|^24:00$"
TimeOfDay = Annotated[str, Meta(pattern=TIME_OF_DAY)]


class Callback(Part):
    """Waiting customers who would rather be called back: a share of them, once they have waited
    `after_s`; when called, `reached` of them answer."""

    share: Share
    after_s: Seconds = 0
    reached: Share = 1


class Redial(Part):
    """Customers who gave up, or were turned away, and try again: a share of them, after a while."""

    share: Share
    after: Distribution
    attempts_max: Annotated[int, Meta(ge=1, le=20)] = 3


class Customers(Part):
    """A class of customers. Empty fields are what the channel and the queue say; no `patience` waits
    for ever; no `wrap_up` lets the queue's own time limit end the after-work."""

    arrivals: Arrivals
    handling: Distribution
    patience: Distribution | None = None
    wrap_up: Distribution | None = None
    channel: str = ""
    queue: str = ""
    skills: dict[str, Level] = {}
    priority: Priority = 0
    credit_s: Annotated[float, Meta(ge=-31_536_000, le=31_536_000)] | None = None
    callback: Callback | None = None
    redial: Redial | None = None


class Break(Part):
    """A time away within a shift."""

    at: TimeOfDay
    for_s: Annotated[float, Meta(gt=0, le=86_400)]
    reason: str = ""


class Shift(Part):
    """When agents are there: wall-clock times of the days named. One that ends at or before it begins
    goes on into the next day. Who is busy at the end of a shift finishes first."""

    start: TimeOfDay
    end: TimeOfDay
    days: Annotated[tuple[Day, ...], Meta(min_length=1)] = DAYS
    breaks: tuple[Break, ...] = ()


class Crew(Part):
    """Agents who are alike: `agents` of them made with these skills, or `members` configured by name.

    Without shifts they are always there. An offer is not answered, or declined, with a probability, and
    otherwise answered after `answer`, at once without one; whom the rules then take out of the line is
    back after `back_after_s`. `cost_per_hour` of an agent's presence is what `staff` adds up.
    """

    agents: Annotated[int, Meta(ge=0, le=100_000)] = 0
    members: tuple[str, ...] = ()
    skills: dict[str, Level] = {}
    capacity: Annotated[int, Meta(ge=1, le=1_000_000)] = 100
    limits: dict[str, Annotated[int, Meta(ge=0)]] = {}
    ranks: dict[str, Annotated[int, Meta(ge=1, le=1_000_000)]] = {}
    shifts: tuple[Shift, ...] = ()
    no_answer: Share = 0
    decline: Share = 0
    answer: Distribution | None = None
    back_after_s: Annotated[float, Meta(gt=0, le=86_400)] = 60
    cost_per_hour: Annotated[float, Meta(gt=0, le=1_000_000)] = 1


class World(Part):
    """The `[simulate]` table. Contacts that arrive from `warm_up_s` until `duration_s` are counted.

    `after`: `close` lets nobody in any more and serves those inside; `go_on` lets further customers come,
    uncounted, until all that are counted have ended, as a centre that never closes needs.
    """

    customers: dict[Name, Customers]
    duration_s: Annotated[float, Meta(gt=0, le=315_360_000)]
    config: str = ""
    crews: dict[Name, Crew] = {}
    start: str = "2026-01-05"
    warm_up_s: Annotated[float, Meta(ge=0, le=315_360_000)] = 0
    after: Literal["close", "go_on"] = "close"
    replications: Annotated[int, Meta(ge=1, le=100_000)] = 10
    seed: int = 1


class Scenario(Frozen):
    """A scenario that can be run: `config` has the crews' agents, `start_ns` is when it begins."""

    config: EngineConfig
    world: World
    start_ns: int
    hours: dict[str, Calendar] = {}
    time_zone: str = "UTC"
    name: str = ""


def agents_of(name: str, crew: Crew) -> tuple[str, ...]:
    """The names of a crew's agents: its members, then those made, `NAME-1` and on."""
    return (*crew.members, *(f"{name}-{number}" for number in range(1, crew.agents + 1)))


def agents_made(crews: dict[str, Crew]) -> dict[str, Agent]:
    """The agents that crews bring along besides their members, as configured agents."""
    made: dict[str, Agent] = {}
    for name, crew in crews.items():
        agent = Agent(
            skills=crew.skills, capacity=crew.capacity, limits=crew.limits, ranks=crew.ranks, team=name
        )
        made.update(dict.fromkeys(agents_of(name, crew)[len(crew.members) :], agent))
    return made


def seconds_of(text: str) -> int:
    """A time of day in seconds from midnight."""
    hour, minute = text.split(":")
    return int(hour) * 3600 + int(minute) * 60
