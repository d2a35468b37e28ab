"""What callers say reaches the bot: a real Asterisk, and a recogniser that hears the audio it really sends.

The recogniser is a process of its own that speaks the protocol and understands tones (tests/voice/recogniser.py).
"""

from __future__ import annotations

import json
import re
import socket
import subprocess
import sys
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from contextlib import asynccontextmanager
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import trio
import trio.testing
from tools.asterisk_server import Asterisk, claimed_port
from tools.audio import MUSIC_HZ, ulaw

import centralita_menu_bot
from centralita import MemoryJournal
from centralita.messages import ComponentDown, ContactEnded, MessagePosted
from centralita_asterisk import hearing
from centralita_asterisk.exchange import exchange_of
from centralita_asterisk.hearing import LIVED_S, Ear, Hearing, Said
from centralita_asterisk.routes import speech_counts
from centralita_asterisk.talking import BEGIN_FRAMES, END_FRAMES, Talking, payload
from tests.voice.house import HZ, WITHIN_S, House, open_house
from tests.voice.phone import FRAME_S, SILENCE, Talk, tone
from tests.voice.test_menu import MENU, messages

AGAIN_S = 15
ROOT = Path(__file__).parents[2]
INVOICE_HZ, HOURS_HZ, ACCOUNT_HZ = 650, 950, 1250
LONG_PROMPT, PROMPT_S = ",".join(["sound:vm-intro"] * 6), 25.0
"""More than `PROMPT_S` of speaking."""
WORDS = {INVOICE_HZ: "an invoice", HOURS_HZ: "what are your hours, please?", ACCOUNT_HZ: "123456"}


class Recogniser:
    """The process; it may be away."""

    def __init__(self) -> None:
        self._claims: list[socket.socket] = []
        self.port = claimed_port(socket.SOCK_STREAM, self._claims)
        self._process: subprocess.Popen[str] | None = None

    def leave_port(self) -> None:
        """Others may have it."""
        for claim in self._claims:
            claim.close()

    def start(self, *words: str) -> None:
        texts = json.dumps(WORDS)
        self._process = subprocess.Popen(
            [sys.executable, "-m", "tests.voice.recogniser", str(self.port), texts, *words],
            stdout=subprocess.PIPE,
            text=True,
            cwd=ROOT,
        )
        assert self._process.stdout is not None
        assert self._process.stdout.readline() == "listening\n"

    def kill(self) -> None:
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            self._process.stdout.close()  # type: ignore[union-attr]  # it has a pipe
            self._process = None


@pytest.fixture(scope="module")
def recogniser() -> Iterator[Recogniser]:
    one = Recogniser()
    yield one
    one.kill()
    one.leave_port()


@pytest.fixture(autouse=True)
def patient(monkeypatch: pytest.MonkeyPatch) -> None:
    """A busy machine makes the recogniser slow to open, and that is not what is tested."""
    monkeypatch.setattr(hearing, "OPEN_S", WITHIN_S)


@pytest.fixture
def heard(recogniser: Recogniser) -> Iterator[Recogniser]:
    """The recogniser, there."""
    recogniser.start()
    yield recogniser
    recogniser.kill()


def settings(recogniser: Recogniser, **speech: Any) -> dict[str, Any]:
    return {
        "bot": "reception",
        "digits_pause_s": 20.0,
        "phrases": {"not_understood": ["sound:beep"]},
        "speech": {"url": f"ws://127.0.0.1:{recogniser.port}", "answer_s": 30.0, **speech},
    }


@asynccontextmanager
async def menu(
    server: Asterisk, recogniser: Recogniser, *, spoken: str = "", **speech: Any
) -> AsyncIterator[tuple[House, Talk]]:
    """A caller before the menu, silent; who is let go at the end, if still there."""
    phone = settings(recogniser, **speech)
    also = json.loads(json.dumps(MENU))
    if spoken:
        also["bots.reception"]["menus"]["main"]["spoken"] = spoken
    async with open_house(server, plugins=[centralita_menu_bot], phone=phone, also=also) as house:
        customer = await house.customer(hz=0)
        calling = await customer.call("sales")
        await house.phase("self_service")
        yield house, calling
        if not calling.ended.is_set():
            await calling.hang_up()


def counts(house: House) -> dict[str, int]:
    return {what: n for (_, what), n in exchange_of(house.switchboard, "phone").hearing.counts.items()}


def said(house: House) -> list[str]:
    return [one.text for one in messages(house) if one.author == "customer"]


def ear(house: House) -> Ear | None:
    """Whoever listens to the one caller."""
    opened = [one for one in exchange_of(house.switchboard, "phone").hearing._of_call.values() if one.since]
    return opened[0] if opened else None


async def say_until(house: House, calling: Talk, hz: Sequence[int], done: Callable[[], object]) -> None:
    """Say a word, once somebody listens, and wait until it has had its effect; after a while again, since of a word that
    comes by way of a server which is kept waiting for a processor too little may be left."""
    await house.until(lambda: ear(house))
    with trio.fail_after(WITHIN_S):
        while not done():
            await calling.say(*hz)
            with trio.move_on_after(AGAIN_S):
                await house.until(done)


async def press_until_resolved(house: House, calling: Talk) -> None:
    await calling.press("1#")
    assert (await house.event(ContactEnded)).outcome == "resolved_by_bot"


async def test_caller_who_says_what_they_want_is_led_to_an_agent_who_knows_it(
    asterisk: Asterisk, heard: Recogniser
) -> None:
    async with menu(asterisk, heard) as (house, calling):
        ana = await house.phone("ana")
        await say_until(house, calling, [INVOICE_HZ], lambda: "an invoice" in said(house))
        await house.until(lambda: any("account number" in one.text for one in messages(house)))
        await calling.say(ACCOUNT_HZ)
        ringing = await ana.rings()
        await ringing.answer()
        view = await house.phase("connected")
        assert (view.queue, view.attributes["account"]) == ("support", "123456")
        assert view.summary == "an invoice; account: 123456"
        await calling.hears(HZ["ana"])
        assert said(house) == ["an invoice", "123456"]
        assert counts(house) == {"heard": 2}


async def test_text_with_commas_is_one_message(asterisk: Asterisk, heard: Recogniser) -> None:
    async with menu(asterisk, heard) as (house, calling):
        await say_until(house, calling, [HOURS_HZ], lambda: house.events(ContactEnded))
        posted = [event.text for event in house.events(MessagePosted, author="customer")]
        assert posted == ["what are your hours, please?"]
        assert house.outcomes() == ["resolved_by_bot"]


async def test_key_counts_while_the_recogniser_listens(asterisk: Asterisk, heard: Recogniser) -> None:
    async with menu(asterisk, heard) as (house, calling):
        await house.until(lambda: len(ears(asterisk)) == 2)
        await press_until_resolved(house, calling)
        assert counts(house) == {}


async def test_word_cuts_the_prompt_off(asterisk: Asterisk, heard: Recogniser) -> None:
    async with menu(asterisk, heard, spoken=LONG_PROMPT, score_min=1000) as (house, calling):
        await heard_speaking(calling)
        with trio.fail_after(PROMPT_S):
            async with trio.open_nursery() as nursery:
                nursery.start_soon(partial(calling.say, INVOICE_HZ, s=60))
                await hears_nobody(house, calling)
                nursery.cancel_scope.cancel()
        assert counts(house) == {}, "it was the talking that cut it off, no answer"


async def test_prompt_is_heard_out_where_nobody_may_cut_it_off(asterisk: Asterisk, heard: Recogniser) -> None:
    async with menu(asterisk, heard, spoken=LONG_PROMPT, barge_in=False) as (house, calling):
        await heard_speaking(calling)
        async with trio.open_nursery() as nursery:
            nursery.start_soon(partial(calling.say, INVOICE_HZ, s=60))
            await house.until(lambda: (listening := ear(house)) and listening.talks)
            heard_n = calling.frames
            await house.until(lambda: calling.frames > heard_n + 100)
            nursery.cancel_scope.cancel()


async def heard_speaking(calling: Talk) -> None:
    """Wait until a prompt is heard."""
    with trio.fail_after(WITHIN_S):
        while calling.frames < 25:
            await trio.sleep(0.02)


async def hears_nobody(house: House, calling: Talk) -> None:
    """Return once nothing is being played, and for a third of a second nothing has been heard."""
    heard_n = -1
    while heard_n != calling.frames or any(
        call.playing for call in exchange_of(house.switchboard, "phone").calls
    ):
        heard_n = calling.frames
        await trio.sleep(0.35)


async def test_unsure_words_are_asked_again_and_then_only_keys_count(
    asterisk: Asterisk, heard: Recogniser
) -> None:
    async with menu(asterisk, heard, score_min=700, misses_max=2) as (house, calling):
        await heard_speaking(calling)
        await hears_nobody(house, calling)
        prompt = calling.frames
        await say_until(house, calling, [INVOICE_HZ, HOURS_HZ], lambda: counts(house).get("unsure"))
        await hears_nobody(house, calling)
        assert calling.frames > 1.5 * prompt, "it is asked again"
        await say_until(house, calling, [INVOICE_HZ, HOURS_HZ], lambda: counts(house).get("unsure", 0) == 2)
        assert said(house) == []
        await house.until(lambda: not ears(asterisk))
        await press_until_resolved(house, calling)
        assert counts(house) == {"unsure": 2}


async def test_without_a_recogniser_keys_work(
    asterisk: Asterisk, recogniser: Recogniser, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(hearing, "AGAIN_S", 600)
    async with menu(asterisk, recogniser) as (house, calling):
        await house.until(lambda: counts(house) == {"failed": 1})
        await press_until_resolved(house, calling)
        # Whoever calls next is not kept waiting for what has just failed.
        again = await (await house.customer(hz=0)).call("sales")
        await house.phase("self_service")
        await press_until_resolved(house, again)
        assert counts(house) == {"failed": 1}


@pytest.mark.parametrize("refusal", ["codec", "error", "nonsense"])
async def test_recogniser_that_refuses_leaves_keys(
    asterisk: Asterisk, recogniser: Recogniser, refusal: str
) -> None:
    recogniser.start(refusal)
    try:
        async with menu(asterisk, recogniser) as (house, calling):
            await house.until(lambda: counts(house) == {"failed": 1})
            await press_until_resolved(house, calling)
    finally:
        recogniser.kill()


async def test_address_that_is_none_leaves_keys(asterisk: Asterisk, heard: Recogniser) -> None:
    async with menu(asterisk, heard, media_address="nobody.invalid") as (house, calling):
        await house.until(lambda: counts(house) == {"failed": 1})
        await press_until_resolved(house, calling)


async def test_recogniser_that_dies_in_the_middle_leaves_keys(asterisk: Asterisk, heard: Recogniser) -> None:
    async with menu(asterisk, heard) as (house, calling):
        ana = await house.phone("ana")
        await say_until(house, calling, [INVOICE_HZ], lambda: "an invoice" in said(house))
        heard.kill()
        await house.until(lambda: counts(house).get("gone"))
        for key in "123456#":
            await calling.press(key)
        await (await ana.rings()).answer()
        assert (await house.phase("connected")).attributes["account"] == "123456"


async def test_recogniser_that_is_back_hears_the_same_caller(
    asterisk: Asterisk, recogniser: Recogniser
) -> None:
    recogniser.start("mute")
    try:
        async with menu(asterisk, recogniser, answer_s=0.5) as (house, calling):
            await say_until(house, calling, [INVOICE_HZ], lambda: counts(house).get("unanswered"))
            # The one that listens now, since the other was given up.
            await house.until(lambda: (it := ear(house)) and trio.current_time() > it.since + LIVED_S)
            assert said(house) == []
            recogniser.kill()
            recogniser.start()
            await house.until(lambda: counts(house).get("gone"))
            await say_until(house, calling, [INVOICE_HZ], lambda: "an invoice" in said(house))
    finally:
        recogniser.kill()


async def test_words_without_end_are_given_up(
    asterisk: Asterisk, recogniser: Recogniser, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(hearing, "TALK_S", 1.0)
    recogniser.start("mute")
    try:
        async with menu(asterisk, recogniser, answer_s=60) as (house, calling):
            async with trio.open_nursery() as nursery:
                nursery.start_soon(partial(calling.say, INVOICE_HZ, s=600))
                await house.until(lambda: counts(house).get("unanswered"))
                nursery.cancel_scope.cancel()
            await press_until_resolved(house, calling)
    finally:
        recogniser.kill()


async def test_strangers_voice_at_the_port_is_nobodys(
    asterisk: Asterisk, heard: Recogniser, capsys: pytest.CaptureFixture[str]
) -> None:
    async with menu(asterisk, heard) as (house, calling):
        await say_until(house, calling, [ACCOUNT_HZ], lambda: said(house))
        before = said(house)
        (name,) = re.findall(r"UnicastRTP/127\.0\.0\.1:(\d+)", asterisk.cli("core show channels concise"))
        with trio.socket.socket(trio.socket.AF_INET, trio.socket.SOCK_DGRAM) as stranger:
            for frame in [tone(INVOICE_HZ)] * 50 + [SILENCE] * 50:
                await stranger.sendto(bytes([0x80, 0, *bytes(10)]) + frame, ("127.0.0.1", int(name)))
                await trio.sleep(FRAME_S)
        await say_until(house, calling, [ACCOUNT_HZ], lambda: len(said(house)) > len(before))
        assert set(said(house)) == {WORDS[ACCOUNT_HZ]}
    assert "speech_audio_refused" in capsys.readouterr().out


async def test_channel_outlives_audio_that_comes_as_the_listening_ends(
    asterisk: Asterisk, heard: Recogniser, monkeypatch: pytest.MonkeyPatch
) -> None:
    ports: list[int] = []
    opening = Hearing._open

    async def opened(self: Hearing, ear: Ear, port: int) -> Any:
        ports.append(port)
        return await opening(self, ear, port)

    async def over(self: Hearing, ear: Ear, recogniser: Any) -> Said:
        await trio.testing.wait_all_tasks_blocked()
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as stranger:
            stranger.sendto(b"now", ("127.0.0.1", ports[-1]))
        # Whoever reads is woken together with us, and runs before or after.
        await trio.lowlevel.checkpoint()
        return Said(what="over")

    async def listened_to(house: House) -> None:
        before = len(ports)
        calling = await (await house.customer(hz=0)).call("sales")
        await house.until(lambda: len(ports) > before and len(house.switchboard.contacts()) == 2)
        await house.until(lambda: not exchange_of(house.switchboard, "phone").hearing._of_call)
        await calling.hang_up()
        await house.until(lambda: len(house.switchboard.contacts()) == 1)

    monkeypatch.setattr(Hearing, "_open", opened)
    monkeypatch.setattr(Hearing, "_hear_while_wanted", over)
    async with menu(asterisk, heard) as (house, _):
        await house.until(lambda: ports)
        for _ in range(8):
            await listened_to(house)
        assert house.events(ComponentDown) == []


async def test_nothing_is_left_when_the_caller_hangs_up(asterisk: Asterisk, heard: Recogniser) -> None:
    async with menu(asterisk, heard) as (house, calling):
        await house.until(lambda: len(ears(asterisk)) == 2)
        await calling.hang_up()
        await house.quiet()
        assert counts(house) == {}


async def test_caller_is_heard_again_after_our_restart(asterisk: Asterisk, heard: Recogniser) -> None:
    journal = MemoryJournal()
    same: dict[str, Any] = {
        "journal": journal,
        "plugins": [centralita_menu_bot],
        "phone": settings(heard),
        "also": MENU,
    }
    async with trio.open_nursery() as nursery:
        async with open_house(asterisk, tidy=False, **same) as house:
            house.nursery = nursery
            calling = await (await house.customer(hz=0)).call("sales")
            await say_until(house, calling, [INVOICE_HZ], lambda: "an invoice" in said(house))
        async with open_house(asterisk, **same) as house:
            await say_until(house, calling, [ACCOUNT_HZ], lambda: house.switchboard.contacts(phase="waiting"))
            assert house.only().attributes["account"] == "123456"
            await house.until(lambda: not ears(asterisk))
            await calling.hears(MUSIC_HZ)
            await calling.hang_up()
            await house.quiet()
        nursery.cancel_scope.cancel()


def ears(server: Asterisk) -> list[str]:
    return [id for id in server.channels() if id.startswith("centralita-speech-")]


async def test_supervisors_read_what_came_of_listening(asterisk: Asterisk, recogniser: Recogniser) -> None:
    async with menu(asterisk, recogniser) as (house, _):
        await house.until(lambda: counts(house) == {"failed": 1})
        answer = speech_counts(exchange_of(house.switchboard, "phone"))
        assert answer == {"main": {"failed": 1}}


def test_talking_begins_and_ends_where_it_is_loud() -> None:
    talking, loud = Talking(), tone(650)
    assert [talking.changed(loud) for _ in range(BEGIN_FRAMES)] == [False] * (BEGIN_FRAMES - 1) + [True]
    assert talking.on
    assert not any(talking.changed(SILENCE) for _ in range(END_FRAMES - 1))
    assert not talking.changed(loud), "a pause in a sentence is no end"
    assert [talking.changed(SILENCE) for _ in range(END_FRAMES)] == [False] * (END_FRAMES - 1) + [True]
    assert not talking.on


def test_noise_of_a_line_is_nobody_talking() -> None:
    talking = Talking()
    hiss = bytes(ulaw(400 if index % 2 else -400) for index in range(160))
    assert not any(talking.changed(hiss) for _ in range(100))


@pytest.mark.parametrize(
    ("packet", "held"),
    [
        (bytes([0x80, 0, *bytes(10)]) + b"ab", b"ab"),
        (bytes([0x80, 0x80, *bytes(10)]) + b"ab", b"ab"),
        (bytes([0x81, 0, *bytes(10)]) + b"csrcab", b"ab"),
        (bytes([0x90, 0, *bytes(10)]) + bytes([0, 0, 0, 1, 9, 9, 9, 9]) + b"ab", b"ab"),
        (bytes([0xA0, 0, *bytes(10)]) + b"ab\x00\x02", b"ab"),
        (bytes([0x80, 8, *bytes(10)]) + b"ab", b""),
        (bytes([0x40, 0, *bytes(10)]) + b"ab", b""),
        (bytes([0x90, 0, *bytes(10)]), b""),
        (b"short", b""),
        (b"", b""),
    ],
)
def test_audio_is_taken_out_of_its_packet(packet: bytes, held: bytes) -> None:
    assert payload(packet) == held
