"""Agents come, go, choose a status and lose their connection."""

from __future__ import annotations

from typing import Final

from centralita.apply.phases import Change
from centralita.errors import InvalidTransition
from centralita.messages import (
    AgentConnectionLost,
    AgentLeaving,
    AgentOccupied,
    AgentReleased,
    AgentReturned,
    AgentSignedIn,
    AgentSignedOut,
    AgentStatusChanged,
    Status,
)
from centralita.state import STATUS_TRANSITIONS, Agent, State


def _choose(agent: Agent, status: Status) -> None:
    if status not in STATUS_TRANSITIONS[agent.status]:
        raise InvalidTransition(f"agent {agent.name} was {agent.status}; {status} can't come then")
    agent.status = status


def _signed_in(state: State, event: AgentSignedIn, at_ns: int) -> None:
    agent = state.agents[event.agent]
    _choose(agent, event.status)
    agent.reason = event.reason
    agent.desk = event.desk
    agent.since_ns = at_ns
    agent.leaving = False
    agent.grace_until_ns = 0
    agent.no_answers = 0


def _status_changed(state: State, event: AgentStatusChanged, at_ns: int) -> None:
    agent = state.agents[event.agent]
    _choose(agent, event.status)
    agent.reason = event.reason
    agent.since_ns = at_ns
    agent.leaving = False
    if event.status == "available":
        agent.no_answers = 0


def _occupied(state: State, event: AgentOccupied, at_ns: int) -> None:
    agent = state.agents[event.agent]
    agent.busy = event.reason
    agent.since_ns = at_ns


def _released(state: State, event: AgentReleased, at_ns: int) -> None:
    agent = state.agents[event.agent]
    agent.busy = ""
    agent.since_ns = at_ns


def _leaving(state: State, event: AgentLeaving, at_ns: int) -> None:
    state.agents[event.agent].leaving = True


def _signed_out(state: State, event: AgentSignedOut, at_ns: int) -> None:
    agent = state.agents[event.agent]
    _choose(agent, "offline")
    agent.reason = event.reason
    agent.since_ns = at_ns
    agent.desk = ""
    agent.leaving = False
    agent.grace_until_ns = 0
    agent.busy = ""
    agent.queue_since_ns = agent.queue_given = agent.queue_turn = 0


def _connection_lost(state: State, event: AgentConnectionLost, at_ns: int) -> None:
    agent = state.agents[event.agent]
    agent.grace_until_ns = event.grace_until_ns
    agent.desk = ""


def _agent_returned(state: State, event: AgentReturned, at_ns: int) -> None:
    agent = state.agents[event.agent]
    agent.grace_until_ns = 0
    agent.desk = event.desk


CHANGES: Final[dict[type, Change]] = {
    AgentSignedIn: _signed_in,
    AgentStatusChanged: _status_changed,
    AgentOccupied: _occupied,
    AgentReleased: _released,
    AgentLeaving: _leaving,
    AgentSignedOut: _signed_out,
    AgentConnectionLost: _connection_lost,
    AgentReturned: _agent_returned,
}
