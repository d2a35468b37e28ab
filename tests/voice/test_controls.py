"""Mute, keys, recording and listening in: what is done about a connection besides the rules."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Literal

import pytest
import trio
from tools.asterisk_server import Asterisk

from centralita import MemoryJournal
from centralita.errors import ControlRefused
from centralita.messages import (
    ContactEnded,
    EndConsultation,
    MessagePosted,
    Refusal,
    StartConsultation,
    Target,
    TransferContact,
)
from centralita_asterisk.ari import AriRefused
from centralita_asterisk.exchange import exchange_of
from centralita_asterisk.recordings import Recordings
from centralita_asterisk.server import Server
from tests.voice.house import CUSTOMER_HZ, HZ, WITHIN_S, House, open_house, talk
from tests.voice.phone import Phone, Talk
from tests.voice.recorded import recording, say_through, seconds_with


async def talking(house: House) -> tuple[int, Phone, Talk, Talk]:
    customer, ana = await house.customer(), await house.phone("ana")
    calling, answering = await talk(house, customer, ana)
    return house.only().id, ana, calling, answering


async def test_muted_agent_hears_and_is_not_heard(asterisk: Asterisk) -> None:
    async with open_house(asterisk) as house:
        contact, _, calling, answering = await talking(house)
        now = await house.switchboard.control(contact, by="ana", word="mute")
        assert now["muted"] is True
        await calling.hears_not(900)
        await answering.hears(CUSTOMER_HZ)
        await house.switchboard.control(contact, by="ana", word="unmute")
        await calling.hears(900)
        await calling.hang_up()


async def test_muted_agent_is_known_as_muted_after_our_restart(asterisk: Asterisk, tmp_path: Path) -> None:
    same: dict[str, Any] = {"journal": MemoryJournal(), "folder": tmp_path}
    async with trio.open_nursery() as nursery:
        async with open_house(asterisk, tidy=False, **same) as house:
            house.nursery = nursery
            contact, _, calling, answering = await talking(house)
            await house.switchboard.control(contact, by="ana", word="mute")
        async with open_house(asterisk, tidy=False, **same) as house:
            calls = exchange_of(house.switchboard, "phone").calls
            leg = await house.until(lambda: calls.leg(contact, "ana"))
            assert leg.muted
            await calling.hears_not(900)
            now = await house.switchboard.control(contact, by="ana", word="unmute")
            assert now["muted"] is False
            await calling.hears(900)
        async with open_house(asterisk, **same) as house:
            calls = exchange_of(house.switchboard, "phone").calls
            leg = await house.until(lambda: calls.leg(contact, "ana"))
            assert not leg.muted
            await answering.hang_up()
        nursery.cancel_scope.cancel()


async def test_keys_reach_the_other_side_and_no_journal(asterisk: Asterisk) -> None:
    async with open_house(asterisk) as house:
        contact, _, calling, _ = await talking(house)
        before = len(house.records)
        await house.switchboard.control(contact, by="ana", word="keys", value="42#")
        await house.until(lambda: calling.keys == "42#")
        assert len(house.records) == before
        with pytest.raises(ControlRefused, match="allowed"):
            await house.switchboard.control(contact, by="ana", word="keys", value="call me")
        await calling.hang_up()


async def test_recording_leaves_out_what_is_said_while_paused(asterisk: Asterisk) -> None:
    async with open_house(asterisk, phone={"phrases": {"recording": []}}) as house:
        contact, _, calling, answering = await talking(house)

        async def control(word: str) -> Any:
            return (await house.switchboard.control(contact, by="ana", word=word))["recording"]

        assert await control("record") == "on"
        await recording(asterisk, f"call-{contact}")
        await say_through(calling, answering, 1100)
        assert await control("record_pause") == "paused"
        await say_through(calling, answering, 1300)
        assert await control("record_resume") == "on"
        await recording(asterisk, f"call-{contact}")
        await say_through(calling, answering, 1500)
        await control("record_stop")
        message = await house.event(MessagePosted, author="system")
        assert message.internal
        (attachment,) = message.attachments
        path = house.folder / "channels" / "phone" / attachment.id
        assert seconds_with(path, 1100) > 0.7
        assert seconds_with(path, 1300) < 0.1
        assert seconds_with(path, 1500) > 0.7
        await calling.hears(900)
        await answering.hears(CUSTOMER_HZ)
        await calling.hang_up()


@pytest.mark.parametrize("refused_n", [3, 10_000])
async def test_recording_that_has_hardly_begun_is_paused(
    asterisk: Asterisk, monkeypatch: pytest.MonkeyPatch, refused_n: int
) -> None:
    """Asterisk has answered that it records, and does not do so yet: rarely, so that it is made to happen here."""
    refusals = 0
    ask = Server.ask

    async def slow(self: Server, method: str, path: str, *rest: Any, **more: Any) -> str:
        nonlocal refusals
        if path.endswith("/pause") and refusals < refused_n:
            refusals += 1
            raise AriRefused(409, f"{method} {path}")
        return await ask(self, method, path, *rest, **more)

    monkeypatch.setattr(Server, "ask", slow)
    monkeypatch.setattr("centralita_asterisk.recordings.BEGINS_S", 0.5)
    async with open_house(asterisk, phone={"phrases": {"recording": []}}) as house:
        contact, _, calling, _ = await talking(house)
        await house.switchboard.control(contact, by="ana", word="record")
        if refused_n == 3:
            said = await house.switchboard.control(contact, by="ana", word="record_pause")
            assert said["recording"] == "paused"
        else:
            with pytest.raises(ControlRefused, match="409"):
                await house.switchboard.control(contact, by="ana", word="record_pause")
            assert exchange_of(house.switchboard, "phone").recordings.state(contact) == "on"
        await calling.hang_up()


async def test_every_call_is_recorded_where_the_rule_says_so(asterisk: Asterisk) -> None:
    async with open_house(asterisk, phone={"record": "always"}) as house:
        contact, _, calling, _ = await talking(house)
        await recording(asterisk, f"call-{contact}")
        with pytest.raises(ControlRefused, match="pause"):
            await house.switchboard.control(contact, by="ana", word="record_stop")
        await calling.hang_up()
        await house.event(ContactEnded)
        folder = house.folder / "channels" / "phone"
        await house.until(lambda: list(folder.glob("*-call-*.wav")))


@pytest.mark.parametrize("record", ["always", "on_demand"])
@pytest.mark.parametrize("then", ["cancel", "join", "transfer"])
async def test_recording_goes_on_when_a_colleague_has_been_asked(
    asterisk: Asterisk, record: str, then: Literal["cancel", "join", "transfer"]
) -> None:
    async with open_house(asterisk, phone={"record": record, "phrases": {"recording": []}}) as house:
        contact, _, calling, answering = await talking(house)
        recordings = exchange_of(house.switchboard, "phone").recordings
        folder = house.folder / "channels" / "phone"
        bea = await house.phone("bea")
        if record == "on_demand":
            await house.switchboard.control(contact, by="ana", word="record")
        await recording(asterisk, f"call-{contact}")
        await say_through(calling, answering, 1300)
        # What is kept apart is so when the customer is back, too.
        await house.switchboard.control(contact, by="ana", word="record_pause")
        await house.do(StartConsultation(contact=contact, agent="ana", target=Target(agent="bea")))
        asked = await bea.rings()
        await asked.answer()
        await answering.hears(HZ["bea"])
        await house.until(lambda: len(list(folder.glob("*.wav"))) == 1)
        assert recordings.state(contact) == ""
        await house.do(EndConsultation(contact=contact, agent="ana", then=then))
        listening = asked if then == "transfer" else answering
        await listening.hears(CUSTOMER_HZ)
        if then != "transfer":
            await house.until(lambda: recordings.state(contact) == "paused")
            await say_through(calling, listening, 1500)
            await house.switchboard.control(contact, by="ana", word="record_resume")
        if then == "transfer" and record == "on_demand":
            assert recordings.state(contact) == ""
            await calling.hang_up()
            return
        await house.until(lambda: recordings.state(contact) == "on")
        await recording(asterisk, f"call-{contact}")
        await say_through(calling, listening, 1700)
        await calling.hang_up()
        await house.until(lambda: len(list(folder.glob("*.wav"))) == 2)
        first, second = sorted(folder.glob("*.wav"))
        assert seconds_with(first, 1300) > 0.7
        assert seconds_with(second, 1700) > 0.7
        assert seconds_with(second, 1500) < 0.1


def test_recordings_are_erased_when_their_time_is_over(tmp_path: Any) -> None:
    import os
    from types import SimpleNamespace

    now_s = 2_000_000_000.0
    exchange: Any = SimpleNamespace(
        clock=SimpleNamespace(now_ns=lambda: int(now_s * 1e9)), settings=SimpleNamespace(recordings_days=2)
    )
    recordings = Recordings(exchange, tmp_path)
    for name, days in (("centralita-call-1-1.wav", 1), ("centralita-call-2-2.wav", 3)):
        (tmp_path / name).write_bytes(b"x")
        os.utime(tmp_path / name, (now_s - days * 86_400,) * 2)
    recordings.erase_old()
    assert [path.name for path in tmp_path.iterdir()] == ["centralita-call-1-1.wav"]
    assert recordings.find("centralita-call-1-1.wav") == tmp_path / "centralita-call-1-1.wav"
    assert recordings.find("../centralita-call-1-1.wav") is None
    assert recordings.find("centralita-call-2-2.wav") is None


async def test_supervisor_listens_whispers_and_barges_in(asterisk: Asterisk) -> None:
    async with open_house(asterisk) as house:
        contact, _, calling, answering = await talking(house)
        dora = await house.phone("dora", sign_in=False)
        await house.switchboard.control(contact, by="boss", word="listen", value="dora")
        listening = await dora.rings()
        await listening.answer()
        await listening.hears(CUSTOMER_HZ)
        await listening.hears(900)
        await calling.hears_not(HZ["dora"])
        await answering.hears_not(HZ["dora"])
        await house.switchboard.control(contact, by="boss", word="whisper", value="dora")
        await answering.hears(HZ["dora"])
        await calling.hears_not(HZ["dora"])
        now = await house.switchboard.control(contact, by="boss", word="barge", value="dora")
        assert now["listening"] == ["dora"]
        await calling.hears(HZ["dora"])
        await answering.hears(HZ["dora"])
        await house.switchboard.control(contact, by="boss", word="leave", value="dora")
        with trio.fail_after(WITHIN_S):
            await listening.ended.wait()
        await calling.hears_not(HZ["dora"])
        await calling.hang_up()


async def test_listener_goes_with_the_call(asterisk: Asterisk) -> None:
    async with open_house(asterisk) as house:
        contact, _, calling, _ = await talking(house)
        dora = await house.phone("dora", sign_in=False)
        await house.switchboard.control(contact, by="boss", word="listen", value="dora")
        listening = await dora.rings()
        await listening.answer()
        await listening.hears(900)
        await calling.hang_up()
        with trio.fail_after(WITHIN_S):
            await listening.ended.wait()


async def test_controls_that_cannot_be_say_why(asterisk: Asterisk) -> None:
    async with open_house(asterisk, phone={"record": "never"}) as house:
        contact, _, calling, _ = await talking(house)

        async def refused(word: str, value: str = "") -> str:
            with pytest.raises(ControlRefused) as raised:
                await house.switchboard.control(contact, by="ana", word=word, value=value)
            return str(raised.value)

        assert "knows: mute" in await refused("sing")
        assert "switched off" in await refused("record")
        assert "whose phone" in await refused("listen", "nobody")
        with pytest.raises(ControlRefused, match="not live"):
            await house.switchboard.control(999, by="ana", word="mute")
        await calling.hang_up()


async def test_customer_is_handed_on_to_a_number(asterisk: Asterisk) -> None:
    async with open_house(asterisk, phone={"forward_context": "outside"}, tidy=False) as house:
        contact, _, calling, answering = await talking(house)
        carrier = await house.carrier(hz=1500)
        await house.do(
            TransferContact(
                contact=contact, agent="ana", target=Target(number="600777666"), note="to billing"
            )
        )
        with trio.fail_after(WITHIN_S):
            await answering.ended.wait()
        outside = await carrier.rings()
        assert "600777666" in outside.header("To")
        await outside.answer()
        await calling.hears(1500)
        await outside.hears(CUSTOMER_HZ)
        ended = await house.event(ContactEnded)
        assert (ended.outcome, ended.reason) == ("served", "forwarded to 600777666")
        assert house.switchboard.contacts() == []
        await calling.hang_up()
        await house.quiet()


async def test_nobody_is_handed_on_where_there_is_no_way_out(asterisk: Asterisk) -> None:
    async with open_house(asterisk) as house:
        contact, _, calling, _ = await talking(house)
        outcome = await house.switchboard.submit(
            TransferContact(contact=contact, agent="ana", target=Target(number="600777666"))
        )
        assert isinstance(outcome.refusal, Refusal)
        assert outcome.refusal.code == "not_capable"
        await calling.hang_up()
