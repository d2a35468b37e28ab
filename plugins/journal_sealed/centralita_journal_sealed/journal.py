"""The SQLite journal with a seal: the same file, the same guarantees, and keys beside it.

The keys lie in a file of their own, `keys`, so that they can be kept on another disk and out of the
journal's backups. A journal that was begun without keys goes on with them: what is in it already stays readable
for good, and a mark in the file says that from now on keys belong to it.
"""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Annotated

from msgspec import Meta

from centralita.errors import JournalError
from centralita.journal import SqliteJournal, SqliteJournalConfig, tables
from centralita_journal_sealed.keys import KeyFile
from centralita_journal_sealed.seal import KeySeal


class SealedJournalConfig(SqliteJournalConfig, forbid_unknown_fields=True):
    """`[journal]`, type "sealed": the settings of "sqlite", and `keys`, relative to the same folder."""

    keys: Annotated[str, Meta(min_length=1)] = "customer-keys"


class SealedJournal(SqliteJournal):
    """An open journal whose customers can be erased."""

    def __init__(self, folder: Path, config: SealedJournalConfig | None = None) -> None:
        """Open or make the journal and its keys.

        Raises what SqliteJournal does; JournalError also when the journal has keys and the file is gone.
        """
        config = config or SealedJournalConfig()
        path, keys = folder / config.path, folder / config.keys
        if not keys.exists() and tables.is_sealed(path):
            raise JournalError(
                f"{keys}: the keys of {path.name} are not there. Put them back; "
                "`centralita journal forget-keys` goes on without, and all that was sealed stays erased"
            )
        keys.parent.mkdir(parents=True, exist_ok=True)
        self._keys = KeyFile(keys)
        try:
            super().__init__(folder, config, seal=KeySeal(self._keys))
            tables.mark_sealed(self._connection)
        except BaseException:
            self._keys.close()
            raise

    def erase(self, contacts: Iterable[int]) -> int:
        """Delete these contacts' keys, so that nothing said about them can be read again; how many there were.

        Records, snapshots, the archive and every copy of them are reached at once. Raises JournalError.
        """
        assert isinstance(self.seal, KeySeal)
        return self.seal.erase(contacts)

    def tidy(self) -> bool:
        """Make keys ahead of need, then what every SQLite journal does."""
        assert isinstance(self.seal, KeySeal)
        self.seal.make_ready()
        return super().tidy()

    def close(self) -> None:
        """Close the file and the keys."""
        super().close()
        self._keys.close()
