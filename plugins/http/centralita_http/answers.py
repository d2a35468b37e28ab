"""What the REST handlers share: finding the switchboard, submitting a command, saying a view.

Views hold structs that the journal keeps as arrays, so they are encoded here with named fields and not
by Litestar; the handlers' annotations still say what comes, for OpenAPI.
"""

from __future__ import annotations

from typing import Any, Final, TypeVar, cast

import trio
from litestar import MediaType, Request, Response

from centralita.messages import AnyCommand
from centralita.protocols import Outcome, Switchboard
from centralita.structs import Frozen
from centralita_http.access import Connection, Gate
from centralita_http.errors import Rejected, refused
from centralita_http.wire import encode

T = TypeVar("T")
AnyRequest = Request[Any, Any, Any]

SUBMIT_S: Final = 30.0
"""How long a request waits for the engine to take its command."""


class Done(Frozen):
    """A command was taken and is durable: its record in the journal, and the contact concerned."""

    seq: int
    contact: int


def switchboard_of(connection: Connection) -> Switchboard:
    """The running engine behind this application."""
    switchboard: Switchboard = connection.app.state.switchboard
    return switchboard


def gate_of(connection: Connection) -> Gate:
    """Who decides about tokens."""
    gate: Gate = connection.app.state.gate
    return gate


def say(value: T, *, status: int = 200) -> Response[T]:
    """A view, or several, as JSON."""
    return cast("Response[T]", Response(encode(value), status_code=status, media_type=MediaType.JSON))


async def tell(value: T) -> Response[T]:
    """What may be long, as JSON: put into words in a thread, while the loop goes on. Nobody may change it meanwhile."""
    text = await trio.to_thread.run_sync(encode, value)
    return cast("Response[T]", Response(text, media_type=MediaType.JSON))


async def submit(connection: Connection, command: AnyCommand) -> Outcome:
    """Hand a command to the engine. Raises Rejected when it is refused, or not answered in time."""
    with trio.move_on_after(SUBMIT_S):
        outcome = await switchboard_of(connection).submit(command)
        if outcome.refusal is not None:
            raise refused(outcome.refusal)
        return outcome
    raise Rejected(503, "too_slow", f"no answer in {SUBMIT_S:g} s; it may still be done", retry_after_s=5)


async def do(connection: Connection, command: AnyCommand, *, status: int = 200) -> Response[Done]:
    """Submit, and answer with what became of it."""
    outcome = await submit(connection, command)
    contact = outcome.contact or getattr(command, "contact", 0)
    return say(Done(seq=outcome.seq, contact=contact), status=status)


def found(value: T | None, code: str, what: str) -> T:
    """The value, or a 404 that says what there is none of."""
    if value is None:
        raise Rejected(404, code, f"there is no {what}")
    return value
