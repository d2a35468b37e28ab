"""Journals: 901 to 914."""

from __future__ import annotations

import fcntl
from collections.abc import Iterator
from threading import get_ident
from typing import Any

from centralita.errors import Fenced, JournalError
from centralita.journal import Batch, Snapshot
from centralita.messages import Record
from centralita.protocols import Context
from tests.kit.broken.registry import breaks
from tests.kit.good import GoodJournal, Settings


@breaks(901, "journal")
class Nonempty(GoodJournal):
    """Begins in 1970."""

    @property
    def last_at_ns(self) -> int:
        return super().last_at_ns or 1


@breaks(902, "journal")
class Losing(GoodJournal):
    """Reads back all but what has files."""

    def read(self, after_seq: int = 0) -> Iterator[list[Record]]:
        for records in super().read(after_seq):
            yield [record for record in records if not getattr(record.command, "internal", False)]


@breaks(903, "journal")
class WholeBatches(GoodJournal):
    """Gives whole batches."""

    def read(self, after_seq: int = 0) -> Iterator[list[Record]]:
        first = max((b.first_seq for b in self._batches if b.first_seq <= after_seq + 1), default=1)
        return super().read(first - 1 if after_seq < self.last_seq else after_seq)


@breaks(904, "journal")
class Timeless(GoodJournal):
    """Forgets when it was."""

    @property
    def last_at_ns(self) -> int:
        return super().last_at_ns // 1_000_000_000_000 * 1_000_000_000_000


@breaks(905, "journal")
class Indifferent(GoodJournal):
    """Says that something is wrong, but not what."""

    def append(self, batch: Batch, *, expected_seq: int) -> None:
        try:
            super().append(batch, expected_seq=expected_seq)
        except Fenced as error:
            raise JournalError(str(error)) from error


@breaks(906, "journal")
class Hashless(GoodJournal):
    """Has no room for hashes."""

    def state_hashes(self, after_seq: int = 0) -> Iterator[tuple[int, bytes]]:
        return iter(())


@breaks(907, "journal")
class OldestFirst(GoodJournal):
    """Gives snapshots as they came."""

    def snapshots(self) -> Iterator[Snapshot]:
        return iter(self.kept)


@breaks(908, "journal")
class Prophetic(GoodJournal):
    """Keeps the state after records that are still to come."""

    def save_snapshot(self, seq: int, state: bytes) -> None:
        super().save_snapshot(min(seq, self.last_seq), state)


@breaks(909, "journal")
class Fading(GoodJournal):
    """Keeps nothing over its end."""

    def close(self) -> None:
        (self.folder / "batches").unlink(missing_ok=True)
        super().close()


@breaks(910, "journal")
class Buffering(GoodJournal):
    """Writes when it is closed."""

    def __init__(self, settings: Settings, context: Context) -> None:
        self.buffered: list[Batch] = []
        super().__init__(settings, context)

    def _store(self, name: str, value: Any) -> None:
        if name == "batches":
            self.buffered.append(value)
        else:
            super()._store(name, value)

    def close(self) -> None:
        for batch in self.buffered:
            super()._store("batches", batch)
        self.buffered.clear()
        super().close()


@breaks(911, "journal")
class OneThread(GoodJournal):
    """Is read where it was made."""

    def __init__(self, settings: Settings, context: Context) -> None:
        super().__init__(settings, context)
        self.home = get_ident()

    def read(self, after_seq: int = 0) -> Iterator[list[Record]]:
        if get_ident() != self.home:
            raise RuntimeError("another thread")
        return super().read(after_seq)


@breaks(912, "journal")
class ClosedOnce(GoodJournal):
    """Is closed once, or else."""

    def close(self) -> None:
        if self._lock_file < 0:
            raise RuntimeError("closed")
        super().close()


@breaks(913, "journal")
class Shared(GoodJournal):
    """Lets anybody in."""

    def __init__(self, settings: Settings, context: Context) -> None:
        super().__init__(settings, context)
        fcntl.flock(self._lock_file, fcntl.LOCK_UN)


@breaks(914, "journal")
class Restless(GoodJournal):
    """Is never done."""

    def tidy(self) -> bool:
        super().tidy()
        return True
