"""What the front door shows of calls: recordings and voice messages, for the agent who has the contact, and supervisors.

The addresses are those at which the console looks for any channel's files (docs/console.md). A recording's name can be
guessed, so the name alone opens nothing: it must stand among the messages of the contact that is asked for.
"""

from __future__ import annotations

from typing import Any, Final

import trio
from litestar import Response, get
from litestar.params import FromPath

from centralita_asterisk.exchange import Exchange
from centralita_asterisk.recordings import MEDIA_TYPES

OWN_CONTACT: Final = {"role": "agent", "own": "contact"}


def file_routes(name: str, exchange: Exchange) -> list[Any]:
    """The handlers of the channel `name`."""

    @get(
        f"/chat/{name}/desk/contacts/{{contact:int}}/attachments/{{id:str}}", opt=OWN_CONTACT, tags=["voice"]
    )
    async def recording(contact: FromPath[int], id: FromPath[str]) -> Response[bytes]:
        """A recording or a voice message; the id is in the contact's messages."""
        view = exchange.switchboard.contact(contact)
        theirs = {file.id for message in view.messages for file in message.attachments} if view else set()
        path = exchange.recordings.find(id) if id in theirs else None
        if path is None:
            return Response(b"", status_code=404, media_type="application/octet-stream")
        data = await trio.Path(path).read_bytes()
        form = path.suffix.removeprefix(".")
        headers = {"content-disposition": f'inline; filename="{path.name}"', "cache-control": "private"}
        return Response(data, media_type=MEDIA_TYPES[form], headers=headers)

    return [recording]


def speech_route(name: str, exchange: Exchange) -> Any:
    """The handler of what came of listening, for the channel `name`."""

    @get(f"/api/voice/{name}/speech", opt={"role": "supervisor"}, tags=["voice"])
    async def speech() -> dict[str, dict[str, int]]:
        """How often callers were heard, not understood, or could not be listened to, by server, since the start."""
        return speech_counts(exchange)

    return speech


def speech_counts(exchange: Exchange) -> dict[str, dict[str, int]]:
    """The counts of each server."""
    counts: dict[str, dict[str, int]] = {name: {} for name in exchange.servers}
    for (server, what), n in exchange.hearing.counts.items():
        counts[server][what] = n
    return counts
