"""Every way a request can fail, as one JSON shape: `{"code", "message"}` and the status.

Malformed input is 400 and names the field; what the engine refuses is 404 for things that don't exist
and 409 for the rest. Anything unexpected is a bug: it is logged with an id and the caller gets the id,
never the words of the exception, which might hold somebody's data.
"""

from __future__ import annotations

import secrets
import traceback
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final, cast

import msgspec
import structlog
from litestar import MediaType, Request, Response
from litestar.exceptions import HTTPException, SerializationException, ValidationException
from litestar.exceptions.http_exceptions import RequestEntityTooLarge
from litestar.handlers import HTTPRouteHandler

from centralita.config import what_is_known
from centralita.errors import CentralitaError, EngineStopped
from centralita.messages import Refusal

STATUS_OF_CODE: Final = {
    "unknown_contact": 404,
    "unknown_agent": 404,
    "unknown_queue": 404,
    "unknown_channel": 404,
    "unknown_skill": 404,
    "unknown_token": 404,
    "bad_value": 400,
    "bad_configuration": 400,
    "stopping": 503,
}
"""What a refusal's code is as a status; 409 for all others."""

_CODE_OF_STATUS: Final = {
    400: "bad_request",
    401: "no_token",
    403: "forbidden",
    404: "not_found",
    405: "method_not_allowed",
    408: "too_slow",
    413: "too_large",
    429: "too_many_requests",
}


TRACE_FRAMES: Final = 8
PATH_SHOWN: Final = 100
"""Characters of a path that an answer repeats."""

REFUSED: Final = "centralita_refused"
"""Where an ASGI scope keeps the (status, ErrorBody) of a WebSocket that is not to be."""


class ErrorBody(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What a caller gets instead of an answer. `problems`: several faults of one configuration."""

    code: str
    message: str
    problems: tuple[str, ...] = ()


class Rejected(CentralitaError):
    """A request that gets an error for an answer; raised by handlers and by the guard."""

    def __init__(
        self,
        status: int,
        code: str,
        message: str,
        *,
        problems: tuple[str, ...] = (),
        retry_after_s: int | None = None,
    ) -> None:
        super().__init__(message)
        self.status = status
        self.body = ErrorBody(code=code, message=message, problems=problems)
        self.headers = {} if retry_after_s is None else {"retry-after": str(retry_after_s)}


def refused(refusal: Refusal) -> Rejected:
    """The engine's refusal as an error."""
    return Rejected(STATUS_OF_CODE.get(refusal.code, 409), refusal.code, refusal.message)


def answer_rejected(_: Request[Any, Any, Any], error: Rejected) -> Response[ErrorBody]:
    """The handler of our own errors."""
    return _answer(error.status, error.body, error.headers)


def answer_stopped(_: Request[Any, Any, Any], error: EngineStopped) -> Response[ErrorBody]:
    """The handler of a stopping engine."""
    return _answer(
        503, ErrorBody(code="stopping", message=str(error) or "the engine is stopping"), {"retry-after": "5"}
    )


def answer_http(request: Request[Any, Any, Any], error: HTTPException) -> Response[ErrorBody]:
    """The handler of what Litestar finds: no such path, wrong method, undecodable input."""
    scope = cast("dict[str, Any]", request.scope)
    body = body_of(error, scope)
    if place := _place(error, scope):
        body = msgspec.structs.replace(body, message=f"{place}: {body.message}")
    return _answer(error.status_code, body, dict(error.headers or {}))


class Unexpected:
    """The handler of everything else: a bug, which gets an id in the log and in the answer."""

    def __init__(self, log: structlog.stdlib.BoundLogger) -> None:
        self._log = log

    def __call__(self, request: Request[Any, Any, Any], error: Exception) -> Response[ErrorBody]:
        """Log the error and answer 500 with where to find it."""
        if isinstance(error, HTTPException) and error.status_code < 500:
            return answer_http(request, error)
        return _answer(500, self.note(error, dict(request.scope)), {})

    def note(self, error: Exception, scope: dict[str, Any]) -> ErrorBody:
        """Log the error under an id; what the caller may know of it is returned."""
        incident = secrets.token_hex(6)
        handler = getattr(scope.get("route_handler"), "handler_name", "")
        self._log.error("request_failed", incident=incident, handler=handler, **traced(error))
        return ErrorBody(
            code="internal", message=f"something went wrong here; the log has it as incident {incident}"
        )

    async def of_websocket(self, error: Exception, scope: Any) -> None:
        """Litestar's hook after any exception: keep what a WebSocket's opening is to be refused with.

        Litestar itself turns every such exception into a close, whose only word to a client that is
        not connected yet would be 403; `limits.py` finds the better answer under REFUSED.
        """
        if scope["type"] != "websocket":
            return
        if isinstance(error, Rejected):
            scope[REFUSED] = (error.status, error.body)
        elif isinstance(error, EngineStopped):
            scope[REFUSED] = (503, ErrorBody(code="stopping", message="the engine is stopping"))
        elif isinstance(error, HTTPException) and error.status_code < 500:
            scope[REFUSED] = (error.status_code, body_of(error, scope))
        else:
            scope[REFUSED] = (500, self.note(error, scope))


def traced(error: BaseException) -> dict[str, Any]:
    """An exception for the log: its kind and where it was raised, innermost last.

    Not its words and not a renderer's traceback with local variables: both can hold a customer's
    message or somebody's token.
    """
    frames = traceback.extract_tb(error.__traceback__)[-TRACE_FRAMES:]
    where = [f"{Path(frame.filename).name}:{frame.lineno} {frame.name}" for frame in frames]
    traced_error: dict[str, Any] = {"error": type(error).__name__, "where": where}
    if error.__cause__ is not None:
        traced_error["because"] = traced(error.__cause__)
    if isinstance(error, BaseExceptionGroup):
        traced_error["of"] = [traced(one) for one in error.exceptions[:TRACE_FRAMES]]
    return traced_error


def body_of(error: HTTPException, scope: Mapping[str, Any]) -> ErrorBody:
    """What Litestar found, in our shape."""
    message = _fields(error, scope) if isinstance(error, ValidationException) else error.detail
    return ErrorBody(code=_CODE_OF_STATUS.get(error.status_code, "bad_request"), message=message)


def _place(error: HTTPException, scope: dict[str, Any]) -> str:
    """Where it was wrong, and what is allowed, when Litestar's words don't say."""
    handler = scope.get("route_handler")
    if isinstance(error.__cause__, SerializationException) and not isinstance(error, ValidationException):
        return "body"
    if isinstance(error, RequestEntityTooLarge) and isinstance(handler, HTTPRouteHandler):
        return f"body, of which at most {handler.resolve_request_max_body_size()} bytes are allowed"
    if error.status_code in {404, 405}:
        return f"{scope['method']} {scope['path'][:PATH_SHOWN]!r}"
    return ""


def _answer(status: int, body: ErrorBody, headers: dict[str, str]) -> Response[ErrorBody]:
    return Response(body, status_code=status, media_type=MediaType.JSON, headers=headers)


def _fields(error: ValidationException, scope: Mapping[str, Any]) -> str:
    extra = error.extra if isinstance(error.extra, list) else []
    lines = []
    for item in extra:
        found = cast("dict[str, str]", item)
        # Litestar calls the body `data`; a fault of the whole body has no field to name.
        key = found.get("key", "")
        place = ".".join(part for part in (found.get("source", ""), "" if key == "data" else key) if part)
        what = found.get("message", "") + _known(found, scope)
        lines.append(f"{place}: {what}" if place else what)
    # What Litestar says of a body that is not there is the KeyError of its own parameter.
    return "; ".join(lines).replace("body: 'data'", "body: empty; a JSON object is expected") or error.detail


def _known(found: dict[str, str], scope: Mapping[str, Any]) -> str:
    """What the handler's arguments may be where one was wrong, which Litestar does not say."""
    arguments = getattr(scope.get("route_handler"), "signature_model", None)
    place = found.get("key", "")
    if found.get("source") == "body" and place != "data":
        place = f"data.{place}"
    return what_is_known(msgspec.ValidationError(f"{found.get('message', '')} - at `$.{place}`"), arguments)
