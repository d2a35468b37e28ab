"""Tokens: who may call, kept as hashes in one SQLite file that the daemon and the CLI share.

A token is `ctl_<id>_<secret>`: twelve hex digits that name the row, so that looking one up costs the
same whatever their number, and 256 random bits that only its holder has. The file keeps an argon2id
hash of the secret (Biryukov, Dinu, Khovratovich 2016), so a copy of the file opens nothing. Its cost is
set low: it has to slow down guesses at passwords people choose, and 256 random bits can't be guessed at
any speed, while two hundred desks that reconnect at once should not wait for it. Still it is milliseconds;
`TokenCache` remembers for a few seconds what was verified, under a hash keyed with bytes that die with
the process.

This module knows nothing of HTTP. Its methods block (SQLite, argon2): call them from a thread.
"""

from __future__ import annotations

import hashlib
import hmac
import os
import re
import secrets
import sqlite3
import threading
import time
from collections import OrderedDict
from collections.abc import Callable
from pathlib import Path
from typing import Final, Literal, get_args

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError

from centralita.errors import CentralitaError, reason
from centralita.structs import Frozen

Role = Literal["admin", "supervisor", "agent", "channel"]
ROLES: Final[tuple[Role, ...]] = get_args(Role)

NS_PER_DAY: Final = 86_400 * 1_000_000_000
CACHE_S: Final = 10.0
"""How long a verified token is believed without looking; so a token revoked by the CLI lives this long."""
CACHE_SIZE: Final = 10_000
NAME_LENGTH_MAX: Final = 100
DAYS_MAX: Final = 36_500
FILE_NAME: Final = "tokens.sqlite3"
CLI_TOKEN_NAME: Final = "cli.token"

_TOKEN: Final = re.compile(r"ctl_([0-9a-f]{12})_([0-9a-f]{64})")
_ID: Final = re.compile(r"[0-9a-f]{12}")
_HASHER: Final = PasswordHasher(time_cost=1, memory_cost=8_192, parallelism=1)
_SCHEMA: Final = """
CREATE TABLE IF NOT EXISTS tokens (
    id TEXT PRIMARY KEY,
    name TEXT NOT NULL,
    role TEXT NOT NULL,
    agent TEXT NOT NULL,
    hash TEXT NOT NULL,
    made_ns INTEGER NOT NULL,
    expires_ns INTEGER NOT NULL,
    revoked_ns INTEGER NOT NULL,
    channel TEXT NOT NULL DEFAULT ''
) STRICT
"""


class BadToken(CentralitaError):
    """A token that can't be made as asked; says which field and what is allowed."""


class Token(Frozen):
    """What is known of a token, all but its secret. `expires_ns` 0: never; `revoked_ns` 0: not.

    `agent` is whose it is, for the role agent; `channel` what it may speak for, for the role channel.
    """

    id: str
    name: str
    role: Role
    agent: str
    made_ns: int
    expires_ns: int
    revoked_ns: int
    channel: str = ""

    def is_live(self, now_ns: int) -> bool:
        """Whether it opens anything now."""
        return not self.revoked_ns and (not self.expires_ns or now_ns < self.expires_ns)


class TokenStore:
    """The file of tokens. Several processes may have it open; several threads may use one store."""

    def __init__(self, path: Path, *, now_ns: Callable[[], int] = time.time_ns) -> None:
        self._now_ns = now_ns
        self._lock = threading.Lock()
        # The file is made with its mode, so that there is no moment in which others can open it.
        os.close(os.open(path, os.O_CREAT | os.O_RDWR, 0o600))
        self._db = sqlite3.connect(path, check_same_thread=False, timeout=5, isolation_level=None)
        self._db.execute("PRAGMA journal_mode = WAL")
        self._db.execute("PRAGMA synchronous = FULL")
        self._db.execute(_SCHEMA)
        columns = {row[1] for row in self._db.execute("PRAGMA table_info(tokens)")}
        if "channel" not in columns:  # made before tokens of channels were bound to one
            self._db.execute("ALTER TABLE tokens ADD COLUMN channel TEXT NOT NULL DEFAULT ''")

    def close(self) -> None:
        """Close the file; the store is of no use afterwards."""
        with self._lock:
            self._db.close()

    def create(
        self, *, name: str, role: str, agent: str = "", channel: str = "", days: float | None = None
    ) -> tuple[Token, str]:
        """Make a token; the second value is the token itself, which can't be had again.

        `days` None: it never expires. Raises BadToken when the words make no token.
        """
        checked = _checked_role(role, agent=agent, channel=channel)
        if not name.strip() or len(name) > NAME_LENGTH_MAX:
            raise BadToken(f"name had {len(name)} characters; allowed: 1 to {NAME_LENGTH_MAX}")
        if not name.isprintable():
            raise BadToken(f"name was {name!r}; allowed: signs that can be shown")
        if days is not None and not 0 < days <= DAYS_MAX:
            raise BadToken(f"days was {days:g}; allowed: more than 0, at most {DAYS_MAX}")
        now_ns = self._now_ns()
        token = Token(
            id=secrets.token_hex(6),
            name=name,
            role=checked,
            agent=agent,
            made_ns=now_ns,
            expires_ns=0 if days is None else now_ns + round(days * NS_PER_DAY),
            revoked_ns=0,
            channel=channel,
        )
        secret = secrets.token_hex(32)
        digest = _HASHER.hash(secret)
        row = (token.id, name, checked, agent, digest, token.made_ns, token.expires_ns, 0, channel)
        with self._lock:
            self._db.execute("INSERT INTO tokens VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)", row)
        return token, f"ctl_{token.id}_{secret}"

    def get(self, token_id: str) -> Token | None:
        """A token by its id, revoked and expired ones too."""
        found = self._row(token_id)
        return found[0] if found else None

    def all(self) -> list[Token]:
        """Every token ever made, oldest first."""
        with self._lock:
            rows = self._db.execute(f"SELECT {_COLUMNS} FROM tokens ORDER BY made_ns, id").fetchall()
        return [_token(row) for row in rows]

    def revoke(self, token_id: str) -> bool:
        """Make a token worthless for good. False when there is none of that id."""
        if not _ID.fullmatch(token_id):
            return False  # it may be no text that SQLite takes
        with self._lock:
            changed = self._db.execute(
                "UPDATE tokens SET revoked_ns = CASE revoked_ns WHEN 0 THEN ? ELSE revoked_ns END WHERE id = ?",
                (self._now_ns(), token_id),
            )
            return changed.rowcount > 0

    def verify(self, text: str) -> Token | None:
        """Whose token this is; None when it is none of ours, or not live. Costs milliseconds."""
        match = _TOKEN.fullmatch(text)
        found = self._row(match[1]) if match else None
        if match is None or found is None:
            return None
        token, digest = found
        try:
            _HASHER.verify(digest, match[2])
        except (VerificationError, InvalidHashError):
            return None
        return token if token.is_live(self._now_ns()) else None

    def _row(self, token_id: str) -> tuple[Token, str] | None:
        with self._lock:
            row = self._db.execute(
                f"SELECT {_COLUMNS}, hash FROM tokens WHERE id = ?", (token_id,)
            ).fetchone()
        return (_token(row[:-1]), row[-1]) if row else None


class TokenCache:
    """What was verified a moment ago. Not a thread's: used from the event loop only."""

    def __init__(self, *, now_s: Callable[[], float]) -> None:
        self._now_s = now_s
        self._key = secrets.token_bytes(32)
        self._known: OrderedDict[bytes, tuple[float, Token]] = OrderedDict()

    def get(self, text: str) -> Token | None:
        """The token, when it was verified less than CACHE_S ago."""
        key = self._hash(text)
        until_s, token = self._known.get(key, (0.0, None))
        if token is not None and self._now_s() >= until_s:
            del self._known[key]
            return None
        return token

    def put(self, text: str, token: Token) -> None:
        """Remember a verified token; the oldest is forgotten beyond CACHE_SIZE."""
        self._known[self._hash(text)] = (self._now_s() + CACHE_S, token)
        if len(self._known) > CACHE_SIZE:
            self._known.popitem(last=False)

    def forget(self, token_id: str) -> None:
        """Drop a token that was just revoked."""
        self._known = OrderedDict((key, kept) for key, kept in self._known.items() if kept[1].id != token_id)

    def _hash(self, text: str) -> bytes:
        # A lookup by this digest tells a listener with a stopwatch nothing about the token.
        return hmac.digest(self._key, text.encode("utf-8", "surrogateescape"), hashlib.sha256)


def open_store(data: Path, *, now_ns: Callable[[], int] = time.time_ns) -> TokenStore:
    """The tokens of a front door whose component's data directory is `data`; made when missing.

    Raises CentralitaError when they can't be opened.
    """
    path = data / FILE_NAME
    try:
        data.mkdir(parents=True, exist_ok=True)
        return TokenStore(path, now_ns=now_ns)
    except (OSError, sqlite3.Error) as error:
        raise CentralitaError(f"{path}: the tokens can't be opened: {reason(error)}") from error


def ensure_cli_token(store: TokenStore, data: Path) -> Path:
    """At the first start, make the admin token of the command line on this machine (mode 0600).

    A file that is there is left alone, even when its token was revoked: somebody meant that.
    """
    path = data / CLI_TOKEN_NAME
    try:
        file = os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600)
    except FileExistsError:
        return path
    try:
        _, text = store.create(name="command line of this machine", role="admin")
        os.write(file, text.encode() + b"\n")
    except BaseException:
        path.unlink()
        raise
    finally:
        os.close(file)
    return path


def _checked_role(role: str, *, agent: str, channel: str) -> Role:
    for known in ROLES:
        if role == known:
            break
    else:
        raise BadToken(f"role was {role!r}; known: {', '.join(ROLES)}")
    if known == "agent" and not agent:
        raise BadToken("agent is empty; a token of role agent belongs to one agent")
    if known != "agent" and agent:
        raise BadToken(f"agent was {agent!r}; only a token of role agent names one")
    if known == "channel" and not channel:
        raise BadToken("channel is empty; a token of role channel speaks for one channel")
    if known != "channel" and channel:
        raise BadToken(f"channel was {channel!r}; only a token of role channel names one")
    return known


_COLUMNS: Final = "id, name, role, agent, made_ns, expires_ns, revoked_ns, channel"


def _token(row: tuple[str, str, Role, str, int, int, int, str]) -> Token:
    token_id, name, role, agent, made_ns, expires_ns, revoked_ns, channel = row
    return Token(
        id=token_id,
        name=name,
        role=role,
        agent=agent,
        made_ns=made_ns,
        expires_ns=expires_ns,
        revoked_ns=revoked_ns,
        channel=channel,
    )
