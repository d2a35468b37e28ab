"""Centres to torture: small ones, drawn from the seed, whose rules meet each other often.

Small, because bugs live where rules meet and not where there is room: few agents, short limits, every
way to overflow, rings, preferences, several offers at once, media that interrupt others. A day begins
with one configuration and changes it while contacts are in flight (`changed`).
"""

from __future__ import annotations

from random import Random
from typing import Final, TypeVar

import msgspec
from msgspec.structs import replace

from centralita.config import Agent, ChannelRule, EngineConfig, Limits, Overflow, Queue, Ring

AGENTS: Final = ("ana", "bob", "carla", "dan", "eva", "fede")
GUEST: Final = "gina"
"""An agent who is in some configurations and not in others."""
QUEUES: Final = ("sales", "support", "overflow", "tiny")
PASSING: Final = "passing"
"""A queue that is in some configurations and not in others."""
CHANNELS: Final = ("web", "mail", "phone")
SPARE: Final = "sms"
"""A channel that is in some configurations and not in others."""
UNUSABLE: Final = "bad"
"""A queue that requires what nobody can have; with it a configuration must be refused."""
SKILLS: Final = ("en", "es", "tech")
Rules = TypeVar("Rules")
_ORDERS: Final = (
    ("longest_idle",), ("least_loaded", "longest_idle"), ("most_skilled", "round_robin"),
    ("rank", "fewest_contacts", "random"), ("least_flexible", "fewest_contacts"), ("round_robin",),
)  # fmt: skip


def centre(chance: Random) -> EngineConfig:
    """The configuration a day begins with."""
    reserves = chance.random() < 0.25
    config = EngineConfig(
        skills=SKILLS,
        dispositions=("solved", "open"),
        default_queue="sales",
        queues={name: _queue(name, chance, reserves=reserves) for name in QUEUES},
        agents={name: _agent(chance) for name in AGENTS},
        channels=_channels(chance),
        crms=("crm",) if chance.random() < 0.7 else (),
        classifiers=("words",) if chance.random() < 0.7 else (),
        limits=_limits(chance),
    )
    return as_journalled(config)


def changed(config: EngineConfig, chance: Random) -> EngineConfig:
    """The same centre under other rules; about one in ten of them can't be used at all."""
    return as_journalled(_changed(config, chance))


def as_journalled(config: EngineConfig) -> EngineConfig:
    """The configuration as a journal gives it back (whole seconds as floats): states are compared bytewise."""
    return msgspec.msgpack.decode(msgspec.msgpack.encode(config), type=EngineConfig)


def usable(config: EngineConfig) -> bool:
    """Whether a configuration may be applied."""
    return UNUSABLE not in config.queues


def reserving(config: EngineConfig) -> bool:
    """Whether any queue reserves agents: who is reserved is not journalled, and is settled anew after a crash."""
    return any(queue.reserve_after_s is not None for queue in config.queues.values())


def _changed(config: EngineConfig, chance: Random) -> EngineConfig:
    reserves = reserving(config)
    roll = chance.random()
    if roll < 0.1:
        return replace(config, queues={**config.queues, UNUSABLE: Queue(skills={"klingon": 1})})
    if roll < 0.4:
        name = chance.choice(QUEUES)
        return replace(config, queues={**config.queues, name: _queue(name, chance, reserves=reserves)})
    if roll < 0.55:
        name = chance.choice(AGENTS)
        return replace(config, agents={**config.agents, name: _agent(chance)})
    if roll < 0.65:
        return replace(config, agents=_toggled(config.agents, GUEST, _agent(chance)))
    if roll < 0.72:
        name = chance.choice(AGENTS)
        return replace(config, agents=_toggled(config.agents, name, _agent(chance)))
    if roll < 0.8:
        return replace(
            config, queues=_toggled(config.queues, PASSING, _queue(PASSING, chance, reserves=reserves))
        )
    if roll < 0.86:
        rule = ChannelRule(medium="sms", queue="tiny")
        return replace(config, channels=_toggled(config.channels, SPARE, rule))
    if roll < 0.93:
        medium = replace(config.media["chat"], units=chance.choice((20, 33, 50)))
        return replace(config, media={**config.media, "chat": medium})
    return replace(
        config,
        crms=("crm",) if chance.random() < 0.6 else (),
        classifiers=("words",) if chance.random() < 0.6 else (),
        channels={**config.channels, **_channels(chance)},
        limits=_limits(chance),
    )


def _toggled(tables: dict[str, Rules], name: str, rules: Rules) -> dict[str, Rules]:
    if name in tables:
        return {key: value for key, value in tables.items() if key != name}
    return {**tables, name: rules}


def _limits(chance: Random) -> Limits:
    return Limits(
        identify_s=2,
        classify_s=2,
        bot_turn_s=chance.choice((5, 20)),
        grace_s=chance.choice((0, 4, 15)),
        hold_s=chance.choice((10, 60)),
        silence_s=chance.choice((60, 400)),
        rating_s=chance.choice((0, 60, 3600)),
        messages_kept=chance.choice((10, 1000)),
        hops=chance.choice((3, 10)),
    )


def _channels(chance: Random) -> dict[str, ChannelRule]:
    bot = "menu" if chance.random() < 0.5 else ""
    return {
        "web": ChannelRule(medium="chat", queue="sales", can_dial=True, bot=bot),
        "mail": ChannelRule(medium="email", queue="support"),
        "phone": ChannelRule(
            medium="voice", can_dial=True, can_forward=True, bot="menu" if chance.random() < 0.3 else ""
        ),
    }


def _agent(chance: Random) -> Agent:
    skills = {skill: chance.randint(1, 10) for skill in SKILLS if chance.random() < 0.65}
    return Agent(
        skills=skills,
        capacity=chance.choice((100, 100, 100, 60, 150, 300)),
        limits={"chat": chance.randint(0, 3)} if chance.random() < 0.3 else {},
        ranks={chance.choice(QUEUES): chance.randint(1, 3)} if chance.random() < 0.4 else {},
    )


def _overflow(chance: Random, name: str) -> Overflow:
    others = [queue for queue in QUEUES if queue != name]
    return chance.choice(
        (
            Overflow(do="wait"),
            Overflow(do="queue", queue=chance.choice(others)),
            Overflow(do="callback", text="We call you back."),
            Overflow(do="message", text="It takes a little longer."),
            Overflow(do="refuse", text="Sorry."),
            Overflow(do="refuse"),
        )
    )


def _rings(chance: Random) -> tuple[Ring, ...]:
    if chance.random() < 0.4:
        return ()
    first = Ring(after_s=chance.choice((0, 3, 10)), lower={"en": 1, "es": 1})
    second = Ring(
        after_s=chance.choice((15, 30)), drop=("en", "es", "tech"), raise_priority=chance.randint(0, 2)
    )
    return (first, second) if chance.random() < 0.7 else (second,)


def _queue(name: str, chance: Random, *, reserves: bool) -> Queue:
    wrap_up_s = chance.choice((0, 5, 12))
    return Queue(
        skills={skill: chance.randint(1, 7) for skill in SKILLS if chance.random() < 0.4},
        priority=chance.choice((0, 0, 0, 2)),
        credit_s=chance.choice((0, 0, 30, -20)),
        rate=chance.choice((1, 1, 1, 2.5)),
        agent_order=chance.choice(_ORDERS),
        seed=chance.randrange(1000),
        offer_to=chance.choice((1, 1, 1, 2, 3)),
        offer_s=chance.choice((3, 6, 10)),
        no_answer=chance.choice(("stay", "unavailable")),
        no_answer_limit=chance.choice((1, 2, 3)),
        connect_s=chance.choice((3, 8)),
        rings=_rings(chance),
        prefer_for_s=chance.choice((0, 0, 5, 15)),
        wrap_up_s=wrap_up_s,
        wrap_up_max_s=60,
        answer_target_s=chance.choice((0, 5, 20)),
        max_waiting=chance.choice((None, None, 1, 6)) if name != "overflow" else None,
        max_wait_s=chance.choice((None, 20, 60)),
        when_full=_overflow(chance, name),
        when_waited=_overflow(chance, name),
        when_unstaffed=_overflow(chance, name) if chance.random() < 0.5 else Overflow(do="wait"),
        when_closed=_overflow(chance, name),
        announce_every_s=chance.choice((0, 0, 4, 11)),
        announce_wait=chance.random() < 0.3,
        callback_attempts=chance.choice((1, 2, 3)),
        callback_s=chance.choice((5, 20)),
        callback_retry_s=chance.choice((5, 25)),
        reserve_after_s=10 if reserves and (name == "sales" or chance.random() < 0.4) else None,
        keep_deferred=chance.random() < 0.5,
        ask_again_s=chance.choice((2, 10, 60)),
    )
