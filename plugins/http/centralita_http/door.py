"""The front door: one application out of our routes and what other components mount, served until cancelled."""

from __future__ import annotations

import ssl
from collections.abc import Sequence
from functools import partial
from typing import Any, Final, cast

import trio
from litestar import Litestar, Router
from litestar.datastructures import State
from litestar.exceptions import HTTPException
from litestar.handlers import BaseRouteHandler
from litestar.openapi import OpenAPIConfig
from litestar.openapi.plugins import JsonRenderPlugin
from litestar.routes import HTTPRoute

from centralita.errors import CentralitaError, ConfigurationError, EngineStopped, reason
from centralita.protocols import Context, Inbox
from centralita_http import openapi, rest_contacts, rest_customers, rest_house, rest_tokens, streams
from centralita_http.access import Gate, roles_missing
from centralita_http.bodies import CheckedRequest
from centralita_http.errors import (
    Rejected,
    Unexpected,
    answer_http,
    answer_rejected,
    answer_stopped,
)
from centralita_http.head import AnswersHead
from centralita_http.lag import Lag
from centralita_http.limits import App, Limited
from centralita_http.listening import listen, serve
from centralita_http.lobby import Lobby
from centralita_http.settings import HttpSettings, check
from centralita_http.streams import Board, Streams
from centralita_http.tokens import TokenStore, ensure_cli_token, open_store

PORT_FILE: Final = "http.port"


class HttpFrontDoor:
    """`[front_doors.NAME] type = "http"`. `address` and `app` are what it serves and where, once it runs."""

    def __init__(self, settings: HttpSettings, context: Context) -> None:
        self._path = f"{context.kind}.{context.name}"
        check(settings, path=self._path, folder=context.configuration.folder)
        self._settings = settings
        self._context = context
        self._mounted: list[Any] = []
        self.address = ""
        self.app: Litestar | None = None
        self.lag = Lag()
        self.lobby = Lobby(settings.limits)

    @property
    def connections_open(self) -> int:
        """How many connections are open now."""
        return self.lobby.open_n

    def mount(self, routes: Sequence[Any]) -> None:
        """Take what other components bring: Litestar handlers and routers, each with a role in `opt`."""
        self._mounted += routes

    async def run(self, inbox: Inbox, *, task_status: trio.TaskStatus[None]) -> None:
        """Listen, then serve until cancelled. Fails at once when the address can't be had."""
        settings, log, data = self._settings, self._context.log, self._context.data
        tls = self._tls()
        store = await trio.to_thread.run_sync(partial(open_store, data, now_ns=self._context.clock.now_ns))
        try:
            await trio.to_thread.run_sync(ensure_cli_token, store, data)
            board = Board(self._context.switchboard)
            # Litestar reads every handler and message for its document: too much for the thread that carries all.
            build = partial(self._application, store, board, tls=tls is not None)
            self.app = app = await trio.to_thread.run_sync(build)
            listeners, port = await self._listen()
            self.address = _address("https" if tls else "http", settings.host, port)
            (data / PORT_FILE).write_text(f"{port}\n", encoding="ascii")
            log.info("http_listening", address=self.address, port=port)
            async with trio.open_nursery() as nursery:
                nursery.start_soon(board.run)
                nursery.start_soon(self.lag.run)
                task_status.started()
                await serve(
                    Limited(AnswersHead(cast(App, app)), settings, tls=tls is not None),
                    listeners,
                    settings.limits,
                    tls=tls,
                    log=log,
                )
        finally:
            store.close()

    def _application(self, store: TokenStore, board: Board, *, tls: bool) -> Litestar:
        unexpected = Unexpected(self._context.log)
        gate = Gate(
            store,
            self._context.switchboard,
            self._settings,
            now_ns=self._context.clock.now_ns,
            lobby=self.lobby,
            lag=self.lag,
            tls=tls,
        )
        app = Litestar(
            route_handlers=[
                *rest_house.ROUTES,
                *rest_contacts.ROUTES,
                *rest_tokens.ROUTES,
                *rest_customers.ROUTES,
                *streams.ROUTES,
                *self._mounted,
            ],
            guards=[gate.guard],
            exception_handlers={
                Rejected: answer_rejected,
                EngineStopped: answer_stopped,
                HTTPException: answer_http,
                500: unexpected,
            },
            after_exception=[unexpected.of_websocket],
            openapi_config=OpenAPIConfig(
                title="Centralita",
                version="1",
                use_handler_docstrings=True,
                render_plugins=[JsonRenderPlugin()],
                openapi_router=Router(
                    "/schema", route_handlers=[], include_in_schema=False, opt={"role": "public"}
                ),
            ),
            request_class=CheckedRequest,
            request_max_body_size=self._settings.limits.body_bytes,
            logging_config=None,
            debug=False,
            state=State(
                {
                    "switchboard": self._context.switchboard,
                    "gate": gate,
                    "tokens": store,
                    "board": board,
                    "streams": Streams(self._settings.limits.streams),
                    "limits": self._settings.limits,
                    "log": self._context.log,
                }
            ),
        )
        if missing := roles_missing(handlers_of(app)):
            raise ConfigurationError([f"{self._path}: {line}" for line in missing])
        openapi.complete(app)
        return app

    async def _listen(self) -> Any:
        settings = self._settings
        try:
            return await listen(settings.host, settings.port, settings.limits, self.lobby)
        except OSError as error:
            raise CentralitaError(
                f"{self._path}: can't listen on {settings.host}:{settings.port}: {reason(error)}"
            ) from error

    def _tls(self) -> ssl.SSLContext | None:
        settings, folder = self._settings, self._context.configuration.folder
        if not settings.tls_cert:
            return None
        context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        context.minimum_version = ssl.TLSVersion.TLSv1_2
        context.set_alpn_protocols(["http/1.1"])
        try:
            context.load_cert_chain(folder / settings.tls_cert, folder / settings.tls_key)
        except (OSError, ssl.SSLError) as error:
            raise ConfigurationError([f"{self._path}.tls_cert, tls_key: can't be loaded: {error}"]) from error
        return context


def handlers_of(app: Litestar) -> list[tuple[str, BaseRouteHandler]]:
    """Every (path, handler) of the application.

    The answers to OPTIONS that Litestar adds say no more than which methods there are; they get the
    role `public` here, having no `opt` of their own.
    """
    found: list[tuple[str, BaseRouteHandler]] = []
    for route in app.routes:
        handlers = route.route_handlers if isinstance(route, HTTPRoute) else [route.route_handler]
        for handler in handlers:
            if isinstance(route, HTTPRoute) and handler.handler_name.endswith("options_handler"):
                handler.opt.setdefault("role", "public")
            found.append((route.path, handler))
    return found


def _address(scheme: str, host: str, port: int) -> str:
    return f"{scheme}://[{host}]:{port}" if ":" in host else f"{scheme}://{host}:{port}"
