"""The figures once more, the slow way: from the engine's own state after every record, and by scanning.

Nothing here uses `kpi.py` or `tallies.py`. Times by state are added up from `agent_state` between one record
and the next; stays are found contact by contact in the whole list of its events.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from typing import Any, NamedTuple

from centralita.apply import apply
from centralita.messages import (
    AbandonContact,
    AnyEvent,
    CallbackRequested,
    ContactAdmitted,
    ContactConnected,
    ContactEnded,
    ContactQueued,
    ContactReturned,
    Record,
    ServiceEnded,
    TransferStarted,
)
from centralita.state import State, agent_state


class Happened(NamedTuple):
    """An event with its time and the kind of command it came from."""

    event: AnyEvent
    at_ns: int
    command: type


class Stay(NamedTuple):
    """One contact's time in one queue; `fate` is empty while it runs."""

    contact: int
    queue: str
    start_ns: int
    since_ns: int
    fate: str
    end_ns: int
    wait_ns: int


def all_events(records: Sequence[Record]) -> list[Happened]:
    return [
        Happened(event, record.at_ns, type(record.command)) for record in records for event in record.events
    ]


def customers_contacts(events: Sequence[Happened]) -> set[int]:
    admitted = [one.event for one in events if isinstance(one.event, ContactAdmitted)]
    return {event.contact for event in admitted if event.direction != "consultation"}


def stays(events: Sequence[Happened]) -> list[Stay]:
    """Every stay of every customer's contact."""
    by_contact: dict[int, list[Happened]] = defaultdict(list)
    for one in events:
        by_contact[getattr(one.event, "contact", 0)].append(one)
    found: list[Stay] = []
    for contact in customers_contacts(events):
        found += _stays_of(contact, by_contact[contact])
    return found


def _stays_of(contact: int, events: Sequence[Happened]) -> list[Stay]:
    found: list[Stay] = []
    queue, start_ns, since_ns, here, callback = "", 0, 0, False, False

    def close(fate: str, at_ns: int, wait_ns: int = 0) -> None:
        found.append(Stay(contact, queue, start_ns, since_ns, fate, at_ns, wait_ns))

    for event, at_ns, command in events:
        match event:
            case ContactAdmitted(direction="outbound"):
                queue = event.queue
            case ContactQueued() if callback:
                queue = event.queue
            case ContactQueued() if not here:
                queue, start_ns, here = event.queue, at_ns, True
                since_ns = at_ns
            case ContactQueued() if event.queue != queue:
                close("flowed_out", at_ns)
                queue, start_ns = event.queue, at_ns
            case ContactReturned() if not here and not callback:
                start_ns = since_ns = at_ns
                here = True
            case CallbackRequested():
                if here:
                    close("became_callbacks", at_ns, at_ns - since_ns)
                here, callback = False, True
            case ContactConnected():
                if here:
                    close("answered", at_ns, event.waited_ns)
                here = callback = False
            case ServiceEnded() | ContactEnded() if here:
                gone = event.outcome == "abandoned" or (
                    event.outcome == "served" and command is AbandonContact
                )
                close("abandoned" if gone else "removed", at_ns, at_ns - since_ns)
                here = False
            case ServiceEnded() | ContactEnded() | TransferStarted():
                callback = False
            case _:
                pass
    if here:
        close("", 0)
    return found


class AgentTimes(NamedTuple):
    """Of each agent, ns by state, and ns spent with customers' contacts by part."""

    states: dict[str, dict[str, int]]
    parts: dict[str, dict[str, int]]


def agent_times(records: Sequence[Record], until_ns: int) -> AgentTimes:
    """What the engine's state says each agent was doing, from one record to the next."""
    state = State()
    states: dict[str, dict[str, int]] = defaultdict(lambda: defaultdict(int))
    parts: dict[str, dict[str, int]] = defaultdict(lambda: defaultdict(int))
    ends_ns = [*(record.at_ns for record in records[1:]), until_ns]
    for record, end_ns in zip(records, ends_ns, strict=True):
        for event in record.events:
            apply(state, event, record.at_ns)
        for agent in state.agents.values():
            states[agent.name][agent_state(state, agent)] += end_ns - record.at_ns
        for contact in state.contacts.values():
            if contact.direction == "consultation":
                continue
            for name, work in contact.works.items():
                part = work.state
                if part == "connected" and contact.phase == "on_hold":
                    part = "held"  # type: ignore[assignment]  # a part of our own
                parts[name][part] += end_ns - record.at_ns
    return AgentTimes(states, parts)


def waiting_now(records: Sequence[Record]) -> dict[str, int]:
    """How many customers wait now, by queue, as the engine's state has it."""
    state = State()
    callbacks: set[int] = set()
    for record in records:
        for event in record.events:
            apply(state, event, record.at_ns)
            if isinstance(event, CallbackRequested):
                callbacks.add(event.contact)
            elif isinstance(event, ContactConnected):
                callbacks.discard(event.contact)
    waiting: dict[str, int] = defaultdict(int)
    for contact in state.contacts.values():
        before_answer = contact.phase in ("waiting", "offered", "connecting")
        # A placed contact waits for nobody until it has been answered and transferred.
        waits = contact.direction == "inbound" or (contact.direction == "outbound" and contact.answered)
        if before_answer and waits and contact.id not in callbacks:
            waiting[contact.queue] += 1
    return waiting


def count(events: Sequence[Happened], kind: type, **fields: Any) -> int:
    """How many events of a kind have these values."""
    return sum(
        isinstance(one.event, kind)
        and all(getattr(one.event, name) == value for name, value in fields.items())
        for one in events
    )
