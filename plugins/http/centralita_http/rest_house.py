"""REST about the house: health, who I am, status, components, configuration, figures, queues, agents."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

import trio
from litestar import Response, delete, get, post, put
from litestar.datastructures import Cookie
from litestar.params import FromPath, JSONBody

from centralita import config
from centralita.config import Configuration, EngineConfig
from centralita.errors import ConfigurationError
from centralita.messages import ApplyConfiguration, CloseQueue, OpenQueue, SetStatus, SignOut, Status
from centralita.structs import Frozen
from centralita.views import AgentExplanation, AgentView, ComponentView, QueueView
from centralita_http.access import COOKIE, Caller, caller_of
from centralita_http.answers import AnyRequest, Done, do, found, gate_of, say, submit, switchboard_of, tell
from centralita_http.errors import Rejected
from centralita_http.wire import Short


class Alive(Frozen):
    """The process answers."""

    status: str = "alive"


class Ready(Frozen):
    """Whether work can be taken, and which components aren't up."""

    ready: bool
    waiting_for: tuple[str, ...]


class Me(Frozen):
    """Who a token stands for; `agent` is empty unless the role is agent."""

    role: str
    agent: str
    name: str


class SignInBody(Frozen, forbid_unknown_fields=True):
    """A token to be kept in a cookie."""

    token: Short


class ReasonBody(Frozen, forbid_unknown_fields=True):
    """Why, for the journal."""

    reason: Short = ""


class StatusBody(Frozen, forbid_unknown_fields=True):
    """The status an agent is to have."""

    status: Status
    reason: Short = ""


class SignOutBody(Frozen, forbid_unknown_fields=True):
    """Whether the agent finishes what is in hand first."""

    when_free: bool = False


@get("/healthz", opt={"role": "public"})
async def health() -> Alive:
    """Whether the process answers at all."""
    return Alive()


@get("/readyz", opt={"role": "public"})
async def ready(request: AnyRequest) -> Response[Ready]:
    """Whether work can be taken: 200, or 503 with the components that aren't up."""
    down = tuple(f"{c.kind}.{c.name}" for c in switchboard_of(request).components() if c.state != "up")
    return say(Ready(ready=not down, waiting_for=down), status=503 if down else 200)


@post("/api/session", opt={"role": "public", "origin": "own"}, status_code=200)
async def sign_in(request: AnyRequest, data: JSONBody[SignInBody]) -> Response[Me]:
    """Exchange a token for a cookie that holds it out of the reach of scripts."""
    gate = gate_of(request)
    caller = await gate.admit(request, data.token)
    response = say(_me(caller))
    response.set_cookie(
        Cookie(
            key=COOKIE,
            value=data.token,
            path="/",
            httponly=True,
            samesite="strict",
            secure=gate.cookie_secure,
            max_age=gate.session_s,
        )
    )
    return response


@delete("/api/session", opt={"role": "public", "origin": "own"})
async def sign_off(request: AnyRequest) -> Response[None]:
    """Forget the cookie."""
    response: Response[None] = Response(None, status_code=204)
    response.delete_cookie(COOKIE, path="/")
    return response


@get("/api/me", opt={"role": "any"})
async def me(request: AnyRequest) -> Response[Me]:
    """Who the token stands for."""
    return say(_me(caller_of(request)))


@get("/api/status", opt={"role": "supervisor"})
async def status(request: AnyRequest) -> Response[Mapping[str, Any]]:
    """Version, uptime, journal position, counts, inbox."""
    return say(switchboard_of(request).status())


@get("/api/components", opt={"role": "supervisor"})
async def components(request: AnyRequest) -> Response[list[ComponentView]]:
    """The plugins' components and how they are."""
    return say(switchboard_of(request).components())


@get("/api/figures", opt={"role": "supervisor"})
async def figures(request: AnyRequest) -> Response[Mapping[str, Any]]:
    """The figures since the journal began: totals, by queue, by agent, trends."""
    return await tell(switchboard_of(request).figures())


@get("/api/configuration", opt={"role": "supervisor"})
async def configuration(request: AnyRequest) -> Response[EngineConfig]:
    """What the engine decides by. Components' settings, which may hold secrets, are not in it."""
    return await tell(switchboard_of(request).configuration().engine)


@put("/api/configuration", opt={"role": "admin"})
async def apply_configuration(request: AnyRequest) -> Response[Done]:
    """Replace the engine's configuration by the TOML text in the body: all of it, or nothing.

    Components, opening hours and the journal are set up at start; a text that changes them is
    refused with `needs_restart`, so that what runs and what is written never differ unseen.
    """
    running = switchboard_of(request).configuration()
    body = await request.body()
    try:
        text = body.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise Rejected(
            400, "bad_configuration", f"the body is not UTF-8: {error.reason} at byte {error.start}"
        ) from None
    if not text.strip():
        raise Rejected(400, "bad_configuration", "the body is empty; allowed: a whole configuration in TOML")
    try:
        wanted = await trio.to_thread.run_sync(_decode, text, running)
    except ConfigurationError as error:
        raise Rejected(400, "bad_configuration", error.problems[0], problems=tuple(error.problems)) from None
    if changed := _needs_restart(running, wanted):
        raise Rejected(409, "needs_restart", f"changed only by a restart: {', '.join(changed)}")
    return await do(request, ApplyConfiguration(config=wanted.engine))


@get("/api/queues", opt={"role": "agent"})
async def queues(request: AnyRequest) -> Response[list[QueueView]]:
    """Every queue as it stands."""
    return await tell(switchboard_of(request).queues())


@get("/api/queues/{name:str}", opt={"role": "agent"})
async def queue(request: AnyRequest, name: FromPath[str]) -> Response[QueueView]:
    """One queue."""
    return say(found(switchboard_of(request).queue(name), "unknown_queue", f"queue {name[:64]!r}"))


@post("/api/queues/{name:str}/open", opt={"role": "supervisor"}, status_code=200)
async def open_queue(
    request: AnyRequest, name: FromPath[str], data: JSONBody[ReasonBody]
) -> Response[QueueView]:
    """Open a queue by hand."""
    await submit(request, OpenQueue(queue=name, reason=data.reason))
    return say(found(switchboard_of(request).queue(name), "unknown_queue", f"queue {name[:64]!r}"))


@post("/api/queues/{name:str}/close", opt={"role": "supervisor"}, status_code=200)
async def close_queue(
    request: AnyRequest, name: FromPath[str], data: JSONBody[ReasonBody]
) -> Response[QueueView]:
    """Close a queue by hand; who waits goes on waiting."""
    await submit(request, CloseQueue(queue=name, reason=data.reason))
    return say(found(switchboard_of(request).queue(name), "unknown_queue", f"queue {name[:64]!r}"))


@get("/api/agents", opt={"role": "agent"})
async def agents(request: AnyRequest) -> Response[list[AgentView]]:
    """Every agent and what they do."""
    return await tell(switchboard_of(request).agents())


@get("/api/agents/{name:str}", opt={"role": "agent"})
async def agent(request: AnyRequest, name: FromPath[str]) -> Response[AgentView]:
    """One agent."""
    return say(_agent(request, name))


@get("/api/agents/{name:str}/why", opt={"role": "agent", "own": "agent"})
async def agent_why(request: AnyRequest, name: FromPath[str]) -> Response[AgentExplanation]:
    """Why the agent does not get the first waiting contacts."""
    explained = switchboard_of(request).explain_agent(name)
    return say(found(explained, "unknown_agent", f"agent {name[:64]!r}"))


@post("/api/agents/{name:str}/status", opt={"role": "agent", "own": "agent"}, status_code=200)
async def set_status(
    request: AnyRequest, name: FromPath[str], data: JSONBody[StatusBody]
) -> Response[AgentView]:
    """Choose an agent's status."""
    _agent(request, name)
    await submit(request, SetStatus(agent=name, status=data.status, reason=data.reason, by=_by(request)))
    return say(_agent(request, name))


@post("/api/agents/{name:str}/sign-out", opt={"role": "agent", "own": "agent"}, status_code=200)
async def sign_out(
    request: AnyRequest, name: FromPath[str], data: JSONBody[SignOutBody]
) -> Response[AgentView]:
    """Sign an agent out, at once or when free."""
    _agent(request, name)
    await submit(request, SignOut(agent=name, when_free=data.when_free, by=_by(request)))
    return say(_agent(request, name))


ROUTES: Final = (
    health,
    ready,
    sign_in,
    sign_off,
    me,
    status,
    components,
    figures,
    configuration,
    apply_configuration,
    queues,
    queue,
    open_queue,
    close_queue,
    agents,
    agent,
    agent_why,
    set_status,
    sign_out,
)


def _me(caller: Caller) -> Me:
    return Me(role=caller.role, agent=caller.agent, name=caller.name)


def _agent(request: AnyRequest, name: str) -> AgentView:
    return found(switchboard_of(request).agent(name), "unknown_agent", f"agent {name[:64]!r}")


def _by(request: AnyRequest) -> str:
    """Empty when the agent does it; else the supervisor's name."""
    caller = caller_of(request)
    return "" if caller.role == "agent" else caller.name


def _decode(text: str, running: Configuration) -> Configuration:
    return config.loads(text, folder=running.folder)


def _needs_restart(running: Configuration, wanted: Configuration) -> list[str]:
    before = {component.path: component for component in running.components}
    after = {component.path: component for component in wanted.components}
    changed = [path for path in {**before, **after} if before.get(path) != after.get(path)]
    changed += [
        name for name in ("domain", "hours", "journal") if getattr(running, name) != getattr(wanted, name)
    ]
    return changed
