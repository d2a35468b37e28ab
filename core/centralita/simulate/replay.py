"""Yesterday again: recorded contacts go through the real engine, and its figures stand beside theirs.

Taken from the recording as given: when each contact came, how long it was in self-service, when it
asked for an agent, how long it was ready to wait (known only of those who gave up), how long an agent
was busy with it, and which agents were there. The engine decides who serves whom and when; so it
may serve somebody who had given up, or lose nobody it should not. Somebody served here who was not then
is given the mean handling time of the kind.

Which agents were there is read off what they did: from the first service of a day to the last, less
every gap longer than `away_after_s`. An agent whose time is over stays while somebody waits whom they
could serve, so that nobody waits for the next morning; the recording knows no such rule, which is
one of the reasons why figures differ (docs/simulate.md).
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from functools import partial
from typing import Final

from centralita.config import Agent, ChannelRule, EngineConfig, Limits, Queue, ns
from centralita.lines import Core
from centralita.messages import (
    AbandonContact,
    AdmitContact,
    AnswerOffer,
    ApplyConfiguration,
    ConnectContact,
    ContactConnected,
    ContactEnded,
    EndContact,
    FinishSelfService,
    ReportConnection,
    SendOffer,
    SignIn,
    SignOut,
)
from centralita.simulate.drive import Drive
from centralita.simulate.recorded import Recorded, Recording
from centralita.structs import Frozen

SERVED_MIN: Final = 5
"""An agent is taken to be able to serve a kind of which the recording shows this many services."""
AWAY_AFTER_S: Final = 1800.0
STAY_STEP_S: Final = 10.0
"""How often an agent whose time is over looks whether anybody still waits."""
_CHANNEL: Final = "recorded"
_BOT: Final = "self_service"
_NS: Final = 1_000_000_000
_HOUR_NS: Final = 3600 * _NS


class Side(Frozen):
    """The figures of one side, recorded or the engine's, of one cell of the comparison.

    `waited_s_mean` is over those who were served; `in_target` is served within the target over all who
    asked for an agent (Asterisk calls it SL).
    """

    asked: int
    served: int
    abandoned: int
    waited_s_mean: float
    waited_s_max: float
    in_target: float


class Cell(Frozen):
    """One row: a kind of contact, an hour of the day, or all."""

    kind: str
    hour: int
    recorded: Side
    engine: Side


class Comparison(Frozen):
    """What a replay gives. The outcomes count every record of the file, on both sides."""

    source: str
    records: int
    target_s: float
    agents: int
    outcomes_recorded: dict[str, int]
    outcomes_engine: dict[str, int]
    total: Cell
    kinds: tuple[Cell, ...]
    hours: tuple[Cell, ...]
    kinds_hours: tuple[Cell, ...]
    commands: int


class _Fate:
    """What the engine made of one recorded contact."""

    __slots__ = ("outcome", "waited_ns")

    def __init__(self) -> None:
        self.outcome = ""
        self.waited_ns = 0


def replay(
    recording: Recording,
    *,
    core: Core = "native",
    away_after_s: float = AWAY_AFTER_S,
    watch: Callable[[Drive], None] | None = None,
) -> Comparison:
    """Put a recording through the engine. `watch(drive)` may add watchers before it starts.

    The same recording gives the same comparison, on either core.
    """
    world = _World(recording, core, away_after_s)
    if watch is not None:
        watch(world.drive)
    world.drive.run()
    return world.compare()


class _World:
    """The recorded customers and agents, played to the engine."""

    def __init__(self, recording: Recording, core: Core, away_after_s: float) -> None:
        self.recording = recording
        self.abilities = _abilities(recording.contacts)
        self.handling_ns = _mean_handling(recording.contacts)
        self.fates = {contact.id: _Fate() for contact in recording.contacts}
        self.recorded_of: dict[int, Recorded] = {}
        first_ns = min((contact.arrived_ns for contact in recording.contacts), default=0)
        self.drive = drive = Drive(core=core, start_ns=first_ns - _HOUR_NS)
        drive.plays(SendOffer, self._accept)
        drive.plays(ConnectContact, self._connect)
        drive.watches(ContactConnected, self._serve)
        drive.watches(ContactEnded, self._ended)
        drive.do(ApplyConfiguration(config=_config(recording, self.abilities)))
        for contact in recording.contacts:
            if contact.outcome != "ignored":
                drive.at(
                    min(contact.arrived_ns, contact.queued_ns or contact.arrived_ns),
                    partial(self._arrive, contact),
                )
        for agent, start_ns, end_ns in presences(recording.contacts, ns(away_after_s)):
            drive.at(start_ns, partial(self._come, agent))
            drive.at(end_ns, partial(self._go, agent))
        self.due_back: dict[str, int] = defaultdict(int)

    def _arrive(self, contact: Recorded) -> None:
        step = self.drive.do(
            AdmitContact(
                channel=_CHANNEL,
                provider_id=contact.id,
                handle=contact.customer,
                queue=contact.kind,
                credit_s=contact.credit_s,
            )
        )
        number = step.contact
        self.recorded_of[number] = contact
        if contact.queued_ns is None:
            self.drive.at(contact.arrived_ns + contact.waited_ns, partial(self._give_up, number))
        else:
            self.drive.at(contact.queued_ns, partial(self._ask, number, contact))

    def _ask(self, number: int, contact: Recorded) -> None:
        self.drive.do(FinishSelfService(contact=number, resolved=False))
        if contact.outcome == "abandoned":
            self.drive.at(self.drive.now_ns + contact.waited_ns, partial(self._give_up, number))

    def _give_up(self, number: int) -> None:
        live = self.drive.engine.state.contacts.get(number)
        if live is not None and not live.answered:
            self.drive.do(AbandonContact(contact=number))

    def _accept(self, ask: SendOffer) -> None:
        self.drive.do(AnswerOffer(contact=ask.contact, agent=ask.agent, offer=ask.offer, accept=True))

    def _connect(self, ask: ConnectContact) -> None:
        self.drive.do(ReportConnection(contact=ask.contact, agent=ask.agent, made=True))

    def _serve(self, event: ContactConnected) -> None:
        contact = self.recorded_of[event.contact]
        self.fates[contact.id].waited_ns = event.waited_ns
        handling_ns = contact.handling_ns if contact.outcome == "served" else self.handling_ns[contact.kind]
        end = EndContact(contact=event.contact, by=event.agent)
        self.drive.at(self.drive.now_ns + handling_ns, partial(self.drive.do, end))

    def _ended(self, event: ContactEnded) -> None:
        contact = self.recorded_of.pop(event.contact)
        in_self_service = event.outcome == "abandoned" and contact.queued_ns is None
        self.fates[contact.id].outcome = "left_in_self_service" if in_self_service else event.outcome
        if event.outcome == "abandoned":
            self.fates[contact.id].waited_ns = event.waited_ns

    def _come(self, agent: str) -> None:
        self.due_back[agent] += 1
        standing = self.drive.engine.state.agents[agent]
        if not standing.present:
            self.drive.do(SignIn(agent=agent, desk="replay"))
        elif standing.leaving:
            self.drive.do(SignOut(agent=agent))
            self.drive.do(SignIn(agent=agent, desk="replay"))

    def _go(self, agent: str) -> None:
        self.due_back[agent] -= 1
        self._leave(agent)

    def _leave(self, agent: str) -> None:
        state = self.drive.engine.state
        if self.due_back[agent] or not state.agents[agent].present:
            return
        if any(state.queues[kind].waiting for kind in self.abilities[agent]):
            self.drive.at(self.drive.now_ns + ns(STAY_STEP_S), partial(self._leave, agent))
        else:
            self.drive.do(SignOut(agent=agent, when_free=True))

    def compare(self) -> Comparison:
        """Lay the engine's figures beside the recorded ones."""
        cells: dict[tuple[str, int], list[Recorded]] = defaultdict(list)
        for contact in self.recording.contacts:
            if contact.outcome == "ignored" or contact.queued_ns is None:
                continue
            hour = contact.queued_ns // _HOUR_NS % 24
            for key in (("", -1), (contact.kind, -1), ("", hour), (contact.kind, hour)):
                cells[key].append(contact)
        made = {key: self._cell(*key, contacts) for key, contacts in sorted(cells.items())}
        return Comparison(
            source=self.recording.source,
            records=len(self.recording.contacts),
            target_s=self.recording.target_s,
            agents=len(self.abilities),
            outcomes_recorded=_count(contact.outcome for contact in self.recording.contacts),
            outcomes_engine=_count(
                "ignored" if contact.outcome == "ignored" else self.fates[contact.id].outcome
                for contact in self.recording.contacts
            ),
            total=made.get(("", -1)) or self._cell("", -1, []),
            kinds=tuple(cell for (kind, hour), cell in made.items() if kind and hour < 0),
            hours=tuple(cell for (kind, hour), cell in made.items() if not kind and hour >= 0),
            kinds_hours=tuple(cell for (kind, hour), cell in made.items() if kind and hour >= 0),
            commands=self.drive.commands_n,
        )

    def _cell(self, kind: str, hour: int, contacts: list[Recorded]) -> Cell:
        then = [(contact.outcome, contact.waited_ns) for contact in contacts]
        fates = [self.fates[contact.id] for contact in contacts]
        return Cell(
            kind=kind,
            hour=hour,
            recorded=self._side(then),
            engine=self._side([(fate.outcome, fate.waited_ns) for fate in fates]),
        )

    def _side(self, ends: Sequence[tuple[str, int]]) -> Side:
        waits_s = [waited_ns / _NS for outcome, waited_ns in ends if outcome == "served"]
        within = sum(waited_s <= self.recording.target_s for waited_s in waits_s)
        return Side(
            asked=len(ends),
            served=len(waits_s),
            abandoned=sum(outcome == "abandoned" for outcome, _ in ends),
            waited_s_mean=round(sum(waits_s) / len(waits_s), 3) if waits_s else 0.0,
            waited_s_max=max(waits_s, default=0.0),
            in_target=round(within / len(ends), 5) if ends else 0.0,
        )


def _count(outcomes: Iterable[str]) -> dict[str, int]:
    counted: dict[str, int] = defaultdict(int)
    for outcome in outcomes:
        counted[outcome or "live"] += 1
    return dict(sorted(counted.items()))


def _abilities(contacts: Sequence[Recorded]) -> dict[str, list[str]]:
    """The kinds that each agent is taken to be able to serve: those often served, or the commonest."""
    served: dict[str, dict[str, int]] = defaultdict(lambda: defaultdict(int))
    for contact in contacts:
        if contact.agent and contact.outcome == "served":
            served[contact.agent][contact.kind] += 1
    return {
        agent: sorted(kind for kind, n in kinds.items() if n >= SERVED_MIN)
        or [max(kinds, key=lambda k: kinds[k])]
        for agent, kinds in sorted(served.items())
    }


def _mean_handling(contacts: Sequence[Recorded]) -> dict[str, int]:
    total: dict[str, list[int]] = defaultdict(lambda: [0, 0])
    for contact in contacts:
        total[contact.kind][0] += contact.handling_ns if contact.outcome == "served" else 0
        total[contact.kind][1] += contact.outcome == "served"
    return {kind: spent_ns // max(1, n) for kind, (spent_ns, n) in total.items()}


def presences(contacts: Sequence[Recorded], away_after_ns: int) -> list[tuple[str, int, int]]:
    """(agent, from, until) for every stretch in which an agent was there, in order of time."""
    busy: dict[str, list[tuple[int, int]]] = defaultdict(list)
    for contact in contacts:
        if contact.agent and contact.outcome == "served" and contact.queued_ns is not None:
            start_ns = contact.queued_ns + contact.waited_ns
            busy[contact.agent].append((start_ns, start_ns + contact.handling_ns))
    stretches: list[tuple[str, int, int]] = []
    for agent, spans in busy.items():
        spans.sort()
        start_ns, end_ns = spans[0]
        for next_ns, until_ns in spans[1:]:
            if next_ns - end_ns > away_after_ns:
                stretches.append((agent, start_ns, end_ns))
                start_ns = next_ns
            end_ns = max(end_ns, until_ns)
        stretches.append((agent, start_ns, end_ns))
    return sorted(stretches, key=lambda stretch: (stretch[1], stretch[0]))


def _config(recording: Recording, abilities: dict[str, list[str]]) -> EngineConfig:
    """The centre as the recording shows it: a queue and a skill for each kind, first come first served
    but for the credit that a contact brings."""
    kinds = sorted({contact.kind for contact in recording.contacts})
    rules = {
        kind: Queue(
            skills={kind: 1}, wrap_up_s=0, offer_s=30, answer_target_s=recording.target_s, announce_every_s=0
        )
        for kind in kinds
    }
    return EngineConfig(
        skills=tuple(kinds),
        queues=rules,
        agents={agent: Agent(skills=dict.fromkeys(can, 1)) for agent, can in abilities.items()},
        channels={_CHANNEL: ChannelRule(medium="voice", queue=kinds[0], bot=_BOT)} if kinds else {},
        limits=Limits(bot_turn_s=86_400),
    )
