"""Random legal histories: the real engine driven by a seeded chance, through everything a centre does.

Commands are drawn for what is there (an offer is mostly answered, a waiting contact may leave), with some
that the engine will refuse; refused ones leave no record. Time passes between commands, often to the next
deadline, so offers expire, wrap-ups end by the timer, rings pass and waits become too long.
"""

from __future__ import annotations

import random
from collections.abc import Callable
from typing import Literal

from centralita.config import Agent, ChannelRule, EngineConfig, Limits, Overflow, Queue
from centralita.messages import (
    AbandonContact,
    AdmitContact,
    AnswerOffer,
    AnyCommand,
    CancelContact,
    CloseQueue,
    Customer,
    EndConsultation,
    EndContact,
    FinishWrapUp,
    HoldContact,
    IdentifyContact,
    LeaveContact,
    LoseAgent,
    MarkComponentDown,
    MarkComponentUp,
    MoveContact,
    NoteContact,
    OpenQueue,
    PickContact,
    PlaceContact,
    PostMessage,
    RateContact,
    ReconcileChannel,
    Record,
    ReportConnection,
    RequestCallback,
    ResumeContact,
    SetStatus,
    SignIn,
    SignOut,
    StartConsultation,
    Target,
    Tick,
    TransferContact,
)
from tests.engine.histories import Centre

START_NS = 1_700_000_000_000_000_000
S = 1_000_000_000
AGENTS = ("ana", "ben", "carla", "dario")
QUEUES = ("sales", "support", "tiny")

CONFIG = EngineConfig(
    skills=("sales", "support"),
    queues={
        "sales": Queue(skills={"sales": 1}, answer_target_s=20, short_abandon_s=5, max_wait_s=300),
        "support": Queue(
            skills={"support": 1}, answer_target_s=60, offer_to=2, wrap_up_s=10, callback_retry_s=30,
            max_wait_s=120, when_waited=Overflow(do="callback"), when_unstaffed=Overflow(do="queue", queue="sales"),
        ),
        "tiny": Queue(
            max_waiting=1, when_full=Overflow(do="queue", queue="support"), wrap_up_s=0, no_answer="stay", offer_s=5,
        ),
    },
    agents={
        "ana": Agent(skills={"sales": 5, "support": 3}),
        "ben": Agent(skills={"sales": 2}),
        "carla": Agent(skills={"support": 9}, capacity=200),
        "dario": Agent(capacity=300),
    },
    channels={
        "phone": ChannelRule(medium="voice", queue="sales", can_dial=True),
        "chat": ChannelRule(medium="chat", queue="support"),
        "mail": ChannelRule(medium="email", queue="tiny"),
    },
    crms=("crm",),
    limits=Limits(identify_s=1, grace_s=15),
)  # fmt: skip


_THEN: tuple[Literal["transfer", "join", "cancel"], ...] = (
    "transfer",
    "transfer",
    "transfer",
    "join",
    "cancel",
)


class History(Centre):
    """A centre with a chance of its own."""

    def __init__(self, seed: int) -> None:
        super().__init__(config=CONFIG, now_ns=START_NS)
        self.chance = random.Random(seed)
        self.admitted_n = 0
        for agent in AGENTS:
            self.do(SignIn(agent=agent))

    def play(self, steps: int) -> list[Record]:
        """So many commands more; all records."""
        for _ in range(steps):
            self._pass_time()
            self.do(self._draw())
        return self.records

    def drain(self) -> list[Record]:
        """Let everybody leave and every wrap-up end, so that no contact is live; all records."""
        for _ in range(50):
            for number in list(self.engine.state.contacts):
                self.do(EndContact(contact=number))
                self.do(CancelContact(contact=number))
            if not self.engine.state.contacts:
                return self.records
            self.now_ns += 3600 * S
            self.do(Tick())
        raise AssertionError(f"contacts did not end: {list(self.engine.state.contacts.values())}")

    def _pass_time(self) -> None:
        deadline_ns = self.engine.next_deadline_ns()
        if self.chance.random() < 0.08 and deadline_ns < self.now_ns + 600 * S:
            self.now_ns = max(self.now_ns, deadline_ns)
        else:
            self.now_ns += int(self.chance.expovariate(1 / 2) * S)
        self.do(Tick())

    def _draw(self) -> AnyCommand:
        draw = self.chance.choices(list(_DRAWS), weights=list(_DRAWS.values()))[0]
        return draw(self) or Tick()

    # Each of these makes a command from what is there, or None when nothing is.

    def _admit(self) -> AnyCommand:
        self.admitted_n += 1
        return AdmitContact(
            channel=self.chance.choice(["phone", "chat", "mail"]),
            provider_id=f"p{self.admitted_n}",
            handle=f"+34600{self.chance.randrange(20):06d}",
            customer_name="Eva",
            queue=self.chance.choice(["", *QUEUES]),
        )

    def _contact(self, *phases: str) -> int:
        found = [one.id for one in self.engine.state.contacts.values() if one.phase in phases]
        return self.chance.choice(found) if found else 0

    def _with_agent(self, *states: str) -> tuple[int, str] | None:
        found = [
            (contact.id, agent)
            for contact in self.engine.state.contacts.values()
            for agent, work in contact.works.items()
            if work.state in states
        ]
        return self.chance.choice(found) if found else None

    def _identify(self) -> AnyCommand | None:
        contact = self._contact("identifying")
        customer = Customer(id=str(contact), preferred_agent="ana") if self.chance.random() < 0.5 else None
        return IdentifyContact(contact=contact, customer=customer) if contact else None

    def _answer(self) -> AnyCommand | None:
        found = self._with_agent("offered")
        if found is None:
            return None
        contact, agent = found
        offer = self.engine.state.contacts[contact].works[agent].offer
        accept = self.chance.random() < 0.8
        return AnswerOffer(contact=contact, agent=agent, offer=offer, accept=accept)

    def _connect(self) -> AnyCommand | None:
        found = self._with_agent("connecting")
        if found is None:
            return None
        made = self.chance.random() < 0.8
        gone = self.chance.random() < 0.5
        return ReportConnection(contact=found[0], agent=found[1], made=made, customer_gone=gone)

    def _abandon(self) -> AnyCommand | None:
        contact = self._contact("identifying", "waiting", "offered", "connecting", "connected", "on_hold")
        return AbandonContact(contact=contact) if contact else None

    def _hold(self) -> AnyCommand | None:
        found = self._with_agent("connected")
        return HoldContact(contact=found[0], agent=found[1]) if found else None

    def _resume(self) -> AnyCommand | None:
        contact = self._contact("on_hold")
        agent = self.engine.state.contacts[contact].agent if contact else ""
        return ResumeContact(contact=contact, agent=agent) if contact else None

    def _target(self) -> Target:
        return self.chance.choice(
            [
                Target(queue=self.chance.choice(QUEUES)),
                Target(agent=self.chance.choice(AGENTS)),
                Target(skills={"support": 5}),
            ]
        )

    def _transfer(self) -> AnyCommand | None:
        found = self._with_agent("connected")
        return TransferContact(contact=found[0], agent=found[1], target=self._target()) if found else None

    def _consult(self) -> AnyCommand | None:
        found = self._with_agent("connected")
        if found is None:
            return None
        colleague = Target(agent=self.chance.choice(AGENTS))
        target = colleague if self.chance.random() < 0.6 else self._target()
        return StartConsultation(contact=found[0], agent=found[1], target=target, note="a note")

    def _consulted(self) -> AnyCommand | None:
        for contact in self.engine.state.contacts.values():
            child = self.engine.state.contacts.get(contact.consultation)
            if child is not None and (child.phase == "connected" or self.chance.random() < 0.01):
                then = self.chance.choice(_THEN)
                return EndConsultation(contact=contact.id, agent=contact.agent, then=then)
        return None

    def _leave(self) -> AnyCommand | None:
        found = self._with_agent("connected")
        return LeaveContact(contact=found[0], agent=found[1]) if found else None

    def _end(self) -> AnyCommand | None:
        found = self._with_agent("connected")
        return EndContact(contact=found[0], by=found[1]) if found else None

    def _wrap_up(self) -> AnyCommand | None:
        found = self._with_agent("wrapping")
        if found is None:
            return None
        return FinishWrapUp(contact=found[0], agent=found[1], disposition="done", notes="called back")

    def _note(self) -> AnyCommand | None:
        found = self._with_agent("connected", "wrapping")
        return NoteContact(contact=found[0], agent=found[1], notes="a note") if found else None

    def _message(self) -> AnyCommand | None:
        contact = self._contact("waiting", "connected", "on_hold")
        return PostMessage(contact=contact, author="customer", text="hello?") if contact else None

    def _reply(self) -> AnyCommand | None:
        found = self._with_agent("connected")
        return (
            PostMessage(contact=found[0], author="agent", author_id=found[1], text="yes") if found else None
        )

    def _callback(self) -> AnyCommand | None:
        contact = self._contact("waiting")
        due_ns = self.now_ns + 60 * S if self.chance.random() < 0.3 else 0
        return RequestCallback(contact=contact, handle="+34600999999", due_ns=due_ns) if contact else None

    def _move(self) -> AnyCommand | None:
        contact = self._contact("waiting")
        queue = self.chance.choice(["", *QUEUES])
        return MoveContact(contact=contact, by="boss", queue=queue, priority=2) if contact else None

    def _pick(self) -> AnyCommand | None:
        contact = self._contact("waiting")
        return PickContact(contact=contact, agent=self.chance.choice(AGENTS), by="boss") if contact else None

    def _cancel(self) -> AnyCommand | None:
        contact = self._contact("waiting", "offered")
        return CancelContact(contact=contact, by="boss") if contact else None

    def _place(self) -> AnyCommand:
        self.admitted_n += 1
        queue = self.chance.choice(["", "sales"])
        agent = self.chance.choice(AGENTS)
        return PlaceContact(
            agent=agent,
            channel="phone",
            provider_id=f"o{self.admitted_n}",
            handle="+34600111111",
            queue=queue,
        )

    def _rate(self) -> AnyCommand | None:
        ended = list(self.engine.state.ended)
        return (
            RateContact(contact=self.chance.choice(ended), score=self.chance.randint(1, 5)) if ended else None
        )

    def _sign_in(self) -> AnyCommand:
        lost = [one.name for one in self.engine.state.agents.values() if one.grace_until_ns]
        return SignIn(agent=self.chance.choice(lost or AGENTS))

    def _status(self) -> AnyCommand:
        agent = self.chance.choice(AGENTS)
        if self.chance.random() < 0.6:
            return SetStatus(agent=agent, status="available")
        return SetStatus(agent=agent, status="break", reason=self.chance.choice(["coffee", "lunch"]))

    def _sign_out(self) -> AnyCommand:
        return SignOut(agent=self.chance.choice(AGENTS), when_free=self.chance.random() < 0.5)

    def _lose(self) -> AnyCommand:
        return LoseAgent(agent=self.chance.choice(AGENTS))

    def _queue(self) -> AnyCommand:
        queue = self.chance.choice(QUEUES)
        return CloseQueue(queue=queue) if self.chance.random() < 0.3 else OpenQueue(queue=queue)

    def _reconcile(self) -> AnyCommand:
        alive = [one.provider_id for one in self.engine.state.contacts.values() if self.chance.random() < 0.9]
        return ReconcileChannel(channel="phone", alive=tuple(alive))

    def _component(self) -> AnyCommand:
        if self.chance.random() < 0.5:
            return MarkComponentDown(component="channels.phone", error="gone")
        return MarkComponentUp(component="channels.phone")


_DRAWS: dict[Callable[[History], AnyCommand | None], float] = {
    History._admit: 6, History._identify: 10, History._answer: 30, History._connect: 25, History._abandon: 2,
    History._hold: 2, History._resume: 2, History._transfer: 1.5, History._consult: 5, History._consulted: 8,
    History._leave: 1, History._end: 5, History._wrap_up: 5, History._note: 1, History._message: 3,
    History._reply: 3, History._callback: 0.7, History._move: 0.7, History._pick: 0.7, History._cancel: 0.3,
    History._place: 0.7, History._rate: 2, History._sign_in: 3, History._status: 3, History._sign_out: 0.3,
    History._lose: 0.8, History._queue: 0.5, History._reconcile: 0.2, History._component: 0.3,
}  # fmt: skip
