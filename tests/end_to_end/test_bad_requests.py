"""Bad requests, each answered with a clear message that names its place; the daemon lives on and works."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
import trio
from trio_websocket import ConnectionClosed, HandshakeError, WebSocketConnection

from tests.end_to_end.exchange import PATIENCE_S, Exchange, open_exchange
from tests.end_to_end.people import Agent, Customer, Floor, open_socket

JSON = {"content-type": "application/json"}
FOREIGN = "https://elsewhere.example"
ADMISSION = {"channel": "shop", "provider_id": "p1"}

# What is wrong: the request; the status, the code and what its message must name.
REQUESTS: dict[str, tuple[dict[str, Any], int, str, tuple[str, ...]]] = {
    "not JSON": (
        {"url": "/api/contacts", "content": b"{", "headers": JSON},
        400,
        "bad_request",
        ("body", "truncated"),
    ),
    "a field of another type": (
        {"url": "/api/contacts", "json": {**ADMISSION, "channel": 7}},
        400,
        "bad_request",
        ("body.channel", "Expected `str`", "int"),
    ),
    "a field that is missing": (
        {"url": "/api/contacts", "json": {"channel": "shop"}},
        400,
        "bad_request",
        ("provider_id",),
    ),
    "a field nobody knows": (
        {"url": "/api/contacts", "json": {**ADMISSION, "colour": "red"}},
        400,
        "bad_request",
        ("colour",),
    ),
    "a channel nobody knows": (
        {"url": "/api/contacts", "json": {**ADMISSION, "channel": "fax"}},
        404,
        "unknown_channel",
        ("'fax'", "known: shop"),
    ),
    "a skill's level out of range": (
        {"url": "/api/contacts", "json": {**ADMISSION, "skills": {"english": 99}}},
        400,
        "bad_request",
        ("body.skills", "10"),
    ),
    "a contact that is not there": (
        {"url": "/api/contacts/999/move", "json": {"queue": "first"}},
        404,
        "unknown_contact",
        ("999",),
    ),
    "an agent's status that does not exist": (
        {"url": "/api/agents/agent00/status", "json": {"status": "asleep"}},
        400,
        "bad_request",
        ("body.status", "asleep"),
    ),
    "a path that does not exist": ({"method": "GET", "url": "/api/contact"}, 404, "not_found", ("/api/contact",)),
    "a method that is not allowed": (
        {"method": "DELETE", "url": "/api/figures"},
        405,
        "method_not_allowed",
        ("DELETE",),
    ),
    "a query that is no number": (
        {"method": "GET", "url": "/api/contacts?limit=many"},
        400,
        "bad_request",
        ("query.limit", "int", "str"),
    ),
    "a body beyond the limit": (
        {"url": "/api/contacts", "content": b" " * 2_000_000, "headers": JSON},
        413,
        "too_large",
        ("1048576",),
    ),
    "no token": ({"url": "/api/contacts", "json": ADMISSION, "token": ""}, 401, "no_token", ("Bearer TOKEN",)),
    "a wrong token": (
        {"url": "/api/contacts", "json": ADMISSION, "token": "ctl_000000000000_wrong"},
        401,
        "bad_token",
        ("token",),
    ),
    "a page of another site": (
        {"url": "/api/queues/first/close", "json": {}, "headers": {"origin": FOREIGN}},
        403,
        "foreign_origin",
        (FOREIGN,),
    ),
    "a configuration with faults": (
        {"method": "PUT", "url": "/api/configuration", "content": b"[queues.x]\nskills = { baking = 3 }\nofer_s = 1"},
        400,
        "bad_configuration",
        ("queues.x", "ofer_s", "offer_s"),
    ),
}  # fmt: skip

# What an agent's window says that it can't: the frame; the code and what its message must name.
DESK_FRAMES: dict[str, tuple[str, str, tuple[str, ...]]] = {
    "not JSON": ("{", "bad_request", ("not JSON",)),
    "not an object": ("[1]", "bad_request", ("object", "list")),
    "an unknown command": ('{"id": 1, "command": "AdmitContact"}', "bad_request", ("AdmitContact", "known: SignIn")),
    "a field of another type": (
        '{"id": 1, "command": "AnswerOffer", "contact": "x", "offer": 1, "accept": true}',
        "bad_request",
        ("AnswerOffer.contact", "int", "str"),
    ),
    "another agent's name": (
        '{"id": 1, "command": "SetStatus", "agent": "agent01", "status": "break"}',
        "bad_request",
        ("SetStatus", "agent"),
    ),
    "a contact that is not theirs": (
        '{"id": 1, "command": "EndContact", "contact": 999}',
        "not_yours",
        ("999",),
    ),
}  # fmt: skip

# What a customer's page says that it can't.
CHAT_FRAMES: dict[str, tuple[str, str, tuple[str, ...]]] = {
    "not JSON": ("{", "bad_frame", ("truncated",)),
    "an unknown type": ('{"type": "shout"}', "bad_frame", ("shout", "$.type")),
    "an unknown field": ('{"type": "end", "contact": 7}', "bad_frame", ("contact",)),
    "nothing to say": ('{"type": "message", "message_id": "m1", "text": " "}', "empty", ("words or a file",)),
    "too much to say": (
        json.dumps({"type": "message", "message_id": "m1", "text": "x" * 5000}),
        "too_long",
        ("message_chars_max", "4000"),
    ),
    "a file that was never sent": (
        '{"type": "message", "message_id": "m1", "text": "see", "attachments": ["nothing"]}',
        "bad_attachment",
        ("file",),
    ),
    "a rating of nothing": ('{"type": "rate", "score": 5}', "refused", ("no conversation to rate",)),
    "a rating out of range": ('{"type": "rate", "score": 6}', "bad_frame", ("$.score", "5")),
}  # fmt: skip


@pytest.fixture
async def exchange(tmp_path: Path) -> AsyncIterator[Exchange]:
    async with open_exchange(tmp_path, agents_n=2) as running:
        yield running
        await check_that_it_works(running)
        assert await running.stop() == 0
        assert not running.complaints()


async def check_that_it_works(exchange: Exchange) -> None:
    """It is alive, and a conversation goes from its first word to its rating."""
    async with exchange.client("") as anybody:
        assert (await anybody.get("/healthz")).status_code == 200
    floor = Floor()
    agent = Agent(exchange.port, "agent00", await exchange.token_for("agent", "agent00"), floor)
    customer = Customer(exchange.port, "eva@example.com", ["Hello?", "Thank you #bye"], score=5)
    with trio.fail_after(PATIENCE_S):
        async with trio.open_nursery() as nursery:
            nursery.start_soon(agent.run)
            await customer.run()
            nursery.cancel_scope.cancel()
    assert (customer.outcome, customer.rated) == ("served", 5)


def check_words(said: dict[str, Any], code: str, names: tuple[str, ...], *, what: str) -> None:
    assert said["code"] == code, (what, said)
    assert all(name in said["message"] for name in names), (what, said)


async def test_bad_requests_are_told_what_and_where(exchange: Exchange) -> None:
    for what, (request, status, code, names) in REQUESTS.items():
        request = {"method": "POST", **request}  # noqa: PLW2901  # with its default
        async with exchange.client(request.pop("token", None)) as client:
            answer = await client.request(**request)
        assert answer.status_code == status, (what, answer.status_code, answer.text)
        check_words(answer.json(), code, names, what=what)


async def test_bad_tokens_and_frames_of_desks_are_told_what_and_where(exchange: Exchange) -> None:
    for token, status, code in (("", 401, "no_token"), ("ctl_000000000000_wrong", 401, "bad_token")):
        headers = [(b"authorization", f"Bearer {token}".encode())] if token else []
        if not token:
            # A window may open without a token, and then has to say it first.
            async with open_socket(exchange.port, "/ws/desk") as connection:
                await connection.send_message('{"type": "hello"}')
                assert await closing_of(connection) == 4401
        else:
            refused = await refusal_of(exchange.port, "/ws/desk", headers)
            assert refused == (status, code)
    token = await exchange.token_for("agent", "agent00")
    bearer = (b"authorization", f"Bearer {token}".encode())
    assert await refusal_of(exchange.port, "/ws/desk", [bearer, (b"origin", FOREIGN.encode())]) == (
        403,
        "foreign_origin",
    )
    async with open_socket(exchange.port, "/ws/desk", [bearer]) as connection:
        for what, (frame, code, names) in DESK_FRAMES.items():
            await connection.send_message(frame)
            said = await next_of(connection, "reply")
            assert said["ok"] is False
            check_words(said, code, names, what=what)
        await connection.send_message('{"id": 9, "ask": "why"}')
        assert (await next_of(connection, "reply"))["ok"] is True
        await connection.send_message("x" * 300_000)
        assert await closing_of(connection) == 1009


async def test_bad_frames_of_customers_are_told_what_and_where(exchange: Exchange) -> None:
    assert (await refusal_of(exchange.port, "/chat/shop/ws", [(b"origin", FOREIGN.encode())]))[0] == 403
    async with open_socket(exchange.port, "/chat/shop/ws") as connection:
        await connection.send_message('{"type": "message", "message_id": "m1", "text": "hi"}')
        check_words(await next_of(connection, "error"), "bad_frame", ("hello",), what="no hello")
        assert await closing_of(connection) == 1008
    async with open_socket(exchange.port, "/chat/shop/ws") as connection:
        await connection.send_message('{"type": "hello", "session": "made up", "secret": "guessed"}')
        session = await next_of(connection, "session")
        assert (session["resumed"], session["secret"] is None) == (False, False)
        for what, (frame, code, names) in CHAT_FRAMES.items():
            await connection.send_message(frame)
            check_words(await next_of(connection, "error"), code, names, what=what)
        await connection.send_message("x" * 70_000)
        assert await closing_of(connection) == 1009


async def test_bad_uploads_are_told_what_and_where(exchange: Exchange) -> None:
    async with open_socket(exchange.port, "/chat/shop/ws") as connection, exchange.client("") as page:
        await connection.send_message('{"type": "hello"}')
        session = await next_of(connection, "session")
        me = {"session": session["session"], "secret": session["secret"]}
        program = ("holiday.png", b"MZ\x90\x00 a program", "image/png")
        for what, form, file, headers, status, code, names in (
            ("a program called a picture", me, program, {}, 400, "bad_attachment", ("content", "png, jpeg")),
            ("an empty file", me, ("a.png", b"", "image/png"), {}, 400, "bad_attachment", ("empty",)),
            ("somebody else's session", {**me, "secret": "x"}, program, {}, 401, "session", ("secret",)),
            ("another site's page", me, program, {"origin": FOREIGN}, 403, "origin", ("page",)),
            (
                "too large",
                me,
                ("a.txt", b"x" * 7_000_000, "text/plain"),
                {},
                413,
                "too_large",
                ("at most 5308416",),
            ),
        ):
            answer = await upload(page, form, file, headers)
            assert answer.status_code == status, (what, answer.text)
            check_words(answer.json(), code, names, what=what)
        nothing = await page.post("/chat/shop/attachments", data=me)
        assert (nothing.status_code, nothing.json()["code"]) == (400, "bad_value")
        unsigned = await page.get("/chat/shop/attachments/x?signature=y")
        assert (unsigned.status_code, unsigned.json()["code"]) == (404, "unknown_attachment")


async def upload(
    page: httpx.AsyncClient, form: dict[str, str], file: tuple[str, bytes, str], headers: dict[str, str]
) -> httpx.Response:
    return await page.post("/chat/shop/attachments", data=form, files={"file": file}, headers=headers)


async def next_of(connection: WebSocketConnection, kind: str) -> dict[str, Any]:
    """The next frame of a type."""
    with trio.fail_after(PATIENCE_S):
        while True:
            frame: dict[str, Any] = json.loads(await connection.get_message())
            if frame["type"] == kind:
                return frame


async def closing_of(connection: WebSocketConnection) -> int:
    """The code with which the daemon closes."""
    with trio.fail_after(PATIENCE_S):
        try:
            while True:
                await connection.get_message()
        except ConnectionClosed as closed:
            return int(closed.reason.code) if closed.reason is not None else 0


async def refusal_of(port: int, path: str, headers: list[tuple[bytes, bytes]]) -> tuple[int, str]:
    """With what an opening is refused: the HTTP status and the code."""
    found: list[tuple[int, str]] = []
    try:
        async with open_socket(port, path, headers):
            pass
    except* HandshakeError as group:
        for error in leaves(group):
            body = json.loads(error.body) if error.body else {}
            found.append((error.status_code, body.get("code", "")))
    assert found, "it was opened"
    return found[0]


def leaves(group: BaseExceptionGroup[Any]) -> Iterator[Any]:
    for error in group.exceptions:
        if isinstance(error, BaseExceptionGroup):
            yield from leaves(error)
        else:
            yield error
