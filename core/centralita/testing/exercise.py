"""A little of everything that an engine asks of a component, for checks that watch how and not what.

What the component answers or raises is not looked at: other checks do.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any, Final

import trio

from centralita.messages import AdmitContact, MessagePosted
from centralita.protocols import Announcement, Outgoing, Signal
from centralita.testing import samples
from centralita.testing.checks import CheckSkipped
from centralita.testing.drivers import ChannelDriver, DeskDriver
from centralita.testing.house import ANA, IN, House
from centralita.views import ContactView

NOBODY: Final = "kit nobody"
CONTACT: Final = 999_999_999
OFFER: Final = 999_999_998

CHANNEL_CALLS: Final = ("send", "announce", "connect", "disconnect", "hold", "join", "part", "signal")
DESK_CALLS: Final = ("offer", "withdraw", "update", "signal")


def outgoing(contact: int, provider_id: str, number: int, text: str) -> Outgoing:
    """Something that Ana writes to a customer."""
    return Outgoing(
        contact=contact,
        provider_id=provider_id,
        number=number,
        author="agent",
        author_id=ANA,
        author_title="Ana",
        text=text,
    )


def stranger(house: House) -> ContactView:
    """A contact of the component's channel whose customer nobody knows."""
    history = samples.History(samples.config(channels={house.name: {"type": "program", "medium": "chat"}}))
    contact = history.admit(NOBODY, channel=house.name, handle=NOBODY)
    return history.view(contact)


async def call_channel(house: House, method: str, provider_id: str = NOBODY, contact: int = CONTACT) -> Any:
    """Call one method of a channel, about a contact that it need not know."""
    limit_s = house.bench.limits.channel_call_s
    match method:
        case "send":
            arguments: tuple[Any, ...] = (outgoing(contact, provider_id, 1, samples.TEXTS[1]),)
            named: dict[str, Any] = {}
        case "announce":
            arguments = (
                Announcement(contact=contact, provider_id=provider_id, position=2, low_s=10, high_s=60),
            )
            named = {}
        case "connect":
            arguments, named = (stranger(house),), {"agent": ANA, "callback_handle": ""}
        case "disconnect":
            arguments, named = (contact, provider_id), {"reason": "served"}
        case "hold":
            arguments, named = (contact, provider_id), {"on": True}
        case "signal":
            arguments = (Signal(kind="typing", contact=contact, by=ANA), provider_id)
            named = {}
        case _:
            arguments, named = (contact, provider_id), {"agent": ANA}
    return await house.call(method, *arguments, limit_s=limit_s, **named)


async def call_desk(house: House, method: str, agent: str = ANA) -> Any:
    """Call one method of a desk, about an agent who need not be there."""
    limit_s = house.bench.limits.desk_call_s
    match method:
        case "offer":
            expires_ns = house.bench.clock.now_ns() + 60_000_000_000
            named: dict[str, Any] = {"offer": OFFER, "expires_ns": expires_ns}
            arguments: tuple[Any, ...] = (agent, stranger(house))
        case "withdraw":
            arguments, named = (agent, CONTACT), {"offer": OFFER, "reason": "expired"}
        case "update":
            view = house.switchboard.agent(agent)
            arguments, named = (view, [stranger(house)]), {}
        case _:
            arguments, named = (agent, Signal(kind="typing", contact=CONTACT, by="customer")), {}
    return await house.call(method, *arguments, limit_s=limit_s, **named)


async def exercise(house: House) -> None:
    """Ask of the component what its kind is asked."""
    act = _ACTS.get(house.bench.subject.kind)
    if act is not None:
        await _whatever(act, house)
    await house.quiet()


async def _channel(house: House) -> None:
    for method in CHANNEL_CALLS:
        await _whatever(call_channel, house, method)
    try:
        driver: ChannelDriver = house.bench.driver(ChannelDriver)
    except CheckSkipped:
        return
    customer = await driver.arrive(house, "Hello?")
    admitted = await house.until(house.admitted, "nobody was admitted")
    contact = admitted[-1].contact
    await house.serve(contact)
    if driver.words:
        await customer.say(samples.TEXTS[1])
        await house.agent_says(contact, samples.TEXTS[1])
        await house.until(lambda: len(house.events(MessagePosted, contact=contact)) > 1, "nothing was said")
    await house.quiet()
    await customer.leave()


async def _desk(house: House) -> None:
    for method in DESK_CALLS:
        await _whatever(call_desk, house, method)
    try:
        driver: DeskDriver = house.bench.driver(DeskDriver)
    except CheckSkipped:
        return
    seat = await driver.sit(house, ANA)
    await admit(house, "exercise")
    await house.until(lambda: seat.offers, "no offer was shown")
    await seat.answer(*seat.offers[0], accept=True)
    await house.quiet()
    await seat.leave()


async def admit(house: House, provider_id: str, words: str = "") -> int:
    """A contact for an agent at a desk that is checked: the driver's, or one on the kit's own channel."""
    driver = house.bench.subject.driver
    if isinstance(driver, DeskDriver) and (contact := await driver.bring(house, words)):
        return contact
    outcome = await house.submit(AdmitContact(channel=IN, provider_id=provider_id, text=words))
    return outcome.contact


async def _follower(house: House) -> None:
    records = samples.plain_records()
    await _whatever(_ask, house, "position")
    for start in range(0, len(records), 50):
        await _whatever(_ask, house, "write", records[start : start + 50])


async def _crm(house: House) -> None:
    await _follower(house)
    await _whatever(_ask, house, "find_customer", stranger(house))
    await _whatever(_ask, house, "history", None, handle="+34600000001", limit=10)


async def _classifier(house: House) -> None:
    await _whatever(_ask, house, "classify", stranger(house))


async def _bot(house: House) -> None:
    for words in (None, *samples.TEXTS):
        await _whatever(_ask, house, "turn", stranger(house), words)


async def _ask(house: House, method: str, *arguments: Any, **named: Any) -> Any:
    return await house.call(method, *arguments, limit_s=house.bench.limits.write_s, **named)


async def _whatever(call: Callable[..., Awaitable[Any]], *arguments: Any, **named: Any) -> None:
    try:
        await call(*arguments, **named)
    except Exception:  # noqa: BLE001 - what it answers is other checks' business
        pass
    await trio.lowlevel.checkpoint()


_ACTS: Final[dict[str, Callable[[House], Awaitable[None]]]] = {
    "channels": _channel,
    "desks": _desk,
    "kpi_sinks": _follower,
    "crms": _crm,
    "classifiers": _classifier,
    "bots": _bot,
}
