"""Why: what a contact waits for, why an agent got it, and why another does not.

The matching queue names the first rule that bars each agent, with the numbers compared; here they get
their names back, and words. Nothing is computed that the queue does not decide by.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Final

from centralita import estimate
from centralita.ahead import named_ahead
from centralita.matching import NOBODY, Barred
from centralita.state import Contact
from centralita.views import AgentExplanation, BarredView, ContactExplanation

if TYPE_CHECKING:
    from centralita.engine import Engine

AHEAD_NAMED: Final = 20
"""How many of those before a contact are named."""
_NS_PER_S = 1_000_000_000
_NOT_FREE = frozenset({"unavailable", "skill", "medium_limit", "capacity"})
"""What bars an agent from this contact and from every other like it."""


def explain_contact(engine: Engine, number: int, *, limit: int = 100) -> ContactExplanation | None:
    """Why a contact is where it is; None when it is not live. At most `limit` agents are named one by
    one; when there are more, agents of one kind are told together."""
    contact = engine.state.contacts.get(number)
    if contact is None:
        return None
    queue = engine.lines.queue
    in_line = contact.id in engine.lines.known and contact.phase in ("waiting", "offered")
    waits = in_line and contact.phase == "waiting"
    ahead = engine.lines.ahead(contact, now_ns=engine.now_ns) if waits else 0
    rows = queue.explain(number, now_ns=engine.now_ns, limit=limit) if in_line else []
    required = dict(engine.lines.wanted(contact))
    present, available = (
        queue.capable_n(engine.lines.requirement(required, contact.medium)) if contact.queue else (0, 0)
    )
    if rows:
        available = sum(row.agents for row in rows if row.rule not in _NOT_FREE)
    return ContactExplanation(
        contact=number,
        phase=contact.phase,
        words=_words(engine, contact, ahead, rows),
        queue=contact.queue,
        skills=required,
        rung=contact.rung,
        next_ring_ns=_next_ring_ns(engine, contact),
        position=ahead + 1 if waits else 0,
        ahead=ahead,
        capable=present,
        available=available,
        estimate=(estimate.wait_of(engine, contact) if waits else estimate.UNKNOWN),
        agents=tuple(_barred_view(engine, row) for row in rows),
        chosen_by=_chosen_by(engine, contact),
        before=named_ahead(engine, contact, limit=AHEAD_NAMED) if ahead else (),
    )


def explain_agent(engine: Engine, name: str, *, limit: int = 20) -> AgentExplanation | None:
    """Why an agent gets none of the first waiting contacts; None when not configured."""
    agent = engine.state.agents.get(name)
    if agent is None:
        return None
    if not agent.present:
        return AgentExplanation(agent=name, words="Not signed in.", contacts=())
    queue = engine.lines.queue
    rows: list[tuple[int, BarredView]] = []
    for number in queue.in_order(now_ns=engine.now_ns, limit=limit):
        barred = queue.explain(number, now_ns=engine.now_ns, limit=queue.agents_n())
        mine = next((row for row in barred if row.agent == agent.number), None)
        if mine is not None:
            rows.append((number, _barred_view(engine, mine)))
    if not rows:
        words = "Nobody is waiting."
    elif all(row.rule == rows[0][1].rule for _, row in rows):
        words = f"Nothing of what waits can be offered: {rows[0][1].words}"
    else:
        words = "What waits is barred for different reasons."
    return AgentExplanation(agent=name, words=words, contacts=tuple(rows))


def _next_ring_ns(engine: Engine, contact: Contact) -> int:
    if not contact.queue or contact.phase != "waiting" or contact.due_ns:
        return 0
    rings = engine.state.rules(contact.queue).rings
    if contact.rung >= len(rings):
        return 0
    return contact.queued_ns + round(rings[contact.rung].after_s * _NS_PER_S)


def _chosen_by(engine: Engine, contact: Contact) -> tuple[tuple[str, str], ...]:
    """The keys that decided, for the agent who holds the offer."""
    offered = [name for name, work in contact.works.items() if work.state == "offered"]
    if not offered or not contact.queue:
        return ()
    if contact.picked:
        return (("picked", contact.picked),)
    keys = engine.state.rules(contact.queue).agent_order
    number = engine.state.agents[offered[0]].number
    (values,) = engine.lines.queue.explain_choice(contact.id, [number], now_ns=engine.now_ns)
    return tuple(_choice_in_words(keys, iter(values)))


def _choice_in_words(keys: Sequence[str], values: Iterator[int]) -> Iterator[tuple[str, str]]:
    """What was compared. The queue has counted the offer already: how long the agent had been free, and
    whose turn it was, are gone with it, so that these keys have words and no number."""
    for key in keys:
        value = next(values)
        match key:
            case "longest_idle":
                next(values)  # it takes two: whether work is in hand, and since when
                yield key, "free for the longest"
            case "least_loaded":
                yield key, f"{value / 100:g} % of the capacity with this contact"
            case "most_skilled":
                yield key, f"levels of {-value} in all"
            case "least_flexible":
                yield key, f"{value} skills"
            case "rank":
                yield key, f"tier {value}"
            case "fewest_contacts":
                yield key, f"{max(0, value - 1)} contacts before this one"
            case "round_robin":
                yield key, "not asked for the longest"
            case _:
                yield key, "drawn by lot"


def _words(engine: Engine, contact: Contact, ahead: int, rows: list[Barred]) -> str:
    if contact.phase == "offered":
        asked = [name for name, work in contact.works.items() if work.state == "offered"]
        return f"Offered to {', '.join(asked)}; waiting for an answer."
    if contact.phase != "waiting":
        return f"The contact is {contact.phase.replace('_', ' ')}."
    if contact.due_ns:
        return "A callback that waits for its agreed moment."
    rules = [row.rule for row in rows]
    if "eligible" in rules:
        return "An agent is eligible and will be asked in this very step."
    if not rows:
        return "Nobody is signed in."
    skilled = sum(row.agents for row in rows if row.rule != "skill")
    if not skilled:
        return f"Nobody signed in has {_skill_list(engine.lines.wanted(contact))}."
    busy = sum(row.agents for row in rows if row.rule in ("capacity", "medium_limit"))
    away = sum(row.agents for row in rows if row.rule == "unavailable")
    parts = [f"{busy} busy" if busy else "", f"{away} away" if away else ""]
    others = skilled - busy - away
    parts.append(f"{others} barred otherwise" if others > 0 else "")
    who = ", ".join(part for part in parts if part)
    before = f"; {ahead} before it for the same people" if ahead else "; it is next"
    return f"Waits for an agent: of those who could serve it, {who}{before}."


def _barred_view(engine: Engine, row: Barred) -> BarredView:
    agent = "" if row.agent == NOBODY else engine.lines.agent_of[row.agent]
    subject = _subject(engine, row)
    rules = engine.state.config.agents.get(agent)
    skills = dict(rules.skills) if rules else engine.lines.skills_of(row.profile)
    return BarredView(
        agent=agent,
        agents=row.agents,
        skills=skills,
        rule=row.rule,
        subject=subject,
        needed=row.needed,
        had=row.had,
        words=_barred_words(row, subject),
    )


def _subject(engine: Engine, row: Barred) -> str:
    if row.subject < 0:
        return ""
    lines = engine.lines
    if row.rule == "skill":
        return lines.skill_name(row.subject)
    if row.rule in ("medium_limit", "capacity"):
        return lines.medium_name(row.subject)
    if row.rule == "preferred_other":
        return lines.agent_of.get(row.subject, "")
    return str(row.subject)


def _barred_words(row: Barred, subject: str) -> str:
    match row.rule:
        case "unavailable":
            return "not available"
        case "skill":
            has = f"has {row.had}" if row.had else "does not have it"
            return f"needs {subject} at {row.needed}, {has}"
        case "medium_limit":
            return f"has {row.had} contacts on {subject} of at most {row.needed}"
        case "capacity":
            return f"needs {row.needed} units of capacity, has {max(0, row.had)} left"
        case "excluded":
            return "declined it, or handed it on"
        case "preferred_other":
            return f"the contact is kept for {subject}"
        case "reserved":
            return f"is kept free for contact {subject}"
        case _:
            return "eligible"


def _skill_list(skills: dict[str, int]) -> str:
    return " and ".join(f"{skill} at {level}" for skill, level in skills.items()) or "nothing it needs"
