"""Reads Asterisk's queue log: `time|call|queue|agent|event|parameters`, one event a line.

The events and their parameters are those of Asterisk's documentation ("Queue Logs",
docs.asterisk.org/Operation/Logging/Queue-Logs). A contact is a call's stay in one queue: from ENTERQUEUE to
CONNECT or to leaving, and from CONNECT to COMPLETECALLER, COMPLETEAGENT or a transfer. Times are by the log's own
clock; a fraction of a second is kept.

Who was there is read off ADDMEMBER, REMOVEMEMBER, PAUSE and UNPAUSE, the ALL forms and agents' log-ins: a member of
a queue who is not paused in it. Whoever is first paused was a member since the log began; of members from
`queues.conf`, of whom it says nothing at all, what they did is all there is to go by.

What leaves the queue otherwise than by an agent or by the caller (a time limit, a key, an empty queue) is
turned away: its patience was at least that long. What never entered, or was still there when the log ended, is
counted as left out. Events that say nothing about waits are passed over; others, which `QueueLog()` lets anybody
write, are counted.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from centralita.simulate.drive import LATEST_NS
from centralita.simulate.recorded import (
    SPENT_MAX_S,
    Presence,
    Recorded,
    RecordedOutcome,
    Recording,
    RecordingError,
)
from centralita.simulate.recorded_file import opened
from centralita.simulate.replay_floor import presences

COLUMNS: Final = ("time", "call", "queue", "agent", "event")
LINES_MAX: Final = 20_000_000
_NS: Final = 1_000_000_000
_NONE: Final = ("NONE", "")
_WHOLE: Final = re.compile(r"[0-9]{1,30}")

_PASSED_OVER: Final = frozenset(
    {
        "AGENTCALLBACKLOGIN", "AGENTCALLBACKLOGOFF", "AGENTDUMP", "AUTOPAUSE", "CALLSTATUS", "CONFIGRELOAD", "DID",
        "HOLD", "INFO", "PAUSEREASON", "PENALTY", "QUEUESTART", "QUEUESTOP", "RINGNOANSWER", "RINGCANCELED", "SYSCOMPAT",
        "UNHOLD", "UNPAUSEREASON",
    }
)  # fmt: skip
_LEFT: Final = (
    "EXITWITHTIMEOUT",
    "EXITWITHKEY",
    "EXITEMPTY",
    "JOINEMPTY",
    "JOINUNAVAIL",
    "LEAVEEMPTY",
    "FULL",
)
_OVER: Final = ("COMPLETECALLER", "COMPLETEAGENT", "TRANSFER", "BLINDTRANSFER", "ATTENDEDTRANSFER")
_MEMBERS: Final = frozenset(
    {
        "ADDMEMBER", "AGENTLOGIN", "AGENTLOGOFF", "PAUSE", "PAUSEALL", "REMOVEMEMBER", "UNPAUSE", "UNPAUSEALL",
    }
)  # fmt: skip
_AWAY_AFTER_NS: Final = 1800 * _NS
"""Of whom the log says nothing: gaps between services longer than this are absences."""


@dataclass(slots=True)
class _Member:
    """An agent as the log has told: where a member, where paused, and since when taking calls."""

    queues: set[str] = field(default_factory=set)
    paused: set[str] = field(default_factory=set)
    since_ns: int = -1

    def change(self, event: str, queue: str) -> None:
        if event in ("ADDMEMBER", "AGENTLOGIN", "UNPAUSE"):
            self.queues.add(queue)
            self.paused.discard(queue)
        elif event == "REMOVEMEMBER":
            self.queues.discard(queue)
        elif event == "AGENTLOGOFF":
            self.queues.clear()
        elif event == "PAUSE":
            self.queues.add(queue)
            self.paused.add(queue)
        elif event == "PAUSEALL":
            self.paused |= self.queues
        else:
            self.paused.clear()


@dataclass(slots=True)
class _Call:
    """A call's stay in one queue, as far as the log has told."""

    line: int
    queue: str
    caller: str
    queued_ns: int
    connected_ns: int = 0
    waited_ns: int = 0
    agent: str = ""
    rang_ns: int = 0


@dataclass(slots=True)
class _Read:
    contacts: list[tuple[int, Recorded]] = field(default_factory=list)
    calls: dict[str, _Call] = field(default_factory=dict)
    members: dict[str, _Member] = field(default_factory=dict)
    presences: list[Presence] = field(default_factory=list)
    unread: dict[str, int] = field(default_factory=dict)
    first_ns: int = -1
    last_ns: int = 0

    def leave_out(self, what: str) -> None:
        self.unread[what] = self.unread.get(what, 0) + 1


def read_queue_log(path: Path) -> Recording:
    """Read a whole log. Raises RecordingError with the line and the column of what can't be read."""
    read = _Read()
    try:
        with opened(path, "utf-8", errors="replace", newline=None) as lines:
            for number, text in enumerate(lines, 1):
                if number > LINES_MAX:
                    raise RecordingError(f"{path}: more than {LINES_MAX:,} lines; split the log")
                if text.strip():
                    _event(read, number, text.rstrip("\r\n").split("|"))
    except ValueError as error:
        raise RecordingError(f"{path}:{error}") from error
    for _ in read.calls:
        read.leave_out("still there at the end")
    contacts = tuple(contact for _, contact in sorted(read.contacts, key=lambda found: found[0]))
    return Recording(
        contacts=contacts,
        source=path.name,
        presences=_presences(read, contacts),
        unread=tuple(sorted(read.unread.items())),
    )


def _presences(read: _Read, contacts: tuple[Recorded, ...]) -> tuple[Presence, ...] | None:
    """Who was there; None when the log says it of nobody."""
    if not read.members:
        return None
    for agent, member in read.members.items():
        _stop(read, agent, member, read.last_ns)
    untold = [contact for contact in contacts if contact.agent and contact.agent not in read.members]
    found = [*read.presences, *presences(untold, _AWAY_AFTER_NS)]
    return tuple(sorted(found, key=lambda one: (one.from_ns, one.agent)))


def _attend(read: _Read, agent: str, queue: str, event: str, at_ns: int) -> None:
    member = read.members.get(agent)
    if member is None:
        member = read.members[agent] = _Member()
        if event.startswith("PAUSE") or event in ("REMOVEMEMBER", "AGENTLOGOFF"):
            member.since_ns = read.first_ns
    member.change(event, queue)
    there = bool(member.queues - member.paused)
    if there and member.since_ns < 0:
        member.since_ns = at_ns
    elif not there:
        _stop(read, agent, member, at_ns)


def _stop(read: _Read, agent: str, member: _Member, at_ns: int) -> None:
    if 0 <= member.since_ns < at_ns:
        read.presences.append(Presence(agent=agent, from_ns=member.since_ns, until_ns=at_ns))
    member.since_ns = -1


def _event(read: _Read, line: int, cells: list[str]) -> None:
    if len(cells) < len(COLUMNS):
        raise ValueError(f"{line}: has {len(cells)} columns; expected at least {', '.join(COLUMNS)}")
    at, call_id, queue, agent, event, *rest = cells
    at_ns = _time_ns(line, at)
    read.last_ns = max(read.last_ns, at_ns)
    if read.first_ns < 0:
        read.first_ns = at_ns
    call = read.calls.get(call_id)
    if event == "ENTERQUEUE":
        if call is not None and call.agent:
            read.leave_out("connected, and no end told")
        elif call is not None:  # it went on to another queue without a word: the old stay is over
            _keep(read, call, call_id, at_ns - call.queued_ns, 0, "turned_away")
        caller = rest[1] if len(rest) > 1 else ""
        read.calls[call_id] = _Call(line, queue, caller, at_ns)
    elif event == "CONNECT":
        if call is None:
            read.leave_out("connected, but never entered")
            return
        call.waited_ns = _duration_ns(line, rest, 0, "holdtime", event)
        call.rang_ns = _duration_ns(line, rest, 2, "ringtime", event) if len(rest) > 2 else 0
        call.connected_ns, call.agent = at_ns, agent
        # The holdtime is whole seconds; the log's times, where they have fractions, say it better.
        if abs((at_ns - call.queued_ns) - call.waited_ns) <= _NS:
            call.waited_ns = at_ns - call.queued_ns
    elif event in _OVER:
        _over(read, line, call_id, call, at_ns, event, rest)
    elif event == "ABANDON":
        if call is None:
            read.leave_out("abandoned, but never entered")
            return
        _duration_ns(line, rest, 2, "waittime", event)
        del read.calls[call_id]
        _keep(read, call, call_id, at_ns - call.queued_ns, 0, "abandoned")
    elif event in _LEFT:
        if call is None:
            read.leave_out(event)
            return
        del read.calls[call_id]
        _keep(read, call, call_id, at_ns - call.queued_ns, 0, "turned_away")
    elif event in _MEMBERS:
        if agent not in _NONE:
            _attend(read, agent, queue, event, at_ns)
    elif event not in _PASSED_OVER:
        read.leave_out(f"unknown event {event}")


def _over(
    read: _Read, line: int, call_id: str, call: _Call | None, at_ns: int, event: str, rest: list[str]
) -> None:
    if call is None or not call.agent:
        read.leave_out(f"{event} without CONNECT")
        return
    if event.startswith("COMPLETE"):
        _duration_ns(line, rest, 1, "calltime", event)
    del read.calls[call_id]
    _keep(read, call, call_id, call.waited_ns, at_ns - call.connected_ns, "served")


def _keep(
    read: _Read, call: _Call, call_id: str, waited_ns: int, handling_ns: int, outcome: RecordedOutcome
) -> None:
    if min(waited_ns, handling_ns) < 0:
        raise ValueError(f"{call.line}: time: call {call_id!r} goes back in time")
    if max(waited_ns, handling_ns) > SPENT_MAX_S * _NS:
        raise ValueError(f"{call.line}: time: call {call_id!r} took more than a year")
    contact = Recorded(
        id=f"{call_id}/{call.line}",
        kind=call.queue,
        customer=call.caller,
        credit_s=None,
        arrived_ns=call.queued_ns,
        queued_ns=call.queued_ns,
        waited_ns=waited_ns,
        handling_ns=handling_ns,
        agent=call.agent,
        outcome=outcome,
        answer_ns=min(call.rang_ns, waited_ns),
    )
    read.contacts.append((call.line, contact))


def _time_ns(line: int, text: str) -> int:
    whole, _, fraction = text.partition(".")
    if not _WHOLE.fullmatch(whole) or not _WHOLE.fullmatch(fraction or "0"):
        raise ValueError(f"{line}: time was {text!r}; expected seconds since 1970")
    at_ns = int(whole) * _NS + int((fraction + "000000000")[:9])
    if at_ns > LATEST_NS:
        raise ValueError(f"{line}: time was {text!r}; expected seconds since 1970, before the year 2041")
    return at_ns


def _duration_ns(line: int, rest: list[str], index: int, name: str, event: str) -> int:
    text = rest[index] if index < len(rest) else ""
    if not _WHOLE.fullmatch(text) or int(text) > SPENT_MAX_S:
        raise ValueError(
            f"{line}: {event}'s {name} was {text!r}; expected whole seconds, 0 to {SPENT_MAX_S:,}"
        )
    return int(text) * _NS
