"""CRMs, classifiers and bots, who are asked: 601 to 605, 701 to 704, 801 to 807."""

from __future__ import annotations

from typing import Any

import msgspec
import trio

from centralita.messages import Customer
from centralita.protocols import BotTurn, Classification, PastContact
from centralita.views import ContactView
from tests.kit.broken.registry import breaks
from tests.kit.good import GoodBot, GoodClassifier, GoodCrm


@breaks(601, "crms")
class Proud(GoodCrm):
    """Has no word for nobody."""

    async def find_customer(self, contact: ContactView) -> Customer | None:
        found = await super().find_customer(contact)
        if found is None:
            raise LookupError("never heard of them")
        return found


@breaks(602, "crms")
class Loosely(GoodCrm):
    """Answers with what it has in the drawer."""

    async def find_customer(self, contact: ContactView) -> Any:
        found = await super().find_customer(contact)
        return found and {"id": found.id}


@breaks(603, "crms")
class Chronicle(GoodCrm):
    """Begins at the beginning."""

    async def history(self, customer: Customer | None, *, handle: str, limit: int) -> list[PastContact]:
        return (await super().history(customer, handle=handle, limit=limit))[::-1]


@breaks(604, "crms")
class Speechless(GoodCrm):
    """Has nothing to say of strangers."""

    async def history(self, customer: Customer | None, *, handle: str, limit: int) -> list[PastContact]:
        return await super().history(customer, handle=handle, limit=limit) or None  # type: ignore[return-value]


@breaks(605, "crms")
class StubbornCrm(GoodCrm):
    """Looks to the end of the drawer."""

    async def history(self, customer: Customer | None, *, handle: str, limit: int) -> list[PastContact]:
        if handle == "x":
            with trio.CancelScope(shield=True):
                await trio.sleep(6)
        return await super().history(customer, handle=handle, limit=limit)


@breaks(701, "classifiers")
class Vague(GoodClassifier):
    """Says it in a word."""

    async def classify(self, contact: ContactView) -> Any:
        found = await super().classify(contact)
        return "urgent" if found else None


@breaks(702, "classifiers")
class Fanciful(GoodClassifier):
    """Sends people to a queue that nobody has."""

    async def classify(self, contact: ContactView) -> Classification | None:
        found = await super().classify(contact)
        return Classification(queue="vip") if found else None


@breaks(703, "classifiers")
class Pondering(GoodClassifier):
    """Sleeps on it."""

    async def classify(self, contact: ContactView) -> Classification | None:
        await trio.sleep(3)
        return await super().classify(contact)


@breaks(704, "classifiers")
class StubbornClassifier(GoodClassifier):
    """Thinks a thought to its end, when it has begun."""

    async def classify(self, contact: ContactView) -> Classification | None:
        try:
            return await super().classify(contact)
        except trio.Cancelled:
            with trio.CancelScope(shield=True):
                await trio.sleep(6)
            raise


@breaks(801, "bots")
class Shy(GoodBot):
    """Does not speak first."""

    async def turn(self, contact: ContactView, message: str | None) -> Any:
        return None if message is None else await super().turn(contact, message)


@breaks(802, "bots")
class Literal(GoodBot):
    """Needs a word to go on."""

    async def turn(self, contact: ContactView, message: str | None) -> BotTurn:
        if message is not None and not message.split()[0]:
            raise AssertionError
        return await super().turn(contact, message)


@breaks(803, "bots")
class Misspelt(GoodBot):
    """Hands over under a name of its own."""

    async def turn(self, contact: ContactView, message: str | None) -> BotTurn:
        found = await super().turn(contact, message)
        return BotTurn(then="handover") if found.then == "hand_over" else found  # type: ignore[arg-type]


@breaks(804, "bots")
class Talkative(GoodBot):
    """Has a lot to say."""

    async def turn(self, contact: ContactView, message: str | None) -> BotTurn:
        found = await super().turn(contact, message)
        return msgspec.structs.replace(found, texts=("and",) * 21)


@breaks(805, "bots")
class Lofty(GoodBot):
    """Hands over to a skill that nobody has."""

    async def turn(self, contact: ContactView, message: str | None) -> BotTurn:
        found = await super().turn(contact, message)
        return msgspec.structs.replace(found, skills={"sorcery": 10}) if found.then == "hand_over" else found


@breaks(806, "bots")
class Counting(GoodBot):
    """Counts the questions of its life."""

    asked_n = 0

    async def turn(self, contact: ContactView, message: str | None) -> BotTurn:
        self.asked_n += 1
        found = await super().turn(contact, message)
        return msgspec.structs.replace(found, summary=f"question {self.asked_n}")


@breaks(807, "bots")
class StubbornBot(GoodBot):
    """Says what it was about to say."""

    async def turn(self, contact: ContactView, message: str | None) -> BotTurn:
        try:
            return await super().turn(contact, message)
        except trio.Cancelled:
            with trio.CancelScope(shield=True):
                await trio.sleep(6)
            raise
