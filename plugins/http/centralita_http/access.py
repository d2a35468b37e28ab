"""Who may: one mechanism for every route and every WebSocket, our own and what others mount.

Each route handler says in `opt={"role": …}` who may call it; `Gate.guard` is the one Litestar guard of
the application and decides by that word, and a handler without it is an error at start. Roles:

public      anybody
metrics     this machine; from elsewhere an admin
agent       any agent, and whoever stands above
supervisor  a supervisor or an admin
admin       an admin
channel     a channel's token, or an admin: `channel` stands apart from the rest
any         whoever has a live token

More words may stand beside it. `own` narrows `agent` to what is the agent's: "agent" (the path's `name` is
the caller) or "contact" (the path's `contact` is in the caller's hands, or the caller is consulted
about it); and `channel` to what is the channel's: "channel" (the path's `contact` came in there; where a body
names the channel instead, its handler asks `check_channel`). `first_frame: True` lets a WebSocket open without a token, which the handler then asks for with
`sign_in`.

A WebSocket also says in `messages` who may send what once it is open: each kind of message with a role, and
" see" or " speak" behind it when it is about a contact that the caller must be allowed to read, or to write
in. Its handler asks `permit_message` before it does anything; a kind that isn't named is refused, and a WebSocket
without `messages` is an error at start.

A page of another site can't use a visitor's cookie: it is SameSite=Strict, and whatever changes
something or opens a WebSocket is refused when it names a foreign origin. Public handlers use no cookie and
may be called from anywhere, unless `origin: "own"` says otherwise; a chat widget checks for itself.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from ipaddress import ip_address
from typing import Any, Final, Literal
from urllib.parse import SplitResult, urlsplit

import trio
from litestar.connection import ASGIConnection
from litestar.enums import ScopeType
from litestar.handlers import BaseRouteHandler, WebsocketRouteHandler

from centralita.protocols import Switchboard
from centralita.structs import Frozen
from centralita_http.errors import Rejected
from centralita_http.lag import Lag
from centralita_http.limits import Buckets
from centralita_http.lobby import SEAT, Lobby, Seat
from centralita_http.settings import HttpSettings
from centralita_http.tokens import Token, TokenCache, TokenStore

Access = Literal["public", "metrics", "agent", "supervisor", "admin", "channel", "any"]
ACCESSES: Final = frozenset(Access.__args__)  # type: ignore[attr-defined]  # what a Literal is made of

COOKIE: Final = "centralita_session"
VERIFYING_AT_ONCE: Final = 2
"""Threads that check secrets; argon2 is heavy, and nobody gets to fill the machine with it."""
_SAFE_METHODS: Final = frozenset({"GET", "HEAD", "OPTIONS"})
FORWARDED: Final = (
    "forwarded",
    "via",
    "x-forwarded-for",
    "x-forwarded-host",
    "x-forwarded-proto",
    "x-real-ip",
)
"""Any of them says that somebody else asks, through a proxy."""
_CALLER: Final = "centralita_caller"

Connection = ASGIConnection[Any, Any, Any, Any]


class Caller(Frozen):
    """Whoever calls, as the token says. `agent` is empty unless the role is agent, `channel` unless it is channel."""

    token_id: str
    name: str
    role: Literal["admin", "supervisor", "agent", "channel"]
    agent: str
    channel: str = ""


class Gate:
    """Knows tokens and decides; one for the application, found by handlers as `app.state.gate`."""

    def __init__(
        self,
        store: TokenStore,
        switchboard: Switchboard,
        settings: HttpSettings,
        *,
        now_ns: Callable[[], int],
        lobby: Lobby,
        lag: Lag,
        tls: bool,
    ) -> None:
        self._now_ns = now_ns
        self._lobby = lobby
        self._lag = lag
        self._store = store
        self._switchboard = switchboard
        self._settings = settings
        self._cache = TokenCache(now_s=trio.current_time)
        self._threads = trio.CapacityLimiter(VERIFYING_AT_ONCE)
        per_s = settings.limits.bad_tokens_per_min / 60
        self._bad = Buckets(
            rate_per_s=per_s, burst=settings.limits.bad_tokens_per_min, now_s=trio.current_time
        )
        self.cookie_secure = tls
        self.session_s = round(settings.session_s)

    async def guard(self, connection: Connection, handler: BaseRouteHandler) -> None:
        """Let the connection pass to its handler, or raise Rejected."""
        opt = handler.opt
        access: Access = opt["role"]
        customer = access == "public" and connection.scope["type"] == ScopeType.WEBSOCKET
        if customer:
            self._leave_room()
        if access != "public" or opt.get("origin") == "own":
            self._check_origin(connection)
        text = presented(connection)
        if text is None and opt.get("first_frame"):
            return
        caller = None
        if text is not None and access != "public":
            caller = await self._known(text, connection, quiet=access == "metrics")
        self._permit(access, caller, connection)
        if caller is not None:
            _check_own(opt.get("own"), caller, connection, self._switchboard)
            connection.scope[_CALLER] = caller  # type: ignore[typeddict-unknown-key]  # ours among ASGI's
        if customer or caller is not None:
            _enter(connection, by_token=caller is not None)

    async def admit(self, connection: Connection, text: str) -> Caller:
        """Who stands behind a token given otherwise than by header or cookie; or raise Rejected."""
        caller = await self._known(text, connection, quiet=False)
        assert caller is not None
        return caller

    async def sign_in(self, connection: Connection, text: str, *, access: Access) -> Caller:
        """`admit`, and the rule of a handler that let the connection in without a token."""
        caller = await self.admit(connection, text)
        self._permit(access, caller, connection)
        connection.scope[_CALLER] = caller  # type: ignore[typeddict-unknown-key]  # ours among ASGI's
        _enter(connection, by_token=True)
        return caller

    def permit_message(self, connection: Connection, kind: str, *, contact: int = 0) -> None:
        """Let a message of an open WebSocket be done, or raise Rejected. `contact`: what it is about, or 0."""
        words = connection.route_handler.opt["messages"].get(kind, "").split()
        if not words:
            raise Rejected(403, "forbidden", f"{kind[:64]!r} is nobody's to say here")
        caller = known_caller(connection)
        self._permit(words[0], caller, connection)
        if len(words) > 1 and caller is not None and caller.role == "agent":
            may = may_see if words[1] == "see" else may_speak
            if not may(self._switchboard, contact, caller.agent):
                raise Rejected(403, "not_yours", f"contact {contact} is not yours")

    async def still_live(self, caller: Caller) -> bool:
        """Whether the caller's token is worth something yet; for connections that stay open."""
        token = await self._in_thread(self._store.get, caller.token_id)
        return token is not None and token.is_live(self._now_ns())

    def forget(self, token_id: str) -> None:
        """A token was revoked: the next request with it is refused."""
        self._cache.forget(token_id)

    async def _known(self, text: str, connection: Connection, *, quiet: bool) -> Caller | None:
        token = self._cache.get(text)
        if token is None:
            address = connection.client.host if connection.client else ""
            if self._bad.level(address) < 1:
                raise Rejected(
                    429, "too_many_requests", "too many tokens refused; wait a minute", retry_after_s=60
                )
            token = await self._in_thread(self._store.verify, text)
            if token is None:
                self._bad.take(address)
            else:
                self._cache.put(text, token)
        if token is None or not token.is_live(self._now_ns()):
            if quiet:
                return None
            raise Rejected(401, "bad_token", "the token is unknown, expired or revoked")
        return Caller(
            token_id=token.id, name=token.name, role=token.role, agent=token.agent, channel=token.channel
        )

    def _permit(self, access: Access, caller: Caller | None, connection: Connection) -> None:
        if access == "public" or (access == "metrics" and is_this_machine(connection)):
            return
        if caller is None:
            raise Rejected(
                401, "no_token", "say who you are: Authorization: Bearer TOKEN, or POST /api/session"
            )
        if caller.role not in ALLOWED[access]:
            raise Rejected(403, "forbidden", f"this is for {access}; the token's role is {caller.role}")

    def _leave_room(self) -> None:
        """A crowd of customers must not keep agents and operators out, nor everybody waiting."""
        if self._lag.busy or self._lobby.known_n >= self._settings.limits.public_connections:
            raise Rejected(503, "busy", "too many are here; try again in a moment", retry_after_s=5)

    def _check_origin(self, connection: Connection) -> None:
        origin = connection.headers.get("origin")
        if origin is None:
            return
        websocket = connection.scope["type"] == ScopeType.WEBSOCKET
        changes = websocket or connection.scope.get("method") not in _SAFE_METHODS
        if changes and not self._is_ours(origin, connection):
            raise Rejected(
                403, "foreign_origin", f"pages of {origin[:200]} may not; see the setting `origins`"
            )

    def _is_ours(self, origin: str, connection: Connection) -> bool:
        if origin in self._settings.origins:
            return True
        place = _place(origin)
        return place is not None and place.netloc == connection.headers.get("host", "")

    async def _in_thread(self, what: Any, text: str) -> Token | None:
        found: Token | None = await trio.to_thread.run_sync(what, text, limiter=self._threads)
        return found


ALLOWED: Final[dict[str, frozenset[str]]] = {
    "metrics": frozenset({"admin"}),
    "agent": frozenset({"agent", "supervisor", "admin"}),
    "supervisor": frozenset({"supervisor", "admin"}),
    "admin": frozenset({"admin"}),
    "channel": frozenset({"channel", "admin"}),
    "any": frozenset({"admin", "supervisor", "agent", "channel"}),
}
"""Which tokens' roles each word of `opt` lets in; `public` asks for none."""


def caller_of(connection: Connection) -> Caller:
    """Who called, in a handler behind any role but public, metrics and a first frame."""
    caller: Caller = connection.scope[_CALLER]  # type: ignore[typeddict-item]  # the guard put it there
    return caller


def works_in(switchboard: Switchboard, contact: int, agent: str) -> bool:
    """Whether the contact is in the agent's hands."""
    view = switchboard.contact(contact, messages=False)
    return view is not None and any(work.agent == agent for work in view.works)


def may_speak(switchboard: Switchboard, contact: int, agent: str) -> bool:
    """Whether the agent may write in the contact: it is in their hands, or the consultation they asked for."""
    if works_in(switchboard, contact, agent):
        return True
    view = switchboard.contact(contact, messages=False)
    return view is not None and view.parent != 0 and works_in(switchboard, view.parent, agent)


def may_see(switchboard: Switchboard, contact: int, agent: str) -> bool:
    """Whether the agent may read the contact: it is in their hands, or they are consulted about it."""
    if works_in(switchboard, contact, agent):
        return True
    view = switchboard.contact(contact, messages=False)
    return view is not None and view.consultation != 0 and works_in(switchboard, view.consultation, agent)


def known_caller(connection: Connection) -> Caller | None:
    """Who called, or None where the guard let in somebody unknown."""
    caller: Caller | None = connection.scope.get(_CALLER)  # type: ignore[assignment]  # the guard's
    return caller


def presented(connection: Connection) -> str | None:
    """The token in the Authorization header, or else in the cookie; None when there is neither."""
    header = connection.headers.get("authorization")
    if header is not None:
        scheme, _, text = header.partition(" ")
        return text.strip() if scheme.lower() == "bearer" else ""
    return connection.cookies.get(COOKIE)


def is_this_machine(connection: Connection) -> bool:
    """Whether the request began on this machine and was meant for it.

    A proxy on this machine forwards others' requests, and a page can point a name of its own at
    127.0.0.1; so the address alone is not believed.
    """
    place = _place(f"//{connection.headers.get('host', '')}")
    host = (place.hostname if place is not None else None) or ""
    forwarded = any(name in connection.headers for name in FORWARDED)
    address = connection.client.host if connection.client else ""
    return _is_loopback(address) and not forwarded and (host == "localhost" or _is_loopback(host))


def check_channel(connection: Connection, channel: str) -> None:
    """Refuse a channel's token that speaks for another channel; for handlers whose body names the channel."""
    caller = caller_of(connection)
    if caller.role == "channel" and caller.channel != channel:
        raise Rejected(403, "not_yours", f"the token speaks for channel {caller.channel!r} alone")


def roles_missing(handlers: list[tuple[str, BaseRouteHandler]]) -> list[str]:
    """A line for each (path, handler) whose `opt` has no role, or one that doesn't exist, and for each
    WebSocket that does not say who may send what."""
    known = ", ".join(sorted(ACCESSES))
    missing = [
        f"{path} ({handler.handler_name}): opt['role'] was {handler.opt.get('role')!r}; known: {known}"
        for path, handler in handlers
        if handler.opt.get("role") not in ACCESSES
    ]
    for path, handler in handlers:
        if isinstance(handler, WebsocketRouteHandler):
            messages = handler.opt.get("messages")
            if not isinstance(messages, Mapping) or not messages:
                missing.append(
                    f"{path} ({handler.handler_name}): opt['messages'] was {messages!r}; must name each kind of "
                    "message and who may send it"
                )
                continue
            missing += [
                f"{path} ({handler.handler_name}): opt['messages'][{kind!r}] was {words!r}; allowed: one of "
                f"{known}, and see or speak behind it"
                for kind, words in messages.items()
                if not _is_rule(words)
            ]
    return missing


def _is_rule(words: object) -> bool:
    parts = words.split() if isinstance(words, str) else []
    return bool(parts) and parts[0] in ACCESSES and parts[1:] in ([], ["see"], ["speak"])


def _enter(connection: Connection, *, by_token: bool) -> None:
    """Take its connection out of the lobby, where it might be pushed out."""
    seat: Seat | None = connection.scope.get("state", {}).get(SEAT)
    if seat is not None:
        seat.enter(by_token=by_token)


def _check_own(own: str | None, caller: Caller, connection: Connection, switchboard: Switchboard) -> None:
    if own == "channel" and caller.role == "channel":
        # One answer for another channel's contact and for none, as below.
        number = connection.path_params.get("contact")
        view = switchboard.contact(int(number), messages=False) if number is not None else None
        if number is not None and (view is None or view.channel != caller.channel):
            raise Rejected(403, "not_yours", "this contact is not of the token's channel")
    if own in (None, "channel") or caller.role != "agent":
        return
    if own == "agent":
        yours = connection.path_params.get("name") == caller.agent
    else:
        # One answer for somebody else's contact and for none: an id tells nothing.
        yours = may_see(switchboard, int(connection.path_params.get("contact", 0)), caller.agent)
    if not yours:
        raise Rejected(403, "not_yours", f"this {own} is not yours")


def _place(url: str) -> SplitResult | None:
    """A URL in its parts, when it names a host at all."""
    try:
        parts = urlsplit(url)
    except ValueError:
        return None
    return parts if parts.netloc else None


def _is_loopback(text: str) -> bool:
    try:
        return ip_address(text).is_loopback
    except ValueError:
        return False
