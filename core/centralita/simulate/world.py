"""The people of a scenario, played to the engine: customers who come, wait, give up and are served; agents
who sign in, answer, take breaks and go home.

`run` drives the daemon's engine through a scenario in virtual time. Whatever is decided is decided by the
engine; in here nobody knows a rule of routing. What a customer brings (patience, handling, after-work) is
drawn at arrival, each from a stream of its own, so that runs which differ only in configuration or
staff meet the same customers.

With the native core, what most customers and agents do is done by `routing_rs/src/engine/people.rs`, compiled, which comes
back here for the rest. With the other core it is all done here: the tests hold the two together.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from typing import Final

import msgspec
from msgspec.structs import replace

from centralita._routing import PeopleHeld
from centralita.matching import Core
from centralita.messages import (
    AbandonContact,
    AdmitContact,
    AgentSignedIn,
    AgentSignedOut,
    AgentStatusChanged,
    AnswerOffer,
    ApplyConfiguration,
    CallbackPostponed,
    CallbackRequested,
    CloseQueue,
    ConnectContact,
    ConnectionFailed,
    ContactEnded,
    EndContact,
    FinishWrapUp,
    OfferDeclined,
    OfferExpired,
    OfferWithdrawn,
    OpenQueue,
    ReportConnection,
    RequestCallback,
    SendOffer,
    SetStatus,
    SignIn,
    SignOut,
)
from centralita.simulate.distributions import Distribution, Sampler, stream
from centralita.simulate.drive import Drive
from centralita.simulate.outcome import NOBODY, OUTCOMES, Run, Unfinished, packed
from centralita.simulate.people import Group, Visitor
from centralita.simulate.scenario import LINE, Crew, Customers, Scenario, agents_of
from centralita.simulate.shifts import openings, presences

LATE_MAX_NS: Final = 30 * 86_400 * 1_000_000_000
"""How long after the end the last contacts may take; what is left then is unfinished."""
HANDLE: Final = "customer"
"""Where everybody can be called back."""
_FREES: Final = (
    CallbackPostponed,
    ConnectionFailed,
    ContactEnded,
    OfferDeclined,
    OfferExpired,
    OfferWithdrawn,
)
"""After which an agent may have nothing in hand any more."""
_NS: Final = 1_000_000_000


def run(
    scenario: Scenario,
    seed: int | None = None,
    *,
    replication: int = 0,
    core: Core = "native",
    watch: Callable[[Drive], None] | None = None,
) -> Run:
    """Run a scenario once. The same scenario, seed and replication give the same run, on either core.

    `seed` None is the scenario's own. `watch(drive)` may add watchers before anything happens.
    """
    world = _World(scenario, scenario.world.seed if seed is None else seed, replication, core)
    if watch is not None:
        watch(world.drive)
    return world.run()


class _Behaviour(msgspec.Struct):
    """How the agents of a crew answer."""

    crew: Crew
    chance: Callable[[], float]
    answer: Sampler | None

    @property
    def plain(self) -> bool:
        """Whether they accept everything at once."""
        return self.answer is None and not self.crew.no_answer and not self.crew.decline


class _World(PeopleHeld):
    def __init__(self, scenario: Scenario, seed: int, replication: int, core: Core) -> None:
        self.scenario = scenario
        config, world = scenario.config, scenario.world
        self.start_ns = scenario.start_ns
        self.end_ns = self.start_ns + round(world.duration_s * _NS)
        self.from_ns = self.start_ns + round(world.warm_up_s * _NS)
        self.closes = world.after == "close"
        self.found = Run(
            customers=tuple(world.customers),
            queues=tuple(config.queues),
            agents=tuple(config.agents),
            start_ns=self.start_ns,
            from_ns=self.from_ns,
            until_ns=self.end_ns,
        )
        self.keep = self.found.numbers.frombytes
        self.core = core
        self.drive = Drive(core=core, start_ns=self.start_ns)
        self.engine = self.drive.engine
        self.queue_index = {name: index for index, name in enumerate(config.queues)} | {"": NOBODY}
        self.agent_index = {name: index for index, name in enumerate(config.agents)} | {"": NOBODY}
        self.outcome_index = {name: index for index, name in enumerate(OUTCOMES)}
        self.staffed_since: dict[str, int] = {}
        self.finishing: set[str] = set()
        self.resting: Counter[str] = Counter()
        for name, crew in world.crews.items():
            behaviour = _Behaviour(
                crew,
                stream(seed, replication, "answers", name).random,
                None
                if crew.answer is None
                else crew.answer.sampler(stream(seed, replication, "answer", name)),
            )
            if not behaviour.plain:
                self.behaviours.update(dict.fromkeys(agents_of(name, crew), behaviour))
        self.groups = [
            self._group(index, name, customers, seed, replication)
            for index, (name, customers) in enumerate(world.customers.items())
        ]

    def _group(self, index: int, name: str, rules: Customers, seed: int, replication: int) -> Group:
        def sampler(purpose: str, drawn: Distribution | None) -> Sampler | None:
            return None if drawn is None else drawn.sampler(stream(seed, replication, purpose, name))

        config = self.scenario.config
        return Group(
            index=index,
            rules=rules,
            admission=AdmitContact(
                channel=rules.channel or (LINE if LINE in config.channels else next(iter(config.channels))),
                provider_id="",
                handle=HANDLE,
                queue=rules.queue,
                skills=rules.skills or None,
                priority=rules.priority,
                credit_s=rules.credit_s,
            ),
            moments=rules.arrivals.moments(
                stream(seed, replication, "arrivals", name),
                stream(seed, replication, "days", name),
                start_ns=self.start_ns,
            ),
            handling=rules.handling.sampler(stream(seed, replication, "handling", name)),
            patience=sampler("patience", rules.patience),
            wrap_up=sampler("wrap-up", rules.wrap_up),
            callback=None if rules.callback is None else stream(seed, replication, "callback", name).random,
            redial=stream(seed, replication, "redial", name).random,
            redial_after=sampler("redial after", None if rules.redial is None else rules.redial.after),
        )

    def run(self) -> Run:
        drive = self.drive
        if self.core == "native":
            self.play()
        else:
            drive.plays(SendOffer, self._ring)
            drive.plays(ConnectContact, self._connect)
            drive.watches(ContactEnded, self._ended)
        drive.watches(CallbackRequested, self._called_back)
        drive.watches(AgentSignedIn, self._staffed)
        drive.watches(AgentStatusChanged, self._staffed)
        drive.watches(AgentSignedOut, self._staffed)
        if self._some_pause():
            for kind in _FREES:
                drive.watches(kind, self._freed)
        refusal = drive.do(ApplyConfiguration(config=self.scenario.config)).refusal
        assert refusal is None, refusal
        self._open_and_staff()
        expect = self.expect if self.core == "native" else self._expect
        for group in self.groups:
            expect(group)
        drive.run(until_ns=self.end_ns)
        latest_ns = self.end_ns + LATE_MAX_NS
        while self.counted_inside and (next_ns := drive.next_ns()) <= latest_ns:
            drive.run(until_ns=next_ns)
        return self._close()

    # Customers.

    def _expect(self, group: Group) -> None:
        """Enter the next customer of a class."""
        at_ns = next(group.moments, None)
        if at_ns is not None and (at_ns < self.end_ns or not self.closes):
            self.drive.at(at_ns, self._arrive, group)

    def _arrive(self, group: Group) -> None:
        self._expect(group)
        wrap_up_ns = -1 if group.wrap_up is None else group.wrap_up()
        visitor = Visitor(group, group.handling(), wrap_up_ns, 1)
        self._come_in(visitor, None if group.patience is None else group.patience())

    def _come_in(self, visitor: Visitor, patience_ns: int | None) -> None:
        drive = self.drive
        visitor.contact = number = self.engine.next_id()
        self.admitted += 1
        now_ns = drive.now_ns
        if self.from_ns <= now_ns < self.end_ns:
            self.counted_inside += 1
        self.inside[number] = visitor
        step = drive.do(replace(visitor.group.admission, provider_id=str(self.admitted)))
        assert step.refusal is None, step.refusal
        if visitor.impatient:
            if patience_ns is not None:
                drive.at(now_ns + patience_ns, self._give_up, visitor)
            if visitor.group.callback is not None:
                self._consider_callback(visitor)

    def _give_up(self, visitor: Visitor) -> None:
        if visitor.impatient:
            self.drive.do(AbandonContact(contact=visitor.contact))

    def _consider_callback(self, visitor: Visitor) -> None:
        callback, drawn = visitor.group.rules.callback, visitor.group.callback
        assert callback is not None
        assert drawn is not None
        if drawn() < callback.share:
            self.drive.at(self.drive.now_ns + round(callback.after_s * _NS), self._ask, visitor)

    def _ask(self, visitor: Visitor) -> None:
        """Ask to be called back, unless an agent's telephone is ringing already."""
        number = visitor.contact
        if visitor.impatient and self.engine.state.contacts[number].phase == "waiting":
            self.drive.do(RequestCallback(contact=number))

    def _called_back(self, event: CallbackRequested) -> None:
        """Whoever is called back, asked for or by the queue's rules, waits on no line."""
        visitor = self.inside[event.contact]
        visitor.impatient = False
        visitor.callback_ns = self.drive.now_ns - self.engine.state.contacts[event.contact].wait_from_ns

    def _connect(self, ask: ConnectContact) -> None:
        number, agent = ask.contact, ask.agent
        drive, visitor = self.drive, self.inside[number]
        callback, drawn = visitor.group.rules.callback, visitor.group.callback
        if ask.callback_handle and callback is not None and drawn is not None and drawn() >= callback.reached:
            drive.do(ReportConnection(contact=number, agent=agent, made=False, customer_gone=True))
            return
        visitor.impatient = False
        drive.do(ReportConnection(contact=number, agent=agent, made=True))
        end = EndContact(contact=number, by=agent)
        if visitor.wrap_up_ns < 0:
            drive.do_at(drive.now_ns + visitor.handling_ns, end)
        else:
            drive.at(drive.now_ns + visitor.handling_ns, self._end, end, visitor)

    def _end(self, end: EndContact, visitor: Visitor) -> None:
        self.drive.do(end)
        if end.contact in self.inside:
            finish = FinishWrapUp(contact=end.contact, agent=end.by)
            self.drive.do_at(self.drive.now_ns + visitor.wrap_up_ns, finish)

    def _ended(self, event: ContactEnded) -> None:
        visitor = self.inside.pop(event.contact)
        visitor.impatient = False
        arrived_ns = event.arrived_ns
        if self.from_ns <= arrived_ns < self.end_ns:
            self.counted_inside -= 1
        self.keep(
            packed(
                visitor.group.index,
                self.queue_index[event.queue],
                self.agent_index[event.agent],
                self.outcome_index[event.outcome],
                arrived_ns,
                event.waited_ns,
                event.talk_ns + event.hold_ns + event.wrap_up_ns,
                self.drive.now_ns,
                visitor.callback_ns,
            )
        )
        if visitor.group.redial_after is not None and event.outcome in ("abandoned", "refused"):
            self._redial(visitor)

    def _redial(self, visitor: Visitor) -> None:
        group, redial = visitor.group, visitor.group.rules.redial
        assert redial is not None
        assert group.redial_after is not None
        if visitor.attempt >= redial.attempts_max or group.redial() >= redial.share:
            return
        again = Visitor(group, visitor.handling_ns, visitor.wrap_up_ns, visitor.attempt + 1)
        at_ns = self.drive.now_ns + group.redial_after()
        if at_ns < self.end_ns or not self.closes:
            patience_ns = None if group.patience is None else group.patience()
            self.drive.at(at_ns, self._come_in, again, patience_ns)

    # Agents.

    def _ring(self, ask: SendOffer) -> None:
        behaviour = self.behaviours.get(ask.agent)
        if behaviour is None:
            self.drive.do(AnswerOffer(contact=ask.contact, agent=ask.agent, offer=ask.offer, accept=True))
            return
        crew, drawn = behaviour.crew, behaviour.chance()
        if drawn < crew.no_answer:
            return
        accept = drawn >= crew.no_answer + crew.decline
        after_ns = 0 if behaviour.answer is None else behaviour.answer()
        answer = AnswerOffer(contact=ask.contact, agent=ask.agent, offer=ask.offer, accept=accept)
        self.drive.do_at(self.drive.now_ns + after_ns, answer)

    def _some_pause(self) -> bool:
        """Whether anybody ever has a break, or is taken out of the line."""
        shifts = (shift for crew in self.scenario.world.crews.values() for shift in crew.shifts)
        return bool(self.behaviours) or any(shift.breaks for shift in shifts)

    def _staffed(self, event: AgentSignedIn | AgentStatusChanged | AgentSignedOut) -> None:
        """Keep the agents' time, and bring back whom the rules took out of the line."""
        name, now_ns = event.agent, self.drive.now_ns
        if not isinstance(event, AgentSignedOut) and event.status == "available":
            self.finishing.discard(name)
            self.staffed_since.setdefault(name, now_ns)
        elif self.engine.state.agents[name].contacts:
            self.finishing.add(name)  # they are there until it is over: nobody is busier than there
        else:
            self._count_staffed(name)
        if isinstance(event, AgentStatusChanged) and event.by == "rules":
            behaviour = self.behaviours.get(name)
            if behaviour is not None:
                back_ns = now_ns + round(behaviour.crew.back_after_s * _NS)
                self.drive.at(back_ns, self._return, name)

    def _freed(self, _event: object) -> None:
        """A break begins once what was in hand is over."""
        for name in [name for name in self.finishing if not self.engine.state.agents[name].contacts]:
            self.finishing.discard(name)
            self._count_staffed(name)

    def _count_staffed(self, name: str) -> None:
        """Count the time since an agent came, if one is there."""
        until_ns = self.drive.now_ns
        since_ns = self.staffed_since.pop(name, until_ns)
        counted_ns = min(until_ns, self.end_ns) - max(since_ns, self.from_ns)
        self.found.staffed_ns[name] += max(0, counted_ns)

    def _open_and_staff(self) -> None:
        """Enter the hours, the shifts and the breaks; who has no shift is there from the start."""
        drive, scenario = self.drive, self.scenario
        for queue, hours in scenario.hours.items():
            for at_ns, is_open in openings(hours, self.start_ns, self.end_ns):
                command = OpenQueue(queue=queue) if is_open else CloseQueue(queue=queue)
                drive.do_at(at_ns, command)
        shifted: set[str] = set()
        for name, crew in scenario.world.crews.items():
            if not crew.shifts:
                continue
            shifted.update(agents_of(name, crew))
            for presence in presences(crew.shifts, self.start_ns, self.end_ns):
                for agent in agents_of(name, crew):
                    drive.at(presence.start_ns, self._come, agent)
                    drive.at(presence.end_ns, self._go, agent)
                    for away in presence.breaks:
                        drive.at(away.start_ns, self._pause, agent, away.reason)
                        drive.at(away.end_ns, self._back, agent)
        for agent in scenario.config.agents:
            if agent not in shifted:
                drive.do(SignIn(agent=agent, desk=LINE))

    def _come(self, agent: str) -> None:
        standing = self.engine.state.agents[agent]
        if not standing.present:
            self.drive.do(SignIn(agent=agent, desk=LINE))
        elif standing.leaving:
            self.drive.do(SetStatus(agent=agent, status="available"))

    def _go(self, agent: str) -> None:
        if self.engine.state.agents[agent].present:
            self.drive.do(SignOut(agent=agent, when_free=True))

    def _pause(self, agent: str, reason: str) -> None:
        self.resting[agent] += 1
        standing = self.engine.state.agents[agent]
        if standing.status == "available" and not standing.leaving:
            self.drive.do(SetStatus(agent=agent, status="break", reason=reason))

    def _back(self, agent: str) -> None:
        """The end of a break that the shift has; of shifts that overlap each may have one."""
        self.resting[agent] -= 1
        self._return(agent)

    def _return(self, agent: str) -> None:
        """Back in the line, whether from a break or after the rules had taken them out; but a break is a break."""
        if self.resting[agent]:
            return
        standing = self.engine.state.agents[agent]
        if standing.status == "break" and not standing.leaving:
            self.drive.do(SetStatus(agent=agent, status="available"))

    # The end.

    def _close(self) -> Run:
        found, now_ns = self.found, self.drive.now_ns
        found.commands_n = self.drive.commands_n
        for name in list(self.staffed_since):
            self._count_staffed(name)
        in_hand: Counter[str] = Counter()
        for number, contact in self.engine.state.contacts.items():
            if self.from_ns <= contact.arrived_ns < self.end_ns:
                index = self.inside[number].group.index
                found.unfinished.append(Unfinished(found.customers[index], contact.queue, contact.arrived_ns))
            for name, work in contact.works.items():
                if work.state in ("connected", "wrapping"):
                    in_hand[name] += max(0, min(now_ns, self.end_ns) - max(work.since_ns, self.from_ns))
        found.in_hand_ns = in_hand
        return found
