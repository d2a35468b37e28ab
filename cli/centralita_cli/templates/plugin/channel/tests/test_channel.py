"""What the kit can't know: how our lines look, and what we do with too many and too long ones."""

from pathlib import Path

import my_plugin
import trio

import centralita
from centralita.messages import AnswerOffer, ContactOffered, SignIn
from centralita.protocols import Switchboard

PATIENCE_S = 10


def settings(folder: Path, **channel: object) -> dict[str, object]:
    return {
        "domain": {"data": str(folder)},
        "journal": {"type": "memory"},
        "queues": {"help": {}},
        "agents": {"ana": {"title": "Ana"}},
        "channels": {"lines": {"type": "my_plugin", "port": 0, "queue": "help", **channel}},
    }


async def connect(folder: Path) -> trio.SocketStream:
    port = int((folder / "channels" / "lines" / "port").read_text())
    return await trio.open_tcp_stream("127.0.0.1", port)


async def read_until(stream: trio.SocketStream, words: bytes) -> bytes:
    heard = b""
    with trio.fail_after(PATIENCE_S):
        while words not in heard:
            data = await stream.receive_some()
            if not data:
                break
            heard += data
    return heard


async def accept(switchboard: Switchboard) -> None:
    async with switchboard.follow(after_seq=0) as batches:
        async for batch in batches:
            for event in (event for record in batch for event in record.events):
                if isinstance(event, ContactOffered):
                    answer = AnswerOffer(contact=event.contact, agent="ana", offer=event.offer, accept=True)
                    await switchboard.submit(answer)
                    return


def test_customer_is_told_who_is_there(tmp_path: Path) -> None:
    async def main() -> None:
        async with centralita.open_engine(
            settings(tmp_path), plugins=[my_plugin], entry_points=False
        ) as switchboard:
            await switchboard.submit(SignIn(agent="ana"))
            async with await connect(tmp_path) as stream:
                await stream.send_all(b"Hello?\n")
                await accept(switchboard)
                assert b"* You are talking to ana.\n" in await read_until(stream, b"talking")

    trio.run(main)


def test_customer_beyond_the_limit_is_turned_away(tmp_path: Path) -> None:
    async def main() -> None:
        raw = settings(tmp_path, customers_max=1)
        async with (
            centralita.open_engine(raw, plugins=[my_plugin], entry_points=False) as switchboard,
            await connect(tmp_path) as first,
        ):
            await first.send_all(b"Hello?\n")
            with trio.fail_after(PATIENCE_S):
                while not switchboard.contacts():
                    await trio.sleep(0.01)
            async with await connect(tmp_path) as second:
                assert await read_until(second, b"later.") == b"* We are full; please try again later.\n"

    trio.run(main)


def test_line_without_an_end_is_cut_off(tmp_path: Path) -> None:
    async def main() -> None:
        async with (
            centralita.open_engine(settings(tmp_path), plugins=[my_plugin], entry_points=False),
            await connect(tmp_path) as stream,
        ):
            await stream.send_all(b"x" * 70_000)
            assert b"* A line has at most 65536 bytes." in await read_until(stream, b"bytes.")

    trio.run(main)
