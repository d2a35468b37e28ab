"""The daemon's REST and server-sent events (docs/http.md), for the commands that ask a running daemon.

It knows addresses, tokens and status codes; what the answers mean is the commands' business. Standard
library only: every command pays for its imports at each call.
"""

from __future__ import annotations

import http.client
import json
import socket
import ssl
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Final
from urllib.parse import quote, urlencode, urlsplit

import click

from centralita.config import Component, Configuration
from centralita.plugins import data_folder
from centralita_cli.exits import Broken, Refused, Unreachable, Unusable
from centralita_cli.options import CONFIG_NAME, loaded

DEFAULT_PORT: Final = 8470
ANSWER_S: Final = 10.0
"""How long the daemon may take over one answer."""
SILENCE_S: Final = 60.0
"""A stream that says nothing for so long, not even a comment, is dead."""
ANSWER_BYTES_MAX: Final = 256 << 20
LINE_BYTES_MAX: Final = 64 << 20

LOOPBACK: Final = "127.0.0.1"
_THIS_MACHINE: Final = {LOOPBACK, "localhost", "::1"}

PORT_FILE: Final = "http.port"
TOKEN_FILE: Final = "cli.token"


class Client:
    """One daemon, asked with one token."""

    def __init__(self, url: str, token: str) -> None:
        try:
            parts = urlsplit(url)
            port = parts.port
            (parts.hostname or "").encode("idna")  # as the system's resolver will
        except ValueError:
            raise _no_url(url) from None
        if not (token.isascii() and token.isprintable()):
            raise Unusable("--token has signs that no token has; `centralita token create` makes one")
        host = parts.hostname or ""
        beside = parts.username is not None or parts.path.strip("/") or parts.query or parts.fragment
        if (
            parts.scheme not in {"http", "https"}
            or not host
            or not host.isprintable()
            or " " in host
            or beside
        ):
            raise _no_url(url)
        self.url = url.rstrip("/")
        self.token = token
        self._secure = parts.scheme == "https"
        self._host = host
        self._port = port or (http.client.HTTPS_PORT if self._secure else http.client.HTTP_PORT)

    @property
    def place(self) -> tuple[bool, str, int]:
        """Whether by TLS, the host and the port; this machine is one host by whichever name."""
        host = self._host.lower()
        return (self._secure, LOOPBACK if host in _THIS_MACHINE else host, self._port)

    def get(self, path: str, **query: Any) -> Any:
        """The decoded answer to a GET; a query value of None is left out."""
        return self._ask("GET", path, query=query)

    def post(self, path: str, body: Mapping[str, Any] | None = None, *, within_s: float = ANSWER_S) -> Any:
        """The decoded answer to a POST of JSON; None: without a body."""
        sent = None if body is None else json.dumps(body).encode()
        return self._ask("POST", path, query={}, body=sent, within_s=within_s)

    def stream(self, path: str) -> Iterator[tuple[str, Any]]:
        """Server-sent events as (event, decoded data), until the daemon ends the stream.

        Raises Unreachable when the connection breaks or falls silent.
        """
        connection = self._connect(SILENCE_S)
        try:
            response = self._send(connection, "GET", path, {"Accept": "text/event-stream"})
            event, data = "message", list[str]()
            for line in _lines(response):
                if not line:
                    if data:
                        yield event, json.loads("\n".join(data))
                    event, data = "message", []
                    continue
                field, _, value = line.partition(":")
                value = value.removeprefix(" ")
                if field == "event":
                    event = value
                elif field == "data":
                    data.append(value)
        except (OSError, http.client.HTTPException) as error:
            raise self._unreachable(error) from error
        finally:
            connection.close()

    def _ask(
        self,
        method: str,
        path: str,
        *,
        query: Mapping[str, Any],
        body: bytes | None = None,
        within_s: float = ANSWER_S,
    ) -> Any:
        wanted = {key: value for key, value in query.items() if value is not None}
        connection = self._connect(within_s)
        headers = {"Accept": "application/json"} | ({"Content-Type": "application/json"} if body else {})
        try:
            target = path + (f"?{urlencode(wanted, errors='surrogateescape')}" if wanted else "")
            response = self._send(connection, method, target, headers, body)
            answer = response.read(ANSWER_BYTES_MAX + 1)
        except (OSError, http.client.HTTPException) as error:
            raise self._unreachable(error) from error
        finally:
            connection.close()
        if len(answer) > ANSWER_BYTES_MAX:
            raise Broken(f"{self.url}{path} answered with more than {ANSWER_BYTES_MAX} bytes")
        return self._decoded(path, answer)

    def _connect(self, timeout_s: float) -> http.client.HTTPConnection:
        if self._secure:
            context = ssl.create_default_context()
            return http.client.HTTPSConnection(self._host, self._port, timeout=timeout_s, context=context)
        return http.client.HTTPConnection(self._host, self._port, timeout=timeout_s)

    def _send(
        self,
        connection: http.client.HTTPConnection,
        method: str,
        target: str,
        headers: dict[str, str],
        body: bytes | None = None,
    ) -> http.client.HTTPResponse:
        if self.token:
            headers = {**headers, "Authorization": f"Bearer {self.token}"}
        connection.request(method, target, body=body, headers=headers)
        response = connection.getresponse()
        if response.status >= 400:
            raise self._refusal(response.status, response.read(LINE_BYTES_MAX), target)
        return response

    def _decoded(self, path: str, body: bytes) -> Any:
        try:
            return json.loads(body)
        except ValueError as error:
            raise Broken(f"{self.url}{path} did not answer with JSON: is this the daemon?") from error

    def _refusal(self, status: int, body: bytes, target: str) -> click.ClickException:
        try:
            said = json.loads(body)
            message = f"{said['message']} ({said['code']})"
        except (ValueError, KeyError, TypeError):
            message = f"{self.url}{target} answered {status}"
        if status == 401:
            hint = (
                "give --token or $CENTRALITA_TOKEN"
                if not self.token
                else "the token is not, or no longer, good"
            )
            return Refused(f"{message}; {hint}")
        return Refused(message) if status < 500 else Broken(message)

    def _unreachable(self, error: Exception) -> Unreachable:
        if isinstance(error, ConnectionRefusedError):
            reason = "nothing listens there: start it with `centralita serve`"
        elif isinstance(error, socket.gaierror):
            reason = "no such host"
        elif isinstance(error, TimeoutError):
            reason = "no answer in time"
        else:
            reason = str(error) or type(error).__name__
        return Unreachable(f"the daemon at {self.url} can't be reached: {reason}")


def _no_url(given: str) -> Unusable:
    return Unusable(f"--url was {given!r}; allowed: http://HOST[:PORT] or https://HOST[:PORT]")


def segment(name: str) -> str:
    """A name as one segment of a path; what the shell gave that is no text goes as the bytes that it was."""
    return quote(name, safe="", errors="surrogateescape")


def connect(config_path: Path | None, url: str | None, token: str | None) -> Client:
    """The client that the options and the configuration ask for.

    Without `--url` and `--token` the configuration's front door says where the daemon listens, and its
    data directory holds the port it took and the token of this machine's command line. That token is an
    admin's, so no other address is told it.
    """
    if url and token is not None:
        return Client(url, token)
    named = config_path is not None or Path(CONFIG_NAME).is_file()
    if not named:
        return Client(url or f"http://{LOOPBACK}:{DEFAULT_PORT}", token or "")
    configuration = loaded(config_path)
    door = front_door(configuration)
    folder = data_folder(configuration, door)
    own = Client(door_url(door, folder), token or "")
    client = Client(url, token or "") if url else own
    if token is None and client.place == own.place:
        client.token = _first_line(folder / TOKEN_FILE)
    return client


def front_door(configuration: Configuration) -> Component:
    """The HTTP server of a configuration. Raises Unusable when it has none."""
    doors = configuration.of_kind("front_doors")
    if not doors:
        raise Unusable(
            'front_doors: none, so the daemon can\'t be asked; add [front_doors.http] type = "http"'
        )
    return doors[0]


def door_url(door: Component, folder: Path) -> str:
    """Where a front door listens: the port it wrote down at its start, else the configured one."""
    host = str(door.settings.get("host", LOOPBACK))
    if host in {"0.0.0.0", "::"}:
        host = LOOPBACK
    port = _first_line(folder / PORT_FILE) or door.settings.get("port", DEFAULT_PORT)
    scheme = "https" if door.settings.get("tls_cert") else "http"
    return f"{scheme}://{f'[{host}]' if ':' in host else host}:{port}"


def _first_line(path: Path) -> str:
    """What a small file says; nothing when it isn't there (yet)."""
    try:
        return path.read_text(encoding="utf-8").strip()
    except FileNotFoundError:
        return ""
    except OSError as error:
        raise Unusable(
            f"{path} can't be read: {error.strerror}; --url and --token say it otherwise"
        ) from error


def _lines(response: http.client.HTTPResponse) -> Iterator[str]:
    while line := response.readline(LINE_BYTES_MAX):
        yield line.decode("utf-8").rstrip("\r\n")
