"""What callers hear and may do before an agent is there."""

from __future__ import annotations

import threading
from typing import Any

import msgspec
import pytest
import trio
from tools.asterisk_server import Asterisk
from tools.audio import MUSIC_HZ

import centralita
from centralita.messages import (
    CallbackRequested,
    CancelContact,
    ConnectionFailed,
    ContactConnected,
    ContactEnded,
    ContactReturned,
    MessagePosted,
    RequestCallback,
    SelfServiceStarted,
    WaitAnnounced,
)
from centralita.protocols import Announcement, BotTurn, Context, Inbox, Register
from centralita.views import ContactView
from centralita_asterisk import waiting
from centralita_asterisk.calls import Call
from centralita_asterisk.exchange import Exchange, exchange_of
from centralita_asterisk.incoming import read_words
from centralita_asterisk.mailbox import Mailbox, Note
from centralita_asterisk.settings import Phrases
from centralita_asterisk.speaking import hush, sounds_of
from centralita_asterisk.waiting import announced
from tests.voice.house import CUSTOMER_HZ, HZ, WITHIN_S, HeldJournal, House, open_house
from tests.voice.phone import Phone, Talk
from tests.voice.recorded import recording

NUMBER = "600111222"


def test_announcements_say_what_is_known_and_no_more() -> None:
    def said(position: int, high_s: float) -> tuple[str, ...]:
        about = Announcement(contact=1, provider_id="x", position=position, low_s=0, high_s=high_s)
        return announced(Phrases(), about)

    assert said(1, -1) == ("sound:queue-youarenext",)
    assert said(3, 130) == (
        "sound:queue-thereare", "number:3", "sound:queue-callswaiting", "sound:queue-holdtime", "number:2",
        "sound:queue-minutes",
    )  # fmt: skip
    assert said(-1, 10) == ("sound:queue-holdtime", "number:1", "sound:queue-minutes")
    assert said(-1, -1) == ()


@pytest.mark.parametrize(
    ("text", "sounds"),
    [
        ("sound:hello-world", ["sound:hello-world"]),
        ("sound:a, number:3", ["sound:a", "number:3"]),
        ("Welcome!", ["sound:welcome"]),
        ("Nothing for this", []),
        ("see sound:a", []),
    ],
)
def test_texts_are_spoken_where_there_is_a_sound(text: str, sounds: list[str]) -> None:
    assert sounds_of(text, {"Welcome!": "sound:welcome"}) == sounds


@pytest.mark.parametrize(
    "word", ["priority=--5", "priority=", "priority=²", "skill.x=²", "skill.x=" + "9" * 5000]
)
def test_word_of_the_dialplan_that_is_no_number_is_unread(word: str) -> None:
    read = read_words([word, "queue=sales"])
    assert (read["unread"], read["queue"], read["skills"]) == ([word], "sales", None)


async def test_place_in_line_is_said_and_the_music_comes_back(asterisk: Asterisk) -> None:
    async with open_house(asterisk, sales={"announce_every_s": 0.5}) as house:
        customer = await house.customer()
        calling = await customer.call("sales")
        await calling.hears(MUSIC_HZ)
        await house.event(WaitAnnounced)
        await calling.hears_not(MUSIC_HZ)
        await calling.hears(MUSIC_HZ)
        await calling.hang_up()


async def test_key_asks_for_a_callback_that_keeps_the_place(asterisk: Asterisk) -> None:
    async with open_house(asterisk, phone={"callback_key": "1"}) as house:
        customer, carrier = await house.customer(NUMBER), await house.carrier()
        calling = await customer.call("sales")
        await calling.hears(MUSIC_HZ)
        arrived_ns = house.only().arrived_ns
        other = await customer.call("sales")
        await house.until(lambda: len(house.switchboard.contacts(phase="waiting")) == 2)
        await calling.press("1")
        assert (await house.event(CallbackRequested)).handle == NUMBER
        with trio.fail_after(WITHIN_S):
            await calling.ended.wait()
        first = house.switchboard.contacts()[0]
        assert (first.callback_handle, first.arrived_ns) == (NUMBER, arrived_ns)
        ana = await house.phone("ana")
        ringing = await ana.rings()
        assert NUMBER in ringing.header("From")
        await ringing.answer()
        called = await carrier.rings()
        assert NUMBER in called.header("To")
        await called.answer()
        assert (await house.event(ContactConnected)).contact == first.id
        await called.hears(900)
        await ringing.hears(700)
        await called.hang_up()
        await (await ana.rings()).answer()
        await other.hears(900)
        await other.hang_up()


async def test_callback_that_is_busy_is_tried_again(asterisk: Asterisk) -> None:
    async with open_house(
        asterisk, phone={"callback_key": "1"}, sales={"callback_retry_s": 0.5, "callback_attempts": 2}
    ) as house:
        customer, carrier = await house.customer(NUMBER), await house.carrier()
        calling = await customer.call("sales")
        await calling.hears(MUSIC_HZ)
        await calling.press("1")
        await house.event(CallbackRequested)
        ana = await house.phone("ana")
        for status in (486, 603):
            await (await ana.rings()).answer()
            await (await carrier.rings()).refuse(status)
        ended = await house.event(ContactEnded)
        assert (ended.outcome, ended.reason) == ("unreachable", "rejected")


async def asked_as_an_agent_comes(house: House) -> tuple[Phone, Phone, Talk]:
    """A caller who asks by key to be called back, and is told so still as an agent comes: (who is called outside, the
    agent's telephone, the caller's call)."""
    customer, carrier = await house.customer(NUMBER), await house.carrier()
    ana = await house.phone("ana", sign_in=False)
    calling = await customer.call("sales")
    await calling.hears(MUSIC_HZ)
    await calling.press("1")
    await house.event(CallbackRequested)
    await house.back("ana")
    return carrier, ana, calling


async def test_caller_whose_turn_comes_at_once_is_called_back_when_the_line_is_free(
    asterisk: Asterisk,
) -> None:
    async with open_house(asterisk, phone={"callback_key": "1"}) as house:
        carrier, ana, calling = await asked_as_an_agent_comes(house)
        await (await ana.rings()).answer()
        called = await carrier.rings()
        assert calling.ended.is_set()
        await called.answer()
        await called.hears(HZ["ana"])
        await called.hang_up()


async def test_agent_who_puts_down_while_the_caller_is_told_of_the_callback_has_nobody_called(
    asterisk: Asterisk,
) -> None:
    taken = {"callback_taken": ["sound:auth-thankyou"] * 20}
    async with open_house(asterisk, phone={"callback_key": "1", "phrases": taken}) as house:
        carrier, ana, calling = await asked_as_an_agent_comes(house)
        ringing = await ana.rings()
        await ringing.answer()
        await house.phase("connecting")
        await ringing.hang_up()
        await house.event(ContactReturned)
        # Who hangs up instead of hearing it out is called as soon as there is an agent.
        await calling.hang_up()
        await (await ana.rings()).answer()
        called = await carrier.rings()
        await called.answer()
        await called.hears(HZ["ana"])
        await called.hang_up()


class Menu:
    """A bot that asks for 1 or 2."""

    def __init__(self, settings: Any, context: Context) -> None:
        self._known = context

    async def run(self, inbox: Inbox, *, task_status: trio.TaskStatus[None]) -> None:
        task_status.started()
        await trio.sleep_forever()

    async def turn(self, contact: ContactView, message: str | None) -> BotTurn:
        if message is None:
            return BotTurn(texts=("sound:hello-world",))
        if message in ("1", "42"):
            return BotTurn(then="hand_over", queue="support")
        return BotTurn(texts=("Press 1",))


class NoSettings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Nothing."""


class MenuPlugin:
    centralita_api = 1

    @centralita.hookimpl
    def register_bots(self, register: Register) -> None:
        register("menu_for_test", NoSettings, Menu)


async def test_keys_answer_a_bot_that_hands_over(asterisk: Asterisk) -> None:
    settings = {"bot": "menu", "sounds": {"Press 1": "sound:hello-world"}}
    async with open_house(
        asterisk, plugins=[MenuPlugin()], phone=settings, also={"bots.menu": {"type": "menu_for_test"}}
    ) as house:
        customer = await house.customer()
        calling = await customer.call("sales")
        await house.event(SelfServiceStarted)
        with trio.fail_after(WITHIN_S):
            await calling.answered.wait()
        frames = calling.frames
        await house.until(lambda: calling.frames > frames + 10)
        await calling.press("7")
        await house.event(MessagePosted, author="bot", text="Press 1")
        await calling.press("1")
        await calling.hears(MUSIC_HZ)
        assert house.only().queue == "support"
        assert [event.text for event in house.events(MessagePosted, author="customer")] == ["7", "1"]
        await calling.hang_up()


async def test_digits_are_gathered_until_a_pause(asterisk: Asterisk) -> None:
    settings = {"bot": "menu", "digits_pause_s": 4.0}
    async with open_house(
        asterisk, plugins=[MenuPlugin()], phone=settings, also={"bots.menu": {"type": "menu_for_test"}}
    ) as house:
        customer = await house.customer()
        calling = await customer.call("sales")
        await house.event(SelfServiceStarted)
        with trio.fail_after(WITHIN_S):
            await calling.answered.wait()
        await calling.press("42")
        await house.phase("waiting")
        await house.event(MessagePosted, author="customer")
        assert [event.text for event in house.events(MessagePosted, author="customer")] == ["42"]
        await calling.hang_up()


async def test_keys_keep_their_order_though_cutting_a_prompt_off_takes_a_while(
    asterisk: Asterisk, monkeypatch: pytest.MonkeyPatch
) -> None:
    answers_s = iter([1.0])

    async def hush_late(exchange: Exchange, call: Call) -> None:
        await trio.sleep(next(answers_s, 0))
        await hush(exchange, call)

    monkeypatch.setattr(waiting, "hush", hush_late)
    settings = {"bot": "menu", "digits_pause_s": 20.0}
    async with open_house(
        asterisk, plugins=[MenuPlugin()], phone=settings, also={"bots.menu": {"type": "menu_for_test"}}
    ) as house:
        customer = await house.customer()
        calling = await customer.call("sales")
        await house.event(SelfServiceStarted)
        await calling.press("42#")
        assert (await house.event(MessagePosted, author="customer")).text == "42"
        await calling.hang_up()


MAILBOX: dict[str, Any] = {"type": "asterisk_voicemail", "channel": "phone"}


async def test_voice_message_becomes_a_contact_that_waits(asterisk: Asterisk) -> None:
    settings = {"voicemail_key": "2", "voicemail": "mailbox", "phrases": {"voicemail": []}}
    async with open_house(asterisk, phone=settings, also={"channels.mailbox": MAILBOX}) as house:
        customer = await house.customer(NUMBER)
        calling = await customer.call("sales")
        await calling.hears(MUSIC_HZ)
        first = house.only()
        await calling.press("2")
        assert (await house.event(ContactEnded)).reason == "voicemail"
        await recording(asterisk, "voicemail", s=3)
        await calling.press("#")
        with trio.fail_after(WITHIN_S):
            await calling.ended.wait()
        message = await house.event(MessagePosted, author="customer")
        view = house.switchboard.contact(message.contact)
        assert view is not None
        assert (view.channel, view.medium, view.handle) == ("mailbox", "email", NUMBER)
        assert (view.queue, view.conversation) == ("sales", first.conversation)
        (attachment,) = message.attachments
        assert attachment.bytes_n > 2 * 16_000
        await house.do(CancelContact(contact=view.id))


async def test_caller_whose_agent_is_quicker_than_the_key_for_a_message_talks(
    asterisk: Asterisk, monkeypatch: pytest.MonkeyPatch
) -> None:
    write, begun, connected = Mailbox._write, threading.Event(), threading.Event()

    def slowly(self: Mailbox, note: Note) -> None:
        begun.set()
        connected.wait(WITHIN_S)
        write(self, note)

    monkeypatch.setattr(Mailbox, "_write", slowly)
    settings = {"voicemail_key": "2", "voicemail": "mailbox"}
    async with open_house(asterisk, phone=settings, also={"channels.mailbox": MAILBOX}) as house:
        customer, ana = await house.customer(NUMBER), await house.phone("ana")
        calling = await customer.call("sales")
        ringing = await ana.rings()
        await calling.hears(MUSIC_HZ)
        await calling.press("2")
        await house.until(begun.is_set)
        await ringing.answer()
        await house.phase("connected")
        connected.set()
        await calling.hears(HZ["ana"])
        await ringing.hears(CUSTOMER_HZ)
        await house.until(lambda: not list((house.folder / "channels" / "phone").glob("*.json")))
        await calling.hang_up()
        assert (await house.event(ContactEnded)).outcome == "served"


async def test_caller_who_is_turned_away_may_leave_a_message(asterisk: Asterisk) -> None:
    settings = {"voicemail_when_refused": True, "voicemail": "mailbox", "phrases": {"voicemail": []}}
    async with open_house(
        asterisk,
        phone=settings,
        sales={"max_waiting": 0},
        also={"channels.mailbox": {**MAILBOX, "queue": "support"}},
    ) as house:
        customer = await house.customer(NUMBER)
        calling = await customer.call("sales")
        assert (await house.event(ContactEnded)).outcome == "refused"
        with trio.fail_after(WITHIN_S):
            await calling.answered.wait()
        await recording(asterisk, "voicemail", s=3)
        await calling.hang_up()
        message = await house.event(MessagePosted, author="customer")
        await house.do(CancelContact(contact=message.contact))


async def test_misspelt_queue_in_the_dialplan_hangs_up_on_nobody(asterisk: Asterisk) -> None:
    async with open_house(asterisk) as house:
        customer = await house.customer(NUMBER)
        calling = await customer.call("salse")
        await calling.hears(MUSIC_HZ)
        assert (house.only().queue, house.only().handle) == ("sales", NUMBER)
        await calling.hang_up()


@pytest.mark.parametrize("answer", ["early_media", "with_agent"])
async def test_call_is_answered_only_with_the_agent(asterisk: Asterisk, answer: str) -> None:
    async with open_house(asterisk, phone={"answer": answer}) as house:
        customer = await house.customer()
        calling = await customer.call("sales")
        await house.phase("waiting")
        with trio.fail_after(WITHIN_S):
            await calling.ringing.wait()
        if answer == "early_media":
            await calling.hears(MUSIC_HZ)
        ana = await house.phone("ana")
        ringing = await ana.rings()
        assert not calling.answered.is_set()
        # Music on a line that rings is heard by nobody, and a thousand streams of it are all a server can do.
        (line,) = exchange_of(house.switchboard, "phone").calls
        assert line.music == (answer == "early_media")
        await ringing.answer()
        await calling.hears(900)
        assert calling.answered.is_set()
        await calling.hang_up()


async def test_caller_is_answered_while_it_is_decided_that_the_agent_has_them(asterisk: Asterisk) -> None:
    journal = HeldJournal()
    async with open_house(asterisk, journal=journal, phone={"answer": "with_agent"}) as house:
        journal.token = trio.lowlevel.current_trio_token()
        customer, ana = await house.customer(), await house.phone("ana")
        calling = await customer.call("sales")
        ringing = await ana.rings()
        journal.gate = trio.Event()
        try:
            await ringing.answer()
            with trio.fail_after(WITHIN_S):
                await calling.answered.wait()
            assert house.events(ContactConnected) == []
        finally:
            journal.gate.set()
        await calling.hears(HZ["ana"])
        await calling.hang_up()


@pytest.mark.parametrize("called_back", [False, True], ids=["caller", "callback"])
async def test_agent_who_puts_down_before_it_is_known_that_they_accepted_is_not_rung_for_it_again(
    asterisk: Asterisk, called_back: bool
) -> None:
    journal = HeldJournal()
    journal.token = trio.lowlevel.current_trio_token()
    async with open_house(asterisk, journal=journal) as house:
        customer, carrier = await house.customer(NUMBER), await house.carrier()
        ana = await house.phone("ana", sign_in=False)
        await customer.call("sales")
        if called_back:
            await house.phase("waiting")
            await house.do(RequestCallback(contact=house.only().id, handle=NUMBER))
        await house.back("ana")
        ringing = await ana.rings()
        journal.gate = trio.Event()
        try:
            await ringing.answer()
            await house.phase("connecting")
            await ringing.hang_up()
            await house.until(lambda: not exchange_of(house.switchboard, "phone").calls.legs)
        finally:
            journal.gate.set()
        assert (await house.event(ConnectionFailed)).reason == "agent: hung up"
        again = await ana.rings()
        await again.answer()
        if called_back:
            await (await carrier.rings()).answer()
        await house.phase("connected")
        await again.hang_up()


async def test_greeting_is_heard_first(asterisk: Asterisk) -> None:
    async with open_house(
        asterisk, phone={"greeting": ["sound:hello-world"], "greeting_first": True}
    ) as house:
        customer = await house.customer()
        began_ns = house.switchboard.now_ns()
        calling = await customer.call("sales")
        # The greeting lasts more than a second, and only then there is a contact.
        assert (await house.phase("waiting")).arrived_ns > began_ns + 1_000_000_000
        await calling.hears(MUSIC_HZ)
        await calling.hang_up()
