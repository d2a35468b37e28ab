"""The engine as it was: the newest snapshot, every record after it, and the hashes that say it is the same.

`restore` is what a start begins with; `replay` does the same with a journal's file from its beginning and
compares the state with every hash and every snapshot on the way. Neither decides anything.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import TypeVar

from msgspec.structs import replace

from centralita.capture import state_form
from centralita.engine import Engine
from centralita.errors import StateDiffers
from centralita.journal import Journal, StateHash, recover
from centralita.journal.codec import unpack_state_hash
from centralita.journal.sealed_state import bare_state
from centralita.journal.snapshots import SnapshotFiles
from centralita.journal.upkeep import records_of, state_hashes_of
from centralita.matching import Core
from centralita.structs import Frozen

SomeEngine = TypeVar("SomeEngine", bound=Engine)


class Replay(Frozen):
    """What `replay` did: records applied, hashes and snapshots that the state was compared with, and those of
    another version's form, which can't be compared. `problems` is empty when all were the same."""

    replayed: int = 0
    hashes: int = 0
    hashes_of_others: int = 0
    snapshots: int = 0
    snapshots_of_others: int = 0
    problems: tuple[str, ...] = ()


def restore(journal: Journal, *, kind: type[SomeEngine], core: Core = "native") -> SomeEngine:
    """The engine as the journal has it, its state compared with the hashes taken since the snapshot.

    Raises JournalCorrupt for damage, and when the state is not the one that lived.
    """
    snapshot, records = recover(journal)
    seq = snapshot.seq if snapshot is not None else 0
    hashes: Mapping[int, bytes] = {}
    if journal.state_hash_every:
        hashes, _ = _comparable(unpack_state_hash(packed) for _, packed in journal.state_hashes(seq))
    try:
        return kind.restore(
            snapshot.state if snapshot is not None else None, records, core=core, hashes=hashes
        )
    except StateDiffers as error:
        raise StateDiffers(
            f"{error}. `centralita journal verify` looks where it began; with state_hash_every = 0 under "
            "[journal] the engine starts without asking"
        ) from error


def replay(path: Path, *, core: Core = "native") -> Replay:
    """Apply a journal's records from the earliest state there is, and compare the state on the way.

    Reads only, needs no keys, and works while an engine writes. Where another version has written too, it begins with the
    first snapshot of this one: what came to be known of a contact in a newer version the older one's state
    lacks. Nothing is replayed where there is nothing to begin from: an archive file, say. Raises
    JournalCorrupt at damage (`verify` finds that first), JournalError when there is no journal.
    """
    hashes, hashes_of_others = _comparable(map(unpack_state_hash, state_hashes_of(path)))
    found = {snapshot.seq: bare_state(snapshot.state) for snapshot in SnapshotFiles(path).good()}
    own = {seq: state for seq, state in found.items() if Engine.restore(state, ()).snapshot() == state}
    first_seq, records = records_of(path)
    others = Replay(hashes_of_others=hashes_of_others, snapshots_of_others=len(found) - len(own))
    if first_seq == 1 and not (others.hashes_of_others or others.snapshots_of_others):
        engine = Engine(core=core)
    elif usable := [seq for seq in own if seq >= first_seq - 1]:
        engine = Engine.restore(own[min(usable)], (), core=core)
    else:
        return others
    replayed = hashes_n = snapshots_n = 0
    problems: list[str] = []
    for record in records:
        if record.seq <= engine.seq:
            continue
        engine.reapply(record)
        replayed += 1
        if (taken := hashes.get(record.seq)) is not None:
            hashes_n += 1
            if taken != engine.state_hash():
                problems.append(f"the state after record {record.seq} is not the one that lived")
        if (kept := own.get(record.seq)) is not None:
            snapshots_n += 1
            if Engine.restore(kept, ()).state_hash() != engine.state_hash():
                problems.append(f"the snapshot after record {record.seq} is not the state of the records")
    return replace(
        others, replayed=replayed, hashes=hashes_n, snapshots=snapshots_n, problems=tuple(problems)
    )


def _comparable(taken: Iterable[StateHash]) -> tuple[dict[int, bytes], int]:
    """The hashes in this version's form, by the record after which, and how many are in another."""
    form, others = state_form(), 0
    hashes: dict[int, bytes] = {}
    for one in taken:
        if one.form == form:
            hashes[one.seq] = one.digest
        else:
            others += 1
    return hashes, others
