"""What the front door shows of calls: recordings and voice messages, for agents and supervisors.

The addresses are those at which the console looks for any channel's files (docs/console.md).
"""

from __future__ import annotations

from typing import Any, Final

import trio
from litestar import Response, get
from litestar.params import FromPath

from centralita_asterisk.recordings import MEDIA_TYPES, Recordings

AGENT: Final = {"role": "agent"}


def file_routes(name: str, recordings: Recordings) -> list[Any]:
    """The handlers of the channel `name`."""

    @get(f"/chat/{name}/desk/attachments/{{id:str}}", opt=AGENT, tags=["voice"])
    async def recording(id: FromPath[str]) -> Response[bytes]:
        """A recording or a voice message; the id is in the contact's messages."""
        path = recordings.find(id)
        if path is None:
            return Response(b"", status_code=404, media_type="application/octet-stream")
        data = await trio.Path(path).read_bytes()
        form = path.suffix.removeprefix(".")
        headers = {"content-disposition": f'inline; filename="{path.name}"', "cache-control": "private"}
        return Response(data, media_type=MEDIA_TYPES[form], headers=headers)

    return [recording]
