"""Random histories of a small centre, and what must hold after every step of one.

A history is made from the engine's own state, so that most commands can be carried out; about one in
ten is deliberately late, doubled or nonsense. One seed gives one history, on either core.
"""

from __future__ import annotations

import random
from collections.abc import Iterator

from centralita.config import EngineConfig, loads
from centralita.engine import Engine, Step
from centralita.messages import (
    AbandonContact,
    AdmitContact,
    AnswerOffer,
    AnyCommand,
    ApplyConfiguration,
    CancelContact,
    ClassifyContact,
    CloseQueue,
    Customer,
    EndConsultation,
    EndContact,
    ExtendWrapUp,
    FinishSelfService,
    FinishWrapUp,
    HoldContact,
    IdentifyContact,
    LeaveContact,
    LoseAgent,
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
from centralita.state import Contact

NS = 1_000_000_000

CENTRE = """
skills = ["en", "es", "tech"]
dispositions = ["solved", "open"]
default_queue = "sales"
[limits]
identify_s = 2
classify_s = 2
bot_turn_s = 20
grace_s = 8
hold_s = 60
silence_s = 400
messages_kept = 10
[queues.sales]
skills = {en = 3}
rings = [{after_s = 15, lower = {en = 1}}, {after_s = 30, drop = ["en"], raise_priority = 2}]
offer_s = 10
wrap_up_s = 12
announce_every_s = 7
max_waiting = 12
when_full = {do = "queue", queue = "overflow"}
max_wait_s = 90
when_waited = {do = "callback", text = "We call you back."}
prefer_for_s = 10
agent_order = ["least_loaded", "longest_idle"]
[queues.soporte]
skills = {es = 4, tech = 1}
priority = 2
credit_s = 30
offer_to = 3
offer_s = 8
no_answer = "stay"
wrap_up_s = 0
when_unstaffed = {do = "message", text = "Nobody is here."}
when_closed = {do = "queue", queue = "overflow"}
agent_order = ["most_skilled", "round_robin"]
callback_retry_s = 25
reserve_after_s = 20
[queues.overflow]
rate = 2.5
offer_s = 6
wrap_up_s = 5
max_wait_s = 60
when_waited = {do = "refuse", text = "Sorry."}
agent_order = ["rank", "fewest_contacts", "random"]
keep_deferred = false
[agents.ana]
skills = {en = 5, es = 9}
[agents.bob]
skills = {en = 2, tech = 5}
ranks = {overflow = 2}
[agents.carla]
skills = {es = 8, tech = 8}
limits = {chat = 2}
[agents.dan]
skills = {en = 10, es = 4, tech = 2}
capacity = 150
[channels.web]
type = "webchat"
medium = "chat"
queue = "sales"
can_dial = true
[channels.mail]
type = "mail"
medium = "email"
queue = "soporte"
[channels.phone]
type = "phone"
medium = "voice"
bot = "menu"
can_dial = true
[crms.local]
type = "crm"
[classifiers.rules]
type = "words"
[bots.menu]
type = "menu"
"""


def centre(*, identify: bool = True) -> EngineConfig:
    """The small centre; without `identify`, no CRM and no classifier are asked."""
    config = loads(CENTRE).engine
    if identify:
        return config
    return EngineConfig(
        **{
            name: getattr(config, name)
            for name in config.__struct_fields__
            if name not in ("crms", "classifiers")
        }
    )


class Centre:
    """An engine, the records of what it did, and the time."""

    def __init__(
        self, *, core: str = "native", config: EngineConfig | None = None, now_ns: int = 1_000 * NS
    ) -> None:
        self.engine = Engine(core=core)  # type: ignore[arg-type]
        self.records: list[Record] = []
        self.now_ns = now_ns
        self.do(ApplyConfiguration(config=config or centre()))

    def do(self, command: AnyCommand, *, after_s: float = 0) -> Step:
        """Handle a command so much later, and keep the record."""
        self.now_ns += round(after_s * NS)
        step = self.engine.handle(command, now_ns=self.now_ns)
        if step.events:
            self.records.append(
                Record(seq=step.seq, at_ns=self.engine.now_ns, command=command, events=step.events)
            )
        return step

    def pass_time(self, seconds: float) -> None:
        """Let time pass, with a Tick at every deadline on the way."""
        end_ns = self.now_ns + round(seconds * NS)
        while (due_ns := self.engine.next_deadline_ns()) <= end_ns:
            self.now_ns = max(self.now_ns, due_ns)
            self.do(Tick())
        self.now_ns = end_ns


def commands(engine: Engine, seed: int, steps: int) -> Iterator[tuple[float, AnyCommand]]:
    """(seconds later, command) pairs, made from what the engine's state is when each is asked for."""
    chance = random.Random(seed)
    for number in range(steps):
        later_s = chance.choice((0.0, 0.0, 0.3, 1.0, 2.5))
        if chance.random() < 0.02:
            later_s = 30.0
        yield later_s, _next(engine, chance, number)


def _next(engine: Engine, chance: random.Random, number: int) -> AnyCommand:
    state = engine.state
    contacts = list(state.contacts.values())
    roll = chance.random()
    if roll < 0.12 or not contacts:
        return _arrival(chance, number)
    if roll < 0.22:
        return _about_agent(engine, chance)
    if roll < 0.30:
        return Tick()
    if roll < 0.33:
        return _administration(engine, chance)
    contact = chance.choice(contacts)
    if chance.random() < 0.05:
        return _nonsense(engine, chance, contact)
    return _about(engine, chance, contact, number)


def _arrival(chance: random.Random, number: int) -> AnyCommand:
    if chance.random() < 0.1:
        return PlaceContact(
            agent=chance.choice(AGENTS), channel=chance.choice(("web", "phone")), provider_id=f"o{number}",
            handle="+34600000000", queue=chance.choice(("sales", "soporte", "")),
        )  # fmt: skip
    return AdmitContact(
        channel=chance.choice(("web", "web", "mail", "phone")),
        provider_id=f"p{chance.randrange(max(0, number - 3), number + 1)}",
        handle=chance.choice(("", "+34600111222", "eva@example.org")),
        queue=chance.choice(("", "", "sales", "soporte")),
        skills=chance.choice((None, None, {"tech": 2})),
        priority=chance.choice((0, 0, 0, 3)),
        preferred_agent=chance.choice(("", "", *AGENTS)),
        text=chance.choice(("", "hola")),
    )


AGENTS = ("ana", "bob", "carla", "dan")


def _about_agent(engine: Engine, chance: random.Random) -> AnyCommand:
    name = chance.choice(AGENTS)
    agent = engine.state.agents[name]
    if not agent.present or agent.grace_until_ns:
        return SignIn(agent=name, desk=chance.choice(("d1", "d2")))
    roll = chance.random()
    if roll < 0.5:
        return SetStatus(agent=name, status="available")
    if roll < 0.65:
        return SetStatus(agent=name, status="break", reason="coffee")
    if roll < 0.8:
        return LoseAgent(agent=name, desk=agent.desk)
    return SignOut(agent=name, when_free=chance.random() < 0.5)


def _administration(engine: Engine, chance: random.Random) -> AnyCommand:
    roll = chance.random()
    queue = chance.choice(tuple(engine.state.queues))
    if roll < 0.3:
        return CloseQueue(queue=queue)
    if roll < 0.7:
        return OpenQueue(queue=queue)
    if roll < 0.9:
        return ApplyConfiguration(config=centre(identify=chance.random() < 0.7))
    channel = chance.choice(tuple(engine.state.config.channels))
    live = [c.provider_id for c in engine.state.contacts.values() if c.channel == channel]
    return ReconcileChannel(channel=channel, alive=tuple(p for p in live if chance.random() < 0.9))


def _nonsense(engine: Engine, chance: random.Random, contact: Contact) -> AnyCommand:
    agent = chance.choice((*AGENTS, "nobody"))
    return chance.choice(
        (
            AnswerOffer(contact=contact.id, agent=agent, offer=chance.randrange(1, 50), accept=True),
            ReportConnection(contact=contact.id, agent=agent, made=True),
            FinishWrapUp(contact=contact.id, agent=agent),
            EndContact(contact=10**6),
            AdmitContact(channel="nowhere", provider_id="1"),
            TransferContact(contact=contact.id, agent=agent, target=Target(queue="nowhere")),
            PostMessage(contact=contact.id, author="agent", author_id=agent, text="x"),
            RateContact(contact=chance.randrange(1, 200), score=chance.randrange(0, 7)),
            MoveContact(contact=contact.id, by="eva", skills={"klingon": 3}),
            SetStatus(agent=agent, status="break", reason="surfing"),
        )
    )


def _about(engine: Engine, chance: random.Random, contact: Contact, number: int) -> AnyCommand:
    here = contact.id
    if chance.random() < 0.06:
        return AbandonContact(contact=here)
    if chance.random() < 0.1:
        return PostMessage(contact=here, author="customer", text="?", message_id=f"m{number // 2}")
    match contact.phase:
        case "identifying":
            customer = Customer(id=str(chance.randrange(5)), preferred_agent=chance.choice(("", "ana")))
            return IdentifyContact(contact=here, customer=chance.choice((None, customer)))
        case "classifying":
            return ClassifyContact(contact=here, queue=chance.choice(("", "soporte")), by="rules")
        case "self_service":
            return chance.choice(
                (
                    PostMessage(contact=here, author="bot", author_id="menu", text="1 or 2?"),
                    FinishSelfService(contact=here, resolved=chance.random() < 0.3, summary="wants 2"),
                )
            )
        case "waiting":
            return chance.choice(
                (
                    Tick(),
                    Tick(),
                    RequestCallback(
                        contact=here, handle="+34600", due_ns=chance.choice((0, engine.now_ns + 20 * NS))
                    ),
                    MoveContact(contact=here, by="eva", queue=chance.choice(("", "overflow")), priority=1),
                    PickContact(contact=here, agent=chance.choice(AGENTS), by="eva"),
                    CancelContact(contact=here, by="eva"),
                )
            )
        case _:
            return _in_hand(chance, contact)


def _in_hand(chance: random.Random, contact: Contact) -> AnyCommand:
    here = contact.id
    agent, work = chance.choice(list(contact.works.items()))
    match work.state:
        case "offered":
            accept = chance.random() < 0.75
            return AnswerOffer(contact=here, agent=agent, offer=work.offer, accept=accept, reason="busy")
        case "connecting":
            made = chance.random() < 0.8
            return ReportConnection(contact=here, agent=agent, made=made, customer_gone=chance.random() < 0.5)
        case "wrapping":
            return chance.choice(
                (
                    FinishWrapUp(contact=here, agent=agent, disposition="solved", notes="n"),
                    ExtendWrapUp(contact=here, agent=agent, seconds=5),
                )
            )
        case "connected":
            return _speaking(chance, contact, agent)


def _speaking(chance: random.Random, contact: Contact, agent: str) -> AnyCommand:
    here = contact.id
    if contact.phase == "on_hold":
        return ResumeContact(contact=here, agent=agent)
    if contact.consultation:
        return EndConsultation(contact=here, agent=agent, then=chance.choice(("transfer", "join", "cancel")))
    target = chance.choice(
        (Target(agent=chance.choice(AGENTS)), Target(queue="soporte"), Target(skills={"en": 1}))
    )
    return chance.choice(
        (
            PostMessage(contact=here, author="agent", author_id=agent, text="hello"),
            HoldContact(contact=here, agent=agent),
            TransferContact(contact=here, agent=agent, target=target, note="see above"),
            StartConsultation(contact=here, agent=agent, target=target),
            LeaveContact(contact=here, agent=agent),
            EndContact(contact=here, by=agent),
            EndContact(contact=here, by=agent),
            NoteContact(contact=here, agent=agent, notes="so"),
        )
    )


def check(engine: Engine) -> None:
    """Assert everything that must hold between two commands."""
    state, lines = engine.state, engine.lines
    assert state.admitted_n == state.ended_n + len(state.contacts)
    for contact in state.contacts.values():
        _check_contact(engine, contact)
    for name, agent in state.agents.items():
        assert all(name in state.contacts[number].works for number in agent.contacts), name
        assert agent.present or not agent.contacts, f"{name} is gone with {agent.contacts}"
    for name, standing in state.queues.items():
        waiting = {c.id for c in state.contacts.values() if c.phase == "waiting" and c.queue == name}
        assert set(standing.waiting) == waiting, name
    in_line = {c.id for c in state.contacts.values() if c.phase == "waiting" and not c.due_ns}
    assert lines.queue.waiting_n() == len(in_line)
    reserved = [agent for agent in lines.agent_of if lines.queue.reserved_for(agent) != -1]
    if not reserved:
        # With rates, who stands before a reservation can change by time alone; that waits for an event.
        assert lines.queue.match(now_ns=engine.now_ns) == [], "somebody eligible is left"


def _check_contact(engine: Engine, contact: Contact) -> None:
    lines, states = engine.lines, [work.state for work in contact.works.values()]
    live = [state for state in states if state != "wrapping"]
    match contact.phase:
        case "identifying" | "classifying" | "self_service":
            assert contact.deadline_ns > 0
            assert not states
        case "waiting":
            assert not live
            assert (contact.id in lines.known) == (not contact.due_ns)
            assert contact.due_ns or lines.queue.is_waiting(contact.id)
        case "offered":
            assert live
            assert set(live) == {"offered"}
        case "connecting":
            assert live == ["connecting"]
        case "connected" | "on_hold":
            assert live
            assert set(live) == {"connected"}
            assert contact.deadline_ns > 0
        case "wrapping":
            assert states
            assert not live
        case _:
            raise AssertionError(f"contact {contact.id} rests in {contact.phase}")
    holders = []
    for name, work in contact.works.items():
        assert contact.id in engine.state.agents[name].contacts
        if work.state != "connected":
            assert work.deadline_ns > 0, f"contact {contact.id}: {work.state} without a deadline"
        if not work.hold:
            holders.append(engine.state.agents[name].number)
        else:
            assert lines.queue.holders(work.hold) == [engine.state.agents[name].number]
    if holders or contact.id in lines.known:
        assert lines.queue.holders(contact.id) == sorted(holders)
    if contact.consultation:
        assert engine.state.contacts[contact.consultation].parent == contact.id
