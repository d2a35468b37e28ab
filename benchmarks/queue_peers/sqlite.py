"""Three peers in SQLite, in memory and without a journal: the kindest setting it has.

`SqlitePass` decides as FreeSWITCH's mod_callcenter lets its database decide: the members are sorted by a score
computed from the time (so that no index can hold it), and for one after another the agents of their queue are asked
for, sorted by the strategy, until somebody is there to take one. It makes the pass for each match; the module
makes it ten times a second and so serves several agents with one sort, at the price of their waiting for it.

`SqliteOrderBy` is the kinder reading: one statement a match joins those who wait, the tiers
and the agents and sorts by the score, with indexes on whatever the join needs, which the module does not
have. In both, tiers are kept by profile instead of by agent, which makes them fewer.

`SqliteLaneHeads` is what the same database can do when asked well: waiting contacts clustered by requirement
and place, so that a match is one index seek a lane.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence
from typing import Final

from queue_peers.peer import Skipped
from queue_peers.work import ABANDON, ARRIVE, ARRIVE_WITH_RING, FINISH, PRIORITY, Event, Pair, Snapshot

DISTINCT_MAX: Final = 1_000
"""Tiers are pairs of requirement and profile: past this they are millions."""
WAITING_MAX: Final = 100_000
PRIORITY_NS: Final = 1 << 50
"""A priority's share of the score: more than any wait."""


class _Sqlite:
    in_process = True
    schema: str

    def load(self, snapshot: Snapshot) -> None:
        if len(snapshot.profiles) > DISTINCT_MAX:
            raise Skipped(f"tiers would be millions of rows past {DISTINCT_MAX:,} profiles")
        if len(snapshot.waiting) > 2 * WAITING_MAX:
            raise Skipped(f"left out past {WAITING_MAX:,} waiting")
        self.db = sqlite3.connect(":memory:", isolation_level=None)
        self.db.executescript("PRAGMA journal_mode = OFF; PRAGMA synchronous = OFF;" + self.schema)
        self.db.execute("BEGIN")
        self.db.executemany("INSERT INTO tier VALUES (?, ?)", snapshot.tiers())
        pages = self._one("PRAGMA page_count")
        self._fill(snapshot)
        self._waiting_bytes = (self._one("PRAGMA page_count") - pages) * self._one("PRAGMA page_size")
        self.db.execute("COMMIT")
        self.db.execute("ANALYZE")

    def _fill(self, snapshot: Snapshot) -> None:
        raise NotImplementedError

    def _one(self, statement: str) -> int:
        return int(self.db.execute(statement).fetchone()[0])

    def waiting_bytes(self) -> int | None:
        """With what the agents take, who are a tenth as many."""
        return self._waiting_bytes

    def close(self) -> None:
        self.db.close()


class SqliteOrderBy(_Sqlite):
    """One ORDER BY over members, tiers and agents a match."""

    name = "SQLite, one ORDER BY a match (mod_callcenter, kindly)"
    schema = """
        CREATE TABLE tier (requirement INTEGER, profile INTEGER, PRIMARY KEY (profile, requirement)) WITHOUT ROWID;
        CREATE INDEX tier_requirement ON tier (requirement);
        CREATE TABLE agent (id INTEGER PRIMARY KEY, profile INTEGER, state TEXT, idle_since_ns INTEGER);
        CREATE INDEX agent_state ON agent (state, profile);
        CREATE TABLE member (
            id INTEGER PRIMARY KEY, requirement INTEGER, base_score INTEGER, joined_ns INTEGER, state TEXT, agent INTEGER
        );
        CREATE INDEX member_requirement ON member (requirement, state);
    """
    for_agent = """
        SELECT member.id FROM agent JOIN tier USING (profile) JOIN member USING (requirement)
        WHERE agent.id = ? AND agent.state = 'Waiting' AND member.state = 'Waiting'
        ORDER BY ? - member.joined_ns + member.base_score DESC, member.id LIMIT 1
    """
    for_member = """
        SELECT agent.id FROM tier JOIN agent USING (profile)
        WHERE tier.requirement = ? AND agent.state = 'Waiting' ORDER BY agent.idle_since_ns, agent.id LIMIT 1
    """

    def _fill(self, snapshot: Snapshot) -> None:
        idle = {agent: at - len(snapshot.idle) for at, agent in enumerate(snapshot.idle)}
        self.db.executemany(
            "INSERT INTO agent VALUES (?, ?, ?, ?)",
            (
                (agent, profile, "Waiting" if agent in idle else "In a call", idle.get(agent, 0))
                for agent, profile in enumerate(snapshot.profile_of)
            ),
        )
        self.db.executemany(
            "INSERT INTO member VALUES (?, ?, ?, ?, 'Waiting', NULL)",
            (
                (contact, lane, priority * PRIORITY_NS, snapshot.queued_ns[contact])
                for contact, lane, priority in snapshot.waiting
            ),
        )
        self.db.executemany(
            "INSERT INTO member VALUES (?, ?, 0, 0, 'Answered', ?)",
            ((contact, lane, agent) for agent, (contact, lane) in snapshot.in_hand.items()),
        )

    def play(self, events: Sequence[Event]) -> list[Pair]:
        do = self.db.execute
        made: list[Pair] = []
        for kind, contact, other, now_ns in events:
            if kind == FINISH:
                do("DELETE FROM member WHERE id = ?", (contact,))
                do("UPDATE agent SET state = 'Waiting', idle_since_ns = ? WHERE id = ?", (now_ns, other))
                made += self._employ(other, now_ns)
            elif kind in (ARRIVE, ARRIVE_WITH_RING):
                do("INSERT INTO member VALUES (?, ?, 0, ?, 'Waiting', NULL)", (contact, other, now_ns))
                made += self._serve(contact, other)
            elif kind == ABANDON:
                do("DELETE FROM member WHERE id = ?", (contact,))
            elif kind == PRIORITY:
                do("UPDATE member SET base_score = ? WHERE id = ?", (other * PRIORITY_NS, contact))
            else:
                changed = do(
                    "UPDATE member SET requirement = ? WHERE id = ? AND state = 'Waiting'", (other, contact)
                )
                made += self._serve(contact, other) if changed.rowcount else []
        return made

    def _employ(self, agent: int, now_ns: int) -> list[Pair]:
        row = self.db.execute(self.for_agent, (agent, now_ns)).fetchone()
        if row is None:
            return []
        self._connect(row[0], agent)
        return [(row[0], agent)]

    def _serve(self, contact: int, requirement: int) -> list[Pair]:
        row = self.db.execute(self.for_member, (requirement,)).fetchone()
        if row is None:
            return []
        self._connect(contact, row[0])
        return [(contact, row[0])]

    def _connect(self, contact: int, agent: int) -> None:
        self.db.execute("UPDATE member SET state = 'Answered', agent = ? WHERE id = ?", (agent, contact))
        self.db.execute("UPDATE agent SET state = 'In a call' WHERE id = ?", (agent,))


class SqlitePass(SqliteOrderBy):
    """All members by score, and for each the agents of its queue, until one is found."""

    name = "SQLite, mod_callcenter's own pass a match"
    by_score = """
        SELECT id, requirement, ? - joined_ns + base_score AS score FROM member
        WHERE state = 'Waiting' ORDER BY score DESC, id
    """

    def _employ(self, agent: int, now_ns: int) -> list[Pair]:
        members = self.db.cursor()
        for contact, requirement, _ in members.execute(self.by_score, (now_ns,)):
            if made := self._serve(contact, requirement):
                members.close()
                return made
        return []


class SqliteLaneHeads(_Sqlite):
    """One index seek a lane."""

    name = "SQLite, indexed lane heads"
    schema = """
        CREATE TABLE tier (requirement INTEGER, profile INTEGER, PRIMARY KEY (profile, requirement)) WITHOUT ROWID;
        CREATE INDEX tier_requirement ON tier (requirement);
        CREATE TABLE place (id INTEGER PRIMARY KEY, requirement INTEGER, key INTEGER);
        CREATE INDEX place_key ON place (requirement, key);
        CREATE TABLE idle (profile INTEGER, since_ns INTEGER, agent INTEGER, PRIMARY KEY (profile, since_ns))
        WITHOUT ROWID;
    """
    # A key is the arrival less the priority's share: the least comes first.
    for_agent = """
        SELECT tier.requirement, (SELECT min(key) FROM place WHERE place.requirement = tier.requirement) AS head
        FROM tier WHERE tier.profile = ? AND head IS NOT NULL ORDER BY head LIMIT 1
    """
    for_contact = """
        SELECT tier.profile, (SELECT min(since_ns) FROM idle WHERE idle.profile = tier.profile) AS head
        FROM tier WHERE tier.requirement = ? AND head IS NOT NULL ORDER BY head LIMIT 1
    """

    def _fill(self, snapshot: Snapshot) -> None:
        self.profile_of = snapshot.profile_of
        self.idle_n = len(snapshot.idle)
        self.db.executemany(
            "INSERT INTO place VALUES (?, ?, ?)",
            (
                (contact, lane, contact - priority * PRIORITY_NS)
                for contact, lane, priority in snapshot.waiting
            ),
        )
        self.db.executemany(
            "INSERT INTO idle VALUES (?, ?, ?)",
            (
                (snapshot.profile_of[agent], at - len(snapshot.idle), agent)
                for at, agent in enumerate(snapshot.idle)
            ),
        )

    def play(self, events: Sequence[Event]) -> list[Pair]:
        do = self.db.execute
        made: list[Pair] = []
        for kind, contact, other, now_ns in events:
            if kind == FINISH:
                row = do(self.for_agent, (self.profile_of[other],)).fetchone()
                if row is None:
                    do("INSERT INTO idle VALUES (?, ?, ?)", (self.profile_of[other], now_ns, other))
                    self.idle_n += 1
                else:
                    taken = do(
                        "DELETE FROM place WHERE requirement = ? AND key = ? RETURNING id", row
                    ).fetchone()
                    made.append((taken[0], other))
            elif kind in (ARRIVE, ARRIVE_WITH_RING):
                agent = self._idle_for(other)
                if agent is None:
                    do("INSERT INTO place VALUES (?, ?, ?)", (contact, other, contact))
                else:
                    made.append((contact, agent))
            elif kind == ABANDON:
                do("DELETE FROM place WHERE id = ?", (contact,))
            elif kind == PRIORITY:
                do("UPDATE place SET key = ? WHERE id = ?", (contact - other * PRIORITY_NS, contact))
            else:
                changed = do("UPDATE place SET requirement = ? WHERE id = ?", (other, contact))
                agent = self._idle_for(other) if changed.rowcount else None
                if agent is not None:
                    do("DELETE FROM place WHERE id = ?", (contact,))
                    made.append((contact, agent))
        return made

    def _idle_for(self, requirement: int) -> int | None:
        if not self.idle_n:
            return None
        row = self.db.execute(self.for_contact, (requirement,)).fetchone()
        if row is None:
            return None
        self.idle_n -= 1
        taken = self.db.execute("DELETE FROM idle WHERE profile = ? AND since_ns = ? RETURNING agent", row)
        return int(taken.fetchone()[0])
