"""The state written down now and then, a piece between two batches: hashes for the journal, snapshots beside it.

It refuses to know what decides. A capture (`centralita.capture`) is begun when enough records have passed, and
stepped once a batch; when it is whole its hash goes into the journal with the next batch, and, when a snapshot is due,
its bytes go to the disk in a thread. The pump never waits for either. A capture costs as much as contacts
are live, so at least half as many records lie between two: no record pays for more than two contacts.

A snapshot that can't be written is no reason to end: every record is safe without it. That is said in the log
and tried again with the next.
"""

from __future__ import annotations

from collections.abc import Sequence

import structlog
import trio

from centralita.capture import Capture, state_form
from centralita.engine import Engine
from centralita.errors import JournalError
from centralita.journal.codec import pack_state_hash
from centralita.journal.protocol import StateHash
from centralita.runner.writer import JournalWriter


class StateKeeper:
    """Keeps one engine's state. `snapshot_seq` is after which record the last snapshot is."""

    def __init__(
        self,
        engine: Engine,
        writer: JournalWriter,
        *,
        log: structlog.stdlib.BoundLogger,
        snapshot_every: int,
        state_hash_every: int,
    ) -> None:
        self._engine = engine
        self._writer = writer
        self._log = log
        self._snapshot_every = snapshot_every
        self._state_hash_every = state_hash_every
        self._capture: Capture | None = None
        self._captured_seq = engine.seq
        self._for_snapshot = False
        self._saving = False
        self._state_hash = b""
        self.snapshot_seq = engine.seq
        self._tried_seq = engine.seq

    def step(self, nursery: trio.Nursery) -> bool:
        """Do the next piece, if there is one; True when another follows."""
        capture = self._capture
        if capture is None:
            return self._begin()
        if not capture.step():
            return True
        self._engine.end_capture()
        self._capture = None
        if self._state_hash_every:
            taken = StateHash(seq=capture.seq, form=state_form(), digest=capture.digest)
            self._state_hash = pack_state_hash(taken)
        if self._for_snapshot:
            self._saving = True
            nursery.start_soon(self._save, capture.seq, capture.parts)
        return False

    def take_hash(self) -> bytes:
        """The hash that is to go with the next records; empty when there is none."""
        state_hash, self._state_hash = self._state_hash, b""
        return state_hash

    def _begin(self) -> bool:
        seq = self._engine.seq
        snapshot = self._snapshot_every
        self._for_snapshot = bool(snapshot) and not self._saving and seq - self._tried_seq >= snapshot
        every = self._state_hash_every
        hash_due = bool(every) and seq - self._captured_seq >= max(
            every, len(self._engine.state.contacts) // 2
        )
        if not (self._for_snapshot or hash_due):
            return False
        self._captured_seq = seq
        if self._for_snapshot:
            self._tried_seq = seq
        self._capture = self._engine.begin_capture()
        return True

    async def _save(self, seq: int, parts: Sequence[bytes]) -> None:
        try:
            await self._writer.save_snapshot(seq, parts)
            self.snapshot_seq = seq
        except JournalError as error:
            if not self._writer.failed:
                self._log.error("journal_snapshot_failed", seq=seq, error=str(error))
        finally:
            self._saving = False
