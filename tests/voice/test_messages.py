"""Messages of callers, and recordings, when the daemon goes in the middle and comes again."""

from __future__ import annotations

import signal
from pathlib import Path
from typing import Any

import pytest
import tomlkit
import trio
from tools.asterisk_server import Asterisk
from tools.audio import MUSIC_HZ

from centralita import MemoryJournal
from centralita.messages import CancelContact, ContactAdmitted, ContactEnded, MessagePosted
from centralita_asterisk import ari
from centralita_asterisk.exchange import exchange_of
from centralita_asterisk.recordings import seconds_of
from centralita_asterisk.server import Server
from centralita_asterisk.server_events import ServerEvents
from tests.voice.house import HZ, WITHIN_S, House, config, open_house, talk
from tests.voice.phone import Phone, Talk
from tests.voice.recorded import recording, say_through, seconds_with
from tests.voice.test_load import events, start_daemon
from tests.voice.test_waiting import MAILBOX, NUMBER

SETTINGS: dict[str, Any] = {"voicemail_key": "2", "voicemail": "mailbox", "phrases": {"voicemail": []}}
FIRST_HZ, AWAY_HZ, LAST_HZ = 650, 950, 1250


async def leave(asterisk: Asterisk, calling: Talk) -> None:
    """Ask to leave a message, and wait until it is being recorded."""
    await calling.hears(MUSIC_HZ)
    await calling.press("2")
    await recording(asterisk, "voicemail")


async def test_message_goes_on_across_our_restart_and_is_whole(asterisk: Asterisk, tmp_path: Path) -> None:
    same = around(tmp_path)
    async with trio.open_nursery() as nursery:
        async with open_house(asterisk, tidy=False, **same) as house:
            house.nursery = nursery
            calling = await (await house.customer(NUMBER)).call("sales", name="Luis")
            await leave(asterisk, calling)
            await calling.say(FIRST_HZ, s=1)
        await calling.say(AWAY_HZ, s=1)
        async with open_house(asterisk, **same) as house:
            await calling.say(LAST_HZ, s=1)
            assert not calling.ended.is_set()
            await calling.press("#")
            with trio.fail_after(WITHIN_S):
                await calling.ended.wait()
            await message_of(house, tmp_path, tones=(FIRST_HZ, AWAY_HZ, LAST_HZ))
        nursery.cancel_scope.cancel()


@pytest.mark.parametrize("ends_by", ["key", "hanging up"])
async def test_message_that_ends_while_we_are_away_is_kept(
    asterisk: Asterisk, tmp_path: Path, ends_by: str
) -> None:
    same = around(tmp_path)
    async with trio.open_nursery() as nursery:
        async with open_house(asterisk, tidy=False, **same) as house:
            house.nursery = nursery
            calling = await (await house.customer(NUMBER)).call("sales", name="Luis")
            await leave(asterisk, calling)
            await calling.say(FIRST_HZ, s=1)
        await calling.say(AWAY_HZ, s=1)
        if ends_by == "key":
            await calling.press("#")
        else:
            # Who hangs up takes along what was said and has not come as far as the recording.
            await recording(asterisk, "voicemail", s=1)
            await calling.hang_up()
        async with open_house(asterisk, **same) as house:
            with trio.fail_after(WITHIN_S):
                await calling.ended.wait()
            await message_of(house, tmp_path, tones=(FIRST_HZ, AWAY_HZ))
        nursery.cancel_scope.cancel()


async def test_caller_who_is_told_to_speak_when_we_go_is_told_again(
    asterisk: Asterisk, tmp_path: Path
) -> None:
    same = around(tmp_path, phrases={"voicemail": ["sound:vm-intro"]})
    async with trio.open_nursery() as nursery:
        async with open_house(asterisk, tidy=False, **same) as house:
            house.nursery = nursery
            calling = await (await house.customer(NUMBER)).call("sales", name="Luis")
            await calling.hears(MUSIC_HZ)
            await calling.press("2")
            await house.event(ContactEnded)
        async with open_house(asterisk, **around(tmp_path, journal=same["journal"])) as house:
            await recording(asterisk, "voicemail")
            await calling.say(LAST_HZ, s=3)
            await calling.press("#")
            await message_of(house, tmp_path, tones=(LAST_HZ,))
            with trio.fail_after(WITHIN_S):
                await calling.ended.wait()
        nursery.cancel_scope.cancel()


async def test_killed_daemon_cuts_no_message(asterisk: Asterisk, tmp_path: Path) -> None:
    raw = config(asterisk, {"phone": SETTINGS, "channels.mailbox": MAILBOX})
    (tmp_path / "centralita.toml").write_text(tomlkit.dumps(raw))
    folder = tmp_path / "data" / "channels" / "phone"
    async with trio.open_nursery() as nursery:
        phone = Phone(nursery, NUMBER, hz=700)
        await phone.open(asterisk.sip)
        daemon = start_daemon(tmp_path)
        try:
            calling = await phone.call("sales", name="Luis")
            await leave(asterisk, calling)
            await calling.say(FIRST_HZ, s=1)
            daemon.kill()
            await trio.to_thread.run_sync(daemon.wait)
            await calling.say(AWAY_HZ, s=1)
            daemon = start_daemon(tmp_path)
            await until_connected(tmp_path, times=2)
            await calling.say(LAST_HZ, s=1)
            await calling.press("#")
            with trio.fail_after(WITHIN_S):
                await calling.ended.wait()
                while list(folder.glob("*.json")) or not list(folder.glob("*.wav")):
                    await trio.sleep(0.05)
            daemon.send_signal(signal.SIGTERM)
            assert await trio.to_thread.run_sync(daemon.wait) == 0
        finally:
            daemon.kill()
            daemon.wait()
        nursery.cancel_scope.cancel()
    (path,) = folder.glob("*.wav")
    for hz in (FIRST_HZ, AWAY_HZ, LAST_HZ):
        assert seconds_with(path, hz) > 0.7, hz
    happened = await trio.to_thread.run_sync(events, tmp_path)
    (message,) = [event for event in happened if isinstance(event, MessagePosted)]
    (left,) = [
        event for event in happened if isinstance(event, ContactAdmitted) and event.channel == "mailbox"
    ]
    assert (left.handle, message.contact) == (NUMBER, left.contact)


async def until_connected(folder: Path, *, times: int) -> None:
    with trio.fail_after(WITHIN_S):
        while (folder / "log").read_text().count("asterisk_connected") < times:
            await trio.sleep(0.05)


@pytest.mark.parametrize("paused", [False, True])
async def test_recording_of_a_conversation_goes_on_as_it_was_across_our_restart(
    asterisk: Asterisk, tmp_path: Path, paused: bool
) -> None:
    same = around(tmp_path, record="always")
    async with trio.open_nursery() as nursery:
        async with open_house(asterisk, tidy=False, **same) as house:
            house.nursery = nursery
            customer, ana = await house.customer(NUMBER), await house.phone("ana")
            calling, answering = await talk(house, customer, ana)
            contact = house.only().id
            await recording(asterisk, f"call-{contact}")
            await say_through(calling, answering, FIRST_HZ)
            if paused:
                await house.switchboard.control(contact, by="ana", word="record_pause")
        await say_through(calling, answering, AWAY_HZ)
        async with open_house(asterisk, **same) as house:
            recordings = exchange_of(house.switchboard, "phone").recordings
            await house.until(lambda: recordings.state(contact) == ("paused" if paused else "on"))
            if paused:
                now = await house.switchboard.control(contact, by="ana", word="record_resume")
                assert now["recording"] == "on"
                await recording(asterisk, f"call-{contact}")
            await say_through(calling, answering, LAST_HZ)
            await answering.hang_up()
            kept = tmp_path / "channels" / "phone"
            await house.until(lambda: list(kept.glob(f"*-call-{contact}-*.wav")))
            (path,) = kept.glob(f"*-call-{contact}-*.wav")
            for hz in (FIRST_HZ, LAST_HZ, HZ["ana"]):
                assert seconds_with(path, hz) > 0.7, hz
            away_s = seconds_with(path, AWAY_HZ)
            assert away_s < 0.1 if paused else away_s > 0.7
        nursery.cancel_scope.cancel()


def tell_no_end(monkeypatch: pytest.MonkeyPatch) -> None:
    """The server says of no recording that it is over."""
    telling = ServerEvents.happened

    def without_ends(events: ServerEvents, server: Server, event: ari.AnyEvent) -> None:
        if not isinstance(event, ari.RecordingFinished):
            telling(events, server, event)

    monkeypatch.setattr(ServerEvents, "happened", without_ends)


@pytest.mark.parametrize("room_stays", [False, True])
async def test_recording_whose_end_nobody_tells_is_kept(
    asterisk: Asterisk, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, room_stays: bool
) -> None:
    tell_no_end(monkeypatch)
    async with open_house(asterisk, **around(tmp_path, record="always")) as house:
        customer, ana = await house.customer(NUMBER), await house.phone("ana")
        calling, answering = await talk(house, customer, ana)
        contact = house.only().id
        exchange = exchange_of(house.switchboard, "phone")
        await house.until(lambda: exchange.recordings.state(contact) == "on")
        await recording(asterisk, f"call-{contact}")
        await say_through(calling, answering, FIRST_HZ)
        if room_stays:
            exchange.servers["main"].room_names.clear()
        await answering.hang_up()
        kept = tmp_path / "channels" / "phone"
        await house.until(lambda: list(kept.glob(f"*-call-{contact}-*.wav")))
        (path,) = kept.glob(f"*-call-{contact}-*.wav")
        assert seconds_with(path, FIRST_HZ) > 0.7
        assert exchange.recordings.state(contact) == ""


async def test_recording_of_who_hung_up_while_we_were_away_is_kept(
    asterisk: Asterisk, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    tell_no_end(monkeypatch)
    same = around(tmp_path, record="always")
    async with trio.open_nursery() as nursery:
        async with open_house(asterisk, tidy=False, **same) as house:
            house.nursery = nursery
            customer, ana = await house.customer(NUMBER), await house.phone("ana")
            calling, answering = await talk(house, customer, ana)
            contact = house.only().id
            recordings = exchange_of(house.switchboard, "phone").recordings
            await house.until(lambda: recordings.state(contact) == "on")
            await recording(asterisk, f"call-{contact}")
            await say_through(calling, answering, FIRST_HZ)
        await answering.hang_up()
        await calling.hang_up()
        async with open_house(asterisk, **same) as house:
            kept = tmp_path / "channels" / "phone"
            await house.until(lambda: list(kept.glob(f"*-call-{contact}-*.wav")))
            (path,) = kept.glob(f"*-call-{contact}-*.wav")
            assert seconds_with(path, FIRST_HZ) > 0.7
            assert exchange_of(house.switchboard, "phone").recordings.state(contact) == ""
        nursery.cancel_scope.cancel()


@pytest.mark.parametrize(
    ("form", "bytes_n", "seconds"),
    [("wav", 32_044, 2), ("ulaw", 16_000, 2), ("gsm", 3_300, 2), ("wav", 0, 0)],
)
def test_length_of_a_recording_follows_from_its_bytes(form: str, bytes_n: int, seconds: int) -> None:
    assert seconds_of(form, bytes_n) == seconds


def around(folder: Path, *, journal: MemoryJournal | None = None, **phone: Any) -> dict[str, Any]:
    """What two lives of a house have in common."""
    return {
        "journal": journal or MemoryJournal(),
        "folder": folder,
        "phone": {**SETTINGS, **phone},
        "also": {"channels.mailbox": MAILBOX},
    }


async def message_of(house: House, folder: Path, *, tones: tuple[int, ...]) -> None:
    """The message is a contact of whoever left it, and every tone is in it."""
    message = await house.event(MessagePosted, author="customer")
    view = house.switchboard.contact(message.contact)
    assert view is not None
    assert (view.channel, view.handle, view.customer_name, view.queue) == ("mailbox", NUMBER, "Luis", "sales")
    (attachment,) = message.attachments
    path = folder / "channels" / "phone" / attachment.id
    for hz in tones:
        assert seconds_with(path, hz) > 0.7, hz
    await house.do(CancelContact(contact=view.id))
    # The note is put away after what it is for.
    await house.until(lambda: not list(path.parent.glob("*.json")))
    assert len(house.events(ContactAdmitted, channel="mailbox")) == 1
