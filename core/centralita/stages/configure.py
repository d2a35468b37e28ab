"""The rules change while contacts live: a whole configuration at once, a queue's hours, components."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection
from typing import TYPE_CHECKING

from centralita.config import EngineConfig, problems_of
from centralita.messages import (
    ApplyConfiguration,
    CloseQueue,
    ComponentDown,
    ComponentUp,
    ConfigurationApplied,
    MarkComponentDown,
    MarkComponentUp,
    OpenQueue,
    QueueClosed,
    QueueOpened,
    Refusal,
)
from centralita.stages import attend
from centralita.stages.refuse import no_queue

if TYPE_CHECKING:
    from centralita.engine import Engine
    from centralita.state import Contact


def apply_configuration(engine: Engine, command: ApplyConfiguration) -> Refusal | None:
    """Replace every rule, or none. What live contacts stand on can't be taken away."""
    config = command.config
    problems = problems_of(config) or _in_use(engine, config)
    if problems:
        return Refusal(code="bad_configuration", message="\n".join(problems))
    if config == engine.state.config:
        return None
    for name, agent in engine.state.agents.items():
        if agent.present and name not in config.agents:
            attend.leave_now(engine, agent, "no longer configured")
    before = engine.state.config.queues
    engine.emit(ConfigurationApplied(config=config))
    for name, queue in config.queues.items():
        # What a calendar had closed has nobody left who would open it.
        if not queue.hours and name in before and before[name].hours and not engine.state.queues[name].open:
            engine.emit(QueueOpened(queue=name, reason="without hours"))
    return None


def _in_use(engine: Engine, config: EngineConfig) -> list[str]:
    kept, counts = _names(config), Counter[str]()
    taken = _names(engine.state.config) - kept
    if taken:
        for contact in engine.state.contacts.values():
            counts.update(taken & _needs(contact))
    return [
        f"{path}: needed by live contacts ({count}); it can't be removed before they have ended"
        for path, count in sorted(counts.items())
    ]


def _names(config: EngineConfig) -> set[str]:
    """Whatever a contact can stand on, by its place in the file."""
    tables: dict[str, Collection[str]] = {
        "media": config.media,
        "queues": config.queues,
        "channels": config.channels,
        "skills": config.skills,
    }
    return {f"{table}.{name}" for table, names in tables.items() for name in names}


def _needs(contact: Contact) -> set[str]:
    """What a contact stands on: where it is, how it came and how it is called back, what is required of its agent."""
    return {
        f"queues.{contact.queue}",
        f"channels.{contact.channel}",
        f"channels.{contact.callback_channel}",
        *(f"media.{name}" for name in (contact.medium, *(work.medium for work in contact.works.values()))),
        *(f"skills.{name}" for name in (*contact.skills, *(contact.own_skills or ()))),
    }


def open_queue(engine: Engine, command: OpenQueue) -> Refusal | None:
    """The queue takes contacts."""
    standing = engine.state.queues.get(command.queue)
    if standing is None:
        return no_queue(engine, command.queue)
    if not standing.open:
        engine.emit(QueueOpened(queue=command.queue, reason=command.reason))
    return None


def close_queue(engine: Engine, command: CloseQueue) -> Refusal | None:
    """The queue takes no new contacts; who waits goes on waiting."""
    standing = engine.state.queues.get(command.queue)
    if standing is None:
        return no_queue(engine, command.queue)
    if standing.open:
        engine.emit(QueueClosed(queue=command.queue, reason=command.reason))
    return None


def component_down(engine: Engine, command: MarkComponentDown) -> Refusal | None:
    """A component does not work; the newest error is kept."""
    if engine.state.components_down.get(command.component) != command.error:
        engine.emit(ComponentDown(component=command.component, error=command.error))
    return None


def component_up(engine: Engine, command: MarkComponentUp) -> Refusal | None:
    """A component works again; that a healthy one does is no news."""
    if command.component in engine.state.components_down:
        engine.emit(ComponentUp(component=command.component))
    return None
