"""Every ask of the engine, on its way to the component that carries it out; the answers come back as commands.

It refuses to know when an ask may leave: the pump hands them over once their records are durable. Channels
and desks have ports of their own (`channels.py`, `desks.py`); here are the asks that several components
may answer in turn (who is the customer, where does the contact belong) and the bots.

A CRM that fails is passed over, a bot that fails hands over to a person: nobody waits for a broken
plugin longer than its stage allows. The engine keeps that limit itself, so an answer that comes late,
or twice, changes nothing.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from typing import Final, TypeVar, assert_never

import msgspec
import structlog
import trio

from centralita.asks import turn_message_id
from centralita.config import what_is_known
from centralita.engine import Engine
from centralita.look import contact_view
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
    PartAgent,
    PostMessage,
    Refusal,
    ReportConnection,
    SendOffer,
    SetHold,
    TakeBotTurn,
    WithdrawOffer,
)
from centralita.protocols import BotTurn, Classification
from centralita.runner.channels import ChannelAsk, ChannelPort
from centralita.runner.desks import Desks
from centralita.runner.inbox import CommandInbox
from centralita.runner.lanes import Lanes
from centralita.runner.parts import Starts
from centralita.runner.supervise import CallFailed, Supervised
from centralita.views import ContactView

STAGE_WORKERS_MAX: Final = 256
"""Contacts that may be asked about at once, for CRMs, for classifiers and for bots."""

BOT_TEXTS_MAX: Final = 20
"""Messages of one turn of a bot; what it says beyond is not sent."""

_OVER: Final = ("unknown_contact", "wrong_phase", "stopping")
"""Refusals that mean: the contact has gone on meanwhile. Any other is the fault of the answer."""

Answer = TypeVar("Answer", Customer, Classification)

StageAsk = FindCustomer | FindClassification | TakeBotTurn


class AskRunner:
    """Dispatches asks; never waits itself."""

    def __init__(
        self,
        *,
        tasks: Starts,
        engine: Engine,
        inbox: CommandInbox,
        channels: Mapping[str, ChannelPort],
        desks: Desks,
        crms: Sequence[Supervised],
        classifiers: Sequence[Supervised],
        bots: Mapping[str, Supervised],
        log: structlog.stdlib.BoundLogger,
    ) -> None:
        self._engine = engine
        self._inbox = inbox
        self._channels = channels
        self._desks = desks
        self._crms = crms
        self._classifiers = classifiers
        self._bots = bots
        self._log = log

        def lanes() -> Lanes[int, StageAsk]:
            return Lanes(tasks, self._perform, workers_max=STAGE_WORKERS_MAX, paused=True)

        self._identify, self._classify, self._turns = lanes(), lanes(), lanes()
        self._answers: Lanes[int, AnyCommand] = Lanes(tasks, self._submit)

    def open(self) -> None:
        """Begin to ask CRMs, classifiers and bots; until then what is for them is kept."""
        for lanes in (self._identify, self._classify, self._turns):
            lanes.resume()

    def close(self) -> None:
        """Begin nothing more. What is asked from now on the next start asks again, from the state."""
        for lanes in (self._identify, self._classify, self._turns, self._answers):
            lanes.pause()
        for port in self._channels.values():
            port.lanes.pause()
        self._desks.close()

    @property
    def open_n(self) -> int:
        """Asks that are not carried out yet."""
        own = (self._identify, self._classify, self._turns, self._answers)
        return sum(len(lanes) for lanes in own) + sum(len(port.lanes) for port in self._channels.values())

    async def wait_idle(self) -> None:
        """Return when all that was asked of running components is done."""
        for lanes in (self._identify, self._classify, self._turns, self._answers):
            await lanes.wait_idle()
        for port in self._channels.values():
            await port.lanes.wait_idle()

    def dispatch(self, asks: Iterable[AnyAsk]) -> None:
        """Have the asks carried out, in order where they are about the same contact."""
        for ask in asks:
            match ask:
                case FindCustomer():
                    self._identify.put(ask.contact, ask)
                case FindClassification():
                    self._classify.put(ask.contact, ask)
                case TakeBotTurn():
                    self._turns.put(ask.contact, ask)
                case SendOffer() | WithdrawOffer():
                    self._desks.put(ask)
                case (
                    ConnectContact()
                    | DisconnectContact()
                    | SetHold()
                    | ForwardContact()
                    | JoinAgent()
                    | PartAgent()
                    | DeliverMessage()
                    | AnnounceWait()
                ):
                    self._to_channel(ask)
                case _:
                    assert_never(ask)

    def _to_channel(self, ask: ChannelAsk) -> None:
        port = self._channels.get(ask.channel)
        if port is not None:
            port.put(ask)
        elif isinstance(ask, ConnectContact):
            # Two agents (a consultation) are on no channel: they are together as soon as both are there.
            # A channel that has left the configuration can connect nobody.
            inside = not ask.channel
            reason = "" if inside else f"channel {ask.channel} is not configured"
            self._answers.put(
                ask.contact,
                ReportConnection(contact=ask.contact, agent=ask.agent, made=inside, reason=reason),
            )
        elif ask.channel:
            self._log.warning("ask_without_channel", ask=type(ask).__name__, channel=ask.channel)

    async def _submit(self, _: int, command: AnyCommand) -> None:
        await self._inbox.submit(command)

    async def _perform(self, contact: int, ask: StageAsk) -> None:
        view = contact_view(self._engine, contact)
        if view is None:
            return
        match ask:
            case FindCustomer():
                await self._find_customer(view)
            case FindClassification():
                await self._find_classification(view)
            case TakeBotTurn():
                await self._take_turn(view, ask)
            case _:
                assert_never(ask)

    async def _find_customer(self, view: ContactView) -> None:
        if view.phase != "identifying":
            return
        limit_s = self._engine.state.config.limits.identify_s
        for crm, share_s in _shares(self._crms, limit_s):
            question = crm.component.find_customer
            found = await self._answer_of(crm, question, Customer, view, "FindCustomer", limit_s=share_s)
            if found is not None and await self._answered(
                crm, view, IdentifyContact(contact=view.id, customer=found)
            ):
                return
        if self._phase(view.id) == "identifying":
            await self._inbox.submit(IdentifyContact(contact=view.id))

    async def _find_classification(self, view: ContactView) -> None:
        if view.phase != "classifying":
            return
        limit_s = self._engine.state.config.limits.classify_s
        for classifier, share_s in _shares(self._classifiers, limit_s):
            question = classifier.component.classify
            found = await self._answer_of(
                classifier, question, Classification, view, "FindClassification", limit_s=share_s
            )
            if found is None:
                continue
            answer = ClassifyContact(
                contact=view.id,
                queue=found.queue,
                skills=found.skills,
                priority=found.priority,
                preferred_agent=found.preferred_agent,
                attributes=found.attributes,
                by=classifier.name,
            )
            if await self._answered(classifier, view, answer):
                return
        if self._phase(view.id) == "classifying":
            await self._inbox.submit(ClassifyContact(contact=view.id))

    async def _answer_of(
        self,
        one: Supervised,
        question: Callable[[ContactView], Awaitable[object]],
        kind: type[Answer],
        view: ContactView,
        ask: str,
        *,
        limit_s: float,
    ) -> Answer | None:
        """What one component answers; None when it knows nothing, or fails, which is logged."""
        try:
            found = await one.call(question, view, limit_s=limit_s)
        except CallFailed as failure:
            self._failed(ask, one, view, failure.reason)
            return None
        if found is not None and not isinstance(found, kind):
            self._failed(ask, one, view, f"answered with a {type(found).__name__}")
            return None
        return found

    async def _take_turn(self, view: ContactView, ask: TakeBotTurn) -> None:
        if view.phase != "self_service":
            return
        bot = self._bots.get(ask.bot)
        view = _as_of_turn(view, ask.message)
        text = next((message.text for message in view.messages if message.number == ask.message), None)
        try:
            if bot is None:
                raise CallFailed(f"bot {ask.bot} is not configured")
            if not bot.is_up:
                raise CallFailed("is down")
            limit_s = self._engine.state.config.limits.bot_turn_s
            turn: object = await bot.call(bot.component.turn, view, text, limit_s=limit_s)
            if not isinstance(turn, BotTurn):
                raise CallFailed(f"answered with a {type(turn).__name__}")
            turn = _checked(turn)
            refusal = await self._say(view, ask, turn)
            if refusal is not None and refusal.code not in _OVER:
                raise CallFailed(f"{refusal.code}: {refusal.message}")
        except CallFailed as failure:
            self._log.warning("ask_failed", ask="TakeBotTurn", contact=view.id, error=failure.reason)
            await self._inbox.submit(FinishSelfService(contact=view.id, resolved=False))

    async def _say(self, view: ContactView, ask: TakeBotTurn, turn: BotTurn) -> Refusal | None:
        """Hand in a bot's words and decision together; the first refusal, if any."""
        commands: list[AnyCommand] = [
            PostMessage(
                contact=view.id,
                author="bot",
                author_id=ask.bot,
                text=text,
                # The same turn asked again after a crash says nothing twice.
                message_id=turn_message_id(ask.bot, ask.message, index),
            )
            for index, text in enumerate(turn.texts[:BOT_TEXTS_MAX])
        ]
        if turn.then != "continue":
            commands.append(
                FinishSelfService(
                    contact=view.id,
                    resolved=turn.then == "resolved",
                    queue=turn.queue,
                    skills=turn.skills,
                    priority=turn.priority,
                    attributes=turn.attributes,
                    summary=turn.summary,
                )
            )
        outcomes = await self._inbox.submit_all(commands)
        return next((outcome.refusal for outcome in outcomes if outcome.refusal is not None), None)

    async def _answered(self, component: Supervised, view: ContactView, answer: AnyCommand) -> bool:
        """Whether the question is settled; an answer that is refused for what it says is passed over."""
        refusal = (await self._inbox.submit(answer)).refusal
        if refusal is None or refusal.code in _OVER:
            return True
        self._failed(type(answer).__name__, component, view, f"{refusal.code}: {refusal.message}")
        return False

    def _failed(self, ask: str, component: Supervised, view: ContactView, reason: str) -> None:
        self._log.warning("ask_failed", ask=ask, component=component.path, contact=view.id, error=reason)

    def _phase(self, contact: int) -> str:
        live = self._engine.state.contacts.get(contact)
        return live.phase if live is not None else ""


def _checked(turn: BotTurn) -> BotTurn:
    """The turn with every field of its type: one text for several, or a slip in `then`, would mean something else."""
    try:
        return msgspec.convert(msgspec.to_builtins(turn), BotTurn)
    except (msgspec.ValidationError, TypeError) as error:
        known = what_is_known(error, BotTurn) if isinstance(error, msgspec.ValidationError) else ""
        raise CallFailed(f"answered with a BotTurn that can't be: {error}{known}") from None


def _as_of_turn(view: ContactView, message: int) -> ContactView:
    """The contact without what the customer said after the message that the turn is about: each later
    message is a turn of its own, whether it came before the bot was asked or not."""
    last = message or view.bot_after
    kept = tuple(one for one in view.messages if one.author != "customer" or one.number <= last)
    return view if len(kept) == len(view.messages) else msgspec.structs.replace(view, messages=kept)


def _shares(components: Sequence[Supervised], limit_s: float) -> Iterable[tuple[Supervised, float]]:
    """Those that are up, in their order, each with its part of the stage's time still left."""
    until_s = trio.current_time() + limit_s
    for index, component in enumerate(components):
        if component.is_up:
            yield component, (until_s - trio.current_time()) / (len(components) - index)
