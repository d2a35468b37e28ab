"""One Asterisk: connected for as long as we live, again and again.

It knows the connection and nothing of calls. After each connection the channel looks at what the server has
(`welcome`); what happens meanwhile is kept and told afterwards, so that a call that begins or ends at
that moment is neither missed nor brought back.
"""

from __future__ import annotations

import random
from collections.abc import Awaitable, Callable, Sequence
from typing import Final

import httpx
import structlog
import trio

from centralita_asterisk import ari, settings
from centralita_asterisk.ari import AnyEvent, Ari, AriError, Request

FILE_S: Final = 60.0
"""How long fetching a file may stand still."""


class Server:
    """The channel's hold on one Asterisk. `welcome(server)` is awaited after each connection, `on_event(server, event)`
    is called for what happens, `on_lost(server)` when the connection has been away for `lost_after_s`."""

    def __init__(
        self,
        name: str,
        its: settings.Server,
        ours: settings.VoiceSettings,
        *,
        secret: str,
        log: structlog.stdlib.BoundLogger,
        welcome: Callable[[Server], Awaitable[None]],
        on_event: Callable[[Server, AnyEvent], None],
        on_lost: Callable[[Server], Awaitable[None]],
    ) -> None:
        self.name = name
        self._its = its
        self._ours = ours
        self._secret = secret
        self._log = log.bind(server=name)
        self._welcome = welcome
        self._on_event = on_event
        self._on_lost = on_lost
        self._ari: Ari | None = None
        self._held: list[AnyEvent] | None = None
        self.tried = trio.Event()
        """The first attempt to connect is over."""
        self.ready = False
        """Connected, and what is there has been looked at."""
        self.rooms: set[str] = set()
        """Bridges that exist."""
        self.room_names: dict[int, str] = {}
        """The bridge of each contact that has one, or is to have one."""
        self.looked = False
        """What this connection's server has is known: a telephone rung before that would be rung unseen."""
        self.life = 0
        """Which connection this is."""
        self.watched: set[str] = set()
        """Phones whose changes this connection tells."""

    @property
    def app(self) -> str:
        """The application's name."""
        return self._ours.app

    @property
    def connected(self) -> bool:
        """Whether it can be asked; what is there may not have been looked at yet."""
        return self._ari is not None

    def phone(self, agent: str) -> str:
        """How the agent's phone is called from here."""
        template = self._its.phone or self._ours.phones.get(agent) or self._ours.phone
        return template.replace("{agent}", agent)

    def outside(self, number: str) -> str:
        """How a number is called from here."""
        return (self._its.dial or self._ours.dial).replace("{number}", number)

    async def ask(
        self, method: str, path: str, query: dict[str, str] | None = None, *, known: tuple[int, ...] = ()
    ) -> str:
        """Ask one thing. Raises AriError, AriRefused."""
        return await self._connected().ask(method, path, query, known=known)

    async def batch(self, requests: Sequence[Request]) -> list[ari.Answer]:
        """Ask several things at once, in this order; the answers in the same order."""
        return await self._connected().batch(requests) if requests else []

    async def channels(self) -> list[ari.Channel]:
        """Every channel the server has."""
        return await self._connected().channels()

    async def has_channel(self, id: str) -> bool:
        """Whether there is such a channel. Raises AriError."""
        return await self.has(f"channels/{id}")

    async def has(self, path: str) -> bool:
        """Whether the server has what this path names. Raises AriError."""
        return path in await self.those_there([path])

    async def those_there(self, paths: Sequence[str]) -> dict[str, str]:
        """Those of these that the server has, each with what it says of it, as JSON. Raises AriError."""
        asked = [Request("GET", path, known=(404,)) for path in paths]
        answers = await self._connected().batch(asked) if asked else []
        return {
            path: answer.message_body
            for path, answer in zip(paths, answers, strict=True)
            if answer.status_code != 404
        }

    async def file(self, path: str) -> bytes | None:
        """The bytes of a stored file; None when there is none. Raises AriError. The WebSocket carries text only."""
        url = f"{self._its.url.rstrip('/')}/{path}"
        try:
            async with httpx.AsyncClient(auth=(self._its.user, self._secret), timeout=FILE_S) as client:
                answer = await client.get(url)
        except httpx.HTTPError as error:
            raise AriError(f"{path} could not be fetched: {type(error).__name__}") from None
        if answer.status_code == 404:
            return None
        if answer.status_code >= 400:
            raise AriError(f"{path} could not be fetched: {answer.status_code}")
        return answer.content

    def _connected(self) -> Ari:
        if self._ari is None:
            raise AriError(f"Asterisk {self.name} is not connected")
        return self._ari

    async def run(self) -> None:
        """Stay connected until cancelled."""
        wait_s = self._ours.reconnect_first_s
        lost_at = trio.current_time() + self._ours.lost_after_s
        told_lost = False
        while True:
            began = trio.current_time()
            try:
                await ari.open_ari(
                    self._its.url,
                    app=self._ours.app,
                    user=self._its.user,
                    password=self._secret,
                    log=self._log,
                    run=self._serve,
                    on_event=self._event,
                )
                reason = "closed"
            except AriError as error:
                reason = str(error)
            was_ready, self.ready, self.looked = self.ready, False, False
            self._ari = None
            self.tried.set()
            now = trio.current_time()
            if was_ready:
                self._log.warning("asterisk_lost", after_s=round(now - began, 1), reason=reason)
                wait_s = self._ours.reconnect_first_s
                lost_at, told_lost = now + self._ours.lost_after_s, False
            elif wait_s == self._ours.reconnect_first_s:
                self._log.warning("asterisk_unreachable", reason=reason)
            if now >= lost_at and not told_lost:
                told_lost = True
                await self._on_lost(self)
            await trio.sleep(wait_s * random.uniform(0.8, 1.2))
            wait_s = min(wait_s * 2, self._ours.reconnect_longest_s)

    async def _serve(self, connection: Ari) -> None:
        self._held = []
        self._ari = connection
        self.life += 1
        self.looked = False
        self.watched.clear()
        await ari.filter_events(connection)
        try:
            await self._welcome(self)
        finally:
            held, self._held = self._held, None
        self.ready = True
        self._log.info("asterisk_connected")
        for event in held:
            self._on_event(self, event)
        self.tried.set()
        await trio.sleep_forever()

    def _event(self, event: AnyEvent) -> None:
        if isinstance(event, ari.ApplicationReplaced):
            self._log.error("asterisk_application_taken", app=self._ours.app)
        elif self._held is not None:
            self._held.append(event)
        elif self.ready:
            self._on_event(self, event)

    def __repr__(self) -> str:
        return f"Server({self.name!r})"
