"""No command that gets through an inbox, however senseless, ends the engine."""

import math
import random
import types
import typing
from typing import Any

import msgspec
import pytest

from centralita.config import loads
from centralita.engine import Engine
from centralita.messages import (
    AdmitContact,
    AnswerOffer,
    AnyCommand,
    ApplyConfiguration,
    Refusal,
    SignIn,
    Tick,
)
from centralita.runner.inbox import check_command
from tests.runner.house import CONFIG, START_NS

CONFIGURATION = loads(
    CONFIG.replace("[channels.shop]", '[channels.shop]\nmedium = "chat"\ncan_dial = true')
).engine
KINDS = [kind for kind in typing.get_args(AnyCommand) if kind is not ApplyConfiguration]
WHOLE = [0, 1, -1, 10, 2**31, 2**53, 2**61 - 1, 2**61, 2**63 - 1, -(2**63), 2**64 - 1, 2**70]
BROKEN = [0.0, 1.0, -1.0, 0.5, 1e10, 1e300, -1e300, math.inf, -math.inf, math.nan]
WORDS = [
    "",
    "shop",
    "help",
    "ana",
    "bea",
    "es",
    "floor",
    "x" * 5000,
    "\x00",
    "\ud800",
    "nadie",
    "p1",
    "lunch",
]
STEPS = 4_000
STEPS_A_LIFE = 300


class Nonsense:
    """Makes commands that are well typed, mostly, and sensible, seldom."""

    def __init__(self, seed: int) -> None:
        self.chance = random.Random(seed)

    def value(self, kind: Any) -> Any:
        chance, parts = self.chance, typing.get_args(kind)
        if isinstance(kind, type) and issubclass(kind, msgspec.Struct):
            return self.struct(kind)
        origin = typing.get_origin(kind)
        if origin is typing.Annotated:
            return self.value(parts[0])
        if origin is typing.Literal:
            return chance.choice(parts)
        if origin in (typing.Union, types.UnionType):
            return self.value(chance.choice(parts))
        if origin is dict:
            return {self.value(parts[0]): self.value(parts[1]) for _ in range(chance.randrange(3))}
        if origin is tuple:
            return tuple(self.value(parts[0]) for _ in range(chance.randrange(3)))
        small = [chance.randrange(1, 12)] * len(WHOLE)
        choices: dict[Any, list[Any]] = {
            int: WHOLE + small,
            float: BROKEN,
            str: WORDS,
            bool: [True, False],
            type(None): [None],
        }
        return chance.choice(choices[kind])

    def struct(self, kind: type[msgspec.Struct]) -> Any:
        hints = typing.get_type_hints(kind, include_extras=True)
        return kind(
            **{
                field.name: self.value(hints[field.name])
                for field in msgspec.structs.fields(kind)
                if field.required or self.chance.random() < 0.5
            }
        )

    def command(self, engine: Engine, number: int) -> Any:
        """Mostly nonsense, with enough sense between that contacts get on."""
        kind = self.chance.choice([*KINDS, AdmitContact, SignIn, AnswerOffer, AnswerOffer])
        sense = self.chance.random() < 0.8
        if kind is AdmitContact and sense:
            return AdmitContact(channel="shop", provider_id=f"p{number}")
        if kind is SignIn and sense:
            return SignIn(agent=self.chance.choice(["ana", "bea"]), desk="floor")
        offered = [
            (contact.id, agent, work.offer)
            for contact in engine.state.contacts.values()
            for agent, work in contact.works.items()
            if work.state == "offered"
        ]
        if kind is AnswerOffer and sense and offered:
            contact, agent, offer = self.chance.choice(offered)
            return AnswerOffer(contact=contact, agent=agent, offer=offer, accept=self.chance.random() < 0.7)
        return self.struct(kind)


@pytest.mark.parametrize("seed", [1, 2])
def test_no_command_that_passes_the_inbox_ends_the_engine(seed: int) -> None:
    print(f"seed {seed}")
    nonsense = Nonsense(seed)
    engine, now_ns, decided = Engine(), START_NS, 0
    for number in range(STEPS):
        if number % STEPS_A_LIFE == 0:
            engine, now_ns = Engine(), START_NS
            engine.handle(ApplyConfiguration(config=CONFIGURATION), now_ns=now_ns)
        command = check_command(nonsense.command(engine, number))
        if not isinstance(command, Refusal):
            now_ns += nonsense.chance.choice([0, 10**6, 10**9, 5 * 10**9, 10**11, 10**13])
            decided += engine.handle(command, now_ns=now_ns).refusal is None
            if engine.next_deadline_ns() <= now_ns:
                engine.handle(Tick(), now_ns=now_ns)
            assert len(engine.state.contacts) == engine.state.admitted_n - engine.state.ended_n
    assert decided > STEPS // 20
