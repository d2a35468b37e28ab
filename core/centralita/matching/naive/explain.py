"""Why an agent does or doesn't get a contact: a line for each agent, or for each crew when there are many."""

from __future__ import annotations

from centralita.matching.naive.book import Book, Contact
from centralita.matching.naive.rule import bar, choice
from centralita.matching.protocol import BARRED_RULES, NOBODY, Barred


def explain(book: Book, contact: Contact, now_ns: int, limit: int) -> list[Barred]:
    """At most `limit` lines, and one more for each rule whose agents found no room in them."""
    agents = sorted(book.agents.values(), key=lambda agent: choice(book, contact, agent))
    lines = [Barred(agent.id, 1, agent.profile, *bar(book, contact, agent, now_ns)) for agent in agents]
    if len(lines) <= limit:
        return lines
    crews: dict[tuple[int, str], list[Barred]] = {}
    for line in lines:
        crews.setdefault((line.profile, line.rule), []).append(line)
    grouped = [_speak_for(crew, crew[0].profile) for crew in crews.values()]
    grouped.sort(key=lambda line: (-BARRED_RULES.index(line.rule), line.profile))
    told, rest = grouped[: max(0, limit)], grouped[max(0, limit) :]
    for rule in reversed(BARRED_RULES):
        if same := [line for line in rest if line.rule == rule]:
            told.append(Barred(NOBODY, sum(line.agents for line in same), -1, rule, -1, 0, 0))
    return told


def _speak_for(crew: list[Barred], profile: int) -> Barred:
    """One line for agents of one profile barred by one rule: the numbers of whoever comes closest."""
    rule, numbers = crew[0].rule, [line.had for line in crew]
    had = min(numbers) if rule == "medium_limit" else max(numbers)
    subject = -1 if rule in ("excluded", "reserved") else crew[0].subject
    return Barred(NOBODY, len(crew), profile, rule, subject, crew[0].needed, had)
