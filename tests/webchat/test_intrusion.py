"""A customer who tries to be another: ids, secrets, files, numbers, and what is left of a session that ended."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import httpx
import trio
from trio_websocket import ConnectionClosed

from tests.webchat.house import PATIENCE_S, House, Page, a_client, open_house, open_socket

PNG = b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR" + bytes(20)
WORDS = "nobody else may read this"


async def heard(house: House, *sent: dict[str, Any]) -> list[dict[str, Any]]:
    """What a bare socket is told after these frames, until it is quiet."""
    found: list[dict[str, Any]] = []
    async with open_socket(house.base) as socket:
        try:
            for frame in sent:
                await socket.send_message(json.dumps(frame))
            await socket.send_message('{"type": "ping"}')
            while not found or found[-1]["type"] != "pong":
                found.append(json.loads(await socket.get_message()))
        except ConnectionClosed:
            pass
    return found


async def upload(house: House, session: str, secret: str) -> httpx.Response:
    async with a_client() as client:
        return await client.post(
            f"http://{house.base}/attachments",
            data={"session": session, "secret": secret},
            files={"file": ("a.png", PNG)},
        )


async def test_no_id_and_no_wrong_secret_shows_anothers_conversation(tmp_path: Path) -> None:
    async with open_house(tmp_path) as house, Page(house.base).open() as victim:
        await victim.send("m1", WORDS, name="Vera", email="vera@example.org")
        await victim.wait_for("received")
        other = Page(house.base)
        async with other.open():
            pass
        wrong = victim.secret[:-1] + ("A" if victim.secret[-1] != "A" else "B")
        guesses = [
            {"session": victim.session, "secret": ""},
            {"session": victim.session, "secret": wrong},
            {"session": victim.session, "secret": other.secret},
            {"session": victim.session, "secret": victim.secret[:-1]},
            {"session": victim.session, "secret": victim.secret + "="},
            {"session": victim.session.swapcase(), "secret": victim.secret},
            {"session": victim.session + " ", "secret": victim.secret},
            {"session": "", "secret": victim.secret},
            {"session": "' OR 1=1 --", "secret": "' OR 1=1 --"},
            {"session": victim.session + "\0", "secret": victim.secret},
        ]
        for guess in guesses:
            told = await heard(house, {"type": "hello", "last": 0, **guess})
            text = json.dumps(told)
            assert WORDS not in text, guess
            assert "Vera" not in text
            assert "vera@example.org" not in text
            for frame in told:
                if frame["type"] == "session":
                    assert frame["session"] != victim.session
            assert (await upload(house, guess["session"], guess["secret"])).status_code == 401
        # The rightful page still has it all.
        assert victim.texts == [WORDS]


async def test_frames_of_one_session_touch_no_other(tmp_path: Path) -> None:
    async with (
        open_house(tmp_path) as house,
        Page(house.base).open() as victim,
        Page(house.base).open() as thief,
    ):
        await victim.send("m1", WORDS)
        await victim.wait_for("received")
        file = (await upload(house, victim.session, victim.secret)).json()
        (theirs,) = await house.contact_in("waiting")
        await thief.send("t1", "hello")
        await thief.wait_for("received")
        before = house.switchboard.contact(theirs)
        frames: list[dict[str, Any]] = [
            {"type": "message", "message_id": "t2", "text": "", "attachments": [file["id"]]},
            {"type": "message", "message_id": "m1", "text": "again", "chat": 1},
            {"type": "rate", "score": 1, "chat": 1},
            {"type": "rate", "score": 1, "chat": 99},
            {"type": "callback", "handle": "+34600111222"},
            {"type": "ack", "sequence": 2**40},
            {"type": "typing", "on": True},
            {"type": "message", "message_id": "t3", "text": "x", "contact": theirs},
            {"type": "message", "message_id": "t4", "text": "x", "session": victim.session},
            {"type": "hello", "session": victim.session, "secret": ""},
        ]
        for frame in frames:
            await thief.put(**frame)
        await thief.put(type="ping")
        await thief.wait_for("pong")
        assert house.switchboard.contact(theirs) == before
        assert victim.texts == [WORDS]
        assert WORDS not in json.dumps(thief.heard)
        await thief.put(type="end")
        await thief.wait_for("ended")
        assert house.phase(theirs) == "waiting"


async def test_file_is_had_by_its_own_signature_alone(tmp_path: Path) -> None:
    async with (
        open_house(tmp_path) as house,
        Page(house.base).open() as victim,
        Page(house.base).open() as thief,
    ):
        file = (await upload(house, victim.session, victim.secret)).json()
        own = (await upload(house, thief.session, thief.secret)).json()
        signature = own["url"].partition("signature=")[2]
        at = f"http://{house.base}/attachments"
        async with a_client() as client:
            for path in (
                f"{file['id']}",
                f"{file['id']}?signature={signature}",
                f"{file['id']}?signature=",
                f"{file['id']}?signature=%ff",
                f"../attachments/{file['id']}",
                f"..%2F..%2Fkey?signature={signature}",
                f"{file['id']}.file",
                "key",
            ):
                answer = await client.get(f"{at}/{path}")
                assert answer.status_code in {400, 404}, (path, answer.status_code)
                assert PNG not in answer.content
            assert (await client.get(f"http://{house.base}/{file['url']}")).content == PNG
            for path in (f"/contacts/1/attachments/{file['id']}",):
                assert (await client.get(f"http://{house.base}/desk{path}")).status_code == 401


async def test_session_that_was_taken_up_by_two_is_one_customers(tmp_path: Path) -> None:
    """Resuming needs the secret; with it, both pages are the same customer and see the same."""
    async with open_house(tmp_path) as house:
        first = Page(house.base)
        async with first.open():
            await first.send("m1", WORDS)
            await first.wait_for("received")
        second = Page(house.base)
        second.session, second.secret = first.session, first.secret
        async with second.open():
            await second.wait_until(lambda: second.texts == [WORDS])


async def test_uploads_at_once_are_bounded(tmp_path: Path) -> None:
    """Whoever holds uploads open without being a customer holds a bounded number of them."""
    async with open_house(tmp_path, uploads_per_address_max=3) as house, Page(house.base).open() as page:
        head = (
            f"POST /chat/shop_chat/attachments HTTP/1.1\r\nhost: 127.0.0.1:{house.port}\r\n"
            "content-type: multipart/form-data; boundary=x\r\ncontent-length: 100000\r\n\r\n"
        ).encode()
        streams = []
        for _ in range(3):
            stream = await trio.open_tcp_stream("127.0.0.1", house.port)
            await stream.send_all(head + b"--x")
            streams.append(stream)
        with trio.fail_after(PATIENCE_S):
            while (refused := await upload(house, page.session, page.secret)).status_code != 429:
                await trio.sleep(0.01)
        assert refused.json()["code"] == "too_many"
        for stream in streams:
            await trio.aclose_forcefully(stream)
        with trio.fail_after(PATIENCE_S):
            while (await upload(house, page.session, page.secret)).status_code != 201:
                await trio.sleep(0.01)
