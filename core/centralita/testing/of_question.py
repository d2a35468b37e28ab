"""Checks 601 to 605, 701 to 704 and 801 to 807: who is asked about a contact, and answers.

CRMs say who the customer is, classifiers where a contact belongs, bots what to say. The engine that judges
whether an answer can be used is the real one, without a runner.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

import msgspec

from centralita.config import Configuration
from centralita.messages import AnyCommand, ClassifyContact, Customer, FinishSelfService
from centralita.protocols import BotTurn, Classification, PastContact
from centralita.runner.asks import BOT_TEXTS_MAX
from centralita.testing import samples
from centralita.testing.bench import Bench
from centralita.testing.checks import CheckFailed, CheckSkipped, check, fail, said
from centralita.testing.house import QUEUE, House
from centralita.testing.lingering import lets_go_when_cancelled
from centralita.views import ContactView

CRMS: Final = ("crms",)
CLASSIFIERS: Final = ("classifiers",)
BOTS: Final = ("bots",)
RUNS: Final = (201, 202, 203)
CHANNEL: Final = "kit_shop"
WRITTEN: Final = (*samples.TEXTS, samples.LONG, "", "\n", "1", "HELP!!!")


@check(601, "A customer whom it does not know is None", kinds=CRMS, needs=RUNS)
async def knows_nobody(bench: Bench) -> None:
    """Whatever the address looks like; a new CRM knows nobody."""
    async with bench.house() as house, house.life():
        for view in _contacts(house):
            answer = await _ask(house, "find_customer", view)
            if answer is not None and not isinstance(answer, Customer):
                fail(f"find_customer answered with a {type(answer).__name__}; must be a Customer or None")
            if isinstance(answer, Customer) and not answer.id:
                fail("find_customer answered with a Customer without an id")


@check(602, "A customer whom it knows is a Customer", kinds=CRMS, needs=(*RUNS, 501, 502, 601))
async def knows_customers(bench: Bench) -> None:
    """`Customer(id=…, …)`: the engine passes over anything else."""
    async with bench.house() as house, house.life():
        await _learn(house)
        for number in range(3):
            view = _contact(house, handle=_handle(number), customer_name=f"Person {number}")
            answer = await _ask(house, "find_customer", view)
            if answer is not None and (type(answer) is not Customer or not _fits(answer, Customer)):
                fail(f"find_customer answered with {answer!r}; must be a Customer with an id, or None")


@check(603, "History is newest first, and no longer than asked for", kinds=CRMS, needs=(*RUNS, 501, 502))
async def tells_history(bench: Bench) -> None:
    """`history` gives `PastContact`s."""
    async with bench.house() as house, house.life():
        await _learn(house)
        for limit in (1, 3, 100):
            past = await _ask(house, "history", None, handle=_handle(1), limit=limit)
            if not isinstance(past, list) or not all(isinstance(one, PastContact) for one in past):
                fail(f"history gave {past!r:.100}; must be a list of PastContact")
            if len(past) > limit:
                fail(f"history gave {len(past)} contacts when at most {limit} were asked for")
            if past != sorted(past, key=lambda one: -one.arrived_ns):
                fail(f"history gave contacts in the order {[one.contact for one in past]}; newest is first")


@check(604, "Somebody without a history has an empty one", kinds=CRMS, needs=RUNS)
async def has_no_history(bench: Bench) -> None:
    """No error, no None."""
    async with bench.house() as house, house.life():
        for customer, handle in ((None, ""), (None, "nobody@kit.invalid"), (Customer(id="kit nobody"), "")):
            past = await _ask(house, "history", customer, handle=handle, limit=10)
            if past != []:
                fail(f"history of a stranger was {past!r:.100}; must be []")


@check(605, "A question that is cancelled lets go at once", kinds=CRMS, needs=RUNS)
async def crm_lets_go(bench: Bench) -> None:
    """A CRM that is slow is passed over, and must not linger."""

    async def call(house: House, method: str) -> Any:
        if method == "history":
            return await house.call("history", None, handle="x", limit=5, limit_s=bench.limits.write_s)
        return await house.call(method, _contact(house, handle="x"), limit_s=bench.limits.write_s)

    async with bench.house() as house, house.life():
        for method in ("find_customer", "history"):
            await lets_go_when_cancelled(house, method, call)


@check(701, "It answers with a Classification or None", kinds=CLASSIFIERS, needs=RUNS)
async def classifies(bench: Bench) -> None:
    """Whatever the customer wrote, or did not."""
    async with bench.house() as house, house.life():
        for view in _contacts(house):
            answer = await _ask(house, "classify", view)
            if answer is not None and (
                not isinstance(answer, Classification) or not _fits(answer, Classification)
            ):
                fail(
                    f"classify answered with {answer!r:.200}; must be a Classification with fields of its types"
                )


@check(702, "The engine can use its answers", kinds=CLASSIFIERS, needs=(*RUNS, 701))
async def classifies_usably(bench: Bench) -> None:
    """Queues, skills and agents that exist; an answer that is refused is as good as none."""
    async with bench.house() as house, house.life():
        for view in _contacts(house):
            answer = await _ask(house, "classify", view)
            if answer is None:
                continue
            command = ClassifyContact(
                contact=view.id,
                queue=answer.queue,
                skills=answer.skills,
                priority=answer.priority,
                preferred_agent=answer.preferred_agent,
                attributes=answer.attributes,
                by=house.name,
            )
            _use(house, view, command, answer, classifiers={house.name: {"type": "kit"}})


@check(703, "It answers while the engine still waits", kinds=CLASSIFIERS, needs=(*RUNS, 701))
async def classifies_in_time(bench: Bench) -> None:
    """`limits.classify_s`, 2 s unless the operator says otherwise."""
    limit_s = bench.limits.question_s
    async with bench.house() as house, house.life():
        for view in _contacts(house)[:3]:
            await house.call("classify", view, limit_s=limit_s)


@check(704, "A question that is cancelled lets go at once", kinds=CLASSIFIERS, needs=RUNS)
async def classifier_lets_go(bench: Bench) -> None:
    """A classifier that is slow is passed over, and must not linger."""

    async def call(house: House, method: str) -> Any:
        return await house.call(method, _contact(house, text="Hello?"), limit_s=bench.limits.write_s)

    async with bench.house() as house, house.life():
        await lets_go_when_cancelled(house, "classify", call)


@check(801, "It has first words", kinds=BOTS, needs=RUNS)
async def greets(bench: Bench) -> None:
    """Asked without a message, it answers with a BotTurn."""
    async with bench.house() as house, house.life():
        for view in _contacts(house):
            _must_be_turn(await _ask(house, "turn", view, None))


@check(802, "It answers whatever the customer writes", kinds=BOTS, needs=(*RUNS, 801))
async def answers(bench: Bench) -> None:
    """Any signs, long words, none at all."""
    async with bench.house() as house, house.life():
        for words in WRITTEN:
            _must_be_turn(await _ask(house, "turn", _contact(house, text=words), words))


@check(803, "Its turn is one that the engine knows", kinds=BOTS, needs=(*RUNS, 801, 802))
async def turns_are_valid(bench: Bench) -> None:
    """`then` is continue, hand_over or resolved, and every field has its type."""
    async with bench.house() as house, house.life():
        for words, turn in await _turns(house):
            try:
                msgspec.convert(msgspec.to_builtins(turn), BotTurn)
            except (msgspec.ValidationError, TypeError) as error:
                fail(f"to {words!r:.40} it answered a BotTurn that can't be: {error}")


@check(804, "It says no more at once than is sent", kinds=BOTS, needs=(*RUNS, 801, 802))
async def turns_are_short(bench: Bench) -> None:
    """At most 20 texts, none of them empty."""
    async with bench.house() as house, house.life():
        for words, turn in await _turns(house):
            if len(turn.texts) > BOT_TEXTS_MAX:
                fail(f"to {words!r:.40} it said {len(turn.texts)} texts; at most {BOT_TEXTS_MAX} are sent")
            if not all(str(text).strip() for text in turn.texts):
                fail(f"to {words!r:.40} it said an empty text: {turn.texts!r:.100}")


@check(805, "The engine can use its hand-over", kinds=BOTS, needs=(*RUNS, 801, 802, 803))
async def hands_over_usably(bench: Bench) -> None:
    """Queues and skills that exist; a hand-over that is refused loses what the bot learnt."""
    async with bench.house() as house, house.life():
        for words in WRITTEN:
            view = _contact(house, text=words)
            turn = await _ask(house, "turn", view, words)
            if turn.then == "continue":
                continue
            command = FinishSelfService(
                contact=view.id,
                resolved=turn.then == "resolved",
                queue=turn.queue,
                skills=turn.skills,
                attributes=turn.attributes,
                summary=turn.summary,
            )
            _use(house, view, command, turn, bots={house.name: {"type": "kit"}})


@check(806, "It keeps nothing that a restart would lose", kinds=BOTS, needs=(*RUNS, 801, 802))
async def keeps_nothing(bench: Bench) -> None:
    """Built anew, it gives the same answer to the same conversation: all it needs is in the messages."""
    async with bench.house() as house, house.life():
        before = [await _ask(house, "turn", _contact(house, text=words), words) for words in WRITTEN]
    for words, earlier in zip(WRITTEN, before, strict=True):
        # One question a life: a count of questions would otherwise come out the same.
        async with bench.house() as house, house.life():
            later = await _ask(house, "turn", _contact(house, text=words), words)
            if later != earlier:
                fail(f"to {words!r:.40} it answered {earlier!r:.150}, and after a restart {later!r:.150}")


@check(807, "A turn that is cancelled lets go at once", kinds=BOTS, needs=RUNS)
async def bot_lets_go(bench: Bench) -> None:
    """A bot that is slow hands over, and must not linger."""

    async def call(house: House, method: str) -> Any:
        return await house.call(
            method, _contact(house, text="Hello?"), "Hello?", limit_s=bench.limits.write_s
        )

    async with bench.house() as house, house.life():
        await lets_go_when_cancelled(house, "turn", call)


def _history(house: House, **tables: Any) -> samples.History:
    """An engine by the rules of the house, for contacts that the component is asked about."""
    configuration: Configuration = house.configuration
    rule = {"type": "program", "medium": "chat", "queue": QUEUE}
    if "bots" in tables:
        rule["bot"] = house.name
    kit = samples.config(queues={QUEUE: {}}, default_queue=QUEUE, channels={CHANNEL: rule}, **tables)
    engine = configuration.engine
    rules = msgspec.structs.replace(engine, channels=kit.channels, crms=kit.crms, classifiers=kit.classifiers)
    return samples.History(rules)


def _contact(house: House, *, channel: str = CHANNEL, **fields: Any) -> ContactView:
    history = _history(house)
    return history.view(history.admit("kit-1", channel=channel, **fields))


def _contacts(house: House) -> list[ContactView]:
    """Contacts with all kinds of words, addresses and names; one with nothing at all."""
    views = [
        _contact(house, text=words, handle=words[:200], customer_name=words[:100], subject=words[:200])
        for words in WRITTEN
    ]
    return [*views, _contact(house)]


def _use(house: House, view: ContactView, command: AnyCommand, answer: object, **tables: Any) -> None:
    """Hand the answer to the engine, whose contact waits for it."""
    history = _history(house, **tables)
    first = view.messages[0].text if view.messages else ""
    contact = history.admit("kit-1", channel=CHANNEL, text=first)
    step = history.do(msgspec.structs.replace(command, contact=contact))
    if step.refusal is not None:
        fail(f"the engine refuses {answer!r:.150}: {step.refusal.message}")


async def _ask(house: House, method: str, *arguments: Any, **named: Any) -> Any:
    try:
        return await house.call(method, *arguments, limit_s=house.bench.limits.write_s, **named)
    except (CheckFailed, CheckSkipped):
        raise
    except Exception as error:  # noqa: BLE001 - what it raises is the finding
        fail(f"{method} raised {said(error)}")


async def _learn(house: House) -> None:
    records = samples.plain_records()
    for start in range(0, len(records), 50):
        await _ask(house, "write", records[start : start + 50])


def _handle(number: int) -> str:
    return samples.HANDLES[number]


async def _turns(house: House) -> Sequence[tuple[str | None, BotTurn]]:
    found: list[tuple[str | None, BotTurn]] = [
        (None, await _ask(house, "turn", _contact(house, text="Hello?"), None))
    ]
    for words in WRITTEN:
        found.append((words, await _ask(house, "turn", _contact(house, text=words), words)))
    return found


def _must_be_turn(answer: object) -> None:
    if not isinstance(answer, BotTurn):
        fail(f"turn answered with {answer!r:.100}; must be a BotTurn")


def _fits(value: msgspec.Struct, kind: type[msgspec.Struct]) -> bool:
    """Whether every field has its type, which a struct does not look at when it is made."""
    try:
        msgspec.msgpack.decode(msgspec.msgpack.encode(value), type=kind)
    except (msgspec.MsgspecError, TypeError):
        return False
    return not isinstance(value, Customer) or bool(value.id)
