"""The linter's rules for `[queues.NAME]`: times that contradict each other, order, and who starves."""

from __future__ import annotations

from typing import Final

from centralita.config import EngineConfig, Queue
from centralita.lint.found import Found, listed, span
from centralita.lint.reach import Reach, leaves_after_s, rungs

WRAP_UP_LONG_S: Final = 1800
"""After-work longer than this after every contact is more often minutes taken for seconds."""

CREDIT_LONG_S: Final = 86_400
"""A head start longer than a day outweighs any wait: that is what `priority` is for."""

_ENDS_TIES: Final = ("random",)
"""Order keys after which two agents are never equal, so that later keys decide nothing."""


def queue_problems(engine: EngineConfig, reach: Reach, named_elsewhere: frozenset[str], found: Found) -> None:
    """Report what a queue's own rules make impossible, pointless or unfair."""
    decided_elsewhere = bool(engine.classifiers) or any(c.bot for c in engine.channels.values())
    for name, queue in engine.queues.items():
        path = f"queues.{name}"
        if engine.channels and not (name in reach.led_to or decided_elsewhere or name in named_elsewhere):
            found.warning(
                path, "no channel, overflow or default_queue leads here; only transfers can: name it in one"
            )
        _times(path, queue, found)
        _weights(path, queue, found)
        _agent_order(name, queue, engine, reach, found)
        if engine.agents:
            _offers(name, queue, reach, found)
    _starvation(engine, reach, found)


def _times(path: str, queue: Queue, found: Found) -> None:
    leaves_s = leaves_after_s(queue)
    if leaves_s is not None:
        for field, seconds, what in (
            ("offer_s", queue.offer_s, "one agent who does not answer uses up the whole wait"),
            ("answer_target_s", queue.answer_target_s, "no contact waits as long as the target allows"),
            ("prefer_for_s", queue.prefer_for_s, "a busy preferred agent holds the contact until it leaves"),
            ("reserve_after_s", queue.reserve_after_s or 0, "no agent is ever reserved"),
            ("announce_every_s", queue.announce_every_s, "nothing is ever announced"),
        ):
            longer = seconds > leaves_s if field in ("offer_s", "answer_target_s") else seconds >= leaves_s
            if seconds and longer:
                found.warning(
                    f"{path}.{field}",
                    f"was {seconds:g}, and max_wait_s ends the wait at {leaves_s:g}: {what}; shorten it or"
                    " lengthen max_wait_s",
                )
    if queue.wrap_up_s > WRAP_UP_LONG_S:
        found.warning(
            f"{path}.wrap_up_s",
            f"was {queue.wrap_up_s:g}: agents are kept {span(queue.wrap_up_s)} after every contact; it is in"
            " seconds",
        )
    if queue.answer_target_s and queue.short_abandon_s > queue.answer_target_s:
        found.warning(
            f"{path}.short_abandon_s",
            f"was {queue.short_abandon_s:g}, more than answer_target_s, {queue.answer_target_s:g}: customers"
            " who leave after the target was missed would not count as abandoned",
        )
    if queue.announce_every_s and not (queue.announce_position or queue.announce_wait):
        found.warning(
            f"{path}.announce_every_s",
            "announce_position and announce_wait are both false, so there is nothing to say; set it to 0",
        )
    if queue.no_answer == "stay" and queue.no_answer_limit != 1:
        found.warning(
            f"{path}.no_answer_limit",
            f"was {queue.no_answer_limit}, but no_answer = 'stay' never makes an agent unavailable; say"
            " no_answer = 'unavailable' or take it out",
        )


def _weights(path: str, queue: Queue, found: Found) -> None:
    if abs(queue.credit_s) > CREDIT_LONG_S:
        found.warning(
            f"{path}.credit_s",
            f"was {queue.credit_s:g}, more than a day: it outweighs any wait; say it with priority",
        )
    if queue.seed and "random" not in queue.agent_order:
        found.warning(
            f"{path}.seed", "only agent_order = ['random'] uses a seed; take it out or order by random"
        )


def _agent_order(name: str, queue: Queue, engine: EngineConfig, reach: Reach, found: Found) -> None:
    path = f"queues.{name}.agent_order"
    for key in _ENDS_TIES:
        after = queue.agent_order[queue.agent_order.index(key) + 1 :] if key in queue.agent_order else ()
        if after:
            found.warning(path, f"{key!r} leaves no ties, so {listed(after)} decides nothing; put it last")
    if "most_skilled" in queue.agent_order and not any(rungs(queue)) and not engine.classifiers:
        found.warning(path, "'most_skilled' compares the required skills, and the queue requires none")
    if not engine.agents:
        return
    ranked = [agent for agent, rules in engine.agents.items() if name in rules.ranks]
    if "rank" in queue.agent_order and not ranked:
        found.warning(path, f"'rank' compares ranks, and no agent has one here; set agents.NAME.ranks.{name}")
    serving = reach.serving(name)
    for agent in ranked:
        if "rank" not in queue.agent_order:
            found.warning(f"agents.{agent}.ranks.{name}", f"{path} does not compare 'rank'; add it there")
    able = {agent for crew in reach.of(serving) for agent in crew.names}
    for agent in ranked:
        if agent not in able:
            found.warning(
                f"agents.{agent}.ranks.{name}",
                f"{agent} can't serve {name}; give them its skills or take it out",
            )


def _offers(name: str, queue: Queue, reach: Reach, found: Found) -> None:
    path = f"queues.{name}"
    serving_n = reach.agents_n(reach.serving(name))
    if queue.offer_to > 1 and 0 < serving_n < queue.offer_to:
        found.warning(
            f"{path}.offer_to", f"was {queue.offer_to}, and {serving_n} can serve the queue; lower it"
        )
    if queue.offer_to > 1 and queue.no_answer == "unavailable" and queue.no_answer_limit == 1:
        found.warning(
            f"{path}.no_answer",
            f"one contact that nobody answers makes all {queue.offer_to} who were asked unavailable; say"
            " 'stay' or raise no_answer_limit",
        )


def _starvation(engine: EngineConfig, reach: Reach, found: Found) -> None:
    """Strict priority starves a queue all of whose agents can always be given something before it."""
    serving = {name: reach.serving(name) for name in engine.queues}
    for name, queue in engine.queues.items():
        if not serving[name] or leaves_after_s(queue) is not None:
            continue
        highest = queue.priority + sum(ring.raise_priority for ring in queue.rings)
        before = [
            other
            for other, rules in engine.queues.items()
            if rules.priority > highest and serving[name] & ~serving[other] == 0
        ]
        if before:
            found.warning(
                f"queues.{name}.priority",
                f"all who serve it also serve {listed(before)}, which come first however long this one waits;"
                " keep an agent for it, let a ring raise_priority, or use credit_s instead of priority",
            )
