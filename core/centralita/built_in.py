"""The plugin that is always there: the journals that come with the engine. It uses nothing a third party's could not."""

from __future__ import annotations

from centralita.hookspecs import hookimpl
from centralita.journal import MemoryJournal, MemoryJournalConfig, SqliteJournal, SqliteJournalConfig
from centralita.protocols import Context, Register


@hookimpl
def register_journals(register: Register) -> None:
    """`[journal] type = "sqlite"` (also when there is no such table) and `type = "memory"`."""
    register("sqlite", SqliteJournalConfig, _sqlite)
    register("memory", MemoryJournalConfig, _memory)


def _sqlite(config: SqliteJournalConfig, context: Context) -> SqliteJournal:
    return SqliteJournal(context.data, config)


def _memory(config: MemoryJournalConfig, context: Context) -> MemoryJournal:
    return MemoryJournal(config)
