"""A modelled centre on the real engine: random customers and agents, played through `Drive`, and counted.

Contacts are admitted, offered, accepted, connected and ended by the engine's own commands; here is only
chance: when customers come, how long they wait, how long they are served. Each purpose of each class has its
own stream of random numbers, drawn at arrival, so that two centres with one seed see the same customers.
Time unit: one minute. Nobody declines and nobody wraps up, as the formulas have it.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Final

from centralita.config import Agent, ChannelRule, EngineConfig, Queue
from centralita.matching import Core
from centralita.messages import (
    AbandonContact,
    AdmitContact,
    AnswerOffer,
    ApplyConfiguration,
    ConnectContact,
    ContactConnected,
    ContactEnded,
    EndContact,
    ReportConnection,
    SendOffer,
    SignIn,
)
from centralita.simulate.drive import Drive

MINUTE_NS: Final = 60_000_000_000
TARGETS: Final = (1 / 12, 0.1, 0.2, 1 / 3, 0.5)
"""The waits, in minutes, within which those served are counted."""

Draw = Callable[[random.Random], float]


def exponential(mean: float) -> Draw:
    return lambda rng: rng.expovariate(1 / mean)


def erlang2(mean: float) -> Draw:
    return lambda rng: rng.expovariate(2 / mean) + rng.expovariate(2 / mean)


def constant(value: float) -> Draw:
    return lambda rng: value


def lognormal_one(rng: random.Random) -> float:
    """Mean 1, variance 1."""
    variance = 0.6931471805599453
    return rng.lognormvariate(-variance / 2, variance**0.5)


_ONE_MINUTE: Final = exponential(1.0)


@dataclass(frozen=True)
class Customers:
    """A class of customers: how many a minute, how long they wait (None: for ever)."""

    per_minute: float
    service: Draw = _ONE_MINUTE
    patience: Draw | None = None


@dataclass
class Tally:
    """What one class lived through in one batch."""

    offered: int = 0
    blocked: int = 0
    served: int = 0
    waited: int = 0
    wait_served: float = 0.0
    abandoned: int = 0
    wait_abandoned: float = 0.0
    within: list[int] = field(default_factory=lambda: [0] * len(TARGETS))
    abandoned_within: list[int] = field(default_factory=lambda: [0] * len(TARGETS))
    by_agent: dict[str, int] = field(default_factory=dict)
    waits: list[tuple[float, bool]] = field(default_factory=list)
    """Every wait and whether it ended by service; kept only where asked for."""


class Centre:
    """A centre that runs for so many batches of so many customers, after a warm-up.

    A customer belongs to the batch in which they came. `paces` are the agents' own service rates, by which
    the drawn service is divided; `lines` is how many customers fit in, served ones included (None: no end).
    """

    def __init__(
        self,
        customers: Mapping[str, Customers],
        config: EngineConfig,
        *,
        seed: int,
        paces: Mapping[str, float] | None = None,
        lines: int | None = None,
        keep_waits: bool = False,
        watch: Callable[[Drive], object] | None = None,
        core: Core = "native",
    ) -> None:
        self.customers, self.paces, self.lines, self.keep_waits = customers, paces or {}, lines, keep_waits
        self.drive = drive = Drive(core=core)
        self.batches: list[dict[str, Tally]] = []
        self.busy_ns: list[dict[str, int]] = []
        self.begun_ns: list[int] = []
        self._of: dict[int, tuple[str, Tally, float]] = {}
        self._inside = self._came = 0
        self._serving: dict[str, int] = {}
        self._arrive_rng, self._service_rng, self._patience_rng = (
            {name: random.Random(f"{seed}/{purpose}/{name}") for name in customers}
            for purpose in ("arrivals", "service", "patience")
        )
        drive.plays(SendOffer, self._accept)
        drive.plays(ConnectContact, self._connect)
        drive.watches(ContactConnected, self._serve)
        drive.watches(ContactEnded, self._ended)
        if watch is not None:
            watch(drive)
        drive.do(ApplyConfiguration(config=config))
        for agent in config.agents:
            drive.do(SignIn(agent=agent, desk="theory"))

    def run(self, *, batches: int, customers: int, warm_up: int) -> Centre:
        """Let them come until `batches` times `customers` have, after `warm_up` others."""
        self._per_batch, self._warm_up = customers, warm_up
        self._left = warm_up + batches * customers
        for name in self.customers:
            self._next(name)
        self.drive.run()
        del self.batches[0], self.busy_ns[0], self.begun_ns[0]
        return self

    def run_for(self, minutes: float) -> Centre:
        """Let them come for a time, from empty, and serve who is in; one batch."""
        self._per_batch = self._warm_up = self._left = 1 << 60
        self._until_ns = round(minutes * MINUTE_NS)
        for name in self.customers:
            self._next(name)
        self.drive.run()
        return self

    _until_ns = 1 << 62

    def _next(self, name: str) -> None:
        gap = self._arrive_rng[name].expovariate(self.customers[name].per_minute)
        at_ns = self.drive.now_ns + round(gap * MINUTE_NS)
        if self._left and at_ns <= self._until_ns:
            self.drive.at(at_ns, partial(self._arrive, name))

    def _arrive(self, name: str) -> None:
        if not self._left:
            return
        self._left -= 1
        self._next(name)
        if self._came == 0 or (
            self._came >= self._warm_up and (self._came - self._warm_up) % self._per_batch == 0
        ):
            self._begin_batch()
        self._came += 1
        rules = self.customers[name]
        service = rules.service(self._service_rng[name])
        patience = rules.patience(self._patience_rng[name]) if rules.patience else None
        tally = self.batches[-1][name]
        tally.offered += 1
        if self.lines is not None and self._inside >= self.lines:
            tally.blocked += 1
            return
        self._inside += 1
        number = self.drive.engine.next_id()
        self._of[number] = (name, tally, service)
        self.drive.do(AdmitContact(channel="line", provider_id=str(self._came), queue=name))
        if patience is not None and number in self._of:
            contact = self.drive.engine.state.contacts[number]
            if not contact.answered:
                give_up = partial(self._give_up, number)
                self.drive.at(self.drive.now_ns + round(patience * MINUTE_NS), give_up)

    def _begin_batch(self) -> None:
        self._settle()
        self.batches.append({name: Tally() for name in self.customers})
        self.busy_ns.append({})
        self.begun_ns.append(self.drive.now_ns)

    def _settle(self) -> None:
        """Book the running services' time to the batch that ends."""
        for agent in self._serving:
            self._book(agent)
            self._serving[agent] = self.drive.now_ns

    def _book(self, agent: str) -> None:
        spent_ns = self.drive.now_ns - self._serving[agent]
        self.busy_ns[-1][agent] = self.busy_ns[-1].get(agent, 0) + spent_ns

    def _give_up(self, number: int) -> None:
        contact = self.drive.engine.state.contacts.get(number)
        if contact is not None and not contact.answered:
            self.drive.do(AbandonContact(contact=number))

    def _accept(self, ask: SendOffer) -> None:
        self.drive.do(AnswerOffer(contact=ask.contact, agent=ask.agent, offer=ask.offer, accept=True))

    def _connect(self, ask: ConnectContact) -> None:
        self.drive.do(ReportConnection(contact=ask.contact, agent=ask.agent, made=True))

    def _serve(self, event: ContactConnected) -> None:
        _, tally, service = self._of[event.contact]
        wait = event.waited_ns / MINUTE_NS
        tally.served += 1
        tally.waited += event.waited_ns > 0
        tally.wait_served += wait
        for index, target in enumerate(TARGETS):
            tally.within[index] += wait <= target
        tally.by_agent[event.agent] = tally.by_agent.get(event.agent, 0) + 1
        if self.keep_waits:
            tally.waits.append((wait, True))
        self._serving[event.agent] = self.drive.now_ns
        took_ns = round(service / self.paces.get(event.agent, 1.0) * MINUTE_NS)
        self.drive.at(self.drive.now_ns + took_ns, partial(self._finish, event.contact, event.agent))

    def _finish(self, number: int, agent: str) -> None:
        self._book(agent)
        del self._serving[agent]
        self.drive.do(EndContact(contact=number, by=agent))

    def _ended(self, event: ContactEnded) -> None:
        _, tally, _ = self._of.pop(event.contact)
        self._inside -= 1
        if event.outcome == "refused":
            tally.blocked += 1
        elif event.outcome == "abandoned":
            wait = event.waited_ns / MINUTE_NS
            tally.abandoned += 1
            tally.waited += 1
            tally.wait_abandoned += wait
            for index, target in enumerate(TARGETS):
                tally.abandoned_within[index] += wait <= target
            if self.keep_waits:
                tally.waits.append((wait, False))


def floor(
    queues: Mapping[str, Queue],
    agents: Mapping[str, Sequence[str]],
    *,
    ranks: Mapping[str, Mapping[str, int]] | None = None,
) -> EngineConfig:
    """A configuration in which each queue asks for the skill of its name and each agent has those listed."""
    return EngineConfig(
        skills=tuple(queues),
        queues={name: rules if rules.skills else _asking(name, rules) for name, rules in queues.items()},
        agents={
            name: Agent(skills=dict.fromkeys(skills, 1), ranks=dict((ranks or {}).get(name, {})))
            for name, skills in agents.items()
        },
        channels={"line": ChannelRule(medium="voice", queue=next(iter(queues)))},
    )


def _asking(name: str, rules: Queue) -> Queue:
    fields = {key: getattr(rules, key) for key in Queue.__struct_fields__}
    return Queue(**{**fields, "skills": {name: 1}})


def plain(**rules: object) -> Queue:
    """A queue without after-work."""
    return Queue(wrap_up_s=0, **rules)  # type: ignore[arg-type]  # the caller's words are the queue's
