"""The console's HTTP routes: two pages, their files, and the settings they read.

The pages hold no data. Everything they show comes from the front door's own interface, which checks
roles; so the files may be read by anybody, and the settings by any token.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

import trio
from litestar import Request, Response, get
from litestar.handlers import HTTPRouteHandler
from litestar.params import FromPath
from litestar.response import Redirect

from centralita.protocols import Context, Inbox
from centralita_console.assets import Asset, load_assets
from centralita_console.settings import ConsoleSettings

CONTENT_SECURITY_POLICY: Final = "; ".join(
    (
        "default-src 'none'",
        "script-src 'self'",
        "style-src 'self'",
        "font-src 'self'",
        "img-src 'self' blob:",
        "connect-src 'self'",
        "form-action 'self'",
        "base-uri 'none'",
        "frame-ancestors 'none'",
        "require-trusted-types-for 'script'",
        "trusted-types 'none'",
    )
)
"""Only our own files, no inline code, and no way from a string to markup: the browser refuses it."""

PAGE_HEADERS: Final = {
    "Content-Security-Policy": CONTENT_SECURITY_POLICY,
    "Cross-Origin-Opener-Policy": "same-origin",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
}


class Console:
    """The component of type `console`: it brings routes and has nothing to do by itself."""

    def __init__(self, settings: ConsoleSettings, context: Context) -> None:
        self._settings = settings
        self._assets = load_assets()
        self._name = context.name

    async def run(self, inbox: Inbox, *, task_status: trio.TaskStatus[None]) -> None:
        """Live until cancelled."""
        task_status.started()
        await trio.sleep_forever()

    def routes(self) -> Sequence[HTTPRouteHandler]:
        """The handlers; `opt["role"]` says to the front door who may."""
        desk, board = self._assets["desk.html"], self._assets["board.html"]
        assets, settings = self._assets, self._settings

        @get("/", opt={"role": "public"}, include_in_schema=False, name="console_home", sync_to_thread=False)
        def home() -> Redirect:
            return Redirect(path="/console/")

        @get(
            "/console",
            opt={"role": "public"},
            include_in_schema=False,
            name="console_desk",
            sync_to_thread=False,
        )
        def desk_page(request: Request[Any, Any, Any]) -> Response[bytes]:
            return _serve(desk, request)

        @get(
            "/board",
            opt={"role": "public"},
            include_in_schema=False,
            name="console_board",
            sync_to_thread=False,
        )
        def board_page(request: Request[Any, Any, Any]) -> Response[bytes]:
            return _serve(board, request)

        @get(
            "/console/static/{file:path}",
            opt={"role": "public"},
            include_in_schema=False,
            name="console_static",
            sync_to_thread=False,
        )
        def static(request: Request[Any, Any, Any], file: FromPath[Path]) -> Response[bytes]:
            asset = assets.get(file.as_posix().lstrip("/"))
            if asset is None or asset.media_type.startswith("text/html"):
                return Response(b"no such file", status_code=404, media_type="text/plain")
            return _serve(asset, request)

        @get(
            "/console/settings.json",
            opt={"role": "agent"},
            include_in_schema=False,
            name="console_settings",
            sync_to_thread=False,
        )
        def read_settings() -> ConsoleSettings:
            return settings

        return [home, desk_page, board_page, static, read_settings]


def _serve(asset: Asset, request: Request[Any, Any, Any]) -> Response[bytes]:
    # Revalidated every time: after an upgrade no page runs with yesterday's modules.
    headers = {**PAGE_HEADERS, "Cache-Control": "no-cache", "ETag": asset.tag}
    known = {tag.strip().removeprefix("W/") for tag in request.headers.get("if-none-match", "").split(",")}
    if asset.tag in known:
        return Response(b"", status_code=304, headers=headers, media_type=asset.media_type)
    return Response(asset.content, headers=headers, media_type=asset.media_type)
