"""Durable records handed on: to KPI sinks and CRMs, each from a position of its own, and to whoever follows.

It refuses to know what a follower does with a record. The newest records are kept in memory, a bounded
number of them; a follower that has fallen further behind reads from the journal. So nobody's slowness
costs memory, and nobody misses a record. The theory is that of a log with consumer positions: the
position belongs to the follower, which stores it together with what the records did, so that after any
crash on either side no record is lost or counted twice.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Generator, Sequence
from typing import Any, Final, cast

import trio

from centralita.errors import FollowerLost
from centralita.journal.protocol import Journal
from centralita.messages import Record
from centralita.protocols import Follower

RECENT_RECORDS_MAX: Final = 20_000
"""Records kept in memory for followers that keep up."""

BATCH_RECORDS_MAX: Final = 2_000
"""Records handed over at once."""

WRITE_S: Final = 60.0
"""How long a follower may take over one batch."""


class Feed:
    """The durable records, in order, for any number of readers."""

    def __init__(self, journal: Journal, *, records_max: int = RECENT_RECORDS_MAX) -> None:
        self._journal = journal
        self._max = records_max
        self._recent: deque[Sequence[Record]] = deque()
        self._recent_n = 0
        self._last_seq = journal.last_seq
        self._closed = False
        self._news = trio.lowlevel.ParkingLot()

    @property
    def last_seq(self) -> int:
        """The last durable record."""
        return self._last_seq

    def publish(self, records: Sequence[Record]) -> None:
        """Take in records that have become durable; they continue those before."""
        if not records:
            return
        assert records[0].seq == self._last_seq + 1, f"{records[0].seq} after {self._last_seq}"
        self._recent.append(records)
        self._recent_n += len(records)
        self._last_seq = records[-1].seq
        while len(self._recent) > 1 and self._recent_n - len(self._recent[0]) >= self._max:
            self._recent_n -= len(self._recent.popleft())
        self._news.unpark_all()

    def forget_recent(self) -> None:
        """Keep none in memory: whoever is behind reads from the journal, as the journal reads now."""
        self._recent.clear()
        self._recent_n = 0

    def close(self) -> None:
        """No more records will come: who has read all gets an empty batch."""
        self._closed = True
        self._news.unpark_all()

    async def after(self, seq: int) -> Sequence[Record]:
        """The next records after `seq`, at most BATCH_RECORDS_MAX; waits for some. Empty: closed.

        Raises FollowerLost for a position the journal has not reached, JournalError when the journal
        no longer keeps what comes next. Cancelled, nothing is lost: ask again.
        """
        if not 0 <= seq <= self._last_seq:
            raise FollowerLost(f"position was {seq}; the journal has records 1 to {self._last_seq}")
        await trio.lowlevel.checkpoint()
        while seq == self._last_seq:
            if self._closed:
                return ()
            await self._news.park()
        if self._recent and self._recent[0][0].seq <= seq + 1:
            return self._from_memory(seq)
        if self._journal.blocking:
            return await trio.to_thread.run_sync(_read, self._journal, seq, self._last_seq)
        return _read(self._journal, seq, self._last_seq)

    def _from_memory(self, seq: int) -> Sequence[Record]:
        # Whoever keeps up reads at the end, so the search begins there.
        for records in reversed(self._recent):
            start = seq + 1 - records[0].seq
            if start >= 0:
                return (
                    records
                    if start == 0 and len(records) <= BATCH_RECORDS_MAX
                    else records[start : start + BATCH_RECORDS_MAX]
                )
        raise AssertionError(f"record {seq + 1} is not in memory")


async def feed_follower(follower: Follower, feed: Feed) -> None:
    """Hand a follower every record after its position, as they come. Returns when the feed is closed.

    Whatever goes wrong is raised: the supervisor restarts the component, and its position says
    where to go on.
    """
    seq = cast(Any, await follower.position())
    if type(seq) is not int:
        raise FollowerLost(f"position was {seq!r}; must be an int")
    while batch := await feed.after(seq):
        with trio.fail_after(WRITE_S):
            await follower.write(batch)
        seq = batch[-1].seq


def _read(journal: Journal, seq: int, last_seq: int) -> list[Record]:
    """Records after `seq` from the journal, opened and closed in one thread. It may hold more than `last_seq`, of
    which nobody has been told yet: whoever had read those would be ahead of the feed."""
    found: list[Record] = []
    batches = journal.read(seq)
    try:
        for batch in batches:
            found += batch
            if len(found) >= BATCH_RECORDS_MAX:
                break
    finally:
        if isinstance(batches, Generator):
            batches.close()
    return found[: min(BATCH_RECORDS_MAX, last_seq - seq)]
