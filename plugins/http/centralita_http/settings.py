"""What an operator may set of the front door and of the WebSocket desk, and what is refused at once.

`[front_doors.NAME] type = "http"` decodes into `HttpSettings`, `[desks.NAME] type = "websocket"` into
`DeskSettings`. A setting that would open the door wider than its words say is an error at start, never
a warning: binding beyond loopback needs TLS, or `insecure = true`, which says that somebody else
(a proxy on the same network) does it.
"""

from __future__ import annotations

from ipaddress import ip_address
from pathlib import Path
from typing import Annotated
from urllib.parse import urlsplit

from msgspec import Meta, Struct

from centralita.errors import ConfigurationError
from centralita.messages import Status

Count = Annotated[int, Meta(ge=1, le=1_000_000)]
Bytes = Annotated[int, Meta(ge=1024, le=1 << 30)]
Duration = Annotated[float, Meta(gt=0, le=86_400)]
Rate = Annotated[float, Meta(gt=0, le=1_000_000)]
LOBBY_LEAST = 64
"""A browser opens six connections at once, and some hands full of browsers are no flood."""


class DoorLimits(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """`[front_doors.NAME.limits]`: how much anybody may take of the server."""

    connections: Count = 4096
    """Open connections in all; the next one is answered 503 and closed."""
    staff_connections: Annotated[int, Meta(ge=0, le=1_000_000)] | None = None
    """How many of them are kept for those with a token: with fewer left, a customer's WebSocket is answered
    503. None: an eighth."""
    lobby_connections: Count | None = None
    """How many may be open by which nobody is known: without a whole head yet, between two, or asking what is anybody's.
    Beyond it the oldest is closed for the newest. None: an eighth of `connections`, 64 at least."""
    connections_per_address: Count = 512
    requests_per_s: Rate = 200
    """New requests and WebSockets of one address: a token bucket refilled at this rate."""
    requests_burst: Count = 400
    requests_per_s_in_all: Rate = 5000
    """The same over all addresses together, with a burst of twice as many."""
    bad_tokens_per_min: Rate = 30
    """Tokens refused to one address, before it has to wait: guessing is not worth while."""
    header_bytes: Bytes = 16_384
    header_s: Duration = 15
    """How long a connection may be without a whole request head, first or next."""
    body_bytes: Bytes = 1 << 20
    """The largest body, where a route does not say otherwise."""
    upload_bytes: Bytes = 32 << 20
    """The largest body of any route."""
    body_s: Duration = 60
    message_bytes: Bytes = 1 << 18
    """The largest WebSocket message."""
    messages_per_s: Rate = 50
    """Commands of one desk window."""
    send_s: Duration = 15
    """How long one write may wait for a slow reader, who is dropped then."""
    send_queue: Count = 1000
    """Messages waiting for one slow desk window, which is dropped then."""
    streams: Count = 256
    """Listeners of /api/events and /api/board together."""

    @property
    def public_connections(self) -> int:
        """How many connections there may be when a customer's WebSocket is let in."""
        kept = self.connections // 8 if self.staff_connections is None else self.staff_connections
        return self.connections - kept

    @property
    def lobby_seats(self) -> int:
        """`lobby_connections`, or what it is where it is not set."""
        return self.lobby_connections or max(LOBBY_LEAST, self.connections // 8)


class HttpSettings(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """`[front_doors.NAME] type = "http"`."""

    host: str = "127.0.0.1"
    port: Annotated[int, Meta(ge=0, le=65_535)] = 8470
    """0: any free one; the one taken is logged and written to `http.port` in the data directory."""
    tls_cert: str = ""
    """A certificate chain in PEM; relative to the configuration file."""
    tls_key: str = ""
    insecure: bool = False
    """Bind beyond loopback without TLS, because something in front of us does it."""
    origins: tuple[str, ...] = ()
    """Origins besides our own that may use the cookie and the WebSockets: `https://intranet.example`."""
    proxies: tuple[str, ...] = ()
    """Addresses of reverse proxies whose `X-Forwarded-For` is believed."""
    session_s: Annotated[float, Meta(gt=0, le=31_536_000)] = 43_200
    """How long the cookie of a sign-in lives."""
    limits: DoorLimits = DoorLimits()


class DeskSettings(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """`[desks.NAME] type = "websocket"`."""

    path: Annotated[str, Meta(pattern=r"^/[a-z0-9/_-]+$", max_length=100)] = "/ws/desk"
    sign_in_as: Status = "available"
    """The status of an agent who was not signed in and opens a window."""
    windows_per_agent: Annotated[int, Meta(ge=1, le=100)] = 10


def is_loopback(host: str) -> bool:
    """Whether only this machine can reach `host`; a name other than localhost is not known to be."""
    if host == "localhost":
        return True
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return False


def _is_file(path: Path) -> bool:
    try:
        return path.is_file()
    except (OSError, ValueError):
        return False  # a name that no file can have


def _is_origin(text: str) -> bool:
    try:
        parts = urlsplit(text)
    except ValueError:
        return False
    known = parts.scheme in {"http", "https"} and bool(parts.netloc)
    return known and f"{parts.scheme}://{parts.netloc}" == text


def check(settings: HttpSettings, *, path: str, folder: Path) -> None:
    """Raise ConfigurationError with everything that makes these settings unusable or unsafe.

    `path` is where they stand in the file, `folder` what the certificate's paths are relative to.
    """
    problems = []
    tls = bool(settings.tls_cert and settings.tls_key)
    if bool(settings.tls_cert) != bool(settings.tls_key):
        problems.append(f"{path}: tls_cert and tls_key go together; one of them is missing")
    for field in ("tls_cert", "tls_key"):
        name = getattr(settings, field)
        if name and not _is_file(folder / name):
            problems.append(f"{path}.{field} was {name!r}: no such file in {folder}")
    if not (is_loopback(settings.host) or tls or settings.insecure):
        problems.append(
            f"{path}.host was {settings.host!r}, which others can reach; allowed: a loopback address, "
            "or tls_cert and tls_key, or insecure = true when a proxy in front does TLS"
        )
    for origin in settings.origins:
        if not _is_origin(origin):
            problems.append(f"{path}.origins: {origin!r}; allowed: scheme://host[:port] and no more")
    for proxy in settings.proxies:
        try:
            ip_address(proxy)
        except ValueError:
            problems.append(f"{path}.proxies: {proxy!r} is not an IP address")
    if settings.limits.upload_bytes < settings.limits.body_bytes:
        problems.append(f"{path}.limits.upload_bytes was {settings.limits.upload_bytes}; at least body_bytes")
    if settings.limits.public_connections <= 0:
        problems.append(
            f"{path}.limits.staff_connections was {settings.limits.staff_connections}; allowed: less than"
            f" connections, {settings.limits.connections}"
        )
    if problems:
        raise ConfigurationError(problems)
