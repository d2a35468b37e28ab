"""The SQLite journal with customers' words under keys that can be deleted: `[journal] type = "sealed"`."""

from __future__ import annotations

from typing import Final

from centralita.errors import ConfigurationError, reason
from centralita.hookspecs import hookimpl
from centralita.protocols import Context, Register
from centralita_journal_sealed.journal import SealedJournal, SealedJournalConfig
from centralita_journal_sealed.keys import KeyFile
from centralita_journal_sealed.seal import KeySeal

__all__ = [
    "KeyFile",
    "KeySeal",
    "SealedJournal",
    "SealedJournalConfig",
    "centralita_api",
    "register_journals",
]

centralita_api: Final = 1


def build(config: SealedJournalConfig, context: Context) -> SealedJournal:
    """Open the journal of a `[journal]` table. Raises ConfigurationError for names that no file can have."""
    try:
        return SealedJournal(context.data, config)
    except (OSError, ValueError) as error:
        raise ConfigurationError([f"journal.keys was {config.keys!r:.60}: {reason(error)}"]) from error


@hookimpl
def register_journals(register: Register) -> None:
    """Bring the type `sealed`."""
    register("sealed", SealedJournalConfig, build)
