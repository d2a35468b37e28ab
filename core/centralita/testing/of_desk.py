"""Checks 401 to 413: a desk shows offers to agents and carries their answers and words back.

From 403 on a driver plays the agents (`drivers.DeskDriver`), and the engine is a real one.
"""

from __future__ import annotations

from typing import Final

from centralita.messages import (
    AbandonContact,
    AnswerOffer,
    LoseAgent,
    MessagePosted,
    PostMessage,
    SignIn,
    SignOut,
)
from centralita.testing import samples
from centralita.testing.bench import Bench
from centralita.testing.checks import CheckInapplicable, check, fail, said
from centralita.testing.drivers import DeskDriver, Seat
from centralita.testing.exercise import DESK_CALLS, admit, call_desk
from centralita.testing.house import ANA, LUIS, House
from centralita.testing.lingering import lets_go_when_cancelled

KINDS: Final = ("desks",)
RUNS: Final = (201, 202, 203)
SITS: Final = (*RUNS, 403)
OFFERS: Final = (*SITS, 405)
ANSWERS: Final = (*OFFERS, 407)


@check(401, "An offer for an agent who is not there raises", kinds=KINDS, needs=RUNS)
async def refuses_the_absent(bench: Bench) -> None:
    """The agent then counts as lost, and the offer goes on to the next; silence would cost the offer's time."""
    async with bench.house() as house, house.life():
        try:
            answer = await call_desk(house, "offer")
        except Exception:  # noqa: BLE001 - the claim
            return
        fail(f"offer to an agent who is not there returned {answer!r}; must raise")


@check(402, "A call that is cancelled lets go at once", kinds=KINDS, needs=RUNS)
async def cancelled_calls(bench: Bench) -> None:
    """A call that has passed its limit is cancelled; it must not hold up those behind it."""
    async with bench.house() as house, house.life():
        for method in DESK_CALLS:
            await lets_go_when_cancelled(house, method, call_desk)


@check(403, "An agent who comes is signed in at this desk", kinds=KINDS, needs=RUNS)
async def signs_in(bench: Bench) -> None:
    """`SignIn(agent=…, desk=NAME)`."""
    async with bench.house() as house, house.life():
        await sit(house, ANA)


@check(404, "An agent whose connection breaks is lost, not forgotten", kinds=KINDS, needs=SITS)
async def loses(bench: Bench) -> None:
    """`LoseAgent(agent=…, desk=NAME)`, or `SignOut` for one who has said goodbye."""
    async with bench.house() as house, house.life():
        seat = await sit(house, ANA)
        await seat.leave()

        def gone() -> bool:
            return any(
                (isinstance(one, LoseAgent) and one.agent == ANA and one.desk == house.name)
                or (isinstance(one, SignOut) and one.agent == ANA)
                for one in (record.command for record in house.records)
            )

        await house.until(gone, "the agent has gone, and the desk said neither LoseAgent nor SignOut")


@check(405, "An offer is shown to the agent it is for", kinds=KINDS, needs=SITS)
async def shows_offers(bench: Bench) -> None:
    """With the contact's number and its own."""
    async with bench.house() as house, house.life():
        seat = await sit(house, ANA)
        contact = await admit(house, "kit offer", "Hello?")
        await house.until(lambda: seat.offers, "the agent was shown no offer")
        view = house.contact(contact)
        works = view.works if view is not None else ()
        offer = next((work.offer for work in works if work.agent == ANA), 0)
        if seat.offers[0] != (contact, offer):
            fail(f"the offer was {offer} of contact {contact}; shown (contact, offer): {seat.offers[0]}")


@check(406, "Passing on an offer does not wait for the answer", kinds=KINDS, needs=OFFERS)
async def passes_on(bench: Bench) -> None:
    """`offer` returns within its limit, whatever the agent does."""
    async with bench.house() as house, house.life():
        seat = await sit(house, ANA)
        await admit(house, "kit offer")
        await house.until(lambda: seat.offers, "the agent was shown no offer")
        call = house.calls_of("offer")[0]
        await house.until(
            lambda: call.done,
            "offer has not returned although the agent sees it: it must not wait for the answer",
        )


@check(407, "An agent's yes reaches the engine", kinds=KINDS, needs=OFFERS)
async def accepts(bench: Bench) -> None:
    """`AnswerOffer` with the offer's number and `accept`."""
    await _answers(bench, accept=True)


@check(408, "An agent's no reaches the engine", kinds=KINDS, needs=OFFERS)
async def declines(bench: Bench) -> None:
    """`AnswerOffer` with the offer's number and not `accept`."""
    await _answers(bench, accept=False)


@check(409, "An offer that comes again with its number is shown once", kinds=KINDS, needs=(*OFFERS, 406))
async def shows_once(bench: Bench) -> None:
    """After a crash the engine offers again what was not answered."""
    async with bench.house() as house, house.life():
        seat = await sit(house, ANA)
        await admit(house, "kit offer")
        await house.until(lambda: seat.offers, "the agent was shown no offer")
        call = house.calls_of("offer")[0]
        await house.until(lambda: call.done, "offer has not returned")
        try:
            await house.call("offer", *call.arguments, limit_s=bench.limits.desk_call_s, **call.named)
        except Exception as error:  # noqa: BLE001 - the claim
            fail(f"the offer, made again with its number, raised {said(error)}")
        await house.quiet()
        if len(seat.offers) != 1:
            fail(f"the offer, made again with its number, is shown {len(seat.offers)} times")


@check(410, "An offer that is taken back disappears", kinds=KINDS, needs=(*OFFERS, 406))
async def withdraws(bench: Bench) -> None:
    """`withdraw`: the customer has left, or somebody else was quicker."""
    async with bench.house() as house, house.life():
        seat = await sit(house, ANA)
        contact = await admit(house, "kit offer")
        await house.until(lambda: seat.offers, "the agent was shown no offer")
        from_before = seat.offers[0]
        await house.submit(AbandonContact(contact=contact, reason="left"))
        await house.until(
            lambda: from_before not in seat.offers, "the customer has left, and the offer is still shown"
        )


@check(411, "An agent sees what the customer writes", kinds=KINDS, needs=ANSWERS)
async def shows_words(bench: Bench) -> None:
    """`update` with the contact's messages, unchanged."""
    async with bench.house() as house, house.life():
        _with_words(bench)
        seat = await sit(house, ANA)
        contact = await _take(house, seat)
        for number, text in enumerate(samples.TEXTS):
            await house.submit(
                PostMessage(contact=contact, author="customer", text=text, message_id=f"kit-{number}")
            )
        await house.until(
            lambda: all(text in seat.seen for text in samples.TEXTS),
            "the agent has not been shown all that the customer wrote, unchanged",
        )


@check(412, "An agent's words reach the engine as the agent's", kinds=KINDS, needs=ANSWERS)
async def carries_words(bench: Bench) -> None:
    """`PostMessage(author="agent", author_id=…)`, unchanged."""
    async with bench.house() as house, house.life():
        _with_words(bench)
        seat = await sit(house, ANA)
        contact = await _take(house, seat)
        for text in samples.TEXTS:
            await seat.say(contact, text)

        def words() -> list[tuple[str, str, str]]:
            posted = house.events(MessagePosted, contact=contact)
            return [(one.author, one.author_id, one.text) for one in posted if one.author != "customer"]

        expected = [("agent", ANA, text) for text in samples.TEXTS]
        await house.until(
            lambda: len(words()) >= len(expected), "what the agent wrote did not all reach the engine"
        )
        if words() != expected:
            fail(f"the agent wrote {expected}; the engine got {words()}")


@check(413, "An agent sees no offer of another", kinds=KINDS, needs=OFFERS)
async def keeps_agents_apart(bench: Bench) -> None:
    """Two agents at one desk."""
    async with bench.house() as house, house.life():
        seats = {ANA: await sit(house, ANA), LUIS: await sit(house, LUIS)}
        contact = await admit(house, "kit offer")
        await house.until(lambda: any(seat.offers for seat in seats.values()), "nobody was shown the offer")
        await house.quiet()
        view = house.contact(contact)
        asked = [work.agent for work in view.works] if view is not None else []
        for agent, seat in seats.items():
            if seat.offers and agent not in asked:
                fail(f"{agent} sees an offer that was made to {', '.join(asked)}")


async def sit(house: House, agent: str) -> Seat:
    """An agent at the desk, whom the engine knows to be there."""
    driver: DeskDriver = house.bench.driver(DeskDriver)
    seat = await driver.sit(house, agent)

    def there() -> bool:
        return any(
            isinstance(one, SignIn) and one.agent == agent and one.desk == house.name
            for one in (record.command for record in house.records)
        )

    await house.until(there, f"the agent is at the desk, and the engine got no SignIn(desk={house.name!r})")
    return seat


async def _take(house: House, seat: Seat) -> int:
    contact = await admit(house, "kit offer", "Hello?")
    await house.until(lambda: seat.offers, "the agent was shown no offer")
    await seat.answer(*seat.offers[0], accept=True)
    await house.until(
        lambda: house.phase(contact) == "connected", "the agent has accepted, and is not connected"
    )
    return contact


async def _answers(bench: Bench, *, accept: bool) -> None:
    async with bench.house() as house, house.life():
        seat = await sit(house, ANA)
        contact = await admit(house, "kit offer")
        await house.until(lambda: seat.offers, "the agent was shown no offer")
        shown = seat.offers[0]
        await seat.answer(*shown, accept=accept)

        def answers() -> list[AnswerOffer]:
            commands = [record.command for record in house.records]
            return [one for one in commands if isinstance(one, AnswerOffer) and one.contact == contact]

        await house.until(answers, f"the agent has said {'yes' if accept else 'no'}, and no AnswerOffer came")
        answer = answers()[0]
        if (answer.agent, answer.offer, answer.accept) != (ANA, shown[1], accept):
            fail(f"the agent answered offer {shown[1]} with {accept}; the engine got {answer}")


def _with_words(bench: Bench) -> DeskDriver:
    driver: DeskDriver = bench.driver(DeskDriver)
    if not driver.words:
        raise CheckInapplicable("its agents do not write there")
    return driver
