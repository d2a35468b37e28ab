"""The centre itself: its configuration, its queues' hours, its components."""

from __future__ import annotations

from typing import Final

from centralita.apply.phases import Change
from centralita.messages import ComponentDown, ComponentUp, ConfigurationApplied, QueueClosed, QueueOpened
from centralita.state import Agent, Queue, State


def _queue_opened(state: State, event: QueueOpened, at_ns: int) -> None:
    state.queues[event.queue].open = True


def _queue_closed(state: State, event: QueueClosed, at_ns: int) -> None:
    state.queues[event.queue].open = False


def _configuration_applied(state: State, event: ConfigurationApplied, at_ns: int) -> None:
    state.config = event.config
    for name in event.config.queues:
        if name not in state.queues:
            state.queues[name] = Queue(name=name)
    for name in [name for name in state.queues if name not in event.config.queues]:
        del state.queues[name]
    for name in event.config.agents:
        if name not in state.agents:
            state.last_agent_number += 1
            state.agents[name] = Agent(name=name, number=state.last_agent_number, since_ns=at_ns)
    for name in [name for name in state.agents if name not in event.config.agents]:
        del state.agents[name]


def _component_down(state: State, event: ComponentDown, at_ns: int) -> None:
    state.components_down[event.component] = event.error


def _component_up(state: State, event: ComponentUp, at_ns: int) -> None:
    state.components_down.pop(event.component, None)


CHANGES: Final[dict[type, Change]] = {
    QueueOpened: _queue_opened,
    QueueClosed: _queue_closed,
    ConfigurationApplied: _configuration_applied,
    ComponentDown: _component_down,
    ComponentUp: _component_up,
}
