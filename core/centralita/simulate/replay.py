"""Yesterday again: recorded contacts go through the real engine, and its figures stand beside theirs.

Taken from the recording as given: when each contact came, how long it was in self-service, when it
asked for an agent, how long it was ready to wait (known only of those who gave up), how long an agent
was busy with it, and which agents were there. The engine decides who serves whom and when; so it
may serve somebody who had given up, or lose nobody it should not. Somebody served here who was not then
is given the mean handling time of the kind.

What the recording doesn't say is read off it (`replay_floor`): who can serve what, who was there, how long
after-call work takes. An agent whose time is over stays while somebody waits whom they could serve, so that
nobody waits for the next morning; the recording knows no such rule, which is one of the reasons
why figures differ (docs/simulate.md).
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Final

from msgspec.structs import replace

from centralita.config import ns
from centralita.matching import Core
from centralita.simulate.drive import Drive
from centralita.simulate.recorded import Recorded, Recording
from centralita.simulate.replay_floor import after_call, config_of, mean_handling, presences
from centralita.simulate.replay_world import Part, World
from centralita.structs import Frozen

AWAY_AFTER_S: Final = 1800.0
_NS: Final = 1_000_000_000
_HOUR_NS: Final = 3600 * _NS


class Side(Frozen):
    """The figures of one side, recorded or the engine's, of one cell of the comparison.

    `waited_s_mean` is over those who were served; `in_target` is served within the target over all who
    asked for an agent (Asterisk calls it SL).
    """

    asked: int
    served: int
    abandoned: int
    waited_s_mean: float
    waited_s_max: float
    in_target: float


class Cell(Frozen):
    """One row: a kind of contact, an hour of the day, or all."""

    kind: str
    hour: int
    recorded: Side
    engine: Side


class Comparison(Frozen):
    """What a replay gives. The outcomes count every record of the file, on both sides.

    `wrap_up_s` is the after-call work by kind that agents were given; `unread` what the reader left out.
    """

    source: str
    records: int
    target_s: float
    agents: int
    outcomes_recorded: dict[str, int]
    outcomes_engine: dict[str, int]
    total: Cell
    kinds: tuple[Cell, ...]
    hours: tuple[Cell, ...]
    kinds_hours: tuple[Cell, ...]
    commands: int
    wrap_up_s: dict[str, float]
    unread: tuple[tuple[str, int], ...]


def replay(
    recording: Recording,
    *,
    core: Core = "native",
    away_after_s: float = AWAY_AFTER_S,
    wrap_up_s: float | None = None,
    watch: Callable[[Drive], None] | None = None,
) -> Comparison:
    """Put a recording through the engine. `watch(drive)` may add watchers before it starts.

    `wrap_up_s` None: after-call work of each kind as the recording shows it, else the same for all.
    The same recording gives the same comparison, on either core.
    """
    world, wrap_ups_ns = world_of(recording, core=core, away_after_s=away_after_s, wrap_up_s=wrap_up_s)
    if watch is not None:
        watch(world.drive)
    return _compare(recording, world.run(), wrap_ups_ns)


def world_of(
    recording: Recording,
    *,
    core: Core = "native",
    away_after_s: float = AWAY_AFTER_S,
    wrap_up_s: float | None = None,
) -> tuple[World, dict[str, int]]:
    """The recorded centre, ready to run, and the after-call work by kind that it was given, in ns."""
    # A skill for each kind is all that a recording shows of its rules; contacts' own would be unknown.
    contacts = tuple(
        replace(contact, skills=None) if contact.skills else contact for contact in recording.contacts
    )
    wrap_ups_ns = (
        after_call(contacts)
        if wrap_up_s is None
        else dict.fromkeys({contact.kind for contact in contacts}, ns(wrap_up_s))
    )
    there = recording.presences
    world = World(
        contacts,
        parts_of(contacts),
        presences(contacts, ns(away_after_s)) if there is None else there,
        config_of(recording, wrap_ups_ns),
        core=core,
        stays=True,
    )
    return world, wrap_ups_ns


def parts_of(contacts: Sequence[Recorded]) -> dict[str, Part]:
    """What the recording says that each contact does; who was not served, the mean of its kind."""
    handling_ns = mean_handling(contacts)
    return {
        contact.id: Part(
            patience_ns=contact.waited_ns if contact.outcome == "abandoned" else None,
            handling_ns=contact.handling_ns if contact.outcome == "served" else handling_ns[contact.kind],
            wrap_up_ns=contact.wrap_up_ns,
            answer_ns=contact.answer_ns,
        )
        for contact in contacts
    }


def _compare(recording: Recording, world: World, wrap_ups_ns: Mapping[str, int]) -> Comparison:
    """Lay the engine's figures beside the recorded ones."""
    cells: dict[tuple[str, int], list[Recorded]] = defaultdict(list)
    for contact in recording.contacts:
        if contact.outcome == "ignored" or contact.queued_ns is None:
            continue
        hour = contact.queued_ns // _HOUR_NS % 24
        for key in (("", -1), (contact.kind, -1), ("", hour), (contact.kind, hour)):
            cells[key].append(contact)
    made = {key: _cell(recording, world, *key, contacts) for key, contacts in sorted(cells.items())}
    return Comparison(
        source=recording.source,
        records=len(recording.contacts),
        target_s=recording.target_s,
        agents=len(world.config.agents),
        outcomes_recorded=_count(contact.outcome for contact in recording.contacts),
        outcomes_engine=_count(
            "ignored" if contact.outcome == "ignored" else world.fates[contact.id].outcome
            for contact in recording.contacts
        ),
        total=made.get(("", -1)) or _cell(recording, world, "", -1, []),
        kinds=tuple(cell for (kind, hour), cell in made.items() if kind and hour < 0),
        hours=tuple(cell for (kind, hour), cell in made.items() if not kind and hour >= 0),
        kinds_hours=tuple(cell for (kind, hour), cell in made.items() if kind and hour >= 0),
        commands=world.drive.commands_n,
        wrap_up_s={kind: round(spent_ns / _NS, 3) for kind, spent_ns in sorted(wrap_ups_ns.items())},
        unread=recording.unread,
    )


def _cell(recording: Recording, world: World, kind: str, hour: int, contacts: Sequence[Recorded]) -> Cell:
    then = [(contact.outcome, contact.waited_ns) for contact in contacts]
    fates = [world.fates[contact.id] for contact in contacts]
    return Cell(
        kind=kind,
        hour=hour,
        recorded=_side(then, recording.target_s),
        engine=_side([(fate.outcome, fate.waited_ns) for fate in fates], recording.target_s),
    )


def _side(ends: Sequence[tuple[str, int]], target_s: float) -> Side:
    waits_s = [waited_ns / _NS for outcome, waited_ns in ends if outcome == "served"]
    within = sum(waited_s <= target_s for waited_s in waits_s)
    return Side(
        asked=len(ends),
        served=len(waits_s),
        abandoned=sum(outcome == "abandoned" for outcome, _ in ends),
        waited_s_mean=round(sum(waits_s) / len(waits_s), 3) if waits_s else 0.0,
        waited_s_max=max(waits_s, default=0.0),
        in_target=round(within / len(ends), 5) if ends else 0.0,
    )


def _count(outcomes: Iterable[str]) -> dict[str, int]:
    counted: dict[str, int] = defaultdict(int)
    for outcome in outcomes:
        counted[outcome or "live"] += 1
    return dict(sorted(counted.items()))
