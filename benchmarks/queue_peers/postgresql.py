"""PostgreSQL with FOR UPDATE SKIP LOCKED: each event one call of a function on the server, one round trip.

The cluster is made by Debian's initdb in a temporary directory, listens on a unix socket there and nowhere else, and
is ended by its process id. The server refuses to be root, so as root it runs as the user `nobody`. The usual
job queue (ORDER BY … LIMIT 1 FOR UPDATE SKIP LOCKED over everything) walks past all whom the agent can't serve; here
the heads of the lanes are found by index first, and the best that nobody else has locked is taken.
"""

from __future__ import annotations

import os
import pwd
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from queue_peers.peer import Skipped
from queue_peers.sqlite import DISTINCT_MAX, WAITING_MAX
from queue_peers.work import ABANDON, ARRIVE, ARRIVE_WITH_RING, FINISH, PRIORITY, Event, Pair, Snapshot

if TYPE_CHECKING:
    import psycopg

START_S_MAX: Final = 30.0
PRIORITY_SHARE: Final = 1 << 40
SETTINGS: Final = {
    "listen_addresses": "",
    "shared_buffers": "256MB",
    "max_wal_size": "2GB",
    "autovacuum": "on",
    "autovacuum_naptime": "5s",
}
SCHEMA: Final = """
    CREATE TABLE tier (requirement int, profile int, PRIMARY KEY (profile, requirement));
    CREATE TABLE place (id bigint PRIMARY KEY, requirement int, key bigint);
    CREATE TABLE idle (agent int PRIMARY KEY, profile int, since_ns bigint);
"""
INDEXES: Final = """
    CREATE INDEX ON tier (requirement, profile);
    CREATE INDEX ON place (requirement, key);
    CREATE INDEX ON idle (profile, since_ns);
    CREATE FUNCTION finish(by_agent int, by_profile int, now_ns bigint) RETURNS bigint LANGUAGE plpgsql AS $$
    DECLARE taken bigint;
    BEGIN
        SELECT place.id INTO taken FROM place WHERE place.id IN (
            SELECT head.id FROM tier CROSS JOIN LATERAL (
                SELECT p.id, p.key FROM place p WHERE p.requirement = tier.requirement ORDER BY p.key LIMIT 1
            ) head WHERE tier.profile = by_profile ORDER BY head.key LIMIT 4
        ) ORDER BY place.key LIMIT 1 FOR UPDATE SKIP LOCKED;
        IF taken IS NULL THEN
            INSERT INTO idle VALUES (by_agent, by_profile, now_ns);
            RETURN -1;
        END IF;
        DELETE FROM place WHERE id = taken;
        RETURN taken;
    END $$;
    CREATE FUNCTION idle_for(wanted int) RETURNS int LANGUAGE plpgsql AS $$
    DECLARE found int;
    BEGIN
        SELECT idle.agent INTO found FROM idle WHERE idle.agent IN (
            SELECT head.agent FROM tier CROSS JOIN LATERAL (
                SELECT i.agent, i.since_ns FROM idle i WHERE i.profile = tier.profile ORDER BY i.since_ns LIMIT 1
            ) head WHERE tier.requirement = wanted ORDER BY head.since_ns LIMIT 4
        ) ORDER BY idle.since_ns LIMIT 1 FOR UPDATE SKIP LOCKED;
        DELETE FROM idle WHERE agent = found;
        RETURN found;
    END $$;
    CREATE FUNCTION arrive(contact bigint, wanted int) RETURNS bigint LANGUAGE plpgsql AS $$
    DECLARE agent int;
    BEGIN
        IF EXISTS (SELECT FROM idle) THEN agent := idle_for(wanted); END IF;
        IF agent IS NOT NULL THEN RETURN agent; END IF;
        INSERT INTO place VALUES (contact, wanted, contact);
        RETURN -1;
    END $$;
    CREATE FUNCTION ring(contact bigint, wanted int) RETURNS bigint LANGUAGE plpgsql AS $$
    DECLARE agent int;
    BEGIN
        UPDATE place SET requirement = wanted WHERE id = contact;
        IF NOT FOUND THEN RETURN -1; END IF;
        IF EXISTS (SELECT FROM idle) THEN agent := idle_for(wanted); END IF;
        IF agent IS NULL THEN RETURN -1; END IF;
        DELETE FROM place WHERE id = contact;
        RETURN agent;
    END $$;
"""


class PostgreSQL:
    """Commits are not waited for (synchronous_commit off): the fastest that still is a database."""

    name = "PostgreSQL, SKIP LOCKED, asynchronous commit"
    in_process = False
    synchronous_commit = "off"

    def __init__(self) -> None:
        self._server: subprocess.Popen[bytes] | None = None

    def load(self, snapshot: Snapshot) -> None:
        if len(snapshot.profiles) > DISTINCT_MAX:
            raise Skipped(f"left out past {DISTINCT_MAX:,} profiles")
        if len(snapshot.waiting) > 2 * WAITING_MAX:
            raise Skipped(f"left out past {WAITING_MAX:,} waiting")
        self.profile_of = snapshot.profile_of
        self._db = self._start()
        self._db.execute(f"SET synchronous_commit = {self.synchronous_commit}")
        self._db.execute(SCHEMA, prepare=False)
        with self._db.transaction(), self._db.cursor() as cursor:
            with cursor.copy("COPY tier FROM STDIN") as copy:
                for row in snapshot.tiers():
                    copy.write_row(row)
            with cursor.copy("COPY place FROM STDIN") as copy:
                for contact, lane, priority in snapshot.waiting:
                    copy.write_row((contact, lane, contact - priority * PRIORITY_SHARE))
            with cursor.copy("COPY idle FROM STDIN") as copy:
                for at, agent in enumerate(snapshot.idle):
                    copy.write_row((agent, snapshot.profile_of[agent], at - len(snapshot.idle)))
        self._db.execute(INDEXES, prepare=False)
        self._db.execute("VACUUM ANALYZE")
        row = self._db.execute("SELECT pg_total_relation_size('place')").fetchone()
        assert row is not None
        self._waiting_bytes = int(row[0])

    def _start(self) -> psycopg.Connection[tuple[Any, ...]]:
        try:
            import psycopg
        except ImportError:
            raise Skipped("the driver psycopg is not installed") from None
        binaries = sorted(
            Path("/usr/lib/postgresql").glob("*/bin/initdb"), key=lambda path: int(path.parts[4])
        )
        initdb = binaries[-1] if binaries else shutil.which("initdb")
        if initdb is None:
            raise Skipped("postgresql is not installed")
        self._directory = tempfile.TemporaryDirectory(prefix="bench-pg-")
        root = Path(self._directory.name)
        user: str | None = None
        if os.geteuid() == 0:
            user = "nobody"
            account = pwd.getpwnam(user)
            os.chown(root, account.pw_uid, account.pw_gid)
        data = root / "data"
        made = subprocess.run(
            [str(initdb), "-D", str(data), "-U", "bench", "--auth", "trust", "--locale", "C", "-E", "UTF8"],
            cwd=root, user=user, capture_output=True, check=False,
        )  # fmt: skip
        if made.returncode:
            raise Skipped(f"initdb failed: {made.stderr.decode(errors='replace').strip().splitlines()[-1]}")
        settings = [f"--{name}={value}" for name, value in SETTINGS.items()]
        self._server = subprocess.Popen(
            [str(Path(initdb).with_name("postgres")), "-D", str(data), "-k", str(root), *settings],
            cwd=root, user=user, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
        )  # fmt: skip
        give_up = time.monotonic() + START_S_MAX
        while True:
            try:
                return psycopg.connect(
                    f"host={root} user=bench dbname=postgres", autocommit=True, prepare_threshold=0
                )
            except psycopg.OperationalError:
                if time.monotonic() > give_up or self._server.poll() is not None:
                    raise Skipped(f"postgres took no connection in {START_S_MAX:g} s") from None
                time.sleep(0.05)

    def play(self, events: Sequence[Event]) -> list[Pair]:
        made: list[Pair] = []
        for kind, contact, other, now_ns in events:
            if kind == FINISH:
                taken = self._call("SELECT finish(%s, %s, %s)", other, self.profile_of[other], now_ns)
                if taken != -1:
                    made.append((taken, other))
            elif kind in (ARRIVE, ARRIVE_WITH_RING):
                agent = self._call("SELECT arrive(%s, %s::int)", contact, other)
                if agent != -1:
                    made.append((contact, agent))
            elif kind == ABANDON:
                self._db.execute("DELETE FROM place WHERE id = %s", (contact,))
            elif kind == PRIORITY:
                key = contact - other * PRIORITY_SHARE
                self._db.execute("UPDATE place SET key = %s WHERE id = %s", (key, contact))
            else:
                agent = self._call("SELECT ring(%s, %s::int)", contact, other)
                if agent != -1:
                    made.append((contact, agent))
        return made

    def _call(self, statement: str, *values: int) -> int:
        row = self._db.execute(statement, values).fetchone()
        assert row is not None
        return int(row[0])

    def waiting_bytes(self) -> int | None:
        return self._waiting_bytes

    def close(self) -> None:
        if self._server is not None:
            if hasattr(self, "_db"):
                self._db.close()
            self._server.send_signal(signal.SIGINT)  # a fast shutdown
            self._server.wait()
            self._directory.cleanup()


class PostgreSQLSynchronous(PostgreSQL):
    """Each commit is on disk before the next event."""

    name = "PostgreSQL, SKIP LOCKED, synchronous commit"
    synchronous_commit = "on"
