"""REST about tokens: list, make (shown once), revoke. The store itself is `tokens.py`."""

from __future__ import annotations

from typing import Annotated, Final

import trio
from litestar import Response, delete, get, post
from litestar.params import FromPath, JSONBody
from msgspec import Meta

from centralita.structs import Frozen
from centralita_http.answers import AnyRequest, found, gate_of, say, switchboard_of
from centralita_http.errors import Rejected
from centralita_http.tokens import DAYS_MAX, NAME_LENGTH_MAX, BadToken, Role, Token, TokenStore


class TokenBody(Frozen, forbid_unknown_fields=True):
    """What a token is to be. `agent` for role agent only, `channel` for role channel only; `days` left out:
    it never expires."""

    name: Annotated[str, Meta(min_length=1, max_length=NAME_LENGTH_MAX)]
    role: Role
    agent: Annotated[str, Meta(max_length=64)] = ""
    channel: Annotated[str, Meta(max_length=64)] = ""
    days: Annotated[float, Meta(gt=0, le=DAYS_MAX)] | None = None


class NewToken(Frozen):
    """A token as it is shown, once."""

    token: str
    about: Token


@get("/api/tokens", opt={"role": "admin"})
async def tokens(request: AnyRequest) -> Response[list[Token]]:
    """Every token ever made, without its secret."""
    return say(await trio.to_thread.run_sync(_store(request).all))


@post("/api/tokens", opt={"role": "admin"})
async def make_token(request: AnyRequest, data: JSONBody[TokenBody]) -> Response[NewToken]:
    """Make a token. This answer is the only time it is seen."""
    if data.role == "agent" and data.agent:
        found(switchboard_of(request).agent(data.agent), "unknown_agent", f"agent {data.agent!r}")
    if data.role == "channel" and data.channel and data.channel not in channels_of(request):
        raise Rejected(404, "unknown_channel", f"there is no channel {data.channel!r}")
    store = _store(request)

    def create() -> tuple[Token, str]:
        return store.create(
            name=data.name, role=data.role, agent=data.agent, channel=data.channel, days=data.days
        )

    try:
        about, text = await trio.to_thread.run_sync(create)
    except BadToken as error:
        raise Rejected(400, "bad_request", f"body.{error}") from None
    return say(NewToken(token=text, about=about), status=201)


@delete("/api/tokens/{token_id:str}", opt={"role": "admin"})
async def revoke_token(request: AnyRequest, token_id: FromPath[str]) -> Response[None]:
    """Make a token worthless for good; what it holds open is closed within seconds."""
    if not await trio.to_thread.run_sync(_store(request).revoke, token_id):
        raise Rejected(404, "unknown_token", f"there is no token {token_id[:64]!r}")
    gate_of(request).forget(token_id)
    return Response(None, status_code=204)


def channels_of(request: AnyRequest) -> frozenset[str]:
    """The channels of the configuration in force."""
    return frozenset(switchboard_of(request).configuration().engine.channels)


ROUTES: Final = (tokens, make_token, revoke_token)


def _store(request: AnyRequest) -> TokenStore:
    store: TokenStore = request.app.state.tokens
    return store
