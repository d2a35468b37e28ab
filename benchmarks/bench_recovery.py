"""How long a start takes after a crash, and how long a snapshot holds up a decision: `make bench-recovery`.

A journal of CONTACTS contacts is made by the real engine, LIVE of them live at its end: nearly all waiting, some offered,
connected, in wrap-up or waiting for a callback's moment. The process "dies" just before the next snapshot
would be taken (every 200,000 records, the default), which is the longest way back. Then a process of its own opens the
journal, decodes the newest snapshot, applies the records after it and compares the state with the hash that
the last of them carries. The time is that process's, from opening the file to an engine that can decide.

Nothing is kept from run to run, unless `--keep` says where. The last line of the output is JSON.
"""

from __future__ import annotations

import argparse
import json
import platform
import random
import shutil
import subprocess
import sys
import tempfile
import time
from collections import deque
from pathlib import Path
from typing import Any, Final, NamedTuple

from centralita.capture import state_form
from centralita.config import EngineConfig, loads
from centralita.engine import Engine, Step
from centralita.journal import Encoder, SqliteJournal, SqliteJournalConfig, StateHash
from centralita.journal.codec import pack_state_hash
from centralita.messages import (
    AdmitContact,
    AnswerOffer,
    AnyCommand,
    ApplyConfiguration,
    ContactOffered,
    EndContact,
    FinishWrapUp,
    Record,
    ReportConnection,
    RequestCallback,
    SignIn,
)
from centralita.recovery import restore

AGENTS: Final = 500
BATCH_RECORDS: Final = 1000
SNAPSHOT_EVERY: Final = 200_000
START_NS: Final = 1_700_000_000_000_000_000
SETTINGS: Final = SqliteJournalConfig(synchronous="normal", snapshot_every=SNAPSHOT_EVERY, keep_days=None)
ENDED_A_LIVE_ONE_RECORDS: Final = 5


def company() -> EngineConfig:
    """Five hundred agents who serve one queue, and another queue whose skill none of them has."""
    agents = "".join(f"[agents.a{number}]\nskills = {{en = {3 + number % 7}}}\n" for number in range(AGENTS))
    return loads(
        'skills = ["en", "night"]\n[queues.day]\nskills = {en = 3}\nwrap_up_s = 30\n'
        "[queues.night]\nskills = {night = 1}\nrings = [{after_s = 86400, raise_priority = 1}]\n"
        '[channels.line]\ntype = "line"\nmedium = "voice"\nqueue = "day"\n'
        f'[channels.shop]\ntype = "shop"\nmedium = "chat"\nqueue = "night"\n{agents}'
    ).engine


class Past:
    """Makes a journal as an engine would have left it."""

    def __init__(self, folder: Path) -> None:
        self.journal = SqliteJournal(folder, SETTINGS)
        self.engine = Engine()
        self.now_ns = START_NS
        self._encoder = Encoder()
        self._records: list[Record] = []
        self._state_hash = b""
        self.do(ApplyConfiguration(config=company()))
        for number in range(AGENTS):
            self.do(SignIn(agent=f"a{number}", desk="bench"))

    def do(self, command: AnyCommand) -> Step:
        step = self.engine.handle(command, now_ns=self.now_ns)
        assert step.seq, step
        self._records.append(Record(seq=step.seq, at_ns=self.now_ns, command=command, events=step.events))
        if len(self._records) >= BATCH_RECORDS:
            self.flush()
        return step

    def flush(self) -> None:
        records, self._records = self._records, []
        if records:
            batch = self._encoder.encode(
                records,
                after_seq=self.journal.last_seq,
                after_ns=self.journal.last_at_ns,
                state_hash=self._state_hash,
            )
            self._state_hash = b""
            self.journal.append(batch, expected_seq=batch.first_seq - 1)

    def snapshot(self) -> None:
        self.flush()
        self.journal.save_snapshot(self.engine.seq, self.engine.snapshot())

    def hash_state(self) -> None:
        self.flush()
        taken = StateHash(seq=self.engine.seq, form=state_form(), digest=self.engine.state_hash())
        self._state_hash = pack_state_hash(taken)

    def live(self, contacts: int, live: int) -> None:
        """So many contacts, the last of whose lives are not over."""
        chance = random.Random(contacts)
        every = contacts // live
        serving: deque[tuple[int, str]] = deque()
        saved_seq, last_seq = 0, contacts // every + (contacts - contacts // every) * ENDED_A_LIVE_ONE_RECORDS
        for number in range(contacts):
            self.now_ns += chance.randrange(20_000_000)
            if self.engine.seq - saved_seq >= SNAPSHOT_EVERY and (
                last_seq - self.engine.seq >= SNAPSHOT_EVERY * 0.95
            ):
                self.snapshot()
                saved_seq = self.engine.seq
            if number == contacts - contacts // 100:
                self.hash_state()
            if number % every == 0:
                self._wait(number, chance)
                continue
            serving.append(self._serve(number))
            if len(serving) == AGENTS - 100:
                self._end(*serving.popleft())
        self.flush()

    def _wait(self, number: int, chance: random.Random) -> None:
        text = "Hello, I wrote on Monday and nobody has answered yet. Is somebody there?"
        name = f"customer {number}"
        contact = self.do(
            AdmitContact(channel="shop", provider_id=f"s{number}", customer_name=name, text=text)
        ).contact
        if chance.random() < 0.02:
            due_ns = self.now_ns + 86_400_000_000_000
            self.do(RequestCallback(contact=contact, handle="+34600111222", due_ns=due_ns))

    def _serve(self, number: int) -> tuple[int, str]:
        step = self.do(AdmitContact(channel="line", provider_id=f"l{number}", handle="+34600111222"))
        offered = step.events[-1]
        assert isinstance(offered, ContactOffered)
        contact, agent = offered.contact, offered.agent
        self.do(AnswerOffer(contact=contact, agent=agent, offer=offered.offer, accept=True))
        self.do(ReportConnection(contact=contact, agent=agent, made=True))
        return contact, agent

    def _end(self, contact: int, agent: str) -> None:
        self.do(EndContact(contact=contact, by=agent))
        self.do(FinishWrapUp(contact=contact, agent=agent, disposition="sold"))


def recover(folder: Path) -> dict[str, Any]:
    """One start, timed, and the pieces of one snapshot by this thread's own clock."""
    before_s = time.perf_counter()
    journal = SqliteJournal(folder, SETTINGS)
    opened_s = time.perf_counter()
    engine = restore(journal, kind=Engine)
    asks = engine.open_asks()
    done_s = time.perf_counter()
    seqs = [snapshot.seq for snapshot in journal.snapshots()]
    pieces_s = [_timed(engine.begin_capture)]
    capture = engine.begin_capture()
    while not capture.whole:
        pieces_s.append(_timed(capture.step))
    whole_s = _timed(engine.snapshot)
    journal.close()
    return {
        "recover_s": done_s - before_s,
        "open_s": opened_s - before_s,
        "live": len(engine.state.contacts),
        "waiting": engine.lines.queue.waiting_n(),
        "records": engine.seq,
        "tail_records": engine.seq - (seqs[0] if seqs else 0),
        "open_asks": len(asks),
        "snapshot_bytes": sum(map(len, capture.parts)),
        "snapshot_pause_ms": max(pieces_s) * 1000,
        "snapshot_at_once_ms": whole_s * 1000,
    }


def _timed(call: Any) -> float:
    before = time.thread_time()
    call()
    return time.thread_time() - before


class Made(NamedTuple):
    """A journal and what lived in it."""

    folder: Path
    contacts: int
    live: int
    records: int
    lived: str
    form: str
    made_s: float


def journal_in(folder: Path, contacts: int, live_n: int) -> Made:
    """The journal in a folder: the one that is there, if this version made it to the same measure, or a new one."""
    note = folder / "made.json"
    if note.exists():
        made = Made(folder, **json.loads(note.read_text()))
        if made.contacts == contacts and made.form == state_form().hex():
            print(f"{made.contacts:,} contacts, {made.live:,} live, made before", flush=True)
            return made
        shutil.rmtree(folder)
    folder.mkdir(parents=True, exist_ok=True)
    began_s = time.perf_counter()
    past = Past(folder)
    past.live(contacts, live_n)
    live, seq = len(past.engine.state.contacts), past.engine.seq
    lived = past.engine.state_hash().hex()
    past.journal.close()
    made = Made(folder, contacts, live, seq, lived, state_form().hex(), time.perf_counter() - began_s)
    note.write_text(json.dumps({name: value for name, value in made._asdict().items() if name != "folder"}))
    print(
        f"Python {platform.python_version()}, {platform.machine()}; {contacts:,} contacts, {live:,} live,"
        f" {seq:,} records, {(folder / 'journal.sqlite').stat().st_size:,} bytes, made in {made.made_s:.0f} s",
        flush=True,
    )
    return made


def main() -> None:
    """Make the journal, recover from it in a process of its own, print what it took."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--contacts", type=int, default=1_000_000, help="journalled (default 1,000,000)")
    parser.add_argument("--live", type=int, default=100_000, help="live at the end (default 100,000)")
    parser.add_argument("--runs", type=int, default=3, help="starts, of which the median counts (default 3)")
    parser.add_argument(
        "--keep", type=Path, help="make the journal in this folder, unless it is there, and keep it"
    )
    parser.add_argument("--recover", type=Path, help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.recover is not None:
        print(json.dumps(recover(given.recover)))
        return
    if not 0 < given.live <= given.contacts:
        parser.error(f"--live was {given.live}; from 1 to --contacts")
    with tempfile.TemporaryDirectory() as name:
        made = journal_in(given.keep or Path(name), given.contacts, given.live)
        folder = made.folder
        runs = []
        for _ in range(given.runs):
            done = subprocess.run(
                [sys.executable, __file__, "--recover", str(folder)],
                check=True,
                capture_output=True,
                text=True,
            )
            runs.append(json.loads(done.stdout))
            assert (runs[-1]["live"], runs[-1]["records"]) == (made.live, made.records)
            print(f"  recovered in {runs[-1]['recover_s']:.2f} s", flush=True)
        journal = SqliteJournal(folder, SETTINGS)
        assert restore(journal, kind=Engine).state_hash().hex() == made.lived, (
            "the state is not the one that lived"
        )
        journal.close()
    found = sorted(runs, key=lambda run: run["recover_s"])[len(runs) // 2]
    full = given.contacts == 1_000_000 and given.live == 100_000
    print(
        json.dumps(
            {
                **{name: round(value, 3) for name, value in found.items()},
                "contacts": given.contacts,
                "made_s": round(made.made_s, 1),
                "recover_s_1m": round(found["recover_s"], 2) if full else None,
            }
        )
    )


if __name__ == "__main__":
    main()
