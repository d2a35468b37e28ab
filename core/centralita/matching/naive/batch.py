"""Operations as numbers: a batch of them, and rows of agents and contacts that a snapshot holds."""

from __future__ import annotations

from typing import Final

from centralita.matching.naive.arguments import rows_of
from centralita.matching.protocol import BATCH_CODES, NOBODY, Buffer, MatchingQueueProtocol

_ENQUEUE_MORE: Final = (0, 0, 1000, -1, 0, NOBODY, 0)  # credit_ns … preferred_until_ns, when left out


def run(queue: MatchingQueueProtocol, operation: tuple[int, ...]) -> list[tuple[int, int]]:
    """Do one operation; the pairs if it was a match. Raises ValueError for a code or a number of numbers unknown."""
    name, (code, *rest) = _batch_name(operation), operation
    match name, rest:
        case "match", (now_ns,):
            return queue.match(now_ns=now_ns)
        case "advance", (now_ns,):
            queue.advance(now_ns=now_ns)
        case "enqueue", (contact, requirement, order, queued_ns, *more) if len(more) <= len(_ENQUEUE_MORE):
            credit_ns, priority, rate, ladder, rung, preferred, until_ns = (
                *more,
                *_ENQUEUE_MORE[len(more) :],
            )
            queue.enqueue(
                contact, requirement, order, queued_ns=queued_ns, credit_ns=credit_ns, priority=priority,
                rate=rate, ladder=ladder, rung=rung, preferred=preferred, preferred_until_ns=until_ns,
            )  # fmt: skip
        case "requeue", (contact, now_ns):
            queue.requeue(contact, now_ns=now_ns)
        case "drop", (contact, now_ns):
            queue.drop(contact, now_ns=now_ns)
        case "change_priority", (contact, priority):
            queue.change(contact, priority=priority)
        case "change_requirement", (contact, requirement):
            queue.change(contact, requirement=requirement)
        case "prefer", (contact, agent, until_ns):
            queue.prefer(contact, agent, until_ns=until_ns)
        case "exclude", (contact, agent):
            queue.exclude(contact, agent)
        case "accept", (contact, agent, now_ns):
            queue.accept(contact, agent, now_ns=now_ns)
        case "give_back", (contact, agent, now_ns, exclude):
            queue.give_back(contact, agent, now_ns=now_ns, exclude=bool(exclude))
        case "finish", (contact, agent, now_ns):
            queue.finish(contact, agent, now_ns=now_ns)
        case "assign", (contact, agent, now_ns):
            queue.assign(contact, agent, now_ns=now_ns)
        case "add_agent", (agent, profile, now_ns):
            queue.add_agent(agent, profile, now_ns=now_ns)
        case "set_available", (agent, available, now_ns):
            queue.set_available(agent, bool(available), now_ns=now_ns)
        case "set_profile", (agent, profile):
            queue.set_profile(agent, profile)
        case "remove_agent", (agent, now_ns):
            queue.remove_agent(agent, now_ns=now_ns)
        case _:
            raise ValueError(f"batch operation {code} ({name}) does not take {len(rest)} numbers")
    return []


def load_agents(queue: MatchingQueueProtocol, rows: Buffer) -> None:
    """Add an agent for each row."""
    for agent, profile, available, since_ns, given, turn in rows_of(rows, 6):
        queue.add_agent(
            agent,
            profile,
            now_ns=since_ns,
            available=bool(available),
            since_ns=since_ns,
            given=given,
            turn=turn,
        )


def load_contacts(queue: MatchingQueueProtocol, rows: Buffer) -> None:
    """Add a contact for each row."""
    for row in rows_of(rows, 12):
        (
            contact,
            requirement,
            order,
            queued_ns,
            credit_ns,
            priority,
            rate,
            ladder,
            rung,
            *preference,
            waiting,
        ) = row
        preferred, until_ns = preference
        queue.enqueue(
            contact, requirement, order, queued_ns=queued_ns, credit_ns=credit_ns, priority=priority,
            rate=rate, ladder=ladder, rung=rung, preferred=preferred, preferred_until_ns=until_ns,
            waiting=bool(waiting),
        )  # fmt: skip


def _batch_name(operation: tuple[int, ...]) -> str:
    for name, code in BATCH_CODES.items():
        if operation and operation[0] == code:
            return name
    raise ValueError(f"batch operation was {operation}; known codes: {BATCH_CODES}")
