"""Tokens: made once, found by id, hashed, expiring, revocable; shared with the command line."""

import sqlite3
import stat
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from centralita_http.tokens import (
    CACHE_S,
    CACHE_SIZE,
    CLI_TOKEN_NAME,
    FILE_NAME,
    NS_PER_DAY,
    BadToken,
    Token,
    TokenCache,
    TokenStore,
    ensure_cli_token,
    open_store,
)


class Now:
    def __init__(self) -> None:
        self.ns = 1_700_000_000_000_000_000

    def __call__(self) -> int:
        return self.ns

    def s(self) -> float:
        return self.ns / 1e9


@pytest.fixture
def now() -> Now:
    return Now()


@pytest.fixture
def store(tmp_path: Path, now: Now) -> TokenStore:
    return TokenStore(tmp_path / "tokens", now_ns=now)


def test_token_is_verified_and_says_whose_it_is(store: TokenStore) -> None:
    made, text = store.create(name="Ana's laptop", role="agent", agent="ana")
    assert text.startswith(f"ctl_{made.id}_")
    assert store.verify(text) == made
    assert (made.role, made.agent, made.name) == ("agent", "ana", "Ana's laptop")


def test_file_holds_no_secret_and_only_its_owner_reads_it(tmp_path: Path) -> None:
    store = open_store(tmp_path)
    _, text = store.create(name="a", role="admin")
    secret = text.rpartition("_")[2].encode()
    store.close()
    files = list(tmp_path.iterdir())
    assert [file for file in files if secret in file.read_bytes()] == []
    assert stat.S_IMODE((tmp_path / FILE_NAME).stat().st_mode) == 0o600


@pytest.mark.parametrize(
    "change", [lambda t: t[:-1] + ("0" if t[-1] != "0" else "1"), lambda t: t + "0", str.upper]
)
def test_changed_token_opens_nothing(store: TokenStore, change: Callable[[str], str]) -> None:
    _, text = store.create(name="a", role="admin")
    assert store.verify(change(text)) is None


@pytest.mark.parametrize(
    "text", ["", "ctl_", "ctl_000000000000_" + "0" * 64, "ctl_\ud800_", "x" * 100_000, "ctl_0_\x00"]
)
def test_nonsense_opens_nothing(store: TokenStore, text: str) -> None:
    assert store.verify(text) is None


def test_expired_token_opens_nothing(store: TokenStore, now: Now) -> None:
    _, text = store.create(name="a", role="admin", days=0.5)
    now.ns += NS_PER_DAY // 2 - 1
    assert store.verify(text) is not None
    now.ns += 1
    assert store.verify(text) is None


def test_revoked_token_opens_nothing_and_stays_in_the_list(store: TokenStore, now: Now) -> None:
    made, text = store.create(name="a", role="admin")
    now.ns += 5
    assert store.revoke(made.id)
    now.ns += 5
    assert store.revoke(made.id), "revoking again changes nothing, and is no error"
    assert store.verify(text) is None
    assert [token.revoked_ns for token in store.all()] == [made.made_ns + 5]
    assert not store.revoke("nobody")


@pytest.mark.parametrize(
    ("asked", "words"),
    [
        ({"name": "a", "role": "boss"}, "role was 'boss'; known: admin, supervisor, agent, channel"),
        ({"name": "a", "role": "agent"}, "agent is empty"),
        ({"name": "a", "role": "admin", "agent": "ana"}, "only a token of role agent names one"),
        ({"name": "a", "role": "channel"}, "channel is empty"),
        ({"name": "a", "role": "admin", "channel": "shop"}, "only a token of role channel names one"),
        ({"name": " ", "role": "admin"}, "allowed: 1 to 100"),
        ({"name": "a" * 101, "role": "admin"}, "name had 101 characters"),
        ({"name": "a", "role": "admin", "days": 0}, "days was 0; allowed: more than 0"),
        ({"name": "a", "role": "admin", "days": float("nan")}, "days was nan"),
    ],
)
def test_bad_wish_names_its_field(store: TokenStore, asked: dict[str, Any], words: str) -> None:
    with pytest.raises(BadToken) as caught:
        store.create(**asked)
    assert words in str(caught.value)
    assert store.all() == []


def test_second_process_sees_what_the_first_did(store: TokenStore, tmp_path: Path, now: Now) -> None:
    other = TokenStore(tmp_path / "tokens", now_ns=now)
    made, text = store.create(name="a", role="channel", channel="shop")
    assert other.verify(text) == made
    other.revoke(made.id)
    assert store.verify(text) is None


def test_file_of_an_older_version_is_read_and_its_channels_tokens_speak_for_none(tmp_path: Path) -> None:
    with closing(sqlite3.connect(tmp_path / "tokens")) as old:
        old.execute(
            "CREATE TABLE tokens (id TEXT PRIMARY KEY, name TEXT NOT NULL, role TEXT NOT NULL, agent TEXT NOT NULL,"
            " hash TEXT NOT NULL, made_ns INTEGER NOT NULL, expires_ns INTEGER NOT NULL, revoked_ns INTEGER NOT NULL"
            ") STRICT"
        )
        old.execute("INSERT INTO tokens VALUES ('000000000000', 'old', 'channel', '', 'x', 1, 0, 0)")
        old.commit()
    store = TokenStore(tmp_path / "tokens")
    assert [(one.name, one.channel) for one in store.all()] == [("old", "")]
    made, text = store.create(name="new", role="channel", channel="shop")
    assert store.verify(text) == made
    store.close()


def test_cli_token_is_made_once_and_only_its_owner_reads_it(tmp_path: Path) -> None:
    store = open_store(tmp_path)
    path = ensure_cli_token(store, tmp_path)
    text = path.read_text().strip()
    assert path.name == CLI_TOKEN_NAME
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    verified = store.verify(text)
    assert verified is not None
    assert verified.role == "admin"
    store.revoke(verified.id)
    ensure_cli_token(store, tmp_path)
    assert path.read_text().strip() == text, "a revoked token is not replaced behind its revoker's back"


def token(token_id: str) -> Token:
    return Token(id=token_id, name="", role="admin", agent="", made_ns=0, expires_ns=0, revoked_ns=0)


def test_cache_forgets_after_its_time(now: Now) -> None:
    cache = TokenCache(now_s=now.s)
    cache.put("text", token("1"))
    assert cache.get("text") == token("1")
    assert cache.get("other") is None
    now.ns += int(CACHE_S * 1e9)
    assert cache.get("text") is None


def test_cache_forgets_a_revoked_token_at_once(now: Now) -> None:
    cache = TokenCache(now_s=now.s)
    cache.put("one", token("1"))
    cache.put("two", token("2"))
    cache.forget("1")
    assert cache.get("one") is None
    assert cache.get("two") == token("2")


def test_cache_is_bounded(now: Now) -> None:
    cache = TokenCache(now_s=now.s)
    for number in range(CACHE_SIZE + 1):
        cache.put(str(number), token(str(number)))
    assert cache.get("0") is None
    assert cache.get(str(CACHE_SIZE)) is not None
