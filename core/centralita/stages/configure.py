"""The rules change while contacts live: a whole configuration at once, a queue's hours, components."""

from __future__ import annotations

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
    engine.emit(ConfigurationApplied(config=config))
    return None


def _in_use(engine: Engine, config: EngineConfig) -> list[str]:
    problems: dict[str, int] = {}
    for contact in engine.state.contacts.values():
        media = {contact.medium, *(work.medium for work in contact.works.values())}
        channels = {contact.channel, contact.callback_channel}
        used: list[tuple[str, Collection[str], str]] = [(name, config.media, "media") for name in media]
        used += [(name, config.channels, "channels") for name in channels]
        used.append((contact.queue, config.queues, "queues"))
        for name, kept, kind in used:
            if name and name not in kept:
                problems[f"{kind}.{name}"] = problems.get(f"{kind}.{name}", 0) + 1
    return [
        f"{path}: {count} live contacts are in it; it can't be removed before they have ended"
        for path, count in sorted(problems.items())
    ]


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
