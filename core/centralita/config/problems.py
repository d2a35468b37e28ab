"""Whether an engine's configuration can be used at all: names that exist, rules that can be kept.

Whether one that can be used makes sense is for `lint/` to say.
"""

from __future__ import annotations

from typing import Any

from centralita.config.faults import known_names
from centralita.config.rules import CALLBACK_MEDIUM, OWN_MEDIUM, EngineConfig, Overflow, Queue


def problems_of(engine: EngineConfig, *, bots: frozenset[str] | None = None) -> list[str]:
    """What makes an engine configuration unusable: names that don't exist, rules that can't be kept.

    The engine refuses to apply a configuration for which this is not empty.
    """
    problems: list[str] = []
    names = {"queue": engine.queues, "skill": engine.skills, "medium": engine.media}

    def known(path: str, what: str, value: str) -> None:
        if value not in names[what]:
            problems.append(f"{path} was {value!r}; known: {known_names(names[what])}")

    if len(set(engine.skills)) != len(engine.skills):
        problems.append("skills: a name stands twice")
    for name, queue in engine.queues.items():
        _queue_problems(name, queue, known, problems)
    for name, agent in engine.agents.items():
        for skill in agent.skills:
            known(f"agents.{name}.skills", "skill", skill)
        for medium in agent.limits:
            known(f"agents.{name}.limits", "medium", medium)
        for ranked in agent.ranks:
            known(f"agents.{name}.ranks", "queue", ranked)
    if CALLBACK_MEDIUM not in engine.media:
        problems.append(f"media.{CALLBACK_MEDIUM}: none given; whoever asks to be called back needs it")
    for name, medium_rule in engine.media.items():
        for other in medium_rule.may_interrupt:
            known(f"media.{name}.may_interrupt", "medium", other)
    for name, channel in engine.channels.items():
        # A file (`bots` is given) may leave the medium to the channel; the engine needs to know it.
        if channel.medium != OWN_MEDIUM or bots is None:
            known(f"channels.{name}.medium", "medium", channel.medium)
        if channel.queue:
            known(f"channels.{name}.queue", "queue", channel.queue)
        if channel.bot and bots is not None and channel.bot not in bots:
            problems.append(f"channels.{name}.bot was {channel.bot!r}; known: {known_names(bots)}")
        if not channel.queue and not engine.default_queue:
            problems.append(
                f"channels.{name}.queue: none given, and no default_queue; known: {known_names(engine.queues)}"
            )
    if engine.default_queue:
        known("default_queue", "queue", engine.default_queue)
    return problems


def _queue_problems(name: str, queue: Queue, known: Any, problems: list[str]) -> None:
    path = f"queues.{name}"
    for skill in queue.skills:
        known(f"{path}.skills", "skill", skill)
    previous_s = -1.0
    for index, ring in enumerate(queue.rings):
        for skill in (*ring.drop, *ring.lower):
            known(f"{path}.rings[{index}]", "skill", skill)
        if ring.after_s <= previous_s:
            problems.append(
                f"{path}.rings[{index}].after_s was {ring.after_s:g}; must be more than {previous_s:g}"
            )
        previous_s = ring.after_s
    for field in ("when_full", "when_waited", "when_unstaffed", "when_closed"):
        overflow: Overflow = getattr(queue, field)
        if overflow.do == "queue":
            known(f"{path}.{field}.queue", "queue", overflow.queue)
            if overflow.queue == name:
                problems.append(f"{path}.{field}.queue was {name!r}: a queue can't overflow into itself")
        if overflow.do == "message" and not overflow.text:
            problems.append(f"{path}.{field}.text is empty; do = 'message' needs one")
    if queue.wrap_up_s > queue.wrap_up_max_s:
        problems.append(
            f"{path}.wrap_up_s was {queue.wrap_up_s:g}; at most wrap_up_max_s, {queue.wrap_up_max_s:g}"
        )
    if len(set(queue.agent_order)) != len(queue.agent_order):
        problems.append(f"{path}.agent_order: a key stands twice")
