"""The people around a centre: customers, agents and supervisors, who do what people do, and some nonsense.

Commands are drawn from what is there, so that most can be carried out; about one in twenty is late, doubled
or impossible. An agent answers only offers that the desk shows. What a customer hands in is kept until it
is acknowledged (`unacked`), and handed in again after a crash: admissions repeat by their provider's id,
messages by theirs.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from random import Random
from typing import Final, TypeVar

from centralita.config import EngineConfig
from centralita.engine import Engine
from centralita.messages import (
    AbandonContact,
    AdmitContact,
    AnswerOffer,
    AnyCommand,
    ApplyConfiguration,
    CancelContact,
    CloseQueue,
    EndConsultation,
    EndContact,
    EraseContacts,
    ExtendWrapUp,
    FinishWrapUp,
    HoldContact,
    IdentifyContact,
    LeaveContact,
    LoseAgent,
    MarkComponentDown,
    MarkComponentUp,
    MoveContact,
    NoteContact,
    OccupyAgent,
    OpenQueue,
    PickContact,
    PlaceContact,
    PostMessage,
    RateContact,
    ReconcileChannel,
    ReportConnection,
    RequestCallback,
    ResumeContact,
    SetStatus,
    SignIn,
    SignOut,
    StartConsultation,
    Target,
    TransferContact,
)
from centralita.simulate.torture.centre import AGENTS, QUEUES, changed
from centralita.simulate.torture.edge import CUSTOMERS, Edge
from centralita.simulate.torture.nonsense import NONSENSE
from centralita.state import Contact, Work

Chosen = TypeVar("Chosen")
NS: Final = 1_000_000_000
DESKS: Final = ("d1", "d2")
EVERYBODY: Final = (*AGENTS, "gina")
EVERY_QUEUE: Final = (*QUEUES, "passing")
ANSWERING: Final = 4
"""So many agents look at their desks before nobody answers an offer; most offers would pass unanswered else."""
FLOODS: Final = 0.02
"""The part of what the house does that is a flood instead."""
DESKS_DIE: Final = 0.03
OUTSIDE: Final = Target(number="+34600111222")
TARGETS: Final = (
    *(Target(agent=name) for name in EVERYBODY),
    *(Target(queue=name) for name in QUEUES),
    Target(skills={"en": 1}),
    Target(skills={"tech": 2}),
    OUTSIDE,
)


class People:
    """Everybody outside; `draw` is the next thing somebody does."""

    def __init__(self, chance: Random, edge: Edge, *, live_n: int) -> None:
        self._chance = chance
        self._random = chance.random
        self._edge = edge
        self._live_n = live_n
        self.unacked: dict[str, AnyCommand] = {}
        self.arrivals_n = 0
        self._messages_n = 0
        self._flood_n = self._flooded = 0
        """What is left of a flood, and the contact whose customer writes it; 0: of contacts."""

    def pick(self, choices: Sequence[Chosen]) -> Chosen:
        return choices[int(self._random() * len(choices))]

    def draw(self, engine: Engine, live: list[int]) -> AnyCommand | None:
        """What somebody does now; None: nobody does anything."""
        if self._flood_n:
            self._flood_n -= 1
            flooded = self._floods(engine)
            if flooded is not None:
                return flooded
        roll = self._random()
        if roll < 0.22:
            if len(live) < self._live_n * (0.4 + 4 * roll):
                return self._arrival(engine)
        elif roll < 0.30:
            return self._about_agent(engine)
        elif roll < 0.307:
            return self._administration(engine)
        elif roll < 0.315:
            return self._nonsense(engine, live)
        elif roll < 0.325:
            return self._rating(engine)
        elif roll < 0.5:
            answer = self._answer()
            if answer is not None:
                return answer
        if not live:
            return None
        contact = engine.state.contacts[self.pick(live)]
        if roll > 0.985:
            return self._gone(contact)
        return _BY_PHASE[contact.phase](self, engine, contact)

    # Customers -----------------------------------------------------------------------------------

    def _arrival(self, engine: Engine) -> AnyCommand:
        self.arrivals_n += 1
        number = self.arrivals_n
        roll = self._random()
        if roll < 0.08:
            return PlaceContact(
                agent=self.pick(EVERYBODY),
                channel="web" if roll < 0.04 else "phone",
                provider_id=f"o{number}",
                handle="+34600000000",
                queue="" if roll < 0.05 else self.pick(QUEUES),
            )
        channel = ("web", "web", "mail", "phone", "sms")[int(self._random() * 5)]
        command = AdmitContact(
            channel=channel,
            provider_id=f"p{number}",
            handle="" if roll < 0.2 else "+34600111222",
            queue="" if roll < 0.6 else self.pick(EVERY_QUEUE),
            skills={"tech": 2} if roll > 0.9 else None,
            priority=3 if roll > 0.93 else 0,
            credit_s=20 if roll > 0.97 else None,
            preferred_agent=self.pick(EVERYBODY) if 0.3 < roll < 0.6 else "",
            text="hello" if roll < 0.5 else "",
        )
        self.unacked[f"{channel}\n{command.provider_id}"] = command
        self._edge.line(channel, command.provider_id)
        return self._by_mail(command)

    def _by_mail(self, command: AnyCommand) -> AnyCommand:
        """What providers hand on comes in any order and sometimes twice."""
        if self._random() < 0.08:
            self._edge.transit.append(command)
        return command

    def acked(self, command: AdmitContact | PostMessage, contact: int) -> None:
        """The customer's provider knows that it has arrived."""
        if type(command) is AdmitContact:
            if self.unacked.pop(f"{command.channel}\n{command.provider_id}", None) is not None and contact:
                self._edge.line(command.channel, command.provider_id).contact = contact
        elif command.author == "customer":  # type: ignore[union-attr]
            self.unacked.pop(command.message_id, None)  # type: ignore[union-attr]

    def _floods(self, engine: Engine) -> AnyCommand | None:
        """One more of very many at once: contacts, or one customer's words."""
        if not self._flooded:
            return self._arrival(engine)
        contact = engine.state.contacts.get(self._flooded)
        if contact is None:
            self._flood_n = 0
            return None
        return self._says(contact)

    def _says(self, contact: Contact) -> AnyCommand | None:
        if self._edge.down:
            return None
        self._messages_n += 1
        command = PostMessage(
            contact=contact.id, author="customer", text="and?", message_id=f"m{self._messages_n}"
        )
        self.unacked[command.message_id] = command
        return self._by_mail(command)

    def _gone(self, contact: Contact) -> AnyCommand:
        line = self._edge.lines.get(f"{contact.channel}\n{contact.provider_id}")
        if line is not None and not contact.parent and not contact.callback_handle:
            line.closed = True
        return AbandonContact(contact=contact.id, reason="gone")

    def _being_identified(self, engine: Engine, contact: Contact) -> AnyCommand | None:
        return self._says(contact) if self._random() < 0.1 else None

    def _with_bot(self, engine: Engine, contact: Contact) -> AnyCommand | None:
        return self._says(contact) if self._random() < 0.5 else None

    def _waits(self, engine: Engine, contact: Contact) -> AnyCommand | None:
        roll = self._random()
        here = contact.id
        if roll < 0.5:
            return self._served(engine) if roll < 0.25 else None
        if roll < 0.6:
            return self._says(contact)
        if roll < 0.72:
            due_ns = engine.now_ns + int(self._random() * 20 * NS) if roll < 0.66 else 0
            handle = "" if roll < 0.63 else "+34600"
            return RequestCallback(contact=here, handle=handle, due_ns=due_ns)
        if roll < 0.82:
            return MoveContact(
                contact=here,
                by="boss",
                queue=self.pick(EVERY_QUEUE) if roll < 0.78 else "",
                skills={"en": 1} if roll > 0.8 else None,
                priority=1 if roll > 0.75 else None,
            )
        if roll < 0.94:
            return PickContact(contact=here, agent=self.pick(EVERYBODY), by="boss")
        if roll < 0.96:
            customer = self.pick(CUSTOMERS)
            return IdentifyContact(contact=here, customer=customer)
        return CancelContact(contact=here, by="boss")

    # Agents --------------------------------------------------------------------------------------

    def _answer(self) -> AnyCommand | None:
        """An agent answers the newest offer on the desk, which may be over."""
        for _ in range(ANSWERING):
            name = self.pick(EVERYBODY)
            shown = self._edge.offers.get(name)
            if shown:
                break
        else:
            return None
        offer, number = next(reversed(shown.items()))
        if self._random() < 0.95:
            del shown[offer]
        accept = self._random() < 0.85
        return AnswerOffer(
            contact=number, agent=name, offer=offer, accept=accept, reason="" if accept else "busy"
        )

    def _served(self, engine: Engine) -> AnyCommand | None:
        """Some agent goes on with a contact in hand: many wait, and few are served."""
        agent = engine.state.agents.get(self.pick(EVERYBODY))
        if agent is None or not agent.contacts:
            return None
        contact = engine.state.contacts[next(iter(agent.contacts))]
        return self._in_hand(engine, contact)

    def _in_hand(self, engine: Engine, contact: Contact) -> AnyCommand | None:
        works = contact.works
        if len(works) == 1:
            ((agent, work),) = works.items()
        else:
            agent, work = self.pick(list(works.items()))
        return _BY_WORK[work.state](self, engine, contact, agent, work)

    def _offered(self, engine: Engine, contact: Contact, agent: str, work: Work) -> AnyCommand | None:
        shown = self._edge.offers.get(agent)
        if not shown:
            return None
        roll = self._random()
        offer, number = work.offer, contact.id
        if offer not in shown:
            offer, number = next(iter(shown.items()))  # an offer that is over, and the desk does not know
        if roll < 0.7:
            return AnswerOffer(contact=number, agent=agent, offer=offer, accept=True)
        if roll < 0.85:
            return AnswerOffer(contact=number, agent=agent, offer=offer, accept=False, reason="busy")
        return None

    def _connecting(self, engine: Engine, contact: Contact, agent: str, work: Work) -> AnyCommand | None:
        roll = self._random()
        if contact.callback_handle and roll < 0.2:
            made = roll < 0.1
            return ReportConnection(contact=contact.id, agent=agent, made=made, customer_gone=not made)
        if contact.direction == "outbound" and roll < 0.05:
            return EndContact(contact=contact.id, by=agent)
        return None

    def _wrapping(self, engine: Engine, contact: Contact, agent: str, work: Work) -> AnyCommand | None:
        roll = self._random()
        if roll < 0.5:
            return FinishWrapUp(contact=contact.id, agent=agent, disposition="solved", notes="done")
        if roll < 0.6:
            return ExtendWrapUp(contact=contact.id, agent=agent, seconds=(5, -2, 100)[int(roll * 30) % 3])
        if roll < 0.65:
            return NoteContact(contact=contact.id, agent=agent, disposition="open")
        return None

    def _speaking(self, engine: Engine, contact: Contact, agent: str, work: Work) -> AnyCommand | None:
        here, roll = contact.id, self._random()
        if contact.phase == "on_hold" and roll < 0.2:
            return ResumeContact(contact=here, agent=agent)
        if contact.parent and contact.phase == "connected" and roll < 0.6:
            # They have spoken, and the one who asked decides: few consultations come so far.
            asking = engine.state.contacts[contact.parent]
            then = ("join", "transfer")[int(roll * 5) % 2]
            return EndConsultation(contact=asking.id, agent=asking.agent, then=then)  # type: ignore[arg-type]
        if contact.consultation and roll < 0.8:
            child = engine.state.contacts[contact.consultation]
            if child.phase != "connected" and roll < 0.78:
                return None
            then = ("transfer", "transfer", "join", "join", "cancel")[int(self._random() * 5)]
            return EndConsultation(contact=here, agent=agent, then=then)  # type: ignore[arg-type]
        if len(contact.works) > 1 and self._random() < 0.35:
            return LeaveContact(contact=here, agent=agent)  # the others go on
        roll = self._random()
        if roll < 0.2:
            return self._says(contact)
        if roll < 0.32:
            return PostMessage(contact=here, author="agent", author_id=agent, text="so", internal=roll < 0.22)
        if roll < 0.44:
            return HoldContact(contact=here, agent=agent)
        if roll < 0.55:
            note = "see above" if roll < 0.5 else ""
            # Only a telephone can be handed on to a number outside.
            target = OUTSIDE if contact.channel == "phone" and self._random() < 0.4 else self._whom(engine)
            return TransferContact(contact=here, agent=agent, target=target, note=note)
        if roll < 0.66:
            return StartConsultation(contact=here, agent=agent, target=self._whom(engine))
        if roll < 0.72:
            return LeaveContact(contact=here, agent=agent)
        if roll < 0.74:
            return NoteContact(contact=here, agent=agent, notes="so")
        return EndContact(contact=here, by=agent if roll < 0.95 else "")

    def _whom(self, engine: Engine) -> Target:
        """Whom somebody hands on to or asks: half of the time a colleague who is free, as people do."""
        if self._random() < 0.5:
            free = [agent.name for agent in engine.state.agents.values() if agent.receiving]
            if free:
                return Target(agent=self.pick(free))
        return self.pick(TARGETS)

    def _about_agent(self, engine: Engine) -> AnyCommand | None:
        name = self.pick(EVERYBODY)
        agent = engine.state.agents.get(name)
        roll = self._random()
        if agent is None or not agent.present or agent.grace_until_ns or agent.desk == "":
            status = "break" if roll < 0.05 else "available"
            return SignIn(agent=name, desk=self.pick(DESKS), status=status)  # type: ignore[arg-type]
        if agent.status == "break":
            return SetStatus(agent=name, status="available") if roll < 0.7 else None
        if roll < 0.35:
            return SetStatus(agent=name, status="available")
        if roll < 0.5:
            return SetStatus(agent=name, status="break", reason="coffee")
        if roll < 0.56:
            self._edge.offers.pop(name, None)
            return LoseAgent(agent=name, desk=agent.desk)
        if roll < 0.6:
            return SignIn(agent=name, desk=self.pick(DESKS))
        if roll < 0.66:
            return SignOut(agent=name, when_free=roll < 0.63)
        if roll < 0.68:
            return SetStatus(agent=name, status="offline")
        if roll < 0.71 or agent.busy:
            return OccupyAgent(agent=name, on=not agent.busy, reason="on_the_phone")
        return None

    # The house -----------------------------------------------------------------------------------

    def _administration(self, engine: Engine) -> AnyCommand:
        roll = self._random()
        queue = self.pick(QUEUES)
        if roll < FLOODS:
            self._flood_n = 20 + int(self._random() * 100)
            live = list(engine.state.contacts)
            self._flooded = self.pick(live) if live and self._random() < 0.5 else 0
        elif roll < FLOODS + DESKS_DIE:
            self._desks_die(engine, self.pick(DESKS))
        elif roll < 0.15:
            return CloseQueue(queue=queue)
        if roll < 0.5:
            return OpenQueue(queue=queue)
        if roll < 0.7:
            return ApplyConfiguration(config=self._new_rules(engine.state.config))
        if roll < 0.84 and not self._edge.down:
            # For a moment, or for longer than anything is called recent (`state.RECENT_NS`).
            down_s = 30 if roll < 0.77 else 900
            self._edge.go_down(engine.now_ns, down_s)
            return MarkComponentDown(component="channels.web", error="gone")
        if roll < 0.86:
            self._edge.down = False
            return MarkComponentUp(component="channels.web")
        return self.reconcile(engine, self.pick(("web", "mail", "phone", "sms")))

    def _desks_die(self, engine: Engine, desk: str) -> None:
        """A desk's server dies: all its agents are lost, one by one, in any order."""
        for agent in engine.state.agents.values():
            if agent.present and agent.desk == desk:
                self._edge.offers.pop(agent.name, None)
                self._edge.transit.append(LoseAgent(agent=agent.name, desk=desk))

    def _new_rules(self, config: EngineConfig) -> EngineConfig:
        return changed(config, self._chance)

    def reconcile(self, engine: Engine, channel: str) -> AnyCommand:
        """What a channel says after a reconnect: who is still on its lines."""
        alive = [
            line.provider_id
            for line in self._edge.lines.values()
            if line.channel == channel and not line.closed
        ]
        if self._random() < 0.5 and alive:
            lost = alive.pop(int(self._random() * len(alive)))
            self._edge.line(channel, lost).closed = True
        return ReconcileChannel(channel=channel, alive=tuple(alive))

    def _nonsense(self, engine: Engine, live: list[int]) -> AnyCommand:
        last_id = engine.state.last_id
        number = self.pick(live) if live and self._random() < 0.7 else 1 + int(self._random() * (last_id + 3))
        agent = self.pick((*EVERYBODY, "nobody"))
        return self.pick(NONSENSE)(number, agent)

    def _rating(self, engine: Engine) -> AnyCommand:
        number = engine.state.last_id - int(self._random() * 40)
        if self._random() < 0.2:
            return EraseContacts(contacts=(max(1, number), 1), by="boss")
        return RateContact(contact=max(1, number), score=1 + int(self._random() * 5))


_BY_PHASE: Final[dict[str, Callable[[People, Engine, Contact], AnyCommand | None]]] = {
    "identifying": People._being_identified,
    "classifying": People._being_identified,
    "self_service": People._with_bot,
    "waiting": People._waits,
    "offered": People._in_hand,
    "connecting": People._in_hand,
    "connected": People._in_hand,
    "on_hold": People._in_hand,
    "wrapping": People._in_hand,
}

_BY_WORK: Final[dict[str, Callable[[People, Engine, Contact, str, Work], AnyCommand | None]]] = {
    "offered": People._offered,
    "connecting": People._connecting,
    "connected": People._speaking,
    "wrapping": People._wrapping,
}
