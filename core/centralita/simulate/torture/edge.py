"""The edge as a model: channel, desk, CRM, classifier and bot that behave as docs/plugins.md lets them.

Asks about one contact (for a desk: to one agent) are carried out in their order, those about different ones
in any. A plugin may answer late, twice or not at all, may fail, and may have done what it says it has
not; a crash of the process takes everything that was on its way. What is outside outlives it: customers'
lines (`Line`) and what was delivered on them. Answers go into `transit`, from where they reach the engine
in any order.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from random import Random
from typing import Any, Final

from centralita.engine import Engine
from centralita.messages import (
    AnnounceWait,
    AnyAsk,
    AnyCommand,
    ClassifyContact,
    ConnectContact,
    Customer,
    DeliverMessage,
    DisconnectContact,
    FindClassification,
    FindCustomer,
    FinishSelfService,
    ForwardContact,
    IdentifyContact,
    JoinAgent,
    LoseAgent,
    PartAgent,
    PostMessage,
    ReportConnection,
    ReportDelivery,
    SendOffer,
    SetHold,
    TakeBotTurn,
    WithdrawOffer,
)
from centralita.simulate.torture.violation import Violation

CUSTOMERS: Final = tuple(
    Customer(id=str(number), crm="crm", preferred_agent=("", "", "ana", "carla")[number % 4])
    for number in range(12)
)
DONE: Final = True
AGAIN: Final = False
"""What carrying out an ask comes to: it is done with, or it stays at the head of its lane."""


class Line:
    """A customer's end of a contact, outside of our process."""

    __slots__ = ("channel", "closed", "contact", "delivered", "given", "provider_id", "unsure")

    def __init__(self, channel: str, provider_id: str) -> None:
        self.channel = channel
        self.provider_id = provider_id
        self.contact = 0
        self.closed = False
        self.delivered = 0
        self.given: dict[int, tuple[str, int]] = {}
        """Messages delivered, by number, and in which life of the process last."""
        self.unsure = 0


class Edge:
    """All model plugins of one process, and the lines outside of it."""

    def __init__(self, chance: Random) -> None:
        self._random = chance.random
        self._randrange = chance.randrange
        self.lines: dict[str, Line] = {}
        self.transit: list[AnyCommand] = []
        self.reports: deque[ReportDelivery] = deque()
        """How deliveries went, in order; the port waits for each, so a contact has one at a time."""
        self.reporting: set[int] = set()
        self.offers: dict[str, dict[int, int]] = {}
        """What each agent's desk shows: contact by offer."""
        self.down = False
        """Whether the channels' component is down."""
        self.down_since_ns = self.down_until_ns = 0
        self.life = 0
        self._lanes: dict[int | str, deque[AnyAsk]] = {}
        self._heads: list[int | str] = []

    @property
    def busy(self) -> bool:
        """Whether anything is left to carry out."""
        return bool(self._heads)

    @property
    def lanes_n(self) -> int:
        """How many contacts and agents have something on its way to a plugin."""
        return len(self._heads)

    def new_life(self) -> None:
        """The process has died: what was on its way is gone, desks are empty, lines stay as they are."""
        self.life += 1
        self._lanes.clear()
        self._heads.clear()
        self.transit.clear()
        self.reports.clear()
        self.reporting.clear()
        self.offers.clear()
        self.down = False

    def go_down(self, now_ns: int, for_s: float) -> None:
        """The channels' component crashes: what waits to be delivered is reported, as the port does."""
        self.down, self.down_since_ns, self.down_until_ns = True, now_ns, now_ns + int(for_s * 1e9)
        for lane in self._lanes.values():
            for ask in lane:
                if type(ask) is DeliverMessage:
                    self._failed(ask)

    def reported(self) -> ReportDelivery:
        """The next report of a delivery, on its way to the engine no longer."""
        report = self.reports.popleft()
        self.reporting.discard(report.contact)
        return report

    def _failed(self, ask: DeliverMessage) -> None:
        if ask.contact not in self.reporting:
            self.reporting.add(ask.contact)
            self.reports.append(ReportDelivery(contact=ask.contact, number=ask.number, made=False))

    def dispatch(self, asks: list[AnyAsk]) -> None:
        """Take in asks whose records are durable."""
        lanes = self._lanes
        for ask in asks:
            key: int | str = ask.contact
            kind = type(ask)
            if kind is SendOffer or kind is WithdrawOffer:
                key = ask.agent  # type: ignore[union-attr]
            elif kind in _OF_STAGES:
                key = -ask.contact
            elif kind is DeliverMessage and self.down:
                self._failed(ask)  # type: ignore[arg-type]
            lane = lanes.get(key)
            if lane is None:
                lanes[key] = deque((ask,))
                self._heads.append(key)
            elif kind is AnnounceWait and type(lane[-1]) is AnnounceWait:
                lane[-1] = ask  # as the runner's port does: the newer one is what is true
            else:
                lane.append(ask)

    def perform(self, engine: Engine) -> AnyAsk | None:
        """Carry out the head of some lane; which ask it was, or None."""
        heads = self._heads
        if not heads:
            return None
        place = int(self._random() * len(heads))
        key = heads[place]
        lane = self._lanes[key]
        ask = lane[0]
        if _PERFORM[type(ask)](self, engine, ask):
            lane.popleft()
            if not lane:
                del self._lanes[key]
                heads[place] = heads[-1]
                heads.pop()
        return ask

    def line(self, channel: str, provider_id: str) -> Line:
        """The line of a contact, made when there is none."""
        key = f"{channel}\n{provider_id}"
        found = self.lines.get(key)
        if found is None:
            found = self.lines[key] = Line(channel, provider_id)
        return found

    def _answer(self, *commands: AnyCommand) -> None:
        """Send an answer on its way: mostly once, sometimes twice, sometimes never."""
        roll = self._random()
        if roll < 0.04:
            return
        self.transit += commands
        if roll < 0.08:
            self.transit += commands

    # CRM, classifier, bot ------------------------------------------------------------------------

    def _find_customer(self, engine: Engine, ask: FindCustomer) -> bool:
        known = CUSTOMERS[self._randrange(len(CUSTOMERS))] if self._random() < 0.7 else None
        self._answer(IdentifyContact(contact=ask.contact, customer=known))
        return DONE

    def _find_classification(self, engine: Engine, ask: FindClassification) -> bool:
        roll = self._random()
        if roll < 0.05:
            self._answer(ClassifyContact(contact=ask.contact, queue="nowhere", by="words"))
            return DONE
        self._answer(
            ClassifyContact(
                contact=ask.contact,
                queue=("", "support", "sales", "tiny")[int(roll * 4)],
                skills={"tech": 1 + int(roll * 9)} if roll < 0.3 else None,
                priority=1 if roll < 0.2 else None,
                preferred_agent="bob" if roll > 0.8 else "",
                attributes={"topic": "bill"} if roll > 0.9 else None,
                by="words",
            )
        )
        return DONE

    def _take_turn(self, engine: Engine, ask: TakeBotTurn) -> bool:
        roll = self._random()
        said = PostMessage(
            contact=ask.contact,
            author="bot",
            author_id=ask.bot,
            text="1, 2 or a person?",
            message_id=f"{ask.bot}:{ask.message}:0",
        )
        if roll < 0.4:
            self._answer(said)
        elif roll < 0.8:
            handed = FinishSelfService(contact=ask.contact, resolved=False, summary="wants 2")
            self._answer(said, handed)
        else:
            self._answer(
                FinishSelfService(
                    contact=ask.contact,
                    resolved=roll < 0.9,
                    queue="support" if roll < 0.85 else "",
                    skills={"es": 2} if roll > 0.95 else None,
                )
            )
        return DONE

    # Desks ---------------------------------------------------------------------------------------

    def _offer(self, engine: Engine, ask: SendOffer) -> bool:
        contact = engine.state.contacts.get(ask.contact)
        work = contact.works.get(ask.agent) if contact is not None else None
        if work is None or work.offer != ask.offer or work.state != "offered":
            return DONE  # time has overtaken it, as the runner's port finds out
        if self._random() < 0.02:
            agent = engine.state.agents[ask.agent]
            self.transit.append(LoseAgent(agent=ask.agent, desk=agent.desk))
            return DONE
        self.offers.setdefault(ask.agent, {})[ask.offer] = ask.contact
        return DONE

    def _withdraw(self, engine: Engine, ask: WithdrawOffer) -> bool:
        self.offers.get(ask.agent, {}).pop(ask.offer, None)
        return DONE

    # Channels ------------------------------------------------------------------------------------

    def _connect(self, engine: Engine, ask: ConnectContact) -> bool:
        contact = engine.state.contacts.get(ask.contact)
        work = contact.works.get(ask.agent) if contact is not None else None
        if contact is None or work is None or work.state != "connecting":
            return DONE
        if contact.parent or ask.channel not in engine.state.config.channels:
            self._answer(ReportConnection(contact=ask.contact, agent=ask.agent, made=bool(contact.parent)))
            return DONE
        line = self.line(contact.channel, contact.provider_id)
        line.contact = ask.contact
        roll = self._random()
        if ask.callback_handle:
            if roll < 0.1:
                return DONE  # the agent dials by hand, and says how it went
            made, gone = roll < 0.65, roll < 0.9
            line.closed = not made
        else:
            made, gone = not line.closed and roll < 0.9, line.closed
        self._answer(
            ReportConnection(contact=ask.contact, agent=ask.agent, made=made, customer_gone=gone and not made)
        )
        return DONE

    def _let_go(self, engine: Engine, ask: DisconnectContact | ForwardContact) -> bool:
        """The customer is on this line no more: hung up, or somebody else's from now on."""
        if self.down or self._random() < 0.05:
            return AGAIN
        line = self.lines.get(f"{ask.channel}\n{ask.provider_id}")
        if line is not None:
            line.closed = True
        return DONE

    def _deliver(self, engine: Engine, ask: DeliverMessage) -> bool:
        if ask.contact in self.reporting:
            return AGAIN
        owed = self._owed(engine, ask.contact)
        if self.down:
            if not 0 < owed <= ask.number:
                self._failed(ask)
            return AGAIN
        line = self.line(ask.channel, ask.provider_id)
        number = ask.number
        if number in line.given:
            text, life = line.given[number]
            if text != ask.text:
                raise Violation("messages", f"contact {ask.contact}: {number} was {text!r}")
            if life == self.life and line.unsure != number:
                raise Violation("messages", f"contact {ask.contact}: {number} was delivered twice")
        elif number < line.delivered:
            raise Violation("messages", f"contact {ask.contact}: {number} came after {line.delivered}")
        line.given[number] = (ask.text, self.life)
        line.delivered = max(line.delivered, number)
        if self._random() < 0.03:
            line.unsure = number  # it was delivered, and the channel fails all the same
            if not 0 < owed <= number:
                self._failed(ask)
            return AGAIN
        line.unsure = 0
        if 0 < owed <= number:
            self.reporting.add(ask.contact)
            self.reports.append(ReportDelivery(contact=ask.contact, number=number, made=True))
        return DONE

    @staticmethod
    def _owed(engine: Engine, contact: int) -> int:
        state = engine.state
        found = state.contacts.get(contact) or state.ended.get(contact)
        return found.undelivered if found is not None else 0

    def _beside(self, engine: Engine, ask: Any) -> bool:
        """Hold, join, part, announce: nothing is owed when it fails."""
        return DONE


_OF_STAGES: Final = frozenset((FindCustomer, FindClassification, TakeBotTurn))

_PERFORM: Final[dict[type, Callable[[Edge, Engine, Any], bool]]] = {
    FindCustomer: Edge._find_customer,
    FindClassification: Edge._find_classification,
    TakeBotTurn: Edge._take_turn,
    SendOffer: Edge._offer,
    WithdrawOffer: Edge._withdraw,
    ConnectContact: Edge._connect,
    DisconnectContact: Edge._let_go,
    ForwardContact: Edge._let_go,
    SetHold: Edge._beside,
    JoinAgent: Edge._beside,
    PartAgent: Edge._beside,
    DeliverMessage: Edge._deliver,
    AnnounceWait: Edge._beside,
}
