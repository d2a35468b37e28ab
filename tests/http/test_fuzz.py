"""Whatever comes in, nothing leaves a 500, nothing ends the process, and everything is answered.

The cases of one run go to one server, so that what one request breaks the next one finds. A failure prints
the blob that repeats it (see tests/conftest.py).
"""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any, Final
from urllib.parse import quote

import httpx
import structlog
import trio
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from trio_websocket import ConnectionClosed

from centralita import messages
from centralita_http.desk_words import COMMANDS
from centralita_http.wire import object_form
from tests.http.company import PATIENCE_S, Company, company

ALLOWED: Final = {200, 201, 204, 400, 401, 403, 404, 405, 408, 409, 413, 429, 431}
OPEN_LIMITS: Final = {
    "requests_per_s": 1e6, "requests_burst": 1_000_000, "messages_per_s": 1e6, "header_s": 3600, "body_s": 3600,
}  # fmt: skip
"""A connection that nothing but a limit of time would end is one too many."""
STREAMS: Final = {"/api/events", "/api/board"}

TEXT = st.text(max_size=12)
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | TEXT,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXT, inner, max_size=3),
    max_leaves=8,
)
KNOWN = st.sampled_from(
    ["ana", "eva", "sales", "support", "post", "en", "customer", "available", "admin", "1"]
)


def values(schema: dict[str, Any], document: dict[str, Any], depth: int = 0) -> st.SearchStrategy[Any]:
    """Values of an OpenAPI schema, mostly: now and then something else stands in their place."""
    if "$ref" in schema:
        schema = document["components"]["schemas"][schema["$ref"].rpartition("/")[2]]
    if depth > 3:
        return JSON
    options = schema.get("oneOf") or schema.get("anyOf")
    if options:
        return st.one_of(*(values(option, document, depth + 1) for option in options))
    if "enum" in schema:
        return st.sampled_from(schema["enum"]) | TEXT
    kind = schema.get("type")
    if kind == "object" and "properties" in schema:
        fields = {name: values(one, document, depth + 1) for name, one in schema["properties"].items()}
        required = {name: fields[name] for name in schema.get("required", [])}
        optional = {name: one for name, one in fields.items() if name not in required}
        return st.fixed_dictionaries(required, optional=optional) | JSON
    if kind == "object":
        return st.dictionaries(KNOWN | TEXT, st.integers(0, 11) | TEXT, max_size=3)
    if kind == "array":
        return st.lists(values(schema.get("items", {}), document, depth + 1), max_size=3)
    simple = {
        "string": KNOWN | TEXT,
        "integer": st.integers(-1, 12) | st.integers(),
        "number": st.floats(allow_nan=False, allow_infinity=False),
        "boolean": st.booleans(),
        "null": st.none(),
    }
    return simple.get(kind, JSON) if isinstance(kind, str) else JSON


def requests(document: dict[str, Any]) -> st.SearchStrategy[tuple[str, str, bytes]]:
    """(method, path with query, body) after the document."""
    cases = []
    for path, item in document["paths"].items():
        for method, operation in item.items():
            if path in STREAMS or path == "/letterbox/broken":
                continue
            cases.append(one_request(method, path, operation, document))
    return st.one_of(*cases)


@st.composite
def one_request(
    draw: st.DrawFn, method: str, path: str, operation: dict[str, Any], document: dict[str, Any]
) -> tuple[str, str, bytes]:
    query = []
    for parameter in operation.get("parameters", []):
        value = draw(values(parameter["schema"], document))
        word = quote(value if isinstance(value, str) else json.dumps(value), safe="")
        if parameter["in"] == "path":
            path = path.replace("{" + parameter["name"] + "}", word or "x")
        elif draw(st.booleans()):
            query.append(f"{parameter['name']}={word}")
    body = b""
    if "requestBody" in operation:
        schema = operation["requestBody"]["content"]["application/json"]["schema"]
        body = draw(
            values(schema, document).map(lambda value: json.dumps(value).encode()) | st.binary(max_size=40)
        )
    return method.upper(), f"{path}?{'&'.join(query)}" if query else path, body


def fuzz(
    folder: Path,
    strategy: Callable[[Company], Awaitable[st.SearchStrategy[Any]]],
    examples: int,
    try_one: Any,
) -> None:
    """Run `try_one(company, case)` for cases drawn by Hypothesis, in one server."""

    async def main() -> None:
        async with company(folder, http={"limits": OPEN_LIMITS}) as shop, shop.client(shop.admin) as client:
            await shop.admit("1")
            cases = await strategy(shop)

            @settings(max_examples=examples, suppress_health_check=list(HealthCheck), deadline=None)
            @given(cases)
            def run(case: Any) -> None:
                trio.from_thread.run(try_one, shop, client, case)

            await trio.to_thread.run_sync(run)
            assert (await client.get("/readyz")).status_code == 200

    with structlog.testing.capture_logs() as logs:
        trio.run(main)
    faults = [
        line for line in logs if line["event"] in {"request_failed", "connection_failed", "http_server"}
    ]
    assert faults == [], json.dumps(faults, default=str)
    assert [line for line in logs if line["event"] == "component_down"] == []


def test_requests_after_the_openapi_document_leave_no_500(tmp_path: Path) -> None:
    async def document(shop: Company) -> st.SearchStrategy[Any]:
        async with shop.client() as client:
            return requests((await client.get("/schema/openapi.json")).json())

    async def send(_: Company, client: httpx.AsyncClient, case: tuple[str, str, bytes]) -> None:
        method, path, body = case
        answer = await client.request(method, path, content=body)
        assert answer.status_code in ALLOWED, (case, answer.status_code, answer.text)
        if answer.status_code >= 400:
            told = answer.json()
            assert set(told) <= {"code", "message", "problems"}, (case, told)

    fuzz(tmp_path, document, 400, send)


async def raw_cases(_: Company) -> st.SearchStrategy[Any]:
    line = st.sampled_from(
        [b"GET /healthz HTTP/1.1", b"POST /api/session HTTP/1.1", b"GET /ws/desk HTTP/1.1"]
    )
    header = st.sampled_from(
        [
            b"host: x",
            b"host: [",
            b"host: \xff",
            b"connection: upgrade",
            b"upgrade: websocket",
            b"upgrade: h2c",
            b"sec-websocket-version: 13",
            b"sec-websocket-key: AAAAAAAAAAAAAAAAAAAAAA==",
            b"sec-websocket-key: \xff",
            b"content-length: 2",
            b"content-length: 99999999999999999999",
            b"transfer-encoding: chunked",
            b"content-type: text/\xff",
            b"content-type: multipart/form-data",
            b"authorization: Bearer \xff\xfe",
            b"authorization: Basic x",
            b"cookie: centralita_session=\xff; =; ;;",
            b"origin: http://[",
            b"origin: null",
            b"x-forwarded-for: 1.2.3.4, [, x",
            b"last-event-id: \xff",
            b"expect: 100-continue",
        ]
    ) | st.binary(max_size=20)
    target = st.binary(max_size=20).map(lambda junk: b"GET /" + junk + b" HTTP/1.1")
    head = st.tuples(line | target, st.lists(header, max_size=6)).map(
        lambda parts: b"\r\n".join([parts[0], *parts[1]]) + b"\r\n\r\n"
    )
    return st.tuples(head, st.binary(max_size=60)).map(b"".join) | st.binary(max_size=200)


def test_bytes_of_any_kind_end_at_most_their_own_connection(tmp_path: Path) -> None:
    async def send(shop: Company, _: httpx.AsyncClient, case: bytes) -> None:
        async with await shop.stream() as stream:
            try:
                await stream.send_all(case)
                await stream.send_eof()
                with trio.move_on_after(PATIENCE_S) as patience:
                    received = b""
                    while piece := await stream.receive_some():
                        received += piece
            except trio.BrokenResourceError:
                return
            assert not patience.cancelled_caught, (case, received)
            assert b" 500 " not in received.partition(b"\r\n")[0], (case, received)

    fuzz(tmp_path, raw_cases, 250, send)


async def frames(_: Company) -> st.SearchStrategy[Any]:
    spoken: list[st.SearchStrategy[dict[str, Any]]] = []
    for name in COMMANDS:
        form = object_form(getattr(messages, name))
        known = st.dictionaries(
            st.sampled_from(form.__struct_fields__),
            st.integers(0, 5) | KNOWN | st.booleans() | JSON | st.floats(0, 100),
            max_size=5,
        )
        spoken.append(st.builds(dict, known, id=st.just(1), command=st.just(name)))
    other = st.fixed_dictionaries(
        {}, optional={"id": JSON, "ask": KNOWN | JSON, "signal": JSON, "contact": st.integers(0, 3)}
    )
    return st.one_of(*spoken, other, JSON).map(json.dumps) | TEXT | st.binary(max_size=30)


def test_frames_of_any_kind_leave_the_desk_standing(tmp_path: Path) -> None:
    async def send(shop: Company, _: httpx.AsyncClient, case: str | bytes) -> None:
        async with shop.desk("ana") as ana:
            try:
                await ana.socket.send_message(case)
                await ana.socket.send_message('{"id": 123456, "ask": "why"}')
                assert (await ana.next("reply", id=123456))["ok"]
            except ConnectionClosed as closed:
                raise AssertionError((case, closed.reason)) from closed
            for reply in ana.frames:
                assert reply.get("code") != "internal"

    fuzz(tmp_path, frames, 150, send)
