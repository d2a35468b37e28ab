"""The linter's word on who can be served is the engine's: what it calls an error never gets an offer, all else does."""

import random

from centralita.config import NS_PER_S, EngineConfig, decode
from centralita.engine import Engine
from centralita.lint import lint
from centralita.messages import AdmitContact, ApplyConfiguration, ContactOffered, SignIn, Tick
from centralita.views import Problem

CASES = 400
FOR_EVER_S = 10_000
START_NS = 1_000 * NS_PER_S


def test_engine_offers_exactly_what_the_linter_lets_pass() -> None:
    seed = 20261122
    print(f"seed {seed}")
    chance = random.Random(seed)
    seen: dict[bool, int] = {True: 0, False: 0}
    for case in range(CASES):
        config = one_queue(chance)
        errors = [problem for problem in lint(config) if problem.level == "error"]
        offered = is_ever_offered(config)
        assert offered == (not errors), (case, config, errors)
        seen[offered] += 1
    assert min(seen.values()) > CASES // 10, seen


def test_engine_waits_for_the_ring_that_the_linter_names() -> None:
    chance = random.Random(7)
    late = 0
    for _ in range(CASES):
        config = one_queue(chance)
        found = lint(config)
        if [problem for problem in found if problem.level == "error"]:
            continue
        waits = any(" waits until rings[" in problem.message for problem in found)
        if waits:
            late += 1
        assert is_offered_at_once(config) == (not waits), (config, found)
    assert late > 5


def one_queue(chance: random.Random) -> EngineConfig:
    """A queue with rings and perhaps a maximum wait, a channel that leads to it, and a few agents."""
    skills = ["a", "b", "c"]

    def levels(most: int) -> dict[str, int]:
        return {skill: chance.randint(1, most) for skill in chance.sample(skills, chance.randint(0, 3))}

    medium = chance.choice(["voice", "chat", "email"])
    queue: dict[str, object] = {
        "skills": levels(7),
        "rings": [
            {
                "after_s": 20 * (number + 1),
                "drop": chance.sample(skills, chance.randint(0, 1)),
                "lower": levels(5),
            }
            for number in range(chance.randint(0, 2))
        ],
    }
    if chance.random() < 0.5:
        queue["max_wait_s"] = chance.choice([15, 20, 30, 40, 100])
    configuration = decode(
        {
            "skills": skills,
            "queues": {"q": queue},
            "agents": {
                f"agent{number}": {
                    "skills": levels(10),
                    "capacity": chance.choice([9, 32, 99, 100]),
                    "limits": {medium: chance.choice([0, 1])} if chance.random() < 0.3 else {},
                }
                for number in range(chance.randint(1, 4))
            },
            "channels": {"way": {"type": "any", "medium": medium, "queue": "q", "can_dial": False}},
        }
    )
    return configuration.engine


def is_ever_offered(config: EngineConfig) -> bool:
    engine, offered = contact_in(config)
    for _ in range(10):
        if offered:
            return True
        due_ns = engine.next_deadline_ns()
        if due_ns > START_NS + FOR_EVER_S * NS_PER_S:
            return False
        offered = any(
            isinstance(event, ContactOffered) for event in engine.handle(Tick(), now_ns=due_ns).events
        )
    return offered


def is_offered_at_once(config: EngineConfig) -> bool:
    return contact_in(config)[1]


def contact_in(config: EngineConfig) -> tuple[Engine, bool]:
    """An engine with everybody signed in and one contact admitted; whether it was offered at once."""
    engine = Engine(core="naive")
    assert engine.handle(ApplyConfiguration(config=config), now_ns=START_NS).refusal is None
    for name in config.agents:
        assert engine.handle(SignIn(agent=name, desk="console"), now_ns=START_NS).refusal is None
    step = engine.handle(AdmitContact(channel="way", provider_id="1"), now_ns=START_NS)
    assert step.refusal is None
    return engine, any(isinstance(event, ContactOffered) for event in step.events)


def test_problem_is_what_the_views_say() -> None:
    assert all(isinstance(problem, Problem) for problem in lint(EngineConfig()))
