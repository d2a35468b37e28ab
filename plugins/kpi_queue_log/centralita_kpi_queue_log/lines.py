"""Which lines a record gives: a fold of events into the words of Asterisk's queue log.

The events and their parameters are those of Asterisk's documentation ("Queue Logs",
docs.asterisk.org/Operation/Logging/Queue-Logs), and their form is what app_queue of Asterisk 22 writes
(tests/kpi_queue_log/data). What app_queue has no word for is told with the nearest one:

- who leaves by a time limit, EXITWITHTIMEOUT; to be called back, EXITWITHKEY; by any other rule or by
  somebody's hand, EXITEMPTY;
- who comes back from an agent that vanished, COMPLETEAGENT and ENTERQUEUE;
- an agent is a member of every queue whose skills they have, and paused while on a break, leaving, or
  without a connection.

Calls that an agent or a list begins, and call-backs, were never in a queue of Asterisk's and are not told.
The lines depend on the records and on nothing else: the same records give the same bytes.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from itertools import takewhile
from typing import Any, Final

from centralita.messages import (
    AbandonContact,
    AgentConnectionLost,
    AgentLeaving,
    AgentReturned,
    AgentSignedIn,
    AgentSignedOut,
    AgentStatusChanged,
    CallbackRequested,
    ConfigurationApplied,
    ConnectionFailed,
    ContactAdmitted,
    ContactConnected,
    ContactEnded,
    ContactForwarded,
    ContactOffered,
    ContactQueued,
    ContactReturned,
    ContactTransferred,
    MaxWaitPassed,
    OfferDeclined,
    OfferExpired,
    OfferWithdrawn,
    Record,
    ServiceEnded,
    Target,
    TransferStarted,
)
from centralita_kpi_queue_log.memory import Live, Memory, Person, Stay, Talk
from centralita_kpi_queue_log.settings import Settings

NONE: Final = "NONE"
_NS: Final = 1_000_000_000
_SEPARATORS: Final = re.compile(r"[|\x00-\x1f\x7f]")
_LOST: Final = "connection lost"
_LEAVING: Final = "leaving"


class Scribe:
    """Turns records into lines. `memory` changes with each record taken."""

    def __init__(self, settings: Settings, memory: Memory) -> None:
        self.memory = memory
        self._settings = settings
        self._lines: list[str] = []
        self._at_ns = 0
        self._timed_out: set[int] = set()
        self._command: type = object
        self._handlers: dict[type, Callable[[Any], None]] = {
            ContactAdmitted: self._admitted,
            ContactQueued: self._queued,
            ContactReturned: self._returned,
            MaxWaitPassed: self._max_wait_passed,
            ContactOffered: self._offered,
            OfferExpired: self._not_answered,
            OfferDeclined: self._not_answered,
            ConnectionFailed: self._not_answered,
            OfferWithdrawn: self._withdrawn,
            ContactConnected: self._connected,
            TransferStarted: self._transfer_started,
            ContactForwarded: self._forwarded,
            ContactTransferred: self._transferred,
            CallbackRequested: self._callback_requested,
            ServiceEnded: self._service_ended,
            ContactEnded: self._ended,
            AgentSignedIn: self._signed_in,
            AgentStatusChanged: self._status_changed,
            AgentLeaving: self._leaving,
            AgentConnectionLost: self._connection_lost,
            AgentReturned: self._agent_returned,
            AgentSignedOut: self._signed_out,
            ConfigurationApplied: self._configured,
        }

    def take(self, record: Record) -> bytes:
        """The record's lines, each ending in a newline; empty when it has none."""
        self._lines.clear()
        self._timed_out.clear()
        self._at_ns = record.at_ns
        self._command = type(record.command)
        for event in record.events:
            handler = self._handlers.get(type(event))
            if handler is not None:
                handler(event)
        return "".join(self._lines).encode()

    def _write(self, call: str, queue: str, agent: str, event: str, *parameters: object) -> None:
        at_s, rest_ns = divmod(self._at_ns, _NS)
        time = f"{at_s}.{rest_ns // 1000:06d}" if self._settings.fractions else str(at_s)
        cells = (call, queue, agent, event, *(parameters or ("",)))
        self._lines.append("|".join([time, *(_SEPARATORS.sub(" ", str(cell)) for cell in cells)]) + "\n")

    def _agent(self, name: str) -> str:
        return f"{self._settings.agent_prefix}{name}"

    def _since_s(self, from_ns: int) -> int:
        """Whole seconds as app_queue counts them: the difference of two clocks that show whole seconds."""
        return self._at_ns // _NS - from_ns // _NS

    # A contact in its queues --------------------------------------------------------------------

    def _admitted(self, event: ContactAdmitted) -> None:
        media = self._settings.media
        if event.direction == "consultation" or (media and event.medium not in media):
            return
        own = f"{self._at_ns // _NS}.{event.contact}"
        self.memory.live[event.contact] = Live(
            call_id=event.provider_id if self._settings.call_id == "provider" else own,
            caller=event.handle if self._settings.caller else "",
            queue=event.queue,
            to_dial=event.direction == "outbound",
        )

    def _queued(self, event: ContactQueued) -> None:
        live = self.memory.live.get(event.contact)
        if live is None:
            return
        if live.callback or live.to_dial:
            live.queue = event.queue
            return
        if live.stay is not None:
            if live.stay.queue == event.queue:
                return
            self._leave(event.contact, live)
        self._enter(event.contact, live, event.queue)

    def _returned(self, event: ContactReturned) -> None:
        live = self.memory.live.get(event.contact)
        if live is None or live.callback or live.to_dial or live.stay is not None:
            return
        self._complete(live, "COMPLETEAGENT")
        self._enter(event.contact, live, live.queue)

    def _enter(self, contact: int, live: Live, queue: str) -> None:
        waiting = self.memory.waiting.setdefault(queue, {})
        waiting[contact] = None
        live.queue = queue
        live.stay = Stay(queue, self._at_ns, len(waiting))
        self._write(live.call_id, queue, NONE, "ENTERQUEUE", "", live.caller, len(waiting))

    def _out(self, contact: int, live: Live) -> tuple[Stay, int]:
        """Take a contact out of its queue; its stay, and where it stood."""
        stay = live.stay
        assert stay is not None
        waiting = self.memory.waiting[stay.queue]
        position = 1 + sum(1 for _ in takewhile(lambda one: one != contact, waiting))
        del waiting[contact]
        live.stay = None
        return stay, position

    def _leave(self, contact: int, live: Live, *key: str) -> None:
        """The contact is out of its queue without an agent, and not because the customer has gone."""
        stay, position = self._out(contact, live)
        event = "EXITWITHTIMEOUT" if contact in self._timed_out else "EXITWITHKEY" if key else "EXITEMPTY"
        if event == "EXITWITHTIMEOUT":
            key = ()
        self._write(
            live.call_id,
            stay.queue,
            NONE,
            event,
            *key,
            position,
            stay.position,
            self._since_s(stay.entered_ns),
        )

    def _abandon(self, contact: int, live: Live) -> None:
        stay, position = self._out(contact, live)
        waited_s = self._since_s(stay.entered_ns)
        self._write(live.call_id, stay.queue, NONE, "ABANDON", position, stay.position, waited_s)

    def _max_wait_passed(self, event: MaxWaitPassed) -> None:
        self._timed_out.add(event.contact)

    def _callback_requested(self, event: CallbackRequested) -> None:
        live = self.memory.live.get(event.contact)
        if live is None or live.callback:
            return
        live.callback = True
        if live.stay is not None:
            self._leave(event.contact, live, "callback")

    # A contact and its agents -------------------------------------------------------------------

    def _offered(self, event: ContactOffered) -> None:
        live = self.memory.live.get(event.contact)
        if live is not None:
            live.asked[event.agent] = self._at_ns

    def _not_answered(self, event: OfferExpired | OfferDeclined | ConnectionFailed) -> None:
        self._rang(event.contact, event.agent, "RINGNOANSWER")

    def _withdrawn(self, event: OfferWithdrawn) -> None:
        live = self.memory.live.get(event.contact)
        if event.reason == "abandoned":
            self._rang(event.contact, event.agent, "RINGCANCELED")
        elif live is not None:
            live.asked.pop(event.agent, None)

    def _rang(self, contact: int, agent: str, event: str) -> None:
        live = self.memory.live.get(contact)
        since_ns = live.asked.pop(agent, None) if live is not None else None
        if live is not None and live.stay is not None and since_ns is not None:
            rang_ms = (self._at_ns - since_ns) // 1_000_000
            self._write(live.call_id, live.stay.queue, self._agent(agent), event, rang_ms)

    def _connected(self, event: ContactConnected) -> None:
        live = self.memory.live.get(event.contact)
        if live is None:
            return
        rang_ns = live.asked.pop(event.agent, self._at_ns)
        live.asked.clear()
        live.callback = live.to_dial = False
        if live.stay is None:
            return
        stay, _ = self._out(event.contact, live)
        hold_s = self._since_s(stay.entered_ns)
        live.talk = Talk(event.agent, stay.queue, stay.position, hold_s, self._at_ns)
        channel = f"{live.call_id}-{event.agent}"
        agent = self._agent(event.agent)
        self._write(live.call_id, stay.queue, agent, "CONNECT", hold_s, channel, self._since_s(rang_ns))

    def _complete(self, live: Live, event: str, *how: str) -> None:
        talk, live.talk = live.talk, None
        if talk is not None:
            talked_s = self._since_s(talk.connected_ns)
            agent = self._agent(talk.agent)
            self._write(live.call_id, talk.queue, agent, event, *how, talk.hold_s, talked_s, talk.position)

    def _transfer_started(self, event: TransferStarted) -> None:
        live = self.memory.live.get(event.contact)
        if live is not None:
            self._complete(live, "BLINDTRANSFER", *_extension(event.target))

    def _forwarded(self, event: ContactForwarded) -> None:
        live = self.memory.live.get(event.contact)
        if live is not None:
            self._complete(live, "BLINDTRANSFER", event.number, "number")

    def _transferred(self, event: ContactTransferred) -> None:
        live = self.memory.live.get(event.contact)
        if live is not None:
            self._complete(live, "ATTENDEDTRANSFER", "BRIDGE", f"{live.call_id}-{event.to_agent}")

    def _service_ended(self, event: ServiceEnded) -> None:
        live = self.memory.live.get(event.contact)
        if live is None:
            return
        self._complete(live, "COMPLETECALLER" if event.by == "customer" else "COMPLETEAGENT")
        self._over(event.contact, live, event.outcome)

    def _ended(self, event: ContactEnded) -> None:
        live = self.memory.live.get(event.contact)
        if live is None:
            return
        self._complete(live, "COMPLETECALLER" if event.by == "customer" else "COMPLETEAGENT")
        self._over(event.contact, live, event.outcome)
        del self.memory.live[event.contact]

    def _over(self, contact: int, live: Live, outcome: str) -> None:
        """Who was served before and leaves while waiting again has abandoned, as in our own figures."""
        if live.stay is None:
            return
        if outcome == "abandoned" or (outcome == "served" and self._command is AbandonContact):
            self._abandon(contact, live)
        else:
            self._leave(contact, live)

    # Agents -------------------------------------------------------------------------------------

    def _person(self, name: str) -> Person:
        return self.memory.people.setdefault(name, Person())

    def _signed_in(self, event: AgentSignedIn) -> None:
        person = self._person(event.agent)
        person.present, person.away = True, False
        person.on_break, person.reason = event.status == "break", event.reason
        self._settle(event.agent, person)

    def _status_changed(self, event: AgentStatusChanged) -> None:
        person = self._person(event.agent)
        person.on_break, person.reason = event.status == "break", event.reason
        if event.by != "rules":
            person.away = False
        self._settle(event.agent, person)

    def _leaving(self, event: AgentLeaving) -> None:
        self._go_away(event.agent, _LEAVING)

    def _connection_lost(self, event: AgentConnectionLost) -> None:
        self._go_away(event.agent, _LOST)

    def _go_away(self, agent: str, reason: str) -> None:
        person = self._person(agent)
        person.away = True
        if not person.on_break:
            person.reason = reason
        self._settle(agent, person)

    def _agent_returned(self, event: AgentReturned) -> None:
        person = self._person(event.agent)
        person.away = False
        self._settle(event.agent, person)

    def _signed_out(self, event: AgentSignedOut) -> None:
        person = self._person(event.agent)
        person.present = False
        self._settle(event.agent, person)
        del self.memory.people[event.agent]

    def _configured(self, event: ConfigurationApplied) -> None:
        memory = self.memory
        self._write(NONE, NONE, NONE, "CONFIGRELOAD" if memory.configured else "QUEUESTART")
        memory.configured = True
        memory.queue_skills = {name: dict(queue.skills) for name, queue in event.config.queues.items()}
        memory.agent_skills = {name: dict(agent.skills) for name, agent in event.config.agents.items()}
        for name, person in memory.people.items():
            self._settle(name, person)

    def _settle(self, name: str, person: Person) -> None:
        """Tell what has changed of an agent's membership and pauses since it was last told."""
        has = self.memory.agent_skills.get(name, {})
        member_of = {
            queue: None
            for queue, skills in self.memory.queue_skills.items()
            if person.present and all(has.get(skill, 0) >= level for skill, level in skills.items())
        }
        paused = person.reason if person.on_break or person.away else None
        agent = self._agent(name)
        for queue in person.queues:
            if queue not in member_of:
                self._write(NONE, queue, agent, "REMOVEMEMBER")
        for queue in member_of:
            if queue not in person.queues:
                self._write(NONE, queue, agent, "ADDMEMBER", "" if paused is None else "PAUSED")
        staying = [queue for queue in member_of if queue in person.queues]
        if staying and paused != person.paused:
            event = "UNPAUSE" if paused is None else "PAUSE"
            self._write(NONE, NONE, agent, f"{event}ALL", paused or "")
            for queue in staying:
                self._write(NONE, queue, agent, event, paused or "")
        person.queues, person.paused = member_of, paused


def _extension(target: Target) -> tuple[str, str]:
    """A transfer's target as the extension and context of a dialplan."""
    if target.agent:
        return target.agent, "agent"
    if target.queue:
        return target.queue, "queue"
    return " ".join(f"{skill}={level}" for skill, level in (target.skills or {}).items()), "skills"
