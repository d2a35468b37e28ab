"""Every limit has its refusal, the daemon lives on, and bad frames are said back with their place."""

import json
import sqlite3
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import trio
import trio.testing
from trio_websocket import ConnectionClosed, ConnectionRejected

from centralita.config import decode
from centralita.errors import ConfigurationError
from centralita.plugins import load_plugins
from centralita.runner.clock import RealClock
from centralita_webchat import frames
from centralita_webchat.attachments import Files
from centralita_webchat.group_commit import StoreError
from centralita_webchat.pace import KEYS_MAX, Pace
from centralita_webchat.sessions import Session, Sessions
from centralita_webchat.sessions import Socket as PageSocket
from centralita_webchat.settings import FAULTS_MAX, SEND_S_MAX, SOCKETS_WAITING_MAX, WebchatSettings
from centralita_webchat.store import FileRow, Line, SessionRow, Store
from tests.webchat.house import PATIENCE_S, Page, configuration, open_house, open_socket

MINUTE_NS = 60_000_000_000


@pytest.mark.parametrize(
    ("frame", "said"),
    [
        ("not json", "JSON is malformed"),
        ("{}", "type"),
        ('{"type": "shout"}', "shout"),
        ('{"type": "message", "message_id": "a b", "text": "x"}', "$.message_id"),
        ('{"type": "message", "message_id": "m", "text": 5}', "$.text"),
        ('{"type": "message", "message_id": "m", "txt": "x"}', "txt"),
        ('{"type": "message", "message_id": "m", "text": "\\ud800"}', ""),
        ('{"type": "rate", "score": 6}', "$.score"),
        ('{"type": "hello", "last": -1}', "$.last"),
        ('{"type": "hello"}', "first frame"),
        ('["type", "hello"]', "object"),
    ],
)
async def test_bad_frame_is_said_back_with_its_place(tmp_path: Path, frame: str, said: str) -> None:
    async with open_house(tmp_path) as house, Page(house.base).open() as page:
        assert page.socket is not None
        await page.socket.send_message(frame)
        error = await page.wait_for("error")
        assert error["code"] == "bad_frame"
        assert said in error["message"]
        await page.put(type="ping")
        await page.wait_for("pong")


async def test_page_that_makes_too_many_faults_is_closed(tmp_path: Path) -> None:
    async with open_house(tmp_path) as house:
        page = Page(house.base)
        async with page.open():
            for _ in range(FAULTS_MAX):
                await page.put(type="nonsense")
            await page.wait_until(lambda: page.gone)
        async with page.open():
            await page.wait_for("state")


@pytest.mark.parametrize("first", ['{"type": "ping"}', "nonsense", '{"type": "message", "message_id": "m"}'])
async def test_socket_that_does_not_begin_with_hello_is_closed(tmp_path: Path, first: str) -> None:
    async with open_house(tmp_path) as house, open_socket(house.base) as socket:
        await socket.send_message(first)
        assert json.loads(await socket.get_message())["code"] == "bad_frame"
        with pytest.raises(ConnectionClosed):
            await socket.get_message()


async def test_page_of_a_foreign_origin_gets_no_socket(tmp_path: Path) -> None:
    async with open_house(tmp_path, origins=["https://shop.example"]) as house:
        with pytest.RaisesGroup(ConnectionRejected, flatten_subgroups=True) as refused:
            async with open_socket(house.base, origin="https://elsewhere.example"):
                pass
        (rejection,) = refused.value.exceptions
        assert isinstance(rejection, ConnectionRejected)
        assert rejection.status_code == 403
        for origin in ("https://shop.example", f"http://127.0.0.1:{house.port}"):
            async with open_socket(house.base, origin=origin):
                pass


async def test_long_empty_and_hasty_messages_are_refused(tmp_path: Path) -> None:
    settings = {"message_chars_max": 10, "messages_per_minute_max": 2}
    async with open_house(tmp_path, **settings) as house, Page(house.base).open() as page:
        await page.send("long", "x" * 11)
        assert (await page.wait_for("error", message_id="long"))["code"] == "too_long"
        await page.send("empty", "  \n")
        assert (await page.wait_for("error", message_id="empty"))["code"] == "empty"
        await page.send("m1", "one")
        await page.wait_for("received", message_id="m1")
        await page.send("m2", "two")
        await page.wait_for("received", message_id="m2")
        await page.send("m3", "three")
        assert (await page.wait_for("error", message_id="m3"))["code"] == "too_fast"
        await page.send("m1", "one")  # again: that is no new message
        await page.wait_for("received", message_id="m1")


async def test_sockets_and_sessions_have_limits(tmp_path: Path) -> None:
    settings = {"sockets_per_session_max": 1, "sockets_max": 3, "sessions_max": 1}
    async with open_house(tmp_path, **settings) as house:
        page = Page(house.base)
        async with page.open():
            again = Page(house.base)
            again.session, again.secret = page.session, page.secret
            async with again.open():
                assert (await again.wait_for("error"))["message"] == "sockets_per_session_max is 1"
            await page.send("m1", "one")
            await page.wait_for("received")
            async with Page(house.base).open() as other:
                await other.send("o1", "two")
                assert (await other.wait_for("error"))["message"] == "sessions_max is 1"
                async with Page(house.base).open() as third, Page(house.base).open() as fourth:
                    await third.wait_for("state")
                    assert (await fourth.wait_for("error"))["message"] == "sockets_max is 3"


async def test_new_sessions_of_one_address_have_a_rate(tmp_path: Path) -> None:
    async with open_house(tmp_path, sessions_per_minute_max=2) as house:
        pages = [Page(house.base) for _ in range(3)]
        for page in pages:
            async with page.open():
                await page.wait_until(partial(bool, page.heard))
        assert [page.heard[0]["type"] for page in pages] == ["session", "session", "error"]


async def test_wrong_secret_is_another_customer(tmp_path: Path) -> None:
    async with open_house(tmp_path) as house, Page(house.base).open() as page:
        await page.send("m1", "private")
        await page.wait_for("received")
        thief = Page(house.base)
        thief.session, thief.secret = page.session, "x" * 43
        async with thief.open():
            session = await thief.wait_for("session")
            assert (session["resumed"], session["session"] == page.session) == (False, False)
            await thief.wait_for("state", phase="none")
            assert thief.lines == []


async def never(_: str) -> None:
    await trio.sleep_forever()


async def test_reader_that_reads_nothing_is_dropped_after_its_time(
    tmp_path: Path, autojump_clock: trio.testing.MockClock
) -> None:
    session, socket = Session(a_session("a"), kept=True, now_s=0), PageSocket("127.0.0.1", 0)
    socket.post(frames.PongFrame())
    await socket.write(session, never, a_book(tmp_path))
    assert trio.current_time() == pytest.approx(SEND_S_MAX)
    assert socket.over


async def test_reader_whose_queue_is_full_is_dropped(tmp_path: Path) -> None:
    session, socket = Session(a_session("a"), kept=True, now_s=0), PageSocket("127.0.0.1", 0)
    for _ in range(SOCKETS_WAITING_MAX):
        socket.post(frames.PongFrame())
    assert not socket.over
    socket.post(frames.PongFrame())
    with trio.fail_after(PATIENCE_S):
        await socket.write(session, never, a_book(tmp_path))


def a_book(folder: Path) -> Sessions:
    return Sessions(WebchatSettings(), Store(folder / "s"), Files(folder / "f"), RealClock())


def test_pace_allows_so_many_in_any_window() -> None:
    pace = Pace(2, window_ns=MINUTE_NS)
    assert [pace.allows("a", now_ns=second * 10**9) for second in (0, 30, 31, 60, 61, 90)] == [
        True,
        True,
        False,
        True,
        False,
        True,
    ]
    assert pace.allows("b", now_ns=0)


def test_pace_forgets_the_oldest_keys() -> None:
    pace = Pace(1, window_ns=MINUTE_NS)
    for key in range(KEYS_MAX + 1):
        assert pace.allows(str(key), now_ns=0)
    assert pace.allows("0", now_ns=0)
    assert not pace.allows(str(KEYS_MAX), now_ns=0)


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({"titel": "x"}, "channels.shop_chat"),
        ({"language": "fr"}, "channels.shop_chat.language"),
        ({"attachment_types": ["exe"]}, "channels.shop_chat.attachment_types"),
        ({"grace_s": -1}, "channels.shop_chat.grace_s"),
        ({"greeting": {"fr": "Bonjour"}}, "channels.shop_chat: .*greeting"),
        ({"message_chars_max": 0}, "channels.shop_chat.message_chars_max"),
    ],
)
def test_bad_setting_is_refused_with_its_place(tmp_path: Path, settings: dict[str, Any], said: str) -> None:
    with pytest.raises(ConfigurationError, match=said):
        load_plugins().prepare(decode(configuration(tmp_path, **settings)).components)


def a_session(id: str, *, seen_ns: int = 0) -> SessionRow:
    return SessionRow(id=id, secret_hash=b"hash", created_ns=0, seen_ns=seen_ns)


async def test_store_commits_what_many_tasks_write_and_keeps_their_order(tmp_path: Path) -> None:
    store = Store(tmp_path / "s")
    await store.open()
    await store.begin_session(a_session("a"), sessions_max=10)

    async def add(number: int) -> None:
        line = Line(
            chat=1, number=number, author="agent", author_title="", text=str(number), attachments=(), at_ns=0
        )
        await store.add_lines("a", [line])
        await store.add_lines("a", [line])  # a repetition

    async with trio.open_nursery() as nursery:
        for number in range(1, 301):
            nursery.start_soon(add, number)
    lines, after = [], 0
    while page := await store.lines_after("a", after):
        lines += page
        after = page[-1].sequence
    assert [line.sequence for line in lines] == list(range(1, 301))
    assert {line.number for line in lines} == set(range(1, 301))
    await store.close()
    with pytest.raises(StoreError, match="is closed"):
        await store.session("a")


async def test_store_erases_old_sessions_with_everything_of_theirs(tmp_path: Path) -> None:
    store = Store(tmp_path / "s")
    await store.open()
    for id, seen_ns in (("old", 10), ("new", 100)):
        await store.begin_session(a_session(id, seen_ns=seen_ns), sessions_max=10)
        file = FileRow(
            id=f"{id}-file", session=id, name="a", media_type="b", bytes_n=1, created_ns=0, author="customer"
        )
        assert await store.add_file(file, files_max=1)
        assert not await store.add_file(file, files_max=1)
    assert await store.erase_sessions(seen_before_ns=50, limit=10) == ["old-file"]
    assert await store.session("old") is None
    assert await store.session("new") is not None
    assert await store.erase_unposted_files(created_before_ns=1, limit=10) == ["new-file"]
    await store.close()


async def test_store_of_a_later_version_is_not_opened(tmp_path: Path) -> None:
    connection = sqlite3.connect(tmp_path / "s")
    connection.execute("PRAGMA user_version = 99")
    connection.close()
    with pytest.raises(StoreError, match="schema number was 99; known: 1"):
        await Store(tmp_path / "s").open()
