"""The recorded customers and agents, played to the real engine under any configuration.

What each customer does is settled before anything starts: a `Part` a contact, with patience, handling and
after-work. So two configurations meet the same customers (common random numbers). What each agent does: come
and go as the presences say, decline once what they declined, take everything else after the time that the contact's
answer took, and stay while somebody waits whom they could serve, if `stays` says so.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from functools import partial
from typing import Final

import msgspec

from centralita.config import EngineConfig, ns
from centralita.matching import Core
from centralita.messages import (
    AbandonContact,
    AdmitContact,
    AgentStatusChanged,
    AnswerOffer,
    ApplyConfiguration,
    ConnectContact,
    ContactConnected,
    ContactEnded,
    EndContact,
    FinishSelfService,
    FinishWrapUp,
    ReportConnection,
    SendOffer,
    SetStatus,
    SignIn,
    SignOut,
    WrapUpStarted,
)
from centralita.simulate.drive import Drive
from centralita.simulate.recorded import Presence, Recorded
from centralita.simulate.replay_floor import CHANNEL

STAY_STEP_S: Final = 10.0
"""How often an agent whose time is over looks whether anybody still waits."""
STAY_MAX_S: Final = 86_400.0
"""So long at most: who waits may be somebody whom nobody here can ever serve."""
BACK_AFTER_S: Final = 60.0
"""An agent whom the rules took out of the line, for not answering in time, is back after this."""
_HOUR_NS: Final = 3_600_000_000_000


class Part(msgspec.Struct, gc=False):
    """What one contact does. `patience_ns` None: waits for ever; `wrap_up_ns` None: until the queue's timer."""

    patience_ns: int | None
    handling_ns: int
    wrap_up_ns: int | None = None
    answer_ns: int = 0


class Fate(msgspec.Struct, gc=False):
    """What the engine made of one recorded contact. An empty `outcome`: still live when all was over."""

    outcome: str = ""
    waited_ns: int = 0
    answered: bool = False


class World:
    """One run of a recording. `fates` are by the contact's id; `drive.run()` plays it."""

    def __init__(
        self,
        contacts: Sequence[Recorded],
        parts: Mapping[str, Part],
        presences: Sequence[Presence],
        config: EngineConfig,
        *,
        core: Core = "native",
        stays: bool = False,
        default_channel: str = CHANNEL,
    ) -> None:
        self.parts, self.stays, self.config = parts, stays, config
        self.default_channel = default_channel
        self.fates = {contact.id: Fate() for contact in contacts}
        self.recorded_of: dict[int, Recorded] = {}
        self._due_back: dict[str, int] = defaultdict(int)
        self._declined: set[tuple[str, str]] = set()
        self._queues_of = {
            name: [
                queue
                for queue, rules in config.queues.items()
                if all(agent.skills.get(skill, 0) >= level for skill, level in rules.skills.items())
            ]
            for name, agent in config.agents.items()
        }
        first_ns = min(
            [contact.arrived_ns for contact in contacts] + [presence.from_ns for presence in presences],
            default=_HOUR_NS,
        )
        self.drive = drive = Drive(core=core, start_ns=first_ns - _HOUR_NS)
        drive.plays(SendOffer, self._asked)
        drive.plays(ConnectContact, self._connect)
        drive.watches(ContactConnected, self._serve)
        drive.watches(WrapUpStarted, self._wrap_up)
        drive.watches(ContactEnded, self._ended)
        drive.watches(AgentStatusChanged, self._taken_out)
        # In the same moment agents come and go first: whoever is taken to be away while a customer waits is
        # away from that customer's first moment on.
        for presence in presences:
            if presence.agent in config.agents:
                drive.at(presence.from_ns, partial(self._come, presence.agent))
                drive.at(presence.until_ns, partial(self._go, presence))
                if presence.gone_ns is not None:
                    drive.at(presence.gone_ns, partial(self._end_break, presence.agent))
        for contact in contacts:
            self._enter(contact)

    def run(self) -> World:
        """Configure the engine and play it all."""
        self.drive.do(ApplyConfiguration(config=self.config))
        self.drive.run()
        return self

    def _enter(self, contact: Recorded) -> None:
        """Put a contact's coming into the calendar; with a bot to greet it, it comes there first."""
        if contact.outcome == "ignored":
            return
        channel = contact.channel or self.default_channel
        greeted = bool(self.config.channels[channel].bot)
        if contact.queued_ns is None:
            if greeted:
                self.drive.at(contact.arrived_ns, partial(self._arrive, contact, channel))
        else:
            came_ns = min(contact.arrived_ns, contact.queued_ns) if greeted else contact.queued_ns
            self.drive.at(came_ns, partial(self._arrive, contact, channel))

    def _arrive(self, contact: Recorded, channel: str) -> None:
        engine = self.drive.engine
        number = engine.next_id()  # known beforehand: the contact may be answered or over when `do` returns
        self.recorded_of[number] = contact
        step = self.drive.do(
            AdmitContact(
                channel=channel,
                provider_id=contact.id,
                handle=contact.customer,
                queue=contact.kind,
                skills=contact.skills,
                priority=contact.priority,
                credit_s=contact.credit_s,
                preferred_agent=contact.preferred_agent,
            )
        )
        assert step.contact == number, step.refusal
        live = engine.state.contacts.get(number)
        if live is None:
            return
        if contact.queued_ns is None:
            self.drive.at(contact.arrived_ns + contact.waited_ns, partial(self._give_up, number))
        elif live.phase == "self_service":
            self.drive.at(contact.queued_ns, partial(self._ask, number, contact))
        else:
            self._wait(number, contact)

    def _ask(self, number: int, contact: Recorded) -> None:
        self.drive.do(FinishSelfService(contact=number, resolved=False))
        self._wait(number, contact)

    def _wait(self, number: int, contact: Recorded) -> None:
        patience_ns = self.parts[contact.id].patience_ns
        if patience_ns is not None:
            self.drive.at(self.drive.now_ns + patience_ns, partial(self._give_up, number))

    def _give_up(self, number: int) -> None:
        live = self.drive.engine.state.contacts.get(number)
        if live is not None and not live.answered:
            self.drive.do(AbandonContact(contact=number))

    def _asked(self, ask: SendOffer) -> None:
        contact = self.recorded_of[ask.contact]
        declines = (contact.id, ask.agent) not in self._declined and ask.agent in contact.declined_by
        if declines:  # asked again, an agent takes it
            self._declined.add((contact.id, ask.agent))
        answer = AnswerOffer(contact=ask.contact, agent=ask.agent, offer=ask.offer, accept=not declines)
        answer_ns = self.parts[contact.id].answer_ns
        if answer_ns:
            self.drive.at(self.drive.now_ns + answer_ns, partial(self.drive.do, answer))
        else:
            self.drive.do(answer)

    def _connect(self, ask: ConnectContact) -> None:
        self.drive.do(ReportConnection(contact=ask.contact, agent=ask.agent, made=True))

    def _serve(self, event: ContactConnected) -> None:
        contact = self.recorded_of[event.contact]
        fate = self.fates[contact.id]
        fate.waited_ns, fate.answered = event.waited_ns, True
        end = EndContact(contact=event.contact, by=event.agent)
        self.drive.at(self.drive.now_ns + self.parts[contact.id].handling_ns, partial(self.drive.do, end))

    def _wrap_up(self, event: WrapUpStarted) -> None:
        wrap_up_ns = self.parts[self.recorded_of[event.contact].id].wrap_up_ns
        if wrap_up_ns is not None:
            finish = FinishWrapUp(contact=event.contact, agent=event.agent)
            self.drive.at(self.drive.now_ns + wrap_up_ns, partial(self.drive.do, finish))

    def _ended(self, event: ContactEnded) -> None:
        contact = self.recorded_of.pop(event.contact)
        fate = self.fates[contact.id]
        in_self_service = event.outcome == "abandoned" and contact.queued_ns is None
        fate.outcome = "left_in_self_service" if in_self_service else event.outcome
        if not fate.answered:
            fate.waited_ns = event.waited_ns

    def _come(self, agent: str) -> None:
        self._due_back[agent] += 1
        standing = self.drive.engine.state.agents[agent]
        if not standing.present:
            self.drive.do(SignIn(agent=agent, desk="replay"))
        elif standing.leaving or standing.status == "break":
            self.drive.do(SetStatus(agent=agent, status="available"))

    def _go(self, presence: Presence) -> None:
        self._due_back[presence.agent] -= 1
        if presence.gone_ns is None:
            self._leave(presence.agent)
        elif not self._due_back[presence.agent]:
            self.drive.do(SetStatus(agent=presence.agent, status="break"))

    def _end_break(self, agent: str) -> None:
        # Whoever comes back in this very moment has been entered for it: look after that.
        self.drive.at(self.drive.now_ns, partial(self._leave, agent))

    def _leave(self, agent: str, stayed_s: float = 0) -> None:
        state = self.drive.engine.state
        if self._due_back[agent] or not state.agents[agent].present:
            return
        # Who still works stays until free, and looks then: whoever comes in the meantime would be nobody's.
        needed = state.agents[agent].contacts or any(
            state.queues[queue].waiting for queue in self._queues_of[agent]
        )
        if self.stays and needed and stayed_s < STAY_MAX_S:
            later_ns = self.drive.now_ns + ns(STAY_STEP_S)
            self.drive.at(later_ns, partial(self._leave, agent, stayed_s + STAY_STEP_S))
        else:
            self.drive.do(SignOut(agent=agent, when_free=True))

    def _taken_out(self, event: AgentStatusChanged) -> None:
        if event.by == "rules" and event.status == "break":
            self.drive.at(self.drive.now_ns + ns(BACK_AFTER_S), partial(self._back, event.agent))

    def _back(self, agent: str) -> None:
        standing = self.drive.engine.state.agents[agent]
        if standing.present and standing.status == "break" and self._due_back[agent]:
            self.drive.do(SetStatus(agent=agent, status="available"))
