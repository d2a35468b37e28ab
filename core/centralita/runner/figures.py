"""The figures of the running engine: the pure fold of `kpi.py`, fed with every durable record.

It refuses to know what is counted; when a day begins, where we are, is told to the fold from here. The fold
is a follower like any KPI sink, its position is part of its own snapshot, and the file it is kept in only
saves reading the whole journal at the next start: without it, or with one that can't be used, the figures
are counted again.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any, Final
from zoneinfo import ZoneInfo

import structlog
import trio

from centralita.calendars import day_of
from centralita.errors import JournalError
from centralita.kpi import Figures
from centralita.runner.followers import Feed

SAVE_EVERY_RECORDS: Final = 100_000
"""So many records at most are counted again after a crash."""

FOLD_RECORDS_MAX: Final = 500
"""Records folded before other tasks get the thread: a few milliseconds."""


class FiguresKeeper:
    """Keeps the figures; `path` None keeps them in memory only."""

    def __init__(
        self, feed: Feed, *, path: Path | None, zone: ZoneInfo, log: structlog.stdlib.BoundLogger
    ) -> None:
        self._feed = feed
        self._path = path
        self._zone = zone
        self._log = log
        self.figures = self._load()
        self.seq = self.figures.seq
        self._saved_seq = self.seq
        begun_ns = self.figures.day_since_ns
        self._day_ends_ns = day_of(begun_ns, zone)[1] if begun_ns else 0
        self._done = trio.Event()

    async def wait_done(self) -> None:
        """Return when every record until the feed's end has been counted."""
        await self._done.wait()

    async def run(self) -> None:
        """Fold until the feed is closed. Raises JournalError when the journal can't be read."""
        while True:
            try:
                batch = await self._feed.after(self.seq)
            except JournalError:
                if self.seq:
                    raise
                # The journal has retired its oldest records: the figures begin with what comes now.
                self.seq = self._feed.last_seq
                self._log.warning("figures_begin_late", after_seq=self.seq)
                continue
            if not batch:
                self._done.set()
                return
            for index, record in enumerate(batch):
                if record.at_ns >= self._day_ends_ns:
                    self._begin_day(record.at_ns)
                self.figures.fold(record)
                if index % FOLD_RECORDS_MAX == FOLD_RECORDS_MAX - 1:
                    await trio.lowlevel.checkpoint()
            self.seq = batch[-1].seq
            if self.seq - self._saved_seq >= SAVE_EVERY_RECORDS:
                await self.save()

    def as_of(self, now_ns: int) -> dict[str, Any]:
        """All figures, of a day that has begun also when nothing has happened in it yet."""
        # Before they have caught up, what comes next belongs to a day that is over.
        if self._day_ends_ns <= now_ns and self.seq == self._feed.last_seq > 0:
            self._begin_day(now_ns)
        return self.figures.as_dict(now_ns)

    def _begin_day(self, at_ns: int) -> None:
        start_ns, self._day_ends_ns = day_of(at_ns, self._zone)
        # Kept by a version that knew no days, the figures don't tell what was counted since midnight.
        known = self.figures.day_since_ns or not self.figures.seq
        self.figures.begin_day(start_ns if known else at_ns)

    async def save(self) -> None:
        """Keep the figures on the disk, whole or not at all."""
        if self._path is not None and self._saved_seq != self.seq:
            seq, bytes_ = self.seq, self.figures.snapshot()
            await trio.to_thread.run_sync(_replace, self._path, bytes_)
            self._saved_seq = seq

    def _load(self) -> Figures:
        if self._path is None:
            return Figures()
        try:
            figures = Figures.restore(self._path.read_bytes())
        except FileNotFoundError:
            return Figures()
        except (OSError, ValueError) as error:
            self._log.warning("figures_counted_again", error=type(error).__name__)
            return Figures()
        if figures.seq > self._feed.last_seq:
            self._log.warning("figures_counted_again", error="they are of another journal")
            return Figures()
        return figures


def _replace(path: Path, content: bytes) -> None:
    """Write beside, then rename: a reader finds the old or the new."""
    beside = path.with_suffix(".new")
    with beside.open("wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
    beside.replace(path)
