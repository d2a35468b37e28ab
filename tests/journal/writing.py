"""A process that writes a journal as fast as it can and says what was acknowledged, until it is killed."""

from __future__ import annotations

import sys
from pathlib import Path

from centralita.journal import SqliteJournal
from tests.journal.samples import fill


def main(folder: Path) -> None:
    journal = SqliteJournal(folder)
    while True:
        fill(journal, 1 + journal.last_seq % 7)
        sys.stdout.write(f"{journal.last_seq}\n")
        sys.stdout.flush()


if __name__ == "__main__":
    main(Path(sys.argv[1]))
