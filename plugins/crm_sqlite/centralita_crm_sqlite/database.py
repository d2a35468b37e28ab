"""The database file: its tables, and two connections, one that writes and one that reads beside it.

All methods block. Each connection is used by one thread at a time, which `crm.py` sees to; in SQLite's
write-ahead log a reader never waits for the writer, so finding a customer never waits for a batch.
"""

from __future__ import annotations

import os
import sqlite3
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

SCHEMA_VERSION: Final = 1
APPLICATION_ID: Final = 0x43454E54

BUSY_S: Final = 5.0
"""How long to wait for another process that has the file locked (a backup, somebody's shell)."""

_SCHEMA: Final = """
CREATE TABLE position (only INTEGER PRIMARY KEY CHECK (only = 1), seq INTEGER NOT NULL);
INSERT INTO position VALUES (1, 0);

CREATE TABLE customers (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    name TEXT NOT NULL DEFAULT '',
    language TEXT NOT NULL DEFAULT '',
    vip INTEGER NOT NULL DEFAULT 0,
    preferred_agent TEXT NOT NULL DEFAULT '',
    last_agent TEXT NOT NULL DEFAULT '',
    created_ns INTEGER NOT NULL,
    seen_ns INTEGER NOT NULL
) STRICT;
CREATE INDEX customers_name ON customers (name COLLATE NOCASE);

CREATE TABLE handles (
    kind TEXT NOT NULL CHECK (kind IN ('phone', 'email', 'account')),
    channel TEXT NOT NULL,
    value TEXT NOT NULL,
    customer INTEGER NOT NULL REFERENCES customers ON DELETE CASCADE,
    PRIMARY KEY (value, kind, channel)
) STRICT, WITHOUT ROWID;
CREATE INDEX handles_customer ON handles (customer);

CREATE TABLE customer_notes (
    id INTEGER PRIMARY KEY,
    customer INTEGER NOT NULL REFERENCES customers ON DELETE CASCADE,
    at_ns INTEGER NOT NULL,
    author TEXT NOT NULL,
    text TEXT NOT NULL
) STRICT;
CREATE INDEX customer_notes_customer ON customer_notes (customer);

CREATE TABLE conversations (
    id INTEGER PRIMARY KEY,
    customer INTEGER REFERENCES customers ON DELETE SET NULL,
    subject TEXT NOT NULL DEFAULT '',
    first_ns INTEGER NOT NULL,
    last_ns INTEGER NOT NULL
) STRICT;
CREATE INDEX conversations_customer ON conversations (customer);

CREATE TABLE contacts (
    id INTEGER PRIMARY KEY,
    conversation INTEGER NOT NULL,
    customer INTEGER REFERENCES customers ON DELETE SET NULL,
    crm TEXT NOT NULL DEFAULT '',
    crm_customer TEXT NOT NULL DEFAULT '',
    channel TEXT NOT NULL,
    medium TEXT NOT NULL,
    direction TEXT NOT NULL,
    handle_kind TEXT NOT NULL DEFAULT '',
    handle_channel TEXT NOT NULL DEFAULT '',
    handle TEXT NOT NULL DEFAULT '',
    customer_name TEXT NOT NULL DEFAULT '',
    subject TEXT NOT NULL DEFAULT '',
    queue TEXT NOT NULL DEFAULT '',
    agent TEXT NOT NULL DEFAULT '',
    outcome TEXT NOT NULL DEFAULT '',
    arrived_ns INTEGER NOT NULL,
    ended_ns INTEGER,
    waited_ns INTEGER NOT NULL DEFAULT 0,
    talk_ns INTEGER NOT NULL DEFAULT 0,
    hold_ns INTEGER NOT NULL DEFAULT 0,
    wrap_up_ns INTEGER NOT NULL DEFAULT 0,
    disposition TEXT NOT NULL DEFAULT '',
    notes TEXT NOT NULL DEFAULT '',
    summary TEXT NOT NULL DEFAULT '',
    score INTEGER,
    comment TEXT NOT NULL DEFAULT '',
    erased INTEGER NOT NULL DEFAULT 0
) STRICT;
CREATE INDEX contacts_customer ON contacts (customer, arrived_ns);
CREATE INDEX contacts_handle ON contacts (handle, arrived_ns) WHERE handle <> '';
CREATE INDEX contacts_crm ON contacts (crm_customer, crm, arrived_ns) WHERE crm_customer <> '';
CREATE INDEX contacts_conversation ON contacts (conversation);

CREATE TABLE contact_notes (
    contact INTEGER NOT NULL REFERENCES contacts ON DELETE CASCADE,
    agent TEXT NOT NULL,
    at_ns INTEGER NOT NULL,
    notes TEXT NOT NULL DEFAULT '',
    disposition TEXT NOT NULL DEFAULT '',
    PRIMARY KEY (contact, agent)
) STRICT, WITHOUT ROWID;

CREATE TABLE messages (
    contact INTEGER NOT NULL REFERENCES contacts ON DELETE CASCADE,
    number INTEGER NOT NULL,
    at_ns INTEGER NOT NULL,
    author TEXT NOT NULL,
    author_id TEXT NOT NULL,
    text TEXT NOT NULL,
    internal INTEGER NOT NULL,
    attachments TEXT NOT NULL,
    PRIMARY KEY (contact, number)
) STRICT, WITHOUT ROWID;
"""


class CrmFileError(Exception):
    """The file is not this CRM's, or is a newer version's."""


class Database:
    """The open file."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._writer: sqlite3.Connection | None = None
        self._reader: sqlite3.Connection | None = None
        # The reading and the writing thread may both be the first to need it.
        self._opening = threading.Lock()

    def open(self) -> None:
        """Open the file, making it and its tables when there is none; opening twice is nothing.

        Raises CrmFileError and sqlite3.Error, and stays closed then.
        """
        with self._opening:
            if self._reader is not None:
                return
            # Customers' words are for the owner of the process alone.
            os.close(os.open(self.path, os.O_CREAT | os.O_RDWR | os.O_CLOEXEC, 0o600))
            try:
                self._writer = _connect(self.path)
                self._prepare(self._writer)
                reader = _connect(self.path)
                reader.execute("PRAGMA query_only = ON")
            except BaseException:
                self.close()
                raise
            self._reader = reader

    def close(self) -> None:
        """Close both connections; closing twice is nothing."""
        for connection in (self._reader, self._writer):
            if connection is not None:
                connection.close()
        self._reader = self._writer = None

    @property
    def reader(self) -> sqlite3.Connection:
        """The connection for reading."""
        self.open()
        assert self._reader is not None
        return self._reader

    @contextmanager
    def transaction(self) -> Iterator[sqlite3.Connection]:
        """The connection for writing, in a transaction: all of it becomes durable, or none."""
        self.open()
        assert self._writer is not None
        self._writer.execute("BEGIN IMMEDIATE")
        try:
            yield self._writer
        except BaseException:
            self._writer.execute("ROLLBACK")
            raise
        self._writer.execute("COMMIT")

    def forget(self) -> None:
        """Bring what was deleted out of the write-ahead log too, so that no copy is left in the files."""
        self.open()
        assert self._writer is not None
        self._writer.execute("PRAGMA wal_checkpoint(TRUNCATE)")

    def _prepare(self, connection: sqlite3.Connection) -> None:
        connection.execute("PRAGMA journal_mode = WAL")
        # NORMAL may lose the last transactions in a power cut, position and all, never one half of the two;
        # they come again from the journal.
        connection.execute("PRAGMA synchronous = NORMAL")
        connection.execute("PRAGMA secure_delete = ON")
        (version,) = connection.execute("PRAGMA user_version").fetchone()
        (application,) = connection.execute("PRAGMA application_id").fetchone()
        (tables,) = connection.execute("SELECT count(*) FROM sqlite_schema").fetchone()
        if tables == 0:
            connection.executescript(
                f"BEGIN IMMEDIATE; {_SCHEMA} PRAGMA application_id = {APPLICATION_ID};"
                f"PRAGMA user_version = {SCHEMA_VERSION}; COMMIT;"
            )
        elif application != APPLICATION_ID:
            raise CrmFileError(f"{self.path.name} is a database of something else")
        elif version != SCHEMA_VERSION:
            raise CrmFileError(f"{self.path.name} has version {version}; known: {SCHEMA_VERSION}")


def _connect(path: Path) -> sqlite3.Connection:
    connection = sqlite3.connect(path, timeout=BUSY_S, isolation_level=None, check_same_thread=False)
    connection.row_factory = sqlite3.Row
    connection.execute("PRAGMA foreign_keys = ON")
    return connection
