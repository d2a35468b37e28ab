"""One day of a tortured centre: engine, disk, edge and people under one seed, and every way to die between.

The parts of the real runner that matter to what is safe stand here without trio, taken apart so that the
process can die between any two of them: a command is decided (with a Tick before it when something is
due), records gather, are encoded and written, are synced, and only then are outcomes told and asks
carried out. Each of these is a step, as are an ask carried out by a plugin and a crash with its recovery.

At the end of a day the load stops and everything must come to its end (`close`): that is liveness.
"""

from __future__ import annotations

from collections import deque
from random import Random
from typing import Final

from centralita.capture import Capture, state_form
from centralita.engine import Engine
from centralita.journal.codec import Encoder, pack_state_hash
from centralita.journal.protocol import StateHash
from centralita.journal.recover import recover
from centralita.kpi import Figures
from centralita.matching import Core
from centralita.messages import (
    AdmitContact,
    AgentConnectionLost,
    AgentSignedIn,
    AgentSignedOut,
    AgentStatusChanged,
    AnyAsk,
    AnyCommand,
    AnyEvent,
    ApplyConfiguration,
    EraseContacts,
    LoseAgent,
    MarkComponentUp,
    PostMessage,
    Record,
    Tick,
)
from centralita.recovery import restore
from centralita.simulate.torture.books import Books
from centralita.simulate.torture.centre import centre, changed, reserving, usable
from centralita.simulate.torture.checks import after_step, recount
from centralita.simulate.torture.disk import Keys, ModelDisk
from centralita.simulate.torture.edge import Edge
from centralita.simulate.torture.people import NS, People
from centralita.simulate.torture.same import same_state
from centralita.simulate.torture.violation import Violation
from centralita.state import RECENT_NS

START_NS: Final = 1_700_000_000 * NS
RECOUNT_EVERY: Final = 400
"""Commands between two looks at everything."""
SNAPSHOT_EVERY: Final = 250
TWIN_AFTER_CRASH: Final = 60
"""Commands that an engine which decided everything again goes on beside the recovered one."""
LAST_COMMANDS: Final = 30
"""Commands that a failure shows."""
DISK_NS_MAX: Final = 5 * NS
"""So long, at most, is something decided and not told: a disk may be slow, but not for ever."""
LANES_FEW: Final = 8
"""More contacts with asks on their way are seen to first."""
PACES: Final = (0.01, 0.03, 0.1, 0.4, 2.0)
"""Seconds that pass at most between two steps: so little that most offers are answered, or so much that few are."""
PACE_CHANGES: Final = 0.551
"""Below this roll, of those by which time passes (0.55 and above), the pace is another from now on."""
SLEEPS: Final = 0.1
"""The part of what happens to a clock in which hours pass at once; after a crash too."""
HOURS_NS: Final = 30 * 3600 * NS
"""The most that passes at once: over midnight, and over whatever is remembered for a day."""
DIES_AGAIN: Final = 0.15
"""The part of starts in which the process dies before it has settled."""
OTHER_RULES: Final = 0.1
"""The part of starts under a configuration that was changed meanwhile."""
OUTAGE_PASSES: Final = 0.02
OUTAGE_TELLS: Final = 0.97
_RULE_RUNS: Final = frozenset({AgentConnectionLost, AgentSignedIn, AgentSignedOut, AgentStatusChanged})
"""After each of these the rule runs, whatever else there is."""
TICK: Final = Tick()

_Told = tuple[int, list[tuple[AnyCommand, int]], list[AnyAsk]]
"""Up to which record, what was handed in with the contact it made, and the asks that follow."""


class Day:
    """A centre from its first configuration to the last contact's end."""

    def __init__(self, seed: str, *, core: Core = "native", sealed: bool = False) -> None:
        self.chance = chance = Random(seed)
        self._random = chance.random
        self.core: Core = core
        self.engine = Engine(core=core)
        self.twin: Engine | None = None
        """After a crash, for a while: an engine that decided everything again, beside the recovered one."""
        self.keys = Keys() if sealed else None
        """Of a sealed journal: what is a customer's stands under keys that are deleted when they are erased."""
        self.disk = ModelDisk(self.keys)
        self.edge = Edge(chance)
        self.people = People(chance, self.edge, live_n=chance.choice((4, 12, 30)))
        self.books = Books()
        self.figures = Figures()
        """A sink's fold; it keeps its own position, and is fed again from there after a crash."""
        self.records: list[Record] = []
        """Every record of the day that is decided and not lost."""
        self.last: deque[tuple[int, AnyCommand]] = deque(maxlen=LAST_COMMANDS)
        self.now_ns = START_NS
        self.commands_n = self.steps_n = self.crashes_n = self.lost_n = 0
        self.kept_messages = 1000
        self._encoder = Encoder(self.keys)
        self._gathered: list[Record] = []
        self._unwritten: tuple[list[tuple[AnyCommand, int]], list[AnyAsk]] = ([], [])
        self._untold: deque[_Told] = deque()
        self._told_seq = 0
        self._untold_since_ns = START_NS
        self._sink = (0, self.figures.snapshot())
        self._books_at: deque[tuple[int, Books]] = deque(((0, Books()),), maxlen=4)
        self._state_hash = b""
        """Taken, and to be carried by the next batch."""
        self._captured: tuple[Capture, Books] | None = None
        self._twin_until = 0
        self._unmatched = False
        """Recovered, and nothing has changed yet that has the rule run: reservations come with its first run."""
        self._pace = chance.choice(PACES)
        self.decide(ApplyConfiguration(config=centre(chance)))

    # Steps ---------------------------------------------------------------------------------------

    def step(self) -> None:
        """One step, whatever the seed says. Raises Violation."""
        self.steps_n += 1
        roll = self._random()
        if (roll < 0.40 or (roll < 0.70 and self.edge.lanes_n > LANES_FEW)) and self.edge.perform(
            self.engine
        ) is not None:
            return
        if roll > 0.88:
            if roll < 0.92:
                self.write()
            elif roll < 0.96:
                self.disk.sync()
            elif roll < 0.9994 and not self._outage_tells(roll):
                self.tell()
            else:
                self.crash()
            return
        self._pass_time(roll)
        command: AnyCommand | None
        if self.edge.down and self.now_ns > self.edge.down_until_ns:
            self.edge.down = False
            command = MarkComponentUp(component="channels.web")
        elif self.edge.reports and self._random() < 0.6:
            command = self.edge.reported()
        elif self.edge.transit and self._random() < 0.6:
            command = self._arriving()
        else:
            command = self.people.draw(self.engine, self.books.live)
        if command is not None:
            self.decide(command)
        elif self.engine.next_deadline_ns() <= self.now_ns:
            self.decide(TICK)

    def _sit_out_an_outage(self) -> None:
        """Now and then a long outage goes on until nothing of it is recent, once what it owes is reported."""
        edge = self.edge
        over_ns = edge.down_since_ns + RECENT_NS
        if over_ns < edge.down_until_ns and not edge.reports and self._random() < OUTAGE_PASSES:
            self.settle()
            if not edge.reports:
                self.now_ns = max(self.now_ns, over_ns)

    def _outage_tells(self, roll: float) -> bool:
        """Whether to die now because a channel has been down for so long that only what the journal says of it
        can have its customers told: that is too rare to be left to chance."""
        edge = self.edge
        return roll > OUTAGE_TELLS and edge.down and self.now_ns > edge.down_since_ns + RECENT_NS

    def _arriving(self) -> AnyCommand | None:
        """Something on its way arrives; nothing of the customers' does while their channel is down."""
        edge = self.edge
        transit = edge.transit
        place = int(self._random() * len(transit))
        command = transit[place]
        if edge.down and (type(command) is AdmitContact or getattr(command, "author", "") == "customer"):
            return None
        transit[place] = transit[-1]
        transit.pop()
        return command

    def _pass_time(self, roll: float) -> None:
        if roll < 0.55:
            return
        if self.now_ns > self._untold_since_ns + DISK_NS_MAX:
            self.settle()
        if roll < 0.87:
            if self.edge.down:
                self._sit_out_an_outage()
            self.now_ns += int(self._random() * self._pace * NS)
            if roll < PACE_CHANGES:
                self._pace = self.chance.choice(PACES)
        elif roll < 0.8705:
            self._set_the_clock()
        else:
            due_ns = self.engine.next_deadline_ns()
            # While asks are on their way, which takes no time to speak of, no hour passes.
            if due_ns < self.now_ns + (2 if self.edge.busy else 3600) * NS:
                self.now_ns = max(self.now_ns, due_ns)

    def _set_the_clock(self) -> None:
        """Somebody sets the clock; within a process time does not go back, whatever is handed in. Or the machine
        slept for hours, when nothing was on its way: what is then is not recent any more when it wakes."""
        if self._random() < SLEEPS:
            self.settle()
            if not self.edge.busy and not self.edge.reports:
                self.now_ns += int(self._random() * HOURS_NS)
        else:
            self.now_ns = max(START_NS, self.now_ns + int((self._random() - 0.7) * 40 * NS))

    def decide(self, command: AnyCommand) -> None:
        """Hand a command to the engine, after a Tick when something is due, and look at what became of it."""
        engine = self.engine
        if type(command) is not Tick and engine.next_deadline_ns() <= self.now_ns:
            self._decide(TICK)
        self._decide(command)

    def _decide(self, command: AnyCommand) -> None:
        engine = self.engine
        self.commands_n += 1
        self.last.append((self.now_ns, command))
        seq = engine.seq
        done = engine.handle(command, now_ns=self.now_ns)
        events = done.events
        if self.twin is not None:
            self._beside(command, events)
        if events:
            if done.refusal is not None or done.seq != seq + 1 or engine.seq != done.seq:
                raise Violation("refusals", f"{command} was refused and has changed something: {events}")
            record = Record(seq=done.seq, at_ns=engine.now_ns, command=command, events=events)
            self.records.append(record)
            self._gathered.append(record)
            if type(command) is ApplyConfiguration:
                self._configured(command)
            self.books.fold(events, engine.now_ns, self.kept_messages)
            after_step(engine, events, self.books)
            self._unmatched = self._unmatched and not any(type(event) in _RULE_RUNS for event in events)
        if done.asks:
            self._unwritten[1].extend(done.asks)
        kind = type(command)
        if kind is AdmitContact or kind is PostMessage:
            self._unwritten[0].append((command, done.contact))
        if self._captured is not None:
            self._go_on_capturing()
        if not self.commands_n % RECOUNT_EVERY:
            recount(engine, self.books, matched=not self._unmatched)
            if self.core == "both":
                engine.lines.queue.state_hash()  # what no answer has shown yet is compared by this one
        if not self.commands_n % SNAPSHOT_EVERY and self._captured is None:
            self._captured = (engine.begin_capture(), self.books.copy())

    def _configured(self, command: ApplyConfiguration) -> None:
        if self.engine.state.config != command.config:
            raise Violation("configuration", "what was applied is not what is there")
        if not usable(command.config):
            raise Violation("configuration", "what was applied can't be used")
        self.kept_messages = min(self.kept_messages, command.config.limits.messages_kept)

    def _beside(self, command: AnyCommand, events: list[AnyEvent]) -> None:
        assert self.twin is not None
        told = self.twin.handle(command, now_ns=self.now_ns).events
        if told != events:
            raise Violation("same decisions", f"{command}\ndecided {events}\nbeside it {told}")
        if self.commands_n > self._twin_until:
            self.twin = None

    # The journal ---------------------------------------------------------------------------------

    def write(self) -> None:
        """Encode what has gathered and write it; it is not safe yet."""
        handed, asks = self._unwritten
        if self._gathered:
            records, self._gathered = self._gathered, []
            after_seq = self.disk.written_seq
            after_ns = self.records[after_seq - 1].at_ns if after_seq else 0
            batch = self._encoder.encode(
                records, after_seq=after_seq, after_ns=after_ns, state_hash=self._state_hash
            )
            self._state_hash = b""
            self.disk.write(batch, expected_seq=after_seq)
        if handed or asks:
            self._untold.append((self.disk.written_seq, handed, asks))
            self._unwritten = ([], [])

    def tell(self) -> None:
        """Tell the outcomes and send out the asks of whatever is safe."""
        safe_seq = self.disk.last_seq
        self._untold_since_ns = self.now_ns
        while self._untold and self._untold[0][0] <= safe_seq:
            seq, handed, asks = self._untold.popleft()
            if asks:
                self.edge.dispatch(asks)
            for command, contact in handed:
                self.people.acked(command, contact)  # type: ignore[arg-type]
            self._told_seq = seq
        figures, records = self.figures, self.records
        for place in range(figures.seq, safe_seq):
            figures.fold(records[place])
            if self.keys is not None and type(command := records[place].command) is EraseContacts:
                self.keys.erased.update(command.contacts)
        if self._random() < 0.02:
            self._sink = (figures.seq, figures.snapshot())

    def _go_on_capturing(self) -> None:
        """A piece of the snapshot between two commands; once whole, and its record safe, it is kept."""
        assert self._captured is not None
        capture, books = self._captured
        if not capture.step(1 + int(self._random() * 4)):
            return
        self.engine.end_capture()
        self._captured = None
        self.write()
        self.disk.sync()
        self.disk.save_snapshot(capture.seq, capture.finish())
        self._state_hash = pack_state_hash(
            StateHash(seq=capture.seq, form=state_form(), digest=capture.digest)
        )
        self._books_at.append((capture.seq, books))

    # Death and recovery --------------------------------------------------------------------------

    def crash(self) -> None:
        """The process dies here and comes back: what was told is there, and is as it was."""
        self.crashes_n += 1
        before, before_seq = self.engine, self.engine.seq
        self.disk.crash(self.chance)
        last_seq = self.disk.last_seq
        if last_seq < self._told_seq:
            raise Violation(
                "durability", f"record {self._told_seq} was told; after a crash {last_seq} is the last"
            )
        snapshot, recovered = recover(self.disk)
        found = list(recovered)
        start = snapshot.seq if snapshot is not None else 0
        decided = self.records[start:last_seq]
        if found != (decided if self.keys is None else list(map(self.keys.seen_through, decided))):
            raise Violation("durability", f"records {start + 1} to {last_seq} came back changed")
        state = snapshot.state if snapshot is not None else None
        engine = restore(self.disk, kind=Engine, core=self.core)
        self.twin = None
        if not reserving(engine.state.config):
            self._hold_against_decisions(engine, state, decided)
        if last_seq == before_seq:
            same_state(before, engine, "recovery")
        self.lost_n += before_seq - last_seq
        self._forget_after(last_seq)
        self.engine = engine
        self._restart()

    def _hold_against_decisions(self, engine: Engine, state: bytes | None, records: list[Record]) -> None:
        """Decide the same commands again: the same events, the same state, and the same from then on."""
        # A day on both queues has been asking both all along.
        core: Core = "naive" if self._random() < 0.3 and self.core != "both" else "native"
        again = Engine.restore(state, (), core=core)
        for record in records:
            events = again.handle(record.command, now_ns=record.at_ns).events
            if events != record.events:
                raise Violation(
                    "same decisions",
                    f"{record.command}\nis journalled with {record.events}\nnow has {events}",
                )
        same_state(again, engine, "recovery")
        self.twin = again
        self._twin_until = self.commands_n + TWIN_AFTER_CRASH

    def _forget_after(self, last_seq: int) -> None:
        """What was decided and not safe has not happened; the books are written anew from a copy."""
        if last_seq < len(self.records):
            del self.records[last_seq:]
            while self._books_at[-1][0] > last_seq:
                self._books_at.pop()
            start, books = self._books_at[-1]
            self.books = books.copy()
            for record in self.records[start:]:
                self.books.fold(record.events, record.at_ns, self.kept_messages)
        self._gathered.clear()
        self._captured, self._state_hash = None, b""
        self._unwritten = ([], [])
        self._untold.clear()
        self.figures = Figures.restore(self._sink[1])
        if self.keys is not None:
            # The crash may have come between what was decided and the keys' deletion.
            self.keys.erased |= self.books.erased

    def _restart(self) -> None:
        """What a start does: the clock goes on, new rules come first, agents have lost their desks, asks are asked
        again, channels reconcile, and whoever got no answer asks once more. It may die in the midst of that."""
        engine, edge = self.engine, self.edge
        self.books.lose_what_is_not_kept(self.kept_messages)
        recount(engine, self.books, matched=False)
        edge.new_life()
        # Time has passed meanwhile; or the wall clock was set back, and time goes on from the last record.
        down_ns = int((self._random() - 0.3) * 30 * NS)
        if self._random() < SLEEPS:
            down_ns = int(self._random() * HOURS_NS)
        now_ns = max(engine.now_ns, self.now_ns + down_ns)
        self.now_ns = engine.now_ns
        edge.dispatch(engine.open_asks())
        self._unmatched = True
        for report in engine.open_reports(now_ns=now_ns):
            self._decide(report)
        self.now_ns = now_ns
        first = self._first_commands()
        dies_at = int(self._random() * (len(first) + 1)) if self._random() < DIES_AGAIN else -1
        for place, command in enumerate(first):
            if place == dies_at:
                break
            self.decide(command)
            if dies_at > place and self._random() < 0.3:
                self.write()
        if dies_at >= 0:
            self.crash()
            return
        edge.transit += self.people.unacked.values()

    def _first_commands(self) -> list[AnyCommand]:
        """What the process itself says when it starts (runner/service.py)."""
        state = self.engine.state
        first: list[AnyCommand] = []
        channels = state.config.channels
        if self._random() < OTHER_RULES and usable(config := changed(state.config, self.chance)):
            first.append(ApplyConfiguration(config=config))
            channels = config.channels
        first += [LoseAgent(agent=one.name, desk=one.desk) for one in state.agents.values() if one.present]
        first += [MarkComponentUp(component=component) for component in state.components_down]
        first += [self.people.reconcile(self.engine, channel) for channel in channels]
        return first

    def settle(self) -> None:
        """Everything decided is safe and told, and the figures have counted it."""
        self.write()
        self.disk.sync()
        self.tell()
