"""Which credit explains the order in which a recording's customers were served?

Of two customers of one kind who waited at the same time, both served, each rule says who goes first: whoever has
waited longer, credit included. A recording gives the pairs and who did go first; the credit that leaves the fewest
pairs served against the order is the one that was in force, if any rule of this form was. Two limits
stand beside it: no credit is first come first served, endless credit is strict priority.

Only pairs of different class depend on the credit; the others, that no credit explains, are counted with
them, since they tell how good any rule of this form can be. Pairs taken in the same second say nothing and are left out.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Callable, Iterator, Sequence
from typing import Final

from centralita.simulate.recorded import Recorded, Recording
from centralita.structs import Frozen

STRICT_S: Final = float("inf")
CREDIT_S_MAX: Final = 600.0
"""The largest credit looked at, besides endless."""
_NS: Final = 1_000_000_000


class Rule(Frozen):
    """A credit, None for an endless one, and how many of the pairs were served against the order it makes."""

    name: str
    credit_s: float | None
    violations: int
    share: float


class Step(Frozen):
    """Pairs in which a regular customer came first and a preferred one later, by how much later."""

    from_s: float
    until_s: float
    pairs: int
    preferred_first: float
    """The share in which the preferred one was served first."""


class Fit(Frozen):
    """What the search found. `best_s` is the least credit with the fewest violations, `until_s` how far
    it could be raised with no more than one pair in a thousand worse."""

    source: str
    kinds: tuple[str, ...]
    pairs: int
    mixed_pairs: int
    rules: tuple[Rule, ...]
    best: Rule
    best_s: float
    until_s: float
    steps: tuple[Step, ...]


class _Mixed(Frozen):
    """A regular customer who came `ahead_ns` before a preferred one (negative: after)."""

    ahead_ns: int
    preferred_first: bool


Served = Callable[[Recorded], int]
"""When a contact was served, in ns; 0 when it was not."""


def served_as_recorded(contact: Recorded) -> int:
    """The recording's own moment of service."""
    if contact.outcome != "served" or contact.queued_ns is None or contact.waited_ns <= 0:
        return 0
    return contact.queued_ns + contact.waited_ns


def fit(
    recording: Recording,
    *,
    kinds: Sequence[str] = (),
    step_s: float = 10.0,
    served: Served = served_as_recorded,
) -> Fit:
    """Search the credit. `kinds` none: all; pairs are always of one kind.

    Every whole second up to CREDIT_S_MAX is tried; `rules` lists the limits, every `step_s` and the best.
    """
    chosen = tuple(kinds) or tuple(sorted({contact.kind for contact in recording.contacts}))
    mixed: list[_Mixed] = []
    alike_n = alike_against = 0
    for kind in chosen:
        for first, second in pairs_of(recording.contacts, kind, served):
            second_first = served(second) < served(first)
            if bool(first.credit_s) == bool(second.credit_s):
                alike_n += 1
                alike_against += second_first
                continue
            ahead_ns = _asked_ns(second) - _asked_ns(first)
            if second.credit_s:
                mixed.append(_Mixed(ahead_ns=ahead_ns, preferred_first=second_first))
            else:
                mixed.append(_Mixed(ahead_ns=-ahead_ns, preferred_first=not second_first))
    against = _Violations(mixed, alike_against, alike_n)
    every = [against.rule(float(credit_s)) for credit_s in range(int(CREDIT_S_MAX) + 1)]
    best_s = min(range(len(every)), key=lambda credit_s: every[credit_s].violations)
    best = every[best_s]
    slack = best.violations + against.pairs / 1000
    until_s = float(best_s)
    while until_s < CREDIT_S_MAX and every[int(until_s) + 1].violations <= slack:
        until_s += 1
    return Fit(
        source=recording.source,
        kinds=chosen,
        pairs=against.pairs,
        mixed_pairs=len(mixed),
        rules=_listed(against, best_s, step_s),
        best=best,
        best_s=best_s,
        until_s=until_s,
        steps=_steps(mixed, step_s),
    )


def _listed(against: _Violations, best_s: float, step_s: float) -> tuple[Rule, ...]:
    upto_s = min(CREDIT_S_MAX, 2 * best_s + 3 * step_s)
    credits = {0.0, float(best_s), *(step_s * n for n in range(int(upto_s / step_s) + 1))}
    return (*(against.rule(credit_s) for credit_s in sorted(credits)), against.rule(STRICT_S))


class _Violations:
    """How many pairs go against the order of any credit: two sorted lists, two look-ups."""

    def __init__(self, mixed: Sequence[_Mixed], alike_against: int, alike_n: int) -> None:
        self.pairs = len(mixed) + alike_n
        self._alike_against = alike_against
        self._went_first = sorted(pair.ahead_ns for pair in mixed if pair.preferred_first)
        self._went_later = sorted(pair.ahead_ns for pair in mixed if not pair.preferred_first)

    def rule(self, credit_s: float) -> Rule:
        """The preferred one goes first when it came less than the credit later; at a tie, whoever came first."""
        if credit_s == STRICT_S:
            overtaken_against, kept_against = len(self._went_later), 0
        else:
            limit_ns = round(credit_s * _NS)
            overtaken_against = bisect_left(self._went_later, limit_ns)
            kept_against = len(self._went_first) - bisect_left(self._went_first, limit_ns)
        violations = self._alike_against + overtaken_against + kept_against
        names = {0.0: "first come first served", STRICT_S: "strict priority"}
        return Rule(
            name=names.get(credit_s, f"credit {credit_s:g} s"),
            credit_s=None if credit_s == STRICT_S else credit_s,
            violations=violations,
            share=round(violations / self.pairs, 5) if self.pairs else 0.0,
        )


def pairs_of(contacts: Sequence[Recorded], kind: str, served: Served) -> Iterator[tuple[Recorded, Recorded]]:
    """Who waited at the same time: (came first, came second), not served in the same moment."""
    asked = sorted(
        (contact for contact in contacts if contact.kind == kind and served(contact)), key=_asked_ns
    )
    waiting: list[Recorded] = []
    for second in asked:
        asked_ns, served_ns = _asked_ns(second), served(second)
        waiting = [first for first in waiting if served(first) > asked_ns]
        for first in waiting:
            if served(first) != served_ns:
                yield first, second
        waiting.append(second)


def _asked_ns(contact: Recorded) -> int:
    assert contact.queued_ns is not None
    return contact.queued_ns


def _steps(mixed: Sequence[_Mixed], step_s: float) -> tuple[Step, ...]:
    """How often the preferred one, having come later, went first: a step where the credit ends."""
    found = []
    step_ns = round(step_s * _NS)
    by_step: dict[int, list[bool]] = {}
    for pair in mixed:
        if pair.ahead_ns > 0:
            by_step.setdefault(pair.ahead_ns // step_ns, []).append(pair.preferred_first)
    for index, firsts in sorted(by_step.items()):
        found.append(
            Step(
                from_s=index * step_s,
                until_s=(index + 1) * step_s,
                pairs=len(firsts),
                preferred_first=round(sum(firsts) / len(firsts), 5),
            )
        )
    return tuple(found)
