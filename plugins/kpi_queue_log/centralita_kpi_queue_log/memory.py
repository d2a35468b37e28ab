"""What the log must remember between records, as it is put away beside its position."""

from __future__ import annotations

from typing import Final

import msgspec

MEMORY_VERSION: Final = 1
"""Grows with every change of what is kept."""


class Stay(msgspec.Struct, array_like=True):
    """A contact waits in a queue; `position` is where it stood when it came."""

    queue: str
    entered_ns: int
    position: int


class Talk(msgspec.Struct, array_like=True):
    """An agent serves a contact that came from a queue."""

    agent: str
    queue: str
    position: int
    hold_s: int
    connected_ns: int


class Live(msgspec.Struct, array_like=True):
    """A contact. `asked` are the agents who are being asked, and since when; `queue` is the last one it stood in."""

    call_id: str
    caller: str
    queue: str = ""
    stay: Stay | None = None
    talk: Talk | None = None
    callback: bool = False
    asked: dict[str, int] = {}
    to_dial: bool = False


class Person(msgspec.Struct, array_like=True):
    """An agent as the log has told it: in which queues, and why paused; None: not paused."""

    present: bool = False
    on_break: bool = False
    away: bool = False
    reason: str = ""
    queues: dict[str, None] = {}
    paused: str | None = None


class Memory(msgspec.Struct, array_like=True):
    """Everything. `waiting` are the contacts in each queue, in the order in which they came."""

    version: int = MEMORY_VERSION
    configured: bool = False
    live: dict[int, Live] = {}
    waiting: dict[str, dict[int, None]] = {}
    people: dict[str, Person] = {}
    queue_skills: dict[str, dict[str, int]] = {}
    agent_skills: dict[str, dict[str, int]] = {}
