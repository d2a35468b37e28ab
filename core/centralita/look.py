"""Views of the state: what `views.py` describes, made from an engine. Reading, never changing."""

from __future__ import annotations

from collections import Counter, defaultdict
from itertools import filterfalse
from operator import attrgetter
from typing import TYPE_CHECKING

from centralita import estimate
from centralita.state import Agent, Contact, Message, Work, agent_state, has_room, units_used
from centralita.views import AgentView, ContactView, MessageView, QueueView, WorkView

if TYPE_CHECKING:
    from centralita.engine import Engine


def contact_view(engine: Engine, number: int, *, messages: bool = True) -> ContactView | None:
    """A live contact; None when it has ended or never was. A consultation shows, before its own
    messages, those of the contact it belongs to, so that the colleague knows what was said."""
    contact = engine.state.contacts.get(number)
    return None if contact is None else view_of(engine, contact, messages=messages)


def view_of(engine: Engine, contact: Contact, *, messages: bool) -> ContactView:
    """A contact of the state as others may see it."""
    waits = contact.phase == "waiting" and not contact.due_ns
    return ContactView(
        id=contact.id,
        phase=contact.phase,
        outcome=contact.outcome or "",
        channel=contact.channel,
        medium=contact.medium,
        direction=contact.direction,
        provider_id=contact.provider_id,
        handle=contact.handle,
        customer_name=contact.customer_name or (contact.customer.name if contact.customer else ""),
        language=contact.language or (contact.customer.language if contact.customer else ""),
        subject=contact.subject,
        customer=contact.customer,
        conversation=contact.conversation,
        queue=contact.queue,
        skills=dict(contact.skills),
        priority=contact.priority,
        rung=contact.rung,
        attributes=dict(contact.attributes or {}),
        arrived_ns=contact.arrived_ns,
        queued_ns=contact.wait_from_ns,
        due_ns=contact.due_ns,
        deadline_ns=contact.deadline_ns,
        agent=contact.agent,
        works=tuple(_work_view(name, work) for name, work in contact.works.items()),
        callback_handle=contact.callback_handle,
        callback_channel=contact.callback_channel,
        callback_attempts=contact.callback_attempts,
        parent=contact.parent,
        consultation=contact.consultation,
        summary=contact.summary,
        notes=contact.notes,
        disposition=contact.disposition,
        messages=_messages(engine, contact) if messages else (),
        position=engine.lines.ahead(contact, now_ns=engine.now_ns) + 1 if waits else 0,
        bot_after=contact.bot_after,
    )


def _messages(engine: Engine, contact: Contact) -> tuple[MessageView, ...]:
    own = tuple(_message_view(message, message.number) for message in contact.messages or ())
    parent = engine.state.contacts.get(contact.parent)
    if parent is None:
        return own
    before = tuple(_message_view(message, message.number) for message in parent.messages or ())
    return before + tuple(
        _message_view(message, parent.messages_n + message.number) for message in contact.messages or ()
    )


def _message_view(message: Message, number: int) -> MessageView:
    return MessageView(
        number=number,
        at_ns=message.at_ns,
        author=message.author,
        author_id=message.author_id,
        text=message.text,
        attachments=message.attachments,
        internal=message.internal,
        message_id=message.message_id,
    )


def _work_view(agent: str, work: Work) -> WorkView:
    return WorkView(
        agent=agent,
        state=work.state,
        since_ns=work.since_ns,
        deadline_ns=work.deadline_ns,
        offer=work.offer,
    )


def agent_view(engine: Engine, name: str) -> AgentView | None:
    """An agent, signed in or not; None when not configured."""
    agent = engine.state.agents.get(name)
    if agent is None:
        return None
    rules = engine.state.config.agents[name]
    works = {number: engine.state.contacts[number].works[name] for number in agent.contacts}
    return AgentView(
        name=name,
        title=rules.title or name,
        team=rules.team,
        status=agent.status,
        state=agent_state(engine.state, agent),
        reason=agent.busy or agent.reason,
        since_ns=_since_ns(agent, list(works.values())),
        desk=agent.desk,
        leaving=agent.leaving,
        grace_until_ns=agent.grace_until_ns,
        skills=dict(rules.skills),
        capacity=rules.capacity,
        units_used=units_used(engine.state, agent),
        works={number: _work_view(name, work) for number, work in works.items()},
        no_answers=agent.no_answers,
    )


def _since_ns(agent: Agent, works: list[Work]) -> int:
    """Since when the agent has been doing what it does: the newest work, else the status."""
    return max((work.since_ns for work in works), default=agent.since_ns)


def queue_view(engine: Engine, name: str, in_hand: InHand | None = None) -> QueueView | None:
    """A queue as it stands; None when not configured. `in_hand` is what agents have now, None: it is counted."""
    standing = engine.state.queues.get(name)
    if standing is None:
        return None
    rules = engine.state.rules(name)
    in_hand = in_hand or InHand(engine)
    phases = in_hand.phases
    present, free = _staff(engine, name, in_hand)
    # Who is called back at an agreed moment stands in no line before it. Thousands may wait, so without a Python
    # frame for each.
    waiting = map(engine.state.contacts.__getitem__, standing.waiting)
    in_line = [*map(attrgetter("wait_from_ns"), filterfalse(attrgetter("due_ns"), waiting))]
    return QueueView(
        name=name,
        title=rules.title or name,
        open=standing.open,
        waiting=len(in_line),
        longest_wait_since_ns=min(in_line, default=0),
        offered=phases[name, "offered"] + phases[name, "connecting"],
        connected=phases[name, "connected"] + phases[name, "on_hold"],
        wrapping=phases[name, "wrapping"],
        agents_present=present,
        agents_available=free,
        answer_target_s=rules.answer_target_s,
        estimate=estimate.expected_wait(engine, name, len(in_line) + 1),
    )


class InHand:
    """What agents have in hand at a moment, counted once for the views of all queues."""

    def __init__(self, engine: Engine) -> None:
        state = self._state = engine.state
        agents = state.agents.values()
        contacts = {number: state.contacts[number] for agent in agents for number in agent.contacts}
        self.phases = Counter((one.queue, one.phase) for one in contacts.values())
        receiving: defaultdict[_Skills, list[Agent]] = defaultdict(list)
        for agent in agents:
            if agent.contacts and agent.receiving:
                receiving[tuple(state.config.agents[agent.name].skills.items())].append(agent)
        # Once for all queues: hundreds of them ask each of hundreds of kinds of agents.
        self._receiving = [(skills, dict(skills), alike) for skills, alike in receiving.items()]
        self._full: dict[tuple[_Skills, str], int] = {}

    def full(self, wanted: dict[str, int], medium: str) -> int:
        """How many who have these skills could be asked but have no room for one more contact on a medium."""
        found = 0
        for skills, levels, alike in self._receiving:
            for skill, level in wanted.items():
                if levels.get(skill, 0) < level:
                    break
            else:
                found += self._full_of(skills, alike, medium)
        return found

    def _full_of(self, skills: _Skills, alike: list[Agent], medium: str) -> int:
        if (skills, medium) not in self._full:
            self._full[skills, medium] = sum(not has_room(self._state, agent, medium) for agent in alike)
        return self._full[skills, medium]


_Skills = tuple[tuple[str, int], ...]


def _staff(engine: Engine, queue: str, in_hand: InHand) -> tuple[int, int]:
    """(agents present, agents free) who have the skills a queue requires; free is who could be asked now
    about a contact on the medium that leads to the queue."""
    config, wanted = engine.state.config, engine.state.rules(queue).skills
    channels = config.channels.values()
    leading = (rule.medium for rule in channels if (rule.queue or config.default_queue) == queue)
    medium = next(leading, next(iter(config.media)))
    present, available = engine.lines.queue.capable_n(engine.lines.requirement(wanted, medium))
    # The matching queue counts who is available; only those with something in hand can be without room.
    return present, available - in_hand.full(wanted, medium)
