"""The REST interface over a real server and a real engine: what it does, and what it says to nonsense."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import structlog
from litestar.openapi.spec.base import BaseSchemaObject

from centralita_http.wire import encode
from tests.http.company import company
from tests.on_loop import called_here


async def test_contact_is_admitted_once_read_moved_explained_and_cancelled(tmp_path: Path) -> None:
    async with company(tmp_path) as shop, shop.client(shop.admin) as client:
        wish = {
            "channel": "post",
            "provider_id": "42",
            "handle": "+34600000000",
            "text": "¡hola!",
            "priority": 3,
        }
        first = await client.post("/api/contacts", json=wish)
        again = await client.post("/api/contacts", json=wish)
        assert first.status_code == again.status_code == 201
        contact = first.json()["contact"]
        assert again.json()["contact"] == contact, "a channel may repeat itself"

        view = (await client.get(f"/api/contacts/{contact}")).json()
        assert (view["phase"], view["queue"], view["handle"]) == ("waiting", "sales", "+34600000000")
        assert [message["text"] for message in view["messages"]] == ["¡hola!"]

        listed = (await client.get("/api/contacts", params={"queue": "sales", "phase": "waiting"})).json()
        assert [one["id"] for one in listed] == [contact]
        assert listed[0]["messages"] == []

        why = (await client.get(f"/api/contacts/{contact}/why")).json()
        assert why["contact"] == contact
        assert why["queue"] == "sales"

        moved = await client.post(f"/api/contacts/{contact}/move", json={"queue": "support", "priority": 9})
        assert moved.json()["contact"] == contact
        view = (await client.get(f"/api/contacts/{contact}")).json()
        assert (view["queue"], view["priority"]) == ("support", 9)

        said = {"author": "customer", "text": "still here", "message_id": "m1"}
        posted = await client.post(f"/api/contacts/{contact}/messages", json=said)
        assert posted.status_code == 201
        assert (await client.post(f"/api/contacts/{contact}/messages", json=said)).status_code in {201, 409}
        view = (await client.get(f"/api/contacts/{contact}")).json()
        assert [message["text"] for message in view["messages"]] == ["¡hola!", "still here"]

        assert (await client.get(f"/api/contacts/{contact}/history")).json() == []
        cancelled = await client.post(f"/api/contacts/{contact}/cancel", json={"reason": "test"})
        assert cancelled.status_code == 200
        assert (await client.post(f"/api/contacts/{contact}/cancel", json={})).status_code in {404, 409}
        assert (await client.get("/api/contacts")).json() == []
        assert (await client.get("/api/figures")).json()["contacts"]["ended"] == 1


async def test_queue_is_closed_and_opened_by_hand(tmp_path: Path) -> None:
    async with company(tmp_path) as shop, shop.client(await shop.token("supervisor")) as client:
        closed = await client.post("/api/queues/sales/close", json={"reason": "fire drill"})
        assert (closed.json()["name"], closed.json()["open"]) == ("sales", False)
        opened = await client.post("/api/queues/sales/open", json={})
        assert opened.json()["open"] is True
        assert (await client.get("/api/queues/sales")).json()["open"] is True
        unknown = await client.post("/api/queues/nowhere/open", json={})
        assert (unknown.status_code, unknown.json()["code"]) == (404, "unknown_queue")


async def test_agents_status_is_set_by_themselves_and_by_a_supervisor(tmp_path: Path) -> None:
    async with company(tmp_path) as shop, shop.client(await shop.token("agent", "ana")) as ana:
        away = await ana.post("/api/agents/ana/status", json={"status": "break", "reason": "coffee"})
        assert (away.status_code, away.json()["code"]) == (409, "not_signed_in")
        async with shop.desk("ana"), shop.client(await shop.token("supervisor")) as boss:
            away = await ana.post("/api/agents/ana/status", json={"status": "break", "reason": "coffee"})
            assert (away.json()["status"], away.json()["reason"]) == ("break", "coffee")
            back = await boss.post("/api/agents/ana/status", json={"status": "available"})
            assert back.json()["status"] == "available"
            assert (await ana.get("/api/agents/ana/why")).json()["agent"] == "ana"
            out = await boss.post("/api/agents/ana/sign-out", json={})
            assert out.json()["state"] == "offline"


async def test_configuration_is_applied_whole_or_not_at_all(tmp_path: Path) -> None:
    text = """
        skills = ["en", "es"]
        default_queue = "sales"
        [queues.sales]
        title = "SALES"
        [agents.ana]
        {extra}
        [journal]
        type = "memory"
        [channels.post]
        type = "letterbox"
        [channels.parcels]
        type = "letterbox"
        [desks.console]
        type = "websocket"
        [front_doors.http]
        type = "http"
        port = {port}
    """
    async with company(tmp_path) as shop, shop.client(shop.admin) as client:

        async def put(extra: str = "", *, port: int = 0) -> Any:
            return await client.put("/api/configuration", content=text.format(extra=extra, port=port))

        before = (await client.get("/api/configuration")).json()
        bad = await put("skils = {}")
        assert (bad.status_code, bad.json()["code"]) == (400, "bad_configuration")
        assert "Object contains unknown field `skils`" in bad.json()["message"]
        assert bad.json()["problems"] == [bad.json()["message"]]
        two = await put('skills = {fr = 3}\nranks = {"nowhere" = 1}')
        assert len(two.json()["problems"]) == 2
        restart = await put(port=8471)
        assert (restart.status_code, restart.json()["code"]) == (409, "needs_restart")
        assert "front_doors.http" in restart.json()["message"]
        for empty in (b"", b" \n"):
            assert (await client.put("/api/configuration", content=empty)).status_code == 400
        assert (await client.put("/api/configuration", content=b"\xff")).status_code == 400
        assert (
            (await client.put("/api/configuration", content=b"a = "))
            .json()["message"]
            .startswith("configuration: not TOML")
        )
        assert (await client.get("/api/configuration")).json() == before
        applied = await put()
        assert applied.status_code == 200, applied.text
        after = (await client.get("/api/configuration")).json()
        assert list(after["queues"]) == ["sales"]
        assert after["queues"]["sales"]["title"] == "SALES"
        assert [agent["name"] for agent in (await client.get("/api/agents")).json()] == ["ana"]


BAD_REQUESTS = [
    ("POST", "/api/contacts", b"", 400, "body"),
    ("POST", "/api/contacts", b"{", 400, "truncated"),
    ("POST", "/api/contacts", b"", 400, "body: empty; a JSON object is expected"),
    ("POST", "/api/contacts", b"[]", 400, "body: Expected `object`, got `array`"),
    ("POST", "/api/contacts", b'{"channel": 1, "provider_id": "x"}', 400, "body.channel: Expected `str`"),
    ("POST", "/api/contacts", b'{"channel": "post"}', 400, "missing required field `provider_id`"),
    ("POST", "/api/contacts", b'{"channel": "post", "provider_id": ""}', 400, "body.provider_id"),
    (
        "POST",
        "/api/contacts",
        b'{"channel": "post", "provider_id": "x", "colour": 1}',
        400,
        "body: Object contains unknown field `colour`; known: attributes, channel, ",
    ),
    (
        "POST",
        "/api/contacts",
        b'{"channel": "post", "provider_id": "x", "skills": {"en": 11}}',
        400,
        "body.skills",
    ),
    ("POST", "/api/contacts", b'{"channel": "nope", "provider_id": "x"}', 404, "nope"),
    (
        "POST",
        "/api/contacts",
        b'{"channel": "post", "provider_id": "x", "conversation": 1e99}',
        400,
        "conversation",
    ),
    ("POST", "/api/contacts", b'{"channel": "post", "provider_id": "\xff"}', 400, "body: not UTF-8"),
    ("POST", "/api/contacts", b"[" * 100_000, 400, "body"),
    (
        "POST",
        "/api/contacts/1/messages",
        b'{"author": "ghost"}',
        400,
        "body.author: Invalid enum value 'ghost'; known: customer, ",
    ),
    ("POST", "/api/contacts/9/messages", b'{"author": "customer"}', 404, "9"),
    ("POST", "/api/contacts/9/pick", b'{"agent": "ana"}', 404, "9"),
    ("GET", "/api/contacts?limit=0", b"", 400, "query.limit: Expected `int` >= 1"),
    ("GET", "/api/contacts?limit=many", b"", 400, "query.limit"),
    ("GET", "/api/contacts?queue=nowhere", b"", 404, "queue 'nowhere'"),
    ("GET", "/api/contacts?agent=nobody", b"", 404, "agent 'nobody'"),
    ("GET", "/api/contacts?phase=gone", b"", 400, "query.phase: Invalid enum value 'gone'; known: "),
    ("GET", "/api/contacts/none", b"", 404, "Not Found"),
    ("GET", "/api/contacts/" + "9" * 5000, b"", 404, "Not Found"),
    ("GET", "/api/contacts/9/why", b"", 404, "contact 9"),
    ("GET", "/api/agents/nobody", b"", 404, "agent 'nobody'"),
    (
        "POST",
        "/api/agents/ana/status",
        b'{"status": "asleep"}',
        400,
        "body.status: Invalid enum value 'asleep'; known: available, break, offline",
    ),
    ("GET", "/api/events?after_seq=-1", b"", 400, "query.after_seq"),
    ("GET", "/api/events?after_seq=999999", b"", 400, "after_seq was 999999; the journal has records up to"),
    ("POST", "/api/tokens", b'{"name": "x", "role": "boss"}', 400, "body.role"),
    ("POST", "/api/tokens", b'{"name": "x", "role": "agent"}', 400, "body.agent is empty"),
    ("POST", "/api/tokens", b'{"name": "x", "role": "agent", "agent": "nobody"}', 404, "agent 'nobody'"),
    ("DELETE", "/api/tokens/none", b"", 404, "token 'none'"),
    ("PUT", "/healthz", b"", 405, "Method Not Allowed"),
    ("GET", "/%00", b"", 404, "Not Found"),
    ("GET", "/../../etc/passwd", b"", 404, "Not Found"),
]


@pytest.fixture
async def answers(tmp_path: Path) -> dict[int, Any]:
    """The answers to all bad requests, by their place: one server for them all."""
    found: dict[int, Any] = {}
    async with company(tmp_path) as shop, shop.client(shop.admin) as client:
        for place, (method, path, body, _, _) in enumerate(BAD_REQUESTS):
            found[place] = await client.request(method, path, content=body)
        assert (await client.get("/readyz")).status_code == 200
    return found


async def test_malformed_input_is_told_where_it_is_wrong(answers: dict[int, Any]) -> None:
    for place, (method, path, body, status, words) in enumerate(BAD_REQUESTS):
        answer = answers[place]
        line = f"{method} {path[:60]} {body!r}: {answer.status_code} {answer.text}"
        assert answer.status_code == status, line
        assert set(answer.json()) == {"code", "message"}, line
        assert words in answer.json()["message"], line


async def test_bug_answers_with_an_id_and_is_logged_without_words(tmp_path: Path) -> None:
    with structlog.testing.capture_logs() as logs:
        async with company(tmp_path) as shop, shop.client(shop.admin) as client:
            answer = await client.get("/letterbox/broken", params={"q": "secret words"})
            assert (await client.get("/healthz")).status_code == 200
    assert (answer.status_code, answer.json()["code"]) == (500, "internal")
    (line,) = [line for line in logs if line["event"] == "request_failed"]
    assert line["incident"] in answer.json()["message"]
    assert line["error"] == "RuntimeError"
    assert line["where"][-1].endswith(" broken")
    for told in (answer.text, *map(str, logs)):
        assert "a customer's words" not in told
        assert "secret words" not in told
        assert shop.admin not in told


async def test_every_answer_has_the_security_headers(tmp_path: Path) -> None:
    async with company(tmp_path) as shop, shop.client() as client:
        for path in ("/healthz", "/api/me", "/nowhere", "/schema/openapi.json"):
            headers = (await client.get(path)).headers
            policy = headers["content-security-policy"]
            assert "default-src 'none'" in policy
            assert "unsafe" not in policy
            assert headers["x-content-type-options"] == "nosniff"
            assert headers["x-frame-options"] == "DENY"
            assert headers["cache-control"] == "no-store"
            assert headers["cross-origin-resource-policy"] == "same-origin"
            assert "server" not in headers
            assert "strict-transport-security" not in headers


async def test_ready_says_what_is_down(tmp_path: Path) -> None:
    async with company(tmp_path) as shop, shop.client() as client:
        assert (await client.get("/readyz")).json() == {"ready": True, "waiting_for": []}
        assert (await client.get("/healthz")).json() == {"status": "alive"}


async def test_openapi_document_says_who_may_call_and_what_an_error_is(tmp_path: Path) -> None:
    async with company(tmp_path) as shop, shop.client() as client:
        document = (await client.get("/schema/openapi.json")).json()
        operations = {
            (method, path): operation
            for path, item in document["paths"].items()
            for method, operation in item.items()
        }
        assert operations["get", "/healthz"]["security"] == []
        admit = operations["post", "/api/contacts"]
        assert admit["security"] == [{"token": []}, {"cookie": []}]
        assert document["components"]["securitySchemes"]["token"]["scheme"] == "bearer"
        assert [status for status in admit["responses"] if status >= "400"] == ["default"]
        refused = await client.post("/api/contacts", json={"channel": 7})
        error = document["components"]["schemas"]["Error"]
        assert admit["responses"]["default"]["content"]["application/json"]["schema"] == {
            "$ref": "#/components/schemas/Error"
        }
        assert set(error["required"]) <= set(refused.json()) <= set(error["properties"])
        assert all(operation["responses"]["default"] for operation in operations.values())


async def test_openapi_document_describes_every_route(tmp_path: Path) -> None:
    async with company(tmp_path) as shop, shop.client() as client:
        document = (await client.get("/schema/openapi.json")).json()
        described = {(method, path) for path, item in document["paths"].items() for method in item}
        assert ("post", "/api/contacts") in described
        assert ("get", "/api/board") in described
        schemas = document["components"]["schemas"]
        names = " ".join(schemas)
        for name in ("ContactView", "AgentView", "QueueView", "ContactExplanation", "Admission"):
            assert name in names
        assert all(
            item.get("description")
            for path, items in document["paths"].items()
            if path.startswith("/api")
            for item in items.values()
        )


@pytest.mark.parametrize(
    "path", ["/api/figures", "/api/agents", "/api/queues", "/api/contacts", "/api/configuration"]
)
async def test_long_answers_are_put_into_words_off_the_loops_thread(tmp_path: Path, path: str) -> None:
    async with company(tmp_path) as shop, shop.client(shop.admin) as client:
        await shop.admit("1")
        with called_here(encode) as called:
            answer = await client.get(path)
        assert answer.json()
        assert not called


async def test_openapi_document_is_made_before_anybody_asks_for_it(tmp_path: Path) -> None:
    async with company(tmp_path) as shop, shop.client() as client:
        with called_here(BaseSchemaObject.to_schema) as called:
            assert (await client.get("/schema/openapi.json")).json()["paths"]
        assert not called
