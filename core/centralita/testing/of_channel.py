"""Checks 301 to 319: a channel brings customers in, carries words both ways, and knows who is still there.

From 306 on a driver plays the customers (`drivers.ChannelDriver`), and the engine is a real one.
"""

from __future__ import annotations

from typing import Final

from centralita.config import DEFAULT_MEDIA
from centralita.messages import AdmitContact, EndContact, MessagePosted, PostMessage
from centralita.protocols import Announcement, Capabilities, Outgoing, Signal
from centralita.testing import samples
from centralita.testing.bench import Bench
from centralita.testing.checks import CheckInapplicable, check, fail, said
from centralita.testing.drivers import ChannelDriver, Customer
from centralita.testing.exercise import CHANNEL_CALLS, call_channel
from centralita.testing.house import ANA, House
from centralita.testing.lingering import lets_go_when_cancelled

KINDS: Final = ("channels",)
RUNS: Final = (201, 202, 203, 301)
ARRIVES: Final = (*RUNS, 306)
CONNECTS: Final = (*ARRIVES, 310)


@check(301, "Its medium is one that the engine knows", kinds=KINDS)
async def medium_is_known(bench: Bench) -> None:
    """One of the engine's own, or one that the given configuration has."""
    capabilities: Capabilities = bench.make().capabilities
    known = {*DEFAULT_MEDIA, *(bench.subject.base or {}).get("media", {})}
    if capabilities.medium not in known:
        fail(f"capabilities.medium was {capabilities.medium!r}; known: {', '.join(sorted(known))}")


@check(
    302, "At its start it says which contacts are alive, and those that vanished end", kinds=KINDS, needs=RUNS
)
async def reconciles(bench: Bench) -> None:
    """A contact that nobody can reach any more is over within moments of a start."""
    async with bench.house() as house:
        outcome = await house.submit(AdmitContact(channel=house.name, provider_id="kit vanished"))
        async with house.life():
            await house.until(
                lambda: not house.phase(outcome.contact),
                "a contact that the channel has never seen is still alive after a start: submit "
                "ReconcileChannel(channel=…, alive=…) before task_status.started()",
            )


@check(303, "A goodbye to a customer who is not there is no fault", kinds=KINDS, needs=RUNS)
async def goodbye_twice(bench: Bench) -> None:
    """`disconnect` comes again after a crash, and finds nothing left to do."""
    async with bench.house() as house, house.life():
        for _ in range(2):
            try:
                await call_channel(house, "disconnect")
            except Exception as error:  # noqa: BLE001 - the claim
                fail(f"disconnect of a customer who is not there raised {said(error)}")


@check(304, "It connects nobody who is not there", kinds=KINDS, needs=RUNS)
async def connects_nobody(bench: Bench) -> None:
    """False, or an error; True would put an agent before an empty chair."""
    async with bench.house() as house, house.life():
        try:
            answer = await call_channel(house, "connect")
        except Exception:  # noqa: BLE001 - a fault on its own side: the contact goes back to its place
            return
        if answer is not False and answer is not None:
            fail(f"connect of a customer who is not there returned {answer!r}; must be False, or raise")


@check(305, "A call that is cancelled lets go at once", kinds=KINDS, needs=RUNS)
async def cancelled_calls(bench: Bench) -> None:
    """A call that has passed its limit is cancelled; it must not hold up those behind it."""
    async with bench.house() as house, house.life():
        for method in CHANNEL_CALLS:
            await lets_go_when_cancelled(house, method, call_channel)


@check(306, "A customer who comes is admitted, with the first words", kinds=KINDS, needs=RUNS)
async def admits(bench: Bench) -> None:
    """`AdmitContact` with the channel's name and an id that is the provider's own."""
    async with bench.house() as house, house.life():
        driver: ChannelDriver = bench.driver(ChannelDriver)
        _, contact = await arrive(house, driver, samples.TEXTS[1])
        if driver.words:
            await house.until(
                lambda: _said(house, contact),
                "the first words of the customer did not reach the engine",
            )
            if (words := _said(house, contact)[0]) != samples.TEXTS[1]:
                fail(f"the customer's first words were {samples.TEXTS[1]!r}; the engine got {words!r}")


@check(307, "Every customer is a contact of their own", kinds=KINDS, needs=ARRIVES)
async def admits_each(bench: Bench) -> None:
    """Two customers have two provider ids."""
    async with bench.house() as house, house.life():
        driver: ChannelDriver = bench.driver(ChannelDriver)
        await arrive(house, driver, "Hello, this is the first.")
        await driver.arrive(house, "Hello, this is the second.")
        await house.until(
            lambda: len(house.admitted()) > 1,
            "a second customer is no contact: AdmitContact repeats by provider_id, which must be unique",
        )


@check(308, "What a customer says arrives unchanged, in order, once", kinds=KINDS, needs=ARRIVES)
async def hears(bench: Bench) -> None:
    """Any signs, and as long as the channel allows."""
    async with bench.house() as house, house.life():
        driver = _with_words(bench)
        customer, contact = await arrive(house, driver, "Hello.")
        texts = [*samples.TEXTS[1:], samples.LONG[: driver.text_chars_max].strip()]
        for text in texts:
            await customer.say(text)
        await house.until(
            lambda: len([one for one in _said(house, contact) if one in texts]) >= len(texts),
            lambda: (
                f"of {len(texts)} messages these reached the engine unchanged: "
                f"{[one[:40] for one in _said(house, contact)]}"
            ),
        )
        await house.quiet()
        arrived = [one for one in _said(house, contact) if one != "Hello."]
        if arrived != texts:
            fail(f"said, in this order: {_short(texts)}; arrived: {_short(arrived)}")


@check(309, "What a customer says has an id of its own", kinds=KINDS, needs=(*ARRIVES, 308))
async def names_messages(bench: Bench) -> None:
    """`message_id`: handed in again after a crash, the same words are there once."""
    async with bench.house() as house, house.life():
        driver = _with_words(bench)
        customer, contact = await arrive(house, driver, "Hello.")
        for text in ("one", "two", "two"):
            await customer.say(text)
        await house.until(
            lambda: len([one for one in _said(house, contact) if one in ("one", "two")]) >= 2,
            "what the customer said did not reach the engine",
        )
        await house.quiet()
        commands = [record.command for record in house.records]
        ids = [one.message_id for one in commands if isinstance(one, PostMessage) and one.contact == contact]
        if not all(ids):
            fail("PostMessage came without a message_id: a repetition would be said twice")
        if _said(house, contact).count("two") != 2:
            fail("the same words said twice arrived once: message_id must tell messages apart, not words")


@check(310, "It brings a customer who is there and an agent together", kinds=KINDS, needs=ARRIVES)
async def connects(bench: Bench) -> None:
    """`connect` returns True."""
    async with bench.house() as house, house.life():
        driver: ChannelDriver = bench.driver(ChannelDriver)
        _, contact = await arrive(house, driver, "Hello?")
        await house.serve(contact)


@check(311, "What is said to a customer is delivered unchanged, in order", kinds=KINDS, needs=CONNECTS)
async def delivers(bench: Bench) -> None:
    """Any signs, and as long as the channel allows."""
    async with bench.house() as house, house.life():
        driver = _with_words(bench)
        customer, contact = await arrive(house, driver, "Hello?")
        await house.serve(contact)
        texts = [*samples.TEXTS, samples.LONG[: driver.text_chars_max].strip()]
        for text in texts:
            await house.agent_says(contact, text)
        await _heard(house, customer, texts)


@check(
    312, "A message that comes again with its number is delivered once", kinds=KINDS, needs=(*CONNECTS, 311)
)
async def delivers_once(bench: Bench) -> None:
    """After a crash the engine says again what it does not know to be delivered."""
    async with bench.house() as house, house.life():
        driver = _with_words(bench)
        customer, contact = await arrive(house, driver, "Hello?")
        await house.serve(contact)
        await house.agent_says(contact, "once")
        await _heard(house, customer, ["once"])
        message = await _sent(house)
        for _ in range(2):
            await _repeat(house, message)
        await house.quiet()
        if (times := customer.heard.count("once")) != 1:
            fail(f"message {message.number}, sent again with its number, reached the customer {times} times")


@check(313, "Every customer hears only what is said to them", kinds=KINDS, needs=(*CONNECTS, 307, 311))
async def keeps_customers_apart(bench: Bench) -> None:
    """Two conversations side by side."""
    async with bench.house() as house, house.life():
        driver = _with_words(bench)
        first, one = await arrive(house, driver, "Hello, this is the first.")
        await house.serve(one)
        second, other = await arrive(house, driver, "Hello, this is the second.")
        await house.serve(other)
        await house.agent_says(one, "for the first")
        await house.agent_says(other, "for the second")
        await _heard(house, first, ["for the first"])
        await _heard(house, second, ["for the second"])
        await house.quiet()
        if "for the second" in first.heard or "for the first" in second.heard:
            fail("a customer heard what was said to another")


@check(314, "What it says that it can do, it does", kinds=KINDS, needs=CONNECTS)
async def is_capable(bench: Bench) -> None:
    """With a customer who is there, none of the calls that its capabilities allow raises."""
    async with bench.house() as house, house.life():
        driver: ChannelDriver = bench.driver(ChannelDriver)
        _, contact = await arrive(house, driver, "Hello?")
        await house.serve(contact)
        view = house.contact(contact)
        assert view is not None
        where = (contact, view.provider_id)
        can: Capabilities = house.component.capabilities
        limit_s = bench.limits.channel_call_s
        calls: list[tuple[str, bool, tuple[object, ...], dict[str, object]]] = [
            ("hold", can.hold, where, {"on": True}),
            ("hold", can.hold, where, {"on": False}),
            ("join", True, where, {"agent": "kit_luis"}),
            ("part", True, where, {"agent": "kit_luis"}),
            ("signal", can.typing, (Signal(kind="typing", contact=contact, by=ANA), where[1]), {}),
            (
                "announce",
                can.announce,
                (Announcement(contact=contact, provider_id=where[1], position=2, low_s=-1, high_s=-1),),
                {},
            ),
        ]
        for method, able, arguments, named in calls:
            if able:
                try:
                    await house.call(method, *arguments, limit_s=limit_s, **named)
                except Exception as error:  # noqa: BLE001 - the claim
                    fail(f"{method} of a customer who is there raised {said(error)}")


@check(315, "A customer who goes is over", kinds=KINDS, needs=ARRIVES)
async def lets_customers_go(bench: Bench) -> None:
    """`AbandonContact` or `EndContact`; nobody is offered to an agent who has left."""
    async with bench.house() as house, house.life():
        driver: ChannelDriver = bench.driver(ChannelDriver)
        customer, contact = await arrive(house, driver, "Hello?")
        await customer.leave()
        await house.until(lambda: not house.phase(contact), "the customer has left, and the contact lives on")


@check(316, "A customer is told that it is over", kinds=KINDS, needs=CONNECTS)
async def says_goodbye(bench: Bench) -> None:
    """`disconnect` reaches the customer's side."""
    async with bench.house() as house, house.life():
        driver: ChannelDriver = bench.driver(ChannelDriver)
        customer, contact = await arrive(house, driver, "Hello?")
        await house.serve(contact)
        await house.submit(EndContact(contact=contact, by=ANA))
        await house.until(
            lambda: customer.over, "the agent has ended the contact, and the customer was not told"
        )


@check(317, "After a restart every contact is alive, or over", kinds=KINDS, needs=(*CONNECTS, 302, 308, 315))
async def survives_or_ends(bench: Bench) -> None:
    """Nobody is left in between: the customer still speaks in the contact, or leaves it; or it has ended."""
    driver: ChannelDriver = bench.driver(ChannelDriver)
    async with bench.house() as house, house.life():
        customer, contact = await arrive(house, driver, "Hello?")
        await house.serve(contact)
    async with bench.house() as house, house.life():
        await customer.resume(house)
        await house.quiet()
        if not house.phase(contact):
            return
        if driver.words:
            await customer.say("still here")
            await house.until(
                lambda: not house.phase(contact) or "still here" in _said(house, contact),
                "after a restart the channel says that the contact is alive, but its customer is not heard in it",
            )
        else:
            await customer.leave()
            await house.until(
                lambda: not house.phase(contact),
                "after a restart the channel says that the contact is alive, but its customer can't leave it",
            )


@check(318, "After a restart nothing is delivered twice", kinds=KINDS, needs=(*CONNECTS, 312, 317))
async def delivers_once_over_restarts(bench: Bench) -> None:
    """The number of the last message delivered outlives the process, as the contact does."""
    async with bench.house() as house, house.life():
        driver = _with_words(bench)
        customer, contact = await arrive(house, driver, "Hello?")
        await house.serve(contact)
        await house.agent_says(contact, "once")
        await _heard(house, customer, ["once"])
        message = await _sent(house)
    async with bench.house() as house, house.life():
        await customer.resume(house)
        await house.quiet()
        if not house.phase(contact):
            raise CheckInapplicable("its contacts end with the process")
        await _repeat(house, message)
        await house.quiet()
        if (times := customer.heard.count("once")) != 1:
            fail(f"message {message.number}, sent again after a restart, reached the customer {times} times")


@check(319, "A file reaches the customer", kinds=KINDS, needs=CONNECTS)
async def carries_files(bench: Bench) -> None:
    """Only with `capabilities.attach`, and a driver that can make a file."""
    async with bench.house() as house, house.life():
        can: Capabilities = house.component.capabilities
        if not can.attach:
            raise CheckInapplicable("capabilities.attach is false")
        driver: ChannelDriver = bench.driver(ChannelDriver)
        customer, contact = await arrive(house, driver, "Hello?")
        await house.serve(contact)
        file = await driver.attach(house, customer)
        if file is None:
            raise CheckInapplicable("the driver makes no file")
        await house.agent_says(contact, "", attachments=(file,))
        await house.until(
            lambda: file.name in customer.files, f"the file {file.name!r} did not reach the customer"
        )


async def arrive(house: House, driver: ChannelDriver, words: str) -> tuple[Customer, int]:
    """A customer and the contact that has been admitted for them."""
    before = len(house.admitted())
    customer = await driver.arrive(house, words)
    await house.until(lambda: len(house.admitted()) > before, "a customer has come, and nobody was admitted")
    admitted = house.admitted()[-1]
    if not admitted.provider_id:
        fail("AdmitContact came without a provider_id; a repetition would be a second contact")
    return customer, admitted.contact


def _with_words(bench: Bench) -> ChannelDriver:
    driver: ChannelDriver = bench.driver(ChannelDriver)
    if not driver.words:
        raise CheckInapplicable("its customers do not write")
    return driver


def _said(house: House, contact: int) -> list[str]:
    posted = house.events(MessagePosted, contact=contact)
    return [one.text for one in posted if one.author == "customer" and one.text]


async def _heard(house: House, customer: Customer, texts: list[str]) -> None:
    def heard() -> list[str]:
        return [text for text in customer.heard if text in texts]

    await house.until(
        lambda: len(heard()) >= len(texts),
        f"of {len(texts)} messages to the customer not all were delivered unchanged",
    )
    if heard()[: len(texts)] != texts:
        fail(f"said, in this order: {_short(texts)}; delivered: {_short(heard())}")


async def _sent(house: House) -> Outgoing:
    """What the engine had the channel send last."""
    calls = await house.until(lambda: house.calls_of("send"), "send was not called")
    await house.until(lambda: calls[-1].done, "send has not returned")
    message: Outgoing = calls[-1].arguments[0]
    return message


async def _repeat(house: House, message: Outgoing) -> None:
    try:
        await house.call("send", message, limit_s=house.bench.limits.channel_call_s)
    except Exception as error:  # noqa: BLE001 - the claim
        fail(f"message {message.number}, sent again with its number, raised {said(error)}")


def _short(texts: list[str]) -> list[str]:
    return [text if len(text) < 40 else f"{text[:30]}… ({len(text)} characters)" for text in texts]
