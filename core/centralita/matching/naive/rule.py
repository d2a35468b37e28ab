"""Who gets whom: the order of contacts, who is eligible, the order of agents, and the rule over the three.

The order of contacts is Kleinrock's accumulating priority (1964), of which first come first served,
head starts and earliest deadline first are special cases; the reservation rule is in
docs/matching-queue.md.
"""

from __future__ import annotations

from typing import Final

from centralita.matching.naive.book import Agent, Book, Contact
from centralita.matching.protocol import NUMBER_LIMIT

Bar = tuple[str, int, int, int]
"""A rule of BARRED_RULES, and its subject and the two numbers compared, as `Barred` has them."""

ELIGIBLE: Final[Bar] = ("eligible", -1, 0, 0)
_MASK: Final = (1 << 64) - 1


def next_match(book: Book, now_ns: int) -> list[tuple[int, int]]:
    """The first contact in order that has an eligible agent gets the best of them; nothing when there is none."""
    pressing: list[Contact] = []
    available = [agent for agent in book.agents.values() if agent.available]
    for contact in in_order(book, now_ns) if available else ():
        able = [agent for agent in available if bar(book, contact, agent, now_ns) is ELIGIBLE]
        able.sort(key=lambda agent: choice(book, contact, agent))
        chosen: list[Agent] = []
        for agent in able:
            if len(chosen) < book.orders[contact.order].offer_to and not _reserve(book, pressing, agent):
                chosen.append(agent)
        if chosen:
            return book.give(contact, chosen, now_ns)
        if contact.pressing and contact.id not in book.reserved.values():
            pressing.append(contact)
    return []


def in_order(book: Book, now_ns: int) -> list[Contact]:
    """Who waits, first to last."""
    waiting = [contact for contact in book.contacts.values() if contact.waiting]
    return sorted(waiting, key=lambda contact: place(contact, now_ns))


def place(contact: Contact, now_ns: int) -> tuple[int, int, int]:
    """What contacts are compared by, smaller first; the id comes last, so it is never a draw."""
    urgency = contact.rate * (now_ns - contact.queued_ns + contact.credit_ns)
    return -contact.priority, -urgency, contact.id


def bar(book: Book, contact: Contact, agent: Agent, now_ns: int | None) -> Bar:
    """The first rule that bars an agent, or ELIGIBLE; `now_ns` None asks as if nobody were reserved."""
    requirement, profile = book.requirements[contact.requirement], book.profiles[agent.profile]
    medium, levels = requirement.medium, profile.levels
    if not agent.available:
        return "unavailable", -1, 1, 0
    for skill, level in requirement.skills:
        if levels.get(skill, 0) < level:
            return "skill", skill, level, levels.get(skill, 0)
    limit = dict(profile.limits).get(medium, NUMBER_LIMIT)
    held = sum(hold.medium == medium for hold in agent.hands.values())
    if held >= limit:
        return "medium_limit", medium, limit, held
    blocking = [hold.units for hold in agent.hands.values() if (medium, hold.medium) not in book.interrupts]
    room = profile.capacity - sum(blocking)
    if room < requirement.units:
        return "capacity", medium, requirement.units, room
    if agent.id in contact.excluded:
        return "excluded", agent.id, 0, 0
    preferred = contact.preferred
    if preferred in book.agents and preferred not in contact.excluded and preferred != agent.id:
        return "preferred_other", preferred, 0, 0
    reserver = None if now_ns is None else book.reserved.get(agent.id)
    if now_ns is not None and reserver is not None:
        before = place(book.contacts[reserver], now_ns)
        if before < place(contact, now_ns):
            return "reserved", reserver, 0, 0
    return ELIGIBLE


def choice(book: Book, contact: Contact, agent: Agent) -> tuple[int, ...]:
    """What agents are compared by, smaller first; the id comes last, so it is never a draw."""
    requirement, order = book.requirements[contact.requirement], book.orders[contact.order]
    profile = book.profiles[agent.profile]
    values: list[int] = []
    for key in order.keys:
        match key:
            case "longest_idle":
                values += [int(bool(agent.hands)), agent.since_ns]
            case "least_loaded":
                values.append(agent.held_units() * 10_000 // max(1, profile.capacity))
            case "most_skilled":
                values.append(-sum(profile.levels.get(skill, 0) for skill, _ in requirement.skills))
            case "least_flexible":
                values.append(len(profile.skills))
            case "rank":
                values.append(dict(profile.ranks).get(order.rank_group, 1))
            case "fewest_contacts":
                values.append(agent.given)
            case "round_robin":
                values.append(agent.turn)
            case _:
                values.append(_lot(order.seed, contact.id, agent.id))
    return (*values, agent.id)


def capable_profiles(book: Book, requirement: int) -> set[int]:
    """The profiles of present agents that have a requirement's skills."""
    wanted = book.requirements[requirement].skills
    present = {agent.profile for agent in book.agents.values()}
    levels = {one: book.profiles[one].levels for one in present}
    return {one for one in present if all(levels[one].get(skill, 0) >= level for skill, level in wanted)}


def _reserve(book: Book, pressing: list[Contact], agent: Agent) -> bool:
    """The first contact past its wait, passed by for want of room, keeps the agent for itself."""
    for contact in pressing:
        if _drains_to(book, contact, agent):
            pressing.remove(contact)
            book.reserved[agent.id] = contact.id
            return True
    return False


def _drains_to(book: Book, contact: Contact, agent: Agent) -> bool:
    """Whether an agent could have the contact with empty hands."""
    empty = Agent(agent.id, agent.profile, agent.available, 0, 0, 0)
    return bar(book, contact, empty, None) is ELIGIBLE


def _lot(seed: int, contact: int, agent: int) -> int:
    """The lot an agent draws for a contact under `random`: 63 bits of splitmix64 (Steele et al. 2014)."""
    drawn = seed
    for value in (contact, agent):
        drawn = (drawn ^ value) + 0x9E3779B97F4A7C15 & _MASK
        drawn = (drawn ^ drawn >> 30) * 0xBF58476D1CE4E5B9 & _MASK
        drawn = (drawn ^ drawn >> 27) * 0x94D049BB133111EB & _MASK
        drawn ^= drawn >> 31
    return drawn >> 1
