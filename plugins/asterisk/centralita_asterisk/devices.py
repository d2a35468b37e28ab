"""What agents' phones do besides our calls: whether they are there, and whether they are in use.

Asterisk says of each device NOT_INUSE, INUSE, BUSY, RINGING, ONHOLD, UNAVAILABLE … A phone that is called through the
dialplan (`Local/…`) has no state of its own and counts as there.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final
from urllib.parse import quote

import msgspec
import trio

from centralita.messages import OccupyAgent
from centralita_asterisk.ari import AriError, DeviceState
from centralita_asterisk.calls import Leg
from centralita_asterisk.exchange import Exchange
from centralita_asterisk.server import Server

AT_ONCE: Final = 50
"""Devices in one request: a request is one line with a length."""
IN_USE: Final = frozenset({"INUSE", "BUSY", "ONHOLD", "RINGINUSE"})
PRIVATE: Final = "on_the_phone"
"""Why an agent is busy."""
LEFT_S: Final = 2.0
"""How long after a call of ours the phone may be said to be in use for that call's sake."""
NO_STATE: Final = "NOT_INUSE"
_STATES: Final = msgspec.json.Decoder(DeviceState)


async def watch_devices(exchange: Exchange, server: Server) -> None:
    """Learn what every agent's phone does now, and have changes told; phones that are watched already are left out."""
    agents = exchange.switchboard.configuration().engine.agents
    phones = sorted({server.phone(agent) for agent in agents} - server.watched)
    server.watched |= set(phones)
    try:
        await _watch(exchange, server, phones)
    except AriError:
        server.watched -= set(phones)
        raise
    for agent in agents:
        if server.phone(agent) in phones:
            exchange.start(check_private_call, exchange, agent)
    # Also for agents who are new to a phone that is watched already.
    exchange.devices.wake()


async def _watch(exchange: Exchange, server: Server, phones: Sequence[str]) -> None:
    with_state = [phone for phone in phones if not phone.startswith("Local/")]
    for start in range(0, len(with_state), AT_ONCE):
        sources = ",".join(f"deviceState:{phone}" for phone in with_state[start : start + AT_ONCE])
        await server.ask("POST", f"applications/{server.app}/subscription", {"eventSource": sources})
    for phone in phones:
        heard, state = exchange.devices.heard(server.name, phone), NO_STATE
        if phone in with_state:
            answer = await server.ask("GET", f"deviceStates/{quote(phone, safe='')}")
            state = _STATES.decode(answer).state
        exchange.devices.found(server.name, phone, state, heard=heard)


async def device_changed(exchange: Exchange, server: Server, device: str) -> None:
    """A phone does something else now: whose is it, and is it ours?"""
    for agent in exchange.switchboard.configuration().engine.agents:
        if server.phone(agent) == device:
            await check_private_call(exchange, agent)


def has_left(exchange: Exchange, leg: Leg) -> None:
    """A call of ours on an agent's phone is over. The server tells of the phone by itself, a moment later than of the
    call: until then it is said to be in use, and that is no private call."""
    exchange.leaving[leg.agent] += 1
    exchange.start(_leave, exchange, leg)


async def _leave(exchange: Exchange, leg: Leg) -> None:
    devices, phone = exchange.devices, leg.server.phone(leg.agent)
    try:
        with trio.move_on_after(LEFT_S):
            while True:
                changed = devices.changed
                if devices.state(leg.server.name, phone) not in IN_USE:
                    break
                await changed.wait()
    finally:
        exchange.leaving[leg.agent] -= 1
    await check_private_call(exchange, leg.agent)


async def check_private_call(exchange: Exchange, agent: str) -> None:
    """Tell the engine when the agent's phone is in use and it is no call of ours, and when that is over."""
    view = exchange.switchboard.agent(agent)
    if view is None or view.status == "offline":
        return
    in_use = any(
        exchange.devices.state(server.name, server.phone(agent)) in IN_USE
        for server in exchange.servers.values()
    )
    ours = exchange.leaving[agent] > 0 or any(
        leg.agent == agent and leg.state != "gone" for leg in exchange.calls.legs
    )
    private = in_use and not ours
    if private != (
        view.reason == PRIVATE and view.state in ("break", "connected", "wrapping", "offered", "full")
    ):
        await exchange.submit(OccupyAgent(agent=agent, on=private, reason=PRIVATE, by="phone"))
