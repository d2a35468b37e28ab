"""What a recovery starts from: the newest good snapshot and every record after it.

It refuses to know what the state is: whoever calls builds the engine from both. Nothing is decided
again; events are applied, so an upgrade of the rules never rewrites the past.
"""

from __future__ import annotations

from collections.abc import Iterator

from centralita.errors import JournalCorrupt
from centralita.journal.protocol import Journal, Snapshot
from centralita.messages import Record


def recover(journal: Journal) -> tuple[Snapshot | None, Iterator[Record]]:
    """(newest good snapshot or None, the records after it, one by one).

    The iterator raises JournalCorrupt at a record whose bytes are not what was written or that is
    missing; what it gave before that is good. It raises JournalError when older records are no longer
    kept and no good snapshot stands in for them.
    """
    for snapshot in journal.snapshots():
        if snapshot.seq > journal.last_seq:
            raise JournalCorrupt(
                f"there is a snapshot after record {snapshot.seq}, but the journal ends at {journal.last_seq}"
            )
        return snapshot, _records(journal, snapshot.seq)
    return None, _records(journal, 0)


def _records(journal: Journal, after_seq: int) -> Iterator[Record]:
    seq = after_seq
    for batch in journal.read(after_seq):
        for record in batch:
            seq += 1
            if record.seq != seq:
                raise JournalCorrupt(f"record {seq}: missing; {record.seq} came instead")
            yield record
    if seq < journal.last_seq:
        raise JournalCorrupt(f"record {seq + 1}: missing; the journal should go on to {journal.last_seq}")
