"""What a simulation's engine decided, as the records that a journal of it would hold.

    recorder = Recorder()
    run(scenario, watch=recorder.attach)  # or replay(recording, watch=recorder.attach)
    table(recorder.records, "stays")

For figures, tables and journals that are made of records; times are the simulation's own.
"""

from __future__ import annotations

from centralita.engine import Step
from centralita.messages import AnyCommand, Record
from centralita.simulate.drive import Drive


class Recorder:
    """Keeps every record of one run: memory grows with its length, some 2 kB a contact."""

    def __init__(self) -> None:
        self.records: list[Record] = []
        self._drive: Drive | None = None

    def attach(self, drive: Drive) -> None:
        """Keep what this drive does from now on. One drive only."""
        assert self._drive is None
        self._drive = drive
        drive.follows(self._take)

    def _take(self, step: Step, command: AnyCommand) -> None:
        assert self._drive is not None
        at_ns = self._drive.engine.now_ns
        self.records.append(Record(seq=step.seq, at_ns=at_ns, command=command, events=step.events))
