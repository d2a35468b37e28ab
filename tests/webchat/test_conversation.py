"""A conversation over real WebSockets, the real front door and the real engine."""

from pathlib import Path

import pytest
import trio

from centralita import open_engine
from centralita.messages import (
    AnswerOffer,
    HoldContact,
    PlaceContact,
    ReportConnection,
    ResumeContact,
    SetStatus,
    SignIn,
    Target,
    TransferContact,
)
from centralita.protocols import Signal
from centralita_webchat.housekeeping import Housekeeping
from tests.webchat.house import Page, a_client, configuration, listening_port, open_house


async def test_conversation_goes_from_first_word_to_rating(tmp_path: Path) -> None:
    async with (
        open_house(tmp_path) as house,
        Page(house.base).open(language="es", page="http://x/y?q=1") as page,
    ):
        await page.wait_for("state", phase="none")
        await page.send("m1", "Hola")
        received = await page.wait_for("received", message_id="m1")
        assert received["chat"] == 1
        waiting = await page.wait_for("state", phase="waiting")
        assert waiting["position"] == -1  # nobody is there whose line it could be
        await house.sign_in()
        contact = await house.accept()
        connected = await page.wait_for("state", phase="connected")
        assert connected["agent_title"] == "Ana"
        view = house.switchboard.contact(contact)
        assert view is not None
        assert (view.language, view.attributes, view.handle[:4]) == ("es", {"page": "http://x/y"}, "web:")
        await house.say(contact, "Buenos días")
        message = await page.wait_for("message", author="agent")
        assert (message["text"], message["author_title"]) == ("Buenos días", "Ana")
        await page.send("m2", "Gracias")
        await page.wait_for("received", message_id="m2")
        assert house.said(contact) == ["Hola", "Gracias"]
        await house.end(contact)
        ended = await page.wait_for("ended", chat=1)
        assert ended == {"type": "ended", "chat": 1, "outcome": "served", "may_rate": True, "score": 0}
        await page.put(type="rate", score=5, comment="¡Bien!")
        await page.wait_for("rated", score=5)
        await page.put(type="rate", score=1)
        await page.wait_for("error", code="refused")
        assert page.texts == ["Hola", "Buenos días", "Gracias"]


async def test_message_after_the_end_begins_another_contact_of_the_same_session(tmp_path: Path) -> None:
    async with open_house(tmp_path) as house, Page(house.base).open() as page:
        await house.sign_in()
        await page.send("m1", "one", name="Eva", email="eva@example.org")
        first = await house.accept()
        await house.end(first)
        await page.wait_for("ended", chat=1)
        await page.send("m2", "two", chat=1)
        assert (await page.wait_for("error"))["code"] == "chat_over"
        page.outbox.clear()
        await page.send("m3", "three")
        assert (await page.wait_for("received", message_id="m3"))["chat"] == 2
        second = await house.accept()
        view = house.switchboard.contact(second)
        assert view is not None
        assert second != first
        assert (view.customer_name, view.handle) == ("Eva", "eva@example.org")
        assert page.texts == ["one", "three"]


async def test_customer_who_ends_while_waiting_has_abandoned(tmp_path: Path) -> None:
    async with open_house(tmp_path) as house, Page(house.base).open() as page:
        await page.send("m1", "hello")
        await page.wait_for("received")
        await page.put(type="end")
        ended = await page.wait_for("ended")
        assert (ended["outcome"], ended["may_rate"]) == ("abandoned", False)
        assert house.switchboard.contacts() == []


async def test_customer_whose_page_is_gone_is_abandoned_after_the_grace_time(tmp_path: Path) -> None:
    async with open_house(tmp_path, grace_s=0.2) as house:
        page = Page(house.base)
        async with page.open():
            await page.send("m1", "hello")
            await page.wait_for("received")
        await house.until(lambda: not house.switchboard.contacts())
        async with page.open():
            assert (await page.wait_for("ended"))["outcome"] == "abandoned"


async def test_customer_who_comes_back_in_time_keeps_the_place(tmp_path: Path) -> None:
    async with open_house(tmp_path, grace_s=3600) as house:
        page = Page(house.base)
        async with page.open():
            await page.send("m1", "hello")
            await page.wait_for("received")
        await trio.sleep(1.5)  # the housekeeper has looked
        async with page.open():
            assert (await page.wait_for("state"))["phase"] == "waiting"


async def test_callback_is_not_abandoned_and_is_told_when_its_turn_comes(tmp_path: Path) -> None:
    async with open_house(tmp_path, grace_s=0) as house:
        page = Page(house.base)
        async with page.open():
            await page.send("m1", "hello")
            await page.wait_for("received")
            await page.put(type="callback", handle="not a number")
            await page.wait_for("error", code="bad_frame")
            await page.put(type="callback", handle="+34 600 111 222")
            assert (await page.wait_for("state", callback=True))["phase"] == "waiting"
        await trio.sleep(1.5)  # the housekeeper has looked
        await house.sign_in()
        contact = await house.accept(phase="connecting")  # the page is gone; the agent dials by hand
        view = house.switchboard.contact(contact)
        assert view is not None
        assert (view.phase, view.callback_handle) == ("connecting", "+34 600 111 222")
        await house.submit(ReportConnection(contact=contact, agent="ana", made=True))
        async with page.open():
            await page.wait_for("state", phase="connected")


async def test_callback_that_the_agent_could_not_reach_by_hand_is_tried_again_later(tmp_path: Path) -> None:
    async with open_house(tmp_path, grace_s=0, queue={"callback_retry_s": 3600}) as house:
        page = Page(house.base)
        async with page.open():
            await page.send("m1", "hello")
            await page.wait_for("received")
            await page.put(type="callback", handle="+34 600 111 222")
            await page.wait_for("state", callback=True)
        await house.sign_in()
        contact = await house.accept(phase="connecting")
        await house.submit(ReportConnection(contact=contact, agent="ana", made=False, customer_gone=True))
        view = house.switchboard.contact(contact)
        assert view is not None
        assert (view.phase, view.callback_attempts, view.works) == ("waiting", 1, ())
        assert view.due_ns > house.switchboard.now_ns()


async def test_callback_to_a_page_that_is_gone_can_not_be_reached(tmp_path: Path) -> None:
    async with open_house(tmp_path, grace_s=0, queue={"callback_attempts": 1}) as house:
        page = Page(house.base)
        async with page.open():
            await page.send("m1", "hello")
            await page.wait_for("received")
            await page.put(type="callback")
            await page.wait_for("state", callback=True)
        await house.sign_in()
        contact = await house.offered()
        view = house.switchboard.contact(contact)
        assert view is not None
        await house.submit(AnswerOffer(contact=contact, agent="ana", offer=view.works[0].offer, accept=True))
        await house.until(lambda: house.phase(contact) in ("", "ended"))
        async with page.open():
            assert (await page.wait_for("ended"))["outcome"] == "unreachable"


async def test_waiting_customer_is_told_the_position_as_the_queue_announces(tmp_path: Path) -> None:
    async with open_house(tmp_path, queue={"announce_every_s": 0.2}) as house:
        first, second = Page(house.base), Page(house.base)
        await house.submit(SignIn(agent="ana", status="break"))  # a line is for somebody
        async with first.open(), second.open():
            await first.send("a", "first")
            await first.wait_for("received")
            await second.send("b", "second")
            await second.wait_for("state", position=2)
            await first.put(type="end")
            await second.wait_for("state", position=1)


async def test_closed_queue_says_why_and_ends(tmp_path: Path) -> None:
    closed = {"max_waiting": 0, "when_full": {"do": "refuse", "text": "We are closed."}}
    async with open_house(tmp_path, queue=closed) as house, Page(house.base).open() as page:
        await page.send("m1", "hello")
        await page.wait_for("received")
        assert (await page.wait_for("ended"))["outcome"] == "refused"
        await page.wait_until(lambda: sorted(page.texts) == ["We are closed.", "hello"])


async def test_typing_goes_both_ways(tmp_path: Path) -> None:
    async with open_house(tmp_path) as house, Page(house.base).open() as page:
        await page.send("m1", "hello")
        await house.sign_in()
        contact = await house.accept()
        house.switchboard.signal(Signal(kind="typing", contact=contact, by="ana"))
        assert (await page.wait_for("typing"))["on"] is True
        await page.put(type="typing", on=True)
        await page.put(type="ping")
        await page.wait_for("pong")


async def test_customer_sees_hold_and_transfer(tmp_path: Path) -> None:
    async with open_house(tmp_path) as house, Page(house.base).open() as page:
        await page.send("m1", "hello")
        await house.sign_in("ana")
        contact = await house.accept()
        await page.wait_for("state", phase="connected")
        await house.submit(HoldContact(contact=contact, agent="ana"))
        await page.wait_for("state", phase="held")
        await house.submit(ResumeContact(contact=contact, agent="ana"))
        await page.wait_for("state", phase="connected")
        await house.sign_in("berta")
        await house.submit(TransferContact(contact=contact, agent="ana", target=Target(agent="berta")))
        await page.wait_for("state", phase="waiting")
        await house.accept(contact)
        assert (await page.wait_for("state", phase="connected"))["agent_title"] == "Berta"


async def test_two_windows_of_one_customer_see_the_same(tmp_path: Path) -> None:
    async with open_house(tmp_path) as house:
        page = Page(house.base)
        async with page.open():
            await page.send("m1", "hello")
            await page.wait_for("received")
            other = Page(house.base)
            other.session, other.secret = page.session, page.secret
            async with other.open():
                await other.wait_until(lambda: other.texts == ["hello"])
                await other.send("m2", "from the other")
                await page.wait_until(lambda: page.texts == ["hello", "from the other"])


async def test_two_chats_stand_side_by_side(tmp_path: Path) -> None:
    config = configuration(tmp_path)
    config["channels"]["help_chat"] = {"type": "webchat", "queue": "shop", "title": "</script><b>"}
    async with open_engine(config) as switchboard:
        port = await listening_port(tmp_path, switchboard)
        async with a_client(base_url=f"http://127.0.0.1:{port}") as client:
            schema = (await client.get("/schema/openapi.json")).json()["paths"]
            assert {
                f"/chat/{name}/desk/contacts/{{contact}}/attachments/{{id}}"
                for name in ("shop_chat", "help_chat")
            } <= set(schema)
            script = await client.get("/chat/help_chat/widget.js")
            assert script.headers["content-type"] == "text/javascript; charset=utf-8"
            assert script.headers["cross-origin-resource-policy"] == "cross-origin"
            assert '"name": "help_chat"' in script.text
            for path in ("/chat/help_chat", "/chat/help_chat/", "/chat/help_chat/?lang=es"):
                page = await client.get(path)
                assert page.status_code == 200
                assert "script-src 'self'" in page.headers["content-security-policy"]
                assert ('lang="es"' in page.text.splitlines()[1]) == path.endswith("es")
        async with (
            Page(f"127.0.0.1:{port}/chat/help_chat").open() as help_page,
            Page(f"127.0.0.1:{port}/chat/shop_chat").open() as shop_page,
        ):
            await help_page.send("m1", "help")
            await shop_page.send("m1", "shop")
            await help_page.wait_for("received")
            await shop_page.wait_for("received")
            channels = {contact.channel for contact in switchboard.contacts()}
            assert channels == {"help_chat", "shop_chat"}


def place(page: Page, provider_id: str) -> PlaceContact:
    return PlaceContact(
        agent="ana", channel="shop_chat", provider_id=provider_id, handle=f"web:{page.session}"
    )


async def test_agent_can_begin_with_a_page_that_is_open_and_only_with_such(tmp_path: Path) -> None:
    async with open_house(tmp_path) as house:
        page = Page(house.base)
        await house.sign_in()
        async with page.open():
            await page.send("m1", "hello")
            first = await house.accept()
            await house.end(first)
            await page.wait_for("ended", chat=1)
            await house.submit(place(page, "out-1"))
            await page.wait_for("state", phase="connected", chat=2)
            (second,) = await house.contact_in("connected")
            await house.say(second, "One more thing")
            await page.wait_until(lambda: page.texts == ["hello", "One more thing"])
            await page.send("m2", "Yes?")
            await page.wait_for("received", chat=2)
            await house.end(second)
            await page.wait_for("ended", chat=2)
        outcome = await house.switchboard.submit(place(page, "out-2"))
        await house.until(lambda: house.phase(outcome.contact) in ("", "ended"))
        async with page.open():
            assert (await page.wait_for("ended"))["chat"] == 2


async def test_callback_that_the_rules_make_is_not_abandoned_when_the_page_closes(tmp_path: Path) -> None:
    rules = {"max_wait_s": 0.2, "when_waited": {"do": "callback"}}
    async with open_house(tmp_path, grace_s=0, queue=rules) as house:
        page = Page(house.base)
        async with page.open():
            await page.send("m1", "hello", email="eva@example.org")
            await page.wait_for("received")
            (contact,) = await house.contact_in("waiting")

            def is_callback() -> bool:
                view = house.switchboard.contact(contact)
                return view is not None and view.callback_handle == "eva@example.org"

            await house.until(is_callback)
        await trio.sleep(2.5)  # the housekeeper has looked
        assert house.phase(contact) == "waiting"
        async with page.open():
            await page.wait_for("state", phase="waiting", callback=True)
            await page.put(type="end")
            await page.wait_for("ended")
        await house.until(lambda: house.phase(contact) in ("", "ended"))


async def test_crash_of_the_channel_sends_pages_away_and_takes_them_back(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    look_over, crashes = Housekeeping.look_over, [True]

    async def crash_once(self: Housekeeping) -> None:
        if crashes and self._sessions.live():
            crashes.pop()
            raise RuntimeError("a bug")
        await look_over(self)

    monkeypatch.setattr(Housekeeping, "look_over", crash_once)
    async with open_house(tmp_path) as house:
        page = Page(house.base)
        async with page.open():
            await page.send("m1", "before")
            await page.wait_until(lambda: page.gone)
        while page.texts != ["before", "after"]:
            async with page.open():
                if page.heard[0]["type"] == "session":
                    await page.send("m2", "after")
                    await page.wait_until(lambda: page.gone or len(page.lines) == 2)
            await trio.sleep(0.1)
        (contact,) = house.switchboard.contacts()
        assert house.said(contact.id) == ["before", "after"]
        (channel,) = [one for one in house.switchboard.components() if one.kind == "channels"]
        assert channel.restarts == 1


async def test_announcement_that_comes_late_sends_no_agent_away(tmp_path: Path) -> None:
    async with open_house(tmp_path, queue={"announce_every_s": 0.001}) as house:
        await house.submit(SignIn(agent="ana", status="break"))
        for number in range(15):
            async with Page(house.base).open() as page:
                await page.send(f"m{number}", "hello")
                await page.wait_for("state", position=1)
                await house.submit(SetStatus(agent="ana", status="available"))
                contact = await house.accept()
                await page.wait_for("state", phase="connected")
                await house.say(contact, "Good morning")
                await page.wait_for("message", author="agent")
                late = [frame["phase"] for frame in page.heard if frame["type"] == "state"]
                assert "waiting" not in late
                await house.end(contact)
                await house.submit(SetStatus(agent="ana", status="break"))
