"""The journal: what was wanted and what became of it, durably and in order.

`protocol.py` says what a journal is, `codec.py` how records become bytes, `sqlite.py` and `memory.py`
keep them, `recover.py` is what a start begins with, `upkeep.py` what an operator does with the file.
"""

from centralita.journal.codec import SCHEMA, Decoder, Encoder
from centralita.journal.memory import MemoryJournal, MemoryJournalConfig
from centralita.journal.protocol import Batch, Journal, Snapshot, StateHash
from centralita.journal.recover import recover
from centralita.journal.sqlite import SqliteJournal, SqliteJournalConfig
from centralita.journal.upkeep import (
    Compaction,
    Verification,
    backup,
    compact,
    export,
    verify,
)

__all__ = [
    "SCHEMA",
    "Batch",
    "Compaction",
    "Decoder",
    "Encoder",
    "Journal",
    "MemoryJournal",
    "MemoryJournalConfig",
    "Snapshot",
    "SqliteJournal",
    "SqliteJournalConfig",
    "StateHash",
    "Verification",
    "backup",
    "compact",
    "export",
    "recover",
    "verify",
]
