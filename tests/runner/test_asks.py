"""Asks reach the right component, in order, after durability; and what a broken component costs."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import trio
import trio.testing
from msgspec.structs import replace

from centralita import MemoryJournal
from centralita.config import loads
from centralita.errors import CustomerKept
from centralita.journal import Batch
from centralita.messages import (
    AdmitContact,
    AnswerOffer,
    ApplyConfiguration,
    Customer,
    EndContact,
    HoldContact,
    PostMessage,
    RequestCallback,
    SignOut,
    Target,
    TransferContact,
)
from centralita.protocols import BotTurn, Classification, Outgoing, PastContact, Person, Signal
from centralita.runner.switchboard import LiveSwitchboard
from tests.runner.house import CONFIG, START_NS, House, Scripted, sign_in

CRMS = '[crms.first]\ntype = "scripted"\n[crms.second]\ntype = "scripted"\n'
CLASSIFIERS = (
    '[classifiers.words]\ntype = "scripted"\n[classifiers.topics]\ntype = "scripted"\n[queues.sales]\n'
)


def accepting(desk: Any) -> None:
    desk.accepts = True


def answering(method: str, answer: Any) -> Callable[[Scripted], None]:
    async def give(*_: Any) -> Any:
        return answer

    return lambda component: component.script.update({method: give})


def failing(method: str) -> Callable[[Scripted], None]:
    async def fail(*_: Any) -> Any:
        raise RuntimeError("a customer's words")

    return lambda component: component.script.update({method: fail})


def hanging(method: str) -> Callable[[Scripted], None]:
    async def hang(*_: Any) -> Any:
        await trio.sleep_forever()

    return lambda component: component.script.update({method: hang})


async def admit(switchboard: LiveSwitchboard, provider_id: str = "p1", channel: str = "shop") -> int:
    outcome = await switchboard.submit(AdmitContact(channel=channel, provider_id=provider_id, text="hola"))
    assert outcome.refusal is None
    return outcome.contact


def phase(switchboard: LiveSwitchboard, contact: int) -> str:
    view = switchboard.contact(contact)
    assert view is not None
    return view.phase


class SlowJournal(MemoryJournal):
    """A journal whose disk the test holds up: what is appended counts only once it is let through."""

    blocking = True

    def __init__(self) -> None:
        super().__init__()
        self.gate: trio.Event | None = None
        self.token: Any = None

    def append(self, batch: Batch, *, expected_seq: int) -> None:
        if self.gate is not None:
            trio.from_thread.run(self.gate.wait, trio_token=self.token)
        super().append(batch, expected_seq=expected_seq)


async def test_no_ask_leaves_and_no_outcome_is_told_before_its_record_is_durable(tmp_path: Path) -> None:
    journal, house = SlowJournal(), House()
    journal.token = trio.lowlevel.current_trio_token()
    async with house.open(tmp_path, CRMS, journal=journal) as switchboard:
        journal.gate = trio.Event()
        told: list[int] = []

        async def admit_and_note() -> None:
            told.append(await admit(switchboard))

        async with trio.open_nursery() as nursery:
            nursery.start_soon(admit_and_note)
            nursery.start_soon(admit_and_note)
            await trio.testing.wait_all_tasks_blocked()
            # Decided already, the repetition too; nobody has been told.
            assert switchboard.status()["live"] == 1
            assert switchboard.status()["journal_seq"] > switchboard.status()["durable_seq"]
            assert (told, house["crms.first"].of("find_customer")) == ([], [])
            journal.gate.set()
        assert told == [told[0]] * 2
        await house["crms.first"].wait_for("find_customer")


async def test_crms_are_asked_in_order_and_the_first_answer_wins(
    tmp_path: Path, autojump_clock: trio.testing.MockClock
) -> None:
    ana = Customer(id="c7", name="Ana", crm="second")
    house = House({"crms.second": answering("find_customer", ana)})
    async with house.open(tmp_path, CRMS) as switchboard:
        contact = await admit(switchboard)
        await house["crms.second"].wait_for("find_customer")
        await trio.testing.wait_all_tasks_blocked()
        view = switchboard.contact(contact)
        assert view is not None
        assert (view.customer, view.phase) == (ana, "waiting")
        assert len(house["crms.first"].of("find_customer")) == 1


@pytest.mark.parametrize(
    "broken",
    [
        failing("find_customer"),
        hanging("find_customer"),
        answering("find_customer", "Ana"),
        answering("find_customer", Customer(id=7)),  # type: ignore[arg-type]
    ],
    ids=["raises", "hangs", "answers nonsense", "answers a malformed customer"],
)
async def test_broken_crm_is_passed_over_and_the_next_one_asked(
    tmp_path: Path, autojump_clock: trio.testing.MockClock, broken: Callable[[Scripted], None]
) -> None:
    ana = Customer(id="c7", name="Ana")
    house = House({"crms.first": broken, "crms.second": answering("find_customer", ana)})
    async with house.open(tmp_path, CRMS) as switchboard:
        contact = await admit(switchboard)
        await house["crms.second"].wait_for("find_customer")
        await trio.testing.wait_all_tasks_blocked()
        view = switchboard.contact(contact)
        assert view is not None
        assert view.customer == ana


async def test_classifier_that_names_an_unknown_queue_is_passed_over(
    tmp_path: Path, autojump_clock: trio.testing.MockClock
) -> None:
    house = House(
        {
            "classifiers.words": answering("classify", Classification(queue="nowhere")),
            "classifiers.topics": answering("classify", Classification(queue="sales", priority=3)),
        }
    )
    async with house.open(tmp_path, CLASSIFIERS) as switchboard:
        contact = await admit(switchboard)
        await trio.testing.wait_all_tasks_blocked()
        view = switchboard.contact(contact)
        assert view is not None
        assert (view.queue, view.priority, view.phase) == ("sales", 3, "waiting")


BOT = '[bots.menu]\ntype = "scripted"\n'
WITH_BOT = CONFIG.replace("[channels.shop]", '[channels.shop]\nbot = "menu"')


async def test_bot_speaks_and_resolves(tmp_path: Path, autojump_clock: trio.testing.MockClock) -> None:
    async def turn(contact: int, message: str | None) -> BotTurn:
        if message == "open":
            return BotTurn(texts=("Nine to two.",), then="resolved", summary="hours")
        return BotTurn(texts=("Hello.", "What is it?"))

    house = House({"bots.menu": lambda bot: bot.script.update(turn=turn)})
    async with house.open(tmp_path, BOT, base=WITH_BOT) as switchboard:
        contact = (await switchboard.submit(AdmitContact(channel="shop", provider_id="p1"))).contact
        await house["channels.shop"].wait_for("send", 2)
        await switchboard.submit(
            PostMessage(contact=contact, author="customer", text="open", message_id="m1")
        )
        await house["channels.shop"].wait_for("disconnect")
        sent: list[Outgoing] = [call[0] for call in house["channels.shop"].of("send")]
        assert [message.text for message in sent] == ["Hello.", "What is it?", "Nine to two."]
        await trio.testing.wait_all_tasks_blocked()
        view = switchboard.contact(contact)
        assert view is not None
        assert view.outcome == "resolved_by_bot"


@pytest.mark.parametrize(
    "broken",
    [
        failing("turn"),
        answering("turn", None),
        answering("turn", BotTurn(texts=(5,))),  # type: ignore[arg-type]
        answering("turn", BotTurn(texts="Hello.")),  # type: ignore[arg-type]
        answering("turn", BotTurn(texts=("Goodbye.",), then="done")),  # type: ignore[arg-type]
    ],
    ids=["raises", "answers nothing", "says a number", "says a text for a tuple", "knows no such end"],
)
async def test_broken_bot_hands_over_to_a_person(
    tmp_path: Path,
    autojump_clock: trio.testing.MockClock,
    broken: Callable[[Scripted], None],
) -> None:
    house = House({"bots.menu": broken})
    async with house.open(tmp_path, BOT, base=WITH_BOT) as switchboard:
        contact = await admit(switchboard)
        await trio.testing.wait_all_tasks_blocked()
        assert phase(switchboard, contact) == "waiting"
        view = switchboard.contact(contact)
        assert view is not None
        assert [message.text for message in view.messages if message.author == "bot"] == []


PAST = PastContact(
    contact=7, conversation=7, channel="shop", medium="chat", subject="", queue="help", agent="ana",
    outcome="served", arrived_ns=1, ended_ns=2, disposition="", notes="", summary="",
)  # fmt: skip


@pytest.mark.parametrize(
    "answer",
    [
        None,
        PAST,
        "nothing",
        iter([PAST]),
        [{"contact": 7}],
        [replace(PAST, arrived_ns="yesterday")],
        [replace(PAST, notes="\ud800")],
        [replace(PAST, messages=({"at": object()},))],
    ],
    ids=["none", "one", "text", "iterator", "dictionary", "wrong type", "half a sign", "not for JSON"],
)
async def test_crm_with_a_broken_history_hides_no_other_crms(tmp_path: Path, answer: Any) -> None:
    house = House({"crms.first": answering("history", answer), "crms.second": answering("history", [PAST])})
    async with house.open(tmp_path, CRMS) as switchboard:
        assert await switchboard.history(None, handle="ana@example.org") == [PAST]


@pytest.mark.parametrize("method", ["find_person", "export_person"])
async def test_component_that_answers_nothing_about_a_person_is_named(tmp_path: Path, method: str) -> None:
    async def give_nothing(person: Person) -> None: ...

    give_nothing.__name__ = method

    def prepare(crm: Any) -> None:
        async def find_person(person: Person) -> Person:
            return person

        async def export_person(person: Person) -> dict[str, Any]:
            return {}

        async def erase_person(person: Person) -> int:
            return 0

        crm.find_person, crm.export_person, crm.erase_person = find_person, export_person, erase_person
        setattr(crm, method, give_nothing)

    house = House({"crms.first": prepare})
    async with house.open(tmp_path, CRMS) as switchboard:
        with pytest.raises(CustomerKept, match=rf"crms\.first: {method} gave a NoneType; must be a"):
            await switchboard.export_customer(Person(handles=("ana@example.org",)))


async def connected(house: House, switchboard: LiveSwitchboard, *, agent: str = "ana") -> int:
    await sign_in(switchboard, agent)
    contact = await admit(switchboard)
    await house["channels.shop"].wait_for("connect")
    await trio.testing.wait_all_tasks_blocked()
    assert phase(switchboard, contact) == "connected"
    return contact


async def test_messages_of_a_contact_arrive_in_order_though_some_fail_at_first(
    tmp_path: Path, autojump_clock: trio.testing.MockClock
) -> None:
    arrived: list[int] = []
    house = House({"desks.floor": accepting})
    async with house.open(tmp_path) as switchboard:
        contact = await connected(house, switchboard)
        channel = house["channels.shop"]

        async def unsteady(message: Outgoing) -> None:
            if len(channel.of("send")) % 3:
                raise ConnectionResetError
            arrived.append(message.number)

        channel.script["send"] = unsteady
        for number in range(10):
            await switchboard.submit(
                PostMessage(contact=contact, author="agent", author_id="ana", text=str(number))
            )
        with trio.fail_after(600):
            while len(arrived) < 10:
                await trio.sleep(1)
    assert arrived == sorted(arrived)


async def test_channel_that_hangs_in_one_contact_does_not_hold_up_another_nor_another_channel(
    tmp_path: Path, autojump_clock: trio.testing.MockClock
) -> None:
    house = House({"desks.floor": accepting})
    async with house.open(tmp_path, '[channels.phone]\ntype = "scripted"\n') as switchboard:
        channel = house["channels.shop"]
        await sign_in(switchboard, "ana", "bea")

        async def connect(contact: Any, agent: str, handle: str) -> bool:
            if contact.provider_id == "stuck":
                await trio.sleep_forever()
            return True

        channel.script["connect"] = connect
        stuck = await admit(switchboard, "stuck")
        await channel.wait_for("connect")
        free = await admit(switchboard, "free")
        phone = await admit(switchboard, "call", channel="phone")
        await trio.testing.wait_all_tasks_blocked()
        assert phase(switchboard, stuck) == "connecting"
        assert phase(switchboard, free) == "connected"
        assert phase(switchboard, phone) == "connected"


async def test_connection_that_fails_puts_the_contact_back_in_its_place(
    tmp_path: Path, autojump_clock: trio.testing.MockClock
) -> None:
    house = House({"channels.shop": failing("connect")})
    async with house.open(tmp_path) as switchboard:
        await sign_in(switchboard, "ana")
        contact = await admit(switchboard)
        desk = house["desks.floor"]
        _, _, offer = await desk.wait_for("offer")
        queued_ns = switchboard.contact(contact).queued_ns  # type: ignore[union-attr]
        await desk.inbox.submit(AnswerOffer(contact=contact, agent="ana", offer=offer, accept=True))
        await house["channels.shop"].wait_for("connect")
        await trio.testing.wait_all_tasks_blocked()
        view = switchboard.contact(contact)
        assert view is not None
        assert view.phase in ("waiting", "offered")
        assert view.queued_ns == queued_ns


async def test_agent_whose_desk_cannot_offer_is_lost_and_the_next_one_is_asked(
    tmp_path: Path, autojump_clock: trio.testing.MockClock
) -> None:
    house = House()
    async with house.open(tmp_path) as switchboard:
        desk = house["desks.floor"]

        async def offer(agent: str, contact: int, number: int) -> None:
            if agent == "ana":
                raise BrokenPipeError

        desk.script["offer"] = offer
        await sign_in(switchboard, "ana")
        await trio.sleep(1)
        await sign_in(switchboard, "bea")
        await admit(switchboard)
        await desk.wait_for("offer", 2)
        await trio.testing.wait_all_tasks_blocked()
        assert [call[0] for call in desk.of("offer")] == ["ana", "bea"]
        ana = switchboard.agent("ana")
        assert ana is not None
        assert ana.state == "lost"


async def test_offer_is_withdrawn_at_the_desk_of_an_agent_who_has_left(
    tmp_path: Path, autojump_clock: trio.testing.MockClock
) -> None:
    house = House()
    async with house.open(tmp_path) as switchboard:
        await sign_in(switchboard, "ana")
        contact = await admit(switchboard)
        await house["desks.floor"].wait_for("offer")
        await switchboard.submit(SignOut(agent="ana"))
        agent, withdrawn, _, _ = await house["desks.floor"].wait_for("withdraw")
        assert (agent, withdrawn) == ("ana", contact)


async def test_agent_sees_every_change_and_the_newest_state_last(
    tmp_path: Path, autojump_clock: trio.testing.MockClock
) -> None:
    house = House({"desks.floor": accepting})
    async with house.open(tmp_path) as switchboard:
        contact = await connected(house, switchboard)
        desk = house["desks.floor"]
        slow = trio.Event()

        async def update(*_: Any) -> None:
            await slow.wait()

        desk.script["update"] = update
        before = len(desk.of("update"))
        for number in range(50):
            await switchboard.submit(PostMessage(contact=contact, author="customer", text=str(number)))
        slow.set()
        await trio.testing.wait_all_tasks_blocked()
        updates = desk.of("update")[before:]
        # Gathered while the desk was slow: the first, then one with everything.
        assert len(updates) <= 3
        assert updates[-1][1][0].messages[-1].text == "49"


async def test_hold_and_signals_reach_channel_and_desk(
    tmp_path: Path, autojump_clock: trio.testing.MockClock
) -> None:
    house = House({"desks.floor": accepting})
    async with house.open(tmp_path) as switchboard:
        contact = await connected(house, switchboard)
        switchboard.signal(Signal(kind="typing", contact=contact, by="customer"))
        switchboard.signal(Signal(kind="typing", contact=contact, by="ana"))
        await switchboard.submit(HoldContact(contact=contact, agent="ana"))
        assert await house["channels.shop"].wait_for("hold") == (contact, True)
        assert (await house["desks.floor"].wait_for("signal"))[1].by == "customer"
        assert (await house["channels.shop"].wait_for("signal"))[0].by == "ana"
        assert len(house["desks.floor"].of("signal")) == 1


async def test_handing_on_that_fails_is_tried_again_before_the_goodbye(
    tmp_path: Path, autojump_clock: trio.testing.MockClock
) -> None:
    house = House({"desks.floor": accepting})
    async with house.open(tmp_path) as switchboard:
        contact = await connected(house, switchboard)
        channel = house["channels.shop"]

        async def forward(*_: Any) -> None:
            assert channel.of("disconnect") == []
            if len(channel.of("forward")) < 3:
                raise RuntimeError("no line just now")

        channel.script["forward"] = forward
        target = Target(number="+34600111222")
        await switchboard.submit(TransferContact(contact=contact, agent="ana", target=target))
        await channel.wait_for("disconnect")
        assert channel.of("forward") == [(contact, "+34600111222")] * 3


async def test_goodbye_interrupts_a_connection_being_made(
    tmp_path: Path, autojump_clock: trio.testing.MockClock
) -> None:
    house = House({"desks.floor": accepting, "channels.shop": hanging("connect")})
    async with house.open(tmp_path) as switchboard:
        await sign_in(switchboard, "ana")
        contact = await admit(switchboard)
        await house["channels.shop"].wait_for("connect")
        began = trio.current_time()
        await switchboard.submit(EndContact(contact=contact, by="supervisor"))
        await house["channels.shop"].wait_for("disconnect")
        assert trio.current_time() == began


async def test_callback_is_reached_on_its_own_handle(
    tmp_path: Path, autojump_clock: trio.testing.MockClock
) -> None:
    house = House({"desks.floor": accepting})
    async with house.open(tmp_path) as switchboard:
        contact = await admit(switchboard)
        outcome = await switchboard.submit(RequestCallback(contact=contact, handle="+34600000000"))
        assert outcome.refusal is None
        await sign_in(switchboard, "ana")
        _, agent, handle = await house["channels.shop"].wait_for("connect")
        assert (agent, handle) == ("ana", "+34600000000")


async def test_what_was_said_before_the_stop_goes_out_before_what_is_said_after(
    tmp_path: Path, autojump_clock: trio.testing.MockClock
) -> None:
    journal, house = MemoryJournal(), House({"desks.floor": accepting})
    async with house.open(tmp_path, journal=journal) as switchboard:
        contact = await connected(house, switchboard)
        for text in ("one", "two"):
            await switchboard.submit(PostMessage(contact=contact, author="agent", author_id="ana", text=text))

    async def greet(inbox: Any) -> None:
        # The channel's first act on coming back, before the start is over.
        await inbox.submit(PostMessage(contact=contact, author="agent", author_id="ana", text="three"))
        await trio.sleep_forever()

    again = House({"channels.shop": lambda channel: channel.script.update(run=greet)})
    async with again.open(tmp_path, journal=journal, start_ns=START_NS + 10**9):
        await again["channels.shop"].wait_for("send", 3)
        assert [call[0].text for call in again["channels.shop"].of("send")] == ["one", "two", "three"]


async def test_configuration_handed_in_while_running_is_completed_or_refused_whole(
    tmp_path: Path, autojump_clock: trio.testing.MockClock
) -> None:
    house = House()
    async with house.open(tmp_path) as switchboard:
        before = switchboard.configuration().engine
        for extra, words in (
            ('[queues.night]\nhours = "nights"\n', "queues.night.hours was 'nights'; known: none"),
            ('[channels.phone]\ntype = "scripted"\n', "channels.phone: not among the running channels: shop"),
        ):
            told = loads(CONFIG + '[hours.nights]\ntime_zone = "UTC"\n' + extra).engine
            outcome = await house["channels.shop"].inbox.submit(ApplyConfiguration(config=told))
            assert outcome.refusal is not None
            assert (outcome.refusal.code, outcome.refusal.message) == ("bad_configuration", words)
        assert switchboard.configuration().engine == before
        told = loads(CONFIG + "[queues.more]\n").engine
        outcome = await house["channels.shop"].inbox.submit(ApplyConfiguration(config=told))
        assert outcome.refusal is None
        assert switchboard.configuration().engine.channels["shop"].medium == "chat"
