"""What agents' phones do besides our calls: whether they are there, and whether they are in use.

Asterisk says of each device NOT_INUSE, INUSE, BUSY, RINGING, ONHOLD, UNAVAILABLE … A phone that is called through the
dialplan (`Local/…`) has no state of its own and counts as there.
"""

from __future__ import annotations

from typing import Final
from urllib.parse import quote

import msgspec

from centralita_asterisk.ari import DeviceState
from centralita_asterisk.exchange import Exchange
from centralita_asterisk.server import Server

AT_ONCE: Final = 50
"""Devices in one request: a request is one line with a length."""
NO_STATE: Final = "NOT_INUSE"
_STATES: Final = msgspec.json.Decoder(DeviceState)


async def watch_devices(exchange: Exchange, server: Server) -> None:
    """Learn what every agent's phone does now, and have changes told."""
    agents = exchange.switchboard.configuration().engine.agents
    phones = sorted({server.phone(agent) for agent in agents})
    with_state = [phone for phone in phones if not phone.startswith("Local/")]
    for start in range(0, len(with_state), AT_ONCE):
        sources = ",".join(f"deviceState:{phone}" for phone in with_state[start : start + AT_ONCE])
        await server.ask("POST", f"applications/{server.app}/subscription", {"eventSource": sources})
    for phone in phones:
        state = NO_STATE
        if phone in with_state:
            answer = await server.ask("GET", f"deviceStates/{quote(phone, safe='')}")
            state = _STATES.decode(answer).state
        exchange.devices[server.name, phone] = state
    exchange.device_changed.unpark_all()
