"""Telephones for the checks of the types that work with Asterisk: customers who call, agents who pick up.

One server serves all checks. It needs what tests/voice has, so it is no part of the plugin.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from functools import partial
from itertools import count
from pathlib import Path
from typing import Any

import trio
from tools.asterisk_server import PASSWORD, USER, Asterisk

from centralita.testing import ChannelDriver, Customer, House
from centralita.testing.house import ANA, LUIS
from tests.voice.phone import Phone, Talk

AGENTS = (ANA, LUIS)
PATIENCE_S = 15
_numbers = count(600_000_001)


class Telephones(ChannelDriver):
    """Callers from outside; the agents' telephones pick up by themselves."""

    words = False

    def __init__(self, asterisk: Asterisk) -> None:
        self._asterisk = asterisk

    @asynccontextmanager
    async def world(self, folder: Path) -> AsyncIterator[Mapping[str, Any]]:
        server = {"url": self._asterisk.url, "user": USER, "password": PASSWORD}
        async with trio.open_nursery() as nursery:
            for agent in AGENTS:
                phone = Phone(nursery, agent)
                phone.then = lambda talk: talk.answer()
                await phone.open(self._asterisk.sip)
                await phone.register()
            yield {"servers": {"main": server}, "ring": "accept", "reconnect_longest_s": 0.5}
            nursery.cancel_scope.cancel()
        await _silence(self._asterisk)

    async def arrive(self, house: House, words: str) -> Customer:
        phone = Phone(house.world, str(next(_numbers)))
        await phone.open(self._asterisk.sip)
        caller = Caller(await phone.call("sales"))
        house.world.start_soon(caller.wait)
        return caller


class Caller(Customer):
    """One call."""

    def __init__(self, talk: Talk) -> None:
        super().__init__()
        self._talk = talk

    async def wait(self) -> None:
        await self._talk.ended.wait()
        self.over = True

    async def say(self, words: str) -> None:
        raise NotImplementedError

    async def leave(self) -> None:
        await self._talk.hang_up()


async def _silence(asterisk: Asterisk) -> None:
    """What one check has left is no concern of the next."""
    with trio.move_on_after(PATIENCE_S):
        while await trio.to_thread.run_sync(asterisk.channels):
            await trio.to_thread.run_sync(partial(asterisk.cli, "channel request hangup all"))
            await trio.sleep(0.1)
