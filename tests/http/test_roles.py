"""Who may what: every route and WebSocket of the running application, for every role."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any, Final

import httpx
import pytest
import trio
from litestar import get
from litestar.routes import HTTPRoute, WebSocketRoute

from centralita.errors import PluginError
from centralita.hookspecs import hookimpl
from centralita.protocols import Context, Inbox, Register
from centralita_http.door import handlers_of
from tests.http.company import PATIENCE_S, Company, LetterboxSettings, closing_code, company

ROLES: Final = ("nobody", "stranger", "channel", "agent", "supervisor", "admin")

# What docs/http.md says, once more, so that neither the routes nor the document drift alone.
CONTRACT: Final = {
    "GET /healthz": "public",
    "GET /readyz": "public",
    "POST /api/session": "public",
    "DELETE /api/session": "public",
    "GET /api/me": "any",
    "GET /api/status": "supervisor",
    "GET /api/components": "supervisor",
    "GET /api/configuration": "supervisor",
    "PUT /api/configuration": "admin",
    "GET /api/queues": "agent",
    "GET /api/queues/{name}": "agent",
    "POST /api/queues/{name}/open": "supervisor",
    "POST /api/queues/{name}/close": "supervisor",
    "GET /api/agents": "agent",
    "GET /api/agents/{name}": "agent",
    "GET /api/agents/{name}/why": "agent own",
    "POST /api/agents/{name}/status": "agent own",
    "POST /api/agents/{name}/sign-out": "agent own",
    "GET /api/contacts": "supervisor",
    "GET /api/contacts/{contact}": "agent own",
    "GET /api/contacts/{contact}/why": "supervisor",
    "GET /api/contacts/{contact}/history": "agent own",
    "POST /api/contacts": "channel own",
    "POST /api/contacts/{contact}/move": "supervisor",
    "POST /api/contacts/{contact}/pick": "supervisor",
    "POST /api/contacts/{contact}/control": "agent own",
    "POST /api/contacts/{contact}/cancel": "supervisor",
    "POST /api/contacts/{contact}/end": "supervisor",
    "POST /api/contacts/{contact}/messages": "channel own",
    "GET /api/figures": "supervisor",
    "GET /api/tokens": "admin",
    "POST /api/tokens": "admin",
    "DELETE /api/tokens/{token_id}": "admin",
    "POST /api/customers/export": "admin",
    "POST /api/customers/erase": "admin",
    "GET /api/events": "supervisor",
    "GET /api/board": "supervisor",
    "WS /ws/desk": "agent",
    "GET /schema": "public",
    "GET /schema/{path}": "public",
    "GET /schema/openapi.json": "public",
    "GET /letterbox/metrics": "metrics",
    "GET /letterbox/broken": "admin",
}
WHO: Final = {
    "public": set(ROLES),
    "metrics": set(ROLES),  # the tests ask from this machine; from elsewhere is a test of its own
    "any": {"channel", "agent", "supervisor", "admin"},
    "agent": {"agent", "supervisor", "admin"},
    "supervisor": {"supervisor", "admin"},
    "admin": {"admin"},
    "channel": {"channel", "admin"},
}


def served(company: Company) -> dict[str, Any]:
    """Every "METHOD /path" that the application serves, with its handler's `opt`."""
    assert company.door.app is not None
    found: dict[str, Any] = {}
    for route in company.door.app.routes:
        path = re.sub(r"\{(\w+):\w+\}", r"{\1}", route.path)
        if isinstance(route, WebSocketRoute):
            found[f"WS {path}"] = route.route_handler.opt
        else:
            assert isinstance(route, HTTPRoute)
            for method, (handler, _) in route.route_handler_map.items():
                if method != "OPTIONS":
                    found[f"{method} {path}"] = handler.opt
    return found


async def test_routes_are_those_of_the_contract(tmp_path: Path) -> None:
    async with company(tmp_path) as shop:
        roles = {
            route: f"{opt['role']} own" if "own" in opt else opt["role"]
            for route, opt in served(shop).items()
        }
    assert roles == CONTRACT


def test_document_names_every_route() -> None:
    document = (Path(__file__).parents[2] / "docs" / "http.md").read_text(encoding="utf-8")
    for route in CONTRACT:
        path = route.split(" ")[1].replace("{contact}", "{id}").replace("{token_id}", "{id}")
        head, _, last = path.rpartition("/")
        if not path.startswith("/letterbox") and path not in {"/schema", "/schema/{path}"}:
            assert path in document or (head in document and f"…/{last}" in document), route


@pytest.mark.parametrize("role", ROLES)
async def test_every_route_lets_in_whom_it_says_and_nobody_else(tmp_path: Path, role: str) -> None:
    async with company(tmp_path, http={"limits": {"bad_tokens_per_min": 1000}}) as shop:
        theirs = await shop.admit("1")
        others = await shop.admit("2", channel="parcels")
        await put_in_hands(shop, theirs, "ana")
        tokens = {"nobody": "", "stranger": "ctl_000000000000_" + "0" * 64}
        token = tokens[role] if role in tokens else await shop.token(role, "ana" if role == "agent" else "")
        verdicts: dict[str, bool] = {}
        expected: dict[str, bool] = {}
        async with shop.client(token) as client:
            for route, who in CONTRACT.items():
                kind, _, own = who.partition(" ")
                for name, contact, mine in (("ana", theirs, True), ("eva", others, False)):
                    line = f"{route} for {name}"
                    verdicts[line] = await let_in(shop, client, token, route, name=name, contact=contact)
                    expected[line] = role in WHO[kind] and (mine or not own or role != kind)
    assert verdicts == expected


async def let_in(
    shop: Company, client: httpx.AsyncClient, token: str, route: str, *, name: str, contact: int
) -> bool:
    method, _, path = route.partition(" ")
    path = path.format(name=name, contact=contact, token_id="none", path="none")
    if method == "WS":
        return await desk_lets_in(shop, token, path)
    body = None
    if route == "POST /api/contacts":
        view = shop.switchboard.contact(contact)
        assert view is not None
        body = {"channel": view.channel, "provider_id": view.provider_id}
    async with client.stream(method, path, json=body) as response:
        status = response.status_code
    assert status != 500 or path == "/letterbox/broken", route
    return status not in {401, 403}


async def desk_lets_in(shop: Company, token: str, path: str) -> bool:
    """A desk is for an agent's own token; a supervisor's, though above an agent's, has no agent."""
    answer = await shop.opening(path, token)
    if answer.status_code != 101:
        return "a desk is for the token of an agent" in answer.text
    if token:
        return True
    async with shop.socket(path) as socket:
        await socket.send_message('{"type": "auth", "token": ""}')
        assert await closing_code(socket) == 4401
    return False


async def put_in_hands(shop: Company, contact: int, agent: str) -> None:
    async with shop.desk(agent) as desk:
        offer = await offered(desk, contact)
        reply = await desk.say(command="AnswerOffer", contact=contact, offer=offer, accept=True)
        assert reply["ok"], reply


async def offered(desk: Any, contact: int) -> int:
    while True:
        frame = await desk.next("offer")
        if frame["contact"]["id"] == contact:
            number: int = frame["offer"]
            return number


async def test_metrics_are_for_this_machine_and_for_admins(tmp_path: Path) -> None:
    async with company(tmp_path) as shop:
        path = "/letterbox/metrics"
        foreign = (
            {"host": "desk.example"},
            {"x-forwarded-for": "192.0.2.7"},
            {"forwarded": "for=192.0.2.7"},
            {"x-real-ip": "192.0.2.7"},
            {"x-forwarded-proto": "https"},
            {"via": "1.1 desk.example"},
            {"host": "127.0.0.1.desk.example"},
        )
        async with shop.client() as client:
            assert (await client.get(path)).status_code == 200
            for headers in foreign:
                assert (await client.get(path, headers=headers)).status_code == 401, headers
        async with shop.client(await shop.token("supervisor")) as client:
            assert (await client.get(path, headers=foreign[0])).status_code == 403
        async with shop.client(shop.admin) as client:
            assert (await client.get(path, headers=foreign[0])).status_code == 200


async def test_proxys_word_is_believed_only_from_our_proxies(tmp_path: Path) -> None:
    limits = {"requests_per_s": 0.001, "requests_burst": 5}
    async with (
        company(tmp_path, http={"limits": limits, "proxies": ["127.0.0.1"]}) as shop,
        shop.client() as client,
    ):
        for number in range(10):
            headers = {"x-forwarded-for": f"6.6.6.6, 192.0.2.{number}"}
            assert (await client.get("/healthz", headers=headers)).status_code == 200
        statuses = [
            (await client.get("/healthz", headers={"x-forwarded-for": f"6.6.6.{n}, 192.0.2.0"})).status_code
            for n in range(5)
        ]
        assert statuses == [200] * 4 + [429], "who claims another first hop is still who the proxy saw"
    async with company(tmp_path / "two", http={"limits": limits}) as shop, shop.client() as client:
        statuses = [
            (await client.get("/healthz", headers={"x-forwarded-for": f"192.0.2.{n}"})).status_code
            for n in range(6)
        ]
        assert statuses == [200] * 5 + [429]


async def test_foreign_page_may_not_change_anything_nor_open_a_desk(tmp_path: Path) -> None:
    async with company(tmp_path, http={"origins": ["https://intranet.example"]}) as shop:
        token = await shop.token("agent", "ana")
        own = shop.door.address
        expected = {
            "https://evil.example": False,
            "null": False,
            own.replace("http:", "https:"): True,  # a proxy in front may speak TLS
            own: True,
            "https://intranet.example": True,
            "https://intranet.example.evil.example": False,
        }
        for origin, allowed in expected.items():
            async with shop.client(token) as client:
                for path, body in (
                    ("/api/agents/ana/status", {"status": "x"}),
                    ("/api/session", {"token": token}),
                ):
                    answer = await client.post(path, json=body, headers={"origin": origin})
                    refused = answer.status_code == 403 and answer.json()["code"] == "foreign_origin"
                    assert refused is not allowed, (origin, path, answer.text)
                assert (await client.get("/api/me", headers={"origin": origin})).status_code == 200
            opening = await shop.opening("/ws/desk", token, origin=origin)
            assert opening.status_code == (101 if allowed else 403), origin


async def test_session_cookie_works_and_is_out_of_reach_of_scripts(tmp_path: Path) -> None:
    async with company(tmp_path) as shop, shop.client() as client:
        token = await shop.token("agent", "ana")
        assert (await client.get("/api/me")).status_code == 401
        signed_in = await client.post("/api/session", json={"token": token})
        assert signed_in.json() == {"role": "agent", "agent": "ana", "name": "agent ana"}
        attributes = signed_in.headers["set-cookie"].lower()
        assert "httponly" in attributes
        assert "samesite=strict" in attributes
        assert "max-age=43200" in attributes
        assert (await client.get("/api/me")).json() == signed_in.json()
        cookie = f"centralita_session={client.cookies['centralita_session']}"
        async with shop.socket("/ws/desk", headers=[("cookie", cookie)]) as socket:
            assert '"hello"' in await socket.get_message()
        assert (await client.delete("/api/session")).status_code == 204
        assert (await client.get("/api/me")).status_code == 401
        assert (await client.post("/api/session", json={"token": "ctl_x"})).status_code == 401


async def test_revoked_token_is_refused_at_once_and_its_desk_is_closed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("centralita_http.desk_window.RECHECK_S", 0.05)
    monkeypatch.setattr("centralita_http.streams.RECHECK_S", 0.05)
    async with company(tmp_path) as shop, shop.client(shop.admin) as admin:
        made = (await admin.post("/api/tokens", json={"name": "x", "role": "agent", "agent": "ana"})).json()
        boss = (await admin.post("/api/tokens", json={"name": "y", "role": "supervisor"})).json()
        async with shop.socket("/ws/desk", made["token"]) as socket, shop.client(boss["token"]) as client:
            await socket.get_message()
            async with client.stream("GET", "/api/events") as stream:
                for token in (made, boss):
                    revoked = await admin.delete(f"/api/tokens/{token['about']['id']}")
                    assert revoked.status_code == 204
                assert (await client.get("/api/me")).status_code == 401
                with trio.fail_after(PATIENCE_S):
                    assert (await stream.aread()).startswith(b": following"), "the stream ends by itself"
                    assert await closing_code(socket) == 4401
        listed = (await admin.get("/api/tokens")).json()
        assert [token["revoked_ns"] > 0 for token in listed] == [False, True, True]
        assert all(made["token"] not in str(token) for token in listed)


async def test_guessing_tokens_is_slowed_down(tmp_path: Path) -> None:
    async with company(tmp_path, http={"limits": {"bad_tokens_per_min": 3}}) as shop:
        async with shop.client("ctl_000000000000_" + "0" * 64) as client:
            answers = [await client.get("/api/me") for _ in range(4)]
        assert [answer.status_code for answer in answers] == [401, 401, 401, 429]
        assert answers[-1].headers["retry-after"] == "60"


@pytest.mark.parametrize("role", ["nobody", "admin"])
async def test_head_is_answered_as_get_is_without_its_body(tmp_path: Path, role: str) -> None:
    async with company(tmp_path) as shop, await shop.stream() as stream:
        contact = await shop.admit("1")
        token = f"authorization: Bearer {shop.admin}\r\n" if role == "admin" else ""
        for path in [route.removeprefix("GET ") for route in CONTRACT if route.startswith("GET ")]:
            target = path.format(name="ana", contact=contact, path="none")
            rest = f" {target} HTTP/1.1\r\nhost: 127.0.0.1\r\n{token}\r\n".encode()
            # On one connection: a body that came would be read as the next answer's head.
            await stream.send_all(b"HEAD" + rest)
            head = await answer_head(stream)
            assert head == await answer_head_of_get(shop, b"GET" + rest), target


async def answer_head(stream: trio.SocketStream) -> dict[str, str]:
    """The status and the headers of an answer without a body, byte by byte so that nothing more is read."""
    data = b""
    with trio.fail_after(PATIENCE_S):
        while not data.endswith(b"\r\n\r\n"):
            piece = await stream.receive_some(1)
            assert piece, data
            data += piece
    status, *lines = data.decode("latin-1").strip().split("\r\n")
    named = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines)}
    del named["date"]
    if length := named.get("content-length"):
        named["content-length"] = str(int(length) > 0)  # what some tell (how long we are up) grows
    return {"status": status, **named}


async def answer_head_of_get(shop: Company, request: bytes) -> dict[str, str]:
    async with await shop.stream() as stream:
        await stream.send_all(request)
        return await answer_head(stream)


class Careless:
    """A component whose author forgot to say who may call."""

    def __init__(self, settings: LetterboxSettings, context: Context) -> None:
        pass

    async def run(self, inbox: Inbox, *, task_status: trio.TaskStatus[None]) -> None:
        task_status.started()
        await trio.sleep_forever()

    def routes(self) -> list[Any]:
        @get("/open/door")
        async def open_door() -> str:
            return "come in"

        @get("/wrong/word", opt={"role": "boss"})
        async def wrong_word() -> str:
            return "come in"

        return [open_door, wrong_word]


class CarelessPlugin:
    @hookimpl
    def register_routes(self, register: Register) -> None:
        register("careless", LetterboxSettings, Careless)


async def test_handler_without_a_role_stops_the_start(tmp_path: Path) -> None:
    with pytest.raises(PluginError) as caught:
        async with company(tmp_path, more=[CarelessPlugin()], routes={"shop": {"type": "careless"}}):
            pass
    assert "/open/door" in str(caught.value)
    assert "opt['role'] was None" in str(caught.value)
    assert "opt['role'] was 'boss'; known: admin, agent, any, channel" in str(caught.value)


async def test_options_of_a_route_says_its_methods(tmp_path: Path) -> None:
    async with company(tmp_path) as shop, shop.client() as client:
        answer = await client.options("/api/status")
        assert answer.status_code == 204
        assert answer.headers["allow"] == "GET, HEAD, OPTIONS"
        assert (await client.options("/api/contacts/1/move")).headers["allow"] == "OPTIONS, POST"
        assert shop.door.app is not None
        assert all("role" in handler.opt for _, handler in handlers_of(shop.door.app))
