"""Who may say what over an open WebSocket, and who may call what that any installed plugin brings."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from importlib import metadata, resources
from pathlib import Path
from typing import Any, Final

import httpx
import pytest
import trio
from litestar import Litestar, WebSocket, websocket
from litestar.routes import HTTPRoute, WebSocketRoute
from trio_websocket import ConnectionClosed, wrap_client_stream

import centralita_http.door
from centralita import open_engine
from centralita.errors import PluginError
from centralita.hookspecs import hookimpl
from centralita.messages import AdmitContact, Attachment, PostMessage
from centralita.protocols import Context, Inbox, Person, Register, Switchboard
from centralita_http.access import ALLOWED
from centralita_http.desk_words import ASKS, COMMANDS, MESSAGES, SIGNALS
from centralita_http.tokens import open_store
from tests.http.company import (
    PATIENCE_S,
    Company,
    DeskClient,
    LetterboxSettings,
    closing_code,
    company,
    eventually,
)

ROLES: Final = ("nobody", "stranger", "channel", "agent", "supervisor", "admin")


def test_every_word_of_the_desk_has_its_rule() -> None:
    assert set(MESSAGES) == {*COMMANDS, *ASKS, *SIGNALS, "control"}


# What a message needs besides the contact, so that nothing but the right to say it stands in its way.
FIELDS: Final[dict[str, dict[str, Any]]] = {
    "SetStatus": {"status": "available"},
    "AnswerOffer": {"offer": 1, "accept": True},
    "PostMessage": {"text": "boo"},
    "TransferContact": {"target": {"queue": "support"}},
    "StartConsultation": {"target": {"queue": "support"}},
    "EndConsultation": {"then": "cancel"},
    "NoteContact": {"notes": "boo"},
    "ExtendWrapUp": {"seconds": 1},
    "PlaceContact": {"channel": "post", "provider_id": "x", "handle": "y"},
    "ReportConnection": {"made": True},
}
OF_NO_CONTACT: Final = {"SignIn", "SetStatus", "SignOut", "PlaceContact"}


@pytest.mark.parametrize("kind", sorted(MESSAGES))
async def test_agent_says_nothing_about_a_colleagues_contact(tmp_path: Path, kind: str) -> None:
    async with company(tmp_path) as shop:
        contact = await shop.admit("1", text="a customer's words")
        async with shop.desk("ana") as ana:
            offer = await ana.next("offer")
            assert (await ana.say(command="AnswerOffer", contact=contact, offer=offer["offer"], accept=True))[
                "ok"
            ]
            await eventually(lambda: phase(shop, contact) == "connected")
            before = shop.switchboard.contact(contact)
            async with shop.desk("eva") as eva:
                reply = await eva.say(**frame(kind, contact))
                heard = json.dumps(reply)
            assert "a customer's words" not in heard
            if kind not in {*OF_NO_CONTACT, "why"}:
                assert not reply["ok"], reply
                assert reply["code"] in {
                    "not_yours", "wrong_phase", "offer_over", "already", "not_capable", "unknown_contact"
                }, reply  # fmt: skip
            after = shop.switchboard.contact(contact)
            assert before is not None
            assert after is not None
            assert (after.phase, after.agent, after.messages, after.notes, after.customer) == (
                before.phase, before.agent, before.messages, before.notes, before.customer
            )  # fmt: skip


def frame(kind: str, contact: int) -> dict[str, Any]:
    said: dict[str, Any] = {"contact": contact, **FIELDS.get(kind, {})}
    if kind in OF_NO_CONTACT:
        said.pop("contact")
    if kind in ASKS:
        return {"ask": kind, "contact": contact}
    if kind in SIGNALS:
        return {"signal": kind, "contact": contact}
    if kind == "control":
        return {"control": "ring_bell", "contact": contact}
    return {"command": kind, **said}


def phase(shop: Company, contact: int) -> str:
    view = shop.switchboard.contact(contact, messages=False)
    return view.phase if view is not None else ""


async def test_consulted_colleague_reads_and_does_not_write(tmp_path: Path) -> None:
    async with company(tmp_path) as shop:
        contact = await shop.admit("1")
        async with shop.desk("ana") as ana, shop.desk("eva") as eva:
            desks = {"ana": ana, "eva": eva}
            taker = await whoever_is_offered(desks)
            offer = await desks[taker].next("offer")
            assert (
                await desks[taker].say(
                    command="AnswerOffer", contact=contact, offer=offer["offer"], accept=True
                )
            )["ok"]
            await eventually(lambda: phase(shop, contact) == "connected")
            other = next(name for name in desks if name != taker)
            started = await desks[taker].say(
                command="StartConsultation", contact=contact, target={"agent": other}
            )
            assert started["ok"], started
            asked = await desks[other].next("offer")
            number = asked["contact"]["id"]
            assert (
                await desks[other].say(
                    command="AnswerOffer", contact=number, offer=asked["offer"], accept=True
                )
            )["ok"]
            await eventually(lambda: phase(shop, number) == "connected")
            assert (await desks[other].say(ask="history", contact=contact))["ok"]
            said = await desks[other].say(command="PostMessage", contact=contact, text="boo")
            assert said["code"] == "not_yours"


async def whoever_is_offered(desks: dict[str, DeskClient]) -> str:
    found: list[str] = []
    async with trio.open_nursery() as nursery:

        async def wait(name: str) -> None:
            offer = await desks[name].next("offer")
            desks[name].frames.append(offer)
            found.append(name)
            nursery.cancel_scope.cancel()

        for name in desks:
            nursery.start_soon(wait, name)
    return found[0]


# Everything that is installed.

CONFIGURED: Final[dict[str, dict[str, Any]]] = {
    "webchat": {"channels": {"shop": {"type": "webchat", "queue": "sales"}}},
    # Nobody listens there: its routes are there all the same.
    "asterisk": {
        "channels": {
            "phone": {
                "type": "asterisk",
                "queue": "sales",
                "servers": {"main": {"url": "http://127.0.0.1:9", "user": "x", "password": "x"}},
            },
            "voicemail": {"type": "asterisk_voicemail", "queue": "sales", "channel": "phone"},
        }
    },
    "console": {"routes": {"console": {"type": "console"}}},
    "kpi_prometheus": {"kpi_sinks": {"metrics": {"type": "prometheus"}}},
    "dialler": {
        "routes": {
            "lists": {
                "type": "dialler",
                "region": "ES",
                "campaigns": {"renewals": {"channel": "shop", "queue": "sales"}},
            }
        }
    },
    "http": {},
}
"""By plugin that brings routes: what has to be configured for them to be there."""
ROUTE_WORDS: Final = ("@get(", "@post(", "@put(", "@patch(", "@delete(", "@websocket(", "@route(", "@asgi(")


def bringing_routes() -> set[str]:
    """The installed plugins whose code makes handlers."""
    found = set()
    for entry in metadata.entry_points(group="centralita"):
        package = resources.files(entry.value.partition(":")[0])
        for path in package.iterdir():
            if path.name.endswith(".py") and any(
                word in path.read_text(encoding="utf-8") for word in ROUTE_WORDS
            ):
                found.add(entry.name)
    return found


def test_each_plugin_with_routes_is_walked_here() -> None:
    assert bringing_routes() <= set(CONFIGURED), (
        "say in CONFIGURED what has to be configured for its routes to be there"
    )


@asynccontextmanager
async def everything(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> AsyncIterator[tuple[Switchboard, Litestar, str, dict[str, str]]]:
    """A daemon of all plugins: its switchboard, its application, its address, a token for each role."""
    apps: list[Litestar] = []
    made = centralita_http.door.HttpFrontDoor._application

    def remembered(*arguments: Any, **named: Any) -> Litestar:
        apps.append(made(*arguments, **named))
        return apps[-1]

    monkeypatch.setattr(centralita_http.door.HttpFrontDoor, "_application", remembered)
    configuration: dict[str, Any] = {
        "domain": {"name": "all", "data": str(folder)},
        "default_queue": "sales",
        "queues": {"sales": {"offer_s": 600}},
        "agents": {"ana": {}, "eva": {}},
        "desks": {"desk": {"type": "websocket"}},
        "front_doors": {"http": {"type": "http", "port": 0, "limits": {"bad_tokens_per_min": 10_000}}},
    }
    for more in CONFIGURED.values():
        for kind, components in more.items():
            configuration[kind] = {**configuration.get(kind, {}), **components}
    async with open_engine(configuration) as switchboard:
        with trio.fail_after(PATIENCE_S):
            while any(one.state != "up" for one in switchboard.components()):
                await trio.sleep(0.01)
        (path,) = folder.rglob("http.port")
        store = open_store(path.parent)
        tokens = {"nobody": "", "stranger": "ctl_000000000000_" + "0" * 64}
        for role in ("channel", "agent", "supervisor", "admin"):
            tokens[role] = store.create(
                name=role,
                role=role,
                agent="ana" if role == "agent" else "",
                channel="shop" if role == "channel" else "",
            )[1]
        store.close()
        yield switchboard, apps[0], f"127.0.0.1:{path.read_text().strip()}", tokens


@pytest.mark.parametrize("role", ROLES)
async def test_every_route_there_is_holds_to_the_role_it_names(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, role: str
) -> None:
    async with everything(tmp_path, monkeypatch) as (switchboard, app, host, tokens):
        theirs = await switchboard.submit(AdmitContact(channel="shop", provider_id="x"))
        headers = {"Authorization": f"Bearer {tokens[role]}"} if tokens[role] else {}
        wrong: list[str] = []
        walked = 0
        async with httpx.AsyncClient(
            base_url=f"http://{host}", headers=headers, timeout=PATIENCE_S, trust_env=False
        ) as client:
            for route in app.routes:
                path = filled(route.path, contact=theirs.contact)
                if isinstance(route, WebSocketRoute):
                    opt = route.route_handler.opt
                    let_in = await socket_lets_in(host, path, tokens[role])
                    expected = {let_in} if opt["role"] == "public" else {may(role, opt, path)}
                    walked += 1
                    if let_in not in expected:
                        wrong.append(f"WS {path}: {let_in}, {dict(opt)}")
                    continue
                assert isinstance(route, HTTPRoute)
                for method, (handler, _) in route.route_handler_map.items():
                    if method == "OPTIONS":
                        continue
                    async with client.stream(method, path) as answer:
                        status = answer.status_code
                    if method == "GET" and (head := await client.head(path)).status_code != status:
                        wrong.append(f"HEAD {path}: {head.status_code}, GET: {status}")
                    walked += 1
                    let_in = status not in {401, 403}
                    # A chat's upload asks for its session's secret, and says 401 without.
                    own = handler.opt["role"] == "public" and path.endswith("/attachments")
                    if status == 500 or (let_in != may(role, handler.opt, path) and not own):
                        wrong.append(f"{method} {path}: {status}, {dict(handler.opt)}")
        assert walked > 50
        assert wrong == []


def filled(path: str, *, contact: int) -> str:
    values = {"contact": str(contact), "name": "eva"}
    parts = []
    for part in path.split("/"):
        if part.startswith("{"):
            name = part[1:-1].partition(":")[0]
            parts.append(values.get(name, "none"))
        else:
            parts.append(part)
    return "/".join(parts)


def may(role: str, opt: dict[str, Any], path: str) -> bool:
    """What the route's own words say of a role; whatever `own` narrows is not the caller's here."""
    access = opt["role"]
    if access in {"public", "metrics"}:
        return True
    if role not in ALLOWED[access]:
        return False
    if role == "channel" and opt.get("own") == "channel":
        return True  # the contact walked with is the channel's own
    return not (role == "agent" and opt.get("own") in {"agent", "contact"})


async def socket_lets_in(host: str, path: str, token: str) -> bool:
    """Whether a desk's WebSocket takes the token; by its first frame, as a page gives it."""
    async with (
        await trio.open_tcp_stream("127.0.0.1", int(host.partition(":")[2])) as stream,
        trio.open_nursery() as nursery,
    ):
        socket = await wrap_client_stream(nursery, stream, host, path)
        await socket.send_message(json.dumps({"type": "auth", "token": token}))
        try:
            with trio.fail_after(PATIENCE_S):
                said = json.loads(await socket.get_message())
            let_in = bool(said["type"] != "error")
        except ConnectionClosed as closed:
            # Above an agent, but with no desk of their own.
            let_in = "token of an agent" in str(closed.reason)
        nursery.cancel_scope.cancel()
        return let_in


async def test_recording_whose_name_was_guessed_is_not_given_out(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with everything(tmp_path, monkeypatch) as (switchboard, _, host, tokens):
        (folder,) = (path for path in tmp_path.rglob("phone") if path.is_dir())
        theirs = await switchboard.submit(AdmitContact(channel="phone", provider_id="1"))
        other = await switchboard.submit(AdmitContact(channel="phone", provider_id="2"))
        name = f"centralita-call-{other.contact}-1.wav"
        (folder / name).write_bytes(b"RIFF and a voice")
        file = Attachment(id=name, name=name, media_type="audio/wav", bytes_n=16)
        await switchboard.submit(
            PostMessage(contact=other.contact, author="system", text="Recording", attachments=(file,))
        )
        async with httpx.AsyncClient(
            base_url=f"http://{host}/chat/phone/desk/contacts", timeout=PATIENCE_S, trust_env=False
        ) as client:
            statuses = {}
            for role in ("agent", "supervisor"):
                headers = {"Authorization": f"Bearer {tokens[role]}"}
                for contact in (theirs.contact, other.contact):
                    answer = await client.get(f"/{contact}/attachments/{name}", headers=headers)
                    statuses[role, contact] = answer.status_code
        assert statuses == {
            ("agent", theirs.contact): 403,
            ("agent", other.contact): 403,
            ("supervisor", theirs.contact): 404,
            ("supervisor", other.contact): 200,
        }
        exported = await switchboard.export_customer(Person(contacts=(other.contact,)))
        assert [one["name"] for one in exported["components"]["channels.phone"]["recordings"]] == [name]


async def test_persons_records_are_found_and_forgotten_and_the_objection_kept(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with everything(tmp_path, monkeypatch) as (switchboard, _, host, tokens):
        headers = {"Authorization": f"Bearer {tokens['admin']}"}
        async with httpx.AsyncClient(
            base_url=f"http://{host}", headers=headers, timeout=PATIENCE_S, trust_env=False
        ) as client:
            entries = [
                {"number": "600 111 222", "name": "Vera Vidal"},
                {"number": "600111333", "name": "Otto"},
            ]
            added = await client.post("/api/campaigns/renewals/records", json={"records": entries})
            assert added.json()["added"] == 2, added.text
            await client.post("/api/do-not-call", json={"numbers": ["600111222"], "reason": "asked"})
        vera = Person(handles=("+34600111222",))
        told = (await switchboard.export_customer(vera))["components"]["routes.lists"]
        assert [record["name"] for record in told["records"]] == ["Vera Vidal"]
        assert [entry["reason"] for entry in told["do_not_call"]] == ["asked"]
        done = await switchboard.erase_customer(vera, by="test")
        assert done["components"]["routes.lists"] == 1
        told = (await switchboard.export_customer(vera))["components"]["routes.lists"]
        assert told["records"] == []
        assert len(told["do_not_call"]) == 1, "who is not to be called stays so"
        otto = await switchboard.export_customer(Person(handles=("600111333",)))
        assert [one["name"] for one in otto["components"]["routes.lists"]["records"]] == ["Otto"]
    for path in tmp_path.rglob("lists.sqlite*"):
        assert b"Vera" not in path.read_bytes()


class Mute:
    """A component whose WebSocket forgot to say who may send what."""

    def __init__(self, settings: LetterboxSettings, context: Context) -> None:
        pass

    async def run(self, inbox: Inbox, *, task_status: trio.TaskStatus[None]) -> None:
        task_status.started()
        await trio.sleep_forever()

    def routes(self) -> list[Any]:
        @websocket("/open/line", opt={"role": "agent"})
        async def line(socket: WebSocket[Any, Any, Any]) -> None:
            await socket.accept()

        @websocket("/wrong/line", opt={"role": "agent", "messages": {"hello": "agent", "bye": "agent sing"}})
        async def wrong(socket: WebSocket[Any, Any, Any]) -> None:
            await socket.accept()

        return [line, wrong]


class MutePlugin:
    @hookimpl
    def register_routes(self, register: Register) -> None:
        register("mute", LetterboxSettings, Mute)


async def test_websocket_that_does_not_say_who_may_send_what_stops_the_start(tmp_path: Path) -> None:
    with pytest.raises(PluginError) as caught:
        async with company(tmp_path, more=[MutePlugin()], routes={"shop": {"type": "mute"}}):
            pass
    assert "/open/line (line): opt['messages'] was None" in str(caught.value)
    assert "opt['messages']['bye'] was 'agent sing'" in str(caught.value)


async def test_channels_token_speaks_for_its_channel_and_never_as_an_agent(tmp_path: Path) -> None:
    async with company(tmp_path) as shop:
        mine, others = await shop.admit("1"), await shop.admit("2", channel="parcels")
        async with shop.client(await shop.token("channel")) as client:
            refused = await client.post("/api/contacts", json={"channel": "parcels", "provider_id": "3"})
            assert (refused.status_code, refused.json()["code"]) == (403, "not_yours")
            for contact in (others, 999_999):
                refused = await client.post(
                    f"/api/contacts/{contact}/messages", json={"author": "customer", "text": "boo"}
                )
                assert (refused.status_code, refused.json()["code"]) == (403, "not_yours")
            for fields in ({"author": "agent", "author_id": "ana"}, {"author": "bot", "internal": True}):
                refused = await client.post(f"/api/contacts/{mine}/messages", json={"text": "boo", **fields})
                assert (refused.status_code, refused.json()["code"]) == (403, "not_yours")
            said = await client.post(
                f"/api/contacts/{mine}/messages", json={"author": "customer", "text": "hello"}
            )
            assert said.status_code == 201
        async with shop.client(shop.admin) as client:
            for body in ({"name": "x", "role": "channel"}, {"name": "x", "role": "channel", "channel": "no"}):
                assert (await client.post("/api/tokens", json=body)).status_code in {400, 404}


async def test_stranger_at_the_desk_is_sent_away_at_the_desk(tmp_path: Path) -> None:
    async with company(tmp_path) as shop, shop.socket("/ws/desk") as socket:
        await socket.send_message('{"type": "auth", "token": "ctl_000000000000_' + "0" * 64 + '"}')
        assert await closing_code(socket) == 4401
