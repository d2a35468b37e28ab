"""Which event moves which count: the fold that the figures are made of.

It decides nothing and refuses nothing: what it reads has happened. What the counts mean stands in
`tallies.py`, how they are read in `kpi.py`, what is kept between records in `memory.py`. A handler for each
event that counts, found by its type; all other events cost one look-up. What every contact goes through is counted by
the compiled module as well, over the same objects and for speed alone; this is the specification it is held to.

A fold that begins in the middle of a history (an old journal was cut) leaves out what it can't know:
events of contacts whose admission it has not seen.
"""

from __future__ import annotations

from collections import defaultdict
from typing import Final, Literal

from centralita._routing import Folding
from centralita.config import ns
from centralita.memory import NO_QUEUE, Live, Memory, Work
from centralita.messages import (
    AbandonContact,
    AgentConnectionLost,
    AgentJoined,
    AgentLeft,
    AgentReturned,
    AgentSignedIn,
    AgentSignedOut,
    AgentStatusChanged,
    CallbackPostponed,
    CallbackRequested,
    ComponentDown,
    ComponentUp,
    ConfigurationApplied,
    ConnectionFailed,
    ConsultationStarted,
    ContactAdmitted,
    ContactConnected,
    ContactEnded,
    ContactHeld,
    ContactOffered,
    ContactPlaced,
    ContactQueued,
    ContactRated,
    ContactResumed,
    ContactReturned,
    ContactTransferred,
    MessagePosted,
    OfferAccepted,
    OfferDeclined,
    OfferExpired,
    OfferWithdrawn,
    Record,
    ServiceEnded,
    TransferStarted,
    WrapUpEnded,
    WrapUpStarted,
)
from centralita.tallies import BREAK, IDLE, OFFLINE, AgentTally, QueueTally

Core = Literal["native", "naive"]
"""Who counts what is usual: the compiled module, or the handlers here as all the rest."""

_STATUS: Final = {"available": IDLE, "break": BREAK, "offline": OFFLINE}


class Fold(Folding):
    """The counting of one domain's records.

    `fold(record)` takes in the next record. Records come in order of seq, each once.
    """

    def __init__(self, memory: Memory | None = None, *, core: Core = "naive") -> None:
        """`core`: "native" has the compiled module count what is usual, over the same memory. It does not call
        the handlers below for that, so who overrides one takes "naive"."""
        self._usual_here = core == "native"
        self._memory = memory = memory or Memory()
        # Aliases: the counting below happens for every event of every contact.
        self._live = memory.live
        self._queues = memory.queues = defaultdict(QueueTally, memory.queues)
        self._agents = memory.agents = defaultdict(AgentTally, memory.agents)
        self._rolls_ns = min(memory.minutes.ends_ns, memory.quarters.ends_ns)
        self._handlers = {
            ContactAdmitted: self._admitted,
            ContactQueued: self._queued,
            ContactReturned: self._returned,
            ContactPlaced: self._placed,
            ContactOffered: self._offered,
            OfferAccepted: self._accepted,
            OfferDeclined: self._declined,
            OfferExpired: self._expired,
            OfferWithdrawn: self._withdrawn,
            ContactConnected: self._connected,
            ConnectionFailed: self._connection_failed,
            ContactHeld: self._held,
            ContactResumed: self._resumed,
            TransferStarted: self._transfer_started,
            ConsultationStarted: self._consultation_started,
            ContactTransferred: self._transferred,
            AgentJoined: self._joined,
            AgentLeft: self._left,
            ServiceEnded: self._service_ended,
            WrapUpStarted: self._wrap_up_started,
            WrapUpEnded: self._wrap_up_ended,
            ContactEnded: self._ended,
            MessagePosted: self._message_posted,
            CallbackRequested: self._callback_requested,
            CallbackPostponed: self._callback_postponed,
            ContactRated: self._rated,
            AgentSignedIn: self._status_chosen,
            AgentStatusChanged: self._status_chosen,
            AgentSignedOut: self._signed_out,
            AgentConnectionLost: self._connection_lost,
            AgentReturned: self._agent_returned,
            ConfigurationApplied: self._configuration_applied,
            ComponentDown: self._component_down,
            ComponentUp: self._component_up,
        }

    def _fold(self, record: Record) -> None:
        memory = self._memory
        at_ns = record.at_ns
        if at_ns >= self._rolls_ns:
            self._roll(at_ns)
        memory.seq = record.seq
        memory.at_ns = at_ns
        self._command = type(record.command)
        handlers = self._handlers
        for event in record.events:
            handler = handlers.get(type(event))
            if handler is not None:
                handler(event, at_ns)

    def _roll(self, at_ns: int) -> None:
        memory = self._memory
        if not memory.since_ns:
            memory.since_ns = at_ns
        memory.minutes.roll(at_ns, self._queues)
        memory.quarters.roll(at_ns, self._queues)
        self._rolls_ns = min(memory.minutes.ends_ns, memory.quarters.ends_ns)

    # A contact in its queues --------------------------------------------------------------------

    def _admitted(self, event: ContactAdmitted, at_ns: int) -> None:
        consultation = event.direction == "consultation"
        # A placed contact has its queue without ever standing in it; an inbound one may still be sent elsewhere.
        outbound = event.direction == "outbound"
        self._live[event.contact] = Live(
            consultation, event.queue if outbound else NO_QUEUE, to_dial=outbound
        )
        if consultation:
            self._memory.consultations_admitted += 1
        else:
            self._memory.admitted += 1

    def _queued(self, event: ContactQueued, at_ns: int) -> None:
        live = self._live.get(event.contact)
        if live is None or live.consultation:
            return
        queue = event.queue
        if live.callback:  # first: who is yet to be dialled may be one too
            since_ns = self._queues[live.queue].callbacks_waiting.pop(event.contact)
            self._queues[queue].callbacks_waiting[event.contact] = since_ns
            live.queue = queue
            return
        if live.to_dial:  # nobody stands in it until somebody was reached
            live.queue = queue
            return
        if live.staying and live.queue == queue:
            return
        if live.staying:
            left = self._queues[live.queue]
            left.flowed_out += 1
            del left.waiting[event.contact]
        self._stay(live, event.contact, queue, at_ns)

    def _returned(self, event: ContactReturned, at_ns: int) -> None:
        live = self._live.get(event.contact)
        if live is None or live.consultation or live.staying or live.callback or live.to_dial:
            return
        live.wait_from_ns = 0
        self._stay(live, event.contact, live.queue, at_ns)

    def _stay(self, live: Live, contact: int, queue: str, at_ns: int) -> None:
        """The contact enters a queue."""
        tally = self._queues[queue]
        if not live.entered:
            live.entered = True
            tally.admitted += 1
        tally.offered += 1
        if not live.wait_from_ns:
            live.wait_from_ns = at_ns
        tally.waiting[contact] = live.wait_from_ns
        live.queue = queue
        live.staying = True

    def _leave(self, live: Live, contact: int, at_ns: int, *, abandoned: bool) -> None:
        """The contact is out of its queue without an answer."""
        tally = self._queues[live.queue]
        if live.staying:
            live.staying = False
            del tally.waiting[contact]
            if abandoned:
                tally.abandon(at_ns - live.wait_from_ns)
            else:
                tally.removed += 1
        if live.callback:
            live.callback = False
            del tally.callbacks_waiting[contact]
            tally.callbacks_unreached += 1

    def _callback_requested(self, event: CallbackRequested, at_ns: int) -> None:
        live = self._live.get(event.contact)
        if live is None or live.consultation or live.callback:
            return
        tally = self._queues[live.queue]
        if live.staying:
            live.staying = False
            del tally.waiting[event.contact]
            tally.became_callbacks += 1
            tally.became_callbacks_in_target += at_ns - live.wait_from_ns <= tally.answer_target_ns
        live.callback = True
        tally.callbacks_requested += 1
        tally.callbacks_waiting[event.contact] = live.wait_from_ns or at_ns

    def _callback_postponed(self, event: CallbackPostponed, at_ns: int) -> None:
        live = self._live.get(event.contact)
        if live is not None:
            for agent in list(live.works):
                self._let_go(live, agent, at_ns)

    def _connected(self, event: ContactConnected, at_ns: int) -> None:
        live = self._live.get(event.contact)
        if live is None:
            return
        work = live.works.get(event.agent)
        if work is None or not work.accepted:
            work = self._begin(live, event.agent, at_ns)
        work.talk_from_ns = at_ns
        if live.consultation:
            return
        live.to_dial = False
        if live.staying:
            tally = self._queues[live.queue]
            live.staying = False
            del tally.waiting[event.contact]
            tally.answer(event.waited_ns)
        elif live.callback:
            tally = self._queues[live.queue]
            live.callback = False
            del tally.callbacks_waiting[event.contact]
            tally.callbacks_reached += 1

    def _ended(self, event: ContactEnded, at_ns: int) -> None:
        live = self._live.pop(event.contact, None)
        if live is None:
            return
        if live.works:
            for agent in list(live.works):
                self._drop(live, agent, at_ns)
        if live.consultation:
            self._memory.consultations_ended += 1
            return
        self._memory.ended += 1
        if live.staying or live.callback:
            self._leave(live, event.contact, at_ns, abandoned=self._walked_out(event.outcome))
        tally = self._queues[event.queue]
        if event.queue and not live.entered:
            tally.admitted += 1
        tally.outcomes[event.outcome] += 1
        if event.outcome == "served" or event.talk_ns or event.hold_ns:
            tally.handled += 1
            tally.talk_ns += event.talk_ns
            tally.hold_ns += event.hold_ns
            tally.wrap_up_ns += event.wrap_up_ns

    def _walked_out(self, outcome: str) -> bool:
        """Whether the customer left by themselves. One who was served before ends as served."""
        return outcome == "abandoned" or (outcome == "served" and self._command is AbandonContact)

    def _message_posted(self, event: MessagePosted, at_ns: int) -> None:
        live = self._live.get(event.contact)
        if live is not None and not live.consultation:
            self._queues[live.queue].messages[event.author] += 1

    def _rated(self, event: ContactRated, at_ns: int) -> None:
        tally = self._queues[event.queue]
        tally.csat_sum += event.score
        tally.csat_count += 1
        if event.agent:
            agent = self._agents[event.agent]
            agent.csat_sum += event.score
            agent.csat_count += 1

    # A contact and its agents -------------------------------------------------------------------

    def _offered(self, event: ContactOffered, at_ns: int) -> None:
        live = self._live.get(event.contact)
        if live is None:
            return
        agent = self._agents[event.agent]
        if live.works and event.agent in live.works:
            self._drop(live, event.agent, at_ns)
        live.works[event.agent] = Work()
        agent.offers_made += 1
        agent.offered += 1
        agent.settle(at_ns)
        if not live.consultation:
            self._queues[live.queue].offers_made += 1

    def _accepted(self, event: OfferAccepted, at_ns: int) -> None:
        live = self._live.get(event.contact)
        if live is None:
            return
        self._begin(live, event.agent, at_ns)
        self._agents[event.agent].offers_accepted += 1
        if not live.consultation:
            self._queues[live.queue].offers_accepted += 1

    def _declined(self, event: OfferDeclined, at_ns: int) -> None:
        live = self._live.get(event.contact)
        if live is not None:
            self._drop(live, event.agent, at_ns)
            self._agents[event.agent].offers_declined += 1
            if not live.consultation:
                self._queues[live.queue].offers_declined += 1

    def _expired(self, event: OfferExpired, at_ns: int) -> None:
        live = self._live.get(event.contact)
        if live is not None:
            self._drop(live, event.agent, at_ns)
            self._agents[event.agent].offers_expired += 1
            if not live.consultation:
                self._queues[live.queue].offers_expired += 1

    def _withdrawn(self, event: OfferWithdrawn, at_ns: int) -> None:
        live = self._live.get(event.contact)
        if live is not None:
            self._drop(live, event.agent, at_ns)
            self._agents[event.agent].offers_withdrawn += 1
            if not live.consultation:
                self._queues[live.queue].offers_withdrawn += 1

    def _begin(self, live: Live, name: str, at_ns: int) -> Work:
        """An agent takes part in a contact from now on, whether by an offer or not."""
        agent = self._agents[name]
        work = live.works.get(name)
        if work is None or work.wrap_from_ns:
            if work is not None:
                self._drop(live, name, at_ns)
            work = live.works[name] = Work()
        elif not work.accepted:
            agent.offered -= 1
        if not work.accepted:
            work.accepted = True
            agent.connected += 1
            agent.settle(at_ns)
        return work

    def _let_go(self, live: Live, name: str, at_ns: int) -> None:
        """An agent is out of the conversation; after-work that has begun goes on."""
        work = live.works.get(name)
        if work is not None and not work.wrap_from_ns:
            self._drop(live, name, at_ns)

    def _drop(self, live: Live, name: str, at_ns: int) -> None:
        """An agent's part in a contact is over: book its times."""
        work = live.works.pop(name, None)
        if work is None:
            return
        agent = self._agents[name]
        if work.wrap_from_ns:
            agent.wrapping -= 1
            if not live.consultation:
                agent.wrap_up_ns += at_ns - work.wrap_from_ns
        elif work.accepted:
            agent.connected -= 1
            if work.talk_from_ns:
                self._book(live, agent, work, at_ns)
        else:
            agent.offered -= 1
        agent.settle(at_ns)

    def _book(self, live: Live, agent: AgentTally, work: Work, at_ns: int) -> None:
        if live.consultation:
            agent.consultations += 1
            return
        held_ns = work.held_ns + (at_ns - work.held_from_ns if work.held_from_ns else 0)
        agent.contacts += 1
        agent.hold_ns += held_ns
        agent.talk_ns += at_ns - work.talk_from_ns - held_ns

    def _placed(self, event: ContactPlaced, at_ns: int) -> None:
        live = self._live.get(event.contact)
        if live is not None:
            self._begin(live, event.agent, at_ns)

    def _connection_failed(self, event: ConnectionFailed, at_ns: int) -> None:
        live = self._live.get(event.contact)
        if live is not None:
            self._drop(live, event.agent, at_ns)
            if not live.consultation:
                self._queues[live.queue].connections_failed += 1

    def _held(self, event: ContactHeld, at_ns: int) -> None:
        live = self._live.get(event.contact)
        if live is not None:
            # The customer is on hold for everybody in the conversation.
            for work in live.works.values():
                if work.talk_from_ns and not work.wrap_from_ns:
                    work.held_from_ns = at_ns

    def _resumed(self, event: ContactResumed, at_ns: int) -> None:
        live = self._live.get(event.contact)
        if live is not None:
            self._off_hold(live, at_ns)

    def _off_hold(self, live: Live, at_ns: int) -> None:
        for work in live.works.values():
            if work.held_from_ns:
                work.held_ns += at_ns - work.held_from_ns
                work.held_from_ns = 0

    def _transfer_started(self, event: TransferStarted, at_ns: int) -> None:
        live = self._live.get(event.contact)
        if live is None:
            return
        live.wait_from_ns = 0
        self._let_go(live, event.agent, at_ns)
        if not live.consultation:
            self._queues[live.queue].transfers_blind += 1
            self._agents[event.agent].transfers += 1

    def _consultation_started(self, event: ConsultationStarted, at_ns: int) -> None:
        live = self._live.get(event.contact)
        if live is not None:
            self._queues[live.queue].consultations += 1

    def _transferred(self, event: ContactTransferred, at_ns: int) -> None:
        live = self._live.get(event.contact)
        if live is None:
            return
        self._let_go(live, event.from_agent, at_ns)
        self._off_hold(live, at_ns)
        self._begin(live, event.to_agent, at_ns).talk_from_ns = at_ns
        self._queues[live.queue].transfers_consulted += 1
        self._agents[event.from_agent].transfers += 1

    def _joined(self, event: AgentJoined, at_ns: int) -> None:
        live = self._live.get(event.contact)
        if live is not None:
            self._off_hold(live, at_ns)
            self._begin(live, event.agent, at_ns).talk_from_ns = at_ns

    def _left(self, event: AgentLeft, at_ns: int) -> None:
        live = self._live.get(event.contact)
        if live is not None:
            self._let_go(live, event.agent, at_ns)

    def _service_ended(self, event: ServiceEnded, at_ns: int) -> None:
        live = self._live.get(event.contact)
        if live is None:
            return
        for agent, work in list(live.works.items()):
            if not work.wrap_from_ns:
                self._drop(live, agent, at_ns)
        if live.staying or live.callback:
            self._leave(live, event.contact, at_ns, abandoned=self._walked_out(event.outcome))

    def _wrap_up_started(self, event: WrapUpStarted, at_ns: int) -> None:
        live = self._live.get(event.contact)
        if live is None:
            return
        if event.agent in live.works:
            self._drop(live, event.agent, at_ns)
        agent = self._agents[event.agent]
        live.works[event.agent] = Work(wrap_from_ns=at_ns, accepted=True)
        agent.wrapping += 1
        agent.settle(at_ns)

    def _wrap_up_ended(self, event: WrapUpEnded, at_ns: int) -> None:
        live = self._live.get(event.contact)
        if live is not None:
            self._drop(live, event.agent, at_ns)

    # Agents, and the rest -----------------------------------------------------------------------

    def _status_chosen(self, event: AgentSignedIn | AgentStatusChanged, at_ns: int) -> None:
        agent = self._agents[event.agent]
        if type(event) is AgentSignedIn:
            agent.lost = False
        self._choose(agent, _STATUS[event.status], event.reason, at_ns)

    def _signed_out(self, event: AgentSignedOut, at_ns: int) -> None:
        agent = self._agents[event.agent]
        agent.lost = False
        self._choose(agent, OFFLINE, event.reason, at_ns)

    def _choose(self, agent: AgentTally, status: int, reason: str, at_ns: int) -> None:
        if agent.reason != reason:
            # Break time is kept by its reason, so the old reason's time is closed even within a break.
            agent.close(at_ns)
            agent.reason = reason
        agent.status = status
        agent.settle(at_ns)

    def _connection_lost(self, event: AgentConnectionLost, at_ns: int) -> None:
        agent = self._agents[event.agent]
        # Without a grace time the agent has gone and only deferred work is kept for them.
        agent.lost = event.grace_until_ns != 0
        agent.settle(at_ns)

    def _agent_returned(self, event: AgentReturned, at_ns: int) -> None:
        agent = self._agents[event.agent]
        agent.lost = False
        agent.settle(at_ns)

    def _configuration_applied(self, event: ConfigurationApplied, at_ns: int) -> None:
        for name, queue in event.config.queues.items():
            tally = self._queues[name]
            tally.answer_target_ns = ns(queue.answer_target_s)
            tally.short_abandon_ns = ns(queue.short_abandon_s)
        for name in event.config.agents:
            if name not in self._agents:
                self._agents[name] = AgentTally(since_ns=at_ns)

    def _component_down(self, event: ComponentDown, at_ns: int) -> None:
        self._memory.components_down[event.component] = event.error

    def _component_up(self, event: ComponentUp, at_ns: int) -> None:
        self._memory.components_down.pop(event.component, None)
