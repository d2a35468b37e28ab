"""The engine: commands in, events and asks out. Dispatch, nothing else.

`handle` gives a command to the one stage that decides it; what the stage emits is applied to the state
at once, moves the lines (queue and deadlines) and yields asks; then the matching rule runs if anything
changed that could let it find a pair. There is no await, no clock, no randomness and no logging in
here: whoever holds an Engine can drive it with any clock from any loop. The dispatch is compiled
(`routing_rs/src/engine/dispatcher.rs`), and with it what every contact goes through: ARCHITECTURE.md, "What is compiled".

    engine = Engine()
    engine.handle(ApplyConfiguration(config=config), now_ns=0)
    step = engine.handle(AdmitContact(channel="shop", provider_id="1"), now_ns=1)

Deciding and applying are apart: `Engine.restore` applies journalled events and never decides.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from types import MappingProxyType
from typing import Final, Self

import msgspec

from centralita._routing import Dispatcher
from centralita.apply import APPLY
from centralita.asks import ASKS, open_asks, open_reports
from centralita.capture import SNAPSHOT_SCHEMA, Capture, Snapshot, infer_reached, rebuild_indexes
from centralita.errors import JournalCorrupt, StateDiffers
from centralita.follow import FOLLOW
from centralita.lines import Lines
from centralita.matching import Core
from centralita.messages import (
    AnyAsk,
    AnyEvent,
    ContactOffered,
    Record,
    Refusal,
    ReportDelivery,
    RingPassed,
)
from centralita.stages import DECIDE
from centralita.state import State
from centralita.structs import often_set


@often_set
class Step(msgspec.Struct, gc=False):
    """What became of a command.

    `seq` numbers the record to journal, 0 when nothing changed; `contact` is the contact admitted (or
    found again, for a repeated admission), else 0.
    """

    events: list[AnyEvent] = []
    asks: list[AnyAsk] = []
    refusal: Refusal | None = None
    contact: int = 0
    seq: int = 0


class Engine(Dispatcher):
    """One domain's routing: state, decisions, deadlines. Not thread-safe; drive it from one place.

    `handle(command, *, now_ns)` decides a command at a moment and returns the Step; time never goes back (an earlier
    `now_ns` counts as the last). `now_ns` is an int of nanoseconds since any one moment, below 2^61. A refusal changes
    nothing and is not to be journalled. Raises only for bugs, and for what is no command or
    no such moment.
    """

    def __init__(self, *, core: Core = "native") -> None:
        state = State()
        self.begin(state, Lines(state, core), DECIDE, _EFFECTS, core in COMPILED)

    def ask(self, asks: list[AnyAsk]) -> None:
        """For stages: have something asked again that an earlier event has asked for."""
        self._step.asks.extend(asks)

    def next_id(self) -> int:
        """For stages: the id for what is made next; the event that carries it makes it taken."""
        return self.state.last_id + 1

    def next_deadline_ns(self) -> int:
        """When a Tick has something to do; NEVER_NS when nothing is due ever."""
        rings_ns = self.lines.queue.next_deadline_ns()
        timers_ns = self.lines.timers.next_deadline_ns()
        return rings_ns if rings_ns < timers_ns else timers_ns

    def open_asks(self) -> list[AnyAsk]:
        """What must be asked again after a recovery."""
        return open_asks(self.state, self.now_ns)

    def open_reports(self, *, now_ns: int) -> list[ReportDelivery]:
        """What must be decided first after a recovery, at the last record's time, `now_ns` being the present: what
        is asked again and may be lost once more is then known to be owed. Empty but after a long stop."""
        return open_reports(self.state, self.now_ns, now_ns)

    def snapshot(self) -> bytes:
        """The whole state, from which `restore` goes on; all at once."""
        return self._new_capture().finish()

    def state_hash(self) -> bytes:
        """The hash of the whole state, as a capture after the same record has it."""
        capture = self._new_capture()
        capture.finish()
        return capture.digest

    def begin_capture(self) -> Capture:
        """Begin to write down the state as it is now; `step` it between commands, then `end_capture`."""
        self._capture = self._new_capture()
        return self._capture

    def end_capture(self) -> None:
        """Let go of the capture, whole or not."""
        self._capture = None

    def _new_capture(self) -> Capture:
        self.lines.store_keys()
        return Capture(self.state, seq=self.seq, now_ns=self.now_ns)

    @classmethod
    def restore(
        cls,
        snapshot: bytes | None,
        records: Iterable[Record],
        *,
        core: Core = "native",
        hashes: Mapping[int, bytes] = MappingProxyType({}),
    ) -> Self:
        """The engine as it was after the last of `records`, which follow the snapshot.

        `hashes` are those of the state that were taken while it lived, by the record after which, in
        this version's form. Raises JournalCorrupt when the snapshot can't be read or a record does not
        follow, StateDiffers when the state is not what a hash says it was.
        """
        engine = cls(core=core)
        if snapshot is not None:
            try:
                stored = _DECODER.decode(snapshot)
            except (msgspec.MsgspecError, UnicodeDecodeError) as error:
                raise JournalCorrupt(f"the snapshot can't be read: {error}") from error
            if not 1 <= stored.schema <= SNAPSHOT_SCHEMA:
                raise JournalCorrupt(
                    f"the snapshot's schema was {stored.schema}; this version reads 1 to {SNAPSHOT_SCHEMA}"
                )
            engine.state, engine.seq, engine.now_ns = stored.state, stored.seq, stored.now_ns
            try:
                if stored.schema > 1:
                    rebuild_indexes(engine.state)
                if stored.schema < 3:
                    infer_reached(engine.state)
                engine.lines = Lines(engine.state, core)
                engine.lines.rebuild()
            except (LookupError, TypeError, ValueError, OverflowError, AttributeError) as error:
                # Its checksum was right, so somebody wrote it so: what refers to what is not there.
                raise JournalCorrupt(
                    f"the snapshot's state does not hold together: {type(error).__name__}: {error}"
                ) from error
        engine.check_hash(hashes)
        for record in records:
            engine.reapply(record)
            if record.seq in hashes:
                engine.check_hash(hashes)
        for contact in engine.state.contacts.values():
            if contact.phase == "connected":
                engine.lines.time_silence(contact)  # a look that found somebody had spoken is no event
        engine.lines.changed = False  # what could be matched was, before the engine stopped
        return engine

    def check_hash(self, hashes: Mapping[int, bytes]) -> None:
        """Raise StateDiffers when a hash was taken after this record and the state has another."""
        taken = hashes.get(self.seq)
        if taken is not None and taken != self.state_hash():
            raise StateDiffers(
                f"the state recovered after record {self.seq} is not the one that lived: its hash differs"
            )

    def reapply(self, record: Record) -> None:
        """Apply one journalled record: its events become true, nothing is decided or asked."""
        if record.seq != self.seq + 1:
            raise JournalCorrupt(f"record {record.seq} does not follow record {self.seq}")
        self.seq = record.seq
        self.now_ns = now_ns = record.at_ns
        for event in record.events:
            if isinstance(event, RingPassed):
                self.lines.queue.advance(now_ns=now_ns)
            self.again(event)
            if isinstance(event, ContactOffered):
                self.lines.restore_offer(event, now_ns)


COMPILED: Final = frozenset({"native"})
"""The cores with which the usual way of a contact is decided in the compiled module (`routing_rs/src/engine`)."""

_EFFECTS: Final = {kind: (ASKS.get(kind), apply, FOLLOW.get(kind)) for kind, apply in APPLY.items()}
"""What an event does, by its type: the ask that follows, the state's change, the lines' move."""

_DECODER: Final = msgspec.msgpack.Decoder(Snapshot)
