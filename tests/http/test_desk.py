"""The desk over real WebSockets: presence, offers, several windows, signals, and what agents may not say."""

from __future__ import annotations

import json
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest
import trio

from centralita.protocols import Signal
from centralita_http.desk import _news
from tests.http.company import PATIENCE_S, Company, DeskClient, closing_code, company, eventually


def state(shop: Company, agent: str) -> str:
    view = shop.switchboard.agent(agent)
    assert view is not None
    return view.state


async def take(desk: DeskClient, contact: int) -> None:
    """Accept the offer of a contact and wait until it is connected."""
    offer = await desk.next("offer")
    assert offer["contact"]["id"] == contact
    reply = await desk.say(command="AnswerOffer", contact=contact, offer=offer["offer"], accept=True)
    assert reply == {"type": "reply", "id": reply["id"], "ok": True, "contact": contact}
    await desk.update_until(lambda update: works(update).get(str(contact), {}).get("state") == "connected")


def works(update: dict[str, Any]) -> dict[str, Any]:
    found: dict[str, Any] = update["agent"]["works"]
    return found


async def test_conversation_goes_from_offer_to_wrap_up(tmp_path: Path) -> None:
    async with company(tmp_path) as shop, shop.desk("ana") as ana:
        assert ana.hello["agent"]["state"] == "idle"
        assert ana.hello["queues"] == [
            {"name": "sales", "title": "Sales"},
            {"name": "support", "title": "support"},
        ]
        assert ana.hello["dispositions"] == ["sold", "not sold"]
        assert ana.hello["channels"]["post"]["typing"] is True
        contact = await shop.admit("1", text="hello", customer_name="Zoe")
        await take(ana, contact)
        files = [{"id": "f1", "name": "offer.pdf", "media_type": "application/pdf", "bytes_n": 10}]
        said = await ana.say(command="PostMessage", contact=contact, text="hi Zoe", attachments=files)
        assert said["ok"]
        await eventually(lambda: [message.text for message in shop.letterbox.sent] == ["hi Zoe"])
        assert shop.letterbox.sent[0].author_id == "ana"
        assert shop.letterbox.sent[0].attachments[0].name == "offer.pdf"
        update = await ana.update_until(
            lambda u: len(u["contacts"]) == 1 and len(u["contacts"][0]["messages"]) == 2
        )
        assert update["contacts"][0]["messages"][1]["attachments"] == files
        assert (await ana.say(command="NoteContact", contact=contact, notes="wants two"))["ok"]
        assert (await ana.say(command="EndContact", contact=contact))["ok"]
        await ana.update_until(lambda u: works(u).get(str(contact), {}).get("state") == "wrapping")
        done = await ana.say(command="FinishWrapUp", contact=contact, disposition="sold")
        assert done["ok"], done
        update = await ana.update_until(lambda u: not works(u))
        assert update["agent"]["state"] == "idle"


async def test_declined_offer_is_withdrawn_nowhere_and_goes_to_the_colleague(tmp_path: Path) -> None:
    async with company(tmp_path) as shop, shop.desk("ana") as ana:
        contact = await shop.admit("1")
        offer = await ana.next("offer")
        async with shop.desk("eva") as eva:
            answer: dict[str, Any] = {
                "contact": contact,
                "offer": offer["offer"],
                "accept": False,
                "reason": "lunch",
            }
            assert (await ana.say(command="AnswerOffer", **answer))["ok"]
            await take(eva, contact)
            late = await ana.say(command="AnswerOffer", **{**answer, "accept": True})
            assert (late["ok"], late["code"]) == (False, "offer_over")


async def test_cancelled_contact_takes_its_offer_away(tmp_path: Path) -> None:
    async with company(tmp_path) as shop, shop.desk("ana") as ana, shop.client(shop.admin) as boss:
        contact = await shop.admit("1")
        offer = await ana.next("offer")
        assert (await boss.post(f"/api/contacts/{contact}/cancel", json={})).status_code == 200
        assert (await ana.next("withdraw"))["offer"] == offer["offer"]


async def test_all_windows_of_an_agent_see_the_same_and_only_the_last_one_counts(tmp_path: Path) -> None:
    async with company(tmp_path) as shop:
        async with shop.desk("ana") as first:
            async with shop.desk("ana") as second:
                contact = await shop.admit("1")
                offers = [await first.next("offer"), await second.next("offer")]
                assert offers[0] == offers[1]
                await second.say(
                    command="AnswerOffer", contact=contact, offer=offers[0]["offer"], accept=True
                )
                await first.update_until(lambda u: str(contact) in works(u))
            assert (await first.say(ask="why"))["ok"]
            assert state(shop, "ana") != "lost", "a window is still open"
        await eventually(lambda: state(shop, "ana") == "lost")
        async with shop.desk("ana") as again:
            assert again.hello["agent"]["state"] != "lost"
            assert [one["id"] for one in again.hello["contacts"]] == [contact]


async def test_reconnected_agent_gets_the_open_offer_again_and_keeps_the_status(tmp_path: Path) -> None:
    async with company(tmp_path) as shop:
        contact = await shop.admit("1")
        async with shop.desk("ana") as ana:
            offer = await ana.next("offer")
            async with shop.desk("ana") as other:
                again = await other.next("offer")
                assert (again["offer"], again["contact"]["id"]) == (offer["offer"], contact)
            await take_again(ana, contact, offer["offer"])
            assert (await ana.say(command="SetStatus", status="break", reason="coffee"))["ok"]
        await eventually(lambda: state(shop, "ana") == "lost")
        async with shop.desk("ana") as ana:
            assert (ana.hello["agent"]["status"], ana.hello["agent"]["reason"]) == ("break", "coffee")


async def take_again(desk: DeskClient, contact: int, offer: int) -> None:
    assert (await desk.say(command="AnswerOffer", contact=contact, offer=offer, accept=True))["ok"]


async def test_typing_goes_both_ways_and_only_within_the_agents_contacts(tmp_path: Path) -> None:
    async with company(tmp_path) as shop, shop.desk("ana") as ana:
        contact = await shop.admit("1")
        await take(ana, contact)
        other = await shop.admit("2", queue="support")
        assert (await ana.say(signal="typing", contact=contact, on=True))["ok"]
        await eventually(
            lambda: [(s.contact, s.by, s.on) for s in shop.letterbox.signals] == [(contact, "ana", True)]
        )
        refused = await ana.say(signal="typing", contact=other)
        assert (refused["ok"], refused["code"]) == (False, "not_yours")
        shop.switchboard.signal(Signal(kind="typing", contact=contact, by="customer"))
        shown = await ana.next("signal")
        assert shown == {"type": "signal", "kind": "typing", "contact": contact, "by": "customer", "on": True}


async def test_agent_may_not_touch_what_is_not_theirs(tmp_path: Path) -> None:
    async with company(tmp_path) as shop, shop.desk("ana") as ana:
        other = await shop.admit("2", queue="support")
        for frame in (
            {"command": "PostMessage", "contact": other, "text": "psst"},
            {"command": "EndContact", "contact": other},
            {"command": "IdentifyContact", "contact": other, "customer": {"id": "c"}},
            {"ask": "history", "contact": other},
            {"command": "EndContact", "contact": 999},
        ):
            reply = await ana.say(**frame)
            assert (reply["ok"], reply["code"]) == (False, "not_yours"), frame
        for command in ("HoldContact", "ResumeContact", "LeaveContact"):
            reply = await ana.say(command=command, contact=other)
            assert not reply["ok"], command
        assert shop.switchboard.contact(other) is not None


async def test_consulted_colleague_reads_the_customers_contact_and_writes_only_in_their_own(
    tmp_path: Path,
) -> None:
    async with company(tmp_path) as shop, shop.desk("ana") as ana:
        contact = await shop.admit("1", text="it is about the invoice")
        await take(ana, contact)
        async with shop.desk("eva") as eva, shop.client(await shop.token("agent", "eva")) as client:
            assert (await client.get(f"/api/contacts/{contact}")).status_code == 403
            asked = await ana.say(command="StartConsultation", contact=contact, target={"agent": "eva"})
            assert asked["ok"], asked
            consultation = (await eva.next("offer"))["contact"]
            assert consultation["parent"] == contact
            seen = await client.get(f"/api/contacts/{contact}")
            assert seen.json()["messages"][0]["text"] == "it is about the invoice"
            assert (await eva.say(ask="history", contact=contact))["ok"]
            refused = await eva.say(command="PostMessage", contact=contact, text="hello customer")
            assert (refused["ok"], refused["code"]) == (False, "not_yours")


async def test_history_and_why_are_answered(tmp_path: Path) -> None:
    async with company(tmp_path) as shop, shop.desk("ana") as ana:
        contact = await shop.admit("1")
        await take(ana, contact)
        history = await ana.say(ask="history", contact=contact)
        assert (history["ok"], history["result"]) == (True, [])
        why = await ana.say(ask="why")
        assert why["result"]["agent"] == "ana"


async def test_colleagues_are_shown_as_they_come_and_go(tmp_path: Path) -> None:
    async with company(tmp_path) as shop, shop.desk("ana") as ana:
        assert [one["state"] for one in ana.hello["agents"]] == ["idle", "offline"]
        async with shop.desk("eva"):
            await colleague(ana, "eva", "idle")
        await colleague(ana, "eva", "lost")


async def colleague(window: DeskClient, name: str, state: str) -> None:
    """Wait until a window is shown a colleague in a state; each frame must hold the changed alone."""
    shown = {one["name"]: one for one in window.hello["agents"]}
    while shown[name]["state"] != state:
        frame = await window.next("agents")
        assert frame["agents"], frame
        assert all(shown.get(one["name"]) != one for one in frame["agents"]), (shown, frame)
        shown.update((one["name"], one) for one in frame["agents"])
    window.hello["agents"] = list(shown.values())


def test_each_window_is_shown_what_it_has_not_seen() -> None:
    """A hello may show a state that has changed back before the others look: they have no news, it has."""
    ana = {"name": "ana", "title": "Ana", "state": "idle"}
    eva, away = (
        {"name": "eva", "title": "Eva", "state": "idle"},
        {"name": "eva", "title": "Eva", "state": "break"},
    )
    early = [SimpleNamespace(colleagues=shown) for shown in [{"ana": ana, "eva": eva}] * 2]
    late = SimpleNamespace(colleagues={"ana": ana, "eva": away})
    longest = SimpleNamespace(colleagues={"ana": ana, "eva": eva, "bob": {"name": "bob"}})
    told = _news(cast(Any, [*early, late, longest]), {"ana": ana, "eva": eva})
    assert [cast(Any, window) for window, _ in told] == [late, longest]
    assert [json.loads(frame) for _, frame in told] == [
        {"type": "agents", "agents": [eva], "gone": []},
        {"type": "agents", "agents": [], "gone": ["bob"]},
    ]


async def test_nonsense_is_answered_and_the_window_stays_open(tmp_path: Path) -> None:
    async with company(tmp_path) as shop, shop.desk("ana") as ana:
        for frame in ("", "[]", "{", "\x00", '{"id": 7, "command": "Tick"}', '{"id": -1}', "9" * 10_000):
            await ana.socket.send_message(frame)
            reply = await ana.next("reply")
            assert (reply["ok"], reply["code"]) == (False, "bad_request"), frame
        await ana.socket.send_message(b"\xff\xfe\x00")
        assert (await ana.next("reply"))["code"] == "bad_request"
        assert (await ana.say(command="SetStatus", status="break"))["ok"]


async def test_token_may_come_in_the_first_frame(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async with company(tmp_path) as shop:
        token = await shop.token("agent", "ana")
        async with shop.socket("/ws/desk") as socket:
            await socket.send_message(json.dumps({"type": "auth", "token": token}))
            assert json.loads(await socket.get_message())["type"] == "hello"
        supervisor = await shop.token("supervisor")
        for frame, code in (
            (json.dumps({"type": "auth", "token": "ctl_x"}), 4401),
            (json.dumps({"type": "auth", "token": supervisor}), 4403),
            (json.dumps({"type": "hello"}), 4401),
            ("{", 4401),
            (None, 4408),
        ):
            if frame is None:
                monkeypatch.setattr("centralita_http.desk.FIRST_FRAME_S", 0.3)
            async with shop.socket("/ws/desk") as socket:
                if frame is not None:
                    await socket.send_message(frame)
                assert await closing_code(socket) == code, frame


async def test_windows_are_limited_and_unknown_agents_turned_away(tmp_path: Path) -> None:
    desks = {"console": {"type": "websocket", "windows_per_agent": 2}}
    async with company(tmp_path, desks=desks) as shop, shop.desk("ana"), shop.desk("ana"):
        async with shop.desk("ana", greeted=False) as third:
            assert await closing_code(third.socket) == 4429
        store = shop.door.app.state.tokens  # type: ignore[union-attr]  # it runs
        _, stale = store.create(name="left the company", role="agent", agent="gone")
        async with shop.socket("/ws/desk", stale) as socket:
            assert await closing_code(socket) == 4404


async def test_agent_of_a_restarted_desk_is_lost_until_a_window_is_back(tmp_path: Path) -> None:
    journal = {"type": "sqlite"}
    async with company(tmp_path, journal=journal) as shop, shop.desk("ana"):
        contact = await shop.admit("1")
        await eventually(lambda: state(shop, "ana") == "offered")
    async with company(tmp_path, journal=journal) as shop:
        assert state(shop, "ana") == "lost"
        async with shop.desk("ana") as ana:
            assert ana.hello["agent"]["status"] == "available"
            assert (await ana.next("offer"))["contact"]["id"] == contact


async def test_window_that_talks_too_fast_is_told_so(tmp_path: Path) -> None:
    async with company(tmp_path, http={"limits": {"messages_per_s": 2}}) as shop, shop.desk("ana") as ana:
        began_s = trio.current_time()
        answered_n = 0
        with trio.fail_after(PATIENCE_S):
            while (reply := await ana.say(ask="why"))["ok"]:
                answered_n += 1
        assert reply["code"] == "too_many_requests"
        assert 4 <= answered_n <= 4 + 2 * (trio.current_time() - began_s)


async def test_agent_has_the_channel_do_its_controls_and_no_supervisors(tmp_path: Path) -> None:
    async with company(tmp_path) as shop, shop.desk("ana") as ana:
        contact = await shop.admit("1")
        await take(ana, contact)
        before = shop.switchboard.status()["journal_seq"]
        done = await ana.say(control="ring_bell", contact=contact, value="twice")
        assert done["result"] == {"contact": contact, "by": "ana", "word": "ring_bell", "value": "twice"}
        assert shop.switchboard.status()["journal_seq"] == before, "nothing of it is journalled"
        other = await shop.admit("2", queue="support")
        for fields, code in (
            ({"control": "peek", "contact": contact}, "not_capable"),
            ({"control": "sing", "contact": contact}, "not_capable"),
            ({"control": "ring_bell", "contact": contact, "value": "never"}, "wrong_phase"),
            ({"control": "break", "contact": contact}, "failed"),
            ({"control": "ring_bell", "contact": other}, "not_yours"),
            ({"control": "ring_bell"}, "bad_request"),
            ({"control": 7, "contact": contact}, "bad_request"),
        ):
            refused = await ana.say(**fields)
            assert (refused["ok"], refused["code"]) == (False, code), fields
            assert "customer's words" not in refused["message"]


async def test_supervisor_has_more_controls_by_rest(tmp_path: Path) -> None:
    async with company(tmp_path) as shop, shop.desk("ana") as ana, shop.client(shop.admin) as boss:
        contact = await shop.admit("1")
        await take(ana, contact)
        path = f"/api/contacts/{contact}/control"
        done = await boss.post(path, json={"word": "peek", "value": "dora"})
        assert (done.status_code, done.json()["word"]) == (200, "peek")
        assert (await boss.post(path, json={"word": "sing"})).json()["code"] == "not_capable"
        assert (await boss.post(path, json={"word": "peek", "value": "never"})).status_code == 409
        assert (await boss.post("/api/contacts/999/control", json={"word": "peek"})).status_code == 404
