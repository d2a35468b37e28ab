"""What an operator does with the keys when they were lost, or an older copy was put back. The daemon must be stopped.

Both take the journal's lock, print nothing and refuse to know about terminals.
"""

from __future__ import annotations

from contextlib import closing
from pathlib import Path

from centralita.engine import Engine
from centralita.errors import JournalError
from centralita.journal import SqliteJournal
from centralita.messages import EraseContacts
from centralita.recovery import restore
from centralita_journal_sealed.journal import SealedJournal, SealedJournalConfig
from centralita_journal_sealed.keys import KeyFile


def forget_keys(folder: Path, config: SealedJournalConfig) -> int:
    """Begin a new file of keys where there is none: all that was sealed stays erased; how many numbers that are.

    Raises JournalError when there is a file, or no journal, or it can't be read.
    """
    path, keys = folder / config.path, folder / config.keys
    if keys.exists():
        raise JournalError(f"{keys}: is there; move it away to go on without what is in it")
    if not path.is_file():
        raise JournalError(f"{path}: there is no such file")
    with closing(SqliteJournal(folder, config)) as journal:
        last_id = restore(journal, kind=Engine).state.last_id
        with closing(KeyFile(keys)) as made:
            made.close_off(last_id + 1)
    return last_id


def erase_again(folder: Path, config: SealedJournalConfig) -> int:
    """Erase every key that the journal says was erased; how many were there, as in an older copy of the keys.

    Raises JournalError.
    """
    with closing(SealedJournal(folder, config)) as journal:
        contacts: list[int] = []
        for records in journal.read(journal.first_seq - 1):
            for record in records:
                if isinstance(record.command, EraseContacts):
                    contacts += record.command.contacts
        return journal.erase(contacts)
