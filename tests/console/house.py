"""A company with the console in front of it, for the tests of the pages: the real daemon in a thread.

The engine, the front door, the desk, the CRM and the web chat are the real ones, on a free port of this
machine. The one thing that is ours is a channel, `line`, written as a third party would: what it can do
is a setting, so that a test has a telephone without a telephone.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import trio
from msgspec import Struct

from centralita.config import decode
from centralita.errors import ControlRefused
from centralita.hookspecs import hookimpl
from centralita.messages import AdmitContact, AnyCommand, PostMessage
from centralita.protocols import (
    Announcement,
    Capabilities,
    Context,
    Inbox,
    Outgoing,
    PastContact,
    Register,
    Signal,
)
from centralita.runner.switchboard import LiveSwitchboard
from centralita.runner.thread import EngineThread
from centralita.views import ContactView
from centralita_http.door import PORT_FILE
from centralita_http.tokens import open_store

PATIENCE_S = 60
"""How long a test waits for something that must come."""
POLL_S = 0.02


class LineSettings(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """`[channels.NAME] type = "line"`."""

    kind: str = "chat"
    live: bool = True
    can_hold: bool = False
    can_begin: bool = False
    shows_typing: bool = True
    controls: tuple[str, ...] = ()


class Line:
    """A channel that reaches everybody, and remembers what it was given."""

    lines: dict[str, Line] = {}
    broken: set[str] = set()

    def __init__(self, settings: LineSettings, context: Context) -> None:
        self.capabilities = Capabilities(
            medium=settings.kind,
            live=settings.live,
            hold=settings.can_hold,
            dial=settings.can_begin,
            typing=settings.shows_typing,
            controls=settings.controls,
            forward=settings.can_hold,
        )
        self.sent: list[Outgoing] = []
        self.signals: list[Signal] = []
        self.held: list[bool] = []
        self.controlled: list[tuple[str, str]] = []
        self.forwarded: list[str] = []
        self.recording = ""
        self._broken = trio.Event()
        self.name = context.name
        self.lines[context.name] = self

    async def run(self, inbox: Inbox, *, task_status: trio.TaskStatus[None]) -> None:
        if self.name in self.broken:
            raise ConnectionError("the exchange does not answer")
        self._broken = trio.Event()
        task_status.started()
        await self._broken.wait()
        raise ConnectionError("the exchange hung up")

    def break_down(self) -> None:
        """Crash, and stay down until `mended`. In the engine's thread."""
        self.broken.add(self.name)
        self._broken.set()

    def mended(self) -> None:
        self.broken.discard(self.name)

    async def send(self, message: Outgoing) -> None:
        self.sent.append(message)

    async def announce(self, announcement: Announcement) -> None:
        pass

    async def connect(self, contact: ContactView, *, agent: str, callback_handle: str) -> bool:
        if callback_handle and not self.capabilities.dial:
            await trio.sleep_forever()  # the agent dials, and reports
        return True

    async def disconnect(self, contact: int, provider_id: str, *, reason: str) -> None:
        pass

    async def forward(self, contact: int, provider_id: str, *, number: str) -> None:
        self.forwarded.append(number)

    async def control(self, contact: ContactView, *, by: str, word: str, value: str) -> dict[str, Any]:
        if word == "record_stop":
            raise ControlRefused("not_capable", "every call is recorded here")
        self.controlled.append((word, value))
        states = {"record": "on", "record_pause": "paused", "record_resume": "on"}
        self.recording = states.get(word, self.recording)
        outside = "ringing" if word == "call_number" else ""
        return {"muted": word == "mute", "recording": self.recording, "outside": outside}

    async def hold(self, contact: int, provider_id: str, *, on: bool) -> None:
        self.held.append(on)

    async def join(self, contact: int, provider_id: str, *, agent: str) -> None:
        pass

    async def part(self, contact: int, provider_id: str, *, agent: str) -> None:
        pass

    async def signal(self, signal: Signal, provider_id: str) -> None:
        self.signals.append(signal)


class LinePlugin:
    """What an entry point would name."""

    @hookimpl
    def register_channels(self, register: Register) -> None:
        register("line", LineSettings, Line)


QUICK_TEXTS = [
    {
        "key": "hello",
        "title": "Greeting",
        "text": "Hello {customer}, this is {agent}. How can I help?",
        "language": "en",
    },
    {"key": "hola", "title": "Saludo", "text": "Hola {customer}, soy {agent}.", "language": "es"},
    {"key": "moment", "title": "One moment", "text": "One moment please, I am looking it up."},
]


def configuration(folder: Path, *, port: int = 0) -> dict[str, Any]:
    """Three queues, four agents, a chat, a telephone, a mailbox and the real web chat."""
    agent = {"skills": {"english": 7, "spanish": 7, "billing": 5}}
    return {
        "domain": {"name": "huerta", "data": str(folder)},
        "skills": ["english", "spanish", "billing"],
        "default_queue": "support",
        "dispositions": ["resolved", "follow_up", "escalated", "complaint"],
        "limits": {"grace_s": 600},
        "queues": {
            "support": {
                "title": "Support",
                "skills": {"english": 3},
                "offer_s": 60,
                "wrap_up_s": 120,
                "answer_target_s": 600,
                "callback_retry_s": 1,
            },
            "sales": {"title": "Sales", "skills": {"english": 3}, "offer_s": 60, "wrap_up_s": 120},
            "atencion": {"title": "Atención al cliente", "skills": {"spanish": 5}, "offer_s": 60},
        },
        "agents": {
            "ana": {"title": "Ana García", **agent},
            "ben": {"title": "Ben Okafor", "skills": {"english": 9}},
            "carla": {"title": "Carla Ruiz", **agent},
            "dmitri": {"title": "Dmitri Volkov", **agent},
        },
        "channels": {
            "web": {"type": "line"},
            "phone": {
                "type": "line",
                "kind": "voice",
                "can_hold": True,
                "can_begin": True,
                "shows_typing": False,
                "controls": [
                    "mute",
                    "unmute",
                    "keys",
                    "record",
                    "record_pause",
                    "record_resume",
                    "record_stop",
                    "call_number",
                    "drop_number",
                ],
            },
            "mail": {"type": "line", "kind": "email", "live": False, "queue": "sales"},
            "shop": {"type": "webchat", "queue": "support"},
        },
        "crms": {"customers": {"type": "crm_sqlite"}},
        "desks": {"console": {"type": "websocket"}},
        "routes": {"console": {"type": "console", "quick_texts": QUICK_TEXTS}},
        "front_doors": {"http": {"type": "http", "port": port}},
    }


class House:
    """A running company: its address, its tokens, and customers at will."""

    def __init__(self, engine: EngineThread, folder: Path) -> None:
        self.engine = engine
        self._data = folder / "front_doors" / "http"
        self.until((self._data / PORT_FILE).exists, "the front door listens")
        self.port = int((self._data / PORT_FILE).read_text())
        self.address = f"http://127.0.0.1:{self.port}"
        self._tokens: dict[tuple[str, str], str] = {}
        self._customers = 0
        self.started_ns = time.time_ns()

    def token(self, role: str, agent: str = "") -> str:
        """A token of a role, made once."""
        if (role, agent) not in self._tokens:
            store = open_store(self._data)
            try:
                _, self._tokens[role, agent] = store.create(name=f"{role} {agent}", role=role, agent=agent)
            finally:
                store.close()
        return self._tokens[role, agent]

    def api(self, method: str, path: str, body: Any = None, *, role: str = "supervisor") -> Any:
        """A request to the interface, as a program would make it."""
        headers = {"authorization": f"Bearer {self.token(role)}"}
        answer = httpx.request(
            method, self.address + path, json=body, headers=headers, timeout=PATIENCE_S, trust_env=False
        )
        assert answer.status_code < 300, answer.text
        return answer.json() if answer.content else None

    def submit(self, command: AnyCommand) -> int:
        """Hand in a command that must be taken; gives the contact it admitted, if it did."""
        outcome = self.engine.submit(command, timeout_s=PATIENCE_S)
        assert outcome.refusal is None, outcome.refusal
        return outcome.contact

    def admit(self, *, channel: str = "web", text: str = "", **fields: Any) -> int:
        """A customer comes in on a channel."""
        self._customers += 1
        contact = self.submit(
            AdmitContact(channel=channel, provider_id=f"p{self.started_ns}/{self._customers}", **fields)
        )
        if text:
            self.say(contact, text)
        return contact

    def say(self, contact: int, text: str) -> None:
        """The customer says something."""
        self.submit(PostMessage(contact=contact, author="customer", text=text))

    def contact(self, contact: int) -> ContactView | None:
        return self.engine.look(lambda board: board.contact(contact), timeout_s=PATIENCE_S)

    def phase(self, contact: int) -> str:
        """The contact's phase; "ended" also when it is no longer known."""
        view = self.contact(contact)
        return "ended" if view is None else view.phase

    def texts(self, contact: int) -> list[str]:
        """What was said in a contact, in order."""
        view = self.contact(contact)
        return [] if view is None else [message.text for message in view.messages]

    def history(self, handle: str) -> list[PastContact]:
        """What the CRM knows of a customer."""

        async def ask(board: LiveSwitchboard) -> list[PastContact]:
            return await board.history(None, handle=handle)

        return self.engine.run_soon(ask).result(PATIENCE_S)

    def until(self, truth: Callable[[], bool], what: str) -> None:
        """Wait until something is so; fails with its name."""
        deadline = time.monotonic() + PATIENCE_S
        while not truth():
            assert time.monotonic() < deadline, f"never came true: {what}"
            time.sleep(POLL_S)

    def until_phase(self, contact: int, phase: str) -> None:
        self.until(lambda: self.phase(contact) == phase, f"contact {contact} is {phase}")


@contextmanager
def open_house(
    folder: Path, *, port: int = 0, titles: Mapping[str, str] | None = None, more_queues: int = 0
) -> Iterator[House]:
    """Start the company, and stop it in order. `titles` are of queues, instead of their usual ones."""
    company = configuration(folder, port=port)
    company["queues"].update({f"more{n}": {"title": f"Atención al cliente {n}"} for n in range(more_queues)})
    for queue, title in (titles or {}).items():
        company["queues"][queue]["title"] = title
    settings = decode(company, folder=folder)
    Line.broken.clear()
    with EngineThread(settings, plugins=[LinePlugin()]) as engine:
        yield House(engine, folder)
