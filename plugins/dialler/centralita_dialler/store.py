"""The lists on disk: records, their attempts, the do-not-call list, and how far the journal has been read.

All methods block; they are called from one worker thread at a time. What a batch of the journal's records changes
is committed together with the position, so that no attempt is counted twice or forgotten; an attempt is written down
before the engine is asked for it, so that a crash leaves none that nobody knows of.
"""

from __future__ import annotations

import json
import os
import sqlite3
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, Final, TypeVar

from centralita.structs import Frozen
from centralita_dialler.settings import Result

T = TypeVar("T")

SCHEMA_VERSION: Final = 1
APPLICATION_ID: Final = 0x4349414C
BUSY_S: Final = 5.0

PENDING, LIVE, DONE, STOPPED, BLOCKED = "pending", "live", "done", "stopped", "do_not_call"
STATES: Final = (PENDING, LIVE, DONE, STOPPED, BLOCKED)
"""To be called; with the engine; finished; taken out by hand; on the do-not-call list."""

_SCHEMA: Final = """
CREATE TABLE position (only INTEGER PRIMARY KEY CHECK (only = 1), seq INTEGER NOT NULL);

CREATE TABLE campaigns (name TEXT PRIMARY KEY, running INTEGER NOT NULL) STRICT, WITHOUT ROWID;

CREATE TABLE records (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    campaign TEXT NOT NULL,
    number TEXT NOT NULL,
    name TEXT NOT NULL,
    language TEXT NOT NULL,
    zones TEXT NOT NULL,
    priority INTEGER NOT NULL,
    attributes TEXT NOT NULL,
    state TEXT NOT NULL,
    next_ns INTEGER NOT NULL,
    attempts INTEGER NOT NULL DEFAULT 0,
    tries INTEGER NOT NULL DEFAULT 0,
    provider_id TEXT NOT NULL DEFAULT '',
    contact INTEGER NOT NULL DEFAULT 0,
    result TEXT NOT NULL DEFAULT '',
    agent TEXT NOT NULL DEFAULT '',
    disposition TEXT NOT NULL DEFAULT '',
    changed_ns INTEGER NOT NULL,
    UNIQUE (campaign, number)
) STRICT;
CREATE INDEX records_due ON records (campaign, priority DESC, next_ns, id) WHERE state = 'pending';
CREATE INDEX records_live ON records (id) WHERE state = 'live';
CREATE INDEX records_number ON records (number);
CREATE INDEX records_state ON records (campaign, state);

CREATE TABLE attempts (
    record INTEGER NOT NULL REFERENCES records,
    try INTEGER NOT NULL,
    contact INTEGER NOT NULL,
    ended_ns INTEGER NOT NULL,
    result TEXT NOT NULL,
    reason TEXT NOT NULL,
    agent TEXT NOT NULL,
    disposition TEXT NOT NULL,
    PRIMARY KEY (record, try)
) STRICT, WITHOUT ROWID;

CREATE TABLE results (
    campaign TEXT NOT NULL, result TEXT NOT NULL, count INTEGER NOT NULL, PRIMARY KEY (campaign, result)
) STRICT, WITHOUT ROWID;

CREATE TABLE do_not_call (
    number TEXT PRIMARY KEY, reason TEXT NOT NULL, at_ns INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
"""


class Entry(Frozen):
    """A record as it is put on a list."""

    number: str
    name: str = ""
    language: str = ""
    zones: tuple[str, ...] = ()
    priority: int = 0
    attributes: dict[str, str] = {}  # noqa: RUF012  # msgspec copies empty mutable defaults


class Row(Frozen):
    """A record as it stands. `attempts` reached the customer's side, `tries` all that were begun."""

    id: int
    campaign: str
    number: str
    name: str
    language: str
    zones: tuple[str, ...]
    priority: int
    attributes: dict[str, str]
    state: str
    next_ns: int
    attempts: int
    tries: int
    provider_id: str
    contact: int
    result: str
    agent: str
    disposition: str
    changed_ns: int


class Standing(Frozen):
    """What the journal has told so far of an attempt that is not over. `result` is `answered` once somebody was reached."""

    record: int
    contact: int
    result: Result | str
    agent: str
    disposition: str


class Ended(Frozen):
    """An attempt is over. `result` empty: it does not count. `next_ns` 0: the record is not tried again."""

    record: int
    result: Result | str
    reason: str
    agent: str
    disposition: str
    next_ns: int
    stopped: bool
    never_again: str = ""


class Added(Frozen):
    """What became of entries: put on the list, there already, on the do-not-call list, or no room for them."""

    added: int
    duplicates: int
    blocked: int
    no_room: int


class StoreError(Exception):
    """A database that is not ours, or of a later version."""


class Store:
    """The database of one dialler."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._db: sqlite3.Connection | None = None

    def open(self) -> None:
        """Open or make it. Raises StoreError, sqlite3.Error, OSError; then it stays closed."""
        self.close()
        made = os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        os.close(made)
        db = sqlite3.connect(self._path, timeout=BUSY_S, isolation_level=None, check_same_thread=False)
        try:
            db.execute("PRAGMA journal_mode = WAL")
            db.execute("PRAGMA synchronous = FULL")
            db.execute("PRAGMA foreign_keys = ON")
            db.execute("PRAGMA secure_delete = ON")
            (version,) = db.execute("PRAGMA user_version").fetchone()
            (owner,) = db.execute("PRAGMA application_id").fetchone()
            if version == 0 and owner == 0:
                db.executescript(
                    f"BEGIN; {_SCHEMA} PRAGMA application_id = {APPLICATION_ID};"
                    f" PRAGMA user_version = {SCHEMA_VERSION}; COMMIT;"
                )
            elif owner != APPLICATION_ID or version != SCHEMA_VERSION:
                raise StoreError(f"{self._path.name} is no list of ours of version {SCHEMA_VERSION}")
        except BaseException:
            db.close()
            raise
        self._db = db

    def close(self) -> None:
        """Close it; closing twice is nothing."""
        if self._db is not None:
            self._db.close()
            self._db = None

    def position(self) -> int | None:
        """The last of the journal's records taken in; None when it has never read any."""
        row = self._one("SELECT seq FROM position")
        return None if row is None else int(row[0])

    def running(self) -> set[str]:
        """The campaigns that were started and not paused since."""
        return {name for (name,) in self._all("SELECT name FROM campaigns WHERE running")}

    def set_running(self, campaign: str, *, running: bool) -> None:
        """Start or pause a campaign."""
        self._do(
            "INSERT INTO campaigns VALUES (?, ?) ON CONFLICT (name) DO UPDATE SET running = excluded.running",
            campaign,
            int(running),
        )

    def add(self, campaign: str, entries: Sequence[Entry], *, now_ns: int, records_max: int) -> Added:
        """Put entries on a campaign's list. A number stands on it once; one in state do_not_call that is no longer on
        that list is to be called again."""
        db = self._open
        added = duplicates = blocked = no_room = 0
        with _Transaction(db):
            (count,) = db.execute("SELECT count(*) FROM records").fetchone()
            for entry in entries:
                if db.execute("SELECT 1 FROM do_not_call WHERE number = ?", (entry.number,)).fetchone():
                    blocked += 1
                    continue
                known = db.execute(
                    "SELECT state FROM records WHERE campaign = ? AND number = ?", (campaign, entry.number)
                ).fetchone()
                if known is not None and known[0] != BLOCKED:
                    duplicates += 1
                    continue
                if known is None and count >= records_max:
                    no_room += 1
                    continue
                count += known is None
                # One that was not to be called, and may be again, begins anew with what is said of it now.
                db.execute(
                    "INSERT INTO records (campaign, number, name, language, zones, priority, attributes, state,"
                    " next_ns, changed_ns) VALUES (?, ?, ?, ?, ?, ?, ?, 'pending', ?, ?)"
                    " ON CONFLICT (campaign, number) DO UPDATE SET name = excluded.name,"
                    " language = excluded.language, zones = excluded.zones, priority = excluded.priority,"
                    " attributes = excluded.attributes, state = excluded.state, next_ns = excluded.next_ns,"
                    " changed_ns = excluded.changed_ns, attempts = 0, result = '', agent = '', disposition = ''",
                    (
                        campaign, entry.number, entry.name, entry.language, " ".join(entry.zones),
                        entry.priority, json.dumps(entry.attributes, ensure_ascii=False), now_ns, now_ns,
                    ),
                )  # fmt: skip
                added += 1
        return Added(added=added, duplicates=duplicates, blocked=blocked, no_room=no_room)

    def due(self, campaign: str, now_ns: int, limit: int) -> list[Row]:
        """The records to be called next, in their order."""
        return self._rows(
            "campaign = ? AND state = 'pending' AND next_ns <= ? ORDER BY priority DESC, next_ns, id LIMIT ?",
            campaign,
            now_ns,
            limit,
        )

    def next_due_ns(self, campaign: str, after_ns: int) -> int | None:
        """When the next record after now is due."""
        row = self._one(
            "SELECT min(next_ns) FROM records WHERE campaign = ? AND state = 'pending' AND next_ns > ?",
            campaign,
            after_ns,
        )
        return None if row is None or row[0] is None else int(row[0])

    def forget_hours(self, campaign: str, retries_ns: Mapping[str, int], *, now_ns: int) -> None:
        """Put back when records are due to what their last result says, after so many ns, or to now: what postponed them
        beyond that were hours, which may have changed since. No result (empty): the attempt did not count."""
        db = self._open
        with _Transaction(db):
            for result, retry_ns in retries_ns.items():
                db.execute(
                    "UPDATE records SET next_ns = min(next_ns, max(?, coalesce("
                    "(SELECT max(ended_ns) FROM attempts WHERE record = records.id) + ?, 0)))"
                    " WHERE campaign = ? AND state = 'pending' AND result = ? AND next_ns > ?",
                    (now_ns, retry_ns, campaign, result, now_ns),
                )

    def live(self) -> list[Row]:
        """The records that are with the engine."""
        return self._rows("state = 'live' ORDER BY id")

    def begin(self, rows: Iterable[Row], prefix: str, *, now_ns: int) -> list[Row]:
        """Write down that records are tried; each gets the id by which the engine will know the attempt."""
        db = self._open
        ids: list[int] = []
        with _Transaction(db):
            for row in rows:
                ids.append(row.id)
                db.execute(
                    "UPDATE records SET state = 'live', tries = tries + 1, contact = 0, result = '', agent = '',"
                    " disposition = '', changed_ns = ?, provider_id = ? WHERE id = ?",
                    (now_ns, f"{prefix}/{row.campaign}/{row.id}/{row.tries + 1}", row.id),
                )
        marks = ",".join("?" * len(ids))
        return self._rows(f"id IN ({marks}) ORDER BY priority DESC, next_ns, id", *ids)

    def postpone(self, moments_ns: Iterable[tuple[int, int]], *, now_ns: int) -> None:
        """(record, when to try it next) pairs: they are not called before, and nothing was tried."""
        db = self._open
        with _Transaction(db):
            db.executemany(
                "UPDATE records SET state = 'pending', next_ns = ?, contact = 0, provider_id = '', changed_ns = ?"
                " WHERE id = ?",
                [(next_ns, now_ns, record) for record, next_ns in moments_ns],
            )

    def take(self, seq: int, standings: Sequence[Standing], ended: Sequence[Ended], *, now_ns: int) -> None:
        """Take in what the journal's records up to `seq` say: how attempts stand, and those that are over."""
        db = self._open
        with _Transaction(db):
            db.execute(
                "INSERT INTO position VALUES (1, ?) ON CONFLICT (only) DO UPDATE SET seq = excluded.seq",
                (seq,),
            )
            db.executemany(
                "UPDATE records SET contact = ?, result = ?, agent = ?, disposition = ? WHERE id = ?",
                [(one.contact, one.result, one.agent, one.disposition, one.record) for one in standings],
            )
            for one in ended:
                self._end(db, one, now_ns)

    def _end(self, db: sqlite3.Connection, one: Ended, now_ns: int) -> None:
        (number,) = db.execute("SELECT number FROM records WHERE id = ?", (one.record,)).fetchone()
        if one.never_again:
            self._block(db, number, one.never_again, now_ns)
        state = STOPPED if one.stopped else PENDING if one.next_ns else DONE
        if (
            state == PENDING
            and db.execute("SELECT 1 FROM do_not_call WHERE number = ?", (number,)).fetchone()
        ):
            state = BLOCKED
        db.execute(
            "INSERT OR IGNORE INTO attempts SELECT id, tries, contact, ?, ?, ?, ?, ? FROM records WHERE id = ?",
            (now_ns, one.result, one.reason, one.agent, one.disposition, one.record),
        )
        db.execute(
            "UPDATE records SET state = ?, next_ns = ?, attempts = attempts + ?, contact = 0, provider_id = '',"
            " result = ?, agent = ?, disposition = ?, changed_ns = ? WHERE id = ?",
            (
                state, one.next_ns, int(bool(one.result)), one.result, one.agent, one.disposition, now_ns,
                one.record,
            ),
        )  # fmt: skip
        if one.result:
            db.execute(
                "INSERT INTO results SELECT campaign, ?, 1 FROM records WHERE id = ?"
                " ON CONFLICT (campaign, result) DO UPDATE SET count = count + 1",
                (one.result, one.record),
            )

    def block(self, numbers: Iterable[str], reason: str, *, now_ns: int) -> int:
        """Put numbers on the do-not-call list; how many were not there yet. Records of theirs are not called again."""
        db = self._open
        with _Transaction(db):
            return sum(self._block(db, number, reason, now_ns) for number in numbers)

    def _block(self, db: sqlite3.Connection, number: str, reason: str, now_ns: int) -> bool:
        put = db.execute("INSERT OR IGNORE INTO do_not_call VALUES (?, ?, ?)", (number, reason, now_ns))
        db.execute(
            "UPDATE records SET state = ?, changed_ns = ? WHERE number = ? AND state = 'pending'",
            (BLOCKED, now_ns, number),
        )
        return put.rowcount > 0

    def unblock(self, number: str) -> bool:
        """Take a number off the do-not-call list; whether it was on it. Its records stay as they are."""
        return self._do("DELETE FROM do_not_call WHERE number = ?", number) > 0

    def blocked(self, after: str, limit: int) -> list[tuple[str, str, int]]:
        """(number, reason, since) of the do-not-call list, in the order of the numbers."""
        return self._all(
            "SELECT number, reason, at_ns FROM do_not_call WHERE number > ? ORDER BY number LIMIT ?",
            after,
            limit,
        )

    def is_blocked(self, numbers: Iterable[str]) -> set[str]:
        """Those of the numbers that are on the do-not-call list."""
        found = set()
        for number in numbers:
            if self._one("SELECT 1 FROM do_not_call WHERE number = ?", number) is not None:
                found.add(number)
        return found

    def counts(self, campaign: str) -> dict[str, int]:
        """How many records are in each state."""
        rows = self._all("SELECT state, count(*) FROM records WHERE campaign = ? GROUP BY state", campaign)
        return {**dict.fromkeys(STATES, 0), **dict(rows)}

    def results(self, campaign: str) -> dict[Result, int]:
        """How the attempts have ended."""
        return dict(self._all("SELECT result, count FROM results WHERE campaign = ?", campaign))

    def records(self, campaign: str, *, state: str, after: int, limit: int) -> list[Row]:
        """Records of a list in the order of their ids."""
        wanted = " AND state = ?" if state else ""
        values = (campaign, after, *((state,) if state else ()), limit)
        return self._rows(f"campaign = ? AND id > ?{wanted} ORDER BY id LIMIT ?", *values)

    def ask(self, question: Callable[[sqlite3.Connection], T]) -> T:
        """Ask what no other method does."""
        return question(self._open)

    def forget(self, erase: Callable[[sqlite3.Connection], int]) -> int:
        """Erase in one transaction, and bring it out of the log, so that no copy is left in the files."""
        db = self._open
        with _Transaction(db):
            erased = erase(db)
        db.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        return erased

    def _rows(self, where: str, *values: object) -> list[Row]:
        fields = Row.__struct_fields__
        found = self._all(f"SELECT {', '.join(fields)} FROM records WHERE {where}", *values)
        rows = []
        for cells in found:
            row: dict[str, Any] = dict(zip(fields, cells, strict=True))
            row["zones"] = tuple(row["zones"].split())
            row["attributes"] = json.loads(row["attributes"])
            rows.append(Row(**row))
        return rows

    @property
    def _open(self) -> sqlite3.Connection:
        assert self._db is not None, "the store is not open"
        return self._db

    def _one(self, sql: str, *values: object) -> tuple[Any, ...] | None:
        row: tuple[Any, ...] | None = self._open.execute(sql, values).fetchone()
        return row

    def _all(self, sql: str, *values: object) -> list[Any]:
        return self._open.execute(sql, values).fetchall()

    def _do(self, sql: str, *values: object) -> int:
        return self._open.execute(sql, values).rowcount


class _Transaction:
    """All of it or nothing."""

    def __init__(self, db: sqlite3.Connection) -> None:
        self._db = db

    def __enter__(self) -> None:
        self._db.execute("BEGIN IMMEDIATE")

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        self._db.execute("COMMIT" if kind is None else "ROLLBACK")
