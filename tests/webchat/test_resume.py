"""Lost connections and restarts: nothing is lost and nothing comes twice, in either direction."""

import os
import random
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import partial
from pathlib import Path
from subprocess import DEVNULL
from typing import Any

import pytest
import trio
from trio_websocket import ConnectionClosed, DisconnectionTimeout, HandshakeError

from centralita.messages import AdmitContact, PostMessage
from centralita_webchat.group_commit import GroupCommit
from centralita_webchat.store import ChatRow, Opening, SessionRow, Store
from tests.ports import held_port
from tests.webchat.house import House, Page, open_house

SEEDS = [int(os.environ["WEBCHAT_SEED"])] if "WEBCHAT_SEED" in os.environ else [1, 2, 3]
KILLS = 3
HANDSHAKE_S = 2
"""When a page on a line that breaks tries again."""
BROKEN = (ConnectionClosed, HandshakeError, DisconnectionTimeout, OSError, trio.BrokenResourceError)


class BadLine:
    """A line that breaks after a random number of bytes, in the middle of whatever passes."""

    def __init__(self, chance: random.Random) -> None:
        self.chance = chance
        self.target = 0
        self.good = False
        self.breaks = 0

    async def reach(self) -> trio.SocketStream:
        while True:
            try:
                return await trio.open_tcp_stream("127.0.0.1", self.target)
            except OSError:
                await trio.sleep(0.05)  # the daemon is between two lives

    async def carry(self, client: trio.SocketStream) -> None:
        server = await self.reach()
        left = 1_000_000_000 if self.good else self.chance.randrange(300, 6000)
        async with server, client, trio.open_nursery() as nursery:

            async def pass_on(source: trio.SocketStream, sink: trio.SocketStream) -> None:
                nonlocal left
                try:
                    async for data in source:
                        await sink.send_all(data[: max(0, left)])
                        left -= len(data)
                        if left <= 0:
                            self.breaks += 1
                            break
                except (trio.BrokenResourceError, trio.ClosedResourceError):
                    pass
                nursery.cancel_scope.cancel()

            nursery.start_soon(pass_on, client, server)
            nursery.start_soon(pass_on, server, client)


@asynccontextmanager
async def bad_line(chance: random.Random) -> AsyncIterator[tuple[BadLine, int]]:
    line = BadLine(chance)
    async with trio.open_nursery() as nursery:
        listeners = await nursery.start(
            lambda task_status: trio.serve_tcp(line.carry, 0, host="127.0.0.1", task_status=task_status)
        )
        yield line, listeners[0].socket.getsockname()[1]
        nursery.cancel_scope.cancel()


async def stay(page: Page, words: list[str], until_n: int, *, pause_s: float = 0.005) -> None:
    """Say the words, whatever happens to the line, until the page has `until_n` messages and all are taken in."""
    to_say = iter(enumerate(words))
    while True:
        try:
            async with page.open():
                while not page.gone:
                    if not page.outbox and len(page.lines) >= until_n:
                        return
                    following = next(to_say, None)
                    if following is None:
                        await page.wait_until(
                            lambda: page.gone or (not page.outbox and len(page.lines) >= until_n)
                        )
                    else:
                        index, text = following
                        await page.send(f"m{index}", text)
                        await trio.sleep(pause_s)
        except* BROKEN:
            pass
        await trio.sleep(0.02)


async def answer_all(house: House, words: list[str]) -> None:
    """An agent says the words in the one contact there is."""
    contact = await house.accept()
    for index, text in enumerate(words):
        await house.submit(
            PostMessage(contact=contact, author="agent", author_id="ana", text=text, message_id=f"a{index}")
        )
        await trio.sleep(0.01)


@pytest.mark.parametrize("seed", SEEDS)
async def test_broken_line_loses_and_repeats_nothing(tmp_path: Path, seed: int) -> None:
    print(f"WEBCHAT_SEED={seed}")
    mine = [f"customer {number}" for number in range(40)]
    theirs = [f"agent {number}" for number in range(40)]
    async with (
        open_house(tmp_path, messages_per_minute_max=10_000) as house,
        bad_line(random.Random(seed)) as (line, port),
    ):
        line.target = house.port
        page = Page(f"127.0.0.1:{port}/chat/shop_chat", handshake_s=HANDSHAKE_S)
        await house.sign_in()
        with trio.fail_after(240):
            async with trio.open_nursery() as nursery:
                nursery.start_soon(answer_all, house, theirs)
                nursery.start_soon(stay, page, mine, len(mine) + len(theirs))
        assert line.breaks > 1
        (contact,) = house.switchboard.contacts()
        assert house.said(contact.id) == mine
        assert [text for text in page.texts if text.startswith("agent")] == theirs
        assert [text for text in page.texts if text.startswith("customer")] == mine


async def kill_and_start_again(folder: Path, page: Page, port: int, chance: random.Random) -> None:
    """A daemon that is killed again and again, some messages on; the last life is left in peace."""
    command = [sys.executable, "-m", "tests.webchat.serving", str(folder), str(port)]
    for life in range(KILLS + 1):
        async with trio.open_nursery() as nursery:
            process = await nursery.start(partial(trio.run_process, command, check=False, stdout=DEVNULL))
            if life < KILLS:
                enough = len(page.lines) + chance.randrange(3, 20)
                with trio.fail_after(120):
                    while len(page.lines) < enough:
                        await trio.sleep(0.001)
            else:
                try:
                    await trio.sleep_forever()
                finally:
                    process.kill()
            process.kill()


@pytest.mark.slow
@pytest.mark.parametrize("seed", SEEDS[:1])
async def test_killed_daemon_loses_and_repeats_nothing(tmp_path: Path, seed: int) -> None:
    print(f"WEBCHAT_SEED={seed}")
    chance = random.Random(seed)
    words = [f"customer {number}" for number in range(60)]
    with held_port() as port:
        async with bad_line(chance) as (line, line_port):
            line.good, line.target = True, port
            page = Page(f"127.0.0.1:{line_port}/chat/shop_chat", handshake_s=HANDSHAKE_S)
            with trio.fail_after(360):
                async with trio.open_nursery() as nursery:
                    nursery.start_soon(kill_and_start_again, tmp_path, page, port, chance)
                    await stay(page, words, 2 * len(words), pause_s=0.03)
                    nursery.cancel_scope.cancel()
    assert [text for text in page.texts if text.startswith("customer")] == words
    assert [text for text in page.texts if text.startswith("echo")] == [f"echo {text}" for text in words]
    assert {line["chat"] for line in page.lines} == {1}


async def test_restart_of_the_daemon_resumes_session_contact_and_messages(tmp_path: Path) -> None:
    page = Page("")
    async with open_house(tmp_path) as house:
        page.base = house.base
        async with page.open():
            await page.send("m1", "before")
            await page.wait_for("received")
            await house.sign_in()
            contact = await house.accept()
        # Said to a page that is gone, and the daemon stops.
        await house.say(contact, "while you were away")
    async with open_house(tmp_path) as house:
        page.base = house.base
        async with page.open():
            await page.wait_until(lambda: page.texts == ["before", "while you were away"])
            await house.sign_in()
            await page.send("m2", "after")
            await page.wait_for("received")
            assert house.said(contact) == ["before", "after"]
            await page.send("m2", "after")
            await page.wait_for("received")
            assert house.said(contact) == ["before", "after"]


async def test_message_said_again_after_the_end_is_not_a_new_contact(tmp_path: Path) -> None:
    async with open_house(tmp_path) as house:
        page = Page(house.base)
        await house.sign_in()
        async with page.open():
            await page.send("m1", "hello")
            await page.wait_for("received")
            contact = await house.accept()
            await house.end(contact)
            await page.wait_for("ended")
            await page.put(type="message", message_id="m1", text="hello", chat=0)
            assert (await page.wait_for("received"))["chat"] == 1
            assert house.switchboard.contacts() == []


async def test_last_words_of_a_page_that_is_cut_off_begin_no_second_contact(tmp_path: Path) -> None:
    async with open_house(tmp_path) as house:
        await house.sign_in()
        for number in range(20):
            page = Page(house.base)
            async with page.open():
                await page.send("m1", f"hello {number}")
                contact = await house.accept()
                await page.wait_for("received", message_id="m1")
                await page.send("m2", "that is all")
                # Decided, and not on the disk yet: now the line breaks, and the agent is quick.
                while house.said(contact)[-1] != "that is all":
                    await trio.lowlevel.checkpoint()
            await house.end(contact)
            async with page.open():
                await page.wait_for("received", message_id="m2", chat=1)
            assert house.switchboard.contacts() == []


async def test_page_that_lost_the_line_learns_that_its_rating_was_taken(tmp_path: Path) -> None:
    async with open_house(tmp_path) as house:
        page = Page(house.base)
        async with page.open():
            await house.sign_in()
            await page.send("m1", "hello")
            await house.end(await house.accept())
            await page.wait_for("ended", score=0, may_rate=True)
            await page.put(type="rate", score=4)
            await page.wait_for("rated", score=4)
        async with page.open():
            await page.wait_for("ended", score=4, may_rate=False)


async def test_conversation_written_down_before_a_crash_is_admitted_by_the_next_start(tmp_path: Path) -> None:

    async with open_house(tmp_path):
        pass
    (folder,) = [path.parent for path in tmp_path.rglob("sessions.sqlite")]
    store = Store(folder / "sessions.sqlite")
    await store.open()
    row = SessionRow(id="sess", secret_hash=b"x", created_ns=1, seen_ns=2**60)
    await store.begin_session(row, sessions_max=10)
    admission = AdmitContact(channel="shop_chat", provider_id="sess-1", text="unheard", handle="web:sess")
    opening = Opening(admission=admission, files=(), files_message_id="m1.files")
    await store.begin_chat(
        ChatRow(provider_id="sess-1", session="sess", number=1, first_message_id="m1", opening=opening)
    )
    await store.close()
    async with open_house(tmp_path) as house:
        (contact,) = house.switchboard.contacts()
        assert house.said(contact.id) == ["unheard"]


async def test_start_with_many_open_conversations_takes_few_commits(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One after the other they would take longer than a component may take to start, over and over."""
    chats_n = 600
    numbers = range(chats_n)
    contacts = [0] * chats_n

    async def admit(house: House, n: int) -> None:
        come = AdmitContact(channel="shop_chat", provider_id=f"s{n}-1", text=f"hello {n}")
        contacts[n] = (await house.switchboard.submit(come)).contact

    async with open_house(tmp_path) as house, trio.open_nursery() as nursery:
        for n in numbers:
            nursery.start_soon(admit, house, n)
    (folder,) = [path.parent for path in tmp_path.rglob("sessions.sqlite")]
    store = Store(folder / "sessions.sqlite")
    await store.open()
    async with trio.open_nursery() as nursery:
        for n in numbers:
            nursery.start_soon(keep_open_chat, store, n, contacts[n])
    await store.close()
    commits, commit = 0, GroupCommit._commit

    def counted(self: GroupCommit, batch: Any) -> None:
        nonlocal commits
        commits += 1
        commit(self, batch)

    monkeypatch.setattr(GroupCommit, "_commit", counted)
    async with open_house(tmp_path) as house:
        assert commits < chats_n / 20
        assert len(house.switchboard.contacts()) == chats_n
    await store.open()
    assert [line.text for line in await store.lines_after("s599", 0)] == ["hello 599"]
    await store.close()


async def keep_open_chat(store: Store, n: int, contact: int) -> None:
    row = SessionRow(id=f"s{n}", secret_hash=b"x", created_ns=1, seen_ns=2**60)
    await store.begin_session(row, sessions_max=10_000)
    await store.begin_chat(
        ChatRow(provider_id=f"s{n}-1", session=f"s{n}", number=1, contact=contact, first_message_id=f"m{n}")
    )


async def test_contact_that_its_channel_lost_is_ended_by_reconciliation(tmp_path: Path) -> None:
    async with open_house(tmp_path) as house, Page(house.base).open() as page:
        await page.send("m1", "hello")
        await page.wait_for("received")
    for path in tmp_path.rglob("sessions.sqlite*"):
        path.unlink()
    async with open_house(tmp_path) as house:
        assert house.switchboard.contacts() == []
        page.base = house.base
        async with page.open():
            session = page.heard[0]
            assert session["resumed"] is False


async def test_page_that_knows_another_past_gets_everything_anew(tmp_path: Path) -> None:
    async with open_house(tmp_path) as house:
        page = Page(house.base)
        async with page.open():
            await page.send("m1", "hello")
            await page.wait_for("received")
        page.last = 99  # the store was restored from a backup
        async with page.open():
            await page.wait_until(lambda: page.texts == ["hello"])
            assert page.last == 1
