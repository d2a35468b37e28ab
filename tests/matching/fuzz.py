"""Drive the two queues through the same random history until they differ: python -m tests.matching.fuzz.

Prints the seed of every history, and of the first that fails the operations that led there.
"""

from __future__ import annotations

import argparse
import random
import time
from collections.abc import Callable
from typing import Any

from centralita.matching import NEVER_NS, NOBODY, MatchingQueue, NaiveMatchingQueue
from tests.matching.invariants import check_invariants

MEDIA = ("voice", "chat", "mail")
SKILLS = ("es", "en", "billing", "sales")
KEYS = (
    ("longest_idle",),
    ("least_loaded", "longest_idle"),
    ("most_skilled", "least_loaded", "longest_idle"),
    ("least_flexible", "fewest_contacts"),
    ("rank", "round_robin"),
    ("random",),
    ("least_loaded", "random", "round_robin"),
    (),
)


class Twins:
    """One history, told to both queues; every answer compared."""

    def __init__(self, seed: int) -> None:
        self.naive, self.native = NaiveMatchingQueue(), MatchingQueue()
        self.random = random.Random(seed)
        self.told: list[tuple[str, tuple[Any, ...], dict[str, Any]]] = []
        self.now_ns = 0
        self.contacts: set[int] = set()
        self.agents: set[int] = set()
        self.next_contact = 1
        self.requirements: list[int] = []
        self.profiles: list[int] = []
        self.orders: list[int] = []
        self.ladders: list[int] = []
        # Some histories know one rate only, some have nobody reserve: the compiled queue takes other paths.
        self.rates = self.random.choice([(1000,), (1000,), (1000, 500, 3000)])
        self.reserve = self.random.choice([False, True])
        if self.random.random() < 0.4:
            self.native.disperse()
        for name in MEDIA:
            self.tell("medium", name)
        for name in SKILLS:
            self.tell("skill", name)
        for _ in range(self.random.randint(1, 4)):
            self.add_rules()

    def tell(self, name: str, *args: Any, **kwargs: Any) -> Any:
        self.told.append((name, args, kwargs))
        answers = []
        for queue in (self.naive, self.native):
            try:
                answers.append(("returned", getattr(queue, name)(*args, **kwargs)))
            except (KeyError, ValueError) as error:
                answers.append(("raised", type(error)))
        assert answers[0] == answers[1], f"{name}{args}{kwargs}: naive {answers[0]}, native {answers[1]}"
        kind, answer = answers[0]
        return answer if kind == "returned" else None

    def add_rules(self) -> None:
        pick = self.random
        levels = [(skill, pick.randint(4, 6)) for skill in range(len(SKILLS)) if pick.random() < 0.3]
        medium = pick.randrange(len(MEDIA))
        units = pick.choice([(100, 100, 60), (33, 50, 0), (10, 25, 10)][medium])
        self.requirements.append(self.tell("requirement", levels, medium, units))
        skills = [(skill, pick.randint(4, 8)) for skill in range(len(SKILLS)) if pick.random() < 0.7]
        limits = [(medium, pick.randint(0, 3)) for medium in range(len(MEDIA)) if pick.random() < 0.3]
        ranks = [(group, pick.randint(1, 3)) for group in range(2) if pick.random() < 0.5]
        self.profiles.append(self.tell("profile", skills, pick.choice([100, 100, 150, 0]), limits, ranks))
        after_ns = pick.choice([NEVER_NS, 5, 20]) if self.reserve else NEVER_NS
        keys, group = pick.choice(KEYS), pick.randrange(2)
        self.orders.append(
            self.tell(
                "order",
                keys,
                offer_to=pick.choice([1, 1, 1, 2, 3]),
                rank_group=group,
                seed=pick.randrange(5),
                reserve_after_ns=after_ns,
            )
        )
        rungs, after = [], 0
        for _ in range(pick.randint(0, 3)):
            after += pick.randint(0, 15)
            rungs.append((after, pick.choice(self.requirements), pick.randint(-1, 2)))
        self.ladders.append(self.tell("ladder", rungs))

    def some_contact(self) -> int:
        known = sorted(self.contacts)
        return (
            self.random.choice(known)
            if known and self.random.random() < 0.97
            else self.random.randint(-1, 40)
        )

    def some_agent(self) -> int:
        known = sorted(self.agents)
        return (
            self.random.choice(known)
            if known and self.random.random() < 0.97
            else self.random.randint(-1, 12)
        )

    def some_hand(self) -> tuple[int, int]:
        """A contact and an agent who mostly has it."""
        agent = self.some_agent()
        hands = self.naive.hands(agent) if agent in self.agents else []
        return (self.random.choice(hands)[0] if hands else self.some_contact()), agent

    def step(self) -> None:
        pick = self.random
        if pick.random() < 0.6:
            self.now_ns += pick.randint(0, 6)
        operations: list[tuple[int, Callable[[], None]]] = [
            (14, self.enqueue), (12, self.match), (8, self.finish), (5, self.sign_in), (2, self.sign_out),
            (4, self.switch), (2, self.set_profile), (3, self.drop), (3, self.requeue), (5, self.give_back),
            (5, self.accept), (3, self.assign), (5, self.change), (3, self.prefer), (3, self.exclude),
            (3, self.advance), (1, self.add_rules), (1, self.interrupt), (2, self.batch), (2, self.fused),
            (1, self.hold),
        ]  # fmt: skip
        pick.choices([operation for _, operation in operations], [weight for weight, _ in operations])[0]()
        self.compare()

    def enqueue(self) -> None:
        pick, contact = self.random, self.next_contact
        if pick.random() < 0.03:
            contact = self.some_contact()
        self.next_contact += 1
        options: dict[str, Any] = {"queued_ns": self.now_ns - pick.choice([0, 0, 0, 3, 30])}
        if pick.random() < 0.2:
            options["credit_ns"] = pick.randint(-20, 20)
        if pick.random() < 0.3:
            options["priority"] = pick.randint(-1, 2)
        options["rate"] = pick.choice(self.rates)
        if pick.random() < 0.2:
            options["ladder"] = pick.choice(self.ladders)
            options["rung"] = pick.choice([0, 0, 1])
        if pick.random() < 0.15:
            options["preferred"] = pick.randint(0, 9)
            options["preferred_until_ns"] = self.now_ns + pick.randint(0, 30)
        if pick.random() < 0.15:
            options["excluded"] = [pick.randint(0, 9) for _ in range(pick.randint(1, 3))]
        if pick.random() < 0.05:
            options["waiting"] = False
        self.tell("enqueue", contact, pick.choice(self.requirements), pick.choice(self.orders), **options)
        if contact >= 0:
            self.contacts.add(contact)

    def match(self) -> None:
        self.tell("advance", now_ns=self.now_ns)
        self.tell("match", now_ns=self.now_ns)
        check_invariants(self.native, now_ns=self.now_ns, agents=self.agents)

    def advance(self) -> None:
        self.tell("advance", now_ns=self.now_ns)

    def finish(self) -> None:
        contact, agent = self.some_hand()
        self.tell("finish", contact, agent, now_ns=self.now_ns)

    def sign_in(self) -> None:
        agent, pick = self.random.randint(0, 9), self.random
        options: dict[str, Any] = {"now_ns": self.now_ns, "available": pick.random() < 0.8}
        if pick.random() < 0.2:
            options |= {
                "since_ns": self.now_ns - pick.randint(0, 9),
                "given": pick.randint(0, 3),
                "turn": pick.randint(0, 9),
            }
        self.tell("add_agent", agent, pick.choice(self.profiles), **options)
        self.agents.add(agent)

    def sign_out(self) -> None:
        agent = self.some_agent()
        self.tell("remove_agent", agent, now_ns=self.now_ns)
        self.agents.discard(agent)

    def switch(self) -> None:
        self.tell("set_available", self.some_agent(), self.random.random() < 0.7, now_ns=self.now_ns)

    def set_profile(self) -> None:
        self.tell("set_profile", self.some_agent(), self.random.choice(self.profiles))

    def drop(self) -> None:
        self.tell("drop", self.some_contact(), now_ns=self.now_ns)

    def requeue(self) -> None:
        self.tell("requeue", self.some_contact(), now_ns=self.now_ns)

    def give_back(self) -> None:
        contact, agent = self.some_hand()
        self.tell("give_back", contact, agent, now_ns=self.now_ns, exclude=self.random.random() < 0.5)

    def accept(self) -> None:
        contact, agent = self.some_hand()
        self.tell("accept", contact, agent, now_ns=self.now_ns)

    def assign(self) -> None:
        self.tell("assign", self.some_contact(), self.some_agent(), now_ns=self.now_ns)

    def hold(self) -> None:
        pick = self.random
        options = {
            "medium": pick.randrange(3),
            "units": pick.choice([1, 33]),
            "tentative": pick.random() < 0.5,
        }
        self.tell("hold", self.some_contact(), self.some_agent(), **options)

    def change(self) -> None:
        pick = self.random
        values: dict[str, Callable[[], int]] = {
            "requirement": lambda: pick.choice(self.requirements),
            "order": lambda: pick.choice(self.orders),
            "priority": lambda: pick.randint(-1, 2),
            "rate": lambda: pick.choice(self.rates),
            "credit_ns": lambda: pick.randint(-100, 100),
            "ladder": lambda: pick.choice([*self.ladders, -1]),
            "rung": lambda: pick.randint(0, 2),
        }
        self.tell(
            "change",
            self.some_contact(),
            **{name: make() for name, make in values.items() if pick.random() < 0.3},
        )

    def prefer(self) -> None:
        agent = self.random.choice([NOBODY, *range(10)])
        self.tell("prefer", self.some_contact(), agent, until_ns=self.now_ns + self.random.randint(-5, 30))

    def exclude(self) -> None:
        self.tell("exclude", self.some_contact(), self.random.randint(0, 9))

    def interrupt(self) -> None:
        media = range(len(MEDIA))
        self.tell(
            "set_interrupts", [(by, over) for by in media for over in media if self.random.random() < 0.2]
        )

    def batch(self) -> None:
        pick, operations = self.random, []
        for _ in range(pick.randint(1, 12)):
            contact, agent = self.some_hand()
            requirement, order = pick.choice(self.requirements), pick.choice(self.orders)
            operations.append(
                pick.choice(
                    [
                        (0, self.now_ns), (2, self.next_contact, requirement, order, self.now_ns, 0, pick.randint(0, 1)),
                        (11, contact, agent, self.now_ns), (4, contact, self.now_ns), (5, contact, pick.randint(0, 2)),
                        (10, contact, agent, self.now_ns, 1), (14, agent, 1, self.now_ns), (1, self.now_ns),
                        (6, contact, requirement), (9, contact, agent, self.now_ns), (3, contact, self.now_ns),
                    ]
                )
            )  # fmt: skip
            if operations[-1][0] == 2:
                self.contacts.add(self.next_contact)
                self.next_contact += 1
        self.tell("batch", operations)

    def fused(self) -> None:
        self.tell("advance", now_ns=self.now_ns)
        if self.random.random() < 0.5:
            requirement, order = self.random.choice(self.requirements), self.random.choice(self.orders)
            priority = self.random.randint(0, 1)
            self.contacts.add(self.next_contact)
            self.tell(
                "enqueue_then_match", self.next_contact, requirement, order,
                queued_ns=self.now_ns, now_ns=self.now_ns, priority=priority,
            )  # fmt: skip
            self.next_contact += 1
        else:
            self.tell("finish_then_match", *self.some_hand(), now_ns=self.now_ns)

    def compare(self) -> None:
        pick = self.random
        self.tell("state_hash")
        self.tell("next_deadline_ns")
        self.tell("waiting_n")
        self.contacts = {contact for contact in self.contacts if self.known(contact)}
        if pick.random() < 0.3:
            contact, agent = self.some_contact(), self.some_agent()
            self.tell("explain", contact, now_ns=self.now_ns, limit=pick.choice([0, 1, 2, 100]))
            self.tell("ahead", contact, now_ns=self.now_ns)
            self.tell("in_order", now_ns=self.now_ns, limit=pick.choice([3, 1000]))
            self.tell("explain_choice", contact, [agent], now_ns=self.now_ns)
            self.tell("holders", contact)
            self.tell("is_waiting", contact)
            self.tell("hands", agent)
            self.tell("held_units", agent)
            self.tell("agent_keys", agent)
            self.tell("reserved_for", agent)
            self.tell("capable_n", pick.choice(self.requirements))

    def known(self, contact: int) -> bool:
        try:
            self.naive.is_waiting(contact)
        except KeyError:
            return False
        return True


def run(seed: int, steps: int) -> None:
    twins = Twins(seed)
    try:
        for _ in range(steps):
            twins.step()
    except BaseException:
        print(f"seed {seed} failed after {len(twins.told)} calls; the last:")
        for name, args, kwargs in twins.told[-25:]:
            print(f"  {name}{args}{kwargs or ''}")
        raise


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=60)
    parser.add_argument("--seed", type=int, default=None, help="run this one history")
    parser.add_argument("--steps", type=int, default=400)
    args = parser.parse_args()
    if args.seed is not None:
        run(args.seed, args.steps)
        return
    first, ends_s = random.SystemRandom().randrange(1 << 40), time.monotonic() + args.seconds
    seed = first
    while time.monotonic() < ends_s:
        run(seed, args.steps)
        seed += 1
    print(f"{seed - first} histories of {args.steps} steps agree, seeds {first} to {seed - 1}")


if __name__ == "__main__":
    main()
