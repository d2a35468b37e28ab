"""What would it have been with another configuration: recorded demand, the same engine, side by side.

The same customers come at the same moments to the configuration that was in force and to the proposed one. What
the recording can't know of them is drawn (`whatif_parts`), anew in each replication and alike on both sides:
the intervals are over those draws, so they say how sure the answer is given this very demand, not how another day
would be. The change is paired, replication by replication, which is why it is surer than either side.

Agents come and go as recorded. Whoever is in both configurations has the recorded times, whoever only the present
one knows is not there, and whoever only the proposed one knows is there while anybody was. Bots, CRMs and
classifiers are not asked again: what they answered is part of the demand. What never asked for an agent is left out.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from functools import partial
from typing import Final
from zoneinfo import ZoneInfo

from msgspec.structs import replace

from centralita.config import ChannelRule, EngineConfig, ns, problems_of
from centralita.engine import Step
from centralita.errors import ConfigurationError
from centralita.messages import AnyCommand, Record
from centralita.simulate.figures import HOUR_NS, Mean, Measured, mean_of
from centralita.simulate.processes import processes
from centralita.simulate.recorded import Presence, Recorded, Recording
from centralita.simulate.replay import AWAY_AFTER_S
from centralita.simulate.replay_floor import CHANNEL, after_call, config_of, presences
from centralita.simulate.replay_world import World
from centralita.simulate.whatif_figures import ALL, MEASURES, NO_HOUR, End, Key, Times, measure
from centralita.simulate.whatif_parts import Parts
from centralita.structs import Frozen

TOGETHER_NS: Final = 2 * HOUR_NS
"""A time in which nobody was there ends a day when it is longer than this; new agents are there through shorter ones."""
PROBLEMS_MAX: Final = 20


class Cell(Frozen):
    """One queue, or all (""), in one hour of the day, or all (-1). Figures by name, see docs/simulate.md."""

    queue: str
    hour: int
    recorded: Measured
    present: dict[str, Mean]
    proposed: dict[str, Mean]
    change: dict[str, Mean]


class WhatIf(Frozen):
    """Both sides. `unread` is what the recording held and no side was given."""

    source: str
    contacts: int
    replications: int
    seed: int
    agents_alike: tuple[str, ...]
    agents_new: tuple[str, ...]
    agents_gone: tuple[str, ...]
    unread: tuple[tuple[str, int], ...]
    cells: tuple[Cell, ...]

    def cell(self, queue: str = ALL, hour: int = NO_HOUR) -> Cell:
        """One cell; the whole when nothing is said."""
        return next(cell for cell in self.cells if (cell.queue, cell.hour) == (queue, hour))


class Job(Frozen):
    """Everything a replication needs, so that any process can make it."""

    contacts: tuple[Recorded, ...]
    sides: tuple[tuple[EngineConfig, tuple[Presence, ...]], ...]
    targets: EngineConfig
    time_zone: str
    seed: int


def whatif(
    recording: Recording,
    proposed: EngineConfig,
    *,
    present: EngineConfig | None = None,
    recorded_times: Times | None = None,
    time_zone: str = "UTC",
    replications: int = 20,
    seed: int = 1,
    workers: int = 1,
    done: Callable[[], object] | None = None,
) -> WhatIf:
    """Put a recording's demand through two configurations.

    `present` None: the centre as the recording shows it. `recorded_times` adds the recorded occupancy. Answer targets
    are the proposed ones on all sides, so that like is compared with like. `done()` is called after each replication.
    Raises ConfigurationError when a configuration can't take what was recorded.
    """
    contacts = tuple(
        contact
        for contact in recording.contacts
        if contact.queued_ns is not None and contact.outcome not in ("ignored", "left_in_self_service")
    )
    if present is None:
        present = config_of(recording, after_call(recording.contacts))
    sides = [playable(config, contacts, like=present) for config in (present, proposed)]
    there = recording.presences
    if there is None:
        there = tuple(presences(contacts, ns(AWAY_AFTER_S)))
    new = sorted(set(proposed.agents) - set(present.agents))
    job = Job(
        contacts=contacts,
        sides=((sides[0], there), (sides[1], (*there, *_for_new(new, there)))),
        targets=sides[1],
        time_zone=time_zone,
        seed=seed,
    )
    made = _replicated(job, replications, workers, done)
    hour_of = hours_in(time_zone)
    recorded = measure(map(_recorded_end, contacts), job.targets, hour_of, recorded_times)
    keys = sorted(recorded)
    left_out = len(recording.contacts) - len(contacts)
    return WhatIf(
        source=recording.source,
        contacts=len(contacts),
        replications=replications,
        seed=seed,
        agents_alike=tuple(sorted(set(proposed.agents) & set(present.agents))),
        agents_new=tuple(new),
        agents_gone=tuple(sorted(set(present.agents) - set(proposed.agents))),
        unread=(*recording.unread, *((("never asked for an agent", left_out),) if left_out else ())),
        cells=tuple(_cell(key, recorded[key], made) for key in keys),
    )


def hours_in(time_zone: str) -> Callable[[int], int]:
    """The hour of the day of a moment, where the centre is."""
    if time_zone == "UTC":
        return lambda at_ns: at_ns // HOUR_NS % 24
    zone = ZoneInfo(time_zone)
    return lambda at_ns: datetime.fromtimestamp(at_ns // 1_000_000_000, UTC).astimezone(zone).hour


def playable(config: EngineConfig, contacts: Sequence[Recorded], *, like: EngineConfig) -> EngineConfig:
    """The configuration as a what-if plays it: nobody outside is asked. Raises ConfigurationError with
    everything recorded that it has no place for. A channel without a medium has that of `like`."""
    channels = {
        name: replace(rule, medium=rule.medium or _medium(like, name), bot="")
        for name, rule in config.channels.items()
    }
    if any(not contact.channel for contact in contacts) and CHANNEL not in channels:
        channels[CHANNEL] = ChannelRule(medium="voice", queue=next(iter(config.queues), ""))
    played = replace(config, channels=channels, crms=(), classifiers=())
    problems = [
        f"channels.{name}.medium: a what-if needs it; known: {', '.join(sorted(config.media))}"
        for name, rule in channels.items()
        if not rule.medium
    ] or problems_of(played)
    for what, known, used in (
        ("queues", config.queues, {contact.kind for contact in contacts}),
        ("channels", channels, {contact.channel or CHANNEL for contact in contacts}),
        ("skills", config.skills, {skill for contact in contacts for skill in contact.skills or ()}),
    ):
        problems += [
            f"{what}: {name!r} is in the recording, but not here; known: {', '.join(sorted(known)) or 'none'}"
            for name in sorted(used - set(known))
        ]
    if problems:
        raise ConfigurationError(problems[:PROBLEMS_MAX])
    return played


def _medium(config: EngineConfig, channel: str) -> str:
    rule = config.channels.get(channel)
    return rule.medium if rule is not None else ""


def _for_new(agents: Sequence[str], there: Sequence[Presence]) -> list[Presence]:
    """New agents are there while anybody was, and through short times without."""
    stretches: list[list[int]] = []
    for presence in sorted(there, key=lambda one: one.from_ns):
        if stretches and presence.from_ns - stretches[-1][1] <= TOGETHER_NS:
            stretches[-1][1] = max(stretches[-1][1], presence.until_ns)
        else:
            stretches.append([presence.from_ns, presence.until_ns])
    return [
        Presence(agent=agent, from_ns=from_ns, until_ns=until_ns)
        for from_ns, until_ns in stretches
        for agent in agents
    ]


_Sides = list[dict[Key, Measured]]
_job: list[tuple[Job, Parts]] = []
"""The job that this process works at."""


def _begin(job: Job) -> None:
    _job[:] = [(job, Parts(job.contacts))]


def _replication(number: int) -> _Sides:
    job, parts = _job[0]
    drawn = parts.draw(job.seed, number)
    hour_of = hours_in(job.time_zone)
    sides: _Sides = []
    for config, there in job.sides:
        world = World(job.contacts, drawn, there, config)
        times = Times(hour_of)
        world.drive.follows(partial(_count, world, times))
        world.run()
        ends = []
        for contact in job.contacts:
            fate, part = world.fates[contact.id], drawn[contact.id]
            busy_ns = part.handling_ns + (part.wrap_up_ns or 0) if fate.answered else 0
            outcome = "served" if fate.answered else fate.outcome
            ends.append((contact.kind, contact.queued_ns or 0, outcome, fate.waited_ns, busy_ns))
        sides.append(measure(ends, job.targets, hour_of, times.finish()))
    return sides


def _count(world: World, times: Times, step: Step, command: AnyCommand) -> None:
    times.fold(Record(seq=step.seq, at_ns=world.drive.engine.now_ns, command=command, events=step.events))


def _replicated(job: Job, replications: int, workers: int, done: Callable[[], object] | None) -> list[_Sides]:
    made: list[_Sides] = []
    with processes(min(workers, replications or 1), begin=_begin, told=(job,)) as each:
        for sides in each(_replication, range(replications)):
            made.append(sides)
            if done is not None:
                done()
    return made


def _recorded_end(contact: Recorded) -> End:
    busy_ns = contact.handling_ns + (contact.wrap_up_ns or 0) if contact.outcome == "served" else 0
    return (contact.kind, contact.queued_ns or 0, contact.outcome, contact.waited_ns, busy_ns)


def _cell(key: Key, recorded: Measured, made: Sequence[_Sides]) -> Cell:
    present = [sides[0][key] for sides in made]
    proposed = [sides[1][key] for sides in made]
    return Cell(
        queue=key[0],
        hour=key[1],
        recorded=recorded,
        present={name: mean_of(side[name] for side in present) for name in MEASURES},
        proposed={name: mean_of(side[name] for side in proposed) for name in MEASURES},
        change={
            name: mean_of(
                None if now[name] is None or then[name] is None else _less(now[name], then[name])
                for then, now in zip(present, proposed, strict=True)
            )
            for name in MEASURES
        },
    )


def _less(now: float | None, then: float | None) -> float:
    assert now is not None
    assert then is not None
    return now - then
